from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from resources.fetcher import FetchSettings, Wanted, fetch_all
from resources.fetcher.headers import retry_after
from tests.resources.fetcher.hosts import AGENT, Hosts, Request, answer, images, redirect

PICTURE = answer(b"picture")
EARLY = 0.03
"""Seconds that two requests may come closer together at the server than they were started."""


async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.03)
    writer.write(PICTURE)
    await writer.drain()


def most_at_a_time(requests: list[Request]) -> int:
    return max(sum(other.begun <= one.begun < other.ended for other in requests) for one in requests)


def gaps(requests: list[Request]) -> list[float]:
    times = sorted(request.begun for request in requests)
    return [later - earlier for earlier, later in zip(times, times[1:], strict=False)]


def test_no_registrable_domain_has_more_requests_at_a_time_than_allowed(hosts: Hosts) -> None:
    names = ["a.one.com", "b.one.com", "one.com", "two.com"]
    hosts.routes = dict.fromkeys(names, slow)
    done = hosts.fetch(*(hosts.url(name, f"/{n}") for name in names for n in range(8)), per_domain=3)
    assert len(images(done)) == 32
    assert all(fetched.attempt.status == "ok" for fetched in images(done))
    assert most_at_a_time([request for request in hosts.log if "one.com" in request.host]) <= 3
    assert most_at_a_time(hosts.log) > 3


def test_no_more_requests_run_at_a_time_than_allowed_in_all(hosts: Hosts) -> None:
    hosts.routes = {f"host{n}.com": slow for n in range(12)}
    hosts.fetch(*(hosts.url(name) for name in hosts.routes), concurrency=4)
    assert most_at_a_time(hosts.log) <= 4


def test_requests_to_one_domain_keep_their_distance_robots_and_redirects_included(hosts: Hosts) -> None:
    hosts.routes = {"a.one.com": PICTURE, "b.one.com": PICTURE}
    hosts.routes["two.com/3"] = redirect(hosts.url("b.one.com", "/from-two"))
    urls = [hosts.url("a.one.com", "/1"), hosts.url("b.one.com", "/2"), hosts.url("two.com", "/3")]
    done = images(hosts.fetch(*urls, delay=0.1))
    assert [fetched.attempt.status for fetched in done] == ["ok"] * 3
    requests = [request for request in hosts.log if "one.com" in request.host]
    assert len(requests) == 5
    assert min(gaps(requests)) >= 0.1 - EARLY


def test_crawl_delay_of_robots_is_kept_up_to_its_cap(hosts: Hosts) -> None:
    hosts.routes = {"one.com": PICTURE, "one.com/robots.txt": answer(b"User-agent: *\nCrawl-delay: 3600")}
    done = hosts.fetch(*(hosts.url("one.com", f"/{n}") for n in range(3)), crawl_delay_max=0.15)
    assert len(images(done)) == 3
    assert min(gaps(hosts.log)) >= 0.15 - EARLY


def test_the_global_rate_is_kept(hosts: Hosts) -> None:
    hosts.routes = {f"host{n}.com": PICTURE for n in range(15)}
    hosts.fetch(*(hosts.url(name) for name in hosts.routes), rate=50.0, robots=False)
    times = sorted(request.begun for request in hosts.log)
    assert times[-1] - times[0] >= 14 / 50 - 0.05 - EARLY


def test_slow_and_dead_domains_do_not_hold_up_others(hosts: Hosts) -> None:
    async def never(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    hosts.routes = {"stuck.com": never, "stuck.com/robots.txt": answer(), "late.com": PICTURE, "good.com": PICTURE}
    hosts.routes["late.com/robots.txt"] = answer(b"User-agent: *\nCrawl-delay: 0.7")
    urls = [hosts.url(name, f"/{n}") for name in ("stuck.com", "late.com", "good.com") for n in range(20)]
    done: list = []

    def enough() -> bool:
        return len(hosts.asked("good.com")) == 20 and not any(r.host == "good.com" and not r.ended for r in hosts.log)

    fetch_all([Wanted(url) for url in urls], hosts.settings(concurrency=3), done.extend, should_stop=enough)
    assert len(hosts.asked("good.com")) == 20
    assert len(hosts.asked("late.com")) <= 3


def test_a_busy_host_is_asked_again_after_the_time_it_names_and_so_is_its_domain(hosts: Hosts) -> None:
    busy = iter([answer(b"", "429 Too Many", "Retry-After: 1")])

    async def first_busy(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(next(busy, PICTURE))

    hosts.routes = {"a.one.com": first_busy, "b.one.com": PICTURE, "two.com": PICTURE}
    urls = [hosts.url("a.one.com", "/1"), hosts.url("b.one.com", "/2"), hosts.url("two.com", "/3")]
    done = images(hosts.fetch(*urls, retries=1, robots=False, per_domain=1))
    first = [fetched.attempt for fetched in done if fetched.attempt.url == urls[0]]
    assert [(attempt.status, attempt.reason, attempt.number) for attempt in first] == [
        ("failed", "http_429", 1),
        ("ok", None, 2),
    ]
    assert first[0].retry_at is not None
    began = {request.host + request.path: request.begun for request in hosts.log}
    [answered] = [request.begun for request in hosts.log if request.host == "a.one.com"][:1]
    assert began["b.one.com/2"] - answered >= 1 - EARLY
    assert began["a.one.com/1"] - answered >= 1 - EARLY
    assert began["two.com/3"] - answered < 0.9


def test_a_host_that_asks_for_more_than_we_wait_is_left_for_a_later_run(hosts: Hosts) -> None:
    hosts.routes = {"busy.com/1": answer(b"", "503 Busy", "Retry-After: 7200"), "busy.com": PICTURE,
                    "other.com": PICTURE}  # fmt: skip
    urls = [hosts.url("busy.com", "/1"), hosts.url("busy.com", "/2"), hosts.url("other.com")]
    done = {fetched.attempt.url: fetched.attempt for fetched in images(hosts.fetch(*urls, retries=2, per_domain=1))}
    assert len(done) == 3
    assert done[urls[2]].status == "ok"
    assert [done[url].reason for url in urls[:2]] == ["http_503", "retry_later"]
    for url in urls[:2]:
        retry_at = done[url].retry_at
        assert done[url].may_succeed
        assert retry_at is not None
        assert timedelta(hours=1) < retry_at - datetime.now(UTC) <= timedelta(hours=2)
    assert hosts.asked("busy.com") == ["/1"]


def test_a_robots_that_asks_for_more_than_we_wait_leaves_its_origin_for_a_later_run(hosts: Hosts) -> None:
    hosts.routes = {"busy.com": PICTURE, "busy.com/robots.txt": answer(b"", "429 Many", "Retry-After: 7200")}
    done = images(hosts.fetch(*(hosts.url("busy.com", f"/{n}") for n in range(5)), retries=2))
    assert [(f.attempt.reason, f.attempt.may_succeed) for f in done] == [("retry_later", True)] * 5
    assert all(fetched.attempt.retry_at is not None for fetched in done)
    assert hosts.asked("busy.com", robots=True) == ["/robots.txt"]


def test_every_attempt_in_a_run_is_a_row_and_only_the_last_may_be_ok(hosts: Hosts) -> None:
    answers = iter([answer(b"", "500 Oops"), answer(b"", "502 Oops"), PICTURE])

    async def recovering(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))

    hosts.routes = {"one.com": recovering}
    done = hosts.fetch(hosts.url("one.com"), retries=5, robots=False)
    rows = [(fetched.attempt.number, fetched.attempt.reason) for fetched in done]
    assert rows == [(1, "http_500"), (2, "http_502"), (3, None)]


def test_what_cannot_succeed_is_not_asked_for_again(hosts: Hosts) -> None:
    hosts.routes = {"one.com": answer(b"", "403 No")}
    hosts.fetch(hosts.url("one.com"), retries=5, robots=False)
    assert len(hosts.log) == 1


def test_a_domain_that_never_answers_is_given_up_without_further_requests(hosts: Hosts) -> None:
    async def never(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    hosts.routes = {"stuck.com": never, "good.com": PICTURE}
    urls = [hosts.url("stuck.com", f"/{n}") for n in range(30)]
    done = hosts.fetch(*urls, hosts.url("good.com"), robots=False, timeout=0.1, give_up_after=3, retries=1)
    reasons = [fetched.attempt.reason for fetched in done if "stuck.com" in fetched.attempt.url]
    assert reasons.count("domain_unreachable") >= 26
    assert len(hosts.asked("stuck.com")) <= 4
    assert {fetched.attempt.url for fetched in done} == {*urls, hosts.url("good.com")}
    assert all(fetched.attempt.may_succeed for fetched in done if fetched.attempt.status == "failed")


def test_a_domain_that_answers_now_and_then_is_not_given_up(hosts: Hosts) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://one.com:{closed.getsockname()[1]}/"
        hosts.routes = {"one.com": PICTURE}
        urls = [url for n in range(8) for url in (f"{dead}{n}", hosts.url("one.com", f"/{n}"))]
        done = hosts.fetch(*urls, robots=False, give_up_after=2, per_domain=1)
    assert [fetched.attempt.status for fetched in done].count("ok") == 8


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), ("-1", None), ("soon", None), ("", None), ("9" * 40, None),
     (format_datetime(datetime(2030, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60.0),
     (format_datetime(datetime(2029, 1, 1, tzinfo=UTC), usegmt=True), 0.0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after((("retry-after", value),), datetime(2030, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "wrong",
    [{"user_agent": " "}, {"user_agent": "a\r\nHost: b"}, {"concurrency": 0}, {"rate": 0.0}, {"delay": -1.0},
     {"timeout": float("inf")}, {"robots_token": "a b"}, {"robots_token": ""}, {"contact": "ü@x"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_by_name(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"fetch.{next(iter(wrong))}"):
        FetchSettings(**{"user_agent": AGENT, **wrong})
