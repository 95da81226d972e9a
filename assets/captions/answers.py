"""Answers of a language model, kept by what was asked: a changed filter never asks the same thing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from assets.provenance.tables import TABLES
from resources.language_model import Chat, Completion, LanguageModel


@dataclass
class RememberingModel:
    """A language model that looks an answer up before it asks for it.

    Attributes:
        model: the model; it loads nothing before `complete`.
        decoding: what besides model and prompt decides an answer (precision, length, batch …), as plain values.
        known: answers of earlier builds by key, see `known_answers`.
        used: answers of this run by key, to be stored as table `completion`.
    """

    model: LanguageModel
    decoding: dict[str, Any]
    known: dict[bytes, Completion]
    used: dict[bytes, Completion] = field(default_factory=dict)

    @property
    def agent(self) -> Any:
        """Who answers."""
        return self.model.agent

    def key(self, chat: Chat) -> bytes:
        """Hash of everything that decides the answer."""
        parts = [self.model.agent.id, self.decoding, [list(turn) for turn in chat]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).digest()

    def complete(self, prompts: Sequence[Chat]) -> list[Completion]:
        """One answer per chat, in order; only what is not known is asked, each chat once."""
        keys = [self.key(chat) for chat in prompts]
        missing = {key: chat for key, chat in zip(keys, prompts, strict=True) if key not in self.known}
        if missing:
            self.known |= dict(zip(missing, self.model.complete(list(missing.values())), strict=True))
        self.used |= {key: self.known[key] for key in keys}
        return [self.known[key] for key in keys]

    def table(self) -> pa.Table:
        """Table `completion` of the answers used, by key."""
        rows = [
            {
                "key": key,
                "agent_id": self.model.agent.id,
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "tokens": answer.tokens,
            }
            for key, answer in sorted(self.used.items())
        ]
        return pa.Table.from_pylist(rows, schema=TABLES["completion"].schema)


def known_answers(tables: Iterable[Callable[[], pa.Table]]) -> dict[bytes, Completion]:
    """Answers in earlier files of table `completion`, by key."""
    return {
        row["key"]: Completion(row["text"], row["finish_reason"], row["tokens"])
        for read in tables
        for row in read().to_pylist()
    }
