"""Opt-out vocabularies, with the vectors of their specifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights.preferences import (
    content_signal,
    content_usage,
    plus_data_mining,
    robots_directives,
    tdm_reservation,
)


@pytest.mark.parametrize(
    ("value", "current"),
    [
        ("train-ai=n", {"ai_train": "reserved"}),
        ("train-ai=y, search=n", {"ai_train": "allowed", "search": "reserved"}),
        ('train-ai=y, train-ai, search=n, search="n"', {"ai_train": "unknown", "search": "unknown"}),
        ("train-ai;allow=n, train-ai=y", {"ai_train": "allowed"}),
        ("train-ai=n;exceptions=cc-cr-ec", {"ai_train": "reserved"}),
        ("Train-AI=n", {"ai_train": "unknown"}),
        ("train-ai=n,", {"ai_train": "unknown"}),
        ("train-ai = n", {"ai_train": "unknown"}),
        ("train-ai=no", {"ai_train": "unknown"}),
        ("other=n", {}),
    ],
)
def test_content_usage_follows_the_draft(value, current):
    assert dict(content_usage(value)[0]) == current


def test_labels_of_older_drafts_are_kept_apart():
    assert content_usage("tdm=n, train-genai=n") == ([], [("tdm", "reserved"), ("ai_gen_train", "reserved")])


def test_content_signal_reads_a_repeated_key_restrictively():
    assert content_signal("search=yes, ai-train=no") == [("ai_train", "reserved"), ("search", "allowed")]
    assert content_signal("ai-train=no, ai-train=yes") == [("ai_train", "reserved")]
    assert content_signal("ai-train=maybe") == [("ai_train", "unknown")]


@pytest.mark.parametrize(
    ("values", "binding"),
    [
        (["noai"], {"noai"}),
        (["noai, noimageai"], {"noai", "noimageai"}),
        (["NOAI"], {"noai"}),
        (["otherbot: noindex, noai"], set()),
        (["noai, otherbot: noindex"], {"noai"}),
        (["gptbot: noai"], {"noai"}),
        (["otherbot: noindex, gptbot: noai"], {"noai"}),
        (["max-image-preview:large, noai"], {"noai"}),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], {"noai"}),
        (["noindex", "noai"], {"noai"}),
        (["otherbot: noindex", "noai"], {"noai"}),
        (["noindex"], set()),
        (["all"], set()),
        ([""], set()),
    ],
)
def test_robots_directives_bind_whom_they_address(values, binding):
    assert robots_directives(values, frozenset({"gptbot"})) == binding


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        ("1", "reserved"), ("0", "allowed"), (" 1 ", "reserved"), (1, "reserved"), (0, "allowed"),
        ("2", None), ("true", None), (True, None), (None, None), ([1], None),
    ],
)  # fmt: skip
def test_tdm_reservation_is_one_or_zero(value, decision):
    assert tdm_reservation(value) == decision


@pytest.mark.parametrize(
    ("value", "preference"),
    [
        ("http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED", ("tdm", "reserved")),
        ("dmi-prohibited-aimltraining", ("ai_train", "reserved")),
        ("DMI-PROHIBITED-GENAIMLTRAINING", ("ai_gen_train", "reserved")),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", ("tdm", "reserved")),
        ("DMI-PROHIBITED-SEECONSTRAINT", ("tdm", "conditional")),
        ("DMI-ALLOWED", ("tdm", "allowed")),
        ("DMI-UNSPECIFIED", ("tdm", "unknown")),
        ("DMI-PROHIBITED-SOMETHINGNEW", ("tdm", "conditional")),
        ("nonsense", ("tdm", "unknown")),
    ],
)
def test_plus_data_mining_in_any_case_and_form(value, preference):
    assert plus_data_mining(value) == preference


@given(st.text(max_size=200))
def test_no_text_breaks_a_vocabulary(text):
    content_usage(text)
    content_signal(text)
    robots_directives([text], frozenset())
    plus_data_mining(text)
