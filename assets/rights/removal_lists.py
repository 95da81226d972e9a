"""Removal lists: files of addresses or hashes that must not be in a build, as authorities and hotlines hand them out.

Text files have one entry a line (`#` starts a remark); CSV and Parquet files have columns named like kinds of selectors:
`url`, `sha256`, `md5`, `phash`, `host` …, or `kind` and `value`. A line that cannot be followed stops the build: what
somebody asked to be taken out must not stay in because of a slip of the pen.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.rights.removals import MATCH, RemovalError, Selector, guess, rows_of, selector

COLUMNS = {
    "sha256": "image_sha256", "md5": "image_md5", "image_url": "url", "page_url": "page", "registered_domain": "domain",
    "prefix": "url_prefix", **{kind: kind for kind in MATCH},
}  # fmt: skip
"""What columns of a list may be called, with the kind of selector they hold."""

MAX_LINE = 16_384
_HASHES = {"image_sha256": "^[0-9A-Fa-f]{64}$", "image_md5": "^[0-9A-Fa-f]{32}$"}


def read_removal_list(path: Path, name: str) -> pa.Table:
    """Columns kind, value and radius of a list's selectors, in the order of the file; each is in its one form.

    Args:
        path: text, CSV or Parquet file; text and CSV may be packed with gzip.
        name: how the recipe calls it, for messages.

    Raises RemovalError where the file is not there or an entry cannot be followed.
    """
    if not path.is_file():
        raise RemovalError(f"{name}: no such removal list; correct removals.lists, or put the file there")
    try:
        if path.suffix == ".parquet":
            return _from_columns(pq.read_table(path), name)
        if path.name.removesuffix(".gz").endswith((".csv", ".tsv")):
            return _from_columns(_csv(path), name)
        return _from_lines(_lines(path, name), name)
    except (pa.ArrowInvalid, UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error) as error:
        raise RemovalError(f"{name}: the removal list cannot be read ({error}); see to the file") from error


def _open(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        while line := stream.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise RemovalError(f"{path.name}: a line is longer than {MAX_LINE} characters; see to the file")
            yield line


def _lines(path: Path, name: str) -> Iterator[str]:
    for line in _open(path):
        entry = line.strip().removeprefix("\ufeff")
        if entry and not entry.startswith("#"):
            yield entry


def _from_lines(lines: Iterator[str], name: str) -> pa.Table:
    entries = pa.array(list(lines), pa.string())
    return _guessed(entries, name)


def _guessed(entries: pa.Array, name: str) -> pa.Table:
    """Hashes, of which there may be millions, are told in bulk, the others one by one."""
    parts, left = [], entries
    for kind, form in _HASHES.items():
        fits = pc.match_substring_regex(left, form)
        parts.append(_rows(kind, pc.utf8_lower(left.filter(fits))))
        left = left.filter(pc.invert(fits))
    parts.append(rows_of(_told(name, None, text) for text in left.to_pylist()))
    return pa.concat_tables(parts)


def _csv(path: Path) -> pa.Table:
    lines = _open(path)
    delimiter = "\t" if path.name.removesuffix(".gz").endswith(".tsv") else ","
    rows = list(csv.reader(lines, delimiter=delimiter))
    header = [field.strip().removeprefix("\ufeff") for field in rows[0]] if rows else []
    columns = list(zip(*rows[1:], strict=True)) if len({len(row) for row in rows}) == 1 else None
    if columns is None:
        raise csv.Error("its lines have different numbers of fields")
    return pa.table({field: pa.array(column, pa.string()) for field, column in zip(header, columns, strict=False)})


def _from_columns(table: pa.Table, name: str) -> pa.Table:
    by_name = {column.strip().lower(): column for column in table.column_names}
    if {"kind", "value"} <= set(by_name):
        pairs = zip(*(table[by_name[column]].to_pylist() for column in ("kind", "value")), strict=True)
        return rows_of(_told(name, kind, value) for kind, value in pairs if value)
    known = [column for column in by_name if column in COLUMNS]
    if not known:
        raise RemovalError(
            f"{name}: no column of the removal list is known; name them {', '.join(sorted(COLUMNS))}, or kind and value"
        )
    return pa.concat_tables([_column(table[by_name[column]], COLUMNS[column], name) for column in known])


def _column(values: pa.ChunkedArray, kind: str, name: str) -> pa.Table:
    if pa.types.is_binary(values.type) or pa.types.is_fixed_size_binary(values.type):
        values = pa.chunked_array([pa.array([v.hex() if v is not None else None for v in values.to_pylist()])])
    texts = values.cast(pa.string()).combine_chunks().drop_null()
    texts = texts.filter(pc.not_equal(pc.utf8_trim_whitespace(texts), ""))
    if kind in _HASHES and pc.all(pc.match_substring_regex(texts, _HASHES[kind])).as_py() is not False:
        return _rows(kind, pc.utf8_lower(texts))
    return rows_of(_told(name, kind, text) for text in texts.to_pylist())


def _told(name: str, kind: str | None, text: str) -> Selector:
    try:
        return guess(text) if kind is None else selector(COLUMNS.get(kind.strip().lower(), kind), text)
    except RemovalError as error:
        raise RemovalError(f"{name}: {error}") from error


def _rows(kind: str, values: pa.Array) -> pa.Table:
    count = len(values)
    columns = {"kind": pa.repeat(pa.scalar(kind), count), "value": values.cast(pa.string())}
    return pa.table({**columns, "radius": pa.repeat(pa.scalar(0, pa.uint8()), count)})
