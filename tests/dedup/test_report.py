"""Pictures of what dedup did."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from assets.dedup import report
from assets.provenance.tables import conform
from resources.lake import Lake

KEPT, EXACT = (True, None, None), (False, "exact_duplicate", None)
DECISIONS = [KEPT, (False, "near_duplicate", 0.97), EXACT, KEPT, (False, "near_duplicate", 0.99), KEPT]


@pytest.fixture
def build(tmp_path):
    """Six decisions of a pool whose crawl has no pictures."""
    lake = Lake(str(tmp_path))
    rows = [
        {"sample_id": i, "stage": "dedup", "kept": kept, "reason": reason, "score": score,
         "threshold": 0.95 if score else None, "other_sample_id": None if kept else 0}
        for i, (kept, reason, score) in enumerate(DECISIONS)
    ]  # fmt: skip
    path = lake.path("decision", "all", "0" * 32, "parquet")
    lake.write_table(path, conform("decision", pa.Table.from_pylist(rows)))
    return SimpleNamespace(lake=lake, snapshot=SimpleNamespace(shards=[]), paths=lambda *_: [path])


def near(*scores):
    rows = np.zeros(len(scores), report._NEAR)
    rows["score"], rows["sample_id"], rows["threshold"] = scores, np.arange(len(scores)), 0.95
    return rows


def test_counts_by_reason_are_those_of_the_table_and_near_duplicates_name_who_stays(build):
    reasons, found = report.decided(build)
    assert reasons == {"kept": 3, "near_duplicate": 2, "exact_duplicate": 1}
    assert found.tolist() == [(1, 0, 0.97, 0.95), (4, 0, 0.99, 0.95)]
    lines = report.summary(reasons).splitlines()
    assert lines[2:] == ["|kept|3|", "|near_duplicate|2|", "|exact_duplicate|1|"]


def test_pairs_are_spread_over_the_range_of_cosines_from_the_threshold_to_equal():
    shown = report.spread_out(near(*np.linspace(0.9501, 1.0, 500)), 6)
    np.testing.assert_allclose(shown["score"], np.linspace(0.9501, 1.0, 6), atol=2e-4)
    assert report.spread_out(near(0.99, 0.96), 6)["score"].tolist() == [0.96, 0.99]


def test_as_many_pairs_are_shown_however_the_cosines_lie_and_each_once():
    for scores in ([0.97] * 50, [0.951] * 49 + [1.0], [0.951] + [1.0] * 49):
        shown = report.spread_out(near(*scores), 6)
        assert len(set(shown["sample_id"])) == 6
        assert {shown["score"][0], shown["score"][-1]} == {min(scores), max(scores)}
        turned = near(*scores)[::-1]
        assert report.spread_out(turned, 6).tolist() == shown.tolist()
    assert sorted(report.spread_out(near(*[0.97] * 500), 6)["sample_id"]) != list(range(6))


def test_the_asset_page_has_counts_a_histogram_and_pairs(build):
    made = report.dedup_plots(build)
    assert list(made) == ["reasons", "cosines of near-duplicates", "near-duplicate pairs"]
    assert all(text.startswith("![") for title, text in made.items() if title != "reasons")
    assert report.dedup_plots(build) == made


def test_a_pool_without_near_duplicates_has_counts_alone(build, monkeypatch):
    counts, found = report.decided(build)
    monkeypatch.setattr(report, "decided", lambda _: (counts, found[:0]))
    assert list(report.dedup_plots(build)) == ["reasons"]
