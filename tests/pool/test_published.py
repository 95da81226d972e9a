"""`datacomp_basic` and `align` agree, sample by sample, with the published rules written down again in plain Python.

The references below share nothing with the filters but the numbers of the two models, language and nudity, which stand
in the table. 5,000 rows, most of them within a step of some limit.
"""

import hashlib
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from assets.pool.frequencies import count_pool, look_up
from assets.pool.pool import pool
from assets.pool.scores import Scorers, score_samples
from assets.pool.sets import Chosen, counted, resolve, what_is_scored
from resources.agents import Agent
from resources.scorers.language import LanguageProbabilities

ROWS = 5000
MOST_TEXTS, MOST_IMAGES, MOST_FREQUENT = 6, 4, 500
"""Limits of ALIGN's rules about the whole pool, small enough for a pool of this size; the set's own are tested elsewhere."""


def a_text(rng):
    """A text near some limit: 1 to 23 words, 3 to 8 characters, blanks of many kinds, sometimes a common text."""
    kind = rng.random()
    if kind < 0.02:
        return rng.choice([None, "", " ", "\u200b", "\t\n"])
    if kind < 0.2:
        return rng.choice(["cover of a book", "no image yet", "a common text here", "w1 w2 w3", "x"]) + rng.choice(
            ["", " "]
        )
    if kind < 0.3:
        length = rng.randint(3, 8)
        letters = [rng.choice("ab ") for _ in range(length)]
        return "".join(letters)
    words = rng.choice([1, 2, 3, 4, 19, 20, 21, 22]) if kind < 0.8 else rng.randint(1, 23)
    rare = rng.random() < 0.2
    chosen = [
        f"w{min(int(rng.expovariate(0.2)), 60) if not rare or n else rng.randint(100, 400)}" for n in range(words)
    ]
    return rng.choice([" ", " ", "  ", "\u00a0"]).join(chosen)


def an_image(rng, number):
    """Sides near 200 pixels and an aspect near 3, one picture's values always the same."""
    short = rng.choice([198, 199, 200, 201, 202, 300])
    long = rng.choice([short, short + 1, 3 * short - 1, 3 * short, 3 * short + 1, round(3.01 * short), 2 * short])
    width, height = rng.sample([short, long], 2)
    nsfw = rng.choice([0.0, 0.1, 0.49, 0.5, 0.51, 0.9])
    return number, hashlib.sha256(str(number).encode()).digest(), width, height, nsfw


@pytest.fixture(scope="module")
def rows():
    """Dictionaries; the language probabilities are part of a row, as the picture's score is."""
    rng = random.Random(71)
    pictures = [an_image(rng, number) for number in range(3500)]
    made = []
    for n in range(ROWS):
        image, sha256, width, height, nsfw = pictures[rng.randint(0, 40) if n % 9 == 0 else rng.randrange(3500)]
        made.append(
            {
                "sample_id": n + 1, "image_id": image, "sha256": sha256, "stored_sha256": sha256,
                "text": a_text(rng), "width": width, "height": height,
                "bytes": rng.choice([4900, 5000, 5100]), "nsfw": nsfw,
            }
        )  # fmt: skip
    return made


def language_of(text):
    """(probability of English, of the likeliest other): any rule will do here, as long as ties and noughts come up."""
    if not any(c.isalpha() for c in text):
        return 0.0, 0.0
    step = hashlib.sha256(text.encode()).digest()[0] % 5
    return [(0.75, 0.25), (0.5, 0.5), (0.25, 0.5), (0.75, 0.125), (0.375, 0.25)][step]


class TableLanguage:
    agent = Agent("table@1", "scorer", "table", "1", None, None, None)

    def probabilities(self, texts, language):
        pairs = np.array([language_of(text) for text in texts]).reshape(-1, 2)
        return LanguageProbabilities(pairs[:, 0], pairs[:, 1])


class TableNsfw:
    agent = TableLanguage.agent

    def __init__(self, rows):
        self.by_image = {row["image_id"]: row["nsfw"] for row in rows}

    def scores(self, pictures):
        return np.array([self.by_image[image] for image in pictures], dtype=np.float32)


def by_the_pool(rows, chosen, folder):
    """sample_id -> reason, None if kept; in shards of uneven sizes, counted together."""
    columns = ("sample_id", "image_id", "sha256", "stored_sha256", "text", "width", "height", "bytes")
    table = pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows])
    table = table.set_column(2, "sha256", table["sha256"].cast(pa.binary(32)))
    shards = [table.slice(0, 1700), table.slice(1700, 13), table.slice(1713)]
    frequency = count_pool(shards, counted(chosen), folder)
    scorers = Scorers(language=TableLanguage(), pictures={"nsfw": TableNsfw(rows)})
    scored = [Chosen(name, limits) for name, limits in what_is_scored(chosen)]
    reasons = {}
    for shard in shards:
        score = score_samples(shard, iter, scored, scorers)
        decision, _ = pool(shard, score, chosen, look_up([frequency], shard["text"], shard["sha256"]))
        reasons |= dict(zip(decision["sample_id"].to_pylist(), decision["reason"].to_pylist(), strict=True))
    return reasons


def visible(text):
    return any(not c.isspace() and c != "\u200b" for c in text)


def datacomp_basic(rows):
    """Gadre et al. 2023: English, words > 2, characters > 5, min side >= 200, max / min side <= 3."""
    for row in rows:
        text = row["text"] or ""
        english, other = language_of(text)
        failures = []
        if not visible(text):
            failures.append("no_text")
        if english < other:
            failures.append("language")
        if not len(text.split()) > 2:
            failures.append("text_words")
        if not len(text) > 5:
            failures.append("text_characters")
        if not min(row["width"], row["height"]) >= 200:
            failures.append("short_side")
        if not max(row["width"], row["height"]) <= 3 * min(row["width"], row["height"]):
            failures.append("aspect_ratio")
        yield row["sample_id"], failures


def tokens_of(text):
    words = text.split()
    return words + [f"{one} {two}" for one, two in zip(words, words[1:], strict=False)]


def align(rows):
    """Jia et al. 2021, section 3: the numbers of the whole pool first, then each sample."""
    texts_of, images_of, tokens = {}, {}, Counter()
    for row in rows:
        text = " ".join((row["text"] or "").split())
        if text:
            texts_of.setdefault(row["sha256"], set()).add(text)
            images_of.setdefault(text, set()).add(row["sha256"])
            tokens.update(tokens_of(text))
    ranking = sorted(tokens, key=lambda token: (-tokens[token], token))
    frequent = set(ranking[:MOST_FREQUENT])
    for row in rows:
        text = " ".join((row["text"] or "").split())
        short, long = sorted((row["width"], row["height"]))
        failures = []
        if not visible(text):
            failures.append("no_text")
        if not short > 200:
            failures.append("short_side")
        if not long < 3 * short:
            failures.append("aspect_ratio")
        if len(texts_of.get(row["sha256"], ())) > MOST_TEXTS:
            failures.append("image_texts")
        if len(images_of.get(text, ())) > MOST_IMAGES:
            failures.append("text_images")
        if any(token not in frequent for token in tokens_of(text)):
            failures.append("rare_tokens")
        if len(text.split()) < 3:
            failures.append("text_words")
        if len(text.split()) > 20:
            failures.append("text_words_at_most")
        if row["nsfw"] > 0.5:
            failures.append("nsfw")
        yield row["sample_id"], failures


def compare(found, expected, rules):
    expected = dict(expected)
    wrong = {n: (found[n], failures) for n, failures in expected.items() if found[n] != next(iter(failures), None)}
    assert len(expected) == len(found) == ROWS
    assert not wrong, f"{len(wrong)} samples differ, e.g. {list(wrong.items())[:3]}"
    alone = Counter(failures[0] for failures in expected.values() if len(failures) == 1)
    assert set(alone) | {"no_text"} >= rules, "each rule must be the only one that fails for some row"
    assert sum(not failures for failures in expected.values()) > 100, "and some rows must pass"


def test_datacomp_basic_agrees_with_the_reference_on_5000_rows(rows, tmp_path):
    chosen = resolve("datacomp_basic", {})
    rules = {"no_text", "language", "text_words", "short_side", "aspect_ratio"}
    compare(by_the_pool(rows, chosen, tmp_path), datacomp_basic(rows), rules)


def test_align_agrees_with_the_reference_on_5000_rows(rows, tmp_path):
    chosen = resolve(
        "align",
        {
            "image_texts": {"limit": MOST_TEXTS},
            "text_images": {"limit": MOST_IMAGES},
            "rare_tokens": {"most_frequent": MOST_FREQUENT},
        },
    )
    rules = {c.name for c in chosen}
    compare(by_the_pool(rows, chosen, tmp_path), align(rows), rules)


def test_every_limit_of_the_two_sets_has_rows_on_both_sides(rows):
    """The table itself: a reference that agrees proves little where no row is near the limit."""
    sides = {min(row["width"], row["height"]) for row in rows}
    assert {199, 200, 201} <= sides
    ratios = [sorted((row["width"], row["height"])) for row in rows]
    assert {-1, 0, 1} <= {long - 3 * short for short, long in ratios}
    texts = [row["text"] or "" for row in rows]
    assert {2, 3, 20, 21} <= {len(text.split()) for text in texts}
    assert {5, 6} <= {len(text) for text in texts if len(text.split()) > 2}
    assert {0.5, 0.51} <= {row["nsfw"] for row in rows}
    images = Counter(text for text, _ in {(" ".join(t.split()), r["sha256"]) for t, r in zip(texts, rows, strict=True)})
    assert {MOST_IMAGES, MOST_IMAGES + 1} <= set(images.values())
