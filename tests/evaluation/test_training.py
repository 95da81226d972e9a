"""Training repeats, starts every arm from the same weights, and learns what is planted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from assets.evaluation.compare import compare
from assets.evaluation.experiment import run
from assets.evaluation.heads import train_heads
from assets.evaluation.training import Training, batches
from assets.evaluation.whole_model import Pairs, read_config, train_all

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def test_every_batch_is_full_without_a_row_twice_and_epochs_are_complete():
    found = list(batches(25, Training(steps=10, batch_size=10), 3))
    assert all(len(set(batch.tolist())) == 10 for batch in found)
    assert np.bincount(np.concatenate(found), minlength=25).tolist() == [4] * 25
    again = list(batches(25, Training(steps=10, batch_size=10), 3))
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    assert (found[0] != next(batches(25, Training(steps=10, batch_size=10), 4))).any()


def test_an_arm_smaller_than_a_batch_is_said_with_the_key():
    with pytest.raises(ValueError, match=r"evaluation\.batch_size is 32, but an arm has 20 pairs"):
        next(batches(20, Training(batch_size=32), 0))


def test_training_repeats_to_the_bit_and_leaves_torch_as_it_was(world):
    import torch

    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    first, second = (train_heads(world.images, world.texts, np.arange(100), world.training, 16, 1) for _ in range(2))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.rand(3), wanted)
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    assert (first.encode_images(world.images) == second.encode_images(world.images)).all()


def test_arms_of_one_seed_start_from_the_same_weights_and_other_seeds_from_others(world):
    few, many = np.arange(40), np.arange(500)
    short = Training(steps=1, batch_size=32, threads=1)
    start = {
        (name, seed): train_heads(world.images, world.texts, rows, short, 16, seed).first_weights_sha256
        for name, rows in (("few", few), ("many", many))
        for seed in (0, 1)
    }
    assert start["few", 0] == start["many", 0] != start["few", 1] == start["many", 1]


def test_a_learning_rate_that_explodes_is_an_error_that_names_it(world):
    wild = Training(steps=30, batch_size=32, learning_rate=1e20, warm_up=0, threads=1)
    with pytest.raises(ValueError, match=r"lower evaluation\.model\.learning_rate"):
        train_heads(world.images, world.texts, np.arange(100), wild, 16, 0)


def test_right_pairs_beat_shuffled_captions_and_the_difference_is_supported(world):
    shuffled = world.texts.copy()
    shuffled[:540] = shuffled[np.random.default_rng(7).permutation(540)]

    def train(rows, seed):
        return world.train(rows[:300], seed, shuffled if len(rows) == 301 else None)

    out = run(world.ids, lambda _: {"pruned": np.arange(300), "random": np.arange(301)}, [0, 1, 2], train,
              world.training, world.held)  # fmt: skip
    found = {row["metric"]: row for row in compare(out["evaluation_rank"], 500).to_pylist()}
    assert len(found) == 5
    for metric in ("image_to_text_r1", "image_to_text_r5", "text_to_image_r1", "text_to_image_r5"):
        assert found[metric]["supported"], found[metric]
        assert "points better" in found[metric]["statement"]
    again = run(world.ids, lambda _: {"pruned": np.arange(300), "random": np.arange(301)}, [0, 1, 2], train,
                world.training, world.held)  # fmt: skip
    assert all(out[name].equals(again[name]) for name in out)
    assert out["evaluation_arm"]["samples"].to_pylist() == [300] * 3 + [301] * 3


def test_two_random_arms_are_not_told_apart(world):
    def arms(seed):
        order = np.random.default_rng(seed).permutation(540)
        return {"pruned": np.sort(order[:250]), "random": np.sort(order[250:500])}

    out = run(world.ids, arms, [0, 1, 2], world.train, world.training, world.held)
    for row in compare(out["evaluation_rank"], 500).to_pylist():
        assert not row["supported"]
        assert row["statement"].endswith("no difference that the deviations support")


def test_an_arm_that_holds_a_pair_held_aside_is_refused(world):
    with pytest.raises(ValueError, match="arm pruned holds pairs that are held aside"):
        run(world.ids, lambda _: {"pruned": np.arange(599)}, [0, 1], world.train, world.training, world.held)


@pytest.fixture(scope="module")
def colors(tmp_path_factory) -> Pairs:
    """48 pictures of one color each out of four, with their names, for a tiny model."""
    file = tmp_path_factory.mktemp("config") / "tiny.json"
    file.write_text(json.dumps(TINY))
    names, noise = ("red", "green", "blue", "white"), np.random.default_rng(0).integers(0, 60, (48, 3))

    def picture(row: int) -> Image.Image:
        base = {"red": (180, 0, 0), "green": (0, 180, 0), "blue": (0, 0, 180), "white": (180, 180, 180)}
        return Image.new("RGB", (40, 36), tuple(int(v) for v in np.array(base[names[row % 4]]) + noise[row]))

    return Pairs(picture, [f"a {names[row % 4]} thing" for row in range(48)], str(file))


def test_a_whole_model_learns_from_pictures_and_repeats_to_the_bit(colors):
    training = Training(steps=40, batch_size=8, learning_rate=3e-3, warm_up=8, threads=1)
    first, second = (train_all(colors, np.arange(40), training, 2) for _ in range(2))
    assert first.first_weights_sha256 == second.first_weights_sha256
    pictures = [colors._read(row) for row in range(40, 48)]
    vectors, again = (model.encoder.encode_images(pictures)[0] for model in (first, second))
    assert (vectors == again).all()
    prompts = first.encoder.encode_texts([f"a {name} thing" for name in ("red", "green", "blue", "white")])
    assert (vectors @ prompts.T).argmax(axis=1).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    other = train_all(colors, np.arange(30), Training(steps=1, batch_size=8, threads=1), 2)
    assert other.first_weights_sha256 == first.first_weights_sha256


def test_pictures_are_read_once_for_all_arms(tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    read = []

    def picture(row: int) -> Image.Image:
        read.append(row)
        return Image.new("RGB", (8, 8))

    pairs = Pairs(picture, ["a"] * 4, str(tmp_path / "tiny.json"))
    assert pairs.pictures(np.array([0, 3])).shape == (2, 32, 32, 3)
    pairs.pictures(np.array([3, 0, 1]))
    assert sorted(read) == [0, 1, 3]


def test_a_model_that_is_not_described_in_full_is_refused(tmp_path):
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "torn.json").write_text("{")
    for config, message in [
        ("no-such-model", "open_clip has no model no-such-model"),
        ("coca_ViT-B-32", "writes captions"),
        ("roberta-ViT-B-32", "from a model hub"),
        (str(tmp_path / "list.json"), "must have embed_dim"),
        (str(tmp_path / "torn.json"), "cannot be read as JSON"),
        (str(tmp_path / "missing.json"), "cannot be read as JSON"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_config(config)
    assert read_config("ViT-B-32")["embed_dim"] == 512
