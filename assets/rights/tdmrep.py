"""The TDM reservation file /.well-known/tdmrep.json (W3C TDMRep): which location reserves, with the bytes it is from."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any

from assets.rights.addresses import origin_and_path
from assets.rights.robots import MAX_WILD_TEXT, MAX_WILDCARDS, Line, Patterns, Rule, normalize

MAX_BYTES = 1 << 20
MAX_LOCATIONS = 10_000

_BETWEEN = re.compile(r"[\s,]*")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Location:
    """One entry of the file: its members that are no lists and no objects, and its range in bytes."""

    members: dict[str, Any]
    start: int
    end: int

    @property
    def reservation(self) -> object:
        """Value of `tdm-reservation` as it is written; None if there is none."""
        return self.members.get("tdm-reservation")

    def value(self, with_policy: bool) -> str:
        """The entry as JSON. A policy is part of what it says only where rights are reserved."""
        said = {key: value for key, value in self.members.items() if with_policy or key != "tdm-policy"}
        return json.dumps(said, sort_keys=True, ensure_ascii=False)


@dataclass
class Tdmrep:
    """A file as far as it could be read.

    Attributes:
        locations: entries that have a location, in order.
        unread: why the file, or a part of it, could not be read; None if it was.
        over_limit: whether that is because there is more of it than is read.
    """

    locations: list[Location] = field(default_factory=list)
    unread: str | None = None
    over_limit: bool = False
    _patterns: Patterns = field(default_factory=Patterns)
    _seen: set[str] = field(default_factory=set)
    _wild_text: int = 0

    def add(self, location: Location, pattern: str) -> None:
        """Takes an entry in, unless an earlier one has the same pattern and so always goes first."""
        pattern = normalize(pattern, pattern=True)
        if pattern not in self._seen:
            self._seen.add(pattern)
            line = Line("", str(len(self.locations)), location.start, location.end)
            self._patterns.add(Rule(pattern, None, line))
            self.locations.append(location)
            self._wild_text += len(pattern) if "*" in pattern else 0
            if len(self._patterns.wild) > MAX_WILDCARDS or self._wild_text > MAX_WILD_TEXT:
                self.unread, self.over_limit = "too many patterns", True

    def first(self, path: str) -> Location | None:
        """The first entry in the file whose pattern matches a normalized path."""
        number = min((int(rule.line.value) for rule in self._patterns.matching(path)), default=None)
        return None if number is None else self.locations[number]


def parse(body: bytes, origin: str | None = None) -> Tdmrep:
    """Reads a file of any bytes, up to where it stops being a JSON list.

    Args:
        origin: the one that it binds. A location that is an address elsewhere leaves the file unread in part; None:
            addresses of every origin count.
    """
    found = Tdmrep()
    elsewhere = False
    offset = len(_BOM) if body.startswith(_BOM) else 0
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(body[offset:MAX_BYTES])
    except UnicodeDecodeError:
        found.unread = "not UTF-8"
        return found
    opening = re.match(r"\s*\[", text)
    if not opening:
        found.unread = "not a JSON list"
        return found
    decoder = json.JSONDecoder()
    done, position = 0, opening.end()
    for _ in range(MAX_LOCATIONS):
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
        if text[position : position + 1] == "]":
            found.unread = "location elsewhere" if elsewhere else None
            return found
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            found.over_limit = len(body) > MAX_BYTES
            break
        start_byte = offset + len(text[done:position].encode())
        offset = start_byte + len(text[position:end].encode())
        done = position = end
        if isinstance(value, dict) and isinstance(value.get("location"), str) and value["location"].strip():
            pattern = _pattern(value["location"], origin)
            if pattern is None:
                elsewhere = True
                continue
            found.add(Location(_scalars(value), start_byte, offset), pattern)
            if found.unread:
                return found
    else:
        found.over_limit = True
    found.unread = "too large" if found.over_limit else "broken JSON"
    return found


def _pattern(location: str, origin: str | None) -> str | None:
    """Path pattern of a location, which may be written as an address or without its first slash; None: elsewhere."""
    location = location.strip()
    if location.startswith(("/", "*")):
        return location
    if "://" not in location.partition("?")[0]:
        return f"/{location}"
    place = origin_and_path(location)
    ours = origin_and_path(origin) if origin else None
    return place[1] if place and (ours is None or ours[0] == place[0]) else None


def _scalars(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if not isinstance(item, (list, dict))}
