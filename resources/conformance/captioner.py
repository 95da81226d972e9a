"""The kit for captioners: pictures in, texts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from resources.conformance import agents, material, writers
from resources.conformance.checks import Answer, Check, Result, results
from resources.language_model.base import LanguageModel, Question

CHAT = (("user", "Describe the picture in 10 to 15 words."),)
LIMIT = 40
"""Longest answer in tokens, about what short captions have."""
FORMS = ("JPEG", "PNG", "WEBP", "GIF")
"""What captioners are shown; see `assets.captions.captioning.as_shown`."""


def asked(name: str, picture: bytes | None, max_new_tokens: int = LIMIT) -> Question:
    """A question about a picture."""
    return Question(name, CHAT, picture, max_new_tokens)


def pictures() -> list[Question]:
    """Questions about pictures of noise in several shapes."""
    return [asked(f"q{place}", material.encoded(picture)) for place, picture in enumerate(material.noise(6))]


@dataclass(frozen=True)
class CaptionerCase(writers.WriterCase):
    """A captioner that is asked; see `WriterCase`."""

    questions: list[Question] = field(default_factory=pictures)


def looks_at_its_picture(case: CaptionerCase) -> Answer:
    """Do different pictures get more than one text?"""
    plain = [material.encoded(picture) for picture in material.odd_pictures().values()]
    shown = [*case.questions, *(asked(f"plain-{place}", picture) for place, picture in enumerate(plain))]
    different = len({answer.text for answer in case.model.complete(shown)})
    return different > 1, f"{len(shown)} pictures get {different} different texts"


def reads_every_stored_form(case: CaptionerCase) -> Answer:
    """Are JPEG, PNG, WebP and GIF read?"""
    picture = material.noise(1)[0]
    found = case.model.complete([asked(form, material.encoded(picture, form)) for form in FORMS])
    unread = [form for form, answer in zip(FORMS, found, strict=True) if not answer.answered]
    return not unread, f"{unread[0]} gets no answer" if unread else ", ".join(FORMS)


def answers_or_refuses_odd_pictures(case: CaptionerCase) -> Answer:
    """Does a tiny, long or empty picture get an answer or a final refusal, and leave its neighbors alone?"""
    odd = material.odd_pictures()
    return writers.survives(case, (asked(name, material.encoded(picture)) for name, picture in odd.items()))


def refuses_what_is_no_picture(case: CaptionerCase) -> Answer:
    """Are bytes that are no whole picture refused for good, and is nobody beside them harmed?"""
    broken = [asked(name, data) for name, data in material.broken_files().items()]
    holds, sentence = writers.survives(case, broken)
    if not holds:
        return False, sentence
    answered = [q.id for q, found in zip(broken, case.model.complete(broken), strict=True) if found.answered]
    # What an endpoint makes of a file that is cut off is its own affair; it is recorded like any answer.
    if answered and case.model.repeats:
        return False, f"a file that is {answered[0]} gets an answer"
    return True, sentence


def refuses_a_question_without_a_picture(case: CaptionerCase) -> Answer:
    """Is a question without a picture refused for good, where the model is in this process?"""
    [found] = case.model.complete([asked("no picture", None)])
    if not case.model.repeats:
        return found.final, f"the endpoint answers {found.finish_reason}"
    refused = found.final and not found.answered
    return refused, f"refused as {found.finish_reason}" if refused else f"it gets “{found.text[:60]}”"


def keeps_to_its_limit(case: CaptionerCase) -> Answer:
    """Has no answer more tokens than it was asked for?"""
    short = [asked(q.id, q.picture, 3) for q in case.questions[:3]]
    longest = max(answer.tokens for answer in case.model.complete(short))
    # Endpoints count tokens their own way, and some count what they thought.
    holds = longest <= 3 or not case.model.repeats
    return holds, f"asked for 3 tokens at most, the longest answer has {longest}"


def lands_in_table_agent(case: CaptionerCase) -> Answer:
    """Does table `agent` take it, and give back id, revision and license?"""
    agent = case.model.agent
    return agents.row_of(agent, "captioner", agent.output_terms, case.land)


CAPTIONER_CHECKS: tuple[Check[CaptionerCase], ...] = (
    writers.loads,
    looks_at_its_picture,
    reads_every_stored_form,
    writers.answers_every_question_once,
    writers.answers_only_what_is_wanted,
    writers.answers_a_question_by_itself,
    writers.answers_nothing_for_nothing,
    writers.says_why_an_answer_ends,
    writers.says_the_same_twice,
    writers.says_the_same_in_two_loads,
    writers.says_what_decides_its_answers,
    keeps_to_its_limit,
    answers_or_refuses_odd_pictures,
    refuses_what_is_no_picture,
    refuses_a_question_without_a_picture,
    writers.states_its_license,
    writers.states_its_revision,
    lands_in_table_agent,
)


def captioner_checks(load: Callable[[], LanguageModel], land: agents.Land) -> Iterator[Result]:
    """Ask a captioner everything that a build relies on; `load` makes it anew every time."""
    return results(CAPTIONER_CHECKS, CaptionerCase(load, land))
