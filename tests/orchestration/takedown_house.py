"""A small crawl on several hosts, with copies and duplicates, built in this process as far as its database."""

from __future__ import annotations

import html
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image

import orchestration.definitions  # noqa: F401  (registers the steps)
from assets.release.stage import release_folder
from orchestration import ledger
from orchestration.manifest import Manifest, write_manifest
from orchestration.plan import Build
from orchestration.publishing import enter_release, publish_database
from orchestration.recipe import load_recipe
from orchestration.stages import open_build, run_step
from resources.lake import Lake
from tests.crawl.warcs import response, write

HOSTS = ("one.pictures.example", "two.pictures.example", "museum.example")
EACH = 16
"""Pictures on each host."""


def noise(seed: int, touched: bool = False) -> bytes:
    """A picture that no other looks like; touched, it is the same but for one pixel, and so are its bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    picture = Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST)
    if touched:
        picture.putpixel((40, 40), (1, 2, 3))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def page(host: str, names: list[tuple[str, str]]) -> bytes:
    """A page under an open license that shows pictures, each with its text and its maker."""
    shown = "".join(
        f'<figure><img src="/p/{name}" width="96" height="96" alt="{html.escape(alt, quote=True)}">'
        f'<script type="application/ld+json">{{"@context":"https://schema.org","@type":"ImageObject",'
        f'"contentUrl":"http://{host}/p/{name}","creator":{{"@type":"Person","name":"Maker {number % 4}"}}}}</script></figure>'
        f"<p>Tile number {number} of this wall has colors that no other tile of the wall has.</p>"
        for number, (name, alt) in enumerate(names)
    )
    return (
        '<!doctype html><html lang="en"><head><title>Patterns</title>'
        '<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"></head>'
        f"<body>{shown}</body></html>"
    ).encode()


def records(number: int, host: str) -> list[bytes]:
    """Pages of a host with its pictures; number 3 of the first host is on the second as well, and touched on the third."""
    pictures = {f"{i}.png": noise(100 * number + i) for i in range(EACH)}
    if number == 1:
        pictures["copy.png"] = noise(3)
    if number == 2:
        pictures["again.png"] = noise(3, touched=True)
    names = [(name, f"pattern of tiles, {host.partition('.')[0]} number {name.partition('.')[0]}") for name in pictures]
    half = len(names) // 2
    return [
        response(f"http://{host}/", page(host, names[:half])),
        response(f"http://{host}/more", page(host, names[half:])),
        *(response(f"http://{host}/p/{name}", data, "image/png") for name, data in pictures.items()),
    ]


@dataclass
class TakedownHouse:
    """A folder with crawl files, a recipe and a home."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def lake(self) -> Lake:
        return Lake(self.home)

    def write_recipe(self, **changes) -> None:
        """The recipe; `changes` replace whole sections."""
        recipe = {
            "name": "tiles",
            "crawl": {"sources": [{"name": "tiles", "uris": ["crawl/*.warc.gz"]}]},
            "pool": {"filter_set": "none", "threads": 1},
            "dedup": {"eps": 0.005},
            "clusters": {"k": 2},
            "prune": {"keep": 1.0},
            "captions": {"fusion": {"kind": "none"}, "hints": ["tags"]},
            "release": {"name": "tiles", "samples_per_shard": 6, "documents": True},
            **changes,
        }
        (self.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))

    def open(self) -> Build:
        return open_build(load_recipe(self.folder / "recipe.yaml"), self.home, renew=True)

    def build(self) -> Manifest:
        """Run every step that is not done, write the manifest and publish the database; `computed` says what was made."""
        build = self.open()
        self.computed: dict[str, list[int | None]] = {}
        for name, step in build.steps.items():
            for outcome in run_step(build, step, build.shards_of(step), "test"):
                if not outcome.reused:
                    self.computed.setdefault(name, []).append(outcome.shard.shard_id if outcome.shard else None)
        made = write_manifest(build, "test")
        settings = build.recipe.release
        enter_release(build.lake, made, release_folder(build).name, settings.name, settings.version)
        publish_database(build.lake, made)
        return made

    def copied(self, folder: Path) -> TakedownHouse:
        """A copy that a test may change."""
        shutil.copytree(self.folder, folder)
        return TakedownHouse(folder)

    def sql(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "provenance.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def newest(self) -> Path:
        """Folder of the release that was entered last."""
        return self.home / "releases" / ledger.rows(self.lake, "release")[-1]["release_id"]

    def rows(self, folder: Path) -> list[dict]:
        """Rows of a release, from its own files alone."""
        paths = sorted(path for path in folder.glob("*.parquet") if path.name[:4] in ("urls", path.stem[:4]))
        return [
            row
            for path in paths
            if "sample_id" in pq.read_schema(path).names
            for row in pq.read_table(path).to_pylist()
        ]


def make_house(folder: Path) -> TakedownHouse:
    """Three crawl files, one for each host."""
    (folder / "crawl").mkdir(parents=True)
    for number, host in enumerate(HOSTS):
        write(folder / "crawl" / f"{number}.warc.gz", *records(number, host))
    house = TakedownHouse(folder)
    house.write_recipe()
    return house
