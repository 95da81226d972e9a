"""Small parts: unit rows, reading ahead, and torchvision beside a CPU build of torch."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from resources.batches import ahead, in_groups, in_order, one_behind
from resources.encoder import torchvision_shim
from resources.encoder.base import unit_rows


def test_rows_become_unit_and_rows_without_a_direction_become_nan():
    rows = np.array([[3, 4], [0, 0], [np.inf, 1], [np.nan, 1], [1e30, 0], [1e-30, 0]], np.float32)
    unit = unit_rows(rows)
    np.testing.assert_allclose(unit[[0, 4, 5]], [[0.6, 0.8], [1, 0], [1, 0]], atol=1e-7)
    assert np.isnan(unit[[1, 2, 3]]).all()


def test_a_rows_direction_does_not_depend_on_other_rows():
    rows = np.random.default_rng(0).normal(size=(50, 1280)).astype(np.float32)
    together = unit_rows(rows)
    for i in range(50):
        np.testing.assert_array_equal(unit_rows(rows[i : i + 1])[0], together[i])


def test_groups_hold_everything_in_order():
    assert list(in_groups(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_groups([], 2)) == []


def test_reading_ahead_changes_neither_items_nor_order():
    assert list(ahead(range(100), 3)) == list(range(100))
    assert list(ahead([])) == []


def test_reading_ahead_happens_in_one_other_thread_and_not_too_far():
    made, threads = [], set()

    def items():
        for i in range(10):
            made.append(i)
            threads.add(threading.get_ident())
            yield i

    reader = ahead(items(), 2)
    assert next(reader) == 0
    time.sleep(0.1)
    assert len(made) <= 4
    assert list(reader) == list(range(1, 10))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_an_error_made_ahead_arrives_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    reader = ahead(items())
    assert [next(reader), next(reader)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(reader)


def test_a_reader_that_stops_leaves_no_thread_behind():
    before = threading.active_count()
    reader = ahead(iter(range(10**9)))
    next(reader)
    reader.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_work_in_threads_comes_out_in_the_order_of_the_items(threads):
    def slow_at_first(number):
        time.sleep(0.01 if number % 5 == 0 else 0)
        return number * number

    assert list(in_order(slow_at_first, range(30), threads)) == [n * n for n in range(30)]
    assert list(in_order(slow_at_first, [], threads)) == []


def test_work_in_threads_runs_side_by_side_and_not_too_far_ahead():
    together, read = threading.Barrier(3, timeout=10), []

    def items():
        for number in range(30):
            read.append(number)
            yield number

    def work(number):
        if number < 3:
            together.wait()  # passes only once three are at work
        return number

    reader = in_order(work, items(), 3)
    assert next(reader) == 0
    assert len(read) <= 7
    assert list(reader) == list(range(1, 30))


def test_an_error_in_a_thread_arrives_after_the_results_before_it_and_leaves_no_thread():
    def work(number):
        if number == 2:
            raise ValueError("the third")
        return number

    before = threading.active_count()
    reader = in_order(work, range(9), 2)
    assert [next(reader), next(reader)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(reader)
    assert threading.active_count() == before


def test_an_answer_is_asked_for_once_the_next_piece_of_work_has_begun():
    events = []

    def begun():
        for name in "abc":
            events.append(f"begin {name}")
            yield name, lambda name=name: events.append(f"finish {name}") or name.upper()

    assert list(one_behind(begun())) == [("a", "A"), ("b", "B"), ("c", "C")]
    assert events == ["begin a", "begin b", "finish a", "begin c", "finish b", "finish c"]
    assert list(one_behind([])) == []


def test_open_clip_imports_whatever_builds_of_torch_and_torchvision_are_installed():
    program = (
        "from resources.encoder.torchvision_shim import allow_torchvision_import as allow;"
        "first = allow(); import torchvision.transforms, open_clip; assert allow() == first"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.fixture
def shim():
    """The function without what it remembers, before and after a test."""
    torchvision_shim.allow_torchvision_import.cache_clear()
    yield torchvision_shim.allow_torchvision_import
    torchvision_shim.allow_torchvision_import.cache_clear()


@pytest.fixture
def declared(monkeypatch):
    """Names of operators that were declared."""
    import torch

    names = []
    monkeypatch.setattr(torch.library, "define", lambda name, schema: names.append(name))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torch.ops, "torchvision", object(), raising=False)
    return names


def test_nothing_is_declared_with_a_cuda_build(shim, declared, monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert not shim()
    assert declared == []


def test_nothing_is_declared_where_the_operators_load(shim, declared, monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torchvision_shim, "_loads", lambda *_: True)
    assert not shim()
    assert declared == []


def test_nothing_is_declared_without_torchvision(shim, declared, monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torchvision_shim, "_operator_library", lambda: None)
    assert not shim()
    assert declared == []


def test_both_operators_are_declared_where_their_library_does_not_load(shim, declared, monkeypatch, tmp_path):
    import torch

    (tmp_path / "_C.so").write_bytes(b"not a library")
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torchvision_shim, "_operator_library", lambda: tmp_path / "_C.so")
    assert shim()
    assert declared == ["torchvision::nms", "torchvision::qnms"]


def test_the_allocator_takes_the_settings_where_it_is_glibc(monkeypatch):
    import ctypes

    from resources.encoder import memory

    asked = []

    class Glibc:
        gnu_get_libc_version = None

        def mallopt(self, name, value):
            asked.append((name.value, value.value))
            return 1

    try:
        for library, answer in ((Glibc(), True), (object(), False)):
            memory.keep_freed_memory.cache_clear()
            monkeypatch.setattr(ctypes, "CDLL", lambda _, library=library: library)
            assert memory.keep_freed_memory() is (answer and sys.platform.startswith("linux"))
    finally:
        memory.keep_freed_memory.cache_clear()
    if sys.platform.startswith("linux"):
        assert sorted(asked) == [(-3, 2**30), (-2, 2**29), (-1, 2**31 - 1)]
