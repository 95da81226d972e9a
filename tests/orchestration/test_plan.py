"""The plan, with three small steps over real files: what is made, what is reused, what a change touches."""

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
import yaml

from assets.provenance.tables import TABLES
from orchestration.plan import Build, CrawlFileError, Step, _own_source
from orchestration.recipe import load_recipe
from orchestration.registry import register
from resources.lake import Lake

CALLS: Counter = Counter()


def rows(table, **columns):
    """Rows of a table of the contract, other columns null."""
    n = len(next(iter(columns.values())))
    return pa.table({field.name: columns.get(field.name, [None] * n) for field in TABLES[table].schema})


def count_bytes(work):
    CALLS["bytes"] += 1
    size = work.crawl_file().stat().st_size
    return {"score": rows("score", sample_id=[work.shard.shard_id], scorer=["bytes"], model=["m"], value=[float(size)])}


def scale(work):
    CALLS["scale"] += 1
    value = work.read("count_bytes").column("value")[0].as_py() * work.config["factor"]
    return {"score": rows("score", sample_id=[work.shard.shard_id], scorer=["scaled"], model=["m"], value=[value])}


def total(work):
    CALLS["total"] += 1
    value = sum(work.read("scale").column("value").to_pylist())
    return {"score": rows("score", sample_id=[0], scorer=["total"], model=["m"], value=[value])}


def step(compute, reads=(), section=lambda recipe: None, per_shard=True):
    return Step(compute.__name__, "crawl", ("score",), reads, section, (), ("pyarrow",), per_shard, compute)


STEPS = {
    "count_bytes": step(count_bytes),
    "scale": step(scale, ("count_bytes",), lambda recipe: {"factor": recipe.clusters.k}),
    "total": step(total, ("scale",), per_shard=False),
}


@pytest.fixture
def make(tmp_path):
    """Builds over three crawl files; changed recipe values and homes on demand."""
    for name, size in (("a", 3), ("b", 5), ("c", 7)):
        (tmp_path / f"{name}.warc.gz").write_bytes(b"x" * size)
    CALLS.clear()

    def build(home="home", k=10, steps=STEPS):
        recipe = {
            "name": "r",
            "crawl": {"sources": [{"name": "set", "uris": ["*.warc.gz"]}]},
            "clusters": {"k": k},
            "prune": {"keep": 0.5},
            "release": {"name": "r"},
        }
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
        found, lake = load_recipe(tmp_path / "r.yaml"), Lake(tmp_path / home)
        return Build(found, lake, register(found, lake), steps)

    return build


def run_all(build):
    return [build.run(s, shard) for s in build.steps.values() for shard in build.shards_of(s)]


def answer(build):
    return build.read("total").column("value")[0].as_py()


def test_a_step_over_all_shards_sees_every_shard(make):
    build = make()
    run_all(build)
    assert answer(build) == 10 * (3 + 5 + 7)


def test_a_second_run_computes_nothing(make):
    run_all(make())
    CALLS.clear()
    assert all(outcome.reused for outcome in run_all(make()))
    assert not CALLS


def test_a_changed_key_recomputes_only_what_is_downstream_of_it(make):
    run_all(make())
    CALLS.clear()
    build = make(k=2)
    reused = Counter((outcome.step, outcome.reused) for outcome in run_all(build))
    assert reused == {("count_bytes", True): 3, ("scale", False): 3, ("total", False): 1}
    assert answer(build) == 2 * 15


def test_going_back_to_earlier_values_computes_nothing(make):
    run_all(make())
    run_all(make(k=2))
    CALLS.clear()
    run_all(make())
    assert not CALLS


def test_a_changed_crawl_file_recomputes_its_shard_and_what_sees_all(make, tmp_path):
    run_all(make())
    CALLS.clear()
    (tmp_path / "b.warc.gz").write_bytes(b"x" * 50)
    build = make()
    run_all(build)
    assert dict(CALLS) == {"bytes": 1, "scale": 1, "total": 1}
    assert answer(build) == 10 * (3 + 50 + 7)


def test_the_build_id_is_known_before_anything_is_made_and_the_same_in_any_home(make):
    before = make().build_id
    run_all(make())
    assert make().build_id == before == make("elsewhere").build_id
    assert make(k=2).build_id != before


def test_files_are_byte_identical_in_two_homes(make):
    one, two = make("one"), make("two")
    run_all(one)
    run_all(two)
    assert [p.read_bytes() for *_, p in one.files()] == [p.read_bytes() for *_, p in two.files()]
    assert [one.lake.uri(p) for *_, p in one.files()] == [two.lake.uri(p) for *_, p in two.files()]


def test_a_library_version_is_part_of_the_fingerprint(make, monkeypatch):
    before = make().build_id
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    changed = {name: replace(s, libraries=("numpy",)) for name, s in STEPS.items()}
    assert make(steps=changed).build_id != before


def test_a_step_cannot_read_what_it_does_not_declare(make):
    def sneaky(work):
        return {"score": work.read("total")}

    build = make(steps={**STEPS, "sneaky": step(sneaky, ("scale",))})
    run_all(make())
    with pytest.raises(ValueError, match="step sneaky reads total, but does not declare it"):
        build.run(build.steps["sneaky"], build.snapshot.shards[0])


def test_a_table_that_breaks_the_contract_is_not_written(make):
    def broken(work):
        return {"score": pa.table({"sample_id": pa.array([1], pa.uint64())})}

    build = make(steps={"broken": step(broken)})
    with pytest.raises(ValueError, match="table score: unknown columns \\[\\], missing columns"):
        build.run(build.steps["broken"], build.snapshot.shards[0])
    assert not build.done(build.steps["broken"], build.snapshot.shards[0])


def test_a_crawl_file_that_changed_after_registration_is_refused(make, tmp_path):
    build = make()
    (tmp_path / "a.warc.gz").write_bytes(b"other")
    with pytest.raises(CrawlFileError, match="a.warc.gz: its bytes changed after it was registered"):
        build.run(build.steps["count_bytes"], build.snapshot.shards[0])


def test_a_crawl_file_that_vanished_costs_only_its_shard(make, tmp_path):
    build = make()
    (tmp_path / "a.warc.gz").unlink()
    with pytest.raises(CrawlFileError, match="a.warc.gz: the crawl file is gone; put it back, or take it out"):
        build.run(build.steps["count_bytes"], build.snapshot.shards[0])
    for shard in build.snapshot.shards[1:]:
        assert not build.run(build.steps["count_bytes"], shard).reused


LIMIT = 3


def helper(rows):
    return rows[:LIMIT]


def uses_helper(work):
    return (lambda rows: helper(rows))(work)


def test_the_code_of_a_step_holds_the_functions_and_numbers_that_it_uses_beside_it(monkeypatch):
    before = _own_source(uses_helper)
    assert any("def helper" in part for part in before)
    assert "3" in before
    monkeypatch.setitem(globals(), "LIMIT", 4)
    assert _own_source(uses_helper) != before


def even(work):
    CALLS["even"] += 1
    value = work.read("scale").column("value")[0].as_py() % 2
    return {"score": rows("score", sample_id=[work.shard.shard_id], scorer=["even"], model=["m"], value=[value])}


def after(work):
    CALLS["after"] += 1
    return {"score": work.read("even")}


def test_readers_of_a_step_that_is_known_by_content_are_made_anew_only_where_its_rows_changed(make):
    known = replace(step(even, ("scale",)), by_content=("score",))
    steps = {name: STEPS[name] for name in ("count_bytes", "scale")} | {"even": known, "after": step(after, ("even",))}

    def run(k):
        CALLS.clear()
        build = make(k=k, steps=steps)
        run_all(build)
        return (
            {build.fingerprint(steps["after"], shard) for shard in build.snapshot.shards},
            CALLS["even"],
            CALLS["after"],
        )

    names, *made = run(2)
    assert made == [3, 3]
    assert run(4) == (names, 3, 0)
    others, *made = run(1)
    assert made == [3, 3]
    assert not others & names


def test_what_follows_a_step_that_is_known_by_content_has_another_name_until_that_is_made(make):
    known = replace(step(even, ("scale",)), by_content=("score",))
    steps = {name: STEPS[name] for name in ("count_bytes", "scale")} | {"even": known, "after": step(after, ("even",))}
    build = make(steps=steps)
    before = build.build_id
    run_all(build)
    assert build.build_id != before
    assert make(steps=steps).build_id == build.build_id
