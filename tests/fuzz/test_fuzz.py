"""A bounded run over every target; the long one is `python -m tests.fuzz`."""

import random
from pathlib import Path

import pytest

from tests.fuzz.engine import Target, bytes_of, run_apart, run_here
from tests.fuzz.mutators import MUTATORS, mutate
from tests.fuzz.targets import SHARES, TARGETS

CASES = 12
"""Cases per share."""
MOST_MIB = 800


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_damaged_input_crashes_hangs_or_fills_the_memory(name):
    report = run_apart(name, range(CASES * SHARES[name]))
    assert report.crashes == [], str(report)
    assert report.cases == CASES * SHARES[name]
    assert sum(report.outcomes.values()) == report.cases
    assert report.peak_mib < MOST_MIB


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_case_can_be_made_again_from_its_number(name):
    assert bytes_of(name, TARGETS[name], 5) == bytes_of(name, TARGETS[name], 5)
    assert len({bytes_of(name, TARGETS[name], seed) for seed in range(50)}) > 30


@pytest.mark.parametrize("way", MUTATORS)
def test_every_way_of_damage_takes_the_shortest_of_inputs_and_changes_most(way):
    rng = random.Random(1)
    for size in (1, 2, 3):
        way(bytes(size), rng)
    text = b"<a 12>\n<b>\n" * 20 + bytes(range(256))
    assert sum(way(text, rng) != text for _ in range(100)) > 60
    assert len(mutate(b"x" * (1 << 19), (), rng)) <= 1 << 19


def test_a_case_that_raises_is_reported_with_its_number():
    def check(data: bytes, folder: Path) -> str:
        if data == b"3":
            raise KeyError("three")
        return "read"

    report = run_here("none", Target(lambda rng: str(rng.randrange(5)).encode(), check), range(40))
    made = {
        seed: bytes_of("none", Target(lambda rng: str(rng.randrange(5)).encode(), check), seed) for seed in range(40)
    }
    assert [seed for seed, _ in report.crashes] == [seed for seed, data in made.items() if data == b"3"] != []
    assert report.outcomes["read"] + len(report.crashes) == report.cases == 40
    assert "KeyError" in report.crashes[0][1]


def test_a_case_that_takes_too_long_is_reported(monkeypatch):
    monkeypatch.setattr("tests.fuzz.engine.CASE_SECONDS", 0.1)

    def check(data: bytes, folder: Path) -> str:
        while True:
            pass

    report = run_here("none", Target(lambda rng: b"x", check), range(2))
    assert [seed for seed, _ in report.crashes] == [0, 1]
    assert "TimeoutError" in report.crashes[0][1]
