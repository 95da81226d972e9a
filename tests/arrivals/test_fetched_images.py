"""What the crawl lacks is asked for: politely, once, and everything that came back is on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.arrivals.conftest import outcomes
from tests.crawl.warcs import picture, response, write

REPOSITORY = Path(__file__).resolve().parents[2]
LIST = {"name": "list", "uris": ["list.parquet"]}


def a_list(place, urls, **more):
    """A link list in the recipe's folder."""
    columns = {"url": urls, "caption": [f"picture {n}" for n in range(len(urls))], **more}
    pq.write_table(pa.table(columns), place.folder / "list.parquet")


def pictures(place, host, count):
    return [place.hosts.add(host, f"/{n}.png", picture((n, 0, 0))) for n in range(count)]


def test_images_of_a_link_list_are_fetched_and_decoded(place):
    urls = pictures(place, "pics.example", 3)
    a_list(place, [*urls, place.hosts.url("pics.example", "/gone.png")])
    place.recipe(LIST, fetch={})
    build = place.crawl()
    assert outcomes(build) == {**dict.fromkeys(urls, "ok"), place.hosts.url("pics.example", "/gone.png"): "http_404"}
    assert build.read("crawl", "image")["width"].to_pylist() == [8, 8, 8]
    assert build.read("crawl", "sample")["alt"].to_pylist() == [f"picture {n}" for n in range(4)]


def test_without_a_section_fetch_nobody_is_asked(place):
    a_list(place, pictures(place, "pics.example", 2))
    place.recipe(LIST)
    assert set(outcomes(place.crawl()).values()) == {"not_fetched"}
    assert place.hosts.log == []


def test_an_image_that_a_page_shows_and_its_crawl_file_lacks_is_fetched(place):
    here, there = (
        place.hosts.url("pics.example", "/here.png"),
        place.hosts.add("pics.example", "/b.png", picture("blue")),
    )
    page = f'<img src="{here}" alt="a"><img src="{there}" alt="b">'.encode()
    write(
        place.folder / "x.warc.gz",
        response("http://pics.example/", page),
        response(here, picture("red"), "image/png"),
    )
    place.recipe({"name": "crawl", "uris": ["x.warc.gz"]}, fetch={})
    build = place.crawl()
    assert outcomes(build) == {here: "ok", there: "ok"}
    assert place.hosts.asked("pics.example") == ["/robots.txt", "/b.png"]


def test_an_address_that_many_samples_show_is_asked_for_once(place):
    (url,) = pictures(place, "pics.example", 1)
    a_list(place, [url] * 5)
    place.recipe(LIST, fetch={})
    assert outcomes(place.crawl()) == {url: "ok"}
    assert place.hosts.asked("pics.example").count("/0.png") == 1


def test_robots_txt_and_opt_outs_are_obeyed_and_stay_as_evidence(place):
    place.hosts.add("closed.example", "/robots.txt", b"User-agent: winnow\nDisallow: /\n")
    closed = place.hosts.add("closed.example", "/a.png", picture())
    shy = place.hosts.add("shy.example", "/b.png", picture(), headers={"X-Robots-Tag": "noai"})
    a_list(place, [closed, shy])
    place.recipe(LIST, fetch={})
    build = place.crawl("evidence")
    assert outcomes(build) == {closed: "robots_disallowed", shy: "x_robots_tag"}
    assert place.hosts.asked("closed.example") == ["/robots.txt"]
    found = build.read("evidence", "reservation_evidence").to_pylist()
    assert [(row["rule"], row["decision"], row["value"]) for row in found] == [
        ("x_robots_tag", "reserved", "noai: noai")
    ]


def test_headers_and_robots_txt_of_fetched_images_are_read_for_rights(place):
    place.hosts.add("pics.example", "/robots.txt", b"User-agent: GPTBot\nDisallow: /\n")
    license_link = {"Link": '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'}
    url = place.hosts.add("pics.example", "/a.png", picture(), headers=license_link)
    a_list(place, [url])
    place.recipe(LIST, fetch={})
    build = place.crawl("evidence")
    (license_row,) = build.read("evidence", "license_evidence").to_pylist()
    assert (license_row["rule"], license_row["spdx_id"]) == ("http_link_image", "CC-BY-4.0")
    (image,) = build.read("crawl", "image").to_pylist()
    assert license_row["record_id"] == image["image_id"]
    reserved = build.read("evidence", "reservation_evidence").to_pylist()
    assert [(row["subject_type"], row["subject_id"]) for row in reserved if row["decision"] == "reserved"]
    records = {row["record_id"]: row for row in build.read("fetch", "record").to_pylist()}
    assert records[image["image_id"]]["file"].startswith("observations/fetch/")
    assert (place.folder / "home" / records[image["image_id"]]["file"]).is_file()


def test_a_second_build_asks_nobody_and_is_the_same(place):
    a_list(place, pictures(place, "pics.example", 3))
    place.recipe(LIST, fetch={})
    first = place.crawl()
    asked = len(place.hosts.log)
    second = place.crawl()
    assert len(place.hosts.log) == asked
    assert first.build_id == second.build_id


def test_a_later_run_asks_again_only_for_what_failed_and_may_succeed(place):
    good, gone, weak = (place.hosts.add("pics.example", f"/{n}.png", picture(n)) for n in (1, 2, 3))
    place.hosts.answers["pics.example", "/2.png"].status = 404
    place.hosts.answers["pics.example", "/3.png"].status = 503
    a_list(place, [good, gone, weak])
    place.recipe(LIST, fetch={"retries": 0})
    before = place.crawl()
    assert outcomes(before) == {good: "ok", gone: "http_404", weak: "http_503"}
    place.hosts.log.clear()
    place.hosts.answers["pics.example", "/3.png"].status = 200
    after = place.crawl()
    assert [path for path in place.hosts.asked("pics.example") if path != "/robots.txt"] == ["/3.png"]
    assert outcomes(after) == {good: "ok", gone: "http_404", weak: "ok"}
    attempts = [(row["url"], row["attempt"], row["status"]) for row in after.read("fetch", "fetch").to_pylist()]
    assert (weak, 1, "failed") in attempts
    assert (weak, 2, "ok") in attempts
    assert before.build_id != after.build_id


def test_an_address_is_given_up_after_the_recipes_number_of_tries(place):
    url = place.hosts.add("pics.example", "/a.png", b"", 503)
    a_list(place, [url])
    place.recipe(LIST, fetch={"retries": 0, "attempts": 2})
    for _ in range(4):
        place.crawl("fetch")
    assert place.hosts.asked("pics.example").count("/a.png") == 2


def test_bytes_that_are_not_those_of_the_lists_hash_are_dropped_where_the_recipe_asks(place):
    urls = pictures(place, "pics.example", 2)
    import hashlib

    right = hashlib.sha256(picture((0, 0, 0))).hexdigest()
    a_list(place, urls, sha256=[right, "0" * 64])
    place.recipe({**LIST, "layout": "datacomp", "columns": {"url": "url", "text": "caption", "sha256": "sha256"}},
                 fetch={"verify_sha256": True})  # fmt: skip
    assert outcomes(place.crawl()) == {urls[0]: "ok", urls[1]: "other_bytes"}


def test_hosts_see_an_honest_name_with_a_contact(place):
    a_list(place, pictures(place, "pics.example", 1))
    place.recipe(LIST, fetch={})
    place.crawl("fetch")
    (agent,) = place.hosts.agents
    assert agent.startswith("Winnow/")
    assert "crawl@winnow.example" in agent


@pytest.mark.slow
def test_a_killed_run_goes_on_without_asking_again_for_what_succeeded(place):
    urls = pictures(place, "pics.example", 60)
    for answer in place.hosts.answers.values():
        answer.wait = 0.05
    a_list(place, urls)
    place.recipe({**LIST, "rows_per_shard": 10}, fetch={"per_domain": 1})
    program = (
        "from pathlib import Path\nfrom tests.arrivals.conftest import Place\n"
        f"Place(Path({str(place.folder)!r}), None).crawl('fetch')"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, start_new_session=True)
    recorded = place.folder / "home" / "observations"
    deadline = time.monotonic() + 60
    while len(list(recorded.rglob("*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = place.hosts.asked("pics.example")
    done = {url for path in recorded.rglob("*.parquet") for url in pq.read_table(path)["url"].to_pylist()}
    assert 0 < len([path for path in before if path != "/robots.txt"]) < len(urls)
    assert set(outcomes(place.crawl()).values()) == {"ok"}
    again = [path for path in place.hosts.asked("pics.example")[len(before) :] if path != "/robots.txt"]
    assert done
    assert not {place.hosts.url("pics.example", path) for path in again} & done
