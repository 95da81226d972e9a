"""Table `cluster`: what each concept is, and how much of it the build keeps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from assets.clusters.assign import DistanceSums
from assets.prune.complexity import isolation, product, shares
from assets.prune.quotas import budget, floors, quotas


@dataclass(frozen=True)
class QuotaSettings:
    """How the budget is spread over concepts; the published settings but for `keep`.

    Attributes:
        keep: share of all samples to keep.
        neighbors: nearest centroids that make d_inter.
        temperature: of the softmax.
        floor_ratio: least quota as a share of an even split of the budget over the concepts that have members.
        by: `complexity`, or `size`: the fixed-ratio baseline, for which every concept keeps the same share.
    """

    keep: float
    neighbors: int = 20
    temperature: float = 0.5
    floor_ratio: float = 0.5
    by: str = "complexity"


def concepts(
    sums: DistanceSums, centroids: np.ndarray, settings: QuotaSettings, cluster_id: np.ndarray | None = None
) -> pa.Table:
    """Size, complexity and quota of every concept, as table `cluster`.

    Args:
        sums: of the distances of members to their centroids, by row of `centroids`.
        centroids: (k, d) unit vectors.
        settings: see `QuotaSettings`.
        cluster_id: (k,) ids, ascending; 0 to k - 1 without them.
    """
    k, size = len(centroids), sums.size
    d_intra, d_inter = sums.mean(), isolation(centroids, settings.neighbors)
    found = product(d_intra, d_inter)
    keep = budget(int(size.sum()), settings.keep)
    by_size = settings.by == "size"
    share = size / max(int(size.sum()), 1) if by_size else shares(found, size, settings.temperature)
    even = Fraction(keep, max(int(np.count_nonzero(size)), 1))
    # As the decimal that it is written as: in binary 0.29 of 100 is less than 29.
    floor = 0 if by_size else int(Fraction(repr(float(settings.floor_ratio))) * even)
    least = floors(floor, size, keep)
    ids = np.arange(k) if cluster_id is None else cluster_id
    return pa.table(
        {
            "cluster_id": np.asarray(ids, dtype=np.uint32),
            "size": size.astype(np.uint32),
            "d_intra": pa.array(d_intra, mask=np.isnan(d_intra)),
            "d_inter": d_inter,
            "complexity": found,
            "target": share * keep,
            "floor": least.astype(np.uint32),
            "quota": quotas(share, size, keep, least).astype(np.uint32),
        }
    )
