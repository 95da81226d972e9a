"""How many concepts."""

import numpy as np

from assets.clusters.kmeans import Training
from assets.clusters.sweep import MOST, candidates, choose, held_out_size, kmeans_table, knee, sweep_k
from assets.provenance.tables import conform
from tests.clusters.test_kmeans import blobs


def test_a_number_alone_is_tried_alone_and_a_list_besides_it():
    assert candidates(40, [], 1000) == [40]
    assert candidates(40, [10, 80, 40], 1000) == [10, 40, 80]
    assert candidates(500, [], 30) == [30]


def test_auto_tries_the_list_or_seven_numbers_around_the_square_root_of_half_the_pool():
    assert candidates("auto", [5, 9], 1000) == [5, 9]
    assert candidates("auto", [], 20_000) == [12, 25, 50, 100, 200, 400, 800]
    assert max(candidates("auto", [], 10**9)) == MOST


def test_the_knee_is_where_the_curve_lies_highest_above_its_chord():
    assert knee([1, 2, 4, 8, 16], [0.1, 0.2, 0.8, 0.85, 0.9]) == 4
    assert knee([1, 2, 4], [0.1, 0.2, 0.3]) == 1  # a straight line: more concepts gain as much as before
    assert knee([3], [0.5]) == 3
    assert knee([3, 9], [0.5, 0.4]) == 3


def test_auto_finds_the_number_of_planted_concepts():
    rng = np.random.default_rng(0)
    vectors = rng.permutation(blobs(groups=16, each=100, dims=24))
    tried = sweep_k(vectors[200:], vectors[:200], [2, 4, 8, 16, 32, 64], 100, Training())
    assert choose(tried, "auto").k == 16
    assert choose(tried, 8).k == 8


def test_every_iteration_of_every_number_is_a_row_and_one_number_is_chosen():
    vectors = blobs(each=40)
    tried = sweep_k(vectors[20:], vectors[:20], [2, 5], 30, Training(iterations=6))
    table = conform("kmeans", kmeans_table(tried, tried[1]))
    assert sorted(set(table["k"].to_pylist())) == [2, 5]
    for one in tried:
        rows = [row for row in table.to_pylist() if row["k"] == one.k]
        assert [row["iteration"] for row in rows] == list(range(1, len(one.centroids.objective) + 1))
        assert [row["held_out"] is not None for row in rows] == [False] * (len(rows) - 1) + [True]
        assert {row["chosen"] for row in rows} == {one.k == 5}


def test_without_held_out_vectors_the_objective_decides():
    vectors = np.random.default_rng(0).permutation(blobs(each=40))
    tried = sweep_k(vectors, vectors[:0], [1, 2, 5, 10, 20, 40], 30, Training())
    assert tried[0].held_out is None
    assert choose(tried, "auto").k == 5
    assert kmeans_table(tried, tried[0])["held_out"].null_count == sum(len(one.centroids.objective) for one in tried)


def test_a_number_above_the_size_of_the_pool_is_that_of_the_pool():
    vectors = blobs(groups=2, each=3)
    tried = sweep_k(vectors, vectors[:0], candidates(500, [], 6), 10, Training())
    assert choose(tried, 500).k == 6


def test_what_is_held_out_leaves_enough_for_the_largest_number():
    assert held_out_size([10, 20], 1000) == 100
    assert held_out_size([10, 20], 10**7) == 8192
    assert held_out_size([100, 480], 500) == 20
    assert held_out_size([100, 500], 500) == 0
    assert held_out_size([500], 10_000) == 0
