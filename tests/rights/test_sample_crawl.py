"""The sample crawl against its truth, and every finding's byte range read again."""

from collections import Counter, defaultdict
from dataclasses import replace

import pyarrow as pa
import pytest
from selectolax.lexbor import LexborHTMLParser

from assets.crawl.warc import read_record
from assets.rights.policy import load_policy
from assets.rights.sites import read_site_files
from assets.rights.twins import twins
from assets.rights.verdict import final_rights, occurrences
from tests.rights.conftest import table, with_sites

SVG_THAT_STATES_A_LICENSE = "http://oddfiles.example/files.html"
"""Its drawing.svg says CC public domain in its metadata; the truth was written from the page and says NONE."""


@pytest.fixture(scope="module")
def judged(shards, truth) -> list[tuple[dict, dict, dict]]:
    """(truth, occurrence, occurrence without robots agents) of every <img>, decoded or not."""
    policy = load_policy("commercial-open")
    honor = [protocol for protocol in policy.reservations.honor if protocol != "robots-ai"]
    quiet = policy.model_copy(update={"reservations": policy.reservations.model_copy(update={"honor": honor})})
    rows = []
    for shard in shards.values():
        sample = shard.crawled.sample
        # Undecodable images are judged here too: a statement does not depend on whether the picture opens.
        sample = sample.set_column(sample.schema.get_field_index("image_id"), "image_id", sample["sample_id"])
        image = table("image", [{"image_id": sample_id} for sample_id in sample["sample_id"].to_pylist()])
        found = shard.evidence
        tables = (found.license_evidence, found.reservation_evidence, found.attribution)
        by_id = {row["sample_id"]: row for row in sample.to_pylist()}
        with_agents = occurrences(sample, image, *tables, policy).to_pylist()
        without = occurrences(sample, image, *tables, quiet).to_pylist()
        for row, other in zip(with_agents, without, strict=True):
            place = by_id[row["sample_id"]]
            rows.append((truth[(place["page_url"], place["position"])], row, other))
    return rows


def test_every_image_of_the_crawl_is_judged(judged, truth):
    assert len(judged) == len(truth) == 3490


def test_licenses_agree_with_the_truth_on_every_content_image(judged):
    wrong, exact = [], Counter()
    for expected, row, _ in judged:
        if expected["role"] != "content":
            continue
        found = row["image_license"]
        exact[found == expected["licence"]] += 1
        if found != expected["licence"] and found not in expected["licence_also_ok"]:
            wrong.append((expected["page_url"], expected["trap"], found, expected["licence"]))
    assert wrong == [(SVG_THAT_STATES_A_LICENSE, "file:vector image", "CC-PDDC", "NONE")]
    assert exact == {True: 2335, False: 30}


def test_site_logos_and_trackers_carry_no_license_of_the_page(judged):
    wrong = [e["page_url"] for e, row, _ in judged if e["role"] != "content" and row["image_license"] != e["licence"]]
    assert wrong == []


def test_conflicts_are_the_ones_in_the_truth(judged):
    assert [row["conflict"] for e, row, _ in judged if e["role"] == "content"] == [
        e["licence_conflict"] for e, _, _ in judged if e["role"] == "content"
    ]


@pytest.mark.parametrize(("column", "which"), [("reservation", 1), ("reservation_no_agents", 2)])
def test_reservations_agree_with_the_truth_on_every_content_image(judged, column, which):
    wrong = [
        (row[0]["page_url"], row[0]["trap"], row[which]["reservation"], row[0][column])
        for row in judged
        if row[0]["role"] == "content" and row[which]["reservation"] != row[0][column]
    ]
    assert wrong == []


def test_no_image_that_is_reserved_or_not_commercial_is_let_through(judged):
    for expected, row, _ in judged:
        if expected["reservation"] == "reserved":
            assert row["verdict"] == "deny"
        if expected["commercial_use"] is False or expected["derivatives"] is False:
            assert row["verdict"] in ("deny", "review")


def test_robots_findings_name_the_agents_of_the_truth(shards, truth):
    wanted = {"ccbot", "gptbot", "google-extended"}
    for shard in shards.values():
        named = defaultdict(set)
        for row in shard.evidence.reservation_evidence.to_pylist():
            if row["rule"] == "robots_agents":
                agents = {a.strip().lower() for a in row["value"].partition(":")[0].split(",")}
                named[(row["subject_type"], row["subject_id"])] |= agents & wanted
        for sample in shard.crawled.sample.to_pylist():
            expected = truth[(sample["page_url"], sample["position"])]
            page = {agent.lower() for agent in expected["agents_disallowed_page"]}
            if expected["role"] == "content":
                assert named[("page", sample["page_record_id"])] == page


def test_every_range_reads_back_to_what_the_finding_says(shards):
    checked = Counter()
    for shard in shards.values():
        offsets = dict(zip(*(shard.crawled.record[c].to_pylist() for c in ("record_id", "offset")), strict=True))
        rows = shard.evidence.license_evidence.to_pylist() + shard.evidence.reservation_evidence.to_pylist()
        by_record = defaultdict(list)
        for row in rows:
            by_record[row["record_id"]].append(row)
        for record_id, found in by_record.items():
            record = read_record(shard.path, offsets[record_id])
            for row in found:
                part = record.header_bytes if row["part"] == "headers" else record.body
                assert 0 <= row["byte_start"] < row["byte_end"] <= len(part)
                assert _says(part[row["byte_start"] : row["byte_end"]], row), row
                checked[row["rule"]] += 1
    assert checked.keys() >= {
        "figure_rel", "page_rel", "jsonld_image", "rdfa_about", "xmp_cc_license", "xmp_web_statement",
        "http_link_image", "exif_copyright", "caption_notice", "robots_agents", "tdmrep_file", "x_robots_tag",
        "meta_robots",
    }  # fmt: skip


def _says(raw: bytes, row: dict) -> bool:
    """Whether a range, read on its own, holds the finding's value."""
    text = raw.decode("utf-8", "replace")
    if row["rule"] in ("caption_notice", "figure_text"):
        return row["value"] in " ".join(LexborHTMLParser(text).text(separator=" ").split())
    if row["rule"] == "outside_main":
        return text.startswith("<img")
    if row["rule"] == "tdmrep_file":
        return '"location"' in text
    if row["rule"] == "xmp_marked":
        return "Marked" in text and row["value"].removeprefix("Marked=") in text
    value = row["value"].split(": ", 1)[1] if row["rule"] in ("x_robots_tag", "meta_robots") else row["value"]
    if row["rule"] in ("robots_agents", "content_usage_robots", "content_signal", "ai_txt"):
        value = value.rpartition(": ")[2]
    return all(piece in text for piece in value.split())


def test_the_same_crawl_gives_the_same_evidence(shards):
    from assets.rights.evidence import Sources, collect_evidence

    shard = shards[3]
    again = collect_evidence(Sources(shard.path), 3, shard.crawled.record, shard.crawled.sample)
    files = [file for every in shards.values() for file in read_site_files(every.evidence.site_file)]
    again = with_sites(replace(shard, evidence=again), files)
    assert again.license_evidence.equals(shard.evidence.license_evidence)
    assert again.reservation_evidence.equals(shard.evidence.reservation_evidence)
    assert again.attribution.equals(shard.evidence.attribution)


def test_authors_are_found_where_the_truth_names_them(shards, truth):
    known = missed = 0
    for shard in shards.values():
        credits = defaultdict(set)
        for row in shard.evidence.attribution.to_pylist():
            credits[(row["subject_type"], row["subject_id"])].add(row["value"])
        for sample in shard.crawled.sample.to_pylist():
            stated = truth[(sample["page_url"], sample["position"])]["attribution"] or {}
            if stated.get("creator"):
                said = credits[("sample", sample["sample_id"])] | credits[("image", sample["image_record_id"])]
                known += 1
                missed += not any(
                    stated["creator"] in value or " ".join(stated["creator"].split()) in value for value in said
                )
    assert known > 400
    assert missed / known < 0.5


def test_copies_of_one_image_keep_the_license_of_their_place_and_a_silent_one_gains_nothing(shards):
    policy = load_policy("commercial-open")
    made, hashes = [], []
    for shard in shards.values():
        found, crawled = shard.evidence, shard.crawled
        tables = (found.license_evidence, found.reservation_evidence, found.attribution)
        made.append(occurrences(crawled.sample, crawled.image, *tables, policy))
        sample, image = crawled.sample.select(["sample_id", "image_id"]), crawled.image.select(["image_id", "sha256"])
        hashes.append(sample.join(image, "image_id", join_type="inner").select(["sample_id", "sha256"]))
    occurrence, sha256 = pa.concat_tables(made), pa.concat_tables(hashes)
    twin = twins(occurrence, sha256)
    rights, _ = final_rights(occurrence, sha256, twin, policy)
    alone = {row["sample_id"]: row for row in occurrence.to_pylist()}
    copies = defaultdict(list)
    of_sample = dict(zip(*(sha256[name].to_pylist() for name in ("sample_id", "sha256")), strict=True))
    for row in rights.to_pylist():
        copies[of_sample[row["sample_id"]]].append(row)
    several = [rows for rows in copies.values() if len({row["image_license"] for row in rows}) > 1]
    for rows in several:
        assert [row["image_license"] for row in rows] == [alone[row["sample_id"]]["image_license"] for row in rows]
    # In this crawl the other copy is silent each time: that is no conflict, and what is allowed here is not there.
    assert len(several) == 11
    assert {(row["image_license"] == "NONE", row["verdict"], row["conflict"]) for rows in several for row in rows} == {
        (True, "url_only", False), (False, "allow", False),
    }  # fmt: skip
