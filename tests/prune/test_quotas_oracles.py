"""Quotas against oracles: every integer vector, and solvers that the product does not use."""

import itertools
import warnings

import numpy as np
import pytest

from assets.prune.complexity import shares
from assets.prune.quotas import budget, cluster_quotas, filled, floors, optimality_gap, real_quotas


def problem(rng):
    """Sizes, complexities, share to keep, temperature and floor of up to four small concepts, ties and NaN among them."""
    k = int(rng.integers(1, 5))
    sizes = rng.integers(0, 6, k)
    complexity = rng.choice([0.0, 0.1, 0.1, 0.3, 0.7, np.nan], k) if rng.random() < 0.5 else rng.random(k)
    keep = float(rng.choice([0.05, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9, 1.0]))
    return sizes, complexity, keep, float(rng.choice([1e-300, 0.01, 0.1, 0.5, 5.0, 1e300])), int(rng.integers(0, 4))


GRIDS = {
    shape: np.array(list(itertools.product(*(range(side) for side in shape)))).reshape(-1, len(shape))
    for k in range(1, 5)
    for shape in [(6,) * k]
}


def best_integers(sizes, complexity, keep, temperature, floor):
    """By looking at all of them: of equally good ones the one that gives more to lower clusters."""
    total = budget(int(sizes.sum()), keep)
    least = floors(floor, sizes, total)
    target = shares(filled(complexity, sizes), sizes, temperature) * total
    every = GRIDS[(6,) * len(sizes)]
    every = every[(every.sum(axis=1) == total) & (every >= least).all(axis=1) & (every <= sizes).all(axis=1)]
    cost = ((every - target) ** 2).sum(axis=1)
    return every[cost <= cost.min() + 1e-9][-1].tolist()  # the grid is in lexicographic order


def test_quotas_are_those_of_brute_force_in_ten_thousand_small_cases():
    rng = np.random.default_rng(0)
    for case in range(10_000):
        given = problem(rng)
        sizes, complexity, keep, temperature, floor = given
        found = cluster_quotas(sizes, complexity, keep, temperature=temperature, floor=floor)
        assert found.dtype == np.int64
        assert found.tolist() == best_integers(*given), (case, given)


def program(rng, k):
    """Targets, bounds and total of a program in real numbers, as skewed as those of web concepts."""
    size = np.maximum(1, rng.lognormal(4, 1.2, k)).astype(np.int64)
    total = budget(int(size.sum()), float(rng.choice([0.1, 0.3, 0.8])))
    least = floors(int(rng.choice([0, 0.5, 1.0]) * total / k), size, total)
    share = shares(rng.gamma(2.0, 0.15, k), size, float(rng.choice([0.05, 0.5])))
    return share * total, least.astype(float), size.astype(float), float(total)


@pytest.mark.parametrize("k", [1, 2, 30, 1000])
def test_the_solution_in_real_numbers_is_optimal_and_no_worse_than_clarabels(k):
    import clarabel
    from scipy import sparse

    rng = np.random.default_rng(k)
    for _ in range(5):
        target, low, high, total = program(rng, k)
        found = real_quotas(target, low, high, total)
        assert optimality_gap(found, target, low, high, total) <= 1e-9
        eye = sparse.eye(k, format="csc")
        rows = sparse.vstack([sparse.csc_matrix(np.ones((1, k))), eye, -eye], format="csc")
        cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(2 * k)]
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        solver = clarabel.DefaultSolver(
            sparse.triu(eye, format="csc"), -target, rows, np.r_[total, high, -low], cones, settings
        )
        theirs = np.array(solver.solve().x)
        cost, their_cost = (((x - target) ** 2).sum() for x in (found, theirs))
        assert cost <= their_cost + 1e-6 * max(1.0, their_cost)
        np.testing.assert_allclose(found, theirs, atol=1e-3 * max(1.0, float(np.abs(target).max())))


def test_the_solution_in_real_numbers_is_optimal_for_a_million_concepts():
    target, low, high, total = program(np.random.default_rng(1), 1_000_000)
    assert optimality_gap(real_quotas(target, low, high, total), target, low, high, total) <= 1e-9


def test_the_gap_sees_a_lost_budget_a_broken_bound_and_a_sample_in_the_wrong_place():
    target, low, high = np.array([4.0, 3.0, 3.0]), np.zeros(3), np.full(3, 9.0)
    assert optimality_gap(np.array([4.0, 3.0, 3.0]), target, low, high, 10) == 0
    assert optimality_gap(np.array([4.0, 3.0, 2.0]), target, low, high, 10) >= 0.1
    assert optimality_gap(np.array([5.0, 3.0, 2.0]), target, low, high, 10) >= 0.25
    assert optimality_gap(np.array([11.0, 0.0, -1.0]), target, low, high, 10) >= 0.25
    assert optimality_gap(np.array([9.0, 1.0, 0.0]), target, low, high, 10) >= 0.25


def test_quotas_of_a_million_concepts_spend_the_budget_and_follow_the_real_solution():
    rng = np.random.default_rng(2)
    sizes = np.maximum(1, rng.lognormal(4, 1.2, 1_000_000)).astype(np.int64)
    complexity = rng.gamma(2.0, 0.15, 1_000_000)
    found = cluster_quotas(sizes, complexity, 0.3, floor=10)
    total = budget(int(sizes.sum()), 0.3)
    assert int(found.sum()) == total
    least = floors(10, sizes, total)
    assert ((found >= least) & (found <= sizes)).all()
    real = real_quotas(shares(complexity, sizes, 0.5) * total, least, sizes, total)
    assert np.abs(found - real).max() <= 1


def test_of_concepts_of_one_size_a_more_complex_one_never_keeps_less_and_equal_ones_differ_by_one_at_most():
    rng = np.random.default_rng(3)
    for _ in range(200):
        found = cluster_quotas(np.full(12, 40), np.sort(rng.random(12)), 0.4, temperature=0.3, floor=3)
        assert (np.diff(found) >= 0).all()
        assert found[-1] > found[0]
    assert cluster_quotas(np.full(7, 40), np.full(7, 0.2), 0.4).tolist() == [16] * 7
    assert cluster_quotas(np.full(7, 39), np.full(7, 0.2), 0.4).tolist() == [16] * 4 + [15] * 3


def test_a_concept_that_grows_more_complex_never_keeps_less_than_before():
    rng = np.random.default_rng(4)
    for _ in range(200):
        sizes, complexity, at = rng.integers(1, 60, 9), rng.random(9), int(rng.integers(9))
        more = complexity.copy()
        more[at] += rng.random()
        before, after = (cluster_quotas(sizes, one, 0.4, temperature=0.3)[at] for one in (complexity, more))
        assert after >= before


def test_another_order_of_concepts_gives_each_the_same_quota_and_of_equals_those_that_come_first_get_more():
    rng = np.random.default_rng(5)
    for _ in range(200):
        sizes, order = rng.integers(0, 60, 30), rng.permutation(30)
        found = rng.random(30)
        found[rng.integers(0, 30, 3)] = np.nan
        moved = cluster_quotas(sizes[order], found[order], 0.4, temperature=0.2, floor=2)
        # Those with a complexity of their own tie with nobody; the unknown ones share one, and take turns by place.
        here = cluster_quotas(sizes, found, 0.4, temperature=0.2, floor=2)[order]
        known = ~np.isnan(found[order])
        assert moved[known].tolist() == here[known].tolist()
        assert moved.sum() == here.sum()
    sizes, complexity = np.array([9, 9, 9, 9]), np.array([0.1, 0.5, 0.1, 0.1])
    assert cluster_quotas(sizes, complexity, 0.5, temperature=5.0).tolist() == [5, 5, 4, 4]
    assert cluster_quotas(sizes, complexity[::-1], 0.5, temperature=5.0).tolist() == [5, 4, 5, 4]


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e300, 1.7e308])
def test_the_tiniest_and_the_hugest_temperatures_have_quotas_and_no_warning(temperature):
    sizes, complexity = np.array([20, 20, 0, 20]), np.array([0.1, 0.7, 0.9, -5.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cluster_quotas(sizes, complexity, 0.3, temperature=temperature)
        cluster_quotas(np.full(3, 9), np.array([1.7e308, np.nan, 1.7e308]), 0.5, temperature=temperature)
    assert found.tolist() == ([0, 18, 0, 0] if temperature < 1 else [6, 6, 0, 6])


def test_where_every_known_complexity_is_the_same_an_unknown_one_is_too_even_at_the_tiniest_temperature():
    # In binary the sum of three 0.1 is not three times 0.1.
    complexity = np.array([0.1, 0.1, 0.1, np.nan])
    assert cluster_quotas(np.full(4, 9), complexity, 0.5, temperature=1e-300).tolist() == [5, 5, 4, 4]


def test_the_edges_of_cluster_quotas():
    assert cluster_quotas(np.array([], int), np.array([]), 0.5).tolist() == []
    assert cluster_quotas(np.array([9]), np.array([np.nan]), 0.5).tolist() == [4]
    assert cluster_quotas(np.array([0, 4]), np.array([9.0, 0.1]), 0.5).tolist() == [0, 2]
    assert cluster_quotas(np.array([1, 1, 1]), np.array([0.1, 0.2, 0.3]), 1.0).tolist() == [1, 1, 1]
    # The one nobody knows is as complex as the others are on average, so that it gets the middle share.
    few, unknown, many = cluster_quotas(np.full(3, 99), np.array([0.0, np.nan, 1.0]), 0.5)
    assert few < unknown < many


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep": 0.0}, "prune.keep"),
        ({"temperature": 0.0}, "prune.temperature"),
        ({"temperature": float("nan")}, "prune.temperature"),
        ({"floor": -1}, "must not be negative"),
        ({"sizes": np.array([3, -1])}, "size of concept 1 is -1, but must be a whole number"),
        ({"sizes": np.array([3, 2.5])}, "size of concept 1 is 2.5, but must be a whole number"),
        ({"sizes": np.array([np.nan, 2])}, "size of concept 0 is nan"),
        ({"complexity": np.array([0.1, np.inf])}, "complexity of concept 1 is inf"),
        ({"complexity": np.array([np.nan, -np.inf])}, "complexity of concept 1 is -inf"),
        ({"complexity": np.array([0.1])}, "2 sizes of concepts, but 1 complexities"),
    ],
)
def test_values_out_of_range_are_errors(change, message):
    given = {"sizes": np.array([3, 4]), "complexity": np.array([0.1, 0.2]), "keep": 0.5, **change}
    with pytest.raises(ValueError, match=message):
        cluster_quotas(**given)
