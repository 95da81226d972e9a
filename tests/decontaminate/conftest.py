"""Photographs of the sample crawl, what a copyist does to them, and small evaluation sets made of some of them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from PIL import Image

from tests.conftest import CRAWL


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def resized(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC)


def recompressed(picture: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(picture, 40))).convert("RGB")


def cropped(picture: Image.Image, seed: int = 0) -> Image.Image:
    """Less a tenth of width and height, somewhere."""
    width, height = round(0.9 * picture.width), round(0.9 * picture.height)
    rng = random.Random(seed)
    x, y = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
    return picture.crop((x, y, x + width, y + height))


def all_of_it(picture: Image.Image) -> Image.Image:
    """Cropped, then made smaller, then recompressed."""
    return recompressed(resized(cropped(picture, 1)))


def mirrored(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def another_view(picture: Image.Image) -> Image.Image:
    """As if the camera had gone to the side, nearer, and looked at the right half: the same thing, another picture."""
    w, h = picture.size
    corners = (0.25 * w, 0.15 * h, 0.25 * w, 0.95 * h, w, 0.75 * h, w, 0.3 * h)
    return picture.transform((w, h), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": resized,
    "recompressed": recompressed,
    "cropped": cropped,
    "all of it": all_of_it,
}


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """Photographs of the sample crawl, in the order of the file; no two alike."""
    found = []
    stream = (CRAWL / "sample-00003.warc.gz").open("rb")
    for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
        if "image/webp" in (record.http_headers.get("Content-Type") or "") and len(found) < 48:
            found.append(Image.open(io.BytesIO(record.reader.read())).convert("RGB"))
    return found
