"""Rules that need vectors are part of a set, pass the pool by, and decide where the vectors are."""

import numpy as np
import pyarrow as pa

from assets.pool.agreement import agreement
from assets.pool.scores import scored_columns
from assets.pool.sets import resolve, similarity_rules
from assets.provenance.decisions import first_failure


def scores(*rows):
    ids, scorers, values = zip(*rows, strict=True)
    return pa.table(
        {"sample_id": pa.array(ids, pa.uint64()), "scorer": scorers, "value": pa.array(values, pa.float32())}
    )


def rules(filter_set, overrides=None, extra=()):
    return similarity_rules(resolve(filter_set, overrides or {}, extra))


IDS = pa.table({"sample_id": pa.array([3, 1, 2], pa.uint64())})


def test_the_rules_of_a_set_give_decisions_with_the_number_and_the_limit():
    score = scores(
        (1, "image_text_similarity", 0.27), (1, "language:en", 0.9),
        (2, "image_text_similarity", 0.27), (2, "language:en", 0.1),
        (3, "image_text_similarity", 0.25), (3, "language:en", 0.1),
    )  # fmt: skip
    answers = agreement(IDS, score, rules("laion5b"))
    decision = first_failure("embeddings", IDS["sample_id"].to_numpy(), answers).sort_by("sample_id")
    assert decision["kept"].to_pylist() == [False, True, False]
    assert decision["reason"].to_pylist() == ["similarity_language", None, "similarity_others"]
    assert decision["threshold"].to_pylist() == [0.28, None, 0.26]


def test_the_best_share_of_the_pool_stays_and_a_sample_without_a_vector_is_left_to_others():
    ids = pa.table({"sample_id": pa.array(range(11), pa.uint64())})
    score = scores(*[(n, "image_text_similarity", n / 10) for n in range(10)])
    answer = agreement(ids, score, rules("datacomp_clip"))["similarity"]
    assert answer.keep.tolist() == [False] * 6 + [True] * 5
    assert np.isnan(answer.score[10])


def test_the_rank_decides_by_the_place_the_encoder_gave():
    score = scores((1, "image_text_rank", 8), (2, "image_text_rank", 9), (3, "image_text_rank", 64))
    assert agreement(IDS, score, rules("none", extra=["rank"]))["rank"].keep.tolist() == [False, True, False]


def test_numbers_find_their_samples_in_any_order_and_strangers_are_left_out():
    score = scores((9, "a", 9.0), (2, "a", 2.0), (1, "b", 5.0), (3, "a", 3.0), (0, "a", 0.0))
    table = scored_columns(IDS, score, {"a": "x", "b": "y", "c": "z"})
    np.testing.assert_array_equal(table["x"].to_numpy(), [3, np.nan, 2])
    np.testing.assert_array_equal(table["y"].to_numpy(), [np.nan, 5, np.nan])
    assert np.isnan(table["z"].to_numpy()).all()
