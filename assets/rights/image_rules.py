"""What an image file says of itself: licenses, opt-outs and credits in XMP, EXIF, IPTC, comments, SVG and C2PA.

Opt-outs of a block are read before anything that could use up what may be read of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from assets.rights.blocks import MAX_BLOCK, Block, Budget, SpentError
from assets.rights.c2pa import LABEL, Manifest, MissingExtraError, read_manifest
from assets.rights.containers import metadata_blocks
from assets.rights.findings import Findings, Subject, Where
from assets.rights.image_texts import BrokenError, decoded, exif_texts, iptc_texts, raw_profile
from assets.rights.licenses import (
    ALL_RIGHTS_RESERVED,
    MAX_TEXT,
    NOASSERTION,
    license_of_text,
    license_of_url,
    license_of_value,
)
from assets.rights.preferences import CONDITIONAL, RESERVED, UNKNOWN, plus_data_mining
from assets.rights.xmp import MINING_OF_OTHERS, Properties, UnreadableError, svg_properties, xmp_properties


def read_image(data: bytes, record_id: int, observed_at: datetime | None, findings: Findings) -> None:
    """Every statement in the bytes of an image, about that image."""
    blocks, subject, budget = metadata_blocks(data), Subject("image", record_id), Budget()
    for block in blocks:
        if block.kind != "c2pa" and not _is_foreign(block, blocks):
            _read_block(_Place(subject, block, observed_at, findings, budget), data)
    stores = [block for block in blocks if block.kind == "c2pa"]
    if stores:
        whole = b"".join(block.data or data[block.start : block.end] for block in stores)
        store = Block("c2pa", whole, stores[0].start, max(block.end for block in stores))
        _read_c2pa(data, whole, _Place(subject, store, observed_at, findings, budget))


def _is_foreign(block: Block, blocks: list[Block]) -> bool:
    """Whether a block of extended XMP belongs to no packet of the file: it is a leftover (XMP part 3, 1.1.3.1)."""
    kind, _, guid = block.key.partition(":")
    if block.kind != "xmp" or kind != "extended" or not guid:
        return False
    main = next((other.data for other in blocks if other.kind == "xmp" and not other.key), None)
    return main is not None and guid.encode("latin-1") not in main


@dataclass(frozen=True, slots=True)
class _Place:
    """A block of an image's metadata, the findings that what it states goes to, and what its file may still add."""

    subject: Subject
    block: Block
    observed_at: datetime | None
    findings: Findings
    budget: Budget

    def license(
        self,
        rule: str,
        spdx_id: str,
        value: str,
        confidence: float | None = None,
        within: tuple[int, int] | None = None,
    ) -> None:
        """A license, stated in the block or in a range within it."""
        if not self.budget.take("licenses"):
            self.spent("too many statements")
            return
        where = self._where() if within is None else Where(self.subject.id, "body", *within)
        self.findings.license(self.subject, rule, spdx_id, value, where, confidence)

    def unread(self, reason: str) -> None:
        """The block could not be read, or not all of it."""
        self.license("metadata_unread", NOASSERTION, f"{self.block.kind}: {reason}")

    def reservation(self, rule: str, usage: str, decision: str, value: str) -> None:
        """An opt-out; what comes after too many may restrict, too."""
        if not self.budget.take("reservations"):
            self.spent("too many statements")
            if not self.budget.tell("too many opt-outs"):
                return
            rule, usage, decision, value = "plus_data_mining", "tdm", CONDITIONAL, "too many statements"
        self.findings.reservation(self.subject, rule, usage, decision, value, self._where(), self.observed_at)

    def credit(self, rule: str, field: str, value: str) -> None:
        """An attribution."""
        if self.budget.take("credits"):
            self.findings.attribution(self.subject, rule, field, value)
        else:
            self.spent("too many statements")

    def read(self, text: str, license_of: Callable[[str], str | None] = license_of_text) -> str | None:
        """License that a text states. Raises SpentError where the file has too much text to search."""
        if not self.budget.take("words", min(len(text), MAX_TEXT)):
            raise SpentError("too much text")
        return license_of(text)

    def spent(self, reason: str) -> None:
        """From this block on, something is not read: said once, beside the statements that are counted."""
        if self.budget.tell(reason):
            value = f"{self.block.kind}: {reason}"
            self.findings.license(self.subject, "metadata_unread", NOASSERTION, value, self._where())

    def _where(self) -> Where:
        return Where(self.subject.id, "body", self.block.start, self.block.end)


def _read_block(place: _Place, data: bytes) -> None:
    block = place.block
    if block.data is None:
        place.unread("too large or broken")
        _heard_mining(data[block.start : block.end], place)
    elif profile := raw_profile(block):
        _read_block(replace(place, block=profile), data)
    elif block.kind in _PARSERS:
        _parse(block.data, place)
    else:
        read = _read_comment if block.kind == "comment" else _read_text
        with _until_spent(place):
            read(block.data, place)


@contextmanager
def _until_spent(place: _Place) -> Iterator[None]:
    """Where the file has no more to be read, what is left of the block is not read."""
    try:
        yield
    except SpentError as error:
        place.spent(str(error))


def _parse(data: bytes, place: _Place) -> None:
    """A block with a structure, as far as the file has not had too many bytes of its kind."""
    kind = place.block.kind
    # An EXIF block may be a whole TIFF file, of which a directory is read, at most 65,535 entries.
    if place.budget.take(kind, min(len(data), MAX_BLOCK) if kind == "exif" else len(data)):
        with _until_spent(place):
            _PARSERS[kind](data, place)
    else:
        place.spent("too many bytes")
        _heard_mining(data, place)


def _heard_mining(raw: bytes, place: _Place) -> None:
    """What cannot be read may hold an opt-out, in any encoding: where it seems to, that is a condition."""
    plain = raw.replace(b"\0", b"")
    if b"DataMining" in plain or LABEL in plain:
        place.reservation("plus_data_mining", "tdm", CONDITIONAL, "unreadable packet")
    elif place.block.kind in ("xmp", "svg"):
        place.reservation("plus_data_mining", "tdm", UNKNOWN, "unreadable packet")


def _read_rdf(data: bytes, place: _Place) -> None:
    kind = place.block.kind
    try:
        found = xmp_properties(data) if kind == "xmp" else svg_properties(data)
    except UnreadableError as error:
        place.unread(str(error))
        _heard_mining(data, place)
        return
    _data_mining(found, place)
    _credits(found, kind, place)
    for name in ("cc:license", "dcterms:license"):
        for value in found.get(name, ()):
            place.license(f"{kind}_cc_license", place.read(value, license_of_value) or NOASSERTION, value)
    _statements(found, place)


def _statements(found: Properties, place: _Place) -> None:
    """Rights statements of XMP besides cc:license.

    A web statement that is no license may be a page of terms: it is unread, and counts only where nothing else was
    found. Usage terms are meant as terms: words that name no license cannot be read. `Marked` alone means rights are
    managed; beside a license it repeats that there is a copyright.
    """
    licensed = bool(found.get("cc:license") or found.get("dcterms:license"))
    for value in found.get("xmpRights:WebStatement", ()):
        spdx_id = license_of_url(value) or place.read(value)
        licensed |= spdx_id not in (None, NOASSERTION)
        place.license("xmp_web_statement" if spdx_id else "xmp_web_page", spdx_id or NOASSERTION, value)
    for name, rule in _WORDS:
        for value in found.get(name, ()):
            spdx_id = place.read(value) or (NOASSERTION if name == "xmpRights:UsageTerms" else None)
            if spdx_id:
                licensed |= spdx_id not in (ALL_RIGHTS_RESERVED, NOASSERTION)
                place.license(rule, spdx_id, value)
    marked = {value.lower() for value in found.get("xmpRights:Marked", ())}
    if "true" in marked and not licensed:
        place.license("xmp_marked", ALL_RIGHTS_RESERVED, "Marked=True")
    elif marked == {"false"} and not licensed:
        place.license("xmp_marked", "LicenseRef-PublicDomain", "Marked=False", confidence=0.6)


_WORDS = (
    ("xmpRights:UsageTerms", "xmp_usage_terms"),
    ("dc:rights", "xmp_dc_rights"),
    ("tiff:Copyright", "xmp_dc_rights"),
    ("photoshop:Instructions", "xmp_dc_rights"),
)

_CREDITS = (
    ("cc:attributionName", "creator"),
    ("dc:creator", "creator"),
    ("tiff:Artist", "creator"),
    ("plus:ImageCreatorName", "creator"),
    ("photoshop:Credit", "credit"),
    ("cc:attributionURL", "source_url"),
    ("dc:source", "source_url"),
    ("dc:title", "title"),
    ("dc:rights", "copyright_notice"),
    ("tiff:Copyright", "copyright_notice"),
    ("xmpRights:Owner", "copyright_notice"),
    ("plus:CopyrightOwnerName", "copyright_notice"),
    ("cc:morePermissions", "license_url"),
    ("xmpRights:WebStatement", "license_url"),
    ("plus:LicensorURL", "license_url"),
)


def _credits(found: Properties, format: str, place: _Place) -> None:
    for name, field in _CREDITS:
        rule = f"{format}_{name.replace(':', '_').lower()}"
        for value in found.get(name, ()):
            place.credit(rule, field, value)


def _data_mining(found: Properties, place: _Place) -> None:
    """IPTC and PLUS data mining; the constraints that a value refers to are kept beside it.

    What is said of another work may be about a part of this one: it restricts perhaps, and permits nothing.
    """
    constraints = "; ".join(found.get("plus:OtherConstraints", ()))
    for value in found.get("plus:DataMining", ()):
        key = _mining_key(value)
        usage, decision = plus_data_mining(key)
        refers = key.endswith("SEECONSTRAINT") and constraints
        place.reservation("plus_data_mining", usage, decision, f"{value}; {constraints}" if refers else value)
    for value in found.get(MINING_OF_OTHERS, ()):
        usage, decision = plus_data_mining(_mining_key(value))
        if decision in (CONDITIONAL, RESERVED):
            place.reservation("plus_data_mining", usage, CONDITIONAL, f"of another work: {value}")


def _mining_key(value: str) -> str:
    """The key in a value, which may be an address that ends with it; the value itself where it has none or several."""
    keys = set(re.findall(r"DMI-[A-Z-]+", value.upper()))
    return keys.pop() if len(keys) == 1 else value.replace("/", " ")


def _notice(text: str, rule: str, place: _Place, within: tuple[int, int] | None = None) -> None:
    """Words about rights: a license only where they name one."""
    spdx_id = place.read(text)
    if spdx_id:
        place.license(rule, spdx_id, text, within=within)


def _read_exif(data: bytes, place: _Place) -> None:
    try:
        texts = exif_texts(data)
    except BrokenError as error:
        texts = error.found
        place.unread(str(error))
    for field, text in texts:
        name = {"artist": "creator", "author": "creator", "title": "title", "copyright": "copyright_notice"}[field]
        place.credit(f"exif_{field}", name, text)
        if field == "copyright":
            _notice(text, "exif_copyright", place)


_IPTC = {
    "title": "title",
    "byline": "creator",
    "credit": "credit",
    "source": "credit",
    "copyright": "copyright_notice",
}


def _read_iptc(data: bytes, place: _Place) -> None:
    """IPTC datasets, each with its own bytes; those in a PNG's hexadecimal text have the chunk's."""
    try:
        texts = iptc_texts(data)
    except BrokenError as error:
        texts = error.found
        place.unread(str(error))
    block = place.block
    exact = block.end - block.start == len(data)
    for field, text, start, end in texts:
        if field in _IPTC:
            place.credit(f"iptc_{field}", _IPTC[field], text)
        if field in ("copyright", "instructions"):
            within = (block.start + start, block.start + end) if exact else None
            _notice(text, "iptc_copyright", place, within)


_PARSERS: dict[str, Callable[[bytes, _Place], None]] = {
    "xmp": _read_rdf,
    "svg": _read_rdf,
    "exif": _read_exif,
    "iptc": _read_iptc,
}


_NOTICE = re.compile(r"©|\(c\)|\bcopyright\b", re.I)


def _read_comment(data: bytes, place: _Place) -> None:
    """A comment in a JPEG or GIF: mostly the name of a program, sometimes a notice."""
    text = " ".join(decoded(data).replace("\0", " ").split())
    rule = f"{place.block.key}_comment"
    if _NOTICE.search(text):
        place.credit(rule, "copyright_notice", text)
    _notice(text, rule, place)


_PNG_NOTICES = ("copyright", "license", "licence", "rights", "usageterms", "disclaimer")


def _read_text(data: bytes, place: _Place) -> None:
    key, text = place.block.key.lower(), data.decode("utf-8", "replace")
    if key in _PNG_NOTICES:
        place.credit("png_text", "copyright_notice", text)
        _notice(text, "png_text", place)
    elif key in ("author", "artist", "creator"):
        place.credit("png_author", "creator", text)
    elif key == "title":
        place.credit("png_title", "title", text)
    elif key == "source" and text.strip().lower().startswith(("http://", "https://")):
        place.credit("png_source", "source_url", text)


def _read_c2pa(file: bytes, store: bytes, place: _Place) -> None:
    """The active C2PA manifest. One that cannot be read is no permission, and may restrict where it names training."""
    named = LABEL in store
    try:
        manifest = read_manifest(file, len(store))
    except MissingExtraError as error:
        if named:
            place.reservation("c2pa_unread", "tdm", CONDITIONAL, f"a training-mining assertion is there, but {error}")
        return
    except UnreadableError as error:
        place.reservation("c2pa_unread", "tdm", CONDITIONAL if named else UNKNOWN, str(error))
        return
    for rule, usage, decision, value in manifest.uses:
        place.reservation(rule, usage, decision, value)
    _data_mining(manifest.stated, place)
    _credits(manifest.stated, "c2pa", place)
    with _until_spent(place):
        _c2pa_licenses(manifest, place)


def _c2pa_licenses(manifest: Manifest, place: _Place) -> None:
    for name in ("cc:license", "dcterms:license", "xmpRights:WebStatement", "xmpRights:UsageTerms", "dc:rights"):
        for value in manifest.stated.get(name, ()):
            spdx_id = place.read(value, license_of_value) or (NOASSERTION if name.endswith(":license") else None)
            if spdx_id:
                place.license("c2pa_creative_work", spdx_id, value, confidence=0.8 if manifest.sound else 0.5)
