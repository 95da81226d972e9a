"""A claimed sample that stays, and a sample that nobody decided, are found."""

import numpy as np
import pyarrow as pa
import pytest

from assets.decontaminate.checks import hits_are_gone
from assets.decontaminate.matching import decided
from assets.provenance.tables import TABLES

CAME_IN = np.array([3, 5, 9], dtype=np.uint64)
HIT = pa.Table.from_pylist(
    [
        {
            "list": "eval:a@1",
            "sample_id": 5,
            "match": "phash",
            "score": 2.0,
            "threshold": 8.0,
            "item": "x",
            "view": "left",
        }
    ],
    schema=TABLES["hit"].schema,
)


def test_what_is_claimed_is_gone():
    assert hits_are_gone(CAME_IN, decided(CAME_IN, HIT, ["eval:a@1"]), HIT) == (
        True,
        "3 samples, 1 claimed and dropped",
    )


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (decided(CAME_IN, TABLES["hit"].empty(), []), "1 samples that an evaluation set claims are kept, e.g. 5"),
        (decided(CAME_IN[:2], HIT, ["eval:a@1"]), "3 came in, 2 were decided, not the same"),
    ],
)
def test_what_is_wrong_is_told(decision, told):
    assert hits_are_gone(CAME_IN, decision, HIT) == (False, told)
