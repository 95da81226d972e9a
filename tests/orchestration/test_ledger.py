"""The ledger: why files were computed anew, by what differs from the run before."""

import pytest

from orchestration import ledger
from orchestration.stages import run_step
from tests.orchestration.test_plan import STEPS, make  # noqa: F401


@pytest.fixture
def run(make):  # noqa: F811
    def go(**more):
        build = make(**more)
        return {
            (outcome.step, outcome.partition): outcome.because
            for step in STEPS.values()
            for outcome in run_step(build, step, build.shards_of(step), "run")
        }

    return go


def test_a_first_build_says_that_it_is_one(run):
    assert set(run().values()) == {"made for the first time"}


def test_what_is_reused_has_no_reason(run):
    run()
    assert set(run().values()) == {None}


def test_a_changed_key_is_named_and_what_follows_names_its_input(run):
    run()
    told = run(k=3)
    assert {told["count_bytes", f"set.0000{n}"] for n in (1, 2, 3)} == {None}
    assert told["scale", "set.00001"] == "recipe: factor"
    assert told["total", None] == "input: scale"


def test_a_changed_crawl_file_is_named_as_such(run, tmp_path):
    run()
    (tmp_path / "b.warc.gz").write_bytes(b"y" * 9)
    told = run()
    assert told["count_bytes", "set.00004"] == "made for the first time"
    assert told["count_bytes", "set.00001"] is None
    assert told["total", None] == "input: scale"


def test_files_that_were_deleted_are_made_again_for_that_reason(run, tmp_path):
    run()
    for path in (tmp_path / "home" / "lake" / "score").glob("all-*"):
        path.unlink()
    assert run()["total", None] == "its files were gone"


def test_the_newest_run_is_compared_with(run):
    run()
    run(k=3)
    assert run(k=4)["scale", "set.00001"] == "recipe: factor"
    assert run(k=3)["scale", "set.00001"] is None


def test_parts_that_differ_are_told_by_their_names():
    before = {"code": "1", "crawl": "1", "observed": "1", "recipe": {"a": "1", "b": "1"}, "inputs": {"x": "1"}}
    after = {"code": "2", "crawl": "1", "observed": "2", "recipe": {"a": "2", "c": "1"}, "inputs": {"x": "1", "y": "1"}}
    assert ledger.difference(before, after) == "code; answers from outside; recipe: a, b, c; input: y"
    assert ledger.difference(before, before) == "its files were gone"
