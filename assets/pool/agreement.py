"""How picture and text agree: the rules of a filter set that need vectors, applied where the vectors are."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from assets.pool.registry import FILTERS
from assets.pool.scores import columns_of, scored_columns
from assets.pool.sets import Chosen
from assets.provenance.decisions import Decision


def agreement(rows: pa.Table, score: pa.Table, rules: Sequence[Chosen]) -> dict[str, Decision]:
    """What each rule says of each sample; `first_failure` turns the answer into decisions.

    Args:
        rows: with sample_id; every sample of the whole pool where a rule is about a share of it.
        score: table `score` with the numbers of the encoder (image_text_similarity, image_text_rank) and, for rules
            that tell languages apart, those of the pool. A sample without its number passes.
        rules: what `similarity_rules` gives.
    """
    return {
        rule.name: FILTERS[rule.name].apply(scored_columns(rows, score, columns_of(rule)), **rule.limits)
        for rule in rules
    }
