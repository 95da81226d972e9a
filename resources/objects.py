"""Files that lie in an object store (s3://, gs://, any fsspec URI): looked up without listing, fetched once, written whole.

A store has no rename and no lock. What it has is enough: an object appears whole or not at all, and a write can be made to
depend on what is there (`If-None-Match`, `If-Match`). Programs that need a file on a disk get a copy from a cache of the
machine, in WINNOW_CACHE, which is kept under WINNOW_CACHE_GB.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from upath import UPath

LOCAL = ("", "file", "local")
ATTEMPTS = 10
"""Times that a request is sent: a store that answers 500 or 503, or nothing, is asked again, later and later."""
CONNECT_SECONDS, READ_SECONDS = 10, 20
CACHE_GB = 50.0
UNTOUCHED = 6 * 3600
"""Seconds for which a copy is not deleted after it was asked for: whoever asked may not have opened it yet."""
HOLD_SECONDS = UNTOUCHED / 6
"""So often copies that are held are asked for again."""
ABANDONED = 7 * 24 * 3600
"""After so many seconds a file that was being fetched or written is taken to be left by a killed process."""
LEASE_SECONDS = 60.0
"""After so long without a sign of life the holder of a lease is taken for dead."""


class StoreError(Exception):
    """A store does not do what a home needs; the message says what, and what to do."""


class LeaseLostError(Exception):
    """Another process took a lease over; the message says which."""


def failures() -> tuple[type[BaseException], ...]:
    """What a store's client raises: OSError, and what botocore and aiohttp raise where there was no answer at all."""
    found: list[type[BaseException]] = [OSError]
    for module, names in (("botocore.exceptions", ("BotoCoreError", "ClientError")), ("aiohttp", ("ClientError",))):
        if module in sys.modules:
            found += (getattr(sys.modules[module], name) for name in names)
    return tuple(found)


def is_local(path: UPath | Path) -> bool:
    """Whether a path is of this machine's own file system."""
    return getattr(path, "protocol", "") in LOCAL


def open_home(home: str | os.PathLike[str] | UPath) -> UPath:
    """The home, with patience for its store and without memory of listings, which others change."""
    try:
        path = UPath(home)
        if is_local(path):
            return path
        found = UPath(str(path), protocol=path.protocol, **_patience(path))
        if hasattr(found.fs, "retries"):
            # s3fs repeats what botocore has repeated, and answers that break off, which botocore does not see; fewer times
            # than by default, since a store that hangs is waited for as often.
            found.fs.retries = 3
    except ImportError as error:
        raise StoreError(f"{home}: {error}; install Winnow with the extra of that store, e.g. 'winnow[s3]'") from error
    except ValueError as error:
        raise StoreError(f"{home}: {error}; set WINNOW_HOME to a folder, or to an address that fsspec knows") from error
    return found


def _patience(path: UPath) -> dict[str, Any]:
    options: dict[str, Any] = {"use_listings_cache": False, **path.storage_options}
    if path.protocol in ("s3", "s3a"):
        retries = {"retries": {"mode": "standard", "total_max_attempts": ATTEMPTS}}
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        options["config_kwargs"] = {**retries, **limits, **options.get("config_kwargs", {})}
    return options


def exists(path: UPath) -> bool:
    """Whether there is a file of that name: one question about one name, never a listing."""
    return path.exists() if is_local(path) else _tag(path) is not None


def read(path: UPath) -> bytes:
    """Bytes of a small file; raises FileNotFoundError."""
    return bytes(path.read_bytes()) if is_local(path) else _bytes(path)


def _bytes(path: UPath) -> bytes:
    # In one request: s3fs asks again where one answer breaks off, but not where one of several does.
    options = {"max_concurrency": 1} if hasattr(path.fs, "call_s3") else {}
    data: bytes = path.fs.cat_file(path.path, **options)
    return data


def _tag(path: UPath) -> str | None:
    """What tells one state of an object from the next: its ETag, or size and time; None where there is none."""
    fs = path.fs
    if hasattr(fs, "call_s3"):
        bucket, key, _ = fs.split_path(path.path)
        try:
            answer = fs.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return str(answer["ETag"])
    try:
        info = fs.info(path.path)
    except FileNotFoundError:
        return None
    return None if info.get("type") == "directory" else _state(info)


def _state(info: Mapping[str, Any]) -> str:
    """ETag of a listing's entry, or size and time where a store has none."""
    known = info.get("ETag") or info.get("etag")
    return str(known) if known else f"{info.get('size')}-{info.get('mtime') or info.get('created')}"


@dataclass(frozen=True)
class Found:
    """A file of a folder, with its size in bytes and when it was written, in seconds since 1970."""

    path: UPath
    bytes: int
    time: float


def tree(folder: UPath) -> list[Found]:
    """Every file below a folder, by path; nothing where there is no such folder."""
    if is_local(folder):
        top = Path(folder.path)
        files = sorted((p for p in top.rglob("*") if p.is_file()), key=str) if top.exists() else []
        return [Found(UPath(p), (stat := p.stat()).st_size, stat.st_mtime) for p in files]
    found = folder.fs.find(folder.path, detail=True)
    prefix = folder.path.rstrip("/") + "/"
    return [
        Found(folder / name.removeprefix(prefix), int(info["size"]), _time(info))
        for name, info in sorted(found.items())
        if name.startswith(prefix) and not name.endswith("/")
    ]


def files(folder: UPath, pattern: str = "*") -> list[UPath]:
    """Files of a folder whose names match, by name; none where there is no such folder."""
    if is_local(folder):
        return sorted(folder.glob(pattern), key=lambda path: path.name) if folder.exists() else []
    prefix = folder.path.rstrip("/") + "/"
    begins = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    try:
        if begins and hasattr(folder.fs, "call_s3"):
            # Names that begin so, and not all of a folder that may have very many.
            names = folder.fs.find(folder.path, prefix=begins)
        else:
            names = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError:
        return []
    # A file has no files: asked for its content, a store gives the file itself.
    found = (name.removeprefix(prefix).rstrip("/") for name in names if name.startswith(prefix))
    return [folder / name for name in sorted(found) if name and "/" not in name and fnmatch.fnmatchcase(name, pattern)]


def entries(folder: UPath) -> list[UPath]:
    """Files and folders of a folder, by name; none where there is no such folder."""
    if not is_local(folder):
        return files(folder)
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _time(info: Mapping[str, Any]) -> float:
    for name in ("LastModified", "mtime", "last_modified", "created"):
        value = info.get(name)
        if value is not None:
            return float(value.timestamp() if hasattr(value, "timestamp") else value)
    return 0.0


def remove(path: UPath) -> None:
    """Delete a file, or a folder with all that is in it."""
    path.fs.rm(path.path, recursive=True)


# Writing


def put(source: Path, path: UPath, once: bool = False) -> bool:
    """Write a local file as an object, which appears whole; False where `once` and it was there already."""
    mode = {"mode": "create"} if once else {}
    try:
        path.fs.put_file(str(source), path.path, **mode)
    except OSError as error:
        # The end of an upload in parts whose answer was lost is refused in other words than an object that is there.
        if once and (_refused(error) or exists(path)):
            return False
        raise
    return True


def create(path: UPath, data: bytes) -> bool:
    """Write an object that is not there; False where another was first."""
    try:
        path.fs.pipe_file(path.path, data, mode="create")
    except OSError as error:
        if not _refused(error):
            raise
        return _is_ours(path, data)
    return True


def _is_ours(path: UPath, data: bytes) -> bool:
    """Whether a write that was refused was done before, by a request whose answer was lost on the way."""
    try:
        return _bytes(path) == data
    except FileNotFoundError:
        return False


def read_tagged(path: UPath) -> tuple[bytes, str] | None:
    """Bytes of an object and the tag of that state; None where there is none."""
    fs = path.fs
    if hasattr(fs, "call_s3"):
        tag = _tag(path)
        if tag is None:
            return None
        with suppress(FileNotFoundError):
            data = _bytes(path)
            if _tag(path) == tag:
                return data, tag
        # Another state came between the two.
        return read_tagged(path)
    try:
        data = _bytes(path)
    except FileNotFoundError:
        return None
    return data, hashlib.sha256(data).hexdigest()


def swap(path: UPath, data: bytes, tag: str | None) -> bool:
    """Write an object if it still is in the state of that tag (None: not there); False where it is not.

    On S3 the store itself compares. Other stores are compared with before the write, which a lease has to guard.
    """
    if tag is None:
        return create(path, data)
    fs = path.fs
    if hasattr(fs, "call_s3"):
        bucket, key, _ = fs.split_path(path.path)
        try:
            fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, IfMatch=tag)
        except FileNotFoundError:
            return False
        except OSError as error:
            if not _refused(error):
                raise
            return _is_ours(path, data)
        return True
    now = read_tagged(path)
    if now is None or now[1] != tag:
        return False
    fs.pipe_file(path.path, data)
    return True


def _refused(error: BaseException) -> bool:
    """Whether a write was refused for what is there, or for another write of the same name at the same moment."""
    if isinstance(error, FileExistsError):
        return True
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(cause)
    codes = {
        str(getattr(one, "response", {}).get("Error", {}).get("Code")) for one in causes if hasattr(one, "response")
    }
    return bool(codes & {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


def check(home: UPath) -> None:
    """Show that a store can be written and keeps to conditions; raises StoreError where it does not."""
    probe, first = home / f".probe-{uuid.uuid4().hex}", False
    try:
        first = create(probe, b"first")
        second = create(probe, b"second")
        data, tag = read_tagged(probe) or (b"", "")
        third, stale = swap(probe, b"third", tag), swap(probe, b"fourth", tag)
    except FileNotFoundError as error:
        raise StoreError(f"{home}: there is no such bucket; make it, or set WINNOW_HOME to another") from error
    except PermissionError as error:
        raise StoreError(
            f"{home}: the store refuses to be read or written ({in_short(error)}); see to its keys and what they may do"
        ) from error
    except failures() as error:
        raise StoreError(
            f"{home}: the store cannot be written ({in_short(error)}); see to bucket, keys and endpoint"
        ) from error
    finally:
        if first:
            with suppress(*failures()):
                remove(probe)
    if (first, second, third, stale, data) != (True, False, True, False, b"first"):
        raise StoreError(f"{home}: the store writes over what is there although it was asked not to; use another store")


def in_short(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


@contextmanager
def lease(path: UPath, seconds: float = LEASE_SECONDS) -> Iterator[None]:
    """Be the only one that holds a name, over all machines; wait for whoever holds it.

    The holder gives a sign of life every third of `seconds`; one that gives none for so long is taken for dead, measured by
    the waiting machine's own clock. Raises LeaseLostError at the end where another took the lease over meanwhile.
    """
    own = {"holder": uuid.uuid4().hex, "process": os.getpid()}
    _take(path, json.dumps(own).encode(), seconds)
    lost, beats = threading.Event(), itertools.count(1)

    def beat() -> None:
        # A store that does not answer is asked again: the next answer says who holds the lease.
        with suppress(*failures()):
            found = read_tagged(path)
            if not _holds(found, own):
                lost.set()
            elif not lost.is_set():
                swap(path, json.dumps({**own, "beat": next(beats)}).encode(), found and found[1])

    try:
        with _every(seconds / 3, beat):
            yield
    finally:
        # What cannot be deleted now runs out.
        with suppress(*failures()):
            if not lost.is_set() and _holds(read_tagged(path), own):
                remove(path)
            else:
                lost.set()
    if lost.is_set():
        raise LeaseLostError(f"{path}: another process took over, because this one gave no sign of life; run again")


@contextmanager
def _every(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do some work again and again, beside the block, until it ends."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(seconds):
            work()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _holds(found: tuple[bytes, str] | None, own: Mapping[str, Any]) -> bool:
    return found is not None and bool(json.loads(found[0])["holder"] == own["holder"])


def _take(path: UPath, own: bytes, seconds: float) -> None:
    seen, since = None, time.monotonic()
    while not create(path, own):
        found = read_tagged(path)
        if found is not None and found[1] != seen:
            seen, since = found[1], time.monotonic()
        elif found is not None and time.monotonic() - since > seconds and swap(path, own, seen):
            return
        time.sleep(min(1.0, seconds / 10))


# The cache


def cache_folder() -> Path:
    """Where copies of objects lie: WINNOW_CACHE, else a folder of the user's cache."""
    named = os.environ.get("WINNOW_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "winnow"


def place(path: UPath, state: str = "") -> Path:
    """Where the copy of an object lies, whether or not it is there."""
    name = hashlib.sha256(f"{path}\0{state}".encode()).hexdigest()
    return cache_folder() / "files" / name[:2] / name / _name(path)


def _name(path: UPath) -> str:
    """A name for the copy of an object: its own, where that can be the name of a file."""
    own = str(path.name)
    if own in ("", ".", "..") or "/" in own or "\0" in own or len(own.encode()) > 255:
        return "object"
    return own


def scratch_folder(home: UPath) -> Path:
    """Where steps over a home in a store keep what a killed run need not do again: on the machine itself."""
    return cache_folder() / "scratch" / hashlib.sha256(str(home).encode()).hexdigest()[:16]


@contextmanager
def partial_file(path: UPath) -> Iterator[Path]:
    """A local name to write to before it is put or kept; it vanishes at the end if it is still there."""
    folder = cache_folder() / "partial" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    name = folder / _name(path)
    try:
        yield name
    finally:
        shutil.rmtree(folder)


def fetch(path: UPath, immutable: bool = False) -> Path:
    """A local copy of an object, fetched unless it is there; raises FileNotFoundError where there is no such object.

    Args:
        path: the object.
        immutable: a name that never stands for other bytes, so that the store need not be asked.
    """
    state = ""
    if not immutable:
        tag = _tag(path)
        if tag is None:
            raise FileNotFoundError(2, "no such object", str(path))
        state = tag
    target = place(path, state)
    with suppress(FileNotFoundError, NotADirectoryError):
        asked_for(target)
        return target
    with partial_file(path) as partial:
        path.fs.get_file(path.path, str(partial))
        keep(partial, target)
    return target


def asked_for(copy: Path) -> None:
    """Remember that a copy was asked for now: by its time of access, since others know it by its time of change.

    Raises FileNotFoundError where there is none.
    """
    os.utime(copy, (time.time(), copy.stat().st_mtime))


_held: set[Path] = set()
_holders: list[object] = []
_holding = threading.Lock()


def hold(copy: Path) -> None:
    """Let a copy stay until the block `holding` ends that this process is in, if it is in one."""
    with _holding:
        if _holders:
            _held.add(copy)


@contextmanager
def holding() -> Iterator[None]:
    """Copies that are held in the block stay until it ends, however long that takes.

    They are asked for again and again, which every process sees that makes room. Blocks may lie in one another, and in
    several threads: what is held then stays until the last of them ends.
    """
    own = object()
    with _holding:
        _holders.append(own)

    def renew() -> None:
        with _holding:
            copies = sorted(_held) if _holders[:1] == [own] else []
        for copy in copies:
            with suppress(FileNotFoundError):
                asked_for(copy)

    try:
        with _every(HOLD_SECONDS, renew):
            yield
    finally:
        with _holding:
            _holders.remove(own)
            if not _holders:
                _held.clear()


def keep(partial: Path, target: Path) -> None:
    """Move a local file into the cache."""
    size = partial.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)
    _room().note(size)


@dataclass
class _Room:
    """Keeps the cache under its limit: looked at when a twentieth of the limit has come in."""

    limit: float
    since: float = field(default=float("inf"))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, size: int) -> None:
        with self.lock:
            self.since += size
            if self.since < self.limit / 20:
                return
            self.since = 0.0
        trim(self.limit)


@cache
def _room() -> _Room:
    return _Room(float(os.environ.get("WINNOW_CACHE_GB", CACHE_GB)) * 1e9)


def trim(limit: float, untouched: float = UNTOUCHED) -> int:
    """Delete copies, those first that nobody asked for longest, until the cache is under a limit in bytes; how many."""
    found = []
    for copy in (cache_folder() / "files").glob("*/*/*"):
        parts = [copy, *copy.rglob("*")] if copy.is_dir() else [copy]
        try:
            found.append((copy.stat().st_atime, sum(part.stat().st_size for part in parts), copy))
        except FileNotFoundError:
            continue
    left, gone, now = sum(size for _, size, _ in found), 0, time.time()
    for folder in (cache_folder() / "partial").glob("*"):
        with suppress(FileNotFoundError):
            if now - folder.stat().st_mtime > ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
    for touched, size, copy in sorted(found):
        if left <= limit or now - touched < untouched:
            break
        shutil.rmtree(copy.parent, ignore_errors=True)
        left, gone = left - size, gone + 1
    return gone
