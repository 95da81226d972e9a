"""What must hold of a comparison, or it says nothing."""

from __future__ import annotations

import pyarrow as pa

EQUAL = ("pruned", "random", "top_score")
"""Arms of one size."""


def same_chance(arm: pa.Table, rank: pa.Table, role: pa.Table) -> tuple[bool, str]:
    """Every arm has the same seeds, steps, batches, first weights and pairs held aside; equal arms have one size.

    Args:
        arm: table `evaluation_arm`.
        rank: table `evaluation_rank`.
        role: table `held_aside`.
    """
    if arm.num_rows == 0:
        return True, "the recipe asks for no comparison"
    rows = arm.to_pylist()
    names, seeds = sorted({row["arm"] for row in rows}), sorted({row["seed"] for row in rows})
    if len(rows) != len(names) * len(seeds) or len(seeds) < 2:
        return False, f"{len(rows)} models, but {len(names)} arms and {len(seeds)} seeds"
    for what in ("steps", "batch_size"):
        if len({row[what] for row in rows}) > 1:
            return False, f"arms differ in {what}"
    for seed in seeds:
        if len({row["first_weights_sha256"] for row in rows if row["seed"] == seed}) > 1:
            return False, f"under seed {seed} arms did not start from the same weights"
    if len({row["samples"] for row in rows if row["arm"] in EQUAL}) > 1:
        return False, f"{', '.join(EQUAL)} are not of one size"
    held = role.filter(pa.array([value == "held_aside" for value in role["role"].to_pylist()]))["sample_id"].to_numpy()
    measured: dict[tuple[str, int], list[int]] = {}
    for row in rank.select(["arm", "seed", "sample_id"]).to_pylist():
        measured.setdefault((row["arm"], row["seed"]), []).append(row["sample_id"])
    for name, seed in ((name, seed) for name in names for seed in seeds):
        if sorted(measured.get((name, seed), [])) != sorted(held.tolist()):
            return False, f"{name}, seed {seed} was not measured on the pairs that are held aside"
    return True, f"{len(names)} arms, {len(seeds)} seeds, {len(held)} pairs held aside"
