"""What the kits show and say: pictures and texts of every kind that a crawl brings."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SHAPES = ((40, 40), (90, 30), (30, 90), (300, 200), (261, 260), (8, 8))


def noise(count: int) -> list[Image.Image]:
    """Pictures of noise in several shapes; no two alike, and every time the same."""
    random = np.random.default_rng(5)
    shapes = [SHAPES[place % len(SHAPES)] for place in range(count)]
    return [Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


def odd_pictures() -> dict[str, Image.Image]:
    """Pictures that are rare and harmless, by what is odd about them."""
    return {
        "of one pixel": Image.new("RGB", (1, 1), "red"),
        "two thousand times as wide as high": Image.new("RGB", (2000, 1), "green"),
        "two thousand times as high as wide": Image.new("RGB", (1, 2000), "blue"),
        "all white": Image.new("RGB", (64, 64), "white"),
        "all black": Image.new("RGB", (64, 64), "black"),
    }


def texts() -> list[str]:
    """Texts of every length: empty, a word, and more words than any context holds; the first seven differ early."""
    return ["", "cat", "a cat", *(" ".join(["a small red boat and"] * n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 20))]


def odd_texts() -> dict[str, str]:
    """Texts that a crawl brings, by what is odd about them."""
    return {
        "empty": "",
        "blank": " \t\n ",
        "with a zero byte": "a\x00cat",
        "of a hundred thousand letters": "a" * 100_000,
        "of ten thousand words": "cat " * 10_000,
        "in other scripts": "猫 кошка قطة 🐈‍⬛ ﷽",
        "of stacked marks": "Z" + "\u0351\u0327" * 200,
        "that writes marks of models": "<|endoftext|></s>[INST]<image><pad>",
    }


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    """A picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def broken_files() -> dict[str, bytes]:
    """Bytes that are no whole picture, by what is wrong with them."""
    whole = encoded(noise(4)[3])
    return {
        "empty": b"",
        "not a picture": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "cut off": whole[: len(whole) // 2],
        "a header alone": b"\x89PNG\r\n\x1a\n",
        "a bomb of 3,600 million pixels": _bomb(60_000),
    }


def _bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header names a square of that side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
