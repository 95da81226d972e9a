import pytest
import yaml

from orchestration.recipe import RecipeError, load_recipe
from orchestration.registry import latest, register
from resources.lake import Lake


@pytest.fixture
def crawl(tmp_path):
    """A folder of crawl files with a recipe beside it."""
    folder = tmp_path / "crawl"
    folder.mkdir()
    for name in "bdf":
        (folder / f"{name}.warc.gz").write_bytes(name.encode())
    recipe = {
        "name": "r",
        "crawl": {"sources": [{"name": "set", "uris": ["crawl/*.warc.gz"]}]},
        "prune": {"keep": 0.5},
        "release": {"name": "r"},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    return load_recipe(tmp_path / "r.yaml"), Lake(tmp_path / "home"), folder


def numbers(snapshot):
    return {shard.uri.rpartition("/")[2][0]: shard.shard_id for shard in snapshot.shards}


def test_numbers_are_given_in_sorted_order_of_uri_from_1(crawl):
    recipe, lake, _ = crawl
    assert numbers(register(recipe, lake)) == {"b": 1, "d": 2, "f": 3}


def test_a_second_registration_writes_nothing(crawl):
    recipe, lake, _ = crawl
    first = register(recipe, lake)
    assert register(recipe, lake) == first
    assert len(list((lake.home / "registry" / "set").glob("*.json"))) == 1


def test_a_new_file_gets_the_next_number_and_the_others_keep_theirs(crawl):
    recipe, lake, folder = crawl
    register(recipe, lake)
    (folder / "a.warc.gz").write_bytes(b"a")
    assert numbers(register(recipe, lake)) == {"a": 4, "b": 1, "d": 2, "f": 3}


def test_changed_bytes_make_a_new_shard_that_supersedes_the_old(crawl):
    recipe, lake, folder = crawl
    register(recipe, lake)
    (folder / "d.warc.gz").write_bytes(b"other")
    after = register(recipe, lake)
    assert numbers(after) == {"b": 1, "d": 4, "f": 3}
    assert {shard.shard_id: shard.supersedes for shard in after.shards} == {1: None, 3: None, 4: 2}


def test_a_file_that_comes_back_gets_its_old_number(crawl):
    recipe, lake, folder = crawl
    first = register(recipe, lake)
    (folder / "d.warc.gz").unlink()
    assert numbers(register(recipe, lake)) == {"b": 1, "f": 3}
    (folder / "d.warc.gz").write_bytes(b"d")
    assert register(recipe, lake).shards == first.shards


def test_a_number_is_never_given_twice(crawl):
    recipe, lake, folder = crawl
    register(recipe, lake)
    (folder / "f.warc.gz").unlink()
    register(recipe, lake)
    (folder / "g.warc.gz").write_bytes(b"g")
    assert numbers(register(recipe, lake)) == {"b": 1, "d": 2, "g": 4}


def test_earlier_snapshots_stay(crawl):
    recipe, lake, folder = crawl
    register(recipe, lake)
    (folder / "g.warc.gz").write_bytes(b"g")
    register(recipe, lake)
    assert len(list((lake.home / "registry" / "set").glob("*.json"))) == 2


def test_nothing_registered_is_none(crawl):
    recipe, lake, _ = crawl
    assert latest(recipe, lake) is None


def test_a_pattern_without_files_is_one_sentence(crawl):
    recipe, lake, folder = crawl
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(RecipeError, match=r"crawl.sources names crawl/\*.warc.gz \(source set\), but there is no such"):
        register(recipe, lake)


def test_fresh_homes_with_the_same_files_agree(crawl, tmp_path):
    recipe, lake, _ = crawl
    assert register(recipe, lake).sha256 == register(recipe, Lake(tmp_path / "other")).sha256


def test_the_shard_table_has_a_row_per_crawl_file(crawl):
    recipe, lake, _ = crawl
    rows = register(recipe, lake).table().to_pylist()
    assert [(row["shard_id"], row["uri"], row["bytes"], row["status"]) for row in rows] == [
        (1, "crawl/b.warc.gz", 1, "ok"),
        (2, "crawl/d.warc.gz", 1, "ok"),
        (3, "crawl/f.warc.gz", 1, "ok"),
    ]
