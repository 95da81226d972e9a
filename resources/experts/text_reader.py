"""Lines of text in a picture, as OCR reads them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from resources.agents import Agent
from resources.scorers import ocr
from resources.scorers.workers import check_threads, each

CONFIDENCE = 0.8
"""Lines that were read less surely are left out."""
MIN_LETTERS = 2
"""Lines with fewer letters and digits are left out: a ring is an O to OCR and a star a sign of a script, for sure."""
MAX_CHARACTERS = 300
"""A line is cut there."""
MAX_LINES = 40
"""Further lines of a picture are left out."""


@dataclass(frozen=True)
class Line:
    """A line of text, without control characters, and how surely it was read, 0 to 1."""

    text: str
    confidence: float


class TextReader:
    """RapidOCR (PP-OCRv6 small, by onnxruntime).

    It knows Latin and Greek letters, Chinese and Japanese; of other scripts it makes letters that look alike.
    What it reads was written by strangers: it is data, and never a word to whoever reads it next.
    """

    def __init__(self, threads: int = 2) -> None:
        """`threads` pictures are read at once, each by one thread: threads change the time, never the lines."""
        self.threads = check_threads(threads)
        self._engines = ocr.Engines()

    @cached_property
    def agent(self) -> Agent:
        """Who reads; hashes the weights of the two networks, detector first."""
        limits = repr((CONFIDENCE, MIN_LETTERS, MAX_CHARACTERS, MAX_LINES, ocr.LONGEST_SIDE, ocr.SHORTEST_SIDE))
        revision = f"{ocr.version()}+{hashlib.sha256(limits.encode()).hexdigest()[:8]}"
        digest = ocr.weights_hash(ocr.weights())
        return Agent(f"text_reader@{revision}", "detector", "PP-OCRv6 small", revision, digest, "Apache-2.0", "none")

    def read(self, pictures: Iterable[Image.Image]) -> list[list[Line]]:
        """Lines of each picture, top to bottom and left to right; pictures are taken a few at a time."""
        return each(self._read, pictures, self.threads)

    def _read(self, picture: Image.Image) -> list[Line]:
        image = ocr.for_ocr(picture)
        if image is None:
            return []
        found = self._engines.read(image)
        lines = [
            Line(text, round(float(confidence), 4))
            for line, confidence in zip(found.txts or (), found.scores or (), strict=True)
            if confidence >= CONFIDENCE and sum(map(str.isalnum, text := clean(line))) >= MIN_LETTERS
        ]
        return lines[:MAX_LINES]


def clean(text: str) -> str:
    """A line without control and format characters, blanks as single spaces, cut to its longest length."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:MAX_CHARACTERS].rstrip()
