"""What a site says about its pages and images: robots.txt, ai.txt and the TDM reservation file.

A site's files bind one origin (scheme, host, port). What they say of a path becomes a finding about the page or image
at that path, which points to the line it was read from; paths of which they say nothing give no row.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.rights import robots
from assets.rights.addresses import origin_and_path
from assets.rights.agents import agent_names, usages_of_agents
from assets.rights.findings import Findings, Subject, Where
from assets.rights.http_rules import add_usage
from assets.rights.preferences import content_signal, tdm_reservation

MAX_TDM_FILE = 1 << 20
MAX_LOCATIONS = 2000
MAX_WILDCARDS = 1000
MAX_AGENTS_IN_VALUE = 380
SITE_PATHS = {"/robots.txt": "robots", "/ai.txt": "ai_txt", "/.well-known/tdmrep.json": "tdmrep"}


@dataclass(frozen=True)
class Target:
    """A page or image that a site's files may speak of."""

    subject: Subject
    url: str


@dataclass(frozen=True)
class SiteFile:
    """A site's file as archived: which of SITE_PATHS, the origin it binds, its record and bytes."""

    kind: str
    origin: str
    record_id: int
    observed_at: datetime | None
    body: bytes


def read_sites(files: Iterable[SiteFile], targets: Iterable[Target], findings: Findings) -> None:
    """What the sites' files say of the targets on their origins."""
    on_origin: dict[str, list[tuple[Subject, str]]] = defaultdict(list)
    for target in targets:
        place = origin_and_path(target.url)
        if place:
            on_origin[place[0]].append((target.subject, place[1]))
    readers = {"robots": _read_robots, "ai_txt": _read_ai_txt, "tdmrep": _read_tdmrep}
    for file in files:
        readers[file.kind](file, on_origin.get(file.origin, []), findings)


def _read_robots(file: SiteFile, paths: list[tuple[Subject, str]], findings: Findings) -> None:
    parsed = robots.parse(file.body)
    groups = _agents_by_group(parsed)
    if _too_much([group for _, _, group in groups]):
        _unread(file, "robots_unread", "tdm", paths, findings)
        return
    for subject, path in paths:
        normalized = robots.normalize(path)
        for usage, agents, group in groups:
            _robots_group(file, subject, normalized, usage, agents, group, findings)
        for line in parsed.licenses:
            where = Where(file.record_id, "body", line.start, line.end)
            findings.reservation(subject, "rsl_robots", "ai_train", "conditional", line.value, where, file.observed_at)


def _too_much(groups: list[robots.Group]) -> bool:
    """Whether a file has more wildcard rules, or more lines about one path, than anybody writes in earnest."""
    wild = sum(len(group.rules.wild) + len(group.usage.wild) for group in {id(g): g for g in groups}.values())
    return wild > MAX_WILDCARDS or any(group.usage.crowded for group in groups)


def _unread(file: SiteFile, rule: str, usage: str, paths: list[tuple[Subject, str]], findings: Findings) -> None:
    """A file that is not read to the end may forbid anything: it is a condition nobody knows."""
    where = Where(file.record_id, "body", 0, len(file.body))
    for subject, _ in paths:
        findings.reservation(subject, rule, usage, "conditional", "too many rules", where, file.observed_at)


def _agents_by_group(parsed: robots.Robots) -> list[tuple[str, str, robots.Group]]:
    """(usage, agents, group) for the AI agents a file names, several agents in one text where one group binds them."""
    named: dict[tuple[str, int], list[str]] = defaultdict(list)
    group_of: dict[int, robots.Group] = {}
    signature: dict[tuple, int] = {}
    for agent, usage in usages_of_agents().items():
        group = parsed.groups.get(agent.lower())
        if group is not None:
            key = signature.setdefault(_lines_of(group), id(group))
            group_of.setdefault(key, group)
            named[(usage, key)].append(agent)
    return [(usage, agents, group_of[key]) for (usage, key), names in named.items() for agents in _chunks(names)]


def _lines_of(group: robots.Group) -> tuple:
    """What makes two groups one: agents named in a row share every line."""
    rules = [*(r for found in group.rules.literal.values() for r in found), *group.rules.wild]
    usage = [*(r for found in group.usage.literal.values() for r in found), *group.usage.wild]
    return tuple(sorted({rule.line.start for rule in rules + usage} | {line.start for line in group.signals}))


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


def agents_in(value: str) -> set[str]:
    """Agents that a robots finding's value names, lower case."""
    return {name.strip().lower() for name in value.partition(":")[0].split(",")}


def _robots_group(
    file: SiteFile, subject: Subject, path: str, usage: str, agents: str, group: robots.Group, findings: Findings
) -> None:
    def where(line: robots.Line) -> Where:
        return Where(file.record_id, "body", line.start, line.end)

    rule = robots.deciding(group, path)
    if rule is not None and not rule.allow and path != "/robots.txt":
        value = f"{agents}: Disallow: {rule.line.value}"
        findings.reservation(subject, "robots_agents", usage, "reserved", value, where(rule.line), file.observed_at)
    for found in robots.usage_rules(group, path):
        value = f"{agents}: Content-Usage: {found.line.value}"
        place = where(found.line)
        add_usage(found.line.value, "content_usage_robots", value, subject, place, file.observed_at, findings)
    for line in group.signals:
        for signaled, decision in content_signal(line.value):
            value = f"{agents}: Content-Signal: {line.value}"
            findings.reservation(subject, "content_signal", signaled, decision, value, where(line), file.observed_at)


def _read_ai_txt(file: SiteFile, paths: list[tuple[Subject, str]], findings: Findings) -> None:
    """Spawning's ai.txt: like robots.txt, with patterns of file names. Another format of that name has no groups."""
    parsed = robots.parse(file.body, relative_patterns=True)
    if b"<html" in file.body[:2000].lower():
        return
    groups = {token: group for token, group in parsed.groups.items() if token == "*" or token in agent_names()}
    if _too_much(list(groups.values())):
        _unread(file, "ai_txt", "ai_train", paths, findings)
        return
    for token, group in groups.items():
        for subject, path in paths:
            rule = robots.deciding(group, robots.normalize(path.lower()))
            if rule is not None and not rule.allow:
                where = Where(file.record_id, "body", rule.line.start, rule.line.end)
                value = f"{token}: Disallow: {rule.line.value}"
                findings.reservation(subject, "ai_txt", "ai_train", "reserved", value, where, file.observed_at)


def _read_tdmrep(file: SiteFile, paths: list[tuple[Subject, str]], findings: Findings) -> None:
    """TDMRep file: the first location that matches a path decides; a broken file says nothing that allows."""
    if not paths:
        return
    locations = list(_locations(file.body))
    for subject, path in paths:
        normalized = robots.normalize(path)
        for pattern, value, start, end in locations:
            if robots.matches(pattern, normalized):
                decision = tdm_reservation(value.get("tdm-reservation")) or "unknown"
                where = Where(file.record_id, "body", start, end)
                raw = json.dumps(value, sort_keys=True, ensure_ascii=False)
                findings.reservation(subject, "tdmrep_file", "tdm", decision, raw, where, file.observed_at)
                break


def _locations(body: bytes) -> Iterator[tuple[str, dict[str, Any], int, int]]:
    """(pattern, object, start, end) of the entries of a TDMRep file that have a location, in order."""
    try:
        text = body[:MAX_TDM_FILE].decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    bom = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    decoder = json.JSONDecoder()
    opening = re.match(r"\s*\[", text)
    position = opening.end() if opening else -1
    for _ in range(MAX_LOCATIONS if opening else 0):
        position = re.compile(r"[\s,]*").match(text, position).end()  # type: ignore[union-attr]
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        location = value.get("location") if isinstance(value, dict) else None
        if isinstance(location, str) and location:
            start_byte = bom + len(text[:position].encode())
            end_byte = start_byte + len(text[position:end].encode())
            yield robots.normalize(location), value, start_byte, end_byte
        position = end
