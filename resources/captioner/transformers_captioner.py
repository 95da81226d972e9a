"""A model that reads a picture, and a chat where it reads one, in this process by transformers.

Decoding is greedy. A batch is made of pictures that stand one after another among those with the same limits; short of
pictures it is filled up with its first. In fp32 at batch size 8 last bits may change with what a prompt is padded
to; batch size 1, the default, rules that out by construction.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError

from resources.captioner.pictures import UnreadablePicture, decode
from resources.captioner.processing import Processing
from resources.captioner.settings import CaptionerSettings
from resources.encoder.torchvision_shim import allow_torchvision_import
from resources.language_model import decoding as by
from resources.language_model.base import (
    Answers,
    Completion,
    LanguageModel,
    LanguageModelAgent,
    LanguageModelError,
    Question,
)

UNFIT = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)
"""What processors raise on a picture that they cannot make tensors of, such as one two hundred times as wide as high."""

UNLOADABLE = (OSError, ImportError, AssertionError, SafetensorError, *UNFIT)
"""What transformers and torch raise on a model, a folder or a device that is not there or not whole."""


@dataclass(frozen=True)
class _Row:
    """A question whose picture was decoded."""

    place: int
    question: Question
    picture: Image.Image


class TransformersCaptioner(LanguageModel):
    """Any model that transformers' AutoModelForImageTextToText loads, decoded greedily.

    Weights are read from safetensors when the first question is asked; code that comes with weights is never run.
    """

    def __init__(self, settings: CaptionerSettings) -> None:
        """Raises LanguageModelError where the settings name a folder that is not there."""
        path = Path(settings.model)
        if (path.is_absolute() or settings.model.startswith(".")) and not path.is_dir():
            raise LanguageModelError(f"captioner {settings.model}: there is no such folder")
        self.settings = settings
        self._here = path.is_dir()

    @cached_property
    def agent(self) -> LanguageModelAgent:
        """Who answers; reads the weights' bytes where they are files here."""
        settings = self.settings
        weights = by.hash_of_folder(settings.model)
        name = Path(settings.model).resolve().name if self._here else settings.model
        return by.local_agent(name, weights, self.precision, settings.revision, settings.license, settings.output_terms)

    @cached_property
    def precision(self) -> str:
        """What `auto` comes to on this machine: fp32, bf16 or fp16."""
        return by.precision_of(self.settings.precision, self.settings.device)

    @property
    def decoding(self) -> dict[str, Any]:
        """Everything else that decides an answer."""
        return by.deciding(self.settings, "max_pixels")

    def answer(self, questions: Sequence[Question], wanted: Collection[int] | None = None) -> Iterator[Answers]:
        """Answers batch by batch. Raises LanguageModelError where the model cannot be loaded."""
        asked = set(range(len(questions)) if wanted is None else wanted)
        for group in self._groups(questions):
            if asked.isdisjoint(group):
                continue
            with by.threads(self.settings.threads):
                answers = self._answer(group, questions)
            yield [(i, answers[i]) for i in group if i in asked]

    def _groups(self, questions: Sequence[Question]) -> Iterator[list[int]]:
        """Places of questions that are answered together: of the same limits, in their order."""
        alike: dict[tuple[int, int], list[int]] = {}
        for i, question in enumerate(questions):
            alike.setdefault(self._limits(question), []).append(i)
        size = self.settings.batch_size
        for _, group in sorted(alike.items()):
            yield from (group[start : start + size] for start in range(0, len(group), size))

    def _limits(self, question: Question) -> tuple[int, int]:
        return question.max_new_tokens or self.settings.max_new_tokens, question.min_new_tokens

    def _answer(self, group: list[int], questions: Sequence[Question]) -> dict[int, Completion]:
        """Answers of one batch, by place."""
        processing, _ = self._loaded
        started = time.perf_counter()
        answers: dict[int, Completion] = {}
        rows = []
        for i in group:
            found = self._row(processing, i, questions[i])
            if isinstance(found, _Row):
                rows.append(found)
            else:
                answers[i] = found
        rows, inputs = self._inputs(processing, rows, answers)
        if rows:
            answers |= self._generate(rows, inputs)
        seconds = (time.perf_counter() - started) / len(group)
        return {i: replace(answer, seconds=seconds) for i, answer in answers.items()}

    def _row(self, processing: Processing, place: int, question: Question) -> _Row | Completion:
        """The question made ready, or why it is not asked."""
        import jinja2

        if question.picture is None:
            return Completion("", "refused", 0)
        try:
            if processing.chats:
                processing.prompt(question.chat)
            return _Row(place, question, decode(question.picture, self.settings.max_pixels))
        except (jinja2.TemplateError, TypeError):
            return Completion("", "refused", 0)
        except UnreadablePicture:
            return Completion("", "unreadable_picture", 0)

    def _inputs(
        self, processing: Processing, rows: list[_Row], answers: dict[int, Completion]
    ) -> tuple[list[_Row], Any]:
        """Tensors of the rows that can be asked, which are returned with them; the others are answered."""
        if not rows:
            return [], None
        try:
            inputs = self._tensors(processing, rows)
            lengths = _prompt_tokens(inputs, len(rows))
        except UNFIT as error:
            if len(rows) == 1:
                self._check_processor(processing, rows[0], error)
                answers[rows[0].place] = Completion("", "unreadable_picture", 0)
                return [], None
            fit = [row for row in rows if self._inputs(processing, [row], answers)[0]]
            if len(fit) == len(rows):
                raise LanguageModelError(
                    f"captioner {self.settings.model} takes pictures of different sizes one at a time; set batch_size to 1"
                ) from None
            return self._inputs(processing, fit, answers)
        limit = self.settings.max_prompt_tokens
        if all(length is None or length <= limit for length in lengths):
            return rows, inputs
        fitting = []
        for row, length in zip(rows, lengths, strict=True):
            if length is None or length <= limit:
                fitting.append(row)
            else:
                answers[row.place] = Completion("", "prompt_too_long", 0, length)
        return self._inputs(processing, fitting, answers)

    def _check_processor(self, processing: Processing, row: _Row, error: Exception) -> None:
        """Whether it was the picture; raises LanguageModelError where a gray one does not get through either."""
        try:
            self._tensors(processing, [replace(row, picture=Image.new("RGB", (64, 48), "gray"))])
        except UNFIT:
            raise LanguageModelError(f"the processor of captioner {self.settings.model} fails: {error}") from error

    def _tensors(self, processing: Processing, rows: list[_Row]) -> Any:
        """Tensors of a whole batch, filled up with its first row."""
        filled = rows + rows[:1] * (self.settings.batch_size - len(rows))
        return processing.inputs([row.picture for row in filled], [row.question.chat for row in filled])

    def _generate(self, rows: list[_Row], inputs: Any) -> dict[int, Completion]:
        import torch
        from transformers import LogitsProcessorList

        processing, model = self._loaded
        tokenizer = processing.tokenizer
        # BERT's vocabulary, which BLIP and GIT write in, ends texts with the token that separates two.
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        most, least = self._limits(rows[0].question)
        most = max(1, min(most, _room(model, inputs)))
        decoding = by.greedy(model, end, tokenizer.pad_token_id, most, min(least, most))
        lengths = _prompt_tokens(inputs, len(rows))
        start = _start()
        with torch.inference_mode():
            written = model.generate(
                **inputs.to(model.device, dtype=model.dtype),
                generation_config=decoding,
                logits_processor=LogitsProcessorList([start]),
            )
        ends, found = set(decoding.eos_token_id), written[: len(rows), start.length :].tolist()
        return {
            row.place: replace(by.completion_of(tokenizer, tokens, ends), prompt_tokens=length)
            for row, tokens, length in zip(rows, found, lengths, strict=True)
        }

    @cached_property
    def _loaded(self) -> tuple[Processing, Any]:
        """Processing and model."""
        allow_torchvision_import()
        import torch
        from transformers import AutoModelForImageTextToText

        settings = self.settings
        where = {
            "local_files_only": self._here,
            "revision": None if self._here else settings.revision,
            "trust_remote_code": False,
        }
        dtype = by.torch_type(self.precision)
        try:
            with by.without_progress_bars():
                processor, tokenizer = _processor(settings.model, where)
                model = AutoModelForImageTextToText.from_pretrained(
                    settings.model, dtype=dtype, use_safetensors=True, **where
                )
            model = model.eval().to(torch.device(settings.device))
        except UNLOADABLE as error:
            reason = " ".join(str(error).split())[:300]
            raise LanguageModelError(f"captioner {settings.model} cannot be loaded: {reason}") from error
        return Processing(processor, tokenizer, model.main_input_name == "input_ids"), model


def _processor(source: str, where: dict[str, Any]) -> tuple[Any, Any]:
    """Processor and tokenizer; of a model that comes without a processor, image processor and tokenizer."""
    from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

    processor = AutoProcessor.from_pretrained(source, **where)
    if hasattr(processor, "image_processor"):
        return processor, processor.tokenizer
    return AutoImageProcessor.from_pretrained(source, **where), AutoTokenizer.from_pretrained(source, **where)


def _room(model: Any, inputs: Any) -> int:
    """New tokens that a model has places for, after its prompt and what it puts before it."""
    config = model.config
    parts = [getattr(config, name, None) for name in ("text_config", "decoder")] + [config]
    names = ("max_position_embeddings", "n_positions")
    places = [value for part in parts for name in names if isinstance(value := getattr(part, name, None), int)]
    if not places:
        return 1 << 30
    prompt = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
    # GIT's places are counted after the picture; four are left for what models put before an answer.
    return int(places[0]) - int(prompt) - 4


def _prompt_tokens(inputs: Any, rows: int) -> list[int | None]:
    """Tokens that each row's prompt has, the picture's included; None where there are none."""
    if "input_ids" not in inputs:
        return [None] * rows
    mask = inputs["attention_mask"] if "attention_mask" in inputs else inputs["input_ids"] >= 0
    return [int(count) for count in mask[:rows].sum(dim=1)]


def _start() -> Any:
    """A processor of logits that changes none and remembers how many tokens a row had before the first was written.

    Models return prompt and answer (most), a start token and the answer (encoder and decoder), a prompt of their own
    making and the answer (BLIP, BLIP-2) or the answer alone; what the first step sees is true of all of them.
    """
    from transformers import LogitsProcessor

    class Start(LogitsProcessor):
        length: int | None = None

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if self.length is None:
                self.length = input_ids.shape[1]
            return scores

    return Start()
