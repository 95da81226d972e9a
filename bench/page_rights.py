"""Rights evidence of one page, and of the pages of the sample crawl: `python -m bench.page_rights`."""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from assets.crawl.charsets import decode_html
from assets.crawl.html import PageRefused, parse_page
from assets.crawl.nesting import too_deep
from assets.crawl.warc import iter_records
from assets.rights.findings import Evidence, Findings, Subject
from assets.rights.http_rules import read_headers, read_reservation_metas
from assets.rights.image_rules import read_image
from assets.rights.markup import MAX_PAGE, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import mark_outside, read_markup
from assets.rights.prose import read_prose
from assets.rights.structured import read_structured
from bench.measure import duration, machine, table
from bench.warc_reading import files, is_page

IMAGES = 120
RUNS = 31
LIMIT = 0.010
"""Seconds that all evidence in HTML and headers of the page may take on one core."""

_URL = "http://gallery.example/album/1.html"
_BY_SA = "https://creativecommons.org/licenses/by-sa/4.0/"
_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_KINDS = ("by", "by-sa", "by-nc", "by-nd")

Samples = list[tuple[int, int, list[str]]]


def page(turn: int = 0) -> bytes:
    """A gallery of 120 figures in which every channel of a page speaks: 73 KB, made for this measurement.

    Args:
        turn: other names and captions for every number, so that no text is remembered from the page before.
    """
    links = "".join(
        f'<li class="entry"><a href="/album/{n}.html" class="navlink">Album {n}</a></li>' for n in range(60)
    )
    data = json.dumps({"@context": "https://schema.org", "@graph": _objects(turn)})
    head = (
        '<!DOCTYPE html><html lang="en" prefix="cc: http://creativecommons.org/ns# dct: http://purl.org/dc/terms/">'
        '<head><meta charset="utf-8"><title>Album</title><meta name="author" content="The Gallery">'
        f'<meta name="robots" content="index, max-image-preview:large, noai"><link rel="license" href="{_BY_SA}">'
        f'<script type="application/ld+json">{data}</script></head>'
    )
    figures = "".join(_figure(number, turn) for number in range(IMAGES))
    body = f"<body><header><nav><ul>{links}</ul></nav></header><main>{figures}</main>"
    foot = f'<footer><ul>{links}</ul><p>Pictures under <a rel="license" href="{_BY_SA}">CC BY-SA 4.0</a></p></footer>'
    return (head + body + foot + "</body></html>").encode()


def _objects(turn: int) -> list[dict[str, Any]]:
    return [
        {
            "@type": "ImageObject",
            "contentUrl": f"/i/{n}.jpg",
            "license": f"https://creativecommons.org/licenses/{_KINDS[n % 4]}/4.0/",
            "creator": {"@type": "Person", "name": f"Maker {turn}-{n}"},
            "creditText": f"Maker {turn}-{n} / Gallery",
        }
        for n in range(IMAGES)
    ]


def _figure(number: int, turn: int) -> str:
    about = f' about="/i/{number}.jpg"' if number % 6 == 0 else ""
    kind = _KINDS[number % 4]
    link = f'<a rel="license" href="https://creativecommons.org/licenses/{kind}/4.0/">CC {kind.upper()} 4.0</a>'
    return (
        f'<figure{about}><img src="/i/{number}.jpg" srcset="/i/{number}-2.jpg 2x, /i/{number}-3.jpg 3x" '
        f'alt="Picture {number}" width="400" height="300"><figcaption>View over the harbor from the hill {number} by '
        f"Maker {turn}-{number}, {link}</figcaption></figure>\n"
    )


def headers() -> bytes:
    """A response's status line and 25 header fields."""
    fields = [b"Content-Type: text/html; charset=utf-8", b"X-Robots-Tag: max-snippet:-1, noai", b"tdm-reservation: 1"]
    fields += [b'Link: </style.css>; rel=preload; as=style, <%s>; rel="license"' % _BY_SA.encode()]
    fields += [b"Content-Usage: train-ai=n"]
    fields += [b"X-Line-%d: value of a header field that says nothing of rights" % n for n in range(25 - len(fields))]
    return b"\r\n".join([b"HTTP/1.1 200 OK", *fields]) + b"\r\n\r\n"


def samples() -> Samples:
    """The page's images as the crawl stage hands them over."""
    host = "http://gallery.example"
    return [(n, n, [f"{host}/i/{n}{suffix}.jpg" for suffix in ("", "-2", "-3")]) for n in range(IMAGES)]


def read(body: bytes, block: bytes, url: str, charset: str | None, shown: Samples) -> Evidence:
    """What the rights stage reads of one page, in the same order, and the tables it makes of it."""
    findings = Findings()
    read_headers(block, url, Subject("page", 1), _WHEN, findings)
    if len(body) > MAX_PAGE or too_deep(body):
        return findings.evidence()
    tree = Page(body, url, charset, 1)
    images = Images(tree, shown)
    read_markup(tree, images, findings)
    read_structured(tree, images, findings)
    read_reservation_metas(tree, _WHEN, findings)
    read_prose(tree, _WHEN, findings)
    if findings.licenses_page(1):
        mark_outside(tree, images, findings)
    return findings.evidence()


def plain(body: bytes) -> int:
    """How many license links and JSON-LD objects BeautifulSoup finds: nothing is matched to an image."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    found = len(soup.find_all(["a", "link"], rel="license"))
    for script in soup.find_all("script", type="application/ld+json"):
        found += len(json.loads(script.string or "{}").get("@graph", ()))
    return found


def extracted(body: bytes) -> int:
    """What extruct finds in the same syntaxes: JSON-LD, microdata and RDFa."""
    import extruct

    found = extruct.extract(body, base_url=_URL, syntaxes=["json-ld", "microdata", "rdfa"])
    return sum(len(items) for items in found.values())


def seconds(ways: Mapping[str, Callable[[bytes], Any]], runs: int = RUNS) -> dict[str, float]:
    """Median processor time of each way, on a new page in every run; other work on the machine does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(runs):
        body = page(turn)
        for name, run in ways.items():
            started = time.process_time()
            run(body)
            taken[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in taken.items()}


def pages_of_the_crawl() -> list[tuple[bytes, bytes, str, str | None, Samples]]:
    """(body, header block, address, character set, images) of every page of the sample crawl that has images."""
    found = []
    for path in files():
        for record in iter_records(path):
            if not is_page(record):
                continue
            text, charset = decode_html(record.body, record.charset)
            try:
                images = parse_page(text, record.url or "").images
            except PageRefused:
                continue
            shown = [(i.position, i.position, [url for url in (i.url, *i.other_urls) if url]) for i in images]
            if shown:
                found.append((record.body, record.header_bytes, record.url or "", charset, shown))
    return found


def crawl_seconds(rounds: int = 5) -> tuple[float, int, int]:
    """Processor time for all pages of the sample crawl, median of the rounds; pages; images."""
    pages = pages_of_the_crawl()
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        for body, block, url, charset, shown in pages:
            read(body, block, url, charset, shown)
        taken.append(time.process_time() - started)
    return statistics.median(taken), len(pages), sum(len(shown) for *_, shown in pages)


def image_seconds(rounds: int = 5) -> list[float]:
    """Processor time for the metadata of each image file of the sample crawl, median of the rounds."""
    bodies = [
        record.body
        for path in files()
        for record in iter_records(path)
        if record.status == "ok" and (record.mime or "").startswith("image/")
    ]
    taken = []
    for body in bodies:
        runs = []
        for _ in range(rounds):
            started = time.perf_counter()
            read_image(body, 1, _WHEN, Findings())
            runs.append(time.perf_counter() - started)
        taken.append(statistics.median(runs))
    return taken


def main() -> str:
    """The section of docs/benchmarks.md."""
    block, shown = headers(), samples()
    ways: dict[str, Callable[[bytes], Any]] = {
        "Winnow: every rule, places in bytes, per image": lambda body: read(body, block, _URL, "utf-8", shown),
        "BeautifulSoup (html.parser): counts license links and JSON-LD objects": plain,
    }
    packages = ["selectolax", "beautifulsoup4"]
    if importlib.util.find_spec("extruct"):
        ways["extruct: JSON-LD, microdata and RDFa as data"] = extracted
        packages.append("extruct")
    taken = seconds(ways)
    ours = next(iter(taken.values()))
    rows = [(name, duration(value), f"{value / ours:.1f}") for name, value in taken.items()]
    found = read(page(), block, _URL, "utf-8", shown)
    all_pages, pages, images = crawl_seconds()
    files_taken = image_seconds()
    reached = "is reached" if ours < LIMIT else "is not reached"
    tables = (found.license_evidence, found.reservation_evidence, found.attribution)
    licenses, reservations, credits = (part.num_rows for part in tables)
    return f"""## Rights evidence of a page

A page of {len(page()) / 1e3:.0f} KB with {IMAGES} figures and 25 header fields, made for this measurement
(`bench/page_rights.py`): in each figure a license link and a credit, an ImageObject of JSON-LD for each image, RDFa `about`
on every sixth, and a license of the page in its head, its footer and its header. Winnow makes {licenses} license findings,
{reservations} opt-outs and {credits} credits of it. Median processor time of {RUNS} runs on one core, names and captions new in
every run.
{machine(packages)}.

{table(("way", "time a page", "times Winnow's"), rows)}

At most {LIMIT * 1e3:.0f} ms a page was the aim; it {reached}. The {pages} pages with images of the sample crawl take
{duration(all_pages)} together: {all_pages / pages * 1e3:.2f} ms a page, {all_pages / images * 1e6:.0f} µs an image.

Image files apart: metadata of the {len(files_taken):,} files of the sample crawl, most of which hold none, takes
{statistics.mean(files_taken) * 1e6:.1f} µs a file on average and {max(files_taken) * 1e6:.0f} µs at most."""


if __name__ == "__main__":
    print(main())
