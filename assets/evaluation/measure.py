"""How well a trained model finds pairs held aside: places of right answers, recall at 1 and 5, zero-shot accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.provenance.tables import TABLES
from resources.encoder.training.retrieval import ranks

CUTS = (1, 5)
ZERO_SHOT = "zero_shot"


@dataclass(frozen=True)
class Held:
    """Pairs held aside, in the order in which their vectors come.

    Attributes:
        ids: (n,) uint64 sample ids.
        texts: n texts; pictures that share one are all right answers to it.
        labels: n classes; None where a text names none.
    """

    ids: np.ndarray
    texts: Sequence[str]
    labels: Sequence[str | None]

    @property
    def classes(self) -> list[str]:
        """Distinct labels, sorted: the order in which vectors of their prompts come."""
        return sorted({label for label in self.labels if label is not None})


@dataclass(frozen=True)
class Vectors:
    """What a trained model says of the pairs held aside, as unit vectors.

    Attributes:
        images: (n, d) of their pictures.
        texts: (n, d) of their texts.
        prompts: (c, d) of prompts of the classes.
    """

    images: np.ndarray
    texts: np.ndarray
    prompts: np.ndarray


def measure(arm: str, seed: int, held: Held, vectors: Vectors) -> pa.Table:
    """Rows of table `evaluation_rank`, by sample_id: places of right answers and the class of each pair held aside.

    Ties count as wrong throughout. With fewer than two classes nothing is predicted.

    Raises:
        ValueError: where a vector is not a number.
    """
    if not all(np.isfinite(part).all() for part in (vectors.images, vectors.texts, vectors.prompts)):
        raise ValueError(f"evaluation: arm {arm}, seed {seed}: the trained model answers with what is not a number")
    found = ranks(vectors.images, vectors.texts, [" ".join(text.casefold().split()) for text in held.texts])
    n = len(held.ids)
    table = pa.table(
        {
            "arm": pa.repeat(pa.scalar(arm), n),
            "seed": pa.repeat(pa.scalar(seed, pa.uint32()), n),
            "sample_id": pa.array(held.ids, pa.uint64()),
            "image_to_text": pa.array(found.image_to_text, pa.uint32()),
            "text_to_image": pa.array(found.text_to_image[found.which], pa.uint32()),
            "label": pa.array(list(held.labels), pa.string()),
            "predicted": pa.array(predicted(held, vectors), pa.string()),
        },
        schema=TABLES["evaluation_rank"].schema,
    )
    return table.sort_by("sample_id")


def predicted(held: Held, vectors: Vectors) -> list[str | None]:
    """For each labeled pair the class whose prompt is nearest to its picture; of equally near ones a wrong one."""
    classes = held.classes
    answers: list[str | None] = [None] * len(held.labels)
    if len(classes) < 2:
        return answers
    place = {name: number for number, name in enumerate(classes)}
    asked = [(row, place[label]) for row, label in enumerate(held.labels) if label is not None]
    rows, right = np.array(asked).T
    similarity = vectors.images[rows] @ vectors.prompts.T
    at = (np.arange(len(rows)), right)
    similarity[at] = np.nextafter(similarity[at], np.float32(-2))
    for row, best in zip(rows, similarity.argmax(axis=1), strict=True):
        answers[row] = classes[best]
    return answers


def hits(rank: pa.Table) -> dict[str, np.ndarray]:
    """By metric, (n,) float64 of one model's rows of `evaluation_rank`: 1 right, 0 wrong, NaN where it is not asked."""
    found = {
        f"{direction}_r{cut}": (rank[direction].to_numpy() <= cut).astype(np.float64)
        for direction in ("image_to_text", "text_to_image")
        for cut in CUTS
    }
    label, answer = (np.array(rank[name].to_pylist(), dtype=object) for name in ("label", "predicted"))
    asked = np.array([one is not None for one in answer])
    if asked.any():
        found[ZERO_SHOT] = np.where(asked, (label == answer).astype(np.float64), np.nan)
    return found


def scores(rank: pa.Table) -> pa.Table:
    """Rows of table `evaluation_score` from rows of `evaluation_rank`: each model's share of right answers, by metric."""
    rows = []
    for arm, seed in sorted({(row["arm"], row["seed"]) for row in rank.select(["arm", "seed"]).to_pylist()}):
        for metric, right in hits(of_model(rank, arm, seed)).items():
            asked = right[~np.isnan(right)]
            rows.append({"arm": arm, "seed": seed, "metric": metric, "value": float(asked.mean()), "pairs": len(asked)})
    return pa.Table.from_pylist(rows, schema=TABLES["evaluation_score"].schema)


def of_model(rank: pa.Table, arm: str, seed: int) -> pa.Table:
    """Rows of one arm and seed, by sample_id."""
    return rank.filter(pc.and_(pc.equal(rank["arm"], arm), pc.equal(rank["seed"], seed))).sort_by("sample_id")
