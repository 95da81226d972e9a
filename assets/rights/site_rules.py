"""What a site says about its pages and images: robots.txt, ai.txt, trust.txt, TDM reservation file, RSL documents.

A site's files bind one host and port, under http and https alike. What they say of a path becomes a finding about the page or image
at that path, which points to the line it was read from; paths of which they say nothing give no row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from assets.crawl.urls import join
from assets.rights import robots, rsl, tdmrep
from assets.rights.addresses import origin_and_path
from assets.rights.agents import usages_with
from assets.rights.findings import Findings, Subject, Where
from assets.rights.preferences import (
    ALLOWED,
    CONDITIONAL,
    RESERVED,
    UNKNOWN,
    content_signal,
    content_usage,
    tdm_reservation,
)

MAX_AGENTS_IN_VALUE = 380
MAX_TRUST_TXT = 1 << 20
NOT_KEPT = "more site files than are kept"
NOT_HERE = "repeats what was archived elsewhere"
SITE_PATHS = {
    "/robots.txt": "robots",
    "/ai.txt": "ai_txt",
    "/.well-known/tdmrep.json": "tdmrep",
    "/trust.txt": "trust_txt",
    "/.well-known/trust.txt": "trust_txt",
}
"""Paths of files that speak for their whole origin, and the kind of SiteFile they are."""


@dataclass(frozen=True)
class Target:
    """A page or image that a site's files may speak of."""

    subject: Subject
    url: str


@dataclass(frozen=True)
class SiteFile:
    """A site's file as archived.

    Attributes:
        kind: one of the values of SITE_PATHS, or `rsl` for an RSL document or a feed that holds RSL elements.
        origin: the host and port that it binds, as an origin.
        record_id, observed_at, body: its record, when it was fetched, its bytes.
        url: its own address; for a kind of SITE_PATHS that path of the origin, where it is left out.
        http_status: how the server answered; None where nobody knows, which counts as 200.
        truncated: why there is more of the file than was archived or kept; None where it is whole.
        digest: what its record states of its bytes, by which a revisit names what it repeats.
    """

    kind: str
    origin: str
    record_id: int
    observed_at: datetime | None
    body: bytes
    url: str = ""
    http_status: int | None = None
    truncated: str | None = None
    digest: str | None = None

    @property
    def found(self) -> bool:
        """Whether the answer is the file and no error page."""
        return (self.http_status or 200) < 300

    @property
    def failed(self) -> bool:
        """Whether the server could not answer, or sent us on to nowhere, so that nobody knows what the file says."""
        return (self.http_status or 200) >= 500 or 300 <= (self.http_status or 200) < 400

    @property
    def site(self) -> str:
        """The host and port that it binds, in the one form that they have."""
        place = origin_and_path(self.origin)
        return place[0] if place else self.origin

    @property
    def cut(self) -> str | None:
        """What a finding says of a file that was not archived to its end; None where it was."""
        return f"incomplete: {self.truncated}" if self.truncated else None

    def whole(self) -> Where:
        """All its bytes; none can be named where they were left out."""
        if self.truncated in (NOT_KEPT, NOT_HERE):
            return Where(self.record_id, "body", None, None)
        return Where(self.record_id, "body", 0, len(self.body))


Paths = list[tuple[Subject, str]]
"""(subject, path) of the targets on one origin."""


def read_sites(
    files: Iterable[SiteFile],
    targets: Iterable[Target],
    findings: Findings,
    agents: Sequence[str] = (),
    documents: rsl.Documents | None = None,
) -> None:
    """What the sites' files say of the targets on their hosts.

    Args:
        files: every site file of the crawl, RSL documents included: robots.txt refers to them by address.
        agents: product tokens that count, besides those known to collect for AI.
        documents: the RSL documents among the files, where they are at hand.
    """
    on_origin: dict[str, Paths] = defaultdict(list)
    for target in targets:
        place = origin_and_path(target.url)
        if place:
            on_origin[place[0]].append((target.subject, place[1]))
    files = list(files)
    documents = rsl.documents_of(files) if documents is None else documents
    for file in files:
        paths = on_origin.get(file.site, [])
        if file.kind == "robots":
            _read_robots(file, paths, documents, findings, agents)
        elif file.kind == "ai_txt":
            _read_ai_txt(file, paths, findings, agents)
        elif file.kind == "tdmrep":
            _read_tdmrep(file, paths, findings)
        elif file.kind == "trust_txt":
            _read_trust_txt(file, paths, findings)
        elif file.kind == "rsl":
            _read_feed(file, paths, findings)


def _all(file: SiteFile, rule: str, usage: str, decision: str, value: str, paths: Paths, findings: Findings) -> None:
    """One finding about the whole file for each target: what it says of them is not known."""
    for subject, _ in paths:
        findings.reservation(subject, rule, usage, decision, value, file.whole(), file.observed_at)


def _read_robots(
    file: SiteFile, paths: Paths, documents: rsl.Documents, findings: Findings, agents: Sequence[str]
) -> None:
    """RFC 9309, 2.3.1: without the file (4xx) everything is allowed; a server that fails (5xx) allows nothing for now.

    The latter, like a redirect that leads nowhere, says nothing of what the site wants, so it is kept as unknown and no
    reservation. A file that is not read to its end may forbid anything: what is read of it counts, but for permissions,
    and a condition comes on top.
    """
    if file.failed:
        _all(file, "robots_unavailable", "tdm", UNKNOWN, f"HTTP {file.http_status}", paths, findings)
    if not file.found or not paths:
        return
    parsed = robots.parse(file.body)
    voices, unread = _voices(parsed, usages_with(agents))
    if unread := file.cut or unread:
        _all(file, "robots_unread", "tdm", CONDITIONAL, unread, paths, findings)
    known: dict[str, list[_Statement]] = {}
    for subject, path in paths:
        if path not in known:
            normalized = robots.normalize(path)
            known[path] = [statement for voice in voices for statement in voice.statements(normalized)]
        for rule, usage, decision, value, line, spec in known[path]:
            if not (unread and decision == ALLOWED):
                where = Where(file.record_id, "body", line.start, line.end)
                findings.reservation(subject, rule, usage, decision, value, where, file.observed_at, spec)
    for line in parsed.licenses:
        _read_license_line(file, line, paths, documents, findings)


def _read_license_line(
    file: SiteFile, line: robots.Line, paths: Paths, documents: rsl.Documents, findings: Findings
) -> None:
    """A reference to RSL terms: what every state says that the crawl holds.

    Where that is not all there is to know, there is a condition as well.
    """
    address = terms_address(file, line)
    where = Where(file.record_id, "body", line.start, line.end)
    for subject, path in paths:
        if not rsl.add_documents(documents, address, file.site + path, subject, findings):
            findings.reservation(subject, "rsl_robots", "ai_train", CONDITIONAL, line.value, where, file.observed_at)


def terms_address(file: SiteFile, line: robots.Line) -> str | None:
    """Address of the RSL terms that a License line names; None where it is no address."""
    return join(file.url or f"{file.origin}/robots.txt", line.value)


def _bound(groups: Iterable[robots.Group]) -> bool:
    """Leaves as many wildcard rules as anybody writes in earnest; whether there are more of them, or of preferences."""
    number, text, over = 0, 0, False
    for group in groups:
        for patterns in (group.rules, group.usage):
            over |= patterns.crowded
            for at, rule in enumerate(patterns.wild):
                number, text = number + 1, text + len(rule.pattern)
                if number > robots.MAX_WILDCARDS or text > robots.MAX_WILD_TEXT:
                    over = True
                    del patterns.wild[at:]
                    break
    return over


class _Statement(NamedTuple):
    """A finding of robots.txt but for its subject."""

    rule: str
    usage: str
    decision: str
    value: str
    line: robots.Line
    spec: str | None


@dataclass
class _Voice:
    """What a file says to all agents that one group binds.

    Attributes:
        group: the group.
        named: (usage, agents joined by commas).
        said: statements by the rules that decide, so that paths of the same fate are worked out once.
    """

    group: robots.Group
    named: list[tuple[str, str]]
    said: dict[tuple[int, ...], list[_Statement]] = field(default_factory=dict)

    def statements(self, path: str) -> list[_Statement]:
        """Everything that the group says of a normalized path."""
        # RFC 9309, 2.2.2: robots.txt itself is always allowed.
        rule = None if path == "/robots.txt" else robots.deciding(self.group, path)
        preferences = robots.usage_rules(self.group, path, rule)
        key = (-1 if rule is None else rule.line.start, *(found.line.start for found in preferences))
        if key not in self.said:
            self.said[key] = list(self._statements(rule, preferences))
        return self.said[key]

    def _statements(self, rule: robots.Rule | None, preferences: list[robots.Rule]) -> Iterator[_Statement]:
        if rule is not None and not rule.allow:
            for usage, agents in self.named:
                value = f"{agents}: Disallow: {rule.line.value}"
                yield _Statement("robots_agents", usage, RESERVED, value, rule.line, None)
        for _, agents in self.named:
            for found in preferences:
                for usage, decision, draft in content_usage(found.line.value):
                    value = f"{agents}: Content-Usage: {found.line.value}"
                    name = "content_usage_robots" if draft is None else "content_usage_robots_legacy"
                    yield _Statement(name, usage, decision, value, found.line, draft)
            for line in self.group.signals:
                for usage, decision in content_signal(line.value):
                    value = f"{agents}: Content-Signal: {line.value}"
                    yield _Statement("content_signal", usage, decision, value, line, None)


def _voices(parsed: robots.Robots, usages: Mapping[str, str]) -> tuple[list[_Voice], str | None]:
    """The groups that bind an agent we know, with those agents by usage, and why they are not all that the file says."""
    groups: dict[int, robots.Group] = {}
    named: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for agent, usage in usages.items():
        group = parsed.named(agent)
        if group is not None:
            groups[id(group)] = group
            named[id(group)][usage].append(agent)
    over = _bound(groups.values())
    voices = [
        _Voice(group, [(usage, text) for usage, names in named[key].items() for text in _chunks(names)])
        for key, group in groups.items()
    ]
    return voices, parsed.unread or (robots.TOO_MANY_RULES if over else None)


def _chunks(names: list[str]) -> Iterator[str]:
    """Names joined by commas, in texts short enough to stand before a rule in a finding's value."""
    text = ""
    for name in names:
        if text and len(text) + len(name) + 2 > MAX_AGENTS_IN_VALUE:
            yield text
            text = ""
        text = f"{text}, {name}" if text else name
    if text:
        yield text


def _read_ai_txt(file: SiteFile, paths: Paths, findings: Findings, agents: Sequence[str]) -> None:
    """Spawning's ai.txt: like robots.txt, with patterns of file names. Another format of that name has no groups."""
    if file.failed:
        _all(file, "ai_txt", "ai_train", UNKNOWN, f"HTTP {file.http_status}", paths, findings)
    if not file.found or not paths or b"<html" in file.body[:2000].lower():
        return
    parsed = robots.parse(file.body, relative_patterns=True)
    voices, unread = _voices(parsed, usages_with(agents))
    if unread := file.cut or unread:
        _all(file, "ai_txt", "ai_train", CONDITIONAL, unread, paths, findings)
    for subject, path in paths:
        normalized = robots.normalize(path.lower())
        for voice in voices:
            rule = robots.deciding(voice.group, normalized)
            if rule is not None and not rule.allow:
                where = Where(file.record_id, "body", rule.line.start, rule.line.end)
                for _, names in voice.named:
                    value = f"{names}: Disallow: {rule.line.value}"
                    findings.reservation(subject, "ai_txt", "ai_train", RESERVED, value, where, file.observed_at)


def _read_tdmrep(file: SiteFile, paths: Paths, findings: Findings) -> None:
    """TDMRep file: the first location that matches a path decides; what cannot be read says nothing that allows.

    A file that is cut or over a limit may reserve anything, which is a condition; what a broken one says is unknown.
    """
    if file.failed:
        _all(file, "tdmrep_unread", "tdm", UNKNOWN, f"HTTP {file.http_status}", paths, findings)
    if not file.found or not paths:
        return
    parsed = tdmrep.parse(file.body, file.site)
    unsure = CONDITIONAL if parsed.over_limit or file.truncated else UNKNOWN
    for subject, path in paths:
        location = parsed.first(robots.normalize(path))
        decision = tdm_reservation(location.reservation) or UNKNOWN if location else None
        if location and not (parsed.unread and decision == ALLOWED):
            where = Where(file.record_id, "body", location.start, location.end)
            value = location.value(with_policy=decision == RESERVED)
            findings.reservation(subject, "tdmrep_file", "tdm", decision or UNKNOWN, value, where, file.observed_at)
        elif parsed.unread:
            _all(file, "tdmrep_unread", "tdm", unsure, file.cut or parsed.unread, [(subject, path)], findings)


_TRAINING = re.compile(rb"^[ \t]*datatrainingallowed[ \t]*=[ \t]*([^\r\n#]*)", re.I | re.M)


def _read_trust_txt(file: SiteFile, paths: Paths, findings: Findings) -> None:
    """JournalList's trust.txt: `datatrainingallowed=yes|no` is about the whole site; each different word is a finding."""
    if not file.found:
        return
    lines = {match[1].strip().lower(): match for match in _TRAINING.finditer(file.body[:MAX_TRUST_TXT])}
    too_long = "longer than 1 MiB" if len(file.body) > MAX_TRUST_TXT else None
    too_many = "too many different words" if len(lines) > robots.MAX_REPEATS else None
    if unread := file.cut or too_long or too_many:
        _all(file, "trust_txt", "ai_train", CONDITIONAL, unread, paths, findings)
    for word, match in sorted(lines.items())[: robots.MAX_REPEATS]:
        decision = {b"no": RESERVED, b"yes": ALLOWED}.get(word, UNKNOWN)
        if unread and decision == ALLOWED:
            continue
        value = match.group().strip().decode("utf-8", "replace")
        where = Where(file.record_id, "body", match.start(), match.end())
        for subject, _ in paths:
            findings.reservation(subject, "trust_txt", "ai_train", decision, value, where, file.observed_at)


def _read_feed(file: SiteFile, paths: Paths, findings: Findings) -> None:
    """A feed of a site speaks of the site's pages. A document that is no feed speaks where something refers to it.

    A feed that cannot be read may prohibit anything, and so may what was not kept.
    """
    if not file.found:
        return
    if file.truncated == NOT_KEPT:
        _all(file, "rsl_feed", "ai_train", CONDITIONAL, f"not read: {NOT_KEPT}", paths, findings)
        return
    try:
        terms = [one for one in rsl.parse(file.body) if one.feed]
    except rsl.UnreadableError as error:
        if rsl.looks_like_feed(file.body):
            _all(file, "rsl_feed", "ai_train", CONDITIONAL, f"not read: {error}", paths, findings)
        return
    host = file.site.partition("://")[2]
    for subject, path in paths if terms else ():
        rsl.add_decisions(rsl.decide(terms, path, host), "rsl_feed", file, subject, findings)
