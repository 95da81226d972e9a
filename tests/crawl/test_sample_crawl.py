"""The whole sample crawl against what its makers say of every <img>."""

from collections import Counter
from pathlib import Path

import pytest

from tests.crawl.shards import crawl_warc

CRAWL = Path(__file__).resolve().parents[2] / "examples" / "crawl"
MISSING = {"image_not_in_crawl", "http_404", "data_url", "no_address"}
STORED_SIDEWAYS = {("http://oddfiles.example/files.html", 10)}
"""The truth gives sizes as stored; tables give them upright."""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory):
    """(page, position) -> (sample, decision, image or None), of all five files."""
    folder = tmp_path_factory.mktemp("crawled")
    found = {}
    for number in range(1, 6):
        shard = crawl_warc(CRAWL / f"sample-{number:05d}.warc.gz", number, folder / f"{number}.tar")
        images = {row["image_id"]: row for row in shard.image.to_pylist()}
        for sample, decision in zip(shard.sample.to_pylist(), shard.decision.to_pylist(), strict=True):
            assert sample["sample_id"] == decision["sample_id"]
            found[sample["page_url"], sample["position"]] = (sample, decision, images.get(sample["image_id"]))
    return found


@pytest.fixture(scope="module")
def both(crawled, truth):
    """(truth, sample, decision, image) of every <img>."""
    return [(row, *crawled[row["page_url"], row["img_index"]]) for row in truth]


def outcome(decision):
    if decision["kept"]:
        return "ok"
    reason = decision["reason"]
    return "svg" if reason == "svg" else "missing" if reason in MISSING else "error"


def lines(text):
    return text if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


def test_there_is_a_sample_for_every_img_and_none_besides(crawled, truth):
    assert crawled.keys() == {(row["page_url"], row["img_index"]) for row in truth}


def test_every_address_is_the_one_the_page_means(both):
    assert [(row["page_url"], s["image_url"]) for row, s, *_ in both if s["image_url"] != row["image_url"]] == []


def test_every_alt_text_is_the_one_on_the_page(both):
    exact = [(row, s) for row, s, *_ in both if row["alt_exact"]]
    assert len(exact) > 3000
    assert [(s["alt"], row["alt"]) for row, s in exact if lines(s["alt"]) != lines(row["alt"])] == []


def test_every_image_decodes_or_fails_as_its_maker_meant(both):
    content = [(row, d) for row, _, d, _ in both if row["role"] == "content"]
    assert [(row["trap"], d["reason"]) for row, d in content if outcome(d) != row["decode"]] == []
    assert {"ok", "svg", "missing", "error"} == {row["decode"] for row, _ in content}


def test_every_decoded_image_is_the_file_that_was_served(both):
    hashes = [(image["sha256"].hex(), row["sha256"]) for row, _, _, image in both if image and row["sha256"]]
    assert len(hashes) > 3000
    assert [pair for pair in hashes if pair[0] != pair[1]] == []


def test_every_size_is_that_of_the_upright_picture(both):
    wrong = {
        (row["page_url"], row["img_index"]): ((image["width"], image["height"]), (row["width"], row["height"]))
        for row, _, _, image in both
        if image and row["width"] and (image["width"], image["height"]) != (row["width"], row["height"])
    }
    assert wrong.keys() == STORED_SIDEWAYS
    assert all(upright == stored[::-1] for upright, stored in wrong.values())


def test_every_alternative_is_among_those_of_the_page(both):
    lost = [
        (row["page_url"], row["img_index"]) for row, s, *_ in both if not set(s["other_urls"]) <= set(row["other_urls"])
    ]
    assert lost == []


def test_every_drop_has_a_reason_and_every_kept_sample_an_image(both):
    for _, sample, decision, image in both:
        assert decision["kept"] == (image is not None) == (sample["image_id"] is not None)
        assert (decision["reason"] is None) == decision["kept"]
    reasons = Counter(decision["reason"] for _, _, decision, _ in both)
    assert {"svg", "html_body", "too_many_pixels", "truncated", "bad_checksum", "empty"} <= reasons.keys()
