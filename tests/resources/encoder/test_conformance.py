"""What every encoder must do: the kit over each. Who adds an encoder adds a line to ENCODERS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from assets.provenance.agents import agent_row
from resources.conformance import ENCODER_CHECKS, EncoderCase, judge
from resources.encoder import EncoderSettings, identify_encoder, lazy_encoder
from resources.encoder.base import unit_rows

ENCODERS: dict[str, Callable[[EncoderSettings], EncoderSettings]] = {
    "embedded": lambda tiny: EncoderSettings(batch_size=4),
    "open_clip": lambda tiny: replace(tiny, license="MIT"),
    "open_clip in bf16": lambda tiny: replace(tiny, license="MIT", precision="bf16", revision="r1"),
}
"""Settings by name; they may use those of the tiny open_clip model. Batches of 4, so that 12 pictures are three."""


@functools.cache
def asked(settings: EncoderSettings) -> EncoderCase:
    """One case for all checks: the encoder is loaded, and shown its pictures, by the first that wants it."""
    return EncoderCase(settings, agent_row)


@pytest.fixture(params=ENCODERS)
def case(request, tiny) -> EncoderCase:
    return asked(ENCODERS[request.param](tiny))


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
def test_an_encoder_keeps_the_contract(case, check):
    found = judge(check, case)
    assert found.holds, found.sentence


def test_twelve_pictures_and_texts_are_shown_in_three_batches(case):
    assert (len(case.pictures), len(case.texts), case.encoder.batch_size) == (12, 12, 4)


def test_a_tower_that_answers_with_zeros_gives_nan_and_spoils_no_neighbor(case, monkeypatch):
    """Zeros have no direction: the row must be NaN, so that it is dropped and never stored as a vector."""
    import torch

    def with_a_zero(tower):
        def answer(*args, **kwargs):
            return tower(*args, **kwargs).mul(torch.tensor([[0.0], [1], [1], [1]]).to(torch.bfloat16))

        return answer

    encoder, whole = case.encoder, (case.shown[0][:4], case.said[1:5])
    visual = encoder.model.visual
    target = (visual, "head") if hasattr(visual, "head") else (encoder.model, "encode_image")
    with monkeypatch.context() as patch:
        _replace(patch, *target, with_a_zero)
        _replace(patch, encoder.model, "encode_text", with_a_zero)
        found = encoder.encode_images(case.pictures[:4])[0], encoder.encode_texts(case.texts[1:5])
    for zeroed, usual in zip(found, whole, strict=True):
        assert np.isnan(zeroed[0]).all()
        np.testing.assert_array_equal(zeroed[1:], usual[1:])


def _replace(patch, owner, name, wrap):
    """Wrap a function of a model, or the `forward` of a module in it."""
    part = getattr(owner, name)
    owner, name = (part, "forward") if hasattr(part, "forward") else (owner, name)
    patch.setattr(owner, name, wrap(getattr(owner, name)))


def test_zeros_and_infinity_become_nan_throughout():
    rows = unit_rows(np.array([[0, 0], [np.inf, 1], [np.nan, 1], [3, 4]], np.float32))
    assert np.isnan(rows[:3]).all()
    np.testing.assert_allclose(rows[3], [0.6, 0.8])


def test_an_encoder_that_is_not_loaded_has_the_same_agent_and_a_key(case):
    lazy = lazy_encoder(case.settings)
    assert lazy.agent == identify_encoder(case.settings) == case.encoder.agent
    for told in (lazy.agent.id, lazy.agent.weights_sha256.hex(), case.settings.precision, '"batch_size":4'):
        assert told in lazy.key
