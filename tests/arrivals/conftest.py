"""Crawls that arrive in every way, built as far as the crawl goes, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import orchestration.definitions  # noqa: F401  (registers the steps)
from orchestration.plan import Build
from orchestration.recipe import load_recipe
from orchestration.stages import open_build
from tests.arrivals.hosts import Hosts, serving

NAMES = ("pics.example", "other.example", "closed.example", "shy.example")


@dataclass
class Place:
    """A folder with crawl files, a recipe and a home, and hosts that answer."""

    folder: Path
    hosts: Hosts

    def recipe(self, *sources: dict[str, Any], fetch: dict[str, Any] | None = None, **crawl: Any) -> Path:
        """Write the recipe; with `fetch`, hosts are asked, on loopback."""
        body = {
            "name": "arrivals",
            "crawl": {"sources": list(sources), **crawl},
            "prune": {"keep": 0.5},
            "release": {"name": "arrivals"},
        }
        if fetch is not None:
            asked = {"contact": "crawl@winnow.example", "allow_private": ["127.0.0.0/8"], "delay": 0.0, "backoff": 0.05}
            body["fetch"] = {**asked, "hosts": {name: ["127.0.0.1"] for name in NAMES}, **fetch}
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(body))
        return path

    def open(self) -> Build:
        """The build over the sources as they are now."""
        return open_build(load_recipe(self.folder / "recipe.yaml"), self.folder / "home", renew=True)

    def crawl(self, last: str = "crawl") -> Build:
        """Run every step up to `last` for every shard."""
        build = self.open()
        for name, step in build.steps.items():
            build.observe(step, build.shards_of(step))
            for shard in build.shards_of(step):
                build.run(step, shard)
            if name == last:
                return build
        raise ValueError(last)


@pytest.fixture
def place(tmp_path):
    with serving() as hosts:
        yield Place(tmp_path, hosts)


def outcomes(build: Build) -> dict[str, str]:
    """image_url -> `ok`, or why there is no image."""
    sample, decision = build.read("crawl", "sample"), build.read("crawl", "decision")
    reasons = dict(zip(decision["sample_id"].to_pylist(), decision["reason"].to_pylist(), strict=True))
    pairs = zip(sample["sample_id"].to_pylist(), sample["image_url"].to_pylist(), strict=True)
    return {url: reasons[sample_id] or "ok" for sample_id, url in pairs}
