"""Policies: read, checked, named in errors, hashed."""

import json

import pytest
import yaml

from assets.rights.policy import PolicyError, load_policy, policy_path, policy_table

TEXT = policy_path("commercial-open").read_text()


def load(tmp_path, text: str):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    return load_policy(path)


def changed(tmp_path, **keys):
    """The shipped policy with dotted keys (`__`) set."""
    content = yaml.safe_load(TEXT)
    for key, value in keys.items():
        *parents, last = key.split("__")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    return load(tmp_path, yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("spdx_id", "verdict"),
    [
        ("CC0-1.0", "allow"), ("CC-PDDC", "allow"), ("CC-BY-4.0", "allow"), ("CC-BY-SA-3.0-DE", "allow"),
        ("LicenseRef-CC-BY-2.5-SE", "allow"), ("LicenseRef-CC-BY-unversioned", "review"), ("MIT", "review"),
        ("GPL-3.0-only", "review"), ("CC-BY-NC-4.0", "deny"), ("CC-BY-ND-4.0", "deny"), ("CC-BY-NC-ND-1.0", "deny"),
        ("LicenseRef-CC-NC-SamplingPlus-1.0", "deny"), ("LicenseRef-AllRightsReserved", "deny"),
        ("LicenseRef-CC-SamplingPlus-1.0", "deny"), ("NONE", "url_only"), ("NOASSERTION", "deny"),
        ("Whatever-1.0", "deny"),
    ],
)  # fmt: skip
def test_the_shipped_policy_judges_license_ids(policy, spdx_id, verdict):
    assert policy.license_verdict(spdx_id) == verdict


def test_the_hash_is_of_the_content_and_not_of_comments(tmp_path, policy):
    assert load(tmp_path, "# a remark\n" + TEXT).sha256 == policy.sha256
    assert changed(tmp_path, min_confidence=0.8).sha256 != policy.sha256
    assert policy.body["unknown"] == {"NONE": "url_only", "NOASSERTION": "deny"}


def test_the_table_holds_the_policy_in_force_and_those_that_ship(policy):
    rows = policy_table(policy).to_pylist()
    assert [(row["name"], row["in_force"]) for row in rows] == [
        ("commercial-open", True), ("metadata-only", False), ("research-eu", False),
    ]  # fmt: skip
    assert [json.loads(row["body"])["policy"] for row in rows] == [row["name"] for row in rows]


def test_a_file_under_a_shipped_name_takes_its_place_in_the_table(tmp_path):
    rows = policy_table(changed(tmp_path, min_confidence=0.9)).to_pylist()
    assert [json.loads(row["body"])["min_confidence"] for row in rows if row["name"] == "commercial-open"] == [0.9]


@pytest.mark.parametrize(
    ("name", "spdx_id", "verdict"),
    [
        ("research-eu", "CC-BY-NC-ND-4.0", "allow"), ("research-eu", "LicenseRef-CC-BY-unversioned", "url_only"),
        ("research-eu", "LicenseRef-AllRightsReserved", "url_only"), ("research-eu", "NONE", "url_only"),
        ("research-eu", "EUPL-1.2", "url_only"), ("metadata-only", "CC0-1.0", "url_only"),
        ("metadata-only", "CC-BY-NC-4.0", "url_only"), ("metadata-only", "LicenseRef-AllRightsReserved", "deny"),
        ("metadata-only", "NONE", "url_only"),
    ],
)  # fmt: skip
def test_the_other_presets_judge_license_ids(name, spdx_id, verdict):
    assert load_policy(name).license_verdict(spdx_id) == verdict


def test_a_commercial_purpose_in_the_eu_must_heed_opt_outs(tmp_path):
    with pytest.raises(PolicyError, match="p.yaml: a commercial purpose in the EU must heed robots-ai and tdmrep: add"):
        changed(tmp_path, reservations__honor=["rsl"])
    for place in ("EU", "DE", "FR"):
        for key, value in (("usage", ["search"]), ("agents", ["CCBot"]), ("conditional", "ignored")):
            with pytest.raises(PolicyError, match=f"reservations.{key}"):
                changed(tmp_path, jurisdictions=[place], **{f"reservations__{key}": value})
    assert changed(tmp_path, reservations__honor=[], purpose="research").reservations.honor == []
    assert changed(tmp_path, reservations__honor=[], jurisdictions=["US"]).reservations.honor == []


@pytest.mark.parametrize(
    ("weights", "terms", "refusal"),
    [
        ("Apache-2.0", "none", None),
        ("CC-BY-NC-4.0", "none", "model_license_denied"),
        (None, "none", "model_license_denied"),
        ("MIT", "no-compete", "model_terms_denied"),
        ("MIT", None, "model_terms_denied"),
        ("MIT", "openai", "model_terms_denied"),
        ("MIT", "unheard-of", "model_terms_denied"),
        ("MIT", "llama-3.1", None),
    ],
)
def test_models_whose_terms_the_policy_refuses_write_no_captions(policy, weights, terms, refusal):
    assert policy.may_write_captions(weights, terms) == refusal


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"min_confidense": 0.5}, r"min_confidense is no key of a policy; did you mean min_confidence\?"),
        ({"reservations__honered": []}, r"reservations.honered is no key of a policy; did you mean honor\?"),
        ({"components__image__deny": ["*-nc-*"]}, r"components.image.deny names '\*-nc-\*', which no known license"),
        ({"jurisdictions": ["Europe"]}, "jurisdictions.0 is 'Europe', but"),
        ({"jurisdictions": ["eu"]}, "jurisdictions.0 is 'eu', but"),
        ({"release__mode": "merged"}, "release.mode is 'merged', but"),
        ({"adaptation__nd_text": "fuse"}, "adaptation.nd_text is 'fuse', but"),
        ({"min_confidence": 1.4}, "min_confidence is 1.4, but input should be less than or equal to 1"),
        ({"default": "maybe"}, "default is 'maybe', but"),
        ({"reservations__honor": ["robots"]}, r"reservations.honor.0 is 'robots', but"),
        ({"components__image": 3}, "components.image is 3, but"),
        ({"unknown__NONE": None}, "unknown.NONE is None, but"),
    ],
)
def test_errors_name_file_and_key(tmp_path, keys, message):
    with pytest.raises(PolicyError, match=message) as error:
        changed(tmp_path, **keys)
    assert "p.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- a", "not list"),
        ("", "not NoneType"),
        ("policy: x", "components is missing"),
        ("\0", "not YAML"),
    ],
)
def test_files_that_are_no_policy_are_refused_in_a_sentence(tmp_path, text, message):
    with pytest.raises(PolicyError, match=message):
        load(tmp_path, text)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(PolicyError, match="one of commercial-open"):
        load_policy("no-such-policy")


def test_the_british_spelling_of_honor_is_understood(tmp_path):
    text = TEXT.replace("  honor:", "  honour:")
    assert load(tmp_path, text).sha256 == load(tmp_path, TEXT).sha256


def test_every_policy_in_the_table_heeds_our_own_agent(policy):
    for row in policy_table(policy.heeding("OurBot"), "OurBot").to_pylist():
        assert json.loads(row["body"])["reservations"]["agents"][-1] == "OurBot"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\npolicy: *b",
        "policy: 2024-02-30",
        "policy: " + "9" * 5000,
        "policy: !!bool x",
        'policy: !!int ""',
        "policy: !!timestamp x",
        'policy: "\\ud800"',
        TEXT.replace("max_chars: 300", "max_chars: 99999999999999999999"),
        TEXT.replace("policy: commercial-open", "policy: " + "x" * 900_000),
    ],
    ids=["aliases", "date", "digits", "bool", "int", "timestamp", "surrogate", "too many", "long"],
)
def test_a_policy_made_to_hurt_is_refused_in_a_short_sentence(tmp_path, text):
    with pytest.raises(PolicyError) as error:
        load(tmp_path, text)
    assert len(str(error.value)) < 500


def test_a_name_that_no_file_can_have_is_refused():
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(PolicyError, match="no such policy"):
            load_policy(name)
