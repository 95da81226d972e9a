"""A patch of a release: the same release without some samples, of which only the files that held them are written anew.

Everything else is the same file under another folder (a hard link where the disk has them), with the same name, so whoever
has the release fetches only what changed.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.provenance.tables import conform
from assets.release.documents import PREFIX, read_file, without_samples, write_file
from assets.release.manifest import read_list
from assets.release.shards import (
    IDS,
    ReleaseError,
    ReleaseFile,
    ReleaseSettings,
    extension_of,
    id_pairs,
    write_ids,
    write_shard,
)


@dataclass(frozen=True)
class Patch:
    """What was written.

    Attributes:
        files: data files of the new release.
        members: table `release_member` of it.
        rewritten: files that were written anew, or left out because nothing of them stays.
        linked: files that are the old ones.
        removed: ids of the samples that went, dtype u8,u8, sorted.
    """

    files: list[ReleaseFile]
    members: pa.Table
    rewritten: list[str]
    linked: list[str]
    removed: np.ndarray


def write_patch(old: Path, new: Path, members: pa.Table, drop: np.ndarray, settings: ReleaseSettings) -> Patch:
    """Write the data files of a release without some samples into an existing folder, and read them again.

    Args:
        old: the release's folder.
        new: where the patch goes.
        members: table `release_member` of the old release.
        drop: (n,) uint64 samples to leave out; those that are not in it are passed over.
        settings: name, version and id of the patch.

    Raises ReleaseError where a file of the old release is not what its list says, or a new one does not read back.
    """
    listed = {file["name"]: ReleaseFile(**file) for file in read_list(old)["files"]}
    goes = pc.is_in(members["sample_id"], pa.array(drop, pa.uint64()))
    touched = set(members.filter(goes)["file"].to_pylist())
    files: list[ReleaseFile] = []
    rewritten, linked, uids = [], [], []
    for name in sorted(set(members["file"].to_pylist())):
        if name not in touched:
            for part in _parts(name):
                _link(old / part, new / part)
                files.append(listed[part])
                linked.append(part)
            continue
        rows = pq.read_table(old / _side(name))
        out = pc.is_in(rows["sample_id"], pa.array(drop, pa.uint64()))
        uids += rows.filter(out)["uid"].to_pylist()
        rewritten += _parts(name)
        files += _rewrite(old, new, name, rows.filter(pc.invert(out)))
    gone = set(members.filter(goes)["sample_id"].to_pylist())
    for name in sorted(name for name in listed if name.startswith(PREFIX)):
        table = read_file(old / name)
        left = without_samples(table, gone)
        if left.equals(table):
            _link(old / name, new / name)
            files.append(listed[name])
            linked.append(name)
            continue
        rewritten.append(name)
        files += [write_file(left, new / name)] if left.num_rows else []
    removed = id_pairs(uids)
    files.append(write_ids(_without(np.load(old / IDS, allow_pickle=False), removed), new / IDS))
    return Patch(sorted(files, key=lambda f: f.name), _members(members.filter(pc.invert(goes)), settings.release_id),
                 sorted(rewritten), sorted(linked), removed)  # fmt: skip


def _side(name: str) -> str:
    return f"{name.rpartition('.')[0]}.parquet"


def _parts(name: str) -> list[str]:
    """Files that hold the samples of a file of `release_member`: a tar has its Parquet twin."""
    return [_side(name)] if name.endswith(".parquet") else [_side(name), name]


def _link(old: Path, new: Path) -> None:
    if not old.exists():
        raise ReleaseError(f"{old}: the file is gone; build the release again before it is patched")
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def _rewrite(old: Path, new: Path, name: str, rows: pa.Table) -> list[ReleaseFile]:
    if rows.num_rows == 0:
        return []
    stem = name.rpartition(".")[0]
    with_image = name.endswith(".tar")
    names = [
        f"{row['key']}.{extension_of(row['image_format'])}" for row in rows.select(["key", "image_format"]).to_pylist()
    ]
    rows = rows.append_column("file", pa.array([str(old / name)] * rows.num_rows)).append_column(
        "member", pa.array(names)
    )
    return write_shard(rows, _read_tar if with_image else None, new, stem)


def _read_tar(file: str, members: Sequence[str]) -> Iterator[bytes]:
    """Members of a tar of a release, in the order in which they are asked for, which is the tar's own."""
    wanted = iter(members)
    name = next(wanted, None)
    with tarfile.open(file, "r:") as archive:
        for entry in archive:
            if entry.name == name:
                yield archive.extractfile(entry).read()  # type: ignore[union-attr]
                name = next(wanted, None)
    if name is not None:
        raise ReleaseError(f"{file}: it has no member {name}; build the release again before it is patched")


def _without(pairs: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Sorted ids without some of them, each as often as it is named."""
    both = np.concatenate([pairs, removed])
    unique, place = np.unique(both, return_inverse=True)
    counts = np.bincount(place[: len(pairs)], minlength=len(unique))
    counts -= np.bincount(place[len(pairs) :], minlength=len(unique))
    return np.repeat(unique, np.maximum(counts, 0))


def _members(kept: pa.Table, release_id: str) -> pa.Table:
    """Members of the patch: rows of a file move up where others went."""
    ordered = kept.sort_by([("file", "ascending"), ("row", "ascending")])
    files = np.array(ordered["file"].to_pylist(), dtype=object)
    first = np.r_[True, files[1:] != files[:-1]][: len(files)]
    starts = np.flatnonzero(first)
    row = np.arange(len(files)) - np.repeat(starts, np.diff(np.r_[starts, len(files)]))
    columns = {
        "release_id": pa.repeat(pa.scalar(release_id), len(files)),
        "row": pa.array(row.astype(np.uint32)),
        **{name: ordered[name] for name in ("sample_id", "file", "with_image", "caption_kind")},
    }
    return conform("release_member", pa.table(columns)).sort_by("sample_id")
