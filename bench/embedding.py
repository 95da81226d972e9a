"""Images per second of an encoder beside open_clip's own loop: `python -m bench.embedding`."""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from bench.measure import machine, medians, table
from orchestration.tuning import encode_files, example_files
from resources.encoder import EncoderSettings, build_encoder
from resources.encoder.devices import computes_in_bf16
from resources.encoder.open_clip_encoder import OpenClipEncoder
from resources.encoder.torchvision_shim import allow_torchvision_import

MODEL = "ViT-B-32"
BATCH, ROUNDS, IMAGES = 32, 3, 96
GPU_MODELS, GPU_BATCH, GPU_IMAGES = ("ViT-B-32", "ViT-L-14"), 256, 4096
DECODE_THREADS = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 operations a second by NVIDIA's data sheets (SXM)."""


@dataclass(frozen=True)
class Model:
    """An open_clip model with random weights as a checkpoint file: its speed is that of trained ones."""

    name: str
    path: str

    def settings(self, precision: Literal["fp32", "bf16"], batch_size: int, device: str = "cpu") -> EncoderSettings:
        """Winnow's encoder over it."""
        return EncoderSettings(
            kind="open_clip", model=self.name, pretrained=self.path, precision=precision, batch_size=batch_size,
            threads=DECODE_THREADS, device=device,
        )  # fmt: skip


def saved_model(name: str, folder: Path) -> Model:
    """Build the model and save what it is filled with."""
    allow_torchvision_import()
    import open_clip
    import torch

    torch.manual_seed(0)
    logging.disable(logging.WARNING)  # open_clip warns of random weights, which are meant here
    path = folder / f"{name}.pt"
    torch.save(open_clip.create_model(name).state_dict(), path)
    logging.disable(logging.NOTSET)
    return Model(name, str(path))


def plain_loop(model: Model, files: Sequence[bytes], batch_size: int) -> Any:
    """What a script does: open, preprocess, stack, `encode_image`, one after the other, in fp32; a function to call."""
    import open_clip
    import torch

    built, _, prepare = open_clip.create_model_and_transforms(model.name, pretrained=model.path)
    built.eval()

    def run() -> np.ndarray:
        torch.set_num_threads(DECODE_THREADS)
        found = []
        with torch.inference_mode():
            for at in range(0, len(files), batch_size):
                opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in files[at : at + batch_size]]
                found.append(
                    built.encode_image(torch.stack([prepare(image) for image in opened]), normalize=True).numpy()
                )
        return np.concatenate(found)

    return run


def ours(settings: EncoderSettings, files: Sequence[bytes], decode_threads: int) -> Any:
    """Winnow's way from bytes to vectors; a function to call."""
    encoder = build_encoder(settings)
    assert isinstance(encoder, OpenClipEncoder)  # both kinds are
    return lambda: encode_files(iter(files), encoder, decode_threads)


def on_cpu(folder: Path) -> list[tuple[object, ...]]:
    """Rows: images a second, how many times the plain loop, and the lowest cosine to its vectors."""
    model, files = saved_model(MODEL, folder), example_files(IMAGES)
    ways = {
        "open_clip, plain loop, fp32": plain_loop(model, files, BATCH),
        "Winnow, fp32": ours(model.settings("fp32", BATCH), files, DECODE_THREADS),
    }
    if computes_in_bf16("cpu"):
        ways["Winnow, bf16"] = ours(model.settings("bf16", BATCH), files, DECODE_THREADS)
    seconds, found = medians(ways, ROUNDS)
    plain = "open_clip, plain loop, fp32"
    return [
        (
            name,
            f"{len(files) / seconds[name]:.1f}",
            f"{seconds[plain] / seconds[name]:.2f}",
            f"{(found[name] * found[plain]).sum(axis=1).min():.5f}",
        )
        for name in ways
    ]


def on_gpu(folder: Path) -> Iterator[tuple[object, ...]]:
    """Rows: images a second of the tower alone and from bytes, and the tower's share of the GPU's peak."""
    import torch

    peak = next((value for name, value in PEAKS.items() if name in torch.cuda.get_device_name()), None)
    for name in GPU_MODELS:
        model, files = saved_model(name, folder), example_files(GPU_BATCH)
        encoder = build_encoder(model.settings("bf16", GPU_BATCH, "cuda"))
        assert isinstance(encoder, OpenClipEncoder)
        pixels = np.stack([encoder.prepare(Image.new("RGB", (640, 480)))] * GPU_BATCH)
        many = [files[number % len(files)] for number in range(GPU_IMAGES)]
        tower, whole = _tower_and_whole(encoder, pixels, many)
        share = f"{100 * tower * operations(encoder) / peak:.0f} %" if peak else "peak unknown"
        yield name, f"{tower:,.0f}", share, f"{whole:,.0f}"


def _tower_and_whole(encoder: OpenClipEncoder, pixels: np.ndarray, files: Sequence[bytes]) -> tuple[float, float]:
    """Images a second on prepared pictures, and from bytes."""
    from resources.batches import one_behind

    batches = len(files) // len(pixels)

    def tower() -> None:
        for _ in one_behind((None, encoder.begin_images(pixels)) for _ in range(batches)):
            pass

    tower()
    seconds, _ = medians({"tower": tower, "whole": lambda: encode_files(iter(files), encoder, DECODE_THREADS)}, ROUNDS)
    return batches * len(pixels) / seconds["tower"], len(files) / seconds["whole"]


def operations(encoder: OpenClipEncoder) -> float:
    """Floating-point operations of the image tower for one picture, counted by torch: a multiplication and its sum are 2.

    Without gradients torch fuses an attention layer into one operator, of which its counter knows nothing.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    height, width, _ = encoder.prepare(Image.new("RGB", (640, 480))).shape
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[encoder.settings.precision]
    picture = torch.zeros((1, 3, height, width), dtype=dtype, device=encoder.device)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter:
            encoder.model.encode_image(picture)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return float(counter.get_total_flops())


def gpu_section(folder: Path) -> str:
    """The rows of a GPU, or that there is none."""
    import torch

    head = ("model", "tower alone, images/s", "of the peak in bfloat16", "from bytes, images/s")
    if not torch.cuda.is_available():
        empty = [(name, "", "", "") for name in GPU_MODELS]
        return f"No GPU was at hand, so these rows are empty.\n\n{table(head, empty)}"
    text = f"On {torch.cuda.get_device_name()}, bfloat16, batches of {GPU_BATCH}, {DECODE_THREADS} threads decode."
    return f"{text}\n\n{table(head, list(on_gpu(folder)))}"


def main() -> str:
    """The section of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory() as folder:
        head = ("way", "images/s", "times the plain loop", "lowest cosine to its vectors")
        rows = table(head, on_cpu(Path(folder)))
        gpu = gpu_section(Path(folder))
    return f"""## Embedding

{IMAGES} JPEGs of 640 x 480 pixels from bytes to vectors, {MODEL} with random weights (speed does not depend on them),
batches of {BATCH} (`bench/embedding.py`). The peer is the loop of open_clip's own examples: open, preprocess, stack,
`encode_image`, in fp32. Winnow decodes and resizes in {DECODE_THREADS} threads while the model computes. Medians of
{ROUNDS} runs, in turn, in one process. {machine(("open_clip_torch", "torch", "pillow"))}.

{rows}

{gpu}"""


if __name__ == "__main__":
    print(main())
