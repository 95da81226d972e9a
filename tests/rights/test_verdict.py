"""From findings to verdicts, and from copies to final rights."""

import pyarrow as pa
import pytest

from assets.rights.addresses import registrable_domain
from assets.rights.findings import RULES
from assets.rights.policy import Policy, load_policy
from assets.rights.twins import twins
from assets.rights.verdict import final_rights, occurrences
from tests.rights.conftest import table

PAGE, IMAGE = 10, 20
SHA = b"a" * 32


FREE = ("image", "xmp_cc_license", "CC0-1.0")


def judge(licenses=(), reservations=(), policy: Policy | None = None, notices=(), **sample) -> dict:
    """Occurrence of one sample, id 1.

    From (type, rule, spdx_id[, confidence]) and (type, rule, usage, decision[, value]).
    """
    ids = {"page": PAGE, "image": IMAGE, "sample": 1}
    found = [
        {
            "subject_type": kind,
            "subject_id": ids[kind],
            "rule": rule,
            "spdx_id": spdx,
            "confidence": (*rest, RULES[rule].confidence)[0],
        }
        for kind, rule, spdx, *rest in licenses
    ]
    reserved = [
        {
            "subject_type": kind,
            "subject_id": ids[kind],
            "rule": rule,
            "usage": usage,
            "decision": decision,
            "value": (*rest, "")[0],
        }
        for kind, rule, usage, decision, *rest in reservations
    ]
    owners = [
        {"subject_type": "sample", "subject_id": 1, "rule": rule, "field": "copyright_notice"} for rule in notices
    ]
    row = {
        "sample_id": 1, "page_record_id": PAGE, "image_record_id": IMAGE, "image_id": IMAGE, "text": "a bird",
        "page_url": "http://www.a.example/p", "image_url": "http://cdn.a.example/i.png",
    } | sample  # fmt: skip
    made = occurrences(
        table("sample", [row]),
        table("image", [{"image_id": IMAGE}]),
        table("license_evidence", found),
        table("reservation_evidence", reserved),
        table("attribution", owners),
        policy or load_policy("commercial-open"),
    )
    return made.to_pylist()[0]


def said(row: dict) -> tuple[str, str, str]:
    return row["image_license"], row["verdict"], row["reason"]


def test_nothing_found_is_none_and_only_the_address_may_go():
    assert said(judge()) == ("NONE", "url_only", "no_license_found")


def test_an_unreadable_statement_is_noassertion_and_refused():
    assert said(judge([("sample", "figure_rel", "NOASSERTION")])) == ("NOASSERTION", "deny", "unreadable_license")
    assert said(judge([("page", "page_unread", "NOASSERTION")])) == ("NOASSERTION", "deny", "unreadable_license")


@pytest.mark.parametrize(
    ("licenses", "spdx_id", "rule"),
    [
        (
            [("image", "xmp_cc_license", "CC-BY-4.0"), ("page", "page_rel", "CC-BY-NC-4.0")],
            "CC-BY-4.0",
            "xmp_cc_license",
        ),
        (
            [("image", "http_link_image", "CC-BY-4.0"), ("sample", "figure_rel", "CC-BY-4.0")],
            "CC-BY-4.0",
            "http_link_image",
        ),
        ([("sample", "figure_rel", "CC0-1.0"), ("page", "page_rel", "CC-BY-NC-4.0")], "CC0-1.0", "figure_rel"),
        ([("page", "page_rel", "CC-BY-4.0"), ("page", "jsonld_page", "CC-BY-NC-4.0")], "CC-BY-4.0", "page_rel"),
        ([("page", "page_rel", "CC-BY-4.0"), ("image", "xmp_web_page", "NOASSERTION")], "CC-BY-4.0", "page_rel"),
        ([("page", "comment_rel", "CC-BY-4.0"), ("page", "page_link", "CC-BY-4.0")], "NONE", None),
    ],
)
def test_the_most_specific_statement_decides(licenses, spdx_id, rule):
    row = judge(licenses)
    assert (row["image_license"], row["decided_by"]) == (spdx_id, rule)


def test_statements_about_the_image_that_disagree_conflict_and_the_strictest_wins():
    row = judge([("image", "xmp_cc_license", "CC-BY-4.0"), ("sample", "figure_rel", "CC-BY-NC-4.0")])
    assert said(row) == ("CC-BY-4.0", "deny", "license_conflict")
    assert row["conflict"]
    assert row["decided_by"] == "figure_rel"
    assert row["obligations"] & 4


def test_of_two_statements_of_one_rank_the_more_restrictive_is_the_license():
    row = judge([("page", "page_rel", "CC-BY-4.0"), ("page", "http_link_page", "CC-BY-SA-4.0")])
    assert row["image_license"] == "CC-BY-SA-4.0"
    assert row["conflict"]


def test_a_notice_beats_a_page_license_and_an_owner_weakens_it():
    denied = judge([("page", "page_rel", "CC-BY-4.0"), ("sample", "caption_notice", "LicenseRef-AllRightsReserved")])
    assert said(denied) == ("LicenseRef-AllRightsReserved", "deny", "license_denied")
    assert denied["conflict"]
    assert said(judge([("page", "page_rel", "CC-BY-4.0")], notices=["caption_notice"])) == (
        "CC-BY-4.0",
        "review",
        "low_confidence",
    )


def test_a_page_license_covers_its_own_domain_only():
    own = judge([("page", "page_rel", "CC-BY-4.0")])
    assert said(own) == ("CC-BY-4.0", "allow", "license_allowed")
    other = judge([("page", "page_rel", "CC-BY-4.0")], image_url="http://b.example/i.png")
    assert said(other) == ("NONE", "url_only", "page_license_of_other_site")
    refused = judge([("page", "page_rel", "CC-BY-NC-4.0")], image_url="http://b.example/i.png")
    assert said(refused) == ("NONE", "deny", "page_license_of_other_site")


@pytest.mark.parametrize("rule", ["page_meta", "jsonld_page", "http_link_page"])
def test_statements_about_a_page_that_disagree_conflict_whatever_their_ranks(rule):
    row = judge([("page", "page_rel", "CC-BY-4.0"), ("page", rule, "CC-BY-NC-4.0")])
    assert (row["verdict"], row["conflict"]) == ("deny", True)
    assert row["obligations"] & 4


@pytest.mark.parametrize(
    ("kind", "rule"), [("image", "metadata_unread"), ("sample", "jsonld_unread"), ("page", "page_unread")]
)
def test_beside_what_could_not_be_read_a_pages_license_counts_for_nothing(kind, rule):
    unread = (kind, rule, "NOASSERTION")
    assert said(judge([("page", "page_rel", "CC-BY-4.0"), unread])) == ("NOASSERTION", "deny", "unreadable_license")
    assert said(judge([("image", "xmp_cc_license", "CC-BY-4.0"), unread]))[:2] == ("CC-BY-4.0", "allow")


def test_words_on_a_page_that_was_cut_have_no_license_that_anybody_could_name():
    row = judge([FREE, ("page", "page_unread", "NOASSERTION")])
    assert (row["text_license"], row["verdict"]) == ("NOASSERTION", "allow")
    denied = judge([FREE, ("page", "page_unread", "NOASSERTION"), ("page", "page_rel", "CC-BY-NC-4.0")])
    assert (denied["text_license"], denied["reason"]) == ("NOASSERTION", "text_license_denied")


def test_beside_a_channel_that_could_not_be_read_nothing_is_allowed():
    permission = ("page", "content_usage_header", "ai_train", "allowed")
    assert judge([FREE], [permission])["reservation"] == "allowed"
    for kind, rule in (("page", "robots_unavailable"), ("image", "c2pa_unread"), ("page", "tdmrep_unread")):
        assert judge([FREE], [permission, (kind, rule, "tdm", "unknown")])["reservation"] == "unknown"


def test_a_page_license_does_not_cover_the_sites_logo():
    row = judge([("page", "page_rel", "CC-BY-4.0"), ("sample", "outside_main", "NOASSERTION")])
    assert said(row) == ("NONE", "url_only", "outside_main_content")


def test_a_choice_of_licenses_is_as_good_as_its_better_half():
    assert judge([("sample", "figure_rel", "CC-BY-4.0 OR CC-BY-NC-4.0")])["verdict"] == "allow"
    assert judge([("sample", "figure_rel", "CC-BY-ND-4.0 OR CC-BY-NC-4.0")])["verdict"] == "deny"
    assert judge([("image", "xmp_cc_license", "CC-BY-4.0 AND CC-BY-NC-4.0")])["verdict"] == "deny"


def test_doubt_and_risk_ask_for_review():
    assert said(judge([("sample", "figure_text", "CC-BY-4.0")])) == ("CC-BY-4.0", "review", "low_confidence")
    risky = judge([("sample", "figure_rel", "CC-BY-SA-2.0")], image_url="http://b.example/i.png")
    assert said(risky) == ("CC-BY-SA-2.0", "review", "risk")
    assert judge([("sample", "figure_rel", "CC-BY-SA-2.0")])["verdict"] == "allow"


def test_the_words_carry_the_license_of_the_page():
    row = judge([("image", "xmp_cc_license", "CC0-1.0"), ("page", "page_rel", "CC-BY-NC-4.0")])
    assert (row["text_license"], row["verdict"], row["reason"]) == ("CC-BY-NC-4.0", "deny", "text_license_denied")
    long = judge([("image", "xmp_cc_license", "CC0-1.0")], text="x" * 301)
    assert said(long) == ("CC0-1.0", "review", "long_text_without_license")


@pytest.mark.parametrize(
    ("reservations", "state", "verdict"),
    [
        ([("page", "meta_robots", "ai_train", "reserved")], "reserved", "deny"),
        (
            [("image", "plus_data_mining", "tdm", "reserved"), ("image", "tdmrep_header", "tdm", "allowed")],
            "reserved",
            "deny",
        ),
        ([("image", "rsl_header", "ai_train", "conditional")], "conditional", "deny"),
        ([("image", "content_usage_header", "ai_train", "allowed")], "allowed", "allow"),
        ([("image", "content_usage_header", "search", "reserved")], "unknown", "allow"),
        ([("image", "tdmrep_header", "tdm", "unknown")], "unknown", "allow"),
        ([("page", "robots_agents", "tdm", "reserved", "CCBot, Diffbot: Disallow: /")], "reserved", "deny"),
        ([("page", "robots_agents", "tdm", "reserved", "Diffbot: Disallow: /CCBot")], "unknown", "allow"),
        ([("page", "content_usage_header_legacy", "tdm", "reserved")], "reserved", "deny"),
        ([("page", "tdmrep_file", "tdm", "reserved"), ("page", "tdmrep_header", "tdm", "allowed")], "allowed", "allow"),
        ([("page", "tdmrep_header", "tdm", "allowed"), ("page", "tdmrep_meta", "tdm", "reserved")], "reserved", "deny"),
        ([("page", "tdmrep_file", "tdm", "reserved"), ("page", "tdmrep_header", "tdm", "unknown")], "reserved", "deny"),
        ([("image", "tdmrep_file", "tdm", "reserved"), ("page", "tdmrep_meta", "tdm", "allowed")], "reserved", "deny"),
    ],
)
def test_any_honored_reservation_wins_over_any_license(reservations, state, verdict):
    row = judge([FREE], reservations)
    assert (row["reservation"], row["verdict"]) == (state, verdict)
    if verdict == "deny":
        assert row["reason"] == "reserved"


def test_terms_of_use_in_prose_count_where_the_policy_says_so():
    found = [("page", "natural_language", "ai_train", "reserved")]
    assert judge([FREE], found)["reservation"] == "unknown"
    policy = load_policy("commercial-open")
    heard = policy.reservations.model_copy(update={"natural_language_terms": "reserved"})
    row = judge([FREE], found, policy.model_copy(update={"reservations": heard}))
    assert (row["reservation"], row["verdict"], row["decided_by"]) == ("reserved", "deny", "natural_language")


def test_evidence_by_a_rule_that_nobody_knows_is_an_error_and_not_passed_over():
    with pytest.raises(ValueError, match="reservation evidence by rules that nobody knows: new_protocol"):
        judge([FREE], [("page", "new_protocol", "tdm", "reserved")])


def test_samples_whose_image_did_not_decode_are_not_judged():
    empty = [table(name, []) for name in ("license_evidence", "reservation_evidence", "attribution")]
    sample = table("sample", [{"sample_id": 1, "image_id": None}, {"sample_id": 2, "image_id": 9}])
    made = occurrences(sample, table("image", [{"image_id": 9}]), *empty, load_policy("commercial-open"))
    assert made["sample_id"].to_pylist() == [2]


def occurrence(sample_id: int, spdx_id: str, verdict: str, reservation: str = "unknown") -> dict:
    return {
        "sample_id": sample_id, "image_license": spdx_id, "verdict": verdict, "image_verdict": verdict,
        "reservation": reservation,
        "text_license": "NONE", "confidence": 0.9, "reason": "license_allowed",
    }  # fmt: skip


def with_twins(*rows: dict) -> tuple[pa.Table, list[dict], list[dict]]:
    """All rows show the same bytes."""
    made = table("occurrence", list(rows))
    hashes = pa.table({"sample_id": made["sample_id"], "sha256": pa.array([SHA] * len(rows), pa.binary(32))})
    twin = twins(made, hashes)
    rights, decision = final_rights(made, hashes, twin, load_policy("commercial-open"))
    return twin, rights.to_pylist(), decision.to_pylist()


def test_copies_with_different_stated_licenses_conflict_and_become_as_strict_as_the_strictest():
    twin, rights, decision = with_twins(occurrence(1, "CC-BY-4.0", "allow"), occurrence(2, "CC-BY-NC-4.0", "deny"))
    assert twin.to_pylist() == [
        {"sha256": SHA, "licenses": ["CC-BY-4.0", "CC-BY-NC-4.0"], "conflict": True, "verdict": "deny", "samples": 2}
    ]
    assert (rights[0]["image_license"], rights[0]["verdict"], rights[0]["reason"]) == (
        "CC-BY-4.0",
        "deny",
        "twin_conflict",
    )
    assert rights[0]["decided_by"] == "twin"
    assert [row["kept"] for row in decision] == [False, False]


def test_a_copy_that_states_nothing_conflicts_with_nothing_and_gains_nothing():
    twin, rights, decision = with_twins(occurrence(1, "CC-BY-4.0", "allow"), occurrence(2, "NONE", "url_only"))
    assert twin["conflict"].to_pylist() == [False]
    assert [row["verdict"] for row in rights] == ["allow", "url_only"]
    assert [row["kept"] for row in decision] == [True, True]


def test_a_copy_that_is_reserved_reserves_all():
    _, rights, _ = with_twins(occurrence(1, "CC-BY-4.0", "allow"), occurrence(2, "NONE", "deny", "reserved"))
    assert (rights[0]["verdict"], rights[0]["reason"]) == ("deny", "twin_refused")


def test_the_words_around_one_copy_say_nothing_about_the_others():
    wordy = occurrence(2, "CC-BY-4.0", "review") | {"image_verdict": "allow", "reason": "long_text_without_license"}
    _, rights, _ = with_twins(occurrence(1, "CC-BY-4.0", "allow"), wordy)
    assert [row["verdict"] for row in rights] == ["allow", "review"]


def test_no_copies_no_twins_and_unhashed_samples_are_left_alone():
    made = table("occurrence", [occurrence(1, "CC-BY-4.0", "allow")])
    for sha256 in (SHA, None):
        hashes = pa.table({"sample_id": made["sample_id"], "sha256": pa.array([sha256], pa.binary(32))})
        assert twins(made, hashes).num_rows == 0
    none = pa.table({"sample_id": pa.array([], pa.uint64()), "sha256": pa.array([], pa.binary(32))})
    rights, _ = final_rights(made, none, table("twin", []))
    assert rights["verdict"].to_pylist() == ["allow"]


def test_a_doubtful_license_is_dropped_with_its_number_and_limit():
    row = occurrence(1, "CC-BY-4.0", "review") | {"reason": "low_confidence", "confidence": 0.6}
    none = pa.table({"sample_id": pa.array([], pa.uint64()), "sha256": pa.array([], pa.binary(32))})
    decision = final_rights(table("occurrence", [row]), none, table("twin", []), load_policy("commercial-open"))[
        1
    ].to_pylist()[0]
    assert (decision["stage"], decision["kept"], decision["reason"]) == ("rights", False, "low_confidence")
    assert (round(decision["score"], 6), decision["threshold"]) == (0.6, 0.7)


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("http://cdn.opendrawings.example/x", "opendrawings.example"),
        ("http://www.opendrawings.example:8080/", "opendrawings.example"),
        ("http://a.b.co.uk/", "b.co.uk"),
        ("http://127.0.0.1/x", "127.0.0.1"),
        ("http://localhost/x", "localhost"),
        ("http://co.uk/", "co.uk"),
        ("[::1]", "[::1]"),
        ("x.y.example", "y.example"),
        ("one.github.io", "github.io"),
        ("data:image/png;base64,", None),
    ],
)
def test_registered_domains(url, domain):
    if domain is None:
        assert registrable_domain(url) != "opendrawings.example"
    else:
        assert registrable_domain(url) == domain
