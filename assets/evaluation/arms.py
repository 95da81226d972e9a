"""The sets that are compared: what pruning kept, chance, the best image-text scores, and everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assets.evaluation.draws import drawn


def arms(
    ids: np.ndarray, usable: np.ndarray, kept: np.ndarray, score: np.ndarray, names: Sequence[str], seed: int
) -> dict[str, np.ndarray]:
    """Rows of each arm, ascending, under one seed; only `random` differs between seeds.

    `random` and `top_score` have as many samples as `pruned`, all of them from the same samples.

    Args:
        ids: (n,) uint64 sample ids, each once.
        usable: (n,) bool, neither held aside nor left out.
        kept: (n,) bool, what pruning kept.
        score: (n,) image-text score; equal ones go to the lower id, and NaN comes last.
        names: arms wanted.
        seed: of the draw of `random`.

    Raises:
        ValueError: for an unknown name, or where pruning kept nothing that is usable.
    """
    rows = np.flatnonzero(usable)
    pruned = np.flatnonzero(usable & kept)
    if not len(pruned):
        raise ValueError("evaluation: of what pruning kept, nothing is left after samples are held aside and left out")
    best = np.lexsort((ids[rows], -np.nan_to_num(score[rows].astype(np.float64), nan=-np.inf)))
    known = {
        "pruned": pruned,
        "random": rows[drawn(ids[rows], len(pruned), "random arm", seed)],
        "top_score": np.sort(rows[best[: len(pruned)]]),
        "everything": rows,
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"evaluation.arms: {unknown[0]} is not one of {', '.join(known)}")
    return {name: known[name] for name in names}
