"""What must hold of quotas and of the selection."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.prune.quotas import budget


def quotas_spend_the_budget(cluster: pa.Table, keep: float) -> tuple[bool, str]:
    """Quotas sum to the budget exactly, and each lies between its floor and its concept's size."""
    quota, size, floor = (cluster[name].to_numpy().astype(np.int64) for name in ("quota", "size", "floor"))
    wanted = budget(int(size.sum()), keep)
    if int(quota.sum()) != wanted:
        return False, f"quotas sum to {quota.sum()}, but the budget is {wanted}"
    if ((quota < floor) | (quota > size)).any():
        return False, "a quota lies outside its floor and its concept's size"
    return True, f"{len(quota)} quotas sum to {wanted} of {size.sum()} samples"


def selection_keeps_the_quotas(parts: Iterable[tuple[pa.Table, pa.Table]], cluster: pa.Table) -> tuple[bool, str]:
    """Every concept keeps exactly its quota.

    Args:
        parts: decisions, and the members that they are about, some at a time.
        cluster: table `cluster`.
    """
    ids = cluster["cluster_id"].to_numpy().astype(np.int64)
    counts, total = np.zeros(len(ids), np.int64), 0
    for decision, member in parts:
        chosen = decision["sample_id"].filter(decision["kept"])
        kept = member["cluster_id"].filter(pc.is_in(member["sample_id"], chosen.combine_chunks())).to_numpy()
        if len(kept) != len(chosen):
            return False, f"{len(chosen)} samples are kept, but only {len(kept)} of them belong to a concept"
        if len(unknown := np.setdiff1d(kept, ids)):
            return False, f"samples of concept {unknown[0]} are kept, which has no quota"
        counts += np.bincount(np.searchsorted(ids, kept), minlength=len(ids))
        total += len(kept)
    quota = cluster["quota"].to_numpy().astype(np.int64)
    wrong = np.flatnonzero(counts != quota)
    if len(wrong):
        return False, f"concept {ids[wrong[0]]} keeps {counts[wrong[0]]}, but its quota is {quota[wrong[0]]}"
    return True, f"{total} samples kept, each concept its quota"
