"""Texts, images and words are counted over the whole pool, in bounded memory, and only what matters is kept."""

import hashlib
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from assets.pool.frequencies import SCHEMA, count_pool, look_up, normal_text, text_key


def sha(number):
    return hashlib.sha256(str(number).encode()).digest()


def shard(*pairs):
    """A table of (text, number of an image, or None)."""
    texts, images = zip(*pairs, strict=True)
    hashes = [None if image is None else sha(image) for image in images]
    return pa.table({"text": pa.array(texts, pa.string()), "sha256": pa.array(hashes, pa.binary(32))})


def found(table):
    return {(row["kind"], row["key"]): row["count"] for row in table.to_pylist()}


def count(shards, tmp_path, memory="200MB", **rules):
    return found(count_pool(shards, rules, tmp_path, memory))


def test_a_text_on_ten_images_is_not_kept_and_one_on_eleven_is(tmp_path):
    pairs = [("ten", n) for n in range(10)] + [("eleven", n) for n in range(11)]
    assert count([shard(*pairs)], tmp_path, text_images={"limit": 10}) == {("text_images", text_key("eleven")): 11}


def test_copies_of_an_image_count_once_for_its_text_and_each_time_for_its_samples(tmp_path):
    pairs = [("same", 1)] * 11
    rules = {"text_images": {"limit": 0}, "text_samples": {"limit": 10}}
    assert count([shard(*pairs)], tmp_path, **rules) == {
        ("text_images", text_key("same")): 1,
        ("text_samples", text_key("same")): 11,
    }


def test_a_text_seen_ten_times_is_not_kept(tmp_path):
    assert count([shard(*[("x", n) for n in range(10)])], tmp_path, text_samples={"limit": 10}) == {}


def test_an_image_with_a_thousand_texts_is_not_kept_and_one_with_1001_is(tmp_path):
    pairs = [(f"text {n}", 1) for n in range(1000)] + [(f"text {n}", 2) for n in range(1001)] + [("text 1", 1)] * 5
    assert count([shard(*pairs)], tmp_path, image_texts={"limit": 1000}) == {("image_texts", sha(2)): 1001}


def test_shards_are_counted_together_whatever_their_order(tmp_path):
    parts = [shard(("a cat", n), ("a  cat ", n + 100)) for n in range(6)]
    rules = {"text_images": {"limit": 10}}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = count_pool(parts, rules, tmp_path / "one")
    assert found(first) == {("text_images", text_key("a cat")): 12}
    assert count_pool(reversed(parts), rules, tmp_path / "two").equals(first)


def test_rows_without_a_text_or_an_image_do_not_count(tmp_path):
    pairs = [(None, 1), ("", 2), (" \t", 3), ("a", None), ("a", 1)]
    assert count([shard(*pairs)], tmp_path, text_samples={"limit": 0}) == {("text_samples", text_key("a")): 1}


def test_a_token_is_rare_if_it_comes_after_the_most_frequent_and_ties_go_by_spelling(tmp_path):
    # Tokens by count: a 4, b 3, "a b" 3, then once each: "a z", c, z. Of the last three "a z" is the first by spelling.
    pairs = [("a b", 1), ("a b", 2), ("a b", 3), ("a z", 4), ("c", 5)]
    rare = {("rare_tokens", text_key("c")): 1, ("rare_tokens", text_key("a z")): 1}
    assert count([shard(*pairs)], tmp_path, rare_tokens={"most_frequent": 4}) == rare


@pytest.mark.parametrize(
    ("most_frequent", "rare"),
    [(1, {"a b": 2, "a z": 2, "c": 1}), (2, {"a b": 1, "a z": 2, "c": 1}), (5, {"a z": 1}), (6, {}), (7, {})],
)
def test_the_edge_of_the_frequent_tokens_by_hand(tmp_path, most_frequent, rare):
    pairs = [("a b", 1), ("a b", 2), ("a b", 3), ("a z", 4), ("c", 5)]
    answer = count([shard(*pairs)], tmp_path, rare_tokens={"most_frequent": most_frequent})
    assert answer == {("rare_tokens", text_key(text)): n for text, n in rare.items()}


def test_nothing_to_count_opens_no_file(tmp_path):
    assert count_pool(iter([]), {}, tmp_path).equals(SCHEMA.empty_table())
    assert not list(tmp_path.iterdir())


def test_an_empty_pool_has_no_counts(tmp_path):
    rules = {"text_images": {"limit": 1}, "rare_tokens": {"most_frequent": 5}}
    empty = pa.schema({"text": pa.string(), "sha256": pa.binary(32)}.items()).empty_table()
    assert count_pool([empty], rules, tmp_path).equals(SCHEMA.empty_table())


def test_hostile_texts_are_counted_like_others(tmp_path):
    texts = ["'; DROP TABLE seen; --", "\x00\x01", "a\u2028b", "\U0001f600 \u0336" * 50, "x " * 5000, '"', "{kind}"]
    pairs = [(text, n) for n, text in enumerate(texts * 2)]
    rules = {"text_samples": {"limit": 1}, "rare_tokens": {"most_frequent": 1}}
    answer = count([shard(*pairs)], tmp_path, **rules)
    assert {key for kind, key in answer if kind == "text_samples"} == {text_key(text) for text in texts}


def test_counts_agree_with_plain_python_when_memory_is_short(tmp_path):
    random.seed(3)
    words = [f"word{n}" for n in range(3000)]
    pairs = [
        (
            " ".join(random.choices(words, k=random.randint(1, 6))) if n % 3 else f"often {n % 40}",
            random.randint(0, 900),
        )
        for n in range(30_000)
    ]
    rules = {"text_images": {"limit": 10}, "image_texts": {"limit": 30}, "rare_tokens": {"most_frequent": 5000}}
    answer = count([shard(*pairs[n::7]) for n in range(7)], tmp_path, memory="40MB", **rules)

    images, texts, tokens = {}, {}, Counter()
    for text, image in pairs:
        images.setdefault(text, set()).add(image)
        texts.setdefault(image, set()).add(text)
        tokens.update(text.split() + [" ".join(pair) for pair in zip(text.split(), text.split()[1:], strict=False)])
    frequent = {t for t, _ in sorted(tokens.items(), key=lambda item: (-item[1], item[0]))[:5000]}
    expected = {("text_images", text_key(t)): len(i) for t, i in images.items() if len(i) > 10}
    expected |= {("image_texts", sha(i)): len(t) for i, t in texts.items() if len(t) > 30}
    for text in images:
        both = text.split() + [" ".join(pair) for pair in zip(text.split(), text.split()[1:], strict=False)]
        if rare := sum(token not in frequent for token in both):
            expected["rare_tokens", text_key(text)] = rare
    assert answer == expected
    assert len({kind for kind, _ in expected}) == 3


def test_a_look_up_has_a_number_for_every_row_that_matters_and_nan_for_the_others(tmp_path):
    table = shard(*[("often", n) for n in range(3)], ("seldom", 0), ("OFTEN", 1), (" often\n", 9), (None, 2))
    frequency = count_pool([table], {"text_images": {"limit": 3}, "image_texts": {"limit": 1}}, tmp_path)
    answer = look_up([frequency.slice(0, 1), frequency.slice(1)], table["text"], table["sha256"])
    nan = np.nan
    np.testing.assert_array_equal(answer["text_images"], [4, 4, 4, nan, nan, 4, nan])
    np.testing.assert_array_equal(answer["image_texts"], [2, 2, nan, 2, 2, nan, nan])
    assert np.isnan(answer["rare_tokens"]).all()


def test_white_space_is_all_that_normal_form_changes():
    assert normal_text(" A\u00a0cat\n on\tit ") == "A cat on it"
    assert normal_text(None) == ""
    assert text_key("a b") == hashlib.sha256(b"a b").digest()
    assert text_key("A b") != text_key("a b")
