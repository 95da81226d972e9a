"""How running text names a license: units of Creative Commons in their many spellings, and words that reserve rights."""

from __future__ import annotations

import re
from collections.abc import Iterator

URL_IN_TEXT = re.compile(
    r"(?:https?://|//(?=[\w.-]{1,250}\.[a-z]{2})|(?<![\w.@-])www\.)[^\s<>\"'()\[\]{}|]{4,}+"
    r"|(?<![\w.@-])creativecommons\.org/[^\s<>\"'()\[\]{}|]{2,}+",
    re.I,
)
WHOLE_ADDRESS = re.compile(r"(?:(?:[a-z][a-z0-9+.-]{0,20}:)?//|www\.|\.{0,2}/|[#?])\S*", re.I)
"""A value that is one address, absolute or relative: the names of licenses in it may mean anything."""
CHOICE = re.compile(r"\b(?:or|oder|ou|o|eller|of)\b|/", re.I)
"""Words between two licenses that make them a choice."""
RESERVED = re.compile(
    r"\ball rights? (?:are )?reserved\b|\balle rechte vorbehalten\b|\btous droits r[ée]serv[ée]s\b"
    r"|\btodos los derechos reservados\b|\btutti i diritti (?:sono )?riservati\b|\btodos os direitos reservados\b"
    r"|\balle rechten voorbehouden\b|\balla r[äa]ttigheter f[öo]rbeh[åa]ll(?:s|na)\b|\bwszelkie prawa zastrze[żz]one\b"
    r"|\bвсе права защищены\b|版权所有|無断(?:転載|複製)|\bused (?:with|by) permission\b|\bdo not (?:copy|reproduce)\b"
    r"|\bnot for reproduction\b|\breproduction (?:is )?(?:prohibited|forbidden)\b|\brights[ -]managed\b",
    re.I,
)
_HINTS = (
    # of addresses and Creative Commons
    "//", "creative", "cc by", "cc-by", "cc_by", "ccby", "(cc)", "cc0", "cc-0", "cc 0", "cc zero", "cc pdm", "cc-pdm",
    # of names in licenses.csv
    "licen", "apache", "mit no", "domain mark", "wtfpl",
    # of reserved rights
    "reserv", "rights", "droits r", "vorbehalten", "riservati", "voorbehouden", "ttigheter", "wszelkie prawa",
    "права защищены", "版权所有", "無断", "permission", "do not", "not for reproduction", "reproduction",
)  # fmt: skip
"""Every statement of a license has one of these in it, in lower case."""

_PLAIN = str.maketrans({**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
                        **dict.fromkeys("\xa0\u2007\u202f", " ")})  # fmt: skip
_VERSION = r"v?(?P<version>[0-9]\.[0-9])(?![0-9])"
_MORE = r"(?P<more>[ ,/(&+_-]{0,4}(?:(?:NC|SA|ND)(?![A-Za-z])|Non[ -]?Commercial|Share[ -]?Alike|No[ -]?Deriv))?"
"""A part of a unit that stands apart from it: `CC BY-NC/SA`, `CC BY 4.0 (NC)`."""
_CC_SHORT = re.compile(
    r"(?:\bCC|\(CC\)|\bCreative[ -]Commons)[ _-]?"
    r"(?P<unit>BY(?:[ _-]?(?:NC|SA|ND)){0,2})(?![A-Za-z])"
    rf"(?:[ _-]?{_VERSION})?(?:[ _-](?!(?:NC|SA|ND|BY|CC|OR)\b)(?-i:(?P<port>[A-Z]{{2}}|IGO))\b)?{_MORE}",
    re.I,
)
_CC_LONG = re.compile(
    r"\bCreative[ -]Commons[ :,-]{1,3}(?:Licen[cs]e[ :,-]{1,3})?"
    r"(?P<unit>Attribution(?:[ ,/-]{1,3}"
    r"(?:Non[ -]?Commercial|Share[ -]?Alike|No[ -]?Deriv(?:ative)?s?(?:[ -]Works)?)){0,2})"
    rf"(?:[ ,]{{1,2}}{_VERSION})?(?P<port>(?!))?{_MORE}",
    re.I,
)
_CONDITIONS = (
    (4, re.compile(
        r"\b(?-i:NC)\b|\b(?:non?|n[ãa]o|not for|nicht|keine|niet|pas d.utilisation|ikke|inte|icke)[ -]?"
        r"(?:comm?er[cz]i|kommer[sz])", re.I,
    )),
    (8, re.compile(
        r"\b(?-i:ND)\b|\bno[ -]?deriv|\bkeine bearbeitung|\bpas de modification|\bsin (?:obras? )?derivad|\bnon opere deriv", re.I
    )),
)  # fmt: skip
"""Conditions that stand apart from the license that they restrict, by their bit in table `license`."""
CONDITION_REACH = 40
"""Characters after a license in which a condition belongs to it."""

_NEGATED = re.compile(
    r"\b(?:not|never|no longer|formerly|previously|nicht|nicht mehr|früher|n.est pas|n.est plus|ya no|non è)"
    r"(?: (?:been|being|yet|currently|longer|mehr|licen[cs]ed|available|released|published|covered|distributed|shared|offered"
    r"|used|lizenziert|veröffentlicht|under|by|with|as|a|an|the|unter|der|sous|une|la|licen[cs]e|licen[cz]ia|bajo|con)){0,6}"
    r"[ :\"'(]{0,3}\Z",
    re.I,
)
NEGATION_REACH = 80
"""Characters before a license in which it may be denied."""

_PARTS = (("nc", "noncommercial"), ("sa", "sharealike"), ("nd", "noderiv"))
_CC_ZERO = re.compile(r"(?<![\d.] )(?<![\d.])\bCC[ -]0(?:[ -]1\.0)?(?![\w.-]*\w)")
"""In capitals, and after no number: a motor may have 125 cc."""


def plain(text: str) -> str:
    """The text with hyphens, dashes and no-break spaces of typesetters as those of a keyboard, each in its place."""
    return text if text.isascii() else text.translate(_PLAIN)


def without_addresses(text: str) -> str:
    """The text with spaces for every address: what an address is called is not what the text says."""
    return URL_IN_TEXT.sub(lambda match: " " * len(match.group()), text)


def is_denied(before: str) -> bool:
    """Whether the words before a license say that it is not, or no longer, the license."""
    return _NEGATED.search(before[-NEGATION_REACH:]) is not None


def conditions_after(after: str) -> int:
    """Bits of conditions that the words after a license add to it."""
    near = after[:CONDITION_REACH]
    return sum(bit for bit, pattern in _CONDITIONS if pattern.search(near))


def may_state(text: str) -> bool:
    """Whether a plain text could state anything: a quick no for the many that do not."""
    text = text.casefold()
    for hint in _HINTS:  # noqa: SIM110 - a loop takes half the time of any() here, on every caption
        if hint in text:
            return True
    return False


def cc_zero(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) where a plain text names CC0 with a gap that no list of names has."""
    return (match.span() for match in _CC_ZERO.finditer(text))


def cc_units(text: str) -> Iterator[tuple[int, int, str | None, str | None, str | None]]:
    """(start, end, unit, version, port) of Creative Commons licenses in a plain text.

    The unit is None where another part of it follows in a form that cannot be read: to leave it out would drop a condition.
    """
    for pattern in (_CC_SHORT, _CC_LONG):
        for match in pattern.finditer(text):
            written, version, port = match.group("unit", "version", "port")
            if version is None and written.lower() == "by" and written.islower():
                continue  # "cc by the harbor" is a sentence, "CC BY" is a license
            parts = _parts(written)
            apart = set(_parts(match["more"] or "")) - set(parts)
            unit = None if apart else "-".join(["by", *parts])
            yield match.start(), match.end(), unit, version, port and port.lower()


def _parts(unit: str) -> list[str]:
    letters = re.sub(r"[^a-z]", "", unit.lower())
    words = [code for code, word in _PARTS if word in letters]
    return words or re.findall("nc|sa|nd", letters)
