"""File names, placeholders, formulas and odd characters are told from texts that say something."""

import time

import pytest

from assets.pool.wording import is_file_name, is_formula, is_placeholder, odd_share, visible_characters

STORM = "Z" + "\u0336\u0317\u0328\u0302" * 40 + "algo"


@pytest.mark.parametrize(
    "text",
    [
        "IMG_20240203_112233.jpg",
        "photo.JPEG",
        "Hugin2013 assistant tab tophalf.png",
        "Field-of-view.svg",
        "uploads/2019/05/DSC_0042.jpg",
        "http://example.org/x/y/z.png",
        "https://example.org/image?id=7",
        "banner.webp?width=300",
        "DSC00123",
        "IMG_1234",
        "PXL_20230401_120000",
        "20240203_112233",
        " cat.gif ",
    ],
)
def test_a_file_name_is_told(text):
    assert is_file_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "A cat on a roof",
        "Apollo 11",
        "Boeing 747-400 at night",
        "The GIF format",
        "version 2.0 of the sign",
        "see cat.jpg for the whole picture",
        "1984",
        "Node.js logo",
        "",
    ],
)
def test_words_with_numbers_or_dots_are_no_file_name(text):
    assert not is_file_name(text)


@pytest.mark.parametrize(
    "text",
    ["image", "Image 3", "Site logo", "click to enlarge", "Full-size image", "No image available", "LOGO", "Bild 12"],
)
def test_words_that_fit_any_picture_are_a_placeholder(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text", ["Debian logo", "arrow", "thumb", "a cat", "picture of a house", "12345", "", "логотип", "画像"]
)
def test_one_word_about_the_picture_is_enough(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "text", [r"{\displaystyle k=-1.0}", r"$\frac{1}{2}$", r" \begin{cases}a\end{cases}", r"\(x\)"[2:] + r"\sqrt"]
)
def test_tex_is_a_formula_only_where_it_begins_the_text(text):
    assert is_formula(text) == text.lstrip(" ${").startswith("\\")


@pytest.mark.parametrize("text", ["the \\frac command in use", "{a set}", r"C:\left", "fraction", ""])
def test_words_about_tex_are_no_formula(text):
    assert not is_formula(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \t\n", 0),
        ("a b", 2),
        ("\u200b\u200d\ufeff", 0),
        ("\u202e\u2066", 0),
        ("\x00\x07", 0),
        ("Ä é", 2),
        ("猫", 1),
        ("😀", 1),
    ],
)
def test_only_what_shows_counts_as_visible(text, count):
    assert visible_characters(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "plain words",
        "naïve café, Tiếng Việt",
        "Tie\u0302\u0301ng Vie\u0323\u0302t",
        "שָׁלוֹם",
        "हिन्दी में चित्र",
        "می\u200cخواهم",
        "👩\u200d👩\u200d👧 a family",
        "a\u200bb\u200bc zero width",
        "line\nbreak\tand tab",
    ],
)
def test_writing_of_any_language_is_not_odd(text):
    assert odd_share(text) == 0


def test_odd_characters_are_counted_by_hand():
    assert odd_share("Tree \ufffd\ufffd with apples") == pytest.approx(2 / 19)
    assert odd_share("\u202eabc") == 0.25
    assert odd_share("a\x00") == 0.5
    assert odd_share("\ue000\ue001") == 1
    # 160 marks on one letter, of which the first three are let pass.
    assert odd_share(STORM) == pytest.approx(157 / 165)


@pytest.mark.parametrize(
    "text", [STORM * 25, "_" * 4096, "(" * 4096, "1 " * 2048, "a." * 2048, "\u202e" * 4096, "{$" * 2048]
)
def test_hostile_texts_take_no_time(text):
    start = time.perf_counter()
    for look in (is_file_name, is_placeholder, is_formula, odd_share, visible_characters):
        look(text)
    assert time.perf_counter() - start < 0.5
