"""One shard's vectors: every distinct picture and text is encoded once, or taken from an earlier build."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from assets.crawl.images import ImageRefused, decode
from assets.embeddings.cache import CONCEPTS, ENCODER, Found, VectorCache, as_column, as_matrix
from assets.embeddings.rank import rank_among
from assets.provenance.decisions import decision_table
from assets.provenance.tables import conform
from resources.batches import ahead, in_order, one_behind
from resources.encoder import Encoder, LazyEncoder

SCORER = "image_text_similarity"
RANK = "image_text_rank"

ReadImages = Callable[[str, Sequence[str]], Iterator[bytes]]
"""(file, members) -> bytes of those members of a tar, in that order; `file` as table `image` names it."""


@dataclass(frozen=True)
class EmbedSettings:
    """How a shard is embedded.

    Attributes:
        rank: negatives and seed of `rank_among`; None where nobody asks for a text's place.
        max_pixels: larger pictures are not decoded; the crawl's own limit has let the others through.
        decode_threads: threads that decode and resize; they decide no bit.
    """

    rank: tuple[int, int] | None = None
    max_pixels: int = 1 << 31
    decode_threads: int = 1


@dataclass(frozen=True)
class Done:
    """How far a shard is.

    Attributes:
        what: `images`, `concept images` (of a second encoder) or `texts`.
        done: so many have been handed to the encoder.
        total: so many distinct ones it has to compute.
        cached: so many distinct ones came from earlier builds.
    """

    what: str
    done: int
    total: int
    cached: int


Tell = Callable[[Done], None]
"""Who is told: once for each encoder's images and for texts before anything is computed, then after every batch."""


@dataclass(frozen=True)
class _Key:
    """A row's content: where its vectors come from."""

    image: bytes
    text: bytes


def embed_shard(
    rows: pa.Table,
    read_images: ReadImages,
    encoder: LazyEncoder,
    cache: VectorCache | None = None,
    settings: EmbedSettings | None = None,
    concepts: LazyEncoder | None = None,
    tell: Tell | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Vectors, image-text cosine and a decision for every sample of a shard.

    Args:
        rows: sample_id, image_sha256, file, member, text; any order; a null text counts as empty.
        read_images: gives the pictures' bytes, which are decoded by threads while the model computes.
        encoder: of texts and pictures; loaded only if one of its vectors is missing in `cache`.
        cache: earlier files by the same encoders; the result has the same bits with and without it.
        settings: ranking, limits and threads.
        concepts: a second encoder, whose raw vectors stand in column `image_raw`; without it, the first's do.
        tell: is told how far it is, from the calling thread.

    Returns:
        Tables `embedding`, `score` and `decision`, sorted by sample_id. A picture that cannot be decoded
        (`not_decodable`), or to which a tower has no finite answer (`no_vector`), is dropped and has neither vectors nor
        scores; everything else stays: rules about the scores are asked by step `agreement`.
    """
    settings, tell = settings or EmbedSettings(), tell or (lambda _: None)
    rows = rows.sort_by("sample_id")
    texts = ["" if text is None else text for text in rows["text"].to_pylist()]
    keys = [
        _Key(image, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        for image, text in zip(rows["image_sha256"].to_pylist(), texts, strict=True)
    ]
    found = cache.lookup({k.image for k in keys}, {k.text for k in keys}) if cache else Found()
    refused = _add_images(rows, found, read_images, _image_work(found, encoder, concepts), settings, tell)
    _add_texts({key.text: text for key, text in zip(keys, texts, strict=True)}, found, encoder, tell)
    whole = np.array([found.has(key.image, key.text) for key in keys], dtype=bool)
    embedded = [key for key, is_whole in zip(keys, whole, strict=True) if is_whole]
    sample_id = rows["sample_id"].filter(pa.array(whole))
    embedding = _embedding_table(sample_id, embedded, found, _dims(encoder, concepts, cache, bool(embedded)))
    embedding = embedding.replace_schema_metadata(metadata_of(encoder, concepts))
    missing = ["not_decodable" if key.image in refused else "no_vector" for key in keys]
    reason = [None if is_whole else absent for is_whole, absent in zip(whole, missing, strict=True)]
    decision = decision_table("embeddings", rows["sample_id"].to_numpy(), whole, reason)
    return embedding, _scores(embedding, encoder.agent.id, settings.rank), decision


def metadata_of(encoder: LazyEncoder, concepts: LazyEncoder | None) -> dict[str, str]:
    """Whose vectors a file of table `embedding` holds, as its Parquet metadata says it."""
    return {ENCODER: encoder.key} | ({CONCEPTS: concepts.key} if concepts else {})


def _scores(embedding: pa.Table, model: str, rank: tuple[int, int] | None) -> pa.Table:
    """Table `score`: how well picture and text agree and, where asked for, which place the text has among others."""
    found = {SCORER: cosine(embedding)}
    if rank is not None:
        image, text = as_matrix(embedding["image"]), as_matrix(embedding["text"])
        found[RANK] = rank_among(image, text, embedding["sample_id"].to_numpy(), *rank)
    tables = [
        pa.table(
            {
                "sample_id": embedding["sample_id"],
                "scorer": pa.array([name] * embedding.num_rows, pa.string()),
                "model": pa.array([model] * embedding.num_rows, pa.string()),
                "value": pa.array(values.astype(np.float32)),
            }
        )
        for name, values in found.items()
    ]
    return conform("score", pa.concat_tables(tables).sort_by([("sample_id", "ascending"), ("scorer", "ascending")]))


def cosine(embedding: pa.Table) -> np.ndarray:
    """(n,) cosines of image and text, from the vectors as stored, so that stored vectors give the same number again."""
    image, text = (as_matrix(embedding[name]).astype(np.float64) for name in ("image", "text"))
    lengths = np.sqrt((image * image).sum(axis=1) * (text * text).sum(axis=1))
    return ((image * text).sum(axis=1) / lengths).astype(np.float32).astype(np.float64)


@dataclass
class _ImageWork:
    """One encoder's part of the pictures: which of its vectors are kept, and where."""

    what: str
    encoder: LazyEncoder
    projected: dict[bytes, np.ndarray] | None
    raw: dict[bytes, np.ndarray] | None
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _tower: Encoder | None = None

    def tower(self) -> Encoder:
        """The encoder, loaded at the first call: pictures of which none can be decoded need no model."""
        with self._loading:
            if self._tower is None:
                self._tower = self.encoder.load()
            return self._tower

    def lacks(self, sha256: bytes) -> bool:
        return any(found is not None and sha256 not in found for found in (self.projected, self.raw))

    def add(self, sha256: bytes, projected: np.ndarray, raw: np.ndarray) -> None:
        """Keep a picture's vectors; one without a finite answer has none."""
        for found, vector in ((self.projected, projected), (self.raw, raw)):
            if found is not None and np.isfinite(vector).all():
                found.setdefault(sha256, vector.astype(np.float16))


def _image_work(found: Found, encoder: LazyEncoder, concepts: LazyEncoder | None) -> list[_ImageWork]:
    if concepts is None:
        return [_ImageWork("images", encoder, found.images, found.raws)]
    return [
        _ImageWork("images", encoder, found.images, None),
        _ImageWork("concept images", concepts, None, found.raws),
    ]


def _add_images(
    rows: pa.Table,
    found: Found,
    read_images: ReadImages,
    work: Sequence[_ImageWork],
    settings: EmbedSettings,
    tell: Tell,
) -> set[bytes]:
    """Encode the pictures that an encoder lacks, once each, and add them; returns the hashes of undecodable ones."""
    places: dict[bytes, tuple[str, str]] = {}
    for sha256, file, member in zip(*(rows[c].to_pylist() for c in ("image_sha256", "file", "member")), strict=True):
        places.setdefault(sha256, (file, member))
    lacking = [{sha256 for sha256 in places if part.lacks(sha256)} for part in work]
    done = [0] * len(work)
    for part, mine in zip(work, lacking, strict=True):
        tell(Done(part.what, 0, len(mine), len(places) - len(mine)))
    wanted = {sha256: place for sha256, place in places.items() if any(sha256 in mine for mine in lacking)}
    if not wanted:
        return set()
    refused: set[bytes] = set()

    def begun() -> Iterator[tuple[tuple[int, list[bytes]], Callable[[], tuple[np.ndarray, np.ndarray]]]]:
        prepared = _prepared(_read(wanted, read_images), work, lacking, settings, refused)
        for number, hashes, pixels in ahead(_batches(prepared, work)):
            yield (number, hashes), work[number].tower().begin_images(pixels)

    for (number, hashes), vectors in one_behind(begun()):
        for sha256, projected, raw in zip(hashes, *vectors, strict=True):
            work[number].add(sha256, projected, raw)
        done[number] += len(hashes)
        total = len(lacking[number])
        tell(Done(work[number].what, done[number], total, len(places) - total))
    return refused


_Pixels = tuple[bytes, list[np.ndarray | None]]
"""A picture's hash and, for each encoder that lacks it, what its image tower takes."""


def _prepared(
    pictures: Iterator[tuple[bytes, bytes]],
    work: Sequence[_ImageWork],
    lacking: Sequence[set[bytes]],
    settings: EmbedSettings,
    refused: set[bytes],
) -> Iterator[_Pixels]:
    """Pictures decoded once and resized for every encoder that lacks them, in order, by several threads."""

    def prepare(picture: tuple[bytes, bytes]) -> _Pixels | bytes:
        sha256, data = picture
        try:
            image = decode(data, settings.max_pixels)
        except ImageRefused:
            return sha256
        return sha256, [
            part.tower().prepare(image) if sha256 in mine else None for part, mine in zip(work, lacking, strict=True)
        ]

    for one in in_order(prepare, pictures, settings.decode_threads):
        if isinstance(one, bytes):
            refused.add(one)
        else:
            yield one


def _batches(prepared: Iterator[_Pixels], work: Sequence[_ImageWork]) -> Iterator[tuple[int, list[bytes], np.ndarray]]:
    """(encoder's number, hashes, pixels) of full batches, then of what is left."""
    open_batches: list[tuple[list[bytes], list[np.ndarray]]] = [([], []) for _ in work]
    for sha256, each in prepared:
        for number, pixels in enumerate(each):
            if pixels is None:
                continue
            hashes, rows = open_batches[number]
            hashes.append(sha256)
            rows.append(pixels)
            if len(rows) == work[number].tower().batch_size:
                yield number, hashes, np.stack(rows)
                open_batches[number] = ([], [])
    for number, (hashes, rows) in enumerate(open_batches):
        if rows:
            yield number, hashes, np.stack(rows)


def _read(places: dict[bytes, tuple[str, str]], read_images: ReadImages) -> Iterator[tuple[bytes, bytes]]:
    """(hash, bytes) of every picture, tar by tar."""
    files: dict[str, list[tuple[bytes, str]]] = {}
    for sha256, (file, member) in places.items():
        files.setdefault(file, []).append((sha256, member))
    for file, wanted in sorted(files.items()):
        for (sha256, _), data in zip(wanted, read_images(file, [member for _, member in wanted]), strict=True):
            yield sha256, data


def _add_texts(texts: dict[bytes, str], found: Found, encoder: LazyEncoder, tell: Tell) -> None:
    """Encode the texts that `found` lacks, once each, and add them."""
    missing = {sha256: text for sha256, text in texts.items() if sha256 not in found.texts}
    cached = len(texts) - len(missing)
    tell(Done("texts", 0, len(missing), cached))
    if not missing:
        return
    vectors = encoder.load().encode_texts(list(missing.values()))
    for sha256, vector in zip(missing, vectors, strict=True):
        if np.isfinite(vector).all():
            found.texts[sha256] = vector.astype(np.float16)
    tell(Done("texts", len(missing), len(missing), cached))


def _dims(
    encoder: LazyEncoder, concepts: LazyEncoder | None, cache: VectorCache | None, known: bool
) -> tuple[int, int] | None:
    """Length of projected and raw vectors of a table without rows; None where rows tell it.

    A column of vectors has a length even without rows; an earlier file knows it without a model.
    """
    if known:
        return None
    dim, raw_dim = cache.dims() if cache else (None, None)
    return dim or encoder.load().dim, raw_dim or (concepts or encoder).load().raw_dim


def _embedding_table(
    sample_id: pa.ChunkedArray, keys: Sequence[_Key], found: Found, dims: tuple[int, int] | None
) -> pa.Table:
    """Table `embedding`; `dims` are the lengths of its vectors where it has no rows."""
    if dims is None:
        image, raw = (np.stack([vectors[key.image] for key in keys]) for vectors in (found.images, found.raws))
        text = np.stack([found.texts[key.text] for key in keys])
    else:
        image, raw, text = (np.empty((0, d), np.float16) for d in (dims[0], dims[1], dims[0]))
    table = pa.table(
        {
            "sample_id": sample_id,
            "image_sha256": pa.array([key.image for key in keys], pa.binary(32)),
            "text_sha256": pa.array([key.text for key in keys], pa.binary(32)),
            "image": as_column(image),
            "image_raw": as_column(raw),
            "text": as_column(text),
        }
    )
    return conform("embedding", table)
