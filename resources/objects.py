"""Files that lie in an object store (s3://, gs://, any fsspec URI): looked up without listing, fetched once, written whole.

A store has no rename and no lock. What it has is enough: an object appears whole or not at all, and a write can be made to
depend on what is there (`If-None-Match`, `If-Match`). Programs that need a file on a disk get a copy from a cache of the
machine, in WINNOW_CACHE, which is never more than WINNOW_CACHE_GB.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from upath import UPath

LOCAL = ("", "file", "local")
ATTEMPTS = 10
"""Times that a request is sent: a store that answers 500 or 503, or nothing, is asked again, later and later."""
CONNECT_SECONDS, READ_SECONDS = 10, 60
CACHE_GB = 50.0
UNTOUCHED = 3600
"""Seconds for which a copy is not deleted after it was asked for: whoever asked may not have opened it yet."""
LEASE_SECONDS = 60.0
"""After so long without a sign of life the holder of a lease is taken for dead."""


class StoreError(Exception):
    """A store does not do what a home needs; the message says what, and what to do."""


class LeaseLostError(Exception):
    """Another process took a lease over; the message says which."""


def is_local(path: UPath | Path) -> bool:
    """Whether a path is of this machine's own file system."""
    return getattr(path, "protocol", "") in LOCAL


def open_home(home: str | os.PathLike[str] | UPath) -> UPath:
    """The home, with patience for its store and without memory of listings, which others change."""
    path = UPath(home)
    if is_local(path):
        return path
    options: dict[str, Any] = dict(path.storage_options)
    options.setdefault("use_listings_cache", False)
    if path.protocol in ("s3", "s3a"):
        patience = {"retries": {"mode": "standard", "total_max_attempts": ATTEMPTS}}
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        options["config_kwargs"] = {**patience, **limits, **options.get("config_kwargs", {})}
    try:
        found = UPath(str(path), protocol=path.protocol, **options)
        _ = found.fs
    except ImportError as error:
        raise StoreError(f"{home}: {error}; install Winnow with the extra of that store, e.g. 'winnow[s3]'") from error
    return found


def exists(path: UPath) -> bool:
    """Whether there is a file of that name: one question about one name, never a listing."""
    return path.exists() if is_local(path) else _tag(path) is not None


def read(path: UPath) -> bytes:
    """Bytes of a small file; raises FileNotFoundError."""
    data: bytes = path.read_bytes() if is_local(path) else path.fs.cat_file(path.path)
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
        if name.startswith(prefix)
    ]


def files(folder: UPath, pattern: str = "*") -> list[UPath]:
    """Files of a folder whose names match, by name; none where there is no such folder."""
    if is_local(folder):
        return sorted(folder.glob(pattern), key=lambda path: path.name) if folder.exists() else []
    try:
        names = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError:
        return []
    found = (name.rstrip("/").rpartition("/")[2] for name in names)
    return [folder / name for name in sorted(found) if fnmatch.fnmatchcase(name, pattern)]


def entries(folder: UPath) -> list[UPath]:
    """Files and folders of a folder, by name; none where there is no such folder."""
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
        if once and _refused(error):
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
        # An answer that was lost on the way is asked for again, and then it is our own object that is in the way.
        return path.fs.cat_file(path.path) == data
    return True


def read_tagged(path: UPath) -> tuple[bytes, str] | None:
    """Bytes of an object and the tag of that state; None where there is none."""
    fs = path.fs
    if hasattr(fs, "call_s3"):
        tag = _tag(path)
        if tag is None:
            return None
        data = fs.cat_file(path.path)
        # Another state may have come between the two: then its tag is asked for again.
        return (data, tag) if _tag(path) == tag else read_tagged(path)
    try:
        data = fs.cat_file(path.path)
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
        except OSError as error:
            if not _refused(error):
                raise
            return fs.cat_file(path.path) == data
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
    probe = home / f".probe-{uuid.uuid4().hex}"
    try:
        first, second = create(probe, b"first"), create(probe, b"second")
        tagged = read_tagged(probe)
    except OSError as error:
        raise StoreError(f"{home}: the store cannot be written ({error}); see to bucket, key and endpoint") from error
    finally:
        if exists(probe):
            remove(probe)
    if not first or second or tagged is None or tagged[0] != b"first":
        raise StoreError(f"{home}: the store writes over what is there although it was asked not to; use another store")


@contextmanager
def lease(path: UPath, seconds: float = LEASE_SECONDS) -> Iterator[None]:
    """Be the only one that holds a name, over all machines; wait for whoever holds it.

    The holder gives a sign of life every third of `seconds`; one that gives none for so long is taken for dead, measured by
    the waiting machine's own clock. Raises LeaseLostError at the end where another took the lease over meanwhile.
    """
    own = json.dumps({"holder": uuid.uuid4().hex, "process": os.getpid()}).encode()
    _take(path, own, seconds)
    stop, lost = threading.Event(), threading.Event()

    def keep() -> None:
        beat = 0
        while not stop.wait(seconds / 3):
            beat += 1
            found = read_tagged(path)
            mine = found is not None and json.loads(found[0])["holder"] == json.loads(own)["holder"]
            if not mine or not swap(path, json.dumps({**json.loads(own), "beat": beat}).encode(), found and found[1]):
                lost.set()
                return

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        if not lost.is_set():
            remove(path)
    if lost.is_set():
        raise LeaseLostError(f"{path}: another process took over, because this one gave no sign of life; run again")


def _take(path: UPath, own: bytes, seconds: float) -> None:
    seen, since = None, time.monotonic()
    while not create(path, own):
        found = read_tagged(path)
        if found is None:
            continue
        if found[1] != seen:
            seen, since = found[1], time.monotonic()
        elif time.monotonic() - since > seconds and swap(path, own, seen):
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
    return cache_folder() / "files" / name[:2] / name / path.name


def scratch_folder(home: UPath) -> Path:
    """Where steps over a home in a store keep what a killed run need not do again: on the machine itself."""
    return cache_folder() / "scratch" / hashlib.sha256(str(home).encode()).hexdigest()[:16]


@contextmanager
def partial_file(path: UPath) -> Iterator[Path]:
    """A local name to write to before it is put or kept; it vanishes at the end if it is still there."""
    folder = cache_folder() / "partial" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    name = folder / path.name
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
    if target.exists():
        os.utime(target)
        return target
    with partial_file(path) as partial:
        path.fs.get_file(path.path, str(partial))
        keep(partial, target)
    return target


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
            found.append((copy.stat().st_mtime, sum(part.stat().st_size for part in parts), copy))
        except FileNotFoundError:
            continue
    left, gone, now = sum(size for _, size, _ in found), 0, time.time()
    for touched, size, copy in sorted(found):
        if left <= limit or now - touched < untouched:
            break
        shutil.rmtree(copy.parent, ignore_errors=True)
        left, gone = left - size, gone + 1
    return gone
