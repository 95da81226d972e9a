"""A release in other forms, read from its folder alone."""

import gzip
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.release.exports import EXPORTS, METADATA, WIT, ReleaseFolder, export, read_wit, sections, wit
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseError, describe_file
from tests.provenance import tiny_build as t
from tests.release import interleaved as i


@pytest.fixture(scope="module")
def release(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return i.write(folder, settings)[0].rows, folder


@pytest.fixture
def changed(release, tmp_path):
    """A copy of the release that a test may damage."""
    return shutil.copytree(release[1], tmp_path / "release")


def test_a_document_is_exported_as_words_as_pairs_and_as_rows(release, tmp_path):
    assert [export(release[1], form, tmp_path / form) for form in EXPORTS] == [2, 3, 4, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(EXPORTS)


def test_the_words_of_a_document_are_its_texts_in_order(release, tmp_path):
    export(release[1], "text", tmp_path / "text.parquet")
    leaf = pq.read_table(tmp_path / "text.parquet").to_pylist()[0]
    assert leaf["text"].split("\n\n") == [text for text in i.TEXTS if text]


def test_pairs_without_a_model_have_no_similarity(release, tmp_path):
    export(release[1], "pairs", tmp_path / "pairs.parquet")
    rows = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert [(row["sample_id"], row["text"], row["similarity"]) for row in rows[:2]] == [
        (t.A0, "Oak, 1890", None), (t.A2, "The end.", None),
    ]  # fmt: skip


def test_pairs_are_those_that_a_given_function_finds_alike(release, tmp_path):
    seen = []

    def alike(texts, images):
        seen.append(images)
        return np.array([[float(len(text) * (n + 1)) for text in texts] for n in range(len(images))])

    export(release[1], "pairs", tmp_path / "pairs.parquet", alike)
    assert seen == [[b"a" * 40, b"b" * 60], [b"e" * 10]]
    rows = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert rows[1]["text"].startswith("Oaks")
    assert rows[1]["similarity"] == 2 * len(rows[1]["text"])


def test_an_image_that_goes_by_its_address_has_no_bytes_for_the_function(release):
    about = {"file": "urls-00000.parquet", "status": "url_only"}
    document = {"images": [None, "https://a.example/x"], "metadata": json.dumps([None, about])}
    assert ReleaseFolder(release[1]).images(document) == [None]


def test_wit_has_seventeen_columns_and_loses_nothing(release, tmp_path):
    rows, folder = release
    pages = {}
    for name in ("documents-00000.parquet", "documents-00001.parquet"):
        for document in pq.read_table(folder / name).to_pylist():
            pages |= sections(document)
    export(folder, "wit", tmp_path / "wit.tsv.gz")
    read = read_wit(tmp_path / "wit.tsv.gz")
    order = [t.A0, t.A2, t.B0, t.A4]
    ids = rows["sample_id"].to_pylist()
    assert (len(WIT), read.schema) == (17, WIT)
    assert read.equals(wit(rows.take([ids.index(i) for i in order]), pages))
    with gzip.open(tmp_path / "wit.tsv.gz", "rt", newline="") as lines:
        assert lines.readline().replace('"', "").strip().split("\t") == WIT.names


def test_tabs_line_ends_quotes_and_empty_texts_survive_and_null_stays_null(release, tmp_path):
    hard = ['a\tb\n"c"\r\nd', "", None, "\\N NULL NaN"]
    table = release[0]
    changed = table.set_column(table.schema.get_field_index("alt"), "alt", pa.array(hard, pa.string()))
    folder = tmp_path / "hard"
    folder.mkdir()
    pq.write_table(changed, folder / "00000.parquet")
    file = describe_file(folder / "00000.parquet")
    (folder / "release.json").write_text(json.dumps({"files": [{"name": file.name, "sha256": file.sha256}]}))
    export(folder, "wit", tmp_path / "wit.tsv.gz")
    assert read_wit(tmp_path / "wit.tsv.gz")["caption_alt_text_description"].to_pylist() == hard


def test_wit_tells_the_three_roles_of_a_text_apart(release):
    row = wit(release[0]).to_pylist()[0]
    assert row["caption_reference_description"] == "Oak, 1890"
    assert row["caption_alt_text_description"] == "An oak leaf"
    assert "Jane Doe" in row["caption_attribution_description"]
    assert "CC-BY-4.0" in row["caption_attribution_description"]
    assert (row["mime_type"], row["original_width"], row["original_height"]) == ("image/jpeg", 300, 200)
    assert (row["is_main_image"], row["attribution_passes_lang_id"], row["page_changed_recently"]) == (None, None, None)


def test_every_image_whose_license_asks_for_credit_has_its_credit_in_wit(release):
    rows = release[0].to_pylist()
    shown = wit(release[0])["caption_attribution_description"].to_pylist()
    asked = [text for row, text in zip(rows, shown, strict=True) if row["obligations"] & 1]
    assert len(asked) == 2
    assert all(asked)
    column = pa.nulls(4, pa.string())
    bare = release[0].set_column(release[0].schema.get_field_index("attribution"), "attribution", column)
    with pytest.raises(ReleaseError, match="has no credit line"):
        wit(bare)


def test_wit_has_one_row_per_page_of_an_image(release):
    twice = pa.concat_tables([release[0], release[0]])
    assert wit(twice).num_rows == 8


def test_the_headings_above_an_image_are_its_hierarchy(release):
    document = pq.read_table(release[1] / "documents-00000.parquet").to_pylist()[0]
    found = sections(document)
    assert found[t.A0]["hierarchy"] == "A page / Leaves"
    assert found[t.A2]["hierarchy"] == "A page / Leaves / Shapes / Edges"
    assert found[t.A0]["lead"] == found[t.A0]["section"] == i.TEXTS[1]
    assert found[t.A2]["section"] == "Some edges are toothed and others are smooth. The end."


def test_metadata_is_addresses_ids_and_captions_and_no_bytes(release, tmp_path):
    export(release[1], "metadata", tmp_path / "metadata.parquet")
    made = pq.read_table(tmp_path / "metadata.parquet")
    assert made.column_names == list(METADATA)
    assert set(METADATA) <= set(COLUMNS)
    assert sorted(made["sample_id"].to_pylist()) == sorted(t.RELEASED)
    assert not any(pa.types.is_binary(field.type) for field in made.schema)


def test_equal_releases_give_equal_bytes(release, tmp_path):
    for form in EXPORTS:
        for name in ("a", "b"):
            export(release[1], form, tmp_path / f"{form}-{name}")
        assert (tmp_path / f"{form}-a").read_bytes() == (tmp_path / f"{form}-b").read_bytes()


def fails(folder, form, out, words):
    with pytest.raises(ReleaseError, match=words) as error:
        export(folder, form, out)
    assert "\n" not in str(error.value)
    assert not list(out.parent.glob(".*")) if out.parent.exists() else True


def test_what_cannot_be_exported_is_said_in_one_sentence(release, changed, tmp_path):
    out = tmp_path / "out.parquet"
    fails(release[1], "pdf", out, "pdf is no form of a release; choose one of text, pairs, wit, metadata")
    fails(tmp_path, "text", out, "not the folder of a release")
    fails(release[1], "text", tmp_path / "no" / "out", "cannot be written")
    (changed / "release.json").write_text("[]")
    fails(changed, "text", out, "not the folder of a release")
    out.write_text("mine")
    fails(release[1], "text", out, "a file of that name already")
    assert out.read_text() == "mine"


def test_a_release_without_documents_has_rows_but_no_words_and_no_pairs(changed, tmp_path):
    manifest = json.loads((changed / "release.json").read_text())
    manifest["files"] = [file for file in manifest["files"] if not file["name"].startswith("documents")]
    (changed / "release.json").write_text(json.dumps(manifest))
    for form in ("text", "pairs"):
        fails(changed, form, tmp_path / "out", "has no documents; set release.documents: true")
    assert export(changed, "wit", tmp_path / "wit") == 4


@pytest.mark.parametrize(
    ("name", "form"), [("00000.parquet", "metadata"), ("00000.parquet", "wit"), ("documents-00001.parquet", "text")]
)
def test_a_changed_or_missing_file_is_refused_and_nothing_is_left_behind(changed, tmp_path, name, form):
    with (changed / name).open("ab") as stream:
        stream.write(b"x")
    fails(changed, form, tmp_path / "out", f"{name}: not the file that release.json lists")
    (changed / name).unlink()
    fails(changed, form, tmp_path / "out", f"{name}: the file cannot be read")
    assert not (tmp_path / "out").exists()


def test_a_document_that_names_a_file_outside_the_release_is_refused(release):
    about = {"file": "../../etc/passwd", "status": "success"}
    document = {"images": ["x.jpg"], "metadata": json.dumps([about])}
    with pytest.raises(ReleaseError, match="not the file that release.json lists"):
        ReleaseFolder(release[1]).images(document)
