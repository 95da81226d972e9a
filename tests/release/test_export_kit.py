"""The kit for exports: every form keeps what it says it keeps, and a form that loses anything is told what."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.release.conformance import EXPORT_CHECKS, ExportCase, export_checks
from assets.release.exports import EXPORTS, Form, by_rows
from assets.release.shards import ReleaseError, describe_file
from resources.conformance import judge
from tests.provenance import tiny_build as t
from tests.release import interleaved


@pytest.fixture(scope="module")
def documented(settings, tmp_path_factory):
    """Folder of the tiny release, documents included; three of its samples have bytes, one goes by its address."""
    folder = tmp_path_factory.mktemp("release")
    interleaved.write(folder, settings)
    return folder


@pytest.fixture(scope="module")
def cases(documented, gallery, tmp_path_factory):
    """Every form over the tiny release, those of samples over one of 21 pictures as well."""
    folders = {"tiny": documented, "gallery": gallery.folder}
    made = {(form, name): tmp_path_factory.mktemp(form) for form in EXPORTS for name in folders}
    return {(form, name): ExportCase(EXPORTS[form], folders[name], scratch) for (form, name), scratch in made.items()}


FORMS_AND_RELEASES = [(form, "tiny") for form in EXPORTS] + [
    (form, "gallery") for form in EXPORTS if EXPORTS[form].row == "sample"
]


@pytest.mark.parametrize("which", FORMS_AND_RELEASES, ids="-".join)
@pytest.mark.parametrize("check", EXPORT_CHECKS, ids=lambda check: check.__name__)
def test_a_form_keeps_the_contract(cases, which, check):
    found = judge(check, cases[which])
    assert found.holds, found.sentence


KEEPS = {"id": "sample_id", "page": "page_url", "url": "url", "license": "image_license", "credit": "attribution",
         "text": "caption", "hash": "sha256", "bytes": "image"}  # fmt: skip
SCHEMA = pa.schema([("sample_id", pa.uint64()), *((name, pa.string()) for name in list(KEEPS.values())[1:-1]),
                    ("image", pa.binary())])  # fmt: skip


def whole(rows):
    """Rows of a release, with the bytes that it has of each."""
    images = {i: t.BYTES[name] for i, name in ((t.A0, "a.jpg"), (t.A2, "b.png"), (t.B0, "e.gif"))}
    return [{**{name: row.get(name) for name in SCHEMA.names}, "image": images.get(row["sample_id"])} for row in rows]


def form(change=lambda rows: rows, count=len, keeps=KEEPS, lacks=None, stamp=lambda: b""):
    """A form in Parquet that does something to its rows before it writes them."""

    def write(parts, out):
        rows = change(whole([row for part in parts for row in part.to_pylist()]))
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata({"at": stamp()}), out)
        return count(rows)

    return Form(by_rows(write), pq.read_table, "sample", keeps, lacks or {})


def failing(made, folder, scratch):
    case = ExportCase(made, folder, scratch)
    return {result.check for result in (judge(check, case) for check in EXPORT_CHECKS) if not result.holds}


def first(**changes):
    return lambda rows: [{**rows[0], **changes}, *rows[1:]]


CALLS = iter(range(1000))
BROKEN = {
    "nothing": (form(), set()),
    "loses the order": (form(lambda rows: rows[::-1]), {"keeps_order"}),
    "loses a sample": (form(lambda rows: rows[1:]), {"keeps_ids"}),
    "has a sample twice": (form(lambda rows: [*rows, rows[-1]]), {"keeps_ids"}),
    "invents a sample": (form(lambda rows: [*rows, {**rows[0], "sample_id": 1}]), {"keeps_ids"}),
    "counts wrongly": (form(count=lambda rows: len(rows) + 1), {"reads_back_every_row"}),
    "loses a license": (form(first(image_license=None)), {"keeps_licenses"}),
    "loses a credit line": (form(first(attribution="")), {"keeps_credit"}),
    "changes a hash": (form(first(sha256="00" * 32)), {"keeps_hashes"}),
    "changes an address": (form(first(url="http://a.example/")), {"keeps_addresses"}),
    "cuts a caption": (form(first(caption="An")), {"keeps_texts"}),
    "another picture": (form(first(image=b"c" * 20)), {"passes_on_no_bytes_beyond_rights"}),
    "bytes that rights hold back": (
        form(lambda rows: [{**row, "image": row["image"] or t.BYTES["c.webp"]} for row in rows]),
        {"passes_on_no_bytes_beyond_rights"},
    ),
    "bytes that it does not tell of": (
        form(keeps={fact: column for fact, column in KEEPS.items() if fact != "bytes"}),
        {"passes_on_no_bytes_beyond_rights"},
    ),
    "a number of its own each time": (form(stamp=lambda: str(next(CALLS))), {"gives_equal_bytes_twice"}),
    "says nothing of hashes": (
        form(keeps={fact: column for fact, column in KEEPS.items() if fact != "hash"}),
        {"says_what_it_keeps"},
    ),
    "nobody can tell which sample": (
        form(keeps={"license": "image_license", "bytes": "image"}, lacks={"id": "no room", "hash": "no room"}),
        {"says_what_it_keeps", "keeps_ids", "keeps_order"},
    ),
    "has no such column": (replace(form(), keeps={**KEEPS, "hash": "md5"}), {"exports", "keeps_hashes"}),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_form_that_loses_something_is_told_what(documented, tmp_path, what):
    made, checks = BROKEN[what]
    assert failing(made, documented, tmp_path) == checks


def test_hard_texts_survive_every_form_of_samples(gallery, tmp_path):
    """The same release with captions, credit lines and addresses that break layouts, or that are not there."""
    hard = ['a\tb\n"c"\r\nd', "", None, "\\N NULL NaN", "=1+1", "<image>\n<image>", "\u2028\u0000x"]
    rows = gallery.rows.drop_columns(["file", "member"])
    for column in ("attribution", "caption", "image_license"):
        texts = pa.array([hard[at % len(hard)] for at in range(rows.num_rows)], pa.string())
        if column == "attribution":
            texts = pa.array([text or "by somebody" for text in texts.to_pylist()], pa.string())
        rows = rows.set_column(rows.schema.get_field_index(column), column, texts)
    folder = tmp_path / "hard"
    folder.mkdir()
    pq.write_table(rows, folder / "00000.parquet")
    file = describe_file(folder / "00000.parquet")
    (folder / "release.json").write_text(json.dumps({"files": [{"name": file.name, "sha256": file.sha256}]}))
    for name in EXPORTS:
        if EXPORTS[name].row == "sample":
            scratch = tmp_path / name
            scratch.mkdir()
            assert failing(replace(EXPORTS[name], keeps=_without_bytes(EXPORTS[name])), folder, scratch) == set(), name


def _without_bytes(made):
    return {fact: column for fact, column in made.keeps.items() if fact != "bytes"}


def test_a_release_without_what_the_form_needs_is_told_once(gallery):
    [found] = export_checks("pairs", gallery.folder)
    assert (found.check, found.holds) == ("exports", False)
    assert "has no documents; set release.documents: true" in found.sentence


def test_a_form_that_nobody_knows_is_one_sentence(documented):
    with pytest.raises(ReleaseError, match="pdf is no form of a release; choose one of text, pairs, wit, metadata"):
        next(export_checks("pdf", documented))
