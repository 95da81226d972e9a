"""Quotas against brute force over all integer vectors, and by hand at the edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.prune.quotas import budget, floors, quotas


def ints(*values):
    return np.array(values, np.int64)


def cost(x, target):
    return float(((np.asarray(x) - target) ** 2).sum())


@st.composite
def problems(draw):
    """Up to four concepts of up to six members, their floors, and a budget that the bounds allow."""
    k = draw(st.integers(1, 4))
    size = ints(*(draw(st.integers(0, 6)) for _ in range(k)))
    least = ints(*(draw(st.integers(0, int(s))) for s in size))
    keep = draw(st.integers(int(least.sum()), int(size.sum())))
    weight = np.array([draw(st.integers(0, 12)) for _ in range(k)], dtype=np.float64)
    share = weight / weight.sum() if weight.sum() else np.full(k, 1 / k)
    return share, size, keep, least


@given(problems())
@settings(max_examples=300, deadline=None)
def test_no_other_integers_within_the_bounds_come_nearer_to_the_targets(problem):
    share, size, keep, least = problem
    found = quotas(share, size, keep, least)
    every = itertools.product(*(range(low, high + 1) for low, high in zip(least, size, strict=True)))
    best = min(cost(x, share * keep) for x in every if sum(x) == keep)
    assert cost(found, share * keep) == pytest.approx(best, abs=1e-9)
    assert found.sum() == keep
    assert (found >= least).all()
    assert (found <= size).all()


def test_targets_that_are_whole_numbers_are_the_quotas():
    assert quotas(np.array([0.5, 0.3, 0.2]), ints(9, 9, 9), 10, ints(0, 0, 0)).tolist() == [5, 3, 2]


def test_what_a_full_concept_cannot_take_is_spread_evenly_over_the_others():
    # Targets 6, 2, 2; the first has 2 members, and its other 4 go to the others in equal parts, not in proportion.
    assert quotas(np.array([0.6, 0.2, 0.2]), ints(2, 9, 9), 10, ints(0, 0, 0)).tolist() == [2, 4, 4]


def test_what_a_floor_takes_is_spread_evenly_over_the_others():
    assert quotas(np.array([0.0, 0.5, 0.5]), ints(9, 9, 9), 10, ints(4, 0, 0)).tolist() == [4, 3, 3]


def test_of_equally_good_quotas_the_lower_concepts_get_more():
    assert quotas(np.full(3, 1 / 3), ints(9, 9, 9), 10, ints(0, 0, 0)).tolist() == [4, 3, 3]


def test_rounding_each_target_would_lose_the_budget_but_quotas_do_not():
    share, keep = np.full(100, 0.01), 140
    assert np.rint(share * keep).sum() == 100
    found = quotas(share, np.full(100, 9), keep, np.zeros(100, int))
    assert found.tolist() == [2] * 40 + [1] * 60


def test_quotas_spend_the_budget_exactly_for_a_million_clusters():
    rng = np.random.default_rng(0)
    size = rng.geometric(1 / 50, 1_000_000)
    share = rng.dirichlet(np.ones(1_000_000))
    keep = budget(int(size.sum()), 0.3)
    least = floors(int(0.5 * keep / len(size)), size, keep)
    found = quotas(share, size, keep, least)
    assert found.sum() == keep
    assert (found >= least).all()
    assert (found <= size).all()
    # Everything that is not at a bound stands at its target plus one common shift, rounded down.
    free = (found > least) & (found < size)
    shift = found[free] - share[free] * keep
    assert free.sum() > 100_000
    assert np.ptp(shift) <= 1 + 1e-6


def test_a_million_equal_clusters_spend_a_budget_that_does_not_divide():
    found = quotas(np.full(1_000_000, 1e-6), np.full(1_000_000, 3), 1_234_567, np.zeros(1_000_000, int))
    assert found.sum() == 1_234_567
    assert (found[:234_567] == 2).all()
    assert (found[234_567:] == 1).all()


def test_concepts_of_one_sample_can_keep_it():
    share = np.array([0.0, 0.0, 1.0])
    assert quotas(share, ints(1, 1, 1), 3, ints(0, 0, 0)).tolist() == [1, 1, 1]
    assert quotas(share, ints(1, 1, 8), 4, ints(1, 1, 1)).tolist() == [1, 1, 2]


def test_the_whole_budget_keeps_everything_whatever_the_shares():
    assert quotas(np.array([1.0, 0.0, 0.0]), ints(3, 0, 4), 7, ints(0, 0, 0)).tolist() == [3, 0, 4]


def test_a_budget_of_nothing_keeps_nothing():
    assert quotas(np.array([0.5, 0.5]), ints(3, 4), 0, ints(0, 0)).tolist() == [0, 0]


def test_an_empty_concept_gets_nothing_and_no_concepts_get_no_quotas():
    assert quotas(np.array([0.9, 0.1]), ints(0, 4), 2, ints(0, 0)).tolist() == [0, 2]
    assert quotas(np.empty(0), ints(), 0, ints()).tolist() == []


@pytest.mark.parametrize(("keep", "least"), [(8, ints(0, 0)), (1, ints(1, 1))])
def test_bounds_that_leave_no_solution_are_an_error(keep, least):
    with pytest.raises(ValueError, match=f"no quotas sum to {keep}"):
        quotas(np.array([0.5, 0.5]), ints(3, 4), keep, least)


def test_a_floor_above_its_concept_is_an_error():
    with pytest.raises(ValueError, match="above the size"):
        quotas(np.array([1.0]), ints(2), 2, ints(3))


def test_budgets_round_half_to_even():
    assert [budget(n, 0.5) for n in (4, 5, 6, 7)] == [2, 2, 3, 4]
    assert budget(100, 0.29) == 29  # in floating point 28.999999999999996
    assert budget(7, 1) == 7
    assert budget(0, 0.5) == 0


@pytest.mark.parametrize("keep", [0, -0.1, 1.4, float("nan")])
def test_a_share_outside_0_to_1_is_an_error_that_names_the_key(keep):
    with pytest.raises(ValueError, match=r"prune.keep is .* must lie in \(0, 1\]"):
        budget(10, keep)


def test_floors_are_no_more_than_a_concept_has():
    assert floors(3, ints(1, 5, 0), 9).tolist() == [1, 3, 0]


def test_floors_that_exceed_the_budget_are_lowered_to_the_largest_common_bound():
    # min(size, 2) sums to 5, min(size, 3) to 7, which is above 6.
    assert floors(4, ints(1, 5, 5), 6).tolist() == [1, 2, 2]
    assert floors(4, ints(9, 9, 9), 2).tolist() == [0, 0, 0]
    assert floors(10**30, ints(9, 9, 9), 27).tolist() == [9, 9, 9]


def test_floors_that_fit_exactly_are_not_lowered():
    assert floors(2, ints(9, 9, 9), 6).tolist() == [2, 2, 2]


def test_a_negative_floor_is_an_error():
    with pytest.raises(ValueError, match="must not be negative"):
        floors(-1, ints(1), 1)


@given(st.integers(0, 20), st.lists(st.integers(0, 10), min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_lowered_floors_always_leave_quotas_a_solution(floor, sizes, data):
    size = ints(*sizes)
    keep = data.draw(st.integers(0, int(size.sum())))
    least = floors(floor, size, keep)
    assert quotas(np.full(len(size), 1 / len(size)), size, keep, least).sum() == keep
