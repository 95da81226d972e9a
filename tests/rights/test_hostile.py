"""Bytes made to hurt: no rule raises, takes long, reads a file, or calls allowed what it could not read.

The time bound is generous: everything here takes a small fraction of it, and anything quadratic takes far more.
"""

import gzip
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from assets.rights import rsl
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.findings import Evidence, Findings, Subject
from assets.rights.http_rules import read_headers
from assets.rights.image_rules import read_image
from assets.rights.policy import load_policy
from assets.rights.site_rules import SiteFile, Target, read_sites
from assets.rights.verdict import occurrences
from tests.crawl.shards import crawl_warc
from tests.rights.conftest import licenses_in, read_page, reservations_in

MOST_SECONDS = 5.0
"""Process time of one case."""

MEGABYTE = 1_000_000
SECRET = "the words of a file that nobody should read"


@contextmanager
def bounded() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < MOST_SECONDS


def says(evidence: Evidence) -> set[str]:
    """Decisions of all opt-outs found."""
    return {decision for _, _, decision in reservations_in(evidence)}


def unread(evidence: Evidence) -> set[str]:
    """Rules that say of a license that they could not read it."""
    return {rule for _, _, rule, spdx_id in licenses_in(evidence) if spdx_id == "NOASSERTION"}


def robots(body: bytes, kind: str = "robots", paths: int = 200) -> Evidence:
    findings = Findings()
    file = SiteFile(kind=kind, origin="http://site.example", record_id=1, observed_at=None, body=body)
    targets = [Target(Subject("page", i), f"http://site.example/a/b/c{i}.html?q={i}") for i in range(paths)]
    with bounded():
        read_sites([file], targets, findings)
    return findings.evidence()


def headers(*lines: str) -> Evidence:
    block = "HTTP/1.1 200 OK\r\n" + "".join(f"{line}\r\n" for line in lines)
    findings = Findings()
    with bounded():
        read_headers(block.encode("latin-1"), "http://site.example/", Subject("page", 1), None, findings)
    return findings.evidence()


def image(data: bytes) -> Evidence:
    findings = Findings()
    with bounded():
        read_image(data, 1, None, findings)
    return findings.evidence()


def page(html: str, images: list[str] = ()) -> Evidence:
    with bounded():
        return read_page(html, images)


def filled(line: str, size: int = MEGABYTE) -> bytes:
    """A line, numbered, as often as it takes."""
    count = size // len(line) + 1
    return "".join(f"{line}\n".replace("#N", str(number)) for number in range(count)).encode()[:size]


CLOSED = b"User-agent: *\nDisallow: /\n"
OPEN = b"User-agent: *\nContent-Signal: ai-train=yes\n"
ROBOTS = {
    "many groups": filled("User-agent: bot#N\nDisallow: /x#N\n") ,
    "many agents in one group": filled("User-agent: bot#N"),
    "one agent again and again": filled("User-agent: GPTBot\nDisallow: /x#N"),
    "many rules": filled("Disallow: /x#N/"),
    "the same rule": filled("Disallow: /"),
    "many wildcards": filled("Disallow: /*x#N*y*z$"),
    "stars in a row": b"Disallow: /" + b"*" * MEGABYTE,
    "stars and letters": b"Disallow: /" + b"*a" * (MEGABYTE // 2),
    "percent signs": b"Disallow: /" + b"%2" * (MEGABYTE // 2),
    "many preferences": filled("Content-Usage: /p#N train-ai=n"),
    "preferences of one path": filled("Content-Usage: train-ai=n;a=#N"),
    "many signals": filled("Content-Signal: ai-train=no, x#N=yes"),
    "many licenses": filled("License: http://site.example/#N.xml"),
    "one line": b"Disallow: /" + b"x" * MEGABYTE,
    "no lines": b"\0" * MEGABYTE,
    "ends of lines": b"\r\n" * (MEGABYTE // 2),
    "colons": b":" * MEGABYTE,
    "comments": filled("# Disallow: /#N"),
    "words that are agents": filled("User-agent: a b c d e f g h i j k l m n o p q r s t #N"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["robots", "ai_txt"])
@pytest.mark.parametrize("shape", ROBOTS)
def test_a_megabyte_of_robots_txt_keeps_what_stands_above_it_and_says_that_there_is_more(shape, kind):
    assert says(robots(CLOSED + ROBOTS[shape], kind)) == {"reserved", "conditional"}


@pytest.mark.parametrize("shape", ROBOTS)
def test_a_megabyte_below_a_permission_is_a_condition_and_no_permission(shape):
    assert "conditional" in says(robots(OPEN + ROBOTS[shape]))
    assert "allowed" not in says(robots(OPEN + ROBOTS[shape]))


@pytest.mark.parametrize("shape", ROBOTS)
def test_a_rule_is_heard_below_as_much_as_is_read_or_the_file_is_a_condition(shape):
    """Shapes of few kinds of rules are read to the end, so the rule itself must be heard below them."""
    found = robots(OPEN + ROBOTS[shape][:400_000] + b"\n" + CLOSED)
    assert says(found) & {"reserved", "conditional"}
    if shape not in ("many wildcards", "preferences of one path", "many signals", "many licenses"):
        assert ("robots_agents", "tdm", "reserved") in reservations_in(found)
        assert ("robots_unread", "tdm", "conditional") not in reservations_in(found)


def test_a_robots_txt_of_more_wildcards_than_anybody_means_is_a_condition():
    found = robots(b"User-agent: *\n" + ROBOTS["many wildcards"])
    assert says(found) == {"conditional"}


def test_few_wildcards_of_much_text_are_a_condition_beside_the_rules_that_are_tried():
    rules = b"".join(b"Disallow: /*%dq%s\n" % (number, b"*a" * 240) for number in range(500))
    found = robots(b"User-agent: *\nDisallow: /*.html\n" + rules)
    assert reservations_in(found) == {("robots_agents", "tdm", "reserved"), ("robots_unread", "tdm", "conditional")}
    entries = b",".join(b'{"location": "/*%dq%s", "tdm-reservation": 0}' % (n, b"*a" * 240) for n in range(500))
    assert reservations_in(robots(b"[" + entries + b"]", "tdmrep")) == {("tdmrep_unread", "tdm", "conditional")}


@pytest.mark.parametrize("shape", ROBOTS)
def test_a_trust_txt_is_heard_above_a_megabyte_and_allows_nothing_where_there_is_more(shape):
    assert says(robots(b"datatrainingallowed=no\n" + ROBOTS[shape], "trust_txt")) == {"reserved"}
    assert says(robots(b"datatrainingallowed=yes\n" + ROBOTS[shape] * 2, "trust_txt")) == {"conditional"}


TDMREP = {
    "deep": b"[" * 100_000,
    "deep entry": b'[{"location": "/", "tdm-reservation": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    "many entries": b"[" + b",".join(b'{"location": "/p%d", "tdm-reservation": 1}' % i for i in range(100_000)) + b"]",
    "many patterns": b"[" + b",".join(b'{"location": "/*%d*a*b$", "tdm-reservation": 1}' % i for i in range(20_000)) + b"]",
    "a long number": b'[{"location": "/", "tdm-reservation": ' + b"1" * 100_000 + b"}]",
    "commas": b"[" + b"," * MEGABYTE + b"]",
    "spaces": b"[" + b" " * MEGABYTE,
    "no text": b"\xff\xfe" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("shape", TDMREP)
def test_a_broken_or_endless_tdm_file_allows_nothing(shape):
    # Commas alone are read as a list of nothing.
    assert says(robots(TDMREP[shape], kind="tdmrep")) in ({"unknown"}, {"conditional"}) or shape == "commas"


HEADERS = {
    "link": ('Link: <http://x.example/#N>; rel="next"',
             'Link: <https://creativecommons.org/licenses/by/4.0/>; rel="license"'),
    "x-robots-tag": ("X-Robots-Tag: noarchive", "X-Robots-Tag: noai"),
    "x-robots-tag of others": ("X-Robots-Tag: bot#N: none", "X-Robots-Tag: noai"),
    "content-usage": ("Content-Usage: k#N", "Content-Usage: train-ai=n"),
    "tdm-reservation": ("TDM-Reservation: 2", "TDM-Reservation: 1"),
    "folded": ("X-Robots-Tag: a,\r\n b", "X-Robots-Tag: noai"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADERS)
def test_ten_thousand_headers_do_not_hide_the_last_one(kind):
    filler, last = HEADERS[kind]
    found = headers(*(filler.replace("#N", "")[:24] if "link" not in kind else 'Link: <a>;rel="n"',) * 10_000, last)
    assert "allowed" not in says(found)
    # The value may be too long to be read as a whole; then it says that, and nothing more.
    stated = {spdx_id for *_, spdx_id in licenses_in(found)}
    assert says(found) & {"reserved", "conditional", "unknown"} or stated & {"CC-BY-4.0", "NOASSERTION"}


LONG_VALUES = {
    "directives": "X-Robots-Tag: " + "noarchive, " * 10_000 + "noai",
    "names": "X-Robots-Tag: " + "b: a, " * 10_000 + "*: noai",
    "dictionary": "Content-Usage: " + "k, " * 10_000 + "train-ai=n",
    "links": "Link: " + '<http://x.example/>; rel="next", ' * 5_000
             + '<https://creativecommons.org/licenses/by-nc/4.0/>; rel="license"',
    "parameters": "Link: <https://creativecommons.org/licenses/by-nc/4.0/>" + "; a=b" * 20_000 + '; rel="license"',
    "quotes": 'Link: <https://creativecommons.org/licenses/by-nc/4.0/>; title="' + '\\"' * 50_000 + '"; rel="license"',
}  # fmt: skip


@pytest.mark.parametrize("shape", LONG_VALUES)
def test_a_header_too_long_to_be_read_says_so_and_allows_nothing(shape):
    found = headers(LONG_VALUES[shape])
    assert "allowed" not in says(found)
    stated = {spdx_id for *_, spdx_id in licenses_in(found)}
    assert says(found) & {"reserved", "conditional", "unknown"} or stated & {"CC-BY-NC-4.0", "NOASSERTION"}


@pytest.mark.parametrize("shape", ["<<" * 50_000, "<a>;" * 50_000, '<a>; x="' + "\\" * 99_999, "," * 99_999 + "<a"])
def test_a_link_header_that_is_no_link_header_is_nothing(shape):
    assert licenses_in(headers(f"Link: {shape}")) == set()


BY = '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY</a>'
LINKS = {
    "plain": '<a href="/#N">x</a>',
    "with relations": '<a rel="nofollow" href="/#N">x</a>',
    "properties": '<span property="x:#N" content="y"></span>',
    "to licenses": '<a href="https://creativecommons.org/licenses/by-nd/4.0/?#N">x</a>',
    "metas": '<meta name="m#N" content="x">',
    "items": '<div itemscope itemtype="https://schema.org/ImageObject"><b itemprop="name">#N</b></div>',
    "figures": "<figure><figcaption>#N</figcaption></figure>",
    "open elements": "<div class=#N>",
    "scripts": '<script type="application/ld+json">{}</script>',
}  # fmt: skip


@pytest.mark.parametrize("shape", LINKS)
def test_fifty_thousand_elements_do_not_hide_a_license_or_it_is_unread(shape):
    count = 400 if shape == "open elements" else 50_000
    html = "".join(LINKS[shape].replace("#N", str(number)) for number in range(count))
    found = page(f'<img src="/a.png">{html}{BY}', ["/a.png"])
    of_page = {spdx_id for subject, _, rule, spdx_id in licenses_in(found) if rule not in ("page_link", "outside_main")}
    assert of_page & {"CC-BY-4.0", "NOASSERTION"}


def test_an_opt_out_behind_ten_thousand_meta_elements_is_seen_or_the_page_is_unread():
    metas = "".join(f'<meta name="m{number}" content="x">' for number in range(10_000))
    found = page(f'{metas}<meta name="robots" content="noai">')
    assert says(found) & {"reserved", "conditional", "unknown"}
    assert "allowed" not in says(found)


STATED = '"@type": "ImageObject", "contentUrl": "/a.png", "license": "https://creativecommons.org/licenses/by/4.0/"'
BESIDE = "{" + STATED + ', "x": '
JSON = {
    "lists": BESIDE + "[" * 100_000 + "]" * 100_000 + "}",
    "objects": BESIDE + '{"a":' * 100_000 + "1" + "}" * 100_001,
    "not closed": BESIDE + "[" * 100_000,
    "two megabytes": "[{" + STATED + "}" + ', "x"' * 500_000 + "]",
    "many objects": "[" + '{"a": {}}, ' * 50_000 + "{" + STATED + "}]",
    "a long number": BESIDE + "9" * 100_000 + "}",
}


@pytest.mark.parametrize("shape", JSON)
def test_json_too_deep_or_too_large_is_read_or_unread_never_passed_over(shape):
    found = page(f'<img src="/a.png"><script type="application/ld+json">{JSON[shape]}</script>', ["/a.png"])
    stated = {spdx_id for *_, spdx_id in licenses_in(found)}
    assert stated & {"CC-BY-4.0", "NOASSERTION"}


@pytest.fixture
def secret(tmp_path) -> str:
    (tmp_path / "secret.txt").write_text(SECRET)
    return (tmp_path / "secret.txt").as_uri()


ENTITIES = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
LAUGHS = f"<!DOCTYPE b [<!ENTITY l0 'ha'>{ENTITIES}]>"
BLOWUP = f"<!DOCTYPE b [<!ENTITY a '{'a' * 50_000}'>]>"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def bombs(secret: str) -> dict[str, tuple[str, str]]:
    """(what stands before the root element, a value that asks for it)."""
    return {
        "billion laughs": (LAUGHS, "&l11;"),
        "quadratic blowup": (BLOWUP, "&a;" * 20_000),
        "external entity": (f'<!DOCTYPE b [<!ENTITY e SYSTEM "{secret}">]>', "&e;"),
        "parameter entity": (f'<!DOCTYPE b [<!ENTITY % p SYSTEM "{secret}"> %p;]>', "x"),
        "external document type": (f'<!DOCTYPE b SYSTEM "{secret}">', "x"),
    }


BOMBS = list(bombs(""))


def packet(before: str, value: str) -> bytes:
    rdf = f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    rdf += f"<dc:rights>{value}</dc:rights></rdf:Description></rdf:RDF>"
    return f'{before}<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>'.encode()


def in_png(data: bytes) -> bytes:
    chunk = b"XML:com.adobe.xmp\0\0\0\0\0" + data
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(chunk)) + b"iTXt" + chunk + b"\0\0\0\0"


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_xmp_packet_that_declares_entities_is_unread(bomb, secret):
    found = image(in_png(packet(*bombs(secret)[bomb])))
    assert unread(found) == {"metadata_unread"}
    assert SECRET not in str(found)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_drawing_that_declares_entities_states_nothing_from_them(bomb, secret):
    before, value = bombs(secret)[bomb]
    rdf = f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:cc="http://creativecommons.org/ns#"><cc:Work rdf:about="">'
    rdf += f"<cc:license>{value}</cc:license></cc:Work></rdf:RDF>"
    drawing = f'{before}<svg xmlns="http://www.w3.org/2000/svg"><metadata>{rdf}</metadata></svg>'
    found = image(drawing.encode())
    assert unread(found)
    assert {spdx_id for *_, spdx_id in licenses_in(found)} == {"NOASSERTION"}
    assert SECRET not in str(found.license_evidence.to_pylist() + found.attribution.to_pylist())


ATTRIBUTES = " ".join(f'a{n}="1"' for n in range(50_000))


@pytest.mark.parametrize("shape", ["deep", "wide", "values", "attributes", "names", "words", "not closed", "packed"])
def test_a_packet_made_to_be_large_is_unread_or_read(shape):
    """Each packet ends with a license, which is found, or else the packet is said to be unread."""
    texts = {
        "deep": "<a>" * 100_000,
        "wide": "</dc:rights>" + "<dc:x/>" * 100_000 + "<dc:rights>",
        "values": "</dc:rights>" + "<dc:rights>x</dc:rights>" * 1_000 + "<dc:rights>",
        "attributes": f"</dc:rights></rdf:Description><rdf:Description {ATTRIBUTES}><dc:rights>",
        "names": f"</dc:rights><dc:x {ATTRIBUTES}/><dc:rights>",
        "words": "</dc:rights><dc:x>" + "x" * 900_000 + "</dc:x><dc:rights>",
        "not closed": "<![CDATA[" + "x" * 500_000,
        "packed": "",
    }
    data = packet("", f"{texts[shape]}CC BY-NC 4.0")
    if shape == "packed":
        bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x:xmpmeta>" * 20_000_000, 9)
        file = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(bomb)) + b"iTXt" + bomb + b"\0\0\0\0"
    else:
        file = in_png(data)
    found = image(file)
    if shape in ("names", "words"):
        assert licenses_in(found) == {("image", 1, "xmp_dc_rights", "CC-BY-NC-4.0")}
        assert says(found) == set()
    else:
        assert licenses_in(found) == {("image", 1, "metadata_unread", "NOASSERTION")}
        assert says(found) == {"unknown"}


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_rsl_document_that_declares_entities_grants_nothing(bomb, secret):
    before, value = bombs(secret)[bomb]
    document = f'{before}<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
    document += f'<permits type="usage">{value}</permits></license></content></rsl>'
    with bounded():
        granted = rsl_decisions(document.encode())
    assert "allowed" not in granted


RSL = {
    "deep": b"<rsl>" * 100_000,
    "wide": b'<rsl xmlns="https://rslstandard.org/rsl">' + b'<content url="/x"/>' * 50_000 + b"</rsl>",
    "not xml": b"\0" * MEGABYTE,
    "large": b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/">' + b"x" * (2 << 20) + b"</content></rsl>",
}


@pytest.mark.parametrize("shape", RSL)
def test_an_rsl_document_made_to_be_large_grants_nothing(shape):
    with bounded():
        granted = rsl_decisions(RSL[shape])
    assert "allowed" not in granted


def rsl_decisions(document: bytes) -> set[str]:
    """Decisions of an RSL document about one path."""
    try:
        terms = rsl.parse(document)
    except rsl.UnreadableError:
        return set()
    return {said.decision for said in rsl.decide(terms, "/a/b.html")}


def test_a_hostile_crawl_file_is_judged_and_lets_nothing_through(tmp_path):
    """Everything at once, from WARC bytes to verdicts: the page cannot be read, so no image of it is allowed."""
    deep = "<div>" * 100_000 + f'<img src="/a.png" alt="a drawing of a cat">{BY}'
    answers = [
        ("http://site.example/robots.txt", "text/plain", b"User-agent: *\n" + ROBOTS["many wildcards"]),
        ("http://site.example/.well-known/tdmrep.json", "application/json", TDMREP["deep"]),
        ("http://site.example/", "text/html", f'<img src="/a.png" alt="a drawing of a cat">{deep}'.encode()),
        ("http://site.example/a.png", "image/png", in_png(packet(LAUGHS, "&l11;"))),
    ]
    path = tmp_path / "hostile.warc.gz"
    path.write_bytes(b"".join(warc_record(*answer) for answer in answers))
    crawled = crawl_warc(path, 1, tmp_path / "image.tar")
    with bounded():
        found = collect_evidence(Sources(path), 1, crawled.record, crawled.sample)
    assert "allowed" not in says(found)
    judged = occurrences(
        crawled.sample, crawled.image, found.license_evidence, found.reservation_evidence, found.attribution,
        load_policy("commercial-open"),
    )  # fmt: skip
    assert "allow" not in judged["verdict"].to_pylist()


def warc_record(url: str, mime: str, body: bytes) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{zlib.crc32(url.encode()):032x}>\r\n"
    head += f"Content-Type: application/http;msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)
