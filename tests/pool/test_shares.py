"""Limits of a best share, by hand."""

import numpy as np
import pytest

from assets.pool.shares import top_fraction_threshold


@pytest.mark.parametrize(
    ("values", "fraction", "threshold", "kept"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.3, 7, 4),  # index 3 of the descending list: one more than the share
        ([10, 9, 8, 7, 7, 7, 4, 3, 2, 1], 0.3, 7, 6),  # all ties of the last one stay
        ([10, 9, 9, 9, 5, 5, 5, 5, 5, 5], 0.2, 9, 4),
        ([1, 2, 3], 0.3, 3, 1),  # floor(0.9) = 0: the best one
        ([1, 2, 3, 4, 5, 6, 7], 0.5, 4, 4),  # floor(3.5) = 3
        ([5, 5, 5], 0.01, 5, 3),
        ([3, 1, 2], 1.0, 1, 3),
        ([-0.5], 0.3, -0.5, 1),
    ],
)
def test_the_threshold_is_the_value_at_the_floor_of_the_share_and_ties_stay(values, fraction, threshold, kept):
    found = top_fraction_threshold(np.array(values, dtype=float), fraction)
    assert found == threshold
    assert (np.array(values) >= found).sum() == kept


def test_the_threshold_is_that_of_a_plain_sort_for_many_lists():
    rng = np.random.default_rng(0)
    for n in (1, 2, 9, 10, 11, 99, 100, 1000):
        values = rng.integers(0, 40, n) / 40
        for fraction in (0.01, 0.29, 0.3, 0.5, 0.99):
            assert top_fraction_threshold(values, fraction) == sorted(values, reverse=True)[int(n * fraction)]


def test_a_share_outside_of_its_range_and_missing_scores_are_refused():
    for fraction in (0, -0.1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="must lie in"):
            top_fraction_threshold(np.ones(3), fraction)
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        top_fraction_threshold(np.array([1, np.nan, 2]), 0.3)


def test_a_pool_without_scores_has_no_limit():
    assert top_fraction_threshold(np.empty(0), 0.3) == -np.inf
