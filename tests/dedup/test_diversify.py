"""A few samples from each of many cells."""

import numpy as np
import pyarrow as pa
import pytest

from assets.dedup.dedup import Pool
from assets.dedup.diversify import DiversifySettings, decide_diversity
from tests.dedup.test_dedup import inputs, sample


def thinned(folder, samples, **settings):
    rows, raw = inputs(samples)
    pool = Pool(lambda: [rows], lambda: [(rows["sample_id"].to_numpy(), raw)])
    return pa.concat_tables(decide_diversity(pool, folder, DiversifySettings(**settings)))


def test_each_cell_keeps_its_most_preferred_and_a_drop_says_its_place_and_who_leads(tmp_path):
    near = [sample(n, 3 * n, side=100 + n) for n in range(4)]
    far = [sample(10 + n, 180 + 3 * n, side=100) for n in range(2)]
    table = thinned(tmp_path, near + far, cells=2, top=2)
    rows = {row["sample_id"]: row for row in table.to_pylist()}
    assert [i for i, row in rows.items() if row["kept"]] == [2, 3, 10, 11]
    assert (rows[0]["reason"], rows[0]["score"], rows[0]["threshold"], rows[0]["other_sample_id"]) == (
        "over_top",
        4,
        2,
        3,
    )
    assert (rows[1]["score"], rows[1]["other_sample_id"]) == (3, 3)
    assert rows[3]["score"] is rows[3]["threshold"] is rows[3]["other_sample_id"] is None
    assert set(table["stage"].to_pylist()) == {"diversify"}


def test_as_many_stay_as_cells_times_top_when_the_pool_is_large(tmp_path):
    rng = np.random.default_rng(0)
    table = thinned(tmp_path, [sample(n, angle) for n, angle in enumerate(rng.uniform(0, 360, 600))], cells=30, top=3)
    assert table.num_rows == 600
    assert 60 <= sum(table["kept"].to_pylist()) <= 120


def test_a_pool_with_fewer_samples_than_cells_keeps_all_and_an_empty_one_decides_nothing(tmp_path):
    assert all(thinned(tmp_path / "few", [sample(n, 40 * n) for n in range(5)])["kept"].to_pylist())
    empty = Pool(lambda: [], lambda: [])
    assert pa.concat_tables(decide_diversity(empty, tmp_path / "none", DiversifySettings())).num_rows == 0


@pytest.mark.parametrize("wrong", [{"cells": 0}, {"top": 0}, {"prefer": ("size",)}])
def test_settings_out_of_range_are_errors_that_name_the_key(wrong):
    with pytest.raises(ValueError, match=f"diversify.{next(iter(wrong))}"):
        DiversifySettings(**wrong)
