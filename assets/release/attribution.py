"""Attribution: title, author, source and license of released samples that ask for it or whose author is stated."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

PRECEDENCE = (
    ("xmp_cc_%",),
    ("jsonld_image", "microdata_image", "rdfa_image"),
    ("rdfa_about",),
    ("figure_%", "caption_%"),
    ("adapter_%",),
    ("xmp_%", "svg_%", "c2pa_%"),
    ("iptc_%",),
    ("exif_%", "png_%", "jpeg_%", "gif_%"),
    ("img_title", "%_license_page"),
)
"""Rules whose word counts first, as patterns of SQL's LIKE; what stands in no line comes last: the page's own author.

What somebody wrote to be credited by goes before what a camera or a program left in a file.
"""

_WHEN = (" OR ".join(f"a.rule LIKE '{pattern}'" for pattern in patterns) for patterns in PRECEDENCE)
_RANK = f"CASE {' '.join(f'WHEN {when} THEN {rank}' for rank, when in enumerate(_WHEN))} ELSE {len(PRECEDENCE)} END"

ATTRIBUTED = f"""
    SELECT sample_id,
        max(value) FILTER (field = 'title') AS work_title,
        max(value) FILTER (field = 'creator') AS creator,
        max(value) FILTER (field = 'credit') AS credit,
        max(value) FILTER (field = 'source_url') AS source_url,
        max(value) FILTER (field = 'copyright_notice') AS copyright_notice
    FROM (
        SELECT sample_id, field, string_agg(DISTINCT value, '; ' ORDER BY value) AS value
        FROM (
            SELECT t.sample_id, {_RANK} AS rank, min(rank) OVER (PARTITION BY t.sample_id, a.field) AS best,
                a.field, a.value
            FROM (
                SELECT sample_id, 'image' AS subject_type, image_record_id AS subject_id FROM {{samples}}
                UNION ALL
                SELECT sample_id, 'image', image_id FROM {{samples}} WHERE image_id IS DISTINCT FROM image_record_id
                UNION ALL SELECT sample_id, 'sample', sample_id FROM {{samples}}
                UNION ALL SELECT sample_id, 'page', page_record_id FROM {{samples}}
            ) t JOIN attribution a USING (subject_type, subject_id)
        ) WHERE rank = best GROUP BY sample_id, field
    ) GROUP BY sample_id
"""
"""SQL: what is stated about each sample, field by field, by the rules that count first (PRECEDENCE).

Different values of one rank are joined with `; `. `{samples}` stands for the relation of samples."""

LICENSE_ADDRESSES = """
    SELECT expression, string_agg(canonical_url, ' ' ORDER BY spdx_id) AS license_url
    FROM (SELECT image_license AS expression FROM rights UNION SELECT text_license FROM rights)
    JOIN license ON list_contains(regexp_split_to_array(expression, '[() ]+'), spdx_id)
    GROUP BY expression
"""
"""SQL: addresses of the licenses in each expression, as their publishers write them."""

COLUMNS = (
    "key", "file", "work_title", "creator", "credit", "copyright_notice", "source", "page_url", "license",
    "license_url", "text_license", "text_license_url", "changes", "attribution",
)  # fmt: skip
UNCHANGED = "none: bytes as crawled"
ADDRESS_ONLY = "none: address only"


def credit_line(row: Mapping[str, Any]) -> str:
    """Title, author, source and license in one line; what nobody stated is left out.

    Args:
        row: work_title, creator, credit, copyright_notice, source_url, page_url, url, image_license, license_url,
            text_license, text_license_url.
    """
    author = row["creator"] or row["credit"] or row["copyright_notice"]
    work = f"“{row['work_title']}”" if row["work_title"] else "Image"
    terms = _terms(row["image_license"], row["license_url"]) or "no license stated"
    words = _terms(row["text_license"], row["text_license_url"])
    also = f"; words from {row['page_url']}, {words}" if words and row["text_license"] != row["image_license"] else ""
    by = f" by {author}" if author else ""
    return f"{work}{by}, {row['source_url'] or row['page_url'] or row['url']}, {terms}{also}"


def _terms(license: str | None, address: str | None) -> str | None:
    """A license and where it is to be read; None where none is stated."""
    if license in (None, "NONE", "NOASSERTION"):
        return None
    return f"{license} ({address})" if address else license


def attribution_csv(rows: pa.Table, members: pa.Table) -> str:
    """ATTRIBUTION.csv: one line per released sample that has a credit line.

    A cell that a spreadsheet would take for a formula starts with an apostrophe; the words as stated are in the Parquet
    files.

    Args:
        rows: rows of a release (`rows.COLUMNS`), sorted by sample_id.
        members: table `release_member` of the same samples.
    """
    files = dict(zip(members.column("sample_id").to_pylist(), members.column("file").to_pylist(), strict=True))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    made_from = [
        "sha256",
        "stored_sha256",
        "width",
        "height",
        "original_width",
        "original_height",
        "image_format",
        "url",
    ]
    wanted = [
        "sample_id",
        "status",
        "image_license",
        "source_url",
        *made_from,
        *(c for c in COLUMNS if c in rows.column_names),
    ]
    for row in rows.select(wanted).to_pylist():
        if row["attribution"] is None:
            continue
        made = {
            **row,
            "file": files[row["sample_id"]],
            "source": row["source_url"] or row["page_url"] or row["url"],
            "license": row["image_license"],
            "changes": _changes(row),
        }
        writer.writerow([harmless_cell(made[name]) for name in COLUMNS])
    return out.getvalue()


def _changes(row: Mapping[str, Any]) -> str:
    """What was done to the image: licenses that ask for credit ask for this as well."""
    if row["status"] != "success":
        return ADDRESS_ONLY
    if row["stored_sha256"] == row["sha256"]:
        return UNCHANGED
    before, after = (f"{row[f'{which}width']}x{row[f'{which}height']}" for which in ("original_", ""))
    how = f"shrunk from {before} to {after}" if before != after else "written anew in the same size"
    return f"{how}, as {row['image_format']}"


def harmless_cell(value: str | None) -> str:
    """A cell that no spreadsheet runs, without line breaks or control characters."""
    text = "".join(c if c.isprintable() else " " for c in value or "")
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@") and text.strip() else text
