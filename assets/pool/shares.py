"""Which score the best share of a pool begins at."""

from __future__ import annotations

import numpy as np


def top_fraction_threshold(values: np.ndarray, fraction: float) -> float:
    """The limit of DataComp's CLIP score filter: keep what is at least this (Gadre et al. 2023, baselines/apply_filter).

    It is the value at index floor(n * fraction) of the descending list, so that one value more than the fraction
    passes, and with it all its ties. A fraction of 1 keeps everything.

    Args:
        values: (n,) scores of the whole pool, without NaN.
        fraction: share to keep, in (0, 1].

    Returns:
        The threshold; minus infinity if there are no values.

    Raises:
        ValueError: for a fraction outside of (0, 1], or a value that is NaN.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}, but it is a share and must lie in (0, 1]")
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} of {len(values)} scores are NaN; a rank needs them all")
    if len(values) == 0:
        return -np.inf
    index = min(int(len(values) * fraction), len(values) - 1)
    return float(np.partition(values, len(values) - 1 - index)[len(values) - 1 - index])
