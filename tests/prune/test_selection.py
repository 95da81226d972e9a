import numpy as np
import pyarrow as pa
import pytest

from assets.provenance.tables import conform
from assets.prune import selection
from assets.prune.selection import decide, select


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


@pytest.mark.parametrize("way", ["hard", "easy", "random", "ssp"])
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
    with pytest.raises(ValueError, match="prune.select is 'hardest', but must be one of hard, easy, random, ssp"):
        select(MEMBERS, clusters(1, 1), "hardest")


def in_parts(table, size):
    """A table by sample_id, in parts of so many rows, and how often it was asked for."""
    table, asked = table.sort_by("sample_id"), []

    def members(columns):
        asked.append(list(columns))
        return (table.slice(at, size).select(list(columns)) for at in range(0, table.num_rows, size))

    return members, asked


def plainly(rows, quotas, sign):
    """Ids kept, by sorting: for each concept the first of (sign * distance, id)."""
    found = []
    for concept, quota in quotas.items():
        ranked = sorted((sign * np.float32(distance), i) for i, c, distance in rows if c == concept)
        found += [i for _, i in ranked[:quota]]
    return sorted(found)


def some_distances(rng, n):
    """Distances with ties, and now and then one that only a badly rounded cosine gives."""
    usual = rng.integers(0, 12, n) / 16
    return np.where(rng.random(n) < 0.2, rng.choice([-1e-7, 0.0, -0.0, 1e-45, 2.0], n), usual)


@pytest.mark.parametrize("counters", [16, 64, 1 << 20])
@pytest.mark.parametrize(("way", "sign"), [("hard", -1), ("easy", 1)])
def test_the_same_are_kept_as_by_sorting_whatever_the_digits(monkeypatch, way, sign, counters):
    monkeypatch.setattr(selection, "COUNTERS", counters)
    rng = np.random.default_rng(counters)
    for _ in range(12):
        numbers = rng.choice([0, 1, 5, 70_000, 2**32 - 1], int(rng.integers(1, 6)), replace=False).tolist()
        n = int(rng.integers(0, 80))
        concept, distance = rng.choice(numbers, n).tolist(), some_distances(rng, n).tolist()
        rows = list(zip(range(n), concept, distance, strict=True))
        quotas = {number: int(rng.integers(0, concept.count(number) + 1)) for number in numbers}
        cluster = pa.table(
            {
                "cluster_id": pa.array(list(quotas), pa.uint32()),
                "quota": pa.array(list(quotas.values()), pa.uint32()),
            }
        )
        assert kept(select(members(*rows), cluster, way)) == plainly(rows, quotas, sign)


@pytest.mark.parametrize("way", ["hard", "random"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_parts_of_any_size_give_the_same_decisions(way, size):
    rng = np.random.default_rng(4)
    table = members(*((i, int(rng.integers(5)), float(rng.integers(4)) / 4) for i in range(100)))
    parts, _ = in_parts(table, size)
    found = list(decide(parts, clusters(3, 9, 0, 12, 1), way, seed=3))
    assert [part.num_rows for part in found] == [min(size, 100 - at) for at in range(0, 100, size)]
    assert pa.concat_tables(found).equals(select(table, clusters(3, 9, 0, 12, 1), way, seed=3))


def test_members_are_read_once_for_each_digit_and_once_to_decide():
    parts, asked = in_parts(MEMBERS, 2)
    assert sum(part.num_rows for part in decide(parts, clusters(2, 1), "hard")) == 5
    assert asked == [["cluster_id", "distance"]] * 3 + [["sample_id", "cluster_id", "distance"]]
    # 53 bits in digits of 11.
    parts, asked = in_parts(MEMBERS, 2)
    assert sum(part.num_rows for part in decide(parts, clusters(2, 1), "random")) == 5
    assert asked == [["cluster_id", "sample_id"]] * 5 + [["sample_id", "cluster_id"]]


@pytest.mark.parametrize("concepts", [1, 500, 100_000, 1_000_000, 40_000_000])
def test_counters_fit_in_their_memory_unless_there_is_one_concept_for_each(concepts):
    width = selection._width(concepts)
    assert 1 <= width <= selection.DIGIT_BITS
    assert concepts << width <= max(selection.COUNTERS, 2 * concepts)
    assert width == selection.DIGIT_BITS or concepts << (width + 1) > selection.COUNTERS


def test_ssp_keeps_the_hardest_like_hard():
    assert select(MEMBERS, clusters(2, 1), "ssp").equals(select(MEMBERS, clusters(2, 1), "hard"))


def test_a_quota_above_the_size_of_its_concept_keeps_all_of_it():
    table = select(MEMBERS, clusters(7, 1), "easy")
    assert kept(table) == [10, 20, 30, 40]
    assert table["threshold"].to_pylist() == [0.75, 0.75, 0.75, 0.0, 0.0]


def test_a_concept_that_the_table_lacks_is_an_error():
    with pytest.raises(ValueError, match="concept 1, which table cluster does not have"):
        select(MEMBERS, clusters(2))


def test_a_distance_that_is_not_a_number_is_an_error():
    with pytest.raises(ValueError, match="distance to its centroid is not a number"):
        select(members((1, 0, float("nan"))), clusters(1))


def test_members_that_do_not_come_by_id_are_an_error():
    table = members((2, 0, 0.5), (1, 0, 0.5))
    with pytest.raises(ValueError, match="members must come by sample_id, each once"):
        list(decide(lambda columns: [table.slice(at, 1).select(list(columns)) for at in (0, 1)], clusters(1)))
