"""The generated world of the database's benchmark: every question of the contract is asked of it."""

from bench.provenance import measure, section


def test_a_small_world_is_built_and_asked_all_fifteen_questions():
    found = measure(samples=4_000, shards=8, rounds=1)
    asked = sorted(int(title.partition(" ")[0]) for title in found["questions"])
    assert asked == list(range(1, 16))
    assert found["rows"]["sample"] == found["samples"] == 4_000
    assert "narrow tables" in section(found)
