"""Addresses, joined by the WHATWG rules that browsers follow (Python's urljoin turns `images//x.png` into another)."""

from __future__ import annotations

import ada_url

MAX_LENGTH = 8192


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
    try:
        url = ada_url.URL(reference, base=base)
        url.hash = ""
        href = str(url.href)
    except (ValueError, UnicodeError):
        return None
    return href if href.startswith(("http://", "https://", "data:")) else None


def same(url: str) -> str:
    """One form per address, for look-ups: what the WHATWG parser makes of it, without fragment."""
    return join(url, url) or url
