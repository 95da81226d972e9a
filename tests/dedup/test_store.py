"""Vectors on disk, sorted by cell."""

import numpy as np
import pytest

from assets.dedup import store as room
from assets.dedup.store import CellSettings, build_store
from assets.dedup.vectors import unit_rows
from tests.dedup.test_pairs import crowd


def parts_of(vectors, size=500):
    return lambda: (
        (np.arange(at, min(at + size, len(vectors))), vectors[at : at + size]) for at in range(0, len(vectors), size)
    )


def everything(store):
    return np.concatenate([store.read(int(a), int(b)) for a, b in zip(store.start[:-1], store.start[1:], strict=True)])


def test_every_vector_is_there_once_under_its_number(tmp_path):
    vectors = crowd(3000)
    store = build_store(tmp_path, 3000, parts_of(vectors), CellSettings(100, 5))
    assert sorted(store.number.tolist()) == list(range(3000))
    np.testing.assert_array_equal(everything(store), vectors[store.number])
    positions = np.sort(np.random.default_rng(0).choice(3000, 700, replace=False))
    np.testing.assert_array_equal(store.take(positions), vectors[store.number[positions]])
    assert store.cells > 15
    assert np.diff(store.start).max() < 600


def test_every_vector_visits_as_many_other_cells_as_asked(tmp_path):
    store = build_store(tmp_path, 3000, parts_of(crowd(3000)), CellSettings(100, 5))
    visits = [store.visits(group) for group in range(store.groups)]
    cell, position = (np.concatenate([getattr(v, name) for v in visits]) for name in ("cell", "position"))
    assert np.bincount(position, minlength=3000).tolist() == [5] * 3000
    assert (store.cell_of(position) != cell).all()
    assert len(set(zip(cell.tolist(), position.tolist(), strict=True))) == 15_000


def test_numbers_ascend_inside_a_cell(tmp_path):
    store = build_store(tmp_path, 3000, parts_of(crowd(3000)), CellSettings(100, 5))
    for a, b in zip(store.start[:-1], store.start[1:], strict=True):
        assert (np.diff(store.number[a:b].astype(int)) > 0).all()


def test_the_parts_in_which_vectors_come_change_nothing(tmp_path):
    vectors = crowd(2000)
    one = build_store(tmp_path / "one", 2000, parts_of(vectors, 2000), CellSettings(100, 5))
    order = np.random.default_rng(0).permutation(2000)
    mixed = lambda: ((order[at : at + 77], vectors[order[at : at + 77]]) for at in range(0, 2000, 77))  # noqa: E731
    two = build_store(tmp_path / "two", 2000, mixed, CellSettings(100, 5))
    np.testing.assert_array_equal(one.number, two.number)
    np.testing.assert_array_equal(one.centers, two.centers)
    for group in range(one.groups):
        np.testing.assert_array_equal(one.visits(group).position, two.visits(group).position)


def test_equal_vectors_by_the_thousand_make_cells_all_the_same(tmp_path):
    store = build_store(tmp_path, 3000, parts_of(np.ones((3000, 4), np.float16)), CellSettings(100, 5))
    assert len(everything(store)) == 3000


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_vectors_are_one_cell_without_visits(n, tmp_path):
    store = build_store(tmp_path, n, parts_of(np.eye(3, dtype=np.float32)[:n]), CellSettings(1000, 5))
    assert store.cells == min(n, 1)
    assert [len(store.visits(group).cell) for group in range(store.groups)] == [0] * store.groups


def test_opposite_vectors_in_one_cell_have_a_center_all_the_same(tmp_path):
    store = build_store(tmp_path, 2, parts_of(np.array([[1, 0], [-1, 0]], np.float32)), CellSettings())
    assert np.linalg.norm(store.centers[0]) == pytest.approx(1)


def test_groups_that_a_killed_run_finished_are_not_made_again(tmp_path, monkeypatch):
    vectors = crowd(3000)
    whole = build_store(tmp_path / "whole", 3000, parts_of(vectors), CellSettings(100, 5))
    sort, calls = room._group, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return sort(*arguments)

    monkeypatch.setattr(room, "_group", dying)
    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path / "cut", 3000, parts_of(vectors), CellSettings(100, 5))
    monkeypatch.setattr(room, "_group", sort)

    def gone():
        raise AssertionError("the vectors were asked for again")

    assert not list((tmp_path / "cut").glob("part-00000*"))
    again = build_store(tmp_path / "cut", 3000, gone, CellSettings(100, 5))
    np.testing.assert_array_equal(again.number, whole.number)
    np.testing.assert_array_equal(everything(again), everything(whole))


def test_a_vector_lies_in_its_nearest_cell_and_visits_the_next_nearest(tmp_path):
    vectors = crowd(3000)
    store = build_store(tmp_path, 3000, parts_of(vectors), CellSettings(100, 3))
    similar = unit_rows(vectors[store.number]) @ store.centers.T
    best = np.argsort(-similar, axis=1)[:, 0]
    assert (best == store.cell_of(np.arange(3000))).mean() > 0.99
    cell = np.concatenate([store.visits(group).cell for group in range(store.groups)])
    position = np.concatenate([store.visits(group).position for group in range(store.groups)])
    places = (similar[position] > similar[position, cell][:, None]).sum(axis=1)
    assert (places <= 3).mean() > 0.99


def test_the_choice_of_cells_is_in_whole_numbers_that_no_order_of_summing_changes():
    unit = unit_rows(np.random.default_rng(0).standard_normal((64, 1024)))
    whole = room._whole(unit)
    assert (whole == np.rint(whole)).all()
    assert np.abs(whole).astype(np.float64) @ np.abs(whole.T).astype(np.float64) == pytest.approx(
        whole.__abs__() @ whole.__abs__().T, abs=0
    )
    assert (np.linalg.norm(whole.astype(np.float64), axis=1) ** 2).max() < 2**24
