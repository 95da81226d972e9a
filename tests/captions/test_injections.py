"""A web text that gives orders reaches nobody: it is not asked about, cannot leave its quotation, and is not believed."""

import re

import pytest

from assets.captions.gates import is_injection, judge
from assets.captions.injection import ORDERS
from assets.captions.phrases import LEAK, META, REFUSAL
from assets.captions.templates import fill, parse_prompt, prompt_text
from assets.captions.untrusted import harmless
from assets.captions.words import Text
from tests.captions.fusions import fusions
from tests.captions.injections import INJECTIONS, INNOCENT

NAMES = [f"{i.kind}-{i.language}-{number}" for number, i in enumerate(INJECTIONS)]
SPEAKER = re.compile(r"\b(?:system|user|assistant|human|developer|label|guess|answer|output)\s*[:=]", re.IGNORECASE)


def test_the_suite_is_wide():
    assert len(INJECTIONS) >= 80
    assert len({i.language for i in INJECTIONS}) >= 12
    assert len({i.kind for i in INJECTIONS}) >= 20
    assert len(INNOCENT) >= 60
    assert len(set(INNOCENT)) == len(INNOCENT)


@pytest.mark.parametrize("injection", INJECTIONS, ids=NAMES)
def test_what_an_obeying_model_writes_is_refused(injection):
    for obeyed in injection.obeyed:
        assert not judge(injection.alt, injection.synthetic, obeyed).accepted


@pytest.mark.parametrize("injection", INJECTIONS, ids=NAMES)
def test_an_instruction_is_recognized(injection):
    assert is_injection(injection.alt)


@pytest.mark.parametrize("injection", INJECTIONS, ids=NAMES)
def test_an_instruction_that_nobody_recognized_would_still_stay_in_its_quotation(injection):
    tame = harmless(injection.alt, 320)
    assert not re.search(r"[«»‹›\"“”„<>\[\]{}|\\`#*~\n\r]", tame)
    assert not SPEAKER.search(tame)
    assert len(tame.encode()) <= 320


def test_the_prompt_keeps_its_turns_whatever_the_web_text_says():
    prompt = parse_prompt("fusion-v1", prompt_text("fusion-v1"))
    for injection in INJECTIONS:
        chat = fill(prompt, {"alt": injection.alt, "synthetic": injection.synthetic})
        assert [role for role, _ in chat] == [role for role, _ in prompt.turns]
        assert chat[:-1] == prompt.turns[:-1]
        assert chat[-1][1].count("«") == chat[-1][1].count("»") == 2
        assert len(SPEAKER.findall(chat[-1][1])) == 2


def test_few_innocent_texts_are_taken_for_instructions():
    flagged = [text for text in INNOCENT if is_injection(text)]
    assert len(flagged) <= 2, flagged


def test_a_fusion_of_an_innocent_text_is_not_refused_for_speaking_to_a_model():
    reasons = {
        text: judge(text, "a picture of a sign", f"A picture with the words {text}.").reason for text in INNOCENT
    }
    assert sum(reason == "injected" for reason in reasons.values()) <= 2, reasons


@pytest.mark.parametrize("phrases", [LEAK, META, REFUSAL, ORDERS], ids=["leak", "meta", "refusal", "orders"])
def test_looking_for_single_words_first_misses_no_phrase(phrases):
    texts = {text for fusion in fusions() for text in (fusion.alt, fusion.fused)} | set(INNOCENT)
    texts |= {text for injection in INJECTIONS for text in (injection.alt, *injection.obeyed)}
    for text in map(Text, sorted(texts)):
        found = {match.group() for pattern in phrases.patterns for match in pattern.finditer(text.plain)}
        assert set(phrases.matches(text)) == found
