"""The lake: immutable, content-addressed Parquet files under one home folder.

A file's name holds the fingerprint of everything it was made from, so "done" means "the file exists". On a disk files are
written under a temporary name, read back, and renamed. In an object store (`WINNOW_HOME=s3://…`) they are written and read
back on the machine's own disk and put under their final name, where they appear whole or not at all. Nothing is ever
changed in place but a few small documents; see `resources.objects`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from resources import objects
from resources.objects import LeaseLostError, StoreError, is_local

ROWS_PER_GROUP = 65_536

RANGED_BYTES = 64 << 20
"""A larger object of which only some columns are wanted is read in ranges and not fetched."""

PUTS_AT_ONCE = 8
"""Files of a folder that are put at the same time."""

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that are of the disk of the cache, as are those that name a file."""


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


SEEN_SECONDS = 60.0
"""For so long a file of the lake that was seen in a store is taken to be there still: only `winnow gc` deletes any."""

SEEN_MOST = 100_000
"""So many are remembered: a build of very many shards asks again sooner."""

_seen_at: dict[str, float] = {}


@dataclass
class Traffic:
    """Bytes that this process read from a home, and wrote to it: whole files, however much of them was looked at."""

    read: int = 0
    written: int = 0


TRAFFIC = Traffic()
"""What this process read and wrote."""

_LAKES: set[str] = set()
"""What names of files begin with that never stand for other bytes, in the object stores of this process's homes."""


def hash_file(path: UPath | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Lake:
    """Files under one home: tables of the lake, documents (JSON) and folders that are published whole."""

    def __init__(self, home: str | os.PathLike[str] | UPath) -> None:
        with _plain_store_errors():
            self.home = objects.open_home(home)
        self.traffic = TRAFFIC
        if not self.on_disk:
            _LAKES.update(f"{self.home / name}/" for name in ("lake", "observations"))
        self._described: dict[str, tuple[str, int]] = {}

    @property
    def on_disk(self) -> bool:
        """Whether the home is a folder of this machine, and no object store."""
        return is_local(self.home)

    def prepare(self) -> None:
        """Create the home and show that it can be written; raises LakeError if not."""
        if not self.on_disk:
            with _plain_store_errors():
                objects.check(self.home)
            return
        with self._plain_errors(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            probe = self.home / f".probe-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()

    def exists(self, path: UPath) -> bool:
        """Whether there is a file of that name; nothing is listed.

        A file of the lake that was there a moment ago, in a store, is not asked for again.
        """
        with self._plain_errors(path):
            if not self._in_store(path):
                return objects.exists(path)
            now = time.monotonic()
            if now - _seen_at.get(str(path), float("-inf")) < SEEN_SECONDS:
                return True
            if found := objects.exists(path):
                if len(_seen_at) >= SEEN_MOST:
                    _seen_at.clear()
                _seen_at[str(path)] = now
            return found

    def _in_store(self, path: UPath) -> bool:
        """Whether it is a file of the lake, in an object store: its name never stands for other bytes."""
        return str(path).startswith(tuple(_LAKES))

    def folder_exists(self, path: UPath) -> bool:
        """Whether a folder that was published whole is there."""
        with self._plain_errors(path):
            return path.exists() if self.on_disk else objects.exists(_whole(path))

    @property
    def scratch(self) -> UPath:
        """Where steps keep what a killed run need not do again: always on this machine."""
        return self.home / "scratch" if self.on_disk else UPath(objects.scratch_folder(self.home))

    def tree(self, folder: UPath) -> list[objects.Found]:
        """Every file below a folder, by path, with size and time; none where there is no such folder."""
        with self._plain_errors(folder):
            return objects.tree(folder)

    def entries(self, folder: UPath) -> list[UPath]:
        """Files and folders of a folder, by name; none where there is no such folder."""
        with self._plain_errors(folder):
            return objects.entries(folder)

    def files(self, folder: UPath, pattern: str = "*") -> list[UPath]:
        """Files of a folder whose names match, by name; none where there is no such folder."""
        with self._plain_errors(folder):
            return objects.files(folder, pattern)

    def remove(self, path: UPath) -> None:
        """Delete a file, or a folder with all that is in it, and this machine's copy of a file of the lake."""
        with self._plain_errors(path):
            if not self.on_disk and objects.exists(_whole(path)):
                objects.remove(_whole(path))
            objects.remove(path)
        if self._in_store(path):
            _seen_at.pop(str(path), None)
            shutil.rmtree(objects.place(path).parent, ignore_errors=True)

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
        with self.new_file(path, once=True) as partial:
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
            with self._open(path, ranged=columns is not None or ids is not None) as stream:
                if ids is None:
                    parts.append(pq.read_table(stream, columns=list(columns) if columns is not None else None))
                else:
                    parts.append(_between(pq.ParquetFile(stream), columns, *ids))
        table = pa.concat_tables(parts) if len(parts) != 1 else parts[0]
        return table.replace_schema_metadata(None)

    def each_group(self, path: UPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of one file, a row group at a time."""
        with self._open(path, ranged=columns is not None) as stream:
            file = pq.ParquetFile(stream)
            for group in range(file.metadata.num_row_groups):
                found = file.read_row_group(group, columns=list(columns) if columns is not None else None)
                yield found.replace_schema_metadata(None)

    def table_metadata(self, path: UPath) -> dict[str, str]:
        """The key-value metadata that `write_table` stored."""
        with self._open(path, ranged=True) as stream:
            stored = pq.read_schema(stream).metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if not key.startswith(b"ARROW:")}

    def rows_of(self, path: UPath) -> int:
        """Number of rows, from the file's footer."""
        with self._open(path, ranged=True) as stream:
            return int(pq.read_metadata(stream).num_rows)

    def describe(self, path: UPath, rows: int | None = None) -> StoredFile:
        """What a manifest says of an existing file."""
        with self._plain_errors(path):
            known = self._described.pop(str(path), None)
            if known is None:
                local = copy_of(path)
                known = hash_file(local), local.stat().st_size
            return StoredFile(self.uri(path), known[0], rows, known[1])

    def size(self, path: UPath) -> int:
        """Bytes of a file."""
        with self._plain_errors(path):
            return int(path.stat().st_size) if self.on_disk else int(path.fs.info(path.path)["size"])

    def write_document(self, path: UPath, document: Any) -> None:
        """Write JSON under its final name, in the place of what was there."""
        with self.new_file(path) as partial:
            partial.write_bytes(canonical_json(document) + b"\n")

    def read_document(self, path: UPath) -> Any:
        """JSON that `write_document` wrote."""
        with self._plain_errors(path):
            return json.loads(objects.read(path))

    def create_document(self, path: UPath, document: Any) -> bool:
        """Write JSON under a name that is free; False where another was first."""
        data = canonical_json(document) + b"\n"
        if not self.on_disk:
            with self._plain_errors(path):
                return objects.create(path, data)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with self._plain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            _flush_to_disk(partial)
            try:
                os.link(str(partial), str(path))
            except FileExistsError:
                return False
            finally:
                partial.unlink()
        return True

    @contextmanager
    def new_file(self, path: UPath, once: bool = False) -> Iterator[UPath]:
        """A temporary name that takes `path`'s place when the block ends well, and vanishes otherwise.

        Args:
            path: the final name.
            once: in an object store, leave what another writer of the same name put there meanwhile.
        """
        if not self.on_disk:
            with self.room(path), self._partial_file(path) as partial:
                yield UPath(partial)
                with self._plain_errors(path):
                    self._put(partial, path, once)
            return
        partial_path = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with self._plain_errors(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                yield partial_path
                _flush_to_disk(partial_path)
                self.traffic.written += partial_path.stat().st_size
                partial_path.replace(path)
            finally:
                if partial_path.exists():
                    partial_path.unlink()

    @contextmanager
    def _partial_file(self, path: UPath) -> Iterator[Path]:
        with ExitStack() as stack:
            with self._plain_errors(path):
                partial = stack.enter_context(objects.partial_file(path))
            yield partial

    def _put(self, partial: Path, path: UPath, once: bool) -> None:
        """Put a file into the store, and keep it as this machine's copy where its name never stands for other bytes."""
        size = partial.stat().st_size
        self.traffic.written += size
        if not once:
            objects.put(partial, path)
            return
        digest = hash_file(partial)
        if objects.put(partial, path, once=True):
            self._described[str(path)] = digest, size
            if self._in_store(path):
                objects.keep(partial, objects.place(path))

    @contextmanager
    def new_folder(self, path: UPath) -> Iterator[UPath]:
        """A temporary folder that takes `path`'s place when the block ends well; an existing `path` is left as it is.

        In an object store the folder counts from the moment its list `<name>.whole.json` is there, which is put last.
        """
        if not self.on_disk:
            with self.room(path), self._partial_file(path) as folder:
                folder.mkdir()
                yield UPath(folder)
                if not self.folder_exists(path):
                    with self._plain_errors(path):
                        self._put_folder(folder, path)
            return
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        with self._plain_errors(path):
            try:
                partial.mkdir(parents=True)
                yield partial
                self.traffic.written += sum(file.bytes for file in objects.tree(partial))
                if not path.exists():
                    partial.rename(path)
            finally:
                if partial.exists():
                    shutil.rmtree(str(partial))

    def _put_folder(self, folder: Path, path: UPath) -> None:
        names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        sizes = {name: (folder / name).stat().st_size for name in names}
        with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
            list(pool.map(lambda name: objects.put(folder / name, path / name), names))
        # A run that was killed half-way may have put files that are not part of this one.
        for file in objects.tree(path):
            if file.path.path.removeprefix(f"{path.path}/") not in sizes:
                objects.remove(file.path)
        self.traffic.written += sum(sizes.values())
        self.create_document(_whole(path), sizes)

    @contextmanager
    def new_pointer(self, path: UPath) -> Iterator[Pointer]:
        """A small document that says which file counts, changed only if nobody else changed it since the block began.

        The block sets `document`. Raises LakeError where another came first: what the block made is then out of date.
        """
        with self._plain_errors(path):
            found = objects.read_tagged(path)
        pointer = Pointer(json.loads(found[0]) if found else None)
        yield pointer
        data = canonical_json(pointer.document) + b"\n"
        with self._plain_errors(path):
            moved = objects.swap(path, data, found[1] if found else None)
        if not moved:
            raise PointerMovedError(f"{path}: another process published meanwhile; run again")

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

        The lock ends with the process; in an object store it is a lease, which ends when its holder gives no sign of life.
        """
        if not self.on_disk:
            path = self.home / "leases" / f"{name}.json"
            try:
                with ExitStack() as stack:
                    with self._plain_errors(path):
                        stack.enter_context(objects.lease(path))
                    yield
            except LeaseLostError as error:
                raise LakeError(str(error)) from error
            return
        folder = local_path(self.home / "observations")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    @contextmanager
    def one_at_a_time(self, folder: UPath) -> Iterator[None]:
        """One process of this machine at a time works in a folder of `scratch`; the lock ends with the process."""
        lock = Path(f"{folder.path}.lock")
        with self._plain_errors(folder):
            lock.parent.mkdir(parents=True, exist_ok=True)
            while True:
                stream = lock.open("w")
                fcntl.flock(stream, fcntl.LOCK_EX)
                # Whoever held it before deleted it, and another may have made it anew meanwhile.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
                        break
                stream.close()
        with stream:
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    @contextmanager
    def _open(self, path: UPath, ranged: bool) -> Iterator[BinaryIO]:
        """A table's file: on the disk, as this machine's copy of an object, or, where `ranged`, large objects in ranges."""
        with self._plain_errors(path):
            if is_local(path):
                opened: Any = path.open("rb")
            elif ranged and not objects.place(path).exists() and self.size(path) > RANGED_BYTES:
                opened = path.fs.open(path.path, "rb", cache_type="none")
            else:
                opened = objects.fetch(path, immutable=True).open("rb")
            with opened as stream:
                self.traffic.read += stream.seek(0, os.SEEK_END)
                stream.seek(0)
                yield stream

    def _no_room(self, path: UPath, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            place = "move WINNOW_HOME" if self.on_disk else "set WINNOW_CACHE to a folder of another"
            raise LakeError(f"{path}: the disk is full; free space or {place}, then run again") from error
        if error.errno == errno.EROFS:
            name = "WINNOW_HOME" if self.on_disk else "WINNOW_CACHE"
            raise LakeError(f"{path}: the disk is read-only; set {name} to another folder") from error

    @contextmanager
    def _plain_errors(self, path: UPath) -> Iterator[None]:
        try:
            with _plain_store_errors(path):
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


@dataclass
class Pointer:
    """What a pointer said, or None where there was none yet; what the block sets is what it says next."""

    document: Any


class PointerMovedError(LakeError):
    """Another process changed a pointer first."""


def _whole(folder: UPath) -> UPath:
    """The object that says that a folder is there, and whole."""
    return folder.with_name(f"{folder.name}.whole.json")


@contextmanager
def _plain_store_errors(path: UPath | None = None) -> Iterator[None]:
    """What goes wrong with a store, as a LakeError; errors of this machine's own disk stay what they are."""
    try:
        yield
    except StoreError as error:
        raise LakeError(str(error)) from error
    except objects.failures() as error:
        if path is None or is_local(path):
            raise
        if isinstance(error, FileNotFoundError):
            raise LakeError(f"{path}: no such object; run the build again to make it") from error
        said = objects.in_short(error)
        if isinstance(error, OSError) and (error.filename or error.errno in _OF_THE_DISK):
            raise LakeError(
                f"{objects.cache_folder()}: {said}; see to the cache, or set WINNOW_CACHE elsewhere"
            ) from error
        if isinstance(error, PermissionError):
            raise LakeError(f"{path}: the store refuses it ({said}); see to its keys and what they may do") from error
        raise LakeError(f"{path}: the object store did not take or give it ({said}); run again") from error


def local_path(path: UPath | Path) -> Path:
    """A path that programs outside this process can open and read: what it names counts as read.

    Of an object, or of all objects under a name, it is a copy, which stays for some hours, and in a block of
    `objects.holding` until that ends. Raises LakeError where there is no such object.
    """
    local = copy_of(path)
    if isinstance(path, UPath) and not is_local(path):
        objects.hold(local)
    if local.is_file():
        TRAFFIC.read += local.stat().st_size
    return local


def copy_of(path: UPath | Path) -> Path:
    """The same for whoever only looks whether it is what it should be."""
    if not isinstance(path, UPath) or is_local(path):
        return Path(str(path))
    with _plain_store_errors(path):
        try:
            return objects.fetch(path, immutable=str(path).startswith(tuple(_LAKES)))
        except FileNotFoundError:
            return _local_folder(path)


def _local_folder(path: UPath) -> Path:
    found = objects.tree(path)
    if not found:
        raise LakeError(f"{path}: no such object; run the build again to make it")
    top = objects.place(path, sha256_of([[str(file.path), file.bytes, file.time] for file in found]))
    for file in found:
        name = file.path.path.removeprefix(f"{path.path.rstrip('/')}/")
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise LakeError(f"{path}: an object there is named {name!r}, which no file can be; take it out")
        target = top / name
        if not target.exists():
            with objects.partial_file(file.path) as partial:
                file.path.fs.get_file(file.path.path, str(partial))
                objects.keep(partial, target)
    with suppress(FileNotFoundError):
        objects.asked_for(top)
    return top


def _flush_to_disk(path: UPath) -> None:
    """Make sure that a rename never publishes bytes that are still only in memory."""
    if is_local(path):
        handle = os.open(str(path), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
