"""Link lists: Parquet, CSV, TSV and JSON lines of image addresses and texts, split into pieces and read row by row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from assets.crawl.list_layouts import FIELDS, LAYOUTS, Columns, ListRefused, ListRow, Values, list_row, places
from assets.crawl.list_parquet import parquet_names, parquet_rows, parquet_values
from assets.crawl.list_text import form, text_pieces, text_values

__all__ = ["LAYOUTS", "Columns", "ListRefused", "ListRow", "Piece", "read_rows", "split"]

MAX_PIECES = 1_000_000


@dataclass(frozen=True)
class Piece:
    """Some rows of a list: a shard.

    Attributes:
        first_row: index in the file, from 0.
        rows: how many.
        first_byte: where the first of them starts in the unpacked file; None for Parquet.
    """

    first_row: int
    rows: int
    first_byte: int | None


def split(path: str | os.PathLike[str], rows_per_shard: int, layout: Columns = LAYOUTS["generic"]) -> list[Piece]:
    """Pieces of a list, each of `rows_per_shard` rows but the last.

    Parquet is split by its footer, text in one pass. Where a text file is damaged in the middle its last row stands for
    all that is lost.

    Args:
        path: .parquet, .csv, .tsv, .jsonl or .ndjson; all but Parquet also with .gz or .zst.
        rows_per_shard: at least 1.
        layout: columns; says where rows of text begin.
    Raises:
        ListRefused: the file cannot be read as a list, or a column is missing.
        OSError: the file is not there.
    """
    if rows_per_shard < 1:
        raise ListRefused(f"{path}: {rows_per_shard} rows per shard; there has to be at least one.")
    if not _is_parquet(path):
        found = [Piece(*piece) for piece in islice(text_pieces(path, layout, rows_per_shard), MAX_PIECES + 1)]
    else:
        places(path, parquet_names(path), layout)
        rows = parquet_rows(path)
        starts = range(0, min(rows, rows_per_shard * (MAX_PIECES + 1)), rows_per_shard)
        found = [Piece(first, min(rows_per_shard, rows - first), None) for first in starts]
    if len(found) > MAX_PIECES:
        raise ListRefused(f"{path}: more than {MAX_PIECES} shards of {rows_per_shard} rows; take more rows per shard.")
    return found


def read_rows(path: str | os.PathLike[str], layout: Columns, piece: Piece) -> Iterator[ListRow]:
    """The rows of a piece, all of them: one that cannot be read is a row with a reason.

    Rows that the file no longer gives, because it was cut or damaged, have the reason broken_file.

    Raises:
        ListRefused: a column is missing, or the file is no list; a Parquet file whose footer is lost is read as broken.
        OSError: the file is not there.
    """
    number = piece.first_row
    for values in islice(_values(path, layout, piece), piece.rows):
        yield list_row(number, values)
        number += 1
    for missing in range(number, piece.first_row + piece.rows):
        yield ListRow(missing, reason="broken_file")


def _values(path: str | os.PathLike[str], layout: Columns, piece: Piece) -> Iterator[Values | str]:
    if not _is_parquet(path):
        return text_values(path, layout, piece.first_byte or 0)
    try:
        names = parquet_names(path)
    except ListRefused:
        return iter(())
    wanted = [None if at is None else names[at] for at in places(path, names, layout)]
    assert len(wanted) == len(FIELDS)
    return parquet_values(path, wanted, piece.first_row, piece.rows)


def _is_parquet(path: str | os.PathLike[str]) -> bool:
    if os.fspath(path).lower().endswith((".parquet", ".parq")):
        return True
    if form(path) is None:
        raise ListRefused(
            f"{path}: its name does not say what kind of list it is; use .parquet, .csv, .tsv or .jsonl, "
            "the last three also with .gz or .zst."
        )
    return False
