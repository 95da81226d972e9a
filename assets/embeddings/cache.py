"""Vectors that earlier builds computed, looked up by what they were computed from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ENCODER = "winnow.encoder"
"""Parquet key-value metadata of a file of table `embedding`: the key of the encoder that made its vectors."""

UNIT = 2e-3
"""How far from 1 the length of a unit vector may lie once its components are float16."""


class File(Protocol):
    """A path, local or not."""

    def open(self, mode: str) -> Any:
        """A binary stream."""


@dataclass
class Found:
    """Vectors by content key, as stored: float16, read-only."""

    images: dict[bytes, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    texts: dict[bytes, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class VectorCache:
    """Earlier files of table `embedding`, of which those by the same encoder are asked.

    Attributes:
        files: Parquet files, in any order.
        key: of the encoder; files with another one, or none, are passed over.
    """

    files: Sequence[File]
    key: str

    def lookup(self, images: Iterable[bytes], texts: Iterable[bytes]) -> Found:
        """Vectors of images and texts given by SHA-256; what no file has is missing in the answer.

        A file that cannot be read, or whose vectors are not unit length, gives nothing: the vectors are then computed.
        """
        wanted_images, wanted_texts, found = set(images), set(texts), Found()
        for file in self.files:
            if not wanted_images and not wanted_texts:
                break
            try:
                with file.open("rb") as stream:
                    _collect(stream, self.key, wanted_images, wanted_texts, found)
            except (OSError, pa.ArrowInvalid):
                continue
            wanted_images -= found.images.keys()
            wanted_texts -= found.texts.keys()
        return found

    def dims(self) -> tuple[int, int] | None:
        """Length of projected and of raw vectors, from the first file by this encoder; None if there is none."""
        for file in self.files:
            try:
                with file.open("rb") as stream:
                    schema = pq.read_schema(stream)
            except (OSError, pa.ArrowInvalid):
                continue
            if _is_by(schema, self.key):
                return schema.field("image").type.list_size, schema.field("image_raw").type.list_size
        return None


def _is_by(schema: pa.Schema, key: str) -> bool:
    return (schema.metadata or {}).get(ENCODER.encode()) == key.encode()


def _collect(stream: BinaryIO, key: str, images: set[bytes], texts: set[bytes], found: Found) -> None:
    """Add what one file has; row groups without a wanted key are not read beyond their key columns."""
    file = pq.ParquetFile(stream)
    if not _is_by(file.schema_arrow, key):
        return
    for group in range(file.metadata.num_row_groups):
        keys = file.read_row_group(group, columns=["image_sha256", "text_sha256"])
        image_keys, text_keys = keys["image_sha256"].to_pylist(), keys["text_sha256"].to_pylist()
        new_images = _first_rows(image_keys, images - found.images.keys())
        new_texts = _first_rows(text_keys, texts - found.texts.keys())
        if new_images:
            projected, raw = (_vectors(file, group, column, new_images.values()) for column in ("image", "image_raw"))
            for sha256, a, b in zip(new_images, projected, raw, strict=True):
                if _is_unit(a) and _is_unit(b):
                    found.images[sha256] = (a, b)
        if new_texts:
            for sha256, vector in zip(new_texts, _vectors(file, group, "text", new_texts.values()), strict=True):
                if _is_unit(vector):
                    found.texts[sha256] = vector


def _first_rows(keys: Sequence[bytes], wanted: set[bytes]) -> dict[bytes, int]:
    rows: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        if key in wanted:
            rows.setdefault(key, row)
    return rows


def _vectors(file: pq.ParquetFile, group: int, column: str, rows: Iterable[int]) -> np.ndarray:
    """(n, d) float16 vectors of some rows of a row group."""
    stored = file.read_row_group(group, columns=[column])[column].combine_chunks()
    return as_matrix(pc.take(stored, pa.array(list(rows), pa.int64())))


def as_matrix(vectors: pa.FixedSizeListArray | pa.ChunkedArray) -> np.ndarray:
    """(n, d) array of a column of vectors, whatever its chunks and offsets."""
    if isinstance(vectors, pa.ChunkedArray):
        vectors = vectors.combine_chunks()
    return vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(vectors), vectors.type.list_size)


def as_column(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """A column of vectors from an (n, d) float16 array; d must not be 0."""
    flat = pa.array(np.ascontiguousarray(matrix, np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _is_unit(vector: np.ndarray) -> bool:
    length = float(np.linalg.norm(vector.astype(np.float64)))
    return abs(length - 1) <= UNIT
