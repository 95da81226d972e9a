"""HTTP header blocks with byte offsets, and the Link header (RFC 8288)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BLOCK = 256 * 1024
"""Bytes of a header block that are read: four times what servers and clients agree to take."""


@dataclass(frozen=True, slots=True)
class Line:
    """One header field. `start` and `end` are its range in the block, folded lines included; `name` is lower case."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a Link header; parameter names are lower case."""

    target: str
    parameters: dict[str, str]

    @property
    def rel(self) -> set[str]:
        """Relation types, lower case."""
        return set(self.parameters.get("rel", "").lower().split())


_FIELD = re.compile(rb"[^\r\n]+(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def header_lines(block: bytes) -> list[Line]:
    """Fields of a header block in order, folded lines joined; the status line and lines without a colon are skipped.

    Of a block that is too long the line in which it is cut is not read: half a value may say something else.
    """
    lines: list[Line] = []
    whole = block if len(block) <= MAX_BLOCK else block[: block.rfind(b"\n", 0, MAX_BLOCK) + 1]
    for match in _FIELD.finditer(whole):
        name, colon, value = match.group().partition(b":")
        if colon and _NAME.fullmatch(name):
            text = " ".join(part for raw in value.splitlines() if (part := _text(raw)))
            lines.append(Line(name.decode("ascii").lower(), text, match.start(), match.end()))
    return lines


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip()


_BETWEEN = re.compile(r"[\s,]*")
_LINK = re.compile(r"<([^<>]*)>")
_PARAMETER = re.compile(r"\s*;\s*([^\s=;,\"\\]*)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s;,\"\\]*)))?")
_REST = re.compile(r"(?:[^,\"<\\]|\\[^,]|\"(?:[^\"\\]|\\.)*+\"|<[^<>]*>|[\"<\\])*+")
"""What is left of a member, up to the next comma that stands in no quotes and no angle brackets."""


def links(value: str) -> list[Link]:
    """Links of a Link header value; a member whose syntax is broken is skipped. The first of equal parameters counts."""
    found: list[Link] = []
    position = _end(_BETWEEN, value, 0)
    while position < len(value):
        if match := _LINK.match(value, position):
            parameters: dict[str, str] = {}
            position = match.end()
            while parameter := _PARAMETER.match(value, position):
                name, quoted, plain = parameter.groups()
                text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
                parameters.setdefault(name.lower(), text)
                position = parameter.end()
            found.append(Link(match[1].strip(), parameters))
        position = _end(_BETWEEN, value, _end(_REST, value, position))
    return found


def _end(pattern: re.Pattern[str], value: str, position: int) -> int:
    """Where a pattern that matches anything ends."""
    match = pattern.match(value, position)
    return match.end() if match else position
