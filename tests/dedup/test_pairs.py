"""Near pairs against all pairs, by hand and by brute force."""

import pickle

import numpy as np
import pytest

from assets.dedup import pairs as room
from assets.dedup.cover import Best, cover
from assets.dedup.pairs import near_pairs, near_vectors
from assets.dedup.store import CellSettings


def angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def crowd(n, dims=48, seed=0):
    """Vectors around 40 centers, every second one with a copy at a cosine of about 0.97."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((40, dims))[rng.integers(40, size=n // 2)] + 0.7 * rng.standard_normal((n // 2, dims))
    copies = half + 0.26 * rng.standard_normal(half.shape)
    return np.concatenate([half, copies])[rng.permutation(n)].astype(np.float16)


def as_set(found):
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


def brute(vectors, threshold):
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return set(zip(*(part.tolist() for part in np.nonzero(np.triu(unit @ unit.T > threshold, 1))), strict=True))


def test_pairs_above_the_threshold_are_found_with_their_cosine():
    # cos 10 is 0.984808, cos 20 is 0.939693.
    found = near_pairs(angles(0, 10, 20, 90), 0.95, 1000, 8, 0)
    assert as_set(found) == {(0, 1), (1, 2)}
    assert found.cosine.tolist() == [0.984808, 0.984808]


def test_a_cosine_that_equals_the_threshold_is_not_above_it():
    # 0.6 and 0.8 are not exact in binary; 3-4-5 makes the cosine 0.8 but for the last bits.
    vectors = np.array([[1, 0], [0.8, 0.6]], np.float32)
    assert len(near_pairs(vectors, 0.8, 1000, 8, 0).first) == 0
    assert len(near_pairs(vectors, 0.799999, 1000, 8, 0).first) == 1


def test_vectors_need_not_be_of_unit_length():
    assert as_set(near_pairs(angles(0, 10) * np.array([[0.5], [7]]), 0.95, 1000, 8, 0)) == {(0, 1)}


def test_a_threshold_of_one_finds_nothing_not_even_equal_vectors():
    assert len(near_pairs(np.ones((5, 3), np.float16), 1.0, 1000, 8, 0).first) == 0


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_vectors_make_no_pairs(n):
    assert len(near_pairs(np.ones((n, 3), np.float16), 0.5, 1000, 8, 0).first) == 0


@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_a_vector_without_direction_is_an_error_that_names_its_row(value):
    vectors = angles(0, 10, 20)
    vectors[1] = value
    with pytest.raises(ValueError, match="vector 1 of 3 has no direction"):
        near_pairs(vectors, 0.9, 1000, 8, 0)


@pytest.mark.parametrize("tile", [7, 64, 2048])
def test_tiles_of_any_size_find_the_same_pairs_as_brute_force(monkeypatch, tile):
    vectors = crowd(300)
    monkeypatch.setattr(room, "TILE", tile)
    assert as_set(near_pairs(vectors, 0.95, 1000, 8, 0)) == brute(vectors, 0.95)


def test_cells_find_nearly_all_pairs_of_twenty_thousand_vectors_each_once_and_no_others():
    vectors = crowd(20_000)
    every = near_pairs(vectors, 0.95, 1_000_000, 0, 0)
    found = near_pairs(vectors, 0.95, 400, 8, 0)
    assert len(every.first) > 8000
    assert len(as_set(found)) == len(found.first)
    assert as_set(found) <= as_set(every)
    assert len(found.first) >= 0.99 * len(every.first)
    assert (
        dict(zip(as_pairs(found), found.cosine, strict=True)).items()
        <= dict(zip(as_pairs(every), every.cosine, strict=True)).items()
    )


def as_pairs(found):
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_pairs_in_other_cells_are_missed_without_visits_and_found_with_them():
    vectors = crowd(2000)
    every, alone, visiting = (
        len(near_pairs(vectors, 0.95, *cells, 0).first) for cells in ((10**6, 0), (100, 0), (100, 8))
    )
    assert alone < visiting <= every


def test_the_same_pairs_come_again_and_whatever_the_order_of_the_samples():
    vectors = crowd(1500)
    order = np.random.default_rng(1).permutation(1500)
    found, moved = near_pairs(vectors, 0.95, 10**6, 8, 0), near_pairs(vectors[order], 0.95, 10**6, 8, 0)
    back = {
        (min(a, b), max(a, b)) for a, b in zip(order[moved.first].tolist(), order[moved.second].tolist(), strict=True)
    }
    assert back == as_set(found)
    again = near_pairs(vectors, 0.95, 60, 4, 0)
    assert as_pairs(again) == as_pairs(near_pairs(vectors, 0.95, 60, 4, 0))


def test_pairs_beyond_the_limit_are_refused_and_at_the_limit_given(tmp_path):
    relation = near_vectors(tmp_path, np.ones((10, 3), np.float16), 0.9, CellSettings())
    assert relation.pairs(np.arange(10), 44) is None
    assert len(relation.pairs(np.arange(10), 45)[0]) == 45
    assert len(relation.pairs(np.array([2, 5, 9]), 3)[0]) == 3


@pytest.mark.parametrize("cell_size", [10_000, 40])
def test_a_cover_by_vectors_is_the_same_however_few_pairs_fit(cell_size, tmp_path):
    rng = np.random.default_rng(3)
    groups = rng.standard_normal((60, 24))[rng.integers(60, size=1200)] + 0.15 * rng.standard_normal((1200, 24))
    relation = near_vectors(tmp_path, groups.astype(np.float16), 0.95, CellSettings(cell_size, 4))
    keep, (best,) = cover(1200, [relation])
    assert 50 < keep.sum() < 200
    for limit in (0, 50, 2000):
        again, (same,) = cover(1200, [relation], limit)
        np.testing.assert_array_equal(again, keep)
        np.testing.assert_array_equal(same.other, best.other)
        np.testing.assert_array_equal(same.score, best.score)


def test_the_strongest_are_kept_rows_that_come_before(tmp_path):
    best = Best(4)
    near_vectors(tmp_path, angles(0, 5, 2, 3), 0.9, CellSettings()).strongest(
        np.array([1, 2, 3]), np.array([0, 2]), best
    )
    # Row 1 (5 degrees) comes before row 2 (2 degrees), so only row 0 is offered to it.
    assert best.other.tolist() == [-1, 0, 0, 2]


def test_a_killed_run_goes_on_from_the_groups_that_are_done(tmp_path, monkeypatch):
    vectors = crowd(6000)
    settings = CellSettings(100, 4)
    whole = near_vectors(tmp_path / "whole", vectors, 0.95, settings).pairs(np.arange(6000), None)
    first = near_vectors(tmp_path / "cut", vectors, 0.95, settings)
    units, calls = first._units, []

    def dying(group, *how):
        calls.append(group)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return units(group, *how)

    monkeypatch.setattr(first, "_units", dying)
    with pytest.raises(KeyboardInterrupt):
        first.pairs(np.arange(6000), None)
    again = near_vectors(tmp_path / "cut", vectors, 0.95, settings)
    seen = []
    units_again = again._units
    monkeypatch.setattr(again, "_units", lambda group, *how: seen.append(group) or units_again(group, *how))
    found = again.pairs(np.arange(6000), None)
    assert seen == list(range(2, again.store.groups))
    for one, two in zip(whole, found, strict=True):
        np.testing.assert_array_equal(one, two)


class Workers:
    """Hands units on as a cluster would: each as bytes, several out at a time, results in order."""

    def __init__(self):
        self.bytes = []

    def __call__(self, function, units):
        waiting = []
        for unit in units:
            sent = pickle.dumps((function, unit))
            self.bytes.append(len(sent))
            waiting.append(sent)
            if len(waiting) == 3:
                yield self._work(waiting.pop(0))
        yield from map(self._work, waiting)

    def _work(self, sent):
        function, unit = pickle.loads(sent)
        return function(unit)


@pytest.mark.parametrize("numbers", [1 << 23, 2000])
def test_workers_find_the_pairs_that_one_process_finds(tmp_path, monkeypatch, numbers):
    monkeypatch.setattr(room, "UNIT_NUMBERS", numbers)
    vectors = crowd(6000)
    alone = near_vectors(tmp_path / "alone", vectors, 0.95, CellSettings(100, 4))
    spread = near_vectors(tmp_path / "spread", vectors, 0.95, CellSettings(100, 4))
    spread.spread = workers = Workers()
    assert alone.store.groups > 3
    rows = np.arange(6000)
    for some in (rows, rows[rows % 3 > 0]):
        for one, two in zip(alone.pairs(some, None), spread.pairs(some, None), strict=True):
            np.testing.assert_array_equal(one, two)
    assert spread.pairs(rows, 10) is None
    best = [Best(6000), Best(6000)]
    for near, offered in zip((alone, spread), best, strict=True):
        near.strongest(rows[rows % 2 == 0], rows[rows % 2 == 1], offered)
    np.testing.assert_array_equal(best[0].other, best[1].other)
    np.testing.assert_array_equal(best[0].score, best[1].score)
    assert (best[0].other >= 0).any()
    assert len(workers.bytes) >= 3 * alone.store.groups


def test_guests_that_do_not_fit_are_taken_in_several_runs(monkeypatch):
    vectors = crowd(4000)
    once = near_pairs(vectors, 0.95, 100, 4, 0)
    monkeypatch.setattr(room, "GUEST_NUMBERS", 48 * 150)
    again = near_pairs(vectors, 0.95, 100, 4, 0)
    assert as_pairs(once) == as_pairs(again)
