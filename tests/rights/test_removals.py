"""Selectors and removal lists: what they name, sealed or open, and what cannot be followed."""

import gzip
import hmac

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.rights.removal_lists import read_removal_list
from assets.rights.removals import (
    MATCH,
    RemovalError,
    guess,
    hits,
    matches,
    removed,
    rows_of,
    seal,
    selector,
    selector_table,
    struck_images,
)
from tests.rights.conftest import table

SHARD = 1 << 32
SECRET = bytes(range(32))


def sample(number, image, page="https://pages.example.org/gallery?x=1", url=None):
    return {
        "sample_id": SHARD | number, "page_record_id": SHARD | 900, "page_url": page, "image_record_id": SHARD | image,
        "image_id": SHARD | image, "image_url": url or f"https://cdn.pictures.example.com/p/{number}.png",
    }  # fmt: skip


SAMPLES = table(
    "sample",
    [
        *(sample(n, n) for n in range(1, 7)),
        sample(7, 7, url="https://cdn.pictures.example.com.evil.net/p/1.png"),
        sample(8, 8, page="http://notexample.com/", url="http://notexample.com/privateer/a.png"),
        sample(9, 9, page="http://other.example.net/", url="http://other.example.net/private/a.png"),
        {**sample(10, 10), "image_url": None, "page_url": None, "image_id": None, "image_record_id": None},
    ],
)
IMAGES = table(
    "image",
    [
        {"image_id": SHARD | n, "sha256": bytes([n // 2]) * 32, "stored_sha256": bytes([n // 2]) * 32,
         "md5": bytes([n]) * 16, "phash": bytes([0] * 7 + [n])}
        for n in range(1, 10)
    ],
)  # fmt: skip
CREDITS = table(
    "attribution",
    [
        {"subject_type": "image", "subject_id": SHARD | 3, "rule": "exif_artist", "field": "creator", "value": "Jane\n  DOE"},
        {"subject_type": "sample", "subject_id": SHARD | 4, "rule": "x", "field": "title", "value": "Jane Doe"},
        {"subject_type": "page", "subject_id": SHARD | 900, "rule": "x", "field": "credit", "value": "The Archive"},
    ],
)  # fmt: skip
TABLES = {"sample": SAMPLES, "image": IMAGES, "attribution": CREDITS}


def named(kind, value, secret=None):
    found = matches(selector_table("t", rows_of([selector(kind, value)]), True, secret), TABLES, secret)
    return [i - SHARD for i in found["sample_id"].to_pylist()]


@pytest.mark.parametrize("secret", [None, SECRET], ids=["open", "sealed"])
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("url", "http://CDN.pictures.example.com/p/3.png#part", [3]),
        ("url", "https://cdn.pictures.example.com/p/33.png", []),
        ("url", "https://cdn.pictures.example.com/P/3.png", []),
        ("url_prefix", "https://cdn.pictures.example.com/p/", [1, 2, 3, 4, 5, 6]),
        ("url_prefix", "https://cdn.pictures.example.com", [1, 2, 3, 4, 5, 6]),
        ("url_prefix", "http://other.example.net/private/", [9]),
        ("host", "cdn.pictures.example.com", [1, 2, 3, 4, 5, 6]),
        ("host", "pictures.example.com", []),
        ("domain", "example.com", [1, 2, 3, 4, 5, 6]),
        ("domain", "EXAMPLE.org", [1, 2, 3, 4, 5, 6, 7]),
        ("domain", "ample.com", []),
        ("page", "http://pages.example.org/gallery?x=1", [1, 2, 3, 4, 5, 6, 7]),
        ("page", "http://pages.example.org/gallery", []),
        ("image_sha256", "01" * 32, [2, 3]),
        ("image_md5", "05" * 16, [5]),
        ("creator", "jane doe", [3]),
        ("creator", "The  archive", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("record", str(SHARD | 4), [4]),
        ("sample", str(SHARD | 10), [10]),
    ],
)
def test_a_selector_names_what_it_says_and_nothing_else(kind, value, expected, secret):
    assert named(kind, value, secret) == expected


@pytest.mark.parametrize("secret", [None, SECRET], ids=["open", "sealed"])
def test_a_perceptual_hash_names_what_is_near_with_its_distance(secret):
    found = matches(
        selector_table("t", rows_of([selector("phash", "0000000000000007/1")]), True, secret), TABLES, secret
    )
    assert {row["sample_id"] - SHARD: row["distance"] for row in found.to_pylist()} == {3: 1, 5: 1, 6: 1, 7: 0}
    assert set(found["match"].to_pylist()) == {"phash"}


def test_every_kind_of_selector_is_matched():
    some = {
        "url": "https://cdn.pictures.example.com/p/3.png", "url_prefix": "https://cdn.pictures.example.com/",
        "host": "cdn.pictures.example.com", "domain": "example.com", "page": "https://pages.example.org/gallery?x=1",
        "image_sha256": "01" * 32, "image_md5": "05" * 16, "phash": "0000000000000007", "creator": "Jane Doe",
        "record": str(SHARD | 4), "sample": str(SHARD | 4),
    }  # fmt: skip
    assert set(some) == set(MATCH)
    together = selector_table("t", rows_of(selector(kind, value) for kind, value in some.items()), True)
    alone = {i for kind, value in some.items() for i in named(kind, value)}
    assert {i - SHARD for i in matches(together, TABLES)["sample_id"].to_pylist()} == alone


def test_a_sealed_selector_keeps_nothing_of_what_it_names_but_its_keyed_hash():
    rows = selector_table("t", rows_of([selector("host", "Secret.example.org")]), True, SECRET).to_pylist()
    assert rows[0]["value"] is None
    assert rows[0]["hmac"] == hmac.new(SECRET, b"host:secret.example.org", "sha256").digest()
    assert seal(SECRET, "domain", "secret.example.org") != rows[0]["hmac"]
    assert (
        matches(
            selector_table("t", rows_of([selector("host", "pages.example.org")]), True, SECRET), TABLES, b"x" * 32
        ).num_rows
        == 0
    )


def test_an_empty_list_reads_nothing_and_names_nothing():
    assert matches(selector_table("t", rows_of([]), True), {}).num_rows == 0


def test_copies_of_a_named_image_go_wherever_they_lie_where_the_list_reaches_copies():
    found = matches(selector_table("t", rows_of([selector("sample", str(SHARD | 4))]), True), TABLES)
    struck = struck_images(found, SAMPLES, IMAGES, ["t"])
    assert [(row["sample_id"] - SHARD, row["match"]) for row in hits(found, struck, SAMPLES, IMAGES).to_pylist()] == [
        (4, "exact"), (5, "twin"),
    ]  # fmt: skip
    alone = struck_images(found, SAMPLES, IMAGES, [])
    assert [row["sample_id"] - SHARD for row in hits(found, alone, SAMPLES, IMAGES).to_pylist()] == [4]


def test_copies_that_were_compressed_again_go_where_the_recipe_gives_a_radius():
    found = matches(selector_table("t", rows_of([selector("sample", str(SHARD | 4))]), True), TABLES)
    struck = struck_images(found, SAMPLES, IMAGES, ["t"])
    rows = hits(found, struck, SAMPLES, IMAGES, phash_radius=1).to_pylist()
    assert {row["sample_id"] - SHARD: (row["match"], row["score"]) for row in rows} == {
        4: ("exact", None), 5: ("twin", None), 6: ("phash", 1.0),
    }  # fmt: skip


def test_what_goes_says_whether_a_takedown_or_a_list_took_it_out():
    came_in = SAMPLES["sample_id"].to_numpy()
    found = pa.concat_tables([
        hits(matches(selector_table(name, rows_of([selector("sample", str(SHARD | number))]), True), TABLES),
             table("removal_image", []), SAMPLES, IMAGES)
        for name, number in (("takedown-1", 2), ("list:a.txt", 3), ("list:a.txt", 2))
    ])  # fmt: skip
    rows = {row["sample_id"] - SHARD: row for row in removed(came_in, found, "takedown-").to_pylist()}
    assert {number: row["reason"] for number, row in rows.items() if not row["kept"]} == {
        2: "takedown",
        3: "removal_list",
    }
    assert sorted(rows) == [i - SHARD for i in came_in.tolist()]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "ftp://a.example/x"), ("url", "a.example/x"), ("url", "https://"), ("host", "*.example.org"), ("host", "localhost"),
        ("host", "a b.example"), ("domain", ""), ("image_sha256", "12"), ("image_md5", "zz" * 16), ("phash", "00/1"),
        ("phash", "0000000000000000/17"), ("phash", "0000000000000000/-1"), ("record", "-1"), ("sample", str(1 << 64)),
        ("colour", "red"),
    ],
)  # fmt: skip
def test_what_is_no_selector_is_one_sentence(kind, value):
    with pytest.raises(RemovalError) as caught:
        selector(kind, value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_line_of_a_list_tells_its_kind():
    assert guess("AB" * 32).kind == "image_sha256"
    assert guess("ab" * 16).kind == "image_md5"
    assert guess(" https://a.example/x ").kind == "url"
    assert guess("domain:a.example").kind == "domain"
    with pytest.raises(RemovalError, match="no address and no hash"):
        guess("what is this")


def rows(path):
    return [(row["kind"], row["value"]) for row in read_removal_list(path, path.name).to_pylist()]


def test_a_text_list_is_read_packed_or_not(tmp_path):
    text = f"# of May\n{'AB' * 32}\n\n{'cd' * 16}\nhttps://A.example/x#y\nhost:b.example\n"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    expected = {
        ("image_sha256", "ab" * 32), ("image_md5", "cd" * 16), ("url", "//a.example/x"), ("host", "b.example"),
    }  # fmt: skip
    assert set(rows(tmp_path / "a.txt")) == set(rows(tmp_path / "a.txt.gz")) == expected


def test_a_list_of_columns_is_read_from_csv_and_parquet(tmp_path):
    (tmp_path / "a.csv").write_text(f"md5,URL\n{'AB' * 16},https://a.example/x\n{'cd' * 16},\n")
    expected = {("image_md5", "ab" * 16), ("image_md5", "cd" * 16), ("url", "//a.example/x")}
    assert set(rows(tmp_path / "a.csv")) == expected
    columns = {"md5": [bytes.fromhex("ab" * 16), bytes.fromhex("cd" * 16)], "url": ["https://a.example/x", None]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert set(rows(tmp_path / "a.parquet")) == expected
    (tmp_path / "b.csv").write_text("kind,value\nsha256," + "ab" * 32 + "\nphash,0000000000000001/3\n")
    assert rows(tmp_path / "b.csv") == [("image_sha256", "ab" * 32), ("phash", "0000000000000001")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"https://a.example/x\nnonsense\n", "no address and no hash"),
        ("a.txt", b"\xff\xfe\x00", "cannot be read"),
        ("a.txt", b"x" * 20_000, "longer than"),
        ("a.txt.gz", b"not gzip", "cannot be read"),
        ("a.csv", b"name,place\na,b\n", "no column of the removal list is known"),
        ("a.csv", b"url,md5\nhttps://a.example/x\n", "different numbers of fields"),
        ("a.csv", b"md5\nzz\n", "is no image_md5"),
        ("a.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_followed_stops_the_build_in_one_sentence(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RemovalError, match=told) as caught:
        read_removal_list(tmp_path / name, name)
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_list_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(RemovalError, match=r"no\.txt: no such removal list"):
        read_removal_list(tmp_path / "no.txt", "no.txt")
