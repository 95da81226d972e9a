"""RapidOCR (PP-OCRv6 small, by onnxruntime): what is written in a picture."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LONGEST_SIDE = 960
"""Pictures are shrunk to this many pixels for OCR: it bounds the time (about half a second) and the memory."""
SHORTEST_SIDE = 32
"""Pictures with a shorter side, after shrinking, hold no line that could be read."""


class Engines:
    """An engine for each thread that reads."""

    def __init__(self) -> None:
        self._local = threading.local()

    def read(self, image: np.ndarray) -> Any:
        """Lines of a picture that `for_ocr` made ready, from top to bottom: `txts` and `scores`, or None for both."""
        if not hasattr(self._local, "engine"):
            self._local.engine = _engine()
        return self._local.engine(image)


def version() -> str:
    """Version of the package."""
    return importlib.metadata.version("rapidocr")


def weights_hash(files: Iterable[Path]) -> bytes:
    """One hash of all that files hold, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.digest()


def for_ocr(picture: Image.Image) -> np.ndarray | None:
    """(h, w, 3) uint8, blue first, no side above the limit; None for what has no room for a line."""
    scale = min(1.0, LONGEST_SIDE / max(picture.size))
    size = (round(picture.width * scale), round(picture.height * scale))
    if min(size) < SHORTEST_SIDE:
        return None
    small = picture.convert("RGB")
    if size != picture.size:
        small = small.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.ascontiguousarray(np.asarray(small)[:, :, ::-1])


def weights() -> tuple[Path, Path]:
    """Detector and recognizer in the package."""
    spec = importlib.util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    found = (folder / "PP-OCRv6_det_small.onnx", folder / "PP-OCRv6_rec_small.onnx")
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(
                f"the weights {path.name} of rapidocr are not installed; run: pip install --force-reinstall rapidocr"
            )
    return found


def _engine() -> Any:
    """Detector and recognizer on the calling thread; the package looks nothing up and downloads nothing."""
    from rapidocr import RapidOCR

    detector, recognizer = weights()
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.max_side_len": LONGEST_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(detector),
            # Without it the package enlarges small pictures, and a strip of 960 by 32 pixels a hundredfold.
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST_SIDE,
            "Rec.model_path": str(recognizer),
        }
    )
