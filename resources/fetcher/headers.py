"""What header fields ask of us: X-Robots-Tag and Retry-After."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Fields = tuple[tuple[str, str], ...]
"""Header fields in order: lower-case name, value."""

MAX_VALUE = 16 * 1024
LONGEST_WAIT = 10 * 365 * 86400.0
"""Seconds; a host that names a later time does not mean it, and calendars end."""
_VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


def values(fields: Fields, name: str) -> list[str]:
    """All values of a field."""
    return [value for key, value in fields if key == name]


def opt_out(tags: Iterable[str], token: str, directives: Iterable[str]) -> str | None:
    """First value of X-Robots-Tag that binds us and holds one of the directives; None if there is none.

    A name and a colon address what follows, up to the next name, to one agent; directives that take a value are no
    names. Case does not matter.
    """
    unwanted = {directive.lower() for directive in directives}
    for tag in tags:
        binds = True
        for part in tag[:MAX_VALUE].lower().split(","):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            if colon and re.fullmatch(r"[\w*-]+", name) and name not in _VALUED | unwanted:
                binds = name in ("*", token.lower())
                name = rest
            if binds and unwanted & set(name.split()):
                return tag
    return None


def retry_after(fields: Fields, now: datetime) -> float | None:
    """Seconds that Retry-After asks us to wait, given as seconds or as an HTTP date; None where it says nothing."""
    for value in values(fields, "retry-after"):
        text = value.strip()
        if re.fullmatch(r"[0-9]{1,9}", text):
            return min(float(text), LONGEST_WAIT)
        try:
            moment = parsedate_to_datetime(text[:100])
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(0.0, (moment - now).total_seconds()), LONGEST_WAIT)
    return None
