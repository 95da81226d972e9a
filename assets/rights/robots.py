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
"""Different preference lines for one path, or in one group, and different License lines that are read."""

MAX_MERGED = 200_000
"""Rules that are copied where tokens have several groups."""

MAX_WILDCARDS = 1000
MAX_WILD_TEXT = 32 * 1024
"""Characters of all patterns with wildcards that are tried: with the length of a path they bound the work over it."""

MAX_TOKENS_IN_LINE = 500
MAX_PATH = 4096
TOO_MANY_RULES = "too many rules"

# Misspellings that are common enough for other readers to know them too.
_USER_AGENT = {"user-agent", "useragent", "user agent"}
_DISALLOW = {"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"}
_PREFERENCES = {"content-usage", "content-signal"}
_RULES = _DISALLOW | {"allow"} | _PREFERENCES
_WITHOUT_COLON = {b"user-agent", b"disallow", b"allow"}
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+(?: [A-Za-z0-9_.-]+)*")


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
    """Rules of one kind, ready to be matched; `crowded`: there were more of them about one path than are read."""

    literal: dict[str, list[Rule]] = field(default_factory=dict)
    wild: list[Rule] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)
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
        if len(same) == MAX_REPEATS:
            self.crowded = True
            return
        same.append(rule)
        self.lengths.add(len(rule.pattern))

    def rules(self) -> Iterator[Rule]:
        """All rules."""
        for same in self.literal.values():
            yield from same
        yield from self.wild

    def matching(self, path: str) -> Iterator[Rule]:
        """Every rule that matches a normalized path."""
        for length in self.lengths:
            if length <= len(path):
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

    @property
    def size(self) -> int:
        """How many rules and lines it holds."""
        return len(self.rules.seen) + len(self.usage.seen) + len(self.signals)

    def take(self, other: Group) -> None:
        """Adds all that another group says."""
        for rule in other.rules.rules():
            self.rules.add(rule)
        for rule in other.usage.rules():
            self.usage.add(rule)
        for line in other.signals:
            self.signal(line)
        self.rules.crowded |= other.rules.crowded
        self.usage.crowded |= other.usage.crowded

    def signal(self, line: Line) -> None:
        """Adds a Content-Signal line, unless it only repeats one."""
        if all(line.value != known.value for known in self.signals):
            self.usage.crowded |= len(self.signals) == MAX_REPEATS
            self.signals = [*self.signals, line][:MAX_REPEATS]


@dataclass
class Robots:
    """A parsed file.

    Attributes:
        blocks: groups as they stand in the file.
        of_token: blocks of each lower-case token (`*` included), by number.
        licenses: license lines, which stand outside groups.
        unread: why not all that it says to the agents that were asked for is read; None if it is.
    """

    blocks: list[Group] = field(default_factory=list)
    of_token: dict[str, list[int]] = field(default_factory=dict)
    licenses: list[Line] = field(default_factory=list)
    unread: str | None = None
    _merged: dict[tuple[int, ...], Group] = field(default_factory=dict)
    _copied: int = 0

    def named(self, token: str) -> Group | None:
        """What the file says to an agent by name; tokens with the same groups share one object."""
        numbers = next((self.of_token[name] for name in spellings(token) if name in self.of_token), None)
        if numbers is None:
            return None
        key = tuple(numbers)
        if key not in self._merged:
            self._merged[key] = self._merge(numbers)
        return self._merged[key]

    def group(self, token: str) -> Group | None:
        """The group that binds an agent: its own, else that of `*`."""
        own = self.named(token)
        return own if own is not None else self.named("*")

    def _merge(self, numbers: list[int]) -> Group:
        if len(numbers) == 1:
            return self.blocks[numbers[0]]
        merged = Group()
        for number in numbers:
            self._copied += self.blocks[number].size
            if self._copied > MAX_MERGED:
                self.unread = self.unread or TOO_MANY_RULES
                break
            merged.take(self.blocks[number])
        return merged


def parse(body: bytes, relative_patterns: bool = False) -> Robots:
    """Reads a file of any bytes; lines that make no sense are skipped.

    Preferences that stand above the first group are said to everybody whom the file does not name.

    Args:
        relative_patterns: patterns of file names in any case, which match anywhere in a path (ai.txt).
    """
    robots = Robots(unread="longer than 500 KiB" if len(body) > MAX_BYTES else None)
    naming = grouped = False
    for line in lines(body):
        if line.key in _USER_AGENT:
            if not naming:
                robots.blocks.append(Group())
                naming = grouped = True
            _name(robots, line.value)
        elif line.key in _RULES:
            naming = False
            if line.key in _PREFERENCES and not robots.blocks:
                robots.blocks.append(Group())
                _name(robots, "*")
            if grouped or line.key in _PREFERENCES:
                _add(robots.blocks[-1], line, relative_patterns)
        elif line.key == "license":
            _license(robots, line)
    return robots


def _license(robots: Robots, line: Line) -> None:
    if any(line.value == known.value for known in robots.licenses):
        return
    if len(robots.licenses) == MAX_REPEATS:
        robots.unread = robots.unread or "too many License lines"
        return
    robots.licenses.append(line)


def _name(robots: Robots, value: str) -> None:
    """Gives the last block to the agents of a User-agent line."""
    number = len(robots.blocks) - 1
    if value.count(",") >= MAX_TOKENS_IN_LINE:
        robots.unread = robots.unread or "too many agents in a line"
    for token in _tokens(value):
        numbers = robots.of_token.setdefault(token, [])
        if not numbers or numbers[-1] != number:
            numbers.append(number)


def lines(body: bytes) -> Iterator[Line]:
    """Lines that have a key, as far as the file is read; comments are cut off."""
    if len(body) > MAX_BYTES:
        cut = max(body.rfind(b"\n", 0, MAX_BYTES), body.rfind(b"\r", 0, MAX_BYTES))
        body = body[: cut if cut > 0 else MAX_BYTES]
    offset = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    for match in re.compile(rb"[^\r\n]+").finditer(body, offset):
        text = match.group().split(b"#", 1)[0]
        key, colon, value = text.partition(b":")
        if not colon:  # a colon is forgotten often enough
            key, _, value = text.strip().partition(b" ")
        if colon or key.lower() in _WITHOUT_COLON:
            yield Line(_decoded(key).lower(), _decoded(value), match.start(), match.end())


def _decoded(raw: bytes) -> str:
    return raw.strip().decode("utf-8", "surrogateescape")


def spellings(token: str) -> list[str]:
    """How one agent may be named, lower case: as it is, by its first word, and by that word's product token.

    RFC 9309 ends a product token at the first character that is no letter, `_` or `-`; operators name their agents
    with digits, dots and blanks all the same.
    """
    if token == "*" or re.match(r"\*\s", token):
        return ["*"]
    match = _TOKEN.match(token)
    if not match:
        return []
    whole = match.group().lower()
    first = whole.partition(" ")[0]
    return list(dict.fromkeys(name for name in (whole, first, first.partition(".")[0]) if name))


def _tokens(value: str) -> list[str]:
    """Tokens of a User-agent line: one, or several between commas, as many a site writes them."""
    pieces = value.split(",", MAX_TOKENS_IN_LINE)[:MAX_TOKENS_IN_LINE]
    return [name for piece in pieces for name in spellings(piece.strip())]


def _add(group: Group, line: Line, relative: bool) -> None:
    if line.key == "content-signal":
        group.signal(line)
    elif line.key == "content-usage":
        path, rest = _path_and_preference(line.value)
        group.usage.add(Rule(normalize(path, pattern=True), None, Line(line.key, rest, line.start, line.end)))
    else:
        pattern = line.value
        if relative and pattern:
            pattern = pattern.lower() if pattern.startswith(("/", "*")) else "*" + pattern.lower()
        if pattern.startswith(("/", "*")):
            group.rules.add(Rule(normalize(pattern, pattern=True), line.key == "allow", line))


def _path_and_preference(value: str) -> tuple[str, str]:
    """Path and preference of a Content-Usage rule; one without a path is about all of them."""
    if not value.startswith("/"):
        return "/", value
    path, *rest = value.split(None, 1)
    return path, rest[0].strip() if rest else ""


def normalize(path: str, pattern: bool = False) -> str:
    """A path for comparison (RFC 9309, 2.2.2): bytes outside ASCII escaped, escapes of unreserved characters undone.

    In a path `*` and `$` are characters like others and are escaped, as a pattern has to write them to mean them.

    Args:
        pattern: it is a pattern, in which `*` and a final `$` have their special meaning.
    """
    raw = path.encode("utf-8", "surrogateescape")[:MAX_PATH]
    if b"%" in raw:
        raw = _ESCAPE.sub(_unescaped, raw)
    text = raw.decode("latin-1")
    if not (text.isascii() and text.isprintable()) or " " in text:
        text = "".join(chr(b) if 0x20 < b < 0x7F else f"%{b:02X}" for b in raw)
    if pattern:
        return text if "$" not in text[:-1] else text[:-1].replace("$", "%24") + text[-1:]
    return text.replace("*", "%2A").replace("$", "%24")


def _unescaped(match: re.Match[bytes]) -> bytes:
    char = bytes([int(match[1], 16)])
    return char if char.isalnum() and char.isascii() or char in b"-._~" else b"%" + match[1].upper()


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


def usage_rules(group: Group, path: str, rule: Rule | None = None) -> list[Rule]:
    """Content-Usage lines of the longest matching path, all of them; none where the path must not be crawled.

    Args:
        rule: what `deciding` says of the path, where it is known.
    """
    if not group.usage.seen:
        return []
    rule = rule or deciding(group, path)
    if rule is not None and not rule.allow:
        return []
    found = list(group.usage.matching(path))
    longest = max((len(rule.pattern) for rule in found), default=0)
    return sorted((rule for rule in found if len(rule.pattern) == longest), key=lambda rule: rule.line.start)
