"""The first filter that fails decides; every number is kept; pictures are looked at once, and only where they matter.

Scores and decisions are two steps of a build; here each test goes through both.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from assets.pool.frequencies import count_pool, look_up
from assets.pool.pool import pool
from assets.pool.scores import Scorers, agents, known_values, score_samples
from assets.pool.sets import SETS, Chosen, counted, languages_asked_for, resolve, what_is_scored
from assets.provenance.tables import conform
from resources.agents import Agent
from resources.scorers import LanguageScorer

SHARD = 3 << 32


class FixedNsfw:
    """Scores a picture by what it is: the reader below yields image ids in place of pictures."""

    def __init__(self, agent_id="fixed@1", **unsafe):
        self.agent = Agent(agent_id, "scorer", "fixed", "1", None, None, None)
        self.unsafe = unsafe
        self.seen = []

    def scores(self, pictures):
        self.seen = list(pictures)
        return np.array([self.unsafe.get(f"image_{i}", 0.0) for i in self.seen], dtype=np.float32)


def row(number, text="A cat on the roof of a house", image=None, **changes):
    image = number if image is None else image
    found = {
        "sample_id": SHARD | number,
        "image_id": image,
        "sha256": hashlib.sha256(str(image).encode()).digest(),
        "text": text,
        "language": "en",
        "width": 640,
        "height": 480,
        "bytes": 50_000,
    } | changes
    return {"stored_sha256": found["sha256"], **found}


SCHEMA = pa.schema(
    {
        "sample_id": pa.uint64(),
        "image_id": pa.uint64(),
        "sha256": pa.binary(32),
        "stored_sha256": pa.binary(32),
        "text": pa.string(),
        "language": pa.string(),
        "width": pa.uint32(),
        "height": pa.uint32(),
        "bytes": pa.uint64(),
    }
)


def run(
    rows, overrides=None, nsfw=None, filter_set="laion5b", extra=("language",), known=None, watermark=None, tmp=None
):
    """Decisions by sample number, scores by (sample number, scorer), and the two tables."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, SCHEMA)
    filters = resolve(filter_set, overrides or {}, list(extra))
    scorers = Scorers(pictures={"nsfw": nsfw or FixedNsfw(), "watermark_text": watermark or FixedNsfw("marks@1")})
    scored = [Chosen(name, limits) for name, limits in what_is_scored(filters)]
    score = score_samples(table, iter, scored, scorers, known, languages_asked_for(filters))
    counts = None
    if tmp:
        counts = look_up([count_pool([table], counted(filters), tmp)], table["text"], table["sha256"])
    decision, more = pool(table, score, filters, counts)
    score = pa.concat_tables([score, more]).sort_by([(c, "ascending") for c in ("sample_id", "scorer", "model")])
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
    _, scores, *_ = run([row(1), row(2, bytes=10), row(3, width=10)], nsfw=nsfw, extra=["language", "short_side"])
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


def test_two_filters_on_one_number_give_one_score(tmp_path):
    _, scores, _, score = run([row(1)], filter_set="coyo", tmp=tmp_path)
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
def test_no_rows_give_empty_tables(filter_set, tmp_path):
    nsfw = FixedNsfw()
    _, _, decision, score = run([], filter_set=filter_set, nsfw=nsfw, tmp=tmp_path)
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
        rows, extra=["language", "file_name", "placeholder", "formula", "odd_characters", "text_characters_at_most"]
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
    with pytest.raises(ValueError, match="lack the columns stored_sha256$"):
        run(pa.Table.from_pylist([row(1)], SCHEMA).drop_columns(["stored_sha256"]))


def test_a_number_that_is_known_is_not_computed_again():
    shas = [hashlib.sha256(str(n).encode()).digest() for n in (1, 2, 3)]
    nsfw = FixedNsfw(image_3=0.25)
    known = {("nsfw", "fixed@1"): {shas[0]: 0.75, shas[1]: 0.125}, ("nsfw", "other@1"): {shas[2]: 0.99}}
    decisions, scores, *_ = run([row(1), row(2), row(3)], nsfw=nsfw, known=known)
    assert nsfw.seen == [3], "another model's number is not this one's"
    assert [scores[n, "nsfw"] for n in (1, 2, 3)] == [0.75, 0.125, 0.25]
    assert [decisions[n]["reason"] for n in (1, 2, 3)] == ["nsfw", None, None]


def test_an_earlier_table_of_scores_makes_a_build_with_other_filters_look_at_nothing_again():
    rows = [row(1), row(2), row(3, text="cat")]
    *_, score = run(rows, nsfw=FixedNsfw(image_1=0.75, image_2=0.625))
    sample = pa.table({"sample_id": [r["sample_id"] for r in rows], "image_id": [1, 2, 3]})
    image = pa.table({"image_id": [1, 2, 3], "stored_sha256": [r["stored_sha256"] for r in rows]})
    known = known_values(score, sample, image)
    nsfw = FixedNsfw()
    _, scores, *_ = run(rows, {"text_characters": {"limit": 1}}, nsfw=nsfw, known=known)
    assert nsfw.seen == [3], "only the sample that was dropped before is new"
    assert scores[1, "nsfw"] == 0.75
    assert known_values(score, sample, image.slice(1)).keys() == {("nsfw", "fixed@1")}


def test_a_shrunk_picture_is_known_by_its_own_bytes():
    """What the scorer looks at is what is stored: the same original stored in two ways has two scores."""
    rows = [row(1, sha256=b"o" * 32, stored_sha256=b"a" * 32), row(2, sha256=b"o" * 32, stored_sha256=b"b" * 32)]
    _, scores, *_ = run(rows, nsfw=FixedNsfw(image_1=0.25, image_2=0.75))
    assert (scores[1, "nsfw"], scores[2, "nsfw"]) == (0.25, 0.75)


def test_text_is_read_only_from_pictures_that_are_safe():
    watermark = FixedNsfw("marks@1", image_2=0.9)
    decisions, scores, *_ = run(
        [row(1), row(2), row(3, text="cat")], extra=["watermark_text"], nsfw=FixedNsfw(image_1=0.9), watermark=watermark
    )
    assert watermark.seen == [2]
    assert [decisions[n]["reason"] for n in (1, 2, 3)] == ["nsfw", "watermark_text", "text_characters"]
    assert (2, "watermark_text") in scores
    assert (1, "watermark_text") not in scores


def test_a_frequent_text_is_dropped_with_its_count_and_the_count_is_a_score(tmp_path):
    rows = [row(n, text="A cat on the  roof") for n in range(1, 12)] + [row(20, text="A dog on the roof")]
    decisions, scores, *_ = run(rows, filter_set="align", tmp=tmp_path)
    assert decisions[3]["reason"] == "text_images"
    assert (decisions[3]["score"], decisions[3]["threshold"]) == (11, 10)
    assert scores[3, "text_images"] == 11
    assert decisions[20]["kept"]
    assert (20, "text_images") not in scores, "a count that is too low to matter is not kept"


def test_counts_are_asked_for_by_name_where_they_are_missing():
    with pytest.raises(ValueError, match="the counts lack image_texts, rare_tokens, text_images"):
        run([row(1)], filter_set="align")


def test_a_sample_whose_picture_should_have_been_scored_is_named():
    filters = resolve("laion5b", {})
    with pytest.raises(ValueError, match=f"1 samples have no score for nsfw, the first is {SHARD | 1}"):
        pool(pa.Table.from_pylist([row(1)], SCHEMA), run([], filter_set="none", extra=())[3], filters)


def test_filters_that_need_vectors_decide_later_but_their_languages_are_scored_here():
    decisions, scores, *_ = run([row(1), row(2, text="Чёрная кошка спит на крыше")], extra=())
    assert decisions[1]["kept"]
    assert decisions[2]["kept"]
    assert scores[1, "language:en"] > 0.5
    assert scores[2, "language:en"] == 0


def test_who_scored_is_told_for_the_filters_in_use():
    scorers = Scorers.with_threads(1)
    ids = [agent.agent_id.partition("@")[0] for agent in agents(resolve("coyo", {}, ["watermark_text"]), scorers)]
    assert ids == ["py3langid", "better_profanity", "open_nsfw", "watermark_text"]
    assert agents(resolve("none", {}), scorers) == []
    assert [a.name for a in agents(resolve("laion5b", {}), scorers)] == ["open_nsfw", "py3langid"]
