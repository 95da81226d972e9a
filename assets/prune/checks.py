"""What must hold of quotas and of the selection."""

from __future__ import annotations

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


def selection_keeps_the_quotas(decision: pa.Table, member: pa.Table, cluster: pa.Table) -> tuple[bool, str]:
    """Every concept keeps exactly its quota."""
    ids = decision.filter(decision["kept"])["sample_id"]
    kept = member["cluster_id"].filter(pc.is_in(member["sample_id"], ids.combine_chunks())).to_numpy().astype(np.int64)
    if len(kept) != len(ids):
        return False, f"{len(ids)} samples are kept, but only {len(kept)} of them belong to a concept"
    k = max(cluster.num_rows, int(kept.max(initial=-1)) + 1)
    quota = np.zeros(k, np.int64)
    quota[cluster["cluster_id"].to_numpy()] = cluster["quota"].to_numpy()
    counts = np.bincount(kept, minlength=k)
    wrong = np.flatnonzero(counts != quota)
    if len(wrong):
        return False, f"concept {wrong[0]} keeps {counts[wrong[0]]}, but its quota is {quota[wrong[0]]}"
    return True, f"{len(kept)} samples kept, each concept its quota"
