"""Step `centroids` over files: what it makes of shards, a sweep and an earlier build."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import orchestration.definitions  # noqa: F401  (all steps, in the order of the plan)
from assets.clusters.stage import VECTORS_BY
from assets.embeddings.cache import ENCODER
from orchestration.recipe import Clusters, RecipeError
from orchestration.stages import STEPS
from resources.lake import Lake
from tests.clusters.test_kmeans import blobs


class ShardsInFolder:
    """What the step sees of a build: vectors and decisions of some shards, in files."""

    def __init__(self, folder, vectors, parts, encoder="first", start=None, **recipe):
        self.build = SimpleNamespace(
            lake=Lake(folder), recipe=SimpleNamespace(path="recipe.yaml", clusters=Clusters(warm_start="earlier"))
        )
        self.metadata = {}
        self.config = {**Clusters(**recipe).model_dump(), "diversified": False, "warm_start": start}
        self.files = []
        for number, rows in enumerate(np.array_split(np.arange(len(vectors)), parts)):
            flat = pa.array(vectors[rows].astype(np.float16).ravel(), pa.float16())
            table = pa.table(
                {
                    "sample_id": rows.astype(np.uint64),
                    "image_raw": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
                    "kept": rows % 7 > 0,
                }
            )
            path = self.build.lake.home / f"{encoder}-{parts}-{number}.parquet"
            self.build.lake.write_table(path, table, {ENCODER: encoder})
            self.files.append(path)

    def paths(self, name, table):
        return self.files

    def each(self, name, table, columns):
        for path in self.files:
            yield from self.build.lake.each_group(path, columns)

    def run(self):
        found = STEPS["centroids"].compute(self)
        return found["centroid"], found["kmeans"]

    def store(self, name):
        """The centroids as a later build names them."""
        stored = self.build.lake.write_table(self.build.lake.home / name, self.run()[0], self.metadata)
        return {"uri": stored.uri, "sha256": stored.sha256}


@pytest.fixture
def vectors():
    return np.random.default_rng(0).permutation(blobs(groups=6, each=60))


@pytest.mark.parametrize("recipe", [{"k": 6}, {"k": "auto", "sweep": [2, 6, 12]}])
def test_however_the_pool_is_cut_into_shards_the_concepts_are_the_same(tmp_path, vectors, recipe):
    whole = ShardsInFolder(tmp_path, vectors, 1, points_per_centroid=20, **recipe).run()
    parts = ShardsInFolder(tmp_path, vectors, 7, points_per_centroid=20, **recipe).run()
    assert whole[0].equals(parts[0])
    assert whole[1].equals(parts[1])
    assert whole[0]["cluster_id"].to_pylist() == list(range(6))


def test_a_number_of_concepts_is_kept_where_a_sweep_besides_it_leaves_few_vectors(tmp_path, vectors):
    left = sum(row % 7 > 0 for row in range(70))
    found = ShardsInFolder(tmp_path, vectors[:70], 2, k=left, sweep=[5]).run()[0]
    assert found.num_rows == left


def test_a_pool_that_grew_keeps_the_ids_of_its_concepts(tmp_path, vectors):
    start = ShardsInFolder(tmp_path, vectors, 2, k=6).store("start.parquet")
    grown = np.concatenate([vectors, -blobs(groups=2, each=60, seed=5)])
    before = ShardsInFolder(tmp_path, vectors, 3, k=6).run()[0]
    after = ShardsInFolder(tmp_path, grown, 4, k=8, start=start).run()[0]
    assert after["cluster_id"].to_pylist() == list(range(8))
    axis = [np.abs(vector).argmax() for vector in before["vector"].to_pylist()]
    assert [np.abs(vector).argmax() for vector in after["vector"].to_pylist()][:6] == axis


def test_a_start_of_another_encoder_is_an_error(tmp_path, vectors):
    earlier = ShardsInFolder(tmp_path, vectors, 2, k=6)
    start = earlier.store("start.parquet")
    assert earlier.metadata == {VECTORS_BY: "first"}
    with pytest.raises(RecipeError, match=r"clusters\.warm_start is earlier, but .* another encoder"):
        ShardsInFolder(tmp_path, vectors, 2, encoder="second", k=6, start=start).run()
