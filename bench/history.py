"""A Dagster home with many builds of many shards behind it, grown out of one real build."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

DAY = timedelta(days=1)
SOURCE = "sample-crawl"
"""Name of the demo recipe's source."""
STATUS = ("PIPELINE_START", "PIPELINE_SUCCESS")
"""Events that the table of runs follows."""


@dataclass(frozen=True)
class Grown:
    """What a home has after `grow`."""

    shards: int
    builds: int
    events: int
    bytes: int


def partition_keys(source: str, shards: int) -> list[str]:
    """Keys as the registry gives them."""
    return [f"{source}.{number:05d}" for number in range(1, shards + 1)]


def grow(home: Path, shards: int, builds: int) -> Grown:
    """Add builds to a Dagster home that has a real one, a day apart, each of all shards and like the real one otherwise.

    What the real build said of its few shards is said of all: same metadata, plots and tags, under another run, partition
    and time. Every row is made by Dagster's own storage; rows of partitions are inserted a step at a time. Pointers of one
    event at another are those of the real build.
    """
    keys = partition_keys(SOURCE, shards)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        known = set(instance.get_dynamic_partitions("shard"))
        instance.add_dynamic_partitions("shard", [key for key in keys if key not in known])
        run = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)[0]
        example = instance.all_logs(run.run_id)
        events = sum(
            _add_build(instance, run, example, keys, datetime.now(UTC) - DAY * (builds - number))
            for number in range(builds)
        )
    return Grown(shards, builds, events, sum(file.stat().st_size for file in home.rglob("*") if file.is_file()))


def _add_build(
    instance: dg.DagsterInstance,
    example: dg.DagsterRun,
    events: Sequence[EventLogEntry],
    keys: Sequence[str],
    started: datetime,
) -> int:
    tags = {
        **example.tags,
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    run = example._replace(run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.NOT_STARTED, tags=tags)
    instance.run_storage.add_run(run)
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    count = 0
    for partitioned, some in groupby(
        _renamed(events, run.run_id, keys, started), key=lambda event: bool(_partition(event))
    ):
        batch = list(some)
        count += len(batch)
        if partitioned:
            for start in range(0, len(batch), len(keys)):
                _store(storage, batch[start : start + len(keys)])
            continue
        for event in batch:
            storage.store_event(event)
            if event.dagster_event is not None and event.dagster_event.event_type_value in STATUS:
                at = datetime.fromtimestamp(event.timestamp, UTC)
                instance.run_storage.handle_run_event(run.run_id, event.dagster_event, at)
    return count


def _renamed(
    events: Sequence[EventLogEntry], run_id: str, keys: Sequence[str], started: datetime
) -> Iterator[EventLogEntry]:
    """The example's events under another run and time; what was said of a partition is said of every key in turn."""
    moved = started.timestamp() - events[0].timestamp
    of_partitions: dict[tuple[Any, Any], list[EventLogEntry]] = {}
    for event in events:
        if _partition(event):
            of_partitions.setdefault(_subject(event), []).append(event)
    for event in events:
        moment = {"run_id": run_id, "timestamp": event.timestamp + moved}
        if not _partition(event):
            yield _with_run(event, moment)
            continue
        examples = of_partitions.pop(_subject(event), [])
        for number, key in enumerate(keys if examples else ()):
            renamed = _with_run(examples[number % len(examples)], moment)
            # The UI takes events of one millisecond for one event.
            yield _with_partition(renamed._replace(timestamp=renamed.timestamp + number / 1000), key)


def _partition(event: EventLogEntry) -> str | None:
    return event.dagster_event.partition if event.dagster_event is not None else None


def _subject(event: EventLogEntry) -> tuple[Any, Any]:
    """What kind of event it is, of which asset."""
    assert event.dagster_event is not None
    return event.dagster_event.event_type_value, event.dagster_event.asset_key


def _with_run(event: EventLogEntry, moment: Mapping[str, Any]) -> EventLogEntry:
    inner = event.dagster_event
    if inner is not None and inner.logging_tags:
        inner = inner._replace(logging_tags={**inner.logging_tags, "run_id": moment["run_id"]})
    return event._replace(dagster_event=inner, **moment)


def _with_partition(event: EventLogEntry, key: str) -> EventLogEntry:
    inner = event.dagster_event
    assert inner is not None
    said: Any = inner.event_specific_data
    if inner.event_type_value == "ASSET_MATERIALIZATION":
        said = said._replace(materialization=said.materialization._replace(partition=key))
    else:
        said = said._replace(partition=key)
    return event._replace(dagster_event=inner._replace(event_specific_data=said))


def _store(storage: SqliteEventLogStorage, events: Sequence[EventLogEntry]) -> None:
    """What `store_event` does for one event of an asset after the other, in one transaction each for run and index."""
    rows = [storage._event_to_row(event) for event in events]
    insert = SqlEventLogStorageTable.insert()
    with storage.run_connection(events[0].run_id) as connection:
        connection.execute(insert, rows)
    with storage.index_transaction() as connection:
        before = connection.execute(sqlalchemy.func.max(SqlEventLogStorageTable.c.id)).scalar() or 0
        connection.execute(insert, rows)
        ids = range(before + 1, before + 1 + len(events))
        storage._store_asset_event_tags(connection, events, ids)
        storage._store_asset_event(connection, events[-1], ids[-1])
