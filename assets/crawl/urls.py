"""Addresses, joined by the WHATWG rules that browsers follow (Python's urljoin turns `images//x.png` into another)."""

from __future__ import annotations

import re
from functools import lru_cache

import ada_url

MAX_LENGTH = 8192
_PLAIN = re.compile(r"/?[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*")
"""A path in which nothing is escaped, empty or a dot segment: the parser would append it as it is."""


def join(base: str, reference: str) -> str | None:
    """The absolute http(s) or data address that a reference on a page means; None where there is none.

    Fragments are cut off: they never reach a server.
    """
    reference = reference.strip()
    if len(reference) > MAX_LENGTH:
        # Data inside an address may be long; whoever reads it needs to know only that it is data.
        return reference[:MAX_LENGTH] if reference[:5].lower() == "data:" else None
    if not reference:
        return None
    if _PLAIN.fullmatch(reference) and (start := _start(base, reference[0] == "/")):
        return start + reference
    try:
        href = _without_fragment(base, reference) if "#" in reference else ada_url.join_url(base, reference)
    except (ValueError, UnicodeError):
        return None
    if len(href) > MAX_LENGTH and not href.startswith("data:"):
        # Cut off it would be another address.
        return None
    return href if href.startswith(("http://", "https://", "data:")) else None


def same(url: str) -> str:
    """One form per address, for look-ups: what the WHATWG parser makes of it, without fragment."""
    return join(url, url) or url


@lru_cache(256)
def _start(base: str, at_root: bool) -> str | None:
    """What stands before a plain path: the base's origin, or its directory; None if that is not of the web."""
    try:
        start = ada_url.join_url(base, "/x" if at_root else "x").removesuffix("/x" if at_root else "x")
    except (ValueError, UnicodeError):
        return None
    return start if start.startswith(("http://", "https://")) else None


def _without_fragment(base: str, reference: str) -> str:
    url = ada_url.URL(reference, base=base)
    url.hash = ""
    return str(url.href)
