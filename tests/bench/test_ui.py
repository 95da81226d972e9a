"""The generated history of the UI's benchmark: Dagster must find in it what builds would have left."""

import sqlite3

import dagster as dg
import pytest

from bench.history import Grown, _store, grow, partition_keys
from bench.ui import Load, Opened, Visit, section

shards = dg.DynamicPartitionsDefinition(name="shard")


@dg.asset(partitions_def=shards, backfill_policy=dg.BackfillPolicy.single_run())
def per_shard(context: dg.AssetExecutionContext) -> None:
    for key in context.partition_keys:
        context.add_asset_metadata({"said of": key}, partition_key=key)


@dg.asset(deps=[per_shard])
def over_all() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(tmp_path):
    """A Dagster home with one real run over two shards."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    keys = partition_keys("sample-crawl", 2)
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("shard", keys)
        dg.materialize([per_shard, over_all], instance=instance, tags=tags)
    return home


def test_every_build_says_of_every_shard_what_the_real_one_said_of_its_own(home):
    grown = grow(home, shards=5, builds=3)
    keys = partition_keys("sample-crawl", 5)
    assert grown.bytes > 0
    with dg.DagsterInstance.from_config(str(home)) as instance:
        runs = instance.get_runs()
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 4
        assert grown.events == sum(len(instance.all_logs(run.run_id)) for run in runs[:3])
        assert instance.get_dynamic_partitions("shard") == keys
        assert instance.get_materialized_partitions(dg.AssetKey("per_shard")) == set(keys)
        made = instance.fetch_materializations(dg.AssetKey("per_shard"), limit=100).records
        assert [record.partition_key for record in made[:5]] == keys[::-1]
        assert len(made) == 3 * 5 + 2
        assert len({record.timestamp for record in made}) == len(made)
        said = {record.partition_key: record.asset_materialization.metadata["said of"].value for record in made[:5]}
        assert set(said.values()) == set(keys[:2])
        newest = instance.get_latest_materialization_event(dg.AssetKey("over_all"))
        assert newest.run_id == runs[0].run_id
        assert newest.asset_materialization.metadata["rows"].value == 3


def test_rows_stored_together_are_those_that_dagster_stores_one_by_one(home, tmp_path):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_runs()[0]
        planned, made = (
            [event for event in instance.all_logs(run.run_id, of_type=kind) if event.get_dagster_event().partition]
            for kind in (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION)
        )
    tables = []
    for name in ("one by one", "together"):
        (tmp_path / name).mkdir()
        with dg.DagsterInstance.from_config(str(_empty(tmp_path / name))) as instance:
            for events in (planned, made):
                if name == "together":
                    _store(instance.event_log_storage, events)
                else:
                    for event in events:
                        instance.event_log_storage.store_event(event)
        tables.append({shard: _rows(tmp_path / name, shard) for shard in ("index", run.run_id)})
    assert tables[0] == tables[1]
    assert len(tables[0]["index"]["event_logs"]) == 4


def _empty(home):
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return home


def _rows(home, shard):
    file = home / "history" / "runs" / f"{shard}.db"
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        columns = {
            "event_logs": "*",
            "asset_event_tags": "*",
            "asset_keys": "asset_key, last_materialization, last_run_id, last_materialization_timestamp",
        }
        return {table: connection.execute(f"SELECT {some} FROM {table}").fetchall() for table, some in columns.items()}


def test_the_section_tells_medians_of_later_visits_and_the_slowest_question():
    visits = {"graph": Opened(Visit(9, 9), [Visit(s, s + 1) for s in (1, 2, 5)], "SlowQuery", 0.25)}
    text = section(Grown(10, 2, 1234, 10**9), {"import": [Load(3, 2), Load(4, 2)]}, visits)
    assert "| graph | 2 s | 3 s | 9 s | SlowQuery 250 ms |" in text
    assert "1,234 events" in text
    assert "| import | 3.5 s | 2 s |" in text
    assert "No Chromium" in section(Grown(10, 2, 1234, 10**9), {"import": [Load(3, 2)]}, {})
