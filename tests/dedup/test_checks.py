"""A copy that names nobody, itself, or somebody who went is found."""

import numpy as np
import pyarrow as pa
import pytest

from assets.dedup.checks import copies_name_who_stays
from assets.provenance.decisions import decision_table


def decisions(**others):
    """Samples 1 to 4; those named are dropped in favor of the number given."""
    ids = np.arange(1, 5, dtype=np.uint64)
    given = {int(name[1:]): other for name, other in others.items()}
    kept = np.array([number not in given for number in ids])
    reason = [None if stays else "near_duplicate" for stays in kept]
    return decision_table("dedup", ids, kept, reason, None, None, [given.get(int(number)) for number in ids])


def test_copies_that_name_samples_that_stay_pass():
    assert copies_name_who_stays([decisions(s2=1, s4=3)])[0]
    assert copies_name_who_stays([decisions(s2=1).slice(0, 2), decisions(s2=1).slice(2)])[0]
    assert copies_name_who_stays([])[0]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"s2": None}, "sample 2 is dropped as a copy, but names no other"),
        ({"s2": 2}, "sample 2 is dropped in favor of 2, which does not stay"),
        ({"s2": 3, "s3": 1}, "sample 2 is dropped in favor of 3, which does not stay"),
        ({"s2": 9}, "sample 2 is dropped in favor of 9, which does not stay"),
    ],
)
def test_what_is_wrong_is_told(made, told):
    assert copies_name_who_stays([decisions(**made)]) == (False, told)


def test_under_the_published_rule_the_other_may_have_gone():
    assert copies_name_who_stays([decisions(s2=3, s3=1)], others_stay=False)[0]
    assert not copies_name_who_stays([pa.concat_tables([decisions(s2=9)])], others_stay=False)[0]
