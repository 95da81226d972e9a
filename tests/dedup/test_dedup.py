"""Stage dedup on a handful of samples, and on a thousand against the rule itself."""

import numpy as np
import pyarrow as pa
import pytest

from assets.dedup.dedup import DedupSettings, deduplicate
from assets.dedup.ranking import PREFERENCES, rank
from assets.provenance.tables import conform


def sample(sample_id, degrees, sha=None, phash=None, side=100, verdict="allow", score=0.3, url=None, text=None):
    """A sample whose vector points in a direction of the plane; bytes of its own unless `sha` says otherwise."""
    return {
        "sample_id": sample_id,
        "sha256": (sha or f"own-{sample_id}").encode().ljust(32, b"."),
        "phash": None if phash is None else phash.to_bytes(8, "big"),
        "width": side,
        "height": side,
        "verdict": verdict,
        "score": score,
        "image_url": url,
        "text": text,
        "degrees": degrees,
    }


SCHEMA = pa.schema(
    [
        ("sample_id", pa.uint64()),
        ("sha256", pa.binary(32)),
        ("phash", pa.binary(8)),
        ("width", pa.uint32()),
        ("height", pa.uint32()),
        ("verdict", pa.string()),
        ("score", pa.float32()),
        ("image_url", pa.string()),
        ("text", pa.string()),
    ]
)


def inputs(samples):
    radians = np.radians([row["degrees"] for row in samples])
    rows = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "degrees"} for row in samples], SCHEMA)
    return rows, np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def decide(*samples, **settings):
    return deduplicate(*inputs(samples), DedupSettings(**settings))


def told(table, sample_id):
    row = next(row for row in table.to_pylist() if row["sample_id"] == sample_id)
    return row["reason"], row["score"], row["threshold"], row["other_sample_id"]


def kept(table):
    return [row["sample_id"] for row in table.to_pylist() if row["kept"]]


def ranked(*samples):
    rows, _ = inputs(samples)
    return rank([rows], list(PREFERENCES), [], False).ids.tolist()


def test_a_near_duplicate_says_its_cosine_the_threshold_and_who_stays():
    table = conform("decision", decide(sample(1, 0), sample(2, 10), sample(3, 90)))
    assert kept(table) == [1, 3]
    assert told(table, 2) == ("near_duplicate", 0.984808, 0.95, 1)
    assert told(table, 1) == (None, None, None, None)
    assert set(table["stage"].to_pylist()) == {"dedup"}


def test_in_a_chain_the_middle_goes_and_the_end_stays():
    # 15 degrees apart is 0.966, 30 degrees 0.866.
    table = decide(sample(1, 0), sample(2, 15), sample(3, 30))
    assert kept(table) == [1, 3]
    assert told(table, 2)[3] == 1


def test_samples_with_the_same_bytes_collapse_first_and_need_no_score():
    table = decide(sample(1, 0, sha="x"), sample(2, 0, sha="x"))
    assert kept(table) == [1]
    assert told(table, 2) == ("exact_duplicate", None, None, 1)


def test_copies_of_a_sample_that_went_share_its_decision_so_that_the_one_they_name_stays():
    table = decide(sample(1, 0), sample(2, 10, sha="x"), sample(3, 10, sha="x"))
    assert kept(table) == [1]
    assert told(table, 3) == told(table, 2) == ("near_duplicate", 0.984808, 0.95, 1)


def test_a_hash_twin_says_its_bits_and_the_radius():
    table = decide(sample(1, 0, phash=0b1111), sample(2, 90, phash=0b1001), phash_radius=3)
    assert told(table, 2) == ("phash_duplicate", 2.0, 3.0, 1)


def test_hashes_are_looked_at_only_if_asked_for_and_missing_ones_match_nothing():
    same = [sample(1, 0, phash=7), sample(2, 90, phash=7)]
    assert kept(decide(*same)) == [1, 2]
    assert kept(decide(*same, phash_radius=0)) == [1]
    assert kept(decide(sample(1, 0), sample(2, 90), phash_radius=0)) == [1, 2]


def test_a_hash_twin_that_is_also_near_is_told_as_a_hash_twin():
    assert told(decide(sample(1, 0, phash=7), sample(2, 5, phash=7), phash_radius=0), 2)[0] == "phash_duplicate"


def test_a_hash_twin_of_a_sample_that_went_is_held_against_those_that_stay():
    # 3 shares its hash with 2 alone; 2 went because of 1; 3 looks different from 1 and has another hash.
    table = decide(sample(1, 0, phash=0), sample(2, 10, phash=255), sample(3, 90, phash=255), phash_radius=1)
    assert kept(table) == [1, 3]


def test_preference_is_verdict_then_pixels_then_score_then_id():
    assert ranked(sample(1, 0, verdict="url_only", side=999), sample(2, 0, side=10)) == [2, 1]
    assert ranked(sample(1, 0, side=99, score=0.9), sample(2, 0, side=100, score=0.1)) == [2, 1]
    assert ranked(sample(1, 0, score=0.1), sample(2, 0, score=0.2)) == [2, 1]
    assert ranked(sample(2, 0), sample(1, 0)) == [1, 2]
    assert ranked(sample(1, 0, score=None), sample(2, 0, score=-1.0)) == [2, 1]


def test_pixels_of_huge_pictures_do_not_overflow():
    assert ranked(sample(1, 0, side=2**31), sample(2, 0, side=10)) == [1, 2]


@pytest.mark.parametrize("worse", [{"verdict": "url_only"}, {"side": 99}, {"score": 0.2}])
def test_the_better_copy_stays_whatever_its_id(worse):
    assert kept(decide(sample(1, 0, **worse), sample(2, 10))) == [2]
    assert kept(decide(sample(1, 0, sha="x", **worse), sample(2, 0, sha="x"))) == [2]


def test_an_eps_of_zero_drops_the_same_bytes_only():
    assert kept(decide(sample(1, 0, sha="x"), sample(2, 0, sha="x"), sample(3, 0), eps=0.0)) == [1, 3]


def test_the_threshold_is_one_minus_eps_in_decimals_not_in_binary():
    # 1 - 0.07 is 0.9299999999999999 in binary: a cosine of 0.93 is not above 1 - eps.
    rows, _ = inputs([sample(1, 0), sample(2, 0)])
    raw = np.array([[1, 0], [0.93, np.sqrt(1 - 0.93**2)]], np.float32)
    assert kept(deduplicate(rows, raw, DedupSettings(eps=0.07))) == [1, 2]
    assert told(deduplicate(rows, raw, DedupSettings(eps=0.070001)), 2) == ("near_duplicate", 0.93, 0.929999, 1)


def test_no_samples_give_no_decisions():
    rows, _ = inputs([])
    assert deduplicate(rows, np.empty((0, 8), np.float16)).num_rows == 0


def test_rows_and_vectors_must_be_as_many():
    rows, raw = inputs([sample(1, 0), sample(2, 10)])
    with pytest.raises(ValueError, match="2 samples, but 1 vectors"):
        deduplicate(rows, raw[:1])


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"eps": 1.0}, "eps"),
        ({"eps": -0.1}, "eps"),
        ({"phash_radius": 33}, "phash_radius"),
        ({"cell_size": 0}, "cell_size"),
        ({"rule": "best"}, "rule"),
        ({"rule": "semdedup", "phash_radius": 2}, "rule"),
        ({"prefer": ("size",)}, "prefer"),
    ],
)
def test_settings_out_of_range_are_errors_that_name_the_key(wrong, key):
    with pytest.raises(ValueError, match=f"dedup.{key}"):
        DedupSettings(**wrong)


def many(n, seed=0):
    """Groups of near copies and of equal bytes, in four dimensions, with every kind of preference."""
    rng = np.random.default_rng(seed)
    raw = (rng.standard_normal((n // 8, 6))[rng.integers(n // 8, size=n)] + 0.12 * rng.standard_normal((n, 6))).astype(
        np.float16
    )
    source = np.where(rng.random(n) < 0.2, rng.integers(n, size=n), np.arange(n))
    raw = raw[source]
    ids = rng.permutation(n) + (7 << 32)
    rows = pa.table(
        {
            "sample_id": pa.array(ids, pa.uint64()),
            "sha256": pa.array([int(i).to_bytes(32, "big") for i in source], pa.binary(32)),
            "phash": pa.array([int(i // 3).to_bytes(8, "big") for i in source], pa.binary(8)),
            "width": pa.array(rng.integers(90, 93, n), pa.uint32()),
            "height": pa.array(rng.integers(90, 93, n), pa.uint32()),
            "verdict": pa.array(rng.choice(["allow", "url_only"], n)),
            "score": pa.array(rng.choice([0.1, 0.2, np.nan], n), pa.float32(), from_pandas=True),
        }
    )
    return rows, raw


@pytest.mark.parametrize("radius", [None, 0])
def test_every_drop_is_true_and_names_a_preferred_sample_that_stays(radius):
    rows, raw = many(1000)
    settings = DedupSettings(phash_radius=radius)
    table = deduplicate(rows, raw, settings)
    assert table["sample_id"].to_pylist() == sorted(rows["sample_id"].to_pylist())
    at = {int(i): row for row, i in enumerate(rows["sample_id"].to_pylist())}
    place = {int(i): number for number, i in enumerate(rank([rows], list(PREFERENCES), [], False).ids)}
    unit = raw.astype(np.float64) / np.linalg.norm(raw.astype(np.float64), axis=1, keepdims=True)
    stays = set(kept(table))
    reasons = set()
    for row in table.filter(pa.compute.invert(table["kept"])).to_pylist():
        one, other = at[row["sample_id"]], at[row["other_sample_id"]]
        assert row["other_sample_id"] in stays
        assert place[row["other_sample_id"]] < place[row["sample_id"]]
        reasons.add(row["reason"])
        if row["reason"] == "near_duplicate":
            assert row["score"] > row["threshold"]
            assert row["score"] == pytest.approx(unit[one] @ unit[other], abs=1e-6)
        else:
            column = "sha256" if row["reason"] == "exact_duplicate" else "phash"
            assert rows[column][one] == rows[column][other]
    assert reasons == {"exact_duplicate", "near_duplicate"} | ({"phash_duplicate"} if radius == 0 else set())
    # And what stays is no copy of anything else that stays.
    left = np.array([at[i] for i in sorted(stays)])
    assert (np.triu(unit[left] @ unit[left].T, 1) <= 0.95 + 1e-6).all()


def test_the_order_of_rows_and_of_chunks_changes_nothing():
    rows, raw = many(600)
    order = np.random.default_rng(5).permutation(600)
    pieces = [rows.take(part) for part in np.array_split(order, 4)]
    settings = DedupSettings(phash_radius=0)
    assert deduplicate(pa.concat_tables(pieces), raw[order], settings).equals(deduplicate(rows, raw, settings))


def test_cells_give_the_same_decisions_where_they_miss_no_pair():
    rows, raw = many(1000)
    assert deduplicate(rows, raw, DedupSettings(cell_size=25, neighbor_cells=8)).equals(deduplicate(rows, raw))


def test_exact_twins_point_to_the_preferred_row_over_parts_and_a_missing_hash_has_none():
    hashes = [[b"a", b"b"], [b"a", None, None, b"b"]]
    score = [[0.1, 0.2], [0.3, 0.4, 0.5, 0.6]]
    parts = [
        pa.table({"sample_id": pa.array(ids, pa.uint64()), "sha256": pa.array(h, pa.binary()), "score": s})
        for ids, h, s in zip([[10, 11], [12, 13, 14, 15]], hashes, score, strict=True)
    ]
    found = rank(parts, ["score"], ["exact_duplicate"], False)
    assert found.ids.tolist() == [15, 14, 13, 12, 11, 10]
    assert found.ids[found.keeper].tolist() == [15, 14, 13, 12, 15, 12]
    assert found.level.tolist() == [-1, -1, -1, -1, 0, 0]
    assert len(rank([], ["score"], ["exact_duplicate"], True).ids) == 0


def test_the_recipe_says_what_makes_one_copy_preferred():
    samples = [sample(1, 0, verdict="url_only", side=200), sample(2, 1, side=100), sample(3, 2, score=0.9, side=50)]
    assert kept(decide(*samples)) == [2]
    assert kept(decide(*samples, prefer=("resolution",))) == [1]
    assert kept(decide(*samples, prefer=("score", "verdict"))) == [3]
    assert kept(decide(*samples, prefer=())) == [1]


def test_the_published_rule_also_drops_what_resembles_a_dropped_one_and_names_it():
    # Farthest from the middle first: 32, 1 and 16 degrees; 16 is near to both, 1 and 32 are not near to each other.
    samples = [sample(1, 1), sample(2, 16), sample(3, 32)]
    assert kept(decide(*samples)) == [1, 3]
    table = decide(*samples, rule="semdedup")
    assert kept(table) == [1, 3]
    # A chain whose end is sorted after the middle: with a far-off fourth the middle comes first.
    chain = [sample(1, 0), sample(2, 15), sample(3, 30), sample(4, 75), sample(5, 76)]
    published = decide(*chain, rule="semdedup")
    assert len(kept(published)) < len(kept(decide(*chain)))
    dropped = [row for row in published.to_pylist() if not row["kept"]]
    assert any(row["other_sample_id"] not in kept(published) for row in dropped)
    assert all(row["score"] > row["threshold"] for row in dropped)


def test_one_sample_per_address_stays_where_the_recipe_asks():
    samples = [sample(n, 30 * n, url=url) for n, url in enumerate(["u", "v", "u", None, None])]
    assert kept(decide(*samples)) == [0, 1, 2, 3, 4]
    table = decide(*samples, same_url=True)
    assert kept(table) == [0, 1, 3, 4]
    assert told(table, 2) == ("url_duplicate", None, None, 0)


def test_one_sample_per_perceptual_hash_and_text_stays_where_the_recipe_asks():
    pairs = [(7, "a"), (7, "b"), (7, "a"), (8, "a"), (None, "a"), (None, "a"), (7, None), (7, None)]
    samples = [sample(n, 20 * n, phash=phash, text=text) for n, (phash, text) in enumerate(pairs)]
    table = decide(*samples, same_phash_and_text=True)
    assert kept(table) == [0, 1, 3, 4, 5, 6, 7]
    assert told(table, 2) == ("phash_text_duplicate", None, None, 0)


def test_whoever_stays_in_a_samples_place_stays_itself_over_chains_of_equals():
    a, b = sample(1, 0, sha="x", url="u"), sample(2, 40, sha="x", url="v")
    c, d = sample(3, 80, url="u", phash=1, text="t"), sample(4, 120, phash=1, text="t", side=200)
    table = decide(a, b, c, d, same_url=True, same_phash_and_text=True)
    assert kept(table) == [1, 4]
    assert (told(table, 2)[0], told(table, 2)[3]) == ("exact_duplicate", 1)
    assert (told(table, 3)[0], told(table, 3)[3]) == ("url_duplicate", 1)
