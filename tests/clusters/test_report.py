"""What the asset page of the concepts shows."""

from types import SimpleNamespace

import numpy as np
import pytest

from assets.clusters import report
from assets.clusters.kmeans import Training
from assets.clusters.sweep import choose, kmeans_table, sweep_k
from tests.clusters.test_kmeans import blobs


def shown(ks, held):
    vectors = np.random.default_rng(0).permutation(blobs(each=20))
    tried = sweep_k(vectors[held:], vectors[:held], ks, 30, Training())
    table = kmeans_table(tried, choose(tried, "auto"))
    return table, report.training(SimpleNamespace(read=lambda step, name: table))


def test_one_number_of_concepts_has_a_curve_and_no_sweep():
    table, found = shown([5], 0)
    assert set(found) == {"training", "objective"}
    name, values = report.curves(table)[0]
    assert name == "k = 5 (chosen)"
    assert values.tolist() == table["objective"].to_pylist()


@pytest.mark.parametrize("held", [20, 0])
def test_several_numbers_have_a_curve_and_a_line_each_whether_or_not_vectors_were_held_out(held):
    table, found = shown([2, 5, 10], held)
    assert [name for name, _ in report.curves(table)] == ["k = 2", "k = 5 (chosen)", "k = 10"]
    lines = found["training"].splitlines()[2:]
    assert [line.split("|")[1] for line in lines] == ["2", "5", "10"]
    assert [bool(line.split("|")[4]) for line in lines] == [held > 0] * 3
    assert ("sweep of k" in found) == (held > 0)
