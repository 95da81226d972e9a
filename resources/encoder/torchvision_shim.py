"""Makes torchvision importable beside a CPU build of torch.

The torchvision wheel that an installer picks beside a CPU torch is often the CUDA one. Its library of operators then
does not load, and its Python part fails on import because two operators, whose shape rules it registers, do not exist.
open_clip and transformers need torchvision's image transforms only, so declaring the two operators is enough: they stay
without an implementation, and `torchvision.ops.nms` stays unusable.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""Operators whose shape rules torchvision registers on import whether or not its library loaded."""


@cache
def allow_torchvision_import() -> bool:
    """Declare the missing operators if the first import of torchvision would fail for want of them.

    Call before anything imports torchvision. Does nothing with a CUDA build of torch, where torchvision is absent or
    already imported, and where its operators load.

    Returns:
        True if operators were declared.
    """
    import torch

    if torch.version.cuda is not None or "torchvision" in sys.modules:
        return False
    library = _operator_library()
    if library is None or _loads(torch, library):
        return False
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", schema)
    return True


def _operator_library() -> Path | None:
    """torchvision's compiled operators; None where the package is not installed or has none."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("_C*.so"))), None)


def _loads(torch: Any, library: Path) -> bool:
    try:
        torch.ops.load_library(str(library))
    except OSError:
        return False
    return True
