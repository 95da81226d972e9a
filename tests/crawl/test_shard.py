"""A crawl file as tables: who answers an image's address, what is refused and why, and that the result repeats."""

import gzip
import hashlib

import pytest

from assets.crawl.candidates import ReadSettings
from assets.crawl.images import DecodeSettings, read_members
from assets.provenance.tables import conform
from tests.crawl.shards import crawl_warc
from tests.crawl.warcs import block, http, member, picture, response, write

PAGE = "http://a.example/"
RED = picture("red")


def crawl(folder, *records, reading=None, decoding=None, **limits):
    path = write(folder / "x.warc.gz", *records)
    shard = crawl_warc(path, 7, folder / "image.tar", "lake/image.tar", reading, decoding, **limits)
    for name in ("record", "candidate", "sample", "image", "decision"):
        assert getattr(shard, name).equals(conform(name, getattr(shard, name)))
    return shard


def page(*sources, url=PAGE, **fields):
    html = "".join(f'<img src="{source}" alt="Text of {source}">' for source in sources)
    return response(url, html.encode(), **fields)


def png(name, data=RED, mime="image/png", status="200 OK", *headers):
    return response(PAGE + name, data, mime, status, *headers)


def moved(name, target):
    return png(name, b"", "text/html", "302 Found", *([f"Location: {target}"] if target else []))


def reasons(shard):
    return shard.decision["reason"].to_pylist()


def test_a_sample_for_every_img_an_image_for_every_record_that_samples_name_and_ids_of_both(tmp_path):
    shard = crawl(tmp_path, page("a.png", "b.png", "a.png"), png("a.png"), png("unused.png"), png("b.png"))
    first = 7 << 32
    assert shard.sample["sample_id"].to_pylist() == [first, first + 1, first + 2]
    assert shard.sample["image_record_id"].to_pylist() == [first + 1, first + 3, first + 1]
    assert shard.image["image_id"].to_pylist() == [first + 1, first + 3]
    assert shard.sample["image_id"].to_pylist() == shard.sample["image_record_id"].to_pylist()
    assert shard.decision["kept"].to_pylist() == [True, True, True]
    assert shard.sample["position"].to_pylist() == [0, 1, 2]


def test_an_image_row_describes_the_bytes_in_the_tar(tmp_path):
    data = picture("red", (40, 30), "JPEG")
    shard = crawl(tmp_path, page("a.png"), png("a.png", data))
    (row,) = shard.image.to_pylist()
    assert (row["format"], row["width"], row["height"], row["bytes"], row["frames"]) == ("JPEG", 40, 30, len(data), 1)
    assert row["sha256"] == hashlib.sha256(data).digest()
    assert (row["file"], row["member"]) == ("lake/image.tar", f"{row['image_id']:020d}.jpg")
    assert list(read_members(tmp_path / "image.tar", [row["member"]])) == [data]


def test_images_are_found_in_an_uncompressed_file(tmp_path):
    path = tmp_path / "x.warc"
    blue = picture("blue")
    path.write_bytes(page("a.png", "b.png") + png("a.png") + png("b.png", blue))
    shard = crawl_warc(path, 1, tmp_path / "image.tar")
    assert list(read_members(tmp_path / "image.tar", shard.image["member"].to_pylist())) == [RED, blue]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "empty"),
        (b"<html>Not found</html>", "html_body"),
        (b"<svg/>", "svg"),
        (picture("red", (64, 64), "JPEG")[:-40], "truncated"),
        (b"plain text", "not_an_image"),
    ],
)
def test_an_image_that_is_none_costs_its_own_samples_alone(tmp_path, answer, reason):
    shard = crawl(tmp_path, page("a.png", "b.png", "c.png"), png("a.png"), png("b.png", answer), png("c.png"))
    assert reasons(shard) == [None, reason, None]
    assert shard.sample["image_id"].null_count == 1
    assert shard.image.num_rows == 2


def test_a_limit_that_was_passed_is_given_with_the_number(tmp_path):
    big = picture("red", (100, 50))
    shard = crawl(tmp_path, page("a.png"), png("a.png", big), decoding=DecodeSettings(max_pixels=4999))
    assert shard.decision.select(["reason", "score", "threshold"]).to_pylist() == [
        {"reason": "too_many_pixels", "score": 5000.0, "threshold": 4999.0}
    ]
    shard = crawl(tmp_path, page("a.png"), png("a.png", big), max_bytes=len(big) - 1)
    assert shard.decision.select(["reason", "score", "threshold"]).to_pylist() == [
        {"reason": "too_large", "score": float(len(big)), "threshold": float(len(big) - 1)}
    ]


def test_images_that_have_no_answer_say_why(tmp_path):
    shard = crawl(
        tmp_path,
        page("gone.png", "nowhere.png", "data:image/png;base64,AAAA", "", "cut.png", "broken.png"),
        png("gone.png", b"", "text/html", "404 Not Found"),
        response(PAGE + "cut.png", RED, "image/png", WARC_Truncated="length"),
        png("broken.png", b"zz", "image/png", "200 OK", "Content-Encoding: zpaq"),
    )
    assert reasons(shard) == ["http_404", "image_not_in_crawl", "data_url", "no_address", "truncated", "bad_encoding"]


def test_redirects_are_followed_inside_the_crawl_whatever_the_order(tmp_path):
    shard = crawl(tmp_path, png("c.png"), moved("b.png", "/c.png"), page("a.png"), moved("a.png", "b.png"))
    assert shard.sample["image_record_id"].to_pylist() == [7 << 32]
    assert shard.record["redirect_to"].to_pylist() == [None, PAGE + "c.png", None, PAGE + "b.png"]


def test_redirects_that_lead_nowhere_or_in_a_circle_end(tmp_path):
    chain = [moved(f"{n}.png", f"{n + 1}.png") for n in range(7)]
    shard = crawl(
        tmp_path,
        page("loop.png", "0.png", "1.png", "out.png", "blank.png"),
        moved("loop.png", "loop.png"),
        *chain[:6],
        png("6.png"),
        moved("out.png", "http://elsewhere.example/x.png"),
        moved("blank.png", None),
    )
    assert reasons(shard) == [
        "too_many_redirects",
        "too_many_redirects",
        None,
        "image_not_in_crawl",
        "redirect_without_target",
    ]
    assert shard.decision["score"].to_pylist()[:2] == [6.0, 6.0]
    assert shard.decision["threshold"].to_pylist()[:2] == [5.0, 5.0]


def test_a_page_archived_again_unchanged_gives_no_samples_and_changed_gives_new_ones(tmp_path):
    shard = crawl(tmp_path, page("a.png"), page("a.png"), page("a.png", "b.png"), page("a.png", url=PAGE + "other"))
    assert shard.record["status"].to_pylist() == ["ok", "repeat", "ok", "ok"]
    assert shard.sample["page_record_id"].to_pylist() == [(7 << 32) + n for n in (0, 2, 2, 3)]


def test_a_revisit_repeats_and_never_answers_for_an_image(tmp_path):
    again = block("revisit", PAGE + "a.png", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
    shard = crawl(tmp_path, again, page("a.png"), png("a.png"))
    assert shard.record["status"].to_pylist() == ["repeat", "ok", "ok"]
    assert shard.sample["image_record_id"].to_pylist() == [(7 << 32) + 2]


def revisit(name, digest):
    return block("revisit", PAGE + name, b"HTTP/1.1 200 OK\r\n\r\n", WARC_Payload_Digest=digest)


def test_a_revisit_stands_for_the_same_bytes_under_another_address_of_the_file(tmp_path):
    original = response(PAGE + "a.png", RED, "image/png", WARC_Payload_Digest="sha1:RED")
    shard = crawl(tmp_path, revisit("b.png", "sha1:RED"), page("b.png", "c.png"), original, revisit("c.png", "sha1:NO"))
    assert shard.sample["image_record_id"].to_pylist() == [(7 << 32) + 2, None]
    assert reasons(shard) == [None, "image_in_other_file"]


def test_of_several_answers_the_one_with_a_body_counts_then_the_first(tmp_path):
    blue = picture("blue")
    shard = crawl(tmp_path, page("a.png"), png("a.png", b"", "text/html", "503 Busy"), png("a.png"), png("a.png", blue))
    assert shard.sample["image_record_id"].to_pylist() == [(7 << 32) + 2]


def test_addresses_are_compared_as_browsers_write_them(tmp_path):
    shard = crawl(tmp_path, page("HTTP://A.example:80/%7Ex/../b c.png#f"), png("b%20c.png"))
    assert reasons(shard) == [None]


def test_the_first_non_empty_text_role_is_the_text(tmp_path):
    html = b'<figure><img src=a.png alt=" " title=" A \n title "><figcaption>Caption</figcaption></figure><img src=b alt=B title=T>'
    shard = crawl(tmp_path, response(PAGE, html), reading=ReadSettings(("alt", "title", "caption")))
    assert shard.sample["text"].to_pylist() == ["A title", "B"]
    assert shard.sample["caption"].to_pylist() == ["Caption", None]
    assert crawl(tmp_path, response(PAGE, html)).sample["text"].to_pylist() == [None, "B"]


def test_records_of_every_kind_have_rows_that_say_what_they_are(tmp_path):
    packed = response(
        PAGE, gzip.compress(b"<title>T</title>"), "text/html; charset=latin-1", "200 OK", "Content-Encoding: gzip"
    )
    shard = crawl(tmp_path, block("warcinfo", None, b"x: y", "application/warc-fields"), packed, b"garbage")
    rows = shard.record.to_pylist()
    assert [r["type"] for r in rows] == ["warcinfo", "response", "broken"]
    assert [r["status"] for r in rows] == ["other", "ok", "error"]
    assert (rows[1]["mime"], rows[1]["charset"], rows[1]["body_bytes"], rows[1]["http_status"]) == (
        "text/html",
        "cp1252",
        16,
        200,
    )
    assert [r["offset"] + r["length"] for r in rows[:2]] == [r["offset"] for r in rows[1:]]


HOSTILE = {
    "a page nested too deep": response(PAGE + "deep", b"<div>" * 100_000),
    "a page in a character set that always fails": response(PAGE + "cs", b"<img src=x>", "text/html; charset=undefined"),
    "a page of zero bytes": response(PAGE + "nul", bytes(9999)),
    "an address in no encoding": response(b"http://a.example/\xff\x00\xfe", b"<img src=a.png>"),
    "a date before dates": response(PAGE + "old", b"x", WARC_Date="0001-01-01T00:00:00+14:00"),
    "a body with a false coding": response(PAGE + "gz", b"\x1f\x8b\x08", "text/html", "200 OK", "Content-Encoding: gzip"),
    "an endless chunk": response(PAGE + "ch", b"ffffffff\r\nx", "text/html", "200 OK", "Transfer-Encoding: chunked"),
    "a type in no encoding": block("resp\udcffonse".encode("utf-8", "surrogateescape").decode("latin-1"), PAGE + "t", b"x"),
    "half a record": response(PAGE + "half", b"x")[:60],
    "header fields by the thousand": response(PAGE + "many", b"x", "text/html", "200 OK", *(["X: y"] * 60_000)),
    "a page of tags without end": response(PAGE + "open", b"<img src=" + b"<" * 50_000),
}  # fmt: skip


@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE)
def test_one_bad_record_never_loses_others(tmp_path, record):
    shard = crawl(tmp_path, page("a.png"), record, png("a.png"), page("b.png", url=PAGE + "2"), png("b.png"))
    wanted = shard.sample.filter([p in (PAGE, PAGE + "2") for p in shard.sample["page_url"].to_pylist()])
    assert wanted["alt"].to_pylist() == ["Text of a.png", "Text of b.png"]
    assert wanted["image_id"].null_count == 0


def test_a_page_nested_too_deep_is_an_error_with_a_reason(tmp_path):
    shard = crawl(tmp_path, HOSTILE["a page nested too deep"])
    assert shard.record.select(["status", "reason"]).to_pylist() == [{"status": "error", "reason": "too_deep"}]


def test_a_page_over_the_limit_is_an_error_with_a_reason_and_the_next_is_read(tmp_path):
    shard = crawl(
        tmp_path, page("a.png" * 99), page("b.png", url=PAGE + "2"), png("b.png"), reading=ReadSettings(max_page=200)
    )
    assert shard.record["reason"].to_pylist() == ["too_large", None, None]
    assert shard.sample["page_url"].to_pylist() == [PAGE + "2"]


def test_a_deep_page_is_found_in_any_character_set(tmp_path):
    deep = ("<div>" * 30_000).encode("utf-16")
    assert crawl(tmp_path, response(PAGE, deep)).record["reason"].to_pylist() == ["too_deep"]


def test_a_page_without_content_type_is_a_page_if_it_begins_like_one(tmp_path):
    html = b"\n<!DOCTYPE html><img src=a.png>"
    untyped = block("response", PAGE, b"HTTP/1.1 200 OK\r\n\r\n" + html)
    text = block("response", PAGE + "2", b"HTTP/1.1 200 OK\r\n\r\n<img src=a.png>")
    plain = response(PAGE + "3", html, "text/plain")
    assert crawl(tmp_path, untyped, text, plain).sample["page_url"].to_pylist() == [PAGE]


def test_rows_beyond_one_batch_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr("assets.crawl.rows.BATCH", 2)
    names = [f"{n}.png" for n in range(5)]
    shard = crawl(tmp_path, page(*names), *(png(name) for name in names))
    assert shard.sample["position"].to_pylist() == [0, 1, 2, 3, 4]
    assert shard.sample["image_id"].to_pylist() == [(7 << 32) + n for n in range(1, 6)]


def test_every_damaged_image_costs_itself_alone(tmp_path):
    avif, tiff = picture("red", (16, 16), "AVIF"), picture("red", (16, 16), "TIFF")
    bad = [data[:cut] for data in (avif, tiff, RED) for cut in range(8, len(data) - 1, 23)]
    names = [f"{n}.img" for n in range(len(bad))]
    records = [png(name, data) for name, data in zip(names, bad, strict=True)]
    shard = crawl(tmp_path, page("good.png", *names, "good.png"), *records, png("good.png"))
    kept = shard.decision["kept"].to_pylist()
    assert (kept[0], kept[-1]) == (True, True)
    assert not any(kept[1 : len(bad) // 3])


@pytest.mark.parametrize("data", [b"", b"garbage", member(page("a.png"))[:-30]])
def test_a_file_without_a_whole_record_gives_empty_tables(tmp_path, data):
    path = tmp_path / "x.warc.gz"
    path.write_bytes(data)
    shard = crawl_warc(path, 1, tmp_path / "image.tar")
    assert (shard.sample.num_rows, shard.image.num_rows, shard.decision.num_rows) == (0, 0, 0)
    assert shard.record["status"].to_pylist() == ["error"] * (1 if data else 0)


def test_crawling_twice_gives_equal_tables_and_equal_bytes(tmp_path):
    path = write(
        tmp_path / "x.warc.gz", page("a.png", "b.png", "no.png"), png("a.png"), png("b.png", picture("blue")), http(b"")
    )
    one, two = (crawl_warc(path, 1, tmp_path / f"{n}.tar") for n in "12")
    assert one == two
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
