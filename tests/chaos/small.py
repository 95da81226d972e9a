"""A small build with every stage and every file of a large one: a few dozen pictures, and an encoder of two layers."""

from __future__ import annotations

import html
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.crawl.warcs import response, write

SHARDS = ("a", "b", "c")
PICTURES = 8
"""Pictures of a shard; the last one of each is the first one of the next, in another size."""


@dataclass(frozen=True)
class Small:
    """A folder with the crawl files and recipes of two builds that share no file of the lake.

    Attributes:
        folder: where they lie.
        encoder: folder of the tiny encoder; it may be the same for many.
    """

    folder: Path
    encoder: Path

    @property
    def recipe(self) -> Path:
        """The build that is looked at."""
        return self.folder / "recipe.yaml"

    @property
    def earlier(self) -> Path:
        """A build of another crawl under other settings, so that a home has something to read from the start."""
        return self.folder / "earlier.yaml"

    def make(self) -> Small:
        """Write crawl files and recipes."""
        (self.folder / "crawl").mkdir(parents=True)
        for number, name in enumerate(SHARDS):
            _write_shard(self.folder / "crawl" / f"{name}.warc.gz", name, number * (PICTURES - 1), PICTURES)
        _write_shard(self.folder / "crawl" / "old.warc.gz", "old", 1000, 5)
        uris = [f"crawl/{name}.warc.gz" for name in SHARDS]
        self.recipe.write_text(yaml.safe_dump(self._recipe("small", uris)))
        other = {"prune": {"keep": 1.0}, "clusters": {"k": 1}, "release": {"name": "old", "version": "0.9.0"}}
        self.earlier.write_text(yaml.safe_dump({**self._recipe("old", ["crawl/old.warc.gz"]), **other}))
        return self

    def copied(self, folder: Path) -> Small:
        """The same files elsewhere."""
        shutil.copytree(self.folder / "crawl", folder / "crawl")
        for recipe in (self.recipe, self.earlier):
            shutil.copy(recipe, folder / recipe.name)
        return Small(folder, self.encoder)

    def _recipe(self, name: str, uris: list[str]) -> dict[str, Any]:
        return {
            "name": name,
            "crawl": {"sources": [{"name": name, "uris": uris}]},
            "pool": {
                "filter_set": "laion5b",
                "without": ["similarity_language", "similarity_others"],
                "overrides": {"image_bytes": {"limit": 200}},
                "threads": 1,
            },
            "embeddings": {"kind": "open_clip", "model": f"local-dir:{self.encoder}", "batch_size": 32},
            "dedup": {"eps": 0.01},
            "clusters": {"k": 3},
            "prune": {"keep": 0.7},
            "captions": {"fusion": {"kind": "none"}},
            "release": {"name": name, "samples_per_shard": 6},
        }


def _write_shard(path: Path, host: str, first: int, count: int) -> None:
    """A page that shows pictures under an open license, and the pictures; one text is dropped as too short."""
    names = range(count)
    alts = [f"Blue and white tile number {first + i} from the town of {host.upper()}" for i in names[:-1]] + ["tile"]
    shown = "".join(
        f'<p><img src="/p/{i}.png" alt="{html.escape(alt)}"></p>' for i, alt in zip(names, alts, strict=True)
    )
    page = (
        '<!doctype html><html lang="en"><head><title>Tiles</title>'
        f'<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"></head><body>{shown}</body></html>'
    )
    site = f"http://{host}.example"
    write(
        path,
        response(f"{site}/", page.encode()),
        *(response(f"{site}/p/{i}.png", _noise(first + i, 120 + 8 * (i == 0)), "image/png") for i in names),
    )


def _noise(seed: int, side: int) -> bytes:
    """A picture of squares that is like no other seed's."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()


def make_encoder(folder: Path) -> None:
    """An open_clip model of two layers with random weights, as a folder with configuration and weights."""
    import json
    import logging

    from resources.encoder.torchvision_shim import allow_torchvision_import

    allow_torchvision_import()
    import open_clip
    import torch
    from safetensors.torch import save_file

    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(3)
    settings = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": settings, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}})
    )
    model = open_clip.model.CLIP(**settings)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
