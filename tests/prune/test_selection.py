import numpy as np
import pyarrow as pa
import pytest

from assets.provenance.tables import conform
from assets.prune.selection import select


def members(*rows):
    """(sample_id, cluster_id, distance) rows."""
    ids, concepts, distances = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "sample_id": pa.array(ids, pa.uint64()),
            "cluster_id": pa.array(concepts, pa.uint32()),
            "distance": pa.array(distances, pa.float32()),
        }
    )


def clusters(*quotas):
    return pa.table({"cluster_id": pa.array(range(len(quotas)), pa.uint32()), "quota": pa.array(quotas, pa.uint32())})


def kept(decision):
    return decision.filter(decision["kept"])["sample_id"].to_pylist()


MEMBERS = members((30, 0, 0.5), (10, 0, 0.25), (20, 0, 0.75), (50, 1, 0.125), (40, 1, 0.0))


def test_hard_keeps_what_is_farthest_from_the_centroid():
    assert kept(select(MEMBERS, clusters(2, 1), "hard")) == [20, 30, 50]


def test_easy_keeps_what_is_nearest():
    assert kept(select(MEMBERS, clusters(2, 1), "easy")) == [10, 30, 40]


def test_a_drop_says_its_distance_and_that_of_the_last_kept():
    table = conform("decision", select(MEMBERS, clusters(2, 1), "hard"))
    assert table["sample_id"].to_pylist() == [10, 20, 30, 40, 50]
    assert table["score"].to_pylist() == [0.25, 0.75, 0.5, 0.0, 0.125]
    assert table["threshold"].to_pylist() == [0.5, 0.5, 0.5, 0.125, 0.125]
    assert table["reason"].to_pylist() == ["over_quota", None, None, "over_quota", None]
    assert set(table["stage"].to_pylist()) == {"prune"}


@pytest.mark.parametrize(("way", "sign"), [("hard", 1), ("easy", -1), ("random", -1)])
def test_the_threshold_is_true_of_every_kept_and_every_dropped_sample(way, sign):
    rng = np.random.default_rng(1)
    # Few distinct distances, so that ties at the limit are common.
    rows = [(i, int(rng.integers(7)), float(rng.integers(5)) / 4) for i in range(300)]
    table = select(members(*rows), clusters(*rng.integers(0, 60, 7)), way).to_pylist()
    held = [row for row in table if row["threshold"] is not None]
    assert {row["kept"] for row in held} == {True, False}
    for row in held:
        margin = sign * (row["score"] - row["threshold"])
        assert margin >= 0 if row["kept"] else margin <= 0


def test_equal_distances_go_to_the_lower_id():
    table = select(members((3, 0, 0.5), (1, 0, 0.5), (2, 0, 0.5)), clusters(2))
    assert kept(table) == [1, 2]


def test_a_quota_of_zero_keeps_none():
    # Slicing by [-quota:] would keep all.
    table = select(MEMBERS, clusters(0, 1))
    assert kept(table) == [50]
    assert table.slice(0, 3)["threshold"].null_count == 3


def test_a_quota_of_the_whole_concept_keeps_all():
    assert kept(select(MEMBERS, clusters(3, 2))) == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("way", ["hard", "easy", "random"])
def test_every_concept_keeps_exactly_its_quota_and_row_order_does_not_matter(way):
    rng = np.random.default_rng(2)
    ids = rng.permutation(500)
    concept = rng.integers(0, 9, 500)
    size = np.bincount(concept, minlength=9)
    quota = [int(rng.integers(0, n + 1)) for n in size]
    table = members(*zip(ids.tolist(), concept.tolist(), rng.random(500).tolist(), strict=True))
    found = select(table, clusters(*quota), way, seed=5)
    of = dict(zip(ids.tolist(), concept.tolist(), strict=True))
    assert np.bincount([of[i] for i in kept(found)], minlength=9).tolist() == quota
    assert select(table.take(rng.permutation(500)), clusters(*quota), way, seed=5).equals(found)


def test_random_depends_on_the_seed_and_on_nothing_but_id_and_seed():
    rows = [(i, 0, i / 200) for i in range(200)]
    one, again, other = (set(kept(select(members(*rows), clusters(100), "random", seed))) for seed in (1, 1, 2))
    assert one == again
    assert 30 < len(one & other) < 70
    # The same samples with other distances, split over two concepts, have the same scores.
    scores = select(members(*rows), clusters(100), "random", 1)["score"]
    moved = select(members(*((i, i % 2, 0.5) for i in range(200))), clusters(50, 50), "random", 1)["score"]
    assert scores == moved
    assert 0 <= min(scores.to_pylist()) < max(scores.to_pylist()) < 1


def test_clusters_in_any_row_order_and_without_members_are_fine():
    table = pa.table({"cluster_id": pa.array([2, 0, 1], pa.uint32()), "quota": pa.array([0, 2, 1], pa.uint32())})
    assert kept(select(MEMBERS, table)) == [20, 30, 50]


def test_no_members_give_no_decisions():
    assert select(members(), clusters(0)).num_rows == 0


def test_an_unknown_way_is_an_error_that_names_the_known():
    with pytest.raises(ValueError, match="prune.select is 'hardest', but must be one of hard, easy, random"):
        select(MEMBERS, clusters(1, 1), "hardest")
