"""Overlaid text in a picture: names of stock agencies, copyright marks, addresses, as OCR reads them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from PIL import Image

from resources.agents import Agent
from resources.scorers.ocr import LONGEST_SIDE, Engines, version, weights_hash
from resources.scorers.ocr import for_ocr as _for_ocr
from resources.scorers.ocr import weights as _weights
from resources.scorers.workers import check_threads, one_by_one

_AGENCIES = re.compile(
    r"shutterst[o0u]ck|gett[yv]images|i?st[o0]ckphoto|dreamst[il1]me|dep[o0]sitphot[o0]s|ad[o0]best[o0]ck|f[o0]t[o0][l1i]ia"
    r"|b[il1]gst[o0]ck|vect[o0]rst[o0]ck|agef[o0]t[o0]st[o0]ck|c[o0][l1]ourbox|123rf|p[o0]nd5|freepik|canstock|imag[o0]images"
    r"|envat[o0]|visua[l1]china|stocksy|picfair"
)
"""Names that no other word contains, as they stand once blanks and punctuation are gone; with what OCR mistakes."""
_SHORT_NAMES = re.compile(r"\b(?:a[l1]am[yv]|[i1l]st[o0]ck|c[o0]rbis|eyeem|pixta|depositphotos|getty)\b")
"""Names that other words may contain."""
_CLAIM = re.compile(
    r"©|Ⓒ|^\W*\(c\)\s*\w|\(c\)\s*(?:19|20)\d\d|(?<!\w)[@co]\s?(?:19|20)\d\d\s+[^\W\d]"
    r"|\bcopyright\b|\ball rights reserved\b|\bdo not copy\b|\bwatermark\b"
)
"""A claim of rights; OCR reads the sign © as @, c or o at times, which counts before a year and a name alone."""
_ADDRESS = re.compile(r"\bwww\.|\b[a-z0-9-]{3,40}\.(?:com|net|org|de|ru|co|info)\b|^@[a-z0-9_.]{3,30}$")

WEIGHTS = {"agency": 1.0, "claim": 0.95, "address": 0.6}
"""What each kind of line says of a picture. An address alone is a sign or a credit as often as a watermark."""


class WatermarkTextScorer:
    """RapidOCR (PP-OCRv6 small, by onnxruntime) and patterns over the lines it reads.

    LAION's watermark model is a classifier of pictures; this one reads. It finds what is written, not logos, and a
    shop sign with a copyright line is a watermark to it.
    """

    def __init__(self, threads: int = 2) -> None:
        """`threads` pictures are worked on at once, each by one thread: threads change the time, never the number."""
        self.threads = check_threads(threads)
        self._engines = Engines()

    @cached_property
    def agent(self) -> Agent:
        """Who scores; hashes the weights of the two networks, detector first, and the patterns."""
        rules = repr([p.pattern for p in (_AGENCIES, _SHORT_NAMES, _CLAIM, _ADDRESS)]) + repr((WEIGHTS, LONGEST_SIDE))
        revision = f"{version()}+{hashlib.sha256(rules.encode()).hexdigest()[:8]}"
        digest = weights_hash(_weights())
        return Agent(f"watermark_text@{revision}", "scorer", "PP-OCRv6 small", revision, digest, "Apache-2.0", "none")

    def scores(self, pictures: Iterable[Image.Image]) -> np.ndarray:
        """(n,) float32, 0 no overlay was read to 1 an agency's name was; pictures are taken a few at a time."""
        return one_by_one(self._score, pictures, self.threads)

    def _score(self, picture: Image.Image) -> float:
        image = _for_ocr(picture)
        if image is None:
            return 0.0
        found = self._engines.read(image)
        return watermark_score(found.txts or (), found.scores or ())


def watermark_score(lines: Sequence[str], confidences: Sequence[float]) -> float:
    """How surely a picture's lines are a watermark: the highest of each line's weight times its confidence, 0 to 1.

    Args:
        lines: n lines as OCR read them.
        confidences: n probabilities that they were read right.
    """
    return max((_weight(line) * float(c) for line, c in zip(lines, confidences, strict=True)), default=0.0)


def _weight(line: str) -> float:
    text = line.lower()
    if _AGENCIES.search(re.sub(r"[\W_]+", "", text)) or _SHORT_NAMES.search(text):
        return WEIGHTS["agency"]
    if _CLAIM.search(text):
        return WEIGHTS["claim"]
    return WEIGHTS["address"] if _ADDRESS.search(text) else 0.0
