"""Licenses: which id a web address or a phrase stands for, and what the license asks for.

Creative Commons addresses follow a grammar, so they are parsed; everything else is looked up in `licenses.csv`, which
also lists the versions and ports that exist (`licenses.source.yaml` says where from), or in SPDX's list. An address that
merely looks like a license gives no id: by/9.9 was never published, and creativecommons.org.evil.example is another host.
"""

from __future__ import annotations

import csv
import functools
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
from license_expression import ExpressionError

from assets.provenance.tables import conform
from assets.rights import spdx
from assets.rights.license_words import (
    CHOICE,
    RESERVED,
    URL_IN_TEXT,
    WHOLE_ADDRESS,
    cc_units,
    cc_zero,
    conditions_after,
    is_denied,
    may_state,
    plain,
    without_addresses,
)

NONE = "NONE"
NOASSERTION = spdx.NOASSERTION
ALL_RIGHTS_RESERVED = "LicenseRef-AllRightsReserved"

MAX_TEXT = 20_000
"""Characters of a text that are searched for a license; statements stand near its start."""

MAX_REMEMBERED = 500
"""Characters of a value whose license is remembered: a page names its few licenses again and again."""

_CC_PATH = re.compile(
    r"/(?P<tool>licenses|publicdomain)/(?P<unit>[a-z0-9+-]{1,40})"
    r"(?:/(?P<version>[0-9]\.[0-9]))?(?:/(?P<port>[a-z]{2}|igo|scotland))?"
    r"(?:/(?:deed|legalcode|rdf)(?:[._-][a-z_-]{2,15})?)?"
)
_UNIT_ORDER = ("by", "nc", "sa", "nd")
_PUBLIC_DOMAIN = {"zero": "CC0-1.0", "mark": "CC-PDM-1.0", "certification": "CC-PDDC"}

UNREAD_OBLIGATIONS = 1 | 2 | 16 | 32
UNREAD_RISK = 3
"""Of licenses that only SPDX's list names: nobody here has read their terms."""


@dataclass(frozen=True, slots=True)
class License:
    """One row of `licenses.csv`, or a license that only SPDX's list names (family `spdx`).

    Attributes:
        obligations: bits as in table `license`.
        risk: 0 none to 3 high.
        deprecated: date on which its publisher retired it.
        names: phrases that mean this license in running text.
        urls: its addresses, canonical first.
    """

    spdx_id: str
    family: str
    version: str | None
    jurisdiction: str | None
    obligations: int
    risk: int
    deprecated: str | None
    names: tuple[str, ...]
    urls: tuple[str, ...]


@cache
def licenses() -> dict[str, License]:
    """Every license that is known here, by id."""
    with open(Path(__file__).with_name("licenses.csv"), encoding="utf-8", newline="") as file:
        read = {row["spdx_id"]: _license(row) for row in csv.DictReader(file)}
    return {**{spdx_id: _unread(spdx_id) for spdx_id in spdx.listed_ids()}, **read}


def _unread(spdx_id: str) -> License:
    url = f"https://spdx.org/licenses/{spdx_id}.html"
    return License(spdx_id, "spdx", None, None, UNREAD_OBLIGATIONS, UNREAD_RISK, None, (), (url,))


def _license(row: dict[str, str]) -> License:
    urls = [row["canonical_url"], *row["other_urls"].split()]
    return License(
        spdx_id=row["spdx_id"],
        family=row["family"],
        version=row["version"] or None,
        jurisdiction=row["jurisdiction"] or None,
        obligations=int(row["obligations"]),
        risk=int(row["risk"]),
        deprecated=row["deprecated"] or None,
        names=tuple(name for name in row["names"].split("|") if name),
        urls=tuple(url for url in urls if url),
    )


def license_table() -> pa.Table:
    """Table `license`: every id that a finding can carry."""
    rows = [licenses()[spdx_id] for spdx_id in sorted(licenses())]
    columns = {
        "spdx_id": [row.spdx_id for row in rows],
        "canonical_url": [row.urls[0] if row.urls else None for row in rows],
        "family": [row.family for row in rows],
        "version": [row.version for row in rows],
        "jurisdiction": [row.jurisdiction for row in rows],
        "obligations": [row.obligations for row in rows],
        "risk": [row.risk for row in rows],
        "deprecated": [row.deprecated for row in rows],
    }
    return conform("license", pa.table(columns))


def _remembered(read: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """`read` with a memory for short values; whatever a site states, it holds a few dozen megabytes at most."""
    remembered = lru_cache(maxsize=16_384)(read)

    @wraps(read)
    def recall(value: str) -> str | None:
        return remembered(value) if len(value) <= MAX_REMEMBERED else read(value)

    return recall


@_remembered
def license_of_url(url: str) -> str | None:
    """License that an absolute or protocol-relative address stands for; None where it is none that is known.

    Scheme, letter case, `www.`, query and fragment do not matter; host and path must match as a whole.
    """
    address = _address(url)
    if address is None:
        return None
    host, path = address
    if host == "creativecommons.org":
        return _cc_license(path)
    return _by_address().get((host, path)) or (_listed(path) if host in _HOSTS_BY_ID else None)


_HOSTS_BY_ID = ("spdx.org", "opensource.org")
_FILE_ENDING = re.compile(r"\.(?:html?|txt|php|md|json)$")


def _address(url: str) -> tuple[str, str] | None:
    """Host without `www.` and path without file ending and closing slashes and dots, both in lower case."""
    url = url.strip()
    if len(url) > 2000 or re.search(r"[\s\x00-\x1f\\]", url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("", "http", "https") or not host or port not in (None, 80, 443) or "@" in parts.netloc:
        return None
    # Letters such as the Kelvin sign become ASCII in lower case: another host, or another path, that looks alike.
    if not (host.isascii() and parts.path.isascii()) or "/.." in parts.path:
        return None
    path = re.sub("//+", "/", parts.path.lower().replace("%2b", "+")).rstrip("./")
    return host.removesuffix(".").removeprefix("www."), _FILE_ENDING.sub("", path)


def _listed(path: str) -> str | None:
    """License at `/licenses/ID`, as SPDX and the Open Source Initiative address it."""
    folder, _, name = path.rpartition("/")
    known = folder in ("/licenses", "/license") and not name.startswith("licenseref")
    return license_of_id(name) if known else None


@cache
def _by_address() -> dict[tuple[str, str], str]:
    known: dict[tuple[str, str], str] = {}
    for entry in licenses().values():
        addresses = [_address(url) for url in entry.urls if entry.family != "spdx"]
        known |= {address: entry.spdx_id for address in addresses if address and address[0] != "creativecommons.org"}
    return known


def _cc_license(path: str) -> str | None:
    match = _CC_PATH.fullmatch(path)
    if match is None:
        return None
    tool, unit, version, port = match.group("tool", "unit", "version", "port")
    if tool == "publicdomain":
        return _PUBLIC_DOMAIN.get(unit) if version in (None, "1.0") and port in (None, "us") else None
    if unit == "publicdomain":
        return "CC-PDDC" if version is None else None
    return _cc_id(unit, version, port)


def _cc_id(unit: str, version: str | None, port: str | None) -> str | None:
    """Id of a Creative Commons license by its unit (`by-sa`), in any order of its parts; None if never published."""
    unit = {"sampling+": "SamplingPlus", "nc-sampling+": "NC-SamplingPlus", "sampling": "Sampling"}.get(unit, unit)
    unit = {"devnations": "DevNations"}.get(unit, unit)
    parts = unit.split("-")
    if set(parts) <= set(_UNIT_ORDER) and len(set(parts)) == len(parts):
        unit = "-".join(sorted(parts, key=_UNIT_ORDER.index)).upper()
    name = "-".join(["CC", unit, version or "unversioned", *([port.upper()] if port else [])])
    return next((i for i in (name, "LicenseRef-" + name) if i in licenses()), None)


@_remembered
def license_of_text(text: str) -> str | None:
    """License that a text states by address or by name; None where it states none.

    Several licenses are a choice (`A OR B`) only where a word says so; else, and where a license stands beside
    `all rights reserved`, under a condition that is not its own or after words that deny it, the text cannot be read:
    NOASSERTION. A bare "public domain" is no license, and neither is the name of one in an address.
    """
    text = plain(text[:MAX_TEXT])
    if not may_state(text):
        return None
    linked, text = _linked(text), without_addresses(text)
    found = _without_overlaps([*linked, *_named(text)])
    reserved = RESERVED.search(text) is not None
    if not found:
        return ALL_RIGHTS_RESERVED if reserved else None
    ids = sorted({spdx_id for _, _, spdx_id in found})
    if reserved or _is_qualified(text, found):
        return NOASSERTION
    if len(ids) == 1:
        return ids[0]
    between = [text[end:start] for (_, end, _), (start, _, _) in zip(found, found[1:], strict=False)]
    return either(ids) if NOASSERTION not in ids and all(CHOICE.search(gap) for gap in between) else NOASSERTION


def _is_qualified(text: str, found: list[tuple[int, int, str]]) -> bool:
    """Whether words around one of the licenses deny it, or add a condition that it does not have."""
    following = [*(start for start, _, _ in found[1:]), len(text)]
    last = 0
    for (start, end, spdx_id), after in zip(found, following, strict=True):
        if is_denied(text[last:start]) or conditions_after(text[end:after]) & ~obligations_of(spdx_id):
            return True
        last = end
    return False


def _linked(text: str) -> list[tuple[int, int, str]]:
    """(start, end, id) of every license whose address stands in a text."""
    found: list[tuple[int, int, str]] = []
    for match in URL_IN_TEXT.finditer(text):
        url = match.group().rstrip(".,;:!?")
        spdx_id = license_of_url(url if "//" in url[:8] else "//" + url)
        if spdx_id:
            found.append((match.start(), match.end(), spdx_id))
    return found


def _named(text: str) -> list[tuple[int, int, str]]:
    """(start, end, id) of every license that a text calls by a name; several readings of one place may overlap."""
    found: list[tuple[int, int, str]] = []
    for start, end, unit, version, port in cc_units(text):
        spdx_id = _cc_id(unit, version, port) if unit else None
        found.append((start, end, spdx_id or NOASSERTION))
    found += [(start, end, "CC0-1.0") for start, end in cc_zero(text)]
    pattern, ids = _names()
    return found + [(match.start(), match.end(), ids[match.group().lower()]) for match in pattern.finditer(text)]


def _without_overlaps(found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    kept: list[tuple[int, int, str]] = []
    for span in sorted(found, key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


@cache
def _names() -> tuple[re.Pattern[str], dict[str, str]]:
    ids = {name.lower(): entry.spdx_id for entry in licenses().values() for name in entry.names}
    longest_first = sorted(ids, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w.-]*\w)", re.I), ids


@_remembered
def license_of_value(value: str) -> str | None:
    """License that a metadata value states: an address, an SPDX id, an expression, or words.

    A value that is one address states what it leads to, and nothing by what it is called.
    """
    value = value.strip()
    if value in licenses():
        return value
    if WHOLE_ADDRESS.fullmatch(value):
        return license_of_url(value)
    return spdx.normalized(value, license_of_id) or license_of_text(value)


def license_of_id(name: str) -> str | None:
    """License that SPDX or this project calls so, in any letter case. A deprecated id gives what has replaced it."""
    return _ids().get(name.lower())


@cache
def _ids() -> dict[str, str]:
    ours = {spdx_id.lower(): spdx_id for spdx_id in licenses() if spdx_id not in (NONE, NOASSERTION)}
    # Creative Commons licenses that SPDX does not list are called as if it did: cc-by-2.5-se, cc-by
    cc = {
        name.removeprefix("licenseref-").removesuffix("-unversioned"): i for name, i in ours.items() if "-cc-" in name
    }
    return {**spdx.ids_by_name(), **cc, **ours}


def either(ids: list[str]) -> str:
    """Dual license: the expression by which a reader may choose among licenses, sorted, each once.

    NOASSERTION where there are so many that nobody meant a choice.
    """
    choices = sorted(set(ids))
    if len(choices) == 1:
        return choices[0]
    if len(choices) > spdx.MAX_LICENSES:
        return NOASSERTION
    if any(" " in choice for choice in choices):
        return str(spdx.LICENSING.parse(" OR ".join(f"({choice})" for choice in choices)).simplify())
    return " OR ".join(choices)


def choice_of(ids: Iterable[str | None]) -> str:
    """What several statements in one place come to: a choice among their licenses.

    NOASSERTION where there is none, where one of them (None) cannot be read, and where rights are reserved beside a license.
    """
    stated = set(ids)
    if len(stated) == 1:
        return stated.pop() or NOASSERTION
    if not stated or stated & {None, NOASSERTION, ALL_RIGHTS_RESERVED}:
        return NOASSERTION
    return either([spdx_id for spdx_id in stated if spdx_id])


Value = TypeVar("Value")
Combine = Callable[[list[Value]], Value]


def fold(expression: str, leaf: Callable[[str], Value], choice: Combine, both: Combine) -> Value:
    """Value of an SPDX expression: `leaf` of each license, `choice` over OR, `both` over AND.

    A license WITH an exception counts as the license. Raises ValueError where the text is no expression.
    """
    if " " not in expression:
        return leaf(expression)
    try:
        tree = spdx.LICENSING.parse(expression)
    except ExpressionError as error:
        raise ValueError(f"{expression!r} is no license expression: {error}") from error

    def value(node: Any) -> Value:
        if isinstance(node, spdx.LICENSING.OR):
            return choice([value(part) for part in node.args])
        if isinstance(node, spdx.LICENSING.AND):
            return both([value(part) for part in node.args])
        return leaf(getattr(node, "license_symbol", node).key)

    return value(tree)


def obligations_of(expression: str) -> int:
    """Obligation bits of an expression: of `A AND B` both, of `A OR B` the fewer (the smaller number where equal)."""
    return fold(
        expression,
        leaf=lambda spdx_id: licenses()[spdx_id].obligations if spdx_id in licenses() else 0,
        choice=lambda bits: min(bits, key=lambda b: (b.bit_count(), b)),
        both=lambda bits: functools.reduce(operator.or_, bits, 0),
    )
