"""Every arm under every seed: train, ask the pairs held aside, and write down what came out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.evaluation.measure import Held, Vectors, measure, scores
from assets.evaluation.training import Training
from assets.provenance.tables import TABLES


@dataclass(frozen=True)
class Outcome:
    """A trained model, as far as the comparison looks at it.

    Attributes:
        vectors: what it says of the pairs held aside.
        first_weights_sha256: hash of its weights before training.
        loss: mean over the last tenth of the steps.
    """

    vectors: Vectors
    first_weights_sha256: bytes
    loss: float


Train = Callable[[np.ndarray, int], Outcome]
"""Trains on some rows under a seed."""


def run(
    ids: np.ndarray,
    arms: Callable[[int], Mapping[str, np.ndarray]],
    seeds: Sequence[int],
    train: Train,
    training: Training,
    held: Held,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, pa.Table]:
    """Tables `evaluation_arm`, `evaluation_rank` and `evaluation_score`, by arm and seed.

    Args:
        ids: (n,) uint64 sample ids that rows of arms point into.
        arms: rows of each arm under a seed.
        seeds: one model of each arm for each.
        train: trains a model.
        training: how it does.
        held: pairs held aside.
        tell: called with a sentence before each model.

    Raises:
        ValueError: where an arm holds a pair that is held aside, or first weights differ between arms under a seed.
    """
    of_arm, rank = [], []
    for seed in seeds:
        first: set[bytes] = set()
        for name, rows in arms(seed).items():
            if np.isin(ids[rows], held.ids).any():
                raise ValueError(f"evaluation: arm {name} holds pairs that are held aside")
            tell(f"{name}, seed {seed}: {len(rows):,} pairs")
            outcome = train(rows, seed)
            first.add(outcome.first_weights_sha256)
            of_arm.append(_arm(name, seed, ids[rows], outcome, training))
            rank.append(measure(name, seed, held, outcome.vectors))
        if len(first) > 1:
            raise ValueError(f"evaluation: under seed {seed} arms did not start from the same weights")
    ranks = pa.concat_tables(rank).sort_by([("arm", "ascending"), ("seed", "ascending"), ("sample_id", "ascending")])
    arm_table = pa.Table.from_pylist(of_arm, schema=TABLES["evaluation_arm"].schema)
    return {
        "evaluation_arm": arm_table.sort_by([("arm", "ascending"), ("seed", "ascending")]),
        "evaluation_rank": ranks,
        "evaluation_score": scores(ranks),
    }


def _arm(name: str, seed: int, ids: np.ndarray, outcome: Outcome, training: Training) -> dict[str, object]:
    return {
        "arm": name,
        "seed": seed,
        "samples": len(ids),
        "ids_sha256": hashlib.sha256(np.sort(ids).astype("<u8").tobytes()).digest(),
        "first_weights_sha256": outcome.first_weights_sha256,
        "steps": training.steps,
        "batch_size": training.batch_size,
        "loss": outcome.loss,
    }
