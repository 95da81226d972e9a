"""Columns of link lists: which names hold what, by data set, and what a row of any of them becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import ada_url

from assets.crawl.surroundings import primary
from assets.crawl.text import clean
from assets.crawl.urls import MAX_LENGTH, join

MAX_FIELD = 1 << 16
"""Characters of an address or text in a list; a longer one costs its row."""
Names = tuple[str, ...]
Values = list[Any]
"""Raw values of a row in the order of FIELDS; None where the list has none."""


class ListRefused(ValueError):
    """A list that cannot be read at all; the message is a sentence that names the file and what to do."""


@dataclass(frozen=True)
class Columns:
    """Names of a list's columns. Where several are given the first that is there counts; upper and lower case are one.

    Attributes:
        url, text: address and text of an image; both have to be there.
        title, page_url, language, license, sha256: what a list may say besides.
        header: names of the columns of CSV and TSV files that have no header line.
        quoted: whether quotes around a field of CSV and TSV mean anything.
    """

    url: Names
    text: Names
    title: Names = ()
    page_url: Names = ()
    language: Names = ()
    license: Names = ()
    sha256: Names = ()
    header: Names = ()
    quoted: bool = True


FIELDS = tuple(field.name for field in fields(Columns) if field.name not in ("header", "quoted"))

LAYOUTS: dict[str, Columns] = {
    "laion2b": Columns(
        url=("URL",), text=("TEXT",), language=("LANGUAGE",), license=("LICENSE",)
    ),
    "laion400m": Columns(
        url=("URL",), text=("TEXT",), license=("LICENSE",)
    ),
    "coyo": Columns(url=("url",), text=("text",)),
    "datacomp": Columns(
        url=("url",), text=("text",), sha256=("sha256",),
    ),
    "cc12m": Columns(url=("url",), text=("caption",), header=("url", "caption"), quoted=False),
    "generic": Columns(
        url=("url", "image_url", "img_url"),
        text=("text", "caption", "alt", "alt_text"),
        title=("title",),
        page_url=("page_url",),
        language=("language", "lang"),
        license=("license", "licence"),
        sha256=("sha256",),
    ),
}  # fmt: skip
"""Layouts by name. LAION and COYO: the data cards on Hugging Face; DataComp: the metadata of mlfoundations/datacomp; CC12M:
google-research-datasets/conceptual-12m, a TSV without header or quotes."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row of a link list.

    Attributes:
        row: index in the file, from 0; lines without any content do not count.
        url: address of the image, in the form of the WHATWG parser; as written where `reason` says that it is none.
        text: what the list calls its text, at most 4096 characters.
        title, page_url, language (primary subtag), license: as stated, cleaned.
        sha256: 64 hexadecimal digits, lower case.
        reason: why the row is no sample: no_url, not_http, bad_url, bad_value, too_long, not_utf8, bad_fields, bad_csv,
            unclosed_quote, bad_json, too_large, broken_file; None for a good row.
    """

    row: int
    url: str | None = None
    text: str | None = None
    title: str | None = None
    page_url: str | None = None
    language: str | None = None
    license: str | None = None
    sha256: str | None = None
    reason: str | None = None


def places(path: object, names: Sequence[str], layout: Columns) -> list[int | None]:
    """Where each of FIELDS stands among the names of a file's columns.

    Raises ListRefused where the address or the text is missing.
    """
    exact = {name: at for at, name in reversed(list(enumerate(names)))}
    loose = {name.strip().lower(): at for at, name in reversed(list(enumerate(names)))}
    found: list[int | None] = []
    for field in FIELDS:
        wanted: Names = getattr(layout, field)
        at = next((exact.get(name, loose.get(name.lower())) for name in wanted if name.lower() in loose), None)
        if at is None and field in ("url", "text"):
            there = ", ".join((clean(name, 60) or "''") for name in names[:40]) or "none"
            raise ListRefused(
                f"{path}: there is no column {' or '.join(wanted)}; its columns are: {there}. "
                "Name the columns, or choose a layout that has them."
            )
        found.append(at)
    return found


def list_row(number: int, values: Values | str) -> ListRow:
    """A row from its raw values, or from the reason why there are none."""
    if isinstance(values, str):
        return ListRow(number, reason=values)
    raw, reason = _words(values[0])
    url = (raw or "").strip()
    if reason is None:
        reason = _fault(url)
    address = _address(url) if reason is None else None
    text, fault = _words(values[1])
    reason = reason or fault or (None if address else "bad_url")
    if reason is not None:
        return ListRow(number, clean(url, MAX_LENGTH) or None, clean(text), reason=reason)
    title, page, language, license_, digest = values[2:]
    return ListRow(
        number,
        address,
        clean(text),
        clean(_words(title)[0]) if title is not None else None,
        _page(page) if page is not None else None,
        primary(_words(language)[0]) if language is not None else None,
        _license(license_) if license_ is not None else None,
        _digest(digest) if digest is not None else None,
    )


def _fault(url: str) -> str | None:
    if not url:
        return "no_url"
    if len(url) > MAX_LENGTH:
        return "too_long"
    return None if url[:8].lower().startswith(("http://", "https://")) else "not_http"


def _address(url: str) -> str | None:
    if "#" in url:
        return join(url, url)
    try:
        # The same as joining it to itself, in half the time.
        found = str(ada_url.normalize_url(url))
    except (ValueError, UnicodeError):
        return None
    return found if found.startswith(("http://", "https://")) else None


def _words(value: Any) -> tuple[str | None, str | None]:
    """A value as text, and what is wrong with it."""
    if isinstance(value, bytes):
        if len(value) > 4 * MAX_FIELD:
            return None, "too_long"
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None, "not_utf8"
    if isinstance(value, str):
        return (value, None) if len(value) <= MAX_FIELD else (None, "too_long")
    if value is None or value != value:  # a null; NaN is how pandas writes one
        return None, None
    return (str(value), None) if isinstance(value, bool | int | float) else (None, "bad_value")


def _page(value: Any) -> str | None:
    page = _words(value)[0] or ""
    address = join(page, page)
    return address if address and address.startswith("http") else None


def _license(value: Any) -> str | None:
    stated = (clean(_words(value)[0], 1000) or "").strip()
    # LAION writes a question mark where its crawl found no statement.
    return stated if stated not in ("", "?") else None


def _digest(value: Any) -> str | None:
    if isinstance(value, bytes) and len(value) == 32:
        return value.hex()
    stated = (_words(value)[0] or "").strip().lower()
    return stated if re.fullmatch("[0-9a-f]{64}", stated) else None
