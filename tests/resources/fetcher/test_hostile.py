"""Bytes of any kind: an attempt may fail, a run never does."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from resources.fetcher.addresses import target_of
from resources.fetcher.headers import opt_out, retry_after
from resources.fetcher.result import Failure
from resources.fetcher.robots import RobotsCache
from resources.fetcher.settings import OPT_OUTS
from tests.resources.fetcher.hosts import Hosts, Request, answer, images

SEEDS = [
    answer(b"picture" * 50, "200 OK", "Content-Type: image/png", "X-Robots-Tag: all", "Retry-After: 3"),
    answer(b"", "302 Found", "Location: /1"),
    answer(b"", "429 Many", "Retry-After: Fri, 31 Dec 9999 23:59:59 -1200"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3;x=y\r\nfgh\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\npicture until the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
]
PIECES = [b"\r\n", b"\0", b"\xff\xfe", b"-1", b"9" * 30, b":", b"Content-Length: 7\r\n", b"\r\n\r\n", b"f" * 17, b"http://[",
          b"Transfer-Encoding: gzip, chunked\r\n", b" ", b"\t", b"HTTP/2.0 999 \xe9"]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    raw = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0:
                raw[at:at] = rng.choice(PIECES)
            case 1:
                raw[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                del raw[at : at + rng.randint(1, 20)]
            case 3:
                del raw[max(at, 1) :]
    return bytes(raw)


def test_mutated_answers_cost_their_attempt_and_nothing_else(hosts: Hosts) -> None:
    rng = random.Random(11)

    async def lie(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(mutated(rng))
        await writer.drain()
        writer.close()

    hosts.routes = {f"lying{n}.com": lie for n in range(400)}
    hosts.routes |= {f"lying{n}.com/robots.txt": answer() for n in range(0, 400, 2)}
    urls = [hosts.url(f"lying{n}.com", "/a.png") for n in range(400)]
    done = images(hosts.fetch(*urls, timeout=1.0))
    assert {fetched.attempt.url for fetched in done} == set(urls)
    assert len({fetched.attempt.reason for fetched in done}) > 5
    for fetched in done:
        f"{fetched.attempt.detail} {fetched.attempt.final_url}".encode()


def test_names_that_dns_cannot_have_are_failures_like_others(hosts: Hosts) -> None:
    urls = [f"http://{label}.com/" for label in ("a" * 64, "a..b", "-", "xn--a", "a" * 300, "a_b", "%00")]
    done = images(hosts.fetch(*urls))
    assert {fetched.attempt.url for fetched in done} == set(urls)
    assert all(fetched.attempt.status != "ok" for fetched in done)


@given(st.text(), st.one_of(st.none(), st.just("http://x.com/a/b")))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_address_or_a_failure(text: str, base: str | None) -> None:
    try:
        target = target_of(text, base)
    except Failure:
        return
    assert target.url.startswith(("http://", "https://"))
    assert target.url.isascii()
    assert target_of(target.url).url == target.url


@given(st.lists(st.one_of(st.text(), st.sampled_from(["noai", "winnow: noai", "x: none, noindex"])), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_header_values_are_read(texts: list[str]) -> None:
    assert opt_out([*texts, "noai"], "winnow", OPT_OUTS) is not None
    seconds = retry_after(tuple(("retry-after", text) for text in texts), datetime(2030, 1, 1, tzinfo=UTC))
    assert seconds is None or seconds >= 0


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"User-agent: *", b"Disallow: /*a$", b"Allow: /"]))))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_rules(lines: list[bytes]) -> None:
    cache = RobotsCache("winnow")
    cache.store("http://x.com", b"\n".join(lines))
    cache.refusal("http://x.com", "http://x.com/a?b=c")
    assert cache.crawl_delay("http://x.com") >= 0
