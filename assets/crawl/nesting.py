"""Pages that would cost a parser too much, found before they are parsed.

Some shapes of a page make the tree builder of the HTML standard slow or large, however few bytes they take: elements
open inside each other (every tag may look through all that are open), formatting elements left open, which are made
again in every paragraph that follows (20 KB can become millions of nodes), and elements of thousands of attributes,
each of which is compared with those before it; those of every further <body> and <html> are added to the first.
"""

from __future__ import annotations

import re
from collections import Counter

MAX_OPEN = 20_000
"""A page with more open elements is not parsed. Pages that people read have a few dozen."""
MAX_REBUILT = 2_000_000
"""A page whose open formatting elements could be made again more often is not parsed: each time is a node."""

MAX_ATTRIBUTES = 1000
"""A page with an element of more attributes is not parsed."""
MAX_WALKED = 1_000_000_000
"""A page whose tags may look through more open elements, all of them together, is not parsed."""
MAX_BODIES = 1000
"""A page with more <body> and <html> tags is not parsed."""
SMALL = 1 << 14
"""Bytes of a page that are parsed however many attributes they hold."""

_FORMATTING = set(b"a b big code em font i nobr s small strike strong tt u".split())
_ALONE = {b"a", b"nobr"}
_FORMATTING_TAG = re.compile(rb"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>]", re.IGNORECASE)
_BODY_TAG = re.compile(rb"<(?:body|html)[\t\n\f\r /]", re.IGNORECASE)
_NOT_NESTING = set(
    b"area base br col embed form hr img input link meta source track wbr "
    b"p li dt dd td th tr tbody thead tfoot option".split()
)
_CELLS = set(b"td th tr tbody thead tfoot caption col colgroup".split())
_RAW = set(b"script style textarea title xmp iframe noembed noframes".split())
_OTHER_RULES = set(b"svg math select frameset".split())
_DRAWING = set(
    b"svg g path circle ellipse line rect polygon polyline use defs symbol stop lineargradient radialgradient "
    b"clippath mask pattern text tspan image marker animate animatetransform set style title".split()
)
_ATTRIBUTE = (
    rb"[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])[^\t\n\f\r >]*+))?+"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_FEW_ATTRIBUTES = re.compile(
    rb"(?:[^<]++|<(?![a-zA-Z])|<[a-zA-Z][^\t\n\f\r />]*+(?:"
    + _ATTRIBUTE
    + rb"){0,%d}+[\t\n\f\r /]*+>)*+" % MAX_ATTRIBUTES
)
_TOKEN = re.compile(
    rb"<!--(?:>|->|.*?(?:-->|--!>|\Z))"  # comment
    rb"|<(?P<end>/?)(?P<name>[a-z][^\t\n\f\r />]*+)"  # tag: name, then attributes as the HTML standard reads them
    rb"(?:" + _ATTRIBUTE + rb")*+"
    rb"(?P<tail>[\t\n\f\r /]*+)>"
    rb"|<(?:[!?]|/[^a-z>])[^>]*+>",  # doctype, and what is read as a comment
    re.IGNORECASE | re.DOTALL,
)
_MARKUP = re.compile(rb"<(?:[a-z!?]|/[^>])", re.IGNORECASE)
_OPENING = re.compile(rb"<[a-z]", re.IGNORECASE)


def too_deep(body: bytes) -> bool:
    """Whether parsing a page may take too much time or memory: one of the limits above may be passed.

    Errs towards True: an element counts as closed only where its end tag follows directly, and tags inside comments,
    scripts and attribute values count as open, so that none can be hidden there. `body` is in UTF-8 or any character
    set that has ASCII's tags, UTF-16 among them.
    """
    body = body.replace(b"\0", b"")
    if len(body) > SMALL and len(_BODY_TAG.findall(body)) > MAX_BODIES:
        return True
    tags = body.count(b"<")
    few_attributes = len(body) <= SMALL or _passes(body)
    # Most pages have so few tags that even if all of them were formatting, it would not be too much.
    few = tags * (1 + tags) <= MAX_REBUILT or tags * (1 + len(_FORMATTING_TAG.findall(body))) <= MAX_REBUILT
    if few_attributes and few and tags <= MAX_OPEN:
        return False
    page = _Open()
    at = 0
    while (start := _MARKUP.search(body, at)) is not None:
        token = _TOKEN.match(body, start.start())
        if token is None:
            break
        page.hidden += len(_OPENING.findall(token[0]))
        at = token.end()
        name = (token["name"] or b"").lower()
        if token["end"]:
            page.close(name)
        elif name:
            page.hidden -= 1
            page.open(name, token[0], token["tail"].endswith(b"/"))
            if _many_attributes(token[0], token.end("name") - token.start()):
                return True
            if name in _RAW:
                end = re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE).search(body, at)
                text = body[at : end.start() if end else len(body)]
                at += len(text)
                page.pass_over(name, text)
        elif token[0].startswith(b"<![CDATA["):
            page.uncertain |= page.other_rules > 0
        if page.too_many() or (page.uncertain and not few_attributes):
            return True
    page.hidden += len(_OPENING.findall(body, at))
    return page.too_many()


class _Open:
    """Elements that may be open at a place of a page.

    Attributes:
        hidden: tags in comments, scripts and attribute values: elements, if those are not what they seem.
        alive: open formatting elements that a new paragraph makes again: of those written alike at most three.
        rebuilt: how many may have been made again.
        walked: how many open elements all tags may have looked through.
        other_rules: open elements in which scripts and the like are read by other rules.
        uncertain: what is a tag and what is text can no longer be told: nothing counts as closed from here.
    """

    def __init__(self) -> None:
        self.hidden = self.alive = self.rebuilt = self.walked = self.other_rules = 0
        self.uncertain = False
        self._stack: list[tuple[bytes, bytes]] = []
        self._alike: Counter[bytes] = Counter()
        self._drawing = False

    def open(self, name: bytes, tag: bytes, closes_itself: bool) -> None:
        """A start tag; `closes_itself` counts in drawings alone."""
        self.walked += len(self._stack)
        if name not in _FORMATTING or name in _ALONE:
            # It may close elements, and what follows opens again the formatting that they held.
            self.rebuilt += self.alive
        if name in (b"svg", b"math"):
            self._drawing = True
        elif name not in _DRAWING:
            self._drawing = False
        if name in _CELLS and self._stack and self._stack[-1][0] in _FORMATTING:
            # Formatting that a table's cell interrupts is not reached by its end tag.
            self._stack[-1] = (b"", b"")
        if name in _NOT_NESTING or (closes_itself and self._drawing and name not in _OTHER_RULES):
            return
        self._stack.append((name, tag))
        self.other_rules += name in _OTHER_RULES
        if name in _FORMATTING:
            key, most = _likeness(name, tag)
            self._alike[key] += 1
            self.alive += self._alike[key] <= most

    def close(self, name: bytes) -> None:
        """An end tag: closes the innermost element, if that bears its name."""
        self.walked += len(self._stack)
        self.rebuilt += self.alive
        if self.uncertain or not self._stack or self._stack[-1][0] != name:
            return
        _, tag = self._stack.pop()
        self._drawing = self._drawing and name not in _OTHER_RULES
        self.other_rules -= name in _OTHER_RULES
        if name in _FORMATTING:
            key, most = _likeness(name, tag)
            self.alive -= self._alike[key] <= most
            self._alike[key] -= 1

    def pass_over(self, name: bytes, text: bytes) -> None:
        """The text of a script or the like."""
        self.hidden += len(_OPENING.findall(text))
        nested = name == b"script" and b"<!--" in text and b"<script" in text.lower()
        self.uncertain |= nested or (self.other_rules > 0 and b"<" in text)

    def too_many(self) -> bool:
        """Whether a limit is passed."""
        return (
            len(self._stack) + self.hidden > MAX_OPEN or self.rebuilt > MAX_REBUILT or self.walked > MAX_WALKED
        )  # fmt: skip


def _passes(body: bytes) -> bool:
    """False where an element may have more than MAX_ATTRIBUTES; scripts and comments are read as elements here."""
    match = _FEW_ATTRIBUTES.match(body)
    return match is not None and match.end() == len(body)


def _many_attributes(tag: bytes, start: int) -> bool:
    """Whether a start tag, whose attributes begin at `start`, has more than MAX_ATTRIBUTES different ones."""
    if len(tag) <= 2 * MAX_ATTRIBUTES:
        return False
    return len({name.lower() for name in _ATTRIBUTES.findall(tag[:-1], start)}) > MAX_ATTRIBUTES


def _likeness(name: bytes, tag: bytes) -> tuple[bytes, int]:
    """What makes formatting elements alike, and how many alike are made again."""
    return (name, 1) if name == b"a" else (tag, 3)
