"""What a language model is: something that answers questions, each made of turns of text and, maybe, a picture.

A captioner is one whose questions carry pictures. Models in this process repeat: the same question gets the same
answer. Models behind an endpoint are observed: their answers are recorded, and a build reads the recording.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Chat = Sequence[tuple[str, str]]
"""Turns of a conversation as (role, text); roles are system, user and assistant."""

ANSWERED = ("stop", "length")
"""Finish reasons of a question that got an answer, whole or cut."""

FINAL = ("prompt_too_long", "content_filter", "refused", "unreadable_picture")
"""Finish reasons without an answer that asking again would not change."""


class LanguageModelError(Exception):
    """A model cannot be loaded or asked at all; the message says which and what to do."""


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
class Question:
    """One thing that a model is asked.

    Attributes:
        id: name of the question, unique among those that are asked together; a request carries it.
        chat: turns of text; empty for a model that takes nothing but a picture.
        picture: encoded picture, as stored: JPEG, PNG, WebP or GIF.
        max_new_tokens: longest answer; None for the model's own limit.
        min_new_tokens: shortest answer, for models that cannot be asked in words.
    """

    id: str
    chat: Chat
    picture: bytes | None = None
    max_new_tokens: int | None = None
    min_new_tokens: int = 0


@dataclass(frozen=True)
class Completion:
    """One answer, or why there is none.

    Attributes:
        text: what was written, without special tokens and outer white space.
        finish_reason: `stop` where the model ended, `length` where the limit did; otherwise why there is no answer:
            `prompt_too_long`, `unreadable_picture`, `refused` (the endpoint takes no such request), `content_filter`,
            `timeout`, `unreachable`, `rate_limited`, `server_error`, `cut_stream`, `bad_json`, `no_choice`, `wrong_id`,
            `too_large`, `packed`, `over_budget`, `not_asked`.
        tokens: tokens written, without the one that ends.
        prompt_tokens: tokens read; None where nobody counted.
        attempts: requests that were made.
        seconds: from the first request to the answer; of a batch, the batch's own time over its rows.
        cost: what it cost, in the currency of the prices; None where there are none.
        served_by: what the endpoint says of the model that answered.
    """

    text: str
    finish_reason: str
    tokens: int
    prompt_tokens: int | None = None
    attempts: int = field(default=1, compare=False)
    seconds: float | None = field(default=None, compare=False)
    cost: float | None = field(default=None, compare=False)
    served_by: str | None = field(default=None, compare=False)

    @property
    def answered(self) -> bool:
        """Whether there is an answer, whole or cut."""
        return self.finish_reason in ANSWERED

    @property
    def final(self) -> bool:
        """Whether asking again would change nothing."""
        return self.answered or self.finish_reason in FINAL


Answers = list[tuple[int, Completion]]
"""Places of questions, and their answers."""


class LanguageModel(ABC):
    """Anything that answers questions. `tests/resources/language_model/test_conformance.py` asks this of every kind.

    Attributes:
        repeats: True where the same question always gets the same answer, False for what can only be observed.
    """

    repeats: bool = True

    @property
    @abstractmethod
    def agent(self) -> LanguageModelAgent:
        """Who answers; asking does not load weights."""

    @property
    @abstractmethod
    def decoding(self) -> dict[str, Any]:
        """What besides agent and question decides an answer (precision, batch, seed …), as plain values."""

    @abstractmethod
    def answer(self, questions: Sequence[Question], wanted: Collection[int] | None = None) -> Iterator[Answers]:
        """Answers as they come, in groups: every wanted question exactly once, whatever happens to it.

        Args:
            questions: all of them; which are answered together follows from this list alone, never from `wanted`.
            wanted: places of the questions that need an answer; None for all.
        Raises:
            LanguageModelError: nothing can be asked at all.
        """

    def complete(self, questions: Sequence[Question | Chat]) -> list[Completion]:
        """One answer per question, in their order; a chat alone is a question named by its place."""
        asked = [q if isinstance(q, Question) else Question(str(i), q) for i, q in enumerate(questions)]
        found = dict(pair for group in self.answer(asked) for pair in group)
        return [found[place] for place in range(len(asked))]
