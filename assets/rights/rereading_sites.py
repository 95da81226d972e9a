"""Rules about whole sites, run again on the lines and elements that a finding names: robots.txt, ai.txt, TDMRep, RSL."""

from __future__ import annotations

from assets.rights import robots, rsl, tdmrep
from assets.rights.agents import usages_of_agents
from assets.rights.findings import Findings, Subject, shorten
from assets.rights.http_rules import read_headers
from assets.rights.preferences import content_signal, tdm_reservation
from assets.rights.rereading import Excerpt, Readings, heard, rows_of
from assets.rights.site_rules import SITE_PATHS, SiteFile, Target, read_sites
from assets.rights.sites import MAX_FILE

SITE = "http://site.example"

_KEYS = {"robots_agents": "Disallow", "ai_txt": "Disallow", "content_usage_robots": "Content-Usage",
         "content_signal": "Content-Signal"}  # fmt: skip


def read_robots_line(excerpt: Excerpt) -> Readings:
    """robots.txt and ai.txt, from the one line of the range; the agents must be named in the file."""
    rule = excerpt.rule.removesuffix("_legacy")
    if rule == "ai_txt" and _is_whole(excerpt):
        return read_site_file(excerpt)
    lines = list(robots.lines(excerpt.raw))
    if len(lines) != 1 or not excerpt.whole_lines:
        return set()
    key, text = lines[0].key, lines[0].value
    if rule == "rsl_robots":
        return {(shorten(text), "ai_train conditional")} if key == "license" else set()
    agents = excerpt.value.partition(": ")[0]
    if rule == "content_usage_robots" and text.startswith("/"):
        text = "".join(text.split(None, 1)[1:])
    if not _names(excerpt.part, agents) or not _is_key(key, rule):
        return set()
    return {(shorten(f"{agents}: {_KEYS[rule]}: {text}"), says) for says in _line_says(excerpt.rule, agents, text)}


def _is_key(key: str, rule: str) -> bool:
    """Whether a line's key is the rule's; Disallow is read in the misspellings that robots.txt files have."""
    if _KEYS[rule] != "Disallow":
        return key == _KEYS[rule].lower()
    group = robots.parse(b"User-agent: *\n" + key.encode("utf-8", "surrogateescape") + b": /x").group("*")
    found = group and robots.deciding(group, "/x")
    return bool(found and not found.allow)


def _names(file: bytes, agents: str) -> bool:
    """Whether the file has a group for each of the agents."""
    parsed = robots.parse(file)
    return all(parsed.named(agent.strip()) is not None for agent in agents.split(","))


def _line_says(rule: str, agents: str, text: str) -> set[str]:
    if rule == "ai_txt":
        return {"ai_train reserved"}
    if rule == "robots_agents":
        usages = usages_of_agents()
        return {f"{usages.get(agent.strip(), 'tdm')} reserved" for agent in agents.split(",")}
    if rule == "content_signal":
        return {f"{usage} {decision}" for usage, decision in content_signal(text)}
    # The line's value means what it would mean in a header.
    findings = Findings()
    read_headers(b"Content-Usage: " + text.encode("utf-8", "surrogateescape"), "", Subject("page", 0), None, findings)
    header_rule = rule.replace("robots", "header")
    return {row.says for row in rows_of(findings.evidence()) if row.rule == header_rule}


def _is_whole(excerpt: Excerpt) -> bool:
    """Whether the range is the whole file, as far as any reader takes one."""
    return excerpt.start == 0 and excerpt.end in (len(excerpt.part), MAX_FILE)


def read_site_file(excerpt: Excerpt) -> Readings:
    """Site files that were given up or not to be had, read again from end to end."""
    findings = Findings()
    if _is_whole(excerpt):
        kind = excerpt.rule if excerpt.rule in SITE_PATHS.values() else excerpt.rule.partition("_")[0]
        truncated = next(iter(excerpt.origin.incomplete), None)
        file = SiteFile(kind, SITE, 0, None, excerpt.raw, SITE, excerpt.origin.http_status, truncated)
        targets = [Target(excerpt.subject, SITE + path) for path in ("/", "/that/no/pattern/is/about")]
        read_sites([file], targets, findings, sorted(excerpt.origin.agents))
    return heard(excerpt, findings)


def read_trust_line(excerpt: Excerpt) -> Readings:
    """One line of a trust.txt, as a file of its own; or all of it, where it was not read to its end."""
    if _is_whole(excerpt):
        return read_site_file(excerpt)
    findings = Findings()
    file = SiteFile("trust_txt", SITE, 0, None, excerpt.raw)
    read_sites([file], [Target(excerpt.subject, f"{SITE}/")], findings)
    whole_line = excerpt.part[max(excerpt.start - 1, 0) : excerpt.start].strip(b"\r\n") == b""
    found = [row for row in rows_of(findings.evidence()) if row.place == (0, len(excerpt.raw))]
    return {(row.value, row.says) for row in found if row.rule == excerpt.rule and whole_line}


def read_tdmrep_entry(excerpt: Excerpt) -> Readings:
    """One entry of a TDM reservation file, as a file of its own."""
    found: Readings = set()
    for entry in tdmrep.parse(b"[" + excerpt.raw + b"]").locations:
        if entry.end - entry.start == len(excerpt.raw):
            decision = tdm_reservation(entry.reservation) or "unknown"
            found.add((shorten(entry.value(with_policy=decision == "reserved")), f"tdm {decision}"))
    return found


def read_terms(excerpt: Excerpt) -> Readings:
    """One content element of an RSL document, in a document of its own; else, for its namespaces, in its place."""
    wrapped = b'<rsl xmlns="https://rslstandard.org/rsl">' + excerpt.raw + b"</rsl>"
    alone = {said for _, said in _terms_say(wrapped)} if excerpt.raw.startswith(b"<") else set()
    if any(value == excerpt.value for value, _ in alone):
        return alone
    if excerpt.rule == "rsl_feed" and _is_whole(excerpt) and (unread := read_site_file(excerpt)):
        return unread
    return {said for place, said in _terms_say(excerpt.part) if place == (excerpt.start, excerpt.end)}


def _terms_say(document: bytes) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """(place, (value, says)) of every content element, for an address that it is about."""
    try:
        terms = rsl.parse(document)
    except rsl.UnreadableError:
        return []
    found = []
    for one in terms:
        path = one.pattern.replace("*", "").removesuffix("$")
        for said in rsl.decide([one], path):
            found.append(((said.start, said.end), (shorten(said.value), f"{said.usage} {said.decision}")))
    return found
