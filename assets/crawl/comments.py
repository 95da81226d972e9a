"""Which elements of a page call themselves visitors' comments: their words are not the page's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_HINT = re.compile(r"comment|repl(?:y|ies)|respond|disqus|forum|postbody|usertext|review", re.I)
_PARTS = frozenset(
    ("comment", "comments", "commentlist", "commentbody", "commentcontent", "commenttext", "commentarea", "commentauthor",
     "reply", "replies", "respond", "disqus", "postbody", "usertext", "review", "reviews")
)  # fmt: skip
_NO_PARTS = frozenset(
    (
        "no",
        "has",
        "with",
        "allow",
        "hide",
        "open",
        "closed",
        "enabled",
        "disabled",
        "category",
        "tag",
        "type",
        "count",
        "link",
    )
)
"""Beside these, a word for comments says that a thing has none, may have some, or is about them."""
_WORD_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_MAX_NAMES = 500


def is_comment(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether an element calls itself visitors' comments; of a whole page that tells only that it may have some."""
    if tag in ("html", "body", "main"):
        return False
    return _named(f"{(attributes.get('class') or '')[:_MAX_NAMES]} {(attributes.get('id') or '')[:_MAX_NAMES]}")


@lru_cache(4096)
def _named(names: str) -> bool:
    if not _HINT.search(names):
        return False
    for name in names.split():
        parts = {part.lower() for part in _WORD_PART.findall(name)}
        said = not _PARTS.isdisjoint(parts) or {"forum", "post"} <= parts
        if said and _NO_PARTS.isdisjoint(parts):
            return True
    return False
