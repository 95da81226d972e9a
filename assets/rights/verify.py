"""Does the evidence stand? Every finding names bytes; here its rule reads those bytes again.

Nothing is taken on trust: a value that is not in its range, and a license or decision that the value no longer gives,
are told apart, and a rule without a reader is said to have none.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.rights import rereading, rereading_sites
from assets.rights.rereading import Excerpt, Origin, Reader

SAME, DIFFERS, READING, UNPLACED, GONE, UNKNOWN = (
    "same", "differs", "differs_reading", "unplaced", "gone", "unknown_rule"
)  # fmt: skip
BATCH = 65_536
"""Rows that are Python objects at a time."""

FINE = (SAME, UNPLACED)
"""Outcomes that speak against nothing."""

READERS: dict[str, Reader] = {
    "http_link_": rereading.read_header_lines,
    "x_robots_tag": rereading.read_header_lines,
    "content_usage_header": rereading.read_header_lines,
    "tdmrep_header": rereading.read_header_lines,
    "rsl_header": rereading.read_header_lines,
    "content_signal_header": rereading.read_header_lines,
    "meta_robots": rereading.read_metas,
    "tdmrep_meta": rereading.read_metas,
    "rsl_link": rereading.read_metas,
    "rsl_inline": rereading.read_metas,
    "page_rel": rereading.read_tags,
    "page_link": rereading.read_tags,
    "page_meta": rereading.read_tags,
    "figure_rel": rereading.read_tags,
    "comment_rel": rereading.read_tags,
    "rdfa_": rereading.read_tags,
    "microdata_": rereading.read_tags,
    "figure_text": rereading.read_figure,
    "caption_": rereading.read_words,
    "adapter_": rereading.read_site_element,
    "jsonld_": rereading.read_script,
    "xmp_": rereading.read_block,
    "svg_": rereading.read_block,
    "exif_": rereading.read_block,
    "iptc_": rereading.read_block,
    "png_": rereading.read_block,
    "gif_": rereading.read_block,
    "jpeg_": rereading.read_block,
    "c2pa_": rereading.read_block,
    "plus_": rereading.read_block,
    "metadata_unread": rereading.read_block,
    "robots_agents": rereading_sites.read_robots_line,
    "content_usage_robots": rereading_sites.read_robots_line,
    "content_signal": rereading_sites.read_robots_line,
    "rsl_robots": rereading_sites.read_robots_line,
    "ai_txt": rereading_sites.read_robots_line,
    "trust_txt": rereading_sites.read_trust_line,
    "robots_un": rereading_sites.read_site_file,
    "tdmrep_unread": rereading_sites.read_site_file,
    "tdmrep_file": rereading_sites.read_tdmrep_entry,
    "rsl_document": rereading_sites.read_terms,
    "rsl_feed": rereading_sites.read_terms,
    "page_unread": rereading.read_unread_page,
    "outside_main": rereading.read_outside,
    "natural_language": rereading.read_prose,
    "wat_": rereading.never_placed,
    "list_": rereading.never_placed,
}
"""Reader by the start of a rule's name; the longest start that fits counts."""

OF_PAGES = (
    rereading.read_metas, rereading.read_tags, rereading.read_words, rereading.read_figure, rereading.read_script,
)  # fmt: skip
"""Readers of an excerpt of a page; what an excerpt alone does not say is read in its place."""


class PartGoneError(Exception):
    """The bytes that a finding names cannot be had; the message says why."""


@dataclass(frozen=True)
class Verified:
    """What became of one finding, and a few words about it where it is not `same`."""

    outcome: str
    detail: str = ""


def reader_of(rule: str) -> Reader | None:
    """What reads a rule's bytes again; None where nothing can."""
    known = [start for start in READERS if rule.startswith(start)]
    return READERS[max(known, key=len)] if known else None


def verify(row: Mapping[str, Any], raw_part: bytes, origin: Origin | None = None) -> Verified:
    """Read a finding's bytes again.

    Args:
        row: of `evidence_rows`: rule, says, usage, value, subject_type, byte_start, byte_end.
        raw_part: the part of the record that the range counts in, headers or body.
        origin: what the rule knew besides.
    """
    reader = reader_of(row["rule"])
    if reader is None:
        return Verified(UNKNOWN, f"no reader for rule {row['rule']}")
    start, end = row["byte_start"], row["byte_end"]
    if start is None or end is None:
        return Verified(UNPLACED, "no range was stored")
    if not start <= end <= len(raw_part):
        return Verified(DIFFERS, f"the range ends at {end}, the part has {len(raw_part)} bytes")
    excerpt = Excerpt(row["rule"], row["value"], row["subject_type"], raw_part, start, end, origin or Origin())
    readings = reader(excerpt)
    says = f"{row['usage']} {row['says']}" if row["usage"] else row["says"]
    if (row["value"], says) not in readings and reader in OF_PAGES:
        readings = readings | rereading.read_whole_page(excerpt)
    if (row["value"], says) in readings:
        return Verified(SAME)
    now = sorted(said for value, said in readings if value == row["value"])
    if now:
        return Verified(READING, f"stored {says}, read {', '.join(now)}")
    return Verified(DIFFERS, "the value is not in the range")


def evidence_rows(license_evidence: pa.Table, reservation_evidence: pa.Table, record: pa.Table) -> pa.Table:
    """Findings of both kinds as `verify` takes them, each with what is known of its record.

    Args:
        license_evidence, reservation_evidence: tables of some shards.
        record: table `record` of the same shards, and of those whose site files speak of them.
    """
    common = ["subject_type", "subject_id", "rule", "value", "record_id", "part", "byte_start", "byte_end"]
    licenses = license_evidence.select([*common, "spdx_id"]).rename_columns([*common, "says"])
    licenses = licenses.append_column("usage", pa.nulls(licenses.num_rows, pa.string()))
    reservations = reservation_evidence.select([*common, "decision", "usage"]).rename_columns(
        [*common, "says", "usage"]
    )
    rows = pa.concat_tables([licenses, reservations], promote_options="default")
    about = record.select(["record_id", *ORIGIN_COLUMNS])
    return rows.join(about, "record_id", join_type="left outer").combine_chunks()


ORIGIN_COLUMNS = ("url", "charset", "http_status", "truncated", "reason")
"""Columns of table `record` that a rule may have known."""


def origin_of(row: Mapping[str, Any], agents: Iterable[str] = ()) -> Origin:
    """What a row of `evidence_rows` tells of its record; `agents`: product tokens that the policy names."""
    incomplete = tuple(row[name] for name in ("truncated", "reason") if row[name])
    return Origin(row["url"] or "", row["charset"], row["http_status"], incomplete, frozenset(agents) - {"*"})


def key_of(row: Mapping[str, Any]) -> str:
    """What makes a finding this one: text by which it is drawn, the same on every machine."""
    names = ("subject_type", "subject_id", "rule", "says", "usage", "value", "record_id", "part", "byte_start")
    return "\x1f".join(str(row[name]) for name in names)


def drawn(rows: pa.Table, count: int) -> pa.Table:
    """`count` of the rows, chosen by the hash of their keys: no order of rows and no clock changes the choice."""
    all_rows = (row for batch in rows.to_batches(max_chunksize=BATCH) for row in batch.to_pylist())
    hashes = ((hashlib.sha256(key_of(row).encode()).digest(), number) for number, row in enumerate(all_rows))
    chosen = [number for _, number in heapq.nsmallest(count, hashes)]
    return rows.take(pa.array(chosen, pa.int64())).sort_by([("record_id", "ascending"), ("byte_start", "ascending")])


def verify_sample(
    rows: pa.Table, count: int, open_part: Callable[[int, str], bytes], agents: Iterable[str] = ()
) -> tuple[bool, str]:
    """Read some findings again: whether all of them stand, and a sentence with counts and the first that does not.

    Args:
        rows: of `evidence_rows`.
        count: how many are drawn among those that name a range.
        open_part: bytes of a part (headers or body) of a record; raises PartGoneError.
        agents: product tokens that the policy names.
    """
    placed = rows.filter(pc.is_valid(rows["byte_start"]))
    counts: Counter[str] = Counter()
    first = ""
    for row in drawn(placed, count).to_pylist():
        found = verify_with(row, open_part, agents)
        counts[found.outcome] += 1
        if found.outcome not in FINE and not first:
            first = f"; the first: rule {row['rule']}, record {row['record_id']}, {row['part']} {row['byte_start']}-"
            first += f"{row['byte_end']}: {found.outcome}, {found.detail}"
    ok = all(outcome in FINE for outcome in counts)
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())) or "none"
    return ok, f"{counts.total()} of {placed.num_rows} findings with a range read again: {told}{first}"


def verify_with(row: Mapping[str, Any], open_part: Callable[[int, str], bytes], agents: Iterable[str] = ()) -> Verified:
    """Verify a row whose bytes must first be opened; a finding without a range opens nothing."""
    raw = b""
    if row["byte_start"] is not None and reader_of(row["rule"]) is not None:
        try:
            raw = open_part(row["record_id"], row["part"])
        except PartGoneError as error:
            return Verified(GONE, str(error))
    return verify(row, raw, origin_of(row, agents))
