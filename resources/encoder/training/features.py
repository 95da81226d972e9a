"""What the frozen towers say about drawings, captions and ImageNet's classes; computed once and kept in a file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from resources.encoder.base import EncoderSettings, unit_rows
from resources.encoder.embedded import IMAGE_TOWER, load_embedded
from resources.encoder.training.drawings import Drawing
from resources.encoder.training.rendering import difference_hash, render_all

F32 = np.ndarray


@dataclass(frozen=True)
class Features:
    """Everything training and measuring need; after this, no picture and no tower is looked at again.

    Attributes:
        drawings: n of them, those that could be drawn.
        images: (n, 1280) pooled features of the image tower, not scaled.
        hashes: (n, 256) bool, difference hashes.
        captions: text -> row of `texts`.
        texts: (m, 384) unit vectors of the text tower, before its projection.
        classes: (1000, 384) the same of ImageNet's class names, in the order of the classifier.
        classifier: (1000, 1280) the image tower's classifier, which the encoder itself does not use.
        bias: (1000,) its bias.
    """

    drawings: list[Drawing]
    images: F32
    hashes: np.ndarray
    captions: dict[str, int]
    texts: F32
    classes: F32
    classifier: F32
    bias: F32


def extract(drawings: Sequence[Drawing], root: Path, work: Path, threads: int) -> Features:
    """Draw, encode and hash; files in `work` are used again if they were made from the same drawings."""
    pictures = render_all(drawings, root, work / "pictures", threads)
    kept = [(drawing, path) for drawing, path in zip(drawings, pictures, strict=True) if path is not None]
    shown, paths = [drawing for drawing, _ in kept], [path for _, path in kept]
    captions = sorted({text for drawing in shown for text, _ in drawing.captions})
    names, listed = class_names(), json.dumps([[d.path for d in shown], captions])
    file = work / "features.npz"
    stored = dict(np.load(file, allow_pickle=False)) if file.is_file() else {}
    if str(stored.get("listed", "")) != listed:
        stored = _encode(paths, [*captions, *names], threads)
        np.savez(file, allow_pickle=False, listed=np.array(listed), **stored)
    texts = unit_rows(stored["texts"])
    state = _classifier()
    return Features(
        drawings=shown,
        images=stored["images"],
        hashes=np.stack([difference_hash(Image.open(path)) for path in paths]),
        captions={text: row for row, text in enumerate(captions)},
        texts=texts[: len(captions)],
        classes=texts[len(captions) :],
        classifier=state[0],
        bias=state[1],
    )


def _encode(paths: Sequence[Path], texts: Sequence[str], threads: int) -> dict[str, np.ndarray]:
    import torch

    encoder = load_embedded(EncoderSettings(threads=threads))
    _, images = encoder.image_features(Image.open(path) for path in paths)
    encoder.model.text.proj = torch.nn.Identity()  # captions as the text tower itself sees them
    encoder.dim = encoder.model.text.config.hidden_size
    return {"images": images, "texts": encoder.encode_texts(texts)}


def _classifier() -> tuple[F32, F32]:
    """The published classifier's weights (1000, 1280) and bias (1000,)."""
    import torch

    state = torch.load(IMAGE_TOWER.locate(), map_location="cpu", weights_only=True)
    return state["_fc.weight"].numpy(), state["_fc.bias"].numpy()


def class_names() -> list[str]:
    """The first name of each of ImageNet's 1,000 classes, in the order of every classifier trained on it."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("training needs timm, which comes with open_clip_torch")
    folder = Path(spec.origin).parent / "data" / "_info"
    ids = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    lemmas = dict(line.strip().split("\t", 1) for line in lines)
    return [lemmas[name].split(",")[0] for name in ids]
