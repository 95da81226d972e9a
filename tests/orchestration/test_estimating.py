"""`winnow estimate`: the arithmetic on numbers that can be checked by hand, and real builds."""

import math
from dataclasses import replace

import pyarrow as pa
import pytest

from assets.provenance.tables import TABLES
from orchestration import estimating
from orchestration.cost import Cost
from orchestration.estimating import (
    ONCE,
    OVER_ALL,
    PASS_BYTES_PER_SECOND,
    PER_SHARD,
    Law,
    Measured,
    Prices,
    Sample,
    Size,
    bounded,
    by_cells,
    constant,
    estimate,
    extrapolate,
    laws,
    linear,
    margin,
    measured,
    report,
    spaced,
    totals,
)  # fmt: skip
from orchestration.manifest import BuildError
from orchestration.recipe import load_recipe
from orchestration.registry import Shard
from orchestration.stages import run_step
from tests.orchestration.test_plan import STEPS, make  # noqa: F401

HERE = Size(shards=2, pairs=200, vectors=100)
TEN = HERE.of_shards(10)


def step(seconds, law=PER_SHARD, per_shard=True, cost=None, pooled=False):
    costs = tuple(cost or Cost(one, 0, 1000, 500) for one in seconds)
    return Measured("a step", law, tuple(seconds), costs, per_shard, pooled)


def test_a_size_grows_in_proportion_by_shards_and_by_pairs():
    assert Size(10, 1000, 500) == TEN == HERE.of_pairs(1000)


def test_pairs_cannot_be_extrapolated_to_from_shards_without_any():
    with pytest.raises(BuildError, match="hold no candidate pairs"):
        Size(2, 0, 0).of_pairs(1e9)


def test_a_step_per_shard_grows_with_the_shards():
    found = extrapolate(step([3.0, 5.0]), HERE, TEN)
    assert found.seconds == 40
    assert found.cost == Cost(40, 0, 10_000, 5_000)


def test_the_interval_is_students_of_the_spread_less_what_is_known():
    # Standard deviation sqrt(2), quantile 12.706 at one degree of freedom, 8 of 10 shards unknown.
    expected = 12.7062 * math.sqrt(2) * 10 * math.sqrt(0.8 / 2)
    assert margin([3, 5], 10) == pytest.approx(expected, rel=1e-5)
    found = extrapolate(step([3.0, 5.0]), HERE, TEN)
    assert (found.low, found.high) == (0, pytest.approx(40 + expected, rel=1e-5))


def test_more_shards_make_the_interval_narrower():
    assert margin([3, 5] * 4, 100) < margin([3, 5], 100) / 4


def test_equal_shards_have_no_spread_and_one_shard_tells_none():
    assert margin([4, 4, 4], 100) == 0
    assert margin([4], 100) is None
    assert extrapolate(step([4.0]), replace(HERE, shards=1), TEN).low is None


def test_where_all_shards_were_measured_nothing_is_uncertain():
    found = extrapolate(step([3.0, 5.0]), HERE, HERE)
    assert (found.seconds, found.low, found.high) == (8, 8, 8)


def test_work_for_all_shards_that_was_charged_to_the_first_has_no_interval():
    assert extrapolate(step([8.0, 0.0], pooled=True), HERE, TEN).low is None


def test_what_does_not_depend_on_the_pool_stays():
    found = extrapolate(step([7.0], ONCE, per_shard=False), HERE, TEN)
    assert (found.seconds, found.low) == (7, None)
    assert found.cost == Cost(7, 0, 1000, 500)


def test_a_bounded_sample_grows_until_it_is_full():
    grow = bounded(300)
    assert grow(HERE, Size(4, 400, 200)) == 2
    assert grow(HERE, TEN) == 3
    assert grow(TEN, TEN.of(100)) == 1
    assert grow(Size(1, 1, 0), TEN) == 300


def test_reading_all_vectors_grows_although_the_sample_is_full():
    cost = Cost(1, 0, int(PASS_BYTES_PER_SECOND), 10)
    found = extrapolate(step([1.0], Law("", constant, linear, constant, passes=True), False, cost), HERE, TEN)
    assert found.seconds == pytest.approx(1 + 4)
    assert found.cost.bytes_read == 5 * cost.bytes_read
    assert found.cost.bytes_written == 10


def test_dedup_by_cells_is_near_linear():
    # Per vector: 500 + 4000 in cells, and 7 times the root of the number of cells.
    grow = by_cells(1000, 4)
    million, billion = Size(1, 1, 1e6), Size(1000, 1000, 1e9)
    assert grow(million, billion) == pytest.approx(1000 * (4500 + 7 * 1000) / (4500 + 7 * math.sqrt(1000)))


def test_totals_share_shards_among_workers_and_price_what_was_used():
    hour = Cost(cpu_seconds=3600, gpu_seconds=1800)
    apart = step([10.0, 10.0], cost=hour)
    together = step([6.0], OVER_ALL, False, Cost(720))
    sample = Sample(HERE, (apart, together), {"image.tar": (10**9, linear), "tag": (10**9, constant)})
    found = totals(sample, TEN, 4, Prices(cpu=1, gpu=10, storage=0.5))
    assert found.seconds == 100 + 30
    assert found.wall == 100 / 4 + 30
    assert found.margin == 0
    assert found.computing == pytest.approx(10 + 1 + 10 * 0.5 * 10)
    assert (found.stored, found.storing) == (6e9, 3)


def test_more_workers_than_shards_do_not_help():
    sample = Sample(HERE, (step([10.0, 10.0]),), {})
    assert totals(sample, HERE, 50, Prices()).wall == 10


def test_the_sample_is_evenly_spaced_and_never_more_than_there_is():
    shards = [Shard(number, "s", str(number), "", 1) for number in range(1, 11)]
    assert [shard.shard_id for shard in spaced(shards, 2)] == [3, 8]
    assert [shard.shard_id for shard in spaced(shards, 5)] == [2, 4, 6, 8, 10]
    assert spaced(shards, 99) == shards


def test_the_report_says_that_so_many_shards_are_too_many_for_dagster():
    sample = Sample(HERE, (step([1.0, 2.0]),), {"sample": (100, linear)}, ("something.",))
    _, lines = report(sample, 2, 1e9, 8, Prices())
    assert [line for line in lines if "more partitions than Dagster" in line]
    assert "weak:     something." in lines
    assert not [line for line in report(sample, 2, None, 8, Prices())[1] if "partitions" in line]


def empty(name):
    """No rows of a table, vectors of length 4."""
    short = pa.list_(pa.float16(), 4)
    fields = [f.with_type(short) if f.type == pa.list_(pa.float16()) else f for f in TABLES[name].schema]
    return pa.schema(fields).empty_table()


def candidates(work):
    return {"candidate": empty("candidate")}


def embeddings(work):
    return {"embedding": empty("embedding")}


FEW = {
    function.__name__: replace(STEPS["count_bytes"], name=function.__name__, tables=(table,), compute=function)
    for function, table in ((candidates, "candidate"), (embeddings, "embedding"))
}


@pytest.fixture
def few(make, monkeypatch):  # noqa: F811
    monkeypatch.setattr(estimating, "_steps", lambda: FEW)
    return make(steps=FEW)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_some_shards_are_built_in_a_home_that_goes_and_the_home_stays_as_it_is(few, tmp_path):
    before, said = files(tmp_path / "home"), []
    sample, known = estimate(few.recipe, str(tmp_path / "home"), 2, said.append)
    assert (sample.here.shards, known) == (2, 3)
    assert said[0] == "building 2 shards: set.00001, set.00003"
    assert {len(step.seconds) for step in sample.steps} == {2}
    assert files(tmp_path / "home") == before


def test_a_home_that_nobody_built_in_is_not_made(few, tmp_path):
    sample, known = estimate(few.recipe, str(tmp_path / "nowhere"), 2, lambda text: None)
    assert (sample.here.shards, known) == (2, 3)
    assert not (tmp_path / "nowhere").exists()


def test_a_complete_build_is_read_from_the_ledger_and_an_incomplete_one_is_not(few):
    for one in FEW.values():
        assert measured(few) is None
        run_step(few, one, few.snapshot.shards, "run")
    sample, known = estimate(few.recipe, str(few.lake.home), 2, lambda text: None)
    assert (sample.here.shards, known) == (3, 3)


def test_a_build_of_the_demo_is_estimated_from_its_ledger(built):
    project, _ = built
    out = project.winnow("estimate", "recipe.yaml", "--pairs", "1e6", "--workers", "4")
    assert "measured: 2 shards, 481 candidate pairs" in out
    assert "1,000,000 candidate pairs" in out
    for told in ("embeddings", "near linear, by cells", "image.tar", "2 shards say little", "with 4 workers"):
        assert told in out


def test_a_build_as_it_is_costs_what_it_did(built):
    project, _ = built
    recipe = load_recipe(project.folder / "recipe.yaml")
    sample, known = estimate(recipe, str(project.home), 2, lambda text: None)
    found = totals(sample, sample.here.of_shards(known), 1, Prices())
    [[cpu]] = project.sql("SELECT sum(cpu_seconds) FROM run WHERE NOT reused")
    assert found.cost.cpu_seconds == pytest.approx(cpu)
    [[size]] = project.sql("SELECT sum(bytes) FROM artifact")
    assert found.stored == size
    assert set(laws(recipe)) <= {step.step for step in sample.steps}
