import numpy as np
import pytest

from assets.provenance.checks import funnel_adds_up
from tests.provenance import tiny_build as t


def stages(**changes):
    """Decisions of the tiny build, one table per stage, with some stages' rows changed."""
    return [t.table("decision", changes.get(stage, rows)) for stage, rows in t.DECISIONS.items()]


def test_a_whole_funnel_adds_up_and_is_told_in_one_line():
    holds, told = funnel_adds_up(stages())
    assert holds
    assert told.startswith("crawl 10 = 9 kept + 1 dropped; rights 9 = 7 kept + 2 dropped; pool 7 = 6 kept")


def test_the_order_and_the_cut_of_the_tables_do_not_matter():
    tables = stages()
    parts = [part for table in reversed(tables) for part in (table.slice(2), table.slice(0, 2))]
    assert funnel_adds_up(parts) == funnel_adds_up(tables)


@pytest.mark.parametrize("stage", [stage for stage in t.DECISIONS if stage != "crawl"])
def test_a_row_removed_by_hand_is_found_at_any_stage(stage):
    holds, told = funnel_adds_up(stages(**{stage: t.DECISIONS[stage][1:]}))
    assert not holds
    assert f"stage {stage} decided on {len(t.DECISIONS[stage]) - 1} samples" in told
    assert f"e.g. sample {t.DECISIONS[stage][0]['sample_id']}" in told


def test_a_row_removed_from_the_first_stage_is_missed_by_the_second():
    holds, told = funnel_adds_up(stages(crawl=t.DECISIONS["crawl"][1:]))
    assert not holds
    assert told.startswith("stage rights decided on 9 samples, but crawl kept 8: 1 were not kept there")


def test_a_sample_that_was_dropped_first_of_all_and_whose_row_is_removed_is_missed_among_all_samples():
    gone = next(row for row in t.DECISIONS["crawl"] if not row["kept"])
    left = [row for row in t.DECISIONS["crawl"] if row is not gone]
    samples = np.array(t.SAMPLES, np.uint64)
    assert funnel_adds_up(stages(), samples)[0]
    holds, told = funnel_adds_up(stages(crawl=left), samples)
    assert not holds
    assert f"e.g. sample {gone['sample_id']}" in told


def test_a_sample_decided_twice_is_found():
    holds, told = funnel_adds_up(stages(pool=[*t.DECISIONS["pool"], t.DECISIONS["pool"][0]]))
    assert not holds
    assert told == f"stage pool decided more than once on sample {t.A0}"


def test_a_dropped_sample_that_goes_on_all_the_same_is_found():
    more = [*t.DECISIONS["dedup"], {"sample_id": t.B2, "stage": "dedup", "kept": True}]
    holds, told = funnel_adds_up(stages(dedup=more))
    assert not holds
    assert f"1 were not kept there, e.g. sample {t.B2}" in told


def test_an_exchange_that_keeps_the_numbers_is_found():
    swapped = [{**row, "sample_id": 99} if row["sample_id"] == t.A4 else row for row in t.DECISIONS["captions"]]
    assert not funnel_adds_up(stages(captions=swapped))[0]


def test_an_unknown_stage_is_named():
    assert funnel_adds_up([t.table("decision", [{"sample_id": 1, "stage": "magic", "kept": True}])]) == (
        False, "magic is not a stage",
    )  # fmt: skip


def test_nothing_decided_yet_adds_up():
    assert funnel_adds_up([]) == (True, "no decisions yet")
