"""Which samples are nearly the same image as an evaluation item: by bytes, perceptual hash, vector, or both together.

Either may be cut: the sample out of the item, which the item's views hear, or the item out of the sample. For the second the
sample's own views are hashed, which takes its picture, and so only where the vectors are near.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.crawl.images import perceptual_hash
from assets.decontaminate.registering import list_name, normalized
from assets.decontaminate.views import MIRRORED, VIEWS, views
from assets.dedup.vectors import TILE_CELLS, cosines, screen, unit_rows
from assets.embeddings.cache import as_matrix
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES

KINDS = ("sha256", "phash", "vector", "phash_and_vector", "text")
"""Values of `hit.match`, the surest first."""


@dataclass(frozen=True)
class Limits:
    """How near a sample may come to an evaluation item.

    Attributes:
        phash_radius: bits by which perceptual hashes may differ; None not to compare them by themselves.
        cosine: cosine above which a sample goes; None not to compare vectors by themselves.
        together: bits and cosine that decide where both are kept; None for no such rule.
        text_words: texts of so many words that are the same; None not to compare texts.
    """

    phash_radius: int | None = 8
    cosine: float | None = 0.95
    together: tuple[int, float] | None = (10, 0.7)
    text_words: int | None = None

    @property
    def vectors(self) -> bool:
        """Whether any rule asks for vectors."""
        return self.cosine is not None or self.together is not None


@dataclass(frozen=True)
class Items:
    """Items of all sets, sets in the order in which they claim a sample: by date, name and version.

    Attributes:
        lists: names of the sets.
        names: (m) names of the items.
        of: (m,) number of each item's set.
        sha256: (m) hash of each image; None where it could not be read.
        texts: (m) normalized texts.
        view_item, view_hash, view_names: of each of v views, its item, 64-bit hash and name.
        vector_item, vector_names, vectors: of each of w vectors, its item, `whole` or `mirrored`, and (w, d) the vector.
    """

    lists: list[str]
    names: list[str]
    of: np.ndarray
    sha256: list[bytes | None]
    texts: list[str | None]
    view_item: np.ndarray
    view_hash: np.ndarray
    view_names: list[str]
    vector_item: np.ndarray
    vector_names: list[str]
    vectors: np.ndarray


def items_of(registry: pa.Table, item: pa.Table, view: pa.Table, embedding: pa.Table) -> Items:
    """The items of tables `eval_registry`, `eval_item`, `eval_view` and `eval_embedding`."""
    sets = registry.sort_by([("date", "ascending"), ("name", "ascending"), ("version", "ascending")]).to_pylist()
    lists = [list_name(row["name"], row["version"]) for row in sets]
    number = {name: at for at, name in enumerate(lists)}
    keys = list(zip(item["list"].to_pylist(), item["item"].to_pylist(), strict=True))
    place = {key: at for at, key in enumerate(keys)}

    def rows(table: pa.Table) -> np.ndarray:
        found = zip(table["list"].to_pylist(), table["item"].to_pylist(), strict=True)
        return np.array([place[key] for key in found], dtype=np.int64)

    return Items(
        lists,
        [name for _, name in keys],
        np.array([number[name] for name, _ in keys], dtype=np.int64),
        item["sha256"].to_pylist(),
        item["text"].to_pylist(),
        rows(view),
        hashes_of(view["phash"].to_pylist()),
        view["view"].to_pylist(),
        rows(embedding),
        embedding["view"].to_pylist(),
        as_matrix(embedding["image_raw"]) if embedding.num_rows else np.empty((0, 1), np.float16),
    )


def hashes_of(values: Sequence[bytes | None]) -> np.ndarray:
    """(n,) uint64 of 8-byte hashes; 0 where there is none."""
    return np.frombuffer(b"".join(value or bytes(8) for value in values), ">u8").astype(np.uint64)


@dataclass(frozen=True)
class _Near:
    """Candidates of one kind: rows of samples and items, which view, score and limit."""

    kind: str
    sample: np.ndarray
    item: np.ndarray
    view: Sequence[str | None]
    score: np.ndarray
    threshold: float


Look = Callable[[Sequence[int]], Iterable[Image.Image]]
"""Rows of samples -> their pictures, in that order."""


def hits(
    rows: pa.Table, ids: np.ndarray, vectors: np.ndarray, items: Items, limits: Limits, look: Look, crop: float
) -> pa.Table:
    """Table `hit`: one row per sample and evaluation set, the surest match and of those the nearest.

    Args:
        rows: sample_id, sha256, phash, text of samples, ascending by id.
        ids: (m,) uint64 sample ids that have vectors, ascending; those that `rows` lacks are passed over.
        vectors: (m, d) their vectors.
        items: what they are held against.
        limits: how near they may come.
        look: gives pictures of samples whose vectors are near to an item's, so that they are hashed cut as well.
        crop: share of the sides that a cut view lacks.
    """
    samples = rows["sample_id"].to_numpy()
    if not len(samples) or not items.names:
        return TABLES["hit"].empty()
    place = np.searchsorted(ids, samples)
    place[place == len(ids)] = -1
    has = (place >= 0) & (ids[place] == samples) if len(ids) else np.zeros(len(samples), bool)
    place = np.where(has, place, -1)
    found = list(_candidates(rows, place, vectors, items, limits, look, crop))
    return _best(samples, found, items)


def _candidates(
    rows: pa.Table, place: np.ndarray, vectors: np.ndarray, items: Items, limits: Limits, look: Look, crop: float
) -> Iterator[_Near]:
    yield _same("sha256", rows["sha256"].to_pylist(), items.sha256)
    hashes = rows["phash"].to_pylist()
    if limits.phash_radius is not None:
        sample, view, bits = _near_hashes(hashes, items.view_hash, limits.phash_radius)
        names = [items.view_names[at] for at in view]
        yield _Near("phash", sample, items.view_item[view], names, bits.astype(np.float64), float(limits.phash_radius))
    if limits.vectors and len(items.vectors):
        least = min(limit for limit in (limits.cosine, limits.together and limits.together[1]) if limit is not None)
        sample, vector, score = _near_vectors(items.vectors, place, vectors, least)
        if limits.cosine is not None:
            near = score > limits.cosine
            yield _by_vector(items, sample[near], vector[near], score[near], limits.cosine)
        if limits.together is not None:
            near = score > limits.together[1]
            cuts = functools.partial(_cut_hashes, look, crop)
            yield _together(items, hashes, sample[near], vector[near], score[near], limits.together, cuts)
    if limits.text_words is not None:
        words = limits.text_words
        texts = [_long_enough(normalized(text), words) for text in rows["text"].to_pylist()]
        yield _same("text", texts, [_long_enough(text, words) for text in items.texts])


def _long_enough(text: str | None, words: int) -> str | None:
    return text if text is not None and text.count(" ") + 1 >= words else None


def _same(kind: str, ours: Sequence[object], theirs: Sequence[object]) -> _Near:
    """Samples and items with one and the same value."""
    by_value: dict[object, list[int]] = {}
    for at, value in enumerate(theirs):
        if value is not None:
            by_value.setdefault(value, []).append(at)
    pairs = [(row, at) for row, value in enumerate(ours) if value is not None for at in by_value.get(value, ())]
    sample, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return _Near(kind, sample, item, [None] * len(pairs), np.full(len(pairs), np.nan), np.nan)


def _near_hashes(
    hashes: Sequence[bytes | None], views: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p,) rows of samples, (p,) views, (p,) bits that differ: all pairs within a radius."""
    known = np.array([value is not None for value in hashes], dtype=bool)
    ours = hashes_of(hashes)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    step = max(1, TILE_CELLS // max(len(views), 1))
    for at in range(0, len(ours), step):
        differ = np.bitwise_count(ours[at : at + step, None] ^ views[None])
        row, view = np.nonzero((differ <= radius) & known[at : at + step, None])
        found.append((row + at, view, differ[row, view].astype(np.int64)))
    sample, view, bits = (np.concatenate(part) for part in zip(*found, strict=True))
    return sample, view, bits


def _near_vectors(
    theirs: np.ndarray, place: np.ndarray, vectors: np.ndarray, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p,) rows of samples, (p,) vectors of items, (p,) cosines: all pairs above the limit, tile by tile.

    Fast products pick them, `cosines` decides.
    """
    rows = np.flatnonzero(place >= 0)
    fast = screen(theirs.shape[1], len(rows) + len(theirs))
    unit = unit_rows(theirs)
    packed = fast.pack(unit)
    found: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    step = max(1, TILE_CELLS // max(len(unit), 1))
    for at in range(0, len(rows), step):
        some = rows[at : at + step]
        mine = unit_rows(vectors[place[some]])
        row, other = fast.above(fast.pack(mine), packed, limit)
        near = cosines(mine, unit, row, other)
        keep = near > limit
        found.append((some[row[keep]], other[keep], near[keep]))
    sample, vector, score = (np.concatenate(part) for part in zip(*found, strict=True))
    return sample, vector, score


def _by_vector(items: Items, sample: np.ndarray, vector: np.ndarray, score: np.ndarray, limit: float) -> _Near:
    return _Near("vector", sample, items.vector_item[vector], [items.vector_names[at] for at in vector], score, limit)


def _together(
    items: Items,
    hashes: Sequence[bytes | None],
    sample: np.ndarray,
    vector: np.ndarray,
    score: np.ndarray,
    limits: tuple[int, float],
    cut_hashes: Callable[[Sequence[int]], np.ndarray],
) -> _Near:
    """Pairs whose vectors are near, if a view of the item is near to the sample, or a view of the sample to the item."""
    table = _view_table(items)
    item = items.vector_item[vector]
    turned = np.array([items.vector_names[at] == "mirrored" for at in vector], dtype=np.int64)
    known = np.array([hashes[row] is not None for row in sample], dtype=bool) & table.known[item, turned]
    sample, item, turned, score = sample[known], item[known], turned[known], score[known]
    if not len(sample):
        return _Near("phash_and_vector", sample, item, [], score, limits[1])
    best, bits = _least(hashes_of(hashes)[sample][:, None] ^ table.hashes[item, turned])
    names = [f"{VIEWS[at]}{MIRRORED * way}" for at, way in zip(best, turned, strict=True)]
    left = np.flatnonzero(bits > limits[0])
    if len(left):
        some, where = np.unique(sample[left], return_inverse=True)
        best, bits[left] = _least(cut_hashes(some.tolist())[where] ^ table.hashes[item[left], turned[left], :1])
        for at, view in zip(left, best, strict=True):
            names[at] = f"sample_{VIEWS[view]}"
    keep = np.flatnonzero(bits <= limits[0])
    return _Near("phash_and_vector", sample[keep], item[keep], [names[at] for at in keep], score[keep], limits[1])


def _least(differ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p,) which of v views has the fewest bits set, and (p,) how many, of (p, v) uint64."""
    bits = np.bitwise_count(differ).astype(np.int64)
    best = bits.argmin(axis=1)
    return best, bits[np.arange(len(bits)), best]


@dataclass(frozen=True)
class _Views:
    """Hashes of m items by view: (m, 2, v) uint64, plain and mirrored; and (m, 2) whether there are any."""

    hashes: np.ndarray
    known: np.ndarray


def _view_table(items: Items) -> _Views:
    hashes = np.zeros((len(items.names), 2, len(VIEWS)), np.uint64)
    known = np.zeros((len(items.names), 2), dtype=bool)
    of = {f"{name}{MIRRORED * way}": (way, at) for way in (0, 1) for at, name in enumerate(VIEWS)}
    place = np.array([of[name] for name in items.view_names], dtype=np.int64).reshape(-1, 2)
    # Where nothing is cut there is one view, and it stands for all.
    whole = place[:, 1] == 0
    hashes[items.view_item[whole], place[whole, 0]] = items.view_hash[whole, None]
    hashes[items.view_item, place[:, 0], place[:, 1]] = items.view_hash
    known[items.view_item, place[:, 0]] = True
    return _Views(hashes, known)


def _cut_hashes(look: Look, crop: float, rows: Sequence[int]) -> np.ndarray:
    """(n, v) uint64 hashes of views of samples' pictures."""
    found = np.empty((len(rows), len(VIEWS)), np.uint64)
    for at, picture in enumerate(look(rows)):
        hashes = [perceptual_hash(view) for _, view in views(picture, crop, False)]
        found[at, : len(hashes)] = hashes_of(hashes)
        found[at, len(hashes) :] = found[at, 0]
    return found


def _best(samples: np.ndarray, found: Sequence[_Near], items: Items) -> pa.Table:
    """The surest and nearest match of every sample in every set; ties go to the first item and view."""
    rows = [
        (int(sample), int(items.of[item]), KINDS.index(near.kind), _far(near.kind, score), int(item), view or "", near, score)
        for near in found
        for sample, item, view, score in zip(near.sample, near.item, near.view, near.score, strict=True)
    ]  # fmt: skip
    best: dict[tuple[int, int], tuple] = {}
    for row in sorted(rows, key=lambda row: row[:6]):
        best.setdefault(row[:2], row)
    made = [
        {
            "list": items.lists[of],
            "sample_id": int(samples[sample]),
            "match": near.kind,
            "score": None if np.isnan(score) else float(score),
            "threshold": None if np.isnan(near.threshold) else near.threshold,
            "item": items.names[item],
            "view": view or None,
        }
        for sample, of, _, _, item, view, near, score in best.values()
    ]
    table = pa.Table.from_pylist(made, schema=TABLES["hit"].schema)
    return table.sort_by([("list", "ascending"), ("sample_id", "ascending")])


def _far(kind: str, score: float) -> float:
    """The smaller, the nearer."""
    return 0.0 if np.isnan(score) else float(score) if kind == "phash" else -float(score)


def decided(came_in: np.ndarray, found: pa.Table, lists: Sequence[str]) -> pa.Table:
    """Table `decision` of stage decontaminate: a sample that sets claim goes, with the first one's name as reason.

    Args:
        came_in: (n,) uint64 samples, ascending.
        found: table `hit`.
        lists: names of the sets, in the order in which they claim a sample.
    """
    order = {name: at for at, name in enumerate(lists)}
    claimed: dict[int, dict] = {}
    for row in sorted(found.to_pylist(), key=lambda row: (row["sample_id"], order[row["list"]])):
        claimed.setdefault(row["sample_id"], row)
    rows = [claimed.get(int(sample)) for sample in came_in]
    kept = np.array([row is None for row in rows], dtype=bool)
    reason, score, threshold = ([row[key] if row else None for row in rows] for key in ("list", "score", "threshold"))
    return decision_table("decontaminate", came_in, kept, reason, score, threshold)
