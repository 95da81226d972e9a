"""Start tags and their places: a light scan of a page's bytes, and marks that survive the HTML parser.

The parser keeps no positions. So the scan writes each start tag's offset into the tag, as its first attribute, before
the page is parsed. A page may bear such attributes of its own: a mark counts only where a tag really begins.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping

_AT = "data-winnow-at"
_NAMED = {b"a", b"link", b"area", b"form", b"meta", b"figure", b"figcaption", b"script", b"img"}
_RAW_TEXT = {b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes"}
_TAG_NAME = re.compile(rb"<(?:!--|([A-Za-z][^\s/>]*))")
_TAG = re.compile(rb"<[A-Za-z](?:=\s*\"[^\"]*\"|=\s*'[^']*'|[^>=]++|=)*+>")
_ATTRIBUTES = re.compile(
    rb"\b(?:rel|about|resource|property|typeof|itemprop|itemscope)\b|licen[cs]e|public-domain|wp-caption", re.I
)


def starts_of_tags(body: bytes) -> Iterator[tuple[int, int]]:
    """(offset of `<`, offset after the name) of start tags of interest; comments and raw text are skipped."""
    position = 0
    while match := _TAG_NAME.search(body, position):
        start, position = match.span()
        name = (match[1] or b"").lower()
        if not name:
            end = body.find(b"-->", start + 2)
            position = end + 3 if end >= 0 else len(body)
            continue
        whole = _TAG.match(body, start)
        if whole is None:
            return
        if name in _NAMED or _ATTRIBUTES.search(body, position, whole.end()):
            yield start, position
        position = whole.end()
        if name in _RAW_TEXT:
            closing = re.compile(rb"</" + name + rb"(?=[\s/>])", re.I).search(body, position)
            position = closing.start() if closing else len(body)


def codec(charset: str | None) -> str:
    """Python's name of a character set; UTF-8 where it is unknown."""
    try:
        return codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"


def has_ascii_tags(encoding: str) -> bool:
    """Whether `<` is one byte that is nothing else, so that tags can be found before decoding."""
    return not encoding.startswith(("utf-16", "utf-32", "utf-7", "iso2022", "hz"))


def marked(body: bytes) -> bytes:
    """The page with the offset of each start tag of interest in the tag."""
    pieces, last = [], 0
    for start, after_name in starts_of_tags(body):
        pieces += [body[last:after_name], b' %s="%d"' % (_AT.encode(), start)]
        last = after_name
    return b"".join([*pieces, body[last:]])


def span(body: bytes, attributes: Mapping[str, str | None]) -> tuple[int, int] | None:
    """Range of the start tag whose attributes these are; None where the scan did not see it."""
    mark = attributes.get(_AT) or ""
    start = int(mark) if mark.isascii() and mark.isdigit() and len(mark) < 10 else -1
    if not 0 <= start < len(body) or body[start : start + 1] != b"<":
        return None
    match = _TAG.match(body, start)
    return (start, match.end()) if match else None
