"""What an encoder is: two towers that put pictures and texts into one space, and who they are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image

F32 = np.ndarray
"""A float32 array; its shape stands in the docstring."""

LIBRARIES = ("open_clip_torch", "pillow", "timm", "torch", "torchvision", "transformers")
"""Distributions whose version may change the last bit of a vector."""


class EncoderError(Exception):
    """An encoder cannot be loaded as asked; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Agent:
    """Who made a vector, as table `agent` lists it.

    Attributes:
        id: name@revision.
        name: model and checkpoint, never a folder of this machine.
        revision: as the recipe names it, else the first 12 digits of the hash of the weights.
        weights_sha256: hash of the weights file; for several files, of their hexadecimal hashes, one per line.
        license: SPDX id of the weights; None where nobody said.
    """

    id: str
    name: str
    revision: str
    weights_sha256: bytes
    license: str | None


@dataclass(frozen=True)
class EncoderSettings:
    """Which encoder, and how it runs. Everything here can change the bits of a vector, so all of it is in its key.

    Attributes:
        kind: `embedded` (weights come with packages) or `open_clip` (any model that open_clip can build).
        model: name of the model; for open_clip also `hf-hub:…` or `local-dir:…`.
        pretrained: open_clip's tag, or the path of a checkpoint.
        revision: of the weights: for a tag on a model hub the commit to fetch, otherwise a label.
        weights_sha256: hash that the weights must have, hexadecimal; None to take what is there.
        license: SPDX id of the weights.
        precision: of the towers; `auto` stands for bf16 where the device computes in it, else fp32, and is replaced by
            what it stands for before anything is loaded or named.
        batch_size: every batch is padded to this many rows.
        threads: torch threads while a batch is computed.
        resize_mode: `longest` pads a picture to a square, `shortest` crops one out of it; None is the model's own way.
        device: `cpu`, `cuda`, `cuda:1` …
    """

    kind: Literal["embedded", "open_clip"] = "embedded"
    model: str = "lite2_minilm_lit"
    pretrained: str | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    license: str | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    batch_size: int = 32
    threads: int = 2
    resize_mode: Literal["longest", "shortest"] | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("batch_size", "threads"):
            value = getattr(self, name)
            if value < 1:
                raise EncoderError(f"encoder: {name} is {value}, but must be at least 1")


class Encoder(Protocol):
    """Two towers. Vectors are unit length; a row that a tower answers with zeros or infinity is NaN throughout.

    A vector depends on its picture or text and on the encoder's key alone: not on the other rows of the call, their
    order or their number. `tests/resources/encoder/test_conformance.py` asks all of this of every encoder.

    Attributes:
        agent: who it is.
        dim: length of projected vectors; cosines of images and texts are taken between these.
        raw_dim: length of raw image vectors, the image tower's pooled features before the projection. Where a tower has
            no such place, the projected vector stands in and `raw_dim == dim`.
    """

    agent: Agent
    dim: int
    raw_dim: int

    @property
    def batch_size(self) -> int:
        """How many pictures one call of the image tower takes."""

    def prepare(self, image: Image.Image) -> np.ndarray:
        """A picture as the image tower takes it: (height, width, 3) bytes, of one size. Threads may call it together."""

    def begin_images(self, pixels: np.ndarray) -> Callable[[], tuple[F32, F32]]:
        """Start on (n, height, width, 3) prepared pictures, n at most `batch_size`; what is returned gives the vectors.

        They are as `encode_images` gives them. On a device of its own the towers compute until somebody asks.
        """

    def encode_images(self, images: Iterable[Image.Image]) -> tuple[F32, F32]:
        """(n, dim) projected and (n, raw_dim) raw vectors of n pictures, which are taken one by one as needed."""

    def encode_texts(self, texts: Sequence[str]) -> F32:
        """(n, dim) projected vectors of n texts."""


def make_agent(name: str, revision: str | None, weights_sha256: bytes, license: str | None) -> Agent:
    """An agent whose id follows from name and revision; without a revision the weights' hash names it."""
    revision = revision or weights_sha256.hex()[:12]
    return Agent(f"{name}@{revision}", name, revision, weights_sha256, license)


def encoder_key(agent: Agent, settings: EncoderSettings) -> str:
    """One line of JSON for everything that decides the bits of a vector; equal keys, exchangeable vectors.

    Where the weights lie is no part of it, what they are is.
    """
    parts = asdict(settings)
    if settings.precision == "auto":
        raise ValueError("an encoder has a key once its precision is resolved; see resources.encoder.devices.resolved")
    for name in ("pretrained", "revision", "weights_sha256", "license", "model"):
        del parts[name]
    parts["device"] = settings.device.partition(":")[0]  # which of several equal GPUs it was decides nothing
    parts["agent"] = agent.id
    parts["weights"] = agent.weights_sha256.hex()
    parts["versions"] = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def unit_rows(vectors: F32) -> F32:
    """(n, d) rows scaled to unit length; NaN throughout where a row is zero or not finite."""
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        norm = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
        scaled = wide / np.where(np.isfinite(norm) & (norm > 0), norm, np.nan)
    return scaled.astype(np.float32)


def check_hash(settings: EncoderSettings, found: bytes) -> None:
    """Raise EncoderError if the recipe names a hash of the weights and it is another one."""
    if settings.weights_sha256 is not None and settings.weights_sha256.lower() != found.hex():
        raise EncoderError(
            f"encoder {settings.model}: the weights have SHA-256 {found.hex()}, but the recipe asks for"
            f" {settings.weights_sha256}; fetch the weights again or correct the recipe"
        )


def hash_of_files(hashes: Sequence[bytes]) -> bytes:
    """One hash for weights in several files."""
    return hashlib.sha256("".join(f"{value.hex()}\n" for value in hashes).encode()).digest()
