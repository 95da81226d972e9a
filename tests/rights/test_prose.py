"""Terms of use in plain words: sentences that forbid mining or training are found, talk about it is not."""

import pytest

from assets.rights.prose import MAX_STATEMENTS, spoken_reservations


def usages(text: str) -> set[str]:
    return {usage for usage, _, _ in spoken_reservations(text.encode())}


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("The use of our content for text and data mining is expressly reserved under Art. 4.", "tdm"),
        ("You may not use any part of this site for text and data mining.", "tdm"),
        ("You must not use these pictures to train artificial intelligence systems.", "ai_train"),
        ("Using this site for training generative models is prohibited.", "ai_train"),
        ("AI training is not permitted without our prior written consent.", "ai_train"),
        ("Content may not be used to develop machine learning models.", "ai_train"),
        ("Die Nutzung der Inhalte für Text- und Data-Mining ist untersagt.", "tdm"),
        ("Das Training von KI mit diesen Bildern bleibt vorbehalten.", "ai_train"),
        ("La fouille de textes et de données est interdite.", "tdm"),
        ("Queda prohibida la minería de textos y datos.", "tdm"),
        ("El entrenamiento de inteligencia artificial está prohibido.", "ai_train"),
    ],
)
def test_a_sentence_that_forbids_or_reserves_a_use_is_found(text, usage):
    assert usage in usages(text)


@pytest.mark.parametrize(
    "text",
    [
        "We train dogs. Do not feed them.",
        "This article explains text and data mining. All rights reserved.",
        "Our museum offers training for guides; photography is prohibited.",
        "Machine learning is fun and training is free.",
        "The train is not on time.",
        "",
    ],
)
def test_talk_about_training_is_no_reservation(text):
    assert usages(text) == set()


def test_the_range_holds_the_words():
    body = b"<p>Hello.</p><p>AI training is prohibited here.</p>"
    [(usage, start, end)] = spoken_reservations(body)
    assert (usage, body[start:end]) == ("ai_train", b"AI training is prohibited")


def test_a_page_of_nothing_but_such_sentences_gives_so_many():
    assert len(list(spoken_reservations(b"AI training is prohibited. " * 5000))) == MAX_STATEMENTS


def test_a_heap_of_hints_does_not_hide_the_sentence_after_it():
    body = b"<!-- " + b"mining " * 20_000 + b"--><p>Text and data mining of this site is prohibited.</p>"
    assert {usage for usage, _, _ in spoken_reservations(body)} == {"tdm"}


def test_words_that_almost_match_cost_little():
    body = b"may not " * 200_000 + b"train" * 100_000
    assert list(spoken_reservations(body)) == []
