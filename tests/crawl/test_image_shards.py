"""Image shards as img2dataset writes them, whole, cut and broken."""

import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from assets.crawl.image_shards import ImageShardRefused, read_image, read_image_shard
from assets.crawl.images import ImageRefused, decode
from assets.crawl.list_layouts import ListRefused
from tests.crawl.warcs import picture

SHA = "ab" * 32


def meta(key: str, **more) -> dict:
    stated = {"url": f"http://a.example/{key}.jpg", "caption": f"caption {key}", "key": key, "status": "success"}
    return {
        **stated, "error_message": None, "width": 8, "height": 6, "original_width": 80, "original_height": 60,
        "exif": "{}", "sha256": SHA, **more,
    }  # fmt: skip


def shard(path: Path, keys=("000000000", "000000001", "000000003")) -> Path:
    """A tar written by the library that img2dataset writes with."""
    with webdataset.TarWriter(str(path)) as tar:
        for key in keys:
            text = json.dumps(meta(key), indent=4)
            tar.write({"__key__": key, "jpg": picture(kind="JPEG"), "txt": f"text {key}", "json": text.encode()})
    return path


def side(path: Path, *rows: dict) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def tar_of(path: Path, *members: tuple[str, bytes], **options) -> Path:
    with tarfile.open(path, "w", **options) as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def reasons(path, side_path=None):
    return [(m.row, m.key, m.reason) for m in read_image_shard(path, side_path)]


def test_every_key_is_a_row_with_what_its_members_say(tmp_path):
    path = shard(tmp_path / "00000.tar")
    rows = list(read_image_shard(path))
    assert [row.row for row in rows] == [0, 1, 2]
    second = rows[1]
    assert (second.key, second.url, second.text) == ("000000001", "http://a.example/000000001.jpg", "text 000000001")
    assert (second.json_status, second.sha256, second.original_width, second.original_height) == (
        "success",
        SHA,
        80,
        60,
    )
    assert (second.reason, second.note) == (None, None)


def test_an_image_is_read_by_its_place_in_the_tar(tmp_path):
    path = shard(tmp_path / "00000.tar")
    for row in read_image_shard(path):
        data = read_image(path, row.image_offset, row.image_bytes)
        assert data == picture(kind="JPEG")
        assert decode(data).size == (8, 6)


def test_the_side_file_gives_the_order_and_the_rows_that_failed(tmp_path):
    path = shard(tmp_path / "00000.tar")
    rows = [
        meta("000000002", status="failed_to_download", error_message="404", sha256=None, original_width=None),
        meta("000000001", caption="from the side file"),
        meta("000000004"),
        meta("000000000"),
        meta("000000005", status="failed_to_resize"),
    ]
    found = list(read_image_shard(path, side(tmp_path / "00000.parquet", *rows)))
    assert [(row.row, row.key, row.reason) for row in found] == [
        (0, "000000002", "failed_to_download"),
        (1, "000000001", None),
        (2, "000000004", "not_in_tar"),
        (3, "000000000", None),
        (4, "000000005", "failed_to_resize"),
        (5, "000000003", None),
    ]
    assert (found[0].url, found[0].original_width, found[0].image_offset) == (
        "http://a.example/000000002.jpg",
        None,
        None,
    )
    assert (found[1].text, found[5].text) == ("from the side file", "text 000000003")


def test_a_key_that_the_side_file_has_twice_counts_once(tmp_path):
    path = shard(tmp_path / "a.tar", ["1"])
    assert reasons(path, side(tmp_path / "a.parquet", meta("1"), meta("1"))) == [
        (0, "1", None),
        (1, "1", "duplicate_key"),
    ]


def test_a_status_that_is_no_word_is_not_taken_for_a_reason(tmp_path):
    path = shard(tmp_path / "a.tar", ["1"])
    assert reasons(path, side(tmp_path / "a.parquet", meta("2", status="<b> & more")))[0] == (0, "2", "not_in_tar")


def test_a_side_file_without_keys_is_refused_with_a_sentence(tmp_path):
    path = side(tmp_path / "a.parquet", {"url": "x"})
    with pytest.raises(ListRefused, match=r"a\.parquet: there is no column key; take the file"):
        list(read_image_shard(shard(tmp_path / "a.tar"), path))


def test_a_compressed_tar_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(shard(tmp_path / "b.tar").read_bytes()))
    with pytest.raises(ImageShardRefused, match=r"a\.tar: it is compressed \(gzip\); unpack it"):
        list(read_image_shard(path))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_image_shard(tmp_path / "none.tar"))


def test_the_first_of_equal_members_counts_and_the_row_says_so(tmp_path):
    path = tar_of(tmp_path / "a.tar", ("1.jpg", b"one"), ("1.png", b"two"), ("1.txt", b"a"), ("2.jpg", b"x"))
    one, two = read_image_shard(path)
    assert (read_image(path, one.image_offset, one.image_bytes), one.note) == (b"one", "duplicate_image")
    assert (two.note, two.reason) == (None, None)


def test_members_of_a_key_need_not_stand_together(tmp_path):
    path = tar_of(tmp_path / "a.tar", ("1.jpg", b"x"), ("2.jpg", b"y"), ("1.txt", b"late"))
    assert [(row.key, row.text) for row in read_image_shard(path)] == [("1", "late"), ("2", None)]


def test_a_key_without_image_is_a_row_with_a_reason(tmp_path):
    path = tar_of(tmp_path / "a.tar", ("1.txt", b"words"), ("2.jpg", b"x"), ("read me", b"x"), (".hidden.jpg", b"x"))
    assert reasons(path) == [(0, "1", "no_image"), (1, "2", None)]


def test_text_and_json_that_cannot_be_read_cost_nothing_but_themselves(tmp_path):
    path = tar_of(
        tmp_path / "a.tar",
        ("1.jpg", b"x"), ("1.txt", b"\xff\xfe"),
        ("2.jpg", b"x"), ("2.json", b"{"),
        ("3.jpg", b"x"), ("3.json", b"[" * 100_000),
        ("4.jpg", b"x"), ("4.txt", b"a" * (1 << 17)),
        ("5.jpg", b"x"), ("5.json", json.dumps({"url": 5, "caption": ["a"], "sha256": "zz", "original_width": 1e400}).encode()),
        ("6.jpg", b"x"), ("6.json", b'{"caption": "\\ud800a", "original_width": "7"}'),
    )  # fmt: skip
    rows = list(read_image_shard(path))
    assert [row.note for row in rows] == ["bad_text", "bad_json", "bad_json", "bad_text", None, None]
    assert all(row.reason is None for row in rows)
    assert (rows[4].url, rows[4].text, rows[4].sha256, rows[4].original_width) == ("5", None, None, None)
    assert (rows[5].text, rows[5].original_width) == ("a", None)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_form_of_tar(tmp_path, form):
    # In the oldest form a name is split at a slash.
    key = "f" * 90 + "/" + "k" * 80 if form == tarfile.USTAR_FORMAT else "k" * 300
    path = tar_of(tmp_path / "a.tar", (f"./{key}.jpg", b"one"), ("2.jpg", b"two"), format=form)
    found = [(row.key, read_image(path, row.image_offset, row.image_bytes)) for row in read_image_shard(path)]
    assert found == [(key, b"one"), ("2", b"two")]


def test_links_devices_and_folders_are_not_followed(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(f"{number}.jpg")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
        entry = tarfile.TarInfo("../../9.jpg")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    assert reasons(path) == [(0, "../../9", None)]


def test_a_cut_tar_gives_what_it_holds_and_a_last_row_that_says_so(tmp_path):
    whole = tar_of(tmp_path / "a.tar", ("1.txt", b"a"), ("1.jpg", b"x" * 600), ("2.txt", b"b"), ("2.jpg", b"y" * 600))
    data = whole.read_bytes()
    cut = tmp_path / "cut.tar"
    second = data.index(b"y" * 600)
    cut.write_bytes(data[: second + 10])
    assert reasons(cut) == [(0, "1", None), (1, "2", "truncated"), (2, None, "truncated")]
    cut.write_bytes(data[: data.index(b"2.jpg")])
    assert reasons(cut) == [(0, "1", None), (1, "2", "no_image"), (2, None, "truncated")]
    cut.write_bytes(b"")
    assert reasons(cut) == [(0, None, "truncated")]


def test_a_broken_header_ends_the_tar_and_rows_of_the_side_file_say_why(tmp_path):
    path = shard(tmp_path / "a.tar", ["1", "2"])
    data = bytearray(path.read_bytes())
    at = data.index(b"2.jpg") if data.index(b"2.jpg") < data.index(b"2.json") else data.index(b"2.json")
    data[at + 120] ^= 0xFF
    path.write_bytes(data)
    found = reasons(path, side(tmp_path / "a.parquet", meta("1"), meta("2"), meta("3", status="failed_to_download")))
    assert found == [(0, "1", None), (1, "2", "broken_tar"), (2, "3", "failed_to_download"), (3, None, "broken_tar")]


def test_a_header_that_claims_a_huge_name_is_not_read(tmp_path):
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 1 << 33
    path = tmp_path / "a.tar"
    path.write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + b"\0" * 2048)
    assert reasons(path) == [(0, None, "broken_tar")]


def test_an_image_that_is_no_longer_there_is_refused(tmp_path):
    path = tar_of(tmp_path / "a.tar", ("1.jpg", b"x"))
    with pytest.raises(ImageRefused, match="truncated"):
        read_image(path, 512, 1 << 20)
    with pytest.raises(ImageRefused, match="too_large"):
        read_image(path, 0, 1 << 40)


def test_no_bytes_raise_and_every_image_lies_inside_the_file(tmp_path):
    whole = shard(tmp_path / "whole.tar").read_bytes()
    long = tar_of(tmp_path / "long.tar", ("k" * 200 + ".jpg", b"x"), format=tarfile.PAX_FORMAT).read_bytes()
    chance = random.Random(2)
    path = tmp_path / "a.tar"
    seen = set()
    for number in range(400):
        data = bytearray(long if number % 3 == 0 else whole)
        if number % 4 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(max(len(data) - 8, 1))
            data[at : at + 4] = chance.randbytes(chance.choice((0, 1, 4)))
        if number % 2:
            _mend_sums(data)
        path.write_bytes(data)
        for row in read_image_shard(path):
            seen.add(row.reason)
            assert row.image_offset is None or row.image_offset + row.image_bytes <= len(data)
            assert (row.image_offset is None) == (row.reason is not None)
    assert {None, "truncated", "broken_tar"} <= seen


def _mend_sums(data: bytearray) -> None:
    """Make the sums of headers right again, so that what they say is looked at."""
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            total = sum(data[at : at + 148]) + 256 + sum(data[at + 156 : at + 512])
            data[at + 148 : at + 156] = b"%06o\0 " % total


def test_a_damaged_side_file_is_refused_or_costs_its_own_rows(tmp_path):
    tar = shard(tmp_path / "a.tar")
    whole = side(tmp_path / "w.parquet", *[meta(f"{n:09d}") for n in range(50)]).read_bytes()
    chance, path, outcomes = random.Random(3), tmp_path / "a.parquet", set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            rows = list(read_image_shard(tar, path))
        except ListRefused:
            outcomes.add("refused")
        else:
            outcomes |= {row.reason for row in rows}
            assert [row.row for row in rows] == list(range(len(rows)))
    assert {"refused", None, "not_in_tar"} <= outcomes
