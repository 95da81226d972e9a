"""Takedown of one domain out of a release of 1,000 shards: `python -m bench.takedown`."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES, conform
from assets.release.attribution import attribution_csv
from assets.release.papers import Papers, write_papers
from assets.release.rows import assemble
from assets.release.shards import ReleaseSettings, write_release
from assets.rights.removals import rows_of, selector
from bench.measure import duration, machine, table
from orchestration import ledger, removing
from orchestration.manifest import Manifest, store_manifest
from orchestration.publishing import enter_release
from resources.lake import Lake, local_path, sha256_of

SHARDS, EACH = 1_000, 200
"""Shards of the crawl and of the release, samples of each."""
TOUCHED = (1, 10, 100)
"""Shards that a domain has samples in: five samples in each."""
ROUNDS = 3
IMAGE_BYTES = 1_024
NAME = "thousand"


def main() -> str:
    """Measure; the section for docs/benchmarks.md."""
    with tempfile.TemporaryDirectory(prefix="winnow-takedown-") as folder:
        lake = Lake(folder)
        make_home(lake)
        found = {count: [take(lake, f"n{count}-{round_}.example") for round_ in range(ROUNDS)] for count in TOUCHED}
    return section(found)


def image_bytes(sample_id: int) -> bytes:
    """Bytes that stand for a picture, the same ones every time."""
    return np.random.default_rng(sample_id).bytes(IMAGE_BYTES)


def domain_of(shard: int, number: int) -> str:
    """Where a sample comes from: a domain of its own for each measurement has the first samples of its shards."""
    place = number // 5
    domains = [(count, round_) for count in TOUCHED for round_ in range(ROUNDS)]
    if place < len(domains):
        count, round_ = domains[place]
        if shard % (SHARDS // count) == round_:
            return f"n{count}-{round_}.example"
    return f"site-{shard * 7919 % 5000}.example"


def shard_tables(shard: int) -> dict[str, pa.Table]:
    """What the stages leave of one shard: every sample is kept."""
    ids = [((shard + 1) << 32) | number for number in range(EACH)]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("sample", "image", "rights", "caption")}
    for number, sample in enumerate(ids):
        domain = domain_of(shard, number)
        data = image_bytes(sample)
        digest = hashlib.sha256(data).digest()
        rows["sample"].append(
            {"sample_id": sample, "shard_id": shard + 1, "page_record_id": sample | 1 << 20,
             "page_url": f"https://www.{domain}/{number // 20}",
             "image_record_id": sample, "image_id": sample, "image_url": f"https://img.{domain}/{sample}.png", "other_urls": [],
             "alt": f"picture {sample}", "text": f"picture {sample}", "position": number % 20}
        )  # fmt: skip
        stored = {"sha256": digest, "bytes": IMAGE_BYTES, "format": "PNG", "width": 200, "height": 200}
        rows["image"].append(
            {"image_id": sample, "shard_id": shard + 1, **stored, **{f"stored_{k}": v for k, v in stored.items()},
             "md5": hashlib.md5(data, usedforsecurity=False).digest(), "phash": digest[:8], "frames": 1,
             "file": f"{shard:05d}", "member": str(sample)}
        )  # fmt: skip
        rows["rights"].append(
            {"sample_id": sample, "image_license": "CC0-1.0", "text_license": "CC0-1.0", "obligations": 0, "confidence": 0.9,
             "conflict": False, "reservation": "unknown", "verdict": "allow", "reason": "license_allowed"}
        )  # fmt: skip
        rows["caption"].append(
            {"sample_id": sample, "kind": "alt", "attempt": 1, "text": f"picture {sample}", "obligations": 0, "inputs": [],
             "status": "ok", "selected": True, "chosen": True, "license": "CC0-1.0"}
        )  # fmt: skip
    made = {name: pa.Table.from_pylist(found, TABLES[name].schema) for name, found in rows.items()}
    made["decision"] = decision_table("captions", ids, np.ones(EACH, bool), [None] * EACH)
    return made


def read_images(file: str, members: Sequence[str]) -> Iterator[bytes]:
    """The bytes that stand for pictures."""
    return (image_bytes(int(member)) for member in members)


def make_home(lake: Lake) -> None:
    """A home with one finished build: a thousand lake files a table, a release of a thousand shards."""
    lake.prepare()
    files: list[dict[str, Any]] = []
    parts: dict[str, list[pa.Table]] = {}
    for shard in range(SHARDS):
        for name, rows in shard_tables(shard).items():
            parts.setdefault(name, []).append(rows)
            stored = lake.write_table(lake.path(name, f"{shard + 1:05d}", "0" * 32), conform(name, rows))
            files.append(
                {"table": name, "asset": "made", "shard": shard + 1, "fingerprint": "0" * 32, **stored.as_dict()}
            )
    tables = {name: pa.concat_tables(found) for name, found in parts.items()}
    tables["license"] = TABLES["license"].empty()
    settings = ReleaseSettings(f"{NAME}-0.1.0-000000000000", NAME, "0.1.0", EACH)
    with lake.new_folder(lake.home / "releases" / settings.release_id) as partial:
        assembled = assemble(tables["sample"]["sample_id"].to_numpy(), tables)
        written = write_release(assembled.rows, read_images, local_path(partial), settings)
        read = {**tables, "decision": pa.concat_tables([tables["decision"], assembled.decision])}
        papers = Papers()
        credits = attribution_csv(assembled.rows, written.members)
        write_papers(
            local_path(partial), assembled.rows, written.files, credits,
            lambda name, _: read.get(name, TABLES[name].empty()), settings, papers,
        )  # fmt: skip
    for name, rows in {"release_member": written.members, "decision": assembled.decision}.items():
        stored = lake.write_table(lake.path(name, "all", "1" * 32), rows)
        files.append({"table": name, "asset": "release", "shard": None, "fingerprint": "1" * 32, **stored.as_dict()})
    document = {"name": NAME, "policy_sha256": "00" * 32, "steps": {"made": {"reads": [], "code": "0"}}, "files": files}
    manifest = Manifest("0" * 16, sha256_of(document), document)
    store_manifest(lake, manifest)
    row = {"build_id": manifest.build_id, "name": NAME, "recipe_sha256": "00" * 32, "policy_sha256": "00" * 32,
           "code_version": "0", "manifest_sha256": manifest.sha256, "parent_build_id": None, "recipe": "{}",
           "completed_at": "2026-01-01T00:00:00+00:00", "run_id": "made"}  # fmt: skip
    ledger.write(lake, "build", [row])
    enter_release(lake, manifest, settings.release_id, NAME, "0.1.0")


def take(lake: Lake, domain: str) -> dict[str, float]:
    """Seconds of the parts of one takedown, and how many files it wrote anew."""
    spent: dict[str, float] = {}
    names = {"write_patch": "files", "_write_papers": "papers", "publish_database": "database", "_prove": "proof"}
    kept = {name: getattr(removing, name) for name in names}
    for name, part in names.items():
        setattr(removing, name, _timed(kept[name], spent, part))
    try:
        started = time.perf_counter()
        asked = removing.request_takedown(lake, removing.Request(rows_of([selector("domain", domain)])))
        spent["request"] = time.perf_counter() - started
        report = removing.apply_takedown(lake, asked)
    finally:
        for name, function in kept.items():
            setattr(removing, name, function)
    assert report.seconds is not None
    written = sum(len(files) for files in report.files.values())
    return {
        **spent,
        "until the release": report.seconds,
        "rewritten": written,
        "samples": sum(report.released.values()),
    }


def _timed(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[part] = spent.get(part, 0.0) + time.perf_counter() - started

    return run


def section(found: dict[int, list[dict[str, float]]]) -> str:
    """The section of docs/benchmarks.md."""
    parts = ("request", "files", "papers", "proof", "until the release", "database")
    rows = []
    for count, rounds in found.items():
        middle = {part: statistics.median(one[part] for one in rounds) for part in parts}
        samples, rewritten = ({int(one[name]) for one in rounds} for name in ("samples", "rewritten"))
        told = [", ".join(map(str, sorted(numbers))) for numbers in (samples, rewritten)]
        rows.append([count, *told, *(duration(middle[part]) for part in parts)])
    return f"""## Takedown of one domain

A release of {SHARDS:,} shards ({SHARDS * EACH:,} samples of {IMAGE_BYTES:,} bytes) from {SHARDS:,} crawl shards; a
domain with five samples in 1, 10 or 100 of them is taken out. `request` finds what it reaches and seals it; `files`
writes the touched tars and their Parquet twins anew, reads them again and links all others; `papers` counts the new
release and writes card, Croissant and checksums; `proof` looks through the new release again. `until the release` is
the time from the request to the patch release, all of these included; the database is built after it. Medians of
{ROUNDS} takedowns each, one after the other.

{table(["shards with the domain", "samples", "files written anew", *parts], rows)}

{machine(["duckdb", "pyarrow"])}"""


if __name__ == "__main__":
    print(main())
