"""Near-duplicate pairs against brute force and faiss: `python -m bench.near_duplicates`."""

from __future__ import annotations

from typing import Any

import numpy as np

from assets.dedup.pairs import near_pairs
from bench.measure import duration, machine, medians, table

COUNTS = (20_000,)
DIMS = 512
THRESHOLD = 0.95
COPIES = 0.15
CELL_SIZE, NEIGHBOR_CELLS = 1000, 8
"""The recipe's defaults."""


def vectors(count: int) -> np.ndarray:
    """Unit vectors in loose groups, as those of web pictures are; the last ones are copies at cosines of 0.90 to 1."""
    rng = np.random.default_rng(count)
    groups = rng.standard_normal((max(10, count // 500), DIMS)).astype(np.float32)
    found = _unit(groups[rng.integers(0, len(groups), count)] + rng.standard_normal((count, DIMS), dtype=np.float32))
    copies = int(COPIES * count)
    noise = _unit(rng.standard_normal((copies, DIMS), dtype=np.float32)) * rng.uniform(0, 0.48, (copies, 1))
    found[count - copies :] = _unit(found[rng.integers(0, count - copies, copies)] + noise)
    return found[rng.permutation(count)]


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute_force(unit: np.ndarray) -> set[tuple[int, int]]:
    """Every row against every later one, in blocks."""
    pairs: list[tuple[int, int]] = []
    for at in range(0, len(unit), 2048):
        rows, columns = np.nonzero(unit[at : at + 2048] @ unit[at:].T > THRESHOLD)
        later = rows < columns
        pairs += zip((rows[later] + at).tolist(), (columns[later] + at).tolist(), strict=True)
    return set(pairs)


def by_faiss(unit: np.ndarray) -> set[tuple[int, int]]:
    """faiss's exact range search over all rows."""
    import faiss

    index: Any = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    limits, _, found = index.range_search(unit, THRESHOLD)
    rows = np.repeat(np.arange(len(unit)), np.diff(limits.astype(np.int64)))
    later = rows < found
    return set(zip(rows[later].tolist(), found[later].tolist(), strict=True))


def ours(unit: np.ndarray) -> set[tuple[int, int]]:
    """Winnow's, at the recipe's defaults."""
    pairs = near_pairs(unit, THRESHOLD, CELL_SIZE, NEIGHBOR_CELLS, 0)
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def row(count: int) -> tuple[object, ...]:
    """One size: times, pairs, and how many of brute force's pairs the others find."""
    unit = vectors(count)
    seconds, found = medians(
        {"brute": lambda: brute_force(unit), "faiss": lambda: by_faiss(unit), "ours": lambda: ours(unit)}
    )
    all_pairs = found["brute"]
    recall = {name: f"{100 * len(found[name] & all_pairs) / len(all_pairs):.2f} %" for name in ("faiss", "ours")}
    times = [duration(seconds[name]) for name in ("brute", "faiss", "ours")]
    return f"{count:,}", f"{len(all_pairs):,}", *times, recall["faiss"], recall["ours"]


def main() -> str:
    """The section of docs/benchmarks.md."""
    head = ("vectors", "pairs", "brute force", "faiss range search", "Winnow", "faiss finds", "Winnow finds")
    return f"""## Near duplicates

All pairs with a cosine above {THRESHOLD} among vectors of {DIMS} dimensions, {COPIES:.0%} of them noisy copies
(`bench/near_duplicates.py`). Peers: NumPy brute force in blocks, and faiss `range_search` on a flat index, both exact.
Winnow at the recipe's defaults ({CELL_SIZE} vectors per cell, {NEIGHBOR_CELLS} further cells), which measures every
pair it reports again in double precision. Medians of 5 runs, in turn, in one process.
{machine(("numpy", "faiss-cpu"))}.

{table(head, [row(count) for count in COUNTS])}"""


if __name__ == "__main__":
    print(main())
