"""Places among random texts, by hand."""

import numpy as np
import pytest

from assets.embeddings import rank
from assets.embeddings.rank import rank_among


def circle(degrees):
    """(n, 2) float32 unit vectors at these angles."""
    angle = np.deg2rad(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_a_place_is_one_more_than_the_texts_that_fit_better():
    images = circle([0, 10, 20, 30])
    texts = circle([0, 31, 12, 29])
    # Picture at 10: its text is 21 away, those at 0, 12 and 29 are 10, 2 and 19 away: it comes last. Picture at 20: its
    # text is 8 away, the others 20, 11, 9. Three others against three asked for, so nothing is scaled.
    assert rank_among(images, texts, np.arange(4), negatives=3).tolist() == [1, 4, 1, 1]


def test_the_same_text_elsewhere_is_no_negative():
    images = circle([0, 5, 90])
    texts = circle([3, 3, 3])
    assert rank_among(images, texts, np.arange(3), negatives=2).tolist() == [1, 1, 1]
    texts = circle([40, 40, 0])
    # For the picture at 0, the text at 0 is the one other text, and fits better: second of two, scaled to three.
    assert rank_among(images, texts, np.arange(3), negatives=2).tolist() == [2, 2, 2]


def test_a_text_that_fits_exactly_as_well_does_not_come_before():
    assert rank_among(circle([0, 0]), circle([20, -20]), np.arange(2), negatives=1).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("others_that_fit_better", "others", "place"),
    [(0, 7, 1), (1, 7, 9), (7, 7, 57), (8, 63, 9), (7, 63, 8), (63, 63, 64), (1, 1, 33), (1, 15, 5), (2, 15, 9)],
)
def test_with_few_texts_the_place_is_scaled_to_the_same_share_of_64(others_that_fit_better, others, place):
    degrees = [50.0] + [10 + n / 4 for n in range(others_that_fit_better)]
    degrees += [90 + n / 4 for n in range(others - others_that_fit_better)]
    n = len(degrees)
    assert rank_among(circle([0] * n), circle(degrees), np.arange(n))[0] == place


def test_a_single_text_has_the_first_place_and_no_rows_have_none():
    assert rank_among(circle([0]), circle([180]), np.array([7])).tolist() == [1]
    assert rank_among(np.empty((0, 4)), np.empty((0, 4)), np.empty(0, np.uint64)).shape == (0,)


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(5)
    images = rng.normal(size=(400, 24))
    texts = images + 1.2 * rng.normal(size=(400, 24))
    texts[200:230] = texts[200]
    images, texts = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (images, texts))
    return images.astype(np.float16), texts.astype(np.float16), np.arange(400, dtype=np.uint64) | np.uint64(3 << 32)


def test_the_order_of_rows_and_the_size_of_blocks_change_no_place(pairs, monkeypatch):
    images, texts, ids = pairs
    places = rank_among(images, texts, ids)
    order = np.random.default_rng(1).permutation(400)
    np.testing.assert_array_equal(rank_among(images[order], texts[order], ids[order]), places[order])
    monkeypatch.setattr(rank, "BLOCK_BYTES", 50_000)
    np.testing.assert_array_equal(rank_among(images, texts, ids), places)


def test_another_seed_draws_other_texts(pairs):
    images, texts, ids = pairs
    first, again, other = (rank_among(images, texts[::-1], ids, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_places_are_spread_evenly_where_texts_say_nothing_of_the_pictures(pairs):
    images, texts, ids = pairs
    rng = np.random.default_rng(2)
    shuffled = texts[rng.permutation(400)]
    places = rank_among(images, shuffled, ids)
    assert places.min() >= 1
    assert places.max() <= 64
    assert 28 < places.mean() < 37
    assert np.mean(places <= 8) == pytest.approx(1 / 8, abs=0.06)
    assert np.mean(rank_among(*pairs) <= 8) > 0.5


def test_the_texts_drawn_for_a_sample_are_different_and_come_from_everywhere():
    ids = np.arange(3000, dtype=np.uint64)
    drawn = rank._draw(ids, 100, 63, 0)
    assert drawn.shape == (3000, 63)
    assert all(len(set(row)) == 63 for row in drawn.tolist())
    often = np.bincount(drawn.ravel(), minlength=100) / 3000
    assert np.abs(often - 0.63).max() < 0.05
    assert rank._draw(ids[:2], 63, 63, 0).min(axis=1).tolist() == [0, 0]


def test_what_does_not_fit_together_is_refused():
    a = circle([0, 1])
    with pytest.raises(ValueError, match="image vectors"):
        rank_among(a, a[:1], np.arange(2))
    with pytest.raises(ValueError, match="comes twice"):
        rank_among(a, a, np.array([4, 4]))
    with pytest.raises(ValueError, match="negatives is 0"):
        rank_among(a, a, np.arange(2), negatives=0)
