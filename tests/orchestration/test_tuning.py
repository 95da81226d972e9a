"""`winnow tune`: what is compared, in what time, and what is recommended."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from orchestration import tuning
from orchestration.cli import main
from orchestration.recipe import parse_recipe
from orchestration.tuning import Trial, best, encoders_of, keys_of, tune
from tests.resources.encoder.conftest import tiny  # noqa: F401 - a fixture

REST = {"prune": {"keep": 0.5}, "release": {"name": "test", "version": "1.0.0"}}


def trial(precision="fp32", batch_size=32, threads=2, decode_threads=None, speed=10.0):
    return Trial(precision, batch_size, threads, decode_threads, speed)


def test_the_clearly_fastest_is_recommended_and_of_equal_ones_the_first():
    trials = [trial(batch_size=16), trial(batch_size=32, speed=10.2), trial(batch_size=64, speed=9)]
    assert best(trials).batch_size == 16
    assert best([*trials, trial("bf16", 64, speed=20)]).precision == "bf16"


def test_threads_that_decode_are_chosen_by_the_time_of_the_whole():
    trials = [trial(), *(trial(decode_threads=n, speed=s) for n, s in ((1, 5), (2, 8), (4, 8.1)))]
    assert best(trials).decode_threads == 2
    assert best([trial()]).decode_threads == 1


def test_the_keys_can_be_put_into_a_recipe():
    sources = [{"name": "web", "uris": ["*.warc.gz"]}]
    for section in ("embeddings", "embeddings.concepts"):
        keys = yaml.safe_load(keys_of(section, trial("bf16", 64, 1, 2)))
        found = parse_recipe({"name": "test", "crawl": {"sources": sources}, **REST, **keys})
        settings = encoders_of(found)[section]
        assert (settings.precision, settings.batch_size, settings.threads) == ("bf16", 64, 1)
    assert list(encoders_of(found)) == ["embeddings", "embeddings.concepts"]


@pytest.fixture
def machine(monkeypatch):
    """Two cores with bfloat16; few pictures."""
    monkeypatch.setattr(tuning, "computes_in_bf16", lambda device: True)
    monkeypatch.setattr(tuning.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(tuning, "PICTURES", 4)


def test_precisions_threads_batches_and_decoding_are_measured_on_the_recipes_encoder(tiny, machine):  # noqa: F811
    said = []
    trials = tune(tiny, 600, said.append)
    towers = [t for t in trials if t.decode_threads is None]
    assert {(t.precision, t.threads) for t in towers} >= {("fp32", 1), ("fp32", 2), ("bf16", 1), ("bf16", 2)}
    assert {t.batch_size for t in towers} == set(tuning.CPU_BATCHES)
    assert [t.decode_threads for t in trials if t.decode_threads] == [1, 2, 4]
    assert all(t.images_per_second > 0 for t in trials)
    assert len(said) == len(trials) + 2  # a line for each, and two models
    assert best(trials).batch_size in tuning.CPU_BATCHES


def test_nothing_new_begins_once_the_time_is_over(tiny, machine):  # noqa: F811
    clock = iter(range(10_000))
    trials = tune(tiny, 4, lambda _: None, lambda: float(next(clock)))
    assert [(t.precision, t.batch_size, t.decode_threads) for t in trials] == [("fp32", 32, None), ("fp32", 32, 1)]


@pytest.fixture
def recipe(tmp_path):
    """A recipe file with some section `embeddings`."""

    def write(**section) -> str:
        path = tmp_path / "recipe.yaml"
        sources = [{"name": "web", "uris": ["*.warc.gz"]}]
        path.write_text(yaml.safe_dump({"name": "t", "crawl": {"sources": sources}, "embeddings": section, **REST}))
        return str(path)

    return write


def test_the_command_prints_a_table_and_keys_for_each_encoder_and_writes_nothing(recipe, monkeypatch, tmp_path):
    monkeypatch.setattr(tuning, "tune", lambda settings, seconds, say: say("loading") or [trial(speed=7.0 * seconds)])
    path = recipe(concepts={"batch_size": 8})
    found = CliRunner().invoke(main, ["tune", path, "--seconds", "3"])
    assert found.exit_code == 0, found.output
    assert "embeddings.concepts: loading" in found.stderr
    assert found.stdout.count("21.0") == 2
    assert "embeddings:\n  concepts:\n    precision: fp32\n    batch_size: 32\n" in found.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.yaml"]


def test_an_encoder_that_cannot_run_here_is_one_sentence(recipe, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = CliRunner().invoke(main, ["tune", recipe(device="cuda")])
    assert found.exit_code == 1
    assert found.output.startswith("Error: encoder: device is cuda, but torch finds no CUDA device here")
    assert len(found.output.splitlines()) == 1
