"""Structured data about single images: schema.org ImageObject in JSON-LD, microdata and RDFa.

Bounds: MAX_SCRIPTS scripts of MAX_SCRIPT characters, MAX_OBJECTS objects in all of a script, references and lists
followed a few steps. JSON too deep for its parser, too long or of too many objects is `jsonld_unread`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborNode

from assets.rights.findings import Findings, Subject, Where
from assets.rights.licenses import NOASSERTION, either, license_of_value
from assets.rights.markup import Element, Item, Page
from assets.rights.page_rules import Images, say_what_was_left

MAX_SCRIPT = 2 << 20
MAX_SCRIPTS = 200
MAX_OBJECTS = 20_000
MAX_CREDITS = 20
"""Credits of one item that are read."""

MAX_REFERENCES, MAX_REFERRED = 20, 200
"""Ids of `itemref` that are followed for one item, and different ones for a page."""

_IMAGE_TYPES = {"ImageObject", "Photograph"}
_PAGE_TYPES = {
    "WebPage", "ItemPage", "CollectionPage", "AboutPage", "ProfilePage", "QAPage", "Article", "NewsArticle",
    "BlogPosting", "TechArticle", "ScholarlyArticle", "Report", "CreativeWork", "WebSite", "Blog", "ImageGallery",
    "MediaGallery",
}  # fmt: skip
_PAGE_KEYS = ("@graph", "mainEntity", "mainEntityOfPage")
_ADDRESS_KEYS = ("contentUrl", "url", "thumbnailUrl", "@id", "thumbnail")
_NAMES = ("name", "@value", "url")
_REFERENCE = {"@id", "@type"}
"""Keys of an object that only refers to another."""
_FIELDS = {
    "creator": "creator",
    "author": "creator",
    "creditText": "credit",
    "copyrightNotice": "copyright_notice",
    "copyrightHolder": "copyright_notice",
    "acquireLicensePage": "license_url",
    "name": "title",
}
_NAME_IN_FULL = re.compile(r"(?:https?://schema\.org/|schema:|cc:|dct:|dcterms:)(\w+)")

Nodes = dict[str, dict[str, Any]]
"""The objects of a script by their @id."""


def read_structured(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in a page's structured data."""
    for element in page.scripts[:MAX_SCRIPTS]:
        if not element.context.noscript:
            _read_script(element, page, images, findings)
    _read_items(page, images, findings)
    say_what_was_left(page, findings)


def _read_script(element: Element, page: Page, images: Images, findings: Findings) -> None:
    text, where = element.node.text(), page.where_element(element)
    if len(text) > MAX_SCRIPT:
        _given_up(text, "too long", where, page, images, findings)
        return
    try:
        data = json.loads(_unwrapped(text))
    except RecursionError:
        _given_up(text, "too deep", where, page, images, findings)
        return
    except ValueError:
        _unread(text, where, page, images, findings)
        return
    objects = list(_objects(data))
    if len(objects) >= MAX_OBJECTS:
        _given_up(text, "too many objects", where, page, images, findings)
        return
    nodes: Nodes = {}
    for value, _ in objects:
        if isinstance(value.get("@id"), str) and value.keys() - _REFERENCE:
            nodes[value["@id"]] = value
    for value, at_top in objects:
        types = _types(value)
        if not _IMAGE_TYPES.isdisjoint(types):
            _image_object(value, nodes, where, page, images, findings)
        elif at_top and not _PAGE_TYPES.isdisjoint(types) and _is_this_page(value, page):
            stated = _license(value.get("license"), nodes)
            if stated:
                findings.license(Subject("page", page.record_id), "jsonld_page", stated[0], stated[1], where)


def _unwrapped(text: str) -> str:
    """The JSON without the comment or CDATA marks that some templates wrap around it."""
    text = re.sub(r"^\s*(?://\s*)?(?:<!--|<!\[CDATA\[)", "", text)
    return re.sub(r"(?://\s*)?(?:-->|\]\]>)\s*\Z", "", text) if text.rstrip().endswith(">") else text


_ADDRESS = re.compile(r'"(?:contentUrl|url|@id|thumbnailUrl)"\s*:\s*"([^"\\\n]{1,2000}(?:\\/[^"\\\n]{0,2000}){0,50})"')


def _unread(text: str, where: Where, page: Page, images: Images, findings: Findings) -> None:
    """Data that cannot be parsed but names an image and a license: something was stated, nobody can say what."""
    if '"license"' not in text:
        return
    for match, _ in zip(_ADDRESS.finditer(text), range(MAX_OBJECTS), strict=False):
        for sample_id in images.at(page.join(match[1].replace("\\/", "/"))):
            findings.license(Subject("sample", sample_id), "jsonld_unread", NOASSERTION, match[1], where)


def _given_up(text: str, reason: str, where: Where, page: Page, images: Images, findings: Findings) -> None:
    """Data that asks for too much: whatever it says of licenses may be about anything on the page."""
    _unread(text, where, page, images, findings)
    if '"license"' in text:
        findings.license(Subject("page", page.record_id), "jsonld_unread", NOASSERTION, reason, where)


def _objects(data: Any) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every object in the data, and whether it stands at the top, where a page describes itself."""
    stack = [(data, True)]
    seen = 0
    while stack and seen < MAX_OBJECTS:
        value, at_top = stack.pop()
        if isinstance(value, list):
            stack += [(item, at_top) for item in reversed(value) if isinstance(item, dict | list)]
        elif isinstance(value, dict):
            seen += 1
            yield (_in_short(value) if any(":" in key for key in value) else value), at_top
            stack += [
                (item, at_top and key in _PAGE_KEYS)
                for key, item in reversed(value.items())
                if isinstance(item, dict | list)
            ]


def _in_short(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its keys as schema.org has them: `license` for `schema:license`."""
    short = {found[1]: item for key, item in value.items() if (found := _NAME_IN_FULL.fullmatch(key))}
    return short | value


def _types(value: dict[str, Any]) -> list[str]:
    types = value.get("@type", ())
    names = [types] if isinstance(types, str) else types[:20] if isinstance(types, list) else ()
    return [re.split(r"[/:#]", name)[-1] if not name.isalpha() else name for name in names if isinstance(name, str)]


def _strings(value: Any, nodes: Nodes, keys: tuple[str, ...], depth: int = 0) -> list[str]:
    """The texts a value stands for: itself, its members, or the first named key of an object that has one.

    An object that only refers to another stands for that one.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value[:20] for text in _strings(item, nodes, keys, depth + 1)] if depth < 3 else []
    if isinstance(value, dict) and depth < 4:
        if "@list" in value or "@set" in value:
            return _strings(value.get("@list", value.get("@set")), nodes, keys, depth + 1)
        reference = value.get("@id")
        if isinstance(reference, str) and reference in nodes and not value.keys() - _REFERENCE:
            value = nodes[reference]
        for key in keys:
            if key in value:
                found = _strings(value[key], nodes, keys, depth + 1)
                if found:
                    return found[:1]
    return []


def _license(value: Any, nodes: Nodes) -> tuple[str, str] | None:
    """(id, raw value) of a `license` property; a list of licenses is a choice."""
    texts = [text for text in _strings(value, nodes, ("url", "@id", "@value", "name")) if text.strip()]
    if not texts:
        return (NOASSERTION, json.dumps(value)[:500]) if value else None
    return _choice([license_of_value(text) for text in texts]), " ".join(texts)


def _choice(ids: list[str | None]) -> str:
    """What several licenses of one work come to: one of them as the reader likes, if all can be read."""
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    return either(readable) if readable and None not in ids else NOASSERTION


def _image_object(
    value: dict[str, Any], nodes: Nodes, where: Where, page: Page, images: Images, findings: Findings
) -> None:
    samples: set[int] = set()
    for key in _ADDRESS_KEYS:
        if key in value:
            for address in _strings(value[key], nodes, ("url", "contentUrl", "@id")):
                samples.update(images.at(page.join(address)))
    if not samples:
        return
    stated = _license(value.get("license"), nodes)
    credits = [
        (field, text)
        for key, field in _FIELDS.items()
        if key in value
        for text in _strings(value[key], nodes, _NAMES)[:5]
    ]
    for sample_id in sorted(samples):
        subject = Subject("sample", sample_id)
        if stated:
            findings.license(subject, "jsonld_image", stated[0], stated[1], where)
        _credit(subject, "jsonld", credits, page, findings)


def _credit(subject: Subject, format: str, credits: list[tuple[str, str]], page: Page, findings: Findings) -> None:
    """Credits of an image. Where its license is to be had, the work is found: the page serves as its source too."""
    for field, text in credits:
        if field == "license_url":
            text = text if "://" in text else page.join(text) or ""
            findings.attribution(subject, f"{format}_license_page", "source_url", text)
        findings.attribution(subject, f"{format}_image", field, text)


def _is_this_page(value: dict[str, Any], page: Page) -> bool:
    """False where the object says it lives at another address."""
    for key in ("@id", "url"):
        address = value.get(key)
        if isinstance(address, str) and address and not address.startswith("_:"):
            joined = page.join(address)
            if joined and not page.is_at(joined):
                return False
    return True


def _read_items(page: Page, images: Images, findings: Findings) -> None:
    """Microdata and RDFa items of an image's type: about the image they name, else about the image they hold."""
    elsewhere = _References(page)
    for item in page.items:
        if not item.is_image or item.element.context.comment or item.element.context.noscript:
            continue
        properties = item.properties + elsewhere.of(item)
        addresses = [_value(element, _ADDRESS_KEYS) for name, element in properties if name in _ADDRESS_KEYS]
        addresses += [item.element.get(name) for name in ("itemid", "about", "resource")]
        named = {i for address in addresses for i in images.at(page.join(address))}
        samples = sorted(named) or images.of_item(item)
        if not samples:
            continue
        stated = [found for name, element in properties if name == "license" and (found := _stated(element))[1]]
        texts = [text for _, text in stated]
        ids = [license_of_value(page.join(t) or t) if "/" in t else license_of_value(t) for t in texts]
        spdx_id, value = _choice(ids), " ".join(texts)
        where = _places([element for element, _ in stated], page)
        named_by = [(name, element) for name, element in properties if name in _FIELDS][:MAX_CREDITS]
        credits = [(_FIELDS[name], _words(element, name)) for name, element in named_by]
        for sample_id in samples:
            subject = Subject("sample", sample_id)
            if stated:
                findings.license(subject, f"{item.kind}_image", spdx_id, value, where)
            _credit(subject, item.kind, credits, page, findings)


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
        if self._followed <= MAX_OBJECTS:
            return found
        self._page.cut = True
        return []

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
