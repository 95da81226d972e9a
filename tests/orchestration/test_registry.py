import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration import registry
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


def sources(folder, *found, **more):
    """A recipe in a folder over some source sets."""
    recipe = {"name": "r", "crawl": {"sources": list(found)}, "prune": {"keep": 0.5}, "release": {"name": "r"}, **more}
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe))
    return load_recipe(folder / "r.yaml")


def a_list(path, rows, first=0):
    urls = [f"http://a.example/{first + n}.jpg" for n in range(rows)]
    pq.write_table(pa.table({"url": urls, "text": ["words"] * rows}), path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.warc", "warc"),
        ("a.warc.gz", "warc"),
        ("a.warc.zst", "warc"),
        ("a.warc.wat.gz", "wat"),
        ("00000.tar", "images"),
    ],
)
def test_a_files_name_says_what_it_is(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"x")
    (shard,) = register(sources(tmp_path, {"name": "s", "uris": [name]}), Lake(tmp_path / "home")).shards
    assert (shard.kind, shard.first_row, shard.side_uri) == (kind, None, None)


def test_a_file_that_could_be_anything_needs_a_kind(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"x")
    with pytest.raises(RecipeError, match=r"names a.bin, which could be anything by its name; take names that end in"):
        register(sources(tmp_path, {"name": "s", "uris": ["a.bin"]}), Lake(tmp_path / "home"))
    recipe = sources(tmp_path, {"name": "s", "uris": ["a.bin"], "kind": "warc"})
    assert register(recipe, Lake(tmp_path / "home")).shards[0].kind == "warc"


def test_a_link_list_is_a_shard_for_every_so_many_rows(tmp_path):
    a_list(tmp_path / "l.parquet", 25)
    snapshot = register(
        sources(tmp_path, {"name": "s", "uris": ["l.parquet"], "rows_per_shard": 10}), Lake(tmp_path / "home")
    )
    assert [(s.shard_id, s.kind, s.first_row, s.rows) for s in snapshot.shards] == [
        (1, "links", 0, 10),
        (2, "links", 10, 10),
        (3, "links", 20, 5),
    ]
    assert [s.partition for s in snapshot.shards] == ["s.00001", "s.00002", "s.00003"]


def test_another_cut_of_a_list_makes_other_shards_and_the_old_numbers_stay_taken(tmp_path):
    a_list(tmp_path / "l.parquet", 20)
    lake = Lake(tmp_path / "home")
    source = {"name": "s", "uris": ["l.parquet"]}
    register(sources(tmp_path, {**source, "rows_per_shard": 10}), lake)
    again = register(sources(tmp_path, {**source, "rows_per_shard": 20}), lake)
    assert [(s.shard_id, s.rows, s.supersedes) for s in again.shards] == [(3, 20, 1)]


def test_changed_rows_of_a_list_supersede_the_old_ones(tmp_path):
    a_list(tmp_path / "l.parquet", 20)
    lake, recipe = (
        Lake(tmp_path / "home"),
        sources(tmp_path, {"name": "s", "uris": ["l.parquet"], "rows_per_shard": 10}),
    )
    register(recipe, lake)
    a_list(tmp_path / "l.parquet", 20, first=5)
    assert [(s.shard_id, s.supersedes) for s in register(recipe, lake).shards] == [(3, 1), (4, 2)]


def test_a_list_without_the_columns_is_one_plain_sentence(tmp_path):
    pq.write_table(pa.table({"address": ["x"]}), tmp_path / "l.parquet")
    with pytest.raises(RecipeError, match=r"source s: .*l.parquet: there is no column url .*its columns are: address"):
        register(sources(tmp_path, {"name": "s", "uris": ["l.parquet"]}), Lake(tmp_path / "home"))


def test_the_parquet_file_beside_an_image_shard_belongs_to_it(tmp_path):
    for name in ("00000.tar", "00000.parquet", "00000_stats.json", "00001.tar"):
        (tmp_path / name).write_bytes(name.encode())
    lake, recipe = Lake(tmp_path / "home"), sources(tmp_path, {"name": "s", "uris": ["0*"]})
    first, second = register(recipe, lake).shards
    assert (first.uri, first.side_uri, second.uri, second.side_uri) == ("00000.tar", "00000.parquet", "00001.tar", None)
    (tmp_path / "00000.parquet").write_bytes(b"other")
    assert {s.shard_id: s.supersedes for s in register(recipe, lake).shards} == {2: None, 3: 1}


def test_a_file_that_looks_as_before_is_not_read_again(tmp_path, monkeypatch):
    file = tmp_path / "a.warc.gz"
    file.write_bytes(b"a")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    lake, recipe = Lake(tmp_path / "home"), sources(tmp_path, {"name": "s", "uris": ["a.warc.gz"]})
    before = register(recipe, lake)
    monkeypatch.setattr(registry, "hash_file", lambda path: pytest.fail("hashed again"))
    assert register(recipe, lake) == before


def test_the_listing_changes_with_any_file_under_the_sources(tmp_path):
    for name in ("00000.tar", "00000.parquet"):
        (tmp_path / name).write_bytes(b"x")
    recipe = sources(tmp_path, {"name": "s", "uris": ["*.tar"]})
    before = registry.listing(recipe)
    assert set(before) == {"00000.tar", "00000.parquet"}
    (tmp_path / "00000.parquet").write_bytes(b"xyz")
    assert registry.listing(recipe) != before


def test_a_list_that_is_read_with_other_columns_is_cut_anew(tmp_path):
    (tmp_path / "l.csv").write_text("".join(f"http://a.example/{n}.png,words\n" for n in range(6)))
    lake = Lake(tmp_path / "home")
    source = {"name": "s", "uris": ["l.csv"], "rows_per_shard": 3}
    named = {"url": "a", "text": "b", "header": ["a", "b"]}
    (tmp_path / "l.csv").write_text("u,t\n" + (tmp_path / "l.csv").read_text())
    first = register(sources(tmp_path, {**source, "columns": {"url": "u", "text": "t"}}), lake)
    again = register(sources(tmp_path, {**source, "columns": named}), lake)
    fresh = register(sources(tmp_path, {**source, "columns": named}), Lake(tmp_path / "other"))
    assert [shard.content for shard in again.shards] == [shard.content for shard in fresh.shards]
    assert {s.shard_id for s in first.shards}.isdisjoint(s.shard_id for s in again.shards)
