import numpy as np
import pyarrow as pa
import pytest

from assets.clusters.assign import distance_sums
from assets.provenance.tables import conform
from assets.prune.checks import quotas_spend_the_budget, selection_keeps_the_quotas
from assets.prune.concepts import QuotaSettings, concepts
from assets.prune.selection import select

CENTERS = np.array([[1, 0, 0], [0, 1, 0], [0.995, 0.0998749, 0], [0, 0, 1]], np.float32)
"""East and nearly east crowd each other; north is alone; up is alone and empty."""


def example(keep=0.5, **settings):
    """Ten members each: east tight, north wide, nearly east tight, up empty."""
    concept = np.repeat([0, 1, 2], 10)
    distance = np.repeat(np.array([0.02, 0.3, 0.02], np.float32), 10)
    return concepts(distance_sums(concept, distance, 4), CENTERS, QuotaSettings(keep, **{"neighbors": 1, **settings}))


def test_a_wide_isolated_concept_keeps_more_than_a_tight_crowded_one():
    # Complexities 0.02 * 0.005, 0.3 * 0.900, 0.02 * 0.005: at temperature 0.1 the middle one's weight is e^2.70 to 1 and 1.
    table = example(temperature=0.1, floor_ratio=0).to_pydict()
    np.testing.assert_allclose(table["complexity"], [0.0001, 0.270, 0.0001, 0], atol=1e-3)
    assert table["target"][1] == pytest.approx(15 * 14.9 / 16.9, abs=0.1)
    assert table["quota"] == [3, 10, 2, 0]


def test_every_column_says_what_the_contract_wants():
    table = conform("cluster", example())
    assert table["size"].to_pylist() == [10, 10, 10, 0]
    assert table["d_intra"].null_count == 1
    assert table["d_intra"][3].as_py() is None
    np.testing.assert_allclose(table["d_inter"], [0.005, 1 - 0.0998749, 0.005, 1], atol=1e-5)
    assert sum(table["target"].to_pylist()) == pytest.approx(15)
    # Half of an even split over the three with members: 0.5 * 15 / 3 = 2.5, rounded down; the empty one has no floor.
    assert table["floor"].to_pylist() == [2, 2, 2, 0]
    assert sum(table["quota"].to_pylist()) == 15


def test_the_floor_holds_where_the_softmax_would_starve_a_concept():
    table = example(temperature=0.001, floor_ratio=1.0).to_pydict()
    assert table["floor"] == [5, 5, 5, 0]
    assert table["quota"] == [5, 5, 5, 0]


def test_the_floor_follows_the_decimals_of_the_recipe():
    # An even split is 100 each; in binary 0.29 of it is 28.999999999999996.
    sums = distance_sums(np.repeat([0, 1], 200), np.full(400, 0.1), 4)
    assert concepts(sums, CENTERS, QuotaSettings(0.5, floor_ratio=0.29))["floor"].to_pylist() == [29, 29, 0, 0]


def test_keeping_everything_gives_every_concept_its_size():
    assert example(keep=1.0)["quota"].to_pylist() == [10, 10, 10, 0]


def test_singletons_survive_while_there_is_budget_for_them():
    # A floor of one: k members of one each beside a big concept.
    centers = np.eye(5, dtype=np.float32)
    table = concepts(
        distance_sums(np.array([0, 1, 2, 3] + [4] * 16), np.r_[np.zeros(4), np.full(16, 0.5)], 5),
        centers,
        QuotaSettings(0.5, floor_ratio=0.5),
    )
    assert table["floor"].to_pylist() == [1, 1, 1, 1, 1]
    assert table["quota"].to_pylist() == [1, 1, 1, 1, 6]


def test_no_samples_give_quotas_of_nothing():
    table = concepts(distance_sums(np.empty(0, np.int64), np.empty(0, np.float32), 4), CENTERS, QuotaSettings(0.5))
    assert table["quota"].to_pylist() == [0, 0, 0, 0]


def member_and_cluster():
    member = pa.table(
        {
            "sample_id": pa.array([1, 2, 3], pa.uint64()),
            "cluster_id": pa.array([0, 0, 1], pa.uint32()),
            "distance": pa.array([0.1, 0.2, 0.3], pa.float32()),
        }
    )
    return member, pa.table({"cluster_id": [0, 1], "size": [2, 1], "floor": [0, 0], "quota": [1, 1]})


def test_the_check_accepts_quotas_that_spend_the_budget():
    assert quotas_spend_the_budget(example(), 0.5) == (True, "4 quotas sum to 15 of 30 samples")


def test_the_check_finds_a_lost_budget():
    table = example()
    short = table.set_column(7, "quota", pa.array([0, 0, 0, 0], pa.uint32()))
    assert quotas_spend_the_budget(short, 0.5) == (False, "quotas sum to 0, but the budget is 15")


@pytest.mark.parametrize("quota", [[0, 10, 5, 0], [3, 11, 1, 0]])
def test_the_check_finds_a_quota_outside_its_bounds(quota):
    table = example().set_column(7, "quota", pa.array(quota, pa.uint32()))
    held, said = quotas_spend_the_budget(table, 0.5)
    assert not held
    assert "outside" in said


def test_the_check_accepts_a_selection_by_quota_and_names_the_concept_that_breaks_it():
    member, cluster = member_and_cluster()
    decision = select(member, cluster)
    assert selection_keeps_the_quotas([(decision, member)], cluster) == (True, "2 samples kept, each concept its quota")
    more = cluster.set_column(3, "quota", [[2, 1]])
    assert selection_keeps_the_quotas([(decision, member)], more) == (False, "concept 0 keeps 1, but its quota is 2")


def test_the_fixed_ratio_baseline_keeps_the_same_share_of_every_concept_whatever_its_complexity():
    sums = distance_sums(np.repeat([0, 1, 3], [40, 20, 7]), np.repeat([0.01, 0.5, 0.9], [40, 20, 7]), 4)
    table = concepts(sums, CENTERS, QuotaSettings(0.5, neighbors=1, by="size"))
    assert table["quota"].to_pylist() == [20, 10, 0, 4]  # 33.5 rounds to 34
    assert table["floor"].to_pylist() == [0, 0, 0, 0]


def test_concepts_keep_the_ids_that_they_are_given():
    table = concepts(
        distance_sums(np.repeat([0, 1, 2], 10), np.full(30, 0.1), 4),
        CENTERS,
        QuotaSettings(0.5),
        np.array([2, 3, 7, 11]),
    )
    assert table["cluster_id"].to_pylist() == [2, 3, 7, 11]
