"""Figures that can be checked by hand: ranks, recall, zero-shot, intervals, and what is said of them."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from scipy import stats

from assets.evaluation import report
from assets.evaluation.compare import compare, over_pairs, over_seeds
from assets.evaluation.measure import Held, Vectors, measure, scores
from assets.provenance.tables import TABLES


def unit(rows) -> np.ndarray:
    return np.array(rows, np.float32)


def test_ranks_of_hand_made_vectors():
    # Pictures 0 and 1 share a text, whose case does not matter; picture 2 lies as near to the other text as to its own.
    held = Held(np.array([3, 1, 2], np.uint64), ["A cat", "a  cat", "a dog"], ["cat", "cat", "dog"])
    vectors = Vectors(unit([[1, 0], [0, 1], [0.6, 0.6]]), unit([[1, 0], [1, 0], [0, 1]]), unit([[1, 0], [0, 1]]))
    rows = measure("pruned", 4, held, vectors).to_pylist()
    assert [row["sample_id"] for row in rows] == [1, 2, 3]
    # By sample: picture 1 prefers the other text; picture 2 is tied; picture 0 finds its own.
    assert [row["image_to_text"] for row in rows] == [2, 2, 1]
    # The best picture of `a cat` is picture 0; `a dog` has picture 1 before its own.
    assert [row["text_to_image"] for row in rows] == [1, 2, 1]
    assert [row["predicted"] for row in rows] == ["dog", "cat", "cat"]
    found = {row["metric"]: (row["value"], row["pairs"]) for row in scores(measure("a", 0, held, vectors)).to_pylist()}
    assert found["image_to_text_r1"] == (pytest.approx(1 / 3), 3)
    assert found["text_to_image_r1"] == (pytest.approx(2 / 3), 3)
    assert found["image_to_text_r5"] == (1.0, 3)
    assert found["zero_shot"] == (pytest.approx(1 / 3), 3)


def test_vectors_that_are_all_alike_find_nothing():
    same = np.full((8, 4), 0.5, np.float32)
    held = Held(np.arange(8, dtype=np.uint64), [str(i) for i in range(8)], ["cat", "dog"] * 4)
    values = scores(measure("a", 0, held, Vectors(same, same, same[:2])))["value"].to_pylist()
    assert values == [0.0] * 5


def test_only_labeled_pairs_are_asked_for_a_class_and_one_class_is_no_question():
    random = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    held = Held(np.arange(4, dtype=np.uint64), list("abcd"), ["cat", None, "dog", None])
    table = measure("a", 0, held, Vectors(random, random, random[[0, 2]]))
    assert table["predicted"].to_pylist() == ["cat", None, "dog", None]
    assert {r["metric"]: r["pairs"] for r in scores(table).to_pylist()}["zero_shot"] == 2
    one = Held(held.ids, held.texts, ["cat", None, "cat", None])
    table = measure("a", 0, one, Vectors(random, random, random[:1]))
    assert "zero_shot" not in scores(table)["metric"].to_pylist()


def test_a_vector_that_is_not_a_number_is_no_right_answer_but_an_error():
    broken = np.full((2, 2), np.nan, np.float32)
    held = Held(np.arange(2, dtype=np.uint64), ["a", "b"], [None, None])
    with pytest.raises(ValueError, match="arm pruned, seed 1"):
        measure("pruned", 1, held, Vectors(broken, broken, broken[:0]))


def test_the_interval_over_seeds_is_welchs():
    # Means 2 and 6, variances 1 and 4 over three seeds: t = -4 / sqrt(5 / 3), df = (5/3)^2 / ((1/3)^2 + (4/3)^2) * 2.
    # df = 2.941; the 0.975 quantile of t there is 3.2198; half the width is 3.2198 * sqrt(5 / 3) = 4.157.
    found = over_seeds(np.array([1.0, 2, 3]), np.array([4.0, 6, 8]))
    assert (found.low, found.high) == (pytest.approx(-4 - 4.157, abs=2e-3), pytest.approx(-4 + 4.157, abs=2e-3))
    assert found.holds_zero
    a, b = np.array([0.31, 0.35, 0.30, 0.36]), np.array([0.29, 0.24, 0.27])
    wanted = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (over_seeds(a, b).low, over_seeds(a, b).high) == pytest.approx((wanted.low, wanted.high))


def test_figures_that_do_not_vary_have_their_difference_for_an_interval():
    found = over_seeds(np.array([0.5, 0.5]), np.array([0.25, 0.25]))
    assert (found.low, found.high) == (0.25, 0.25)
    assert over_seeds(np.array([0.5, 0.5]), np.array([0.5, 0.5])).holds_zero


def test_the_interval_over_pairs_is_that_of_a_mean_and_repeats():
    difference = np.random.default_rng(0).normal(0.3, 1, 400)
    found = over_pairs(difference, np.zeros(400), 2000, 1)
    half = 1.96 * difference.std() / 20
    assert found.low == pytest.approx(difference.mean() - half, abs=0.02)
    assert found.high == pytest.approx(difference.mean() + half, abs=0.02)
    assert found == over_pairs(difference, np.zeros(400), 2000, 1)


def ranked(arm: str, seed: int, right: int, pairs: int = 100) -> pa.Table:
    """A model that answers the first `right` of some pairs, in both directions."""
    place = np.where(np.arange(pairs) < right, 1, 9)
    columns = {
        "arm": [arm] * pairs, "seed": [seed] * pairs, "sample_id": range(pairs), "image_to_text": place,
        "text_to_image": place, "label": [None] * pairs, "predicted": [None] * pairs,
    }  # fmt: skip
    schema = TABLES["evaluation_rank"].schema
    return pa.table({name: pa.array(list(columns[name]), schema.field(name).type) for name in columns}, schema=schema)


def one_metric(*tables: pa.Table) -> dict:
    return compare(pa.concat_tables(tables), 500).to_pylist()[0]


def models(arm: str, *right: int) -> list[pa.Table]:
    return [ranked(arm, seed, count) for seed, count in enumerate(right)]


def test_a_clear_difference_is_claimed_with_both_intervals():
    row = one_metric(*models("pruned", 40, 41, 42), *models("random", 10, 11, 12))
    assert row["supported"]
    assert row["statement"].startswith("pruned 41.0 ± 1.0, random 11.0 ± 1.0: pruned is 30.0 points better (95 %: +27.")
    assert row["difference"] == pytest.approx(0.3)
    worse = one_metric(*models("pruned", 10, 11, 12), *models("random", 40, 41, 42))
    assert worse["supported"]
    assert "30.0 points worse" in worse["statement"]


def test_seeds_that_differ_too_much_support_nothing():
    row = one_metric(*models("pruned", 10, 60, 90), *models("random", 10, 11, 12))
    assert not row["supported"]
    assert row["pairs_low"] > 0 >= row["low"]
    assert row["statement"] == "pruned 53.3 ± 40.4, random 11.0 ± 1.0: no difference that the deviations support"


def test_seeds_that_agree_on_a_handful_of_pairs_support_nothing():
    row = one_metric(*models("pruned", 12, 12, 12), *models("random", 11, 11, 11))
    assert row["low"] == row["high"] == pytest.approx(0.01)
    assert row["pairs_low"] <= 0
    assert not row["supported"]


def test_arms_that_are_the_same_are_no_difference():
    row = one_metric(*models("pruned", 12, 12), *models("random", 12, 12))
    assert (row["low"], row["high"], row["pairs_low"], row["pairs_high"]) == (0, 0, 0, 0)
    assert not row["supported"]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (models("pruned", 1) + models("random", 1), "fewer than two seeds"),
        (models("pruned", 1, 2) + models("random", 1, 2, 3), "under different seeds"),
        (models("pruned", 1, 2) + [ranked("random", seed, 1, 99) for seed in (0, 1)], "on different pairs"),
        (models("random", 1, 2), "arm pruned was not measured"),
    ],
)
def test_what_cannot_be_compared_is_said(tables, message):
    with pytest.raises(ValueError, match=message):
        compare(pa.concat_tables(tables))


def test_the_report_shows_every_arm_with_its_deviation_and_claims_nothing_without_support():
    ranks = pa.concat_tables(models("pruned", 12, 14) + models("random", 11, 15))
    metrics, means, deviations = report.spread(scores(ranks), ["pruned", "random"])
    assert metrics[0] == "image_to_text_r1"
    assert deviations[0].tolist() == pytest.approx([2**0.5 / 100, 8**0.5 / 100])
    shown = report.table(metrics, ["pruned", "random"], means, deviations)
    assert "|pruned|13.0 ± 1.4|" in shown
    png = report.plot(metrics, ["pruned", "random"], means, deviations, "100 pairs")
    assert png == report.plot(metrics, ["pruned", "random"], means, deviations, "100 pairs")
    assert Image.open(io.BytesIO(png)).size == (750, 380)
    told = report.claims(compare(ranks, 500))
    assert told == "None of 4 comparisons shows a difference that the deviations support."
    clear = pa.concat_tables(models("pruned", 40, 41) + models("random", 11, 12))
    assert report.claims(compare(clear, 500)).startswith("- image to text, R@1: pruned 40.5")
