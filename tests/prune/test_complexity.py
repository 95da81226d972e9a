"""Complexity and shares, by hand: in two dimensions cosines are easy."""

import numpy as np
import pytest

from assets.clusters.assign import distance_sums
from assets.prune.complexity import complexity, isolation, shares

RIGHT_ANGLES = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
"""East, north, west: neighbors at distance 1, east and west at distance 2."""


def test_spread_is_the_size_and_mean_distance_of_each_concept_and_nan_where_it_is_empty():
    sums = distance_sums(np.array([0, 0, 2]), np.array([0.1, 0.3, 0.5], np.float32), 4)
    assert sums.size.tolist() == [2, 0, 1, 0]
    np.testing.assert_allclose(sums.mean(), [0.2, np.nan, 0.5, np.nan], atol=1e-7)


def test_isolation_is_the_mean_distance_to_the_nearest_other_centroids():
    np.testing.assert_allclose(isolation(RIGHT_ANGLES, 1), [1, 1, 1])
    np.testing.assert_allclose(isolation(RIGHT_ANGLES, 2), [1.5, 1, 1.5])


def test_neighbors_are_capped_at_the_other_centroids():
    assert isolation(RIGHT_ANGLES, 20).tolist() == isolation(RIGHT_ANGLES, 2).tolist()


@pytest.mark.parametrize("k", [0, 1])
def test_a_concept_without_others_has_no_isolation(k):
    assert isolation(RIGHT_ANGLES[:k]).tolist() == [0] * k


def test_equal_centroids_are_at_distance_zero_and_never_below():
    tilted = np.full((3, 7), 1 / np.sqrt(7), np.float32)
    found = isolation(tilted, 2)
    assert (found >= 0).all()
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_isolation_of_more_centroids_than_one_block_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1100, 4)).astype(np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    distance = 1 - centers.astype(np.float64) @ centers.T.astype(np.float64)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_allclose(isolation(centers, 3), np.sort(distance, axis=1)[:, :3].mean(axis=1), atol=1e-6)


def test_complexity_is_spread_times_isolation_and_zero_for_an_empty_concept():
    found = complexity(RIGHT_ANGLES, np.array([0.2, np.nan, 0.4], np.float32), 2)
    np.testing.assert_allclose(found, [0.3, 0, 0.6], atol=1e-6)


def test_shares_are_a_softmax_over_concepts_that_have_members():
    # exp(0) : exp(ln 3) is 1 : 3; the empty concept has no share, however complex.
    found = shares(np.array([0, np.log(3) / 2, 9], np.float32), np.array([5, 5, 0]), 0.5)
    np.testing.assert_allclose(found, [0.25, 0.75, 0], atol=1e-7)


def test_shares_sum_to_one_even_where_exp_alone_would_overflow():
    found = shares(np.array([2000.0, 1000.0]), np.array([1, 1]), 0.5)
    assert found.tolist() == [1.0, 0.0]


def test_no_members_no_shares():
    assert shares(np.zeros(2), np.zeros(2, int), 0.5).tolist() == [0, 0]


def test_a_colder_softmax_gives_more_to_the_complex():
    of = np.array([0.1, 0.2])
    cold, warm = (shares(of, np.array([1, 1]), temperature)[1] for temperature in (0.05, 5))
    assert cold > 0.85
    assert 0.5 < warm < 0.51


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_that_is_not_positive_is_an_error(temperature):
    with pytest.raises(ValueError, match="prune.temperature is .* must be above 0"):
        shares(np.zeros(1), np.ones(1), temperature)


@pytest.mark.parametrize("temperature", [1e-300, 1e300, 5e-324])
def test_the_tiniest_and_the_hugest_temperature_have_shares(temperature):
    found = shares(np.array([0.1, 0.4, 0.4]), np.array([5, 5, 5]), temperature)
    np.testing.assert_allclose(found, [0, 0.5, 0.5] if temperature < 1 else [1 / 3] * 3)


def test_a_complexity_that_is_no_number_is_an_error_that_names_the_concept():
    with pytest.raises(ValueError, match="complexity of concept 2 is inf"):
        shares(np.array([0.1, 0.2, np.inf]), np.array([1, 0, 1]), 0.5)
    assert shares(np.array([0.1, np.inf]), np.array([1, 0]), 0.5).tolist() == [1, 0]
