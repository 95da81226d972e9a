"""Builds that are killed, and builds of the same recipe elsewhere: always the same bytes, never half of them."""

import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from tests.chaos.kills import Ground, kill, manifest
from tests.chaos.reader import MixedError, look
from tests.chaos.visible import faults, hashes
from tests.chaos.zygote import REPOSITORY, Zygote

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A home with an earlier build, and one in which a build was not disturbed."""
    with Zygote() as zygote:
        yield Ground(zygote, tmp_path_factory.mktemp("chaos"))


def test_builds_killed_at_random_moments_end_with_the_same_manifest_and_no_reader_sees_half_of_one(ground):
    report = kill(ground, seed=os.getpid(), kills=3, in_a_row=(3, 3))
    assert report.wrong == [], f"seed {os.getpid()}: {report}"
    assert report.kills == 3
    assert report.looks[ground.earlier] > 0 < report.looks[ground.build]


def test_two_workers_elsewhere_in_another_order_of_shards_give_the_same_bytes(ground, tmp_path):
    """Fresh home and folder; each worker takes half of the shards, the last one first."""
    small = ground.small.copied(tmp_path / "another" / "folder")
    home = tmp_path / "home"
    wanted = {"do": "steps", "recipe": str(small.recipe), "home": str(home), "parts": 2}
    workers = ground.zygote.run([{**wanted, "part": part} for part in range(2)])
    assert [worker.status for worker in workers] == [0, 0], workers
    assert "candidates 00003 made\ncandidates 00001 made" in workers[0].said
    assert "candidates 00002 made" in workers[1].said
    assert "reused" not in workers[0].said + workers[1].said
    ended = ground.zygote.build(small.recipe, home)
    assert ended.status == 0, ended.said
    assert look(home) == ground.build
    assert manifest(home, ground.build) == ground.manifest
    made = hashes(home)
    assert made == hashes(ground.whole)
    assert {file["uri"] for file in ground.manifest["files"]} <= made.keys()
    assert sum(name.startswith("releases/") for name in made) > 10


def test_a_home_that_is_damaged_in_any_way_is_found_out(ground, tmp_path):
    """The harness itself: each kind of damage that a kill could do is told."""

    def damaged(change) -> str:
        home = tmp_path / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(ground.whole, home)
        change(home)
        return "\n".join(faults(home, ground.expected))

    def cut(path):
        path.write_bytes(path.read_bytes()[:-20])

    assert damaged(lambda home: None) == ""
    assert "Parquet" in damaged(lambda home: cut(next((home / "lake" / "sample").glob("*.parquet"))))
    assert "is damaged" in damaged(lambda home: cut(next((home / "releases").glob("*/*.tar"))))
    assert "SHA256SUMS" in damaged(lambda home: next((home / "releases").glob("*/SHA256SUMS")).unlink())
    assert "is missing" in damaged(lambda home: next((home / "lake" / "cluster").glob("*.parquet")).unlink())
    assert "manifest.json" in damaged(lambda home: cut(home / "builds" / ground.build / "manifest.json"))
    assert "no name that a home has" in damaged(lambda home: (home / "lake" / "x.tmp").write_text(""))
    assert "provenance.duckdb" in damaged(lambda home: cut(home / "provenance.duckdb"))


def test_a_database_with_rows_of_two_builds_is_told_from_one_build(ground, tmp_path):
    shutil.copytree(ground.whole, tmp_path / "home")
    assert look(tmp_path / "home") == ground.build
    with duckdb.connect(str(tmp_path / "home" / "provenance.duckdb")) as connection:
        connection.execute("DELETE FROM decision WHERE sample_id = (SELECT min(sample_id) FROM decision)")
    with pytest.raises(MixedError, match="decision"):
        look(tmp_path / "home")


def test_the_long_run_takes_a_seed():
    command = [sys.executable, "-m", "tests.chaos", "--help"]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "--seed" in told
