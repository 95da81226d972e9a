"""Profane words in a text."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from resources.agents import Agent

MAX_CHARACTERS = 4096
"""More of a text is not looked at."""

_WORD = re.compile(r"[\w$@*]+")
"""What a word of the list may be written with: it has spellings such as `a$$`."""


class ProfanityScorer:
    """Words and phrases of better_profanity's list, one of the three that COYO-700M was cleaned with.

    The list is English, blunt and wide: it holds `god`, `hell`, `gay` and `virgin`. Whole words are compared, so
    that Scunthorpe is a town. The package's own matcher is not used: it takes milliseconds for a text.
    """

    @cached_property
    def agent(self) -> Agent:
        """Who scores; hashes the list."""
        version = importlib.metadata.version("better-profanity")
        digest = hashlib.sha256(_list_file().read_bytes()).digest()
        return Agent(f"better_profanity@{version}", "scorer", "better_profanity", version, digest, "MIT", "none")

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 number of listed words and phrases in each text; a place counts once."""
        return np.array([_count(text[:MAX_CHARACTERS]) for text in texts], dtype=np.float32)


def _count(text: str) -> int:
    phrases, longest = _phrases()
    words = _WORD.findall(text.lower())
    found = at = 0
    while at < len(words):
        length = next((n for n in range(longest, 0, -1) if tuple(words[at : at + n]) in phrases), 0)
        found += length > 0
        at += max(length, 1)
    return found


@cache
def _phrases() -> tuple[frozenset[tuple[str, ...]], int]:
    """The list as tuples of words, and the length of the longest."""
    lines = _list_file().read_text(encoding="utf-8").lower().splitlines()
    phrases = frozenset(words for line in lines if (words := tuple(_WORD.findall(line))))
    return phrases, max(map(len, phrases))


def _list_file() -> Path:
    """The file in the package; it is read as text, nothing of the package runs."""
    spec = importlib.util.find_spec("better_profanity")
    path = Path(spec.origin).parent / "profanity_wordlist.txt" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the word list of better_profanity is not installed; run: pip install --force-reinstall better-profanity"
        )
    return path
