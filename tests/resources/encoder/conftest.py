"""Encoders that several tests share: the embedded one, and a tiny open_clip model saved to a file."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.encoder import EncoderSettings, load_encoder
from resources.encoder.torchvision_shim import allow_torchvision_import

TINY = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Twelve pictures of noise, stripes and different shapes; no two alike."""
    random = np.random.default_rng(5)
    shapes = [(40, 40), (90, 30), (30, 90), (300, 200), (261, 260), (8, 8)] * 2
    return [Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts of every length: empty, a word, and more words than any context holds."""
    return ["", "cat", "a cat", *(" ".join(["a small red boat and"] * n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 20))]


@pytest.fixture(scope="session")
def embedded():
    return load_encoder(EncoderSettings(batch_size=4))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> EncoderSettings:
    """Settings of an open_clip model that a configuration describes and whose weights are a file."""
    allow_torchvision_import()
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny-clip.json")
    torch.manual_seed(3)
    logging.disable(logging.WARNING)
    torch.save(open_clip.create_model("tiny-clip").state_dict(), folder / "tiny.pt")
    logging.disable(logging.NOTSET)
    return EncoderSettings(kind="open_clip", model="tiny-clip", pretrained=str(folder / "tiny.pt"), batch_size=4)


@pytest.fixture(scope="session")
def folder_of_model(tiny, tmp_path_factory) -> Path:
    """The tiny model as a folder with configuration and weights, as model hubs keep it."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models") / "tiny-folder"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}})
    )
    state = torch.load(tiny.pretrained, weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "open_clip_model.safetensors")
    return folder
