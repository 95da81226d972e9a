"""XMP packets and SVG metadata, read by namespace: prefixes and RDF's three ways to write a property do not matter."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from lxml import etree

Properties = dict[str, list[str]]
"""Values of each property, as `prefix:name` with this module's prefixes."""

_NAMESPACES = {
    "http://creativecommons.org/ns": "cc",
    "http://web.resource.org/cc": "cc",
    "http://ns.adobe.com/xap/1.0/rights": "xmpRights",
    "http://ns.adobe.com/tiff/1.0": "tiff",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/terms": "dcterms",
    "http://ns.adobe.com/photoshop/1.0": "photoshop",
    "http://ns.useplus.org/ldf/xmp/1.0": "plus",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns": "rdf",
}

PROPERTIES = frozenset(
    f"{prefix}:{name}"
    for prefix, names in {
        "cc": ("license", "attributionName", "attributionURL", "morePermissions"),
        "dcterms": ("license",),
        "xmpRights": ("WebStatement", "UsageTerms", "Marked", "Owner"),
        "dc": ("rights", "creator", "title", "source"),
        "photoshop": ("Credit", "Instructions"),
        "tiff": ("Artist", "Copyright"),
        "plus": ("DataMining", "OtherConstraints", "LicensorURL", "CopyrightOwnerName", "ImageCreatorName"),
    }.items()
    for name in names
)
"""What is read; a packet's other properties are counted, not kept."""

STRUCTURES = {
    "plus:Licensor": "plus:LicensorURL",
    "plus:CopyrightOwner": "plus:CopyrightOwnerName",
    "plus:ImageCreator": "plus:ImageCreatorName",
}
"""Properties that are lists of structures, and the part of them that is read (PLUS LDF 1.2)."""

MINING_OF_OTHERS = "plus:DataMining of others"
"""Where values of plus:DataMining are kept that a file states of something else."""

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RESOURCE, _LI, _ABOUT = _RDF + "resource", _RDF + "li", _RDF + "about"

MAX_PROPERTIES = 20_000
"""Attributes and elements of all descriptions; photo software writes some hundreds."""

MAX_VALUES = 500
"""Values of one property that is read."""


class UnreadableError(ValueError):
    """The metadata is not well-formed, or asks for more than metadata should."""


def _parse(data: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableError(str(error)) from error
    declared: Any = root.getroottree().docinfo.internalDTD
    if declared is not None and next(iter(declared.iterentities()), None) is not None:
        raise UnreadableError("entities are declared")
    return root


def _utf8(packet: bytes) -> bytes:
    """The packet in UTF-8 without padding; XMP may also be UTF-16 or UTF-32 (XMP specification, part 1, 7.1)."""
    if b"\0" not in packet[:8]:
        return packet.strip(b"\0 \t\r\n")
    marks = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
             (codecs.BOM_UTF16_BE, "utf-16"), (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"),
             (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))  # fmt: skip
    encoding = next((name for mark, name in marks if packet.startswith(mark)), "utf-8")
    try:
        return packet.decode(encoding).strip("\0 \t\r\n").encode()
    except UnicodeError as error:
        raise UnreadableError(f"no {encoding}") from error


def xmp_properties(packet: bytes) -> Properties:
    """Properties of a packet that speak of rights.

    Only properties of the image itself count, not those of ingredients or of its history. All descriptions of a packet
    should be about the image, whatever rdf:about says (XMP specification, September 2005, "rdf:about attribute"): only
    a web address is taken to name something else. Raises UnreadableError.
    """
    text = _utf8(packet)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableError("a packet must not declare entities")
    root = _parse(text)
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableError("a packet must not have a document type")
    return _read(root, lambda about: about if about.startswith(("http://", "https://")) else "")


def svg_properties(data: bytes) -> Properties:
    """Properties of the work that an SVG file's RDF describes, by the file's own address or by none.

    A document type without entities is usual in SVG 1.1 and is not followed; a file that declares entities is refused.
    Raises UnreadableError.
    """
    if b"<!ENTITY" in data:
        raise UnreadableError("entities are declared")
    return _read(_parse(data), lambda about: about)


def _read(root: etree._Element, subject_of: Callable[[str], str]) -> Properties:
    """Properties of the file itself, from all RDF in it; of other things, only what is said of mining them.

    What is about nothing else is about the file. So is the first work, or where there is no work the first
    description, if each of them names an address: then it is most likely the file's own.

    Args:
        subject_of: what the text of `rdf:about` names; empty for the file.
    """
    nodes = [(node, subject_of(node.get(_ABOUT, "").strip())) for node in islice(_nodes(root), MAX_PROPERTIES + 1)]
    if len(nodes) > MAX_PROPERTIES:
        raise UnreadableError("too many descriptions")
    works = [subject for node, subject in nodes if name_of(node.tag) == "cc:Work"]
    all_subjects = [subject for _, subject in nodes]
    main = works or all_subjects
    own = {"", *([] if "" in main else main[:1])}
    file, others = _Found(), _Found()
    for node, subject in nodes:
        (file if subject in own else others).read(node)
    file.properties[MINING_OF_OTHERS] = others.properties["plus:DataMining"]
    return file.properties


def _nodes(root: etree._Element) -> Iterator[etree._Element]:
    """Descriptions and works, and things of any other type that say what they are about, but licenses and people."""
    for rdf in root.iter(_RDF + "RDF"):
        for node in rdf:
            name = name_of(node.tag)
            typed = name not in ("cc:License", "cc:Agent") and node.get(_ABOUT) is not None
            if typed or name in ("rdf:Description", "cc:Work"):
                yield node


def name_of(tag: object) -> str | None:
    """`prefix:name` of an element or attribute `{namespace}name`; None where the namespace is none that is read."""
    if not isinstance(tag, str) or not tag.startswith("{"):
        return None
    namespace, _, local = tag[1:].partition("}")
    prefix = prefix_of(namespace)
    return f"{prefix}:{local}" if prefix else None


def prefix_of(namespace: str) -> str | None:
    """This module's prefix for a namespace, in whichever of the spellings that are seen; None for others."""
    if namespace.startswith("https://"):
        namespace = "http://" + namespace.removeprefix("https://")
    return _NAMESPACES.get(namespace.rstrip("/#"))


class _Found:
    """Properties as they are read; more than a bound is refused as a whole, since what is left out could matter."""

    def __init__(self) -> None:
        self.properties: Properties = defaultdict(list)
        self._read = 0

    def read(self, subject: etree._Element) -> None:
        """Attributes and child elements of one description."""
        self._count(subject)
        for tag, value in subject.attrib.items():
            name = name_of(tag)
            if name and name in PROPERTIES:
                self._add(name, [" ".join(str(value).split())])
        for element in subject:
            name = name_of(element.tag)
            if name and name in STRUCTURES:
                self._structures(element, STRUCTURES[name])
            elif name and name in PROPERTIES:
                self._add(name, _values(element))

    def _structures(self, element: etree._Element, part: str) -> None:
        """The named part of each structure, whether RDF writes it as an element or as an attribute."""
        walker = etree.iterwalk(element, events=("start",))
        for _, inner in walker:
            self._count(inner)
            if name_of(inner.tag) == part:
                self._add(part, _values(inner))
                walker.skip_subtree()
            elif inner.attrib:
                stated = [value for tag, value in inner.attrib.items() if name_of(tag) == part]
                self._add(part, [" ".join(str(value).split()) for value in stated])

    def _count(self, element: etree._Element) -> None:
        self._read += len(element) + len(element.attrib)
        if self._read > MAX_PROPERTIES:
            raise UnreadableError("too many properties")

    def _add(self, name: str, values: list[str]) -> None:
        self.properties[name] += [value for value in values if value]
        if len(self.properties[name]) > MAX_VALUES:
            raise UnreadableError(f"too many values of {name}")


def _values(element: etree._Element) -> list[str]:
    resource = element.get(_RESOURCE)
    if resource is not None:
        return [resource.strip()]
    if not len(element):
        return [" ".join((element.text or "").split()) or element.get(_ABOUT, "").strip()]
    items = list(islice(_items(element), MAX_VALUES + 1)) or [element]
    return [" ".join(_value(item).split()) for item in items]


def _items(element: etree._Element) -> Iterator[etree._Element]:
    """Members of a property's list; what is nested in one is a part of it, so that no text is read twice."""
    walker = etree.iterwalk(element, events=("start",), tag=_LI)
    for _, item in walker:
        walker.skip_subtree()
        yield item


def _value(item: etree._Element) -> str:
    """Text of an item; else the address that it or something in it names."""
    text = "".join(str(piece) for piece in item.itertext())
    if item.get(_RESOURCE) or not text.strip():
        addresses = (inner.get(_RESOURCE) or inner.get(_ABOUT) for inner in item.iter())
        return next((address for address in addresses if address), text)
    return text
