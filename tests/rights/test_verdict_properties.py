"""What holds of verdicts whatever was found: the SQL agrees with a plain reference, and strictness only adds up."""

from dataclasses import replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.rights.policy import VERDICTS, Policy, load_policy
from assets.rights.reservations import BY_AGENT
from assets.rights.twins import twins
from assets.rights.verdict import final_rights, occurrences
from tests.rights.conftest import table
from tests.rights.plain_verdict import Case, plain_verdict

LICENSES = st.sampled_from(
    ["CC0-1.0", "CC-BY-4.0", "CC-BY-2.0", "CC-BY-SA-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "MIT", "NOASSERTION",
     "LicenseRef-AllRightsReserved", "CC-BY-4.0 OR CC-BY-NC-4.0", "MIT AND CC0-1.0", "Unheard-Of-1.0"]
)  # fmt: skip
SUBJECTS = {
    "image": ["xmp_cc_license", "xmp_marked", "http_link_image", "metadata_unread", "xmp_web_page"],
    "sample": ["figure_rel", "figure_text", "caption_notice", "outside_main", "list_license"],
    "page": ["page_rel", "http_link_page", "page_meta", "jsonld_page", "page_unread", "page_link"],
}
FOUND = st.lists(
    st.sampled_from([(kind, rule) for kind, rules in SUBJECTS.items() for rule in rules]).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), LICENSES, st.sampled_from([0.4, 0.65, 0.75, 0.95]))
    ),
    max_size=5,
    unique=True,
).map(tuple)
SIGNAL = st.tuples(
    st.sampled_from(["page", "image", "sample"]),
    st.sampled_from(
        ["tdmrep_file", "tdmrep_header", "tdmrep_meta", "x_robots_tag", "ai_txt", "rsl_link", "robots_agents",
         "content_usage_header_legacy", "c2pa_cawg", "robots_unavailable", "c2pa_unread"]
    ),
    st.sampled_from(["tdm", "ai_train", "search"]),
    st.sampled_from(["unknown", "allowed", "conditional", "reserved"]),
    st.sampled_from(["CCBot: Disallow: /", "Diffbot, GPTBot: Disallow: /"]),
)  # fmt: skip
CASE = st.builds(
    Case,
    licenses=FOUND,
    reservations=st.lists(SIGNAL, max_size=4, unique=True).map(tuple),
    owned=st.booleans(),
    image_url=st.sampled_from(["http://a.example/i.png", "http://cdn.a.example/i.png", "http://b.example/i.png"]),
    text=st.sampled_from(["", "a bird", "x" * 400]),
    changed=st.booleans(),
)
CASES = st.lists(CASE, min_size=1, max_size=40)
BASE = load_policy("commercial-open").body


@st.composite
def policy_pairs(draw):
    """A lenient policy and one that is at least as strict in every respect; purpose research, so that any honor list goes."""
    lenient, strict = ({**BASE, "purpose": "research"} for _ in range(2))
    ladder = list(VERDICTS)

    def pair(values):
        low, high = sorted((draw(st.integers(0, len(values) - 1)), draw(st.integers(0, len(values) - 1))))
        return values[low], values[high]

    image = BASE["components"]["image"]
    denied = draw(st.lists(st.sampled_from(["CC-BY-2.0", "CC-BY-SA-*", "MIT", "CC0-*"]), max_size=2))
    named = draw(st.lists(st.sampled_from(["CC-BY-4.0", "CC0-*"]), max_size=1))
    inherits, unknown, longest = (
        draw(st.booleans()),
        pair(["allow", "allow_short_factual", "review", "deny"]),
        pair([500, 100]),
    )
    nd = pair(["keep_original_bytes", "url_only", "drop"])
    none, noassertion, default = pair(ladder), pair(ladder), pair(ladder)
    confidence, conflict = pair([0.0, 0.5, 0.7, 0.9, 1.0]), pair(["precedence", "most_restrictive"])
    same_domain, limit, conditional = pair([False, True]), pair([5, 2, 1, 0]), pair(["ignored", "review", "reserved"])
    if none[1] == "allow":
        # A page's license that does not reach an image may be one that denies it: where nothing stated is allowed, the
        # narrower scope is not the stricter one.
        same_domain = (same_domain[1], same_domain[1])
    protocols = BASE["reservations"]["honor"]
    fewer = draw(st.lists(st.sampled_from([p for p in protocols if p != "tdmrep"]), unique=True)) + ["tdmrep"]
    honor, usage = (fewer, protocols), (["ai_train"], ["tdm", "ai_train"])
    agents, legacy = (["CCBot"], ["CCBot", "Diffbot", "*"]), pair(["ignored", "reserved"])
    both = list(zip(([], denied), ([], named), unknown, longest, nd, none, noassertion, default, confidence, conflict,
                    same_domain, limit, conditional, honor, usage, agents, legacy, strict=True))  # fmt: skip
    for policy, (deny, url, un, chars, nds, no, noas, de, conf, rule, dom, risk, cond, ho, us, ag, leg) in zip(
        (lenient, strict), both, strict=True
    ):
        policy["components"] = BASE["components"] | {
            "image": image | {"deny": image["deny"] + deny, "url_only": url},
            "text": {"inherit_page": inherits, "unknown": un, "max_chars": chars},
        }
        policy["adaptation"] = BASE["adaptation"] | {"nd_image": nds}
        policy["unknown"] = {"NONE": no, "NOASSERTION": noas}
        policy |= {"default": de, "min_confidence": conf, "conflict": rule}
        policy["page_scope"] = {"require_same_registered_domain": dom, "cdn_allow": []}
        policy["risk"] = BASE["risk"] | {"max": risk}
        policy["reservations"] = {
            "honor": ho, "usage": us, "agents": ag, "conditional": cond, "legacy_labels": leg
        }  # fmt: skip
    return Policy.model_validate(lenient), Policy.model_validate(strict)


def judge(cases: list[Case], policy: Policy, backwards: bool = False) -> list[dict]:
    """Verdicts of many samples at once, each with a page and an image of its own; `backwards` turns every table round."""
    samples, images, licenses, reservations, owners = [], [], [], [], []
    for number, case in enumerate(cases):
        page, image, sample = 1000 + number, 2000 + number, number
        ids = {"page": page, "image": image, "sample": sample}
        samples.append(
            {"sample_id": sample, "page_record_id": page, "image_record_id": image, "image_id": image,
             "text": case.text, "page_url": case.page_url, "image_url": case.image_url}
        )  # fmt: skip
        images.append({"image_id": image, "stored_sha256": b"\1" * 32 if case.changed else b"\0" * 32})
        licenses += [
            {"subject_type": kind, "subject_id": ids[kind], "rule": rule, "spdx_id": spdx, "confidence": sure}
            for kind, rule, spdx, sure in case.licenses
        ]
        reservations += [
            {"subject_type": kind, "subject_id": ids[kind], "rule": rule, "usage": usage, "decision": decision,
             "value": value if rule in BY_AGENT else ""}
            for kind, rule, usage, decision, value in case.reservations
        ]  # fmt: skip
        if case.owned:
            owners.append({"subject_type": "sample", "subject_id": sample, "rule": "caption_notice"})
    rows = {
        "sample": samples, "image": images, "license_evidence": licenses, "reservation_evidence": reservations,
        "attribution": owners,
    }  # fmt: skip
    tables = [table(name, found[::-1] if backwards else found) for name, found in rows.items()]
    return occurrences(*tables, policy).to_pylist()


def verdicts(cases: list[Case], policy: Policy) -> list[int]:
    return [VERDICTS.index(row["verdict"]) for row in judge(cases, policy)]


@settings(max_examples=40, deadline=None)
@given(CASES, policy_pairs())
def test_the_sql_agrees_with_the_plain_reference_in_every_column(cases, policies):
    for policy in policies:
        for case, row in zip(cases, judge(cases, policy), strict=True):
            expected = plain_verdict(replace(case, policy=policy))
            sure = expected.pop("confidence")
            assert {name: row[name] for name in expected} == expected
            assert abs(row["confidence"] - sure) < 1e-6


@settings(max_examples=40, deadline=None)
@given(CASES, policy_pairs())
def test_a_stricter_policy_never_turns_a_refusal_into_an_allowance(cases, policies):
    lenient, strict = (verdicts(cases, policy) for policy in policies)
    assert all(s >= n for n, s in zip(lenient, strict, strict=True))


@settings(max_examples=40, deadline=None)
@given(CASES, policy_pairs())
def test_the_order_of_findings_never_changes_a_verdict(cases, policies):
    assert judge(cases, policies[0]) == judge(cases, policies[0], backwards=True)


@settings(max_examples=40, deadline=None)
@given(CASES, policy_pairs(), st.sampled_from(["page", "image", "sample"]), SIGNAL)
def test_one_more_reservation_never_turns_a_refusal_into_an_allowance(cases, policies, kind, signal):
    _, rule, usage, _, value = signal
    more = [replace(c, reservations=(*c.reservations, (kind, rule, usage, "reserved", value))) for c in cases]
    before, after = verdicts(cases, policies[0]), verdicts(more, policies[0])
    assert all(a >= b for b, a in zip(before, after, strict=True))


def final(cases: list[Case], groups: list[int], policy: Policy, backwards: bool = False) -> list[dict]:
    """Rights of many samples, some of which show the same bytes: those of one group."""
    made = table("occurrence", judge(cases, policy))
    hashes = pa.table({
        "sample_id": made["sample_id"],
        "sha256": pa.array([bytes([groups[i % len(groups)]]) * 32 for i in range(made.num_rows)], pa.binary(32)),
    })  # fmt: skip
    turned = pa.array(range(made.num_rows)[::-1] if backwards else range(made.num_rows), pa.int64())
    made, hashes = made.take(turned), hashes.take(turned)
    return final_rights(made, hashes, twins(made, hashes), policy)[0].to_pylist()


GROUPS = st.lists(st.integers(0, 5), min_size=1, max_size=40)


@settings(max_examples=30, deadline=None)
@given(CASES, GROUPS, policy_pairs())
def test_with_copies_too_a_stricter_policy_never_turns_a_refusal_into_an_allowance(cases, groups, policies):
    # A page's license that a narrower scope does not hear contradicts no copy's: in that, stricter is not monotone.
    narrow = policies[1].model_copy(update={"page_scope": policies[0].page_scope})
    both = [final(cases, groups, policy) for policy in (policies[0], narrow)]
    lenient, strict = ([VERDICTS.index(row["verdict"]) for row in rows] for rows in both)
    assert all(s >= n for n, s in zip(lenient, strict, strict=True))


@settings(max_examples=30, deadline=None)
@given(CASES, GROUPS, policy_pairs())
def test_copies_only_ever_make_stricter_and_their_order_does_not_matter(cases, groups, policies):
    alone = judge(cases, policies[0])
    together = final(cases, groups, policies[0])
    assert together == final(cases, groups, policies[0], backwards=True)
    for before, after in zip(alone, together, strict=True):
        assert VERDICTS.index(after["verdict"]) >= VERDICTS.index(before["verdict"])
        assert after["image_license"] == before["image_license"]
