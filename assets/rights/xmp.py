"""XMP packets and SVG metadata, read by namespace: prefixes and RDF's three ways to write a property do not matter."""

from __future__ import annotations

from collections import defaultdict

from lxml import etree

CC = ("http://creativecommons.org/ns#", "http://web.resource.org/cc/")
_NAMESPACES = {
    **dict.fromkeys(CC, "cc"),
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
}
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RESOURCE, _LI, _DESCRIPTION = _RDF + "resource", _RDF + "li", _RDF + "Description"

MAX_PROPERTIES = 500


class UnreadableError(ValueError):
    """The packet is no well-formed XML, or asks for more than a packet should."""


def _parse(data: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableError(str(error)) from error


def xmp_properties(packet: bytes) -> dict[str, list[str]]:
    """Properties of a packet that speak of rights, as `prefix:name` with this module's prefixes.

    Only properties of the image itself count, not those of ingredients or of its history. Raises UnreadableError.
    """
    text = packet.strip(b"\0 \t\r\n")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableError("a packet must not declare entities")
    root = _parse(text)
    found: dict[str, list[str]] = defaultdict(list)
    for rdf in [root] if root.tag == _RDF + "RDF" else root.iter(_RDF + "RDF"):
        for description in rdf.findall(_DESCRIPTION):
            _collect(description, found)
    return found


def svg_properties(data: bytes) -> dict[str, list[str]]:
    """Properties of the work that an SVG file's RDF describes. Raises UnreadableError."""
    root = _parse(data)
    found: dict[str, list[str]] = defaultdict(list)
    for rdf in root.iter(_RDF + "RDF"):
        for work in rdf:
            name = _name(work.tag)
            if name in ("cc:Work", "rdf:Description") and work.get(_RDF + "about", "") == "":
                _collect(work, found)
    return found


def _name(tag: object) -> str | None:
    if not isinstance(tag, str) or not tag.startswith("{"):
        return None
    namespace, _, local = tag[1:].partition("}")
    prefix = _NAMESPACES.get(namespace)
    return f"{prefix}:{local}" if prefix else None


def _collect(subject: etree._Element, found: dict[str, list[str]]) -> None:
    for tag, value in subject.attrib.items():
        name = _name(tag)
        if name and not name.startswith("rdf:"):
            found[name].append(str(value).strip())
    for element in list(subject)[:MAX_PROPERTIES]:
        name = _name(element.tag)
        if name == "plus:Licensor":
            found["plus:LicensorURL"] += [
                v for e in element.iter() if _name(e.tag) == "plus:LicensorURL" for v in _values(e)
            ]
        elif name:
            found[name] += _values(element)


def _values(element: etree._Element) -> list[str]:
    resource = element.get(_RESOURCE)
    if resource is not None:
        return [resource.strip()]
    items = [item.get(_RESOURCE) or _text(item) for item in list(element.iter(_LI))[:MAX_PROPERTIES]]
    if not items:
        items = [element.get(_RDF + "about") or _text(element)]
    return [text for item in items if (text := " ".join(item.split()))]


def _text(element: etree._Element) -> str:
    return "".join(str(piece) for piece in element.itertext())
