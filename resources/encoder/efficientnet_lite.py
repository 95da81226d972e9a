"""EfficientNet-Lite weights under the names that timm gives its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
EXPANDING_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The block of stage 0 has no expansion, and timm counts its layers from there."""


def to_timm(state: Mapping[str, Any], blocks_per_stage: Sequence[int]) -> dict[str, Any]:
    """The same tensors under timm's names.

    Args:
        state: parameters with one flat list of blocks: `_blocks.7._bn0.weight`.
        blocks_per_stage: how many blocks each of timm's stages has, in order: `blocks.2.1.bn1.weight`.

    Raises:
        ValueError: a name does not belong to this family of networks.
    """
    places = [(stage, block) for stage, count in enumerate(blocks_per_stage) for block in range(count)]
    return {_rename(name, places): tensor for name, tensor in state.items()}


def _rename(name: str, places: Sequence[tuple[int, int]]) -> str:
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(.+)", name)
    try:
        if inside is None:
            layer, _, parameter = name.partition(".")
            return f"{OUTSIDE_BLOCKS[layer]}.{parameter}"
        stage, block = places[int(inside[1])]
        layers = FIRST_BLOCK if stage == 0 else EXPANDING_BLOCK
        return f"blocks.{stage}.{block}.{layers[inside[2]]}.{inside[3]}"
    except (KeyError, IndexError):
        raise ValueError(f"{name} is no parameter of an EfficientNet-Lite with {len(places)} blocks") from None
