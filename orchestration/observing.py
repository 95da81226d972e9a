"""How steps ask models that write: answers in this process are kept as they come, answers of endpoints are recorded.

A model in this process repeats, so its answers are made where they are needed, and a killed run goes on from what it
wrote down. An endpoint is observed: a run asks it before the step's work, and records what it said as a segment, which
is an input of the step and of all that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from upath import UPath

from assets.captions.answers import (
    Answers,
    Journal,
    attempts_made,
    call_rows,
    given_up,
    known_answers,
    recorded,
    segment,
)
from orchestration import ledger, progress
from orchestration.plan import Work
from resources.lake import local_path, sha256_of
from resources.language_model import Completion, LanguageModel

Answering = Callable[[LanguageModel], Answers]
"""Makes the memory around a model."""


class Asking:
    """Answers for one step and shard, from whichever models it uses.

    Args:
        work: the step's work.
        observing: True while endpoints may be asked, before the step's own work.
        attempts: runs in which an endpoint is asked for an answer before it is given up.
    """

    def __init__(self, work: Work, observing: bool = False, attempts: int = 1) -> None:
        self._work, self.observing, self._attempts = work, observing, attempts
        self._journal = Journal(local_path(work.scratch_folder))
        self._given: list[Answers] = []

    def of(self, model: LanguageModel) -> Answers:
        """Memory around a model: asks it where it repeats, or while endpoints may be asked; otherwise reads alone."""
        if model.repeats:
            answers = Answers(model, partial(known_answers, earlier_files(self._work)), self._journal)
        elif self.observing:
            answers = Answers(model, self._not_to_be_asked, self._journal)
        else:
            answers = Answers(model, partial(known_answers, self._segments(), every=True))
        self._given.append(answers)
        return answers

    @property
    def completions(self) -> list[Answers]:
        """What was used of every model."""
        return self._given

    def enter_calls(self) -> None:
        """Write the ledger's rows of what was asked in this process."""
        shard = self._work.shard.shard_id if self._work.shard else None
        ledger.record_calls(self._work.build.lake, call_rows(self._journal, self._work.step.name, shard))

    def record(self) -> None:
        """Write a segment of what was not recorded yet, and the ledger's rows; forget the notes of the run."""
        known = known_answers(self._segments(), [key for given in self._given for key in given.used])
        asked = {row["key"] for row in self._journal.rows}
        rows = [
            (key, given.model.agent.id, recorded(answer))
            for given in self._given
            if not given.model.repeats
            for key, answer in given.used.items()
            # What nobody was asked, for want of money or of an endpoint, is no news.
            if key not in known and (answer.final or (key in asked and recorded(answer).attempts))
        ]
        self.enter_calls()
        if rows:
            work = self._work
            assert work.shard is not None
            folder = work.build.segment_folder(work.step, work.shard)
            number = 1 + max((int(path.name[:6]) for path in self._segments()), default=0)
            table = segment(rows)
            digest = sha256_of([[row["key"].hex(), row["text"], row["finish_reason"]] for row in table.to_pylist()])
            work.build.lake.write_table(folder / f"{number:06d}-{digest[:16]}.parquet", table)
        self._work.forget_scratch()

    def _segments(self) -> list[UPath]:
        return self._work.segments(self._work.step.name)

    def _not_to_be_asked(self, keys: Collection[bytes]) -> dict[bytes, Completion]:
        """Answers that are recorded, or were given up, and those that another build has."""
        segments = self._segments()
        made = attempts_made(segments)
        found = known_answers(segments, keys, every=True)
        found = {key: answer for key, answer in found.items() if given_up(answer, made.get(key, 0), self._attempts)}
        left = [key for key in keys if key not in found]
        return found | (known_answers(earlier_files(self._work), left) if left else {})


def earlier_files(work: Work) -> list[UPath]:
    """Files of table `completion` that builds left in the lake; this shard's first, where most answers will be."""
    label = f"{work.shard.label if work.shard else 'all'}-"
    return sorted(work.earlier("completion"), key=lambda path: (not path.name.startswith(label), path.name))


def observe(works: Sequence[Work], write: Callable[[Work, Asking], object], attempts: int) -> None:
    """Ask endpoints for what some shards need and no recording has; one process at a time.

    Args:
        works: the step's work for each shard.
        write: does the step's work with the answers it is given; its result is not used.
        attempts: runs in which an answer is asked for before it is given up.
    """
    step, lake = works[0].step, works[0].build.lake
    with lake.alone(step.name):
        for number, work in enumerate(works, 1):
            if _settled(work, attempts):
                continue
            progress.say(step.name, f"asking the endpoint, shard {number} of {len(works)}")
            asking = Asking(work, observing=True, attempts=attempts)
            write(work, asking)
            asking.record()


def _settled(work: Work, attempts: int) -> bool:
    """Whether a shard's files are there and nothing in them could still be answered."""
    if not work.build.done(work.step, work.shard):
        return False
    made = attempts_made(work.segments(work.step.name))
    path = work.build.path(work.step, work.shard, "completion")
    rows = work.build.lake.read_table([path], ["key", "finish_reason"]).to_pylist()
    return all(given_up(Completion("", row["finish_reason"], 0), made.get(row["key"], 0), attempts) for row in rows)
