"""Candidates of a srcset attribute."""

from __future__ import annotations

import re

LAZY_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "data-opt-srcset", "data-ezsrcset", "nitro-lazy-srcset",
             "data-flickity-lazyload-srcset")  # fmt: skip
"""Attributes that lazy-loading scripts copy to `srcset`."""
CANDIDATE = re.compile(r"([^\s,](?:\S*[^\s,])?)(?:\s+([0-9]{1,6}(?:\.[0-9]{1,3})?)[wx](?=[\s,]|$))?")


def addresses(value: str | None) -> list[str]:
    """Addresses of a srcset, as written."""
    return [url for url, _ in _candidates(value)] if value else []


def largest(value: str | None) -> str | None:
    """The address of the largest candidate; None if there is none."""
    found = _candidates(value) if value else None
    return max(found, key=lambda item: item[1])[0] if found else None


def _candidates(value: str) -> list[tuple[str, float]]:
    """(address, width or density) pairs; 1 where neither is given."""
    return [(url, float(size or 1)) for url, size in CANDIDATE.findall(value[:65536])]
