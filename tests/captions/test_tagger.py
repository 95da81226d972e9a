"""Tags are the nearest words, hubs are held back, and a picture's tags are its own."""

import numpy as np
import pytest

from assets.captions.tagger import (
    TaggerSettings,
    Vocabulary,
    hub_offsets,
    load_vocabulary,
    short_caption,
    synthetic_rows,
    tag,
    tagger_id,
    with_article,
)
from assets.provenance.tables import TABLES


def unit(*rows):
    array = np.array(rows, dtype=np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_the_nearest_words_come_first():
    words = np.eye(3, dtype=np.float32)
    tags = tag(unit([0.1, 0.9, 0.5]), words, TaggerSettings(top=3, min_ratio=0))
    assert tags.index.tolist() == [[1, 2, 0]]
    np.testing.assert_allclose(tags.similarity[0], unit([0.9, 0.5, 0.1])[0], rtol=1e-6)


def test_a_hub_is_held_back():
    words = unit([1, 0, 0], [0, 1, 0], [1, 1, 0.3])
    picture = unit([1, 0.5, 0])  # cosine with the hub .90, with the first word .89
    assert tag(picture, words, TaggerSettings(top=1, hub_correction=0)).index.tolist() == [[2]]
    assert tag(picture, words, TaggerSettings(top=1, hub_correction=1)).index.tolist() == [[0]]


def test_hub_offsets_are_mean_cosines_to_the_other_words_around_zero():
    words = unit([1, 0], [0, 1], [1, 1])
    half = np.sqrt(0.5)
    means = np.array([half / 2, half / 2, half])
    np.testing.assert_allclose(hub_offsets(words), means - means.mean(), atol=1e-7)
    assert hub_offsets(words[:1]).tolist() == [0.0]


def test_a_near_synonym_of_a_better_tag_is_left_out():
    words = unit([1, 0, 0], [1, 0.1, 0], [0, 1, 0])
    tags = tag(unit([1, 0.4, 0]), words, TaggerSettings(top=2, hub_correction=0, max_overlap=0.9, min_ratio=0))
    assert tags.index.tolist() == [[1, 2]]


def test_a_word_far_behind_the_best_one_is_no_tag():
    words = np.eye(3, dtype=np.float32)
    tags = tag(unit([1, 0.8, 0.1]), words, TaggerSettings(top=3, hub_correction=0, min_ratio=0.75))
    assert tags.index.tolist() == [[0, 1, -1]]
    assert np.isnan(tags.score[0, 2])


def test_ties_go_to_the_earlier_word():
    words = np.eye(3, dtype=np.float32)
    assert tag(unit([1, 1, 1]), words, TaggerSettings(top=3)).index.tolist() == [[0, 1, 2]]


def test_tags_of_a_picture_do_not_depend_on_the_other_pictures():
    rng = np.random.default_rng(0)
    pictures, words = (unit(*rng.normal(size=(n, 64))) for n in (37, 200))
    together = tag(pictures, words)
    for i in (0, 17, 36):
        alone = tag(pictures[i : i + 1], words)
        np.testing.assert_array_equal(alone.index[0], together.index[i])
        np.testing.assert_array_equal(alone.score[0], together.score[i])


def test_a_vector_that_is_not_finite_gets_no_tags_and_its_row_says_so():
    words = np.eye(2, dtype=np.float32)
    tags = tag(np.array([[np.nan, 0], [1, 0]], dtype=np.float32), words)
    rows = synthetic_rows([7, 8], tags, Vocabulary(("teapot", "owl")), "clip@1", "1").to_pylist()
    assert [(r["sample_id"], r["text"], r["status"], r["reason"], r["score"]) for r in rows] == [
        (7, None, "failed", "no_vector", None),
        (8, "a picture of a teapot", "ok", None, 1.0),
    ]


def test_no_pictures_give_no_rows_of_the_right_table():
    tags = tag(np.zeros((0, 2), dtype=np.float32), np.eye(2, dtype=np.float32))
    assert synthetic_rows([], tags, Vocabulary(("a", "b")), "clip@1", "1").schema == TABLES["caption"].schema


def test_vectors_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        tag(np.zeros((1, 3)), np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        ([], None),
        (["teapot"], "a picture of a teapot"),
        (["owl", "tree"], "a picture of an owl, with a tree"),
        (["unicorn", "hourglass", "scissors"], "a picture of a unicorn, with an hourglass and scissors"),
        (["cat", "hat", "bat", "mat"], "a picture of a cat, with a hat, a bat and a mat"),
    ],
)
def test_a_caption_is_a_plain_list_of_tags(words, caption):
    assert short_caption(words) == caption


def test_articles_follow_sound_and_number():
    assert [with_article(w) for w in ("lens", "glass", "sunglasses", "rain", "Easter egg")] == [
        "a lens", "a glass", "sunglasses", "rain", "an Easter egg",
    ]  # fmt: skip


def test_the_model_of_a_synthetic_caption_names_encoder_and_vocabulary():
    one, other = Vocabulary(("cat",)), Vocabulary(("dog",))
    assert tagger_id("clip@1", one) == f"tags:clip@1+vocabulary-{one.sha256.hex()[:12]}"
    assert tagger_id("clip@1", one) != tagger_id("clip@1", other)


def test_the_shipped_vocabulary_states_its_source_and_holds_each_word_once():
    vocabulary = load_vocabulary()
    assert 500 <= len(vocabulary.words) <= 1300
    assert len({word.casefold() for word in vocabulary.words}) == len(vocabulary.words)
    assert {"teapot", "owl", "screenshot"} <= set(vocabulary.words)
    assert not {"nipple", "assault rifle", "bikini"} & {word.casefold() for word in vocabulary.words}


def test_a_vocabulary_with_a_word_twice_is_refused(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("# comment\nCat\ndog\ncat\n", encoding="utf-8")
    with pytest.raises(ValueError, match="twice: cat"):
        load_vocabulary(path)
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no words"):
        load_vocabulary(path)
