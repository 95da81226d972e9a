"""RSL documents: what their terms say of an address, where they are found, and that hostile ones grant nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights import rsl
from assets.rights.findings import Findings, Subject
from assets.rights.http_rules import read_headers, read_reservation_metas
from assets.rights.markup import Page
from assets.rights.site_rules import SiteFile, Target, read_sites

NS = 'xmlns="https://rslstandard.org/rsl"'
ROBOTS, TERMS = "https://a.example/robots.txt", "https://a.example/license.xml"


def content(body: str, attributes: str = 'url="/"') -> str:
    return f"<content {attributes}><license>{body}</license></content>"


def document(*contents: str) -> bytes:
    lines = ["<?xml version='1.0'?>", f"<rsl {NS}>", *contents, "</rsl>"]
    return "\n".join(lines).encode()


def usage(kind: str, words: str) -> str:
    return f'<{kind} type="usage">{words}</{kind}>'


def said(data: bytes, path: str = "/x", host: str | None = "a.example") -> dict[str, str]:
    """Decision by usage, of which there must be one."""
    found = rsl.decide(rsl.parse(data), path, host)
    assert len({one.usage for one in found}) == len(found)
    return {one.usage: one.decision for one in found}


USES = ("ai_train", "ai_gen_train", "ai_input", "search", "index")


def every(decision: str, **others: str) -> dict[str, str]:
    return dict.fromkeys(USES, decision) | others


OFFERS = {
    "prohibits ai-train": (usage("prohibits", "ai-train"), {"ai_train": "reserved", "ai_gen_train": "reserved"}),
    "prohibits all": (usage("prohibits", "all"), every("reserved", tdm="reserved")),
    "prohibits ai-all": (
        usage("prohibits", "ai-all"),
        {"ai_train": "reserved", "ai_gen_train": "reserved", "ai_input": "reserved", "index": "reserved"},
    ),
    "permits all": (usage("permits", "all"), every("allowed", tdm="allowed")),
    "permits a list": (
        usage("permits", "search, ai-input"),
        every("reserved", search="allowed", ai_input="allowed"),
    ),
    "permits nothing": (usage("permits", ""), every("reserved")),
    "prohibition beats permission": (
        usage("permits", "all") + usage("prohibits", "ai-train"),
        every("allowed", tdm="allowed", ai_train="reserved", ai_gen_train="reserved"),
    ),
    "must be paid for": (usage("permits", "ai-train") + '<payment type="training"/>', {
        "ai_train": "conditional", "ai_gen_train": "conditional",
        "ai_input": "reserved", "search": "reserved", "index": "reserved",
    }),
    "payment without a list": ('<payment type="purchase"/>', every("conditional")),
    "for nothing": (usage("permits", "ai-train") + '<payment type="free"/>', every(
        "reserved", ai_train="allowed", ai_gen_train="allowed",
    )),
    "for attribution": (usage("permits", "ai-all") + '<payment type="attribution"/>', every(
        "allowed", search="reserved",
    )),
    "for some users": (usage("permits", "all") + '<permits type="user">non-commercial education</permits>', every(
        "conditional", tdm="conditional",
    )),
    "for some places": (usage("permits", "all") + '<prohibits type="geo">US</prohibits>', every(
        "conditional", tdm="conditional",
    )),
    "free without a list": ('<payment type="free"/>', every("allowed")),
    "nothing said": ("", {"ai_train": "unknown"}),
    "an unknown prohibition": (usage("prohibits", "ai-dreaming"), {"ai_train": "unknown", "tdm": "unknown"}),
    "words of the draft of 2025": (usage("prohibits", "train-genai"), {"ai_train": "unknown", "ai_gen_train": "reserved"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "decisions"), OFFERS.values(), ids=OFFERS.keys())
def test_one_license(body, decisions):
    assert said(document(content(body))) == decisions


def test_of_two_licenses_the_better_counts_but_a_prohibition_in_one_stands():
    paid, free = usage("permits", "ai-train") + '<payment type="training"/>', usage("permits", "search")
    two = document(f'<content url="/"><license>{paid}</license><license>{free}</license></content>')
    assert said(two)["ai_train"] == "conditional"
    assert said(two)["search"] == "allowed"
    never = usage("prohibits", "ai-train")
    one_forbids = document(f'<content url="/"><license>{never}</license><license>{paid}</license></content>')
    assert said(one_forbids)["ai_train"] == "reserved"
    one_allows = document(f'<content url="/"><license>{YES}</license><license>{never}</license></content>')
    assert said(one_allows)["ai_train"] == "reserved"


def test_of_two_terms_with_the_same_pattern_both_count():
    both = rsl.decide(rsl.parse(document(content(NO), content(YES))), "/x")
    assert {one.decision for one in both if one.usage == "ai_train"} == {"reserved", "allowed"}


@pytest.mark.parametrize("attributes", ['url="/" server="https://b.example"', 'url="/" encrypted="true"'])
def test_what_a_license_server_hands_out_is_a_condition_even_if_free(attributes):
    offer = usage("permits", "ai-train") + '<payment type="free"/>'
    assert said(document(content(offer, attributes)))["ai_train"] == "conditional"


def test_content_without_a_license_is_unknown():
    assert said(document('<content url="/"/>')) == {"ai_train": "unknown"}


NO, YES = usage("prohibits", "ai-train"), usage("permits", "ai-train")


@pytest.mark.parametrize(
    ("path", "decision"),
    [
        ("/a", "reserved"),
        ("/open/a", "allowed"),
        ("/open/secret/a", "reserved"),
        ("/open/a.jpg", "reserved"),
        ("/open/a.jpg?w=1", "allowed"),
        ("/%6Fpen/a", "allowed"),
    ],
)
def test_the_longest_pattern_about_an_address_decides(path, decision):
    data = document(
        content(NO),
        content(YES, 'url="/open/"'),
        content(NO, 'url="/open/secret/"'),
        content(NO, 'url="/open/*.jpg$"'),
    )
    assert said(data, path)["ai_train"] == decision


@pytest.mark.parametrize(
    ("url", "host", "matches"),
    [
        ("https://a.example/", "a.example", True),
        ("http://A.example", "a.example", True),
        ("https://a.example:443/", "a.example", True),
        ("https://a.example:8443/", "a.example", False),
        ("https://b.example/", "a.example", False),
        ("https://*.example/", "a.example", True),
        ("https://a.example.org/", "a.example", False),
        ("https://www.a.example/", "a.example", True),
        ("https://a.example/", "www.a.example", True),
        ("https://img.a.example/", "a.example", False),
        ("*", "a.example", True),
        ("", "a.example", True),
        ("x", "a.example", True),
        ("https://[", "a.example", True),
    ],
)
def test_a_content_address_names_its_host_or_means_the_documents_own(url, host, matches):
    assert bool(said(document(content(NO, f'url="{url}"')), "/x", host)) is matches


def test_terms_know_the_bytes_of_their_content_element():
    odd = "<!-- <content url='/'> --><x:content xmlns:x='urn:x' a='>'/>"
    data = document(odd, content(NO, "url='/a'"), content(YES, "url='/b'"), "<content url='/c>'/>")
    assert [data[t.start : t.end].decode() for t in rsl.parse(data)] == [
        content(NO, "url='/a'"),
        content(YES, "url='/b'"),
        "<content url='/c>'/>",
    ]


def test_prefixes_and_missing_namespaces_do_not_matter_but_other_namespaces_do():
    prefixed = document(content(NO)).replace(b"<", b"<r:").replace(b"<r:/", b"</r:").replace(b"<r:?", b"<?")
    assert said(prefixed.replace(b"xmlns=", b"xmlns:r="))["ai_train"] == "reserved"
    assert said(f"<rsl>{content(NO)}</rsl>".encode())["ai_train"] == "reserved"
    assert said(f'<rsl xmlns="urn:other">{content(NO)}</rsl>'.encode()) == {}


FEED = b"""<rss version="2.0" xmlns:rsl="https://rslstandard.org/rsl" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<item><link>https://a.example/one</link><media:content url="https://a.example/one.jpg"/>
<rsl:content><rsl:license><rsl:prohibits type="usage">ai-train</rsl:prohibits></rsl:license></rsl:content></item>
<item><link>https://a.example/two</link>
<rsl:content url="https://a.example/two"><rsl:license><rsl:permits type="usage">all</rsl:permits></rsl:license></rsl:content></item>
</channel></rss>"""  # fmt: skip


def site(files: list[SiteFile], url: str = "https://a.example/x") -> list[dict]:
    findings = Findings()
    read_sites(files, [Target(Subject("image", 7), url)], findings)
    return findings.evidence().reservation_evidence.to_pylist()


def rules(rows: list[dict]) -> set[tuple[str, str, str]]:
    return {(row["rule"], row["usage"], row["decision"]) for row in rows if row["usage"] == "ai_train"}


def robots_file(text: str) -> SiteFile:
    return SiteFile("robots", "https://a.example", 1, None, text.encode(), ROBOTS)


def rsl_file(data: bytes, url: str = TERMS, status: int | None = 200, origin: str = "https://a.example") -> SiteFile:
    return SiteFile("rsl", origin, 2, None, data, url, status)


def test_a_feed_speaks_of_its_own_site_without_being_referred_to():
    feed = rsl_file(FEED, "https://a.example/feed")
    assert rules(site([feed], "https://a.example/one")) == {("rsl_feed", "ai_train", "reserved")}
    assert rules(site([feed], "https://a.example/two")) == {("rsl_feed", "ai_train", "allowed")}
    assert rules(site([feed], "https://a.example/three")) == set()
    assert rules(site([rsl_file(document(content(NO)))])) == set()


@pytest.mark.parametrize(
    "feed", [FEED[:-10], FEED.replace(b"</item>", b"", 1), b"<!DOCTYPE rss>" + FEED, FEED + b" " * rsl.MAX_BYTES]
)
def test_a_feed_with_terms_that_cannot_be_read_is_a_condition_for_its_site(feed):
    (row,) = site([rsl_file(feed, "https://a.example/feed")], "https://a.example/three")
    assert rules([row]) == {("rsl_feed", "ai_train", "conditional")}
    assert (row["byte_start"], row["byte_end"]) == (0, len(feed))


def test_a_document_that_is_no_feed_and_cannot_be_read_speaks_of_nothing_by_itself():
    assert site([rsl_file(document(content(NO))[:-10])]) == []


@pytest.mark.parametrize("reference", [TERMS, "/license.xml", "license.xml", " //a.example/license.xml # terms"])
def test_a_license_line_of_robots_txt_is_replaced_by_the_terms_it_refers_to(reference):
    text = f"User-agent: a\nDisallow:\n\nLicense: {reference}\n"
    data = document(content(NO))
    rows = site([robots_file(text), rsl_file(data)])
    assert rules(rows) == {("rsl_document", "ai_train", "reserved")}
    assert {(row["record_id"], data[row["byte_start"] : row["byte_end"]].decode()) for row in rows} == {
        (2, content(NO))
    }
    assert {row["spec_date"] for row in rows} == {"2025-12 RSL 1.0"}


@pytest.mark.parametrize(
    "file",
    [
        rsl_file(document(content(NO)), "https://a.example/other.xml"),
        rsl_file(document(content(YES)), status=404),
        rsl_file(document(content(YES)), status=503),
        rsl_file(b"<html><p>not here</html>"),
        rsl_file(b"<rsl"),
        rsl_file(b""),
        rsl_file(b"<!DOCTYPE rsl [<!ENTITY a 'x'>]>" + document(content(YES))),
    ],
    ids=["another", "404", "503", "HTML", "broken", "empty", "document type"],
)
def test_a_reference_that_cannot_be_followed_stays_a_condition(file):
    assert rules(site([robots_file(f"License: {TERMS}"), file])) == {("rsl_robots", "ai_train", "conditional")}


@pytest.mark.parametrize("url", ["/elsewhere/", "https://b.example/", "https://b.example/*"])
def test_a_document_that_does_not_speak_of_an_address_leaves_the_condition(url):
    other = rsl_file(document(content(YES, f'url="{url}"')))
    assert rules(site([robots_file(f"License: {TERMS}"), other])) == {("rsl_robots", "ai_train", "conditional")}


def test_terms_archived_under_the_other_scheme_are_the_ones_referred_to():
    terms = rsl_file(document(content(NO)), TERMS.replace("https:", "http:"))
    assert rules(site([robots_file(f"License: {TERMS}"), terms])) == {("rsl_document", "ai_train", "reserved")}


def test_every_state_of_a_document_is_parsed_once_however_many_pages_refer_to_it(monkeypatch):
    parsed = []
    monkeypatch.setattr(rsl, "parse", lambda data, parse=rsl.parse: parsed.append(data) or parse(data))
    states = [rsl_file(document(content(NO, f'url="/{number}"'))) for number in range(20)]
    documents = rsl.documents_of(states)
    for page in range(5):
        rsl.add_documents(documents, TERMS, "https://a.example/1", Subject("page", page), Findings())
    assert parsed == [state.body for state in states]


def test_a_document_of_more_wildcards_than_anybody_means_is_not_read():
    patterns = [content(YES, f'url="/*{"a*" * 40}{number}"') for number in range(450)]
    with pytest.raises(rsl.UnreadableError):
        rsl.parse(document(*patterns))
    assert rsl.parse(document(*patterns[:300]))


def test_terms_of_another_site_may_be_referred_to():
    far = "https://b.example/terms.xml"
    files = [robots_file(f"License: {far}"), rsl_file(document(content(NO)), far, origin="https://b.example")]
    assert rules(site(files)) == {("rsl_document", "ai_train", "reserved")}


LINK = 'Link: <license.xml>; rel="license"; type="Application/RSL+XML"'


def test_a_link_header_to_terms_is_a_condition_and_no_license():
    findings = Findings()
    block = f"HTTP/1.1 200 OK\r\n{LINK}\r\n\r\n".encode()
    read_headers(block, "https://a.example/x", Subject("image", 7), None, findings)
    found = findings.evidence()
    assert rules(found.reservation_evidence.to_pylist()) == {("rsl_header", "ai_train", "conditional")}
    assert found.license_evidence.num_rows == 0


def page_says(html: str) -> list[dict]:
    findings = Findings()
    page = Page(html.encode(), "https://a.example/x", "utf-8", 1)
    read_reservation_metas(page, None, findings)
    return findings.evidence().reservation_evidence.to_pylist()


def test_every_archived_state_of_a_document_counts():
    states = [rsl_file(document(content(YES))), rsl_file(document(content(NO)))]
    expected = {("rsl_document", "ai_train", "allowed"), ("rsl_document", "ai_train", "reserved")}
    for files in (states, states[::-1]):
        assert rules(site([robots_file(f"License: {TERMS}"), *files])) == expected


def test_a_state_that_cannot_be_read_is_a_condition_beside_what_the_others_say():
    states = [rsl_file(document(content(YES))), rsl_file(document(content(NO))[:-20])]
    for files in (states, states[::-1]):
        assert rules(site([robots_file(f"License: {TERMS}"), *files])) == {
            ("rsl_document", "ai_train", "allowed"),
            ("rsl_robots", "ai_train", "conditional"),
        }


@pytest.mark.parametrize("tag", ["link", "a", "area"])
def test_an_element_that_links_to_terms_is_a_condition(tag):
    html = f'<{tag} rel="license" type="application/rsl+xml" href="/license.xml">'
    (row,) = page_says(f"<p>{html}x")
    assert rules([row]) == {("rsl_link", "ai_train", "conditional")}
    assert (row["value"], row["byte_start"], row["byte_end"]) == ("/license.xml", 3, 3 + len(html))


@pytest.mark.parametrize(
    ("source", "decision"),
    [
        (document(content(NO)).decode(), "reserved"),
        (document(content(YES)).decode(), "allowed"),
        (document(content(YES, 'url="/elsewhere"')).decode(), None),
        ("<rsl><content", "conditional"),
        ("", "conditional"),
    ],
)
def test_inline_terms_are_about_their_page(source, decision):
    rows = page_says(f'<script type="application/rsl+xml">{source}</script>')
    assert rules(rows) == ({("rsl_inline", "ai_train", decision)} if decision else set())
    assert {(row["subject_type"], row["byte_start"]) for row in rows} <= {("page", 0)}


def test_an_inline_document_says_nothing_true_of_its_encoding():
    declared = f"<?xml version='1.0' encoding='utf-16'?><rsl {NS}>{content(NO)}</rsl>"
    assert rules(page_says(f'<script type="application/rsl+xml">{declared}</script>')) == {
        ("rsl_inline", "ai_train", "reserved")
    }


def test_an_endless_inline_document_is_given_up_in_bounded_time():
    start = time.process_time()
    rows = page_says(f'<script type="application/rsl+xml">x{" " * (2 << 20)}x</script>')
    assert rules(rows) == {("rsl_inline", "ai_train", "conditional")}
    assert time.process_time() - start < 10


def test_more_inline_documents_than_are_read_are_a_condition():
    one = f'<script type="application/rsl+xml">{document(content(YES)).decode()}</script>'
    assert {decision for _, _, decision in rules(page_says(one * 30))} == {"allowed", "conditional"}


BOMBS = {
    "entities": b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><rsl>&b;</rsl>',
    "external entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rsl>&x;</rsl>',
    "entities in UTF-16": '<!DOCTYPE l [<!ENTITY a "ha">]><rsl>&a;</rsl>'.encode("utf-16"),
    "deep": b"<rsl>" + b"<content>" * 9_000 + b"</content>" * 9_000 + b"</rsl>",
    "wide": document(*[content(NO)] * 6_000),
    "long": b"<rsl>" + b" " * (2 << 20) + b"</rsl>",
    "many addresses": document(*['<content url="/"/>'] * 600),
    "many licenses": document(f'<content url="/">{"<license/>" * 60}</content>'),
    "another alphabet": "<?xml version='1.0' encoding='cp037'?><rsl/>".encode("cp037"),
    "not XML": b"\xff\xfe\x00" * 100,
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_hostile_documents_are_not_read_and_grant_nothing(data):
    start = time.process_time()
    with pytest.raises(rsl.UnreadableError):
        rsl.parse(data)
    assert rules(site([robots_file(f"License: {TERMS}"), rsl_file(data)])) == {
        ("rsl_robots", "ai_train", "conditional")
    }
    assert time.process_time() - start < 10


@given(st.binary(max_size=200) | st.text(alphabet="<>/rslcontent =\"'-![]", max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    try:
        rsl.parse(b"<rsl>" + data + b"</rsl>")
    except rsl.UnreadableError:
        return
