"""File pages of Wikimedia Commons, by the marks that its license and information templates leave for machines.

Source: https://commons.wikimedia.org/wiki/Commons:Machine-readable_data. A template's `licensetpl_link` or
`licensetpl_short` names the license, `licensetpl_attr` the credit that is asked for; the cells after `fileinfotpl_aut`
and `fileinfotpl_src` hold author and source. All of it is about the file that `.fullImageLink` shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from assets.rights.adapters.said import Said, words
from assets.rights.findings import Where
from assets.rights.licenses import NOASSERTION, choice_of, license_of_value
from assets.rights.markup import Page
from assets.rights.page_images import Images

HOSTS = frozenset({"commons.wikimedia.org", "commons.m.wikimedia.org"})
MAX_TEMPLATES = 20
_PUBLIC_DOMAIN = "LicenseRef-PublicDomain"


def meaning(text: str) -> str | None:
    """License that a template's words stand for."""
    return _PUBLIC_DOMAIN if text.lower() == "public domain" else license_of_value(text)


def read(page: Page, images: Images) -> Iterator[Said]:
    """License, author, credit and source of the file that a page is about."""
    shown = {node.mem_id for node in page.tree.css(".fullImageLink img")}
    samples = tuple(sorted(i for i, element in images.element_of.items() if element.id in shown))
    if not samples:
        return
    templates = [found for node in page.tree.css(".licensetpl")[:MAX_TEMPLATES] if (found := _license(node))]
    if templates:
        spdx_id = _together([spdx_id for _, _, spdx_id in templates])
        value = " ".join(value for _, value, _ in templates)
        where = page.where_element(templates[0][0])
        if len(templates) > 1:
            where = Where(page.record_id, "body", None, None)
        yield Said(samples, spdx_id, value, where)
    yield Said(samples, credits=list(_credits(page)))


def _license(template: LexborNode) -> tuple[LexborNode, str, str | None] | None:
    """(element, words, id) of one license template: its address, else its short name."""
    for name in (".licensetpl_link", ".licensetpl_short"):
        node = template.css_first(name)
        text = words(node)
        if node is not None and text:
            spdx_id = meaning(text)
            if spdx_id or name == ".licensetpl_short":
                return node, text, spdx_id
    return None


def _together(ids: list[str | None]) -> str:
    """Several licenses on Commons are a choice; beside a public-domain mark they may be of different layers."""
    layers = len(set(ids)) > 1 and _PUBLIC_DOMAIN in ids
    return NOASSERTION if layers else choice_of(ids)


def _credits(page: Page) -> Iterator[tuple[str, str]]:
    for identifier, field in (("fileinfotpl_aut", "creator"), ("fileinfotpl_src", "source_url")):
        cell = _next(page.tree.css_first(f"#{identifier}"))
        if cell is None:
            continue
        link = cell.css_first('a[href^="http"]') if field == "source_url" else None
        if field == "creator":
            yield field, words(cell)
        elif link is not None:
            yield field, link.attributes.get("href") or ""
    yield "source_url", page.url
    yield "credit", words(page.tree.css_first(".licensetpl_attr"))


def _next(cell: LexborNode | None) -> LexborNode | None:
    """The table cell after another."""
    after = cell.next if cell is not None else None
    while after is not None and after.tag not in ("td", "th"):
        after = after.next
    return after
