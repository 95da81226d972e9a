"""A crawl of one file and an encoder of two layers: enough for every plot, and quickly built."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.chaos.small import make_encoder
from tests.crawl.warcs import response, write
from tests.orchestration.takedown_house import noise, page

HOST = "wall.example"
PICTURES = 32


def make_recipe(folder: Path) -> Path:
    """Write a crawl file and a recipe over it; the recipe's path. One crawl file is one partition."""
    names = [(f"{i}.png", f"pattern of tiles, number {i} of the wall in the yard") for i in range(PICTURES)]
    (folder / "crawl").mkdir(parents=True)
    make_encoder(folder / "encoder")
    write(
        folder / "crawl" / "wall.warc.gz",
        response(f"http://{HOST}/", page(HOST, names)),
        *(response(f"http://{HOST}/p/{i}.png", noise(500 + i), "image/png") for i in range(PICTURES)),
    )
    recipe = {
        "name": "wall",
        "crawl": {"sources": [{"name": "wall", "uris": ["crawl/*.warc.gz"]}]},
        "pool": {"filter_set": "none", "threads": 1},
        "embeddings": {"kind": "open_clip", "model": f"local-dir:{folder / 'encoder'}", "batch_size": 32},
        "dedup": {"eps": 0.0001},
        "clusters": {"k": 4},
        "prune": {"keep": 0.6},
        "captions": {"fusion": {"kind": "none"}},
        "release": {"name": "wall", "samples_per_shard": 8},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path
