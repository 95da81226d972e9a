"""How much of what goes wrong the gates catch, and how much good they refuse, on labelled fusions."""

from collections import Counter

import pytest

from assets.captions.gates import GATES, judge
from tests.captions.fusions import fusions, table
from tests.captions.fusions_unseen import CLEAN, UNSEEN

HALVES = {"all": fusions(), "development": [f for f in fusions() if not f.held_out],
          "held out": [f for f in fusions() if f.held_out]}  # fmt: skip


def refused(fusion):
    return not judge(fusion.alt, fusion.synthetic, fusion.fused, finish_reason=fusion.finish_reason).accepted


def test_the_set_is_large_and_every_class_has_its_share():
    kinds = Counter(fusion.kind for fusion in fusions())
    assert len(fusions()) >= 900
    assert kinds["good"] >= 200
    assert len({fusion.alt for fusion in fusions() if fusion.good}) >= 60
    assert {fusion.good for fusion in fusions()} == {True, False}


@pytest.mark.parametrize("half", HALVES)
def test_bad_fusions_are_caught(half):
    bad = [fusion for fusion in HALVES[half] if not fusion.good]
    missed = [fusion for fusion in bad if not refused(fusion)]
    assert len(missed) <= 0.03 * len(bad), missed


@pytest.mark.parametrize("half", HALVES)
def test_good_fusions_pass(half):
    good = [fusion for fusion in HALVES[half] if fusion.good]
    wronged = [fusion for fusion in good if refused(fusion)]
    assert len(wronged) <= 0.02 * len(good), wronged


@pytest.mark.parametrize("kind", sorted({fusion.kind for fusion in fusions()} - {"good"}))
def test_no_class_of_mistakes_slips_through(kind):
    bad = [fusion for fusion in fusions() if fusion.kind == kind]
    missed = [fusion for fusion in bad if not refused(fusion)]
    assert len(missed) <= 0.1 * len(bad), missed


def test_the_table_has_a_line_for_each_gate_and_one_for_all():
    rows = table()
    assert [row[0] for row in rows] == [*(gate.__name__ for gate in GATES), "all"]
    assert all(precision >= 0.97 for *_, precision, _ in rows)
    assert rows[-1][1] == sum(not fusion.good for fusion in fusions())


def test_fusions_that_no_gate_was_written_for_are_judged_as_well():
    good = [fusion for fusion in UNSEEN if fusion.good]
    bad = [fusion for fusion in UNSEEN if not fusion.good]
    assert sum(map(refused, good)) <= 0.05 * len(good), list(filter(refused, good))
    assert sum(map(refused, bad)) >= 0.9 * len(bad), [fusion for fusion in bad if not refused(fusion)]


def test_the_leak_detector_is_silent_on_clean_captions():
    reasons = Counter(judge(alt, synthetic, fused).reason for alt, synthetic, fused in CLEAN)
    assert reasons["instruction_leak"] + reasons["meta"] == 0
