"""Photographs of the sample crawl, of which the tests hold some aside."""

from __future__ import annotations

import io

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from PIL import Image

from tests.conftest import CRAWL


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """Photographs of the sample crawl, in the order of the file; no two alike."""
    found = []
    stream = (CRAWL / "sample-00003.warc.gz").open("rb")
    for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
        if "image/webp" in (record.http_headers.get("Content-Type") or "") and len(found) < 48:
            found.append(Image.open(io.BytesIO(record.reader.read())).convert("RGB"))
    return found
