import numpy as np
import pytest

from assets.dedup import phash as room
from assets.dedup.cover import Best
from assets.dedup.phash import NearHashes, phash_pairs


def hashes(*values):
    return np.array(values, dtype=np.uint64)


def test_hashes_within_the_radius_are_pairs_with_the_bits_that_differ():
    first, second, bits = phash_pairs(hashes(0b0000, 0b0001, 0b0111), 2)
    assert list(zip(first.tolist(), second.tolist(), bits.tolist(), strict=True)) == [(0, 1, 1), (1, 2, 2)]


def test_a_radius_of_zero_pairs_equal_hashes_only():
    first, second, bits = phash_pairs(hashes(5, 4, 5), 0)
    assert (first.tolist(), second.tolist(), bits.tolist()) == ([0], [2], [0])


@pytest.mark.parametrize("radius", [0, 1, 3, 7, 8, 31])
@pytest.mark.parametrize("chunk", [50, 1 << 22])
def test_bands_find_the_pairs_that_all_pairs_find(monkeypatch, radius, chunk):
    rng = np.random.default_rng(radius)
    values = rng.integers(0, 2**64, 300, dtype=np.uint64)
    # Half of them differ from the other half in up to ten bits anywhere.
    for row in range(150):
        bits = rng.choice(64, rng.integers(1, 11), replace=False).astype(np.uint64)
        flips = np.bitwise_or.reduce(np.uint64(1) << bits)
        values[150 + row] = values[row] ^ flips
    monkeypatch.setattr(room, "CHUNK", chunk)
    apart = np.bitwise_count(values[:, None] ^ values[None, :])
    first, second = np.nonzero(np.triu(apart <= radius, 1))
    found = phash_pairs(values, radius)
    assert found[0].tolist() == first.tolist()
    assert found[1].tolist() == second.tolist()
    assert found[2].tolist() == apart[first, second].tolist()


def test_a_sample_without_a_hash_is_near_to_nothing():
    relation = NearHashes(hashes(0, 0, 0), np.array([True, False, True]), 64)
    first, second, _ = relation.pairs(np.arange(3), None)
    assert (first.tolist(), second.tolist()) == ([0], [2])


def test_more_pairs_than_the_limit_are_refused():
    relation = NearHashes(hashes(1, 1, 1, 1), np.ones(4, bool), 0)
    assert relation.pairs(np.arange(4), 5) is None
    assert len(relation.pairs(np.arange(4), 6)[0]) == 6


def test_the_nearest_kept_hash_before_a_row_is_offered():
    best = Best(4)
    NearHashes(hashes(0b000, 0b001, 0b011, 0b011), np.ones(4, bool), 2).strongest(
        np.array([2]), np.array([0, 1, 3]), best
    )
    assert best.other.tolist() == [-1, -1, 1, -1]
    assert best.score[2] == -1


def test_no_hashes_make_no_pairs():
    assert [len(part) for part in phash_pairs(hashes(), 3)] == [0, 0, 0]
