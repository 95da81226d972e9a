"""The lake: immutable, content-addressed Parquet files under one home folder.

A file's name holds the fingerprint of everything it was made from, so "done" means "the file exists". Files are written
under a temporary name, read back, and renamed; nothing is ever changed in place.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

ROWS_PER_GROUP = 65_536


class LakeError(Exception):
    """A file of the home could not be read or written; the message says which one and what to do."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the home as the manifest and the run ledger list it.

    Attributes:
        uri: relative to the home, with forward slashes.
        sha256: hash of its bytes, hexadecimal.
        rows: number of rows; None where it is not a table.
        bytes: size.
    """

    uri: str
    sha256: str
    rows: int | None
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def canonical_json(value: Any) -> bytes:
    """One byte string per value: sorted keys, no white space, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_of(value: Any) -> str:
    """Hexadecimal SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def hash_file(path: UPath) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Lake:
    """Files under one home: tables of the lake, documents (JSON) and folders that are published whole."""

    def __init__(self, home: str | os.PathLike[str] | UPath) -> None:
        self.home = UPath(home)

    def prepare(self) -> None:
        """Create the home and show that it can be written; raises LakeError if not."""
        with self._plain_errors(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / f".probe-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()

    def path(self, table: str, shard: str, fingerprint: str, suffix: str = "parquet") -> UPath:
        """Where a table of one shard lies, from its fingerprint alone."""
        return self.home / "lake" / table / f"{shard}-{fingerprint}.{suffix}"

    def uri(self, path: UPath) -> str:
        """A path relative to the home."""
        return path.relative_to(self.home).as_posix()

    def write_table(
        self, path: UPath, table: pa.Table | Iterable[pa.Table], metadata: Mapping[str, str] | None = None
    ) -> StoredFile:
        """Write a table as Parquet under its final name and say what was written.

        The file is read back before it is renamed. `metadata` goes into the Parquet key-value metadata. A table may
        come in parts, of which one row group is held at a time; the file's bytes do not depend on how it was parted.
        """
        extra = {key.encode(): value.encode() for key, value in sorted((metadata or {}).items())}
        rows, names = 0, None
        with self.new_file(path) as partial:
            with partial.open("wb") as stream, ExitStack() as stack:
                writer = None
                for group in _in_row_groups([table] if isinstance(table, pa.Table) else table):
                    group = group.replace_schema_metadata(extra or None)
                    if writer is None:
                        names = group.schema.names
                        writer = pq.ParquetWriter(
                            stream, group.schema, compression="zstd", compression_level=3, store_schema=True,
                            **_encodings(group.schema),
                        )  # fmt: skip
                        stack.enter_context(writer)
                    writer.write_table(group, row_group_size=ROWS_PER_GROUP)
                    rows += group.num_rows
            with partial.open("rb") as stream:
                back = pq.ParquetFile(stream)
                if back.metadata.num_rows != rows or back.schema_arrow.names != names:
                    raise LakeError(f"{path}: what was written could not be read back; check the disk and run again")
        return self.describe(path, rows=rows)

    def read_table(
        self, paths: Sequence[UPath], columns: Sequence[str] | None = None, ids: tuple[int, int] | None = None
    ) -> pa.Table:
        """Rows of several files of one table, in the order of the files.

        Args:
            paths: the files.
            columns: those to read; None for all.
            ids: only rows with low <= sample_id < high; row groups without any are not read.
        """
        parts = []
        for path in paths:
            with self._plain_errors(path), path.open("rb") as stream:
                if ids is None:
                    parts.append(pq.read_table(stream, columns=list(columns) if columns is not None else None))
                else:
                    parts.append(_between(pq.ParquetFile(stream), columns, *ids))
        table = pa.concat_tables(parts) if len(parts) != 1 else parts[0]
        return table.replace_schema_metadata(None)

    def each_group(self, path: UPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of one file, a row group at a time."""
        with self._plain_errors(path), path.open("rb") as stream:
            file = pq.ParquetFile(stream)
            for group in range(file.metadata.num_row_groups):
                found = file.read_row_group(group, columns=list(columns) if columns is not None else None)
                yield found.replace_schema_metadata(None)

    def table_metadata(self, path: UPath) -> dict[str, str]:
        """The key-value metadata that `write_table` stored."""
        with self._plain_errors(path), path.open("rb") as stream:
            stored = pq.read_schema(stream).metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if not key.startswith(b"ARROW:")}

    def rows_of(self, path: UPath) -> int:
        """Number of rows, from the file's footer."""
        with self._plain_errors(path), path.open("rb") as stream:
            return int(pq.read_metadata(stream).num_rows)

    def describe(self, path: UPath, rows: int | None = None) -> StoredFile:
        """What a manifest says of an existing file."""
        with self._plain_errors(path):
            return StoredFile(self.uri(path), hash_file(path), rows, path.stat().st_size)

    def write_document(self, path: UPath, document: Any) -> None:
        """Write JSON under its final name, by rename."""
        with self.new_file(path) as partial:
            partial.write_bytes(canonical_json(document) + b"\n")

    def read_document(self, path: UPath) -> Any:
        """JSON that `write_document` wrote."""
        with self._plain_errors(path):
            return json.loads(path.read_bytes())

    @contextmanager
    def new_file(self, path: UPath) -> Iterator[UPath]:
        """A temporary name beside `path` that takes its place when the block ends well, and vanishes otherwise."""
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with self._plain_errors(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                yield partial
                _flush_to_disk(partial)
                partial.replace(path)
            finally:
                if partial.exists():
                    partial.unlink()

    @contextmanager
    def new_folder(self, path: UPath) -> Iterator[UPath]:
        """A temporary folder that takes `path`'s place when the block ends well; an existing `path` is left as it is."""
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with self._plain_errors(path):
            try:
                partial.mkdir(parents=True)
                yield partial
                if not path.exists():
                    partial.rename(path)
            finally:
                if partial.exists():
                    shutil.rmtree(str(partial))

    @contextmanager
    def room(self, path: UPath) -> Iterator[None]:
        """A full or read-only disk, met by what the block writes anywhere, as a LakeError that says what to do."""
        try:
            yield
        except OSError as error:
            self._no_room(UPath(error.filename) if error.filename else path, error)
            raise

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One process at a time looks at the world outside for a step, or limits would be kept by each of several.

        The lock ends with the process.
        """
        folder = local_path(self.home / "observations")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _no_room(self, path: UPath, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LakeError(f"{path}: the disk is full; free space or move WINNOW_HOME, then run again") from error
        if error.errno == errno.EROFS:
            raise LakeError(f"{path}: the disk is read-only; set WINNOW_HOME to another folder") from error

    @contextmanager
    def _plain_errors(self, path: UPath) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise LakeError(f"{error.filename or path}: no such file; run the build again to make it") from error
        except PermissionError as error:
            raise LakeError(f"{error.filename or path}: no permission; set WINNOW_HOME to a folder you own") from error
        except pa.ArrowInvalid as error:
            raise LakeError(f"{path}: not a readable Parquet file; delete it and run again ({error})") from error
        except OSError as error:
            self._no_room(path, error)
            if error.errno in (errno.ENOTDIR, errno.EEXIST):
                raise LakeError(f"{path}: a file stands where a folder must be; set WINNOW_HOME elsewhere") from error
            raise


def _in_row_groups(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `ROWS_PER_GROUP` rows; the last may have fewer, and is empty if there are none."""
    waiting: list[pa.Table] = []
    held = 0
    given = False
    for part in parts:
        waiting.append(part)
        held += part.num_rows
        if held < ROWS_PER_GROUP:
            continue
        whole = pa.concat_tables(waiting)
        for at in range(0, held - ROWS_PER_GROUP + 1, ROWS_PER_GROUP):
            yield whole.slice(at, ROWS_PER_GROUP)
            given = True
        rest = held % ROWS_PER_GROUP
        waiting, held = [whole.slice(held - rest)], rest
    if waiting and (held or not given):
        yield pa.concat_tables(waiting)


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Vectors byte by byte: their numbers hardly repeat, and a dictionary of them takes three times as long to read."""
    vectors = [
        field.name
        for field in schema
        if pa.types.is_fixed_size_list(field.type) and pa.types.is_floating(field.type.value_type)
    ]
    if not vectors:
        return {}
    others = [name for name in schema.names if name not in vectors]
    return {
        "use_dictionary": others,
        "column_encoding": {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in vectors},
    }


def _between(file: pq.ParquetFile, columns: Sequence[str] | None, low: int, high: int) -> pa.Table:
    """Rows with low <= sample_id < high, from row groups whose statistics do not rule them out."""
    wanted = None if columns is None else list(dict.fromkeys(["sample_id", *columns]))
    place = file.schema_arrow.names.index("sample_id")
    groups = []
    for group in range(file.metadata.num_row_groups):
        bounds = file.metadata.row_group(group).column(place).statistics
        if bounds is None or not bounds.has_min_max or (bounds.max >= low and bounds.min < high):
            groups.append(group)
    table = file.read_row_groups(groups, columns=wanted)
    ids = table["sample_id"]
    table = table.filter(
        pc.and_(pc.greater_equal(ids, pa.scalar(low, ids.type)), pc.less(ids, pa.scalar(high, ids.type)))
    )
    return table if columns is None else table.select(list(columns))


def local_path(path: UPath) -> Path:
    """A path that programs outside this process can open; raises LakeError where it is not on a local disk."""
    if path.protocol not in ("", "file"):
        raise LakeError(f"{path}: this step needs a local file; set WINNOW_HOME to a folder")
    return Path(str(path))


def _flush_to_disk(path: UPath) -> None:
    """Make sure that a rename never publishes bytes that are still only in memory."""
    if path.protocol in ("", "file"):
        handle = os.open(str(path), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
