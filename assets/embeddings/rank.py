"""How well a text fits its picture against other texts."""

from __future__ import annotations

import numpy as np

BLOCK_BYTES = 32 << 20
"""Memory that the vectors of one block of samples and of the texts they are held against may take."""


def rank_among(
    image_vectors: np.ndarray, text_vectors: np.ndarray, sample_ids: np.ndarray, negatives: int = 63, seed: int = 0
) -> np.ndarray:
    """Place of each picture's own text when it and random other texts are sorted by fit (mOSCAR, joint filtering).

    The others are drawn without replacement from the different texts of the rows given, a text's own excepted. Which
    ones depends on the seed, the sample's id and the set of rows; not on their order or on blocks. A text that fits
    exactly as well as the own one does not come before it.

    Where fewer than `negatives` other texts exist, all of them are used and the place is scaled to what the same
    share would be among `negatives`: 2nd of 8 becomes 9th of 64. A text without any other has place 1.

    Args:
        image_vectors: (n, d) unit vectors.
        text_vectors: (n, d) unit vectors; equal rows are the same text.
        sample_ids: (n,) ids, all different.
        negatives: texts to hold the own one against.
        seed: another seed draws others.

    Returns:
        (n,) int64, 1 best to `negatives` + 1.

    Raises:
        ValueError: if lengths differ, an id comes twice, or `negatives` is below 1.
    """
    n = len(sample_ids)
    if image_vectors.shape != text_vectors.shape or len(image_vectors) != n:
        raise ValueError(f"{image_vectors.shape} image vectors, {text_vectors.shape} text vectors and {n} samples")
    if len(np.unique(sample_ids)) != n:
        raise ValueError("a sample id comes twice; the rows of one shard are ranked once each")
    if negatives < 1:
        raise ValueError(f"negatives is {negatives}, but must be at least 1")
    ids = np.asarray(sample_ids, dtype=np.uint64)
    first, own = _distinct(text_vectors, ids)
    others = len(first) - 1
    drawn = min(negatives, max(others, 0))
    place = np.ones(n, dtype=np.int64)
    if drawn == 0:
        return place
    block = max(1, BLOCK_BYTES // (8 * (drawn + 2) * max(1, image_vectors.shape[1])))
    for start in range(0, n, block):
        rows = slice(start, start + block)
        column = _draw(ids[rows], others, drawn, seed)
        column += column >= own[rows, None]  # the own text is stepped over
        # In float64 products of float16 are exact and the sum's order does not decide: no block changes a place.
        image = image_vectors[rows].astype(np.float64)
        fit = np.einsum("nd,nd->n", image, text_vectors[rows].astype(np.float64))
        theirs = np.einsum("nd,nkd->nk", image, text_vectors[first[column]].astype(np.float64))
        place[rows] += (theirs > fit[:, None]).sum(axis=1)
    return 1 + (place - 1) * (negatives + 1) // (drawn + 1)


def _distinct(text_vectors: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of each different text, in the order of their smallest ids, and (n,) which of them each row has."""
    rows = np.ascontiguousarray(text_vectors)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel() if len(rows) else rows[:, 0]
    order = np.argsort(ids)
    _, at, group = np.unique(keys[order], return_index=True, return_inverse=True)
    by_id = np.argsort(at)
    number = np.empty_like(by_id)
    number[by_id] = np.arange(len(by_id))
    own = np.empty(len(ids), dtype=np.int64)
    own[order] = number[group]
    return order[at[by_id]], own


def _draw(ids: np.ndarray, population: int, count: int, seed: int) -> np.ndarray:
    """(n, count) different numbers below `population` for each id, by Floyd's algorithm over hashes of seed and id."""
    chosen = np.empty((len(ids), count), dtype=np.int64)
    state = _mix(ids ^ _mix(np.array([seed], dtype=np.uint64)))
    for k in range(count):
        last = population - count + k
        state = _mix(state)
        number = (state % np.uint64(last + 1)).astype(np.int64)
        taken = (chosen[:, :k] == number[:, None]).any(axis=1)
        chosen[:, k] = np.where(taken, last, number)
    return chosen


def _mix(value: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele et al. 2014): a step and its mixing function; the same numbers under any release of numpy."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
