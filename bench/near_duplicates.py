"""Near-duplicates beside the published rule, and their recall against brute force: `python -m bench.near_duplicates`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from assets.dedup.dedup import DedupSettings
from assets.dedup.pairs import near_pairs
from assets.dedup.semdedup import copies, farthest_first
from assets.dedup.vectors import Bf16Screen, Screen, screen, unit_rows
from bench.measure import duration, machine, medians, table

SIZES = (1_000, 4_000, 20_000)
"""Vectors of a cluster."""
DIMS = 512
THRESHOLDS = (0.95, 0.8)
RECALLED = 100_000
RECALLED_DIMS = 256
COPIES = 0.15
POOL = 1_000_000
"""Vectors of the pool that the clusters are thought to come from: it decides in which type products are screened."""


def cluster(size: int, dims: int = DIMS) -> np.ndarray:
    """Unit vectors around one center, a tenth of them copies at cosines of about 0.98; farthest from the center first."""
    rng = np.random.default_rng(size)
    unit = unit_rows(rng.standard_normal((1, dims)) + 0.9 * rng.standard_normal((size, dims)))
    count = size // 10
    unit[-count:] = unit_rows(unit[:count] + 0.2 / np.sqrt(dims) * rng.standard_normal((count, dims)))
    unit = unit[rng.permutation(size)]
    return unit[farthest_first(unit, np.arange(size))]


def plain(unit: np.ndarray, threshold: float) -> np.ndarray:
    """(n,) bool, what stays by the published rule, written as it is published: all products, upper triangle, maxima."""
    import torch

    rows = torch.from_numpy(unit)
    return (torch.triu(rows @ rows.T, diagonal=1).max(dim=0).values <= threshold).numpy()


def ours(unit: np.ndarray, threshold: float, fast: Screen) -> np.ndarray:
    """The same by tiles of the upper half."""
    stays = np.ones(len(unit), dtype=bool)
    stays[copies(unit, np.arange(len(unit)), threshold, fast)[0]] = False
    return stays


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda unit: plain(unit, THRESHOLDS[0]),
    "float32": lambda unit: ours(unit, THRESHOLDS[0], Screen(unit.shape[1])),
    "ours": lambda unit: ours(unit, THRESHOLDS[0], screen(unit.shape[1], POOL)),
}


def peak(way: str, size: int) -> float:
    """Bytes that one way takes beyond what the process had before, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_peak, (way, size)))


def _peak(way: str, size: int) -> float:
    WAYS[way](cluster(200))
    unit = cluster(size)
    # Linux keeps the peak of a process; 5 sets it back to what the process has now.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _resident("VmRSS")
    WAYS[way](unit)
    return _resident("VmHWM") - before


def _resident(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024.0 * float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def rows() -> list[tuple[object, ...]]:
    """Times, memory and products a second of every way, by size; all must keep the same vectors."""
    found = []
    for size in SIZES:
        unit = cluster(size)
        seconds, kept = medians({name: lambda way=way, unit=unit: way(unit) for name, way in WAYS.items()})
        if any(not np.array_equal(kept["plain"], other) for other in kept.values()):
            raise AssertionError(f"clusters of {size}: the ways keep different vectors")
        memory = {name: peak(name, size) / 2**20 for name in WAYS}
        products = 2 * size * size * DIMS / 1e9
        found.append(
            (
                f"{size:,}",
                *(duration(seconds[name]) for name in WAYS),
                f"{products / seconds['plain']:.0f}",
                *(f"{seconds['plain'] / seconds[name]:.1f}" for name in ("float32", "ours")),
                *(f"{memory[name]:,.0f}" for name in ("plain", "ours")),
                int(kept["plain"].sum()),
            )
        )
    return found


def limits() -> str:
    """What products of matrices alone reach here."""
    import torch

    a = torch.from_numpy(unit_rows(np.random.default_rng(0).standard_normal((4096, DIMS))))
    half = a.bfloat16()
    seconds, _ = medians({"float32": lambda: a @ a.T, "bfloat16": lambda: half @ half.T})
    work = 2 * len(a) ** 2 * DIMS / 1e9
    return ", ".join(f"{work / value:,.0f} GFLOP/s in {name}" for name, value in seconds.items())


def groups(count: int, dims: int) -> np.ndarray:
    """Unit vectors in loose groups, as those of web pictures are; the last ones are copies at cosines down to 0.8."""
    rng = np.random.default_rng(count)
    centers = rng.standard_normal((max(10, count // 500), dims)).astype(np.float32)
    made = unit_rows(
        centers[rng.integers(0, len(centers), count)] + rng.standard_normal((count, dims), dtype=np.float32)
    )
    some = int(COPIES * count)
    noise = unit_rows(rng.standard_normal((some, dims), dtype=np.float32)) * rng.uniform(0, 0.75, (some, 1))
    made[count - some :] = unit_rows(made[rng.integers(0, count - some, some)] + noise)
    return made[rng.permutation(count)].astype(np.float16)


def recall() -> list[tuple[object, ...]]:
    """Pairs that the recipe's defaults find among those of brute force, and seconds of both, by threshold."""
    vectors = groups(RECALLED, RECALLED_DIMS)
    unit = unit_rows(vectors)
    settings = DedupSettings()
    found = []
    for threshold in THRESHOLDS:
        seconds, pairs = medians(
            {
                "brute": lambda threshold=threshold: brute_force(unit, threshold),
                "ours": lambda threshold=threshold: as_keys(
                    near_pairs(vectors, threshold, settings.cell_size, settings.neighbor_cells, settings.seed)
                ),
            },
            rounds=1,
        )
        hit = len(np.intersect1d(pairs["brute"], pairs["ours"]))
        times = [duration(seconds[name]) for name in ("brute", "ours")]
        found.append((threshold, f"{len(pairs['brute']):,}", f"{100 * hit / len(pairs['brute']):.2f} %", *times))
    return found


def brute_force(unit: np.ndarray, threshold: float) -> np.ndarray:
    """Every row against every later one, in blocks: first * n + second of each pair."""
    keys = []
    for at in range(0, len(unit), 2048):
        first, second = np.nonzero(unit[at : at + 2048] @ unit[at:].T > threshold)
        later = first < second
        keys.append((first[later] + at) * len(unit) + second[later] + at)
    return np.concatenate(keys)


def as_keys(pairs: Any) -> np.ndarray:
    """first * n + second of each pair."""
    return np.asarray(pairs.first * RECALLED + pairs.second)


def main() -> str:
    """The section of docs/benchmarks.md."""
    head = ("vectors", "plain torch", "Winnow, float32", "Winnow", "plain: GFLOP/s", "float32: times faster",
            "Winnow: times faster", "plain: MiB", "Winnow: MiB", "kept by all")  # fmt: skip
    kind = "bfloat16" if isinstance(screen(DIMS, POOL), Bf16Screen) else "float32"
    recalled = ("cosine above", "pairs", "found", "brute force", "Winnow")
    return f"""## Near duplicates

One cluster of {DIMS} dimensions, a tenth of it copies, by the rule that SemDeDup published: a member goes when its cosine
to an earlier one exceeds {THRESHOLDS[0]} (`bench/near_duplicates.py`). The peer is that rule as plain torch code, all
products at once; Winnow takes tiles of the upper half, picks candidates in {kind} (or, as a column of its own, float32)
and measures these again in double precision. All keep the same vectors. Medians of 5 runs, in turn, in one process;
memory beyond the vectors, in a process of its own. Products of matrices alone reach {limits()} here.
{machine(("numpy", "torch"))}.

{table(head, rows())}

Recall: pairs among {RECALLED:,} vectors of {RECALLED_DIMS} dimensions in loose groups, {COPIES:.0%} of them noisy copies,
that the recipe's defaults find (cells of {DedupSettings().cell_size}, {DedupSettings().neighbor_cells} further ones), of
those that brute force finds. Times of single runs; Winnow's include making the cells on disk.

{table(recalled, recall())}"""


if __name__ == "__main__":
    print(main())
