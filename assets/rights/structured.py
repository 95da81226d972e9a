"""Structured data in JSON-LD: schema.org ImageObject, and what a page says of itself. `items.py` reads the other forms.

Bounds: MAX_SCRIPTS scripts of MAX_SCRIPT characters, MAX_OBJECTS objects in all of a script, references and lists
followed a few steps. JSON too deep for its parser, too long or of too many objects is `jsonld_unread`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from assets.rights.elements import IMAGE_TYPES, PAGE_KEYS, PAGE_TYPES, Element
from assets.rights.findings import Findings, Subject, Where
from assets.rights.items import ADDRESS_KEYS, FIELDS, credit, is_this_page, license_in_credits, read_items
from assets.rights.licenses import NOASSERTION, choice_of, license_of_value
from assets.rights.markup import MAX_OBJECTS, MAX_SCRIPT, MAX_SCRIPTS, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import say_what_was_left

BROKEN = "not JSON"
"""Said of data that breaks off or is damaged. Data that asks for too much may be about more images than it names."""


_NAMES = ("name", "@value", "url")
_REFERENCE = {"@id", "@type"}
"""Keys of an object that only refers to another."""
_NAME_IN_FULL = re.compile(r"(?:https?://schema\.org/|schema:|cc:|dct:|dcterms:)(\w+)")
_MAYBE_IN_FULL = re.compile(r"schema\.org\\?/\w|(?:schema|cc|dct|dcterms):\w|\\u00")
"""In JSON that has such a key, which may be escaped."""

Nodes = dict[str, dict[str, Any]]
"""The objects of a script by their @id."""


def read_structured(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in a page's structured data."""
    for element in page.scripts[:MAX_SCRIPTS]:
        if not element.context.noscript and not element.context.comment:
            _read_script(element, page, images, findings)
    read_items(page, images, findings)
    say_what_was_left(page, findings)


def _read_script(element: Element, page: Page, images: Images, findings: Findings) -> None:
    text, where = element.node.text(), page.where_element(element)
    if len(text) > MAX_SCRIPT:
        _unread(text, "too long", where, page, images, findings)
        return
    try:
        data = json.loads(_unwrapped(text))
    except RecursionError:
        _unread(text, "too deep", where, page, images, findings)
        return
    except ValueError:
        _unread(text, BROKEN, where, page, images, findings)
        return
    objects = list(_objects(data, in_full=_MAYBE_IN_FULL.search(text) is not None))
    if len(objects) >= MAX_OBJECTS:
        _unread(text, "too many objects", where, page, images, findings)
        return
    nodes: Nodes = {}
    for value, _ in objects:
        if isinstance(value.get("@id"), str) and value.keys() - _REFERENCE:
            nodes[value["@id"]] = value
    for value, at_top in objects:
        types = _types(value)
        if not IMAGE_TYPES.isdisjoint(types):
            _image_object(value, nodes, where, page, images, findings)
        elif at_top and not PAGE_TYPES.isdisjoint(types) and is_this_page(_own_addresses(value), page):
            stated = _license(value.get("license"), nodes)
            if stated:
                findings.license(Subject("page", page.record_id), "jsonld_page", stated[0], stated[1], where)


def _own_addresses(value: dict[str, Any]) -> list[str]:
    return [address for key in ("@id", "url") if isinstance(address := value.get(key), str)]


def _unwrapped(text: str) -> str:
    """The JSON without the comment or CDATA marks that some templates wrap around it."""
    text = re.sub(r"^\s*(?://\s*)?(?:<!--|<!\[CDATA\[)", "", text)
    return re.sub(r"(?://\s*)?(?:-->|\]\]>)\s*\Z", "", text) if text.rstrip().endswith(">") else text


_ADDRESS = re.compile(
    r"""["'](?:schema:)?(?:contentUrl|url|@id|thumbnailUrl)["']\s*:\s*"""
    r"""["']([^"'\\\n]{1,2000}(?:\\/[^"'\\\n]{0,2000}){0,50})["']"""
)
_LICENSE = re.compile(r"\blicen[cs]es?\b|creativecommons", re.I)


def _unread(text: str, reason: str, where: Where, page: Page, images: Images, findings: Findings) -> None:
    """Data that cannot be read but speaks of a license: something was stated of the images it names, else of the page."""
    if not _LICENSE.search(text):
        return
    named = False
    for match, _ in zip(_ADDRESS.finditer(text), range(MAX_OBJECTS), strict=False):
        for sample_id in images.at(page.join(match[1].replace("\\/", "/"))):
            named = True
            findings.license(Subject("sample", sample_id), "jsonld_unread", NOASSERTION, match[1], where)
    if not named or reason != BROKEN:
        findings.license(Subject("page", page.record_id), "jsonld_unread", NOASSERTION, reason, where)


def _objects(data: Any, in_full: bool) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every object in the data, and whether it stands at the top, where a page describes itself.

    Args:
        in_full: whether there may be keys that are written in full.
    """
    stack = [(data, True)]
    seen = 0
    while stack and seen < MAX_OBJECTS:
        value, at_top = stack.pop()
        if isinstance(value, list):
            stack += [(item, at_top) for item in reversed(value) if isinstance(item, dict | list)]
        elif isinstance(value, dict):
            seen += 1
            yield (_in_short(value) if in_full and any(":" in key for key in value) else value), at_top
            stack += [
                (item, at_top and key in PAGE_KEYS)
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
    return choice_of(license_of_value(text) for text in texts), " ".join(texts)


def _image_object(
    value: dict[str, Any], nodes: Nodes, where: Where, page: Page, images: Images, findings: Findings
) -> None:
    samples: set[int] = set()
    for key in ADDRESS_KEYS:
        if key in value:
            for address in _strings(value[key], nodes, ("url", "contentUrl", "@id")):
                samples.update(images.at(page.join(address)))
    if not samples:
        return
    credits = [
        (field, text)
        for key, field in FIELDS.items()
        if key in value
        for text in _strings(value[key], nodes, _NAMES)[:5]
    ]
    stated = _license(value.get("license"), nodes) or license_in_credits(credits)
    for sample_id in sorted(samples) if images.afford(len(samples) * len(credits)) else ():
        subject = Subject("sample", sample_id)
        if stated:
            findings.license(subject, "jsonld_image", stated[0], stated[1], where)
        credit(subject, "jsonld", credits, page, findings)
