import hashlib

import numpy as np
import pyarrow as pa
import pytest

from assets.release.rows import COLUMNS, HIDDEN, assemble, uid
from tests.provenance import tiny_build as t


def with_rows(tables, name, change):
    return {**tables, name: t.table(name, change(tables[name].to_pylist()))}


def set_for(sample_id, **values):
    return lambda rows: [{**row, **values} if row["sample_id"] == sample_id else row for row in rows]


def refusals(tables, candidates=t.RELEASED):
    decision = assemble(candidates, tables).decision
    return {row["sample_id"]: row["reason"] for row in decision.to_pylist() if not row["kept"]}


def test_every_candidate_becomes_one_row_in_the_order_of_ids(assembled):
    assert assembled.rows.column("sample_id").to_pylist() == sorted(t.RELEASED)
    assert assembled.rows.column_names == [*COLUMNS, *HIDDEN]
    assert assembled.decision.column("kept").to_pylist() == [True] * 4


def test_the_order_in_which_candidates_and_tables_come_does_not_matter(assembled, tables):
    turned = {name: table.take(pa.array(range(table.num_rows - 1, -1, -1))) for name, table in tables.items()}
    assert assemble(sorted(t.RELEASED, reverse=True), turned).rows.equals(assembled.rows)


def test_a_row_holds_texts_license_scores_and_concept(assembled):
    row = assembled.rows.to_pylist()[0]
    assert (row["caption"], row["caption_kind"], row["caption_model"]) == (
        "An oak leaf from a tree",
        "fused",
        "small-llm@2",
    )
    assert (row["alt"], row["figcaption"], row["synthetic"], row["fused"]) == (
        "An oak leaf", "Oak, 1890", "leaf, tree", "An oak leaf from a tree",
    )  # fmt: skip
    assert (row["image_license"], row["license_url"]) == ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/")
    assert (row["caption_terms"], row["obligations"], row["cluster_id"]) == ("none", 1, 0)
    assert row["similarity"] == 0.5
    assert [(score["scorer"], score["model"]) for score in row["scores"]] == [
        ("image_text_similarity", "clip@1"), ("nsfw", "nsfw@1"),
    ]  # fmt: skip
    assert (row["key"], row["status"], row["width"], row["height"]) == (f"{t.A0:020d}", "success", 300, 200)
    assert row["sha256"] == hashlib.sha256(b"a" * 40).hexdigest()


def test_a_rejected_fusion_is_not_in_the_release(assembled):
    row = assembled.rows.to_pylist()[1]
    assert (row["sample_id"], row["fused"], row["synthetic"], row["caption"]) == (t.A2, None, "drawing", t.EVIL)


def test_a_credit_line_is_there_where_license_or_author_asks_for_it(assembled):
    lines = dict(
        zip(
            assembled.rows.column("sample_id").to_pylist(),
            assembled.rows.column("attribution").to_pylist(),
            strict=True,
        )
    )
    by = "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/)"
    assert lines[t.A0] == f"“Oak” by Jane Doe, {t.LEAF}, {by}"
    assert lines[t.A2].startswith("Image by =HYPERLINK")
    assert lines[t.A4] is None
    assert lines[t.B0].startswith("Image, https://archive.example/e, CC-BY-SA-4.0 (")


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("rights", set_for(t.A0, verdict="review"), "review"),
        ("rights", set_for(t.A0, verdict="deny"), "deny"),
        ("rights", set_for(t.A0, reservation="reserved"), "reserved"),
        ("rights", lambda rows: [row for row in rows if row["sample_id"] != t.A0], "no_rights"),
        ("caption", set_for(t.A0, chosen=False), "no_caption"),
        ("caption", set_for(t.A0, text=""), "no_caption"),
        ("sample", set_for(t.A0, image_id=None), "no_image"),
    ],
)
def test_what_must_not_or_cannot_go_out_stays_in_with_its_reason(tables, name, change, reason):
    made = with_rows(tables, name, change)
    assert refusals(made) == {t.A0: reason}
    assert t.A0 not in assemble(t.RELEASED, made).rows.column("sample_id").to_pylist()


@pytest.mark.parametrize("address", [None, "data:image/webp;base64,UklGRg==", "ftp://moon.example/c", "javascript:1"])
def test_a_sample_released_by_address_needs_an_address_that_gives_no_bytes_away(tables, address):
    assert refusals(with_rows(tables, "sample", set_for(t.A4, image_url=address))) == {t.A4: "no_address"}


def test_an_image_that_may_be_passed_on_needs_no_address(tables):
    assert refusals(with_rows(tables, "sample", set_for(t.A0, image_url=None))) == {}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sample", lambda rows: rows[1:]),
        ("rights", lambda rows: [*rows, rows[0]]),
        ("caption", lambda rows: [*rows, {**rows[0], "chosen": True}]),
    ],
)
def test_a_candidate_that_is_unknown_or_doubled_is_refused(tables, name, change):
    with pytest.raises(ValueError, match="4 candidates became [35] rows"):
        assemble(t.RELEASED, with_rows(tables, name, change))


def test_a_missing_table_is_named(tables):
    with pytest.raises(ValueError, match="a release needs the tables caption, rights"):
        assemble(t.RELEASED, {name: table for name, table in tables.items() if name not in ("rights", "caption")})


def test_tables_that_only_add_columns_may_be_left_out(tables):
    needed = {name: tables[name] for name in ("sample", "image", "rights", "caption", "license")}
    row = assemble(t.RELEASED, needed).rows.to_pylist()[0]
    assert (row["scores"], row["similarity"], row["creator"], row["cluster_id"]) == (None, None, None, None)


def test_no_candidates_give_no_rows(tables):
    made = assemble([], tables)
    assert (made.rows.num_rows, made.decision.num_rows) == (0, 0)
    assert made.rows.column_names == [*COLUMNS, *HIDDEN]


def test_ids_are_unsigned(tables):
    assert assemble(np.array(t.RELEASED), tables).rows.schema.field("sample_id").type == pa.uint64()


def test_a_uid_depends_on_picture_and_words_only():
    picture = hashlib.sha256(b"a").hexdigest()
    by_hand = hashlib.sha256(hashlib.sha256(b"a").digest() + b"oak").hexdigest()[:32]
    assert uid(picture, "oak") == by_hand
    assert uid(picture, None) == uid(picture, "")
    assert len({uid(picture, "oak"), uid(picture, "elm"), uid(hashlib.sha256(b"b").hexdigest(), "oak")}) == 3
