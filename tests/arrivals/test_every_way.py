"""The same pictures as a WARC file, a WAT file, a link list and an image shard: the same images, one way of telling."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq

from tests.arrivals.conftest import outcomes
from tests.crawl.warcs import picture, response, write
from tests.crawl.wat_fixtures import warc_to_wat

COLORS = ("red", "green", "blue")
PAGE = "http://pics.example/"


def pages(place):
    """A WARC file with a page of three pictures that it holds, and hosts that serve them too."""
    urls = [place.hosts.add("pics.example", f"/{color}.png", picture(color)) for color in COLORS]
    html = "".join(f'<img src="{url}" alt="a {color} field">' for url, color in zip(urls, COLORS, strict=True))
    page = place.hosts.url("pics.example", "/page.html")
    bodies = [response(url, picture(color), "image/png") for url, color in zip(urls, COLORS, strict=True)]
    return write(place.folder / "x.warc.gz", response(page, html.encode()), *bodies), urls


def shown(build):
    """(address, alt, hash of the image) of every sample, in order."""
    image = {row["image_id"]: row["sha256"] for row in build.read("crawl", "image").to_pylist()}
    rows = build.read("crawl", "sample").to_pylist()
    return [(row["image_url"], row["alt"], image.get(row["image_id"])) for row in rows]


def a_tar(path, urls):
    """What img2dataset writes: KEY.png, KEY.txt, KEY.json, without the second one, which it could not download."""
    with tarfile.open(path, "w") as tar:
        for row, (url, color) in enumerate(zip(urls, COLORS, strict=True)):
            if color == "green":
                continue
            about = {"key": f"{row:09d}", "url": url, "caption": f"a {color} field", "status": "success"}
            for extension, content in (
                ("json", json.dumps(about).encode()),
                ("png", picture(color)),
                ("txt", about["caption"].encode()),
            ):
                entry = tarfile.TarInfo(f"{row:09d}.{extension}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def test_a_warc_a_wat_and_a_link_list_give_the_same_images(place):
    warc, urls = pages(place)
    place.recipe({"name": "a", "uris": ["x.warc.gz"]})
    expected = shown(place.crawl())
    assert [url for url, _, sha256 in expected if sha256] == urls

    warc_to_wat(warc, place.folder / "x.warc.wat.gz")
    place.recipe({"name": "b", "uris": ["x.warc.wat.gz"]}, fetch={})
    assert shown(place.crawl()) == expected

    rows = [{"url": url, "text": alt} for url, alt, _ in expected]
    pq.write_table(pa.Table.from_pylist(rows), place.folder / "l.parquet")
    place.recipe({"name": "c", "uris": ["l.parquet"]}, fetch={})
    assert shown(place.crawl()) == expected

    with (place.folder / "l.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["url", "text"])
        writer.writeheader()
        writer.writerows(rows)
    place.recipe({"name": "d", "uris": ["l.csv"]}, fetch={})
    assert shown(place.crawl()) == expected


def test_the_pages_of_a_wat_are_records_and_their_samples_name_them(place):
    warc, _ = pages(place)
    warc_to_wat(warc, place.folder / "x.warc.wat.gz")
    place.recipe({"name": "a", "uris": ["x.warc.wat.gz"]})
    build = place.crawl()
    records = {row["record_id"]: row for row in build.read("candidates", "record").to_pylist()}
    for row in build.read("crawl", "sample").to_pylist():
        assert records[row["page_record_id"]]["url"] == row["page_url"]
        assert records[row["page_record_id"]]["status"] == "ok"
    assert set(outcomes(build).values()) == {"not_fetched"}


def test_an_image_shard_gives_its_images_and_asks_hosts_for_what_failed(place):
    _, urls = pages(place)
    a_tar(place.folder / "00000.tar", urls)
    statuses = ["success", "failed_to_download", "success"]
    rows = [
        {"key": f"{n:09d}", "url": url, "caption": f"a {color} field", "status": status, "error_message": None}
        for n, (url, color, status) in enumerate(zip(urls, COLORS, statuses, strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(rows), place.folder / "00000.parquet")
    place.recipe({"name": "a", "uris": ["*.tar"]})
    assert list(outcomes(place.crawl()).values()) == ["ok", "failed_to_download", "ok"]
    place.recipe({"name": "a", "uris": ["*.tar"]}, fetch={})
    build = place.crawl()
    assert outcomes(build) == dict.fromkeys(urls, "ok")
    assert [path for path in place.hosts.asked("pics.example") if path != "/robots.txt"] == ["/green.png"]
    assert [alt for _, alt, _ in shown(build)] == [f"a {color} field" for color in COLORS]


def test_an_image_shard_needs_no_side_file(place):
    _, urls = pages(place)
    a_tar(place.folder / "00000.tar", urls)
    place.recipe({"name": "a", "uris": ["*.tar"]})
    build = place.crawl()
    assert outcomes(build) == {urls[0]: "ok", urls[2]: "ok"}
    records = build.read("candidates", "record").to_pylist()
    tar = (place.folder / "00000.tar").read_bytes()
    stored = [tar[row["offset"] : row["offset"] + row["length"]] for row in records]
    assert stored == [picture("red"), picture("blue")]


def test_all_kinds_of_crawls_stand_side_by_side_in_one_build(place):
    warc, urls = pages(place)
    warc_to_wat(warc, place.folder / "x.warc.wat.gz")
    pq.write_table(pa.table({"url": urls, "text": list(COLORS)}), place.folder / "l.parquet")
    a_tar(place.folder / "00000.tar", urls)
    names = ("x.warc.gz", "x.warc.wat.gz", "l.parquet", "00000.tar")
    place.recipe(*({"name": f"s{n}", "uris": [name]} for n, name in enumerate(names)), fetch={})
    build = place.crawl("rights")
    assert sorted(shard.kind for shard in build.snapshot.shards) == ["images", "links", "warc", "wat"]
    assert set(outcomes(build).values()) == {"ok"}
    assert build.read("rights", "rights").num_rows == 11


def test_images_are_shrunk_where_the_recipe_asks_and_keep_the_hash_of_what_was_crawled(place):
    data = picture("red", (600, 300), "JPEG")
    url = place.hosts.url("pics.example", "/a.jpg")
    page = response(PAGE, f'<img src="{url}" alt="red">'.encode())
    write(place.folder / "x.warc.gz", page, response(url, data, "image/jpeg"))
    source = {"name": "a", "uris": ["x.warc.gz"]}
    place.recipe(source)
    (whole,) = place.crawl().read("crawl", "image").to_pylist()
    place.recipe(source, images={"longest_side": 100})
    (small,) = place.crawl().read("crawl", "image").to_pylist()
    assert (small["width"], small["height"], small["stored_width"], small["stored_height"]) == (600, 300, 100, 50)
    assert small["sha256"] == whole["sha256"] == whole["stored_sha256"]
    assert small["stored_sha256"] != whole["stored_sha256"]
    assert small["stored_bytes"] < whole["stored_bytes"] == len(data)


def test_a_list_row_that_cannot_be_read_costs_one_row_and_no_number_shifts(place):
    (place.folder / "l.csv").write_text('url,text\nhttp://pics.example/a.png,one\nnot an address,two\nhttp://x/,"th')
    place.recipe({"name": "a", "uris": ["l.csv"]})
    build = place.crawl()
    rows = build.read("crawl", "decision").to_pylist()
    assert [row["sample_id"] & 0xFFFFFFFF for row in rows] == [0, 1, 2]
    assert [row["reason"] for row in rows] == ["not_fetched", "not_http", "unclosed_quote"]


def test_a_page_that_was_cut_off_gives_samples_whose_rights_cannot_be_told(place):
    url = place.hosts.url("pics.example", "/a.png")
    page = response(PAGE, f'<img src="{url}" alt="red"><p>more'.encode(), WARC_Truncated="length")
    write(place.folder / "x.warc.gz", page, response(url, picture("red"), "image/png"))
    place.recipe({"name": "a", "uris": ["x.warc.gz"]})
    build = place.crawl("rights")
    assert outcomes(build) == {url: "ok"}
    (row,) = build.read("rights", "rights").to_pylist()
    assert (row["image_license"], row["decided_by"]) == ("NOASSERTION", "page_unread")


def test_a_page_of_a_wat_that_was_cut_off_says_so_and_its_rights_cannot_be_told(place):
    url = place.hosts.add("pics.example", "/a.png", picture())
    page = response(PAGE, f'<img src="{url}" alt="red">'.encode(), WARC_Truncated="length")
    warc_to_wat(write(place.folder / "x.warc.gz", page), place.folder / "x.warc.wat.gz")
    place.recipe({"name": "a", "uris": ["x.warc.wat.gz"]}, fetch={})
    build = place.crawl("rights")
    assert "length" in build.read("candidates", "record")["truncated"].to_pylist()
    (row,) = build.read("rights", "rights").to_pylist()
    assert (row["image_license"], row["decided_by"]) == ("NOASSERTION", "page_unread")
