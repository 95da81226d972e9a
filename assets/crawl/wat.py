"""WAT records: the links, alt texts and header fields that Common Crawl keeps of a page, without the page.

The JSON is that of webarchive-commons (`ExtractingParseObserver`, `ResourceConstants`). What it lacks is lacking here:
texts around an image, captions, headings, images without `src`, and the addresses that lazy-loading attributes hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assets.crawl.html import (
    LAZY,
    MAX_IMAGES,
    MAX_PAGE_IMAGES,
    PAGE_IMAGES,
    PERHAPS_LAZY,
    ImageReference,
    Page,
    PageRefused,
)
from assets.crawl.srcset import LAZY_SETS, addresses, largest
from assets.crawl.surroundings import IMAGE_NAME, MAX_ALTERNATIVES, joined, primary
from assets.crawl.text import clean, collapse
from assets.crawl.urls import join

MAX_PAYLOAD = 8 << 20
"""Bytes of a record; Python holds JSON in about twenty times its size at worst."""
MAX_METAS = 1000
MAX_LICENSES = 200
MAX_HEADERS = 1 << 18
LANGUAGE_METAS = ("html@/lang", "html@/xml:lang", "content-language")
"""Names under which a WAT states the page's language, best first; the first two stand for attributes of <html>."""


class WatRefused(PageRefused):
    """A WAT record that holds no page; the message is the reason, one word."""


@dataclass(frozen=True)
class WatPage:
    """What a WAT record says of an HTTP answer.

    Attributes:
        url: WARC-Target-URI.
        fetched_at: WARC-Date.
        http_status: status code.
        mime: media type, lower case, without parameters.
        digest: WARC-Payload-Digest, else the digest of the body.
        truncated: WARC-Truncated.
        header_bytes: the HTTP header block, rebuilt; a field that was sent twice may be there once.
        metas: (name, content) of the page's <meta> elements; the name is that of `name`, `property` or `http-equiv`,
            lower case. The page's language is there as `html@/lang`.
        license_links: absolute addresses of links whose `rel` has the type license.
        page: title, language, images and those that stand for the page; empty for an answer that is no page.
        warc_file, warc_offset: where Common Crawl keeps the answer itself; None if not stated.
    """

    url: str
    fetched_at: datetime | None
    http_status: int | None
    mime: str | None
    digest: str | None
    truncated: str | None
    header_bytes: bytes
    metas: list[tuple[str, str]]
    license_links: list[str]
    page: Page
    warc_file: str | None
    warc_offset: int | None


def read_wat(payload: bytes, max_payload: int = MAX_PAYLOAD) -> WatPage:
    """The page of a WAT record.

    Args:
        payload: the block of a `metadata` record.
        max_payload: bytes; a larger record is refused before it is parsed.
    Raises:
        WatRefused: too_large; bad_json; too_deep; bad_wat, a part is of the wrong type; not_a_response, the record
            describes a request or the file itself; no_url; too_many_images.
    """
    root = _parsed(payload, max_payload)
    envelope = _part(root, "Envelope")
    fields = _part(envelope, "WARC-Header-Metadata")
    if _string(fields, "WARC-Type").lower() != "response":
        raise WatRefused("not_a_response")
    url = _string(fields, "WARC-Target-URI").strip("<> ")
    if not url:
        raise WatRefused("no_url")
    answer = _part(_part(envelope, "Payload-Metadata"), "HTTP-Response-Metadata")
    headers = _headers(_part(answer, "Headers"))
    message = _part(answer, "Response-Message")
    content_type = next((value for name, value in reversed(headers) if name.lower() == "content-type"), "")
    html = _part(answer, "HTML-Metadata")
    metas = _metas(_part(html, "Head"))
    base = join(url, _string(_part(html, "Head"), "Base")) or url
    container = _part(root, "Container")
    return WatPage(
        url,
        _time(_string(fields, "WARC-Date")),
        _number(_string(message, "Status"), 3),
        content_type.partition(";")[0].strip().lower()[:100] or None,
        clean(_string(fields, "WARC-Payload-Digest") or _string(answer, "Entity-Digest"), 200) or None,
        clean(_string(fields, "WARC-Truncated"), 100) or None,
        _header_bytes(message, headers),
        metas,
        _license_links(html, base),
        _page(html, base, metas, _language(metas, headers)),
        clean(_string(container, "Filename"), 1000) or None,
        _number(_string(container, "Offset"), 18),
    )


def _parsed(payload: bytes, max_payload: int) -> dict[str, Any]:
    if len(payload) > max_payload:
        raise WatRefused("too_large")
    try:
        root = json.loads(payload.decode("utf-8", "replace"))
    except RecursionError:
        raise WatRefused("too_deep") from None
    except ValueError:
        raise WatRefused("bad_json") from None
    if not isinstance(root, dict):
        raise WatRefused("bad_wat")
    return root


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """An object in an object; empty where there is none."""
    part = whole.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise WatRefused("bad_wat")
    return part


def _objects(whole: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an object."""
    part = whole.get(name)
    if part is None:
        return []
    if not isinstance(part, list):
        raise WatRefused("bad_wat")
    return [item for item in part if isinstance(item, dict)]


def _string(whole: dict[str, Any], name: str) -> str:
    value = whole.get(name)
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _number(value: str, digits: int) -> int | None:
    return int(value) if re.fullmatch(rf"[0-9]{{1,{digits}}}", value) else None


def _time(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _headers(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Header fields in order; a list of values gives one field each."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        # Nothing that a value holds may look like a further field.
        found += [(_line(name), _line(item)) for item in values if isinstance(item, str)]
    return [(name, value) for name, value in found if name and ":" not in name]


def _line(value: str) -> str:
    return re.sub(r"[\r\n\x00]+", " ", value).strip()


def _header_bytes(message: dict[str, Any], headers: list[tuple[str, str]]) -> bytes:
    if not message and not headers:
        return b""
    start = " ".join(_line(_string(message, name)) for name in ("Version", "Status", "Reason")).strip()
    lines = [start or "HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    block, size = b"", 0
    kept: list[bytes] = []
    for line in lines:
        block = line.encode("utf-8", "replace") + b"\r\n"
        size += len(block)
        if size > MAX_HEADERS:
            break
        kept.append(block)
    return b"".join(kept) + b"\r\n"


def _metas(head: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for meta in _objects(head, "Metas")[:MAX_METAS]:
        content = clean(_string(meta, "content")) or ""
        names = [_string(meta, key).strip().lower() for key in ("name", "property", "http-equiv")]
        found += [(clean(name, 200) or "", content) for name in dict.fromkeys(names) if name]
    return found


def _language(metas: list[tuple[str, str]], headers: list[tuple[str, str]]) -> str | None:
    stated = [value for wanted in LANGUAGE_METAS for name, value in metas if name == wanted]
    stated += [value for name, value in headers if name.lower() == "content-language"]
    # A header that names several languages says for whom the page is, not what it is written in.
    return next((found for value in stated if (found := primary(value))), None)


def _license_links(html: dict[str, Any], base: str) -> list[str]:
    links = _objects(_part(html, "Head"), "Link") + _objects(html, "Links")
    stated = (
        link for link in links if any(t.rpartition(":")[2] == "license" for t in _string(link, "rel").lower().split())
    )
    found = dict.fromkeys(url for link in stated if (url := join(base, _string(link, "url"))))
    return list(found)[:MAX_LICENSES]


@dataclass
class _Element:
    """The entries of one <img>: attribute -> address, with alt and title; and the address that it links to."""

    source: dict[str, str] = field(default_factory=dict)
    alt: str | None = None
    title: str | None = None
    link: str | None = None


def _elements(links: list[dict[str, Any]]) -> Iterator[_Element]:
    """<img> elements in order. Further attributes of one follow its first; a link follows what stands in it."""
    element: _Element | None = None
    for entry in links:
        tag, _, attribute = _string(entry, "path").partition("@/")
        attribute, tag = attribute.lower(), tag.upper()
        address = _string(entry, "url")
        if tag != "IMG":
            # A link with words may be a caption's or stand behind the image; one without holds nothing but the image.
            if element is not None and tag == "A" and not _string(entry, "text").strip():
                element.link = address if IMAGE_NAME.search(address) else None
            if element is not None:
                yield element
            element = None
            continue
        if element is not None and (attribute == "src" or attribute in element.source):
            yield element
            element = None
        if element is None and attribute == "longdesc":
            continue
        element = element or _Element()
        element.source[attribute] = address
        element.alt = entry["alt"] if isinstance(entry.get("alt"), str) else element.alt
        element.title = entry["title"] if isinstance(entry.get("title"), str) else element.title
    if element is not None:
        yield element


def _page(html: dict[str, Any], base: str, metas: list[tuple[str, str]], language: str | None) -> Page:
    title = _part(html, "Head").get("Title")
    stand_ins = _page_images(html, base, metas)
    page = Page(collapse(title, 1000) if isinstance(title, str) else None, language, og_images=stand_ins)
    for position, element in enumerate(_elements(_objects(html, "Links"))):
        if position >= MAX_IMAGES:
            raise WatRefused("too_many_images")
        url, others = _addresses(element, base)
        page.images.append(
            ImageReference(
                position, url, others, clean(element.alt), clean(element.title), None, None, "", "", language
            )
        )
    return page


def _page_images(html: dict[str, Any], base: str, metas: list[tuple[str, str]]) -> list[str]:
    """Images that stand for the page, those of Open Graph first, as on the page itself."""
    found = [
        content
        for prefix in ("og:", "twitter:")
        for name, content in metas
        if name in PAGE_IMAGES and name.startswith(prefix)
    ]
    links = _objects(_part(html, "Head"), "Link")
    found += [_string(link, "url") for link in links if "image_src" in _string(link, "rel").lower().split()]
    return list(dict.fromkeys(joined(base, found)))[:MAX_PAGE_IMAGES]


def _addresses(element: _Element, base: str) -> tuple[str | None, list[str]]:
    """The image's address and its alternatives, chosen as for the element on the page (assets.crawl.html)."""
    given = element.source
    lazy = [given.get(name) for name in LAZY]
    lazy += [value for name in PERHAPS_LAZY if IMAGE_NAME.search(value := given.get(name) or "")]
    lazy += [largest(given.get(name)) for name in LAZY_SETS]
    candidates = [value for value in (*lazy, given.get("src"), largest(given.get("srcset"))) if value]
    found = [url for value in candidates if (url := join(base, value))]
    url = next((address for address in found if not address.startswith("data:")), found[0] if found else None)
    others = [value for value in candidates if value != given.get("src")]
    for name in ("srcset", *LAZY_SETS):
        others += addresses(given.get(name))
    others += [element.link] if element.link else []
    distinct = dict.fromkeys(other for other in joined(base, others) if other != url)
    return url, list(distinct)[:MAX_ALTERNATIVES]
