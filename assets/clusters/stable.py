"""Cluster ids that stay the same from build to build: what is still the same concept keeps its number."""

from __future__ import annotations

import numpy as np

MOST = 10_000
"""Concepts that can be matched: every one is held against every other."""


def stable_ids(centroids: np.ndarray, earlier: np.ndarray, earlier_ids: np.ndarray) -> np.ndarray:
    """Ids of concepts: those of the earlier concepts that they match, new ones above the greatest earlier id.

    Matched one to one so that the sum of cosines is greatest (Hungarian assignment).

    Args:
        centroids: (k, d) unit vectors.
        earlier: (m, d) unit vectors of the earlier build.
        earlier_ids: (m,) their ids.

    Returns:
        (k,) int64, all different.
    """
    from scipy.optimize import linear_sum_assignment

    found = np.full(len(centroids), -1, np.int64)
    if max(len(centroids), len(earlier)) > MOST:
        raise ValueError(
            f"clusters.warm_start matches at most {MOST:,} concepts, but there are {len(centroids):,} here and"
            f" {len(earlier):,} in the earlier build; ask for a smaller clusters.k, or leave clusters.warm_start out"
        )
    # Not by a product of matrices, whose last bits may depend on the number of threads.
    cosine = np.round(np.einsum("id,jd->ij", centroids, earlier, dtype=np.float64), 6)
    ours, theirs = linear_sum_assignment(-cosine)
    earlier_ids = np.asarray(earlier_ids, np.int64)
    found[ours] = earlier_ids[theirs]
    new = np.flatnonzero(found < 0)
    found[new] = int(np.max(earlier_ids, initial=-1)) + 1 + np.arange(len(new))
    return found
