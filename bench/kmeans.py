"""k-means and assignment beside faiss and superkmeans, and the limit of matrix products: `python -m bench.kmeans`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from assets.clusters.assign import assign
from assets.clusters.kmeans import Training, train_centroids
from assets.dedup.vectors import nearest, unit_rows
from bench.measure import duration, machine, medians, table

K, DIMS, VECTORS = 500, 512, 128_000
ITERATIONS = 20
SIZES = ((500, 512), (500, 256), (4096, 256))
"""(concepts, dimensions) of assignment."""
ASSIGNED = 1 << 17
BLOCK = 4096
ROUNDS = 3
THREADS = 2


def vectors(count: int, dims: int) -> np.ndarray:
    """Unit vectors in loose groups of uneven sizes, spread in subspaces of their own, as those of web pictures are."""
    rng = np.random.default_rng(dims)
    groups = 2000
    centers = unit_rows(rng.standard_normal((groups, dims)))
    bases = rng.standard_normal((32, 48, dims)).astype(np.float32) / np.float32(np.sqrt(dims))
    weight = 1 / np.arange(1, groups + 1)
    of = rng.choice(groups, count, p=weight / weight.sum())
    found = centers[of]
    for number, basis in enumerate(bases):
        rows = np.flatnonzero(of % len(bases) == number)
        found[rows] += 0.12 * rng.standard_normal((len(rows), 48), dtype=np.float32) @ basis
    return unit_rows(found + 0.02 * rng.standard_normal(found.shape, dtype=np.float32))


def by_faiss(sample: np.ndarray, iterations: int = ITERATIONS) -> np.ndarray:
    """faiss's spherical k-means from its own starts, told to use every vector."""
    import faiss

    faiss.omp_set_num_threads(THREADS)
    kmeans: Any = faiss.Kmeans(
        sample.shape[1], K, niter=iterations, spherical=True, seed=0, max_points_per_centroid=len(sample)
    )
    kmeans.train(sample)
    return unit_rows(np.asarray(kmeans.centroids))


def by_superkmeans(sample: np.ndarray) -> np.ndarray:
    """superkmeans, angular, on every vector, as many iterations."""
    from superkmeans import SuperKMeans

    model = SuperKMeans(
        K, sample.shape[1], iters=ITERATIONS, angular=True, sampling_fraction=1.0, seed=1, n_threads=THREADS,
        verbose=False,
    )  # fmt: skip
    return unit_rows(np.asarray(model.train(np.ascontiguousarray(sample))))


def ours(sample: np.ndarray) -> np.ndarray:
    """Winnow's, at the recipe's defaults."""
    return train_centroids(sample, K, Training(iterations=ITERATIONS)).vectors


def explained(sample: np.ndarray, centers: np.ndarray) -> float:
    """Mean cosine of the sample to its nearest center."""
    return float(nearest(sample, centers)[1].mean())


def until(sample: np.ndarray, wanted: float) -> float | None:
    """Seconds until Winnow's centers explain `wanted`, by running it with ever more iterations; None if never."""
    for iterations in range(2, ITERATIONS + 1):
        started = time.perf_counter()
        centers = train_centroids(sample, K, Training(iterations=iterations, tolerance=0)).vectors
        seconds = time.perf_counter() - started
        if explained(sample, centers) >= wanted:
            return seconds
    return None


def training() -> str:
    """Time and objective of all three."""
    sample = vectors(VECTORS, DIMS)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "faiss": lambda: by_faiss(sample),
        "superkmeans": lambda: by_superkmeans(sample),
        "Winnow": lambda: ours(sample),
    }
    seconds, found = medians(ways, ROUNDS)
    value = {name: explained(sample, centers) for name, centers in found.items()}
    rows = []
    for name in ways:
        empty = K - int((np.bincount(nearest(sample, found[name])[0], minlength=len(found[name])) > 0).sum())
        rows.append((name, duration(seconds[name]), f"{value[name]:.5f}", empty))
    told = table(("k-means", "time", "mean cosine to the nearest center", "concepts missing or empty"), rows)
    lines = []
    for peer in ("faiss", "superkmeans"):
        reached = until(sample, value[peer])
        lines.append(
            f"Winnow explains as much as {peer} does in the end after {duration(reached)}, where {peer} takes"
            f" {duration(seconds[peer])}."
            if reached is not None
            else f"Winnow does not explain as much as {peer} within {ITERATIONS} iterations."
        )
    return told + "\n\n" + " ".join(lines)


def assignment() -> str:
    """Vectors a second of assignment, beside faiss and the products alone."""
    import faiss

    rows = []
    for k, dims in SIZES:
        unit = vectors(ASSIGNED, dims)
        stored, centers = unit.astype(np.float16), unit_rows(np.random.default_rng(0).permutation(unit)[:k])
        index: Any = faiss.IndexFlatIP(dims)
        index.add(centers)

        def products(unit: np.ndarray = unit, centers: np.ndarray = centers) -> None:
            for at in range(0, len(unit), BLOCK):
                np.matmul(unit[at : at + BLOCK], centers.T)

        seconds, _ = medians(
            {
                "products": products,
                "faiss": lambda index=index, unit=unit: index.search(unit, 1),
                "ours": lambda stored=stored, centers=centers: assign(stored, centers),
            }
        )
        speed = {name: ASSIGNED / value for name, value in seconds.items()}
        rows.append(
            (
                f"{k:,} x {dims}",
                *(f"{speed[name]:,.0f}" for name in ("products", "faiss", "ours")),
                f"{100 * speed['faiss'] / speed['products']:.0f} %",
                f"{100 * speed['ours'] / speed['products']:.0f} %",
            )
        )
    head = ("concepts x dimensions", "float32 products alone", "faiss IndexFlatIP", "Winnow", "faiss: of the limit",
            "Winnow: of the limit")  # fmt: skip
    return table(head, rows)


def main() -> str:
    """The section of docs/benchmarks.md."""
    return f"""## k-means and assignment

Spherical k-means of {VECTORS:,} vectors of {DIMS} dimensions into {K} concepts, at most {ITERATIONS} iterations
(`bench/kmeans.py`). Peers: faiss and superkmeans at their defaults but for the number of iterations, told to use every
vector. Medians of {ROUNDS} runs, in turn, in one process.
{machine(("numpy", "torch", "faiss-cpu", "superkmeans"))}.

{training()}

Assigning {ASSIGNED:,} vectors, a second. The limit is the float32 product of the same matrices alone, by NumPy, in blocks
of 4,096. faiss and the limit get float32 unit vectors; Winnow gets float16 as they are stored, brings them to unit length,
and answers with exact cosines in six decimals; where the processor multiplies in bfloat16 it can pass the limit.

{assignment()}"""


if __name__ == "__main__":
    print(main())
