"""k-means: what it finds, and what must not change it."""

import subprocess
import sys

import numpy as np
import pytest

from assets.clusters.kmeans import Training, splitmix, starts, take_sample, train_centroids, training_ids
from assets.dedup.vectors import nearest, unit_rows


def blobs(groups=5, each=60, dims=16, seed=0):
    """Unit vectors close around directions at right angles."""
    rng = np.random.default_rng(seed)
    return unit_rows(np.repeat(np.eye(dims)[:groups], each, axis=0) + 0.02 * rng.standard_normal((groups * each, dims)))


def loose(n=3000, dims=24, groups=30, seed=1):
    rng = np.random.default_rng(seed)
    return unit_rows(rng.standard_normal((groups, dims))[rng.integers(groups, size=n)] + rng.standard_normal((n, dims)))


def test_directions_at_right_angles_become_the_concepts():
    found = train_centroids(blobs(), 5)
    assert sorted(np.abs(found.vectors).argmax(axis=1).tolist()) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.vectors.max(axis=1), 1, atol=1e-3)


def test_centroids_are_float32_of_unit_length_and_the_objective_never_falls():
    found = train_centroids(loose(), 40, Training(iterations=12, tolerance=0))
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert 2 <= len(found.objective) <= 12
    assert (np.diff(found.objective) >= -1e-6).all()
    assert found.objective[-1] > found.objective[0]


def test_the_objective_is_the_mean_cosine_of_the_sample_to_its_concepts():
    sample = loose()
    found = train_centroids(sample, 10, Training(iterations=200, tolerance=0))
    assert found.objective[-1] == pytest.approx(nearest(sample, found.vectors)[1].mean(), abs=1e-5)


def test_it_stops_when_nothing_is_gained_and_later_the_smaller_the_tolerance():
    long, short = (
        len(train_centroids(loose(), 20, Training(iterations=100, tolerance=t)).objective) for t in (0, 0.01)
    )
    assert short < long < 100


def test_a_concept_without_members_moves_to_where_the_sample_is_served_worst():
    sample = np.concatenate([blobs(groups=3), -blobs(groups=1, each=5)])
    # Two starts at one place, and none near the five that point the other way.
    start = np.stack([sample[0], sample[0], sample[60], sample[120]])
    found = train_centroids(sample, 4, start=start)
    assert found.moved.sum() == 1
    assert len(found.vectors) == 4
    assert (nearest(sample, found.vectors)[1] > 0.9).all()


def test_fewer_different_vectors_than_concepts_are_a_concept_each():
    sample = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = train_centroids(sample, 8)
    assert sorted(found.vectors.argmax(axis=1).tolist()) == [0, 1, 2]


def test_one_concept_is_the_mean_direction_and_one_vector_its_own_concept():
    np.testing.assert_allclose(
        train_centroids(unit_rows(np.array([[1, 0], [0, 1]])), 1).vectors, [[0.5**0.5] * 2], atol=1e-6
    )
    np.testing.assert_array_equal(train_centroids(np.eye(2, dtype=np.float32)[:1], 3).vectors, [[1, 0]])


def test_more_iterations_do_not_change_what_has_settled_and_another_seed_may():
    sample = loose()
    one, two = (train_centroids(sample, 15, Training(iterations=n, tolerance=0)).vectors for n in (150, 300))
    np.testing.assert_array_equal(one, two)
    assert (
        train_centroids(sample, 15, Training(seed=9)).vectors.tobytes() != train_centroids(sample, 15).vectors.tobytes()
    )


def test_the_concepts_have_the_same_bits_on_any_number_of_threads():
    code = (
        "import hashlib\n"
        "from assets.clusters.kmeans import train_centroids\n"
        "from tests.clusters.test_kmeans import loose\n"
        "sample = loose(n=70_000, dims=64)\n"
        "print(hashlib.sha256(train_centroids(sample, 25).vectors.tobytes()).hexdigest())"
    )
    told = set()
    for threads in ("1", "2"):
        environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        told.add(run.stdout)
    assert len(told) == 1


def test_starts_are_spread_out_more_than_chance_would():
    sample = blobs(groups=12, each=50)
    drawn = starts(sample, 12, 0)
    assert len(set(drawn.argmax(axis=1).tolist())) >= 9
    assert starts(sample, 12, 0).tobytes() == drawn.tobytes()


def test_given_starts_come_first_and_of_too_many_the_most_used_stay():
    sample = np.concatenate([blobs(groups=2, each=50), blobs(groups=3, each=5)])
    given = np.eye(16, dtype=np.float32)[[0, 1, 2]]
    np.testing.assert_array_equal(starts(sample, 5, 0, given)[:3], given)
    np.testing.assert_array_equal(starts(sample, 2, 0, given), given[:2])


@pytest.mark.parametrize(
    ("change", "key"), [({"iterations": 0}, "iterations"), ({"tolerance": float("nan")}, "tolerance")]
)
def test_settings_out_of_range_are_errors_that_name_the_key(change, key):
    with pytest.raises(ValueError, match=f"clusters.{key}"):
        Training(**change)
    with pytest.raises(ValueError, match=r"clusters\.k"):
        train_centroids(blobs(), 0)


def test_the_training_sample_is_the_same_however_the_ids_come():
    ids = np.random.default_rng(0).permutation(5000).astype(np.uint64) * 7
    whole = training_ids([ids], 300, 4)
    assert len(set(whole.tolist())) == 300
    np.testing.assert_array_equal(training_ids(np.array_split(ids[::-1], 17), 300, 4), whole)
    np.testing.assert_array_equal(training_ids([ids], 100, 4), whole[:100])
    assert training_ids([ids], 300, 5).tolist() != whole.tolist()
    assert len(training_ids([ids], 9000, 4)) == 5000
    assert len(training_ids([], 10, 0)) == 0


def test_the_sample_is_taken_in_the_order_of_its_ids_from_any_parts():
    vectors = loose(200)
    ids = np.arange(200, dtype=np.uint64) + 10
    wanted = np.array([190, 12, 77], np.uint64)
    for size in (200, 13):
        parts = [(ids[at : at + size], vectors[at : at + size]) for at in range(0, 200, size)]
        np.testing.assert_allclose(take_sample(parts, wanted), vectors[[180, 2, 67]], atol=1e-6)


def test_a_sample_without_vectors_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="no sample is left"):
        take_sample([], np.empty(0, np.uint64))
    with pytest.raises(ValueError, match="sample 9 has no vector"):
        take_sample([(np.array([8], np.uint64), np.ones((1, 2)))], np.array([8, 9], np.uint64))
    with pytest.raises(ValueError, match="has no direction"):
        take_sample([(np.array([8], np.uint64), np.full((1, 2), np.nan))], np.array([8], np.uint64))


def test_splitmix_gives_the_published_numbers():
    # The first outputs of the reference generator from seed 0 are those of 0, gamma, 2 gamma.
    gamma = 0x9E3779B97F4A7C15
    seeds = np.array([0, gamma, (2 * gamma) % 2**64], np.uint64)
    assert [hex(value) for value in splitmix(seeds).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]
