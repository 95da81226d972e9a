"""A vector depends on its picture or text alone: the promise that lets builds share vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from resources.encoder import EncoderSettings, load_encoder


@pytest.fixture(params=["embedded", "tiny"])
def encoder(request):
    wanted = request.getfixturevalue(request.param)
    return load_encoder(wanted) if isinstance(wanted, EncoderSettings) else wanted


def test_a_picture_has_the_same_vectors_alone_in_company_and_in_any_order(encoder, pictures):
    projected, raw = encoder.encode_images(pictures)
    order = np.random.default_rng(1).permutation(len(pictures))
    shuffled, shuffled_raw = encoder.encode_images([pictures[i] for i in order])
    np.testing.assert_array_equal(shuffled, projected[order])
    np.testing.assert_array_equal(shuffled_raw, raw[order])
    for i in (0, 11):
        alone, alone_raw = encoder.encode_images([pictures[i]])
        np.testing.assert_array_equal(alone[0], projected[i])
        np.testing.assert_array_equal(alone_raw[0], raw[i])


def test_a_text_has_the_same_vector_alone_in_company_and_in_any_order(encoder, texts):
    vectors = encoder.encode_texts(texts)
    order = np.random.default_rng(2).permutation(len(texts))
    np.testing.assert_array_equal(encoder.encode_texts([texts[i] for i in order]), vectors[order])
    for i in (0, 3, 5, 11):
        np.testing.assert_array_equal(encoder.encode_texts(texts[i : i + 1])[0], vectors[i])


def test_neighbors_of_any_kind_change_nothing(encoder, pictures):
    """A full batch of the same picture, and one of its opposite, around it."""
    alone, _ = encoder.encode_images(pictures[:1])
    white = [pictures[0].point(lambda _: 255)] * 3
    for company in ([pictures[0]] * 4, [*white, pictures[0]], [pictures[0], *white]):
        together, _ = encoder.encode_images(company)
        at = company.index(pictures[0])
        np.testing.assert_array_equal(together[at], alone[0])


def test_short_contexts_give_the_bits_of_the_full_one(embedded, texts, monkeypatch):
    from resources.encoder import open_clip_encoder

    short = embedded.encode_texts(texts)
    monkeypatch.setattr(open_clip_encoder, "SHORT_CONTEXTS", ())
    np.testing.assert_array_equal(short, embedded.encode_texts(texts))


def test_how_far_a_text_is_padded_follows_from_its_own_length(embedded):
    pad, words = 0, 7
    tokens = np.full((5, 48), pad)
    for row, used in enumerate((2, 16, 17, 32, 33)):
        tokens[row, :used] = words
    assert embedded._shapes(tokens).tolist() == [16, 16, 32, 32, 48]
    assert embedded._shapes(np.full((1, 48), pad)).tolist() == [16]
    assert embedded._shapes(np.full((1, 12), words)).tolist() == [12]


def test_a_text_longer_than_the_context_is_cut_there(embedded):
    long = embedded.encode_texts(["boat " * 60, "boat " * 90])
    np.testing.assert_array_equal(long[0], long[1])


def test_nothing_in_gives_nothing_out(encoder):
    projected, raw = encoder.encode_images([])
    assert projected.shape == (0, encoder.dim)
    assert raw.shape == (0, encoder.raw_dim)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


def test_the_number_of_threads_is_set_for_a_batch_and_given_back(tiny, monkeypatch, pictures):
    import torch

    encoder = load_encoder(replace(tiny, threads=1))
    seen = []
    encode = encoder.model.encode_image
    monkeypatch.setattr(encoder.model, "encode_image", lambda x: seen.append(torch.get_num_threads()) or encode(x))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        encoder.encode_images(pictures[:1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1]
