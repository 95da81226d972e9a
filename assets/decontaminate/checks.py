"""What must hold after evaluation sets were taken out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from assets.provenance.decisions import kept_ids


def hits_are_gone(came_in: np.ndarray, decision: pa.Table, found: pa.Table) -> tuple[bool, str]:
    """Every sample that came in is decided once, and none that a set claims is kept.

    Args:
        came_in: (n,) uint64 samples, ascending.
        decision: of stage decontaminate.
        found: table `hit`.
    """
    if not np.array_equal(np.sort(decision["sample_id"].to_numpy()), came_in):
        return False, f"{len(came_in)} came in, {decision.num_rows} were decided, not the same"
    left = np.intersect1d(kept_ids(decision), found["sample_id"].to_numpy())
    if len(left):
        return False, f"{len(left)} samples that an evaluation set claims are kept, e.g. {left[0]}"
    return True, f"{len(came_in)} samples, {len(np.unique(found['sample_id'].to_numpy()))} claimed and dropped"
