"""Exact twins: samples that show the same bytes. They collapse first: all that follows is done once per picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def exact_twins(sha256: pa.Array | pa.ChunkedArray, rank: np.ndarray) -> np.ndarray:
    """(n,) int64: for each row the preferred row with the same bytes; itself where it is that one, or has no hash.

    Args:
        sha256: (n,) hashes of the bytes.
        rank: (n,) permutation; 0 is preferred most.
    """
    values = pa.chunked_array([sha256]) if isinstance(sha256, pa.Array) else sha256
    order = np.argsort(rank)
    codes = pc.dictionary_encode(values).combine_chunks()
    code = np.asarray(codes.indices.fill_null(-1), dtype=np.int64)
    # Written in order of preference backwards, so that the preferred row is written last.
    best = np.empty(len(codes.dictionary), np.int64)
    known = order[code[order] >= 0][::-1]
    best[code[known]] = known
    return np.where(code >= 0, best[code] if len(best) else 0, np.arange(len(rank)))


def collapse(
    columns: Sequence[pa.Array | pa.ChunkedArray], rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equals by one column after another, each among the rows that the columns before it left.

    Args:
        columns: (n,) values each; rows with the same value are equal, nulls are equal to nothing.
        rank: (n,) permutation; 0 is preferred most.

    Returns:
        (n,) row that stays in each row's place, itself where it stays; (n,) number of the column that found it equal,
        -1 where it stays; the rows that stay, in order of preference.
    """
    twin, level, alone = np.arange(len(rank)), np.full(len(rank), -1, np.int64), np.argsort(rank)
    for number, column in enumerate(columns):
        first = exact_twins(column.take(pa.array(alone)), np.arange(len(alone)))
        gone = first != np.arange(len(alone))
        level[alone[gone]] = number
        keeper = np.arange(len(rank))
        keeper[alone] = alone[first]
        twin = keeper[twin]
        alone = alone[~gone]
    return twin, level, alone
