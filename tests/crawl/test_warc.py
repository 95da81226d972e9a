"""WARC records from bytes that are whole, encoded, cut, corrupt or hostile."""

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import brotli
import pytest

from assets.crawl.warc import iter_records, read_record
from tests.crawl.warcs import block, http, member, response, write

A = response("http://a.example/1", b"<p>one</p>")
B = response("http://a.example/2", b"<p>two</p>")
C = response("http://a.example/3", b"<p>three</p>")
ABC = ["http://a.example/1", "http://a.example/2", "http://a.example/3"]


def read(path, data, **options):
    path = path / "x.warc"
    path.write_bytes(data)
    return list(iter_records(path, **options))


def only(path, record, **options):
    (found,) = read(path, member(record), **options)
    return found


def urls(records):
    return [record.url for record in records]


@pytest.mark.parametrize("wrap", [member, bytes], ids=["gzip", "plain"])
def test_records_come_in_order_with_the_places_where_they_stand(tmp_path, wrap):
    parts = [wrap(record) for record in (A, B, C)]
    records = read(tmp_path, b"".join(parts))
    assert urls(records) == ABC
    assert [r.ordinal for r in records] == [0, 1, 2]
    assert [r.body for r in records] == [b"<p>one</p>", b"<p>two</p>", b"<p>three</p>"]
    assert [(r.offset, r.length) for r in records] == [
        (0, len(parts[0])),
        (len(parts[0]), len(parts[1])),
        (len(parts[0]) + len(parts[1]), len(parts[2])),
    ]


@pytest.mark.parametrize("wrap", [member, bytes], ids=["gzip", "plain"])
def test_a_record_read_again_at_its_offset_is_the_same_record(tmp_path, wrap):
    for record in read(tmp_path, b"".join(wrap(r) for r in (A, B, C))):
        again = read_record(tmp_path / "x.warc", record.offset)
        assert replace(again, ordinal=record.ordinal) == record


def test_a_record_carries_what_its_headers_say(tmp_path):
    content = http(
        b"caf\xe9", 'Text/HTML; Charset="latin-1"', "200 OK", "X-Robots-Tag: noai", "x-robots-tag: noimageai"
    )
    digest = "sha1:ABC"
    record = only(tmp_path, block("response", "<http://a.example/>", content, WARC_Payload_Digest=digest))
    assert (record.type, record.url, record.status, record.http_status) == ("response", "http://a.example/", "ok", 200)
    assert record.fetched_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert (record.mime, record.charset, record.digest) == ("text/html", "latin-1", digest)
    assert record.header("X-ROBOTS-TAG") == ["noai", "noimageai"]
    assert record.header_bytes == content.removesuffix(b"caf\xe9")
    assert record.body == b"caf\xe9"


def test_without_a_digest_the_body_is_hashed(tmp_path):
    record = only(tmp_path, response("http://a.example/", b"abc"))
    assert record.digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def raw_deflate(body):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def chunks(*parts):
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (["Content-Encoding: gzip"], gzip.compress(b"hello hello")),
        (["Content-Encoding: deflate"], zlib.compress(b"hello hello")),
        (["Content-Encoding: deflate"], raw_deflate(b"hello hello")),
        (["Content-Encoding: br"], brotli.compress(b"hello hello")),
        (["Content-Encoding: identity"], b"hello hello"),
        (["Transfer-Encoding: chunked"], chunks(b"hello ", b"hello")),
        (["Transfer-Encoding: Chunked", "Content-Encoding: GZIP"], chunks(*map(bytes, zip(gzip.compress(b"hello hello"))))),
        (["Content-Encoding: gzip, br"], brotli.compress(gzip.compress(b"hello hello"))),
        # Crawlers that store the decoded body leave the header fields as they were.
        (["Transfer-Encoding: chunked"], b"hello hello"),
        (["Content-Encoding: gzip"], b"hello hello"),
    ],
)  # fmt: skip
def test_bodies_are_decoded(tmp_path, headers, sent):
    record = only(tmp_path, response("http://a.example/", sent, "text/plain", "200 OK", *headers))
    assert (record.status, record.body) == ("ok", b"hello hello")


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (["Content-Encoding: gzip"], gzip.compress(b"hello")[:-9]),
        (["Content-Encoding: gzip"], b"\x1f\x8b\x08rubbish and more rubbish"),
        (["Content-Encoding: br"], brotli.compress(b"hello" * 100)[:-2]),
        (["Content-Encoding: br"], b"\xff\xff\xff"),
        (["Content-Encoding: zpaq"], b"hello"),
        (["Transfer-Encoding: chunked"], b"5\r\nhel"),
        (["Transfer-Encoding: chunked"], b"5\r\nhello\r\nnot hex\r\n"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_an_error_with_a_reason(tmp_path, headers, sent):
    record = only(tmp_path, response("http://a.example/", sent, "text/plain", "200 OK", *headers))
    assert (record.status, record.reason, record.body) == ("error", "bad_encoding", b"")


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", gzip.compress(bytes(9 << 20))),
        ("deflate", zlib.compress(bytes(9 << 20))),
        ("br", brotli.compress(bytes(9 << 20), quality=5)),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(9 << 20)))),
        ("identity", bytes(9 << 20)),
    ],
)
def test_a_body_that_outgrows_the_limit_is_too_large(tmp_path, coding, sent):
    bomb = response("http://a.example/1", sent, "text/html", "200 OK", f"Content-Encoding: {coding}")
    first, second = read(tmp_path, member(bomb) + member(B), max_body=1 << 20)
    assert (first.status, first.reason, first.body) == ("error", "too_large", b"")
    assert second.status == "ok"


def test_a_brotli_bomb_is_never_held_in_memory(tmp_path):
    import tracemalloc

    sent = brotli.compress(bytes(128 << 20), quality=1, lgwin=16)
    bomb = response("http://a.example/1", sent, "text/html", "200 OK", "Content-Encoding: br")
    tracemalloc.start()
    record = only(tmp_path, bomb, max_body=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert record.reason == "too_large"
    assert peak < 16 << 20


def test_a_body_of_exactly_the_limit_is_read(tmp_path):
    assert only(tmp_path, response("http://a.example/", b"x" * 1000), max_body=1000).status == "ok"
    assert only(tmp_path, response("http://a.example/", b"x" * 1001), max_body=1000).reason == "too_large"


@pytest.mark.parametrize("wrap", [member, bytes], ids=["gzip", "plain"])
def test_wherever_a_file_is_cut_off_the_records_before_stand_and_the_last_is_an_error(tmp_path, wrap):
    first, second = wrap(A), wrap(B)
    whole = read(tmp_path, first)[0]
    for cut in range(len(first) + 1, len(first) + len(second)):
        records = read(tmp_path, (first + second)[:cut])
        assert replace(records[0], length=whole.length) == whole
        if records[1].status == "ok":
            # Only the two line ends after the block are gone, or with them the check sum.
            assert cut >= len(first) + len(second) - (4 if wrap is bytes else 14)
            assert records[1].body == b"<p>two</p>"
            continue
        assert [r.status for r in records] == ["ok", "error"], cut
        assert records[1].reason in ("truncated", "broken_warc", "bad_http")
        assert records[1].body == b""


@pytest.mark.parametrize("wrap", [member, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize(
    "garbage", [b"garbage\r\n" * 9, b"\x1f\x8b\x08 not gzip", bytes(5000), b"WARC/", b"<html>" * 3000]
)
def test_garbage_between_records_is_one_broken_stretch_and_costs_nothing_else(tmp_path, wrap, garbage):
    records = read(tmp_path, wrap(A) + garbage + wrap(B) + wrap(C))
    assert [r for r in urls(records) if r] == ABC
    good = [r for r in records if r.url]
    assert {r.status for r in good} == {"ok"}
    for record in good:
        assert read_record(tmp_path / "x.warc", record.offset).body == record.body
    broken = [r for r in records if not r.url]
    assert all((r.type, r.status) == ("broken", "error") and r.reason for r in broken)


def test_a_broken_stretch_says_where_it_stands(tmp_path):
    garbage = b"garbage" * 9
    _, broken, _ = read(tmp_path, member(A) + garbage + member(B))
    assert (broken.offset, broken.length) == (len(member(A)), len(garbage))


def test_a_member_with_a_flipped_byte_loses_itself_alone(tmp_path):
    for at in range(12, len(member(B)) - 8, 7):
        damaged = bytearray(member(B))
        damaged[at] ^= 0xFF
        records = read(tmp_path, member(A) + bytes(damaged) + member(C))
        assert [(r.url, r.status) for r in (records[0], records[-1])] == [(ABC[0], "ok"), (ABC[2], "ok")]
        assert all(r.status == "error" for r in records[1:-1])
        assert len(records) >= 3


@pytest.mark.parametrize("length", ["-5", "zzz", "9" * 24, None, ""])
def test_a_bad_content_length_loses_its_record_alone(tmp_path, length):
    records = read(tmp_path, member(response("http://a.example/0", b"x", Content_Length=length)) + member(C))
    assert records[0].status == "error"
    assert (records[-1].url, records[-1].status) == (ABC[2], "ok")


def test_records_that_share_a_gzip_member_are_errors_since_no_offset_leads_to_them(tmp_path):
    records = read(tmp_path, gzip.compress(A + B + C))
    assert urls(records) == ABC
    assert [(r.status, r.reason) for r in records] == [("ok", None)] + [("error", "not_record_compressed")] * 2


def test_header_fields_in_no_known_encoding_still_make_a_record_that_utf8_can_hold(tmp_path):
    content = b"HTTP/1.1 200 \xff\xfe\r\nContent-Type: text/html\r\nX-\xe9: \xe9\xff\r\nno colon\r\n\r\nbody"
    record = only(tmp_path, block("response", b"http://a.example/\xff\xe9", content))
    assert (record.status, record.body) == ("ok", b"body")
    record.url.encode()
    for name, value in record.headers:
        (name + value).encode()


def test_a_revisit_is_a_repeat_without_body(tmp_path):
    record = only(
        tmp_path, block("revisit", "http://a.example/", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    )
    assert (record.status, record.body, record.http_status) == ("repeat", b"", 200)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("200 OK", "ok"),
        ("206 Partial Content", "ok"),
        ("301 Moved Permanently", "redirect"),
        ("404 Not Found", "http_error"),
        ("500", "http_error"),
    ],
)
def test_the_http_status_decides_what_a_record_is(tmp_path, line, status):
    assert only(tmp_path, response("http://a.example/", b"", "text/html", line)).status == status


@pytest.mark.parametrize("content", [b"", b"no http at all", b"HTTP/1.1 twohundred\r\nA: b\r\n\r\nbody", b"\r\n\r\n"])
def test_what_is_no_http_answer_is_an_error(tmp_path, content):
    record = only(tmp_path, block("response", "http://a.example/", content))
    assert (record.status, record.reason) == ("error", "bad_http")


def test_a_body_that_the_crawler_cut_off_is_an_error(tmp_path):
    record = only(tmp_path, response("http://a.example/", b"half", WARC_Truncated="length"))
    assert (record.status, record.reason, record.truncated) == ("error", "truncated", "length")


def test_records_that_answer_no_address_are_other(tmp_path):
    records = read(
        tmp_path,
        b"".join(
            member(r)
            for r in (
                block("warcinfo", None, b"software: x", "application/warc-fields"),
                block("request", "http://a.example/", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"),
                block("metadata", "http://a.example/", b"via: x", "application/warc-fields"),
                block("resource", "metadata://tool/log", b"log", "text/plain"),
                block("resource", "http://a.example/a.txt", b"kept", "text/plain"),
            )
        ),
    )
    assert [r.status for r in records] == ["other", "other", "other", "other", "ok"]
    assert records[-1].body == b"kept"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-05-06T09:08:09+02:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_dates_are_utc_wherever_the_reader_is(tmp_path, monkeypatch, date, expected):
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert only(tmp_path, response("http://a.example/", b"x", WARC_Date=date)).fetched_at == expected
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_file_of_nothing_has_no_records(tmp_path):
    assert read(tmp_path, b"") == []


def test_a_file_of_garbage_is_one_broken_record(tmp_path):
    (record,) = read(tmp_path, b"\x1f\x8b\x08" * 100_000)
    assert (record.type, record.offset, record.length) == ("broken", 0, 300_000)


def test_after_too_many_broken_stretches_the_rest_is_given_up_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr("assets.crawl.warc.MAX_BROKEN", 3)
    records = read(tmp_path, b"WARC/1.0\r\n\r\nxx" * 9 + A)
    assert [r.type for r in records] == ["broken"] * 3
    assert records[-1].offset + records[-1].length == (tmp_path / "x.warc").stat().st_size


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="none.warc.gz"):
        list(iter_records(tmp_path / "none.warc.gz"))
    with pytest.raises(OSError, match="none.warc.gz"):
        read_record(tmp_path / "none.warc.gz", 0)


@pytest.mark.parametrize("offset", [1, 100, 10**9])
def test_reading_where_no_record_starts_is_a_broken_record(tmp_path, offset):
    record = read_record(write(tmp_path / "x.warc.gz", A), offset)
    assert (record.type, record.status, record.body) == ("broken", "error", b"")
