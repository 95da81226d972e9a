"""robots.txt by RFC 9309, with the place of every line, and with the preference lines that newer drafts add.

Groups of the same product token are merged; the longest matching rule decides and Allow wins a tie; an agent the file
does not name falls to `*`. Patterns know `*` and a final `$`. Rules without wildcards are looked up by prefix, so a
file of a hundred thousand lines costs no more per address than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_BYTES = 500 * 1024
"""RFC 9309, section 2.5: a parser must read at least 500 KiB; what follows is not read."""

MAX_REPEATS = 16
"""Different preference lines for one path, or in one group, that are read; one more makes the file `crowded`."""

MAX_PATH = 4096

_DISALLOW = {"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"}
_UNRESERVED = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: its key in lower case, its value, and its range in bytes."""

    key: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A path rule: `pattern` normalized, `allow` its sense (None for preference lines), and its line."""

    pattern: str
    allow: bool | None
    line: Line


@dataclass
class Patterns:
    """Rules of one kind, ready to be matched."""

    literal: dict[str, list[Rule]] = field(default_factory=dict)
    wild: list[Rule] = field(default_factory=list)

    longest: int = 0
    crowded: bool = False
    seen: set[tuple] = field(default_factory=set)

    def add(self, rule: Rule) -> None:
        """Takes one more rule in; of rules that say the same the first one stands for all."""
        key = (rule.pattern, rule.allow) if rule.allow is not None else (rule.pattern, rule.line.value)
        if key in self.seen:
            return
        self.seen.add(key)
        if "*" in rule.pattern or rule.pattern.endswith("$"):
            self.wild.append(rule)
            return
        same = self.literal.setdefault(rule.pattern, [])
        same.append(rule)
        self.longest = max(self.longest, len(rule.pattern))
        self.crowded |= len(same) > MAX_REPEATS

    def matching(self, path: str) -> Iterator[Rule]:
        """Every rule that matches a normalized path."""
        for length in range(min(len(path), self.longest) + 1):
            yield from self.literal.get(path[:length], ())
        for rule in self.wild:
            if matches(rule.pattern, path):
                yield rule


@dataclass
class Group:
    """What a file says to one product token."""

    rules: Patterns = field(default_factory=Patterns)
    usage: Patterns = field(default_factory=Patterns)
    signals: list[Line] = field(default_factory=list)


@dataclass
class Robots:
    """A parsed file: groups by lower-case token (`*` included), and the license lines that stand outside them."""

    groups: dict[str, Group]
    licenses: list[Line]

    def group(self, token: str) -> Group | None:
        """The group that binds an agent: its own, else that of `*`."""
        return self.groups.get(token.lower(), self.groups.get("*"))


def parse(body: bytes, relative_patterns: bool = False) -> Robots:
    """Reads a file of any bytes; lines that make no sense are skipped.

    Args:
        relative_patterns: patterns of file names in any case, which match anywhere in a path (ai.txt).
    """
    robots = Robots({}, [])
    current: list[Group] = []
    naming = False
    for line in _lines(body):
        if line.key == "user-agent":
            token = _token(line.value)
            if token:
                current = current if naming else []
                current.append(robots.groups.setdefault(token, Group()))
                naming = True
        elif line.key in _DISALLOW or line.key == "allow":
            naming = False
            _add_rule(current, line, relative_patterns)
        elif line.key == "content-usage":
            naming = False
            _add_usage(current, line)
        elif line.key == "content-signal":
            naming = False
            for group in current:
                _add_signal(group, line)
        elif line.key == "license" and len(robots.licenses) < MAX_REPEATS:
            robots.licenses.append(line)
    return robots


def _add_signal(group: Group, line: Line) -> None:
    if all(line.value != known.value for known in group.signals):
        group.signals.append(line)
        group.usage.crowded |= len(group.signals) > MAX_REPEATS
        del group.signals[MAX_REPEATS + 1 :]


def _lines(body: bytes) -> Iterator[Line]:
    if len(body) > MAX_BYTES:
        cut = max(body.rfind(b"\n", 0, MAX_BYTES), body.rfind(b"\r", 0, MAX_BYTES))
        body = body[: cut if cut > 0 else MAX_BYTES]
    offset = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    for match in re.compile(rb"[^\r\n]+").finditer(body, offset):
        text = match.group().split(b"#", 1)[0]
        key, colon, value = text.partition(b":")
        if colon:
            yield Line(_decoded(key).lower(), _decoded(value), match.start(), match.end())


def _decoded(raw: bytes) -> str:
    return raw.strip().decode("utf-8", "surrogateescape")


def _token(value: str) -> str | None:
    """Product token in lower case: `CCBot/2.0` is ccbot; tokens of several words keep them."""
    if value == "*" or re.match(r"\*\s", value):
        return "*"
    match = re.match(r"[A-Za-z_0-9-]+(?: [A-Za-z_0-9-]+)*", value)
    return match.group().lower() if match else None


def _add_rule(current: list[Group], line: Line, relative: bool) -> None:
    pattern = line.value
    if relative and pattern:
        pattern = pattern.lower() if pattern.startswith(("/", "*")) else "*" + pattern.lower()
    if not pattern.startswith(("/", "*")):
        return
    rule = Rule(normalize(pattern), line.key == "allow", line)
    for group in current:
        group.rules.add(rule)


def _add_usage(current: list[Group], line: Line) -> None:
    path, _, rest = line.value.partition(" ") if line.value.startswith("/") else ("/", "", line.value)
    rule = Rule(normalize(path), None, Line(line.key, rest.strip(), line.start, line.end))
    for group in current:
        group.usage.add(rule)


def normalize(path: str) -> str:
    """A path or pattern for comparison (RFC 9309, 2.2.2): bytes outside ASCII escaped, escapes of letters undone."""
    raw = path.encode("utf-8", "surrogateescape")[:MAX_PATH]

    def unescape(match: re.Match[bytes]) -> bytes:
        char = bytes([int(match[1], 16)])
        return char if char.isalnum() and char.isascii() or char in b"-._~" else b"%" + match[1].upper()

    raw = _UNRESERVED.sub(unescape, raw)
    return "".join(chr(b) if 0x20 < b < 0x7F else f"%{b:02X}" for b in raw)


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern with `*` and a final `$` matches the start of a path; never slower than their product."""
    anchored = pattern.endswith("$")
    first, *rest = (pattern[:-1] if anchored else pattern).split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return not anchored or path == first
    position, last = len(first), rest[-1]
    for part in rest[:-1] if anchored else rest:
        found = path.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return not anchored or (len(path) - len(last) >= position and path.endswith(last))


def deciding(group: Group, path: str) -> Rule | None:
    """The Allow or Disallow rule that decides over a normalized path; None: nothing is said, so it is allowed."""
    found = group.rules.matching(path)
    return max(found, key=lambda rule: (len(rule.pattern), bool(rule.allow), -rule.line.start), default=None)


def usage_rules(group: Group, path: str) -> list[Rule]:
    """Content-Usage lines of the longest matching path, all of them; none where the path must not be crawled."""
    rule = deciding(group, path)
    if rule is not None and not rule.allow:
        return []
    found = list(group.usage.matching(path))
    longest = max((len(rule.pattern) for rule in found), default=0)
    return [rule for rule in found if len(rule.pattern) == longest]
