"""Every finding of the sample crawl read again, and what a changed byte, range or value does to it."""

import random
from collections import Counter, defaultdict
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.crawl.warc import read_record
from assets.rights.findings import RULES, Evidence, Findings, Subject
from assets.rights.http_rules import read_headers, read_reservation_metas
from assets.rights.image_rules import read_image
from assets.rights.markup import MAX_PAGE, MAX_STATEMENTS, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import read_markup
from assets.rights.rereading import Origin
from assets.rights.reservations import PROTOCOL_OF
from assets.rights.site_rules import SiteFile, Target, read_sites
from assets.rights.verify import (
    PartGoneError,
    drawn,
    evidence_rows,
    origin_of,
    reader_of,
    verify,
    verify_sample,
)
from tests.rights.conftest import URL, read_page, table

BY, SA = "https://creativecommons.org/licenses/by/4.0/", "https://creativecommons.org/licenses/by-sa/4.0/"


def rows_of(shard) -> pa.Table:
    found = shard.evidence
    return evidence_rows(found.license_evidence, found.reservation_evidence, shard.crawled.record)


def parts_of(path, record):
    """A function that opens parts of a crawl file's records."""
    offsets = dict(zip(record["record_id"].to_pylist(), record["offset"].to_pylist(), strict=True))
    kept = {}

    def open_part(record_id: int, part: str) -> bytes:
        if record_id not in kept:
            kept.clear()
            kept[record_id] = read_record(path, offsets[record_id])
        return kept[record_id].header_bytes if part == "headers" else kept[record_id].body

    return open_part


@pytest.fixture(scope="module")
def opened(shards) -> list[tuple[dict, bytes]]:
    """Every finding of the sample crawl with the part it names."""
    found = []
    for shard in shards.values():
        open_part = parts_of(shard.path, shard.crawled.record)
        rows = rows_of(shard).sort_by("record_id").to_pylist()
        found += [(row, open_part(row["record_id"], row["part"])) for row in rows]
    return found


def outcomes(pairs) -> Counter:
    return Counter(verify(row, part, origin_of(row)).outcome for row, part in pairs)


def test_every_finding_of_the_crawl_reads_the_same(opened):
    wrong = [(row, found) for row, part in opened if (found := verify(row, part, origin_of(row))).outcome != "same"]
    assert wrong == []
    assert len(opened) > 1000
    assert {row["rule"] for row, _ in opened} >= {
        "figure_rel", "page_rel", "page_link", "comment_rel", "rdfa_about", "jsonld_image", "jsonld_page", "jsonld_unread",
        "figure_text", "caption_notice", "outside_main", "http_link_image", "xmp_cc_license", "xmp_marked",
        "exif_copyright", "svg_cc_license", "plus_data_mining", "robots_agents", "content_usage_robots",
        "content_usage_header", "content_signal", "x_robots_tag", "meta_robots", "tdmrep_file", "tdmrep_header",
        "tdmrep_meta", "ai_txt",
    }  # fmt: skip


def test_a_changed_byte_at_the_start_of_a_range_is_noticed_whatever_the_rule(opened):
    def flipped(row, part):
        at = row["byte_start"]
        return part[:at] + bytes([part[at] ^ 1]) + part[at + 1 :]

    assert "same" not in outcomes((row, flipped(row, part)) for row, part in opened)


@pytest.mark.parametrize("step", [-3, 3])
def test_a_shifted_range_is_noticed_whatever_the_rule(opened, step):
    def shifted(row, part):
        end = min(row["byte_end"] + step, len(part))
        return row | {"byte_start": max(row["byte_start"] + step, 0), "byte_end": end}

    moved = [(shifted(row, part), part) for row, part in opened]
    # A file of one block has nowhere to shift to on one side.
    moved = [(row, part) for row, part in moved if row["byte_start"] or step > 0]
    assert [row for row, part in moved if verify(row, part, origin_of(row)).outcome == "same"] == []


def test_a_value_that_is_not_in_the_bytes_is_noticed_whatever_the_rule(opened):
    assert set(outcomes((row | {"value": row["value"] + "?"}, part) for row, part in opened)) == {"differs"}


def test_a_license_that_the_value_does_not_give_is_told_apart(opened):
    licenses = [(row | {"says": "LicenseRef-Other"}, part) for row, part in opened if row["usage"] is None]
    decisions = [(row | {"says": "allowed" if row["says"] == "reserved" else "reserved"}, part)
                 for row, part in opened if row["usage"] is not None]  # fmt: skip
    for row, part in licenses + decisions:
        assert verify(row, part, origin_of(row)).outcome == "differs_reading", row


def test_a_robots_finding_needs_its_agents_in_the_file(opened):
    row, part = next((row, part) for row, part in opened if row["rule"] == "robots_agents")
    renamed = row | {"value": "Nobodybot" + row["value"][row["value"].index(":") :]}
    assert verify(renamed, part, origin_of(renamed)).outcome == "differs"


def test_a_finding_without_a_range_is_unplaced_and_one_without_a_reader_says_so(opened):
    row = opened[0][0] | {"byte_start": None, "byte_end": None}
    assert verify(row, b"").outcome == "unplaced"
    assert verify(row | {"rule": "hearsay"}, b"").outcome == "unknown_rule"


RULE_NAMES = sorted({*RULES, *PROTOCOL_OF, *(f"{rule}_legacy" for rule in PROTOCOL_OF)})


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_has_a_reader(rule):
    assert reader_of(rule) is not None


def verified(evidence: Evidence, part: bytes, **origin) -> dict[str, set[str]]:
    """Outcomes by rule of findings made from one part of one record."""
    made = table("record", [{"record_id": 1, **origin}])
    found = defaultdict(set)
    for row in evidence_rows(evidence.license_evidence, evidence.reservation_evidence, made).to_pylist():
        found[row["rule"]].add(verify(row, part, origin_of(row, ["OurBot"])).outcome)
    return dict(found)


def page_findings(html: str, charset: str) -> Evidence:
    """What a page says, by the rules of markup and structured data, and to OurBot."""
    read = read_page(html, ["/a.png"], charset)
    findings = Findings()
    read_reservation_metas(Page(html.encode(charset), URL, charset, 1), None, findings, frozenset({"OurBot"}))
    return replace(read, reservation_evidence=findings.evidence().reservation_evidence)


def site_findings(kind: str, body: bytes, http_status: int = 200, **others: bytes) -> Evidence:
    """What a site's file says of one page; `others`: RSL documents at /NAME.xml of the site, records from 2."""
    file = SiteFile(kind, SITE, 1, None, body, http_status=http_status)
    files = [file, *(SiteFile("rsl", SITE, 2, None, text, f"{SITE}/{name}.xml") for name, text in others.items())]
    findings = Findings()
    read_sites(files, [Target(Subject("page", 9), f"{SITE}/a/b.html")], findings, ["OurBot"])
    return findings.evidence()


SITE = "http://site.example"
RSL = b"""<rsl xmlns="https://rslstandard.org/rsl"><content url="/x"/>
<content url="/a/*"><license><permits type="usage">search</permits><prohibits type="usage">ai-train</prohibits></license>
</content></rsl>"""


@pytest.mark.parametrize(
    ("rule", "kind", "body"),
    [
        ("robots_agents", "robots", b"\xef\xbb\xbfUser-agent: OurBot/2.0\rDissallow: /a # all\r"),
        ("robots_agents", "robots", b"User-agent: GPTBot\nUser-agent: OurBot\nAllow: /x\nDisallow: /a/*.html$\n"),
        ("robots_unread", "robots", b"User-agent: *\n" + b"".join(b"Disallow: /*%d*x\n" % i for i in range(5000))),
        ("content_usage_robots", "robots", b"User-agent: *\nContent-Usage: /a train-ai=n, search=y\n"),
        ("content_usage_robots", "robots", b"User-agent: *\nContent-Usage: /a\ttrain-ai=n\n"),
        ("trust_txt", "trust_txt", b"member=http://x.example/\n DataTrainingAllowed = No # at all\n"),
        ("content_usage_robots_legacy", "robots", b"User-agent: *\nContent-Usage: genai=n\n"),
        ("content_signal", "robots", b"User-agent: *\nContent-Signal: search=yes, ai-train=no, use=reference\n"),
        ("rsl_robots", "robots", b"User-agent: x\nDisallow: /\nLicense: http://elsewhere.example/license.xml\n"),
        ("ai_txt", "ai_txt", b"User-agent: *\nDisallow: *.html\n"),
        ("ai_txt", "ai_txt", b"User-agent: *\n" + b"".join(b"Disallow: *%d*x\n" % i for i in range(5000))),
        (
            "tdmrep_file",
            "tdmrep",
            b'[{"location": "/x"}, {"location": "/a/*", "tdm-reservation": 1, "tdm-policy": "p"}]',
        ),
        ("tdmrep_file", "tdmrep", b'[{"location": "/a", "tdm-reservation": 0, "tdm-policy": "p", "more": [1, {}]}]'),
        ("tdmrep_unread", "tdmrep", b'{"location": "/", "tdm-reservation": 1}'),
    ],
)
def test_findings_of_site_files_read_the_same(rule, kind, body):
    found = site_findings(kind, body)
    assert verified(found, body, url=f"{SITE}/x") == {rule: {"same"}}
    assert "same" not in verified(found, body[: len(body) // 2], url=f"{SITE}/x")[rule]


def test_a_file_that_a_server_could_not_give_reads_the_same_from_its_status():
    for kind, rule in (("robots", "robots_unavailable"), ("tdmrep", "tdmrep_unread")):
        found = site_findings(kind, b"busy", http_status=503)
        assert verified(found, b"busy", http_status=503) == {rule: {"same"}}
        assert verified(found, b"busy", http_status=200) == {rule: {"differs"}}


@pytest.mark.parametrize(
    "document", [RSL, RSL.replace(b"<", b"<r:").replace(b"<r:/", b"</r:").replace(b"xmlns=", b"xmlns:r=")]
)
def test_rsl_terms_read_the_same_in_the_document_that_states_them(document):
    found = site_findings("robots", b"License: /terms.xml\n", terms=document)
    assert verified(found, document) == {"rsl_document": {"same"}}
    assert verified(found, document.replace(b"prohibits", b"permits")) == {"rsl_document": {"differs"}}


@pytest.mark.parametrize(
    ("rule", "html"),
    [
        ("page_rel", f'<a rel="license" href="{BY}">x</a> and <a href="/b">y</a> <a rel=license href="{SA}">z</a>'),
        ("page_rel", '<base href="https://creativecommons.org/licenses/"><a rel="license" href="by/4.0/">x</a>'),
        ("page_meta", '<meta name="DC.rights" content="CC BY-SA 4.0">'),
        ("figure_rel", f'<figure><img src="/a.png"><figcaption><a rel="license" href="{BY}">x</a></figcaption></figure>'),
        ("figure_text", '<figure><img src="/a.png"><figcaption>A   cat, <b>CC BY 4.0</b></figcaption></figure>'),
        ("caption_notice", '<figure><img src="/a.png"><figcaption>© Ada. All rights reserved</figcaption></figure>'),
        ("rdfa_about", f'<p about="/a.png"><a property="cc:license" href="{BY}">x</a></p><img src="/a.png">'),
        ("microdata_image", f'<div itemscope itemtype="https://schema.org/ImageObject"><img itemprop="contentUrl" src="/a.png">'
                            f'<link itemprop="license" href="{BY}"></div>'),
        ("microdata_image", '<table><tr itemscope itemtype="https://schema.org/ImageObject"><td itemprop="contentUrl" '
                            f'content="/a.png"><td itemprop="license" content="{BY}"><td>x</table>'),
        ("meta_robots", '<meta name="robots" content="noindex, noai">'),
        ("meta_robots", '<meta name="OurBot" content="noimageai">'),
        ("tdmrep_meta", '<meta name="tdm-policy" content="/p"><title>a</title><meta name="tdm-reservation" content="1">'),
        ("rsl_link", '<link rel="license" type="application/rsl+xml" href="/license.xml">'),
        ("rsl_inline", f'<script type="application/rsl+xml">{RSL.decode().replace("/a/", "/dir/")}</script>'),
        ("figure_text", f'<figure><img src="/a.png"><figcaption>by <a href="{BY}">CC</a></figcaption></figure>'),
        ("figure_text", f'<figure><img src="/a.png"><a href="{BY}">CC</a> or <a href="{SA}">CC</a></figure>'),
        ("figure_text", '<figure><img src="/a.png"><b itemprop="license">CC BY 4.0</b></figure>'),
        ("caption_notice", '<div class="wp-caption"><img src="/a.png"><p class="wp-caption-text">All rights reserved</p></div>'),
        ("rdfa_about", f'<p about="/a.png"><a rel="dct:rights" href="{BY}">x</a></p><img src="/a.png">'),
        ("rdfa_about", f'<b about="/a.png" property="cc:license" content="{BY}">x</b><img src="/a.png">'),
        ("microdata_page", f'<p itemscope itemtype="https://schema.org/Article"><a itemprop="license" href="{BY}">x</a></p>'),
        ("microdata_page", '<b itemprop="license">CC BY 4.0</b>'),
        ("rdfa_page_license", f'<p vocab="https://schema.org/" typeof="Article"><a property="license" href="{BY}">x</a></p>'),
        ("microdata_image", '<div itemscope itemtype="https://schema.org/ImageObject"><img src="/a.png">'
                            '<i itemprop="copyrightNotice">© Ann. All rights reserved</i></div>'),
        ("jsonld_unread", '<script type="application/ld+json">{"url": "/b.png", "license": "x",}</script>'),
        ("jsonld_unread", '<img src="/a.png"><script type="application/ld+json">{"url": "/a.png", "license": "x",}</script>'),
        ("jsonld_image", '<img src="/a.png"><script type="application/ld+json">{"@type": "ImageObject", "contentUrl": '
                         f'"/a.png", "license": "{BY}"}}</script>'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_findings_of_pages_read_the_same_or_have_no_range(rule, html, charset):
    found = page_findings(html, charset)
    outcomes = verified(found, html.encode(charset), url=URL, charset=charset)
    assert outcomes[rule] == ({"same"} if charset == "utf-8" else {"unplaced"})


def iptc(dataset: int, text: bytes) -> bytes:
    return b"\x1c\x02" + bytes([dataset]) + len(text).to_bytes(2, "big") + text


def jpeg_with_iptc(*datasets: bytes) -> bytes:
    data = b"".join(datasets)
    segment = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
    return b"\xff\xd8\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + b"\xff\xda\0\2"


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [len(data).to_bytes(4, "big") + kind + data + b"\0\0\0\0" for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="" xmlns:p="http://ns.useplus.org/ldf/xmp/1.0/" p:DataMining="DMI-PROHIBITED"/></r:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("iptc_copyright", jpeg_with_iptc(iptc(80, b"Ada"), iptc(116, b"CC BY 4.0 Ada"), iptc(110, b"x"))),
        ("png_text", png((b"tEXt", b"Title\0cat"), (b"tEXt", b"Copyright\0CC BY 4.0 Ada"))),
        ("plus_data_mining", png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))),
        ("plus_data_mining", b"RIFF\0\0\0\0WEBPXMP " + len(XMP).to_bytes(4, "little") + XMP),
        ("plus_data_mining", b"GIF89a\1\0\1\0\0\0\0 some bytes before " + XMP + b" and after"),
        ("metadata_unread", png((b"zTXt", b"Copyright\0\0this is not deflated"))),
        ("metadata_unread", png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP[:-3]))),
    ],
)
def test_findings_of_image_metadata_read_the_same(rule, data):
    findings = Findings()
    read_image(data, 1, None, findings)
    found = findings.evidence()
    assert verified(found, data)[rule] == {"same"}
    start = min(
        row["byte_start"] for row in [*found.license_evidence.to_pylist(), *found.reservation_evidence.to_pylist()]
    )
    assert "same" not in verified(found, data[:start] + bytes(len(data) - start))[rule]


def test_header_findings_read_the_same_from_their_own_lines():
    lines = [
        "HTTP/1.1 200 OK", f'Link: <{BY}>; rel="license"', "Server: x", f'Link: <{SA}>; rel="license"',
        "X-Robots-Tag: ourbot: noai, noindex", "Content-Usage: train-ai=n,", " search=y", "Content-Usage: genai=n",
        "TDM-Policy: /p", "TDM-Reservation: 1", "Content-Signal: ai-train=no",
        'Link: </license.xml>; rel="license"; type="application/rsl+xml"',
    ]  # fmt: skip
    block = "\r\n".join(lines).encode()
    findings = Findings()
    read_headers(block, URL, Subject("image", 1), None, findings, frozenset({"OurBot"}))
    found = findings.evidence()
    rules = {"http_link_image", "x_robots_tag", "content_usage_header", "content_usage_header_legacy", "tdmrep_header",
             "content_signal_header", "rsl_header"}  # fmt: skip
    assert verified(found, block, url=URL) == {rule: {"same"} for rule in rules}


PIECES = [
    b"<a rel=license href='", b"<script type=application/ld+json>", b"\xff\xd8\xff\xe1\0\x08", b"\x1c\x02\x74\0\4",
    b"[{", b'"x":', b"Disallow: /*", b"User-agent: *\n", b"Link: <", b"<rsl><content url='", b"<x:xmpmeta",
    b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg", b"\xef\xbb\xbf", b"License: ", b"\0", b"</", b">", b"'",
    b"<td itemprop=license>", b"RIFF\0\0\0\0WEBP",
]  # fmt: skip


@given(
    rule=st.sampled_from(RULE_NAMES),
    pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=12),
    cut=st.tuples(st.integers(0, 40), st.integers(0, 120)),
    value=st.sampled_from(["", "x", "*: Disallow: /*", "Marked=True", "page incomplete: x", "https://x.example/ y"]),
    subject=st.sampled_from(["page", "image", "sample"]),
    charset=st.sampled_from([None, "utf-8", "shift_jis", "utf-16", "no such set"]),
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_a_reader_fail(rule, pieces, cut, value, subject, charset):
    part = b"".join(pieces)
    start = min(cut[0], len(part))
    row = {"rule": rule, "value": value, "says": "MIT", "usage": None, "subject_type": subject,
           "byte_start": start, "byte_end": max(start, min(cut[1], len(part)))}  # fmt: skip
    assert verify(row, part, Origin("http://[", charset)).outcome in ("differs", "differs_reading")


def test_why_a_page_was_not_read_to_its_end_reads_the_same():
    found = Findings()
    deep, large, many = "<div>" * 100_000, " " * (MAX_PAGE + 1), f'<a rel="license" href="{BY}?#N">x</a>'
    crowded = "".join(many.replace("#N", str(number)) for number in range(MAX_STATEMENTS + 1))
    read_markup(page := Page(crowded.encode(), URL, "utf-8", 1), Images(page, []), found)
    assert verified(found.evidence(), page.body, url=URL)["page_unread"] == {"same"}
    for reason, html in (("too_deep", deep), ("too_large", large), ("too_many_statements", crowded)):
        row = {"rule": "page_unread", "value": f"page incomplete: {reason}", "says": "NOASSERTION", "usage": None,
               "subject_type": "page", "byte_start": 0, "byte_end": len(html)}  # fmt: skip
        assert verify(row, html.encode()).outcome == "same"
        assert verify(row, b" " * len(html), Origin()).outcome == ("same" if reason == "too_large" else "differs")
    cut = row | {"value": "page incomplete: length", "byte_end": 3}
    assert verify(cut, b"<p>", Origin(incomplete=("length",))).outcome == "same"
    assert verify(cut, b"<p>").outcome == "differs"


def test_a_page_that_states_too_much_about_its_images_reads_the_same():
    image = '{"@type": "ImageObject", "contentUrl": "/a.png", "license": "l%d"}'
    data = ", ".join(image % number for number in range(101))
    html = '<img src="/a.png">' * 200 + f'<script type="application/ld+json">[{data}]</script>'
    found = read_page(html, ["/a.png"] * 200)
    said = found.license_evidence
    found = replace(found, license_evidence=said.filter(pc.equal(said["rule"], "page_unread")))
    assert verified(found, html.encode(), url=URL) == {"page_unread": {"same"}}
    row = {"rule": "page_unread", "value": "page incomplete: too_many_statements", "says": "NOASSERTION", "usage": None,
           "subject_type": "page", "byte_start": 0, "byte_end": 200 * 18}  # fmt: skip
    assert verify(row, html[: 200 * 18].encode(), Origin(URL)).outcome == "differs"


def test_a_range_of_many_links_that_is_about_many_images_is_read_once(monkeypatch):
    links = "".join(f'<a rel="license" href="/{number}">x</a>' for number in range(20_000))
    html = f"<figure>{'<img src=/a.png>' * 50}{links}</figure>"
    found = read_page(html, ["/a.png"] * 50)
    addresses = Counter()
    join = Page.join
    monkeypatch.setattr(Page, "join", lambda page, reference: addresses.update([reference]) or join(page, reference))
    assert verified(found, html.encode(), url=URL) == {"figure_rel": {"same"}}
    assert found.license_evidence.num_rows == 50
    assert max(addresses.values()) == 1


def test_a_drawn_sample_does_not_depend_on_the_order_of_rows(shards):
    rows = rows_of(shards[3])
    order = list(range(rows.num_rows))
    random.Random(1).shuffle(order)
    assert drawn(rows, 20).to_pylist() == drawn(rows.take(order), 20).to_pylist()
    assert drawn(rows, 20).num_rows == 20
    assert drawn(rows, 10_000).num_rows == rows.num_rows


def test_the_sampled_check_passes_on_the_crawl_and_names_the_first_finding_that_fails(shards):
    shard = shards[3]
    rows, open_part = rows_of(shard), parts_of(shard.path, shard.crawled.record)
    ok, sentence = verify_sample(rows, 30, open_part)
    assert ok
    assert sentence == f"30 of {rows.num_rows} findings with a range read again: 30 same"
    ok, sentence = verify_sample(rows, 30, lambda record_id, part: b"\0" + open_part(record_id, part))
    assert not ok
    assert "30 differs; the first: rule " in sentence


def test_the_sampled_check_says_that_a_file_is_gone(shards):
    def gone(record_id: int, part: str) -> bytes:
        raise PartGoneError("the file is gone")

    ok, sentence = verify_sample(rows_of(shards[3]), 5, gone)
    assert not ok
    assert "5 gone" in sentence
    assert "the file is gone" in sentence
