"""What a page says in its markup: rel=license on the page and in figures, captions, meta elements, RDFa `about`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from selectolax.lexbor import LexborNode

from assets.rights.addresses import same_resource_key
from assets.rights.findings import RULES, Findings, Subject, Where
from assets.rights.licenses import (
    ALL_RIGHTS_RESERVED,
    NOASSERTION,
    either,
    license_of_text,
    license_of_url,
    license_of_value,
)
from assets.rights.markup import Context, Page

MAX_LINKS = 2000
"""Links of one page that are read; a page with more states nothing that a reader could find."""

MAX_CAPTION = 2000
RSL_TYPE = "application/rsl+xml"

_OWNER = re.compile(r"©|\(c\)|\bcopyright\b|\bcourtesy\b|\bmit freundlicher genehmigung\b", re.I)
_CREDIT = re.compile(r"\b(?:photo|image|picture|foto|bild|credit)s?(?: credit)?(?: by|:)\s*([^,.;()|©]{2,80})", re.I)


class Images:
    """The samples of a page, by position, by address, and by the figures around them.

    Args:
        page: the page.
        samples: (sample_id, position, addresses) of its images.
    """

    def __init__(self, page: Page, samples: Iterable[tuple[int, int, list[str]]]) -> None:
        nodes = [node for node in page.tree.css("img") if not page.context(node).silent]
        self.node_of: dict[int, LexborNode] = {}
        self.by_address: dict[str, list[int]] = defaultdict(list)
        self.in_figure: dict[int, list[int]] = defaultdict(list)
        self.in_item: dict[int, list[int]] = defaultdict(list)
        for sample_id, position, addresses in samples:
            for key in {same_resource_key(address) for address in addresses}:
                self.by_address[key].append(sample_id)
            if position < len(nodes):
                context = page.context(nodes[position])
                self.node_of[sample_id] = nodes[position]
                if context.item is not None:
                    self.in_item[context.item].append(sample_id)
                for figure in context.figures[:1]:
                    self.in_figure[figure].append(sample_id)

    def at(self, address: str | None) -> list[int]:
        """Samples that show the image at an absolute address."""
        return [] if address is None else self.by_address.get(same_resource_key(address), [])


def read_markup(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in the markup of a page."""
    _links(page, images, findings)
    _metas(page, findings)
    _captions(page, images, findings)
    _rdfa_credits(page, images, findings)


def mark_outside(page: Page, images: Images, findings: Findings) -> None:
    """Says of images in the site's header, footer or navigation that they are not what a page's license is about.

    HTML: rel=license covers the main content of a document. A logo is none of it.
    """
    for sample_id, node in images.node_of.items():
        context = page.context(node)
        if context.outside or context.comment:
            value = "comment" if context.comment else "header, footer or nav"
            findings.license(Subject("sample", sample_id), "outside_main", NOASSERTION, value, page.where(node))


def _links(page: Page, images: Images, findings: Findings) -> None:
    """rel=license links by what they are about: an image (RDFa), a figure, a visitor's comment, or the page.

    Several links in one place are a choice, so they make one finding: `A OR B`.
    """
    figures: dict[int, list[LexborNode]] = defaultdict(list)
    pages: dict[tuple[int, float], list[LexborNode]] = defaultdict(list)
    for node in page.tree.css("[rel], [property][href], [property][resource]")[:MAX_LINKS]:
        relations = _relations(node)
        if not relations or (node.attributes.get("type") or "").lower().startswith(RSL_TYPE):
            continue
        context = page.context(node)
        if context.comment:
            _state([Subject("page", page.record_id)], "comment_rel", [node], page, findings)
        elif context.about not in (None, "", "_:") and not _is_page(page, context.about):
            subjects = [Subject("sample", i) for i in images.at(page.join(context.about))]
            _state(subjects, "rdfa_about", [node], page, findings)
        elif context.item is not None or not _is_html_relation(node):
            continue  # structured.py reads items; a property without a subject of its own is about nothing we show
        elif node.tag in ("a", "area") and context.figures and context.about in (None, ""):
            figures[context.figures[0]].append(node)
        elif node.tag in ("a", "area", "link", "form"):
            pages[_place(node, context)].append(node)
    for figure, nodes in figures.items():
        _state([Subject("sample", i) for i in images.in_figure[figure]], "figure_rel", nodes, page, findings)
    for (_, weight), nodes in pages.items():
        confidence = RULES["page_rel"].confidence * weight
        _state([Subject("page", page.record_id)], "page_rel", nodes, page, findings, confidence)
    _plain_links(page, findings)


def _relations(node: LexborNode) -> set[str]:
    attributes = node.attributes
    words = f"{attributes.get('rel') or ''} {attributes.get('property') or ''}".lower().split()
    wanted = {"license", "copyright", "cc:license", "dct:license", "dcterms:license", "xhv:license", "schema:license"}
    full = {"http://creativecommons.org/ns#license", "http://purl.org/dc/terms/license"}
    return (wanted | full) & set(words)


def _is_html_relation(node: LexborNode) -> bool:
    """rel="license" counts for the page in plain HTML; RDFa relations without a subject of their own do so too."""
    rel = (node.attributes.get("rel") or "").lower().split()
    prefixed = {"cc:license", "dct:license", "dcterms:license", "xhv:license"}
    return bool({"license", "copyright"} & set(rel)) or bool(prefixed & _relations(node))


def _is_page(page: Page, about: str) -> bool:
    joined = page.join(about)
    return joined is not None and same_resource_key(joined) == same_resource_key(page.url) and "#" not in about


def _place(node: LexborNode, context: Context) -> tuple[int, float]:
    """What makes several page links one statement: the same parent; and how much the place weakens it."""
    parent = node.parent
    in_head = node.tag == "link"
    weight = 0.5 if context.nav else 0.9 if context.about == "_:" else 1.0
    return (0 if in_head or parent is None else parent.mem_id, weight)


def _target(node: LexborNode) -> str | None:
    attributes = node.attributes
    return attributes.get("href") or attributes.get("action") or attributes.get("resource")


def _state(
    subjects: list[Subject],
    rule: str,
    nodes: list[LexborNode],
    page: Page,
    findings: Findings,
    confidence: float | None = None,
) -> None:
    targets = [target for node in nodes if (target := _target(node)) and target.strip("# ")]
    if not targets or not subjects:
        return
    ids = [license_of_url(joined) if (joined := page.join(target)) else None for target in targets]
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    spdx_id = either(readable) if readable and None not in ids else NOASSERTION
    where = page.where(*nodes)
    for subject in subjects:
        findings.license(subject, rule, spdx_id, " ".join(targets), where, confidence)


def _plain_links(page: Page, findings: Findings) -> None:
    """Links to a license that do not say they license anything: kept, so that nobody need wonder; they never decide."""
    for node in page.tree.css('a[href*="creativecommons.org"]')[:MAX_LINKS]:
        if not _relations(node):
            joined = page.join(node.attributes.get("href"))
            spdx_id = license_of_url(joined) if joined else None
            if spdx_id:
                subject = Subject("page", page.record_id)
                findings.license(subject, "page_link", spdx_id, node.attributes.get("href") or "", page.where(node))


LICENSE_METAS = {
    "dc.rights",
    "dc.license",
    "dcterms.rights",
    "dcterms.license",
    "dc.rights.license",
    "license",
    "rights",
    "og:license",
}
"""Names of meta elements that state a page's license."""
_META_FIELDS = {
    "author": "creator",
    "dc.creator": "creator",
    "dcterms.creator": "creator",
    "copyright": "copyright_notice",
}


def _metas(page: Page, findings: Findings) -> None:
    subject = Subject("page", page.record_id)
    for node in page.tree.css("meta[content]")[:MAX_LINKS]:
        name = (node.attributes.get("name") or node.attributes.get("property") or "").strip().lower()
        content = node.attributes.get("content") or ""
        if name in LICENSE_METAS:
            # dc.rights is often a bare copyright notice: it names an owner, and a license only where it names one.
            spdx_id = license_of_value(content) or (NOASSERTION if name.endswith("license") else None)
            if spdx_id:
                findings.license(subject, "page_meta", spdx_id, content, page.where(node))
        elif name in _META_FIELDS:
            findings.attribution(subject, "page_meta", _META_FIELDS[name], content)


def _captions(page: Page, images: Images, findings: Findings) -> None:
    """Captions that name a license, reserve rights, or name an owner."""
    for caption in page.tree.css("figcaption")[:MAX_LINKS]:
        if caption.parent is not None and page.context(caption.parent).caption:
            continue  # a caption in a caption is part of the outer one
        figures = page.context(caption).figures
        subjects = [Subject("sample", i) for i in images.in_figure.get(figures[0], ())] if figures else []
        if not subjects:
            continue
        text = " ".join(caption.text(separator=" ").split())[:MAX_CAPTION]
        where = page.where_element(caption)
        spdx_id = license_of_text(text)
        linked = any(_relations(node) for node in caption.css("[rel]"))
        for subject in subjects:
            _caption(text, spdx_id, linked, subject, where, findings)


def _caption(text: str, spdx_id: str | None, linked: bool, subject: Subject, where: Where, findings: Findings) -> None:
    if spdx_id == ALL_RIGHTS_RESERVED:
        findings.license(subject, "caption_notice", spdx_id, text, where)
    elif spdx_id and not linked:  # beside a rel=license link the words only repeat it
        findings.license(subject, "figure_text", spdx_id, text, where)
    if _OWNER.search(text):
        findings.attribution(subject, "caption_notice", "copyright_notice", text)
    credit = _CREDIT.search(text)
    if credit:
        findings.attribution(subject, "caption_credit", "creator", credit[1])


_RDFA_FIELDS: Mapping[str, str] = {
    "cc:attributionname": "creator",
    "cc:attributionurl": "source_url",
    "dct:source": "source_url",
    "dct:title": "title",
    "dct:creator": "creator",
    "cc:morepermissions": "license_url",
}


def _rdfa_credits(page: Page, images: Images, findings: Findings) -> None:
    for node in page.tree.css("[property], [rel]")[:MAX_LINKS]:
        attributes = node.attributes
        words = f"{attributes.get('property') or ''} {attributes.get('rel') or ''}".lower().split()
        fields = [word.replace("dcterms:", "dct:") for word in words]
        about = page.context(node).about
        if not any(word in _RDFA_FIELDS for word in fields) or not about or about == "_:":
            continue
        for word in fields:
            field = _RDFA_FIELDS.get(word)
            value = (
                _target(node) if field in ("source_url", "license_url") else attributes.get("content") or node.text()
            )
            for sample_id in images.at(page.join(about)) if field else ():
                findings.attribution(Subject("sample", sample_id), "rdfa_about", field or "", value)
