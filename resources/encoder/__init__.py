"""Encoders: pictures and texts as vectors in one space. `load_encoder(EncoderSettings(...))` is the way in."""

from resources.encoder.base import Agent, Encoder, EncoderError, EncoderSettings
from resources.encoder.devices import resolved
from resources.encoder.load import LazyEncoder, build_encoder, identify_encoder, lazy_encoder, load_encoder

__all__ = [
    "Agent",
    "Encoder",
    "EncoderError",
    "EncoderSettings",
    "LazyEncoder",
    "build_encoder",
    "identify_encoder",
    "lazy_encoder",
    "load_encoder",
    "resolved",
]
