"""Mixtures hold their shares, are the same for the same seed, and move few samples when some go."""

import numpy as np
import pytest

from assets.captions.mixtures import KINDS, apportion, available, flow, mask_of, mix
from orchestration.recipe import TARGETS

ALL = mask_of(KINDS)


def mixed(masks, shares, target="clip", seed=0):
    return mix(np.arange(len(masks), dtype=np.uint64), np.asarray(masks), shares, target, seed)


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("samples", [100, 632, 10_000])
def test_published_shares_come_out_within_one_point(target, samples):
    made = mixed([ALL] * samples, TARGETS[target], target)
    assert made.stood_in == {}
    for kind, share in TARGETS[target].items():
        assert made.realized.get(kind, 0) == pytest.approx(share, abs=0.01)


def test_shares_hold_although_some_samples_lack_a_kind():
    rng = np.random.default_rng(0)
    masks = np.where(rng.random(2000) < 0.3, mask_of(["synthetic-short"]), mask_of(["alt", "synthetic-short"]))
    made = mixed(masks, TARGETS["clip"])
    assert made.realized == pytest.approx({"alt": 0.5, "synthetic-short": 0.5}, abs=0.01)
    only = masks == mask_of(["synthetic-short"])
    assert set(made.kind[only]) == {KINDS.index("synthetic-short")}


def test_shares_that_cannot_hold_are_held_as_far_as_the_captions_go():
    masks = [mask_of(["alt"])] * 80 + [mask_of(["alt", "fused"])] * 20
    made = mixed(masks, {"alt": 0.5, "fused": 0.5})
    assert made.realized == pytest.approx({"alt": 0.8, "fused": 0.2})


def test_a_kind_that_nothing_writes_is_stood_in_for_and_said_so():
    made = mixed([mask_of(["alt", "synthetic-short"])] * 300, TARGETS["mllm"], "mllm")
    assert made.stood_in == {"synthetic-dense": "synthetic-short"}
    assert made.asked == pytest.approx({"alt": 0.33, "synthetic-short": 0.67})
    assert made.realized == pytest.approx({"alt": 0.33, "synthetic-short": 0.67}, abs=0.01)


def test_every_sample_gets_a_kind_that_it_has():
    rng = np.random.default_rng(1)
    masks = rng.integers(1, 32, 3000)
    for target, shares in TARGETS.items():
        made = mixed(masks, shares, target)
        assert (made.kind >= 0).all()
        assert ((masks >> made.kind) & 1).all()


def test_a_sample_without_captions_gets_none():
    made = mixed([0, ALL, ALL], TARGETS["clip"])
    assert made.kind[0] == -1
    assert (made.kind[1:] >= 0).all()


def test_the_seed_and_nothing_else_decides():
    masks = [ALL] * 500
    shares = {"alt": 0.4, "synthetic-short": 0.6}
    once = mixed(masks, shares)
    assert np.array_equal(once.kind, mixed(masks, shares).kind)
    backwards = mix(np.arange(500, dtype=np.uint64)[::-1], np.asarray(masks), shares, "clip", 0)
    assert np.array_equal(once.kind, backwards.kind[::-1])
    assert not np.array_equal(once.kind, mixed(masks, shares, seed=1).kind)
    assert not np.array_equal(once.kind, mixed(masks, shares, target="other").kind)


def test_a_sample_less_moves_few_others():
    ids = np.arange(1000, dtype=np.uint64)
    masks = np.full(1000, ALL)
    shares = {"alt": 0.5, "synthetic-short": 0.3, "synthetic-dense": 0.2}
    before = mix(ids, masks, shares, "clip", 0).kind
    after = mix(ids[10:], masks[10:], shares, "clip", 0).kind
    assert (before[10:] != after).sum() <= 10


def test_whole_numbers_sum_to_what_there_is():
    for total in (0, 1, 2, 3, 7, 100, 632):
        assert apportion({"alt": 0.33, "synthetic-dense": 0.67}, total).sum() == total
    assert apportion({"alt": 1 / 3, "fused": 1 / 3, "synthetic-short": 1 / 3}, 2).tolist() == [1, 1, 0, 0, 0]
    assert available({"alt": 0.0, "fused": 1.0}, mask_of(["alt"])) == ({"alt": 1.0}, {"fused": "alt"})


def test_a_flow_finds_the_exchange_that_a_greedy_choice_misses():
    """Samples that could have either kind give way to those that can only have one."""
    both, alt = mask_of(["alt", "synthetic-short"]), mask_of(["alt"])
    given = flow({both: 10, alt: 10}, np.array([10, 10, 0, 0, 0]))
    assert given[alt].tolist() == [10, 0, 0, 0, 0]
    assert given[both].tolist() == [0, 10, 0, 0, 0]


def test_a_flow_is_as_good_as_the_best_of_all_ways_on_small_cases():
    rng = np.random.default_rng(2)
    for _ in range(200):
        masks = sorted(set(rng.integers(1, 8, 3).tolist()))
        sizes = {mask: int(rng.integers(1, 4)) for mask in masks}
        total = sum(sizes.values())
        first = int(rng.integers(0, total + 1))
        second = int(rng.integers(0, total - first + 1))
        counts = np.array([first, second, total - first - second, 0, 0])
        given = flow(sizes, counts)
        made = sum(given.values())
        assert all(given[mask].sum() == size for mask, size in sizes.items())
        assert all(given[mask][k] == 0 for mask in sizes for k in range(5) if not mask >> k & 1)
        assert np.minimum(made, counts).sum() == best(sizes, counts)


def best(sizes, counts):
    """Most samples that can have a kind that is asked for, by Hall's theorem over sets of kinds."""
    kinds = range(3)
    subsets = [[k for k in kinds if s >> k & 1] for s in range(8)]
    return min(
        sum(counts[k] for k in subset)
        + sum(size for mask, size in sizes.items() if any(mask >> k & 1 for k in kinds if k not in subset))
        for subset in subsets
    )
