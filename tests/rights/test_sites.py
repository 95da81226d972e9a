"""Site files over all crawl files: a host's robots.txt binds its images wherever they were archived."""

from dataclasses import replace

import pyarrow as pa
import pytest

from assets.crawl.warc import iter_records
from assets.rights import chains, sites
from assets.rights.addresses import origin_and_path
from assets.rights.chains import Chains
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.policy import load_policy
from assets.rights.site_rules import SiteFile
from assets.rights.sites import (
    MAX_FILE,
    origins_of,
    read_site_files,
    site_evidence,
    site_files,
    site_records,
    terms_named,
)
from assets.rights.verdict import occurrences
from assets.rights.verify import evidence_rows, verify_sample
from tests.crawl.shards import crawl_warc
from tests.crawl.warcs import block, http, picture, response, write
from tests.rights.conftest import reservations_in

PAGE = b'<title>t</title><img src="http://pics.example/a.png" alt="a">'
ROBOTS = b"User-agent: CCBot\nDisallow: /\n"


@pytest.fixture
def whole_shard(tmp_path):
    """Makes the tables of a crawl file, and its evidence, from its records."""

    def make(*records: bytes, number: int = 1):
        path = write(tmp_path / f"{number}.warc.gz", *records)
        crawled = crawl_warc(path, number, tmp_path / f"{number}.tar")
        return crawled, collect_evidence(Sources(path), number, crawled.record, crawled.sample)

    return make


@pytest.fixture
def shard(whole_shard):
    """Makes (record, sample, evidence) of a crawl file from its records."""

    def make(number: int, *records: bytes):
        crawled, found = whole_shard(*records, number=number)
        return crawled.record, crawled.sample, found

    return make


def said(shards: list, number: int = 0, agents=()) -> list[tuple]:
    """(subject_type, rule, usage, decision, shard of the record) that all site files say of one shard."""
    table = site_files(read_site_files(pa.concat_tables([found.site_file for _, _, found in shards])))
    record, sample, found = shards[number]
    rows = site_evidence(read_site_files(table), record, sample, found.rsl_reference, agents).to_pylist()
    return [(r["subject_type"], r["rule"], r["usage"], r["decision"], r["record_id"] >> 32) for r in rows]


def gallery(number: int = 1, page: bytes = PAGE, *headers: str) -> tuple[bytes, bytes]:
    return response("http://site.example/", page, "text/html", "200 OK", *headers), response(
        "http://pics.example/a.png", picture(), "image/png"
    )


def test_a_robots_txt_in_another_crawl_file_binds_pages_and_images(shard):
    pictures = shard(1, *gallery())
    elsewhere = shard(2, response("http://pics.example/robots.txt", ROBOTS, "text/plain"))
    assert said([pictures]) == []
    assert said([pictures, elsewhere]) == [("image", "robots_agents", "tdm", "reserved", 2)]


def test_every_archived_state_of_a_file_counts(shard):
    open_then = response("http://site.example/robots.txt", b"User-agent: *\nAllow: /\n", "text/plain")
    closed_now = response("http://site.example/robots.txt", ROBOTS, "text/plain")
    for order in ((open_then, closed_now), (closed_now, open_then)):
        states = [shard(number, record) for number, record in enumerate(order, start=2)]
        found = said([shard(1, *gallery()), *states])
        assert [row[:4] for row in found] == [("page", "robots_agents", "tdm", "reserved")]


def test_files_that_say_the_same_are_read_once_at_the_lowest_record(shard):
    robots = response("http://site.example/robots.txt", ROBOTS, "text/plain")
    found = said([shard(1, *gallery()), shard(3, robots), shard(2, robots)])
    assert found == [("page", "robots_agents", "tdm", "reserved", 2)]


def test_a_server_that_failed_says_nothing_that_allows(shard):
    failed = response("http://site.example/robots.txt", b"oops", "text/plain", "503 Service Unavailable")
    gone = response("http://pics.example/robots.txt", b"gone", "text/plain", "404 Not Found")
    found = said([shard(1, *gallery()), shard(2, failed, gone)])
    assert found == [("page", "robots_unavailable", "tdm", "unknown", 2)]


def test_the_recipes_own_token_counts_where_it_is_named(shard):
    own = response("http://site.example/robots.txt", b"User-agent: ourbot\nDisallow: /\n", "text/plain")
    shards = [shard(1, *gallery()), shard(2, own)]
    assert said(shards) == []
    assert said(shards, agents=["OurBot"]) == [("page", "robots_agents", "tdm", "reserved", 2)]


TERMS = b"""<?xml version="1.0"?><rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>
<%s type="usage">%s</%s></license></content></rsl>"""
REFERRING = 'Link: <http://terms.example/rsl.xml>; rel="license"; type="application/rsl+xml"'


LINKING = b'<link rel="license" type="application/rsl+xml" href="http://terms.example/rsl.xml">' + PAGE


def test_a_reference_to_terms_that_nobody_archived_stays_a_condition(shard):
    assert said([shard(1, *gallery(1, PAGE, REFERRING))]) == [("page", "rsl_header", "ai_train", "conditional", 1)]


@pytest.mark.parametrize(
    ("word", "decision"), [(b"prohibits", "reserved"), (b"permits", "allowed")], ids=["prohibited", "permitted"]
)
def test_terms_in_another_crawl_file_take_the_place_of_the_reference(shard, word, decision):
    terms = TERMS % (word, b"ai-train", word)
    document = shard(2, response("http://terms.example/rsl.xml", terms, "application/rsl+xml"))
    found = said([shard(1, *gallery(1, PAGE, REFERRING)), document])
    assert ("page", "rsl_document", "ai_train", decision, 2) in found
    assert not [row for row in found if row[1] == "rsl_header"]


def test_a_link_element_is_resolved_like_a_header(shard):
    document = shard(
        2, response("http://terms.example/rsl.xml", TERMS % (b"prohibits", b"ai-train", b"prohibits"), "text/xml")
    )
    assert said([shard(1, *gallery(1, LINKING))]) == [("page", "rsl_link", "ai_train", "conditional", 1)]
    found = said([shard(1, *gallery(1, LINKING)), document])
    assert ("page", "rsl_document", "ai_train", "reserved", 2) in found
    assert not [row for row in found if row[1] == "rsl_link"]


def test_terms_behind_a_redirect_are_found_under_the_address_that_is_named(shard):
    moved = response(
        "http://terms.example/rsl.xml", b"", "text/plain", "301 Moved", "Location: http://terms.example/new.xml"
    )
    terms = response(
        "http://terms.example/new.xml", TERMS % (b"prohibits", b"ai-train", b"prohibits"), "application/xml"
    )
    found = said([shard(1, *gallery(1, LINKING)), shard(2, moved, terms)])
    assert ("page", "rsl_document", "ai_train", "reserved", 2) in found


def test_every_archived_state_of_the_terms_counts(shard):
    states = [
        shard(n, response("http://terms.example/rsl.xml", TERMS % (word, b"ai-train", word), "application/xml"))
        for n, word in ((2, b"permits"), (3, b"prohibits"))
    ]
    found = said([shard(1, *gallery(1, LINKING)), *states])
    decisions = {row[3] for row in found if row[1:3] == ("rsl_document", "ai_train")}
    assert decisions == {"allowed", "reserved"}


def test_a_state_of_the_terms_that_is_cut_is_a_condition_beside_what_the_others_permit(shard):
    whole = TERMS % (b"permits", b"ai-train", b"permits")
    states = [
        shard(n, response("http://terms.example/rsl.xml", body, "application/xml"))
        for n, body in ((2, whole), (3, whole[:-20]))
    ]
    for page, rule in ((gallery(1, PAGE, REFERRING), "rsl_header"), (gallery(1, LINKING), "rsl_link")):
        found = said([shard(1, *page), *states])
        decisions = {row[1:4] for row in found if row[2] == "ai_train"}
        assert decisions == {("rsl_document", "ai_train", "allowed"), (rule, "ai_train", "conditional")}


def test_both_states_of_a_robots_txt_in_one_crawl_file_count(shard):
    address = "http://site.example/robots.txt"
    both = shard(
        2, response(address, ROBOTS, "text/plain"), response(address, b"User-agent: *\nAllow: /\n", "text/plain")
    )
    assert [row[:4] for row in said([shard(1, *gallery()), both])] == [("page", "robots_agents", "tdm", "reserved")]


def test_terms_that_cannot_be_read_leave_the_condition(shard):
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><rsl xmlns="https://rslstandard.org/rsl">&a;</rsl>'
    document = shard(2, response("http://terms.example/rsl.xml", bomb, "application/rsl+xml"))
    found = said([shard(1, *gallery(1, PAGE, REFERRING)), document])
    assert ("page", "rsl_header", "ai_train", "conditional", 1) in found


def test_the_port_that_a_scheme_has_anyway_makes_no_other_origin(shard):
    robots = response("http://site.example:80/robots.txt", ROBOTS, "text/plain")
    assert said([shard(1, *gallery()), shard(2, robots)]) == [("page", "robots_agents", "tdm", "reserved", 2)]
    other = response("http://site.example:8080/robots.txt", ROBOTS, "text/plain")
    assert said([shard(1, *gallery()), shard(2, other)]) == []


ORIGINS = [
    ("http://A.example:80/x?y", ("http://a.example", "/x?y")),
    ("https://a.example:443", ("http://a.example", "/")),
    ("https://a.example:80/", ("http://a.example:80", "/")),
    ("http://a.example./x", ("http://a.example", "/x")),
    ("https://a.example.:8443/x", ("http://a.example:8443", "/x")),
    ("http://münchen.example/", ("http://xn--mnchen-3ya.example", "/")),
    ("http://a b.example/", ("http://a b.example", "/")),
    ("http://a.example:8080/", ("http://a.example:8080", "/")),
    ("http://a.example:/", ("http://a.example", "/")),
    ("http://[::1]:80/", ("http://[::1]", "/")),
    ("http://site.example@a.example/", ("http://a.example", "/")),
    ("ftp://a.example/", None),
    ("http://[", None),
]


@pytest.mark.parametrize(("url", "place"), ORIGINS)
def test_one_origin_has_one_form(url, place):
    assert origin_and_path(url) == place


def moved(url: str, to: str) -> bytes:
    return response(url, b"", "text/plain", "301 Moved", f"Location: {to}")


def test_a_robots_txt_behind_a_redirect_binds_the_origin_that_redirects_and_its_own(shard):
    robots = response("http://pics.example/robots.txt", ROBOTS, "text/plain")
    redirect = moved("http://site.example/robots.txt", "http://pics.example/robots.txt")
    bound = {row[0] for row in said([shard(1, *gallery()), shard(2, redirect, robots)])}
    assert bound == {"page", "image"}
    elsewhere = moved("http://third.example/robots.txt", "http://pics.example/robots.txt")
    assert {row[0] for row in said([shard(1, *gallery()), shard(2, elsewhere, robots)])} == {"image"}


def test_a_redirect_of_another_path_makes_no_robots_txt_of_its_target(shard):
    plain = response("http://pics.example/some.txt", ROBOTS, "text/plain")
    out = moved("http://site.example/out?to=pics", "http://pics.example/some.txt")
    assert said([shard(1, *gallery()), shard(2, out, plain)]) == []
    back = moved("http://site.example/robots.txt", "http://pics.example/some.txt")
    assert [row[:2] for row in said([shard(1, *gallery()), shard(2, back, plain)])] == [("page", "robots_agents")]


def test_terms_of_one_host_do_not_bind_another_that_does_not_refer_to_them(shard):
    feed = (
        b'<rss xmlns:rsl="https://rslstandard.org/rsl"><channel><rsl:content url="%s"><rsl:license>'
        b'<rsl:permits type="usage">ai-train</rsl:permits></rsl:license></rsl:content></channel></rss>'
    )
    for url, bound in ((b"http://site.example/", set()), (b"/", {"image"})):
        foreign = shard(2, response("http://pics.example/feed", feed % url, "application/rss+xml"))
        assert {row[0] for row in said([shard(1, *gallery()), foreign])} == bound
    document = TERMS % (b"permits", b"ai-train", b"permits")
    assert said([shard(1, *gallery()), shard(2, response("http://site.example/rsl.xml", document, "text/xml"))]) == []


ROWS = [
    ("ok", 200, None, True),
    ("http_error", 503, None, True),
    ("http_error", 404, None, False),
    ("error", 200, "truncated", True),
    ("error", 200, "bad_encoding", True),
    ("error", None, "bad_http", True),
    ("error", 301, "bad_encoding", True),
    ("error", 404, "bad_encoding", False),
    ("repeat", 200, None, True),
    ("repeat", 404, None, False),
    ("redirect", 301, None, True),
    ("other", 200, None, False),
]


@pytest.mark.parametrize(("status", "http_status", "reason", "is_kept"), ROWS)
def test_a_site_file_that_is_cut_or_damaged_is_kept_as_one(status, http_status, reason, is_kept):
    row = {"url": "http://site.example/robots.txt", "status": status, "http_status": http_status, "reason": reason}
    records = {7: row | {"redirect_to": None, "type": "response", "digest": None}}
    found = site_records(records, Chains(records).answers())
    assert found == ({7: [("robots", "http://site.example")]} if is_kept else {})


def test_files_of_the_same_bytes_are_two_where_one_of_them_is_cut():
    whole = SiteFile("robots", "http://site.example", 2, None, ROBOTS)
    cut = replace(whole, record_id=1, truncated="length")
    assert site_files([whole, cut]).num_rows == 2


def test_only_so_much_of_a_file_is_kept_that_its_reader_sees_that_there_is_more(shard, monkeypatch):
    monkeypatch.setattr(sites, "MAX_SHARD", MAX_FILE)
    _, _, found = shard(2, response("http://site.example/robots.txt", b"#" * (3 << 20), "text/plain"))
    assert [len(body) for body in found.site_file["body"].to_pylist()] == [MAX_FILE]


def test_the_origins_of_a_shard_are_those_of_its_pages_and_images(shard):
    record, sample, _ = shard(1, *gallery())
    assert origins_of(record, sample) == ["http://pics.example", "http://site.example"]


@pytest.mark.parametrize("text", [b"User-agent: *\nAllow: /\n", ROBOTS])
def test_a_robots_txt_that_a_crawl_holds_in_part_is_a_condition_beside_what_is_there(shard, text):
    cut = response("http://site.example/robots.txt", text, "text/plain", WARC_Truncated="length")
    found = {row[1:4] for row in said([shard(1, *gallery()), shard(2, cut)])}
    heard = {("robots_agents", "tdm", "reserved")} if text == ROBOTS else set()
    assert found == {("robots_unread", "tdm", "conditional")} | heard


def test_a_robots_txt_in_an_encoding_that_cannot_be_undone_is_a_condition(shard):
    broken = response(
        "http://site.example/robots.txt", b"\x1f\x8b broken", "text/plain", "200 OK", "Content-Encoding: gzip"
    )
    assert said([shard(1, *gallery()), shard(2, broken)]) == [("page", "robots_unread", "tdm", "conditional", 2)]


def test_terms_that_a_crawl_holds_in_part_leave_the_condition(shard):
    terms = TERMS % (b"permits", b"ai-train", b"permits")
    whole, cut = [
        shard(n, response("http://terms.example/rsl.xml", body, "text/xml", WARC_Truncated=reason))
        for n, body, reason in ((2, terms, None), (3, terms[:-20], "length"))
    ]
    found = {row[1:4] for row in said([shard(1, *gallery(1, LINKING)), whole, cut]) if row[2] == "ai_train"}
    assert found == {("rsl_document", "ai_train", "allowed"), ("rsl_link", "ai_train", "conditional")}


def test_terms_that_cannot_be_decoded_leave_the_condition_beside_what_another_state_permits(shard):
    address, terms = "http://terms.example/rsl.xml", TERMS % (b"permits", b"ai-train", b"permits")
    whole = shard(2, response(address, terms, "text/xml"))
    broken = shard(3, response(address, b"\x1f\x8b broken", "text/xml", "200 OK", "Content-Encoding: gzip"))
    found = {row[1:4] for row in said([shard(1, *gallery(1, LINKING)), whole, broken]) if row[2] == "ai_train"}
    assert found == {("rsl_document", "ai_train", "allowed"), ("rsl_link", "ai_train", "conditional")}


def test_terms_about_another_host_only_leave_the_condition(shard):
    terms = TERMS.replace(b'url="/"', b'url="http://other.example/"') % (b"permits", b"all", b"permits")
    document = shard(2, response("http://terms.example/rsl.xml", terms, "text/xml"))
    found = said([shard(1, *gallery(1, LINKING)), document])
    assert found == [("page", "rsl_link", "ai_train", "conditional", 1)]


ANY = "http://site.example/robots.txt"
UNAVAILABLE = ("robots_unavailable", "tdm", "unknown")
UNREAD = ("robots_unread", "tdm", "conditional")
CLOSED = ("robots_agents", "tdm", "reserved")
REDIRECTS = {
    "a loop": ([moved(ANY, "/b"), moved("http://site.example/b", "/robots.txt")], {UNAVAILABLE}),
    "a loop of one": ([moved(ANY, "/robots.txt")], {UNAVAILABLE}),
    "another host that is not here": ([moved(ANY, "http://www.site.example/robots.txt")], {UNAVAILABLE}),
    "the other scheme that is not here": ([moved(ANY, "https://site.example/robots.txt")], set()),
    "no address": ([response(ANY, b"", "text/plain", "301 Moved")], {UNAVAILABLE}),
    "what is not found": (
        [moved(ANY, "/b"), response("http://site.example/b", b"", "text/plain", "404 Not Found")],
        set(),
    ),
    "what failed": (
        [moved(ANY, "/b"), response("http://site.example/b", b"", "text/plain", "500 Error")],
        {UNAVAILABLE},
    ),
    "a file, then another": (
        [
            moved(ANY, "/b"),
            response("http://site.example/b", ROBOTS, "text/plain"),
            moved(ANY, "/c"),
            response("http://site.example/c", b"User-agent: *\nAllow: /\n", "text/plain"),
        ],
        {CLOSED},
    ),
    "a file, then nowhere": (
        [moved(ANY, "/b"), response("http://site.example/b", ROBOTS, "text/plain"), moved(ANY, "http://c.example/")],
        {CLOSED, UNAVAILABLE},
    ),
    "more than are followed": ([moved(ANY, f"/{n}") for n in range(100)], {UNAVAILABLE}),
}


@pytest.mark.parametrize("case", REDIRECTS)
def test_every_state_of_a_redirect_counts_and_one_to_nowhere_is_unknown(shard, case):
    records, expected = REDIRECTS[case]
    assert {row[1:4] for row in said([shard(1, *gallery()), shard(2, *records)])} == expected


def revisit(
    url: str, status: str = "200 OK", *headers: str, mime: str = "text/plain", digest: str | None = None
) -> bytes:
    return block("revisit", url, http(b"", mime, status, *headers), WARC_Payload_Digest=digest)


ALLOWING = response(ANY, b"User-agent: *\nAllow: /\n", "text/plain", WARC_Payload_Digest="sha1:AAAA")
ELSEWHERE = response("http://pics.example/r", ROBOTS, "text/plain", WARC_Payload_Digest="sha1:BBBB")
REVISITS = {
    "of a file that is not here": ([revisit(ANY)], {UNREAD}),
    "of a file at the same address": ([ALLOWING, revisit(ANY)], set()),
    "of the same bytes at the same address": ([ALLOWING, revisit(ANY, digest="sha1:AAAA")], set()),
    "of other bytes": ([ALLOWING, revisit(ANY, digest="sha1:CCCC")], {UNREAD}),
    "of bytes under another address": ([ALLOWING, ELSEWHERE, revisit(ANY, digest="sha1:BBBB")], {CLOSED}),
    "behind a redirect": (
        [ELSEWHERE, moved(ANY, "/b"), revisit("http://site.example/b", digest="sha1:BBBB")],
        {CLOSED},
    ),
    "of what is not there": ([revisit(ANY, "404 Not Found")], set()),
    "of what did not change": ([revisit(ANY, "304 Not Modified")], {UNREAD}),
    "of a failure": ([revisit(ANY, "503 Unavailable")], {UNAVAILABLE}),
}


@pytest.mark.parametrize("case", REVISITS)
def test_a_revisit_is_the_file_that_it_repeats_or_a_condition(shard, case):
    records, expected = REVISITS[case]
    assert {row[1:4] for row in said([shard(1, *gallery()), shard(2, *records)])} == expected


def test_a_revisit_of_terms_that_are_not_here_leaves_the_condition(shard):
    address, terms = "http://terms.example/rsl.xml", TERMS % (b"permits", b"ai-train", b"permits")
    known = shard(2, response(address, terms, "text/xml", WARC_Payload_Digest="sha1:AAAA"))
    condition = ("rsl_link", "ai_train", "conditional")
    for digest, expected in (("sha1:AAAA", set()), ("sha1:BBBB", {condition})):
        again = shard(3, revisit(address, mime="application/rsl+xml", digest=digest))
        found = {row[1:4] for row in said([shard(1, *gallery(1, LINKING)), known, again]) if row[2] == "ai_train"}
        assert found == {("rsl_document", "ai_train", "allowed")} | expected


def test_a_revisit_of_a_file_in_another_crawl_file_is_that_file(shard):
    known, again = shard(2, ALLOWING), revisit(ANY, digest="sha1:AAAA")
    pictures = shard(1, *gallery())
    assert said([pictures, shard(3, again)]) == [("page", *UNREAD, 3)]
    assert said([pictures, known, shard(3, again)]) == []
    assert said([pictures, known, shard(3, revisit(ANY, digest="sha1:CCCC"))]) == [("page", *UNREAD, 3)]


def test_a_host_answers_for_both_schemes_and_every_way_to_write_it(shard):
    for url in (
        "https://site.example/robots.txt",
        "http://SITE.example.:80/robots.txt",
        "http://me@site.example/robots.txt",
    ):
        found = said([shard(1, *gallery()), shard(2, response(url, ROBOTS, "text/plain"))])
        assert found == [("page", "robots_agents", "tdm", "reserved", 2)], url


HOP = "http://site.example/old.png"
SHOWING = b'<title>t</title><img src="/old.png" alt="a">'
IMAGE = response("http://pics.example/a.png", picture(), "image/png", WARC_Payload_Digest="sha1:DDDD")
TO_IMAGE = ("Location: http://pics.example/a.png", "X-Robots-Tag: noai")
REACHED = {
    "a redirect": [response(HOP, b"", "text/plain", "302 F", *TO_IMAGE)],
    "the second of two": [
        moved(HOP, "/b.png"),
        response("http://site.example/b.png", b"", "text/plain", "302 F", *TO_IMAGE),
    ],
    "another state": [
        moved(HOP, "http://pics.example/a.png"),
        response(HOP, b"", "text/plain", "302 F", "Location: /gone.png", "X-Robots-Tag: noai"),
    ],
    "a revisit": [revisit(HOP, "200 OK", "X-Robots-Tag: noai", mime="image/png", digest="sha1:DDDD")],
    "a revisit of the image itself": [
        moved(HOP, "http://pics.example/a.png"),
        revisit("http://pics.example/a.png", "200 OK", "X-Robots-Tag: noai", mime="image/png", digest="sha1:DDDD"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", REACHED)
def test_what_is_said_on_the_way_to_an_image_is_said_of_it_and_reads_back(shard, tmp_path, way):
    page = response("http://site.example/", SHOWING)
    record, sample, found = shard(1, page, IMAGE, *REACHED[way])
    (row,) = found.reservation_evidence.to_pylist()
    assert (row["subject_type"], row["subject_id"]) == ("image", sample["image_record_id"][0].as_py())
    assert (row["rule"], row["usage"], row["decision"]) == ("x_robots_tag", "ai_train", "reserved")
    assert row["record_id"] != row["subject_id"]
    block_of = {(1 << 32 | r.ordinal): r.header_bytes for r in iter_records(tmp_path / "1.warc.gz")}
    rows = evidence_rows(found.license_evidence, found.reservation_evidence, record)
    holds, sentence = verify_sample(rows, 10, lambda record_id, part: block_of[record_id])
    assert holds, sentence


def test_of_endless_redirects_to_an_image_the_rest_is_a_condition(shard):
    page, target = response("http://site.example/", SHOWING), "Location: http://pics.example/a.png"
    hops = [response(HOP, b"", "text/plain", "302 F", target, f"A: {n}") for n in range(chains.MAX_HOPS + 1)]
    assert reservations_in(shard(1, page, IMAGE, *hops[:-1])[2]) == set()
    assert reservations_in(shard(1, page, IMAGE, *hops)[2]) == {("x_robots_tag", "tdm", "conditional")}


def test_a_visitors_meta_element_takes_no_reservation_back(whole_shard):
    comment = b'<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">' + PAGE
    comment += b'<div class="comment"><meta name="tdm-reservation" content="0"></div>'
    for header, expected in (((), "unknown"), (("TDM-Reservation: 1",), "reserved")):
        crawled, found = whole_shard(*gallery(1, comment, *header))
        rights = occurrences(
            crawled.sample, crawled.image, found.license_evidence, found.reservation_evidence, found.attribution,
            load_policy("commercial-open"),
        )  # fmt: skip
        assert rights["reservation"].to_pylist() == [expected]


def test_past_so_many_bytes_of_site_files_the_rest_is_a_condition(shard, monkeypatch):
    monkeypatch.setattr(sites, "MAX_SHARD", 100)
    feed = b'<rss xmlns:rsl="https://rslstandard.org/rsl"><channel><rsl:content url="/"/></channel></rss>'
    files = {
        "/robots.txt": (ROBOTS, "text/plain", {CLOSED}),
        "/ai.txt": (ROBOTS + b"#" * 100, "text/plain", {("ai_txt", "ai_train", "conditional")}),
        "/.well-known/tdmrep.json": (b" " * 100, "text/plain", {("tdmrep_unread", "tdm", "conditional")}),
        "/trust.txt": (b"#" * 100, "text/plain", {("trust_txt", "ai_train", "conditional")}),
        "/feed": (feed, "text/xml", {("rsl_feed", "ai_train", "conditional")}),
    }
    records = [response(f"http://site.example{path}", body, mime) for path, (body, mime, _) in files.items()]
    held = shard(2, *records)
    assert sum(len(body) for body in held[2].site_file["body"].to_pylist()) <= 100
    found = {row[1:4] for row in said([shard(1, *gallery()), held])}
    assert found == set().union(*(expected for _, _, expected in files.values()))


def test_the_terms_that_a_shard_names_are_all_the_documents_it_needs(shard):
    terms = TERMS % (b"prohibits", b"ai-train", b"prohibits")
    robots = response("http://pics.example/robots.txt", b"License: https://far.example/l.xml#x\n", "text/plain")
    documents = [
        response(url, terms, "text/xml")
        for url in ("http://terms.example/rsl.xml", "http://far.example/l.xml", "http://third.example/l.xml")
    ]
    record, sample, found = shard(1, *gallery(1, LINKING))
    files = read_site_files(shard(2, robots, *documents)[2].site_file)
    own = [file for file in files if file.origin in origins_of(record, sample)]
    named = terms_named(own, record, found.rsl_reference)
    assert named == ["http://far.example/l.xml", "http://terms.example/rsl.xml"]
    needed = own + [file for file in files if file.kind == "rsl" and file.url in named]
    all_files = site_evidence(files, record, sample, found.rsl_reference)
    assert site_evidence(needed, record, sample, found.rsl_reference) == all_files
    assert {row["rule"] for row in all_files.to_pylist()} == {"rsl_document"}
