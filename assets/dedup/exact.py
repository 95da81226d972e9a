"""Exact twins: samples that show the same bytes. They collapse first: all that follows is done once per picture."""

from __future__ import annotations

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
