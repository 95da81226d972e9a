"""The part that is trained: a projection of image features and one of text features, started from what towers know.

The image head starts as a differentiable ConSE (Norouzi et al., ICLR 2014): its hidden units are ImageNet's classes,
and each one that fires adds the text vector of its name. Of all choices in the training, this start matters most.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, HIDDEN = 512, 1024
"""Length of projected vectors, and hidden units; timm's MLP has twice as many hidden units as outputs."""
RANKED = 10
"""A class counts where it is among so many that fit best."""

FIRES = 3.4775
"""Centered logit at which a class starts to fire: what the tenth-best class of a drawing reached on average when the
committed file was made. That average was over held-out pictures, too; over the training drawings alone it is 3.725."""


@dataclass(frozen=True)
class Classes:
    """ImageNet's classes as both towers know them.

    Attributes:
        weight: (1000, 1280) rows of the classifier.
        bias: (1000,).
        names: (1000, 384) unit text vectors of their names.
    """

    weight: Tensor
    bias: Tensor
    names: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """(n, 1000) of (n, 1280) image features."""
        return features @ self.weight.T + self.bias


def image_head(classes: Classes, features: Tensor) -> nn.Sequential:
    """(n, 1280) features to (n, 512); the first 1,000 hidden units are classes, the others free.

    `features` are those of the training pictures; the free units start out over their mean and spread.
    """
    into, out = nn.Linear(classes.weight.shape[1], HIDDEN), nn.Linear(HIDDEN, WIDTH)
    count, width = classes.names.shape
    mean, spread = features.mean(dim=0), features.std(dim=0) + 0.02
    names = functional.normalize(classes.names - classes.names.mean(dim=0), dim=-1)
    with torch.no_grad():
        nn.init.kaiming_normal_(into.weight, nonlinearity="linear")
        into.weight.mul_(0.3 / spread)
        into.bias.copy_(-(into.weight @ mean))
        into.weight[:count] = classes.weight - classes.weight.mean(dim=0)
        into.bias[:count] = classes.bias - classes.bias.mean() - FIRES
        nn.init.normal_(out.weight, std=0.003)
        nn.init.zeros_(out.bias)
        out.weight[:width, :count] += names.T
    return nn.Sequential(into, nn.GELU(), out)


def text_projection(classes: Classes) -> nn.Linear:
    """(n, 384) to (n, 512): the identity without the direction that all class names share, and small free rows."""
    width = classes.names.shape[1]
    common = functional.normalize(classes.names.mean(dim=0), dim=0)
    projection = nn.Linear(width, WIDTH, bias=False)
    with torch.no_grad():
        nn.init.normal_(projection.weight, std=0.01)
        projection.weight[:width] += torch.eye(width) - torch.outer(common, common)
    return projection


def conse(features: Tensor, classes: Classes) -> Tensor:
    """(n, 384) unit vectors: names of the ten most likely classes, weighted by probability."""
    best, which = classes.logits(features).softmax(dim=1).topk(RANKED)
    return functional.normalize((best[:, :, None] * classes.names[which]).sum(dim=1), dim=-1)


class Heads(nn.Module):
    """Both projections and the temperature."""

    def __init__(self, image: nn.Sequential, text: nn.Linear, temperature: float = 1.0) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors of image features and of the text tower's vectors."""
        return functional.normalize(self.image(images), dim=-1), functional.normalize(self.text(texts), dim=-1)

    @property
    def scale(self) -> Tensor:
        """One over the temperature."""
        return self.log_scale.exp().clamp(max=50)


OPEN_CLIP_NAMES = {
    "visual.head.mlp.fc1.weight": "image.0.weight",
    "visual.head.mlp.fc1.bias": "image.0.bias",
    "visual.head.mlp.fc2.weight": "image.2.weight",
    "visual.head.mlp.fc2.bias": "image.2.bias",
    "text.proj.weight": "text.weight",
    "logit_scale": "log_scale",
}


def save_heads(heads: Heads, file: Path) -> None:
    """Write them in float16 (the temperature in float32) under open_clip's names."""
    from safetensors.torch import save_file

    state = heads.state_dict()
    save_file({name: _stored(state[ours]) for name, ours in OPEN_CLIP_NAMES.items()}, file)


def _stored(tensor: Tensor) -> Tensor:
    return tensor.half().contiguous() if tensor.dim() else tensor.float()


def load_heads(file: Path) -> Heads:
    """Heads that `save_heads` wrote."""
    from safetensors.torch import load_file

    state = {OPEN_CLIP_NAMES[name]: tensor.float() for name, tensor in load_file(file).items()}
    (hidden, features), (width, words) = state["image.0.weight"].shape, state["text.weight"].shape
    image = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, width))
    heads = Heads(image, nn.Linear(words, width, bias=False))
    heads.load_state_dict(state)
    return heads.eval()
