import pytest

from assets.crawl.text import clean, collapse, sample_text
from assets.crawl.urls import join, same


def test_control_characters_and_lone_surrogates_go_and_line_ends_stay():
    assert clean("a\0b\x7f\ud800c\n\td\ufffe") == "abc\n\td"
    assert clean(None) is None
    assert clean("") == ""


def test_texts_are_cut_at_the_limit():
    assert clean("abcdef", 3) == "abc"
    assert collapse("a  b  c  d", 5) == "a b c"
    assert len(clean("x" * 10**6)) == 4096


def test_white_space_of_every_kind_collapses_and_nothing_left_is_none():
    assert collapse(" a \n\u00a0\u3000 b ") == "a b"
    assert collapse(" \n\0 ") is None
    assert collapse(None) is None


def test_the_first_role_with_words_is_the_text():
    texts = {"alt": " ", "title": None, "caption": " C  d ", "heading": "H"}
    assert sample_text(texts, ("alt", "title", "caption", "heading")) == "C d"
    assert sample_text(texts, ("heading", "caption")) == "H"
    assert sample_text(texts, ("alt", "title")) is None
    assert sample_text(texts, ("no such role",)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://A.example", "http://a.example/"),
        ("http://a.example:80/x#top", "http://a.example/x"),
        ("http://a.example/a/../b c", "http://a.example/b%20c"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ],
)
def test_addresses_that_browsers_take_for_one_are_the_same(one, other):
    assert same(one) == same(other)


def test_addresses_that_differ_stay_apart():
    assert (
        len(
            {
                same(url)
                for url in ("http://a.example/x", "http://a.example/X", "http://a.example/x?", "https://a.example/x")
            }
        )
        == 4
    )


def test_what_is_no_address_is_its_own_form_and_joins_to_nothing():
    assert same("not an address") == "not an address"
    assert join("not an address", "x.png") is None
    assert join("http://a.example/", "mailto:a@a.example") is None


@pytest.mark.parametrize(
    "base", ["http://A.example:80/x/y.html?q#f", "https://a.example", "http://a.example/x//", "data:,x", "no"]
)
def test_paths_that_need_no_parser_mean_what_the_parser_makes_of_them(base):
    import random

    import ada_url

    pick = random.Random(0)
    for _ in range(2000):
        reference = "".join(pick.choices("ab1-_./%:?\\", k=pick.randint(1, 8)))
        try:
            expected = ada_url.join_url(base, reference)
        except ValueError:
            expected = ""
        assert join(base, reference) == (expected if expected.startswith(("http://", "https://", "data:")) else None)
