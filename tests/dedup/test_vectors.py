"""Unit vectors and their products."""

import numpy as np
import pytest

from assets.dedup import vectors as room
from assets.dedup.vectors import Bf16Screen, Screen, cosines, nearest, unit_rows
from tests.dedup.test_pairs import angles, crowd


def test_unit_rows_restore_what_float16_lost():
    vectors = crowd(100)
    np.testing.assert_allclose(np.linalg.norm(unit_rows(vectors), axis=1), 1, atol=1e-6)


def test_a_cosine_does_not_depend_on_the_pairs_measured_beside_it():
    unit = unit_rows(crowd(2000))
    rows, others = np.arange(1000), np.arange(1000, 2000)
    together = cosines(unit, unit, rows, others)
    alone = [cosines(unit, unit, rows[i : i + 1], others[i : i + 1])[0] for i in range(0, 1000, 97)]
    assert together[::97].tolist() == alone


def test_the_nearest_center_is_that_of_all_and_of_equal_ones_the_first():
    centers = angles(0, 90, 90, 180)
    found, cosine = nearest(angles(10, 80, 100, 170), centers)
    assert found.tolist() == [0, 1, 1, 3]
    np.testing.assert_allclose(cosine, np.cos(np.radians(10)), atol=1e-6)
    # Halfway between two centers, by construction, whatever float32 products say.
    assert nearest(angles(45), angles(0, 90))[0].tolist() == [0]
    assert nearest(angles(45), angles(90, 0))[0].tolist() == [0]


@pytest.mark.parametrize("kind", [Screen, Bf16Screen])
def test_the_nearest_center_is_that_of_double_precision_whatever_the_screen(kind, monkeypatch):
    rng = np.random.default_rng(4)
    centers = unit_rows(rng.standard_normal((70, 24)))
    # Some far from every center, so that all products are below zero.
    vectors = np.concatenate(
        [rng.standard_normal((900, 24)), -centers.sum(axis=0) + 0.1 * rng.standard_normal((5, 24))]
    )
    monkeypatch.setattr(room, "screen", lambda dims, rows: kind(dims))
    found, cosine = nearest(vectors, centers)
    exact = np.round(unit_rows(vectors).astype(np.float64) @ centers.astype(np.float64).T, 6)
    np.testing.assert_array_equal(found, exact.argmax(axis=1))
    np.testing.assert_array_equal(cosine, exact.max(axis=1))


@pytest.mark.parametrize("limit", [0.95, 0.3, 0.0, -0.2])
def test_bfloat16_lets_every_pair_above_the_limit_through_and_few_others(limit):
    unit = unit_rows(crowd(600))
    fast = Bf16Screen(unit.shape[1])
    p, q = fast.above(fast.pack(unit), fast.pack(unit), limit)
    exact = unit.astype(np.float64) @ unit.T.astype(np.float64)
    found = np.zeros(exact.shape, dtype=bool)
    found[p, q] = True
    assert found[exact > limit].all()
    assert not found[exact < limit - 2 * fast.slack].any()


@pytest.mark.parametrize("kind", [Screen, Bf16Screen])
def test_screens_take_sides_without_rows(kind):
    fast = kind(3)
    some, none = fast.pack(np.eye(3, dtype=np.float32)), fast.pack(np.empty((0, 3), np.float32))
    assert len(fast.above(some, none, 0.9)[0]) == len(fast.above(none, some, 0.9)[0]) == 0
