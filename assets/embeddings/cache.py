"""Vectors that earlier builds computed, looked up by what they were computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from resources.lake import LakeError, local_path

ENCODER = "winnow.encoder"
"""Parquet key-value metadata of a file of table `embedding`: the key of the encoder that made its vectors."""

CONCEPTS = "winnow.encoder.concepts"
"""The same for the encoder that made `image_raw`, where that is a second one; without it, it was the first."""

UNIT = 2e-3
"""How far from 1 the length of a unit vector may lie once its components are float16."""


@dataclass
class Found:
    """Vectors by content key, as stored: float16, read-only. One picture's two vectors may come from two encoders."""

    images: dict[bytes, np.ndarray] = field(default_factory=dict)
    raws: dict[bytes, np.ndarray] = field(default_factory=dict)
    texts: dict[bytes, np.ndarray] = field(default_factory=dict)

    def has(self, image: bytes, text: bytes) -> bool:
        """Is every vector of a sample with that picture and that text there?"""
        return image in self.images and image in self.raws and text in self.texts


@dataclass(frozen=True)
class VectorCache:
    """Earlier files of table `embedding`, of which the columns by the same encoder are asked.

    Attributes:
        files: Parquet files, in any order.
        key: of the encoder of `image` and `text`; files with another one, or none, are passed over.
        raw_key: of the encoder of `image_raw`; None where that is the first one.
    """

    files: Sequence[UPath]
    key: str
    raw_key: str | None = None

    def lookup(self, images: Iterable[bytes], texts: Iterable[bytes]) -> Found:
        """Vectors of images and texts given by SHA-256; what no file has is missing in the answer.

        A file that cannot be read, or whose vectors are not unit length, gives nothing: the vectors are then computed.
        """
        pictures, found = set(images), Found()
        wanted = {
            "image": (pictures, found.images),
            "image_raw": (pictures, found.raws),
            "text": (set(texts), found.texts),
        }
        for file in self.files:
            missing = {column: keys - vectors.keys() for column, (keys, vectors) in wanted.items()}
            if not any(missing.values()):
                break
            try:
                with local_path(file).open("rb") as stream:
                    self._collect(stream, {c: (keys, wanted[c][1]) for c, keys in missing.items() if keys})
            except (OSError, LakeError, pa.ArrowInvalid):
                continue
        return found

    def dims(self) -> tuple[int | None, int | None]:
        """Length of projected and of raw vectors, from the first file by their encoder; None where there is none."""
        lengths: dict[str, int] = {}
        for file in self.files:
            if len(lengths) == 2:
                break
            try:
                with local_path(file).open("rb") as stream:
                    schema = pq.read_schema(stream)
            except (OSError, LakeError, pa.ArrowInvalid):
                continue
            for column in self._columns(schema) & {"image", "image_raw"}:
                lengths.setdefault(column, schema.field(column).type.list_size)
        return lengths.get("image"), lengths.get("image_raw")

    def _columns(self, schema: pa.Schema) -> set[str]:
        """Columns of a file that this cache's encoders made."""
        metadata = schema.metadata or {}
        key = metadata.get(ENCODER.encode())
        raw_key = metadata.get(CONCEPTS.encode(), key)
        ours = {"image", "text"} if key == self.key.encode() else set()
        ours |= {"image_raw"} if raw_key == (self.raw_key or self.key).encode() else set()
        return ours & set(schema.names)

    def _collect(self, stream: BinaryIO, wanted: Mapping[str, tuple[set[bytes], dict[bytes, np.ndarray]]]) -> None:
        """Add what one file has; row groups without a wanted key are not read beyond their key columns.

        Args:
            stream: the file.
            wanted: for each column the keys that are missing, and where their vectors go.
        """
        file = pq.ParquetFile(stream)
        columns = self._columns(file.schema_arrow) & wanted.keys()
        if not columns:
            return
        content = sorted({_key_of(column) for column in columns})
        for group in range(file.metadata.num_row_groups):
            keys = {name: values.to_pylist() for name, values in _read(file, group, content).items()}
            for column in sorted(columns):
                missing, found = wanted[column]
                rows = _first_rows(keys[_key_of(column)], missing - found.keys())
                if not rows:
                    continue
                for sha256, vector in zip(rows, _vectors(file, group, column, rows.values()), strict=True):
                    if _is_unit(vector):
                        found[sha256] = vector


def _key_of(column: str) -> str:
    """The column that holds the content key of a column of vectors."""
    return "text_sha256" if column == "text" else "image_sha256"


def _read(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    table = file.read_row_group(group, columns=list(columns))
    return {name: table[name] for name in columns}


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
