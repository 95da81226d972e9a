"""A Lake whose home lies in an object store: the same answers as on a disk, and one sentence where the store fails."""

import errno
import hashlib
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pytest

from orchestration import ledger, publishing
from orchestration.asking import connect
from orchestration.manifest import BuildError, Manifest
from resources import lake as lakes
from resources import objects
from resources.lake import Lake, LakeError, PointerMovedError, copy_of, local_path
from tests.stores import BUCKET, Weather, environment, s3_client

pytestmark = pytest.mark.usefixtures("machine")

TABLE = pa.table({"sample_id": pa.array([1, 2], pa.uint64()), "text": ["a", None]})


@pytest.fixture
def lake(store):
    found = Lake(f"s3://{BUCKET}/{uuid.uuid4().hex}")
    store.counted()
    return found


@pytest.fixture(params=["disk", "s3", "memory"])
def any_lake(request, tmp_path):
    if request.param == "disk":
        return Lake(tmp_path / "home")
    if request.param == "memory":
        return Lake(f"memory://{uuid.uuid4().hex}")
    return request.getfixturevalue("lake")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Makes this process another machine: nothing is in its cache, and nothing was seen."""

    def move():
        monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / f"cache-{uuid.uuid4().hex}"))
        lakes._seen_at.clear()

    return move


@pytest.fixture
def impatient(store, monkeypatch):
    """A home whose store is given up on soon."""
    for name, value in (("ATTEMPTS", 1), ("CONNECT_SECONDS", 1), ("READ_SECONDS", 1)):
        monkeypatch.setattr(objects, name, value)
    return Lake(f"s3://{BUCKET}/{uuid.uuid4().hex}")


def keys(lake):
    return [lake.uri(file.path) for file in lake.tree(lake.home)]


def cached():
    folder = objects.cache_folder()
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


# Tables


def test_a_table_is_the_same_file_in_every_home_and_comes_back_as_it_was(any_lake, elsewhere, tmp_path):
    path = any_lake.path("sample", "00001", "ab12")
    on_disk = Lake(tmp_path / "other")
    assert not any_lake.exists(path)
    stored = any_lake.write_table(path, TABLE, {"winnow.encoder": "x@1"})
    assert stored == on_disk.write_table(on_disk.path("sample", "00001", "ab12"), TABLE, {"winnow.encoder": "x@1"})
    elsewhere()
    assert any_lake.exists(path)
    assert any_lake.size(path) == stored.bytes
    assert any_lake.rows_of(path) == 2
    assert any_lake.table_metadata(path) == {"winnow.encoder": "x@1"}
    assert any_lake.read_table([path]).equals(TABLE)
    assert any_lake.read_table([path, path], ["text"])["text"].to_pylist() == ["a", None] * 2
    assert any_lake.read_table([path], ["text"], ids=(2, 3))["text"].to_pylist() == [None]
    assert pa.concat_tables(any_lake.each_group(path)).equals(TABLE)
    assert any_lake.describe(path, rows=2) == stored
    assert [found.name for found in any_lake.files(any_lake.home / "lake" / "sample", "*.parquet")] == [path.name]


def test_what_was_written_here_is_not_fetched_to_be_read(store, lake):
    path = lake.path("t", "1", "f")
    lake.write_table(path, TABLE)
    store.counted()
    assert lake.read_table([path]).equals(TABLE)
    assert store.counted() == {}


def wide(lake):
    """A table of several row groups, most of whose bytes are in one column."""
    rows = 4_000
    path = lake.path("t", "1", "f")
    table = pa.table(
        {
            "sample_id": pa.array(range(rows), pa.uint64()),
            "small": pa.array(range(rows), pa.int32()),
            "big": [os.urandom(500) for _ in range(rows)],
        }
    )
    lake.write_table(path, table, {"winnow.encoder": "x@1"})
    return path, table


def test_some_columns_of_a_big_object_are_read_without_the_others(store, lake, elsewhere, monkeypatch):
    monkeypatch.setattr(lakes, "RANGED_BYTES", 100_000)
    monkeypatch.setattr(lakes, "ROWS_PER_GROUP", 1_000)
    path, table = wide(lake)
    elsewhere()
    store.sent = 0
    assert lake.read_table([path], ["small"]).equals(table.select(["small"]))
    assert lake.read_table([path], ["small"], ids=(1_500, 1_600)).equals(table.select(["small"]).slice(1_500, 100))
    assert pa.concat_tables(lake.each_group(path, ["small"])).equals(table.select(["small"]))
    assert lake.rows_of(path) == 4_000
    assert lake.table_metadata(path) == {"winnow.encoder": "x@1"}
    assert store.sent < 0.5 * lake.size(path)
    assert cached() == []
    assert lake.read_table([path]).equals(table)
    assert store.sent > lake.size(path)
    assert len(cached()) == 1


def test_rows_by_id_come_from_their_row_groups_alone(store, lake, elsewhere, monkeypatch):
    monkeypatch.setattr(lakes, "RANGED_BYTES", 100_000)
    monkeypatch.setattr(lakes, "ROWS_PER_GROUP", 1_000)
    path, table = wide(lake)
    elsewhere()
    store.sent = 0
    assert lake.read_table([path], ids=(10, 20)).equals(table.slice(10, 10))
    assert store.sent < 0.35 * lake.size(path)


def test_ranges_are_asked_for_again_in_bad_weather(store, lake, elsewhere, monkeypatch):
    monkeypatch.setattr(lakes, "RANGED_BYTES", 100_000)
    path, table = wide(lake)
    elsewhere()
    store.weather, store.refused = Weather(each=3, cut=True), 0
    assert lake.read_table([path], ["small"]).equals(table.select(["small"]))
    store.weather = Weather(each=3, status=503)
    assert lake.read_table([path], ["sample_id"], ids=(5, 9))["sample_id"].to_pylist() == [5, 6, 7, 8]
    assert store.refused > 2
    assert cached() == []


def test_a_copy_that_is_there_is_read_and_not_ranges(store, lake, monkeypatch):
    monkeypatch.setattr(lakes, "RANGED_BYTES", 100_000)
    path, table = wide(lake)
    store.counted()
    assert lake.read_table([path], ["small"]).equals(table.select(["small"]))
    assert store.counted() == {}


def test_traffic_is_counted_in_whole_files_as_on_a_disk(any_lake):
    path = any_lake.path("t", "1", "f")
    traffic = any_lake.traffic
    written, read = traffic.written, traffic.read
    stored = any_lake.write_table(path, TABLE)
    assert (traffic.written - written, traffic.read - read) == (stored.bytes, 0)
    any_lake.read_table([path], ["text"])
    assert traffic.read - read == stored.bytes
    # Programs that get the file itself may read all of it.
    local_path(path)
    assert traffic.read - read == 2 * stored.bytes


def test_a_missing_file_is_one_sentence(any_lake):
    path = any_lake.path("sample", "1", "f")
    looks = (
        lambda: any_lake.read_table([path]),
        lambda: any_lake.read_table([path], ["text"]),
        lambda: any_lake.read_document(path),
        lambda: any_lake.describe(path),
        lambda: any_lake.size(path),
    )
    for look in looks:
        with pytest.raises(LakeError, match="sample/1-f.parquet: no such (file|object); run the build again"):
            look()


# Existence


def test_a_file_of_the_lake_is_asked_for_with_one_head_and_then_not_again(store, lake):
    path = lake.path("t", "1", "f")
    assert not lake.exists(path)
    assert not lake.exists(path)
    assert store.counted() == {"HEAD": 2}
    lake.write_table(path, TABLE)
    store.counted()
    assert lake.exists(path)
    assert lake.exists(path)
    assert store.counted() == {"HEAD": 1}


def test_a_file_that_was_removed_is_gone_at_once_with_its_copy(lake):
    path = lake.path("t", "1", "f")
    lake.write_table(path, TABLE)
    assert lake.exists(path)
    lake.remove(path)
    assert not lake.exists(path)
    assert cached() == []


# Writing


def test_the_first_writer_of_a_name_stays_and_the_second_describes_what_is_there(store, lake, elsewhere):
    path = lake.path("t", "1", "f")
    first = lake.write_table(path, TABLE)
    elsewhere()
    other = Lake(str(lake.home))
    second = other.write_table(path, pa.table({"sample_id": [9, 9, 9]}))
    data = objects.read(path)
    assert second.sha256 == first.sha256 == hashlib.sha256(data).hexdigest()
    assert second.bytes == first.bytes == len(data)
    assert other.read_table([path]).equals(TABLE)


def test_two_writers_at_once_agree_on_what_is_there(lake):
    path = lake.path("t", "1", "f")

    def write(number):
        return Lake(str(lake.home)).write_table(path, pa.table({"n": [number]})).sha256

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(write, range(4)))
    assert found == {hashlib.sha256(objects.read(path)).hexdigest()}


def test_a_write_that_failed_half_way_leaves_nothing_anywhere(lake):
    path = lake.path("t", "1", "f")

    def parts():
        yield TABLE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        lake.write_table(path, parts())
    with pytest.raises(RuntimeError), lake.new_file(lake.home / "x.json") as partial:
        partial.write_bytes(b"half")
        raise RuntimeError
    assert keys(lake) == []
    assert cached() == []


def test_a_put_that_failed_leaves_nothing_anywhere(impatient, store):
    store.weather = Weather(each=1, status=400, only=lambda asked: asked["REQUEST_METHOD"] == "PUT")
    with pytest.raises(LakeError, match="t/1-f.parquet: the object store did not take or give it .*; run again"):
        impatient.write_table(impatient.path("t", "1", "f"), TABLE)
    store.weather = Weather()
    assert keys(impatient) == []
    assert cached() == []


def test_a_document_is_written_over_and_a_created_one_is_not(any_lake):
    path = any_lake.home / "notes" / "a.json"
    for number in (1, 2):
        any_lake.write_document(path, {"n": number})
        assert any_lake.read_document(path) == {"n": number}
    created = any_lake.home / "notes" / "b.json"
    assert [any_lake.create_document(created, {"n": n}) for n in (1, 2)] == [True, False]
    assert any_lake.read_document(created) == {"n": 1}


# Folders


def fill(lake, folder, **data):
    with lake.new_folder(folder) as partial:
        for name, content in data.items():
            path = partial / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def test_a_folder_is_there_when_its_list_is(any_lake):
    folder = any_lake.home / "releases" / "r"
    assert not any_lake.folder_exists(folder)
    fill(any_lake, folder, a=b"1", b__c=b"22")
    assert any_lake.folder_exists(folder)
    fill(any_lake, folder, a=b"other")
    assert [(file.path.name, file.bytes) for file in any_lake.tree(folder)] == [("a", 1), ("c", 2)]
    if not any_lake.on_disk:
        assert any_lake.read_document(folder.with_name("r.whole.json")) == {"a": 1, "b/c": 2}
    any_lake.remove(folder)
    assert not any_lake.folder_exists(folder)
    assert any_lake.tree(any_lake.home) == []


def test_a_folder_whose_putting_was_cut_short_does_not_count_and_the_next_try_makes_it_whole(lake, monkeypatch):
    folder = lake.home / "releases" / "r"
    real = objects.put

    def die(source, path, once=False):
        if path.name == "c":
            raise KeyboardInterrupt
        return real(source, path, once)

    monkeypatch.setattr(objects, "put", die)
    with pytest.raises(KeyboardInterrupt):
        fill(lake, folder, a=b"half", old=b"1", c=b"3")
    assert "releases/r/a" in keys(lake)
    assert not lake.folder_exists(folder)
    monkeypatch.setattr(objects, "put", real)
    fill(lake, folder, a=b"1", c=b"3")
    assert lake.folder_exists(folder)
    assert keys(lake) == ["releases/r.whole.json", "releases/r/a", "releases/r/c"]
    assert objects.read(folder / "a") == b"1"


def test_a_block_that_fails_puts_nothing_of_its_folder(lake):
    with pytest.raises(RuntimeError), lake.new_folder(lake.home / "r") as partial:
        (partial / "a").write_bytes(b"")
        raise RuntimeError
    assert keys(lake) == []
    assert cached() == []


def test_a_folder_is_copied_for_programs_that_need_files(store, lake):
    folder = lake.home / "releases" / "r"
    fill(lake, folder, a=b"1", b__c=b"22")
    copy = local_path(folder)
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == {"a", "b/c"}
    assert (copy / "b" / "c").read_bytes() == b"22"
    store.counted()
    assert local_path(folder) == copy
    assert store.counted()["GET"] == 0
    (folder / "a").write_bytes(b"333")
    assert (local_path(folder) / "a").read_bytes() == b"333"


@pytest.mark.parametrize("name", ["../../../../../escaped", "a/../../../../../../escaped", ".."])
def test_an_object_whose_name_leaves_the_folder_is_not_copied(store, lake, name, tmp_path):
    prefix = lake.home.path.split("/", 1)[1]
    s3_client(store).put_object(Bucket=BUCKET, Key=f"{prefix}/r/{name}", Body=b"x")
    s3_client(store).put_object(Bucket=BUCKET, Key=f"{prefix}/r/a", Body=b"x")
    with pytest.raises(LakeError, match="which no file can be; take it out"):
        local_path(lake.home / "r")
    inside = objects.cache_folder()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(inside)] == []


# Pointers, and the database that one names


def test_a_pointer_that_another_moved_is_refused(any_lake):
    if any_lake.on_disk:
        pytest.skip("on a disk the database takes its place by rename")
    path = any_lake.home / "provenance.json"
    with any_lake.new_pointer(path) as pointer:
        assert pointer.document is None
        pointer.document = {"file": "a"}
    told = "another process published meanwhile; run again"
    with pytest.raises(PointerMovedError, match=told), any_lake.new_pointer(path) as late:
        with any_lake.new_pointer(path) as early:
            early.document = {"file": "b"}
        late.document = {"file": "c"}
    assert any_lake.read_document(path) == {"file": "b"}


def manifest(build_id):
    return Manifest(build_id, "", {"files": []})


def test_a_database_that_another_published_meanwhile_is_built_again_from_the_ledger(lake, monkeypatch):
    ledger, builds = ["first"], []

    def build(on, of, target):
        builds.append(list(ledger))
        if len(builds) == 1:
            ledger.append("second")
            with on.new_pointer(on.home / "provenance.json") as other:
                other.document = {"file": "provenance/theirs.duckdb"}
        target.write_text(",".join(ledger))

    monkeypatch.setattr(publishing, "_build", build)
    target = publishing.publish_database(lake, manifest("b1"))
    assert builds == [["first"], ["first", "second"]]
    assert publishing.database_file(lake) == target
    assert objects.read(target) == b"first,second"
    document = lake.read_document(lake.home / "provenance.json")
    assert document["build_id"] == "b1"
    assert document["file"] == lake.uri(target)


def test_a_database_that_others_publish_again_and_again_is_given_up(lake, monkeypatch):
    def build(on, of, target):
        with on.new_pointer(on.home / "provenance.json") as other:
            other.document = {"file": uuid.uuid4().hex}
        target.write_bytes(b"")

    monkeypatch.setattr(publishing, "_build", build)
    with pytest.raises(PointerMovedError, match="another process published meanwhile; run again"):
        publishing.publish_database(lake, manifest("b1"))


def test_publishers_at_once_each_publish_and_the_pointer_names_a_whole_database(lake, monkeypatch):
    def build(on, of, target):
        target.write_text(of.build_id)

    monkeypatch.setattr(publishing, "_build", build)
    monkeypatch.setattr(publishing, "ATTEMPTS", 20)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: publishing.publish_database(Lake(str(lake.home)), manifest(f"b{n}")), range(4)))
    document = lake.read_document(lake.home / "provenance.json")
    assert objects.read(publishing.database_file(lake)).decode() == document["build_id"]


def test_a_reader_fetches_the_database_that_counts_and_keeps_what_it_opened(store, lake, monkeypatch, elsewhere):
    def build(on, of, target):
        with duckdb.connect(str(target)) as connection:
            connection.execute(f"CREATE TABLE build AS SELECT '{of.build_id}' AS build_id")

    def ask(connection):
        return connection.execute("FROM build").fetchone()[0]

    monkeypatch.setattr(publishing, "_build", build)
    with pytest.raises(BuildError, match="no such database; run `winnow build` first"):
        connect(str(lake.home))
    publishing.publish_database(lake, manifest("b1"))
    elsewhere()
    first = connect(str(lake.home))
    assert ask(first) == "b1"
    store.counted()
    assert ask(connect(str(lake.home))) == "b1"
    assert store.counted()["GET"] == 1, "the pointer alone"
    publishing.publish_database(lake, manifest("b2"))
    assert (ask(connect(str(lake.home))), ask(first)) == ("b2", "b1")


# One at a time


def test_a_step_that_must_be_alone_holds_a_lease(store, lake):
    with lake.alone("crawl"):
        assert keys(lake) == ["leases/crawl.json"]
    assert keys(lake) == []


def test_a_step_that_lost_its_lease_says_so(lake):
    with pytest.raises(LakeError, match="leases/crawl.json: another process took over"), lake.alone("crawl"):
        (lake.home / "leases" / "crawl.json").write_bytes(b'{"holder": "another"}')


# Weather


@pytest.mark.parametrize("weather", [Weather(each=3, status=503), Weather(each=3, seconds=0.2)], ids=["503", "slow"])
def test_bytes_are_the_same_whatever_the_weather(store, lake, elsewhere, weather, tmp_path):
    store.weather = weather
    path = lake.path("t", "1", "f")
    stored = lake.write_table(path, TABLE)
    fill(lake, lake.home / "r", a=b"1", b=b"2")
    assert lake.create_document(lake.home / "a.json", {})
    elsewhere()
    assert lake.read_table([path]).equals(TABLE)
    assert lake.folder_exists(lake.home / "r")
    store.weather = Weather()
    on_disk = Lake(tmp_path / "other")
    assert stored == on_disk.write_table(on_disk.path("t", "1", "f"), TABLE)


def every_question(lake):
    """What is asked of a home, each in a way that needs the store."""
    path = lake.path("t", "1", "f")
    return {
        "prepare": lake.prepare,
        "exists": lambda: lake.exists(path),
        "folder_exists": lambda: lake.folder_exists(path),
        "files": lambda: lake.files(lake.home / "a"),
        "entries": lambda: lake.entries(lake.home / "a"),
        "tree": lambda: lake.tree(lake.home / "a"),
        "size": lambda: lake.size(path),
        "read_table": lambda: lake.read_table([path]),
        "read_document": lambda: lake.read_document(path),
        "describe": lambda: lake.describe(path),
        "copy_of": lambda: copy_of(path),
        "local_path": lambda: local_path(lake.home / "a"),
        "write_table": lambda: lake.write_table(path, TABLE),
        "write_document": lambda: lake.write_document(lake.home / "a.json", {}),
        "create_document": lambda: lake.create_document(lake.home / "a.json", {}),
        "new_folder": lambda: fill(lake, lake.home / "r", a=b""),
        "new_pointer": lambda: lake.new_pointer(lake.home / "p.json").__enter__(),
        "alone": lambda: lake.alone("a").__enter__(),
        "remove": lambda: lake.remove(path),
    }


def refusal(ask):
    """The one sentence that a question is refused with."""
    with pytest.raises(LakeError) as refused:
        ask()
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_a_store_that_is_down_is_one_sentence_whatever_is_asked(impatient, store):
    store.weather = Weather(each=1, status=503)
    started = time.monotonic()
    for name, ask in every_question(impatient).items():
        assert "s3://" in refusal(ask), name
    assert time.monotonic() - started < 60


def test_a_store_that_nobody_listens_for_is_one_sentence_whatever_is_asked(store, monkeypatch):
    monkeypatch.setattr(objects, "ATTEMPTS", 1)
    with environment({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}):
        nobody = Lake(f"s3://{BUCKET}/nobody-{uuid.uuid4().hex}")
        nobody.home.fs.clear_instance_cache()
        nobody = Lake(str(nobody.home))
        for name, ask in every_question(nobody).items():
            assert "Could not connect to the endpoint" in refusal(ask), name
        nobody.home.fs.clear_instance_cache()


def test_a_store_that_refuses_the_keys_is_one_sentence_whatever_is_asked(impatient, store):
    store.weather = Weather(each=1, status=403)
    for name, ask in every_question(impatient).items():
        assert "see to its keys and what they may do" in refusal(ask), name


def test_a_store_that_does_not_answer_is_given_up(impatient, store, monkeypatch):
    monkeypatch.setattr(impatient.home.fs, "retries", 1)
    store.weather = Weather(each=1, seconds=1.5)
    started = time.monotonic()
    assert "the object store did not take or give it" in refusal(lambda: impatient.exists(impatient.home / "a"))
    assert time.monotonic() - started < 10


def test_without_keys_it_is_one_sentence(store, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    keyless = Lake(f"s3://{BUCKET}/keyless")
    keyless.home.fs.clear_instance_cache()
    keyless = Lake(f"s3://{BUCKET}/keyless")
    assert "Unable to locate credentials" in refusal(keyless.prepare)
    keyless.home.fs.clear_instance_cache()


def test_a_cache_that_cannot_be_written_is_one_sentence(lake, tmp_path, monkeypatch):
    lake.write_document(lake.home / "a.json", {})
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "file" / "cache"))
    for ask in (
        lambda: local_path(lake.home / "a.json"),
        lambda: lake.read_table([lake.home / "a.json"]),
        lambda: lake.write_table(lake.path("t", "1", "f"), TABLE),
        lambda: fill(lake, lake.home / "r", a=b""),
    ):
        assert "file/cache: " in (said := refusal(ask))
        assert "set WINNOW_CACHE elsewhere" in said


def test_a_full_disk_below_the_cache_is_one_sentence(lake, monkeypatch):
    lake.write_document(lake.home / "a.json", {})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lake.home.fs, "get_file", full)
    assert "No space left on device; see to the cache, or set WINNOW_CACHE" in refusal(
        lambda: local_path(lake.home / "a.json")
    )
    with pytest.raises(LakeError, match="the disk is full; free space or set WINNOW_CACHE"):
        lake.write_table(lake.path("t", "1", "f"), (full() for _ in range(1)))
    assert cached() == []


def test_preparing_says_what_is_wrong_with_a_store(store, lake):
    lake.prepare()
    assert keys(lake) == []
    assert "there is no such bucket; make it" in refusal(Lake("s3://nowhere/home").prepare)
    store.weather = Weather(deaf=("HTTP_IF_NONE_MATCH",))
    assert "use another store" in refusal(lake.prepare)


def test_the_ledger_of_a_home_in_a_store_is_read_in_order(lake):
    for number in range(3):
        ledger.write(lake, "withdrawal", [{"release_id": str(number), "withdrawn_at": "2026-01-01T00:00:00+00:00"}])
    assert [row["release_id"] for row in ledger.rows(lake, "withdrawal")] == ["0", "1", "2"]
