from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import threading
import time

import pytest

from resources.fetcher import Wanted, fetch_all
from tests.resources.fetcher.hosts import AGENT, Hosts, answer, images, outcome, redirect

PICTURE = b"\x89PNG picture"


def test_an_image_comes_with_its_bytes_digest_and_header_as_received(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(PICTURE, "200 Fine", "Content-Type: image/png", "x-odd:  Value ")}
    [done] = images(hosts.fetch(Wanted(hosts.url("good.example", "/a.png?x=1#part"), earlier=2)))
    attempt = done.attempt
    assert (attempt.status, attempt.reason, attempt.number, attempt.http_status) == ("ok", None, 3, 200)
    assert attempt.sha256 == hashlib.sha256(PICTURE).digest()
    assert (attempt.bytes, attempt.redirects) == (len(PICTURE), 0)
    assert attempt.final_url == hosts.url("good.example", "/a.png?x=1")
    [exchange] = done.exchanges
    assert exchange.header_bytes.startswith(b"HTTP/1.1 200 Fine\r\nContent-Type: image/png\r\nx-odd: Value\r\n")
    assert exchange.header_bytes.endswith(b"\r\n\r\n")
    assert exchange.body == PICTURE


def test_requests_say_who_asks_and_what_for(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(PICTURE)}
    hosts.fetch(hosts.url("good.example"), contact="crawl@winnow.example")
    [asked] = [request for request in hosts.log if request.path == "/a.png"]
    assert asked.headers["User-Agent"] == AGENT
    assert asked.headers["From"] == "crawl@winnow.example"
    assert asked.headers["Accept"] == "image/*"
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in asked.headers


def test_cookies_are_neither_kept_nor_sent(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(PICTURE, "200 OK", "Set-Cookie: id=1; Path=/")}
    hosts.fetch(hosts.url("good.example", "/a"), hosts.url("good.example", "/b"), per_domain=1)
    assert all("Cookie" not in request.headers for request in hosts.log)


def test_a_chunked_body_is_whole_and_its_header_no_longer_says_chunked(hosts: Hosts) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    hosts.routes = {"good.example": raw, "good.example/robots.txt": answer()}
    [done] = images(hosts.fetch(hosts.url("good.example")))
    assert done.exchanges[0].body == b"abcde"
    assert done.exchanges[0].header_bytes == b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


def test_a_body_that_was_compressed_all_the_same_is_kept_as_received(hosts: Hosts) -> None:
    packed = gzip.compress(PICTURE * 100)
    hosts.routes = {"good.example/a.png": answer(packed, "200 OK", "Content-Encoding: gzip")}
    [done] = images(hosts.fetch(hosts.url("good.example")))
    assert done.exchanges[0].body == packed


@pytest.mark.parametrize(
    ("status", "reason", "may_succeed"),
    [("404 Not Found", "http_404", False), ("403 Forbidden", "http_403", False), ("410 Gone", "http_410", False),
     ("408 Late", "http_408", True), ("425 Early", "http_425", True), ("429 Many", "http_429", True),
     ("500 Oops", "http_500", True), ("503 Busy", "http_503", True), ("204 Nothing", "empty", False),
     ("206 Part", "partial_content", False), ("202 Later", "http_202", False), ("304 Same", "http_304", False),
     ("200 OK", "empty", False)],
)  # fmt: skip
def test_every_status_without_an_image_has_a_reason_and_an_outlook(
    hosts: Hosts, status: str, reason: str, may_succeed: bool
) -> None:
    body = b"words" if status[0] in "45" or status.startswith(("206", "202")) else b""
    raw = answer(body, status) if body or status.startswith("200") else f"HTTP/1.1 {status}\r\n\r\n".encode()
    hosts.routes = {"odd.example/a.png": raw}
    assert outcome(hosts.fetch(hosts.url("odd.example"))) == ("failed", reason, may_succeed)


def test_redirects_are_followed_across_hosts_and_every_hop_is_kept(hosts: Hosts) -> None:
    hosts.routes = {
        "there.example/b%20c.png": redirect("../d.png", "308 Moved"),
        "there.example/d.png": answer(PICTURE),
    }
    hosts.routes["here.example/a.png"] = redirect(f"//there.example:{hosts.port}/b%20c.png#x")
    [done] = images(hosts.fetch(hosts.url("here.example")))
    assert (done.attempt.status, done.attempt.redirects) == ("ok", 2)
    assert [exchange.status for exchange in done.exchanges] == [302, 308, 200]
    assert done.attempt.url == hosts.url("here.example")
    assert done.attempt.final_url == hosts.url("there.example", "/d.png")


@pytest.mark.parametrize(
    ("place", "reason"),
    [("/a.png", "redirect_loop"), ("/b.png", "redirect_loop"), ("ftp://odd.example/a.png", "scheme_refused"),
     ("http://[", "bad_url"), ("", "redirect_without_target"), ("http://me:word@odd.example/", "credentials_refused")],
)  # fmt: skip
def test_redirects_to_nowhere_end_with_a_reason(hosts: Hosts, place: str, reason: str) -> None:
    hosts.routes = {"odd.example/a.png": redirect(place), "odd.example/b.png": redirect("/a.png")}
    assert outcome(hosts.fetch(hosts.url("odd.example")))[1] == reason


def test_one_redirect_more_than_allowed_is_too_many(hosts: Hosts) -> None:
    hosts.routes = {f"far.example/{n}": redirect(f"/{n + 1}") for n in range(3)}
    hosts.routes["far.example/3"] = answer(PICTURE)
    assert outcome(hosts.fetch(hosts.url("far.example", "/0"), max_redirects=3))[0] == "ok"
    assert outcome(hosts.fetch(hosts.url("far.example", "/0"), max_redirects=2))[1] == "too_many_redirects"


def test_a_body_above_the_limit_is_refused_by_its_length_or_by_count(hosts: Hosts) -> None:
    async def endless(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 1000)
            await writer.drain()

    hosts.routes = {"said.example/a.png": answer(b"x" * 101), "endless.example/a.png": endless,
                    "just.example/a.png": answer(b"x" * 100)}  # fmt: skip
    for host in ("said.example", "endless.example"):
        done = hosts.fetch(hosts.url(host), max_bytes=100)
        assert outcome(done) == ("failed", "too_large", False)
        [exchange] = images(done)[0].exchanges
        assert (exchange.body, exchange.truncated) == (b"", "length")
    assert outcome(hosts.fetch(hosts.url("just.example"), max_bytes=100))[0] == "ok"


def test_a_length_above_the_limit_is_enough_and_no_body_is_waited_for(hosts: Hosts) -> None:
    hosts.routes = {"said.example/a.png": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"}
    done = hosts.fetch(hosts.url("said.example"), timeout=2.0)
    assert outcome(done) == ("failed", "too_large", False)


def test_large_bodies_wait_for_each_other_and_all_come(hosts: Hosts) -> None:
    hosts.routes = {"large.example": answer(b"x" * (3 << 20)), "large.example/robots.txt": answer()}
    urls = [hosts.url("large.example", f"/{n}") for n in range(30)]
    done = images(hosts.fetch(*urls, per_domain=30))
    assert [fetched.attempt.bytes for fetched in done] == [3 << 20] * 30


def test_a_large_body_waits_for_a_place_without_its_clock_running_and_small_ones_do_not(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.fetcher.client.LARGE_AT_A_TIME", 0)
    hosts.routes = {"large.example": answer(b"x" * (3 << 20)), "large.example/robots.txt": answer(),
                    "small.example": answer(b"x" * (1 << 20)), "small.example/robots.txt": answer()}  # fmt: skip
    done: list = []
    began = time.monotonic()
    wanted = [Wanted(hosts.url(name)) for name in ("large.example", "small.example")]
    fetch_all(wanted, hosts.settings(timeout=0.5), done.extend, should_stop=lambda: time.monotonic() - began > 1.2)
    assert [fetched.attempt.url for fetched in images(done)] == [hosts.url("small.example")]


def test_redirects_that_would_pile_up_are_failed_for_now(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.fetcher.run.MAX_HELD", 10)
    hosts.routes = {"one.example": redirect("/b.png"), "one.example/robots.txt": answer()}
    assert outcome(hosts.fetch(hosts.url("one.example"))) == ("failed", "redirect_backlog", True)


def test_what_a_host_sends_never_makes_a_row_that_cannot_be_written(hosts: Hosts) -> None:
    hosts.routes = {
        "odd.example/a.png": b"HTTP/1.1 \xff\xfe\x80\r\n\r\n",
        "odd.example/b.png": b"HTTP/1.1 302 \xff\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
    }
    urls = [hosts.url("odd.example"), hosts.url("odd.example", "/b.png"), "http://\udcff/"]
    done = images(hosts.fetch(*urls))
    assert {fetched.attempt.url[-5:]: fetched.attempt.reason for fetched in done} == {
        "a.png": "bad_http",
        "b.png": "redirect_without_target",
        urls[2][-5:]: "bad_url",
    }
    for fetched in done:
        f"{fetched.attempt.detail} {fetched.attempt.final_url}".encode()


def test_a_host_that_drips_is_cut_off(hosts: Hosts) -> None:
    async def drip(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    hosts.routes = {"slow.example/a.png": drip}
    done = hosts.fetch(hosts.url("slow.example"), timeout=0.3)
    assert outcome(done) == ("failed", "timeout", True)
    assert images(done)[0].exchanges[0].truncated == "time"


@pytest.mark.parametrize(
    ("raw", "reason", "may_succeed"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "truncated", True),
     (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "truncated", True),
     (b"garbage of a server\r\n\r\n", "bad_http", False),
     (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "bad_http", False),
     (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", "bad_http", False),
     (b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"y" * 10_000 + b"\r\n") * 10 + b"\r\n", "header_too_large", False),
     (b"", "disconnected", True)],
)  # fmt: skip
def test_a_lying_host_costs_one_attempt_with_its_reason(
    hosts: Hosts, raw: bytes, reason: str, may_succeed: bool
) -> None:
    async def lie(request: object, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    hosts.routes = {"lying.example/a.png": lie}
    assert outcome(hosts.fetch(hosts.url("lying.example"))) == ("failed", reason, may_succeed)
    assert hosts.asked("lying.example") == ["/a.png"]


def test_a_host_whose_tls_fails_is_told_from_one_that_is_down(hosts: Hosts) -> None:
    def talk_plainly(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(answer(b"no TLS here", "400 Bad Request"))
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=talk_plainly, args=(listening,), daemon=True).start()
        done = hosts.fetch(f"https://127.0.0.1:{listening.getsockname()[1]}/", robots=False)
    assert outcome(done) == ("failed", "tls_failed", True)


def test_a_page_instead_of_an_image_is_stored_as_it_is(hosts: Hosts) -> None:
    hosts.routes = {"lying.example/a.png": answer(b"<html>no", "200 OK", "Content-Type: text/html")}
    assert outcome(hosts.fetch(hosts.url("lying.example")))[0] == "ok"


@pytest.mark.parametrize(
    ("url", "status", "reason"),
    [("", "failed", "bad_url"), ("http://", "failed", "bad_url"), ("no address", "failed", "bad_url"),
     ("http://x.example/" + "y" * 9000, "failed", "bad_url"), ("data:image/png,x", "refused", "scheme_refused"),
     ("file:///etc/passwd", "refused", "scheme_refused"), ("http://me@x.example/", "refused", "credentials_refused")],
)  # fmt: skip
def test_an_address_that_cannot_be_asked_is_an_attempt_all_the_same(
    hosts: Hosts, url: str, status: str, reason: str
) -> None:
    assert outcome(hosts.fetch(url))[:2] == (status, reason)


def test_a_dead_host_and_an_unknown_name_are_tried_again_and_then_failed(hosts: Hosts) -> None:
    hosts.routes = {"dead.example": b""}
    done = hosts.fetch("http://dead.example:1/", "http://unknown.invalid/", robots=False, retries=1)
    reasons = [(fetched.attempt.reason, fetched.attempt.number) for fetched in done]
    assert sorted(reasons) == [
        ("connect_failed", 1),
        ("connect_failed", 2),
        ("dns_failed", 1),
        ("dns_failed", 2),
    ]
    assert all(fetched.attempt.may_succeed for fetched in done)


def test_attempted_is_ok_and_failed_and_refused_for_a_mixed_list(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(PICTURE), "good.example/gone": answer(b"", "404 No"),
                    "good.example/robots.txt": answer(b"User-agent: *\nDisallow: /closed")}  # fmt: skip
    urls = [hosts.url("good.example", path) for path in ("/1", "/2", "/closed/3", "/gone")] + ["nonsense"]
    done = images(hosts.fetch(*urls))
    assert {fetched.attempt.url for fetched in done} == set(urls)
    counts = [sum(fetched.attempt.status == status for fetched in done) for status in ("ok", "failed", "refused")]
    assert counts == [2, 2, 1]


def test_batches_keep_to_their_bounds_and_are_written_one_at_a_time(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(b"x" * 1000), "good.example/robots.txt": answer()}
    sizes: list[int] = []
    writing = threading.Lock()

    def write(batch) -> None:
        assert writing.acquire(blocking=False)
        sizes.append(len(batch))
        assert len(batch) == 1 or sum(fetched.size for fetched in batch) <= 4000
        writing.release()

    wanted = [Wanted(hosts.url("good.example", f"/{n}")) for n in range(40)]
    fetch_all(wanted, hosts.settings(per_domain=8), write, batch_items=7, batch_bytes=4000)
    assert sum(sizes) == 41
    assert max(sizes) <= 7


def test_an_error_of_the_writer_ends_the_run_and_comes_out(hosts: Hosts) -> None:
    hosts.routes = {"good.example": answer(PICTURE)}

    def write(batch) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fetch_all((Wanted(hosts.url("good.example", f"/{n}")) for n in range(5000)), hosts.settings(), write, 4)
    assert len(hosts.log) < 1000


def test_an_error_of_the_list_of_addresses_comes_out(hosts: Hosts) -> None:
    def broken():
        yield Wanted("nonsense")
        raise KeyError("no column url")

    with pytest.raises(KeyError, match="no column url"):
        fetch_all(broken(), hosts.settings(), lambda batch: None)


def test_a_stopped_run_hands_over_what_is_finished(hosts: Hosts) -> None:
    async def never(request: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    hosts.routes = {"good.example": answer(PICTURE), "stuck.example": never, "stuck.example/robots.txt": answer()}
    done: list = []
    wanted = [Wanted(hosts.url("stuck.example")), *(Wanted(hosts.url("good.example", f"/{n}")) for n in range(20))]
    fetch_all(wanted, hosts.settings(), done.extend, should_stop=lambda: len(hosts.asked("good.example")) >= 20)
    assert {fetched.attempt.status for fetched in images(done)} == {"ok"}
    assert len(images(done)) >= 18
