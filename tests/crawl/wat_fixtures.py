"""A small WAT from a WARC: the entries that webarchive-commons writes, in its order, made with another HTML parser's tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from assets.crawl.charsets import decode_html
from assets.crawl.warc import WarcRecord, iter_records
from tests.crawl.warcs import block, member

MAX_TEXT = 128
WITH_IMG = ("alt", "title")
WITH_A = ("target", "alt", "title", "rel", "hreflang", "type")


def wat_record(content: dict[str, Any] | bytes, url: str = "http://a.example/") -> bytes:
    """A `metadata` record of a WAT, uncompressed."""
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return block("metadata", url, data, "application/json")


def warc_to_wat(source_path: Path, target_path: Path) -> int:
    """Write the WAT of a WARC: a record for every record, as Common Crawl does; returns how many are of pages."""
    pages = 0
    with target_path.open("wb") as stream:
        stream.write(member(block("warcinfo", None, b"software: tests\r\n", "application/warc-fields")))
        for record in iter_records(source_path):
            content = envelope(record, source_path.name)
            pages += "HTML-Metadata" in json.dumps(content)
            stream.write(member(wat_record(content, record.url or "http://none.example/")))
    return pages


def envelope(record: WarcRecord, file: str) -> dict[str, Any]:
    """The JSON of a record."""
    fields = {
        "WARC-Type": record.type,
        "WARC-Target-URI": record.url,
        "WARC-Date": record.fetched_at.strftime("%Y-%m-%dT%H:%M:%SZ") if record.fetched_at else None,
        "WARC-Payload-Digest": record.digest,
        "WARC-Truncated": record.truncated,
    }
    payload: dict[str, Any] = {"Actual-Content-Type": f"application/http; msgtype={record.type}"}
    if record.type == "response":
        answer: dict[str, Any] = {
            "Response-Message": {"Version": "HTTP/1.1", "Status": str(record.http_status), "Reason": "OK"},
            "Headers": headers(record),
        }
        if record.status == "ok" and record.mime in ("text/html", "application/xhtml+xml"):
            answer["HTML-Metadata"] = html_metadata(decode_html(record.body, record.charset)[0])
        payload["HTTP-Response-Metadata"] = answer
    return {
        "Container": {"Filename": file, "Compressed": True, "Offset": str(record.offset)},
        "Envelope": {
            "Format": "WARC",
            "WARC-Header-Metadata": {name: value for name, value in fields.items() if value},
            "Payload-Metadata": payload,
        },
    }


def headers(record: WarcRecord) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in record.headers:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def html_metadata(html: str) -> dict[str, Any]:
    """Head and Links of a page; an <a> comes when it closes, after what stands in it."""
    root = LexborHTMLParser(html).root
    head: dict[str, list | str] = {"Metas": [], "Link": []}
    links: list[dict[str, str]] = []
    for node, closing in _events(root):
        _entry(node, closing, head, links)
    return {"Head": {name: value for name, value in head.items() if value}, "Links": links}


def _entry(node: LexborNode, closing: bool, head: dict[str, Any], links: list[dict[str, str]]) -> None:
    attributes = {name: value or "" for name, value in node.attributes.items()}
    if closing:
        if node.tag == "a" and "href" in attributes:
            text = " ".join(node.text(deep=True).split())[:MAX_TEXT]
            entry = {"path": "A@/href", "url": attributes["href"], **_of(attributes, WITH_A)}
            links.append({**entry, "text": text} if text else entry)
    elif node.tag == "html":
        named = [name for name in ("lang", "xml:lang") if name in attributes]
        head["Metas"] += [{"name": f"HTML@/{name}", "content": attributes[name]} for name in named]
    elif node.tag == "base" and "href" in attributes:
        head.setdefault("Base", attributes["href"])
    elif node.tag == "title":
        head.setdefault("Title", node.text(deep=True).strip()[:MAX_TEXT])
    elif node.tag == "meta":
        head["Metas"].append(_of(attributes, ("name", "rel", "content", "http-equiv", "property")))
    elif node.tag == "link" and "href" in attributes:
        head["Link"].append({"path": "LINK@/href", "url": attributes["href"], **_of(attributes, ("rel", "type"))})
    elif node.tag == "img":
        if "src" in attributes:
            links.append({"path": "IMG@/src", "url": attributes["src"], **_of(attributes, WITH_IMG)})
        if "longdesc" in attributes:
            links.append({"path": "IMG@/longdesc", "url": attributes["longdesc"]})


def _of(attributes: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: attributes[name] for name in names if name in attributes}


def _events(root: LexborNode | None):
    """(element, whether it closes) in document order."""
    waiting = [(root, False)] if root is not None else []
    while waiting:
        node, closing = waiting.pop()
        yield node, closing
        if not closing:
            waiting.append((node, True))
            waiting += [(child, False) for child in reversed(list(node.iter(include_text=False)))]
