"""What must hold of an evaluation set that is added: it reads the same twice, copies of its items go, other views stay.

The kit EVAL of docs/extending.md: `winnow check evaluation-set RECIPE` runs it over the sets of a recipe, and a test over
sets in every layout. Who adds a layout runs it over a set that lies so.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.crawl.images import ImageRefused, decode, perceptual_hash
from assets.decontaminate.matching import Items, Limits, hits, items_of
from assets.decontaminate.registering import Registered, list_name, vectors
from assets.decontaminate.sets import Item
from assets.decontaminate.views import is_flat, mirror
from assets.embeddings.cache import VectorCache
from assets.provenance.tables import conform
from resources.conformance.checks import Answer, Check, Result, results
from resources.encoder import LazyEncoder

SAMPLED = 24
"""Items that are copied, spread over the set."""
SHORT_SIDE = 64
"""Smaller pictures are not copied: half of them is too little for any rule."""
ENOUGH = 0.95
"""Least share of copies that must be found, and of other views that must stay."""


def resized(picture: Image.Image) -> Image.Image:
    """Half as wide and half as high."""
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC)


def recompressed(picture: Image.Image) -> Image.Image:
    """As a JPEG of quality 40."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=40)
    return Image.open(stream).convert("RGB")


def cropped(picture: Image.Image) -> Image.Image:
    """Less a tenth of width and height, somewhere: where follows from the picture's size."""
    width, height = round(0.9 * picture.width), round(0.9 * picture.height)
    dice = random.Random(picture.width * picture.height)
    x, y = dice.randint(0, picture.width - width), dice.randint(0, picture.height - height)
    return picture.crop((x, y, x + width, y + height))


def all_of_it(picture: Image.Image) -> Image.Image:
    """Cropped, then made smaller, then recompressed."""
    return recompressed(resized(cropped(picture)))


def another_view(picture: Image.Image) -> Image.Image:
    """As if the camera had gone to the side, nearer, and looked at the right half: the same thing, another picture."""
    w, h = picture.size
    corners = (0.25 * w, 0.15 * h, 0.25 * w, 0.95 * h, w, 0.75 * h, w, 0.3 * h)
    return picture.transform((w, h), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class EvaluationSetCase:
    """An evaluation set that is asked.

    Attributes:
        stated: name, version, date, license, source, layout and mirrored, as the recipe says them.
        read: gives its items; called several times.
        encoder: of near-duplicates.
        limits: how near a sample may come.
        crop: share of the sides that a cut view lacks.
        max_pixels: larger images are not read.
    """

    stated: Mapping[str, Any]
    read: Callable[[], Iterable[Item]]
    encoder: LazyEncoder
    limits: Limits = field(default_factory=Limits)
    crop: float = 0.1
    max_pixels: int = 64_000_000

    @cached_property
    def registered(self) -> Registered:
        """The set, entered as a build does it."""
        made = Registered()
        made.add(self.stated, self.read(), self.crop, self.max_pixels)
        return made

    @cached_property
    def items(self) -> Items:
        """What samples are held against."""
        tables = {name: conform(name, table) for name, table in self.registered.tables().items()}
        given = [(list_name(self.stated["name"], self.stated["version"]), self.stated["mirrored"], self.read())]
        made = vectors(given, self.encoder, VectorCache([], self.encoder.key), self.max_pixels)
        registry, item, view = (tables[name] for name in ("eval_registry", "eval_item", "eval_view"))
        return items_of(registry, item, view, conform("eval_embedding", made))

    @cached_property
    def pictures(self) -> list[Image.Image]:
        """Items that are copied: spread over the set by a hash of their names, not tiny, of more than one color."""
        names = sorted((item.name for item in self.read()), key=lambda name: hashlib.sha256(name.encode()).digest())
        wanted = set(names[: 4 * SAMPLED])
        found: list[Image.Image] = []
        for item in self.read():
            if item.name not in wanted or len(found) == SAMPLED:
                continue
            try:
                picture = decode(item.data or b"", self.max_pixels)
            except ImageRefused:
                # The first check tells it.
                continue
            if min(picture.size) >= SHORT_SIDE and not is_flat(picture):
                found.append(picture)
        return found

    def claimed(self, change: Callable[[Image.Image], Image.Image]) -> int:
        """How many of the changed pictures the set claims."""
        changed = [change(picture) for picture in self.pictures]
        ids = np.arange(len(changed), dtype=np.uint64)
        rows = pa.table(
            {
                "sample_id": pa.array(ids),
                "sha256": pa.array([hashlib.sha256(picture.tobytes()).digest() for picture in changed]),
                "phash": pa.array([perceptual_hash(picture) for picture in changed]),
                "text": pa.nulls(len(changed), pa.string()),
            }
        )
        matrix = self.encoder.load().encode_images(changed)[1].astype(np.float16)
        look = lambda some: [changed[at] for at in some]  # noqa: E731
        return hits(rows, ids, matrix, self.items, self.limits, look, self.crop).num_rows


def its_items_are_read(case: EvaluationSetCase) -> Answer:
    """Is every item an image that can be decoded within the limits?"""
    entry = case.registered.registry[0]
    broken = [f"{item['item']} ({item['reason']})" for item in case.registered.items if item["status"] == "failed"]
    more = f"; not readable: {', '.join(broken[:3])}" if broken else ""
    return not broken, f"{entry['items']} items are read, {entry['failed']} are not{more}"


def its_terms_are_stated(case: EvaluationSetCase) -> Answer:
    """Does the recipe say name, version, date, license and source?"""
    missing = [key for key in ("name", "version", "date", "license", "source") if not case.stated.get(key)]
    return not missing, f"the recipe does not state {', '.join(missing)}" if missing else "all are stated"


def it_reads_the_same_twice(case: EvaluationSetCase) -> Answer:
    """Do two readings give the same names, bytes, texts and classes in one order?"""
    first, second = (_digest(case.read()) for _ in range(2))
    return first == second, "two readings agree" if first == second else "two readings give different items"


def resized_copies_are_found(case: EvaluationSetCase) -> Answer:
    """Are copies of half the width and height claimed?"""
    return _found(case, resized)


def recompressed_copies_are_found(case: EvaluationSetCase) -> Answer:
    """Are copies as JPEG of quality 40 claimed?"""
    return _found(case, recompressed)


def cropped_copies_are_found(case: EvaluationSetCase) -> Answer:
    """Are copies that lack a tenth of width and height claimed?"""
    return _found(case, cropped)


def copies_changed_in_every_way_are_found(case: EvaluationSetCase) -> Answer:
    """Are copies claimed that were cropped, then made smaller, then recompressed?"""
    return _found(case, all_of_it)


def mirror_images_are_found(case: EvaluationSetCase) -> Answer:
    """Are mirror images claimed, where the set asks for it?"""
    return _found(case, mirror) if case.stated["mirrored"] else (True, "the set does not ask for mirror images")


def other_views_stay(case: EvaluationSetCase) -> Answer:
    """Is the same thing from another place, a hard negative, left alone?"""
    claimed, asked = case.claimed(another_view), len(case.pictures)
    return claimed <= (1 - ENOUGH) * asked, f"{asked - claimed} of {asked} stay"


EVALUATION_SET_CHECKS: tuple[Check[EvaluationSetCase], ...] = (
    its_items_are_read,
    its_terms_are_stated,
    it_reads_the_same_twice,
    resized_copies_are_found,
    recompressed_copies_are_found,
    cropped_copies_are_found,
    copies_changed_in_every_way_are_found,
    mirror_images_are_found,
    other_views_stay,
)
"""The kit EVAL."""


def evaluation_set_checks(case: EvaluationSetCase) -> Iterator[Result]:
    """Carry out the kit EVAL over a set."""
    return results(EVALUATION_SET_CHECKS, case)


def _found(case: EvaluationSetCase, change: Callable[[Image.Image], Image.Image]) -> Answer:
    asked = len(case.pictures)
    if not asked:
        return False, f"no item is larger than {SHORT_SIDE} pixels and of more than one color"
    claimed = case.claimed(change)
    return claimed >= ENOUGH * asked, f"{claimed} of {asked} are found"


def _digest(items: Iterable[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr((item.name, item.text, item.label, item.reason)).encode())
        digest.update(hashlib.sha256(item.data or b"").digest())
    return digest.hexdigest()
