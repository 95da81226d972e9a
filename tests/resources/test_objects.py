"""The store's primitives, against a real S3 server, a disk and fsspec's memory, in fair weather and foul."""

import hashlib
import json
import multiprocessing
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from resources import objects
from resources.lake import local_path
from resources.objects import LeaseLostError, StoreError
from tests.stores import BUCKET, Weather, make_bucket, s3_client

pytestmark = pytest.mark.usefixtures("machine")

LONG_AGO = 10 * objects.UNTOUCHED


@pytest.fixture
def home(store):
    found = objects.open_home(f"s3://{BUCKET}/{uuid.uuid4().hex}")
    store.counted()
    return found


@pytest.fixture(params=["disk", "s3", "memory"])
def any_home(request, tmp_path):
    if request.param == "disk":
        return objects.open_home(tmp_path / "home")
    if request.param == "memory":
        return objects.open_home(f"memory://{uuid.uuid4().hex}")
    return request.getfixturevalue("home")


def fill(home, **data):
    for name, content in data.items():
        path = home / name.replace("__", "/")
        if objects.is_local(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def is_a(method):
    return lambda asked: asked["REQUEST_METHOD"] == method


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


# Looking


def test_existence_is_one_head_and_never_a_listing(store, home):
    (home / "there").write_bytes(b"x")
    store.counted()
    assert objects.exists(home / "there")
    assert store.counted() == {"HEAD": 1}
    assert not objects.exists(home / "missing")
    assert store.counted() == {"HEAD": 1}


def test_a_name_that_only_starts_others_is_not_there(any_home):
    fill(any_home, a__bc=b"x")
    assert objects.exists(any_home / "a" / "bc")
    assert not objects.exists(any_home / "a" / "b")


def test_files_and_entries_answer_like_those_of_a_disk(any_home):
    fill(any_home, **{"a__1.json": b"1", "a__2.json": b"2", "a__b__3.json": b"3", "a__x.txt": b"4", "ab__5": b"5"})
    folder = any_home / "a"
    assert [path.name for path in objects.files(folder)] == ["1.json", "2.json", "b", "x.txt"]
    assert [path.name for path in objects.files(folder, "*.json")] == ["1.json", "2.json"]
    assert objects.read(objects.files(folder, "2.*")[0]) == b"2"
    assert [path.name for path in objects.entries(folder)] == ["1.json", "2.json", "b", "x.txt"]
    for nothing in (any_home / "missing", any_home / "a" / "x.txt"):
        assert objects.files(nothing) == []
        assert objects.entries(nothing) == []


def test_a_tree_holds_every_file_below_a_folder_with_its_size_and_time(any_home):
    fill(any_home, **{"a__2": b"22", "a__b__c__3": b"333", "ab": b"x", "a__1": b"1"})
    found = objects.tree(any_home / "a")
    assert [(str(file.path), file.bytes) for file in found] == [
        (str(any_home / "a" / name), size) for name, size in (("1", 1), ("2", 2), ("b/c/3", 3))
    ]
    assert all(abs(file.time - time.time()) < 60 for file in found)
    assert objects.tree(any_home / "missing") == []


def test_what_another_client_wrote_or_deleted_is_seen_at_once(store, home):
    other = s3_client(store)
    assert objects.files(home / "a") == []
    prefix = home.path.split("/", 1)[1]
    other.put_object(Bucket=BUCKET, Key=f"{prefix}/a/1", Body=b"1")
    assert [path.name for path in objects.files(home / "a")] == ["1"]
    other.put_object(Bucket=BUCKET, Key=f"{prefix}/a/2", Body=b"2")
    assert len(objects.files(home / "a")) == len(objects.entries(home / "a")) == len(objects.tree(home / "a")) == 2
    other.delete_object(Bucket=BUCKET, Key=f"{prefix}/a/1")
    assert [path.name for path in objects.files(home / "a")] == ["2"]
    assert not objects.exists(home / "a" / "1")


def test_more_files_than_one_page_of_a_listing_are_all_seen(store, home, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    names = [f"{number:04d}" for number in range(25)]
    home.fs.pipe({f"{home.path}/many/{name}": b"" for name in names})
    store.counted()
    assert [path.name for path in objects.files(home / "many")] == names
    assert store.counted()["LIST"] == 3
    assert len(objects.tree(home / "many")) == 25
    objects.remove(home / "many")
    assert objects.tree(home / "many") == []


def test_the_empty_object_that_stands_for_a_folder_is_no_file(store, home):
    prefix = home.path.split("/", 1)[1]
    s3_client(store).put_object(Bucket=BUCKET, Key=f"{prefix}/a/", Body=b"")
    fill(home, a__1=b"1")
    assert [path.name for path in objects.files(home / "a")] == ["1"]
    assert [file.path.name for file in objects.tree(home / "a")] == ["1"]


# Writing


def test_of_two_writers_of_one_name_one_wins(home):
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        return objects.create(home / "name", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sum(won) == 1
    assert objects.read(home / "name") == b"%d" % won.index(True)


def test_a_name_that_is_taken_is_not_written_over(any_home):
    if objects.is_local(any_home):
        pytest.skip("on a disk Lake.create_document links")
    assert objects.create(any_home / "name", b"first")
    assert not objects.create(any_home / "name", b"second")
    assert objects.read(any_home / "name") == b"first"


def test_a_write_whose_answer_was_lost_is_still_ours(store, home):
    store.weather = Weather(each=1, status=500, times=1, late=True, only=is_a("PUT"))
    assert objects.create(home / "name", b"ours")
    assert store.counted()["PUT"] == 2
    assert objects.read(home / "name") == b"ours"


def test_a_move_whose_answer_was_lost_is_still_ours(store, home):
    objects.create(home / "name", b"before")
    _, tag = objects.read_tagged(home / "name")
    store.weather = Weather(each=1, status=500, times=1, late=True, only=is_a("PUT"))
    assert objects.swap(home / "name", b"after", tag)
    assert objects.read(home / "name") == b"after"


def test_a_file_put_once_whose_answer_was_lost_counts_as_there(store, home, tmp_path):
    (tmp_path / "file").write_bytes(b"bytes")
    store.weather = Weather(each=1, status=500, times=1, late=True, only=is_a("PUT"))
    assert not objects.put(tmp_path / "file", home / "name", once=True)
    assert objects.read(home / "name") == b"bytes"


def test_a_move_from_a_state_that_is_past_is_refused(any_home):
    if objects.is_local(any_home):
        pytest.skip("pointers are of stores")
    path = any_home / "pointer"
    assert objects.read_tagged(path) is None
    assert objects.swap(path, b"1", None)
    data, first = objects.read_tagged(path)
    assert data == b"1"
    assert objects.swap(path, b"2", first)
    assert not objects.swap(path, b"3", first)
    assert not objects.swap(path, b"3", None)
    assert objects.read(path) == b"2"


def test_a_pointer_that_is_gone_cannot_be_moved(home):
    objects.create(home / "pointer", b"1")
    _, tag = objects.read_tagged(home / "pointer")
    objects.remove(home / "pointer")
    assert not objects.swap(home / "pointer", b"2", tag)


def test_a_name_that_vanishes_between_two_questions_is_nobodys(home, monkeypatch):
    """The holder of a lease gives it back while another asks who it is."""
    real = home.fs.cat_file
    objects.create(home / "name", b"theirs")

    def vanish(path, **more):
        with suppress(FileNotFoundError):
            objects.remove(home / "name")
        return real(path, **more)

    monkeypatch.setattr(home.fs, "cat_file", vanish)
    assert not objects.create(home / "name", b"ours")
    assert objects.create(home / "name", b"theirs")
    assert objects.read_tagged(home / "name") is None


# Leases


def hold(home, where, seconds, environ):
    """In a process of its own: take the lease, say so, and hold it for ever."""
    os.environ.update(environ)
    with objects.lease(objects.open_home(home) / "lease", seconds):
        where.put("held")
        time.sleep(60)


def test_a_lease_is_held_by_one_at_a_time(home):
    inside, most, times = [], [], []

    def work(number):
        with objects.lease(home / "lease", 3.0):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(number)
            times.append(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert max(most) == 1
    assert sorted(times) == list(range(8))
    assert not objects.exists(home / "lease")


def test_a_holder_that_dies_is_replaced_after_its_time(store, home):
    context = multiprocessing.get_context("spawn")
    where = context.Queue()
    process = context.Process(target=hold, args=(str(home), where, 1.0, store.environment))
    process.start()
    try:
        assert where.get(timeout=20) == "held"
        # As long as it lives it is left in peace, far beyond its time.
        waiting = threading.Thread(target=objects._take, args=(home / "lease", b'{"holder": "next"}', 1.0), daemon=True)
        waiting.start()
        waiting.join(2.0)
        assert waiting.is_alive()
    finally:
        process.kill()
        process.join()
    died = time.monotonic()
    waiting.join(5.0)
    assert not waiting.is_alive()
    assert time.monotonic() - died > 0.5
    assert objects.read(home / "lease") == b'{"holder": "next"}'


def test_a_holder_that_lost_its_lease_learns_it_and_leaves_the_next_one_alone(home):
    with (
        pytest.raises(LeaseLostError, match="another process took over.*run again"),
        objects.lease(home / "lease", 30.0),
    ):
        (home / "lease").write_bytes(b'{"holder": "next"}')
    assert objects.read(home / "lease") == b'{"holder": "next"}'


def test_a_holder_outlives_a_store_that_is_down_for_a_moment(store, home):
    with objects.lease(home / "lease", 0.6):
        store.weather = Weather(each=1, status=400)
        time.sleep(0.5)
        store.weather = Weather()
        time.sleep(0.5)
        before = objects.read(home / "lease")
        time.sleep(0.5)
        assert objects.read(home / "lease") != before, "it gives signs of life again"
    assert not objects.exists(home / "lease")


# The cache


def age(path, seconds=LONG_AGO):
    os.utime(path, (time.time() - seconds,) * 2)


def test_an_object_is_fetched_once_and_again_when_it_changed(store, home):
    path = home / "name"
    path.write_bytes(b"first")
    first = objects.fetch(path)
    store.counted()
    assert objects.fetch(path) == first
    assert store.counted() == {"HEAD": 1}
    assert objects.fetch(path, immutable=True).read_bytes() == b"first"
    store.counted()
    objects.fetch(path, immutable=True)
    assert store.counted() == {}
    path.write_bytes(b"second")
    assert objects.fetch(path).read_bytes() == b"second"
    assert first.read_bytes() == b"first"


def test_the_cache_is_kept_under_its_limit_and_keeps_what_was_asked_for_lately(home, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE_GB", str(5_000 / 1e9))
    copies = []
    for number in range(4):
        (home / str(number)).write_bytes(b"x" * 1_000)
        copies.append(objects.fetch(home / str(number), immutable=True))
        age(copies[-1], LONG_AGO - number)
    objects.fetch(home / "0", immutable=True)
    (home / "big").write_bytes(b"x" * 3_000)
    copies.append(objects.fetch(home / "big", immutable=True))
    assert [copy.exists() for copy in copies] == [True, False, False, True, True]
    assert objects.fetch(home / "1", immutable=True).read_bytes() == b"x" * 1_000


def test_a_copy_that_somebody_just_asked_for_is_never_deleted(home):
    (home / "name").write_bytes(b"x" * 1_000)
    copy = objects.fetch(home / "name")
    assert objects.trim(0) == 0
    assert copy.exists()
    age(copy)
    assert objects.trim(0) == 1
    assert files_below(objects.cache_folder()) == []


def test_copies_stay_while_the_work_lasts_that_asked_for_their_place(home, monkeypatch):
    monkeypatch.setattr(objects, "HOLD_SECONDS", 0.01)
    (home / "name").write_bytes(b"x" * 1_000)
    with objects.holding():
        with objects.holding():
            copy = local_path(home / "name")
        age(copy)
        deadline = time.monotonic() + 10
        while time.time() - copy.stat().st_atime > objects.UNTOUCHED and time.monotonic() < deadline:
            time.sleep(0.01)
        assert objects.trim(0) == 0
    age(copy)
    time.sleep(0.1)
    assert objects.trim(0) == 1


def test_what_killed_processes_left_in_the_cache_goes_after_a_while(tmp_path):
    for name, seconds in (("old", objects.ABANDONED + 60), ("new", 60)):
        folder = objects.cache_folder() / "partial" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"half")
        age(folder, seconds)
    objects.trim(1e9)
    assert [path.name for path in (objects.cache_folder() / "partial").iterdir()] == ["new"]


def fetch_one(path, environ, start, where):
    os.environ.update(environ)
    path = objects.open_home(path)
    start.wait()
    where.put(hashlib.sha256(objects.fetch(path, immutable=True).read_bytes()).hexdigest())


def test_processes_that_fetch_an_object_at_once_all_get_it_whole(store, home):
    data = os.urandom(6_000_000)
    (home / "big").write_bytes(data)
    context = multiprocessing.get_context("spawn")
    start, where = context.Barrier(2), context.Queue()
    environ = {**store.environment, "WINNOW_CACHE": os.environ["WINNOW_CACHE"]}
    processes = [context.Process(target=fetch_one, args=(str(home / "big"), environ, start, where)) for _ in range(2)]
    for process in processes:
        process.start()
    found = {where.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    assert found == {hashlib.sha256(data).hexdigest()}
    assert len(files_below(objects.cache_folder())) == 1


def test_a_fetch_that_fails_leaves_nothing_in_the_cache(home, monkeypatch):
    (home / "name").write_bytes(b"whole")

    def half(path, target):
        with open(target, "wb") as stream:
            stream.write(b"ha")
        raise OSError("the line broke")

    monkeypatch.setattr(home.fs, "get_file", half)
    with pytest.raises(OSError, match="the line broke"):
        objects.fetch(home / "name")
    assert files_below(objects.cache_folder()) == []


@pytest.mark.parametrize("name", ["..", "../../../../escaped", "a/../../../../escaped", "/tmp/escaped", ".", "n" * 900])
def test_names_from_data_never_leave_the_cache_folder(home, name, tmp_path):
    path = home / name
    inside = objects.cache_folder().resolve()
    assert inside in objects.place(path).resolve().parents
    assert objects.place(path).resolve().is_relative_to(inside / "files")
    with objects.partial_file(path) as partial:
        partial.write_bytes(b"x")
        assert inside / "partial" in partial.resolve().parents
    key = f"{home.path}/{name}"
    home.fs.pipe_file(key, b"data") if len(name) < 900 else home.fs.pipe_file(f"{home.path}/n", b"data")
    with suppress(OSError):
        assert objects.fetch(path).resolve().is_relative_to(inside / "files")
    outside = [file for file in files_below(tmp_path) if not file.resolve().is_relative_to(inside)]
    assert outside == []


# Weather


@pytest.mark.parametrize(
    "weather",
    [
        Weather(each=3, status=503),
        Weather(each=3, status=500),
        Weather(each=3, seconds=0.3),
        Weather(each=4, status=500, late=True),
    ],
    ids=["503", "500", "slow", "lost"],
)
def test_a_store_that_fails_every_third_time_is_asked_again(store, home, weather, tmp_path, monkeypatch):
    data = os.urandom(20_000)
    (tmp_path / "file").write_bytes(data)
    store.weather, store.refused = weather, 0
    assert objects.create(home / "created", data)
    assert not objects.create(home / "created", b"other")
    objects.put(tmp_path / "file", home / "put", once=True)
    assert objects.exists(home / "put")
    assert not objects.exists(home / "missing")
    assert objects.read(home / "put") == data
    assert objects.fetch(home / "created").read_bytes() == data
    assert len(objects.files(home)) == len(objects.tree(home)) == 2
    assert store.refused >= 3


@pytest.mark.parametrize("size", [100_000, 11_000_000], ids=["one request", "ranges"])
def test_an_answer_that_breaks_off_is_asked_for_again(store, home, size, monkeypatch):
    monkeypatch.setattr(home.fs, "default_block_size", 5 << 20)
    data = os.urandom(size)
    (home / "name").write_bytes(data)
    for read in (lambda path: objects.fetch(path).read_bytes(), objects.read):
        store.weather, store.refused = Weather(each=1, times=1, cut=True, only=is_a("GET")), 0
        assert read(home / "name") == data
        assert store.refused == 1


def test_a_file_that_is_put_in_parts_is_written_once_though_the_last_answer_was_lost(
    store, home, tmp_path, monkeypatch
):
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize: 5 << 20)
    data = os.urandom(11_000_000)
    (tmp_path / "file").write_bytes(data)
    ends = is_a("POST")
    store.weather = Weather(
        each=1, status=500, times=1, late=True, only=lambda asked: ends(asked) and "uploadId" in asked["QUERY_STRING"]
    )
    objects.put(tmp_path / "file", home / "lost", once=True)
    assert store.weather.times == 0
    assert objects.read(home / "lost") == data
    assert objects.put(tmp_path / "file", home / "name", once=True)
    (tmp_path / "file").write_bytes(data[::-1])
    assert not objects.put(tmp_path / "file", home / "name", once=True)
    assert objects.read(home / "name") == data
    assert "Uploads" not in s3_client(store).list_multipart_uploads(Bucket=BUCKET)


# Whether a store will do


def test_a_store_that_does_what_is_needed_is_left_as_it_was(any_home):
    if objects.is_local(any_home):
        pytest.skip("a disk is looked at by Lake.prepare")
    objects.check(any_home)
    assert objects.tree(any_home) == []


@pytest.mark.parametrize("header", ["HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"])
def test_a_store_that_ignores_conditions_is_refused(store, home, header):
    store.weather = Weather(deaf=(header,))
    with pytest.raises(StoreError, match="writes over what is there although it was asked not to; use another store"):
        objects.check(home)
    assert objects.tree(home) == []


def test_a_missing_bucket_is_one_sentence(store):
    with pytest.raises(
        StoreError, match="nowhere/home: there is no such bucket; make it, or set WINNOW_HOME to another"
    ):
        objects.check(objects.open_home("s3://nowhere/home"))


def test_keys_that_the_store_refuses_are_one_sentence(store, home):
    store.weather = Weather(each=1, status=403)
    with pytest.raises(
        StoreError, match="the store refuses to be read or written .*; see to its keys and what they may do"
    ):
        objects.check(home)


@pytest.mark.parametrize(
    ("home", "says"),
    [
        ("nonsense://a/b", "Unsupported filesystem: 'nonsense'; set WINNOW_HOME to a folder, or to an address"),
        ("gs://a/b", "install Winnow with the extra of that store"),
    ],
)
def test_an_address_that_no_library_knows_is_one_sentence(home, says):
    with pytest.raises(StoreError, match=says):
        objects.open_home(home)


def test_a_home_may_be_a_whole_bucket(store):
    name = f"own-{uuid.uuid4().hex[:8]}"
    make_bucket(store, name)
    home = objects.open_home(f"s3://{name}")
    objects.check(home)
    objects.create(home / "a" / "b", json.dumps({}).encode())
    assert [path.name for path in objects.files(home)] == ["a"]
    assert [str(file.path) for file in objects.tree(home)] == [f"s3://{name}/a/b"]
