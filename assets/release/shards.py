"""Release shards: WebDataset tars, a Parquet file beside each, in img2dataset's layout; the id list in DataComp's.

    00000.tar            KEY.jpg|png|webp|gif (bytes as crawled), KEY.json, KEY.txt; image may be passed on
    00000.parquet        one row per sample of 00000.tar, in its order
    urls-00000.parquet   the same columns for samples of which rights allow the address only
    ids.npy              uids as dtype u8,u8, sorted

Everything is written in the order of sample_id and without clocks or names, so equal rows give equal bytes. What was
written is read again before anything is returned.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assets.provenance.tables import conform
from assets.release.rows import HIDDEN

ReadImages = Callable[[str, Sequence[str]], Iterator[bytes]]
"""(tar of the lake, relative to the home; members) -> the members' bytes in that order."""

EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif"}
"""Extension by real format; other formats take their name in lower case."""


IDS = "ids.npy"
"""The list of ids."""


class ReleaseError(Exception):
    """A release could not be written, or what was written does not read back; the message says what and where."""


@dataclass(frozen=True)
class ReleaseSettings:
    """How a release is called and cut.

    Attributes:
        release_id: unique in the home; release_member carries it.
        name: name of the data set.
        version: as 1.2.3.
        samples_per_shard: samples per tar, and rows per file of addresses.
    """

    release_id: str
    name: str
    version: str
    samples_per_shard: int = 1000


@dataclass(frozen=True)
class ReleaseFile:
    """One file of a release: name in its folder, hash (hexadecimal), size, and samples or rows where it has any."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Released:
    """What was written: files in the order of their names, and table `release_member`."""

    files: list[ReleaseFile]
    members: pa.Table


def write_release(rows: pa.Table, read_image_bytes: ReadImages, folder: Path, settings: ReleaseSettings) -> Released:
    """Write shards, side files and id list into an existing folder, and read them again.

    Args:
        rows: rows of `assemble`, sorted by sample_id; empty gives only the id list.
        read_image_bytes: gives images by tar and members, e.g. over `assets.crawl.images.read_members`.
        folder: where the release goes; its name enters nothing.

    Raises ReleaseError where image bytes are not the ones that were crawled, or a file does not read back.
    """
    status = np.array(rows.column("status").to_pylist(), dtype=object)
    files: list[ReleaseFile] = []
    members: list[dict[str, Any]] = []
    for with_image in (True, False):
        part = rows.filter(pa.array(status == ("success" if with_image else "url_only"), pa.bool_()))
        for number, start in enumerate(range(0, part.num_rows, settings.samples_per_shard)):
            shard = part.slice(start, settings.samples_per_shard)
            name = f"{number:05d}" if with_image else f"urls-{number:05d}"
            files += write_shard(shard, read_image_bytes if with_image else None, folder, name)
            members += _members(shard, settings.release_id, f"{name}.{'tar' if with_image else 'parquet'}", with_image)
    files.append(write_ids(id_pairs(rows.column("uid").to_pylist()), folder / IDS))
    schema = {"release_id": pa.string(), "sample_id": pa.uint64(), "file": pa.string(), "row": pa.uint32()}
    schema |= {"with_image": pa.bool_(), "caption_kind": pa.string()}
    table = pa.Table.from_pylist(sorted(members, key=lambda row: row["sample_id"]), pa.schema(list(schema.items())))
    return Released(sorted(files, key=lambda file: file.name), conform("release_member", table))


def id_pairs(uids: Sequence[str]) -> np.ndarray:
    """(n,) structured array of dtype u8,u8: high and low half of each uid, sorted lexicographically.

    Two samples with the same picture and the same words share a uid; it then stands twice.
    """
    pairs = np.array([(int(text[:16], 16), int(text[16:], 16)) for text in uids], np.dtype("u8,u8"))
    pairs.sort()
    return pairs


def describe_file(path: Path, rows: int | None = None) -> ReleaseFile:
    """Name, hash and size of a file that was written."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ReleaseFile(path.name, digest, path.stat().st_size, rows)


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Key and members (by extension) of each sample of a tar, in the order of the file."""
    with tarfile.open(path, "r:") as archive:
        parts = (entry.name.partition(".")[::2] + (archive.extractfile(entry).read(),) for entry in archive)  # type: ignore[union-attr]
        for key, group in groupby(parts, key=lambda part: part[0]):
            yield key, {extension: data for _, extension, data in group}


def write_shard(shard: pa.Table, read_image_bytes: ReadImages | None, folder: Path, name: str) -> list[ReleaseFile]:
    """A Parquet file, with the tar of the same name where there are images; both are read back.

    Args:
        shard: rows of `assemble`, sorted by sample_id.
        read_image_bytes: gives images by tar and members; None for rows without bytes.
        folder: where the files go.
        name: their name without extension.
    """
    side, tar = folder / f"{name}.parquet", folder / f"{name}.tar"
    public = shard.drop_columns(list(HIDDEN))
    pq.write_table(public.replace_schema_metadata(None), side, compression="zstd")
    if pq.read_table(side, columns=["key", "caption"]) != public.select(["key", "caption"]):
        raise ReleaseError(f"{side}: what was written could not be read back; check the disk and run again")
    files = [describe_file(side, shard.num_rows)]
    if read_image_bytes is not None:
        with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
            for row, data in _with_bytes(shard.to_pylist(), read_image_bytes):
                for extension, content in _sample_members(row, data):
                    _add(archive, f"{row['key']}.{extension}", content)
        _verify_tar(tar, shard)
        files.append(describe_file(tar, shard.num_rows))
    return files


def _with_bytes(rows: list[dict[str, Any]], read: ReadImages) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each row with its image, one read of the lake per run of rows whose images lie in one tar."""
    for file, run in groupby(rows, key=lambda row: row["file"]):
        run_rows = list(run)
        images = read(file, [row["member"] for row in run_rows])
        for row, data in zip(run_rows, images, strict=True):
            if hashlib.sha256(data).hexdigest() != row["stored_sha256"]:
                raise ReleaseError(
                    f"{file}: member {row['member']} of sample {row['sample_id']} is not what the crawl stored; "
                    "delete that file and run the build again"
                )
            yield row, data


def _sample_members(row: dict[str, Any], data: bytes) -> list[tuple[str, bytes]]:
    """Members of one sample by extension, in sorted order, so that neighbors in the tar are one sample."""
    public = {name: _plain(value) for name, value in row.items() if name not in HIDDEN}
    described = json.dumps(public, ensure_ascii=False, sort_keys=True, allow_nan=False)
    members = {extension_of(row["image_format"]): data, "json": described.encode(), "txt": row["caption"].encode()}
    return sorted(members.items())


def extension_of(image_format: str) -> str:
    """Extension of an image by what its bytes are."""
    return EXTENSIONS.get(image_format.upper(), image_format.lower())


def _plain(value: Any) -> Any:
    """JSON has no NaN: a score that is none becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """A member without clock, owner or host: TarInfo's defaults are time 0, user 0, mode 644."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _verify_tar(tar: Path, shard: pa.Table) -> None:
    """Read a tar again: keys, hashes of images and captions must be those of its rows."""
    expected = shard.select(["key", "stored_sha256", "caption", "image_format"]).to_pylist()
    found = 0
    for (key, parts), row in zip(read_shard(tar), expected, strict=False):
        image = parts.get(extension_of(row["image_format"]), b"")
        same = key == row["key"] and hashlib.sha256(image).hexdigest() == row["stored_sha256"]
        if not same or parts.get("txt") != row["caption"].encode() or json.loads(parts["json"])["key"] != key:
            raise ReleaseError(f"{tar}: sample {row['key']} does not read back; check the disk and run again")
        found += 1
    if found != len(expected):
        raise ReleaseError(f"{tar}: {found} of {len(expected)} samples read back; check the disk and run again")


def _members(shard: pa.Table, release_id: str, file: str, with_image: bool) -> list[dict[str, Any]]:
    place = {"release_id": release_id, "file": file, "with_image": with_image}
    listed = shard.select(["sample_id", "caption_kind"]).to_pylist()
    return [{**place, "row": number, **row} for number, row in enumerate(listed)]


def write_ids(pairs: np.ndarray, path: Path) -> ReleaseFile:
    """A file of sorted id pairs, read back."""
    np.save(path, pairs, allow_pickle=False)
    if not np.array_equal(np.load(path, allow_pickle=False), pairs):
        raise ReleaseError(f"{path}: what was written could not be read back; check the disk and run again")
    return describe_file(path, len(pairs))
