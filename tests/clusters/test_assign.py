import numpy as np
import pytest

from assets.clusters import assign as room
from assets.clusters.assign import assign, distance_sums, members
from assets.provenance.tables import conform


def angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_sample_belongs_to_the_nearest_concept_at_one_minus_the_cosine():
    concept, distance = assign(angles(10, 100, 60), angles(0, 90))
    assert concept.tolist() == [0, 1, 1]
    np.testing.assert_allclose(distance, [1 - 0.984808, 1 - 0.984808, 1 - 0.866025], atol=1e-6)


def test_between_two_concepts_the_lower_number_wins():
    assert assign(angles(45), angles(90, 0))[0].tolist() == [0]
    assert assign(angles(20), angles(90, 20, 20))[0].tolist() == [1]


def test_distances_are_never_negative_and_float16_vectors_need_not_be_unit():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 64)).astype(np.float16)
    centers = vectors.astype(np.float32) / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    concept, distance = assign(vectors, centers)
    assert concept.tolist() == list(range(200))
    assert (distance == 0).all()


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_chunks_of_any_size_give_the_same_bytes(monkeypatch, chunk):
    rng = np.random.default_rng(1)
    vectors, centers = (
        rng.standard_normal((150, 96)).astype(np.float16),
        rng.standard_normal((40, 96)).astype(np.float32),
    )
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    whole = assign(vectors, centers)
    monkeypatch.setattr(room, "CHUNK", chunk)
    parts = assign(vectors, centers)
    assert whole[0].tobytes() == parts[0].tobytes()
    assert whole[1].tobytes() == parts[1].tobytes()


def test_members_have_the_ids_of_the_concepts_in_the_columns_of_the_contract():
    found = members(np.array([3, 9], np.uint64), angles(10, 80), angles(0, 90), np.array([4, 7]))
    table = conform("cluster_member", found)
    assert table["sample_id"].to_pylist() == [3, 9]
    assert table["cluster_id"].to_pylist() == [4, 7]


def test_a_shard_without_survivors_has_no_members():
    assert members(np.empty(0, np.uint64), np.empty((0, 2), np.float16), angles(0, 90), np.arange(2)).num_rows == 0


def test_sums_of_shards_add_up_to_those_of_all_and_their_means_to_the_last_bit():
    rng = np.random.default_rng(2)
    concept, distance = rng.integers(0, 6, 5000), rng.random(5000).astype(np.float32)
    whole = distance_sums(concept, distance, 7)
    order = rng.permutation(5000)
    parts = [distance_sums(concept[part], distance[part], 7) for part in np.array_split(order, 3)]
    together = parts[2] + parts[0] + parts[1]
    assert together.total.tolist() == whole.total.tolist()
    assert together.mean().tobytes() == whole.mean().tobytes()
    np.testing.assert_allclose(whole.mean()[0], distance[concept == 0].mean(), rtol=1e-5)
    assert np.isnan(whole.mean()[6])


def test_sums_by_hand():
    sums = distance_sums(np.array([1, 1, 0]), np.array([0.25, 0.75, 0.5]), 2)
    assert sums.size.tolist() == [1, 2]
    assert sums.mean().tolist() == [0.5, 0.5]


def test_a_distance_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="not a finite number"):
        distance_sums(np.array([0]), np.array([np.nan]), 1)
