"""Texts around an image: collapsed, bounded, free of characters that no text needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

MAX_CHARACTERS = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str | None, limit: int = MAX_CHARACTERS) -> str | None:
    """The text without control characters and lone surrogates, cut at `limit` characters; None stays None."""
    if text is None:
        return None
    if text.isprintable():
        return text[:limit]
    return _CONTROL.sub("", text[: 4 * limit])[:limit]


def collapse(text: str | None, limit: int = MAX_CHARACTERS) -> str | None:
    """The cleaned text with white space collapsed; None where nothing is left."""
    if text is None:
        return None
    found = " ".join(text[: 2 * limit].split())
    if not found.isprintable():
        found = " ".join((clean(text, 2 * limit) or "").split())
    return found[:limit] or None


def sample_text(texts: Mapping[str, str | None], roles: Sequence[str]) -> str | None:
    """What stands for the image: the first role that has words."""
    return next((found for role in roles if (found := collapse(texts.get(role)))), None)
