"""A simulated pool: millions of vectors whose concepts and copies are known, written as the tables that steps read.

Everything about a sample follows from the pool's settings and the sample's number, by hashes: any shard can be made
alone, in any order, and the picture that a copy was made from is made again wherever it is needed. All sums that could
depend on their order are of whole numbers, so a vector has the same bits in whatever company it is made.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import multiprocessing
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from upath import UPath

from assets.clusters.kmeans import splitmix
from assets.embeddings.cache import as_column
from assets.embeddings.embed import SCORER
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES, conform
from resources.lake import Lake, sha256_of

if TYPE_CHECKING:
    from orchestration.plan import Build

ROOMS = ("crawl", "rights", "pool", "embeddings", "dedup", "decontaminate", "clusters", "prune")
"""Rooms up to the last step that a simulated pool is for, in the order the data flows."""
RECIPE = "simulated.yaml"
WRITTEN = {"crawl": ("sample", "image"), "rights": ("rights",), "embeddings": ("embedding", "score", "decision")}
"""Tables of a shard that are simulated, by step."""
SIDES = (256, 384, 512, 800, 1200)
"""Widths and heights that pictures have."""
BLOCK = 1 << 13
"""Samples made at a time."""
BASES = 64
"""Different subspaces in which concepts spread; a concept takes one of them."""
NOISE = 0.1
"""Share of a sample's variance around its centroid that lies outside its concept's subspace."""
UNIFORM = 127 / math.sqrt(3)
"""Standard deviation of whole numbers that are as likely anywhere from -127 to 127, about."""


@dataclass(frozen=True)
class Pool:
    """What is simulated.

    Attributes:
        samples: how many.
        dims: length of the vectors.
        concepts: how many; their sizes fall as rank ** -zipf.
        zipf: 0 for equal sizes.
        sizes: sizes of the concepts, copies included, instead of `concepts` and `zipf`.
        spread: sines of the angle between a sample and its centroid lie about here, each concept's between the two.
        separation: cosine distance between two centroids, on average.
        intrinsic: dimensions of the subspace in which a concept spreads.
        copies: (cosine to its original, share of all samples) of each kind of copy; 1 for exact twins.
        skew: 1 makes every original as likely to be copied; above it, some are copied often.
        per_shard: samples of a shard.
        seed: of everything.
    """

    samples: int
    dims: int = 256
    concepts: int = 1000
    zipf: float = 1.0
    sizes: tuple[int, ...] | None = None
    spread: tuple[float, float] = (0.5, 0.75)
    separation: float = 0.7
    intrinsic: int = 48
    copies: tuple[tuple[float, float], ...] = ((1.0, 0.04), (0.99, 0.06), (0.97, 0.06), (0.9, 0.04))
    skew: float = 1.5
    per_shard: int = 1 << 17
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.samples < 2**32:
            raise ValueError(f"pool: samples is {self.samples}, but must lie between 1 and 2 ** 32")
        if self.sizes is not None and sum(self.sizes) != self.samples:
            raise ValueError(f"pool: sizes sum to {sum(self.sizes)}, but there are {self.samples} samples")
        if sum(share for _, share in self.copies) >= 1:
            raise ValueError("pool: the shares of copies must sum to less than 1")
        if self.dims % 8 or self.intrinsic % 8:
            raise ValueError("pool: dims and intrinsic must be multiples of 8")

    @property
    def shards(self) -> int:
        """How many shards there are; the last may be smaller."""
        return -(-self.samples // self.per_shard)

    def rows(self, shard_id: int) -> np.ndarray:
        """Numbers of the samples of a shard, from 0 over all shards."""
        first = (shard_id - 1) * self.per_shard
        return np.arange(first, min(first + self.per_shard, self.samples), dtype=np.int64)

    def ids(self, number: np.ndarray) -> np.ndarray:
        """(n,) uint64 sample ids."""
        shard, ordinal = np.divmod(np.asarray(number, np.uint64), np.uint64(self.per_shard))
        return (shard + np.uint64(1)) << np.uint64(32) | ordinal

    def numbers(self, sample_id: np.ndarray) -> np.ndarray:
        """(n,) int64 numbers of samples by id."""
        shard, ordinal = np.asarray(sample_id, np.uint64) >> np.uint64(32), np.asarray(sample_id, np.uint64)
        return (shard.astype(np.int64) - 1) * self.per_shard + (ordinal & np.uint64(0xFFFFFFFF)).astype(np.int64)


@dataclass(frozen=True)
class Truth:
    """What some samples are.

    Attributes:
        concept: (n,) int64.
        original: (n,) int64 number of the sample it was copied from; its own where it is no copy.
        cosine: (n,) float64 to that sample; 1 for originals and exact twins.
    """

    concept: np.ndarray
    original: np.ndarray
    cosine: np.ndarray


def truth(pool: Pool, number: np.ndarray) -> Truth:
    """What samples are, by their numbers."""
    places = _places(pool, number)
    cosines = np.array([1.0, *(cosine for cosine, _ in pool.copies)])
    return Truth(places.concept, _layout(pool).number(places.original), cosines[places.kind + 1])


@dataclass(frozen=True)
class Traits:
    """What makes one copy preferred to another.

    Attributes:
        url_only: (n,) bool: its verdict; the others' is allow.
        side: (n,) uint32 width and height.
        score: (n,) float32 image-text score.
    """

    url_only: np.ndarray
    side: np.ndarray
    score: np.ndarray


def traits(pool: Pool, number: np.ndarray) -> Traits:
    """Traits of samples, by their numbers; exact twins have one size."""
    places = _places(pool, number)
    chance = _hash(pool, "score", places.slot) >> np.uint64(40)
    return Traits(
        _hash(pool, "verdict", places.slot) % np.uint64(8) == 0,
        np.array(SIDES, np.uint32)[_hash(pool, "side", _picture(pool, places)) % np.uint64(len(SIDES))],
        np.ldexp(chance.astype(np.float32), -24),
    )


def vectors(pool: Pool, number: np.ndarray) -> np.ndarray:
    """(n, dims) float16 unit vectors of samples, by their numbers."""
    made = np.empty((len(number), pool.dims), np.float16)
    for at in range(0, len(number), BLOCK):
        places = _places(pool, number[at : at + BLOCK])
        block = _originals(pool, places.concept, places.original)
        cosine = truth(pool, number[at : at + BLOCK]).cosine
        copied = np.flatnonzero(cosine < 1)
        block[copied] = _copies(pool, block[copied], places.slot[copied], cosine[copied])
        made[at : at + BLOCK] = block
    return made


@dataclass(frozen=True)
class _Layout:
    """Samples sorted by concept: each has a slot. In a concept originals come first, then its copies, kind by kind.

    A sample's number times `step` is its slot, modulo the number of samples: every shard has its part of every concept.
    """

    samples: int
    step: int
    back: int
    start: np.ndarray
    edges: np.ndarray

    def slot(self, number: np.ndarray) -> np.ndarray:
        return _times(number, self.step, self.samples)

    def number(self, slot: np.ndarray) -> np.ndarray:
        return _times(slot, self.back, self.samples)


@dataclass(frozen=True)
class _Places:
    """Slots of samples, their concepts, kinds (-1 for originals), and the slots they were copied from."""

    slot: np.ndarray
    concept: np.ndarray
    kind: np.ndarray
    original: np.ndarray


def _times(values: np.ndarray, factor: int, modulus: int) -> np.ndarray:
    return (np.asarray(values).astype(np.uint64) * np.uint64(factor) % np.uint64(modulus)).astype(np.int64)


@cache
def _layout(pool: Pool) -> _Layout:
    n = pool.samples
    step = max(1, round(n * (math.sqrt(5) - 1) / 2))
    while math.gcd(step, n) != 1:
        step += 1
    sizes = concept_sizes(pool)
    counts = np.array([np.floor(share * sizes) for _, share in pool.copies]).astype(np.int64).reshape(-1, len(sizes))
    first = sizes - counts.sum(axis=0)
    return _Layout(n, step, pow(step, -1, n), np.r_[0, np.cumsum(sizes)], np.vstack([first, first + counts.cumsum(0)]))


def concept_sizes(pool: Pool) -> np.ndarray:
    """(concepts,) int64 number of samples of each concept, copies included."""
    if pool.sizes is not None:
        return np.array(pool.sizes, np.int64)
    weight = np.arange(1, pool.concepts + 1) ** -float(pool.zipf)
    exact = np.cumsum(weight / weight.sum()) * pool.samples
    exact[-1] = pool.samples
    return np.diff(np.r_[0, np.floor(exact)]).astype(np.int64)


def _places(pool: Pool, number: np.ndarray) -> _Places:
    layout = _layout(pool)
    slot = layout.slot(number)
    concept = np.searchsorted(layout.start, slot, side="right") - 1
    local = slot - layout.start[concept]
    kind = (local >= layout.edges[:, concept]).sum(axis=0) - 1
    chance = np.ldexp((_hash(pool, "original", slot) >> np.uint64(11)).astype(np.float64), -53)
    source = (layout.edges[0, concept] * chance**pool.skew).astype(np.int64)
    return _Places(slot, concept, kind, layout.start[concept] + np.where(kind < 0, local, source))


def _picture(pool: Pool, places: _Places) -> np.ndarray:
    """(n,) slots of the samples that first showed the same bytes: exact twins show one picture."""
    exact = np.array([False, *(cosine == 1 for cosine, _ in pool.copies)])
    return np.where(exact[places.kind + 1], places.original, places.slot)


def _hash(pool: Pool, what: str, slot: np.ndarray) -> np.ndarray:
    """(n,) uint64 that depend on pool seed, purpose and slot alone."""
    key = int(sha256_of([pool.seed, what])[:16], 16)
    return splitmix(slot.astype(np.uint64) ^ np.uint64(key))


def _noise(pool: Pool, what: str, slot: np.ndarray, count: int) -> np.ndarray:
    """(n, count) float32 whole numbers from -128 to 127, as likely each."""
    seed = _hash(pool, what, slot)[:, None] + np.arange(0, count, 8, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return splitmix(seed).astype("<u8").view(np.int8).astype(np.float32)


@cache
def _shapes(pool: Pool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(concepts, dims) centroids, (concepts,) spreads, (bases, intrinsic, dims) whole numbers."""
    rng = np.random.default_rng(pool.seed)
    count = len(concept_sizes(pool))
    common, own = _unit(rng.standard_normal((1, pool.dims))), _unit(rng.standard_normal((count, pool.dims)))
    centroids = _unit(math.sqrt(1 - pool.separation) * common + math.sqrt(pool.separation) * own)
    bases = rng.integers(-127, 128, (BASES, pool.intrinsic, pool.dims)).astype(np.float32)
    return centroids.astype(np.float32), rng.uniform(*pool.spread, count).astype(np.float32), bases


def _originals(pool: Pool, concept: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """(n, dims) float32 unit vectors of originals."""
    centroids, spreads, bases = _shapes(pool)
    place = _noise(pool, "place", slot, pool.intrinsic)
    within = np.empty((len(slot), pool.dims), np.float32)
    base = concept % BASES
    by_base = np.argsort(base, kind="stable")
    for some in np.split(by_base, np.flatnonzero(np.diff(base[by_base])) + 1):
        # Sums of at most `intrinsic` products of up to 2 ** 14: exact in float32, in any order.
        within[some] = place[some] @ bases[base[some[0]]]
    within *= np.float32(math.sqrt(1 - NOISE) / (UNIFORM**2 * math.sqrt(pool.intrinsic * pool.dims)))
    within += _noise(pool, "noise", slot, pool.dims) * np.float32(math.sqrt(NOISE / pool.dims) / UNIFORM)
    # Some samples of a concept lie nearer to its centroid than others.
    share = np.ldexp((_hash(pool, "spread", slot) >> np.uint64(40)).astype(np.float32), -24)
    sine = np.minimum(spreads[concept] * (np.float32(0.9) + np.float32(0.3) * share), np.float32(0.99))[:, None]
    return _unit(np.sqrt(1 - sine * sine) * centroids[concept] + sine * within)


def _copies(pool: Pool, original: np.ndarray, slot: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """(n, dims) float32 unit vectors at given cosines to (n, dims) ones."""
    aside = _noise(pool, "aside", slot, pool.dims)
    aside -= (aside * original).sum(axis=1, keepdims=True) * original
    near = cosine.astype(np.float32)[:, None]
    return _unit(near * original + np.sqrt(1 - near * near) * _unit(aside))


def _unit(rows: np.ndarray) -> np.ndarray:
    rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return rows


def simulate(
    home: str | os.PathLike[str], pool: Pool, settings: Mapping[str, Any] | None = None, processes: int = 2
) -> Build:
    """Write a pool into a home of its own, as if every step before dedup had run; returns the build to go on with.

    What is there already is left. A shard's crawl file is a tar that holds the pool's settings and no picture: another
    pool is other crawl files, and so other fingerprints all the way. No such home should be used for anything else.

    Args:
        home: folder; one pool each.
        pool: see `Pool`.
        settings: sections of the recipe, e.g. {"clusters": {"k": 100}}, instead of their defaults.
        processes: that make shards at the same time; the bytes are the same for any number.

    Raises:
        ValueError: where another pool was simulated in that folder.
    """
    folder = Path(home)
    _write_sources(folder, pool, settings or {})
    build = open_pool(folder, renew=True)
    tasks = []
    for shard in build.snapshot.shards:
        paths = {
            (step, table): str(build.path(build.steps[step], shard, table))
            for step, tables in WRITTEN.items()
            for table in tables
        }
        if not all(Path(path).exists() for path in paths.values()):
            tasks.append((str(folder), pool, shard.shard_id, paths))
    if processes == 1 or len(tasks) < 2:
        for task in tasks:
            write_shard(*task)
    else:
        with _one_thread_each(), multiprocessing.get_context("spawn").Pool(processes) as workers:
            workers.starmap(write_shard, tasks, chunksize=1)
    agreed = build.path(build.steps["agreement"], None, "decision")
    if not agreed.exists():
        build.lake.write_table(agreed, (_kept("agreement", pool, i + 1) for i in range(pool.shards)))
    return build


def open_pool(home: str | os.PathLike[str], renew: bool = False) -> Build:
    """The build of a home that `simulate` made."""
    for room in ROOMS:
        importlib.import_module(f"assets.{room}.stage")
    from orchestration.recipe import load_recipe
    from orchestration.stages import open_build

    return open_build(load_recipe(Path(home) / RECIPE), home, renew)


def _write_sources(home: Path, pool: Pool, settings: Mapping[str, Any]) -> None:
    """The recipe and one small crawl file for each shard."""
    (home / "shards").mkdir(parents=True, exist_ok=True)
    recipe = {
        "name": "simulated",
        "crawl": {"sources": [{"name": "simulated", "uris": ["shards/*.tar"], "kind": "images"}]},
        "prune": {"keep": 0.3},
        "release": {"name": "simulated"},
        **settings,
    }
    (home / RECIPE).write_text(yaml.safe_dump(recipe), encoding="utf-8")
    for shard_id in range(1, pool.shards + 1):
        path = home / "shards" / f"{shard_id:06}.tar"
        said = json.dumps({**asdict(pool), "shard": shard_id}, sort_keys=True).encode()
        if path.exists():
            if said not in path.read_bytes():
                raise ValueError(f"{home}: another pool was simulated there; give every pool a folder of its own")
            continue
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo("pool.json")
            entry.size = len(said)
            tar.addfile(entry, io.BytesIO(said))


def write_shard(home: str, pool: Pool, shard_id: int, paths: Mapping[tuple[str, str], str]) -> None:
    """Write one shard's tables under their paths, by (step, table)."""
    lake = Lake(home)
    for (step, table), rows in shard_tables(pool, shard_id).items():
        lake.write_table(UPath(paths[step, table]), rows)


def shard_tables(pool: Pool, shard_id: int) -> dict[tuple[str, str], pa.Table]:
    """Tables of a shard, by step and table; columns that no step from dedup to selection reads are as short as can be."""
    number = pool.rows(shard_id)
    ids, n = pool.ids(number), len(number)
    found = traits(pool, number)
    picture = _picture(pool, _places(pool, number))
    sha256 = _sha256(_hash(pool, "bytes", picture))
    verdict = pc.if_else(pa.array(found.url_only), pa.scalar("url_only"), pa.scalar("allow"))
    one = as_column(np.ones((n, 1), np.float16))
    return {
        ("crawl", "sample"): _table("sample", n, sample_id=ids, shard_id=shard_id, image_id=ids, other_urls=[], position=0),
        ("crawl", "image"): _table(
            "image", n, image_id=ids, shard_id=shard_id, sha256=sha256, md5=bytes(16),
            phash=_bytes(_hash(pool, "phash", picture), 8), width=found.side, height=found.side, format="JPEG", bytes=1,
            frames=1, file="none", member="none", stored_sha256=sha256,
            stored_bytes=1, stored_format="JPEG", stored_width=found.side,
            stored_height=found.side,
        ),
        ("rights", "rights"): _table(
            "rights", n, sample_id=ids, image_license="NONE", text_license="NONE", obligations=0, confidence=0.0,
            conflict=False, reservation="unknown", verdict=verdict, reason="simulated",
        ),
        ("embeddings", "embedding"): _table(
            "embedding", n, sample_id=ids, image_sha256=sha256, text_sha256=bytes(32), image=one,
            image_raw=as_column(vectors(pool, number)), text=one,
        ),
        ("embeddings", "score"): _table("score", n, sample_id=ids, scorer=SCORER, model="simulated", value=found.score),
        ("embeddings", "decision"): _kept("embeddings", pool, shard_id),
    }  # fmt: skip


def _table(name: str, n: int, **columns: Any) -> pa.Table:
    """n rows of a table of the contract: one value stands for all rows, columns left out are null."""
    made = {}
    for field in TABLES[name].schema:
        value = columns.get(field.name)
        whole = isinstance(value, (np.ndarray, pa.Array))
        made[field.name] = value if whole else pa.repeat(pa.scalar(value, field.type), n)
    return conform(name, pa.table(made))


def _kept(stage: str, pool: Pool, shard_id: int) -> pa.Table:
    """Decisions that keep all samples of a shard."""
    ids = pool.ids(pool.rows(shard_id))
    return decision_table(stage, ids, np.ones(len(ids), bool), pa.nulls(len(ids), pa.string()))


def _sha256(hashes: np.ndarray) -> pa.Array:
    """Values of the length of SHA-256 that differ where hashes do; mostly zeros, so that they take little room."""
    return _bytes(np.pad(hashes[:, None], ((0, 0), (0, 3))), 32)


def _bytes(words: np.ndarray, width: int) -> pa.Array:
    """Bytes of little-endian whole numbers, so many to a value."""
    data = np.ascontiguousarray(words.astype("<u8"))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), data.nbytes // width, [None, pa.py_buffer(data)])


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile multiply matrices on one thread each."""
    names: Sequence[str] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
