"""The kit for language models: chats in, texts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from resources.conformance import agents, writers
from resources.conformance.checks import Answer, Check, Result, results
from resources.conformance.material import odd_texts
from resources.language_model.base import LanguageModel, Question

WORDS = ("cat", "dog", "house", "tree", "red", "blue", "big")


def chats() -> list[Question]:
    """Chats of one word each."""
    return [Question(f"q{place}", (("user", word),)) for place, word in enumerate(WORDS)]


@dataclass(frozen=True)
class LanguageModelCase(writers.WriterCase):
    """A language model that is asked; see `WriterCase`."""

    questions: list[Question] = field(default_factory=chats)


def takes_a_chat_for_a_question(case: LanguageModelCase) -> Answer:
    """Does a chat alone get the answer of the question that it is?"""
    found = case.model.complete([case.questions[0].chat])
    if len(found) != 1 or not found[0].answered:
        return False, "a chat alone gets no answer"
    same = not case.compares or found == case.model.complete([case.questions[0]])
    return same, "the same answer" if same else "a chat alone gets another answer than as a question"


def answers_or_refuses_odd_texts(case: LanguageModelCase) -> Answer:
    """Does an empty, endless or strange text get an answer or a final refusal, and leave its neighbors alone?"""
    return writers.survives(case, (Question(name, (("user", text),)) for name, text in odd_texts().items()))


def lands_in_table_agent(case: LanguageModelCase) -> Answer:
    """Does table `agent` take it, and give back id, revision and license?"""
    agent = case.model.agent
    return agents.row_of(agent, "language-model", agent.output_terms, case.land)


LANGUAGE_MODEL_CHECKS: tuple[Check[LanguageModelCase], ...] = (
    writers.loads,
    writers.answers_every_question_once,
    writers.answers_only_what_is_wanted,
    writers.answers_a_question_by_itself,
    writers.answers_nothing_for_nothing,
    takes_a_chat_for_a_question,
    writers.says_why_an_answer_ends,
    writers.says_the_same_twice,
    writers.says_the_same_in_two_loads,
    writers.says_what_decides_its_answers,
    answers_or_refuses_odd_texts,
    writers.states_its_license,
    writers.states_its_revision,
    lands_in_table_agent,
)


def language_model_checks(load: Callable[[], LanguageModel], land: agents.Land) -> Iterator[Result]:
    """Ask a language model everything that a build relies on; `load` makes it anew every time."""
    return results(LANGUAGE_MODEL_CHECKS, LanguageModelCase(load, land))
