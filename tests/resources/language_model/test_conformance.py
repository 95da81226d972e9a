"""What every language model owes, whatever its kind."""

import json

import pytest

from resources.language_model import EndpointSettings, LanguageModelAgent, Question
from resources.language_model.endpoint import Endpoint
from tests.captions.models import Scripted
from tests.resources.language_model.server import Reply, ScriptedServer
from tests.resources.language_model.test_transformers_model import model as transformers_model
from tests.resources.language_model.test_transformers_model import tiny  # noqa: F401

KINDS = ("transformers", "transformers in batches", "endpoint", "scripted")


def _answer(request, attempt):
    return Reply(text=f"a {request.said} sits", echo=request.id)


@pytest.fixture(params=KINDS)
def model(request, tiny):  # noqa: F811
    """One model of every kind."""
    if request.param == "endpoint":
        with ScriptedServer(_answer) as server:
            yield Endpoint(EndpointSettings(server.base_url, "scripted", "r1", license="MIT", output_terms="none"))
    elif request.param == "scripted":
        yield Scripted(by=lambda question: f"a {question.chat[-1][1]} sits")
    else:
        size = 3 if request.param.endswith("batches") else 1
        yield transformers_model(tiny, batch_size=size, license="MIT", output_terms="none")


QUESTIONS = [
    Question(f"q{i}", (("user", text),)) for i, text in enumerate(["cat", "dog", "house", "tree", "red", "blue", "big"])
]


def test_every_question_is_answered_exactly_once(model):
    places = [place for group in model.answer(QUESTIONS) for place, _ in group]
    assert sorted(places) == list(range(len(QUESTIONS)))


def test_only_wanted_questions_are_answered_and_as_they_are_among_all(model):
    whole = model.complete(QUESTIONS)
    found = dict(pair for group in model.answer(QUESTIONS, {5, 1}) for pair in group)
    assert found == {1: whole[1], 5: whole[5]}


def test_answers_stand_in_the_order_of_their_questions(model):
    assert model.complete(QUESTIONS[::-1]) == model.complete(QUESTIONS)[::-1]


def test_a_chat_alone_is_a_question(model):
    assert model.complete([QUESTIONS[0].chat]) == model.complete([QUESTIONS[0]])


def test_nothing_asked_is_nothing_answered(model):
    assert model.complete([]) == []
    assert list(model.answer(QUESTIONS, [])) == []


def test_it_says_who_it_is_and_what_decides_its_answers(model):
    agent = model.agent
    assert isinstance(agent, LanguageModelAgent)
    assert agent.id == f"{agent.name}@{agent.revision}"
    assert (agent.license, agent.output_terms) in (("MIT", "none"), ("Apache-2.0", "none"))
    assert json.loads(json.dumps(model.decoding)) == model.decoding
    assert isinstance(model.repeats, bool)


def test_an_answer_says_why_it_ends_and_what_it_took(model):
    for answer in model.complete(QUESTIONS):
        assert answer.answered
        assert answer.final
        assert answer.tokens >= 0
        assert answer.text == answer.text.strip()


def test_a_model_that_repeats_says_the_same_twice(model):
    if model.repeats:
        assert model.complete(QUESTIONS) == model.complete(QUESTIONS)
