"""Files of an earlier build that a build starts from: a name becomes a file, which stays as long as it is needed."""

from types import SimpleNamespace

import pytest

from orchestration import ledger
from orchestration.earlier import earlier_file
from orchestration.gc import collect
from orchestration.manifest import _starts
from orchestration.recipe import RecipeError
from resources.lake import Lake

START = {"uri": "lake/centroid/a.parquet", "sha256": "00"}


@pytest.fixture
def lake(tmp_path):
    """Build `one` of recipe `first` made the start; build `two` of recipe `second` starts from it."""
    lake = Lake(tmp_path)
    (tmp_path / "lake" / "centroid").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (tmp_path / "lake" / "centroid" / f"{name}.parquet").write_bytes(b"x")
    own = {"table": "centroid", "uri": "lake/centroid/b.parquet", "sha256": "11"}
    for build, recipe, document in (
        ("one", "first", {"files": [{"table": "centroid", **START}]}),
        ("two", "second", {"files": [own], "starts": [{"asset": "centroids", **START}]}),
    ):
        lake.write_document(lake.home / "builds" / build / "manifest.json", document)
        ledger.write(lake, "build", [{"build_id": build, "name": recipe}])
    return lake


def build(lake, name):
    return SimpleNamespace(lake=lake, recipe=SimpleNamespace(name=name, path="recipe.yaml"))


def test_a_build_is_named_by_its_id_or_by_its_recipe(lake):
    assert earlier_file(build(lake, "third"), "one", "clusters.warm_start", "centroid") == START
    assert earlier_file(build(lake, "third"), "first", "clusters.warm_start", "centroid") == START


def test_a_name_that_means_nothing_or_the_recipe_itself_is_an_error(lake):
    with pytest.raises(RecipeError, match="there is no such build; builds there: first .one., second .two."):
        earlier_file(build(lake, "third"), "nowhere", "clusters.warm_start", "centroid")
    with pytest.raises(RecipeError, match="this recipe's own name"):
        earlier_file(build(lake, "first"), "first", "clusters.warm_start", "centroid")


def test_a_file_that_a_kept_build_starts_from_is_not_collected(lake, tmp_path):
    collect(str(tmp_path), 1, delete=True)
    left = {path.name for path in (tmp_path / "lake" / "centroid").iterdir()}
    assert left == {"a.parquet", "b.parquet"}
    assert earlier_file(build(lake, "second"), "one", "clusters.warm_start", "centroid") == START


def test_the_manifest_names_what_steps_start_from():
    steps = {
        "plain": SimpleNamespace(name="plain", resolve=None),
        "centroids": SimpleNamespace(name="centroids", resolve=len),
    }
    sections = {"plain": {"x": START}, "centroids": {"k": 5, "warm_start": START}}
    found = SimpleNamespace(steps=steps, config=lambda step: sections[step.name])
    assert _starts(found) == [{"asset": "centroids", **START}]
    sections["centroids"] = {"k": 5, "warm_start": None}
    assert _starts(found) == []
