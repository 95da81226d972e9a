import csv
import io

import duckdb
import pyarrow as pa
import pytest

from assets.release.attribution import (
    ATTRIBUTED,
    COLUMNS,
    LICENSE_ADDRESSES,
    attribution_csv,
    credit_line,
    harmless_cell,
)
from tests.provenance import tiny_build as t

NOTHING = dict.fromkeys(
    (
        "work_title",
        "creator",
        "credit",
        "copyright_notice",
        "source_url",
        "license_url",
        "text_license",
        "text_license_url",
    )
)


@pytest.fixture(scope="module")
def lines(assembled, released):
    return list(csv.DictReader(io.StringIO(attribution_csv(assembled.rows, released[0].members))))


def test_samples_that_ask_for_it_or_name_an_author_are_listed_in_order(lines):
    assert [row["key"] for row in lines] == [f"{i:020d}" for i in (t.A0, t.A2, t.B0)]
    assert tuple(lines[0]) == COLUMNS


def test_title_author_source_license_and_changes_are_stated(lines):
    row = lines[0]
    assert (row["work_title"], row["creator"], row["source"], row["license"]) == (
        "Oak",
        "Jane Doe",
        t.LEAF,
        "CC-BY-4.0",
    )
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


@pytest.mark.parametrize(
    ("rows", "creator"),
    [
        ([("image", "exif_artist", "Picasa"), ("sample", "caption_credit", "Jane Doe")], "Jane Doe"),
        ([("image", "xmp_cc_attributionname", "J. Doe"), ("sample", "jsonld_image", "Jane Doe")], "J. Doe"),
        ([("image", "xmp_dc_creator", "Scanner 3"), ("sample", "rdfa_about", "Jane Doe")], "Jane Doe"),
        ([("sample", "jsonld_image", "A"), ("sample", "microdata_image", "B")], "A; B"),
        ([("page", "page_author", "Page Author"), ("image", "exif_artist", "Jane Doe")], "Jane Doe"),
        ([("page", "page_author", "Page Author")], "Page Author"),
    ],
)
def test_what_was_written_to_be_credited_by_goes_before_what_a_program_left(rows, creator):
    ids = {"image": 20, "sample": 1, "page": 10}
    stated = [
        {"subject_type": kind, "subject_id": ids[kind], "rule": rule, "field": "creator", "value": value}
        for kind, rule, value in rows
    ]
    with duckdb.connect() as connection:
        connection.register("attribution", pa.Table.from_pylist(stated))
        one = {"sample_id": [1], "image_record_id": [20], "image_id": [20], "page_record_id": [10]}
        connection.register("sample", pa.table(one))
        [(found,)] = connection.execute(f"SELECT creator FROM ({ATTRIBUTED.format(samples='sample')})").fetchall()
    assert found == creator


def test_an_expression_has_the_addresses_of_all_its_licenses():
    known = pa.table({"spdx_id": ["CC0-1.0", "MIT"], "canonical_url": ["https://cc/zero", "https://osi/mit"]})
    with duckdb.connect() as connection:
        connection.register("license", known)
        rights = pa.table({"image_license": ["MIT OR CC0-1.0", "NONE"], "text_license": ["MIT", "NONE"]})
        connection.register("rights", rights)
        assert sorted(connection.execute(LICENSE_ADDRESSES).fetchall()) == [
            ("MIT", "https://osi/mit"), ("MIT OR CC0-1.0", "https://cc/zero https://osi/mit"),
        ]  # fmt: skip
