"""HTTP header blocks with byte offsets, and the Link header (RFC 8288)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BLOCK = 256 * 1024
MAX_LINKS = 200


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


def header_lines(block: bytes) -> list[Line]:
    """Fields of a header block in order; the status line and lines without a colon are skipped."""
    lines: list[Line] = []
    for match in re.finditer(rb"[^\r\n]+", block[:MAX_BLOCK]):
        raw, start, end = match.group(), match.start(), match.end()
        if raw[:1] in b" \t" and lines:
            last = lines.pop()
            lines.append(Line(last.name, f"{last.value} {_text(raw)}".strip(), last.start, end))
            continue
        name, colon, value = raw.partition(b":")
        if colon and re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            lines.append(Line(name.decode("ascii").lower(), _text(value), start, end))
    return lines


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip()


_LINK = re.compile(r"\s*,*\s*<([^>]*)>")
_PARAMETER = re.compile(r"\s*;\s*([^\s=;,\"]*)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s;,\"]*)))?")


def links(value: str) -> list[Link]:
    """Links of a Link header value; reading stops where the syntax is broken. The first of equal parameters counts."""
    found: list[Link] = []
    position = 0
    while len(found) < MAX_LINKS and (match := _LINK.match(value, position)):
        parameters: dict[str, str] = {}
        position = match.end()
        while parameter := _PARAMETER.match(value, position):
            name, quoted, plain = parameter.groups()
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
            parameters.setdefault(name.lower(), text)
            position = parameter.end()
        found.append(Link(match[1].strip(), parameters))
        separator = re.compile(r"\s*,").match(value, position)
        if separator is None:
            break
        position = separator.end()
    return found
