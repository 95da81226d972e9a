"""The comparison with chance in a build: who is in which arm, what is left out, and what is computed again."""

import hashlib
import json

import numpy as np
import pytest

import orchestration.definitions  # noqa: F401  (registers the steps, in their order)
from assets.evaluation.stage import read_pairs
from assets.provenance.decisions import kept_ids
from orchestration.plan import Work
from orchestration.recipe import RecipeError
from orchestration.stages import run_step
from tests.orchestration.takedown_house import make_house

pytestmark = pytest.mark.slow

SECTION = {"held_aside": 10, "near": 0.9999, "batch_size": 8, "steps": 6, "resamples": 100, "model": {"threads": 1}}
TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 1, "width": 64, "head_width": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1},
}
"""A model of open_clip that trains in a second."""


class House:
    def __init__(self, folder):
        self.house = make_house(folder)

    def build(self, **section):
        """Run everything that the comparison needs."""
        self.house.write_recipe(prune={"keep": 0.6}, evaluation={**SECTION, **section})
        build = self.house.open()
        self.computed = []
        needed, waiting = set(), ["comparison", "selection"]
        while waiting:
            name = waiting.pop()
            needed.add(name)
            waiting += [one for one in build.steps[name].reads if one not in needed]
        for name, step in build.steps.items():
            if name in needed:
                outcomes = run_step(build, step, build.shards_of(step), "test")
                self.computed += [name for outcome in outcomes if not outcome.reused]
        return build


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return House(tmp_path_factory.mktemp("house") / "project")


def test_arms_are_what_they_say_and_nothing_held_aside_is_in_one(house):
    build = house.build()
    role = {row["sample_id"]: row["role"] for row in build.read("held_aside").to_pylist()}
    pairs = read_pairs(Work(build, build.steps["held_aside"], None, {}))["sample_id"].to_numpy()
    usable = pairs[~np.isin(pairs, list(role))]
    kept = usable[np.isin(usable, kept_ids(build.read("selection", "decision")))]
    told = {(row["arm"], row["seed"]): row for row in build.read("evaluation_arms").to_pylist()}
    assert {arm for arm, _ in told} == {"pruned", "random", "top_score", "everything"}
    assert {row["samples"] for (arm, _), row in told.items() if arm != "everything"} == {len(kept)}
    for arm, ids in (("pruned", kept), ("everything", usable)):
        assert told[arm, 0]["ids_sha256"] == hashlib.sha256(np.sort(ids).astype("<u8").tobytes()).digest()
        assert told[arm, 0]["ids_sha256"] == told[arm, 2]["ids_sha256"]
    assert len({told["random", seed]["ids_sha256"] for seed in (0, 1, 2)}) == 3
    assert len({row["first_weights_sha256"] for row in told.values()}) == 3
    assert list(role.values()).count("held_aside") == SECTION["held_aside"]


def test_every_arm_is_compared_with_the_pruned_one_in_every_figure(house):
    build = house.build()
    rows = build.read("comparison").to_pylist()
    metrics = {row["metric"] for row in build.read("evaluation_arms", "evaluation_score").to_pylist()}
    assert metrics >= {"image_to_text_r1", "image_to_text_r5", "text_to_image_r1", "text_to_image_r5"}
    assert {(row["metric"], row["other"]) for row in rows} == {
        (metric, other) for metric in metrics for other in ("random", "top_score", "everything")
    }
    assert all(row["supported"] or "no difference that the deviations support" in row["statement"] for row in rows)


def test_another_bootstrap_trains_nothing_and_another_keep_trains_again(house):
    house.build()
    house.build(resamples=200)
    assert house.computed == ["comparison"]
    house.build(steps=7)
    assert house.computed == ["evaluation_arms", "comparison"]


def test_without_the_section_the_tables_are_empty_and_nothing_is_trained(house):
    house.house.write_recipe()
    build = house.house.open()
    for name in ("held_aside", "evaluation_arms", "comparison"):
        run_step(build, build.steps[name], [None], "test")
        assert build.read(name).num_rows == 0


def test_a_whole_model_is_trained_from_a_configuration_file(house):
    path = house.house.folder / "tiny.json"
    path.write_text(json.dumps(TINY))
    model = {"train": "all", "config": "tiny.json", "warm_up": 1, "threads": 1}
    build = house.build(model=model, seeds=[0, 1], arms=["pruned", "random"], steps=2)
    rows = build.read("evaluation_arms").to_pylist()
    assert [(row["arm"], row["seed"]) for row in rows] == [("pruned", 0), ("pruned", 1), ("random", 0), ("random", 1)]
    assert len(build.read("evaluation_arms", "evaluation_rank")) == 4 * SECTION["held_aside"]
    before = build.fingerprint(build.steps["evaluation_arms"], None)
    path.write_text(json.dumps({**TINY, "embed_dim": 16}))
    assert house.house.open().fingerprint(build.steps["evaluation_arms"], None) != before


def test_a_configuration_file_that_is_not_there_is_one_sentence(house):
    with pytest.raises(RecipeError, match=r"evaluation\.model\.config names none\.json, but there is no such file"):
        house.build(model={"train": "all", "config": "none.json"})
