"""Damaged pages, headers, images and site files for the rights rules: whatever they find must read back from its bytes."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pyarrow as pa

from assets.crawl.warc import read_record
from assets.provenance.tables import TABLES
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.sites import read_site_files, site_evidence
from assets.rights.verify import FINE, evidence_rows, verify_with
from tests.crawl.shards import crawl_warc
from tests.crawl.warcs import response, write
from tests.fuzz.mutators import mutate
from tests.rights.image_files import BY, encoded, in_jpeg, in_png, iptc, packet, photoshop, png_text, segment, svg

DEED = "https://creativecommons.org/licenses/by-sa/3.0/"
PAGE = f"""<!DOCTYPE html><html prefix="cc: http://creativecommons.org/ns#"><head><title>t</title><base href="/d/">
<meta name="robots" content="noai, otherbot: noindex, max-image-preview:large"><meta name="tdm-reservation" content="1">
<meta name="tdm-policy" content="http://a.example/p.json"><meta name="dcterms.license" content="CC BY 4.0">
<meta property="og:license" content="{BY}">
<link rel="license" type="application/rsl+xml" href="/rsl.xml"><link rel=license href="{DEED}"></head><body><nav>
<a rel=license href="{BY}">l</a></nav>
<main><figure><img src="/i.jpg" alt="a"><figcaption>A bird by <span property="cc:attributionName">Ann</span>, © 2020 B.
<a rel="license" href="{BY}">CC BY</a></figcaption></figure><figure><img src="/i.jpg">
<figcaption>All rights reserved.</figcaption></figure>
<div itemscope itemtype="https://schema.org/ImageObject"><img itemprop="contentUrl" src="/i.jpg">
<a itemprop="license" href="{DEED}">x</a>
<b itemprop="license">CC BY 4.0</b><span itemprop="creator" itemscope itemtype="http://schema.org/Person">
<i itemprop="name">Cy</i></span></div>
<div about="/i.jpg"><a rel="cc:license dct:license" href="{BY}">x</a><span property="dct:title">T</span></div>
<script type="application/ld+json">{{"@context":"https://schema.org","@graph":[{{"@type":"ImageObject","contentUrl":"/i.jpg","license":["{BY}"],
"creator":{{"@id":"#p"}}}},{{"@id":"#p","@type":"Person","name":"Dee"}},{{"@type":"WebPage","license":"{DEED}"}}]}}
</script>
<figure class="gallery"><figure><img src="/i.jpg"><figcaption>CC BY-NC 4.0</figcaption></figure><figure><img src="/j.jpg"></figure>
<figcaption>Photo: Ann/AP, <a href="{DEED}">terms</a></figcaption></figure>
<div class="wp-caption"><img src="/i.jpg"><p class="wp-caption-text">CC BY 4.0, non-commercial use only</p></div>
<article itemscope itemtype="https://schema.org/Article"><a itemprop="license" href="{BY}">x</a></article>
<script type="application/ld+json">{{"@type":"ImageObject","contentUrl":"/i.jpg","copyrightNotice":"(c) Ann. All rights reserved."}}
</script><script type="application/ld+json">{{"@type":"ImageObject","contentUrl":"/i.jpg","license":"{BY}",}}</script>
<p>Using these pages to train artificial intelligence is prohibited.</p><div class="comment">
<a rel=license href="{BY}">mine</a><b class="reply"><img src="/i.jpg"></b></div>
<script type="application/rsl+xml"><rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>
<prohibits type="usage">ai-train</prohibits>
</license></content></rsl></script></main><footer><img src="/i.jpg"></footer></body></html>""".encode()
HEADERS = (
    f'Link: <{BY}>; rel="license", </r.xml>; rel=license; type="application/rsl+xml"',
    "X-Robots-Tag: noai, otherbot: noindex, noimageai", "Content-Usage: train-ai=n, search=y", "TDM-Reservation: 1",
    "TDM-Policy: http://a.example/p", "Content-Signal: ai-train=no, search=yes",
)  # fmt: skip
SITES = {
    "/robots.txt": b"License: /rsl.xml\nUser-agent: GPTBot\nUser-agent: CCBot/2.0\nDisallow: /i # x\nContent-Signal: ai-train=no\n"
    b"Content-Usage: /d train-ai=n\n\nUser-agent: *\nAllow: /\nDisallow: /*.jpg$\nContent-Usage: ai=n\n",
    "/ai.txt": b"User-Agent: *\nDisallow: *.jpg\nAllow: /\n",
    "/trust.txt": b"member=x\ndatatrainingallowed=no\n",
    "/.well-known/tdmrep.json": b'[{"location": "/i.jpg", "tdm-reservation": 1, "tdm-policy": "http://a.example/p"},\n'
    b'{"location": "*", "tdm-reservation": 0}]',
    "/rsl.xml": b'<?xml version="1.0"?><rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
    b'<permits type="usage">search</permits><payment type="training"/></license></content></rsl>',
}


@cache
def images() -> tuple[bytes, ...]:
    """Small files with one of every block that is read."""
    words = (
        f'<cc:license rdf:resource="{BY}"/><xapRights:Marked>True</xapRights:Marked>'
        '<p:DataMining rdf:resource="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"/>'
        "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>"
    )
    xmp = packet(words).encode()
    notices = photoshop(iptc((80, b"Ann"), (116, b"CC BY 4.0")))
    return (
        in_jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp), segment(0xED, notices),
                segment(0xFE, b"(c) Ann, CC BY 4.0")),
        in_png(png_text("XML:com.adobe.xmp", xmp.decode()), png_text("Copyright", "CC BY 4.0", compressed=True)),
        encoded("WEBP", xmp=xmp), encoded("GIF", comment=b"CC BY 4.0"),
        svg(f'<cc:license rdf:resource="{BY}"/>'),
    )  # fmt: skip


PARTS = ("page", "headers", "image", *SITES)


def make_rights(rng: random.Random) -> bytes:
    """Which part is damaged, and its bytes."""
    part = rng.choice(PARTS)
    if part == "image":
        return b"image\n" + mutate(rng.choice(images()), images(), rng)
    whole = {"page": PAGE, "headers": "\r\n".join(HEADERS).encode(), **SITES}[part]
    return part.encode() + b"\n" + mutate(whole, (PAGE, *SITES.values()), rng)


def check_rights(data: bytes, folder: Path) -> str:
    """Every finding reads back the same from the bytes that it names."""
    part, _, damaged = data.partition(b"\n")
    made = {
        "page": PAGE,
        "headers": "\r\n".join(HEADERS).encode(),
        "image": images()[0],
        **SITES,
        part.decode(): damaged,
    }
    headers = [line for line in made["headers"].decode("latin-1").replace("\r", "\n").split("\n") if line.strip()]
    # HTTP headers that do not end where they should would make another body of it.
    records = [response("http://a.example/d/p.html", made["page"], "text/html; charset=utf-8", "200 OK", *headers),
               response("http://a.example/i.jpg", made["image"], "image/jpeg", "200 OK", *headers)]  # fmt: skip
    records += [
        response(f"http://a.example{path}", made[path], "text/xml" if path.endswith("xml") else "text/plain")
        for path in SITES
    ]
    path = write(folder / "file.warc.gz", *records)
    crawled = crawl_warc(path, 1, folder / "images.tar")
    found = collect_evidence(Sources(path), 1, crawled.record, crawled.sample)
    said = site_evidence(read_site_files(found.site_file), crawled.record, crawled.sample, found.rsl_reference)
    rows = evidence_rows(found.license_evidence, pa.concat_tables([found.reservation_evidence, said]), crawled.record)
    parts = {number: response_parts(path, offset) for number, offset in _offsets(crawled.record)}
    for row in rows.to_pylist():
        outcome = verify_with(row, lambda record_id, part: parts[record_id][part])
        assert outcome.outcome in FINE, f"{row['rule']} says {row['says']} ({row['value']!r}): {outcome}"
    assert TABLES["license_evidence"].schema.equals(found.license_evidence.schema)
    return "found" if rows.num_rows else "nothing"


def _offsets(record: pa.Table) -> list[tuple[int, int]]:
    return list(zip(record["record_id"].to_pylist(), record["offset"].to_pylist(), strict=True))


def response_parts(path: Path, offset: int) -> dict[str, bytes]:
    """Headers and body of a record."""
    record = read_record(path, offset)
    return {"headers": record.header_bytes, "body": record.body}
