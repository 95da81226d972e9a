"""A causal language model that runs in this process by transformers.

Decoding is greedy and every batch has one shape: short of prompts it is filled up, prompts are padded on the left to
the next 64 tokens, and prompts of other lengths go into other batches. In bf16 at batch size 8 no change
was seen in the few rows compared, in fp32 last bits did change with a prompt's place, which can turn a word where two
are equally likely. Batch size 1, the recipe's default, rules that out by construction and costs three to four times
the time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from resources.encoder.torchvision_shim import allow_torchvision_import
from resources.language_model import decoding as by
from resources.language_model.base import (
    Answers,
    Chat,
    Completion,
    LanguageModel,
    LanguageModelAgent,
    LanguageModelError,
    Question,
)
from resources.language_model.settings import EMBEDDED, LanguageModelSettings

STEP = 64
"""Prompts of a batch are padded to a multiple of so many tokens."""


@contextmanager
def _read_once() -> Iterator[None]:
    """While this lasts a GGUF file is parsed once, and the names of its tensors are worked out once.

    Transformers does the first three times and the second for every module, which makes most of the time of loading.
    """
    import gguf

    library: Any = gguf
    reader, names = library.GGUFReader, library.get_tensor_name_map
    library.GGUFReader, library.get_tensor_name_map = cache(reader), cache(names)
    try:
        yield
    finally:
        library.GGUFReader, library.get_tensor_name_map = reader, names


class TransformersModel(LanguageModel):
    """A causal language model in this process, decoded greedily."""

    def __init__(self, settings: LanguageModelSettings, source: str, gguf_file: str | None) -> None:
        self.settings = settings
        self._source, self._gguf = source, gguf_file

    @cached_property
    def agent(self) -> LanguageModelAgent:
        """Who answers; reads the weights' bytes where they are files here."""
        settings = self.settings
        weights = by.hash_of_folder(self._source, self._gguf)
        embedded = settings.kind == "embedded"
        name = EMBEDDED[2].removesuffix(".gguf") if embedded else (self._gguf or Path(self._source).name)
        name = name if embedded or Path(self._source).is_dir() else self._source
        terms = ("Apache-2.0", "none") if embedded else (settings.license, settings.output_terms)
        return by.local_agent(name, weights, self.precision, settings.revision, *terms)

    @cached_property
    def precision(self) -> str:
        """What `auto` comes to on this machine: fp32, bf16 or fp16."""
        return by.precision_of(self.settings.precision, self.settings.device)

    @property
    def decoding(self) -> dict[str, Any]:
        """Everything else that decides an answer."""
        return by.deciding(self.settings)

    def answer(self, questions: Sequence[Question], wanted: Collection[int] | None = None) -> Iterator[Answers]:
        """Answers batch by batch. Raises LanguageModelError where the weights cannot be loaded."""
        places = range(len(questions)) if wanted is None else sorted(set(wanted))
        if not places:
            return
        with by.threads(self.settings.threads):
            tokenizer, _ = self._loaded
            encoded = [self._encode(tokenizer, question.chat) for question in questions]
        limit, asked = self.settings.max_prompt_tokens, set(places)
        if left_out := [i for i in places if len(encoded[i]) > limit]:
            yield [(i, Completion("", "prompt_too_long", 0, len(encoded[i]))) for i in left_out]
        fitting = [i for i, ids in enumerate(encoded) if len(ids) <= limit]
        for group, length in self._groups(fitting, encoded, questions):
            if asked.isdisjoint(group):
                continue
            with by.threads(self.settings.threads):
                answers = self._answer([encoded[i] for i in group], length, questions[group[0]])
            yield [(i, answer) for i, answer in zip(group, answers, strict=True) if i in asked]

    def _groups(
        self, fitting: list[int], encoded: list[list[int]], questions: Sequence[Question]
    ) -> Iterator[tuple[list[int], int]]:
        """Prompts that are answered together, and the length they are padded to: alone at their own, else by 64s."""
        size = self.settings.batch_size
        if size == 1:
            yield from (([i], len(encoded[i])) for i in fitting)
            return
        waiting: dict[tuple[int, int, int], list[int]] = {}
        for i in fitting:
            shape = (-(-len(encoded[i]) // STEP) * STEP, *self._limits(questions[i]))
            waiting.setdefault(shape, []).append(i)
        for (length, *_), group in sorted(waiting.items()):
            yield from ((group[start : start + size], length) for start in range(0, len(group), size))

    def _limits(self, question: Question) -> tuple[int, int]:
        return question.max_new_tokens or self.settings.max_new_tokens, question.min_new_tokens

    def _answer(self, prompts: list[list[int]], length: int, question: Question) -> list[Completion]:
        """Answers of one batch, padded on the left to `length` and below to the batch size by its first prompt."""
        import torch

        started = time.perf_counter()
        tokenizer, model = self._loaded
        rows = prompts + [prompts[0]] * (self.settings.batch_size - len(prompts))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows], device=model.device)
        decoding = by.greedy(model, tokenizer.eos_token_id, pad, *self._limits(question))
        with torch.inference_mode():
            written = model.generate(input_ids=ids, attention_mask=mask, generation_config=decoding)
        ends, found = set(decoding.eos_token_id), written[: len(prompts), length:].tolist()
        seconds = (time.perf_counter() - started) / len(prompts)
        answers = [by.completion_of(tokenizer, row, ends, seconds) for row in found]
        return [replace(answer, prompt_tokens=len(p)) for answer, p in zip(answers, prompts, strict=True)]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        allow_torchvision_import()
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        here = Path(self._source).is_dir()
        where: dict[str, Any] = {"local_files_only": here, "revision": None if here else self.settings.revision}
        if self._gguf:
            where["gguf_file"] = self._gguf
        # Without this, weights may stay packed and be multiplied by kernels that are fetched from a hub.
        packed = {"quantization_config": GgufConfig(dequantize=True)} if self._gguf else {}
        dtype = by.torch_type(self.precision)
        try:
            with by.without_progress_bars(), _read_once() if self._gguf else nullcontext():
                tokenizer = AutoTokenizer.from_pretrained(self._source, **where)
                model = AutoModelForCausalLM.from_pretrained(self._source, dtype=dtype, **where, **packed)
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:300]
            raise LanguageModelError(f"language model {self.settings.model} cannot be loaded: {reason}") from error
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer, model.eval().to(torch.device(self.settings.device))

    def _encode(self, tokenizer: Any, chat: Chat) -> list[int]:
        """Token ids of a chat; a turn's text cannot contain the tokens that part turns."""
        special = self._special
        turns = [{"role": role, "content": by.without(text, special)} for role, text in chat]
        if tokenizer.chat_template is None:
            text = "\n\n".join(turn["content"] for turn in turns) + "\n"
            return list(tokenizer(text)["input_ids"])
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    @cached_property
    def _special(self) -> list[str]:
        return by.special_tokens(self._loaded[0])
