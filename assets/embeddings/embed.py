"""One shard's vectors: every distinct picture and text is encoded once, or taken from an earlier build."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.crawl.images import ImageRefused, decode
from assets.embeddings.cache import ENCODER, Found, VectorCache, as_column, as_matrix
from assets.embeddings.rank import rank_among
from assets.provenance.decisions import decision_table
from assets.provenance.tables import conform
from resources.encoder import LazyEncoder

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
    """

    rank: tuple[int, int] | None = None
    max_pixels: int = 1 << 31


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
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Vectors, image-text cosine and a decision for every sample of a shard.

    Args:
        rows: sample_id, image_sha256, file, member, text; any order; a null text counts as empty.
        read_images: gives the pictures' bytes, which are decoded by a thread while the model computes.
        encoder: loaded only if a vector is missing in `cache`.
        cache: earlier files by the same encoder; the result has the same bits with and without it.
        settings: ranking and limits.

    Returns:
        Tables `embedding`, `score` and `decision`, sorted by sample_id. A picture that cannot be decoded
        (`not_decodable`), or to which a tower has no finite answer (`no_vector`), is dropped and has neither vectors nor
        scores; everything else stays: rules about the scores are asked by step `agreement`.
    """
    settings = settings or EmbedSettings()
    rows = rows.sort_by("sample_id")
    texts = ["" if text is None else text for text in rows["text"].to_pylist()]
    keys = [
        _Key(image, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        for image, text in zip(rows["image_sha256"].to_pylist(), texts, strict=True)
    ]
    found = cache.lookup({k.image for k in keys}, {k.text for k in keys}) if cache else Found()
    refused = _add_images(rows, found, read_images, encoder, settings.max_pixels)
    _add_texts({key.text: text for key, text in zip(keys, texts, strict=True)}, found, encoder)
    whole = np.array([k.image in found.images and k.text in found.texts for k in keys], dtype=bool)
    embedded = [key for key, is_whole in zip(keys, whole, strict=True) if is_whole]
    sample_id = rows["sample_id"].filter(pa.array(whole))
    embedding = _embedding_table(sample_id, embedded, found, encoder, cache)
    missing = ["not_decodable" if key.image in refused else "no_vector" for key in keys]
    reason = [None if is_whole else absent for is_whole, absent in zip(whole, missing, strict=True)]
    decision = decision_table("embeddings", rows["sample_id"].to_numpy(), whole, reason)
    return embedding, _scores(embedding, encoder.agent.id, settings.rank), decision


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


def _add_images(
    rows: pa.Table, found: Found, read_images: ReadImages, encoder: LazyEncoder, max_pixels: int
) -> set[bytes]:
    """Encode the pictures that `found` lacks, once each, and add them; returns the hashes of undecodable ones."""
    places: dict[bytes, tuple[str, str]] = {}
    for sha256, file, member in zip(*(rows[c].to_pylist() for c in ("image_sha256", "file", "member")), strict=True):
        if sha256 not in found.images:
            places.setdefault(sha256, (file, member))
    refused: set[bytes] = set()
    decoded: list[bytes] = []
    if not places:
        return refused

    def pictures() -> Iterator[Image.Image]:
        for sha256, data in _read(places, read_images):
            try:
                picture = decode(data, max_pixels)
            except ImageRefused:
                refused.add(sha256)
                continue
            decoded.append(sha256)
            yield picture

    projected, raw = encoder.load().encode_images(pictures())
    for sha256, a, b in zip(decoded, projected, raw, strict=True):
        if np.isfinite(a).all() and np.isfinite(b).all():
            found.images[sha256] = (a.astype(np.float16), b.astype(np.float16))
    return refused


def _read(places: dict[bytes, tuple[str, str]], read_images: ReadImages) -> Iterator[tuple[bytes, bytes]]:
    """(hash, bytes) of every picture, tar by tar."""
    files: dict[str, list[tuple[bytes, str]]] = {}
    for sha256, (file, member) in places.items():
        files.setdefault(file, []).append((sha256, member))
    for file, wanted in sorted(files.items()):
        for (sha256, _), data in zip(wanted, read_images(file, [member for _, member in wanted]), strict=True):
            yield sha256, data


def _add_texts(texts: dict[bytes, str], found: Found, encoder: LazyEncoder) -> None:
    """Encode the texts that `found` lacks, once each, and add them."""
    missing = {sha256: text for sha256, text in texts.items() if sha256 not in found.texts}
    if not missing:
        return
    vectors = encoder.load().encode_texts(list(missing.values()))
    for sha256, vector in zip(missing, vectors, strict=True):
        if np.isfinite(vector).all():
            found.texts[sha256] = vector.astype(np.float16)


def _embedding_table(
    sample_id: pa.ChunkedArray, keys: Sequence[_Key], found: Found, encoder: LazyEncoder, cache: VectorCache | None
) -> pa.Table:
    """Table `embedding` with the encoder's key in its metadata."""
    if keys:
        image, raw = (np.stack([found.images[key.image][i] for key in keys]) for i in (0, 1))
        text = np.stack([found.texts[key.text] for key in keys])
    else:
        # A column of vectors has a length even without rows; an earlier file knows it without a model.
        dim, raw_dim = (cache.dims() if cache else None) or (encoder.load().dim, encoder.load().raw_dim)
        image, raw, text = (np.empty((0, d), np.float16) for d in (dim, raw_dim, dim))
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
    return conform("embedding", table).replace_schema_metadata({ENCODER: encoder.key})
