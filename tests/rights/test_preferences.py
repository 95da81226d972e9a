"""Opt-out vocabularies, with the vectors of their specifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights.preferences import (
    LEGACY_LABELS,
    USAGE_LABELS,
    content_signal,
    content_usage,
    plus_data_mining,
    robots_directives,
    tdm_reservation,
    usage_of_directive,
)


def test_a_label_belongs_to_the_first_draft_that_defined_it_and_one_in_force_to_none():
    assert content_usage("search=n, tdm=n, all=n, ai-train=y") == [
        ("search", "reserved", None),
        ("tdm", "reserved", "2025-06 draft-ietf-aipref-vocab-01"),
        ("tdm", "reserved", "2025-09 draft-ietf-aipref-vocab-03"),
        ("ai_train", "allowed", "2025-10 draft-romm-aipref-contentsignals-00"),
    ]
    assert not USAGE_LABELS.keys() & LEGACY_LABELS.keys()


def test_content_signal_reads_a_repeated_key_restrictively():
    assert content_signal("search=yes, ai-train=no") == [("ai_train", "reserved"), ("search", "allowed")]
    assert content_signal("ai-train=no, ai-train=yes") == [("ai_train", "reserved")]
    assert content_signal("ai-train=maybe, ai-train=yes") == [("ai_train", "unknown")]


@pytest.mark.parametrize(
    ("values", "binding"),
    [
        (["noindex", "noai"], {"noindex", "noai"}),
        (["otherbot: noindex", "noai"], {"noai"}),
        (["otherbot: noindex, gptbot: noai"], {"noai"}),
        (["GPTBot: NoAI NoImageAI"], {"noai", "noimageai"}),
        (["otherbot:", "noai"], {"noai"}),
        (["otherbot:, noai"], set()),
        (["https://a.example/noai"], set()),
        (["noindex;noai"], {"noindex", "noai"}),
        (["index;noai"], {"noai"}),
        (["noai; noimageai"], {"noai", "noimageai"}),
        (["noai|noimageai"], {"noai", "noimageai"}),
        (['"noai".'], {"noai"}),
        (["noai-not"], set()),
        (["noai; otherbot: noindex"], {"noai"}),
        (["otherbot: noindex; noai"], set()),
        (["max-image-preview:none; noai"], {"noai"}),
        (["max-image-preview : none"], set()),
        ([], set()),
    ],
)
def test_robots_directives_bind_whom_they_address(values, binding):
    assert robots_directives(values, frozenset({"gptbot"})) == binding


def test_only_directives_about_ai_reserve_training():
    usages = {name: usage_of_directive(name) for name in ("noai", "noimageai", "noindex", "noimageindex", "none")}
    assert {name for name, usage in usages.items() if usage != "index"} == {"noai", "noimageai"}


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
