from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from fastwarc.warc import ArchiveIterator

from assets.crawl.warc import iter_records
from resources.fetcher import Exchange, FetchSettings, WarcWriter
from tests.resources.fetcher.hosts import AGENT, Hosts, answer, redirect

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def test_the_archive_is_read_back_as_it_was_received(hosts: Hosts, tmp_path: Path) -> None:
    hosts.routes = {"one.com/a.png": redirect("/b.png"), "one.com/b.png": answer(b"picture\r\n\r\nWARC/1.1\r\n")}
    done = hosts.fetch(hosts.url("one.com"))
    exchanges = [exchange for fetched in done for exchange in fetched.exchanges]
    with open(tmp_path / "x.warc", "wb") as stream:
        writer = WarcWriter(stream)
        ordinals = [writer.add(exchange) for exchange in exchanges]
    records = list(iter_records(tmp_path / "x.warc"))
    assert [record.type for record in records] == ["warcinfo", *["response"] * 3]
    assert ordinals == [record.ordinal for record in records[1:]] == [1, 2, 3]
    assert [record.status for record in records[1:]] == ["http_error", "redirect", "ok"]
    for record, exchange in zip(records[1:], exchanges, strict=True):
        assert (record.url, record.http_status, record.body) == (exchange.url, exchange.status, exchange.body)
        assert record.header_bytes == exchange.header_bytes
        assert record.fetched_at == exchange.fetched_at
        assert record.digest == f"sha256:{hashlib.sha256(exchange.body).hexdigest()}"


def test_a_body_that_is_not_whole_is_marked_as_truncated(tmp_path: Path) -> None:
    path = tmp_path / "x.warc"
    with open(path, "wb") as stream:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
        WarcWriter(stream).add(Exchange("http://x.com/", 200, head, b"", NOW, "length"))
    [_, record] = iter_records(path)
    assert (record.truncated, record.status, record.reason) == ("length", "error", "truncated")


def test_the_first_record_says_who_asked_and_under_which_rules() -> None:
    stream = io.BytesIO()
    WarcWriter(stream, FetchSettings(AGENT, contact="crawl@winnow.example"), NOW)
    text = stream.getvalue().decode()
    assert text.startswith("WARC/1.1\r\nWARC-Type: warcinfo\r\nWARC-Record-ID: <urn:uuid:")
    for line in ("WARC-Date: 2024-05-06T07:08:09.123456Z", "robots: RFC 9309, token winnow",
                 f"http-header-user-agent: {AGENT}", "http-header-from: crawl@winnow.example"):  # fmt: skip
        assert f"\r\n{line}\r\n" in text


def test_equal_answers_make_equal_files_and_every_record_its_own_id() -> None:
    def file() -> bytes:
        stream = io.BytesIO()
        writer = WarcWriter(stream, None, NOW)
        for _ in range(2):
            writer.add(Exchange("http://x.com/", 200, b"HTTP/1.1 200 OK\r\n\r\n", b"picture", NOW))
        return stream.getvalue()

    assert file() == file()
    ids = [record.record_id for record in ArchiveIterator(io.BytesIO(file()))]
    assert len(set(ids)) == 3


KILLED = """
import sys
from resources.fetcher import FetchSettings, Wanted, WarcWriter, fetch_all

port, path = int(sys.argv[1]), sys.argv[2]
settings = FetchSettings("winnow-tests/1.0", delay=0.0, rate=200.0, allow_private=("127.0.0.1",),
                         resolve={"one.com": ("127.0.0.1",)})
with open(path, "wb") as stream, open(path + ".done", "w") as ledger:
    writer = WarcWriter(stream, settings)
    def write(batch):
        for fetched in batch:
            for exchange in fetched.exchanges:
                writer.add(exchange)
        stream.flush()
        ledger.writelines(f"{f.attempt.kind} {f.attempt.status} {f.attempt.url}\\n" for f in batch)
        ledger.flush()
    fetch_all((Wanted(f"http://one.com:{port}/{n}") for n in range(5000)), settings, write, 5)
"""


def test_what_a_killed_run_had_written_is_readable_and_need_not_be_fetched_again(hosts: Hosts, tmp_path: Path) -> None:
    hosts.routes = {"one.com": answer(b"picture"), "one.com/robots.txt": answer()}
    path = tmp_path / "x.warc"
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(hosts.port), str(path)], cwd=root)
    ledger = Path(f"{path}.done")
    try:
        for _ in range(2000):
            if ledger.exists() and len(ledger.read_text().splitlines()) > 20:
                break
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    lines = [line.split() for line in ledger.read_text().splitlines()]
    finished = {url for kind, status, url in lines if (kind, status) == ("image", "ok")}
    assert len(finished) >= 15
    archived = {record.url for record in iter_records(path) if record.status == "ok"}
    assert finished <= archived
    before = len(hosts.log)
    wanted = [hosts.url("one.com", f"/{n}") for n in range(60)]
    hosts.fetch(*(url for url in wanted if url not in finished))
    again = {hosts.url("one.com", request.path) for request in hosts.log[before:]}
    assert not again & finished
    assert again | finished >= set(wanted)
