"""What models by transformers share: precision, threads, greedy decoding, hash of weights, and what an answer is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resources.encoder.package_weights import weights_hash
from resources.language_model.base import Completion, LanguageModelAgent


def precision_of(asked: str, device: str) -> str:
    """What `auto` comes to on this machine: fp32, bf16 or fp16."""
    if asked != "auto":
        return asked
    import torch

    if device != "cpu":
        return "bf16"
    # Without instructions for it, bf16 on a processor is several times slower than fp32.
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16") else "fp32"


def local_agent(
    name: str,
    weights: bytes | None,
    precision: str,
    revision: str | None,
    license: str | None,
    output_terms: str | None,
) -> LanguageModelAgent:
    """Who a model in this process is: its revision, or else the hash of its weights, and its precision name it."""
    told = f"{revision or (weights.hex()[:12] if weights else 'unknown')}+{precision}"
    return LanguageModelAgent(f"{name}@{told}", name, told, weights, license, output_terms)


def deciding(settings: Any, *names: str) -> dict[str, Any]:
    """What besides agent and question decides an answer of a model in this process; `names` are settings of its own."""
    kept = ("max_new_tokens", "max_prompt_tokens", "batch_size", "threads", *names)
    # Which of several equal GPUs it was decides nothing.
    return {"device": settings.device.partition(":")[0], **{name: getattr(settings, name) for name in kept}}


def torch_type(precision: str) -> Any:
    """Torch's name of a precision."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def greedy(
    model: Any, eos_token_id: int | None, pad_token_id: int | None, max_new_tokens: int, min_new_tokens: int = 0
) -> Any:
    """Greedy decoding, whatever the model's own settings say."""
    from transformers import GenerationConfig

    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    ends = sorted({e for e in (*ends, eos_token_id) if e is not None})
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        min_new_tokens=min_new_tokens or None,
        do_sample=False,
        num_beams=1,
        eos_token_id=ends,
        pad_token_id=pad_token_id if pad_token_id is not None else (ends[0] if ends else None),
        bos_token_id=model.generation_config.bos_token_id,
        decoder_start_token_id=model.generation_config.decoder_start_token_id,
    )


def completion_of(decoder: Any, row: list[int], ends: set[int], seconds: float | None = None) -> Completion:
    """The answer in a row of new tokens: up to the first that ends."""
    stop = next((i for i, token in enumerate(row) if token in ends), None)
    text = decoder.decode(row[:stop], skip_special_tokens=True).strip()
    reason, tokens = ("length", len(row)) if stop is None else ("stop", stop)
    return Completion(text, reason, tokens, seconds=seconds)


def without(text: str, special: list[str]) -> str:
    """A text without the model's special tokens, however they are nested."""
    while any(token in text for token in special):
        for token in special:
            text = text.replace(token, " ")
    return text


def special_tokens(tokenizer: Any) -> list[str]:
    """Tokens that part turns or stand for pictures, longest first."""
    marks = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special} | set(tokenizer.all_special_tokens)
    return sorted((mark for mark in marks if mark.strip()), key=lambda mark: (-len(mark), mark))


def hash_of_folder(source: str, file: str | None = None) -> bytes | None:
    """Hash of weights that are files here: of one file, or of the names and hashes of all safetensors of a folder."""
    folder = Path(source)
    if file:
        return weights_hash(folder / file)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        return None
    return hashlib.sha256("".join(f"{f.name} {weights_hash(f).hex()}\n" for f in files).encode()).digest()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch's number of threads for a while; another number would add up in another order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Transformers loads in silence."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
