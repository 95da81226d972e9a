"""A build over a store and a real cluster of two nodes that share no folder: the files of a build on one disk, whatever dies."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from assets.dedup import pairs
from assets.dedup.store import CellSettings
from orchestration.instance import write_instance
from orchestration.plan import CrawlFileError
from orchestration.ray_workers import RayTeam, connect
from orchestration.recipe import load_recipe
from orchestration.stages import open_build
from resources.lake import hash_file
from tests.conftest import Project, make_project
from tests.dedup.test_pairs import crowd
from tests.orchestration.test_instance import postgres  # noqa: F401 - a fixture
from tests.ray_cluster import Cluster, ray_cluster
from tests.stores import BUCKET, Store, Weather, environment, make_bucket, s3_client, s3_server

pytestmark = pytest.mark.slow

LEAN = {
    "evaluation": None,
    "captions__fusion": {"kind": "none"},
    "captions__hints": [],
    "release__documents": False,
    "embeddings__threads": 1,
}
PATIENCE = 240


@dataclass
class House:
    """A project, the manifest hash of its build on a disk, a store and a cluster."""

    project: Project
    manifest: str
    store: Store
    cluster: Cluster

    def start(self, bucket: str, *arguments: str) -> subprocess.Popen[str]:
        """`winnow`, by default to build, with its home in a bucket and its shards on the cluster."""
        folder = self.project.folder / bucket
        environment = {
            **self.project.environment,
            **self.store.environment,
            "HOME": str(folder / "user"),
            "WINNOW_HOME": f"s3://{bucket}/home",
            "WINNOW_CACHE": str(folder / "cache"),
            "WINNOW_RAY_ADDRESS": self.cluster.address,
        }
        (folder / "user").mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", *(arguments or ("build", "recipe.yaml"))],
            cwd=self.project.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


def said(process: subprocess.Popen[str]) -> str:
    """What a command printed; it must end well."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    return out


def ended(process: subprocess.Popen[str]) -> str:
    """The manifest hash that a build printed."""
    out = said(process)
    # Ray tells of what died on the same stream.
    (line,) = [line for line in out.splitlines() if line.startswith("manifest: ")]
    return line.removeprefix("manifest: ")


def hashes(house: House, bucket: str) -> dict[str, str]:
    """Hash of every file of the lake, by name."""
    client, found = s3_client(house.store), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="home/lake/"):
        for entry in page["Contents"]:
            body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            found[entry["Key"].removeprefix("home/lake/")] = hashlib.sha256(body).hexdigest()
    return found


@pytest.fixture(scope="module")
def far(tmp_path_factory) -> Iterator[tuple[Store, Cluster]]:
    with s3_server() as store, ray_cluster(tmp_path_factory.mktemp("nodes"), [1, 1], store.environment) as cluster:
        yield store, cluster


@pytest.fixture(scope="module")
def lean(tmp_path_factory, far) -> House:
    """A recipe of few models, so that much can be tried."""
    project = make_project(tmp_path_factory.mktemp("lean"))
    project.write_recipe(**LEAN)
    return House(project, project.build(), *far)


def wait_until_busy(house: House, process: subprocess.Popen[str]) -> int:
    """A worker that is at work on a shard."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        for node in house.cluster.nodes[1:]:
            for pid in node.busy():
                return pid
        time.sleep(0.02)
    raise AssertionError(f"no worker was at work: {process.communicate()}")


def kill_a_worker(house: House, process: subprocess.Popen[str], killed: set[int]) -> None:
    """Kill one that is at work and was not killed before."""
    while (pid := wait_until_busy(house, process)) in killed:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    killed.add(pid)


def storm(house: House, process: subprocess.Popen[str], weather: Weather, times: int) -> None:
    """Bad answers until there were so many."""
    before, house.store.weather = house.store.refused, weather
    while house.store.refused < before + times:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    house.store.weather = Weather()


def test_with_a_worker_killed_and_a_failing_store_two_nodes_make_the_files_that_one_disk_makes(built, far, tmp_path):
    house = House(make_project(tmp_path / "project"), built[1], *far)
    make_bucket(house.store, "half")
    process = house.start("half", "build", "recipe.yaml", "--select", "*removals")
    kill_a_worker(house, process, set())
    storm(house, process, Weather(each=3, status=503), 15)
    storm(house, process, Weather(each=3, status=500), 15)
    storm(house, process, Weather(each=5, seconds=0.5), 5)
    said(process)
    lake = built[0].home / "lake"
    found = hashes(house, "half")
    assert found == {name: hash_file(lake / name) for name in found}
    assert {"candidate", "sample", "image", "rights", "decision"} <= {name.partition("/")[0] for name in found}
    # Both nodes computed, in folders of their own; crawl files came by way of the store.
    for node in house.cluster.nodes[1:]:
        assert list((node.folder / "cache").rglob("*.warc.gz"))
        assert not list((node.folder / "work").iterdir())


@pytest.fixture
def team(far) -> Iterator[RayTeam]:
    """This process, connected to the cluster."""
    import ray

    connect.cache_clear()
    yield connect(far[1].address)
    ray.shutdown()
    connect.cache_clear()


@pytest.mark.cluster
def test_near_duplicates_are_found_by_workers_of_which_some_die(team, far, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "UNIT_NUMBERS", 20_000)
    vectors, settings = crowd(6000), CellSettings(100, 4)
    near = pairs.near_vectors(tmp_path / "spread", vectors, 0.95, settings)
    assert near.store.groups > 3
    results = []

    def spread(function, units):
        for found in team.spread("dedup")(function, units):
            results.append(found)
            yield found
            if len(results) in (2, 5):
                for node in far[1].nodes[1:]:
                    for pid in node.workers():
                        os.kill(pid, signal.SIGKILL)

    near.spread = spread
    found = near.pairs(np.arange(6000), None)
    alone = pairs.near_vectors(tmp_path / "alone", vectors, 0.95, settings).pairs(np.arange(6000), None)
    for one, two in zip(alone, found, strict=True):
        np.testing.assert_array_equal(one, two)
    assert len(alone[0])
    assert len(results) > 3 * near.store.groups


@pytest.mark.cluster
def test_an_error_of_a_worker_comes_with_what_it_cost(team, far, tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    project = make_project(tmp_path / "project")
    with environment(far[0].environment):
        build = open_build(load_recipe(project.write_recipe()), f"s3://{BUCKET}/failing")
        # The crawl file stays on this machine's disk, where no worker reaches it.
        monkeypatch.setattr(team, "_stage", lambda *_: None)
        [(_, failure)] = team.run(build, build.steps["candidates"], build.snapshot.shards[:1])
    assert isinstance(failure.error, CrawlFileError)
    assert type(failure.error.__cause__).__name__.startswith("RayTaskError")
    assert failure.cost.cpu_seconds > 0


@pytest.mark.cluster
def test_a_whole_build_with_workers_killed_and_a_failing_store_is_that_of_one_disk(built, far, tmp_path):
    house = House(make_project(tmp_path / "project"), built[1], *far)
    make_bucket(house.store, "whole")
    process = house.start("whole")
    kill_a_worker(house, process, killed := set())
    storm(house, process, Weather(each=3, status=503), 15)
    kill_a_worker(house, process, killed)
    storm(house, process, Weather(each=3, status=500), 15)
    storm(house, process, Weather(each=5, seconds=0.5), 10)
    assert ended(process) == house.manifest
    sample = said(house.start("whole", "sql", "SELECT min(sample_id) FROM release_member", "--csv")).split()[-1]
    assert "released in demo-0.1.0" in said(house.start("whole", "explain", sample))
    assert "residue: 0" in said(house.start("whole", "takedown", "sample", sample))
    assert "takedown" in said(house.start("whole", "explain", sample))
    assert "0 files" in said(house.start("whole", "gc"))


@pytest.mark.cluster
def test_two_builds_of_one_home_at_the_same_time_make_it_once(lean):
    make_bucket(lean.store, "twice")
    one, two = lean.start("twice"), lean.start("twice")
    assert {ended(one), ended(two)} == {lean.manifest}


@pytest.mark.cluster
def test_workers_killed_again_and_again_cost_nothing_but_time(lean):
    make_bucket(lean.store, "killed")
    process = lean.start("killed")
    killed: set[int] = set()
    for _ in range(4):
        kill_a_worker(lean, process, killed)
    assert ended(process) == lean.manifest


@pytest.mark.cluster
def test_a_driver_that_is_killed_is_taken_up_by_the_next(lean):
    make_bucket(lean.store, "driver")
    process = lean.start("driver")
    wait_until_busy(lean, process)
    process.kill()
    process.wait()
    assert ended(lean.start("driver")) == lean.manifest


@pytest.mark.cluster
def test_assets_are_jobs_of_the_cluster_and_their_shards_its_tasks(built, postgres, tmp_path, monkeypatch):  # noqa: F811
    project = make_project(tmp_path / "project")
    monkeypatch.setenv("WINNOW_POSTGRES_URL", postgres)
    write_instance(tmp_path / "dagster")
    with s3_server() as store:
        secrets = {**store.environment, "WINNOW_POSTGRES_URL": postgres}
        with ray_cluster(tmp_path / "nodes", [1, 1], secrets, dashboard=True) as cluster:
            environment = {
                **project.environment,
                **secrets,
                "DAGSTER_HOME": str(tmp_path / "dagster"),
                "WINNOW_HOME": f"s3://{BUCKET}/home",
                "WINNOW_RECIPE": str(project.folder / "recipe.yaml"),
                "WINNOW_CACHE": str(tmp_path / "cache"),
                "WINNOW_EXECUTOR": "ray",
                "WINNOW_RAY_JOBS": cluster.jobs,
            }
            for select in (["shards,licenses"], ["candidates", "--partition", "two.00001"]):
                done = subprocess.run(
                    [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-m", "orchestration.definitions",
                     "--select", *select],
                    cwd=tmp_path, env=environment, capture_output=True, text=True,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                assert "in Ray job dagster-step-" in done.stderr
        client = s3_client(store)
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix="home/lake/candidate/")["Contents"]
        found = {entry["Key"].rpartition("/")[2] for entry in listed}
    reference = {path.name for path in (built[0].home / "lake" / "candidate").iterdir()}
    assert len(found & reference) == 1


@pytest.mark.cluster
def test_a_node_that_is_switched_off_costs_nothing_but_time(lean):
    make_bucket(lean.store, "switched")
    process = lean.start("switched")
    wait_until_busy(lean, process)
    lean.cluster.nodes[-1].stop()
    assert ended(process) == lean.manifest
