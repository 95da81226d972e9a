import csv
import io

import pytest

from assets.release.attribution import COLUMNS, attribution_csv, credit_line, harmless_cell
from tests.provenance import tiny_build as t

NOTHING = dict.fromkeys(("work_title", "creator", "credit", "copyright_notice", "source_url", "license_url"))


@pytest.fixture(scope="module")
def lines(assembled, released):
    return list(csv.DictReader(io.StringIO(attribution_csv(assembled.rows, released[0].members))))


def test_samples_that_ask_for_it_or_name_an_author_are_listed_in_order(lines):
    assert [row["key"] for row in lines] == [f"{i:020d}" for i in (t.A0, t.A2, t.B0)]
    assert tuple(lines[0]) == COLUMNS


def test_title_author_source_license_and_changes_are_stated(lines):
    row = lines[0]
    assert (row["work_title"], row["creator"], row["source"], row["license"]) == ("Oak", "J. Doe", t.LEAF, "CC-BY-4.0")
    assert (row["file"], row["license_url"]) == ("00000.tar", "https://creativecommons.org/licenses/by/4.0/")
    assert row["changes"] == "none: bytes as crawled"


def test_a_stated_source_goes_before_the_page(lines):
    assert (lines[2]["source"], lines[2]["page_url"]) == ("https://archive.example/e", t.MOON3)


def test_an_author_that_is_a_formula_stays_text(lines):
    assert lines[1]["creator"].startswith("'=HYPERLINK(")
    assert "\x1b" not in lines[1]["creator"]


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("+49", "'+49"), ("-x", "'-x"), ("@jane", "'@jane"), (" =1", "' =1"), ("\t=1", "' =1"),
     ("Jane", "Jane"), ("", ""), (None, ""), ("a\nb", "a b"), ("a=b", "a=b")],
)  # fmt: skip
def test_no_cell_is_a_formula(cell, written):
    assert harmless_cell(cell) == written


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ({}, "Image, https://p.example/, no license stated"),
        ({"credit": "Museum"}, "Image by Museum, https://p.example/, no license stated"),
        ({"copyright_notice": "© 2020 Jane"}, "Image by © 2020 Jane, https://p.example/, no license stated"),
        (
            {"creator": "Jane", "credit": "Museum", "work_title": "Oak"},
            "“Oak” by Jane, https://p.example/, no license stated",
        ),
        ({"source_url": "https://s.example/", "image_license": "CC0-1.0"}, "Image, https://s.example/, CC0-1.0"),
        (
            {"image_license": "NONE", "license_url": "https://l.example/"},
            "Image, https://p.example/, no license stated",
        ),
        (
            {"image_license": "CC0-1.0", "license_url": "https://l.example/"},
            "Image, https://p.example/, CC0-1.0 (https://l.example/)",
        ),
    ],
)
def test_a_credit_line_says_only_what_was_stated(stated, line):
    assert credit_line({**NOTHING, "page_url": "https://p.example/", "image_license": None, **stated}) == line
