"""Duplicates out: the same bytes, the same perceptual hash (if asked for), nearly the same vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.dedup.cover import Relation, cover
from assets.dedup.exact import collapse
from assets.dedup.pairs import NearVectors
from assets.dedup.phash import NearHashes
from assets.dedup.vectors import DIGITS
from assets.provenance.decisions import decision_table

VERDICTS = ("allow", "url_only")
"""From preferred to less; others come last."""


@dataclass(frozen=True)
class DedupSettings:
    """What counts as a copy.

    Attributes:
        eps: near-duplicates have a cosine above 1 - eps, both in six decimals; 0 finds none.
        same_url: one sample per address of an image (LAION-400M).
        same_phash_and_text: one sample per perceptual hash and text (COYO-700M).
        phash_radius: bits in which perceptual hashes may differ; None not to look at them.
        cell_size: vectors per cell.
        neighbor_cells: nearest cells that a cell is compared with.
        seed: of the cells.
    """

    eps: float = 0.05
    same_url: bool = False
    same_phash_and_text: bool = False
    phash_radius: int | None = None
    cell_size: int = 1000
    neighbor_cells: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.eps < 1:
            raise ValueError(f"dedup.eps is {self.eps}, but must lie in [0, 1)")
        if self.phash_radius is not None and not 0 <= self.phash_radius <= 32:
            raise ValueError(f"dedup.phash_radius is {self.phash_radius}, but must lie in 0..32, or be null")
        if self.cell_size < 1 or self.neighbor_cells < 0:
            raise ValueError("dedup.cell_size must be at least 1 and dedup.neighbor_cells at least 0")


def preference(rows: pa.Table) -> np.ndarray:
    """(n,) rank of each sample, 0 preferred most: rights verdict, pixels, image-text score (null last), id."""
    verdict = pc.fill_null(pc.index_in(rows["verdict"], pa.array(VERDICTS)), len(VERDICTS)).to_numpy()
    width, height = (rows[side].to_numpy().astype(np.int64) for side in ("width", "height"))
    score = np.nan_to_num(rows["score"].to_numpy(zero_copy_only=False).astype(np.float64), nan=-np.inf)
    order = np.lexsort((rows["sample_id"].to_numpy(), -score, -width * height, verdict))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def deduplicate(rows: pa.Table, raw: np.ndarray, settings: DedupSettings | None = None) -> pa.Table:
    """Decisions of stage dedup, by sample_id.

    Args:
        rows: sample_id, sha256, phash, width, height, verdict, score, and image_url and text where settings ask about
            them; one row per sample.
        raw: (n, d) vectors of the same rows.
        settings: see `DedupSettings`.

    Returns:
        Table `decision`. A dropped sample names in `other_sample_id` the sample that stays in its place, preferred to
        it and itself kept, with reason exact_duplicate, url_duplicate, phash_text_duplicate (no score: equal is equal),
        phash_duplicate (score and threshold in bits) or near_duplicate (score and threshold are cosines). Where several
        apply, the reason is the first in this order, but equals of a sample that went share its decision. A kept row
        has no score.
    """
    settings = settings or DedupSettings()
    ids = rows["sample_id"].to_numpy().astype(np.uint64)
    if len(raw) != len(ids):
        raise ValueError(f"dedup: {len(ids)} samples, but {len(raw)} vectors")
    rank = preference(rows)
    equal = _equals(rows, settings)
    twin, level, alone = collapse(list(equal.values()), rank)
    relations, names, limits, signs = _relations(rows, raw, alone, settings)
    keep, best = cover(len(alone), relations)

    reason: np.ndarray = np.full(len(ids), None, dtype=object)
    score, threshold = np.full(len(ids), np.nan), np.full(len(ids), np.nan)
    other: np.ndarray = np.full(len(ids), None, dtype=object)
    undecided = ~keep
    for found, name, limit, sign in zip(best, names, limits, signs, strict=True):
        here = np.flatnonzero(undecided & (found.other >= 0))
        row = alone[here]
        reason[row], score[row], threshold[row] = name, sign * found.score[here], limit
        other[row] = ids[alone[found.other[here]]]
        undecided[here] = False
    copies = np.flatnonzero(twin != np.arange(len(ids)))
    for column in (reason, score, threshold, other):
        column[copies] = column[twin[copies]]
    same = copies[reason[copies] == None]  # noqa: E711 - element by element
    reason[same], other[same] = np.array([*equal], dtype=object)[level[same]], ids[twin[same]]
    kept = np.array([told is None for told in reason], dtype=bool)
    return decision_table("dedup", ids, kept, reason.tolist(), score, threshold, other.tolist()).sort_by("sample_id")


def _equals(rows: pa.Table, settings: DedupSettings) -> dict[str, pa.ChunkedArray]:
    """What makes samples equal, by the reason that its copies go with; a null is equal to nothing."""
    equal = {"exact_duplicate": rows["sha256"]}
    if settings.same_url:
        equal["url_duplicate"] = rows["image_url"]
    if settings.same_phash_and_text:
        parts = [rows[name].cast(pa.binary()) for name in ("phash", "text")]
        equal["phash_text_duplicate"] = pc.binary_join_element_wise(*parts, pa.scalar(b"\0", pa.binary()))
    return equal


def _relations(
    rows: pa.Table, raw: np.ndarray, alone: np.ndarray, settings: DedupSettings
) -> tuple[list[Relation], list[str], list[float], list[int]]:
    """What counts as near between the rows `alone`, in order of preference: relations, reasons, thresholds, signs."""
    relations: list[Relation] = []
    names, limits, signs = [], [], []
    if settings.phash_radius is not None:
        stored = rows["phash"].take(pa.array(alone)).to_pylist()
        hashes = np.array([int.from_bytes(value or b"", "big") for value in stored], dtype=np.uint64)
        known = np.array([value is not None for value in stored], dtype=bool)
        relations.append(NearHashes(hashes, known, settings.phash_radius))
        names, limits, signs = ["phash_duplicate"], [float(settings.phash_radius)], [-1]
    threshold = round(1 - settings.eps, DIGITS)
    relations.append(NearVectors(raw[alone], threshold, settings.cell_size, settings.neighbor_cells, settings.seed))
    return relations, [*names, "near_duplicate"], [*limits, threshold], [*signs, 1]
