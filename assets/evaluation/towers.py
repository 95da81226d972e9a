"""What an encoder's text tower says before any projection: the projection is what an arm trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resources.encoder.base import EncoderError, EncoderSettings
from resources.encoder.load import build_encoder


def text_features(settings: EncoderSettings, texts: Sequence[str]) -> np.ndarray:
    """(n, d) float32 unit vectors of n texts by the text tower alone; equal texts are computed once.

    The embedded encoder's projection was trained on drawings of its own, and a comparison through it would be about
    those. Of pictures, column `image_raw` of table `embedding` has such vectors.

    Raises:
        EncoderError: where the model cannot be built, or has no projection that could be left out.
    """
    # Built anew: what is taken off here belongs to the encoder that others share.
    encoder = build_encoder(settings)
    encoder.dim = without_projection(encoder.model, settings.model)  # type: ignore[attr-defined]
    distinct, row = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return np.asarray(encoder.encode_texts(distinct.tolist())[row])


def without_projection(model: Any, name: str) -> int:
    """Take the projection off an open_clip model's text tower; returns the length of its vectors then."""
    import torch

    text = getattr(model, "text", model)
    place = "proj" if hasattr(text, "proj") else "text_projection"
    projection = getattr(text, place, None)
    if isinstance(projection, torch.nn.Parameter):
        width = projection.shape[0]
    elif isinstance(projection, torch.nn.Module):
        width = next((m.in_features for m in projection.modules() if isinstance(m, torch.nn.Linear)), 0)
    else:
        width = 0
    if not width:
        raise EncoderError(f"encoder {name}: its text tower has no projection that could be left out")
    setattr(text, place, torch.nn.Identity() if place == "proj" else None)
    return int(width)
