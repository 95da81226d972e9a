"""Builds that several tests look at: made once per session, by the command a person would type."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
CRAWL = REPOSITORY / "examples" / "crawl"
TWO_SHARDS = ("sample-00003.warc.gz", "sample-00004.warc.gz")


def pytest_collection_modifyitems(items) -> None:
    """Where several workers share the tests, files that are slow as a whole come first: none is left alone at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_place)


def _place(item) -> int:
    """The browser's walk waits more than it computes, and comes first of all."""
    marks = getattr(item.module, "pytestmark", [])
    names = {mark.name for mark in (marks if isinstance(marks, list) else [marks])}
    return 0 if item.module.__name__.startswith("tests.ui") else 1 if "slow" in names else 2


@pytest.fixture(scope="module")
def store():
    """A real S3 server that clients of this process find; see tests.stores."""
    from tests.stores import environment, s3_server

    with s3_server() as server, environment(server.environment):
        yield server


@pytest.fixture
def machine(request, tmp_path, monkeypatch):
    """A machine of the test's own, whose cache is empty; fair weather before and after."""
    from resources import lake, objects
    from tests.stores import Weather

    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    lake._seen_at.clear()
    objects._room.cache_clear()
    # The pauses before a request is sent again, of up to 20 seconds.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.02)
    yield
    objects._room.cache_clear()
    if "store" in request.fixturenames:
        request.getfixturevalue("store").weather = Weather()


@dataclass
class Project:
    """A folder with crawl files, a recipe and a home, and the `winnow` command in it."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def write_recipe(self, **changes) -> Path:
        """The demo recipe over two small shards; `changes` are dotted keys with `__`."""
        recipe = yaml.safe_load((REPOSITORY / "recipes" / "demo.yaml").read_text())
        recipe["crawl"]["sources"] = [{"name": "two", "uris": ["crawl/*.warc.gz"]}]
        recipe["rights"]["truth"] = str(CRAWL / "truth.jsonl.gz")
        recipe["decontaminate"]["sets"][0]["uris"] = [str(REPOSITORY / "examples" / "evaluation" / "drawings")]
        recipe["evaluation"] = {
            "held_aside": 30,
            "batch_size": 16,
            "steps": 10,
            "seeds": [0, 1],
            "model": {"threads": 1},
        }
        recipe["clusters"]["k"] = 8
        recipe["captions"]["fusion"]["max_fusions"] = 3
        recipe["captions"]["hints"] = ["tags", "faces"]
        for key, value in changes.items():
            place = recipe
            *parents, last = key.split("__")
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        return path

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WINNOW", "DAGSTER"))}
        return {**kept, "WINNOW_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY)}

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "orchestration.cli", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def winnow(self, *arguments: str, fails: bool = False) -> str:
        """What the command prints; with `fails`, what it prints as its error."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=600)
        assert (process.returncode != 0) == fails, out + err
        return err if fails else out

    def build(self) -> str:
        """Build the recipe; its manifest hash."""
        last = self.winnow("build", "recipe.yaml").strip().splitlines()[-1]
        assert last.startswith("manifest: ")
        return last.removeprefix("manifest: ")

    def sql(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "provenance.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()


def make_project(folder: Path) -> Project:
    """A project over two small shards of the sample crawl."""
    (folder / "crawl").mkdir(parents=True)
    for name in TWO_SHARDS:
        shutil.copy(CRAWL / name, folder / "crawl" / name)
    project = Project(folder)
    project.write_recipe()
    return project


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> tuple[Project, str]:
    """A finished build of two shards and its manifest hash; tests only look at it.

    Workers of pytest-xdist share it: the first one makes it, the others wait for the lock and find it there.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project, made = Project(folder), folder / "manifest.txt"
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            project = make_project(folder)
            made.write_text(project.build())
    return project, made.read_text()


@pytest.fixture(scope="session")
def truth() -> list[dict]:
    """What the makers of the sample crawl say of every <img> in it."""
    with gzip.open(REPOSITORY / "examples" / "crawl" / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
