"""What the crawl lacks is asked for: politely, once, and everything that came back is on record."""

from __future__ import annotations

import hashlib
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
from tests.crawl.warcs import member, picture, response, write

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
    build = place.crawl("site_evidence")
    assert outcomes(build) == {closed: "robots_disallowed", shy: "x_robots_tag"}
    assert place.hosts.asked("closed.example") == ["/robots.txt"]
    found = build.read("evidence", "reservation_evidence").to_pylist()
    assert [(row["rule"], row["decision"], row["value"]) for row in found] == [
        ("x_robots_tag", "reserved", "noai: noai")
    ]
    (own,) = build.read("site_evidence", "reservation_evidence").to_pylist()
    assert (own["rule"], own["decision"], own["value"]) == ("robots_agents", "reserved", "winnow: Disallow: /")


def test_headers_and_robots_txt_of_fetched_images_are_read_for_rights(place):
    place.hosts.add("pics.example", "/robots.txt", b"User-agent: GPTBot\nDisallow: /\n")
    license_link = {"Link": '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'}
    url = place.hosts.add("pics.example", "/a.png", picture(), headers=license_link)
    a_list(place, [url])
    place.recipe(LIST, fetch={})
    build = place.crawl("site_evidence")
    (license_row,) = build.read("evidence", "license_evidence").to_pylist()
    assert (license_row["rule"], license_row["spdx_id"]) == ("http_link_image", "CC-BY-4.0")
    (image,) = build.read("crawl", "image").to_pylist()
    assert license_row["record_id"] == image["image_id"]
    reserved = build.read("site_evidence", "reservation_evidence").to_pylist()
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
    right = hashlib.sha256(picture((0, 0, 0))).hexdigest()
    a_list(place, urls, sha256=[right, "0" * 64])
    place.recipe({**LIST, "columns": {"url": "url", "text": "caption", "sha256": "sha256"}},
                 fetch={"verify_sha256": True})  # fmt: skip
    assert outcomes(place.crawl()) == {urls[0]: "ok", urls[1]: "other_bytes"}


def test_hosts_see_an_honest_name_with_a_contact(place):
    a_list(place, pictures(place, "pics.example", 1))
    place.recipe(LIST, fetch={})
    place.crawl("fetch")
    (agent,) = place.hosts.agents
    assert agent.startswith("Winnow/")
    assert "crawl@winnow.example" in agent


def test_an_address_that_several_shards_want_is_asked_for_once_and_robots_txt_too(place):
    urls = pictures(place, "pics.example", 2)
    a_list(place, urls * 3)
    place.recipe({**LIST, "rows_per_shard": 2}, fetch={})
    build = place.crawl("evidence")
    assert len(build.snapshot.shards) == 3
    assert outcomes(build) == dict.fromkeys(urls, "ok")
    assert sorted(place.hosts.asked("pics.example")) == ["/0.png", "/1.png", "/robots.txt"]
    for shard in build.snapshot.shards:
        kinds = build.read("fetch", "fetch", ["kind"], shard)["kind"].to_pylist()
        assert sorted(kinds) == ["image", "image", "robots"]


def test_a_host_that_wants_to_be_left_alone_is_left_alone_by_all_shards(place):
    urls = [place.hosts.add("pics.example", f"/{n}.png", b"", 429, {"Retry-After": "3600"}) for n in range(6)]
    a_list(place, urls)
    place.recipe({**LIST, "rows_per_shard": 2}, fetch={"per_domain": 1})
    assert set(outcomes(place.crawl()).values()) <= {"http_429", "retry_later"}
    assert len([path for path in place.hosts.asked("pics.example") if path != "/robots.txt"]) == 1
    place.crawl()
    assert len([path for path in place.hosts.asked("pics.example") if path != "/robots.txt"]) == 1


def test_what_was_fetched_is_found_again_when_the_shards_get_other_numbers_and_names(place):
    urls = pictures(place, "pics.example", 2)
    a_list(place, urls)
    place.recipe(LIST, fetch={})
    place.crawl()
    place.hosts.log.clear()
    write(place.folder / "a.warc.gz", response("http://pics.example/", b"<p>nothing"))
    place.recipe({"name": "first", "uris": ["a.warc.gz"]}, {**LIST, "name": "renamed"}, fetch={})
    build = place.crawl()
    assert [shard.shard_id for shard in build.snapshot.shards if shard.kind == "links"] == [2]
    assert outcomes(build) == dict.fromkeys(urls, "ok")
    assert place.hosts.log == []


def test_a_list_that_gets_more_rows_asks_for_the_new_ones_alone_and_keeps_what_hosts_said(place):
    place.hosts.add("pics.example", "/robots.txt", b"User-agent: GPTBot\nDisallow: /\n")
    urls = pictures(place, "pics.example", 4)
    a_list(place, urls[:3])
    place.recipe(LIST, fetch={})
    before = place.crawl("site_evidence")
    place.hosts.log.clear()
    a_list(place, urls)
    after = place.crawl("site_evidence")
    assert sorted(place.hosts.asked("pics.example")) == ["/3.png", "/robots.txt"]
    assert outcomes(after) == dict.fromkeys(urls, "ok")
    hashes = [set(build.read("crawl", "image")["sha256"].to_pylist()) for build in (before, after)]
    assert hashes[0] < hashes[1]
    rules = [set(b.read("site_evidence", "reservation_evidence")["rule"].to_pylist()) for b in (before, after)]
    assert rules[0] == rules[1] != set()
    place.hosts.log.clear()
    a_list(place, urls[1:3])
    place.crawl("evidence")
    assert place.hosts.log == []


def test_a_refusal_by_our_own_rules_is_open_again_under_others(place):
    (url,) = pictures(place, "pics.example", 1)
    a_list(place, [url])
    place.recipe(LIST, fetch={"allow_private": []})
    assert outcomes(place.crawl()) == {url: "address_refused"}
    assert place.hosts.log == []
    place.recipe(LIST, fetch={})
    assert outcomes(place.crawl()) == {url: "ok"}


def test_what_was_taken_against_robots_txt_does_not_count_where_it_is_obeyed(place):
    place.hosts.add("closed.example", "/robots.txt", b"User-agent: *\nDisallow: /\n")
    url = place.hosts.add("closed.example", "/a.png", picture())
    a_list(place, [url])
    place.recipe(LIST, fetch={"robots": False})
    assert outcomes(place.crawl()) == {url: "ok"}
    place.recipe(LIST, fetch={})
    assert outcomes(place.crawl()) == {url: "robots_disallowed"}


def test_no_answer_can_pass_for_another_hosts(place):
    forged = response(place.hosts.url("pics.example", "/0.png"), picture("black"), "image/png")
    bomb = picture("white") + b"".join(member(forged) for _ in range(4))
    place.hosts.add("other.example", "/x.png", bomb)
    urls = [place.hosts.url("other.example", "/x.png"), *pictures(place, "pics.example", 4)]
    a_list(place, urls)
    place.recipe(LIST, fetch={"per_domain": 1})
    build = place.crawl("evidence")
    assert outcomes(build) == dict.fromkeys(urls, "ok")
    hashes = {row["image_id"]: row["sha256"] for row in build.read("crawl", "image").to_pylist()}
    for row in build.read("crawl", "sample").to_pylist():
        served = place.hosts.answers[
            row["image_url"].split("/")[2].partition(":")[0], "/" + row["image_url"].split("/")[3]
        ]
        assert hashes[row["image_id"]] == hashlib.sha256(served.body).digest()


@pytest.mark.slow
def test_a_killed_run_goes_on_without_asking_again_for_what_succeeded(place):
    urls = pictures(place, "pics.example", 60)
    for answer in place.hosts.answers.values():
        answer.wait = 0.05
    a_list(place, urls)
    place.recipe({**LIST, "rows_per_shard": 10}, fetch={"per_domain": 1})
    program = (
        "from pathlib import Path\nfrom assets.crawl.fetched import Router\nfrom tests.arrivals.conftest import Place\n"
        "Router.ITEMS = 5\n"
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
