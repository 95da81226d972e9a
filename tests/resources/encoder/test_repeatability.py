"""How texts are padded, and with how many threads towers run; what any encoder promises is in test_conformance.py."""

from __future__ import annotations

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from resources.encoder import load_encoder


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


def test_two_encoders_in_two_threads_compute_one_after_the_other(tiny, monkeypatch, pictures):
    """Threads and deterministic kernels are switches of the process: one encoder must not turn off another's."""
    inside, most, count = 0, 0, threading.Lock()

    def watched(encode):
        def answer(x):
            nonlocal inside, most
            with count:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with count:
                inside -= 1
            return encode(x)

        return answer

    encoders = [load_encoder(replace(tiny, threads=threads)) for threads in (1, 2)]
    for encoder in encoders:
        monkeypatch.setattr(encoder.model, "encode_image", watched(encoder.model.encode_image))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda encoder: encoder.encode_images(pictures[:6]), encoders))
    assert most == 1


def test_threads_that_ask_for_the_same_encoder_get_one(tiny, monkeypatch):
    from resources.encoder import load

    built = []

    def slow(settings):
        time.sleep(0.05)
        built.append(settings)
        return object()

    monkeypatch.setattr(load, "_loaded", functools.cache(slow))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: load_encoder(replace(tiny, batch_size=77)), range(3)))
    assert len(built) == 1
    assert found[0] is found[1] is found[2]
