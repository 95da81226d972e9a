"""Items of microdata and RDFa with types of schema.org: licenses and credits of images, licenses of the page.

A license that belongs to no item is invalid microdata, and common: it counts for the page, as one of an Article does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from selectolax.lexbor import LexborNode

from assets.rights.elements import Element, Item
from assets.rights.findings import RULES, Findings, Subject, Where
from assets.rights.licenses import NOASSERTION, choice_of, license_of_text, license_of_value
from assets.rights.markup import MAX_CREDITS, MAX_FOLLOWED, MAX_REFERENCES, MAX_REFERRED, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import is_html_relation, subject_around, weight_of_place
from assets.rights.rdfa import LICENSE

ADDRESS_KEYS = ("contentUrl", "url", "thumbnailUrl", "@id", "thumbnail")
FIELDS = {
    "creator": "creator",
    "author": "creator",
    "creditText": "credit",
    "copyrightNotice": "copyright_notice",
    "copyrightHolder": "copyright_notice",
    "acquireLicensePage": "license_url",
    "name": "title",
}


def read_items(page: Page, images: Images, findings: Findings) -> None:
    """Items of an image's type and of a page's, and licenses that stand outside of all items."""
    elsewhere = _References(page)
    for item in page.items:
        if item.element.context.comment or item.element.context.noscript:
            continue
        properties = item.properties + elsewhere.of(item)
        if item.is_image:
            _read_image(item, properties, page, images, findings)
        elif item.describes_page and is_this_page(_addresses(item, properties, ("url",)), page):
            licenses = [element for name, element in properties if name == "license"]
            _say_of_page(item.kind, [e for e in licenses if not is_html_relation(e)], page, images, findings)
    referred = elsewhere.referred()
    loose = [("microdata", e) for name, e in page.loose if name == "license" and e.id not in referred]
    loose += [("rdfa", e) for e in page.statements if LICENSE in e.means and "itemprop" not in e.attributes]
    for kind, element in loose:
        if _is_loose(element, page):
            _say_of_page(kind, [element], page, images, findings)


def _read_image(
    item: Item, properties: list[tuple[str, Element]], page: Page, images: Images, findings: Findings
) -> None:
    """An image's item: about the image it names, else about the image it holds."""
    named = {i for address in _addresses(item, properties, ADDRESS_KEYS) for i in images.at(page.join(address))}
    samples = sorted(named) or images.of_item(item)
    if not samples:
        return
    named_by = [(name, element) for name, element in properties if name in FIELDS][:MAX_CREDITS]
    credits = [(FIELDS[name], _words(element, name)) for name, element in named_by]
    stated = _licenses([element for name, element in properties if name == "license"], page)
    if stated is None and (noticed := license_in_credits(credits)):
        elements = [element for (_, element), named in zip(named_by, credits, strict=True) if _notice(*named)]
        stated = (*noticed, _places(elements, page))
    for sample_id in samples if images.afford(len(samples) * len(credits)) else ():
        subject = Subject("sample", sample_id)
        if stated:
            findings.license(subject, f"{item.kind}_image", *stated)
        credit(subject, item.kind, credits, page, findings)


def _addresses(item: Item, properties: list[tuple[str, Element]], keys: tuple[str, ...]) -> list[str]:
    """Where the thing is, by some of its properties and by its own name."""
    found = [_value(element, keys) for name, element in properties if name in keys]
    return found + [item.element.get(name) for name in ("itemid", "about", "resource")]


def is_this_page(addresses: Iterable[str], page: Page) -> bool:
    """False where a thing says that it lives at another address."""
    joined = [page.join(address) for address in addresses if address and not address.startswith("_:")]
    return all(address is None or page.is_at(address) for address in joined)


def _is_loose(element: Element, page: Page) -> bool:
    """Whether a license belongs to no thing, no visitor's comment and no image, and is no relation of HTML."""
    context = element.context
    owned = context.item is not None and context.item is not element.item
    elsewhere = context.comment or context.noscript or subject_around(page, context) is not None
    return not owned and not elsewhere and not is_html_relation(element)


_PAGE_RULES = {"microdata": "microdata_page", "rdfa": "rdfa_page_license"}


def _say_of_page(kind: str, elements: list[Element], page: Page, images: Images, findings: Findings) -> None:
    """Licenses of the page. Those in a figure are about what it shows."""
    outside = [element for element in elements if not element.context.figures]
    stated = _licenses(outside, page)
    if stated:
        rule = _PAGE_RULES[kind]
        weight = min(weight_of_place(element.context) for element in outside)
        findings.license(Subject("page", page.record_id), rule, *stated, RULES[rule].confidence * weight)
    for element in elements:
        figures = element.context.figures
        if figures and (stated := _licenses([element], page)):
            for sample_id in images.of_figure(figures[0]):
                findings.license(Subject("sample", sample_id), "figure_text", *stated)


def _licenses(elements: list[Element], page: Page) -> tuple[str, str, Where] | None:
    """(license, value, bytes) of license properties of one thing: several are a choice."""
    stated = [found for element in elements if (found := _stated(element))[1]]
    if not stated:
        return None
    texts = [text for _, text in stated]
    ids = [license_of_value(page.join(t) or t) if "/" in t else license_of_value(t) for t in texts]
    return choice_of(ids), " ".join(texts), _places([element for element, _ in stated], page)


def _notice(field: str, text: str) -> str | None:
    """License that a credit or a notice states, or the rights that it reserves."""
    return license_of_text(text) if field in ("credit", "copyright_notice") else None


def license_in_credits(credits: list[tuple[str, str]]) -> tuple[str, str] | None:
    """(license, value) that an image's credits state where it has no license of its own; of several, none can be read."""
    noticed = [(spdx_id, text) for field, text in credits if (spdx_id := _notice(field, text))]
    ids = {spdx_id for spdx_id, _ in noticed}
    if not ids:
        return None
    return ids.pop() if len(ids) == 1 else NOASSERTION, " ".join(text for _, text in noticed)


def _places(elements: list[Element], page: Page) -> Where:
    """Bytes from the first to the last of some properties: their start tags, and all of those whose words are the value."""
    worded = [e for e in elements if not any(e.get(name) for name in ("content", "href", "src", "resource", "data"))]
    places = [page.where(*elements), *(page.where_element(element) for element in worded)]
    known = [(place.start, place.end) for place in places if place.start is not None and place.end is not None]
    if not known:
        return places[0]
    return places[0]._replace(start=min(start for start, _ in known), end=max(end for _, end in known))


def _stated(element: Element) -> tuple[Element, str]:
    """The element that holds a license's address or name, and what it holds: itself, or one of the thing it begins."""
    for name in ("url", "name"):
        for found, inner in element.item.properties if element.item is not None else ():
            if found == name and inner.value():
                return inner, inner.value()
    return (element, "") if element.item is not None else (element, element.value())


def _value(element: Element, names: tuple[str, ...]) -> str:
    """Value of a property: its own, or that of the thing it begins, under the first of some names."""
    if element.item is None:
        return element.value()
    inner = [(found, part) for found, part in element.item.properties if part.item is None]
    return next((part.value() for name in names for found, part in inner if found == name), "")


def _words(element: Element, name: str) -> str:
    """Value of a property that is a name or a sentence, not an address, where there is a choice."""
    if element.item is not None:
        inner = dict(reversed(element.item.properties))
        return next(
            (_words(inner[key], key) for key in ("name", "url") if key in inner and inner[key].item is None), ""
        )
    if name == "acquireLicensePage":
        return element.value()
    return element.get("content") or element.text() or element.value()


class _References:
    """Properties that stand elsewhere on the page than the item that they are about: microdata's `itemref`."""

    def __init__(self, page: Page) -> None:
        self._page, self._followed = page, 0
        self._found: dict[str, list[tuple[str, Element]]] = {}
        self._nodes: dict[str, LexborNode] = {}
        self._owned: dict[int, list[tuple[str, Element, int]]] = defaultdict(list)
        if not any("itemref" in item.element.attributes for item in page.items):
            return
        for node in page.tree.css("[id]"):
            self._nodes.setdefault(node.attributes.get("id") or "", node)
        for name, element in page.loose:
            self._owned[element.id].append((name, element, 0))
        for item in page.items:
            for name, element in item.properties if item.kind == "microdata" else ():
                self._owned[element.id].append((name, element, item.element.id))

    def of(self, item: Item) -> list[tuple[str, Element]]:
        """Properties of an item that it refers to."""
        found: list[tuple[str, Element]] = []
        for wanted in item.element.get("itemref").split()[:MAX_REFERENCES]:
            found += self._at(wanted)
        self._followed += len(found)
        if self._followed <= MAX_FOLLOWED:
            return found
        self._page.cut = True
        return []

    def referred(self) -> set[int]:
        """Ids of the elements that items have taken in so far."""
        return {element.id for found in self._found.values() for _, element in found}

    def _at(self, wanted: str) -> list[tuple[str, Element]]:
        """Properties in the element of an id, but those of things inside it."""
        node = self._nodes.get(wanted)
        if wanted not in self._found and node is not None and len(self._found) < MAX_REFERRED:
            things = {inner.mem_id for inner in [node, *node.css("[itemscope]")] if "itemscope" in inner.attributes}
            ids = list(dict.fromkeys(inner.mem_id for inner in [node, *node.css("[itemprop]")]))
            self._found[wanted] = [
                (name, element) for i in ids for name, element, owner in self._owned.get(i, ()) if owner not in things
            ]
        return self._found.get(wanted, [])


def credit(subject: Subject, format: str, credits: list[tuple[str, str]], page: Page, findings: Findings) -> None:
    """Credits of an image. Where its license is to be had, the work is found: the page serves as its source too."""
    for field, text in credits:
        if field == "license_url":
            text = text if "://" in text else page.join(text) or ""
            findings.attribution(subject, f"{format}_license_page", "source_url", text)
        findings.attribution(subject, f"{format}_image", field, text)
