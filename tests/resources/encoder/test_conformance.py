"""What every encoder must do. Who adds an encoder adds a line to ENCODERS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from resources.encoder import Encoder, EncoderSettings, build_encoder, identify_encoder, lazy_encoder
from resources.encoder.base import unit_rows

ENCODERS: dict[str, Callable[[EncoderSettings], EncoderSettings]] = {
    "embedded": lambda tiny: EncoderSettings(batch_size=4),
    "open_clip": lambda tiny: replace(tiny, license="MIT"),
    "open_clip in bf16": lambda tiny: replace(tiny, license="MIT", precision="bf16", revision="r1"),
}
"""Settings by name; they may use those of the tiny open_clip model. Batches of 4, so that 12 pictures are three."""


@functools.cache
def built(settings: EncoderSettings) -> Encoder:
    return build_encoder(settings)


@functools.cache
def answered(settings: EncoderSettings) -> dict[str, np.ndarray]:
    """Holds an encoder's vectors of all pictures and texts, filled by the first test that wants them."""
    return {}


@pytest.fixture(params=ENCODERS)
def settings(request, tiny) -> EncoderSettings:
    return ENCODERS[request.param](tiny)


@pytest.fixture
def encoder(settings) -> Encoder:
    return built(settings)


@pytest.fixture
def answers(settings, encoder, pictures, texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Projected and raw vectors of all pictures, and vectors of all texts; read-only."""
    found = answered(settings)
    if not found:
        found["projected"], found["raw"] = encoder.encode_images(pictures)
        found["words"] = encoder.encode_texts(texts)
        for vectors in found.values():
            vectors.flags.writeable = False
    return found["projected"], found["raw"], found["words"]


def test_vectors_have_the_stated_length_and_are_unit_float32(encoder, answers, pictures, texts):
    projected, raw, words = answers
    assert projected.shape == (len(pictures), encoder.dim)
    assert raw.shape == (len(pictures), encoder.raw_dim)
    assert words.shape == (len(texts), encoder.dim)
    for vectors in (projected, raw, words):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_pictures_and_texts_differ_from_each_other(answers):
    """A tower that answers everything alike would pass all other tests."""
    projected, raw, words = answers
    for vectors in (projected, raw, words[:7]):
        assert len(np.unique(vectors, axis=0)) == len(vectors)


def test_a_picture_has_the_same_bits_alone_in_company_and_in_any_order(encoder, answers, pictures):
    projected, raw, _ = answers
    order = np.random.default_rng(1).permutation(len(pictures))
    shuffled, shuffled_raw = encoder.encode_images([pictures[i] for i in order])
    np.testing.assert_array_equal(shuffled, projected[order])
    np.testing.assert_array_equal(shuffled_raw, raw[order])
    for i in (0, 11):
        alone, alone_raw = encoder.encode_images([pictures[i]])
        np.testing.assert_array_equal(alone[0], projected[i])
        np.testing.assert_array_equal(alone_raw[0], raw[i])


def test_neighbors_of_any_kind_change_nothing(encoder, answers, pictures):
    """A full batch of the same picture, and white ones before and after it."""
    usual = answers[0][0]
    white = [pictures[0].point(lambda _: 255)] * 3
    for company in ([pictures[0]] * 4, [*white, pictures[0]], [pictures[0], *white]):
        together, _ = encoder.encode_images(company)
        np.testing.assert_array_equal(together[company.index(pictures[0])], usual)


def test_a_text_has_the_same_bits_alone_in_company_and_in_any_order(encoder, answers, texts):
    vectors = answers[2]
    order = np.random.default_rng(2).permutation(len(texts))
    np.testing.assert_array_equal(encoder.encode_texts([texts[i] for i in order]), vectors[order])
    for i in (0, 3, 5, 11):
        np.testing.assert_array_equal(encoder.encode_texts(texts[i : i + 1])[0], vectors[i])


def test_prepared_batches_give_the_bits_of_pictures(encoder, answers, pictures):
    """The two ways in: pictures one by one, and batches that somebody else prepared; begun before others are done."""
    projected, raw, _ = answers
    pixels = np.stack([encoder.prepare(picture) for picture in pictures[:7]])
    assert pixels.dtype == np.uint8
    first, rest = encoder.begin_images(pixels[:4]), encoder.begin_images(pixels[4:7])
    later, earlier = rest(), first()
    for mine, whole in zip(zip(earlier, later, strict=True), (projected, raw), strict=True):
        np.testing.assert_array_equal(np.concatenate(mine), whole[:7])


def test_two_loads_give_the_same_bits(settings, encoder, answers, pictures, texts):
    again = build_encoder(settings)
    assert again is not encoder
    found = *again.encode_images(pictures[:5]), again.encode_texts(texts[:5])
    for mine, usual in zip(found, answers, strict=True):
        np.testing.assert_array_equal(mine, usual[:5])


def test_nothing_in_gives_nothing_out(encoder):
    projected, raw = encoder.encode_images([])
    assert projected.shape == (0, encoder.dim)
    assert raw.shape == (0, encoder.raw_dim)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


def test_a_tower_that_answers_with_zeros_gives_nan_and_spoils_no_neighbor(
    encoder, answers, pictures, texts, monkeypatch
):
    """Zeros have no direction: the row must be NaN, so that it is dropped and never stored as a vector."""
    import torch

    def with_a_zero(tower):
        def answer(*args, **kwargs):
            return tower(*args, **kwargs).mul(torch.tensor([[0.0], [1], [1], [1]]).to(torch.bfloat16))

        return answer

    whole = answers[0][:4], answers[2][1:5]
    visual = encoder.model.visual
    target = (visual, "head") if hasattr(visual, "head") else (encoder.model, "encode_image")
    with monkeypatch.context() as patch:
        _replace(patch, *target, with_a_zero)
        _replace(patch, encoder.model, "encode_text", with_a_zero)
        found = encoder.encode_images(pictures[:4])[0], encoder.encode_texts(texts[1:5])
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


def test_who_it_is_is_recorded(settings, encoder):
    agent = encoder.agent
    assert agent == identify_encoder(settings)
    assert agent.license
    assert agent.revision
    assert agent.id == f"{agent.name}@{agent.revision}"
    assert len(agent.weights_sha256) == 32
    key = lazy_encoder(settings).key
    for told in (agent.id, agent.weights_sha256.hex(), settings.precision, '"batch_size":4'):
        assert told in key
