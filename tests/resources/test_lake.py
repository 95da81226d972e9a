import os
import subprocess

import pyarrow as pa
import pytest

from resources.lake import Lake, LakeError, canonical_json, hash_file, sha256_of


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "home")


TABLE = pa.table({"sample_id": pa.array([1, 2], pa.uint64()), "text": ["a", None]})


def leftovers(lake):
    return [path for path in lake.home.rglob("*") if ".partial" in path.name]


def test_a_table_comes_back_as_it_was_written(lake):
    path = lake.path("sample", "00001", "ab12")
    stored = lake.write_table(path, TABLE)
    assert lake.read_table([path]).equals(TABLE)
    assert stored.uri == "lake/sample/00001-ab12.parquet"
    assert (stored.rows, stored.bytes, stored.sha256) == (2, path.stat().st_size, hash_file(path))


def test_the_same_table_gives_the_same_bytes_in_any_home(tmp_path):
    written = [Lake(tmp_path / home).write_table(Lake(tmp_path / home).path("t", "1", "f"), TABLE) for home in "ab"]
    assert written[0] == written[1]


def test_metadata_is_stored_and_does_not_leak_into_the_rows(lake):
    path = lake.path("t", "1", "f")
    lake.write_table(path, TABLE, {"winnow.encoder": "x@1"})
    assert lake.table_metadata(path) == {"winnow.encoder": "x@1"}
    assert lake.read_table([path]).schema.metadata is None


def test_several_files_are_read_in_the_order_asked_for(lake):
    paths = [lake.path("t", str(n), "f") for n in (1, 2)]
    for number, path in enumerate(paths):
        lake.write_table(path, pa.table({"n": [number]}))
    assert lake.read_table(paths[::-1]).column("n").to_pylist() == [1, 0]


def test_a_failed_write_leaves_nothing_behind(lake):
    path = lake.path("t", "1", "f")
    with pytest.raises(RuntimeError), lake.new_file(path) as partial:
        partial.write_bytes(b"half")
        raise RuntimeError
    assert not path.exists()
    assert leftovers(lake) == []


def test_a_file_is_not_visible_before_it_is_whole(lake):
    path = lake.path("t", "1", "f")
    with lake.new_file(path) as partial:
        partial.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"


def test_a_folder_appears_whole_or_not_at_all(lake):
    folder = lake.home / "releases" / "r"
    with pytest.raises(RuntimeError), lake.new_folder(folder) as partial:
        (partial / "a").write_bytes(b"")
        raise RuntimeError
    assert not folder.exists()
    with lake.new_folder(folder) as partial:
        (partial / "a").write_bytes(b"")
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert leftovers(lake) == []


def test_a_published_folder_is_never_replaced(lake):
    folder = lake.home / "releases" / "r"
    for content in (b"first", b"second"):
        with lake.new_folder(folder) as partial:
            (partial / "a").write_bytes(content)
    assert (folder / "a").read_bytes() == b"first"


def test_a_missing_file_is_one_sentence(lake):
    with pytest.raises(LakeError, match=r"sample/1-f.parquet: no such file; run the build again"):
        lake.read_table([lake.path("sample", "1", "f")])


def test_a_broken_parquet_file_is_one_sentence(lake):
    path = lake.path("t", "1", "f")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not parquet at all")
    with pytest.raises(LakeError, match="not a readable Parquet file; delete it and run again"):
        lake.read_table([path])


def test_a_home_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LakeError, match="a file stands where a folder must be"):
        Lake(tmp_path / "file" / "home").prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the read-only mount below covers it")
def test_a_home_without_permission_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(LakeError, match="no permission; set WINNOW_HOME to a folder you own"):
        Lake(tmp_path / "home").prepare()


@pytest.fixture
def mounted(tmp_path):
    """Mounts a tmpfs with options of the test; skips where mounting is not allowed."""
    folder = tmp_path / "mount"
    folder.mkdir()

    def mount(options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if done.returncode:
            pytest.skip("mounting a tmpfs is not allowed here")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


def test_a_full_disk_is_one_sentence_and_loses_nothing_that_was_written(mounted):
    lake = Lake(mounted("size=256k"))
    first = lake.path("t", "1", "f")
    lake.write_table(first, TABLE)
    noise = pa.table({"bytes": [os.urandom(400_000)]})
    with pytest.raises(LakeError, match="the disk is full; free space or move WINNOW_HOME, then run again"):
        lake.write_table(lake.path("t", "2", "f"), noise)
    assert lake.read_table([first]).equals(TABLE)
    assert leftovers(lake) == []


def test_a_read_only_home_is_one_sentence(mounted):
    with pytest.raises(LakeError, match="the disk is read-only; set WINNOW_HOME to another folder"):
        Lake(mounted("ro")).prepare()


def test_json_has_one_form_whatever_the_order_of_keys():
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
