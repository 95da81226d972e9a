"""New projections on towers that stay as they are: what the demo trains, in a second or two for each arm and seed.

Towers answer once for each picture and text, before any arm is trained. Heads are built as CLIP's own towers end: each
vector is normalized over its numbers, then multiplied by a matrix (Radford et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.evaluation.training import Training, fit, repeatable, weights_sha256
from resources.encoder.torchvision_shim import allow_torchvision_import

FIRST_TEMPERATURE = 0.07


@dataclass(frozen=True)
class Heads:
    """Trained projections.

    Attributes:
        model: a torch module with `image`, `text` and `logit_scale`.
        training: how it was trained.
        first_weights_sha256: hash of the weights before training.
        loss: mean over the last tenth of the steps.
    """

    model: Any
    training: Training
    first_weights_sha256: bytes
    loss: float

    def encode_images(self, features: np.ndarray) -> np.ndarray:
        """(n, dim) float32 unit vectors of (n, d1) answers of the image tower."""
        return self._encode(self.model.image, features)

    def encode_texts(self, features: np.ndarray) -> np.ndarray:
        """(n, dim) float32 unit vectors of (n, d2) answers of the text tower."""
        return self._encode(self.model.text, features)

    def _encode(self, head: Any, features: np.ndarray) -> np.ndarray:
        import torch

        with repeatable(self.training), torch.inference_mode():
            found = torch.nn.functional.normalize(head(_tensor(features).to(self.training.device)), dim=-1)
            return np.asarray(found.cpu().numpy())


def train_heads(
    images: np.ndarray, texts: np.ndarray, rows: np.ndarray, training: Training, dim: int, seed: int
) -> Heads:
    """Train both heads on some pairs with open_clip's contrastive loss.

    Args:
        images: (n, d1) answers of the image tower, of any float type.
        texts: (n, d2) answers of the text tower.
        rows: of the arm's pairs.
        training: steps, batch and rate.
        dim: length of the new vectors.
        seed: of the first weights, which are the same for every arm, and of the order of pairs.

    Raises:
        ValueError: where the arm is smaller than a batch, or the loss is no longer a number.
    """
    allow_torchvision_import()
    from open_clip.loss import ClipLoss

    with repeatable(training, seed):
        model = new_heads(images.shape[1], texts.shape[1], dim)
        first = weights_sha256(model.state_dict())
        model.to(training.device)
        contrast, normalize = ClipLoss(), _normalize()

        def loss_of(batch: np.ndarray) -> Any:
            of_images = model.image(_tensor(images[batch]).to(training.device))
            of_texts = model.text(_tensor(texts[batch]).to(training.device))
            return contrast(normalize(of_images), normalize(of_texts), model.logit_scale.exp())

        loss = fit(model, loss_of, rows, training, seed)
    return Heads(model.eval(), training, first, loss)


def new_heads(image_width: int, text_width: int, dim: int) -> Any:
    """A torch module with fresh heads, drawn from torch's current seed."""
    import math

    import torch
    from torch import nn

    def head(width: int) -> Any:
        matrix = nn.Linear(width, dim, bias=False)
        nn.init.normal_(matrix.weight, std=width**-0.5)
        return nn.Sequential(nn.LayerNorm(width, elementwise_affine=False), matrix)

    model: Any = nn.Module()
    model.image, model.text = head(image_width), head(text_width)
    model.logit_scale = nn.Parameter(torch.tensor(math.log(1 / FIRST_TEMPERATURE)))
    return model


def _normalize() -> Any:
    import torch

    return lambda vectors: torch.nn.functional.normalize(vectors, dim=-1)


def _tensor(features: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(features.astype(np.float32))
