"""The registry: what of evaluation sets a build compares with, item by item; their images stay where they are."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.crawl.images import ImageRefused, decode, perceptual_hash
from assets.decontaminate.sets import EvaluationSetError, Item
from assets.decontaminate.views import is_flat, mirror, views
from assets.embeddings.cache import VectorCache, as_column
from assets.provenance.tables import TABLES
from resources.batches import in_groups
from resources.encoder import LazyEncoder

PREFIX = "eval:"
"""What names of evaluation sets start with in tables `hit` and `decision`."""
GROUP = 256
"""Pictures held at a time while vectors are made, in bytes as they came."""
_WORD = re.compile(r"[^\W_]+")


def list_name(name: str, version: str) -> str:
    """How a set is called in tables `hit` and `decision`."""
    return f"{PREFIX}{name}@{version}"


def normalized(text: str | None) -> str | None:
    """Words of a text, case folded, in Unicode's form NFKC, with one blank between them; None where there are none."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text or "").casefold())
    return " ".join(words) or None


@dataclass
class Registered:
    """Rows of tables `eval_registry`, `eval_item` and `eval_view`, filled set by set."""

    registry: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)

    def tables(self) -> dict[str, pa.Table]:
        """The tables, sorted by their keys."""
        rows = {"eval_registry": self.registry, "eval_item": self.items, "eval_view": self.views}
        return {
            name: pa.Table.from_pylist(found, schema=TABLES[name].schema).sort_by(
                [(column, "ascending") for column in TABLES[name].key]
            )
            for name, found in rows.items()
        }

    def add(self, stated: Mapping[str, Any], items: Iterable[Item], crop: float, max_pixels: int) -> None:
        """Read a set's items and enter them.

        Args:
            stated: name, version, date, license, source, layout and mirrored, as the recipe says them.
            items: of the set.
            crop: share of the sides that a cut view lacks.
            max_pixels: a larger image is an item that could not be read.

        Raises EvaluationSetError where not one item can be read.
        """
        name = list_name(stated["name"], stated["version"])
        digest, read, failed = hashlib.sha256(), 0, 0
        for item in items:
            row, made = _entered(name, item, crop, stated["mirrored"], max_pixels)
            self.items.append(row)
            self.views += made
            failed += row["status"] == "failed"
            read += row["status"] == "ok"
            digest.update(row["sha256"] or b"")
        if not read:
            raise EvaluationSetError(
                f"evaluation set {stated['name']} {stated['version']}: none of its {failed} items can be read;"
                " correct layout and uris in decontaminate.sets"
            )
        kept = ("name", "version", "date", "license", "source", "layout", "mirrored")
        told = {key: stated[key] for key in kept}
        self.registry.append({**told, "items": read, "failed": failed, "sha256": digest.digest()})


def _entered(
    name: str, item: Item, crop: float, mirrored: bool, max_pixels: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Row of an item, and rows of its views; none of a picture of one color."""
    row: dict[str, Any] = {
        "list": name, "item": item.name, "status": "ok", "reason": item.reason, "sha256": None, "width": None,
        "height": None, "flat": None, "text": normalized(item.text), "label": item.label,
    }  # fmt: skip
    try:
        if item.data is None:
            raise ImageRefused(item.reason or "no_image")
        row["sha256"] = hashlib.sha256(item.data).digest()
        picture = decode(item.data, max_pixels)
    except ImageRefused as refused:
        return row | {"status": "failed", "reason": refused.reason}, []
    row |= {"width": picture.width, "height": picture.height, "flat": is_flat(picture)}
    if row["flat"]:
        return row, []
    return row, [
        {"list": name, "item": item.name, "view": view, "phash": perceptual_hash(seen)}
        for view, seen in views(picture, crop, mirrored)
    ]


def mirrored_key(sha256: bytes) -> bytes:
    """What the vector of a mirror image is looked up by."""
    return hashlib.sha256(b"mirrored" + sha256).digest()


def vectors(
    sets: Iterable[tuple[str, bool, Iterable[Item]]], encoder: LazyEncoder, cache: VectorCache, max_pixels: int
) -> pa.Table:
    """Table `eval_embedding`: a vector of every item that can be read, and of its mirror image where that is asked for.

    Args:
        sets: (list, whether mirrored, items) of every set.
        encoder: of concepts and near-duplicates; loaded only if a vector is missing in `cache`.
        cache: earlier files of the table by the same encoder; the result has the same bits with and without it.
        max_pixels: larger images are passed over, as in the registry.
    """
    rows: list[tuple[str, str, str, bytes]] = []
    made: list[np.ndarray] = []
    for group in in_groups(_wanted(sets), GROUP):
        found = dict(cache.lookup([key for *_, key, _ in group], []).raws)
        missing = {key: (view, data) for _, _, view, key, data in group if key not in found}
        found.update(_encoded(missing, encoder, max_pixels))
        for name, item, view, key, _ in group:
            if key in found:
                rows.append((name, item, view, key))
                made.append(found[key])
    if not rows:
        return no_vectors()
    columns = dict(zip(("list", "item", "view", "image_sha256"), zip(*rows, strict=True), strict=True))
    table = pa.table({**{k: list(v) for k, v in columns.items()}, "image_raw": as_column(np.stack(made))})
    return table.sort_by([(column, "ascending") for column in TABLES["eval_embedding"].key])


def no_vectors() -> pa.Table:
    """Table `eval_embedding` without rows; a column of vectors has a length even so."""
    names = pa.array([], pa.string())
    columns = {"list": names, "item": names, "view": names, "image_sha256": pa.array([], pa.binary(32))}
    return pa.table({**columns, "image_raw": as_column(np.empty((0, 1), np.float16))})


def _wanted(sets: Iterable[tuple[str, bool, Iterable[Item]]]) -> Iterator[tuple[str, str, str, bytes, bytes]]:
    """(list, item, view, key, bytes) of every vector."""
    for name, mirrored, items in sets:
        for item in items:
            if item.data is None:
                continue
            sha256 = hashlib.sha256(item.data).digest()
            yield name, item.name, "whole", sha256, item.data
            if mirrored:
                yield name, item.name, "mirrored", mirrored_key(sha256), item.data


def _encoded(
    missing: Mapping[bytes, tuple[str, bytes]], encoder: LazyEncoder, max_pixels: int
) -> dict[bytes, np.ndarray]:
    """float16 vectors of pictures by key; those that cannot be decoded, or have no vector, are not there."""
    keys: list[bytes] = []

    def pictures() -> Iterator[Image.Image]:
        for key, (view, data) in missing.items():
            try:
                picture = decode(data, max_pixels)
            except ImageRefused:
                # The registry has the item with its reason.
                continue
            keys.append(key)
            yield mirror(picture) if view == "mirrored" else picture

    if not missing:
        return {}
    _, raw = encoder.load().encode_images(pictures())
    stored = raw.astype(np.float16)
    return {key: vector for key, vector in zip(keys, stored, strict=True) if np.isfinite(vector).all()}
