"""The kits are seen to fail: models that break one promise each, and the checks that tell which."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from assets.provenance.agents import agent_row
from resources.captioner.pictures import UnreadablePicture, decode
from resources.conformance import (
    CAPTIONER_CHECKS,
    ENCODER_CHECKS,
    LANGUAGE_MODEL_CHECKS,
    CaptionerCase,
    EncoderCase,
    LanguageModelCase,
    judge,
    results,
)
from resources.encoder import Agent, EncoderSettings
from resources.encoder.base import unit_rows
from resources.language_model import Completion, LanguageModel, LanguageModelAgent

SETTINGS = EncoderSettings(kind="open_clip", model="toy", batch_size=4)
LOADS = itertools.count()


class Toy:
    """An encoder that keeps every promise: means of a picture's quarters, and hashes of a text's words."""

    agent = Agent("toy@1", "toy", "1", b"w" * 32, "MIT")
    dim = raw_dim = 12
    batch_size = 4

    def __init__(self):
        self.load = next(LOADS)

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((2, 2)), np.uint8)

    def begin_images(self, pixels):
        rows = unit_rows(1 + pixels.reshape(len(pixels), 12).astype(np.float32))
        return lambda: self.towers(rows)

    def towers(self, rows):
        return rows, rows[:, ::-1].copy()

    def encode_images(self, images):
        pixels = [self.prepare(image) for image in images]
        groups = [np.stack(pixels[at : at + 4]) for at in range(0, len(pixels), 4)]
        found = [self.begin_images(group)() for group in groups] or [self.nothing()]
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def nothing(self):
        return np.empty((0, 12), np.float32), np.empty((0, 12), np.float32)

    def encode_texts(self, texts):
        digests = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:12], np.uint8) for text in texts]
        return unit_rows(1 + np.array(digests, np.float32)) if digests else self.nothing()[0]


class OtherBitsInEachLoad(Toy):
    def towers(self, rows):
        return unit_rows(rows + np.float32(1e-3 * self.load)), rows


class LeaksFromItsNeighbor(Toy):
    def towers(self, rows):
        before = np.concatenate([np.zeros((1, 12), np.float32), rows[:-1]])
        return unit_rows(rows + np.float32(0.01) * before), rows


class TextsInCompany(Toy):
    def encode_texts(self, texts):
        own = super().encode_texts(texts)
        before = np.concatenate([np.zeros((1, 12), np.float32), own[:-1]]) if len(own) else own
        return unit_rows(own + np.float32(0.01) * before)


class WrongDimension(Toy):
    dim = 16

    def nothing(self):
        return np.empty((0, 16), np.float32), np.empty((0, 12), np.float32)


class NotUnit(Toy):
    def encode_texts(self, texts):
        return super().encode_texts(texts) * np.where(
            np.array([text == "cat" for text in texts])[:, None], 0.5, 1
        ).astype(np.float32)


class AllTextsAlike(Toy):
    def encode_texts(self, texts):
        return super().encode_texts(["same"] * len(texts))


class AnotherWayForBatches(Toy):
    def encode_images(self, images):
        projected, raw = super().encode_images(images)
        return projected[:, ::-1].copy(), raw


class SomethingForNothing(Toy):
    def encode_texts(self, texts):
        return super().encode_texts(texts or [""])


class NoLongPictures(Toy):
    def prepare(self, image):
        if max(image.size) > 100 * min(image.size):
            raise ZeroDivisionError
        return super().prepare(image)


class NoZeroBytes(Toy):
    def encode_texts(self, texts):
        if any("\0" in text for text in texts):
            raise ValueError("embedded null byte")
        return super().encode_texts(texts)


class NoLicense(Toy):
    agent = replace(Toy.agent, license=None)


class NoRevision(Toy):
    agent = replace(Toy.agent, revision="unknown", id="toy@unknown")


class RenamedByLoading(Toy):
    def __init__(self):
        super().__init__()
        self.agent = replace(Toy.agent, name="other", id="other@1")


class NamedByItsFolder(Toy):
    agent = replace(Toy.agent, name="/models/toy", id="/models/toy@1")


def failing(checks, case):
    return {result.check for result in (judge(check, case) for check in checks) if not result.holds}


def toy(kind):
    shown = Toy.agent if kind is RenamedByLoading else kind.agent
    return EncoderCase(SETTINGS, agent_row, build=lambda settings: kind(), identify=lambda settings: shown)


def test_an_encoder_that_keeps_every_promise_passes():
    assert failing(ENCODER_CHECKS, toy(Toy)) == set()
    assert [result.check for result in results(ENCODER_CHECKS, toy(Toy))] == [
        check.__name__ for check in ENCODER_CHECKS
    ]


@pytest.mark.parametrize(
    ("kind", "checks"),
    [
        (OtherBitsInEachLoad, {"gives_the_same_bits_in_two_loads"}),
        (LeaksFromItsNeighbor, {"encodes_a_picture_by_itself"}),
        (TextsInCompany, {"encodes_a_text_by_itself"}),
        (WrongDimension, {"has_the_stated_dimensions"}),
        (NotUnit, {"gives_unit_vectors"}),
        (AllTextsAlike, {"tells_pictures_and_texts_apart"}),
        (AnotherWayForBatches, {"takes_prepared_batches"}),
        (SomethingForNothing, {"gives_nothing_for_nothing"}),
        (NoLongPictures, {"answers_or_refuses_odd_pictures"}),
        (NoZeroBytes, {"answers_or_refuses_odd_texts"}),
        (NoLicense, {"states_its_license", "lands_in_table_agent"}),
        (NoRevision, {"states_its_revision"}),
        (RenamedByLoading, {"is_known_before_it_is_loaded"}),
        (NamedByItsFolder, {"lands_in_table_agent"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_encoder_that_breaks_a_promise_is_told_which(kind, checks):
    assert failing(ENCODER_CHECKS, toy(kind)) == checks


def test_an_encoder_that_is_loaded_once_only_cannot_be_compared():
    one = Toy()
    case = EncoderCase(SETTINGS, agent_row, build=lambda settings: one, identify=lambda settings: Toy.agent)
    assert failing(ENCODER_CHECKS, case) == {"gives_the_same_bits_in_two_loads"}


def test_what_cannot_be_loaded_is_told_once_with_what_it_said():
    def absent(settings):
        raise OSError("no such\nfile")

    [found] = results(
        ENCODER_CHECKS, EncoderCase(SETTINGS, agent_row, build=absent, identify=lambda settings: Toy.agent)
    )
    assert (found.check, found.holds, found.sentence) == ("loads", False, "raises OSError: no such file")


class Writer(LanguageModel):
    """A captioner, and a language model where nothing is shown, that keeps every promise."""

    agent = LanguageModelAgent("toy@1", "toy", "1", None, "MIT", "none")
    decoding = {"threads": 1}
    blind = False

    def __init__(self):
        self.load = next(LOADS)
        self.asked = 0

    def answer(self, questions, wanted=None):
        for place in sorted(range(len(questions)) if wanted is None else wanted):
            self.asked += 1
            yield [(place, self.say(questions, place))]

    def say(self, questions, place):
        question = questions[place]
        if self.looks and question.picture is None:
            return Completion("", "refused", 0)
        try:
            shown = None if question.picture is None else decode(question.picture, 1_000_000).tobytes()
        except UnreadablePicture:
            return Completion("", "unreadable_picture", 0)
        words = hashlib.sha256(repr((question.chat, not self.blind and shown)).encode()).hexdigest()[:8]
        return self.written([*" ".join(words).split()][: question.max_new_tokens], questions, place)

    def written(self, words, questions, place):
        return Completion(" ".join(words), "stop", len(words))

    looks = True


class OtherWordsInEachLoad(Writer):
    def written(self, words, questions, place):
        return super().written([*words[:-1], str(self.load)], questions, place)


class OtherWordsInCompany(Writer):
    def written(self, words, questions, place):
        return super().written([*words[:-1], str(len(questions))], questions, place)


class OtherWordsEachTime(Writer):
    def written(self, words, questions, place):
        return super().written([*words[:-1], str(self.asked)], questions, place)


class OrderTells(Writer):
    def written(self, words, questions, place):
        return super().written([*words[:-1], str(place)], questions, place)


class AnswersTwice(Writer):
    def answer(self, questions, wanted=None):
        for group in super().answer(questions, wanted):
            yield group * 2


class AnswersAll(Writer):
    def answer(self, questions, wanted=None):
        yield from super().answer(questions, None if wanted else wanted)


class Unstripped(Writer):
    def written(self, words, questions, place):
        return replace(super().written(words, questions, place), text=" ".join(words) + "\n")


class Blind(Writer):
    blind = True


class NoLimit(Writer):
    def say(self, questions, place):
        freed = [*questions]
        freed[place] = replace(questions[place], max_new_tokens=None)
        return super().say(freed, place)


class NoBombs(Writer):
    def say(self, questions, place):
        if questions[place].picture == b"":
            raise OSError("cannot identify image file")
        return super().say(questions, place)


class ReadsAnything(Writer):
    def say(self, questions, place):
        found = super().say(questions, place)
        return Completion("a picture", "stop", 2) if found.finish_reason == "unreadable_picture" else found


class NoLongStrips(Writer):
    def say(self, questions, place):
        return (
            Completion("", "timeout", 0) if "as wide as high" in questions[place].id else super().say(questions, place)
        )


class Talks(Writer):
    looks = False


class NotPlain(Writer):
    decoding = {"threads": (1, 2)}


class NoTerms(Writer):
    agent = replace(Writer.agent, output_terms=None)


class WriterWithoutLicense(Writer):
    agent = replace(Writer.agent, license=None)


@pytest.mark.parametrize(
    ("kind", "checks"),
    [
        (Writer, set()),
        (OtherWordsInEachLoad, {"says_the_same_in_two_loads"}),
        (AnswersTwice, {"answers_every_question_once", "answers_only_what_is_wanted"}),
        (AnswersAll, {"answers_only_what_is_wanted"}),
        (Unstripped, {"says_why_an_answer_ends"}),
        (Blind, {"looks_at_its_picture"}),
        (NoLimit, {"keeps_to_its_limit"}),
        (NoBombs, {"refuses_what_is_no_picture"}),
        (ReadsAnything, {"refuses_what_is_no_picture"}),
        (NoLongStrips, {"answers_or_refuses_odd_pictures"}),
        (Talks, {"refuses_a_question_without_a_picture"}),
        (NotPlain, {"says_what_decides_its_answers"}),
        (NoTerms, {"states_its_license"}),
        (WriterWithoutLicense, {"states_its_license", "lands_in_table_agent"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_captioner_that_breaks_a_promise_is_told_which(kind, checks):
    assert failing(CAPTIONER_CHECKS, CaptionerCase(kind, agent_row)) == checks


@pytest.mark.parametrize("kind", [OtherWordsInCompany, OrderTells])
def test_a_captioner_that_looks_at_its_company_fails_wherever_company_differs(kind):
    assert failing(CAPTIONER_CHECKS, CaptionerCase(kind, agent_row)) == {
        "answers_a_question_by_itself", "answers_or_refuses_odd_pictures", "refuses_what_is_no_picture",
    }  # fmt: skip


class Speaker(Writer):
    looks = False


class SpeaksOtherwiseEachTime(OtherWordsEachTime):
    looks = False


class Observed(SpeaksOtherwiseEachTime):
    repeats = False


class NoLongTexts(Speaker):
    def say(self, questions, place):
        if len(questions[place].chat[-1][1]) > 10_000:
            raise MemoryError
        return super().say(questions, place)


class NoChats(Speaker):
    def complete(self, questions):
        return super().complete(questions) if not questions or hasattr(questions[0], "id") else []


def test_a_language_model_that_breaks_a_promise_is_told_which():
    assert failing(LANGUAGE_MODEL_CHECKS, LanguageModelCase(Speaker, agent_row)) == set()
    assert failing(LANGUAGE_MODEL_CHECKS, LanguageModelCase(NoLongTexts, agent_row)) == {"answers_or_refuses_odd_texts"}
    assert failing(LANGUAGE_MODEL_CHECKS, LanguageModelCase(NoChats, agent_row)) == {"takes_a_chat_for_a_question"}
    assert "says_the_same_twice" in failing(
        LANGUAGE_MODEL_CHECKS, LanguageModelCase(SpeaksOtherwiseEachTime, agent_row)
    )


def test_what_can_only_be_observed_need_not_repeat_itself():
    assert failing(LANGUAGE_MODEL_CHECKS, LanguageModelCase(Observed, agent_row)) == set()
    assert json.dumps(Observed().decoding)
