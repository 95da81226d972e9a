"""Classes for zero-shot: the one word of a vocabulary that a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Labeler:
    """Finds words of a vocabulary in texts: whole words, whatever the case, the longest where several overlap."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take the vocabulary; words may consist of several words."""
        self._words = {_folded(word): word for word in words}
        longest_first = sorted(self._words, key=lambda word: (-len(word), word))
        listed = "|".join(map(re.escape, longest_first))
        # Looked for at every place, so that `sea lion` in `the sea lion` hides neither itself nor what starts inside it.
        self._pattern = re.compile(rf"(?<!\w)(?=({listed})(?!\w))") if listed else None

    def label(self, text: str) -> str | None:
        """The word that a text names, as the vocabulary spells it; None if it names none, or several different ones."""
        if self._pattern is None:
            return None
        folded = _folded(text)
        spans = [found.span(1) for found in self._pattern.finditer(folded)]
        taken: list[tuple[int, int]] = []
        for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            if all(end <= other[0] or start >= other[1] for other in taken):
                taken.append((start, end))
        named = {folded[start:end] for start, end in taken}
        return self._words[named.pop()] if len(named) == 1 else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
