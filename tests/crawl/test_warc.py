"""WARC records from bytes that are whole, encoded, cut, corrupt or hostile."""

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import brotli
import pytest

from assets.crawl.answers import Answer, Answers, digest_key
from assets.crawl.warc import iter_records, read_record
from tests.crawl.warcs import block, dictionary, dictionary_frame, frame, http, member, response, write

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


@pytest.mark.parametrize("wrap", [member, bytes, frame], ids=["gzip", "plain", "zstd"])
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


@pytest.mark.parametrize("wrap", [member, bytes, frame], ids=["gzip", "plain", "zstd"])
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


# Parameters name their tests: the time of day must not be in them.
HELLO = gzip.compress(b"hello hello", mtime=0)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (["Content-Encoding: gzip"], HELLO),
        (["Content-Encoding: deflate"], zlib.compress(b"hello hello")),
        (["Content-Encoding: deflate"], raw_deflate(b"hello hello")),
        (["Content-Encoding: br"], brotli.compress(b"hello hello")),
        (["Content-Encoding: zstd"], frame(b"hello hello")),
        (["Content-Encoding: identity"], b"hello hello"),
        (["Content-Encoding: UTF-8"], b"hello hello"),
        (["Transfer-Encoding: chunked"], chunks(b"hello ", b"hello")),
        (["Transfer-Encoding: Chunked", "Content-Encoding: GZIP"], chunks(*map(bytes, zip(HELLO)))),
        (["Content-Encoding: gzip, br"], brotli.compress(HELLO)),
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
        (["Content-Encoding: gzip"], gzip.compress(b"hello", mtime=0)[:-9]),
        (["Content-Encoding: gzip"], b"\x1f\x8b\x08rubbish and more rubbish"),
        (["Content-Encoding: br"], brotli.compress(b"hello" * 100)[:-2]),
        (["Content-Encoding: br"], b"\xff\xff\xff"),
        (["Content-Encoding: zstd"], frame(b"hello" * 100)[:-2]),
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
        ("gzip", gzip.compress(bytes(9 << 20), mtime=0)),
        ("deflate", zlib.compress(bytes(9 << 20))),
        ("br", brotli.compress(bytes(9 << 20), quality=5)),
        ("zstd", frame(bytes(9 << 20))),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(9 << 20), mtime=0))),
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
    records = read(tmp_path, gzip.compress(A + B + C, mtime=0))
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


def test_an_image_that_the_crawler_cut_off_is_an_error_and_a_page_is_read_as_far_as_it_goes(tmp_path):
    record = only(tmp_path, response("http://a.example/", b"half", "image/png", WARC_Truncated="length"))
    assert (record.status, record.reason, record.truncated) == ("error", "truncated", "length")
    record = only(tmp_path, response("http://a.example/", b"half", WARC_Truncated="length"))
    assert (record.status, record.reason, record.truncated) == ("ok", None, "length")


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


@pytest.mark.parametrize("packed", [bytes, frame], ids=["as it is", "compressed"])
def test_a_dictionary_at_the_start_of_a_file_reads_every_record_of_it(tmp_path, packed):
    words = dictionary()
    start, frames = dictionary_frame(packed(words)), [frame(record, words) for record in (A, B, C)]
    records = read(tmp_path, start + b"".join(frames))
    assert [(r.url, r.status) for r in records] == [(url, "ok") for url in ABC]
    assert [r.offset for r in records] == [len(start), len(start) + len(frames[0]), len(start + frames[0] + frames[1])]
    assert [r.length for r in records] == [len(part) for part in frames]
    for record in records:
        assert read_record(tmp_path / "x.warc", record.offset).body == record.body


@pytest.mark.parametrize("start", [dictionary_frame(b"no dictionary"), dictionary_frame(frame(b"x")[:9]), b""])
def test_without_its_dictionary_a_file_is_broken_and_nothing_worse(tmp_path, start):
    records = read(tmp_path, start + b"".join(frame(record, dictionary()) for record in (A, B)))
    assert {(r.type, r.status) for r in records} == {("broken", "error")}
    assert sum(r.length for r in records) <= (tmp_path / "x.warc").stat().st_size


def test_a_damaged_frame_loses_itself_alone(tmp_path):
    for at in range(10, len(frame(B)) - 4, 7):
        damaged = bytearray(frame(B))
        damaged[at] ^= 0xFF
        records = read(tmp_path, frame(A) + bytes(damaged) + frame(C))
        assert (records[0].url, records[0].status) == (ABC[0], "ok")
        assert (records[-1].url, records[-1].status) == (ABC[2], "ok")


def test_wherever_a_file_of_frames_is_cut_off_the_records_before_stand(tmp_path):
    first, second = frame(A), frame(B)
    for cut in range(len(first) + 1, len(first) + len(second)):
        records = read(tmp_path, (first + second)[:cut])
        assert (records[0].url, records[0].status, records[0].length) == (ABC[0], "ok", len(first))
        # Of a frame whose check sum alone is cut off, everything is there.
        assert [r.status for r in records[1:]] == ["ok" if cut >= len(first) + len(second) - 4 else "error"], cut


def test_records_that_share_a_frame_are_errors_since_no_offset_leads_to_them(tmp_path):
    records = read(tmp_path, frame(A + B + C))
    assert [(r.status, r.reason) for r in records] == [("ok", None)] + [("error", "not_record_compressed")] * 2


@pytest.mark.parametrize("size", [0, 1, 200, 300, 70_000, 140_000])
def test_the_last_frame_of_a_file_is_as_long_as_it_is(tmp_path, size):
    import random

    noise = random.Random(size).randbytes(size)
    for body in (noise, bytes(size), noise + bytes(size)):
        data = frame(response("http://a.example/1", body))
        (record,) = read(tmp_path, data)
        assert (record.status, record.length) == ("ok", len(data))


def test_a_revisit_says_which_record_it_repeats(tmp_path):
    record = only(
        tmp_path,
        block(
            "revisit",
            "http://a.example/",
            b"HTTP/1.1 304 Not Modified\r\n\r\n",
            WARC_Refers_To="<urn:uuid:1>",
            WARC_Refers_To_Target_URI="<http://b.example/>",
            WARC_Refers_To_Date="2020-01-02T03:04:05Z",
            WARC_Record_ID="<urn:uuid:2>",
        ),
    )
    assert (record.identifier, record.refers_to) == ("<urn:uuid:2>", "<urn:uuid:1>")
    assert record.refers_to_url == "http://b.example/"
    assert record.refers_to_date == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_metadata_of_a_page_comes_with_its_block(tmp_path):
    record = only(tmp_path, block("metadata", "http://a.example/", b'{"Envelope": 1}', "application/json"))
    assert (record.status, record.body, record.mime) == ("other", b'{"Envelope": 1}', "application/json")


def test_a_header_that_was_cut_off_gives_way_to_that_of_the_record_after_it(tmp_path):
    records = read(tmp_path, member(A) + member(B[:60]) + member(C))
    assert (records[-1].url, records[-1].body) == (ABC[2], b"<p>three</p>")


SHA1 = "sha1:" + "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"
SHA1_HEX = "SHA-1:" + bytes(range(20)).hex().upper()
OTHER = "sha1:" + "B" * 32
FIRST = {"WARC_Record_ID": "<urn:uuid:1>", "WARC_Date": "2020-01-02T03:04:05Z"}


@pytest.mark.parametrize(
    ("digest", "fields", "found"),
    [
        (SHA1, {}, True),
        (SHA1_HEX, {}, True),
        (OTHER, {}, False),
        (None, {}, False),
        (None, {"WARC_Refers_To": "<urn:uuid:1>"}, True),
        (None, {"WARC_Refers_To": "<urn:uuid:9>"}, False),
        (None, {"WARC_Refers_To_Target_URI": "http://A.example/a.png"}, True),
        (None, {"WARC_Refers_To_Target_URI": "http://a.example/a.png", "WARC_Refers_To_Date": FIRST["WARC_Date"]}, True),
        (None, {"WARC_Refers_To_Target_URI": "http://a.example/a.png", "WARC_Refers_To_Date": "2021-01-02T03:04:05Z"}, False),
        (None, {"WARC_Refers_To_Target_URI": "http://a.example/c.png"}, False),
        (OTHER, {"WARC_Refers_To": "<urn:uuid:1>"}, False),
        ("md5:" + "0" * 32, {"WARC_Refers_To": "<urn:uuid:1>"}, True),
    ],
)  # fmt: skip
def test_a_revisit_stands_for_the_record_that_it_names(tmp_path, digest, fields, found):
    first = response("http://a.example/a.png", b"picture", WARC_Payload_Digest=SHA1, **FIRST)
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    revisit = block("revisit", "http://a.example/b.png", head, WARC_Payload_Digest=digest, **fields)
    answers = Answers()
    for record in read(tmp_path, member(first) + member(revisit)):
        answers.add(record, record.ordinal, None)
    answer = answers.follow("http://a.example/b.png")
    assert (
        (isinstance(answer, Answer) and answer.record_id == 0)
        if found
        else answer == ("image_in_other_file", None, None)
    )


@pytest.mark.parametrize("digest", ["", "sha1", "sha1:", "sha1:x", "sha1:" + "1" * 32, "sha1:\udfff" + "A" * 31, "x:y"])
def test_a_digest_that_is_none_stays_as_it_is(digest):
    assert digest_key(digest) == digest


def test_a_damaged_dictionary_breaks_its_file_and_nothing_else(tmp_path):
    words = dictionary()
    frames = b"".join(frame(record, words) for record in (A, B))
    for at in range(4, 200, 13):
        damaged = bytearray(words)
        damaged[at] ^= 0xFF
        records = read(tmp_path, dictionary_frame(bytes(damaged)) + frames)
        assert records
        assert {r.status for r in records} <= {"ok", "error"}
