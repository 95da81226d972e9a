"""The ledger: runs, builds and releases, with their clocks and names, outside the manifest hash.

Every document is written once under a new name and never changed, so that two runs cannot disturb each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from upath import UPath

from assets.provenance.tables import TABLES
from orchestration.cost import Cost
from orchestration.plan import Build, Outcome, Step
from orchestration.registry import Shard
from resources.lake import Lake, sha256_of


def record_runs(build: Build, step: Step, outcomes: Sequence[Outcome], run_id: str) -> None:
    """Write one document for what a run did of a step."""
    if not outcomes:
        return
    build_id = build.build_id
    found = [
        {
            **_run(build, build_id, step, outcome.shard, run_id, outcome.started_at, outcome.ended_at),
            "status": "ok",
            "reused": outcome.reused,
            "because": outcome.because,
            **outcome.cost.as_dict(),
            "parts": parts_of(build, step, outcome.shard),
            "files": [file.as_dict() for file in outcome.files],
        }
        for outcome in outcomes
    ]
    write(build.lake, "run", found, step.name)


def record_failure(build: Build, step: Step, shard: Shard | None, run_id: str, started: datetime, cost: Cost) -> None:
    """Write one document for a step that did not end well."""
    run = _run(build, build.build_id, step, shard, run_id, started, datetime.now(UTC))
    write(build.lake, "run", [{**run, "status": "failed", "reused": False, **cost.as_dict(), "files": []}], step.name)


def parts_of(build: Build, step: Step, shard: Shard | None) -> dict[str, Any]:
    """What a fingerprint was made of, part by part, as short hashes: what two runs are compared by."""
    made_from = build.made_from(step, shard)
    config = made_from["config"]
    keys = config if isinstance(config, dict) else {"": config}
    return {
        "code": made_from["code"][:16],
        "recipe": {str(key): sha256_of(value)[:16] for key, value in keys.items()},
        "crawl": sha256_of(made_from["shard"])[:16],
        "observed": sha256_of(made_from["observed"])[:16],
        "inputs": {name: sha256_of(value)[:16] for name, value in made_from["inputs"].items()},
    }


class Before:
    """What runs before this one made a step's files from, by partition."""

    def __init__(self, lake: Lake, step: Step) -> None:
        self._left = lake.files(lake.home / "ledger" / "run", f"*-{step.name}.json")
        self._lake = lake
        self._known: dict[str | None, dict[str, Any]] = {}

    def differs(self, partition: str | None, parts: dict[str, Any]) -> str:
        """What differs from the newest run for the same partition, in a few words."""
        while partition not in self._known and self._left:
            for row in self._lake.read_document(self._left.pop()):
                if row["status"] == "ok" and "parts" in row:
                    self._known.setdefault(row["partition"], row["parts"])
        before = self._known.get(partition)
        return "made for the first time" if before is None else difference(before, parts)


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What two runs' parts differ in, e.g. `recipe: keep; input: rights`."""
    told = []
    for name, word in (("code", "code"), ("crawl", "crawl file"), ("observed", "answers from outside")):
        if before[name] != after[name]:
            told.append(word)
    for name, word in (("recipe", "recipe"), ("inputs", "input")):
        old, new = before[name], after[name]
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        if keys:
            told.append(f"{word}: {', '.join(keys)}".removesuffix(": "))
    return "; ".join(told) or "its files were gone"


def _run(
    build: Build, build_id: str, step: Step, shard: Shard | None, run_id: str, started: datetime, ended: datetime
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "build_id": build_id,
        "asset": step.name,
        "partition": shard.partition if shard else None,
        "fingerprint": build.fingerprint(step, shard),
        "code_version": step.code_version(),
        "config_sha256": sha256_of(build.config(step)),
        "started_at": started.isoformat(),
        "ended_at": ended.isoformat(),
    }


def write(lake: Lake, kind: str, rows: list[dict[str, Any]], about: str = "") -> None:
    """Append a document of rows of one kind (run, build, release …); `about` ends its name, to find it by."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    name = "-".join(part for part in (stamp, uuid.uuid4().hex[:8], about) if part)
    lake.write_document(lake.home / "ledger" / kind / f"{name}.json", rows)


def record_calls(lake: Lake, found: Sequence[dict[str, Any]]) -> None:
    """Write questions that were put to a model as one file of table `model_call`; the same ones again change nothing."""
    if not found:
        return
    calls = pa.Table.from_pylist(list(found), schema=TABLES["model_call"].schema).sort_by(
        [("started_at", "ascending"), ("key", "ascending")]
    )
    name = sha256_of([[row["key"].hex(), row["started_at"].isoformat()] for row in calls.to_pylist()])
    path = lake.home / "ledger" / "model_call" / f"{name[:32]}.parquet"
    if not lake.exists(path):
        lake.write_table(path, calls)


def call_files(lake: Lake) -> list[UPath]:
    """Files of table `model_call`."""
    return lake.files(lake.home / "ledger" / "model_call", "*.parquet")


def rows(lake: Lake, kind: str) -> list[dict[str, Any]]:
    """All rows of one kind, oldest document first."""
    return [row for path in lake.files(lake.home / "ledger" / kind, "*.json") for row in lake.read_document(path)]


def known_files(lake: Lake) -> dict[str, dict[str, Any]]:
    """What runs said of the files they wrote, by uri, with the run's id; files never change, so it still holds."""
    return {file["uri"]: {**file, "run_id": row["run_id"]} for row in rows(lake, "run") for file in row["files"]}


def table(kind: str, found: Sequence[dict[str, Any]]) -> pa.Table:
    """Ledger rows as a table of the contract: hexadecimal hashes become bytes, ISO times timestamps."""
    schema = TABLES[kind].schema
    return pa.Table.from_pylist([{f.name: _value(f.type, row.get(f.name)) for f in schema} for row in found], schema)


def _value(kind: pa.DataType, value: Any) -> Any:
    if isinstance(value, str) and (pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind)):
        return bytes.fromhex(value)
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value)
    return value
