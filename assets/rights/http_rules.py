"""What HTTP answers and robots meta elements say: Link licenses, X-Robots-Tag, Content-Usage, TDM reservation, RSL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from selectolax.lexbor import LexborNode

from assets.crawl.urls import join
from assets.rights.addresses import same_resource_key
from assets.rights.agents import names_with
from assets.rights.findings import Findings, Subject, Where
from assets.rights.headers import MAX_BLOCK, Line, header_lines, links
from assets.rights.licenses import choice_of, license_of_url
from assets.rights.markup import Page
from assets.rights.page_rules import RSL_TYPE
from assets.rights.preferences import (
    ALLOWED,
    CONDITIONAL,
    RESERVED,
    UNKNOWN,
    content_signal,
    content_usage,
    robots_directives,
    tdm_reservation,
    usage_of_directive,
)
from assets.rights.rsl import UnreadableError, decide, host_and_path, parse

MAX_METAS = 2000
"""Different robots meta elements of a page that are read; in the next one anything may be forbidden."""

MAX_INLINE = 20
"""Inline RSL documents of one page that are read; in the next one any use may be prohibited."""

INDEXING_SPEC = "1996 robots meta element, 2007 X-Robots-Tag"
"""Where `noindex`, `noimageindex` and `none` come from; `noai` and `noimageai` are younger."""


@dataclass(frozen=True)
class _Answer:
    """What a header block is the header of, which record it stands in, and where its findings go."""

    url: str
    subject: Subject
    record_id: int
    observed_at: datetime | None
    findings: Findings

    def say(self, rule: str, usage: str, decision: str, value: str, lines: list[Line], spec: str | None = None) -> None:
        self.say_at(min(x.start for x in lines), max(x.end for x in lines), rule, usage, decision, value, spec)

    def say_at(
        self, start: int, end: int, rule: str, usage: str, decision: str, value: str, spec: str | None = None
    ) -> None:
        where = Where(self.record_id, "headers", start, end)
        if decision != ALLOWED or self.record_id == self.subject.id:
            self.findings.reservation(self.subject, rule, usage, decision, value, where, self.observed_at, spec)


def read_headers(
    block: bytes,
    url: str,
    subject: Subject,
    observed_at: datetime | None,
    findings: Findings,
    agents: frozenset[str] = frozenset(),
    record_id: int | None = None,
) -> None:
    """Every statement in the header block of a page's or an image's answer, about that page or image.

    Args:
        agents: product tokens that count, besides those known to collect for AI.
        record_id: record of the block, where that is a redirect or a revisit on the way to the answer. Such a block may
            restrict what is behind it; it permits nothing, and its links are about itself.
    """
    fields: dict[str, list[Line]] = defaultdict(list)
    for line in header_lines(block):
        fields[line.name].append(line)
    answer = _Answer(url, subject, subject.id if record_id is None else record_id, observed_at, findings)
    if answer.record_id == subject.id:
        _links(fields["link"], answer)
    _robots_tags(fields["x-robots-tag"], answer, names_with(agents))
    if usage := fields["content-usage"]:
        value = ", ".join(line.value for line in usage)
        for named, decision, draft in content_usage(value):
            rule = "content_usage_header" if draft is None else "content_usage_header_legacy"
            answer.say(rule, named, decision, value, usage, draft)
    if signals := fields["content-signal"]:
        value = ", ".join(line.value for line in signals)
        for signaled, decision in content_signal(value):
            answer.say("content_signal_header", signaled, decision, value, signals)
    _tdm_lines(fields["tdm-reservation"], fields["tdm-policy"], answer)
    if len(block) > MAX_BLOCK:
        value = "headers too long to be read to their end"
        answer.say_at(0, len(block.rstrip(b"\r\n")), "x_robots_tag", "tdm", CONDITIONAL, value)


def _robots_tags(lines: list[Line], answer: _Answer, names: frozenset[str]) -> None:
    """One finding for each directive that binds us, at the first header that has it."""
    seen: set[str] = set()
    for line in lines:
        for directive in sorted(robots_directives([line.value], names) - seen):
            seen.add(directive)
            usage = usage_of_directive(directive)
            spec = INDEXING_SPEC if usage == "index" else None
            answer.say("x_robots_tag", usage, RESERVED, f"{directive}: {line.value}", [line], spec)


def _tdm_lines(lines: list[Line], policies: list[Line], answer: _Answer) -> None:
    """One finding for each thing that tdm-reservation headers say, at the first that says it."""
    seen: set[str] = set()
    for line in lines:
        decision = tdm_reservation(line.value) or UNKNOWN
        if decision not in seen:
            seen.add(decision)
            policy = policies[:1] if decision == RESERVED else []
            value = with_policy(line.value, policy[0].value if policy else None)
            answer.say("tdmrep_header", "tdm", decision, value, [line, *policy])


def with_policy(reservation: str, policy: str | None) -> str:
    """A reservation and the policy that goes with it, as a finding's value: `1 tdm-policy https://…`."""
    return f"{reservation} tdm-policy {policy}" if policy else reservation


def _links(lines: list[Line], answer: _Answer) -> None:
    """rel="license" links whose context is the answer itself; several are a choice. RSL terms are no license."""
    url, subject = answer.url, answer.subject
    found: list[tuple[Line, str]] = []
    terms: dict[str, Line] = {}
    for line in lines:
        for link in links(line.value):
            anchor = join(url, link.parameters["anchor"]) if "anchor" in link.parameters else url
            about_this = anchor is not None and same_resource_key(anchor) == same_resource_key(url)
            if "license" not in link.rel or not about_this:
                continue
            if link.parameters.get("type", "").strip().lower().startswith(RSL_TYPE):
                terms.setdefault(link.target, line)
            else:
                found.append((line, link.target))
    for target, line in terms.items():
        answer.say("rsl_header", "ai_train", CONDITIONAL, target, [line])
    if not found:
        return
    ids = [license_of_url(joined) if (joined := join(url, target)) else None for _, target in found]
    spdx_id = choice_of(ids)
    where = Where(subject.id, "headers", found[0][0].start, found[-1][0].end)
    rule = "http_link_image" if subject.type == "image" else "http_link_page"
    answer.findings.license(subject, rule, spdx_id, " ".join(target for _, target in found), where)


def read_reservation_metas(
    page: Page,
    observed_at: datetime | None,
    findings: Findings,
    agents: frozenset[str] = frozenset(),
) -> None:
    """Robots meta elements, tdm-reservation and RSL of a page, about that page and so about what it shows.

    Args:
        agents: product tokens that count, besides those known to collect for AI.
    """
    subject = Subject("page", page.record_id)
    metas = _metas(page, names_with(agents) | {"robots", "tdm-reservation", "tdm-policy"})
    policies = [(meta, node) for meta, node in metas.items() if meta[0] == "tdm-policy"][:1]
    reserves_at_all = any(name == "tdm-reservation" for name, _ in metas)
    in_head = {node.mem_id for node in page.tree.css("html > head meta[name]")} if reserves_at_all else set()
    for number, (meta, node) in enumerate(metas.items()):
        if number == MAX_METAS:
            value = "too many robots meta elements"
            findings.reservation(subject, "meta_robots", "ai_train", CONDITIONAL, value, page.where(node), observed_at)
            break
        reserves = meta[0] == "tdm-reservation" and tdm_reservation(meta[1]) == RESERVED
        beside = policies if reserves else []
        where = page.where(node, *(other for _, other in beside))
        said = [meta, *(other for other, _ in beside)]
        read_meta_reservations(said, subject, where, observed_at, findings, agents, node.mem_id in in_head)
    seen: set[str] = set()
    for node in page.tree.css("link[rel][type], a[rel][type], area[rel][type]"):
        value = _attribute(node, "href")
        is_rsl = _is_rsl(node) and "license" in _attribute(node, "rel").lower().split()
        if is_rsl and value not in seen and len(seen) < MAX_METAS:
            seen.add(value)
            findings.reservation(subject, "rsl_link", "ai_train", CONDITIONAL, value, page.where(node), observed_at)
    read_rsl_inline(page, observed_at, findings)


def _metas(page: Page, names: frozenset[str]) -> dict[tuple[str, str], LexborNode]:
    """The first of equal meta elements of some names, by name in lower case and content."""
    metas: dict[tuple[str, str], LexborNode] = {}
    for node in page.tree.css("meta[name][content]"):
        name = _attribute(node, "name").strip().lower()
        if name in names:
            metas.setdefault((name, _attribute(node, "content")), node)
    return metas


def _is_rsl(node: LexborNode) -> bool:
    return _attribute(node, "type").strip().lower().startswith(RSL_TYPE)


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""


def read_rsl_inline(page: Page, observed_at: datetime | None, findings: Findings) -> None:
    """RSL documents in script elements of a page; one that cannot be read may prohibit anything."""
    subject = Subject("page", page.record_id)
    scripts = [node for node in page.tree.css("script[type]") if _is_rsl(node)]
    host, path = host_and_path(page.url)
    for number, node in enumerate(scripts[: MAX_INLINE + 1]):
        where = page.where_element(node)
        source = (node.text() or "").strip()
        if source.startswith("<?xml"):  # what it says of the encoding was true of other bytes
            source = source.partition("?>")[2]
        try:
            if number == MAX_INLINE:
                raise UnreadableError("too many documents")
            said = [one[:3] for one in decide(parse(source.encode("utf-8", "replace")), path, host)]
        except UnreadableError as error:
            said = [("ai_train", CONDITIONAL, f"not read: {error}")]
        for usage, decision, value in said:
            findings.reservation(subject, "rsl_inline", usage, decision, value, where, observed_at)


def read_meta_reservations(
    metas: Iterable[tuple[str, str]],
    subject: Subject,
    where: Where,
    observed_at: datetime | None,
    findings: Findings,
    agents: frozenset[str] = frozenset(),
    in_head: bool = False,
) -> None:
    """(name, content) of meta elements that speak of robots or of text and data mining.

    Args:
        agents: product tokens that count, besides those known to collect for AI.
        in_head: whether they are known to stand in the head of their page. Elsewhere they may be a visitor's, who may
            restrict, but not permit.
    """
    names = names_with(agents)
    found = [(name.strip().lower(), content) for name, content in metas]
    policy = next((content for name, content in found if name == "tdm-policy"), None)
    for name, content in found:
        if name == "robots" or name in names:
            for directive in sorted(robots_directives([content], names)):
                usage = usage_of_directive(directive)
                spec = INDEXING_SPEC if usage == "index" else None
                value = f"{directive}: {content}"
                findings.reservation(subject, "meta_robots", usage, RESERVED, value, where, observed_at, spec)
        elif name == "tdm-reservation":
            decision = tdm_reservation(content) or UNKNOWN
            if decision == ALLOWED and not in_head:
                continue
            value = with_policy(content, policy if decision == RESERVED else None)
            findings.reservation(subject, "tdmrep_meta", "tdm", decision, value, where, observed_at)
