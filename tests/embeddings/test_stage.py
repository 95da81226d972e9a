"""What of the recipe reaches the step, and who is listed as having made vectors."""

from __future__ import annotations

from orchestration import definitions  # noqa: F401  # isort: skip - all steps, in their order

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from assets.captions.stage import _encoder_agents
from assets.embeddings.stage import concept_settings, embeddings, encoder_settings
from orchestration.plan import Step
from orchestration.recipe import RecipeError, parse_recipe
from orchestration.stages import STEPS, _metadata
from resources.encoder import EncoderSettings
from tests.orchestration.test_plan import make, rows  # noqa: F401 - make is a fixture
from tests.resources.encoder.conftest import tiny  # noqa: F401 - a fixture

SECOND = {"kind": "open_clip", "model": "ViT-B-32", "pretrained": "laion2b_s34b_b79k"}


def recipe(**section):
    sources = [{"name": "web", "uris": ["*.warc.gz"]}]
    rest = {"prune": {"keep": 0.5}, "release": {"name": "test", "version": "1.0.0"}}
    return parse_recipe({"name": "test", "crawl": {"sources": sources}, "embeddings": section, **rest})


def section(**keys):
    assert embeddings.key.to_user_string() == "embeddings"
    return STEPS["embeddings"].section(recipe(**keys))


def test_both_encoders_are_in_the_steps_section_with_the_same_keys():
    found = section(batch_size=16, concepts=SECOND)
    assert EncoderSettings(**found["encoder"]) == EncoderSettings(batch_size=16)
    assert EncoderSettings(**found["concepts"]) == EncoderSettings(**SECOND)


def test_without_a_second_encoder_or_with_the_same_one_there_is_one():
    assert section()["concepts"] is None
    assert concept_settings(recipe(concepts={})) is None
    assert concept_settings(recipe(concepts={"batch_size": 16}))["batch_size"] == 16


def test_the_number_of_threads_that_decode_is_no_part_of_what_vectors_are_made_from():
    assert section(decode_threads=7) == section()


def test_captions_see_the_first_encoder_only():
    assert encoder_settings(recipe(concepts=SECOND)) == encoder_settings(recipe())


def test_auto_reaches_the_step_as_what_it_stands_for():
    assert section(precision="auto")["encoder"]["precision"] in ("fp32", "bf16")


def test_both_encoders_are_agents_and_the_same_weights_are_one(tiny):  # noqa: F811
    first, second = asdict(EncoderSettings()), asdict(replace(tiny, license="MIT"))
    both = _encoder_agents(SimpleNamespace(config={"encoder": first, "concepts": second}))
    assert [(agent.kind, agent.name, agent.license) for agent in both] == [
        ("encoder", "lite2_minilm_lit", "Apache-2.0"),
        ("encoder", "tiny-clip/tiny.pt", "MIT"),
    ]
    assert all(agent.revision and agent.weights_sha256 for agent in both)
    for other in (None, first | {"batch_size": 16}):
        assert len(_encoder_agents(SimpleNamespace(config={"encoder": first, "concepts": other}))) == 1


def test_notes_of_a_run_stand_on_its_page_and_in_no_file(make):  # noqa: F811
    def note(work):
        work.notes["images per second"] = 12.5
        return {"score": rows("score", sample_id=[1], scorer=["s"], model=["m"], value=[1.0])}

    step = Step("note", "crawl", ("score",), (), lambda recipe: None, (), (), False, note)
    build = make(steps={"note": step})
    outcome = build.run(step, None)
    assert _metadata(build, step, [outcome])["images per second"] == 12.5
    path = build.paths("note")[0]
    assert b"images per second" not in path.read_bytes()
    again = build.run(step, None)
    assert again.reused
    assert "images per second" not in _metadata(build, step, [again])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"concepts": {"modle": "x"}}, "embeddings.concepts.modle is not a key of a recipe. Did you mean model?"),
        ({"concepts": {"decode_threads": 2}}, "embeddings.concepts.decode_threads is not a key"),
        ({"precision": "int8"}, "embeddings.precision is 'int8', but must be one of"),
        ({"device": "gpu"}, "embeddings.device is 'gpu'"),
    ],
)
def test_a_wrong_key_is_named(keys, said):
    with pytest.raises(RecipeError, match=said):
        recipe(**keys)
