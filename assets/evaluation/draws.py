"""Draws by hash: which samples are taken follows from seed and ids, so that more samples change few of them."""

from __future__ import annotations

import hashlib

import numpy as np

from assets.clusters.kmeans import splitmix


def hashed(ids: np.ndarray, purpose: str, seed: int) -> np.ndarray:
    """(n,) uint64 well-spread numbers of (n,) ids; another purpose or seed gives unrelated ones."""
    key = int.from_bytes(hashlib.sha256(f"{purpose} {seed}".encode()).digest()[:8], "little")
    return splitmix(ids.astype(np.uint64) ^ np.uint64(key))


def drawn(ids: np.ndarray, count: int, purpose: str, seed: int) -> np.ndarray:
    """(count,) rows of the ids with the smallest hashes, ascending; all rows where there are fewer."""
    return np.sort(np.argsort(hashed(ids, purpose, seed), kind="stable")[:count])
