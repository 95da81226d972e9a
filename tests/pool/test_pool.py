"""The first filter that fails decides; every number is kept; pictures are looked at once, and only where they matter."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from assets.pool.pool import pool
from assets.pool.sets import SETS, resolve
from assets.provenance.tables import conform
from resources.agents import Agent
from resources.scorers import LanguageScorer

SHARD = 3 << 32


class FixedNsfw:
    """Scores a picture by what it is: the reader below yields image ids in place of pictures."""

    agent = Agent("fixed@1", "scorer", "fixed", "1", None, None, None)

    def __init__(self, **unsafe):
        self.unsafe = unsafe
        self.seen = []

    def scores(self, pictures):
        self.seen = list(pictures)
        return np.array([self.unsafe.get(f"image_{i}", 0.0) for i in self.seen], dtype=np.float32)


def row(number, text="A cat on the roof of a house", image=None, **changes):
    image = number if image is None else image
    return {
        "sample_id": SHARD | number,
        "image_id": image,
        "sha256": hashlib.sha256(str(image).encode()).digest(),
        "text": text,
        "language": "en",
        "width": 640,
        "height": 480,
        "bytes": 50_000,
    } | changes


SCHEMA = pa.schema(
    {
        "sample_id": pa.uint64(),
        "image_id": pa.uint64(),
        "sha256": pa.binary(32),
        "text": pa.string(),
        "language": pa.string(),
        "width": pa.uint32(),
        "height": pa.uint32(),
        "bytes": pa.uint64(),
    }
)


def run(rows, overrides=None, nsfw=None, filter_set="laion", extra=()):
    """Decisions by sample number, scores by (sample number, scorer), and the two tables."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, SCHEMA)
    filters = resolve(filter_set, overrides or {}, list(extra))
    decision, score = pool(table, iter, filters, LanguageScorer(), nsfw or FixedNsfw())
    found = {r["sample_id"] & 0xFFFFFFFF: r for r in decision.to_pylist()}
    numbers = {(r["sample_id"] & 0xFFFFFFFF, r["scorer"]): r["value"] for r in score.to_pylist()}
    return found, numbers, decision, score


def test_a_good_sample_stays_with_nothing_to_say():
    decisions, scores, *_ = run([row(1)])
    assert decisions[1]["kept"]
    assert decisions[1]["reason"] is decisions[1]["score"] is decisions[1]["threshold"] is None
    assert scores[1, "image_bytes"] == 50_000
    assert scores[1, "nsfw"] == 0


def test_the_first_filter_that_fails_gives_reason_score_and_threshold():
    decisions, scores, *_ = run([row(1, text="cat", bytes=80)])
    assert decisions[1] == {
        "sample_id": SHARD | 1,
        "stage": "pool",
        "kept": False,
        "reason": "text_characters",
        "score": 3.0,
        "threshold": 5.0,
        "other_sample_id": None,
    }
    assert scores[1, "image_bytes"] == 80, "the second number that fails stays visible"


def test_a_missing_text_is_called_no_text():
    decisions, *_ = run([row(1, text=None), row(2, text=""), row(3, text="\u200b\u200b\u200b\u200b\u200b\u200b")])
    assert [d["reason"] for d in decisions.values()] == ["no_text"] * 3
    assert all(d["score"] is None for d in decisions.values())


def test_each_filter_of_the_set_can_be_the_reason():
    rows = [
        row(1, text=None),
        row(2, text="cat"),
        row(3, bytes=4999),
        row(4, text="Das Dialogfenster zum Öffnen einer Adresse"),
        row(5),
        row(6),
    ]
    decisions, *_ = run(rows, nsfw=FixedNsfw(image_5=0.9))
    reasons = [decisions[n]["reason"] for n in range(1, 7)]
    assert reasons == ["no_text", "text_characters", "image_bytes", "language", "nsfw", None]
    assert decisions[5]["score"] == pytest.approx(0.9)
    assert decisions[5]["threshold"] == 0.5


def test_every_row_that_comes_in_is_decided_once_and_by_id():
    rows = [row(n, bytes=n * 1000) for n in (9, 2, 7, 4, 1)]
    _, _, decision, score = run(rows)
    assert decision["sample_id"].to_pylist() == [SHARD | n for n in (1, 2, 4, 7, 9)]
    keys = list(
        zip(score["sample_id"].to_pylist(), score["scorer"].to_pylist(), score["model"].to_pylist(), strict=True)
    )
    assert keys == sorted(set(keys))


def test_the_tables_keep_the_contract():
    _, _, decision, score = run([row(1), row(2, text=None)])
    assert conform("decision", decision).num_rows == 2
    assert conform("score", score).equals(score)


def test_pictures_are_scored_only_of_samples_that_nothing_else_dropped():
    nsfw = FixedNsfw()
    _, scores, *_ = run([row(1), row(2, bytes=10), row(3, width=10)], nsfw=nsfw, extra=["short_side"])
    assert nsfw.seen == [1]
    assert {n for n, scorer in scores if scorer == "nsfw"} == {1}


def test_copies_of_a_picture_are_looked_at_once_and_share_the_answer():
    same = hashlib.sha256(b"one picture").digest()
    nsfw = FixedNsfw(image_7=0.8)
    decisions, scores, *_ = run(
        [row(1, image=7, sha256=same), row(2, image=8, sha256=same), row(3, image=9)], nsfw=nsfw
    )
    assert nsfw.seen == [7, 9]
    assert scores[1, "nsfw"] == scores[2, "nsfw"] == pytest.approx(0.8)
    assert [decisions[n]["reason"] for n in (1, 2, 3)] == ["nsfw", "nsfw", None]


def test_a_sample_dropped_before_keeps_its_reason_when_its_picture_is_unsafe_too():
    decisions, *_ = run([row(1, text="cat"), row(2)], nsfw=FixedNsfw(image_1=0.9, image_2=0.9))
    assert decisions[1]["reason"] == "text_characters"
    assert decisions[2]["reason"] == "nsfw"


def test_two_filters_on_one_number_give_one_score():
    _, scores, _, score = run([row(1)], filter_set="align")
    assert score["scorer"].to_pylist().count("text_words") == 1
    assert scores[1, "text_words"] == 8
    assert (1, "text_words_at_most") not in scores


def test_both_sides_of_the_language_question_are_scores_of_the_model():
    _, _, _, score = run([row(1)])
    models = dict(zip(score["scorer"].to_pylist(), score["model"].to_pylist(), strict=True))
    assert models["language:en"] == models["language:other"] == LanguageScorer().agent.agent_id
    assert models["nsfw"] == "fixed@1"
    assert models["text_characters"] == "winnow"


def test_undetermined_texts_follow_the_page_if_the_recipe_says_so():
    rows = [
        row(1, text="der Apfel", language="de"),
        row(2, text="der Apfel", language="en"),
        row(3, text="der Apfel", language=None),
    ]
    decisions, *_ = run(rows, {"language": {"undetermined": "declared"}})
    assert [decisions[n]["kept"] for n in (1, 2, 3)] == [False, True, True]


def test_the_order_and_the_company_of_rows_change_nothing():
    rows = [row(n, text=t) for n, t in enumerate(["A cat", "Un chat sur le toit de la maison", "cat", "Apple pie"], 1)]
    _, _, decision, score = run(rows)
    _, _, again, score_again = run(rows[::-1])
    assert decision.equals(again)
    assert score.equals(score_again)
    alone, numbers, *_ = run([rows[1]])
    together = {key: value for key, value in run(rows)[1].items() if key[0] == 2}
    assert numbers == together
    assert alone[2]["reason"] == "language"


def test_chunks_of_a_table_are_read_as_one():
    rows = [row(n, text="cat" if n % 2 else "A cat on the roof") for n in range(1, 9)]
    whole = pa.Table.from_pylist(rows, SCHEMA)
    parts = pa.concat_tables([whole.slice(5), whole.slice(0, 2), whole.slice(2, 3)])
    assert run(parts)[2].equals(run(whole)[2])


@pytest.mark.parametrize("filter_set", SETS)
def test_no_rows_give_empty_tables(filter_set):
    nsfw = FixedNsfw()
    _, _, decision, score = run([], filter_set=filter_set, nsfw=nsfw)
    assert decision.num_rows == score.num_rows == 0
    assert conform("score", score).num_rows == 0
    assert nsfw.seen == []


def test_hostile_texts_are_decided_like_others():
    texts = [
        "\x00\x01\x02\x03\x04\x05",
        "\u202eevil\u2066",
        "Z" + "\u0336" * 4000,
        "a" * 4096,
        "{{7*7}} $(rm -rf /)",
        "\ufffd" * 50,
    ]
    rows = [row(n, text=text) for n, text in enumerate(texts, 1)]
    decisions, *_ = run(
        rows, extra=["file_name", "placeholder", "formula", "odd_characters", "text_characters_at_most"]
    )
    reasons = [decisions[n]["reason"] for n in range(1, 7)]
    assert reasons[0] == "no_text"
    assert reasons[1] == reasons[2] == reasons[5] == "odd_characters"
    assert reasons[3] in ("text_characters_at_most", "language")
    assert len(decisions) == 6


def test_a_sample_without_an_image_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=f"1 samples have no image, the first is {SHARD | 2}"):
        run([row(1), row(2, sha256=None)])


def test_a_column_that_is_missing_is_named():
    table = pa.Table.from_pylist([row(1)], SCHEMA).drop_columns(["language", "bytes"])
    with pytest.raises(ValueError, match="lack the columns bytes$"):
        run(table)
    with pytest.raises(ValueError, match="lack the columns bytes, language$"):
        run(table, {"language": {"undetermined": "declared"}})
