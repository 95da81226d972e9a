"""Structured data about single images: schema.org ImageObject in JSON-LD, microdata and RDFa."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborNode

from assets.rights.addresses import same_resource_key
from assets.rights.findings import Findings, Subject, Where
from assets.rights.licenses import NOASSERTION, either, license_of_value
from assets.rights.markup import Page
from assets.rights.page_rules import Images

MAX_SCRIPT = 2 << 20
MAX_SCRIPTS = 200
MAX_OBJECTS = 20_000

_IMAGE_TYPES = {"ImageObject", "Photograph"}
_PAGE_TYPES = {
    "WebPage", "ItemPage", "CollectionPage", "AboutPage", "ProfilePage", "QAPage", "Article", "NewsArticle",
    "BlogPosting", "TechArticle", "ScholarlyArticle", "Report", "CreativeWork", "WebSite", "Blog", "ImageGallery",
    "MediaGallery",
}  # fmt: skip
_PAGE_KEYS = ("@graph", "mainEntity", "mainEntityOfPage")
_ADDRESS_KEYS = ("contentUrl", "url", "thumbnailUrl", "@id", "thumbnail")
_FIELDS = {
    "creator": "creator",
    "author": "creator",
    "creditText": "credit",
    "copyrightNotice": "copyright_notice",
    "copyrightHolder": "copyright_notice",
    "acquireLicensePage": "license_url",
    "name": "title",
}


def read_structured(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in a page's structured data."""
    for node in page.tree.css("script[type]")[:MAX_SCRIPTS]:
        if (node.attributes.get("type") or "").split(";")[0].strip().lower() == "application/ld+json":
            _read_script(node, page, images, findings)
    _read_items(page, images, findings)


def _read_script(node: LexborNode, page: Page, images: Images, findings: Findings) -> None:
    text, where = node.text(), page.where_element(node)
    try:
        data = json.loads(_unwrapped(text)) if len(text) <= MAX_SCRIPT else None
    except (ValueError, RecursionError):
        data = None
    if data is None:
        _unread(text, where, page, images, findings)
        return
    nodes = {}
    objects = []
    for value, at_top in _objects(data):
        objects.append((value, at_top))
        if isinstance(value.get("@id"), str) and len(value) > 1:
            nodes[value["@id"]] = value
    for value, at_top in objects:
        types = _types(value)
        if types & _IMAGE_TYPES:
            _image_object(value, nodes, where, page, images, findings)
        elif at_top and types & _PAGE_TYPES and _is_this_page(value, page):
            spdx_id = _license(value.get("license"), nodes)
            if spdx_id:
                findings.license(Subject("page", page.record_id), "jsonld_page", spdx_id[0], spdx_id[1], where)


def _unwrapped(text: str) -> str:
    """The JSON without the comment or CDATA marks that some templates wrap around it."""
    text = re.sub(r"^\s*(?://\s*)?(?:<!--|<!\[CDATA\[)", "", text)
    return re.sub(r"(?://\s*)?(?:-->|\]\]>)\s*$", "", text)


_ADDRESS = re.compile(r'"(?:contentUrl|url|@id|thumbnailUrl)"\s*:\s*"([^"\\\n]{1,2000})"')


def _unread(text: str, where: Where, page: Page, images: Images, findings: Findings) -> None:
    """Data that cannot be parsed but names an image and a license: something was stated, nobody can say what."""
    if '"license"' not in text:
        return
    for match, _ in zip(_ADDRESS.finditer(text), range(MAX_OBJECTS), strict=False):
        for sample_id in images.at(page.join(match[1])):
            findings.license(Subject("sample", sample_id), "jsonld_unread", NOASSERTION, match[1], where)


def _objects(data: Any) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every object in the data, and whether it stands at the top, where a page describes itself."""
    stack = [(data, True)]
    seen = 0
    while stack and seen < MAX_OBJECTS:
        value, at_top = stack.pop()
        if isinstance(value, list):
            stack += [(item, at_top) for item in reversed(value[:MAX_OBJECTS])]
        elif isinstance(value, dict):
            seen += 1
            yield value, at_top
            stack += [(item, at_top and key in _PAGE_KEYS) for key, item in reversed(value.items())]


def _types(value: dict[str, Any]) -> set[str]:
    types = value.get("@type", ())
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    return {re.split(r"[/:#]", name)[-1] for name in names if isinstance(name, str)}


def _strings(value: Any, nodes: dict[str, dict[str, Any]], keys: tuple[str, ...], depth: int = 0) -> list[str]:
    """The texts a value stands for: itself, its members, or the named keys of an object or of the node it refers to."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value[:20] for text in _strings(item, nodes, keys, depth + 1)] if depth < 3 else []
    if isinstance(value, dict) and depth < 4:
        reference = value.get("@id")
        if len(value) == 1 and isinstance(reference, str):
            value = nodes.get(reference, value)
        found = [text for key in keys for text in _strings(value.get(key), nodes, keys, depth + 1)]
        return found[:1]
    return []


def _license(value: Any, nodes: dict[str, dict[str, Any]]) -> tuple[str, str] | None:
    """(id, raw value) of a `license` property; a list of licenses is a choice."""
    texts = [text for text in _strings(value, nodes, ("url", "@id", "@value", "name")) if text.strip()]
    if not texts:
        return (NOASSERTION, json.dumps(value)[:500]) if value else None
    ids = [license_of_value(text) for text in texts]
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    return (either(readable) if readable and None not in ids else NOASSERTION, " ".join(texts))


def _image_object(
    value: dict[str, Any],
    nodes: dict[str, dict[str, Any]],
    where: Where,
    page: Page,
    images: Images,
    findings: Findings,
) -> None:
    addresses = [
        text for key in _ADDRESS_KEYS for text in _strings(value.get(key), nodes, ("url", "contentUrl", "@id"))
    ]
    samples = sorted({i for address in addresses for i in images.at(page.join(address))})
    stated = _license(value.get("license"), nodes)
    for sample_id in samples:
        subject = Subject("sample", sample_id)
        if stated:
            findings.license(subject, "jsonld_image", stated[0], stated[1], where)
        for key, field in _FIELDS.items():
            for text in _strings(value.get(key), nodes, ("name", "@value", "url"))[:5]:
                findings.attribution(subject, "jsonld_image", field, text)


def _is_this_page(value: dict[str, Any], page: Page) -> bool:
    """False where the object says it lives at another address."""
    for key in ("@id", "url"):
        address = value.get(key)
        if isinstance(address, str) and address and not address.startswith("_:"):
            joined = page.join(address)
            if joined and same_resource_key(joined) != same_resource_key(page.url):
                return False
    return True


def _read_items(page: Page, images: Images, findings: Findings) -> None:
    """Microdata and RDFa items of type ImageObject: about the image they name, else about the image they hold."""
    items: dict[int, list[tuple[LexborNode, str]]] = {}
    kinds: dict[int, str] = {}
    for node in page.tree.css("[itemprop], [property]")[:MAX_OBJECTS]:
        context = page.context(node)
        if context.item is None or context.comment:
            continue
        attribute = "itemprop" if context.item_kind == "microdata" else "property"
        for name in (node.attributes.get(attribute) or "").split():
            items.setdefault(context.item, []).append((node, re.split(r"[/:#]", name)[-1]))
            kinds[context.item] = context.item_kind
    for item, properties in items.items():
        named = [page.join(_value(node)) for node, name in properties if name in _ADDRESS_KEYS]
        samples = {i for address in named for i in images.at(address)} or set(images.in_item.get(item, ()))
        subjects = [Subject("sample", sample_id) for sample_id in sorted(samples)]
        rule = f"{kinds[item]}_image"
        stated = [(node, _value(node)) for node, name in properties if name == "license" and _value(node)]
        for subject in subjects:
            _state_item(subject, rule, stated, page, findings)
            for node, name in properties:
                if name in _FIELDS:
                    findings.attribution(subject, rule, _FIELDS[name], _value(node))


def _state_item(
    subject: Subject, rule: str, stated: list[tuple[LexborNode, str]], page: Page, findings: Findings
) -> None:
    if not stated:
        return
    ids = [
        license_of_value(page.join(value) or value) if "/" in value else license_of_value(value) for _, value in stated
    ]
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    spdx_id = either(readable) if readable and None not in ids else NOASSERTION
    where = page.where(*(node for node, _ in stated))
    findings.license(subject, rule, spdx_id, " ".join(value for _, value in stated), where)


def _value(node: LexborNode) -> str:
    attributes = node.attributes
    for name in ("content", "href", "src", "resource", "data"):
        if attributes.get(name):
            return attributes[name] or ""
    return " ".join(node.text().split())
