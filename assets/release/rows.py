"""Rows of a release: one flat row per released sample, joined from the build's tables; a decision per candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from assets.captions.gates import is_injection
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES
from assets.release.attribution import ATTRIBUTED, LICENSE_ADDRESSES, credit_line

TEXT, U32, U64, F32 = pa.string(), pa.uint32(), pa.uint64(), pa.float32()
SCORE = pa.struct([("scorer", TEXT), ("model", TEXT), ("value", F32)])
TARGET = pa.struct([("target", TEXT), ("kind", TEXT), ("model", TEXT), ("text", TEXT)])

COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "url": (TEXT, "address of the image"),
    "caption": (TEXT, "the text of the pair; also in KEY.txt"),
    "key": (TEXT, "name of the sample's members in the tar: sample_id as 20 digits"),
    "status": (
        TEXT,
        "success: the bytes are in the tar of the same name; url_only: rights, or the release's profile, allow the address only",
    ),
    "error_message": (TEXT, "always null; kept for readers of img2dataset's layout"),
    "width": (U32, "pixels, upright"),
    "height": (U32, "pixels, upright"),
    "original_width": (U32, "pixels of the image as crawled; differs from width where the recipe shrank it"),
    "original_height": (U32, "pixels of the image as crawled"),
    "sha256": (TEXT, "hash of the image's bytes as crawled, hexadecimal"),
    "stored_sha256": (TEXT, "hash of the bytes in the tar; the same where they are as crawled"),
    "sample_id": (U64, "sample in the provenance database of the build"),
    "uid": (TEXT, "128-bit id of the pair: first half of SHA-256 over image hash and source text, hexadecimal"),
    "alt": (TEXT, "alt attribute as crawled, never rewritten; null where it speaks to a model instead of describing"),
    "title": (TEXT, "title attribute"),
    "figcaption": (TEXT, "caption on the page"),
    "heading": (TEXT, "nearest heading before the image"),
    "context": (TEXT, "text around the image"),
    "language": (TEXT, "declared language of the place on the page"),
    "synthetic": (TEXT, "short caption written from the pixels, where one was accepted"),
    "synthetic_dense": (TEXT, "dense caption written from the pixels, where one was accepted"),
    "synthetic_dense_plus": (TEXT, "caption of everything in the picture, where one was accepted"),
    "fused": (TEXT, "caption fused from alt and synthetic, where the fusion was accepted"),
    "caption_kind": (
        TEXT,
        "which of them `caption` is: alt, synthetic-short, synthetic-dense, synthetic-dense+ or fused",
    ),
    "caption_model": (TEXT, "model that wrote `caption`; null for alt"),
    "targets": (
        pa.list_(TARGET),
        "the text for each training target of the recipe (clip, mllm, diffusion …), with its kind and the model that wrote it",
    ),
    "image_license": (TEXT, "SPDX id or expression; NONE where the page states none"),
    "license_url": (TEXT, "the license's own address; of an expression those of all its licenses"),
    "text_license": (TEXT, "license of the words around the image"),
    "text_license_url": (TEXT, "its own address; of an expression those of all its licenses"),
    "caption_license": (TEXT, "license that the words of `caption` come under; NONE where none was stated"),
    "caption_model_license": (TEXT, "license of the weights of the model that wrote `caption`; null for alt"),
    "caption_terms": (TEXT, "terms that model puts on its outputs; `none` where it claims none; null for alt"),
    "obligations": (
        pa.uint16(),
        "of image, text and caption together, bits of table `license`: 1 attribution, 2 share-alike, 4 non-commercial …",
    ),
    "attribution": (TEXT, "credit line: title, author, source, license"),
    "creator": (TEXT, "author, as stated"),
    "credit": (TEXT, "whom to credit, as stated"),
    "work_title": (TEXT, "title of the work, as stated"),
    "source_url": (TEXT, "where the work comes from, as stated; else null"),
    "copyright_notice": (TEXT, "copyright notice, as stated"),
    "page_url": (TEXT, "page that shows the image"),
    "page_title": (TEXT, "title of that page"),
    "page_record_id": (U64, "record of that page in the crawl"),
    "position": (U32, "index of the <img> on that page"),
    "image_format": (TEXT, "what the bytes in the tar are: JPEG, PNG, WEBP …"),
    "image_bytes": (U64, "their size"),
    "similarity": (F32, "cosine of image and source text"),
    "scores": (pa.list_(SCORE), "all scores, with the model that gave each"),
    "cluster_id": (U32, "concept the sample belongs to"),
    "cluster_distance": (F32, "cosine distance to the concept's centroid"),
}
"""Columns of a release's Parquet files, with a sentence each."""

STEERABLE = ("alt", "title", "figcaption", "heading", "context", "page_title")
"""Texts of the page that are left out where they speak to a model: who trains on them did not ask for that."""

HIDDEN = {"file": TEXT, "member": TEXT}
"""Where the bytes lie in the lake; needed to write a release, never part of it."""

NEEDED = ("sample", "image", "rights", "caption", "license")
USED = ("score", "attribution", "cluster_member", "caption_target")
"""Tables that add columns where they are given."""
SIMILARITY = "image_text_similarity"
RELEASABLE = ("allow", "url_only")


@dataclass(frozen=True)
class Assembled:
    """What goes out and what stays in.

    Attributes:
        rows: one row per released sample, sorted by sample_id: COLUMNS and HIDDEN.
        decision: table `decision`, stage release, one row per candidate.
    """

    rows: pa.Table
    decision: pa.Table


def assemble(
    candidates: Sequence[int] | np.ndarray, tables: Mapping[str, pa.Table], threads: int = 2, bytes_too: bool = True
) -> Assembled:
    """Join the rows of a release for the samples that came in.

    Args:
        candidates: ids of the samples that the stage before kept.
        tables: tables of NEEDED and, where there, of USED, by name, whole or of the shards concerned.
        bytes_too: False for a release of addresses and captions alone: no sample goes with its image.
        threads: threads of the join.

    Raises ValueError where a table is missing, or a candidate is unknown or has two rights rows or two chosen captions.
    """
    missing = set(NEEDED) - set(tables)
    if missing:
        raise ValueError(f"a release needs the tables {', '.join(sorted(missing))}")
    ids = np.unique(np.asarray(candidates, dtype=np.uint64))
    with duckdb.connect(config={"threads": threads}) as connection:
        for name in (*NEEDED, *USED):
            connection.register(name, tables.get(name, TABLES[name].empty()))
        connection.register("candidate", pa.table({"sample_id": ids}))
        joined = connection.execute(_JOIN).to_arrow_table()
    if not np.array_equal(joined.column("sample_id").to_numpy(), ids):
        raise ValueError(
            f"{len(ids)} candidates became {joined.num_rows} rows: "
            "each needs one row in sample, and at most one in rights and one chosen caption"
        )
    reasons = [_refusal(row, bytes_too) for row in joined.select(_DECIDING).to_pylist()]
    kept = np.array([reason is None for reason in reasons], dtype=bool)
    rows = _complete(joined.filter(pa.array(kept)), bytes_too)
    return Assembled(rows, decision_table("release", ids, kept, reasons))


def uid(image_sha256: str, text: str | None) -> str:
    """128-bit id of a pair, 32 hexadecimal digits: the same picture with the same words has it in every build."""
    return hashlib.sha256(bytes.fromhex(image_sha256) + (text or "").encode()).hexdigest()[:32]


_DECIDING = ["verdict", "reservation", "caption", "url", "sha256", "member"]


def _refusal(row: dict[str, str | None], bytes_too: bool) -> str | None:
    """Why a candidate stays out; None where it goes out. Earlier stages should have seen to the first three."""
    if row["verdict"] is None:
        return "no_rights"
    if row["verdict"] not in RELEASABLE:
        return str(row["verdict"])
    if row["reservation"] == "reserved":
        return "reserved"
    if not row["caption"]:
        return "no_caption"
    if row["sha256"] is None or row["member"] is None:
        return "no_image"
    by_address = row["verdict"] == "url_only" or not bytes_too
    if by_address and not (row["url"] or "").lower().startswith(("http://", "https://")):
        return "no_address"
    return None


def _complete(rows: pa.Table, bytes_too: bool) -> pa.Table:
    """The kept rows in the release's columns and types, with key, uid, status and credit line."""
    listed = rows.select([*_MADE_FROM, *_CREDITED]).to_pylist()
    made = {
        "key": [f"{row['sample_id']:020d}" for row in listed],
        "uid": [uid(row["sha256"], row["source_text"]) for row in listed],
        "status": ["success" if row["verdict"] == "allow" and bytes_too else "url_only" for row in listed],
        "attribution": [credit_line(row) if row["attribution_needed"] else None for row in listed],
        "error_message": [None] * len(listed),
    }
    for name in STEERABLE:
        made[name] = [None if text and is_injection(text) else text for text in rows.column(name).to_pylist()]
    made["targets"] = [
        [part for part in parts or () if part["kind"] != "alt" or not is_injection(part["text"])]
        for parts in rows.column("targets").to_pylist()
    ]
    kinds = {name: kind for name, (kind, _) in COLUMNS.items()} | HIDDEN
    columns = [
        pa.array(made[name], kind) if name in made else rows.column(name).cast(kind) for name, kind in kinds.items()
    ]
    return pa.table(columns, schema=pa.schema(list(kinds.items())))


_MADE_FROM = ["sample_id", "sha256", "source_text", "verdict", "attribution_needed"]
_CREDITED = [
    "work_title", "creator", "credit", "copyright_notice", "source_url", "page_url", "url", "image_license",
    "license_url", "text_license", "text_license_url",
]  # fmt: skip

_JOIN = f"""
WITH chosen AS (
    SELECT sample_id, kind, text, model, license, model_license, output_terms, obligations FROM caption WHERE chosen
),
accepted AS (
    SELECT sample_id,
        min(text) FILTER (kind = 'synthetic-short') AS synthetic,
        min(text) FILTER (kind = 'synthetic-dense') AS synthetic_dense,
        min(text) FILTER (kind = 'synthetic-dense+') AS synthetic_dense_plus,
        min(text) FILTER (kind = 'fused') AS fused
    FROM caption WHERE status = 'ok' AND selected GROUP BY sample_id
),
targeted AS (
    SELECT t.sample_id,
        list({{'target': t.target, 'kind': t.kind, 'model': t.model, 'text': c.text}} ORDER BY t.target) AS targets
    FROM caption_target t SEMI JOIN candidate USING (sample_id)
    JOIN caption c ON c.sample_id = t.sample_id AND c.kind = t.kind AND c.selected AND c.status = 'ok'
    GROUP BY t.sample_id
),
scored AS (
    SELECT sample_id,
        min(value) FILTER (scorer = '{SIMILARITY}') AS similarity,
        list({{'scorer': scorer, 'model': model, 'value': value}} ORDER BY scorer, model) AS scores
    FROM (
        SELECT sample_id, scorer, model, CASE WHEN isfinite(value) THEN value END AS value
        FROM score SEMI JOIN candidate USING (sample_id)
    ) GROUP BY sample_id
),
addressed AS ({LICENSE_ADDRESSES}),
attributed AS ({ATTRIBUTED.format(samples="(SELECT * FROM sample SEMI JOIN candidate USING (sample_id))")})
SELECT
    s.sample_id, s.image_url AS url, s.alt, s.title, s.caption AS figcaption, s.heading, s.context, s.language,
    s.page_url, s.page_title, s.page_record_id, s.position, s.text AS source_text,
    i.stored_width AS width, i.stored_height AS height, i.width AS original_width, i.height AS original_height,
    lower(hex(i.sha256)) AS sha256, lower(hex(i.stored_sha256)) AS stored_sha256,
    i.stored_format AS image_format, i.stored_bytes AS image_bytes, i.file, i.member,
    c.text AS caption, c.kind AS caption_kind, c.model AS caption_model,
    w.synthetic, w.synthetic_dense, w.synthetic_dense_plus, w.fused, g.targets,
    r.image_license, r.text_license, c.license AS caption_license, c.model_license AS caption_model_license,
    c.output_terms AS caption_terms, (r.obligations | coalesce(c.obligations, 0))::USMALLINT AS obligations,
    r.verdict, r.reservation,
    l.license_url, tl.license_url AS text_license_url,
    a.work_title, a.creator, a.credit, a.source_url, a.copyright_notice,
    (r.obligations | coalesce(c.obligations, 0)) & 1 = 1 OR a.creator IS NOT NULL OR a.credit IS NOT NULL AS attribution_needed,
    v.similarity, v.scores, m.cluster_id, m.distance AS cluster_distance
FROM candidate JOIN sample s USING (sample_id)
LEFT JOIN image i USING (image_id)
LEFT JOIN rights r ON r.sample_id = s.sample_id
LEFT JOIN addressed l ON l.expression = r.image_license
LEFT JOIN addressed tl ON tl.expression = r.text_license
LEFT JOIN chosen c ON c.sample_id = s.sample_id
LEFT JOIN accepted w ON w.sample_id = s.sample_id
LEFT JOIN targeted g ON g.sample_id = s.sample_id
LEFT JOIN scored v ON v.sample_id = s.sample_id
LEFT JOIN attributed a ON a.sample_id = s.sample_id
LEFT JOIN cluster_member m ON m.sample_id = s.sample_id
ORDER BY s.sample_id
"""
