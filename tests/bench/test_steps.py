"""What must hold of the steps at scale, on a simulated pool small enough for a test."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.pool import Pool, open_pool, simulate
from resources.lake import LakeError

POOL = Pool(24_000, dims=64, concepts=30, per_shard=4096, intrinsic=32)
SETTINGS = {"dedup": {"cell_size": 200, "neighbor_cells": 3}, "clusters": {"k": 20}, "prune": {"keep": 0.3}}
RUN = """
import sys
from bench.pool import open_pool
build = open_pool(sys.argv[1])
for step in build.steps.values():
    if step.group in ("dedup", "decontaminate", "clusters", "prune"):
        shards = build.shards_of(step)
        for shard in shards if sys.argv[2] == "forward" else reversed(shards):
            build.run(step, shard)
"""


def start(home, order="forward", threads="2"):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen([sys.executable, "-c", RUN, str(home), order], env=environment, stderr=subprocess.PIPE)


def made(home):
    """Bytes of every file that the steps made, by name."""
    build = open_pool(home)
    return {
        path.name: path.read_bytes()
        for step in build.steps.values() if step.group in ("dedup", "decontaminate", "clusters", "prune")
        for shard in build.shards_of(step) for path in build.outputs(step, shard)
    }  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    home = tmp_path_factory.mktemp("pool") / "home"
    simulate(home, POOL, SETTINGS)
    assert start(home).wait() == 0
    return made(home)


def test_one_thread_and_shards_in_another_order_give_the_same_selection_bit_for_bit(whole, tmp_path):
    simulate(tmp_path / "home", POOL, SETTINGS, processes=1)
    assert start(tmp_path / "home", "backward", "1").wait() == 0
    assert made(tmp_path / "home") == whole


def test_a_run_killed_again_and_again_ends_with_the_same_bytes_and_no_scratch(whole, tmp_path):
    home = tmp_path / "home"
    simulate(home, POOL, SETTINGS)
    went_on = False
    for seconds in (3.0, 3.5, 4.0):
        process = start(home)
        time.sleep(seconds)
        went_on |= any((home / "scratch").rglob("*")) if (home / "scratch").exists() else False
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(home).wait() == 0
    assert made(home) == whole
    assert not any((home / "scratch").iterdir())


def test_a_full_disk_is_one_sentence_and_leaves_only_whole_files(tmp_path, monkeypatch):
    home = tmp_path / "home"
    build = simulate(home, POOL, SETTINGS)
    before = sorted((home / "lake").rglob("*"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assets.dedup.store._Publishing.__enter__", full)
    with pytest.raises(LakeError, match="the disk is full; free space or move WINNOW_HOME, then run again"):
        build.run(build.steps["dedup"], None)
    assert sorted((home / "lake").rglob("*")) == before
    monkeypatch.undo()
    build.run(build.steps["dedup"], None)
    assert build.done(build.steps["dedup"], None)
