"""A text that too many samples share is refused for all of them."""

import pyarrow as pa

from assets.captions.repeats import count_texts, refuse_repeated
from assets.captions.rows import caption_rows
from assets.provenance.tables import TABLES


def fused(*texts, status="ok"):
    return caption_rows(
        {"sample_id": i, "kind": "fused", "text": text, "status": status, "selected": status == "ok", "model": "m"}
        for i, text in enumerate(texts)
    )


def test_texts_are_counted_over_all_parts_without_case_and_marks():
    parts = [fused("A cat sits.", "a dog runs"), fused("The cat sits", "A CAT SITS!")]
    found = count_texts(parts, 2)
    assert found.schema == TABLES["repeated_text"].schema
    assert found.column("samples").to_pylist() == [3]
    assert count_texts(parts, 3).num_rows == 0


def test_rejected_fusions_and_alt_texts_do_not_count():
    alt = caption_rows([{"sample_id": i, "kind": "alt", "text": "logo", "status": "ok"} for i in range(9)])
    assert count_texts([alt, fused(*["A cat sits."] * 9, status="rejected")], 1).num_rows == 0


def test_every_sample_with_a_repeated_text_loses_it_and_says_why():
    drafts = fused("A cat sits.", "A dog runs.", "a cat sits")
    same = {row["text_key"]: row["samples"] for row in count_texts([drafts] * 2, 3).to_pylist()}
    rows = refuse_repeated(drafts, same, 3).to_pylist()
    assert [(r["status"], r["reason"], r["score"], r["threshold"], r["selected"]) for r in rows] == [
        ("rejected", "repeated", 4.0, 3.0, False),
        ("ok", None, None, None, True),
        ("rejected", "repeated", 4.0, 3.0, False),
    ]
    assert [r["text"] for r in rows] == ["A cat sits.", "A dog runs.", "a cat sits"]


def test_four_thousand_times_the_same_caption_is_caught():
    drafts = fused(*["A view of a city at night."] * 4000, "A red barn in the snow.")
    same = {row["text_key"]: row["samples"] for row in count_texts([drafts], 3).to_pylist()}
    rows = refuse_repeated(drafts, same, 3)
    assert rows.filter(pa.compute.equal(rows["status"], "ok")).column("text").to_pylist() == ["A red barn in the snow."]
