"""docs/scale.md: its tables are what the formulas say, and the formulas are right where the answer is known."""

import math

import pytest

from bench import sizing
from bench.sizing import (
    BENCHMARKS,
    PAGE,
    SIZES,
    TABLES,
    bill,
    figures,
    filled,
    funnel,
    fusing_hours,
    gpu_hours,
    grouping_hours,
    measured_in,
    tower,
    value,
    vectors,
)


def test_the_page_is_not_stale():
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "run: python -m bench.sizing"


def test_every_table_has_its_place_and_every_row_says_how_it_is_known():
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- sizing: ") == page.count("<!-- end -->") == len(TABLES)
    for name, make in TABLES.items():
        head, _, *rows = make().splitlines()
        place = [cell.strip() for cell in head.split("|")].index("how it is known")
        assert rows, name
        assert all(row.split("|")[place].strip() for row in rows), name
    assert {one.kind for one in figures().values()} == {"measured", "published", "extrapolated", "assumed"}


def test_a_page_without_a_place_for_a_table_is_refused():
    with pytest.raises(LookupError, match="no place for table inputs"):
        filled("# Sizing")


def test_a_measurement_that_is_gone_is_named():
    page = BENCHMARKS.read_text(encoding="utf-8")
    with pytest.raises(LookupError, match="section Fetching: nothing matches"):
        measured_in(page, "Fetching", r"no such (\d+)")


def test_the_operations_of_known_towers_are_those_that_are_known():
    # 8.8 and 162 billion for a picture of 224 pixels: the published counts of ViT-B/32 and ViT-L/14, patches included.
    assert tower(50, 768, 12) == pytest.approx(8.8e9, rel=0.04)
    assert tower(257, 1024, 24) == pytest.approx(162e9, rel=0.01)


def test_a_million_pairs_by_hand():
    f = funnel(1e6)
    assert f.fetched == pytest.approx(1e6 * value("arrive"))
    assert f.kept == pytest.approx(f.fetched * value("agree") * value("unique") * 0.4)
    assert gpu_hours(f, "ViT-L-14", "published") == pytest.approx(910_000 / 312 / 3600)
    assert vectors(1e6, "ViT-B-32") == 1e6 * (512 + 512 + 768) * 2
    assert fusing_hours(f, "vllm_h100") == pytest.approx(f.kept * 22.7 * 1.3 / 12_500 / 3600)


def test_dedup_grows_faster_than_the_pool_but_not_by_its_square():
    few, many = (grouping_hours(funnel(pairs), 768) for pairs in (1e9, 1e10))
    assert 1.0 < math.log10(many / few) < 1.5


def test_a_bill_adds_up():
    found = bill(funnel(1e9), sizing.WORKERS["1 billion"])
    assert found.computing == pytest.approx(found.core_hours * 0.05 + found.gpu_hours * 2.5)
    assert found.storing == pytest.approx(found.stored / 1e9 * 0.023)
    assert set(sizing.WORKERS) == set(SIZES)
