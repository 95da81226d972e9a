"""Columns of a Parquet file, row by row, in bounded memory: row groups that nobody asked for are not read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.crawl.list_layouts import MAX_FIELD, ListRefused

BATCH = 8192
MAX_ROWS = 1 << 40
LONG = 4 * MAX_FIELD + 4
"""Bytes that no field may have."""
MAX_UNPACKED = 64 << 20
MAX_RATIO = 200
"""A row group of more bytes, and of so many times the file's, is taken for a bomb; text packs ten times at best."""
DAMAGE = (OSError, ValueError, LookupError, TypeError, MemoryError, RuntimeError, pa.ArrowException)
"""What Arrow raises on damaged files."""


def parquet_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the columns that hold single values; raises ListRefused, and OSError where the file is not there."""
    with _file(path, ()) as file:
        return _names(file)


def parquet_rows(path: str | os.PathLike[str]) -> int:
    """How many rows the footer states; raises as `parquet_names`."""
    with _file(path, ()) as file:
        rows = sum(max(file.metadata.row_group(i).num_rows, 0) for i in range(file.metadata.num_row_groups))
    if rows != file.metadata.num_rows or rows > MAX_ROWS:
        raise ListRefused(f"{path}: its footer states {file.metadata.num_rows} rows, which cannot be; fetch it again.")
    return rows


def parquet_values(
    path: str | os.PathLike[str], names: Sequence[str | None], first_row: int, rows: int
) -> Iterator[list[Any] | str]:
    """Values of some rows, in the order of `names` (None: a column of nulls), or why a row has none.

    A damaged row group costs its rows from the damage on; the next is read again. Gives `rows` rows at most: fewer
    where the file has fewer. Raises as `parquet_names`.
    """
    wanted = [name for name in dict.fromkeys(names) if name is not None]
    size = os.stat(path).st_size
    with _file(path, wanted) as file:
        begin = 0
        for group in range(file.metadata.num_row_groups):
            count = max(file.metadata.row_group(group).num_rows, 0)
            skip, stop = max(first_row - begin, 0), min(first_row + rows - begin, count)
            begin += count
            if skip < stop:
                yield from _group(file, group, size, names, skip, stop)


def _file(path: str | os.PathLike[str], texts: Sequence[str]) -> pq.ParquetFile:
    with open(path, "rb"):
        pass
    try:
        plain = pq.ParquetFile(path)
        kinds = {field.name: field.type for field in plain.schema_arrow}
        plain.close()
        # One long value in a dictionary can stand for thousands of rows: it is kept once.
        once = [name for name in texts if _is_text(kinds.get(name))]
        return pq.ParquetFile(path, read_dictionary=once, buffer_size=1 << 20, pre_buffer=False)
    except DAMAGE as error:
        raise ListRefused(
            f"{path}: not readable as Parquet ({str(error).splitlines()[0][:120]}); fetch it again."
        ) from None


def _is_text(kind: Any) -> bool:
    return kind is not None and any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _names(file: pq.ParquetFile) -> list[str]:
    kinds = pa.types
    single = [field.name for field in file.schema_arrow if not kinds.is_nested(field.type)]
    return [name for name in single if "." not in name]


def _group(
    file: pq.ParquetFile, group: int, size: int, names: Sequence[str | None], skip: int, stop: int
) -> Iterator[list[Any] | str]:
    """Rows `skip` to `stop` of a row group of a file of some size."""
    wanted = [name for name in dict.fromkeys(names) if name is not None]
    done = 0
    try:
        if _is_bomb(file, group, size):
            yield from ["too_large"] * (stop - skip)
            return
        for batch in file.iter_batches(BATCH, row_groups=[group], columns=wanted, use_threads=False):
            low, high = max(skip - done, 0), min(stop - done, batch.num_rows)
            if low < high:
                yield from _rows(batch.slice(low, high - low), names)
            done += batch.num_rows
            if done >= stop:
                return
    except DAMAGE:
        # What is left of the row group is given below, with its reason.
        pass
    for _ in range(max(done, skip), stop):
        yield "broken_file"


def _rows(batch: pa.RecordBatch, names: Sequence[str | None]) -> Iterator[list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name in names:
        if name is not None and name not in columns:
            columns[name] = _values(batch.column(batch.schema.get_all_field_indices(name)[0]))
    nothing = [None] * batch.num_rows
    return map(list, zip(*(nothing if name is None else columns[name] for name in names), strict=True))


def _values(array: pa.Array) -> list[Any]:
    if pa.types.is_dictionary(array.type):
        once = _values(array.dictionary)
        return [None if at is None else once[at] for at in array.indices.to_pylist()]
    if not _is_text(array.type):
        return list(array.to_pylist())
    binary = array.cast(pa.large_binary() if "large" in str(array.type) else pa.binary())
    if (pc.max(pc.binary_length(binary)).as_py() or 0) > LONG:
        # Long enough to be refused, short enough to be held.
        return [value.as_buffer()[:LONG].to_pybytes() if value.is_valid else None for value in binary]
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        return list(binary.to_pylist())


def _is_bomb(file: pq.ParquetFile, group: int, size: int) -> bool:
    # The sizes of columns would be better, but where their statistics are damaged Arrow ends the process.
    return bool(file.metadata.row_group(group).total_byte_size > max(MAX_UNPACKED, MAX_RATIO * size))
