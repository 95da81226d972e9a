"""Who stays, decided on pairs that can be checked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.dedup.cover import Best, cover, gather, greedy_cover


class Listed:
    """A relation given by its pairs, with a log of how many it handed out at a time."""

    def __init__(self, pairs):
        self.near = {(min(a, b), max(a, b)): score for a, b, score in pairs}
        self.most = 0

    def pairs(self, rows, limit):
        inside = set(rows.tolist())
        found = [(a, b, score) for (a, b), score in self.near.items() if a in inside and b in inside]
        if limit is not None and len(found) > limit:
            return None
        self.most = max(self.most, len(found))
        return as_found(found)

    def strongest(self, rows, kept, best):
        rows, kept = set(rows.tolist()), set(kept.tolist())
        a, b, score = as_found([(a, b, s) for (a, b), s in self.near.items() if a in kept and b in rows])
        best.offer(b, a, score)


def as_found(triples):
    if not triples:
        return gather([])
    a, b, score = zip(*triples, strict=True)
    return np.array(a), np.array(b), np.array(score, float)


def decided(rank, *pairs):
    a, b, score = as_found(pairs)
    return greedy_cover(np.array(rank), a, b, score)


def by_definition(n, relations):
    """The rule itself: samples in turn, each against all that were kept so far."""
    kept = []
    for row in range(n):
        if not any((better, row) in relation.near for relation in relations for better in kept):
            kept.append(row)
    return kept


def test_of_two_copies_the_preferred_stays_and_the_other_names_it():
    found = decided([1, 0], (0, 1, 0.97))
    assert found.keep.tolist() == [False, True]
    assert found.other.tolist() == [1, -1]
    assert found.score[0] == 0.97
    assert np.isnan(found.score[1])


def test_in_a_chain_only_the_middle_goes_because_the_end_resembles_nothing_that_stays():
    found = decided([0, 1, 2], (0, 1, 0.96), (1, 2, 0.96))
    assert found.keep.tolist() == [True, False, True]
    assert found.other.tolist() == [-1, 0, -1]


def test_a_chain_whose_middle_is_preferred_keeps_the_middle_alone():
    found = decided([1, 0, 2], (0, 1, 0.96), (1, 2, 0.99))
    assert found.keep.tolist() == [False, True, False]
    assert found.other.tolist() == [1, -1, 1]


def test_the_dropped_names_the_nearest_of_the_kept_not_the_nearest_of_all():
    # 3 is nearest to 2, which goes because of 1; of the kept 0 and 1, it is nearer to 1.
    found = decided([0, 1, 2, 3], (1, 2, 0.96), (2, 3, 0.999), (0, 3, 0.955), (1, 3, 0.97))
    assert found.keep.tolist() == [True, True, False, False]
    assert found.other.tolist() == [-1, -1, 1, 1]
    assert found.score[3] == 0.97


def test_equally_near_kept_samples_are_named_in_order_of_preference():
    assert decided([1, 0, 2], (0, 2, 0.97), (1, 2, 0.97)).other.tolist() == [-1, -1, 1]


def test_no_pairs_drop_nothing_and_no_samples_are_fine():
    assert decided([0, 1]).keep.tolist() == [True, True]
    assert decided([]).keep.tolist() == []


def test_a_later_kept_sample_is_never_named_however_near():
    # 2 is kept (not near 0) and nearer to 1 than 0 is, but 1 went before 2's turn, because of 0.
    assert decided([0, 1, 2], (0, 1, 0.96), (1, 2, 0.999)).other.tolist() == [-1, 0, -1]


def test_a_sample_near_in_two_ways_names_the_kept_one_of_each():
    hashes, vectors = Listed([(0, 2, -3)]), Listed([(1, 2, 0.98)])
    keep, (by_hash, by_vector) = cover(3, [hashes, vectors])
    assert keep.tolist() == [True, True, False]
    assert (by_hash.other[2], by_hash.score[2]) == (0, -3)
    assert (by_vector.other[2], by_vector.score[2]) == (1, 0.98)


def test_a_hash_twin_of_a_sample_that_went_by_vector_is_not_dropped_for_it():
    keep, _ = cover(3, [Listed([(1, 2, -1)]), Listed([(0, 1, 0.98)])])
    assert keep.tolist() == [True, False, True]


def test_best_takes_the_strongest_offer_and_of_equal_ones_the_lower_row():
    best = Best(3)
    best.offer(np.array([0, 0, 1]), np.array([7, 5, 4]), np.array([0.5, 0.5, 0.1]))
    best.offer(np.array([0, 1]), np.array([9, 8]), np.array([0.5, 0.2]))
    assert best.other.tolist() == [5, 8, -1]
    assert best.score[:2].tolist() == [0.5, 0.2]


graphs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        st.just(n),
        *[
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.integers(1, 5)), max_size=40).map(
                lambda pairs: Listed([pair for pair in pairs if pair[0] != pair[1]])
            )
        ]
        * 2,
    )
)


@given(graphs)
@settings(max_examples=200, deadline=None)
def test_the_cover_is_the_rule_applied_to_one_sample_after_the_other(graph):
    n, *relations = graph
    keep, best = cover(n, relations)
    assert np.flatnonzero(keep).tolist() == by_definition(n, relations)
    for relation, named in zip(relations, best, strict=True):
        for row in range(n):
            offers = [(score, -a) for (a, b), score in relation.near.items() if b == row and keep[a]]
            if keep[row] or not offers:
                assert named.other[row] == -1
            else:
                assert (named.score[row], -named.other[row]) == max(offers)


@given(graphs, st.integers(0, 6))
@settings(max_examples=200, deadline=None)
def test_pairs_that_do_not_fit_change_nothing(graph, limit):
    n, *relations = graph
    keep, best = cover(n, relations)
    for relation in relations:
        relation.most = 0
    again, same = cover(n, relations, limit)
    assert again.tolist() == keep.tolist()
    for one, other in zip(best, same, strict=True):
        np.testing.assert_array_equal(one.other, other.other)
        np.testing.assert_array_equal(one.score, other.score)
    assert max(relation.most for relation in relations) <= limit


def test_a_thousand_copies_of_one_picture_never_list_their_half_million_pairs():
    everyone = Listed([(a, b, 1) for a in range(1000) for b in range(a + 1, 1000)])
    keep, _ = cover(1000, [everyone], max_pairs=5000)
    assert np.flatnonzero(keep).tolist() == [0]
    assert everyone.most <= 5000


@pytest.mark.parametrize("n", [0, 1])
def test_a_cover_of_nothing_and_of_one(n):
    assert cover(n, [Listed([])], 0)[0].tolist() == [True] * n
