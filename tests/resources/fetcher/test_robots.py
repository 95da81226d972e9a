from __future__ import annotations

import asyncio
import gzip
import time

import pytest

from resources.fetcher.headers import opt_out
from resources.fetcher.robots import RobotsCache
from resources.fetcher.settings import OPT_OUTS
from tests.resources.fetcher.hosts import Hosts, Request, answer, images, outcome, redirect

PICTURE = answer(b"picture")
CLOSED = b"User-agent: *\nDisallow: /closed\n\nUser-agent: Winnow\nDisallow: /ours\n"


def refusal(body: bytes, path: str) -> str | None:
    cache = RobotsCache("winnow")
    cache.store("http://x.com", body)
    failure = cache.refusal("http://x.com", f"http://x.com{path}")
    return failure.reason if failure else None


def test_what_robots_disallows_is_never_asked_for(hosts: Hosts) -> None:
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(CLOSED)}
    done = hosts.fetch(hosts.url("one.com", "/ours/1"), hosts.url("one.com", "/closed/2"))
    found = {fetched.attempt.url[-1]: fetched.attempt for fetched in images(done)}
    assert (found["1"].status, found["1"].reason, found["1"].may_succeed) == ("refused", "robots_disallowed", False)
    assert found["2"].status == "ok"
    assert hosts.asked("one.com") == ["/closed/2"]


def test_robots_is_asked_once_per_origin_and_is_a_row_of_its_own(hosts: Hosts) -> None:
    hosts.routes = {"a.one.com": PICTURE, "b.one.com": PICTURE, "a.one.com/robots.txt": answer(CLOSED)}
    urls = [hosts.url(name, f"/{n}") for name in ("a.one.com", "b.one.com") for n in range(10)]
    done = hosts.fetch(*urls)
    rows = {f.attempt.url: f for f in done if f.attempt.kind == "robots"}
    assert sorted(rows) == [hosts.url("a.one.com", "/robots.txt"), hosts.url("b.one.com", "/robots.txt")]
    assert rows[hosts.url("a.one.com", "/robots.txt")].exchanges[0].body == CLOSED
    assert [r.path for r in hosts.log].count("/robots.txt") == 2


def test_robots_goes_before_every_hop_of_a_redirect(hosts: Hosts) -> None:
    hosts.routes = {"two.com": PICTURE, "two.com/robots.txt": answer(CLOSED)}
    hosts.routes["one.com/a.png"] = redirect(hosts.url("two.com", "/ours/secret"))
    done = hosts.fetch(hosts.url("one.com"))
    assert outcome(done) == ("refused", "robots_disallowed", False)
    assert images(done)[0].attempt.final_url == hosts.url("two.com", "/ours/secret")
    assert hosts.asked("two.com") == []


@pytest.mark.parametrize("status", ["401 No", "403 No", "404 No", "410 Gone"])
def test_where_there_is_no_robots_everything_is_allowed(hosts: Hosts, status: str) -> None:
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(CLOSED, status)}
    assert outcome(hosts.fetch(hosts.url("one.com", "/ours")))[0] == "ok"


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Many"])
def test_a_robots_that_fails_at_the_host_refuses_everything_for_now(hosts: Hosts, status: str) -> None:
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(b"", status)}
    done = hosts.fetch(hosts.url("one.com"), retries=1)
    assert outcome(done) == ("refused", "robots_unreachable", True)
    assert hosts.asked("one.com", robots=True) == ["/robots.txt"] * 2


def test_a_robots_that_never_comes_refuses_everything_for_now(hosts: Hosts) -> None:
    async def never(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": never}
    assert outcome(hosts.fetch(hosts.url("one.com"), timeout=0.1)) == ("refused", "robots_unreachable", True)
    assert hosts.asked("one.com") == []


def test_robots_is_found_behind_five_redirects_and_not_behind_six(hosts: Hosts) -> None:
    for name, hops in (("five.com", 5), ("six.com", 6)):
        places = ["/robots.txt", *(f"/r{n}" for n in range(1, hops + 1))]
        for place, following in zip(places, places[1:], strict=False):
            hosts.routes[name + place] = redirect(following)
        hosts.routes[name + places[-1]] = answer(b"User-agent: *\nDisallow: /ours")
        hosts.routes[name] = PICTURE
    assert outcome(hosts.fetch(hosts.url("five.com", "/ours")))[1] == "robots_disallowed"
    assert outcome(hosts.fetch(hosts.url("five.com", "/other")))[0] == "ok"
    assert outcome(hosts.fetch(hosts.url("six.com", "/other")))[1] == "robots_unreachable"


def test_a_giant_robots_is_cut_and_its_first_500_kib_count(hosts: Hosts) -> None:
    body = b"User-agent: *\nDisallow: /ours\n" + b"# padding\n" * 100_000 + b"Disallow: /late\n"
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(body)}
    done = hosts.fetch(hosts.url("one.com", "/ours"), hosts.url("one.com", "/late"))
    assert {f.attempt.url[-4:]: f.attempt.status for f in images(done)} == {"ours": "refused", "late": "ok"}
    [robots] = [f for f in done if f.attempt.kind == "robots"]
    assert len(robots.exchanges[0].body) == 500 * 1024
    assert robots.exchanges[0].truncated == "length"


def test_a_compressed_robots_is_read_and_one_we_cannot_read_refuses(hosts: Hosts) -> None:
    packed = gzip.compress(CLOSED)
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(packed, "200 OK", "Content-Encoding: gzip")}
    assert outcome(hosts.fetch(hosts.url("one.com", "/ours")))[1] == "robots_disallowed"
    hosts.routes["one.com/robots.txt"] = answer(packed, "200 OK", "Content-Encoding: br")
    assert outcome(hosts.fetch(hosts.url("one.com", "/ours")))[1] == "robots_unreachable"


def test_robots_can_be_switched_off(hosts: Hosts) -> None:
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(CLOSED)}
    assert outcome(hosts.fetch(hosts.url("one.com", "/ours"), robots=False))[0] == "ok"
    assert hosts.asked("one.com", robots=True) == ["/ours"]


@pytest.mark.parametrize(
    ("body", "refused"),
    [(b"User-agent: winnow\nDisallow: /", True), (b"User-agent: WINNOW/2.0\nDisallow: /", True),
     (b"User-agent: win\nDisallow: /", False), (b"User-agent: winnowing\nDisallow: /", False),
     (b"User-agent: a\nUser-agent: winnow\nUser-agent: b\nDisallow: /", True),
     (b"User-agent: *\nDisallow: /\n\nUser-agent: winnow\nAllow: /", False),
     (b"User-agent: a\nDisallow: /\nUser-agent: *\nDisallow: /x", False),
     (b"User-agent: *\nDisallow: /\nAllow: /pic", False), (b"User-agent: *\nDisallow: /*.png$", True),
     (b"\xef\xbb\xbfUser-agent: *\nDisallow: /", True), (b"User-agent: *\rDisallow: /", True),
     (b"", False), (b"\xff\x00\n:::\nDisallow: /", False), (b"<html>no robots here", False)],
)  # fmt: skip
def test_the_group_that_names_our_token_counts_else_that_of_everybody(body: bytes, refused: bool) -> None:
    assert refusal(body, "/pic.png") == ("robots_disallowed" if refused else None)


def test_rules_are_kept_within_bounds_and_still_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.fetcher.robots.MAX_PARSED", 100)
    monkeypatch.setattr("resources.fetcher.robots.MAX_TEXT", 400)
    cache = RobotsCache("winnow")
    origins = [f"http://{n}.com" for n in range(20)]
    for origin in origins:
        cache.store(origin, b"User-agent: *\nDisallow: /closed\nCrawl-delay: 7")
    kept = [origin for origin in origins if cache.known(origin)]
    assert 1 < len(kept) < 10
    assert kept == origins[-len(kept) :]
    for origin in kept * 2:
        assert cache.refusal(origin, f"{origin}/closed") is not None
        assert cache.refusal(origin, f"{origin}/open") is None
        assert cache.crawl_delay(origin) == 7


def test_hostile_robots_files_take_neither_long_nor_much() -> None:
    agents = b"".join(b"User-agent: %d\n" % n for n in range(14_000)) * 2
    files = [
        agents[: 250 * 1024] + b"".join(b"Allow: /%d\n" % n for n in range(25_000)),
        b"User-agent: *\n" + b"Disallow: /" + b"*a" * 100_000 + b"b\n",
        b"User-agent: *\n" + b"".join(b"Disallow: /*%d$\n" % n for n in range(30_000)),
    ]
    began = time.process_time()
    for body in files:
        assert refusal(body, "/" + "a" * 8000) is None
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("tags", "refused"),
    [(["noai"], True), (["NOAI"], True), (["noai, noimageai"], True), (["max-image-preview:large, noai"], True),
     (["otherbot: noindex, noai"], False), (["noai, otherbot: noindex"], True), (["winnow: noindex"], True),
     (["otherbot: noai, Winnow: noimageindex"], True), (["otherbot: all", "noai"], True), (["none"], True),
     (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], True), (["nofollow, noarchive"], False), ([""], False),
     (["*: noindex"], True), (["noaiplease"], False)],
)  # fmt: skip
def test_x_robots_tag_binds_us_where_it_names_us_or_nobody(tags: list[str], refused: bool) -> None:
    assert (opt_out(tags, "winnow", OPT_OUTS) is not None) == refused


def test_an_image_that_opts_out_leaves_its_header_and_nothing_else(hosts: Hosts) -> None:
    hosts.routes = {"out.com": answer(b"picture", "200 OK", "X-Robots-Tag: nofollow", "x-robots-tag: NoAI")}
    done = hosts.fetch(hosts.url("out.com"))
    assert outcome(done) == ("refused", "x_robots_tag", False)
    [fetched] = images(done)
    assert fetched.attempt.detail == "NoAI"
    assert fetched.exchanges[0].body == b""
    assert b"x-robots-tag: NoAI" in fetched.exchanges[0].header_bytes
    assert outcome(hosts.fetch(hosts.url("out.com"), opt_out_directives=("noindex",)))[0] == "ok"
