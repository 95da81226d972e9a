"""What every language model owes, whatever its kind: the kit over each."""

import itertools

import pytest

from assets.provenance.agents import agent_row
from resources.conformance import LANGUAGE_MODEL_CHECKS, LanguageModelCase, judge
from resources.language_model import EndpointSettings, LanguageModelAgent
from resources.language_model.endpoint import Endpoint
from tests.captions.models import Scripted
from tests.resources.language_model.server import Reply, ScriptedServer
from tests.resources.language_model.test_transformers_model import model as transformers_model
from tests.resources.language_model.test_transformers_model import tiny  # noqa: F401

KINDS = ("transformers", "transformers in batches", "endpoint", "scripted")


def _answer(request, attempt):
    return Reply(text=f"a {request.said[:20]} sits", echo=request.id)


@pytest.fixture(scope="module", params=KINDS)
def case(request, tiny):  # noqa: F811
    """One model of every kind; what the endpoint answers follows from the question alone, so its answers are compared."""
    if request.param == "endpoint":
        with ScriptedServer(_answer) as server:
            settings = EndpointSettings(server.base_url, "scripted", "r1", license="MIT", output_terms="none")
            yield LanguageModelCase(lambda: Endpoint(settings), agent_row, compare=True)
    elif request.param == "scripted":
        yield LanguageModelCase(lambda: Scripted(by=lambda question: f"a {question.chat[-1][1][:20]} sits"), agent_row)
    else:
        size = 3 if request.param.endswith("batches") else 1
        yield LanguageModelCase(
            lambda: transformers_model(tiny, batch_size=size, license="MIT", output_terms="none"), agent_row
        )


@pytest.mark.parametrize("check", LANGUAGE_MODEL_CHECKS, ids=lambda check: check.__name__)
def test_a_language_model_keeps_the_contract(case, check):
    found = judge(check, case)
    assert found.holds, found.sentence


def test_it_says_who_it_is(case):
    agent = case.model.agent
    assert isinstance(agent, LanguageModelAgent)
    assert (agent.license, agent.output_terms) in (("MIT", "none"), ("Apache-2.0", "none"))


def test_a_reversed_list_of_questions_gets_the_answers_reversed(case):
    assert case.model.complete(case.questions[::-1]) == case.answers[::-1]
    assert len(case.questions) == 7


@pytest.fixture(scope="module")
def count():
    return itertools.count()


def test_an_endpoint_that_never_repeats_itself_is_observed_and_not_held_to_repeat(count):
    with ScriptedServer(lambda request, attempt: Reply(text=f"cat {next(count)}", echo=request.id)) as server:
        settings = EndpointSettings(server.base_url, "scripted", "r1", license="MIT", output_terms="none")
        observed = LanguageModelCase(lambda: Endpoint(settings), agent_row)
        found = {check.__name__: judge(check, observed) for check in LANGUAGE_MODEL_CHECKS}
        assert {name for name, result in found.items() if not result.holds} == set()
        assert "recorded and not compared" in found["says_the_same_twice"].sentence
        assert not judge(
            LANGUAGE_MODEL_CHECKS[7], LanguageModelCase(lambda: Endpoint(settings), agent_row, compare=True)
        ).holds
