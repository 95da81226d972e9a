"""What captions come under: a text that must not be adapted is not put to a model, and every caption carries its terms."""

import pyarrow as pa
import pytest

from assets.captions.fuse import Attempt, fuse_shard
from assets.captions.rows import caption_rows
from assets.captions.templates import parse_prompt, prompt_text
from assets.captions.terms import Terms, Writer, carry_terms, refusals
from assets.rights.policy import load_policy

OPEN = load_policy("commercial-open")
WRITERS = {"tagger@1": Writer("Apache-2.0", "none"), "llm@1": Writer("MIT", "none"), "llama@1": Writer("MIT", "llama-3.1"),
           "hosted@1": Writer("MIT", "openai")}  # fmt: skip


def under(policy, **adaptation):
    return policy.model_copy(update={"adaptation": policy.adaptation.model_copy(update=adaptation)})


def carried(kind, model, terms, policy=OPEN):
    made = caption_rows([{"sample_id": 1, "kind": kind, "text": "a bird", "model": model, "status": "ok"}])
    [row] = carry_terms(made, {1: terms}, WRITERS, policy).to_pylist()
    return row


@pytest.mark.parametrize(
    ("text_license", "reason"),
    [
        ("NONE", None), ("CC0-1.0", None), ("CC-BY-4.0", None), ("CC-BY-SA-3.0", None),
        ("CC-BY-ND-4.0", "no_derivatives"), ("CC-BY-NC-ND-2.0", "no_derivatives"),
        ("CC-BY-NC-4.0", "non_commercial"), ("CC-BY-NC-SA-4.0", "non_commercial"),
        ("NOASSERTION", "text_license_unreadable"), ("LicenseRef-AllRightsReserved", "text_license_denied"),
    ],
)  # fmt: skip
def test_texts_that_must_not_be_adapted_are_not_sent_to_fusion(text_license, reason):
    assert refusals([1], {1: Terms("CC0-1.0", text_license)}, OPEN) == [reason]


def test_the_policy_says_whether_share_alike_and_non_commercial_texts_are_fused():
    share, research = {1: Terms("CC0-1.0", "CC-BY-SA-4.0")}, {1: Terms("CC0-1.0", "CC-BY-NC-4.0")}
    assert refusals([1], share, under(OPEN, share_alike_text="exclude")) == ["share_alike"]
    assert refusals([1], research, under(OPEN, non_commercial_text="fuse")) == [None]


def test_texts_and_images_whose_licenses_cannot_stand_in_one_work_are_not_fused_where_images_pass_their_license_on():
    both = {1: Terms("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0")}
    policy = under(OPEN, image_terms_to_caption="all", non_commercial_text="fuse")
    assert refusals([1], both, policy) == ["incompatible_licenses"]
    assert refusals([1], both, OPEN) == [None]


def test_a_refused_pair_is_a_row_and_no_model_is_asked():
    def never():
        raise AssertionError("nothing is to be fused, but a model is loaded")

    pairs = pa.table(
        {"sample_id": pa.array([1], pa.uint64()), "text": ["Taj Mahal, Agra"], "synthetic": ["a palace"],
         "refusal": ["no_derivatives"]}
    )  # fmt: skip
    [row] = fuse_shard(pairs, [1], never, [Attempt(parse_prompt("fusion-v1", prompt_text("fusion-v1")))]).to_pylist()
    assert (row["status"], row["reason"], row["text"]) == ("skipped", "no_derivatives", None)


def test_the_alt_text_comes_under_the_license_of_its_page():
    row = carried("alt", None, Terms("CC0-1.0", "CC-BY-SA-4.0"))
    assert (row["license"], row["obligations"] & 3, row["model_license"], row["output_terms"]) == (
        "CC-BY-SA-4.0", 3, None, None,
    )  # fmt: skip
    assert carried("alt", None, Terms("CC-BY-4.0", "NONE"))["obligations"] == 0


def test_a_caption_from_pixels_owes_the_image_attribution_and_not_its_license():
    row = carried("synthetic-short", "tagger@1", Terms("CC-BY-SA-4.0", "CC-BY-NC-4.0"))
    assert (row["license"], row["obligations"]) == ("NONE", 1)
    assert (row["model_license"], row["output_terms"]) == ("Apache-2.0", "none")
    assert (
        carried(
            "synthetic-short", "tagger@1", Terms("CC-BY-SA-4.0", "NONE"), under(OPEN, image_terms_to_caption="none")
        )["obligations"]
        == 0
    )
    everything = carried(
        "synthetic-short", "tagger@1", Terms("CC-BY-SA-4.0", "NONE"), under(OPEN, image_terms_to_caption="all")
    )
    assert (everything["license"], everything["obligations"] & 3) == ("CC-BY-SA-4.0", 3)


def test_a_fusion_comes_under_the_license_of_its_text_and_the_terms_of_its_model():
    row = carried("fused", "llm@1", Terms("CC0-1.0", "CC-BY-SA-4.0"))
    assert (row["license"], row["obligations"] & 3) == ("CC-BY-SA-4.0", 3)
    named = carried("fused", "llama@1", Terms("CC-BY-4.0", "NONE"))
    assert (named["license"], named["obligations"], named["status"]) == ("NONE", 1 | 64 | 128, "ok")


def test_what_a_refused_model_wrote_is_kept_as_a_row_and_never_released():
    row = carried("fused", "hosted@1", Terms("CC0-1.0", "NONE"))
    assert (row["status"], row["reason"], row["text"]) == ("rejected", "model_terms_denied", "a bird")
    assert row["obligations"] == 256


def test_a_row_without_text_carries_nothing():
    made = caption_rows([{"sample_id": 1, "kind": "fused", "status": "skipped", "reason": "no_alt"}])
    [row] = carry_terms(made, {1: Terms("CC-BY-4.0", "CC-BY-4.0")}, WRITERS, OPEN).to_pylist()
    assert (row["license"], row["obligations"]) == (None, 0)
