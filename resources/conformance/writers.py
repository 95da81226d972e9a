"""What is asked of everything that writes: language models and captioners.

A model behind an endpoint is observed and not repeated: its answers are recorded, and a build reads the recording. So
where a model says that it does not repeat, equal questions may get different answers, and such checks say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from resources.conformance import agents
from resources.conformance.checks import Answer
from resources.language_model.base import Completion, LanguageModel, Question

OBSERVED = "it does not repeat, so its answers are recorded and not compared"


@dataclass(frozen=True)
class WriterCase:
    """A model that is asked.

    Attributes:
        load: makes it anew every time.
        land: writes an agent as a row of table `agent` and reads it back.
        compare: whether equal questions must get equal answers; None: if the model says that it repeats.
        questions: what it is asked; no two alike.
    """

    load: Callable[[], LanguageModel]
    land: agents.Land
    compare: bool | None = None
    questions: list[Question] = field(default_factory=list)

    @cached_property
    def model(self) -> LanguageModel:
        """The model, made by the first check that wants it."""
        return self.load()

    @cached_property
    def answers(self) -> list[Completion]:
        """Answers to all questions, asked together."""
        return self.model.complete(self.questions)

    @property
    def compares(self) -> bool:
        """Whether equal questions must get equal answers."""
        return self.model.repeats if self.compare is None else self.compare


def told(answers: Sequence[Completion]) -> str:
    """Answers in a sentence: how many, and the first one's words."""
    first = next((answer.text for answer in answers if answer.text), "")
    return f"{len(answers)} answers, such as “{first[:60]}”"


def loads(case: WriterCase) -> Answer:
    """Can it be had, and does it say whether it repeats?"""
    if not isinstance(case.model, LanguageModel):
        return False, f"it is a {type(case.model).__name__}, but must be a LanguageModel"
    if not isinstance(case.model.repeats, bool):
        return False, f"repeats is {case.model.repeats!r}, but must be True or False"
    return True, case.model.agent.id


def answers_every_question_once(case: WriterCase) -> Answer:
    """Does every question get exactly one answer?"""
    places = [place for group in case.model.answer(case.questions) for place, _ in group]
    if sorted(places) != list(range(len(case.questions))):
        return False, f"{len(case.questions)} questions get answers at the places {places}"
    return True, f"{len(places)} questions, one answer each"


def answers_only_what_is_wanted(case: WriterCase) -> Answer:
    """Do only wanted questions get an answer, and the same as when all are wanted?"""
    wanted = {5, 1}
    pairs = [pair for group in case.model.answer(case.questions, wanted) for pair in group]
    if sorted(place for place, _ in pairs) != sorted(wanted):
        return False, f"of places {sorted(wanted)} it answers {sorted(place for place, _ in pairs)}"
    if case.compares and dict(pairs) != {place: case.answers[place] for place in wanted}:
        return False, "some questions of many get other answers than among all of them"
    return True, f"{len(pairs)} of {len(case.questions)} answered" + ("" if case.compares else f"; {OBSERVED}")


def answers_a_question_by_itself(case: WriterCase) -> Answer:
    """Does a question get the same answer alone, in company and in any order?"""
    if not case.compares:
        return True, OBSERVED
    if case.model.complete(case.questions[::-1]) != case.answers[::-1]:
        return False, "asked in another order, questions get other answers, or answers come in another order"
    if case.model.complete(case.questions[2:3]) != case.answers[2:3]:
        return False, "a question alone gets another answer than in company"
    return True, "alone, in company and in reverse: the same answers"


def answers_nothing_for_nothing(case: WriterCase) -> Answer:
    """Do no questions, and no wanted ones, get no answer?"""
    empty = (
        case.model.complete([]) == []
        and [pair for group in case.model.answer(case.questions, []) for pair in group] == []
    )
    return empty, "no answer" if empty else "it answers although nothing was asked"


def says_why_an_answer_ends(case: WriterCase) -> Answer:
    """Does every answer say why it ends and how many tokens it took, without white space around its words?"""
    for place, answer in enumerate(case.answers):
        if not (answer.answered and answer.final):
            return False, f"question {place} gets no answer: {answer.finish_reason}"
        if answer.tokens < 0 or answer.text != answer.text.strip():
            return False, f"answer {place} has {answer.tokens} tokens and the text {answer.text[:60]!r}"
    return True, told(case.answers)


def says_the_same_twice(case: WriterCase) -> Answer:
    """Asked twice, does it give the same answers?"""
    if not case.compares:
        return True, OBSERVED
    same = case.model.complete(case.questions) == case.answers
    return same, told(case.answers) if same else "asked again, it answers otherwise"


def says_the_same_in_two_loads(case: WriterCase) -> Answer:
    """Loaded twice, does it give the same answers?"""
    again = case.load()
    if again is case.model:
        return False, "the second load gave the first model again, so nothing can be compared"
    if again.agent != case.model.agent or again.decoding != case.model.decoding:
        return False, "the second load has another agent or other decoding"
    if not case.compares:
        return True, OBSERVED
    same = again.complete(case.questions) == case.answers
    return same, "the same answers" if same else "the second load answers otherwise"


def says_what_decides_its_answers(case: WriterCase) -> Answer:
    """Is what decides its answers, besides agent and question, made of plain values?"""
    decoding = case.model.decoding
    if json.loads(json.dumps(decoding)) != decoding:
        return False, "its decoding has values that JSON does not keep"
    return True, ", ".join(f"{name} {value}" for name, value in sorted(decoding.items())) or "nothing else"


def states_its_license(case: WriterCase) -> Answer:
    """Does it say under which license its weights are, and which terms its outputs come under?"""
    agent = case.model.agent
    if agent.output_terms is None:
        return (
            False,
            "it states no terms of its outputs; say `none` where it claims none, else which, under `output_terms`",
        )
    holds, sentence = agents.license_of(agent)
    return holds, f"{sentence}, terms of outputs {agent.output_terms}" if holds else sentence


def states_its_revision(case: WriterCase) -> Answer:
    """Does it say which revision it is, so that another one has another id?"""
    return agents.revision_of(case.model.agent)


def survives(case: WriterCase, odd: Iterable[Question]) -> Answer:
    """Whether odd questions are answered or finally refused, and the others in their company answered as usual."""
    asked = list(odd)
    mixed = [case.questions[0], *asked, *case.questions[1:3]]
    found = case.model.complete(mixed)
    lost = [question.id for question, answer in zip(asked, found[1:], strict=False) if not answer.final]
    if lost:
        return False, f"a question {lost[0]} is neither answered nor finally refused"
    if case.compares and [found[0], *found[-2:]] != case.answers[:3]:
        return False, "beside odd questions others get other answers"
    refused = sorted({answer.finish_reason for answer in found if not answer.answered})
    return True, f"{len(asked)} asked; " + (f"refused as {', '.join(refused)}" if refused else "all answered")
