"""What the published implementation gets wrong, and edges that its users would meet."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from assets.clusters.assign import distance_sums
from assets.prune.checks import selection_keeps_the_quotas
from assets.prune.complexity import complexity, product, shares
from assets.prune.concepts import QuotaSettings, concepts
from assets.prune.quotas import TARGET_BITS, budget, floors, quotas
from assets.prune.selection import select


def greedy(share, size, keep, least):
    """The definition of the optimum in whole numbers: the cheapest raise, one at a time."""
    target = np.rint(np.ldexp(share * keep, TARGET_BITS)).astype(np.int64).tolist()
    x = [int(low) for low in least]
    while sum(x) < keep:
        open_ = [j for j in range(len(x)) if x[j] < size[j]]
        x[min(open_, key=lambda j: ((x[j] << TARGET_BITS) - target[j], j))] += 1
    return x


def member(concept, distance):
    return pa.table(
        {
            "sample_id": pa.array(range(len(concept)), pa.uint64()),
            "cluster_id": pa.array(concept, pa.uint32()),
            "distance": pa.array(distance, pa.float32()),
        }
    )


def cluster(*quota):
    return pa.table({"cluster_id": pa.array(range(len(quota)), pa.uint32()), "quota": pa.array(quota, pa.uint32())})


def test_quotas_are_those_of_taking_the_cheapest_raise_one_at_a_time():
    rng = np.random.default_rng(0)
    for _ in range(200):
        k = int(rng.integers(1, 40))
        size = rng.integers(0, 30, k)
        least = rng.integers(0, size + 1) * (rng.random(k) < 0.3)
        keep = int(rng.integers(least.sum(), size.sum() + 1))
        share = rng.dirichlet(np.full(k, rng.choice([0.05, 1.0, 50.0])))
        assert quotas(share, size, keep, least).tolist() == greedy(share, size, keep, least)


def test_quotas_of_a_hundred_thousand_concepts_need_no_square_matrix():
    # The reference builds an identity matrix of k * k: 80 GB here.
    rng = np.random.default_rng(1)
    size = rng.geometric(1 / 50, 100_000)
    share = rng.dirichlet(np.ones(100_000))
    tracemalloc.start()
    found = quotas(share, size, 1_000_000, np.zeros(100_000, int))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sum() == 1_000_000
    assert peak < 50 * 2**20


def test_rounding_the_solution_in_real_numbers_would_miss_the_budget():
    # Three targets of 1 1/3, one of 1: rounded they are 1, 1, 1, 1; the budget is 5.
    share = np.array([4, 4, 4, 3]) / 15
    assert np.rint(share * 5).sum() == 4
    assert quotas(share, np.full(4, 9), 5, np.zeros(4, int)).tolist() == [2, 1, 1, 1]


def test_floors_that_cannot_all_be_met_are_lowered_instead_of_leaving_no_solution():
    size = np.array([10, 10, 10])
    least = floors(5, size, 6)
    assert least.tolist() == [2, 2, 2]
    assert quotas(np.array([1.0, 0.0, 0.0]), size, 6, least).tolist() == [2, 2, 2]


def test_a_concept_of_one_sample_may_keep_it():
    # The reference bounds quotas by size - 1.
    assert floors(1, np.array([1, 9]), 5).tolist() == [1, 1]
    assert quotas(np.array([0.0, 1.0]), np.array([1, 9]), 5, np.array([1, 1])).tolist() == [1, 4]


def test_keep_is_the_share_that_stays_not_the_share_that_goes():
    assert budget(100, 0.9) == 90


def test_the_budget_follows_the_decimals_of_the_recipe():
    # In binary 0.285 * 100 is 28.499999999999996 and 0.07 * 50 is 3.5000000000000004.
    assert budget(1000, 0.2855) == 286  # half to even; in binary 285.49999999999994
    assert budget(100, 0.285) == 28
    assert budget(50, 0.07) == 4
    assert budget(10**15 + 1, 0.1) == 10**14


def test_an_empty_concept_has_no_complexity_instead_of_the_mean_of_the_others():
    centers = np.eye(3, dtype=np.float32)
    assert complexity(centers, np.array([0.2, np.nan, 0.4], np.float32))[1] == 0
    assert product(np.array([np.nan, 0.5]), np.array([1.0, 0.5])).tolist() == [0, 0.25]


@pytest.mark.parametrize("way", ["hard", "easy", "random"])
def test_a_quota_of_zero_keeps_none_and_its_drops_have_no_threshold(way):
    # In the reference `easy` slices [-0:], which is everything.
    table = select(member([0, 0, 1], [0.1, 0.2, 0.3]), cluster(0, 1), way)
    assert table["kept"].to_pylist() == [False, False, True]
    assert table["threshold"].to_pylist()[:2] == [None, None]


def test_the_last_bits_of_a_share_decide_nothing():
    # A softmax of three equal numbers is 1/3 each, but for the last bit on one processor or another.
    third = np.full(3, 1 / 3)
    nudged = third + np.array([0, 0, 1e-16])
    assert nudged[2] != third[2]
    least = np.zeros(3, int)
    assert (
        quotas(nudged, np.full(3, 9), 10, least).tolist()
        == quotas(third, np.full(3, 9), 10, least).tolist()
        == [4, 3, 3]
    )


def test_quotas_of_more_samples_than_the_fraction_bits_leave_room_for():
    size = np.array([6 * 10**15, 3 * 10**15, 1])
    found = quotas(np.array([0.25, 0.5, 0.25]), size, 4 * 10**15, np.zeros(3, int))
    assert found[2] == 1
    assert found.sum() == 4 * 10**15
    assert abs(found[1] - found[0] - 10**15) <= 1


@pytest.mark.parametrize("share", [[0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]])
def test_shares_that_are_no_shares_are_an_error(share):
    with pytest.raises(ValueError, match="must not be negative and sum to 1"):
        quotas(np.array(share), np.array([5, 5]), 4, np.array([0, 0]))


def test_a_negative_floor_of_a_quota_is_an_error():
    with pytest.raises(ValueError, match="negative or above the size"):
        quotas(np.array([1.0]), np.array([2]), 1, np.array([-1]))


def test_shares_are_finite_for_the_smallest_temperature():
    found = shares(np.array([0.3, 0.2], np.float32), np.array([1, 1]), 1e-300)
    assert found.tolist() == [1, 0]


def test_a_concept_that_the_table_lacks_and_a_distance_that_is_no_number_are_errors():
    with pytest.raises(ValueError, match="concept 1, which table cluster does not have"):
        select(member([0, 1], [0.1, 0.2]), cluster(1))
    with pytest.raises(ValueError, match="not a number"):
        select(member([0], [np.nan]), cluster(1))


def test_a_kept_sample_without_a_concept_fails_the_check():
    decision = select(member([0, 0], [0.1, 0.2]), cluster(1))
    held, said = selection_keeps_the_quotas([(decision, member([0], [0.1]))], cluster(1))
    assert not held
    assert "1 samples are kept, but only 0 of them belong to a concept" in said


def test_the_order_of_members_changes_no_byte_of_the_concepts():
    rng = np.random.default_rng(3)
    concept, distance = rng.integers(0, 5, 4000), rng.random(4000).astype(np.float32)
    order = rng.permutation(4000)
    centers, settings = np.eye(5, dtype=np.float32), QuotaSettings(0.3, temperature=0.05)
    assert concepts(distance_sums(concept[order], distance[order], 5), centers, settings).equals(
        concepts(distance_sums(concept, distance, 5), centers, settings)
    )


def test_two_hundred_thousand_samples_spend_every_quota():
    rng = np.random.default_rng(4)
    concept = rng.integers(0, 500, 200_000)
    quota = np.bincount(concept, minlength=500) // 3
    table = select(member(concept, rng.random(200_000)), cluster(*quota.tolist()), "random", 1)
    assert np.bincount(concept[np.asarray(table["kept"])], minlength=500).tolist() == quota.tolist()
