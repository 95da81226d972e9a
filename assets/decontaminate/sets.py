"""Evaluation sets as they lie on a disk: folders of images, WebDataset tars, Parquet files with image bytes.

Who adds a layout adds a function to `LAYOUTS`; `assets/decontaminate/conformance.py` says what it must do.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.crawl.image_bytes import ImageRefused
from assets.crawl.image_shards import IMAGES, ImageShardRefused, read_image, read_image_shard
from assets.crawl.text import clean

MAX_TEXT = 1 << 16
MAX_NAME = 500
BATCH = 64
"""Rows of a Parquet file held at a time: each may hold a whole image."""
MAX_GROUP = 4 << 30
"""Bytes that a row group of images may unpack to."""
MAX_METADATA = 256 << 20
METADATA = "metadata.csv"
"""Texts and classes of a folder of images, as Hugging Face's ImageFolder reads them: file_name, text, label."""


class EvaluationSetError(ValueError):
    """An evaluation set cannot be read as its layout says; the message names the file and what to do."""


@dataclass(frozen=True)
class Item:
    """One item of an evaluation set.

    Attributes:
        name: what it is called in its set: path in its folder, file and key, or file and row.
        data: bytes of its image; None where there are none.
        text: its text, if it has one.
        label: its class, if it has one.
        reason: why there are no bytes.
    """

    name: str
    data: bytes | None
    text: str | None = None
    label: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Reading:
    """How a set is read.

    Attributes:
        max_bytes: larger images are not read: `too_large`.
        image, text, label: columns of a Parquet file; None where there is none.
    """

    max_bytes: int = 20 << 20
    image: str = "image"
    text: str | None = None
    label: str | None = None


Read = Callable[[Path, str, Reading], Iterator[Item]]
"""(file or folder, its name for messages and items, how) -> items, always in the same order."""


def image_folder(path: Path, name: str, how: Reading) -> Iterator[Item]:
    """Images under a folder, in sorted order of their paths; the first folder on the way is the class.

    A text lies beside the image as NAME.txt, or in the folder's `metadata.csv`, which may also name the class. Links
    are not followed.
    """
    told = _metadata(path / METADATA)
    for file in folder_files(path):
        if file.suffix.lower().removeprefix(".") not in IMAGES:
            continue
        relative = file.relative_to(path).as_posix()
        stated = told.get(relative, {})
        text = stated.get("text") or _text_of(file.with_suffix(".txt"))
        label = stated.get("label") or (relative.partition("/")[0] if "/" in relative else None)
        yield _item(clean(relative, MAX_NAME) or relative[:MAX_NAME], *_bytes(file, how.max_bytes), text, label)


def folder_files(path: Path) -> Iterator[Path]:
    """Plain files under a folder, in sorted order of their paths; links are passed over."""
    for folder, folders, files in os.walk(path, followlinks=False):
        folders.sort()
        found = [Path(folder, file) for file in files]
        yield from sorted(file for file in found if file.is_file() and not file.is_symlink())


def webdataset(path: Path, name: str, how: Reading) -> Iterator[Item]:
    """Images of a tar in the order of their keys' first appearance, with KEY.txt, or `caption` in KEY.json, as text."""
    try:
        for member in read_image_shard(path):
            if member.key is None:
                raise EvaluationSetError(f"{name}: the tar is damaged ({member.reason}); fetch it again")
            data, reason = None, member.reason or "no_image"
            if member.image_offset is not None and member.image_bytes is not None:
                data, reason = _part(path, member.image_offset, member.image_bytes, how.max_bytes)
            yield _item(f"{Path(name).name}:{member.key}", data, reason, member.text)
    except ImageShardRefused as error:
        raise EvaluationSetError(str(error)) from error


def parquet(path: Path, name: str, how: Reading) -> Iterator[Item]:
    """Rows of a Parquet file: bytes, or a struct with field `bytes` as Hugging Face `datasets` writes it."""
    columns = [column for column in (how.image, how.text, how.label) if column is not None]
    try:
        file = pq.ParquetFile(path)
        missing = sorted(set(columns) - set(file.schema_arrow.names))
        if missing:
            raise EvaluationSetError(
                f"{name}: there is no column {missing[0]}; name the right one in decontaminate.sets (image, text, label)"
            )
        sizes = (file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
        if max(sizes, default=0) > MAX_GROUP:
            raise EvaluationSetError(
                f"{name}: a row group unpacks to more than {MAX_GROUP >> 30} GiB; write the file with smaller row groups"
            )
        row = 0
        for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
            for values in batch.to_pylist():
                image = values[how.image]
                image = image.get("bytes") if isinstance(image, dict) else image
                data, reason = (image, "") if isinstance(image, bytes) else (None, "no_image")
                if data is not None and len(data) > how.max_bytes:
                    data, reason = None, "too_large"
                text, label = (_string(values[key]) if key else None for key in (how.text, how.label))
                yield _item(f"{Path(name).name}:{row}", data, reason, text, label)
                row += 1
    except (pa.ArrowException, OSError) as error:
        words = str(error).splitlines()[0][:120]
        raise EvaluationSetError(f"{name}: not readable as Parquet ({words}); fetch it again") from error


LAYOUTS: Mapping[str, Read] = {"image_folder": image_folder, "webdataset": webdataset, "parquet": parquet}
"""How sets lie on a disk, by the name that the recipe gives it."""


def read_set(layout: str, files: Sequence[tuple[str, Path]], how: Reading) -> Iterator[Item]:
    """Items of a set, file by file; raises EvaluationSetError where a file cannot be read or two items have one name."""
    seen: set[str] = set()
    for name, path in files:
        for item in LAYOUTS[layout](path, name, how):
            if item.name in seen:
                raise EvaluationSetError(f"{name}: two items are called {item.name}; give the files different names")
            seen.add(item.name)
            yield item


def _item(name: str, data: bytes | None, reason: str, text: str | None = None, label: str | None = None) -> Item:
    return Item(name, data, clean(text), clean(label, MAX_NAME), None if data is not None else reason)


def _bytes(path: Path, limit: int) -> tuple[bytes | None, str]:
    return _part(path, 0, path.stat().st_size, limit)


def _part(path: Path, offset: int, size: int, limit: int) -> tuple[bytes | None, str]:
    """Bytes of a file, or why they are not read."""
    if size > limit:
        return None, "too_large"
    try:
        return read_image(path, offset, size), ""
    except ImageRefused as refused:
        return None, refused.reason


def _text_of(path: Path) -> str | None:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_TEXT:
        return None
    return path.read_bytes().decode("utf-8", "replace").strip() or None


def _metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of a folder's table of texts, by file name; none where there is no table."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_METADATA:
        raise EvaluationSetError(f"{path.name}: larger than {MAX_METADATA >> 20} MiB; see to the file")
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        try:
            return {row.get("file_name") or "": row for row in csv.DictReader(stream)}
        except csv.Error as error:
            raise EvaluationSetError(f"{path.name}: not readable as CSV ({error}); see to the file") from error


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is None else str(value)
