"""Found beside expected: counted by hand on a few rows, and on the sample crawl with its truth."""

import gzip
import json
from io import BytesIO

import pyarrow as pa
import pytest
from PIL import Image

from assets.rights.confusion import MAX_LINE, Truth, TruthError, agreement, confusion, read_truth
from assets.rights.verdict import occurrences
from orchestration import plots
from tests.rights.conftest import REPOSITORY, table

PAGE = "http://site.example/a.html"


def truth_row(position: int, **changes) -> dict:
    row = {"page_url": PAGE, "img_index": position, "role": "content", "licence": "NONE", "licence_also_ok": [],
           "reservation": "unknown", "attribution": None, "shade": "blue"}  # fmt: skip
    return row | changes


def write(path, rows) -> str:
    lines = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    data = lines.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def judged(licenses, reservations=None, credits=()) -> tuple[pa.Table, pa.Table, pa.Table]:
    """rights, sample and attribution for images in order on one page; ids are 100, 101 …"""
    reservations = reservations or ["unknown"] * len(licenses)
    rights = [{"sample_id": 100 + i, "image_license": one, "reservation": other}
              for i, (one, other) in enumerate(zip(licenses, reservations, strict=True))]  # fmt: skip
    sample = [{"sample_id": 100 + i, "page_url": PAGE, "position": i, "page_record_id": 1, "image_record_id": 10 + i}
              for i in range(len(licenses))]  # fmt: skip
    stated = [{"subject_type": kind, "subject_id": i, "rule": "r", "field": field, "value": value}
              for kind, i, field, value in credits]  # fmt: skip
    return table("rights", rights), table("sample", sample), table("attribution", stated)


def counts(found: pa.Table, kind: str) -> dict:
    return {(r["expected"], r["found"], r["right"]): r["samples"] for r in found.to_pylist() if r["kind"] == kind}


def test_licenses_are_counted_by_what_was_expected_and_found():
    truth = [Truth(PAGE, i, expected, also, "unknown", {}) for i, (expected, also) in enumerate([
        ("MIT", ()), ("MIT", ()), ("NONE", ()), ("CC-BY-4.0", ("NOASSERTION",)), ("CC-BY-4.0", ())])]  # fmt: skip
    found = confusion(*judged(["MIT", "NONE", "NONE", "NOASSERTION", "NOASSERTION"]), truth)
    assert counts(found, "license") == {
        ("MIT", "MIT", True): 1,
        ("MIT", "NONE", False): 1,
        ("NONE", "NONE", True): 1,
        ("CC-BY-4.0", "NOASSERTION", True): 1,
        ("CC-BY-4.0", "NOASSERTION", False): 1,
    }
    assert agreement(found) == {"license": 3 / 5, "reservation": 1.0, "missed": 0}


def test_a_reservation_that_we_do_not_see_is_missed_and_one_too_many_is_only_wrong():
    truth = [
        Truth(PAGE, i, None, (), word, {}) for i, word in enumerate(["reserved", "reserved", "unknown", "reserved"])
    ]
    found = confusion(*judged(["NONE"] * 4, ["reserved", "unknown", "reserved", "conditional"]), truth)
    assert counts(found, "license") == {}
    assert agreement(found) == {"reservation": 1 / 4, "missed": 2}


def test_each_named_part_of_a_credit_is_found_missed_or_another():
    credits = [
        ("sample", 100, "creator", "Ada  Lovelace"), ("image", 10, "credit", "Ada / Archive"),
        ("sample", 101, "creator", "Somebody Else"),
        ("image", 13, "creator", "Ada Lovelace"),
    ]  # fmt: skip
    both, one = {"creator": "Ada Lovelace", "credit": "Ada / Archive"}, {"creator": "ada lovelace"}
    stated = [both, one, one, {"creator": "Ada Lovelace", "source": "http://a.example/"}, {}]
    truth = [Truth(PAGE, i, None, (), None, attribution) for i, attribution in enumerate(stated)]
    found = confusion(*judged(["NONE"] * 5, credits=credits), truth)
    assert counts(found, "creator") == {
        ("found", "found", True): 2, ("found", "other", False): 1, ("found", "missed", False): 1,
    }  # fmt: skip
    assert counts(found, "credit") == {("found", "found", True): 1}
    assert counts(found, "source") == {("found", "missed", False): 1}
    assert agreement(found) == {"creator": 2 / 4, "credit": 1.0, "source": 0.0, "attribution": 3 / 6, "missed": 0}


def test_images_that_the_truth_or_the_build_lacks_are_not_counted():
    truth = [Truth(PAGE, 0, "MIT", (), None, {}), Truth(PAGE, 9, "MIT", (), None, {}),
             Truth("http://other.example/", 1, "MIT", (), None, {})]  # fmt: skip
    assert counts(confusion(*judged(["MIT", "MIT"]), truth), "license") == {("MIT", "MIT", True): 1}
    assert agreement(confusion(*judged([]), truth)) == {"missed": 0}


def test_a_truth_file_gives_its_content_rows_and_ignores_keys_it_does_not_know(tmp_path):
    attribution = {"creator": "Ada", "credit": None, "source": " ", "mood": "calm"}
    rows = [truth_row(0), truth_row(1, role="logo"), "", truth_row(2, attribution=attribution)]
    for name in ("truth.jsonl", "truth.jsonl.gz"):
        assert read_truth(write(tmp_path / name, rows)) == [
            Truth(PAGE, 0, "NONE", (), "unknown", {}),
            Truth(PAGE, 2, "NONE", (), "unknown", {"creator": "Ada"}),
        ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "line 2: it is no JSON object: "),
        ("[" * 100_000, "line 2: it is no JSON object: "),
        ("[1]", "line 2: it is list, but a row is a JSON object"),
        (truth_row(0, page_url=7), "line 2: page_url must be a text, not 7"),
        (truth_row(0, img_index=True), "line 2: img_index must be the number of the <img>"),
        (truth_row(0, img_index=-1), "line 2: img_index must be the number of the <img>"),
        (truth_row(0, licence=["MIT"]), "line 2: licence must be a text"),
        (truth_row(0, licence_also_ok="MIT"), "line 2: licence_also_ok must be a list of texts"),
        (truth_row(0, reservation="maybe"), "line 2: reservation must be one of reserved, conditional"),
        (truth_row(0, attribution="Ada"), "line 2: attribution must be an object"),
        ('{"role": "' + "x" * MAX_LINE + '"}', "line 2: it is longer than 1 MiB"),
    ],
    ids=["broken", "deep", "list", "page", "bool", "negative", "license", "also", "reservation", "attribution", "long"],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, row, says):
    path = write(tmp_path / "truth.jsonl", [truth_row(0), row])
    with pytest.raises(TruthError) as error:
        read_truth(path)
    assert str(error.value).startswith(f"{path}, {says}")


def test_a_truth_file_that_is_gone_cut_or_no_gzip_is_one_sentence(tmp_path):
    cut, false = tmp_path / "cut.jsonl.gz", tmp_path / "false.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(truth_row(0)).encode())[:40])
    false.write_bytes(b"{}")
    for path in (tmp_path / "gone.jsonl", cut, false):
        with pytest.raises(TruthError, match="it cannot be read: "):
            read_truth(path)


@pytest.fixture(scope="module")
def of_the_crawl(shards, policy) -> pa.Table:
    tables = []
    for shard in shards.values():
        crawled, found = shard.crawled, shard.evidence
        evidence = (found.license_evidence, found.reservation_evidence, found.attribution)
        tables.append(
            (occurrences(crawled.sample, crawled.image, *evidence, policy), crawled.sample, found.attribution)
        )
    rights, sample, attribution = (pa.concat_tables(part) for part in zip(*tables, strict=True))
    return confusion(rights, sample, attribution, read_truth(REPOSITORY / "examples" / "crawl" / "truth.jsonl.gz"))


def test_the_crawl_agrees_with_its_truth(of_the_crawl):
    found = agreement(of_the_crawl)
    assert found["license"] == found["reservation"] == 1.0
    assert found["missed"] == 0
    assert found["attribution"] >= 0.98
    rows = [row for row in of_the_crawl.to_pylist() if row["kind"] == "license"]
    assert 2000 < sum(row["samples"] for row in rows) < 2365


def test_the_plot_is_a_picture_whatever_the_table_holds(of_the_crawl):
    many = [Truth(PAGE, i, f"License-{i % 40}", (), "reserved", {}) for i in range(200)]
    crowded = confusion(*judged([f"License-{i % 7}" for i in range(200)]), many)
    for rows in (of_the_crawl, crowded, crowded.slice(0, 0)):
        png = plots.confusion(rows)
        with Image.open(BytesIO(png)) as picture:
            assert picture.width > 400
            assert max(picture.size) < 3000


def test_the_plot_gathers_rare_licenses_as_other():
    counted = {f"License-{i:02}": 40 - i for i in range(40)}
    labels, cells = plots.confusion_cells([(name, name, count) for name, count in counted.items()], most=15)
    assert labels == [*(f"License-{i:02}" for i in range(15)), "other"]
    assert cells[0, 0] == 40
    assert cells[15, 15] == sum(40 - i for i in range(15, 40))
    assert cells.sum() == sum(counted.values())


def test_a_truth_that_holds_half_a_character_is_refused_with_its_line(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_text('{"role": "logo"}\n{"role": "content", "page_url": "\\ud800", "img_index": 0}\n')
    with pytest.raises(TruthError, match="line 2: it is no JSON object"):
        read_truth(path)
