"""What HTTP answers and robots meta elements say: Link licenses, X-Robots-Tag, Content-Usage, TDM reservation, RSL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from assets.crawl.urls import join
from assets.rights.addresses import same_resource_key
from assets.rights.agents import agent_names
from assets.rights.findings import Findings, Subject, Where
from assets.rights.headers import Line, header_lines, links
from assets.rights.licenses import NOASSERTION, either, license_of_url
from assets.rights.markup import Page
from assets.rights.page_rules import RSL_TYPE
from assets.rights.preferences import content_usage, robots_directives, tdm_reservation


def read_headers(block: bytes, url: str, subject: Subject, observed_at: datetime | None, findings: Findings) -> None:
    """Every statement in the header block of a page's or an image's answer, about that page or image."""
    fields: dict[str, list[Line]] = defaultdict(list)
    for line in header_lines(block):
        fields[line.name].append(line)
    _links(fields["link"], url, subject, observed_at, findings)

    def place(lines: list[Line]) -> Where:
        return Where(subject.id, "headers", lines[0].start, lines[-1].end)

    tags = fields["x-robots-tag"]
    for line in tags:
        for directive in sorted(robots_directives([line.value], agent_names())):
            findings.reservation(
                subject,
                "x_robots_tag",
                "ai_train",
                "reserved",
                f"{directive}: {line.value}",
                place([line]),
                observed_at,
            )
    if fields["content-usage"]:
        value = ", ".join(line.value for line in fields["content-usage"])
        add_usage(value, "content_usage_header", value, subject, place(fields["content-usage"]), observed_at, findings)
    for line in fields["tdm-reservation"]:
        decision = tdm_reservation(line.value) or "unknown"
        findings.reservation(subject, "tdmrep_header", "tdm", decision, line.value, place([line]), observed_at)


def add_usage(
    value: str,
    rule: str,
    raw: str,
    subject: Subject,
    where: Where,
    observed_at: datetime | None,
    findings: Findings,
) -> None:
    """Findings of one Content-Usage value; labels of older drafts come under `<rule>_legacy`."""
    current, legacy = content_usage(value)
    for suffix, preferences in (("", current), ("_legacy", legacy)):
        for usage, decision in preferences:
            findings.reservation(subject, rule + suffix, usage, decision, raw, where, observed_at)


def _links(lines: list[Line], url: str, subject: Subject, observed_at: datetime | None, findings: Findings) -> None:
    """rel="license" links whose context is the answer itself; several are a choice. RSL terms are no license."""
    found: list[tuple[Line, str]] = []
    for line in lines:
        for link in links(line.value):
            anchor = join(url, link.parameters["anchor"]) if "anchor" in link.parameters else url
            about_this = anchor is not None and same_resource_key(anchor) == same_resource_key(url)
            if "license" not in link.rel or not about_this:
                continue
            if link.parameters.get("type", "").lower().startswith(RSL_TYPE):
                where = Where(subject.id, "headers", line.start, line.end)
                findings.reservation(subject, "rsl_header", "ai_train", "conditional", link.target, where, observed_at)
            else:
                found.append((line, link.target))
    if not found:
        return
    ids = [license_of_url(joined) if (joined := join(url, target)) else None for _, target in found]
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    spdx_id = either(readable) if readable and None not in ids else NOASSERTION
    where = Where(subject.id, "headers", found[0][0].start, found[-1][0].end)
    rule = "http_link_image" if subject.type == "image" else "http_link_page"
    findings.license(subject, rule, spdx_id, " ".join(target for _, target in found), where)


def read_reservation_metas(page: Page, observed_at: datetime | None, findings: Findings) -> None:
    """Robots meta elements, tdm-reservation and RSL links of a page, about that page and so about what it shows."""
    subject = Subject("page", page.record_id)
    for node in page.tree.css("meta[name][content]")[:2000]:
        meta = (node.attributes.get("name") or "", node.attributes.get("content") or "")
        read_meta_reservations([meta], subject, page.where(node), observed_at, findings)
    for node in page.tree.css("link[rel][type]")[:2000]:
        is_rsl = (node.attributes.get("type") or "").lower().startswith(RSL_TYPE)
        if is_rsl and "license" in (node.attributes.get("rel") or "").lower().split():
            value = node.attributes.get("href") or ""
            findings.reservation(subject, "rsl_link", "ai_train", "conditional", value, page.where(node), observed_at)


def read_meta_reservations(
    metas: Iterable[tuple[str, str]],
    subject: Subject,
    where: Where,
    observed_at: datetime | None,
    findings: Findings,
) -> None:
    """(name, content) of meta elements that speak of robots or of text and data mining."""
    names = agent_names()
    for written, content in metas:
        name = written.strip().lower()
        if name == "robots" or name in names:
            _meta_robots(content, subject, where, observed_at, findings)
        elif name == "tdm-reservation":
            decision = tdm_reservation(content) or "unknown"
            findings.reservation(subject, "tdmrep_meta", "tdm", decision, content, where, observed_at)


def _meta_robots(
    content: str, subject: Subject, where: Where, observed_at: datetime | None, findings: Findings
) -> None:
    directives: Iterable[str] = sorted(robots_directives([content], agent_names()))
    for directive in directives:
        value = f"{directive}: {content}"
        findings.reservation(subject, "meta_robots", "ai_train", "reserved", value, where, observed_at)
