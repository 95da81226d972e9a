"""What `auto` stands for, and devices that are not there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from resources.encoder import EncoderError, EncoderSettings, devices, lazy_encoder, load_encoder, resolved


@pytest.fixture
def processor(monkeypatch, tmp_path):
    """Says which flags the processor has."""

    def has(text: str | None) -> None:
        if text is not None:
            (tmp_path / "cpuinfo").write_text(text)
        devices.processor_flags.cache_clear()

    monkeypatch.setattr(devices, "PROCESSOR", tmp_path / "cpuinfo")
    yield has
    devices.processor_flags.cache_clear()


@pytest.mark.parametrize(
    ("cpuinfo", "precision"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", "bf16"),
        ("flags : fpu amx_bf16 amx_tile\n", "bf16"),
        ("processor : 0\nFeatures : fp asimd bf16 i8mm\n", "bf16"),
        ("flags : fpu avx2 avx512f\nbugs : bf16\n", "fp32"),
        (None, "fp32"),
    ],
)
def test_auto_is_bf16_where_the_processor_computes_in_it(processor, cpuinfo, precision):
    processor(cpuinfo)
    assert resolved(EncoderSettings(precision="auto")).precision == precision
    assert resolved(EncoderSettings(precision="fp16")).precision == "fp16"


def test_the_key_holds_what_auto_stands_for_so_that_it_shares_vectors_with_who_says_it(tiny, processor):
    auto = replace(tiny, precision="auto")
    keys = {}
    for cpuinfo, precision in (("flags : avx512_bf16\n", "bf16"), ("flags : avx2\n", "fp32")):
        processor(cpuinfo)
        keys[precision] = lazy_encoder(auto).key
        assert json.loads(keys[precision])["precision"] == precision
        assert lazy_encoder(replace(tiny, precision=precision)).key == keys[precision]
        assert load_encoder(auto) is load_encoder(replace(tiny, precision=precision))
    assert keys["bf16"] != keys["fp32"]


def test_which_of_several_gpus_it_was_is_no_part_of_the_key(tiny):
    first, second, cpu = (lazy_encoder(replace(tiny, device=name)).key for name in ("cuda", "cuda:1", "cpu"))
    assert first == second != cpu


@pytest.mark.parametrize("kind", ["embedded", "open_clip"])
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_gpu_that_is_not_there_is_said_in_one_sentence(tiny, monkeypatch, kind, precision):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settings = tiny if kind == "open_clip" else EncoderSettings()
    with pytest.raises(EncoderError, match="device is cuda, but torch finds no CUDA device here; say device: cpu"):
        load_encoder(replace(settings, device="cuda", precision=precision))


def test_a_gpu_beyond_the_last_and_a_device_of_another_name_are_said_plainly(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(EncoderError, match="device is cuda:2, but there are 2 CUDA devices"):
        devices.torch_device("cuda:2")
    with pytest.raises(EncoderError, match="device is 'gpu', but must be cpu, cuda or cuda:0"):
        devices.torch_device("gpu")
