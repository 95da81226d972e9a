"""Character sets: where they are looked for, which labels count, and that none can stop a page."""

import codecs
import encodings
import pkgutil

import pytest

from assets.crawl.charsets import codec, decode_html

UMLAUT = "<p>Grüße</p>"


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        # A byte order mark beats the header, the header beats meta, meta beats a guess.
        (codecs.BOM_UTF8 + UMLAUT.encode(), "latin-1", "utf-8"),
        (codecs.BOM_UTF16_LE + UMLAUT.encode("utf-16-le"), "utf-8", "utf-16-le"),
        (codecs.BOM_UTF16_BE + UMLAUT.encode("utf-16-be"), None, "utf-16-be"),
        (b"<meta charset=utf-8>" + UMLAUT.encode("cp1252"), "ISO-8859-1", "cp1252"),
        (b"<meta charset=iso-8859-15>" + UMLAUT.encode("cp1252"), None, "iso8859-15"),
        (b'<meta http-equiv=Content-Type content="text/html; charset=windows-1252">' + UMLAUT.encode("cp1252"), None, "cp1252"),
        (UMLAUT.encode(), None, "utf-8"),
        (UMLAUT.encode(), "no-such-charset", "utf-8"),
    ],
)  # fmt: skip
def test_the_character_set_is_found_in_the_order_browsers_look(body, header, expected):
    html, name = decode_html(body, header)
    assert "Grüße" in html
    assert name == expected


def test_a_meta_element_that_claims_utf16_without_a_mark_is_not_believed():
    assert decode_html(b"<meta charset=utf-16>" + UMLAUT.encode(), None) == ("<meta charset=utf-16>" + UMLAUT, "utf-8")


def test_a_page_that_says_nothing_is_detected():
    russian = "<p>Привет, это страница о кошках и собаках, которые живут в нашем городе.</p>" * 5
    assert decode_html(russian.encode("cp1251"), None)[0] == russian


def test_no_character_set_of_any_name_can_stop_a_page():
    hostile = bytes(range(256)) * 2 + b"\\ud800 \\uD8"
    for name in [m.name for m in pkgutil.iter_modules(encodings.__path__)] + ["a\0b", "é", "\n", "x" * 40]:
        decode_html(hostile, name)[0].encode()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("UTF8", "utf-8"),
        (" iso-8859-1\n", "cp1252"),
        ("us-ascii", "cp1252"),
        ("x-sjis", "cp932"),
        ("Windows-31J", "cp932"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("x-cp1251", "cp1251"),
        ("iso-8859-9", "cp1254"),
        ("utf-7", None),
        ("cp037", None),
        ("hex", None),
        ("", None),
        (None, None),
    ],
)
def test_a_label_means_what_browsers_take_it_for(label, expected):
    assert codec(label) == expected


def test_a_character_set_named_in_a_comment_is_not_the_page_s():
    body = b"<!-- <meta charset=koi8-r> --><meta charset=windows-1252>" + UMLAUT.encode("cp1252")
    assert decode_html(body, None)[1] == "cp1252"


def test_an_xml_declaration_names_the_character_set_where_no_meta_element_does():
    body = b'<?xml version="1.0" encoding="Shift_JIS"?><html>' + "日本語".encode("cp932")
    assert decode_html(body, None) == (body.decode("cp932"), "cp932")


def test_bytes_that_a_character_set_does_not_know_are_replaced_one_by_one():
    assert decode_html(b"a\xe9b", "utf-8")[0] == "a\ufffdb"


def test_what_is_detected_is_looked_for_where_the_page_stops_being_ascii():
    russian = "<p>Привет, это страница о кошках и собаках, которые живут в нашем городе.</p>" * 5
    assert decode_html(b"<p>" + b"x " * 100_000 + russian.encode("koi8-r"), None)[1] == "koi8-r"


def test_western_text_that_several_character_sets_could_be_is_read_as_browsers_would():
    western = "<p>Füße, Straße, schöne Bücher und süße Äpfel für alle</p>" * 5
    assert decode_html(western.encode("cp1252"), None) == (western, "cp1252")
