"""Duplicates out: the same bytes, the same perceptual hash (if asked for), nearly the same vector."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.dedup.cover import Best, Relation, cover
from assets.dedup.pairs import NearVectors, Spread, enough
from assets.dedup.phash import NearHashes
from assets.dedup.ranking import PREFERENCES, Ranking, rank
from assets.dedup.semdedup import semdedup
from assets.dedup.store import CellSettings, Store, build_store
from assets.dedup.vectors import DIGITS
from assets.provenance.decisions import decision_table

RULES = ("greedy", "semdedup")
PART = 1 << 16
"""Decisions made at a time."""


@dataclass(frozen=True)
class DedupSettings:
    """What counts as a copy.

    Attributes:
        eps: near-duplicates have a cosine above 1 - eps, both in six decimals; 0 finds none.
        rule: `greedy` holds samples against those that stay; `semdedup` is the published rule, see semdedup.py.
        prefer: what makes one copy preferred to another, the most important first; the lower sample_id decides last.
        same_url: one sample per address of an image (LAION-400M).
        same_phash_and_text: one sample per perceptual hash and text (COYO-700M).
        phash_radius: bits in which perceptual hashes may differ; None not to look at them.
        cell_size: vectors per cell.
        neighbor_cells: nearest cells that a vector is compared with besides its own.
        seed: of the cells.
        threads: of k-means for the cells; part of what makes them repeat.
    """

    eps: float = 0.05
    rule: str = "greedy"
    prefer: tuple[str, ...] = ("verdict", "resolution", "score")
    same_url: bool = False
    same_phash_and_text: bool = False
    phash_radius: int | None = None
    cell_size: int = 1000
    neighbor_cells: int = 4
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.eps < 1:
            raise ValueError(f"dedup.eps is {self.eps}, but must lie in [0, 1)")
        if self.phash_radius is not None and not 0 <= self.phash_radius <= 32:
            raise ValueError(f"dedup.phash_radius is {self.phash_radius}, but must lie in 0..32, or be null")
        if self.cell_size < 1 or self.neighbor_cells < 0:
            raise ValueError("dedup.cell_size must be at least 1 and dedup.neighbor_cells at least 0")
        if self.rule not in RULES:
            raise ValueError(f"dedup.rule is {self.rule!r}, but must be one of {', '.join(RULES)}")
        if self.rule == "semdedup" and self.phash_radius is not None:
            raise ValueError("dedup.rule semdedup compares vectors only; leave dedup.phash_radius out")
        if unknown := [name for name in self.prefer if name not in PREFERENCES]:
            raise ValueError(f"dedup.prefer names {unknown[0]!r}, but must name some of {', '.join(PREFERENCES)}")

    @property
    def threshold(self) -> float:
        """Cosine above which a sample is a copy."""
        return round(1 - self.eps, DIGITS)

    @property
    def equals(self) -> list[str]:
        """Kinds of equals that are looked for, in order."""
        asked = {"url_duplicate": self.same_url, "phash_text_duplicate": self.same_phash_and_text}
        return ["exact_duplicate", *(name for name, is_asked in asked.items() if is_asked)]


@dataclass(frozen=True)
class Pool:
    """The samples of a pool, in parts, however many; what is asked again comes again in the same order.

    Attributes:
        rows: sample_id, sha256, phash, width, height, verdict, score, and image_url and text where settings ask about
            them; one row per sample.
        vectors: ((m,) uint64 sample ids, (m, d) vectors); ids that `rows` lacks are passed over.
    """

    rows: Callable[[], Iterable[pa.Table]]
    vectors: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]


def pool_rows(
    decision: pa.Table, sample: pa.Table, image: pa.Table, rights: pa.Table, score: pa.Table, scorer: str
) -> pa.Table:
    """Rows as `Pool.rows` gives them: the samples that a decision keeps, with their value by one scorer."""
    kept = decision["sample_id"].filter(decision["kept"]).combine_chunks()
    score = score.filter(pc.equal(score["scorer"], scorer)).select(["sample_id", "value"])
    rows = sample.filter(pc.is_in(sample["sample_id"], kept)).join(image, "image_id").drop_columns("image_id")
    return rows.join(rights, "sample_id").join(score.rename_columns({"value": "score"}), "sample_id")


def deduplicate(rows: pa.Table, raw: np.ndarray, settings: DedupSettings | None = None) -> pa.Table:
    """Decisions of stage dedup for a pool in memory; see `decide`.

    Args:
        rows: as `Pool.rows`.
        raw: (n, d) vectors of the same rows.
        settings: see `DedupSettings`.
    """
    if len(raw) != rows.num_rows:
        raise ValueError(f"dedup: {rows.num_rows} samples, but {len(raw)} vectors")
    ids = rows["sample_id"].to_numpy().astype(np.uint64)
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(lambda: [rows], lambda: [(ids, raw)])
        return pa.concat_tables(decide(pool, Path(folder), settings or DedupSettings()))


def decide(
    pool: Pool,
    folder: Path,
    settings: DedupSettings,
    report: Callable[[float], None] | None = None,
    spread: Spread | None = None,
) -> Iterator[pa.Table]:
    """Decisions of stage dedup, by sample_id, in parts.

    Args:
        pool: the samples.
        folder: where vectors and pairs go, which do not fit in memory; one of this pool and these settings, so that a
            run that was killed goes on.
        settings: see `DedupSettings`.
        report: called with the share of near pairs that has been looked for.
        spread: hands cells to workers, which compare them; see `NearVectors`.

    Returns:
        Table `decision`. A dropped sample names in `other_sample_id` the sample that stays in its place, preferred to
        it and itself kept, with reason exact_duplicate, url_duplicate, phash_text_duplicate (no score: equal is equal),
        phash_duplicate (score and threshold in bits) or near_duplicate (score and threshold are cosines). Where several
        apply, the reason is the first in this order, but equals of a sample that went share its decision. A kept row
        has no score. Under rule `semdedup` the sample that a near-duplicate names may have gone itself.
    """
    ranking = rank(pool.rows(), settings.prefer, settings.equals, settings.phash_radius is not None, folder)
    alone = np.flatnonzero(ranking.level < 0)
    store = _store(pool, ranking.ids[alone], folder, settings)
    keep, found = _near(ranking, alone, store, settings, report, spread)
    return _tables(ranking, alone, keep, found, settings)


def numbered(pool: Pool, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vectors of some samples of a pool, numbered in the order of `ids`, in parts."""
    by_id = np.argsort(ids)
    sorted_ids = ids[by_id]
    for part_ids, vectors in pool.vectors():
        place = np.searchsorted(sorted_ids, part_ids)
        known = place < len(ids)
        known[known] = sorted_ids[place[known]] == part_ids[known]
        if known.any():
            yield by_id[place[known]], vectors if known.all() else vectors[known]


def _store(pool: Pool, ids: np.ndarray, folder: Path, settings: DedupSettings) -> Store:
    """Vectors of some samples, numbered in the order of `ids`."""
    cells = CellSettings(settings.cell_size, settings.neighbor_cells, settings.seed, settings.threads)
    if settings.rule == "greedy":
        cells = enough(len(ids), cells)
    store = build_store(folder / "cells", len(ids), lambda: numbered(pool, ids), cells)
    if len(store.number) != len(ids):
        raise ValueError(f"dedup: {len(ids)} samples, but {len(store.number)} vectors")
    return store


def _near(
    ranking: Ranking,
    alone: np.ndarray,
    store: Store,
    settings: DedupSettings,
    report: Callable[[float], None] | None,
    spread: Spread | None,
) -> tuple[np.ndarray, list[tuple[str, float, int, Best]]]:
    """Which of the samples `alone` stay; and by reason the limit, the sign of scores, and whom each resembles most."""
    if settings.rule == "semdedup":
        keep, best = semdedup(store, settings.threshold)
        return keep, [("near_duplicate", settings.threshold, 1, best)]
    relations: list[Relation] = []
    kinds: list[tuple[str, float, int]] = []
    if settings.phash_radius is not None and ranking.phash is not None and ranking.has_phash is not None:
        relations.append(NearHashes(ranking.phash[alone], ranking.has_phash[alone], settings.phash_radius))
        kinds.append(("phash_duplicate", float(settings.phash_radius), -1))
    relations.append(NearVectors(store, settings.threshold, report, spread))
    kinds.append(("near_duplicate", settings.threshold, 1))
    keep, found = cover(len(alone), relations)
    return keep, [(*kind, best) for kind, best in zip(kinds, found, strict=True)]


def _tables(
    ranking: Ranking,
    alone: np.ndarray,
    keep: np.ndarray,
    found: list[tuple[str, float, int, Best]],
    settings: DedupSettings,
) -> Iterator[pa.Table]:
    """Decisions of all samples, by sample_id."""
    n = len(ranking.ids)
    reasons = [None, *settings.equals, *(name for name, *_ in found)]
    reason, other = np.zeros(n, np.int8), np.arange(n, dtype=np.uint32)
    score, threshold = np.full(n, np.nan), np.full(n, np.nan)
    undecided = ~keep
    for name, limit, sign, best in found:
        here = np.flatnonzero(undecided & (best.other >= 0))
        row = alone[here]
        reason[row], threshold[row] = reasons.index(name), limit
        score[row] = np.round(sign * best.score[here], DIGITS)
        other[row] = alone[best.other[here]]
        undecided[here] = False
    copies = np.flatnonzero(ranking.level >= 0)
    stays = ranking.keeper[copies]
    same = reason[stays] == 0
    for column in (reason, score, threshold, other):
        column[copies] = column[stays]
    reason[copies[same]] = 1 + ranking.level[copies[same]]
    other[copies[same]] = stays[same]
    order = np.argsort(ranking.ids)
    names = pa.array(reasons, pa.string())
    for at in range(0, max(n, 1), PART):
        some = order[at : at + PART]
        kept = reason[some] == 0
        named = pa.array(ranking.ids[other[some]], pa.uint64(), mask=kept)
        yield decision_table(
            "dedup", ranking.ids[some], kept, names.take(pa.array(reason[some])), score[some], threshold[some], named
        )
