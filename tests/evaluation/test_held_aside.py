"""Who is held aside, who is left out, and which class a text names."""

from __future__ import annotations

import numpy as np
import pytest

from assets.captions.tagger import load_vocabulary
from assets.evaluation.arms import arms
from assets.evaluation.held_aside import Aside, choose, nearness
from assets.evaluation.labels import Labeler

IDS = np.arange(400, dtype=np.uint64) * np.uint64(7)
NO_LABELS = [None] * 400


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """400 pictures in pairs: each odd one is nearly the one before it; pairs have nothing to do with each other."""
    random = np.random.default_rng(1)
    one = random.normal(size=(200, 64))
    return np.stack([one, one + 0.05 * random.normal(size=one.shape)], axis=1).reshape(400, 64).astype(np.float16)


def by_role(table, role, reason=None):
    rows = table.to_pylist()
    return {row["sample_id"] for row in rows if row["role"] == role and row["reason"] == reason}


def test_near_copies_of_what_is_held_aside_and_the_encoders_source_are_in_no_arm(vectors):
    source = np.arange(400) < 100
    table = choose(IDS, vectors, source, NO_LABELS, Aside(count=50, near=0.9))
    held = by_role(table, "held_aside")
    assert len(held) == 50
    assert by_role(table, "left_out", "encoder_source") == set(IDS[source].tolist())
    twins = {one ^ 1 for one in (np.searchsorted(IDS, sorted(held))).tolist()}
    wanted = {int(IDS[row]) for row in twins} - held
    assert by_role(table, "left_out", "near_held_aside") == wanted
    near = [row for row in table.to_pylist() if row["reason"] == "near_held_aside"]
    assert all(row["score"] > row["threshold"] == pytest.approx(0.9) for row in near)
    assert table["sample_id"].to_pylist() == sorted(table["sample_id"].to_pylist())

    usable = ~np.isin(IDS, table["sample_id"].to_numpy())
    kept = np.random.default_rng(2).random(400) < 0.5
    score = np.random.default_rng(3).random(400)
    for seed in range(3):
        for rows in arms(IDS, usable, kept, score, ["pruned", "random", "top_score", "everything"], seed).values():
            in_arm = set(IDS[rows].tolist())
            assert not in_arm & (held | wanted | set(IDS[source].tolist()))
            assert nearness(vectors[rows], vectors[np.isin(IDS, list(held))]).max() < 0.9


def test_more_samples_move_few_of_those_held_aside(vectors):
    none = np.zeros(400, bool)
    all_of_them = by_role(choose(IDS, vectors, none, NO_LABELS, Aside(50)), "held_aside")
    before = by_role(choose(IDS[:380], vectors[:380], none[:380], NO_LABELS[:380], Aside(50)), "held_aside")
    assert len(all_of_them & before) >= 45
    assert all_of_them != by_role(choose(IDS, vectors, none, NO_LABELS, Aside(50, seed=1)), "held_aside")


def test_too_few_pairs_to_hold_aside_is_said_with_the_key(vectors):
    with pytest.raises(ValueError, match=r"evaluation\.held_aside is 50, but only 50 samples"):
        choose(IDS, vectors, np.arange(400) >= 50, NO_LABELS, Aside(50))


def test_arms_are_of_one_size_and_only_chance_differs_between_seeds():
    usable, kept = IDS % 2 == 0, IDS % 3 == 0
    score = np.arange(400) // 2
    names = ["pruned", "random", "top_score", "everything"]
    first, second = (arms(IDS, usable, kept, score, names, seed) for seed in (0, 1))
    size = int((usable & kept).sum())
    assert [len(first[name]) for name in names] == [size, size, size, int(usable.sum())]
    assert all((first[name] == second[name]).all() for name in names if name != "random")
    assert set(first["random"]) != set(second["random"])
    assert first["top_score"].tolist() == np.flatnonzero(usable)[-size:].tolist()


def test_of_equal_scores_the_lower_id_comes_first_and_no_score_comes_last():
    score = np.array([1.0, np.nan, 1.0, 1.0, 0.0])
    ids = np.array([9, 1, 5, 7, 3], np.uint64)
    kept = np.array([True, True, False, False, False])
    found = arms(ids, np.ones(5, bool), kept, score, ["top_score"], 0)["top_score"]
    assert ids[found].tolist() == [5, 7]


def test_nothing_left_of_the_pruned_set_is_an_error():
    with pytest.raises(ValueError, match="of what pruning kept, nothing is left"):
        arms(IDS, IDS < 0, IDS >= 0, np.zeros(400), ["pruned"], 0)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A Sea  Lion on a rock", "sea lion"),
        ("the lion sleeps", "lion"),
        ("a sea lion and a lion", None),
        ("a lion, a LION", "lion"),
        ("lionesses", None),
        ("", None),
        ("red fox squirrel", "fox squirrel"),
    ],
)
def test_a_label_is_the_one_word_that_a_text_names(text, label):
    assert Labeler(["lion", "sea lion", "red fox", "fox squirrel", "rocket"]).label(text) == label


def test_labels_are_words_of_the_vocabulary_as_it_spells_them():
    assert Labeler(load_vocabulary().words).label("an AFRICAN elephant bathes") == "African elephant"
    assert Labeler([]).label("lion") is None
