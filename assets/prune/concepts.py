"""Table `cluster`: what each concept is, and how much of it the build keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.prune.complexity import isolation, product, shares, spread
from assets.prune.quotas import budget, floors, quotas


@dataclass(frozen=True)
class QuotaSettings:
    """How the budget is spread over concepts; the published settings but for `keep`.

    Attributes:
        keep: share of all samples to keep.
        neighbors: nearest centroids that make d_inter.
        temperature: of the softmax.
        floor_ratio: least quota as a share of an even split, keep * n / k.
    """

    keep: float
    neighbors: int = 20
    temperature: float = 0.5
    floor_ratio: float = 0.5


def concepts(cluster_id: np.ndarray, distance: np.ndarray, centroids: np.ndarray, settings: QuotaSettings) -> pa.Table:
    """Size, complexity and quota of every concept, as table `cluster`.

    Args:
        cluster_id: (n,) concept of each sample.
        distance: (n,) cosine distance to its centroid.
        centroids: (k, d) unit vectors.
        settings: see `QuotaSettings`.
    """
    k = len(centroids)
    size, d_intra = spread(cluster_id, distance, k)
    d_inter = isolation(centroids, settings.neighbors)
    found = product(d_intra, d_inter)
    share = shares(found, size, settings.temperature)
    keep = budget(len(cluster_id), settings.keep)
    least = floors(int(settings.floor_ratio * keep / k), size, keep)
    return pa.table(
        {
            "cluster_id": np.arange(k, dtype=np.uint32),
            "size": size.astype(np.uint32),
            "d_intra": pa.array(d_intra, mask=np.isnan(d_intra)),
            "d_inter": d_inter,
            "complexity": found,
            "target": share * keep,
            "floor": least.astype(np.uint32),
            "quota": quotas(share, size, keep, least).astype(np.uint32),
        }
    )
