"""What goes from a home in an object store, and what stays."""

import json
import uuid

import pyarrow as pa
import pytest

from assets.provenance.tables import TABLES
from orchestration import ledger
from orchestration.gc import collect
from orchestration.plan import staged
from resources import objects
from resources.lake import Lake, LakeError
from tests.stores import BUCKET, Weather

NEEDED, SIDE, UNNEEDED = (letter * 64 for letter in "abc")


@pytest.fixture(params=["s3", "disk"])
def lake(request, tmp_path, monkeypatch):
    """Build `old` and build `new`, with a table of their own and one of both, and what Ray workers and runs left."""
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    if request.param == "s3":
        request.getfixturevalue("store")
    lake = Lake(f"s3://{BUCKET}/{uuid.uuid4().hex}" if request.param == "s3" else tmp_path / "home")
    both = stored(lake, "sample", "both")
    for build in ("old", "new"):
        files = [both, stored(lake, "shard", build), stored(lake, "sample", build)]
        lake.write_document(lake.home / "builds" / build / "manifest.json", {"files": files})
        ledger.write(lake, "build", [{"build_id": build, "name": "recipe"}])
    for sha256, name in ((NEEDED, "a.tar"), (SIDE, "a.parquet"), (UNNEEDED, "b.warc.gz")):
        write(staged(lake, f"crawl/{name}", sha256))
    return lake


def write(path, data=b"x"):
    if objects.is_local(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def stored(lake, table, name):
    path = lake.path(table, "00001", name)
    rows = [dict.fromkeys(TABLES["shard"].schema.names)]
    if table == "shard":
        kept = (NEEDED, SIDE) if name == "new" else (UNNEEDED, None)
        rows[0] |= {"sha256": bytes.fromhex(kept[0]), "side_sha256": bytes.fromhex(kept[1]) if kept[1] else None}
    made = pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in TABLES["shard"].schema]))
    return {"table": table, **lake.write_table(path, made).as_dict()}


def keys(lake):
    return {lake.uri(file.path) for file in lake.tree(lake.home)} - {
        lake.uri(path) for path in lake.files(lake.home / "ledger" / "build")
    }


KEPT = {
    "builds/new/manifest.json",
    "lake/sample/00001-both.parquet",
    "lake/sample/00001-new.parquet",
    "lake/shard/00001-new.parquet",
    f"staged/{NEEDED}/a.tar",
    f"staged/{SIDE}/a.parquet",
}
GONE = {
    "builds/old/manifest.json",
    "lake/sample/00001-old.parquet",
    "lake/shard/00001-old.parquet",
    f"staged/{UNNEEDED}/b.warc.gz",
}


def test_what_no_kept_build_needs_goes_and_the_rest_stays(lake):
    before = keys(lake)
    assert before == KEPT | GONE
    told = collect(str(lake.home), 1, delete=False, recent=0)
    assert keys(lake) == before
    assert len(told) - 1 == len(GONE)
    assert f"would delete staged/{UNNEEDED}/b.warc.gz  (copy of a crawl file that no kept build reads)" in told
    collect(str(lake.home), 1, delete=True, recent=0)
    assert keys(lake) == KEPT
    assert "0 files" in collect(str(lake.home), 1, delete=True, recent=0)[-1]


def test_copies_of_crawl_files_that_two_builds_read_stay_with_both(lake):
    collect(str(lake.home), 2, delete=True, recent=0)
    assert keys(lake) == KEPT | GONE


def test_what_was_written_lately_may_belong_to_a_run_and_stays(lake):
    collect(str(lake.home), 1, delete=True)
    assert f"staged/{UNNEEDED}/b.warc.gz" in keys(lake)


def test_a_file_that_went_is_not_taken_to_be_there_still(lake):
    path = lake.path("sample", "00001", "old")
    assert lake.exists(path)
    collect(str(lake.home), 1, delete=True, recent=0)
    assert not lake.exists(path)
    with pytest.raises(LakeError, match="no such"):
        lake.read_table([path])


# What only a store has


@pytest.fixture
def in_store(lake):
    if lake.on_disk:
        pytest.skip("only in an object store")
    return lake


def test_the_database_that_the_pointer_names_stays_and_older_ones_go(in_store):
    for name in ("old-1", "new-2", "new-3"):
        write(in_store.home / "provenance" / f"{name}.duckdb")
    write(in_store.home / "provenance.json", json.dumps({"file": "provenance/new-2.duckdb"}).encode())
    told = collect(str(in_store.home), 2, delete=False)
    assert told == ["0 files, 0.0 MB to delete with --yes; builds kept: new, old"]
    collect(str(in_store.home), 2, delete=True, recent=0)
    assert [path.name for path in in_store.files(in_store.home / "provenance")] == ["new-2.duckdb"]


def test_a_release_whose_putting_was_cut_short_goes_and_a_whole_one_stays(in_store):
    with in_store.new_folder(in_store.home / "releases" / "whole") as folder:
        (folder / "a").write_bytes(b"1")
    write(in_store.home / "releases" / "half" / "b" / "a")
    collect(str(in_store.home), 2, delete=True)
    assert "releases/half/b/a" in keys(in_store)
    told = collect(str(in_store.home), 2, delete=True, recent=0)
    assert told[0] == "deleted releases/half  (left by a killed run)"
    assert {key for key in keys(in_store) if key.startswith("releases/")} == {
        "releases/whole.whole.json",
        "releases/whole/a",
    }


def test_a_withdrawn_release_goes_with_its_list(in_store):
    with in_store.new_folder(in_store.home / "releases" / "r") as folder:
        (folder / "a").write_bytes(b"1")
    row = {"release_id": "r", "build_id": "old", "name": "r", "published_at": "2026-01-01", "supersedes": None}
    ledger.write(in_store, "release", [row])
    ledger.write(in_store, "withdrawal", [{"release_id": "r", "withdrawn_at": "2026-01-02"}])
    collect(str(in_store.home), 2, delete=True, recent=0)
    assert "releases/r/a" in keys(in_store)
    collect(str(in_store.home), 2, delete=True, withdrawn=True, recent=0)
    assert not any(key.startswith("releases/") for key in keys(in_store))


def test_it_ends_well_in_bad_weather(in_store, store, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.02)
    store.weather = Weather(each=4, status=503)
    collect(str(in_store.home), 1, delete=True, recent=0)
    store.weather = Weather()
    assert keys(in_store) & (KEPT | GONE) == KEPT
