"""Reservations in plain words: terms of use that speak of text and data mining or of training.

No standard gives them a form, and whether they count as machine-readable is before the courts; so they are recorded, and
a policy says what they are worth (`natural_language_terms`). Only sentences that name such a use and forbid or reserve
it in the same breath are found, in English, German, French and Spanish; a page that merely talks about training is none.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import datetime

from assets.rights.findings import Findings, Subject, Where
from assets.rights.markup import Page
from assets.rights.preferences import RESERVED

RULE = "natural_language"

MAX_STATEMENTS = 20
_GAP = rb"[^.!?;<>]{0,200}?"

_MINING = (
    rb"(?:text[ -]and[ -]data[ -]mining|text-? ?und[ -]data[ -]?mining|fouille de textes et de donn\S{1,12}es"
    rb"|miner\S{1,7}a de textos y datos)"
)
_TRAINING = (
    rb"(?:(?:train(?:ing)?|develop(?:ing|ment)?|improv(?:e|ing))\b[^.!?;<>]{0,60}?\b(?:artificial intelligence|machine[ -]learning"
    rb"|generative|large language models?|neural networks?|a\.?i\.?)\b"
    rb"|\b(?:artificial intelligence|machine[ -]learning|generative|a\.?i\.?)\b[^.!?;<>]{0,40}?\btraining\b"
    rb"|\btraining von (?:ki|k\S{1,6}nstlicher intelligenz)\b|\bki-training\b"
    rb"|\bentra\S{1,6}nement (?:de l|d)\S{1,8}(?:intelligence artificielle|ia)\b"
    rb"|\bentrenamiento de (?:la )?(?:inteligencia artificial|ia)\b)"
)
_FORBIDDEN = (
    rb"(?:\b(?:may|must|shall|can|is|are|do|does) ?not\b|\bnot (?:be )?(?:permitted|allowed|authori[sz]ed|licensed)\b"
    rb"|\bprohibit(?:s|ed)?\b"
    rb"|\bforbidden\b|\bexpressly reserve[sd]?\b|\breserve[sd]? (?:all |the |its |our )?rights?\b"
    rb"|\brights?\b[^.!?;<>]{0,40}?\breserved\b"
    rb"|\bopt(?:s|ed)? out\b|\bwithout (?:our |the )?(?:prior )?(?:express )?(?:written )?(?:consent|permission)\b"
    rb"|\buntersagt\b|\bverboten\b|\bvorbehalten\b|\bbeh\S{1,6}lt sich\b[^.!?;<>]{0,60}?\bvor\b"
    rb"|\binterdite?s?\b|\br\S{1,6}serv\S{1,6}s?\b"
    rb"|\bprohibid[oa]s?\b|\breservad[oa]s?\b)"
)
_PATTERNS = tuple(
    (usage, re.compile(first + _GAP + second, re.I))
    for usage, use in (("tdm", _MINING), ("ai_train", _TRAINING))
    for first, second in ((use, _FORBIDDEN), (_FORBIDDEN, use))
)
_HINTS = (
    b"mining", b"fouille de textes", b"de textos y datos", b"train", b"entra\xc3\xae", b"entra\xee", b"entrenamiento",
    b"machine", b"intelligen",
)  # fmt: skip
_AROUND = 400
"""Bytes before and after a hint in which a sentence about it is sought."""
_MAX_HINTS = 1000
"""Places of one hint that are looked at: more than a page of terms has, and few enough to be looked at."""


def read_prose(page: Page, observed_at: datetime | None, findings: Findings) -> None:
    """What a page says in plain words of mining and training, about that page and so about what it shows."""
    subject = Subject("page", page.record_id)
    for usage, start, end in spoken_reservations(page.body):
        where = Where(page.record_id, "body", start, end)
        findings.reservation(subject, RULE, usage, RESERVED, words_of(page.body[start:end]), where, observed_at)


def words_of(raw: bytes) -> str:
    """The words of a range; `spoken_reservations` finds none with tags between them."""
    return " ".join(html.unescape(raw.decode("utf-8", "replace")).split())


def spoken_reservations(body: bytes) -> Iterator[tuple[str, int, int]]:
    """(usage, start, end) of sentences that reserve or forbid mining or training, by place and usage.

    Args:
        body: a page, as bytes in any character set that has ASCII in it. What is read of it is bounded by the number of
            places that hint at such a use.
    """
    found: set[tuple[int, int, str]] = set()
    for start, end in _windows(body):
        for usage, pattern in _PATTERNS:
            found |= {(*match.span(), usage) for match in pattern.finditer(body, start, end)}
    ends: set[tuple[str, int]] = set()
    for start, end, usage in sorted(found)[:MAX_STATEMENTS]:
        if (usage, end) not in ends:
            ends.add((usage, end))
            yield usage, start, end


def _windows(body: bytes) -> Iterator[tuple[int, int]]:
    """Parts of a page around its hints, in order, without overlaps."""
    last = (0, 0)
    for place in _hints(body.lower()):
        start, end = max(place - _AROUND, 0), min(place + _AROUND, len(body))
        if start <= last[1]:
            last = (last[0], end)
            continue
        yield last
        last = (start, end)
    yield last


def _hints(lower: bytes) -> list[int]:
    """Where a page hints at mining or training; plain searches, because most pages do so nowhere.

    Of hints in one window the first stands for all, so that a heap of them does not hide what stands elsewhere.
    """
    places: list[int] = []
    for hint in _HINTS:
        place, found = lower.find(hint), 0
        while place >= 0 and found < _MAX_HINTS:
            places.append(place)
            found += 1
            place = lower.find(hint, place + _AROUND)
    return sorted(places)
