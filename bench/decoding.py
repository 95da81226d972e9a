"""Decoding and shrinking JPEGs against libjpeg-turbo alone: `python -m bench.decoding`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assets.crawl.images import DecodeSettings, ImageRefused, decode, render
from assets.crawl.resizing import fitted
from bench.measure import duration, machine, medians, table

COUNT = 100
SCENES = 8
CRAWL = Path(__file__).resolve().parents[1] / "examples" / "crawl"
LARGEST = (2304, 1728)


@cache
def scenes() -> tuple[Image.Image, ...]:
    """Photo-like pictures of 4 megapixels: smooth shading, edges at several scales, a little sensor noise."""
    rng = np.random.default_rng(3)
    width, height = LARGEST
    found = []
    for _ in range(SCENES):
        picture = np.full((height, width, 3), 128, np.float32)
        for cells, strength in ((4, 50), (16, 30), (64, 16), (256, 8)):
            small = rng.standard_normal((max(2, cells * 3 // 4), cells, 3)).astype(np.float32)
            for channel in range(3):
                layer = Image.fromarray(small[..., channel]).resize(LARGEST, Image.Resampling.BICUBIC)
                picture[..., channel] += strength * np.asarray(layer)
        across, down = np.meshgrid(np.arange(width), np.arange(height))
        for x, y, radius in zip(*rng.uniform(0, width, (2, 60)), rng.uniform(20, 200, 60), strict=True):
            picture[(across - x) ** 2 + (down - y) ** 2 < radius**2] += rng.uniform(-60, 60, 3).astype(np.float32)
        picture += rng.standard_normal((height, width, 1), dtype=np.float32) * 3
        found.append(Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)))
    return tuple(found)


def photographs(count: int = COUNT) -> list[bytes]:
    """JPEGs of 1 to 4 megapixels, qualities 75 to 92, every eighth progressive."""
    rng = np.random.default_rng(4)
    found = []
    for number in range(count):
        share = float(np.sqrt(rng.uniform(0.25, 1)))
        size = int(LARGEST[0] * share), int(LARGEST[1] * share)
        x, y = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(LARGEST, size, strict=True))
        stream = io.BytesIO()
        part = scenes()[number % SCENES].crop((x, y, x + size[0], y + size[1]))
        part.save(stream, "JPEG", quality=int(rng.integers(75, 93)), progressive=number % 8 == 7)
        found.append(stream.getvalue())
    return found


def crawled(longest_side: int) -> list[bytes]:
    """The sample crawl's JPEGs that are longer than that."""
    from assets.crawl.warc import iter_records

    found = []
    for path in sorted(CRAWL.glob("*.warc.gz")):
        for record in iter_records(path):
            if record.status == "ok" and record.body.startswith(b"\xff\xd8\xff"):
                try:
                    whole = decode(record.body)
                except ImageRefused:
                    continue
                if max(whole.size) > longest_side:
                    found.append(record.body)
    return found


def turbo(longest_side: int) -> Callable[[bytes], Any]:
    """libjpeg-turbo alone, at the scale that we decode at, and nothing after it."""
    import simplejpeg

    def run(data: bytes) -> Any:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        wide, high = fitted((width, height), longest_side)
        scale = next(s for s in (8, 4, 2, 1) if min(width // wide, height // high) >= s)
        return simplejpeg.decode_jpeg(data, min_width=-(-width // scale), min_height=-(-height // scale), strict=False)

    return run


def whole(longest_side: int) -> Callable[[bytes], Any]:
    """Pillow without shrinking on load: everything is decoded, then scaled by LANCZOS."""

    def run(data: bytes) -> Any:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB").resize(fitted(image.size, longest_side), Image.Resampling.LANCZOS)

    return run


def ours(longest_side: int) -> Callable[[bytes], Any]:
    """Winnow's: every gate, orientation, shrinking; nothing is written."""
    settings = DecodeSettings(longest_side=longest_side)
    return lambda data: render(data, settings).picture


def for_all(way: Callable[[bytes], Any], images: Sequence[bytes]) -> None:
    """Run over all images, keep nothing."""
    for image in images:
        way(image)


def row(name: str, images: Sequence[bytes], longest_side: int) -> tuple[object, ...]:
    """One set of images: time per image of each way."""
    ways = {"turbo": turbo(longest_side), "whole": whole(longest_side), "ours": ours(longest_side)}
    for way in ways.values():
        way(images[0])  # what is imported, is imported before
    seconds, _ = medians({name: lambda way=way: for_all(way, images) for name, way in ways.items()})
    each = {name: duration(value / len(images)) for name, value in seconds.items()}
    return name, len(images), longest_side, *each.values(), f"{seconds['ours'] / seconds['turbo']:.2f}"


def main() -> str:
    """The section of docs/benchmarks.md."""
    head = (
        "JPEGs",
        "count",
        "longest side",
        "libjpeg-turbo alone",
        "Pillow, whole, LANCZOS",
        "Winnow",
        "Winnow / turbo",
    )
    small = crawled(256)
    rows = [row("1 to 4 megapixels", photographs(), 512), row("sample crawl's, above 256", small, 256)]
    return f"""## Decoding and shrinking

One image to RGB pixels of at most the longest side (`bench/decoding.py`), per image. Peers: libjpeg-turbo alone
(simplejpeg), decoding at the scale of 1, 1/2, 1/4 or 1/8 that Winnow picks, without any resize after it; and Pillow
decoding everything. Winnow's time has the gates, the scan count, the orientation and an antialiased resize in it.
Nothing is written. The larger images are generated: smooth shading, edges and a little noise, qualities 75 to 92, one
in eight progressive. Medians of 5 runs, in turn, in one process. {machine(("pillow", "simplejpeg", "torch"))}.

{table(head, rows)}"""


if __name__ == "__main__":
    print(main())
