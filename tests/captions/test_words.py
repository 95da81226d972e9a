"""Words, numbers and names are the same however they are written."""

import pytest

from assets.captions import facts, kin, numerals
from assets.captions.words import Text, clean, names, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [("cherries", "cherry"), ("Zürich", "zurich"), ("Godard's", "Godard"), ("houses", "house"), ("running", "run"),
     ("U.S.", "US"), ("площади", "площадь"), ("Москве", "Москва")],
)  # fmt: skip
def test_forms_of_a_word_are_one(one, other):
    assert Text(one).stems == Text(other).stems


@pytest.mark.parametrize(
    ("one", "other"), [("Paul", "Paula"), ("Boston", "Austin"), ("1989", "1998"), ("glass", "glas")]
)
def test_other_words_stay_apart(one, other):
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("twenty-five birds", {"25"}),
        ("one hundred and fifty cars", {"150"}),
        ("2 million people", {"2000000"}),
        ("nineteen eighty-four", {"1984"}),
        ("$1,099.00", {"1099"}),
        ("1,5 kg", {"1.5"}),
        ("12.05.2019", {"12", "5", "2019"}),
        ("the nineteenth century", {"19"}),
        ("three dogs and four cats", {"3", "4"}),
        ("one of them", set()),
        ("no number", set()),
    ],
)
def test_numbers_are_compared_by_value(text, values):
    assert numerals.stated(Text(text)) == values


@pytest.mark.parametrize(
    ("alt", "fused"),
    [("'80s fashion", "fashion of the 1980s"), ("World War II", "World War 2"), ("12.05.2019", "May 12, 2019"),
     ("$2M house", "a house for 2 million dollars"), ("a pair of cats", "two cats"), ("12 000 steps", "12,000 steps")],
)  # fmt: skip
def test_another_way_to_say_a_number_invents_none(alt, fused):
    assert not facts.invented_numbers(Text(fused), facts.Inputs(Text(alt), Text("")))


def test_numbers_of_files_and_sizes_of_pictures_are_no_facts():
    assert numerals.given(Text("IMG_2034 photo 3, 1920x1080, 9780471072492, 7.jpg")) == set()
    assert numerals.given(Text("Route 66 in 1985")) == {"66", "1985"}


@pytest.mark.parametrize(
    ("alt", "fused"),
    [("Tuscany, Italy", "an Italian village"), ("München", "a street in Munich"), ("NYC", "New York City"),
     ("WHO logo", "the World Health Organization"), ("Bald eagle, Alaska", "the Alaskan sky"), ("Café", "a Cafe"),
     ("Mt. Etna", "Mount Etna"), ("OpenOffice", "Open Office"), ("Dec 24", "December 24")],
)  # fmt: skip
def test_another_way_to_say_a_name_invents_none(alt, fused):
    assert not facts.invented_names(Text(f"This is {fused}."), facts.Inputs(Text(alt), Text("")))


@pytest.mark.parametrize(
    "fused", ["This is Paris.", "Max, a dog, sits.", "A street in boston.", "Berlin is here.", "Anna's dog."]
)
def test_a_name_from_nowhere_is_found_wherever_it_stands(fused):
    assert facts.invented_names(Text(fused), facts.Inputs(Text("a dog"), Text("a street")))


def test_words_that_open_a_sentence_are_no_names():
    text = Text("Snowy roofs. Beautiful Prague is old. Dogs run.")
    assert [text.words[i] for i in names(text)] == ["Prague"]


def test_what_names_belong_together_is_told_for_both_directions():
    assert "indian" in kin.relatives(Text("India"))
    assert "india" in kin.relatives(Text("an Indian palace"))
    assert not kin.akin("martinez", {"martin"})


@pytest.mark.parametrize("text", ["a\u200bb  c\x00", "ﬁne ｗｉｄｅ", "tab\tnew\nline", "١٢ kg", "\ud800", "é" * 3])
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)
