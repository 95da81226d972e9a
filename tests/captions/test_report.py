"""The report counts what happened and measures words, and shows texts of the web as text."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from assets.captions.report import (
    assertions,
    caption_metrics,
    caption_page,
    find_triples,
    metric_plots,
    plain,
    sentence,
    values_of,
)
from assets.captions.rows import caption_rows
from assets.captions.words import Text
from assets.crawl.tiles import Tile
from assets.provenance.tables import TABLES

FUSED = "The Taj Mahal in Agra is a palace with a large dome."
SHARES = {"clip": {"alt": 0.5, "synthetic-short": 0.5}}


def row(sample, kind, text, status="ok", **more):
    model = None if kind == "alt" else "m@1"
    return {"sample_id": sample, "kind": kind, "text": text, "status": status, "model": model,
            "selected": status == "ok", **more}  # fmt: skip


ROWS = caption_rows(
    [
        row(1, "alt", "Taj Mahal, Agra"),
        row(1, "synthetic-short", "a picture of a palace, with a dome", similarity=0.3),
        row(1, "synthetic-dense", "a dense one that was not fused"),
        row(1, "fused", "The Taj", "rejected", reason="cut_off", tokens=2, inputs=["alt", "synthetic-short"]),
        row(1, "fused", FUSED, attempt=2, inputs=["alt", "synthetic-short"], tokens=12, chosen=True, similarity=0.4),
        row(2, "alt", "red <b>barn</b>", chosen=True),
        row(2, "synthetic-short", "a picture of a barn", "rejected", reason="too_short", similarity=0.2),
        row(2, "fused", "Sure! A barn.", "rejected", reason="meta", tokens=4),
        row(3, "alt", "cat", chosen=True),
        row(3, "fused", None, "skipped", reason="over_limit"),
        row(4, "alt", "dog", chosen=True),
        row(4, "fused", None, "failed", reason="timeout"),
    ]
)
TARGETS = pa.table(
    {"sample_id": pa.array([1, 2, 3, 4], pa.uint64()), "target": ["clip"] * 4,
     "kind": ["synthetic-short", "alt", "alt", "alt"], "model": ["m@1", None, None, None]}
)  # fmt: skip
METRICS = caption_metrics(lambda: iter([ROWS.slice(0, 4), ROWS.slice(4)]), lambda: [TARGETS], SHARES)


def value(metric, kind=None, part=None):
    [found] = [
        r["value"]
        for r in METRICS.to_pylist()
        if (r["metric"], r["kind"]) == (metric, kind) and part in (None, r["value_of"])
    ]
    return found


def test_counts_are_of_samples_and_of_attempts():
    assert METRICS.schema == TABLES["caption_metric"].schema
    assert value("samples") == 4
    assert (value("fusions_asked", "fused"), value("fusions_accepted", "fused")) == (3, 1)
    assert values_of(METRICS, "rejected", "fused") == {"cut_off": 1, "meta": 1}
    assert values_of(METRICS, "failed", "fused") == {"timeout": 1}
    assert values_of(METRICS, "skipped", "fused") == {"over_limit": 1}
    assert values_of(METRICS, "chosen") == {"alt": 3, "fused": 1}
    assert value("accepted_at_attempt", "fused", "2") == 1
    assert value("tokens", "fused") == 18


def test_what_is_measured_in_words_is_of_accepted_texts():
    assert value("words_mean", "fused") == 12
    assert value("recall_mean", "fused") == 1.0
    assert value("names_mean", "fused") == 3
    assert value("assertions_mean", "fused") == 4
    assert value("distinct_1", "fused") == pytest.approx(11 / 12)
    assert value("similarity_mean", "synthetic-short") == pytest.approx(0.3)


def test_shares_by_target_stand_beside_what_was_asked_for():
    assert value("share", "alt", "clip") == 0.75
    assert value("share_asked", "alt", "clip") == value("share_in_recipe", "alt", "clip") == 0.5


def test_the_sentence_says_how_many_did_not_pass_and_why():
    assert sentence(METRICS) == (
        "Of 3 fusions 1 (33 %) passed the gates; refused attempts: cut_off 1, meta 1, timeout 1. "
        "1 samples were not asked for."
    )
    nothing = caption_metrics(lambda: [ROWS.slice(0, 3)], lambda: [], {})
    assert sentence(nothing) == "No fusion was asked for."


def test_words_are_measured_on_a_sample_where_there_are_many():
    many = caption_rows(row(i, "alt", f"thing {i} of many") for i in range(3000))
    found = caption_metrics(lambda: [many], lambda: [], {}, sample=300)
    names = {r["metric"]: r["value"] for r in found.to_pylist()}
    assert names["samples"] == 3000
    assert names["words_mean"] == 4
    assert 200 < names["distinct_1"] * 4 * 300 < 800


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a red barn", 1),
        ("a red barn in the snow", 2),
        ("A cat. A dog.", 2),
        ("A cat sits on a mat near a door", 3),
        ("", 0),
    ],
)
def test_assertions_are_runs_of_words_that_carry_facts(text, count):
    assert assertions(Text(text)) == count


def test_triples_show_what_went_in_what_came_out_and_the_verdict():
    found = {t.sample_id: t for t in find_triples([ROWS], 40)}
    assert set(found) == {1, 2}
    assert (found[1].alt, found[1].fused, found[1].verdict) == ("Taj Mahal, Agra", FUSED, "accepted")
    assert found[1].synthetic == "a picture of a palace, with a dome"
    assert found[2].verdict == "meta"
    assert len(find_triples([ROWS], 1)) == 1


def test_a_text_of_the_web_is_text_in_markdown_and_in_html(monkeypatch):
    assert plain("<img src=x onerror=1> | [a](b) `c` \x00") == "&lt;img src=x onerror=1&gt; \\| \\[a\\](b) \\`c\\`"

    class Lake:
        def each_group(self, path, columns):
            return [ROWS]

    class Built:
        lake = Lake()

        def paths(self, step, table):
            return ["one"]

    pictures = {1: Tile(1, Image.fromarray(np.zeros((40, 60, 3), np.uint8))), 2: Tile(2, None, "no picture")}
    monkeypatch.setattr("assets.captions.report.tiles", lambda build, ids: {i: pictures[i] for i in ids})
    page = caption_page(Built(), METRICS, 40)
    assert "&lt;b&gt;barn&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<script" not in page
    assert page.count("data:image/jpeg;base64,") == 1
    assert "no picture" in page


def test_the_asset_page_has_sentences_tables_and_pictures():
    shown = metric_plots(METRICS)
    assert shown["fusion in words"].startswith("Of 3 fusions")
    assert "|fused|" in shown["texts by kind"].replace(" ", "")
    assert shown["fusion attempts by outcome"].startswith("![fusion attempts by outcome](data:image/webp;base64,")
    assert "75.0 %" in shown["shares by target"]
