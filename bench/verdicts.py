"""Rights of a million samples from stored evidence: `python -m bench.verdicts`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assets.provenance.tables import TABLES
from bench.measure import duration, machine, table
from bench.warc_reading import high_water

SHARDS, PAGES, IMAGES = 20, 1_250, 40
"""Shards, pages of each, images of each page: a million samples."""

ROUNDS = 3
GOAL = 60
"""Seconds for a million samples."""

POLICY = "commercial-open"
POPULAR = 4_000
"""Pictures that are found at more than one place."""

LICENSES = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC0-1.0", "CC-BY-SA-3.0", "CC-BY-2.0", "CC-BY-ND-4.0",
            "CC-PDDC", "MIT", "NOASSERTION")  # fmt: skip
OPT_OUTS = ("GPTBot, CCBot: Disallow: /", "Google-Extended: Disallow: /images/", "*: Disallow: /private/")
WORDS = "a drawing of the old harbor seen from the hill in winter with two boats and a lamp "

Columns = Mapping[str, Any]


def shard_tables(shard_id: int) -> dict[str, pa.Table]:
    """What the stages before leave of one shard: samples, images and evidence, the same ones every time.

    Shares: 30 % of pages state a license, 10 % of figures, 5 % of files; a tenth of the pages is closed by robots.txt
    with all their images; 2 % of the samples show a picture that other samples show too.
    """
    rng = np.random.default_rng(shard_id)
    count = PAGES * IMAGES
    base = shard_id << 32
    page_of = np.repeat(np.arange(PAGES), IMAGES)
    page_id = base | np.arange(PAGES, dtype=np.uint64) * (IMAGES + 1)
    sample_id = base | np.arange(count, dtype=np.uint64)
    image_id = np.uint64(base) | (np.arange(count, dtype=np.uint64) + page_of.astype(np.uint64) + np.uint64(1))
    licensed = np.flatnonzero(rng.random(PAGES) < 0.30)
    figures = np.flatnonzero(rng.random(count) < 0.10)
    packets = np.flatnonzero(rng.random(count) < 0.05)
    notices = np.flatnonzero(rng.random(count) < 0.01)
    logos = np.flatnonzero((rng.random(count) < 0.03) & np.isin(page_of, licensed))
    closed = np.flatnonzero(rng.random(PAGES) < 0.10)
    tagged = np.flatnonzero(rng.random(count) < 0.01)
    licenses = [
        _licenses(rng, "page", page_id[licensed], "page_rel", 0.8, page_id[licensed]),
        _licenses(rng, "sample", sample_id[figures], "figure_rel", 0.8, page_id[page_of[figures]]),
        _licenses(rng, "image", image_id[packets], "xmp_cc_license", 0.98, image_id[packets]),
        _licenses(rng, "sample", sample_id[notices], "caption_notice", 0.8, page_id[page_of[notices]],
                  ("LicenseRef-AllRightsReserved",)),
        _licenses(rng, "sample", sample_id[logos], "outside_main", 0.8, page_id[page_of[logos]], ("NOASSERTION",)),
    ]  # fmt: skip
    robots = page_id[closed]
    shown = image_id[np.isin(page_of, closed)]
    reservations = [
        _reservations(rng, kind, ids, "robots_agents", usage, OPT_OUTS)
        for kind, ids in (("page", robots), ("image", shown))
        for usage in ("ai_train", "tdm")
    ]
    reservations.append(_reservations(rng, "image", image_id[tagged], "x_robots_tag", "ai_train", ("noai: noai",)))
    return {
        "sample": _samples(rng, shard_id, sample_id, page_id, page_of, image_id),
        "image": _images(rng, shard_id, image_id),
        "license_evidence": pa.concat_tables(licenses),
        "reservation_evidence": pa.concat_tables(reservations),
        "attribution": _attribution(rng, sample_id, figures, notices),
    }


def _table(name: str, count: int, columns: Columns) -> pa.Table:
    """A table of the contract; columns left out are null, or empty where they must not be."""
    arrays = []
    for field in TABLES[name].schema:
        given = columns.get(field.name)
        if isinstance(given, pa.Array | pa.ChunkedArray):
            arrays.append(given.cast(field.type))
        elif isinstance(given, np.ndarray):
            arrays.append(pa.array(given, field.type))
        elif given is None and field.nullable:
            arrays.append(pa.nulls(count, field.type))
        else:
            blank = [] if pa.types.is_list(field.type) else "" if pa.types.is_string(field.type) else 0
            arrays.append(pa.repeat(pa.scalar(blank if given is None else given, field.type), count))
    return pa.Table.from_arrays(arrays, schema=TABLES[name].schema)


def _pick(rng: np.random.Generator, words: Sequence[str], count: int) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(rng.integers(0, len(words), count)))


def _licenses(
    rng: np.random.Generator,
    kind: str,
    ids: np.ndarray,
    rule: str,
    confidence: float,
    record_id: np.ndarray,
    licenses: Sequence[str] = LICENSES,
) -> pa.Table:
    columns = {"subject_type": kind, "subject_id": ids, "rule": rule, "rule_version": 1, "confidence": confidence,
               "spdx_id": _pick(rng, licenses, len(ids)), "value": "https://creativecommons.org/licenses/",
               "record_id": record_id, "part": "body", "byte_start": 4_000, "byte_end": 4_080}  # fmt: skip
    return _table("license_evidence", len(ids), columns)


def _reservations(
    rng: np.random.Generator, kind: str, ids: np.ndarray, rule: str, usage: str, values: Sequence[str]
) -> pa.Table:
    columns = {"subject_type": kind, "subject_id": ids, "rule": rule, "usage": usage, "decision": "reserved",
               "value": _pick(rng, values, len(ids)), "record_id": ids, "part": "body", "byte_start": 20,
               "byte_end": 60, "spec_date": "2022-09 RFC 9309"}  # fmt: skip
    return _table("reservation_evidence", len(ids), columns)


def _samples(
    rng: np.random.Generator,
    shard_id: int,
    sample_id: np.ndarray,
    page_id: np.ndarray,
    page_of: np.ndarray,
    image_id: np.ndarray,
) -> pa.Table:
    """Fifty pages make a site; a tenth of the pictures comes from somebody else's."""
    pages = pa.array([f"https://www.site{shard_id}-{p // 50}.example/page/{p}.html" for p in range(PAGES)])
    own = [f"https://cdn.site{shard_id}-{p // 50}.example/" for p in range(PAGES)]
    elsewhere = rng.random(len(sample_id)) < 0.10
    hosts = pa.array([*own, *(f"https://media{n}.example/" for n in range(100))])
    host = np.where(elsewhere, PAGES + rng.integers(0, 100, len(sample_id)), page_of)
    numbers = pa.array(np.arange(len(sample_id))).cast(pa.string())
    texts = [(WORDS * 6)[: int(length)] for length in rng.integers(5, 450, 200)]
    columns = {
        "sample_id": sample_id, "shard_id": shard_id, "page_record_id": page_id[page_of],
        "page_url": pages.take(pa.array(page_of)), "image_record_id": image_id, "image_id": image_id,
        "image_url": pa.compute.binary_join_element_wise(hosts.take(pa.array(host)), numbers, ".jpg", ""),
        "text": _pick(rng, texts, len(sample_id)), "position": np.arange(len(sample_id)) % IMAGES,
    }  # fmt: skip
    return _table("sample", len(sample_id), columns)


def _images(rng: np.random.Generator, shard_id: int, image_id: np.ndarray) -> pa.Table:
    """Hashes, of which some are those of popular pictures."""
    count = len(image_id)
    digests = rng.integers(0, 256, (count, 32), np.uint8)
    popular = np.random.default_rng(0).integers(0, 256, (POPULAR, 32), np.uint8)
    copies = np.flatnonzero(rng.random(count) < 0.02)
    digests[copies] = popular[rng.integers(0, POPULAR, len(copies))]
    sha256 = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), count, [None, pa.py_buffer(digests.tobytes())])
    columns = {"image_id": image_id, "shard_id": shard_id, "sha256": sha256, "stored_sha256": sha256,
               "width": 640, "height": 480, "format": "JPEG", "bytes": 50_000, "frames": 1, "file": "image.tar",
               "stored_format": "JPEG"}  # fmt: skip
    return _table("image", count, columns)


def _attribution(rng: np.random.Generator, sample_id: np.ndarray, figures: np.ndarray, notices: np.ndarray) -> pa.Table:
    names = [f"Author {number}" for number in range(1_000)]
    parts = []
    for chosen, rule, name in ((figures, "caption_credit", "creator"), (notices, "caption_notice", "copyright_notice")):
        columns = {"subject_type": "sample", "subject_id": sample_id[chosen], "rule": rule, "field": name,
                   "value": _pick(rng, names, len(chosen))}  # fmt: skip
        parts.append(_table("attribution", len(chosen), columns))
    return pa.concat_tables(parts)


def write(folder: Path) -> dict[str, int]:
    """Evidence of all shards as a lake holds it: one Parquet file per table and shard. Rows by table."""
    rows: Counter[str] = Counter()
    for shard_id in range(1, SHARDS + 1):
        for name, found in shard_tables(shard_id).items():
            pq.write_table(found, _path(folder, name, shard_id), compression="zstd")
            rows[name] += found.num_rows
    return dict(rows)


def _path(folder: Path, name: str, shard_id: int) -> Path:
    path = folder / name / f"{shard_id:05}.parquet"
    path.parent.mkdir(exist_ok=True)
    return path


def judge(folder: Path) -> dict[str, Any]:
    """The three steps from stored evidence to stored rights; seconds of each, peak memory, and how often what came out."""
    from assets.rights.policy import load_policy
    from assets.rights.twins import twins
    from assets.rights.verdict import final_rights, occurrences

    policy = load_policy(POLICY)
    evidence = ("license_evidence", "reservation_evidence", "attribution")
    started, shards, peaks, marks = high_water(), range(1, SHARDS + 1), [], [time.perf_counter()]
    for shard in shards:
        sample, image, *found = (pq.read_table(_path(folder, name, shard)) for name in ("sample", "image", *evidence))
        pq.write_table(occurrences(sample, image, *found, policy=policy), _path(folder, "occurrence", shard))
        peaks.append(high_water())
    marks.append(time.perf_counter())
    all_of = pa.concat_tables([pq.read_table(_path(folder, "occurrence", shard)) for shard in shards])
    twin = twins(all_of, pa.concat_tables([_hashes(folder, shard) for shard in shards]))
    peaks.append(high_water())
    marks.append(time.perf_counter())
    del all_of
    verdicts: Counter[str] = Counter()
    for shard in shards:
        occurrence = pq.read_table(_path(folder, "occurrence", shard))
        rights, decision = final_rights(occurrence, _hashes(folder, shard), twin, policy)
        pq.write_table(rights, _path(folder, "rights", shard))
        pq.write_table(decision, _path(folder, "decision", shard))
        verdicts.update(rights["verdict"].to_pylist())
    marks.append(time.perf_counter())
    return {
        "seconds": [after - before for before, after in zip(marks, marks[1:], strict=False)],
        "memory": [started, peaks[0], peaks[-2], peaks[-1], high_water()],
        "verdicts": dict(verdicts), "twins": twin.num_rows,
        "conflicts": int(pa.compute.sum(twin["conflict"]).as_py() or 0),
    }  # fmt: skip


def _hashes(folder: Path, shard: int) -> pa.Table:
    """sample_id and sha256 of a shard's samples."""
    sample = pq.read_table(_path(folder, "sample", shard), columns=["sample_id", "image_id"])
    image = pq.read_table(_path(folder, "image", shard), columns=["image_id", "sha256"])
    return sample.join(image, "image_id", join_type="inner").select(["sample_id", "sha256"]).sort_by("sample_id")


def alone(folder: Path) -> dict[str, Any]:
    """`judge` in a process of its own, whose peak memory is then its own."""
    code = (
        "import json, sys; from pathlib import Path; import bench.verdicts as b;"
        "print(json.dumps(b.judge(Path(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> str:
    """The section of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write(folder)
        runs = [alone(folder) for _ in range(ROUNDS)]
    steps = [statistics.median(part) for part in zip(*(run["seconds"] for run in runs), strict=True)]
    peaks = [max(part) for part in zip(*(run["memory"] for run in runs), strict=True)]
    total = statistics.median(sum(run["seconds"]) for run in runs)
    last, count = runs[-1], SHARDS * PAGES * IMAGES
    names = ("own evidence, per shard", "copies, over all shards", "rights, per shard")
    told = [
        (step, duration(seconds), f"{count / seconds:,.0f}", f"{peak:,.0f} MiB")
        for step, seconds, peak in zip(names, steps, peaks[2:], strict=True)
    ]
    told.append(("together", duration(total), f"{count / total:,.0f}", f"{max(peaks):,.0f} MiB"))
    findings = rows["license_evidence"] + rows["reservation_evidence"]
    verdicts = ", ".join(f"{verdict} {number:,}" for verdict, number in sorted(last["verdicts"].items()))
    reached = "reached" if total < GOAL else "not reached"
    return f"""## Verdicts

Rights of {count:,} samples from stored evidence to stored rights (`bench/verdicts.py`): {SHARDS * PAGES:,} made-up pages of
{IMAGES} images in {SHARDS} shards, {findings:,} findings and {rows["attribution"]:,} credits, policy {POLICY}. Each step reads
its Parquet files and writes its own. Medians of {ROUNDS} runs, each in a process of its own, on 2 threads; the peak is
that process's up to the end of the step, {peaks[0]:,.0f} MiB of it before the first shard and {peaks[1]:,.0f} MiB after it.
{machine(("duckdb", "pyarrow"))}.

{table(("step", "time", "samples/s", "peak memory"), told)}

Verdicts: {verdicts}. {last["twins"]:,} pictures are copies with something stated, {last["conflicts"]:,} of them under different
licenses. The aim was {GOAL} s for a million samples; it is {reached}."""


if __name__ == "__main__":
    print(main())
