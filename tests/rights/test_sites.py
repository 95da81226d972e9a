"""Site files over all crawl files: a host's robots.txt binds its images wherever they were archived."""

from dataclasses import replace

import pyarrow as pa
import pytest

from assets.rights.addresses import origin_and_path
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.site_rules import SiteFile
from assets.rights.sites import MAX_FILE, origins_of, read_site_files, site_evidence, site_files, site_records
from tests.crawl.shards import crawl_warc
from tests.crawl.warcs import picture, response, write

PAGE = b'<title>t</title><img src="http://pics.example/a.png" alt="a">'
ROBOTS = b"User-agent: CCBot\nDisallow: /\n"


@pytest.fixture
def shard(tmp_path):
    """Makes (record, sample, evidence) of a crawl file from its records."""

    def make(number: int, *records: bytes):
        path = write(tmp_path / f"{number}.warc.gz", *records)
        crawled = crawl_warc(path, number, tmp_path / f"{number}.tar")
        return crawled.record, crawled.sample, collect_evidence(Sources(path), number, crawled.record, crawled.sample)

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
    ("https://a.example:443", ("https://a.example", "/")),
    ("https://a.example:80/", ("https://a.example:80", "/")),
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
    ("error", 301, "bad_encoding", False),
    ("error", 404, "bad_encoding", False),
    ("repeat", 200, None, False),
]


@pytest.mark.parametrize(("status", "http_status", "reason", "is_kept"), ROWS)
def test_a_site_file_that_is_cut_or_damaged_is_kept_as_one(status, http_status, reason, is_kept):
    row = {"url": "http://site.example/robots.txt", "status": status, "http_status": http_status, "reason": reason}
    found = site_records({7: row | {"redirect_to": None}})
    assert found == ({7: [("robots", "http://site.example")]} if is_kept else {})


def test_files_of_the_same_bytes_are_two_where_one_of_them_is_cut():
    whole = SiteFile("robots", "http://site.example", 2, None, ROBOTS)
    cut = replace(whole, record_id=1, truncated="length")
    assert site_files([whole, cut]).num_rows == 2


def test_only_so_much_of_a_file_is_kept_that_its_reader_sees_that_there_is_more(shard):
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
