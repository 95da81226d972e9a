"""What every captioner owes, whatever its kind: the kit over each. Who adds a captioner adds it to `made`."""

import hashlib

import pytest

from assets.provenance.agents import agent_row
from resources.captioner import KINDS, CaptionerSettings, load_captioner
from resources.conformance import CAPTIONER_CHECKS, CaptionerCase, judge
from resources.language_model import EndpointSettings, LanguageModelError
from resources.language_model.endpoint import Endpoint
from tests.resources.language_model.server import Reply, ScriptedServer

NAMES = ("blip", "llava", "endpoint")
"""One that takes no words and one that chats, each of `MAKERS`; test_transformers_captioner.py has them all."""


def _look(request, attempt):
    content = request.body["messages"][-1]["content"]
    seen = hashlib.sha256(str(content).encode()).hexdigest()[:6]
    return Reply(text=f"a picture that is {seen}", echo=request.id)


@pytest.fixture(scope="module", params=NAMES)
def case(request, captioners):
    """A captioner in this process, or an endpoint; what the endpoint answers follows from the picture alone."""
    if request.param == "endpoint":
        with ScriptedServer(_look) as server:
            settings = EndpointSettings(server.base_url, "scripted", "r1", license="MIT", output_terms="none")
            yield CaptionerCase(lambda: Endpoint(settings), agent_row, compare=True)
    else:
        settings = CaptionerSettings(
            str(captioners[request.param]),
            license="MIT",
            output_terms="none",
            precision="fp32",
            max_new_tokens=8,
            threads=1,
        )
        yield CaptionerCase(lambda: load_captioner("transformers", settings), agent_row)


@pytest.mark.parametrize("check", CAPTIONER_CHECKS, ids=lambda check: check.__name__)
def test_a_captioner_keeps_the_contract(case, check):
    found = judge(check, case)
    assert found.holds, found.sentence


def test_a_kind_that_nobody_knows_is_one_sentence():
    assert "transformers" in KINDS
    with pytest.raises(LanguageModelError, match="captioner x: kind palete is none of transformers"):
        load_captioner("palete", CaptionerSettings("x"))
