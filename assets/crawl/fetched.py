"""What hosts answered: segments of attempts, each with a WARC file of the answers, written once and never changed.

Fetching is the one thing in a build that is not a function of its inputs. So it is recorded: which addresses were asked
for, when, and every byte that came back. Everything after it reads the recording.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from assets.crawl.candidates import record_row, redirect_target
from assets.crawl.rows import Rows
from assets.crawl.warc import iter_records, read_record
from resources.fetcher import Fetched, FetchSettings, Wanted
from resources.fetcher.archive import WarcWriter
from resources.lake import Lake, LakeError, local_path, sha256_of
from resources.objects import entries, files

FIRST_ORDINAL = 1 << 31
"""Fetched records count from here, so that they never meet those of the crawl file."""
FETCHABLE = ("image_not_in_crawl", "image_in_other_file", "not_fetched", "failed_to_download", "not_in_tar")
"""Reasons of candidates whose bytes a host may still give."""

_SEGMENT = pa.schema(
    [
        ("kind", pa.string()),
        ("url", pa.string()),
        ("attempt", pa.uint32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("may_succeed", pa.bool_()),
        ("retry_at", pa.timestamp("us", tz="UTC")),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("seconds", pa.float64()),
        ("http_status", pa.uint16()),
        ("final_url", pa.string()),
        ("redirects", pa.uint16()),
        ("bytes", pa.uint64()),
        ("sha256", pa.binary(32)),
        ("offset", pa.uint64()),
        ("rules", pa.string()),
        ("robots", pa.bool_()),
    ]
)
"""A segment's rows. `offset` is where the answer's record starts in the segment's own WARC file; `rules` are those of our own
that were in force, as a hash, `robots` whether robots.txt was obeyed."""

Answered = tuple[UPath, dict[str, Any]]
"""A row of a segment, and the segment."""
SEGMENT_BYTES = 64 << 20

OWN_RULES = ("address_refused", "port_refused", "robots_disallowed", "robots_unreachable", "x_robots_tag", "too_large",
             "too_many_redirects", "header_too_large")  # fmt: skip
"""Reasons that another recipe may see differently."""


class SegmentWriter:
    """Writes batches of attempts as segments: the WARC file first, then its rows, which make it count."""

    def __init__(self, lake: Lake, folder: UPath, settings: FetchSettings) -> None:
        self._lake, self._folder, self._settings = lake, folder, settings
        self._rules = {"rules": rules_of(settings), "robots": settings.robots}
        existing = [path.name for path in lake.files(folder, "*.parquet")]
        self._next = 1 + max((int(name[:6]) for name in existing), default=0)

    def write(self, batch: Sequence[Fetched]) -> None:
        """Append a segment."""
        if not batch:
            return
        archive = io.BytesIO()
        writer = WarcWriter(archive, self._settings)
        rows = []
        for fetched in batch:
            offset = None
            for exchange in fetched.exchanges:
                offset = archive.tell()
                writer.add(exchange)
            rows.append({**_segment_row(fetched, offset), **self._rules})
        self._publish(archive, rows)

    def copy(self, answers: Iterable[Answered]) -> None:
        """Append what another shard was answered, record by record as it stands there."""
        archive, rows = io.BytesIO(), []
        for segment, row in answers:
            offset = None
            if row["offset"] is not None:
                offset = archive.tell()
                archive.write(_raw(segment.with_suffix(".warc"), row["offset"]))
            rows.append({**row, "offset": offset})
            if archive.tell() > SEGMENT_BYTES:
                self._publish(archive, rows)
                archive, rows = io.BytesIO(), []
        if rows:
            self._publish(archive, rows)

    def _publish(self, archive: io.BytesIO, rows: list[dict[str, Any]]) -> None:
        table = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, _SEGMENT), table, compression="zstd")
        digest = hashlib.sha256(archive.getbuffer())
        digest.update(table.getbuffer())
        name = f"{self._next:06d}-{digest.hexdigest()[:16]}"
        # The answers must be there before the rows that speak of them.
        for suffix, content in ((".warc", archive), (".parquet", table)):
            with (
                self._lake.new_file(self._folder / f"{name}{suffix}", once=True) as partial,
                partial.open("wb") as stream,
            ):
                stream.write(content.getbuffer())
        self._next += 1


def _raw(warc: UPath, offset: int) -> bytes:
    """A record as it stands in its file."""
    length = read_record(local_path(warc), offset).length
    if length is None:
        raise LakeError(
            f"{warc}: the record at {offset} cannot be read; delete the file and its .parquet and run again"
        )
    with local_path(warc).open("rb") as stream:
        stream.seek(offset)
        data: bytes = stream.read(length)
    return data


def answered(root: UPath, urls: Collection[str], robots: bool) -> dict[str, list[Answered]]:
    """What other shards of a home were answered: for an address its host's robots.txt, as it was then, and the image.

    Args:
        root: folder of all shards' segments.
        urls: addresses that are looked for.
        robots: images that were asked for without regard to robots.txt do not count.
    """
    found: dict[str, list[Answered]] = {}
    for folder in entries(root):
        rules: dict[str, Answered] = {}
        images: dict[str, Answered] = {}
        for segment in files(folder, "*.parquet"):
            for row in read_segment(segment):
                if row["kind"] == "robots":
                    rules[_origin(row["url"])] = segment, row
                elif row["status"] == "ok" and row["url"] in urls and (row["robots"] or not robots):
                    images[row["url"]] = segment, row
        for url, answer in images.items():
            before = [rules[_origin(url)]] if _origin(url) in rules else []
            found.setdefault(url, [*before, answer])
    return found


class Router:
    """Takes what a run over many shards brings and hands each shard what it asked for, in segments of a fair size.

    Args:
        writers: by shard.
        owners: shards that want an address, by address; what robots.txt says goes to all shards that ask its origin.
        tell: is told now and then how far the run is.
    """

    ITEMS = 256
    """Attempts in a segment."""
    SECONDS = 30.0
    """Longest that something waits to be written, while more comes."""
    BYTES = 128 << 20
    """Of what waits, over all shards."""

    TELL_SECONDS = 5.0

    def __init__(
        self,
        writers: Mapping[int, SegmentWriter],
        owners: Mapping[str, Sequence[int]],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._writers, self._owners, self._tell = writers, owners, tell
        self._counts: Counter[str] = Counter()
        self._told = time.monotonic()
        self._origins: dict[str, set[int]] = defaultdict(set)
        for url, shards in owners.items():
            self._origins[_origin(url)].update(shards)
        self._waiting: dict[int, list[Fetched]] = defaultdict(list)
        self._size, self._since = 0, time.monotonic()

    def write(self, batch: Sequence[Fetched]) -> None:
        """Sort a batch; what has waited long, or takes much memory, is written."""
        for fetched in batch:
            attempt = fetched.attempt
            self._counts[attempt.status] += attempt.kind == "image"
            found = (
                self._owners.get(attempt.url) if attempt.kind == "image" else self._origins.get(_origin(attempt.url))
            )
            for shard in found or ():
                self._waiting[shard].append(fetched)
                self._size += fetched.size
                if len(self._waiting[shard]) >= self.ITEMS:
                    self._flush(shard)
        if time.monotonic() - self._told > self.TELL_SECONDS:
            self._told = time.monotonic()
            told = ", ".join(f"{self._counts[status]:,} {status}" for status in ("ok", "failed", "refused"))
            self._tell(f"{told} of {len(self._owners):,} addresses")
        if self._size > self.BYTES or time.monotonic() - self._since > self.SECONDS:
            self.close()

    def close(self) -> None:
        """Write everything that waits."""
        for shard in sorted(self._waiting):
            self._flush(shard)
        self._since = time.monotonic()

    def _flush(self, shard: int) -> None:
        waiting = self._waiting.pop(shard, [])
        self._size -= sum(fetched.size for fetched in waiting)
        self._writers[shard].write(waiting)


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def rules_of(settings: FetchSettings) -> str:
    """Hash of the settings by which an address or an answer is refused: under others it may be taken."""
    names = (
        "robots_token",
        "allow_private",
        "allow_ports",
        "robots",
        "opt_out_directives",
        "max_redirects",
        "max_bytes",
    )
    return sha256_of([getattr(settings, name) for name in names])[:16]


def _segment_row(fetched: Fetched, offset: int | None) -> dict[str, Any]:
    attempt = fetched.attempt
    names = ("kind", "url", "status", "reason", "detail", "may_succeed", "retry_at", "started_at", "seconds",
             "http_status", "final_url", "redirects", "bytes", "sha256")  # fmt: skip
    return {**{name: getattr(attempt, name) for name in names}, "attempt": attempt.number, "offset": offset}


@dataclass(frozen=True)
class Recorded:
    """What the segments of a shard hold.

    Attributes:
        fetch: table `fetch`.
        record: table `record` of the answers.
    """

    fetch: pa.Table
    record: pa.Table


def recorded(segments: Sequence[UPath], uris: Sequence[str], shard_id: int, max_body: int, robots: bool) -> Recorded:
    """The segments of a shard as tables.

    Args:
        segments: their Parquet files, oldest first.
        uris: how table `record` names the WARC file of each.
        shard_id: the shard.
        max_body: bytes of a body after decoding; a larger one costs its record.
        robots: leave out images that were asked for without regard to robots.txt.
    Raises:
        LakeError: a segment is not what was written.
    """
    fetch, records = Rows("fetch"), Rows("record")
    first = FIRST_ORDINAL
    for segment, uri in zip(segments, uris, strict=True):
        count = 0
        at: dict[int, tuple[int, str | None]] = {}
        for record in iter_records(local_path(segment.with_suffix(".warc")), max_body):
            record_id = shard_id << 32 | first + record.ordinal
            row = record_row(record, record_id, shard_id, redirect_target(record))
            records.add({**row, "file": uri})
            at[record.offset] = record_id, record.url
            count += 1
        for row in read_segment(segment):
            offset, obeyed = row.pop("offset"), row.pop("robots")
            del row["rules"]
            if robots and not obeyed and row["kind"] == "image":
                continue
            answered, url = at.get(offset, (None, None)) if offset is not None else (None, row["final_url"])
            if url != row["final_url"] and not (offset is not None and url is not None and row["status"] != "ok"):
                raise LakeError(f"{uri}: its records are not those that were written; delete it and run again")
            fetch.add({**row, "shard_id": shard_id, "record_id": answered})
        first += count
    keys = [(name, "ascending") for name in ("kind", "url", "attempt", "started_at")]
    return Recorded(fetch.table().sort_by(keys), records.table())


def read_segment(segment: UPath) -> Iterator[dict[str, Any]]:
    """Rows of one segment."""
    with local_path(segment).open("rb") as stream:
        yield from pq.read_table(stream).to_pylist()


def wanted(candidate: pa.Table) -> list[str]:
    """Addresses that a host may give bytes for, each once, in the order of their first candidate.

    Args:
        candidate: columns image_url and reason of table `candidate`.
    """
    pairs = zip(candidate["image_url"].to_pylist(), candidate["reason"].to_pylist(), strict=True)
    urls = (url for url, reason in pairs if reason in FETCHABLE and url and url.startswith(("http://", "https://")))
    return list(dict.fromkeys(urls))


def pending(
    urls: Sequence[str], segments: Iterable[UPath], attempts: int, now: datetime, rules: str, robots: bool
) -> list[Wanted]:
    """Addresses still to be asked for: never tried, or failed in a way that may pass and not yet given up.

    Args:
        urls: what is wanted.
        segments: what was tried.
        attempts: tries after which an address is given up, over all runs.
        now: an address whose host named a later time waits.
        rules: our own, in force now; what others refused is open again.
        robots: what was asked for without regard to robots.txt counts as never asked for.
    """
    tried: Counter[str] = Counter()
    last: dict[str, dict[str, Any]] = {}
    for segment in segments:
        for row in read_segment(segment):
            if row["kind"] == "image" and (row["robots"] or not robots):
                tried[row["url"]] += 1
                last[row["url"]] = row
    found = []
    for url in urls:
        before = last.get(url)
        if before is None or _may_be_tried_again(before, tried[url], attempts, now, rules):
            found.append(Wanted(url, tried[url]))
    return found


def _may_be_tried_again(before: dict[str, Any], tried: int, attempts: int, now: datetime, rules: str) -> bool:
    if before["reason"] in OWN_RULES and before["rules"] != rules:
        return True
    waits = before["retry_at"] is not None and before["retry_at"] > now
    return before["status"] != "ok" and before["may_succeed"] and tried < attempts and not waits
