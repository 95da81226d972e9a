"""A whole open_clip model, trained from its first weights on: a small one on two cores, a larger one on a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assets.evaluation.training import Training, fit, repeatable, weights_sha256
from resources.batches import in_order
from resources.encoder.base import EncoderSettings, make_agent
from resources.encoder.open_clip_encoder import OpenClipEncoder, resize_steps
from resources.encoder.torchvision_shim import allow_torchvision_import

KEPT_BYTES = 1 << 29
"""Prepared pictures that are kept in memory for the next epoch and the next arm."""


class Pairs:
    """Pictures and texts as a model takes them; all arms and seeds share one.

    Pictures are prepared as for an encoder: resized by open_clip's own steps, without random crops.

    Attributes:
        config: what open_clip calls a model's configuration.
        tokens: (n, context length) token ids.
        preprocess: fields of open_clip's `PreprocessCfg`.
    """

    def __init__(
        self, read_picture: Callable[[int], Image.Image], texts: Sequence[str], config: str, threads: int = 2
    ) -> None:
        """Take a reader of the picture of a row, which threads call together, and a model's name or JSON file.

        Raises:
            ValueError: where there is no such model, or its configuration leaves something to a model hub.
        """
        allow_torchvision_import()
        from open_clip.transform import PreprocessCfg

        self.name, self.config = config, read_config(config)
        self.tokenize = _tokenizer(config, self.config)
        self.tokens = self.tokenize(list(texts))
        self.preprocess = asdict(PreprocessCfg(size=self.config["vision_cfg"].get("image_size", 224)))
        self._read, self._resize, self._threads = read_picture, resize_steps(self.preprocess, None), threads
        self._kept: dict[int, np.ndarray] = {}
        self._room = KEPT_BYTES

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """(b, height, width, 3) bytes of some rows."""
        return np.stack(list(in_order(self._picture, rows.tolist(), self._threads)))

    def _picture(self, row: int) -> np.ndarray:
        found = self._kept.get(row)
        if found is None:
            found = np.asarray(self._resize(self._read(row).convert("RGB")), np.uint8)
            if self._room >= found.nbytes:
                self._kept[row] = found
                self._room -= found.nbytes
        return found


@dataclass(frozen=True)
class WholeModel:
    """A trained model.

    Attributes:
        encoder: the model behind the interface of encoders.
        first_weights_sha256: hash of the weights before training.
        loss: mean over the last tenth of the steps.
    """

    encoder: OpenClipEncoder
    first_weights_sha256: bytes
    loss: float


def train_all(pairs: Pairs, rows: np.ndarray, training: Training, seed: int) -> WholeModel:
    """Train a model on some pairs with open_clip's contrastive loss.

    Args:
        pairs: pictures and texts.
        rows: of the arm's pairs.
        training: steps, batch and rate, and the device.
        seed: of the first weights, which are the same for every arm, and of the order of pairs.

    Raises:
        ValueError: where the arm is smaller than a batch, or the loss is no longer a number.
    """
    import torch
    from open_clip.loss import ClipLoss

    device = training.device
    mean, deviation = (torch.tensor(pairs.preprocess[k], device=device).view(1, 3, 1, 1) for k in ("mean", "std"))
    with repeatable(training, seed):
        model = new_model(pairs.config)
        first = weights_sha256(model.state_dict())
        model.to(device).train()
        contrast = ClipLoss()

        def loss_of(batch: np.ndarray) -> Any:
            pictures = torch.from_numpy(pairs.pictures(batch)).to(device).permute(0, 3, 1, 2).float()
            return contrast(*model(pictures.div(255).sub(mean).div(deviation), pairs.tokens[batch].to(device)))

        loss = fit(model, loss_of, rows, training, seed)
    settings = EncoderSettings(
        kind="open_clip", model=pairs.name, batch_size=training.batch_size, threads=training.threads, device=device
    )
    agent = make_agent(Path(pairs.name).stem, None, weights_sha256(model.state_dict()), None)
    return WholeModel(OpenClipEncoder(model, pairs.tokenize, pairs.preprocess, settings, agent), first, loss)


def new_model(config: dict[str, Any]) -> Any:
    """A model with fresh weights, drawn from torch's current seed."""
    import open_clip

    given = json.loads(json.dumps(config))
    custom = given.pop("custom_text", False)
    return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**given)


def read_config(config: str) -> dict[str, Any]:
    """Configuration of a model, from its name in open_clip or from a JSON file; see `Pairs` for errors."""
    import open_clip

    if config.endswith(".json"):
        try:
            found = json.loads(Path(config).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"evaluation.model.config: {config} cannot be read as JSON: {error}") from error
    else:
        found = open_clip.get_model_config(config)
        if found is None:
            raise ValueError(f"evaluation.model.config: open_clip has no model {config}; name one, or a .json file")
    if not isinstance(found, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= found.keys():
        raise ValueError(f"evaluation.model.config: {config} must have embed_dim, vision_cfg and text_cfg")
    if "multimodal_cfg" in found or {"hf_model_name", "hf_tokenizer_name"} & found["text_cfg"].keys():
        raise ValueError(
            f"evaluation.model.config: {config} writes captions, or takes its text tower from a model hub; name a "
            "model of two towers that its configuration describes in full, such as ViT-B-32"
        )
    if "timm_model_name" in found["vision_cfg"]:
        found["vision_cfg"]["timm_model_pretrained"] = False
    return found


def _tokenizer(name: str, config: dict[str, Any]) -> Any:
    import open_clip

    if name.endswith(".json"):
        return open_clip.SimpleTokenizer(context_length=config["text_cfg"].get("context_length", 77))
    return open_clip.get_tokenizer(name)
