"""A comparison in which an arm had another chance than the others is found."""

import pyarrow as pa
import pytest

from assets.evaluation.checks import same_chance
from assets.provenance.tables import TABLES


def tables(changed=None, dropped=0):
    """Two seeds of three arms on three pairs; `changed` replaces columns of the first arm's first model."""
    arms, ranks = [], []
    for arm in ("everything", "pruned", "random"):
        for seed in (0, 1):
            samples = 9 if arm == "everything" else 4
            arms.append({"arm": arm, "seed": seed, "samples": samples, "ids_sha256": bytes(32), "steps": 5,
                         "first_weights_sha256": bytes([seed]) * 32, "batch_size": 2, "loss": 0.5})  # fmt: skip
            ranks += [
                {"arm": arm, "seed": seed, "sample_id": sample, "image_to_text": 1, "text_to_image": 1}
                for sample in (1, 2, 3)
            ]
    arms[2] |= changed or {}
    held = [{"sample_id": sample, "role": "held_aside"} for sample in (1, 2, 3)]
    held.append({"sample_id": 4, "role": "left_out", "reason": "encoder_source"})
    rows = {"evaluation_arm": arms, "evaluation_rank": ranks[dropped:], "held_aside": held}
    return [pa.Table.from_pylist(found, schema=TABLES[name].schema) for name, found in rows.items()]


def test_equal_chances_pass():
    assert same_chance(*tables()) == (True, "3 arms, 2 seeds, 3 pairs held aside")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"steps": 6}, "arms differ in steps"),
        ({"batch_size": 3}, "arms differ in batch_size"),
        ({"first_weights_sha256": b"x" * 32}, "under seed 0 arms did not start from the same weights"),
        ({"samples": 5}, "pruned, random, top_score are not of one size"),
        ({"seed": 7}, "6 models, but 3 arms and 3 seeds"),
    ],
)
def test_what_differs_is_told(changed, told):
    assert same_chance(*tables(changed)) == (False, told)


def test_a_model_that_was_measured_on_fewer_pairs_is_found():
    assert same_chance(*tables(dropped=1)) == (
        False,
        "everything, seed 0 was not measured on the pairs that are held aside",
    )


def test_without_a_comparison_there_is_nothing_to_check():
    empty = [TABLES[name].empty() for name in ("evaluation_arm", "evaluation_rank", "held_aside")]
    assert same_chance(*empty) == (True, "the recipe asks for no comparison")
