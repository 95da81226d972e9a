"""What a device can do: which precision `auto` stands for there, and whether the device is there at all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from resources.encoder.base import EncoderError, EncoderSettings

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
"""Names under which Linux lists a processor's arithmetic in bfloat16 (x86 and Arm); elsewhere it would be emulated."""
PROCESSOR = Path("/proc/cpuinfo")


def resolved(settings: EncoderSettings) -> EncoderSettings:
    """The same settings with the precision that `auto` stands for on their device; raises EncoderError."""
    if settings.precision != "auto":
        return settings
    return replace(settings, precision="bf16" if computes_in_bf16(settings.device) else "fp32")


def computes_in_bf16(device: str) -> bool:
    """Does a device have arithmetic in bfloat16 of its own? Raises EncoderError where a CUDA device is not there."""
    if device == "cpu":
        return bool(BF16_FLAGS & processor_flags())
    found = torch_device(device)
    if found.type != "cuda":
        return False
    import torch

    with torch.cuda.device(found):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@cache
def processor_flags() -> frozenset[str]:
    """What the processor says that it can do; empty where the system does not tell it this way."""
    if not PROCESSOR.exists():
        return frozenset()
    for line in PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, values = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return frozenset(values.split())
    return frozenset()


def torch_device(name: str) -> Any:
    """torch's device of that name; raises EncoderError where it is unknown or not there."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise EncoderError(f"encoder: device is {name!r}, but must be cpu, cuda or cuda:0, cuda:1 …") from error
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise EncoderError(
                f"encoder: device is {name}, but torch finds no CUDA device here; say device: cpu, or install a CUDA"
                " build of torch on a machine with a GPU"
            )
        if device.index is not None and device.index >= count:
            raise EncoderError(f"encoder: device is {name}, but there are {count} CUDA devices; count from cuda:0")
    return device
