"""Answers of models that write, kept by what was asked: nothing is asked twice, and a killed run loses one group.

Every group of answers is written down as it comes. What was asked before, in this run, an earlier one or an earlier
build, is looked up. Answers that can only be observed are asked for apart and recorded as segments; what a build makes
of them reads the recording and asks nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.provenance.tables import TABLES
from resources.lake import local_path
from resources.language_model.base import Completion, LanguageModel, Question

NOT_ASKED = Completion("", "not_asked", 0)
COLUMNS = (
    "text",
    "finish_reason",
    "tokens",
    "prompt_tokens",
    "attempts",
    "seconds",
    "cost",
    "served_by",
)
"""Columns of table `completion` that an answer is made of."""

Lookup = Callable[[Collection[bytes]], dict[bytes, Completion]]
"""Answers that are known, for the keys that are asked for."""


def question_key(agent_id: str, decoding: dict[str, Any], question: Question) -> bytes:
    """Hash of everything that decides the answer to a question: model, decoding, limits, picture, every turn."""
    limits = [question.max_new_tokens, question.min_new_tokens]
    picture = hashlib.sha256(question.picture).hexdigest() if question.picture is not None else None
    parts = [agent_id, decoding, limits, picture, [list(turn) for turn in question.chat]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).digest()


@dataclass
class Answers:
    """What a model answers, from memory where it was asked before.

    Attributes:
        model: the model; it loads nothing before it is asked.
        lookup: what earlier runs and builds were answered.
        journal: where groups of answers are written down as they come; None: nobody is asked, and a question that was
            never answered stays `not_asked`.
        used: answers given, by key.
    """

    model: LanguageModel
    lookup: Lookup
    journal: Journal | None = None
    used: dict[bytes, Completion] = field(default_factory=dict)

    def key(self, question: Question) -> bytes:
        """Hash of everything that decides the answer."""
        return question_key(self.model.agent.id, self.model.decoding, question)

    def complete(self, questions: Sequence[Question]) -> list[tuple[bytes, Completion]]:
        """Key and answer of each question, in order; each key is asked at most once."""
        keys = [self.key(question) for question in questions]
        first = dict(reversed(list(zip(keys, questions, strict=True))))
        known = self._known([key for key in dict.fromkeys(keys) if key not in self.used])
        missing = [key for key in dict.fromkeys(keys) if key not in self.used and key not in known]
        if missing and self.journal is not None:
            known |= self._ask(list(dict.fromkeys(keys)), set(missing), first, self.journal)
        for key in dict.fromkeys(keys):
            self.used.setdefault(key, known.get(key, NOT_ASKED))
        return [(key, self.used[key]) for key in keys]

    def _known(self, keys: list[bytes]) -> dict[bytes, Completion]:
        found = self.journal.answers(keys) if self.journal is not None else {}
        left = [key for key in keys if key not in found]
        return found | (self.lookup(left) if left else {})

    def _ask(
        self, order: list[bytes], missing: set[bytes], first: dict[bytes, Question], journal: Journal
    ) -> dict[bytes, Completion]:
        """Ask for what is missing. What a model in this process answers together follows from all questions."""
        asked = order if self.model.repeats else [key for key in order if key in missing]
        wanted = [place for place, key in enumerate(asked) if key in missing]
        found: dict[bytes, Completion] = {}
        started = datetime.now(UTC)
        for group in self.model.answer([first[key] for key in asked], wanted):
            answers = [(asked[place], answer) for place, answer in group]
            journal.add(self.model.agent.id, started, answers)
            found |= dict(answers)
            started = datetime.now(UTC)
        return found

    def table(self) -> pa.Table:
        """Table `completion` of the answers used, by key. Times of a model in this process stand in the ledger."""
        rows = []
        for key, answer in sorted(self.used.items()):
            row = {"key": key, "agent_id": self.model.agent.id, **{name: getattr(answer, name) for name in COLUMNS}}
            if self.model.repeats:
                row |= {"attempts": None, "seconds": None, "cost": None, "served_by": None}
            rows.append(row)
        return pa.Table.from_pylist(rows, schema=TABLES["completion"].schema)


class Journal:
    """Answers as they come, one line each, in a folder that outlives a killed run.

    A line that was being written when the run was killed is passed over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[bytes, dict[str, Any]] = {}
        if folder.is_dir():
            for file in sorted(folder.glob("answers-*.jsonl")):
                self._lines |= {bytes.fromhex(line["key"]): line for line in _lines(file)}
        self._path: Path | None = None

    def add(self, agent_id: str, started: datetime, answers: Sequence[tuple[bytes, Completion]]) -> None:
        """Write a group down; it is on its way to the disk when this returns."""
        if self._path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = len(list(self._folder.glob("answers-*.jsonl")))
            self._path = self._folder / f"answers-{number:06d}.jsonl"
        rows = [
            {"key": key.hex(), "agent_id": agent_id, "started_at": started.isoformat(), **asdict(answer)}
            for key, answer in answers
        ]
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows))
        self._lines |= {key: row for (key, _), row in zip(answers, rows, strict=True)}

    def answers(self, keys: Collection[bytes]) -> dict[bytes, Completion]:
        """What the journal has for these keys; a failure in passing is no answer, also where an earlier run had it."""
        found = {key: _completion(self._lines[key]) for key in keys if key in self._lines}
        return {key: answer for key, answer in found.items() if answer.final}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every answer with key, agent_id and started_at, oldest first."""
        return [{**row, "key": key} for key, row in self._lines.items()]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as stream:
        for line in stream:
            # A torn last line has no end; it cannot be told from a whole one by parsing alone.
            if line.endswith(b"\n"):
                yield json.loads(line)


def _completion(row: dict[str, Any]) -> Completion:
    values = {name: row[name] for name in COLUMNS}
    return Completion(**{**values, "attempts": 1 if values["attempts"] is None else values["attempts"]})


def known_answers(files: Iterable[Any], keys: Collection[bytes], every: bool = False) -> dict[bytes, Completion]:
    """Answers in Parquet files with the columns of table `completion`, for the keys that are asked for.

    Args:
        files: paths, asked in order until every key has an answer.
        keys: what is looked for.
        every: True takes failures too, where no file has an answer; False what asking again would not change alone.
    """
    found: dict[bytes, Completion] = {}
    for path in files:
        missing = {key for key in keys if key not in found or not found[key].final}
        if not missing:
            break
        with local_path(path).open("rb") as stream:
            file = pq.ParquetFile(stream)
            here = pc.is_in(file.read(["key"])["key"], pa.array(sorted(missing), pa.binary(32)))
            if not pc.any(here).as_py():
                continue
            rows = file.read(["key", *COLUMNS]).filter(here).to_pylist()
        for row in rows:
            answer = _completion(row)
            if answer.final or every:
                found[row["key"]] = answer
    return found


def attempts_made(files: Iterable[Any]) -> dict[bytes, int]:
    """How many segments have a request for a key that brought no answer."""
    counts: dict[bytes, int] = {}
    for path in files:
        with local_path(path).open("rb") as stream:
            rows = pq.read_table(stream, columns=["key", *COLUMNS]).to_pylist()
        for row in rows:
            if not _completion(row).final and row["attempts"]:
                counts[row["key"]] = counts.get(row["key"], 0) + 1
    return counts


def segment(rows: Iterable[tuple[bytes, str, Completion]]) -> pa.Table:
    """Recorded answers as a table with the columns of `completion`, from (key, agent_id, answer), by key."""
    listed = [
        {"key": key, "agent_id": agent, **{name: getattr(answer, name) for name in COLUMNS}}
        for key, agent, answer in sorted(rows, key=lambda row: row[0])
    ]
    return pa.Table.from_pylist(listed, schema=TABLES["completion"].schema)


def call_rows(journal: Journal, asset: str, shard_id: int | None) -> list[dict[str, Any]]:
    """Rows of table `model_call` for everything in a journal."""
    names = TABLES["model_call"].schema.names
    return [
        {
            **{name: row.get(name) for name in names},
            "asset": asset,
            "shard_id": shard_id,
            "started_at": datetime.fromisoformat(row["started_at"]),
        }
        for row in journal.rows
    ]


def given_up(answer: Completion, made: int, attempts: int) -> bool:
    """Whether a question is not asked again: it has its answer, or was asked in so many runs."""
    return answer.final or made >= attempts


def recorded(answer: Completion) -> Completion:
    """An answer without what its question was not asked for; see `NOT_ASKED`."""
    return replace(answer, attempts=0) if answer.finish_reason in ("not_asked", "over_budget") else answer
