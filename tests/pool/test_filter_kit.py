"""The kit for filters: every registered one passes it, and one that breaks a promise is told which."""

import numpy as np
import pytest

from assets.pool.conformance import FILTER_CHECKS, FilterCase
from assets.pool.registry import FILTERS, Between, Registered
from assets.provenance.decisions import Decision
from resources.conformance import judge

GIVEN = {"similarity": [{}, {"limit": 0.25, "fraction": None}]}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_keeps_the_contract(name):
    for given in GIVEN.get(name, [{}]):
        case = FilterCase(FILTERS[name], given)
        assert [result for result in (judge(check, case) for check in FILTER_CHECKS) if not result.holds] == []


def wide(batch, limit=100.0):
    """Drop pictures that are less wide than `limit`."""
    width = np.asarray(batch["width"].to_numpy(), np.float64)
    return Decision(width >= limit, width, limit)


def made(apply, **changes):
    about = {
        "name": "wide", "question": "Drop some.", "source": "our own", "measure": "wide", "needs": None,
        "defaults": {"limit": 100.0}, "allowed": {"limit": Between()}, "one_of": (), "apply": apply, **changes,
    }  # fmt: skip
    return FilterCase(Registered(**about))


def above_the_mean(batch, limit=100.0):
    width = np.asarray(batch["width"].to_numpy(), np.float64)
    return Decision(width >= (width.mean() if len(width) else 0), width, limit)


BROKEN = {
    "nothing": (made(wide), set()),
    "a list of answers": (made(lambda batch, limit: [True] * batch.num_rows), None),
    "numbers for answers": (made(lambda batch, limit: Decision(wide(batch).keep.astype(float))), {"decides_every_row"}),
    "one number for all": (
        made(lambda batch, limit: Decision(wide(batch).keep, np.array([1.0]), limit)),
        {"decides_every_row", "decides_a_sample_by_itself", "gives_its_reason"},
    ),
    "the company decides": (made(above_the_mean), {"decides_a_sample_by_itself"}),
    "fails on nothing": (
        made(lambda batch, limit: Decision(wide(batch).keep, wide(batch).score - wide(batch).score.max() * 0, limit)),
        {"answers_nothing_for_nothing"},
    ),
    "drops what nobody measured": (
        made(lambda batch, limit: Decision(np.asarray(batch["nsfw"].to_numpy()) < 2), needs="nsfw"),
        {"lets_pass_what_nobody_measured"},
    ),
    "reads what it does not get": (
        made(lambda batch, limit: Decision(np.array([text != "xx" for text in batch["language"].to_pylist()], bool))),
        {"needs_no_more_than_it_gets"},
    ),
    "says nothing of its source": (made(wide, source=""), {"gives_its_reason"}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_filter_that_breaks_a_promise_is_told_which(what):
    case, checks = BROKEN[what]
    found = {result.check for result in (judge(check, case) for check in FILTER_CHECKS) if not result.holds}
    assert found == checks if checks is not None else "answers" in found
