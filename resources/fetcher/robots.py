"""robots.txt: what each origin allows our token, remembered for a run in bounded memory."""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from dataclasses import dataclass

from protego import Protego

from resources.fetcher.headers import Fields, values
from resources.fetcher.result import Failure

MAX_BYTES = 500 * 1024
"""RFC 9309, section 2.5; what follows is not read."""
MAX_REDIRECTS = 5
"""RFC 9309, section 2.3.1.2."""
MAX_TEXT = 64 << 20
"""Compressed bytes of rules remembered; beyond it the origin asked longest ago is asked again if it is needed."""
MAX_PARSED = 4 << 20
"""Characters of rules kept parsed; Protego takes some 30 bytes of memory for each."""

_AGENT = re.compile(r"\s*user[- ]?agent(?=[\s:])\s*:?\s*([^#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an origin said: rules as compressed text, or a failure that stands for all its addresses."""

    text: bytes = b""
    failure: Failure | None = None


def rules_of(body: bytes, fields: Fields) -> bytes:
    """The text of a robots.txt, its first 500 KiB; raises Failure where it is compressed in a way we do not read."""
    codings = [coding.strip().lower() for value in values(fields, "content-encoding") for coding in value.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return body
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise Failure("robots_encoding", ", ".join(codings), may_succeed=True)
    try:
        return zlib.decompressobj(31 if "gzip" in codings[0] else 15).decompress(body, MAX_BYTES)
    except zlib.error as error:
        raise Failure("robots_encoding", error, may_succeed=True) from error


def our_part(text: str, token: str) -> str:
    """A robots.txt whose agents are only ours, `*` and one `other`.

    A file of thousands of agents over thousands of rules would take their product in memory; and a shorter agent that
    ours begins with is somebody else.
    """
    lines: list[str] = []
    for line in text.splitlines():
        match = _AGENT.match(line)
        if match:
            name = re.match(r"\*|[A-Za-z0-9_-]*", match[1])
            agent = name[0].lower() if name else ""
            line = f"User-agent: {agent if agent == '*' else token if agent == token.lower() else 'other-agent'}"
            if lines and lines[-1] == line:
                continue
        lines.append(line)
    return "\n".join(lines)


class RobotsCache:
    """Rules by origin.

    Args:
        token: product token whose rules count, else those of `*`.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._rules: OrderedDict[str, Rules] = OrderedDict()
        self._bytes = 0
        self._parsed: OrderedDict[str, tuple[Protego, int]] = OrderedDict()
        self._parsed_size = 0

    def known(self, origin: str) -> bool:
        """Whether an origin's rules are at hand."""
        return origin in self._rules

    def store(self, origin: str, body: bytes) -> None:
        """Remember the rules of an origin, in bytes of any kind; no bytes allow everything."""
        text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
        self._keep(origin, Rules(zlib.compress(our_part(text, self._token).encode(), 1)))

    def store_failure(self, origin: str, failure: Failure) -> None:
        """Remember that the addresses of an origin cannot be asked for, and why."""
        self._keep(origin, Rules(failure=failure))

    def _keep(self, origin: str, rules: Rules) -> None:
        self._parsed_size -= self._parsed.pop(origin, (None, 0))[1]
        self._rules[origin] = rules
        self._bytes += len(rules.text)
        while self._bytes > MAX_TEXT and len(self._rules) > 1:
            _, oldest = self._rules.popitem(last=False)
            self._bytes -= len(oldest.text)

    def refusal(self, origin: str, url: str) -> Failure | None:
        """Why an address of a known origin must not be asked for; None where it may."""
        failure = self._rules[origin].failure
        if failure is not None:
            return failure
        if self._parser(origin).can_fetch(url, self._token):
            return None
        return Failure("robots_disallowed", f"{origin}/robots.txt", refused=True)

    def crawl_delay(self, origin: str) -> float:
        """Seconds between requests that a known origin asks for; 0 where it says nothing."""
        if self._rules[origin].failure is not None:
            return 0.0
        return self._parser(origin).crawl_delay(self._token) or 0.0

    def _parser(self, origin: str) -> Protego:
        if origin in self._parsed:
            self._parsed.move_to_end(origin)
            return self._parsed[origin][0]
        text = zlib.decompress(self._rules[origin].text).decode()
        self._parsed[origin] = Protego.parse(text), len(text)
        self._parsed_size += len(text)
        while self._parsed_size > MAX_PARSED and len(self._parsed) > 1:
            _, (_, size) = self._parsed.popitem(last=False)
            self._parsed_size -= size
        return self._parsed[origin][0]
