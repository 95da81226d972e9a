"""Obligations of a collection, and which texts may be merged into one new work."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights.combining import REASONS, fuse_terms, union
from assets.rights.licenses import licenses, obligations_of

BITS = st.integers(0, 4095)
IDS = st.sampled_from(
    [
        "NONE", "NOASSERTION", "CC0-1.0", "CC-PDM-1.0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-3.0-DE", "MIT", "ODC-By-1.0",
        "CC-BY-SA-1.0", "CC-BY-SA-2.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-AT", "CC-BY-NC-2.0", "CC-BY-NC-4.0",
        "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-SA-1.0", "GPL-2.0-only", "GFDL-1.3-only", "ODbL-1.0",
        "LicenseRef-CC-BY-SA-unversioned", "LicenseRef-CC-Sampling-1.0", "LicenseRef-AllRightsReserved", "Glide",
    ]
)  # fmt: skip
EXPRESSIONS = st.recursive(
    IDS,
    lambda parts: st.tuples(parts, st.sampled_from([" OR ", " AND "]), parts).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
    max_leaves=4,
)
CHOICE = st.sampled_from(["allow", "exclude"])


def fuse(*ids: str, share_alike="allow", non_commercial="allow"):
    return fuse_terms(ids, share_alike=share_alike, non_commercial=non_commercial)


@given(BITS, BITS, BITS)
def test_obligations_of_a_collection_only_add_up(a, b, c):
    assert union(a, b) == union(b, a)
    assert union(union(a, b), c) == union(a, union(b, c)) == union(a, b, c)
    assert union(a, a) == union(a) == a
    assert union() == 0
    assert union(a, b) & a == a


def test_a_collection_with_one_non_commercial_item_is_non_commercial():
    assert union(obligations_of("CC-BY-SA-4.0"), obligations_of("CC-BY-NC-4.0"), 0) == 1 + 2 + 4 + 16 + 32


@pytest.mark.parametrize(
    ("ids", "license", "bits"),
    [
        ([], "NONE", 0),
        (["NONE", "NONE"], "NONE", 0),
        (["NONE", "CC0-1.0"], "CC0-1.0", 0),
        (["CC0-1.0", "CC-PDM-1.0"], "CC-PDM-1.0 AND CC0-1.0", 0),
        (["CC-BY-4.0", "CC0-1.0"], "CC-BY-4.0", 49),
        (["CC-BY-2.0", "CC-BY-4.0"], "CC-BY-4.0", 49),
        (["CC-BY-3.0-DE", "CC-BY-3.0"], "CC-BY-3.0", 49),
        (["CC-BY-4.0", "MIT", "MIT-0"], "CC-BY-4.0 AND MIT", 49),
        (["CC-BY-4.0", "CC-BY-SA-3.0"], "CC-BY-SA-3.0", 51),
        (["CC-BY-SA-2.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0"], "CC-BY-SA-4.0", 51),
        (["CC-BY-SA-2.0-UK", "CC-BY-SA-3.0-AT"], "CC-BY-SA-3.0-AT", 51),
        (["CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-AT"], "CC-BY-SA-3.0-AT", 51),
        (["CC-BY-SA-1.0", "CC-BY-SA-1.0"], "CC-BY-SA-1.0", 51),
        (["LicenseRef-CC-BY-SA-unversioned"], "LicenseRef-CC-BY-SA-unversioned", 51),
        (["CC-BY-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0", 53),
        (["CC-BY-NC-2.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0", 53),
        (["CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "CC-BY-4.0", "CC0-1.0"], "CC-BY-NC-SA-3.0", 55),
        (["GPL-2.0-only", "MIT", "CC0-1.0"], "GPL-2.0-only", 51),
        (["GPL-2.0-only WITH Classpath-exception-2.0", "MIT"], "GPL-2.0-only", 51),
        (["GFDL-1.3-only", "GFDL-1.3-only"], "GFDL-1.3-only", 51),
        (["CC-BY-SA-4.0", "ODC-By-1.0"], "CC-BY-SA-4.0", 51 + 1024),
        (["CC-BY-4.0 OR CC-BY-NC-4.0"], "CC-BY-4.0", 49),
        (["CC-BY-SA-4.0 OR GFDL-1.3-only", "GFDL-1.3-only"], "GFDL-1.3-only", 51),
        (["CC-BY-SA-3.0 OR GFDL-1.2-or-later", "CC-BY-SA-4.0"], "CC-BY-SA-4.0", 51),
        (["MIT OR CC-BY-ND-4.0"], "MIT", 17),
        (["MIT AND CC-BY-SA-4.0"], "CC-BY-SA-4.0", 51),
        (["(CC-BY-SA-4.0 OR CC-BY-NC-SA-4.0) AND MIT", "CC-BY-NC-4.0"], "CC-BY-NC-SA-4.0", 55),
    ],
)
def test_texts_merge_under_a_license_that_all_of_them_accept(ids, license, bits):
    fused = fuse(*ids)
    assert (fused.allowed, fused.license, fused.obligations, fused.reason) == (True, license, bits, None)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (["NOASSERTION"], "text_license_unreadable"),
        (["CC0-1.0", "NOASSERTION"], "text_license_unreadable"),
        (["Glide"], "text_license_unreadable"),
        (["No-Such-License"], "text_license_unreadable"),
        (["MIT OR"], "text_license_unreadable"),
        (["LicenseRef-AllRightsReserved", "CC0-1.0"], "text_license_denied"),
        (["LicenseRef-Proprietary"], "text_license_denied"),
        (["LicenseRef-CC-Sampling-1.0"], "text_license_denied"),
        (["LicenseRef-CC-DevNations-2.0"], "text_license_denied"),
        (["CC-BY-ND-4.0"], "no_derivatives"),
        (["CC-BY-NC-ND-3.0", "CC0-1.0"], "no_derivatives"),
        (["CC-BY-SA-1.0", "CC-BY-SA-2.0"], "incompatible_licenses"),
        (["LicenseRef-CC-BY-SA-unversioned", "CC-BY-SA-4.0"], "incompatible_licenses"),
        (["CC-BY-NC-4.0", "CC-BY-SA-4.0"], "incompatible_licenses"),
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], "incompatible_licenses"),
        (["CC-SA-1.0", "CC-BY-SA-4.0"], "incompatible_licenses"),
        (["GPL-2.0-only", "GPL-3.0-only"], "incompatible_licenses"),
        (["GPL-3.0-only", "CC-BY-SA-4.0"], "incompatible_licenses"),
        (["GPL-3.0-only", "CC-BY-NC-4.0"], "incompatible_licenses"),
        (["ODbL-1.0", "CC-BY-SA-4.0"], "incompatible_licenses"),
        (["CC-BY-SA-4.0 AND CC-BY-NC-4.0"], "incompatible_licenses"),
        (["CC-BY-ND-4.0 OR CC-BY-NC-ND-4.0"], "no_derivatives"),
        (["CC-BY-ND-4.0 OR NOASSERTION"], "no_derivatives"),
    ],
)
def test_texts_that_no_one_license_covers_are_not_merged(ids, reason):
    fused = fuse(*ids)
    assert (fused.allowed, fused.license, fused.obligations, fused.reason) == (False, "NOASSERTION", 0, reason)


def test_share_alike_and_non_commercial_texts_take_part_only_where_they_may():
    assert fuse("CC-BY-SA-4.0", share_alike="exclude").reason == "share_alike"
    assert fuse("CC-BY-NC-4.0", non_commercial="exclude").reason == "non_commercial"
    assert fuse("CC-BY-4.0", share_alike="exclude", non_commercial="exclude").allowed
    assert fuse("CC-BY-SA-4.0 OR CC-BY-4.0", share_alike="exclude").license == "CC-BY-4.0"
    assert fuse_terms(["CC-BY-NC-4.0"], "allow").reason == "non_commercial"


def test_more_choices_than_anybody_can_weigh_are_unreadable():
    choices = [f"CC-BY-{v} OR CC-BY-SA-{v}" for v in ("1.0", "2.0", "2.5", "3.0", "4.0")]
    assert fuse(*choices).allowed
    many = [f"({a} OR MIT) AND (ISC OR {a})" for a in list(licenses())[:20]]
    assert fuse(*many).reason == "text_license_unreadable"


@given(st.lists(EXPRESSIONS, max_size=4), CHOICE, CHOICE, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_change_what_is_merged(parts, share_alike, non_commercial, random):
    fused = fuse(*parts, share_alike=share_alike, non_commercial=non_commercial)
    shuffled = parts + parts[:2]
    random.shuffle(shuffled)
    assert fuse(*shuffled, share_alike=share_alike, non_commercial=non_commercial) == fused
    assert fused.allowed is (fused.reason is None)
    assert fused.reason is None or fused.reason in REASONS


@given(st.lists(EXPRESSIONS, max_size=3))
def test_a_merged_text_merges_with_nothing_to_the_same_license(parts):
    fused = fuse(*parts)
    if fused.allowed:
        again = fuse(fused.license, "NONE")
        assert (again.allowed, again.license) == (True, fused.license)
        assert again.obligations & fused.obligations == again.obligations


@given(st.lists(EXPRESSIONS, max_size=3), IDS)
def test_one_more_text_never_makes_a_refused_merger_possible(parts, more):
    assert fuse(*parts).allowed or not fuse(*parts, more).allowed


@given(st.lists(EXPRESSIONS, max_size=3))
def test_a_stricter_policy_never_merges_more(parts):
    assert fuse(*parts).allowed or not any(
        fuse(*parts, share_alike=sa, non_commercial=nc).allowed
        for sa, nc in itertools.product(("allow", "exclude"), repeat=2)
    )


@given(st.lists(IDS, max_size=4))
def test_a_merged_text_carries_every_obligation_of_its_parts(parts):
    fused = fuse(*parts)
    stated = [part for part in parts if part != "NONE"]
    assert not fused.allowed or fused.obligations == union(*map(obligations_of, stated))
