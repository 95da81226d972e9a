"""What a word in `rel` or `property` means for rights, by the prefixes and the vocabulary in force around it.

RDFa 1.1 Core, section 7.4: a word is a full address, a prefix with a name, or a term of the vocabulary in force; the
prefixes of the initial context need no declaration. xmlns:… declares prefixes too, as RDFa 1.0 did.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

CC, DC, DCT = "http://creativecommons.org/ns#", "http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/"
SCHEMA, XHV = "http://schema.org/", "http://www.w3.org/1999/xhtml/vocab#"
INITIAL = {"cc": CC, "dc": DCT, "dc11": DC, "dct": DCT, "dcterms": DCT, "schema": SCHEMA, "xhv": XHV}
"""Prefixes that need no declaration: https://www.w3.org/2011/rdfa-context/rdfa-1.1, and `dct`, as ccREL writes it."""

MAX_PREFIXES = 50
MAX_WORDS = 50
MAX_WORD = 300

LICENSE, AUTHOR, RIGHTS = "license", "author", "rights"
_MEANINGS = {
    CC + "license": LICENSE,
    DCT + "license": LICENSE,
    XHV + "license": LICENSE,
    DCT + "rights": RIGHTS,
    DC + "rights": RIGHTS,
    SCHEMA + "license": LICENSE,
    CC + "attributionName": "creator",
    CC + "attributionURL": "source_url",
    CC + "morePermissions": "license_url",
    DCT + "creator": "creator",
    DCT + "title": "title",
    DCT + "source": "source_url",
    DC + "creator": "creator",
    DC + "title": "title",
    DC + "source": "source_url",
}
_BY_IRI = {iri.lower(): meaning for iri, meaning in _MEANINGS.items()}
_SYNONYMS = (("https://schema.org/", SCHEMA), ("http://web.resource.org/cc/", CC))
_HINT = re.compile(r"licen|right|author|attribution|morepermissions|creator|title|source", re.I)

Prefixes = tuple[tuple[str, str], ...]
"""Declared prefixes in lower case with what they stand for, sorted by prefix."""


def speaks_of_rights(words: str) -> bool:
    """Whether any word could mean something here: a quick no for the many that do not."""
    return _HINT.search(words) is not None


def declared(attributes: Mapping[str, str | None], above: Prefixes) -> Prefixes:
    """Prefixes in force inside an element."""
    pairs = re.findall(r"(\S{1,50}):\s+(\S{1,300})", (attributes.get("prefix") or "")[:8192])
    pairs += [(name[6:], value or "") for name, value in attributes.items() if name.startswith("xmlns:")]
    if not pairs:
        return above
    found = dict(above) | {prefix.lower(): iri for prefix, iri in pairs}
    return tuple(sorted(found.items())[:MAX_PREFIXES])


@lru_cache(4096)
def meanings(rel: str, property: str, vocabulary: str, prefixes: Prefixes) -> frozenset[str]:
    """What an element says by its relations and properties: `license`, `author`, or a field of table `attribution`.

    `rights` is a license only where it leads to one.

    `copyright` is an old word of HTML for `license`. A plain `license` counts under any vocabulary: none is known in
    which it means another thing.
    """
    found: set[str | None] = set()
    for word in rel.split()[:MAX_WORDS]:
        plain = word.lower()
        if plain in (LICENSE, "copyright", "dcterms.license", "dc.rights.license"):
            found.add(LICENSE)
        elif plain == AUTHOR:
            found.add(AUTHOR)
        else:
            found.add(_meaning(word, vocabulary, prefixes))
    for word in property.split()[:MAX_WORDS]:
        found.add(LICENSE if word.lower() == LICENSE else _meaning(word, vocabulary, prefixes))
    return frozenset(meaning for meaning in found if meaning)


def _meaning(word: str, vocabulary: str, prefixes: Prefixes) -> str | None:
    if len(word) > MAX_WORD:
        return None
    prefix, colon, name = word.partition(":")
    if not colon:
        iri = vocabulary + word if vocabulary else ""
    elif name.startswith("//"):
        iri = word
    else:
        known = dict(prefixes)
        iri = known.get(prefix.lower(), INITIAL.get(prefix.lower(), "")) + name
    for written, usual in _SYNONYMS:
        iri = usual + iri[len(written) :] if iri.startswith(written) else iri
    return _BY_IRI.get(iri.lower())
