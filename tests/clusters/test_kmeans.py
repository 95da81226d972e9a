import numpy as np
import pytest

from assets.clusters import kmeans as room
from assets.clusters.assign import assign
from assets.clusters.kmeans import splitmix, train_centroids, training_rows


def blobs(groups=5, each=60, dims=16, seed=0):
    """Vectors close around directions at right angles."""
    rng = np.random.default_rng(seed)
    vectors = np.repeat(np.eye(dims)[:groups], each, axis=0) + 0.02 * rng.standard_normal((groups * each, dims))
    return vectors.astype(np.float16), np.arange(groups * each, dtype=np.uint64) + 1000


def train(vectors, ids, k, **changes):
    settings = {"seed": 0, "iterations": 10, "points_per_centroid": 256, "threads": 2, **changes}
    return train_centroids(vectors, ids, k, **settings)


def test_directions_at_right_angles_become_the_concepts():
    vectors, ids = blobs()
    found = train(vectors, ids, 5)
    nearest_axis = np.abs(found.vectors).argmax(axis=1)
    assert sorted(nearest_axis.tolist()) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.vectors.max(axis=1), 1, atol=1e-3)


def test_centroids_are_float32_of_unit_length_and_the_objective_never_falls():
    vectors, ids = blobs(dims=12)
    found = train(vectors.astype(np.float32) + 0.3, ids, 9, iterations=8)
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert len(found.objective) == 8
    assert (np.diff(found.objective) >= -1e-3).all()
    assert found.objective[-1] <= found.sampled


def test_the_same_input_gives_the_same_bytes_in_any_order():
    rng = np.random.default_rng(1)
    vectors, ids = rng.standard_normal((3000, 32)).astype(np.float16), rng.permutation(3000).astype(np.uint64)
    one = train(vectors, ids, 20, points_per_centroid=50)
    order = rng.permutation(3000)
    assert train(vectors, ids, 20, points_per_centroid=50).vectors.tobytes() == one.vectors.tobytes()
    assert train(vectors[order], ids[order], 20, points_per_centroid=50).vectors.tobytes() == one.vectors.tobytes()
    assert train(vectors, ids, 20, points_per_centroid=50, seed=1).vectors.tobytes() != one.vectors.tobytes()


def test_training_leaves_the_number_of_threads_as_it_was():
    import faiss

    before = faiss.omp_get_max_threads()
    train(*blobs(), 5, threads=1)
    assert faiss.omp_get_max_threads() == before


def test_every_vector_is_trained_on_when_the_sample_holds_them_all():
    # faiss by itself takes 256 points per centroid.
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((1500, 8)).astype(np.float32)
    assert train(vectors, np.arange(1500), 2, points_per_centroid=1000).sampled == 1500
    assert train(vectors, np.arange(1500), 2, points_per_centroid=300).sampled == 600


def test_fewer_vectors_than_concepts_are_concepts_of_their_own():
    found = train(np.eye(3, 8, dtype=np.float32), np.arange(3), 10)
    assert sorted(np.abs(found.vectors).argmax(axis=1).tolist()) == [0, 1, 2]


def test_copies_do_not_make_concepts_without_members():
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), 50, axis=0)
    found = train(vectors, np.arange(150), 10)
    concept, distance = assign(vectors, found.vectors)
    assert len(found.vectors) == 3
    assert set(concept.tolist()) == {0, 1, 2}
    assert distance.max() == 0


@pytest.mark.parametrize("seed", range(5))
def test_every_concept_has_members_in_the_sample(seed):
    # One heavy direction and a few rare ones: a random start puts nearly all centroids into the heavy one.
    rng = np.random.default_rng(seed)
    heavy = np.eye(1, 16) + 1e-4 * rng.standard_normal((500, 16))
    vectors = np.concatenate([heavy, np.eye(16)[1:8] + 0.01 * rng.standard_normal((7, 16))]).astype(np.float32)
    found = train(vectors, np.arange(507), 12, seed=seed)
    assert len(np.unique(assign(vectors, found.vectors)[0])) == len(found.vectors)


def test_a_concept_without_members_moves_to_what_is_served_worst(monkeypatch):
    """The first training is replaced by one that leaves a centroid where nothing is."""
    vectors = np.eye(3, 4, dtype=np.float32)
    real, starts = room._kmeans, []

    def once_bad(sample, k, start, *rest):
        starts.append(start)
        if start is None:
            return np.array([[1, 0, 0, 0], [0, 0, 0, -1], [0, 1, 0, 0]], np.float32), np.zeros(1)
        return real(sample, k, start.copy(), *rest)

    monkeypatch.setattr(room, "_kmeans", once_bad)
    found = train(vectors, np.arange(3), 3)
    assert starts[1].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert sorted(found.vectors.argmax(axis=1).tolist()) == [0, 1, 2]


def test_nothing_to_cluster_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="no sample is left"):
        train(np.empty((0, 8), np.float32), np.empty(0), 5)


@pytest.mark.parametrize(("key", "wrong"), [("k", {"k": 0}), ("iterations", {"iterations": 0})])
def test_numbers_below_one_are_errors_that_name_the_key(key, wrong):
    with pytest.raises(ValueError, match=f"clusters.{key} is 0"):
        train(*blobs(), **{"k": 5, **wrong})


def test_the_training_sample_is_a_matter_of_id_and_seed_alone():
    ids = np.arange(1000, dtype=np.uint64) << np.uint64(32)
    chosen = set(ids[training_rows(ids, 100, 0)].tolist())
    assert len(chosen) == 100
    assert set(ids[::-1][training_rows(ids[::-1], 100, 0)].tolist()) == chosen
    assert set(ids[training_rows(ids, 100, 1)].tolist()) != chosen
    # With more samples most of the old choice remains: new ones replace some, no other ones come in.
    more = np.arange(1200, dtype=np.uint64) << np.uint64(32)
    again = set(more[training_rows(more, 100, 0)].tolist())
    assert {i for i in again if i in set(ids.tolist())} <= chosen


def test_a_sample_of_all_is_all():
    assert training_rows(np.arange(5, dtype=np.uint64), 9, 0).tolist() == [0, 1, 2, 3, 4]


def test_splitmix_gives_the_numbers_of_the_published_generator():
    # First outputs of splitmix64 seeded with 0 and with 1.
    assert splitmix(np.array([0, 1], np.uint64)).tolist() == [0xE220A8397B1DCDAF, 0x910A2DEC89025CC1]
