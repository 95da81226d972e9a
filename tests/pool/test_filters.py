"""Each filter at, just below and just above its limit."""

import numpy as np
import pyarrow as pa
import pytest

from assets.pool import filters
from assets.pool.registry import FILTERS, FREQUENCIES, NEEDS
from assets.pool.sets import SETS


def texts(*values):
    return pa.table({"text": pa.array(values, pa.string())})


def images(*sizes):
    return pa.table({"width": pa.array([w for w, _ in sizes], pa.uint32()), "height": [h for _, h in sizes]})


def languages(*rows):
    """Rows of (probability of the language, of the likeliest other, what the page declares)."""
    wanted, other, declared = zip(*rows, strict=True)
    return pa.table({"language_wanted": wanted, "language_other": other, "language": pa.array(declared, pa.string())})


def test_a_text_is_missing_if_nothing_of_it_shows():
    assert filters.no_text(texts(None, "", "  ", "\u200b", "a", "猫")).keep.tolist() == [False] * 4 + [True] * 2


def test_five_characters_are_enough_and_four_are_not():
    decision = filters.text_characters(texts("abcd", "abcde", "äöüßé", None))
    assert decision.keep.tolist() == [False, True, True, False]
    assert decision.score.tolist() == [4, 5, 5, 0]
    assert decision.threshold == 5


def test_the_longest_text_allowed_has_as_many_characters_as_the_limit():
    assert filters.text_characters_at_most(texts("a" * 1000, "a" * 1001)).keep.tolist() == [True, False]


def test_words_are_split_at_white_space_of_any_kind():
    decision = filters.text_words(texts("one two", "one two three", "a\u00a0b\tc", None))
    assert decision.score.tolist() == [2, 3, 3, 0]
    assert decision.keep.tolist() == [False, True, True, False]


def test_twenty_words_pass_and_twenty_one_do_not():
    assert filters.text_words_at_most(texts("a " * 20, "a " * 21)).keep.tolist() == [True, False]


def test_filters_of_wording_keep_missing_texts_for_others_to_drop():
    for name in ("file_name", "placeholder", "formula", "odd_characters"):
        assert FILTERS[name].apply(texts(None, "A cat on a roof")).keep.tolist() == [True, True]


def test_wording_drops_what_says_nothing():
    assert not filters.file_name(texts("cat.jpg")).keep[0]
    assert not filters.placeholder(texts("Site logo")).keep[0]
    assert not filters.formula(texts(r"{\displaystyle k}")).keep[0]
    assert not filters.odd_characters(texts("\ufffd\ufffd\ufffd")).keep[0]


def test_bytes_at_the_limit_pass():
    decision = filters.image_bytes(pa.table({"bytes": [4999, 5000]}))
    assert decision.keep.tolist() == [False, True]


def test_the_short_side_is_the_shorter_whatever_the_orientation():
    decision = filters.short_side(images((200, 900), (900, 199), (200, 200)))
    assert decision.score.tolist() == [200, 199, 200]
    assert decision.keep.tolist() == [True, False, True]


def test_an_aspect_of_exactly_three_passes_datacomp_and_fails_align():
    banners = images((600, 200), (200, 600), (601, 200), (200, 200))
    assert filters.aspect_ratio(banners).keep.tolist() == [True, True, False, True]
    assert filters.aspect_ratio(banners, inclusive=False).keep.tolist() == [False, False, False, True]


def test_nsfw_at_the_limit_passes():
    assert filters.nsfw(pa.table({"nsfw": [0.5, 0.51, 0.0]})).keep.tolist() == [True, False, True]


def numbers(column, *values):
    return pa.table({column: pa.array(values, pa.float64())})


@pytest.mark.parametrize(
    ("name", "last_kept", "first_dropped"),
    [
        ("text_characters_at_most", 1000, 1001),
        ("text_images", 10, 11),
        ("image_texts", 1000, 1001),
        ("text_samples", 10, 11),
        ("rare_tokens", 0, 1),
        ("nsfw", 0.5, np.nextafter(np.float32(0.5), np.float32(1))),
        ("watermark_text", 0.8, 0.81),
        ("profanity", 0, 1),
        ("rank", 8, 9),
    ],
)
def test_a_limit_from_above_is_itself_still_kept(name, last_kept, first_dropped):
    batch = numbers(FILTERS[name].needs or "", last_kept, first_dropped)
    if name == "text_characters_at_most":
        batch = texts("a" * 1000, "a" * 1001)
    decision = FILTERS[name].apply(batch)
    assert decision.keep.tolist() == [True, False]
    assert decision.score.tolist() == pytest.approx([last_kept, first_dropped])


@pytest.mark.parametrize(
    ("name", "limits", "first_kept", "last_dropped"),
    [
        ("text_characters", {"limit": 6}, "abcdef", "abcde"),
        ("text_words", {"limit": 3}, "a b c", "a b"),
        ("text_words_at_most", {"limit": 20}, "a " * 20, "a " * 21),
        ("text_words_at_most", {"limit": 256}, "a " * 256, "a " * 257),
    ],
)
def test_published_limits_of_a_text_on_both_sides(name, limits, first_kept, last_dropped):
    assert FILTERS[name].apply(texts(first_kept, last_dropped), **limits).keep.tolist() == [True, False]


def test_a_shorter_side_of_199_200_and_201_pixels_for_datacomp_and_for_align():
    sides = images((199, 400), (200, 400), (201, 400))
    assert filters.short_side(sides, **SETS["datacomp_basic"]["short_side"]).keep.tolist() == [False, True, True]
    assert filters.short_side(sides, **SETS["coyo"]["short_side"]).keep.tolist() == [False, True, True]
    assert filters.short_side(sides, **SETS["align"]["short_side"]).keep.tolist() == [False, False, True]


def test_five_thousand_bytes_are_enough_and_4900_are_not():
    assert filters.image_bytes(pa.table({"bytes": [4900, 4999, 5000, 5100]})).keep.tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_an_aspect_of_3_01_is_too_long_for_all():
    assert not filters.aspect_ratio(images((903, 300)), inclusive=True).keep[0]
    assert not filters.aspect_ratio(images((300, 903)), inclusive=False).keep[0]
    assert filters.aspect_ratio(images((897, 300)), inclusive=False).keep[0]


@pytest.mark.parametrize("name", ["nsfw", "watermark_text", "profanity", *FREQUENCIES, "similarity", "rank"])
def test_a_sample_without_the_number_passes(name):
    assert FILTERS[name].apply(numbers(FILTERS[name].needs, np.nan, 0.9)).keep[0]


def test_laions_limit_of_similarity_depends_on_the_language():
    rows = pa.table(
        {
            "similarity": [0.28, 0.27, 0.26, 0.25, 0.27],
            "language_wanted": [0.9, 0.9, 0.1, 0.1, 0.49],
        }
    )
    english, others = filters.similarity_language(rows), filters.similarity_others(rows)
    assert english.keep.tolist() == [True, False, True, True, True]
    assert others.keep.tolist() == [True, True, True, False, True]
    assert (english.threshold, others.threshold) == (0.28, 0.26)


def test_similarity_by_a_limit_keeps_what_is_at_it():
    decision = filters.similarity(numbers("similarity", 0.30, 0.2999), limit=0.30, fraction=None)
    assert decision.keep.tolist() == [True, False]
    assert decision.threshold == 0.30


def test_similarity_by_a_fraction_keeps_ties_of_the_last_one_and_leaves_out_samples_without_a_vector():
    values = [0.9, 0.8, 0.7, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0, np.nan]
    decision = filters.similarity(numbers("similarity", *values), fraction=0.2)
    assert decision.threshold == 0.7  # index floor(10 * 0.2) = 2 of the descending list
    assert decision.keep.tolist() == [True] * 4 + [False] * 6 + [True]


ENGLISH, FRENCH, UNSURE = (0.8, 0.1, "en"), (0.02, 0.9, "en"), (0.3, 0.2, "en")


def test_undetermined_texts_stay_by_default_and_other_languages_go():
    decision = filters.language(languages(ENGLISH, FRENCH, UNSURE))
    assert decision.keep.tolist() == [True, False, True]
    assert decision.score.tolist() == [0.1, 0.9, 0.2]
    assert decision.threshold == 0.5


def test_undetermined_texts_go_where_only_the_language_is_wanted():
    decision = filters.language(languages(ENGLISH, FRENCH, UNSURE), undetermined="drop")
    assert decision.keep.tolist() == [True, False, False]
    assert decision.score.tolist() == [0.8, 0.02, 0.3]


def test_the_likeliest_language_decides_for_datacomp():
    rows = languages(UNSURE, (0.2, 0.3, "en"), (0.0, 0.0, None))
    decision = filters.language(rows, undetermined="likeliest")
    assert decision.keep.tolist() == [True, False, True]
    assert decision.score.tolist() == pytest.approx([0.6, 0.4, 0.5])


def test_a_declaration_decides_only_what_the_text_does_not():
    rows = languages((0.3, 0.2, "de"), (0.3, 0.2, "en"), (0.3, 0.2, None), (0.8, 0.1, "de"), (0.0, 0.9, "en"))
    decision = filters.language(rows, undetermined="declared")
    assert decision.keep.tolist() == [False, True, True, True, False]
    # Each dropped row shows the number that failed: the language's own, or the other's.
    assert (decision.score[0], decision.score[4]) == (0.3, 0.9)


@pytest.mark.parametrize("policy", ["keep", "drop", "declared", "likeliest"])
def test_scores_of_kept_and_dropped_lie_on_their_sides_of_the_threshold(policy):
    rows = languages(
        *[(w / 10, min(o / 10, 0.99 - w / 10), d) for w in range(11) for o in range(11) for d in ("en", "de")]
    )
    decision = filters.language(rows, undetermined=policy)
    if policy == "keep":
        np.testing.assert_array_equal(decision.keep, decision.score < 0.5)
    elif policy != "declared":
        np.testing.assert_array_equal(decision.keep, decision.score >= 0.5)
    else:
        np.testing.assert_array_equal(decision.keep[1::2], np.array(rows["language_wanted"])[1::2] >= 0.5)


def test_every_filter_answers_an_empty_batch():
    columns = {
        "text": pa.string(),
        "language": pa.string(),
        "width": pa.uint32(),
        "height": pa.uint32(),
        "bytes": pa.uint64(),
    }
    numbers = dict.fromkeys(("language_wanted", "language_other", *NEEDS[1:]), pa.float64())
    empty = pa.schema({**columns, **numbers}.items()).empty_table()
    for registered in FILTERS.values():
        decision = registered.apply(empty)
        assert decision.keep.dtype == bool
        assert decision.keep.shape == (0,)
