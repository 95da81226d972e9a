"""What an image file says of itself: licenses, opt-outs and credits in XMP, EXIF, IPTC, PNG text and SVG metadata."""

from __future__ import annotations

from datetime import datetime

from assets.rights.containers import Block, exif_texts, iptc_texts, metadata_blocks
from assets.rights.findings import Findings, Subject, Where
from assets.rights.licenses import ALL_RIGHTS_RESERVED, NOASSERTION, license_of_text, license_of_url, license_of_value
from assets.rights.preferences import plus_data_mining
from assets.rights.xmp import UnreadableError, svg_properties, xmp_properties

Properties = dict[str, list[str]]


def read_image(data: bytes, record_id: int, observed_at: datetime | None, findings: Findings) -> None:
    """Every statement in the bytes of an image, about that image."""
    subject = Subject("image", record_id)
    for block in metadata_blocks(data):
        where = Where(record_id, "body", block.start, block.end)
        if block.data is None:
            findings.license(subject, "metadata_unread", NOASSERTION, f"{block.kind}: too large or broken", where)
        elif block.kind == "xmp":
            _read_xmp(block.data, subject, where, observed_at, findings)
        elif block.kind == "svg":
            _read_svg(block.data, subject, where, findings)
        elif block.kind == "exif":
            _read_exif(block.data, subject, where, findings)
        elif block.kind == "iptc":
            _read_iptc(block, subject, where, findings)
        else:
            _read_text(block, subject, where, findings)


def _read_xmp(data: bytes, subject: Subject, where: Where, observed_at: datetime | None, findings: Findings) -> None:
    try:
        found = xmp_properties(data)
    except UnreadableError as error:
        findings.license(subject, "metadata_unread", NOASSERTION, f"xmp: {error}", where)
        if b"DataMining" in data:
            findings.reservation(
                subject, "plus_data_mining", "tdm", "conditional", "unreadable packet", where, observed_at
            )
        return
    _licenses(found, subject, where, "xmp_cc_license", findings)
    _statements(found, subject, where, findings)
    _credits(found, subject, "xmp", findings)
    for value in found.get("plus:DataMining", ()):
        usage, decision = plus_data_mining(value)
        findings.reservation(subject, "plus_data_mining", usage, decision, value, where, observed_at)


def _read_svg(data: bytes, subject: Subject, where: Where, findings: Findings) -> None:
    try:
        found = svg_properties(data)
    except UnreadableError as error:
        findings.license(subject, "metadata_unread", NOASSERTION, f"svg: {error}", where)
        return
    _licenses(found, subject, where, "svg_cc_license", findings)
    _credits(found, subject, "svg", findings)


def _licenses(found: Properties, subject: Subject, where: Where, rule: str, findings: Findings) -> None:
    stated = [value for name in ("cc:license", "dcterms:license") for value in found.get(name, ()) if value]
    for value in stated:
        findings.license(subject, rule, license_of_value(value) or NOASSERTION, value, where)


def _statements(found: Properties, subject: Subject, where: Where, findings: Findings) -> None:
    """Rights statements of XMP besides cc:license.

    A web statement that is no license may be a page of terms: it is unread, and counts only where nothing else was
    found. `Marked` alone means rights are managed; beside a license it repeats that there is a copyright.
    """
    licensed = bool(found.get("cc:license"))
    for value in found.get("xmpRights:WebStatement", ()):
        spdx_id = license_of_url(value) or license_of_text(value)
        licensed |= spdx_id is not None
        rule = "xmp_web_statement" if spdx_id else "xmp_web_page"
        findings.license(subject, rule, spdx_id or NOASSERTION, value, where)
    for name, rule in (("xmpRights:UsageTerms", "xmp_usage_terms"), ("dc:rights", "xmp_dc_rights")):
        for value in found.get(name, ()):
            spdx_id = license_of_text(value)
            if spdx_id:
                licensed |= spdx_id != ALL_RIGHTS_RESERVED
                findings.license(subject, rule, spdx_id, value, where)
    marked = {value.lower() for value in found.get("xmpRights:Marked", ())}
    if "true" in marked and not licensed:
        findings.license(subject, "xmp_marked", ALL_RIGHTS_RESERVED, "Marked=True", where)
    elif marked == {"false"} and not licensed:
        findings.license(subject, "xmp_marked", "LicenseRef-PublicDomain", "Marked=False", where, confidence=0.6)


_CREDITS = (
    ("cc:attributionName", "creator"),
    ("dc:creator", "creator"),
    ("photoshop:Credit", "credit"),
    ("cc:attributionURL", "source_url"),
    ("dc:source", "source_url"),
    ("dc:title", "title"),
    ("dc:rights", "copyright_notice"),
    ("cc:morePermissions", "license_url"),
    ("xmpRights:WebStatement", "license_url"),
    ("plus:LicensorURL", "license_url"),
)


def _credits(found: Properties, subject: Subject, format: str, findings: Findings) -> None:
    for name, field in _CREDITS:
        rule = f"{format}_{name.replace(':', '_').lower()}"
        for value in found.get(name, ()):
            findings.attribution(subject, rule, field, value)


def _notice(text: str, rule: str, subject: Subject, where: Where, findings: Findings) -> None:
    """A copyright notice: it says who owns the image, and a license only where it names one."""
    findings.attribution(subject, rule, "copyright_notice", text)
    spdx_id = license_of_text(text)
    if spdx_id:
        findings.license(subject, rule, spdx_id, text, where)


def _read_exif(data: bytes, subject: Subject, where: Where, findings: Findings) -> None:
    texts = exif_texts(data)
    findings.attribution(subject, "exif_artist", "creator", texts.get("artist"))
    if "copyright" in texts:
        _notice(texts["copyright"], "exif_copyright", subject, where, findings)


def _read_iptc(block: Block, subject: Subject, where: Where, findings: Findings) -> None:
    for field, text, start, end in iptc_texts(block.data or b""):
        place = where._replace(start=block.start + start, end=block.start + end)
        if field in ("copyright", "instructions"):
            _notice(text, "iptc_copyright", subject, place, findings)
        else:
            name = {"byline": "creator", "credit": "credit", "source": "credit"}[field]
            findings.attribution(subject, f"iptc_{field}", name, text)


def _read_text(block: Block, subject: Subject, where: Where, findings: Findings) -> None:
    text = (block.data or b"").decode("utf-8", "replace")
    key = block.key.lower()
    if key in ("copyright", "license", "licence", "rights", "usageterms"):
        _notice(text, "png_text", subject, where, findings)
    elif key in ("author", "artist", "creator"):
        findings.attribution(subject, "png_author", "creator", text)
