"""Concept ids from build to build."""

import numpy as np

from assets.clusters.kmeans import train_centroids
from assets.clusters.stable import stable_ids
from assets.dedup.vectors import unit_rows
from tests.clusters.test_kmeans import blobs, loose

AXES = np.eye(6, dtype=np.float32)


def test_a_permutation_of_the_same_concepts_keeps_every_id():
    order = np.array([3, 0, 5, 1, 4, 2])
    ids = np.array([10, 11, 12, 13, 14, 15])
    assert stable_ids(AXES[order], AXES, ids).tolist() == ids[order].tolist()


def test_new_concepts_get_ids_above_the_greatest_earlier_one_and_lost_ones_leave_a_gap():
    assert stable_ids(AXES[[2, 4, 5]], AXES[[0, 2]], np.array([3, 9])).tolist()[0] == 9
    found = stable_ids(AXES[[2, 4, 5, 0]], AXES[[0, 2]], np.array([3, 9]))
    assert (found[0], found[3]) == (9, 3)
    assert sorted(found[1:3].tolist()) == [10, 11]
    assert found.tolist() == stable_ids(AXES[[2, 4, 5, 0]], AXES[[0, 2]], np.array([3, 9], np.uint32)).tolist()
    assert stable_ids(AXES[[1]], AXES[:3], np.array([0, 1, 2])).tolist() == [1]


def test_the_sum_of_cosines_decides_not_the_nearest_of_each():
    near = unit_rows(np.array([[1.0, 0.9], [1.0, 0.0]]))
    earlier = unit_rows(np.array([[1.0, 0.3], [0.0, 1.0]]))
    # Both resemble the first earlier one most; only one can take its id.
    assert stable_ids(near, earlier, np.array([0, 1])).tolist() == [1, 0]


def test_a_build_that_grows_keeps_the_ids_of_the_concepts_it_had():
    before = train_centroids(blobs(groups=5), 5).vectors
    ids = np.array([4, 8, 15, 16, 23])
    after = train_centroids(blobs(groups=7, seed=3), 7, start=before).vectors
    names = stable_ids(after, before, ids)
    for centroid, name in zip(after, names, strict=True):
        match = before @ centroid
        assert (name in ids) == (match.max() > 0.9)
        if name in ids:
            assert ids[match.argmax()] == name


def test_starting_from_the_earlier_concepts_takes_fewer_iterations():
    sample = loose(groups=60)
    cold = train_centroids(sample, 60)
    warm = train_centroids(sample, 60, start=cold.vectors)
    assert len(warm.objective) < len(cold.objective)
