"""A build of ten samples on four pages in two crawl files, small enough to check every answer by hand.

id  page       image         license            end of its story
A0  leaf 1     a.jpg (40 B)  CC-BY-4.0, figure  released with image, fused text
A1  leaf 1     a.jpg         CC-BY-SA-4.0, fig. dropped at dedup: copy of A0; their licenses conflict
A2  leaf 1     b.png (60 B)  CC0-1.0, XMP       released with image, alt text, fusion rejected
A3  leaf 1     none          -                  dropped at crawl: not_archived
A4  moon 2     c.webp (20 B) NONE               released by its address, synthetic text
A5  moon 2     d.jpg (80 B)  CC-BY-NC-4.0       dropped at rights: license_denied
B0  moon 3     e.gif (10 B)  CC-BY-SA-4.0       released with image, alt text, fusion skipped
B1  moon 3     f.jpg (30 B)  CC-BY-4.0          dropped at rights: reserved by robots.txt of its host
B2  star 4     g.jpg (50 B)  CC-BY-4.0          dropped at pool: aspect_ratio 5 at limit 3
B3  star 4     h.jpg (70 B)  CC-BY-4.0          dropped at prune: over_quota
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assets.provenance.tables import TABLES, conform
from assets.rights.policy import load_policy, policy_table

ONE, TWO = 1 << 32, 2 << 32
A0, A1, A2, A3, A4, A5 = (ONE | i for i in range(6))
B0, B1, B2, B3 = (TWO | i for i in range(4))
SAMPLES = (A0, A1, A2, A3, A4, A5, B0, B1, B2, B3)
RELEASED = (A0, A2, A4, B0)
RELEASE = "tiny-1.0.0-abc"

LEAF, MOON2, MOON3, STAR = (
    "https://www.leaf.example/1",
    "https://moon.example/2",
    "https://moon.example/3",
    "http://star.example/4",
)
EVIL = "=HYPERLINK(\"http://evil.example\") | <script>alert('x')</script> [click](javascript:1)\x1b[31m"

BYTES = {
    "a.jpg": b"a" * 40, "b.png": b"b" * 60, "c.webp": b"c" * 20, "d.jpg": b"d" * 80,
    "e.gif": b"e" * 10, "f.jpg": b"f" * 30, "g.jpg": b"g" * 50, "h.jpg": b"h" * 70,
}  # fmt: skip
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}
TARS = {1: "lake/image/one.tar", 2: "lake/image/two.tar"}
FETCHED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def sha(text: str | bytes) -> bytes:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()


def table(name: str, rows: list[dict]) -> pa.Table:
    """Rows of a table of the contract; columns left out are null."""
    schema = TABLES[name].schema
    return conform(name, pa.Table.from_pylist([{f.name: row.get(f.name) for f in schema} for row in rows], schema))


def read_image_bytes(file, members):
    assert file in TARS.values()
    return (BYTES[member] for member in members)


def record(record_id, offset, url, **more):
    row = {"record_id": record_id, "shard_id": record_id >> 32, "offset": offset, "length": 100, "type": "response"}
    return {**row, "url": url, "fetched_at": FETCHED, "http_status": 200, "status": "ok", **more}


def sample(sample_id, page, page_record, image_record, image_url, alt, position, **more):
    row = {"sample_id": sample_id, "shard_id": sample_id >> 32, "page_record_id": page_record, "page_url": page}
    row |= {"image_record_id": image_record, "image_id": image_record, "image_url": image_url, "other_urls": []}
    return {**row, "alt": alt, "text": alt, "language": "en", "page_title": "A page", "position": position, **more}


# Records: pages are 10, 20 …, images follow their page, robots.txt of moon.example is 90.
RECORDS = [
    record(ONE | 10, 1000, LEAF), record(ONE | 11, 2000, "https://cdn.leaf.example/a.jpg"),
    record(ONE | 12, 3000, "https://cdn.leaf.example/b.png"), record(ONE | 20, 4000, MOON2),
    record(ONE | 21, 5000, "https://moon.example/c.webp"), record(ONE | 22, 6000, "https://moon.example/d.jpg"),
    record(TWO | 30, 1000, MOON3), record(TWO | 31, 2000, "https://moon.example/e.gif"),
    record(TWO | 32, 3000, "https://moon.example/f.jpg"), record(TWO | 40, 4000, STAR),
    record(TWO | 41, 5000, "http://star.example/g.jpg"), record(TWO | 42, 6000, "http://star.example/h.jpg"),
    record(TWO | 90, 9000, "https://moon.example/robots.txt"),
]  # fmt: skip

SAMPLE_ROWS = [
    sample(A0, LEAF, ONE | 10, ONE | 11, "https://cdn.leaf.example/a.jpg", "An oak leaf", 0, caption="Oak, 1890"),
    sample(A1, LEAF, ONE | 10, ONE | 11, "https://cdn.leaf.example/a.jpg", "leaf", 1),
    sample(A2, LEAF, ONE | 10, ONE | 12, "https://cdn.leaf.example/b.png", EVIL, 2),
    sample(A3, LEAF, ONE | 10, None, "https://cdn.leaf.example/gone.jpg", "gone", 3),
    sample(A4, MOON2, ONE | 20, ONE | 21, "https://moon.example/c.webp", None, 0),
    sample(A5, MOON2, ONE | 20, ONE | 22, "https://moon.example/d.jpg", "night", 1),
    sample(B0, MOON3, TWO | 30, TWO | 31, "https://moon.example/e.gif", "half moon", 0),
    sample(B1, MOON3, TWO | 30, TWO | 32, "https://moon.example/f.jpg", "full moon", 1),
    sample(B2, STAR, TWO | 40, TWO | 41, "http://star.example/g.jpg", "a banner", 0),
    sample(B3, STAR, TWO | 40, TWO | 42, "http://star.example/h.jpg", "a star", 1),
]
IMAGES = {
    ONE | 11: "a.jpg", ONE | 12: "b.png", ONE | 21: "c.webp", ONE | 22: "d.jpg",
    TWO | 31: "e.gif", TWO | 32: "f.jpg", TWO | 41: "g.jpg", TWO | 42: "h.jpg",
}  # fmt: skip


def image(image_id, member):
    data = BYTES[member]
    row = {"image_id": image_id, "shard_id": image_id >> 32, "sha256": sha(data), "md5": hashlib.md5(data).digest(),
           "phash": data[:1] * 8}  # fmt: skip
    size = {"width": 300, "height": 200, "format": FORMATS[member.partition(".")[2]], "bytes": len(data), "frames": 1}
    stored = {f"stored_{name}": {**row, **size}[name] for name in ("sha256", "bytes", "format", "width", "height")}
    return {**row, **size, **stored, "file": TARS[image_id >> 32], "member": member}


def finding(subject_type, subject_id, rule, spdx_id, record_id, confidence=0.9, start=500, value=None):
    row = {"subject_type": subject_type, "subject_id": subject_id, "rule": rule, "rule_version": 1, "spdx_id": spdx_id}
    place = {"record_id": record_id, "part": "body", "byte_start": start, "byte_end": start + 50}
    return {**row, "confidence": confidence, "value": value or f"https://license.example/{spdx_id}", **place}


LICENSES = [
    finding("sample", A0, "figure_rel", "CC-BY-4.0", ONE | 10, 0.8),
    finding("sample", A1, "figure_rel", "CC-BY-SA-4.0", ONE | 10, 0.8, 700),
    finding("page", ONE | 10, "page_rel", "CC-BY-4.0", ONE | 10, 0.7, 900),
    finding("image", ONE | 12, "xmp_cc_license", "CC0-1.0", ONE | 12, 0.98, 20),
    finding("sample", A5, "figure_rel", "CC-BY-NC-4.0", ONE | 20, 0.8),
    finding("page", TWO | 30, "page_rel", "CC-BY-SA-4.0", TWO | 30, 0.8),
    finding("page", TWO | 40, "page_rel", "CC-BY-4.0", TWO | 40, 0.8),
]
RESERVATIONS = [
    {
        "subject_type": "site", "subject_id": TWO | 90, "rule": "robots_agents", "usage": "ai_train",
        "decision": "reserved", "value": "User-agent: CCBot / Disallow: /f", "record_id": TWO | 90, "part": "body",
        "byte_start": 0, "byte_end": 34, "observed_at": FETCHED,
    },
    {
        "subject_type": "page", "subject_id": ONE | 10, "rule": "tdmrep_meta", "usage": "tdm", "decision": "allowed",
        "value": "0", "record_id": ONE | 10, "part": "body", "byte_start": 5, "byte_end": 6, "observed_at": FETCHED,
    },
]  # fmt: skip


def stated(subject_type, subject_id, field, value, rule="jsonld_image"):
    return {"subject_type": subject_type, "subject_id": subject_id, "rule": rule, "field": field, "value": value}


ATTRIBUTIONS = [
    stated("sample", A0, "creator", "Jane Doe"),
    stated("image", ONE | 11, "creator", "J. Doe", "xmp_dc_creator"),
    stated("sample", A0, "title", "Oak"),
    stated("page", ONE | 10, "creator", "Page Author", "page_meta"),
    stated("sample", A2, "creator", EVIL),
    stated("sample", B0, "source_url", "https://archive.example/e"),
]


def right(sample_id, image_license, verdict, reason, decided_by, obligations=0, **more):
    row = {"sample_id": sample_id, "image_license": image_license, "text_license": "NONE", "obligations": obligations}
    row |= {"confidence": 0.8 if decided_by else 0.0, "conflict": False, "reservation": "unknown"}
    return {**row, "decided_by": decided_by, "verdict": verdict, "reason": reason, **more}


RIGHTS = [
    right(A0, "CC-BY-4.0", "allow", "license_allowed", "figure_rel", 1, conflict=True),
    right(A1, "CC-BY-SA-4.0", "allow", "license_allowed", "figure_rel", 3, conflict=True),
    right(A2, "CC0-1.0", "allow", "license_allowed", "xmp_cc_license"),
    right(A4, "NONE", "url_only", "unknown_license", None),
    right(A5, "CC-BY-NC-4.0", "deny", "license_denied", "figure_rel", 5),
    right(B0, "CC-BY-SA-4.0", "allow", "license_allowed", "page_rel", 3),
    right(B1, "CC-BY-SA-4.0", "deny", "reserved", "robots_agents", 3, reservation="reserved"),
    right(B2, "CC-BY-4.0", "allow", "license_allowed", "page_rel", 1),
    right(B3, "CC-BY-4.0", "allow", "license_allowed", "page_rel", 1),
]


def decided(stage, kept, dropped):
    """Rows of one stage: ids that go on, and {id: (reason, score, threshold, other)}."""
    rows = [{"sample_id": i, "stage": stage, "kept": True} for i in kept]
    for i, (reason, score, threshold, other) in dropped.items():
        row = {"sample_id": i, "stage": stage, "kept": False, "reason": reason, "score": score}
        rows.append({**row, "threshold": threshold, "other_sample_id": other})
    return sorted(rows, key=lambda row: row["sample_id"])


DECISIONS = {
    "crawl": decided("crawl", [i for i in SAMPLES if i != A3], {A3: ("not_archived", None, None, None)}),
    "rights": decided(
        "rights", [A0, A1, A2, A4, B0, B2, B3],
        {A5: ("license_denied", None, None, None), B1: ("reserved", None, None, None)},
    ),
    "pool": decided("pool", [A0, A1, A2, A4, B0, B3], {B2: ("aspect_ratio", 5.0, 3.0, None)}),
    "dedup": decided("dedup", [A0, A2, A4, B0, B3], {A1: ("exact", 1.0, 0.95, A0)}),
    "prune": decided("prune", [A0, A2, A4, B0], {B3: ("over_quota", 0.25, 0.5, None)}),
    "captions": decided("captions", [A0, A2, A4, B0], {}),
    "release": decided("release", [A0, A2, A4, B0], {}),
}  # fmt: skip


def caption(sample_id, kind, text, status="ok", chosen=False, **more):
    row = {"sample_id": sample_id, "kind": kind, "text": text, "status": status, "chosen": chosen, "inputs": []}
    row |= {"license": "NONE", "obligations": 0, "attempt": int(kind != "alt"), "selected": status == "ok"}
    if kind != "alt":
        model = {"synthetic-short": "tagger@1", "fused": "small-llm@2"}[kind]
        row |= {"model": model, "revision": model.partition("@")[2], "prompt_sha256": sha("prompt")}
        row |= {"model_license": {"tagger@1": "MIT", "small-llm@2": "Apache-2.0"}[model], "output_terms": "none"}
    return {**row, **more}


CAPTIONS = [
    caption(A0, "alt", "An oak leaf"), caption(A0, "synthetic-short", "leaf, tree"),
    caption(A0, "fused", "An oak leaf from a tree", chosen=True, inputs=["alt", "synthetic-short"], tokens=6),
    caption(A2, "alt", EVIL, chosen=True), caption(A2, "synthetic-short", "drawing"),
    caption(A2, "fused", "Sure! Here is", "rejected", reason="leak", score=1.0, threshold=0.0),
    caption(A4, "alt", None, "skipped", reason="no_alt"), caption(A4, "synthetic-short", "moon", chosen=True),
    caption(A4, "fused", None, "skipped", reason="no_alt"),
    caption(B0, "alt", "half moon", chosen=True), caption(B0, "synthetic-short", "moon"),
    caption(B0, "fused", None, "skipped", reason="not_asked"),
]  # fmt: skip
CALLS = [
    {"key": sha(f"call {i}"), "asset": "fusion", "shard_id": 1, "agent_id": "small-llm@2", "started_at": FETCHED,
     "seconds": seconds, "attempts": attempts, "finish_reason": reason, "prompt_tokens": read, "tokens": written, "cost": cost}
    for i, (seconds, attempts, reason, read, written, cost) in enumerate(
        ((0.5, 1, "stop", 100, 10, 0.25), (1.5, 3, "length", 100, 80, 0.5), (4.0, 5, "timeout", None, 0, None))
    )
]  # fmt: skip
SCORES = [
    {"sample_id": i, "scorer": "image_text_similarity", "model": "clip@1", "value": v}
    for i, v in ((A0, 0.5), (A1, 0.25), (A2, 0.125), (A4, float("nan")), (B0, 0.25), (B3, 0.0))
] + [{"sample_id": A0, "scorer": "nsfw", "model": "nsfw@1", "value": 0.0}]
CLUSTERS = [
    {
        "cluster_id": i,
        "size": size,
        "d_intra": 0.1,
        "d_inter": 0.5,
        "complexity": 0.05,
        "target": 2,
        "floor": 1,
        "quota": 2,
    }
    for i, size in ((0, 3), (1, 2))
]
MEMBERS = [(A0, 0, 0.2), (A2, 0, 0.1), (B3, 0, 0.05), (A4, 1, 0.3), (B0, 1, 0.2)]
AGENTS = [
    {"agent_id": f"{name}@{revision}", "kind": kind, "name": name, "revision": revision, "license": license}
    | {"output_terms": "none"}
    for name, revision, kind, license in (
        ("tagger", "1", "captioner", "MIT"),
        ("small-llm", "2", "language-model", "Apache-2.0"),
    )
]
KNOWN_LICENSES = [
    {"spdx_id": name, "canonical_url": f"https://creativecommons.org/{path}", "family": "cc", "obligations": bits}
    | {"risk": 1}
    for name, path, bits in (
        ("CC-BY-4.0", "licenses/by/4.0/", 1), ("CC-BY-SA-4.0", "licenses/by-sa/4.0/", 3),
        ("CC-BY-NC-4.0", "licenses/by-nc/4.0/", 5), ("CC0-1.0", "publicdomain/zero/1.0/", 0),
    )
]  # fmt: skip
PLACES = [(A0, "00000.tar", 0, True, "fused"), (A2, "00000.tar", 1, True, "alt"), (B0, "00001.tar", 0, True, "alt")]
PLACES += [(A4, "urls-00000.parquet", 0, False, "synthetic-short")]


def attempt(number, status, reason, **more):
    row = {"shard_id": 1, "kind": "image", "url": "https://cdn.leaf.example/gone.jpg", "attempt": number}
    row |= {"status": status, "reason": reason, "may_succeed": status == "failed", "started_at": FETCHED}
    return {**row, "seconds": 0.5, "redirects": 0, **more}


# The image of A3 was asked for twice; robots.txt of its host was asked for, too.
FETCHES = [
    attempt(1, "failed", "timeout"), attempt(2, "refused", "x_robots_tag", detail="noai", http_status=200),
    attempt(1, "ok", None, kind="robots", url="https://cdn.leaf.example/robots.txt", http_status=404),
]  # fmt: skip


# The build before this one had A0 and B3, and another text for A0.
BEFORE = "tiny-0.9.0-0"
HISTORY = [
    {"release_id": BEFORE, "sample_id": A0, "file": "00000.tar", "row": 0, "with_image": True, "caption_kind": "alt"},
    {"release_id": BEFORE, "sample_id": B3, "file": "00000.tar", "row": 1, "with_image": True, "caption_kind": "alt"},
]
CHANGES = [
    {"older": "b0", "newer": "b1", "sample_id": A2, "change": "added", "stage": "prune", "reason": "over_quota"},
    {"older": "b0", "newer": "b1", "sample_id": B3, "change": "removed", "stage": "prune", "reason": "over_quota"},
    {"older": "b0", "newer": "b1", "sample_id": A0, "change": "changed caption", "stage": "captions",
     "reason": "alt -> fused", "before": "a leaf", "after": "a green leaf"},
    {"older": "a9", "newer": "b0", "sample_id": B3, "change": "added", "stage": "crawl", "reason": "new"},
]  # fmt: skip


# An evaluation set that claims nothing, and a comparison with chance that supports no claim.
EVALUATION_SETS = [
    {"name": "bench", "version": "1", "date": "2020-01-01", "license": "MIT", "layout": "image_folder", "mirrored": False,
     "items": 3, "failed": 1, "sha256": sha("bench")}
]  # fmt: skip
COMPARISONS = [
    {"metric": "zero_shot", "arm": "pruned", "other": "random", "mean": 0.5, "deviation": 0.125, "other_mean": 0.25,
     "other_deviation": 0.25, "difference": 0.25, "low": -0.5, "high": 1.0, "pairs_low": 0.0, "pairs_high": 0.5,
     "supported": False, "statement": "no difference that the deviations support"}
]  # fmt: skip


def tables() -> dict[str, pa.Table]:
    """The build's tables, whole."""
    shards = [
        {"shard_id": i, "source": "tiny", "uri": f"crawl/{name}.warc.gz", "kind": "warc", "sha256": sha(name),
         "bytes": 10_000, "status": "ok"}
        for i, name in ((1, "one"), (2, "two"))
    ]  # fmt: skip
    members = [
        {"release_id": RELEASE, "sample_id": i, "file": file, "row": row, "with_image": bytes_too, "caption_kind": kind}
        for i, file, row, bytes_too, kind in sorted(PLACES)
    ]
    occurrences = [{**row, "caption_terms": None, "conflict": False, "image_verdict": row["verdict"]} for row in RIGHTS]
    twin = {"sha256": sha(BYTES["a.jpg"]), "licenses": ["CC-BY-4.0", "CC-BY-SA-4.0"], "conflict": True}
    twin |= {"verdict": "allow", "samples": 2}
    rows = {
        "shard": shards, "record": RECORDS, "sample": SAMPLE_ROWS, "image": [image(*pair) for pair in IMAGES.items()],
        "license_evidence": LICENSES, "reservation_evidence": RESERVATIONS, "attribution": ATTRIBUTIONS,
        "rights": RIGHTS, "occurrence": occurrences, "twin": [twin],
        "decision": [row for part in DECISIONS.values() for row in part],
        "caption": CAPTIONS, "score": SCORES, "cluster": CLUSTERS, "agent": AGENTS, "license": KNOWN_LICENSES,
        "cluster_member": [dict(zip(("sample_id", "cluster_id", "distance"), m, strict=True)) for m in MEMBERS],
        "fetch": FETCHES, "model_call": CALLS, "release_member": members, "release_history": HISTORY,
        "release_change": CHANGES,
        "eval_registry": EVALUATION_SETS, "evaluation_comparison": COMPARISONS,
        "policy": policy_table(load_policy("commercial-open")).to_pylist(),
    }  # fmt: skip
    return {name: table(name, found) for name, found in rows.items()}


def ledger() -> dict[str, pa.Table]:
    """Runs and artifacts of the decisions, so that a decision leads to code and settings."""
    artifacts, runs = [], []
    for stage in DECISIONS:
        fingerprint = sha(stage).hex()[:16]
        artifacts.append(
            {"uri": f"lake/decision/all-{fingerprint}.parquet", "table_name": "decision", "asset": f"{stage}_asset",
             "fingerprint": fingerprint, "sha256": sha(stage), "rows": 1, "bytes": 1}
        )  # fmt: skip
        runs.append(
            {"run_id": "run-1", "build_id": "b1", "asset": f"{stage}_asset", "fingerprint": fingerprint,
             "code_version": f"code of {stage}", "config_sha256": sha(f"config of {stage}"), "started_at": FETCHED,
             "ended_at": FETCHED, "status": "ok", "reused": False}
        )  # fmt: skip
    release = {"release_id": RELEASE, "build_id": "b1", "name": "tiny", "version": "1.0.0"}
    release |= {"manifest_sha256": sha("m"), "published_at": FETCHED}
    before = {**release, "release_id": BEFORE, "build_id": "b0", "version": "0.9.0", "withdrawn_at": FETCHED}
    before |= {"published_at": FETCHED - timedelta(days=1)}
    release["supersedes"] = BEFORE
    build = {"build_id": "b1", "name": "tiny", "recipe_sha256": sha("r"), "code_version": "c", "recipe": json.dumps({})}
    return {
        "artifact": table("artifact", artifacts), "run": table("run", runs), "release": table("release", [before, release]),
        "build": table("build", [build]),
    }  # fmt: skip


def write_files(folder: Path, made: dict[str, pa.Table] | None = None) -> dict[str, list[Path]]:
    """The tables as Parquet files, as a lake holds them: samples of each shard and decisions of each stage apart."""
    files: dict[str, list[Path]] = {}
    for name, rows in (made or tables()).items():
        parts = {"all": rows}
        if name == "decision":
            stages = rows.column("stage").to_pylist()
            parts = {
                f"all-{sha(stage).hex()[:16]}": rows.filter(pa.array([s == stage for s in stages]))
                for stage in dict.fromkeys(stages)
            }
        elif name in ("sample", "rights", "caption"):
            shard = [i >> 32 for i in rows.column("sample_id").to_pylist()]
            parts = {str(s): rows.filter(pa.array([x == s for x in shard])) for s in sorted(set(shard))}
        for label, part in parts.items():
            path = folder / "lake" / name / f"{label}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(part, path)
            files.setdefault(name, []).append(path)
    return files
