"""How a captioner is named and asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CaptionerSettings:
    """How an image-to-text or image-text-to-text model is loaded and asked.

    Attributes:
        model: name on a hub, or path of a folder.
        revision: revision of the weights on a hub.
        license: SPDX id of the weights.
        output_terms: terms of the outputs.
        precision: of weights and arithmetic; `auto` is bf16 where the processor computes in it, else fp32.
        device: cpu, cuda, cuda:0 …
        max_new_tokens: longest answer.
        max_prompt_tokens: a longer prompt, the picture's tokens included, is not asked.
        batch_size: pictures per batch; 1 asks about each alone and unpadded.
        threads: of the processor; part of what makes answers repeat.
        max_pixels: a picture with more pixels is not decoded, its header says how many it has.
    """

    model: str
    revision: str | None = None
    license: str | None = None
    output_terms: str | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: str = "cpu"
    max_new_tokens: int = 80
    max_prompt_tokens: int = 8192
    batch_size: int = 1
    threads: int = 2
    max_pixels: int = 64_000_000
