"""Policies: read, checked, named in errors, hashed."""

import pytest
import yaml

from assets.rights.policy import PolicyError, load_policy, policy_path

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
    assert policy.table().num_rows == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"min_confidense": 0.5}, r"min_confidense is no key of a policy; did you mean min_confidence\?"),
        ({"reservations__honour": []}, r"reservations.honour is no key of a policy; did you mean honor\?"),
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
