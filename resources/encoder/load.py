"""From settings to an encoder: who it is at once, the model only when a vector is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from resources.encoder.base import Agent, Encoder, EncoderSettings, encoder_key
from resources.encoder.devices import resolved

_LOADING = threading.Lock()
"""Models are built one at a time: the libraries change defaults of the process meanwhile, such as torch's precision."""


@dataclass(frozen=True)
class LazyEncoder:
    """An encoder that is not loaded yet.

    Attributes:
        agent: who it is.
        key: equal keys, exchangeable vectors; see `encoder_key`.
        load: the encoder itself; the first call loads it.
    """

    agent: Agent
    key: str
    load: Callable[[], Encoder]


def load_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder that the settings name, loaded once per process, whoever asks; raises EncoderError."""
    settings = resolved(settings)
    with _LOADING:
        return _loaded(settings)


@cache
def _loaded(settings: EncoderSettings) -> Encoder:
    return build_encoder(settings)


def build_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder that the settings name, loaded anew and not kept; raises EncoderError."""
    settings = resolved(settings)
    if settings.kind == "embedded":
        from resources.encoder.embedded import load_embedded

        return load_embedded(settings)
    from resources.encoder.open_clip_encoder import load_open_clip

    return load_open_clip(settings)


def lazy_encoder(settings: EncoderSettings) -> LazyEncoder:
    """Agent and key of the encoder that the settings name, without loading it; raises EncoderError."""
    settings = resolved(settings)
    agent = identify_encoder(settings)
    return LazyEncoder(agent, encoder_key(agent, settings), lambda: load_encoder(settings))


def identify_encoder(settings: EncoderSettings) -> Agent:
    """Who the encoder will be; hashes its files, and fetches those that a pretrained tag names."""
    if settings.kind == "embedded":
        from resources.encoder.embedded import identify_embedded

        return identify_embedded(settings)
    from resources.encoder.checkpoints import identify_open_clip

    return identify_open_clip(settings)
