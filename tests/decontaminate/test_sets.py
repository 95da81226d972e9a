"""How evaluation sets are read, in each layout."""

import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from assets.decontaminate import sets
from assets.decontaminate.sets import EvaluationSetError, Reading, read_set
from tests.crawl.warcs import picture
from tests.decontaminate.conftest import jpeg


def read(layout, path, **how):
    return list(read_set(layout, [(path.name, path)], Reading(**how)))


def test_a_folder_gives_its_images_by_path_with_texts_beside_them_and_the_first_folder_as_class(tmp_path):
    for name in ("dog/b.png", "cat/a.jpg", "cat/deep/c.webp", "plain.png", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(kind="PNG"))
    (tmp_path / "cat/a.txt").write_text("  A Cat\n")
    items = read("image_folder", tmp_path)
    assert [(item.name, item.text, item.label) for item in items] == [
        ("plain.png", None, None),
        ("cat/a.jpg", "A Cat", "cat"),
        ("cat/deep/c.webp", None, "cat"),
        ("dog/b.png", None, "dog"),
    ]
    assert all(item.data == picture(kind="PNG") and item.reason is None for item in items)


def test_a_folders_table_names_text_and_class(tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "metadata.csv").write_text('file_name,text,label\na.png,"two words",lion\n')
    assert [(item.text, item.label) for item in read("image_folder", tmp_path)] == [("two words", "lion")]


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.png").write_bytes(picture())
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    os.symlink(secret / "s.png", folder / "b.png")
    os.symlink(secret, folder / "more")
    assert [item.name for item in read("image_folder", folder)] == ["a.png"]


def test_a_tar_gives_its_keys_in_order_with_their_captions(tmp_path, photographs):
    path = tmp_path / "test-000.tar"
    with webdataset.TarWriter(str(path)) as tar:
        tar.write({"__key__": "two", "jpg": jpeg(photographs[0]), "txt": "a bridge"})
        tar.write({"__key__": "one", "jpg": jpeg(photographs[1]), "json": b'{"caption": "a tower"}'})
        tar.write({"__key__": "none", "txt": "no picture"})
    items = read("webdataset", path)
    assert [(item.name, item.text, item.reason) for item in items] == [
        ("test-000.tar:two", "a bridge", None),
        ("test-000.tar:one", "a tower", None),
        ("test-000.tar:none", "no picture", "no_image"),
    ]
    assert items[0].data == jpeg(photographs[0])


def test_a_damaged_tar_is_one_sentence(tmp_path):
    path = tmp_path / "test.tar"
    with webdataset.TarWriter(str(path)) as tar:
        tar.write({"__key__": "one", "png": picture()})
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(EvaluationSetError, match=r"test\.tar: the tar is damaged .*fetch it again"):
        read("webdataset", path)


def test_parquet_holds_bytes_or_what_datasets_writes(tmp_path):
    plain, written = tmp_path / "plain.parquet", tmp_path / "written.parquet"
    pq.write_table(pa.table({"image": [picture(), None], "caption": ["a", "b"], "class": [3, 4]}), plain)
    features = Features({"image": ImageFeature(), "caption": Value("string")})
    rows = {"image": [Image.new("RGB", (5, 4), "blue")], "caption": ["c"]}
    Dataset.from_dict(rows, features).to_parquet(str(written))
    found = read("parquet", plain, text="caption", label="class")
    assert [(item.name, item.text, item.label, item.reason) for item in found] == [
        ("plain.parquet:0", "a", "3", None),
        ("plain.parquet:1", "b", "4", "no_image"),
    ]
    (item,) = read("parquet", written, text="caption")
    assert Image.open(io.BytesIO(item.data)).size == (5, 4)


def test_a_column_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"img": [picture()]}), path)
    with pytest.raises(EvaluationSetError, match=r"a\.parquet: there is no column image"):
        read("parquet", path)


def test_a_file_that_is_not_parquet_is_one_sentence(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(EvaluationSetError, match=r"a\.parquet: not readable as Parquet"):
        read("parquet", path)


@pytest.mark.parametrize("layout", ["image_folder", "webdataset", "parquet"])
def test_an_image_that_is_too_large_is_not_read(tmp_path, layout):
    large = picture(size=(60, 60), kind="BMP")
    path = tmp_path / "set"
    if layout == "image_folder":
        path.mkdir()
        (path / "a.bmp").write_bytes(large)
    elif layout == "webdataset":
        with webdataset.TarWriter(str(path)) as tar:
            tar.write({"__key__": "a", "bmp": large})
    else:
        pq.write_table(pa.table({"image": [large]}), path)
    assert [(item.data, item.reason) for item in read(layout, path, max_bytes=1000)] == [(None, "too_large")]


def test_two_items_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    with pytest.raises(EvaluationSetError, match=r"two items are called a\.png"):
        list(read_set("image_folder", [("one", tmp_path), ("two", tmp_path)], Reading()))


def test_row_groups_and_tables_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [picture()] * 9}), path)
    monkeypatch.setattr(sets, "MAX_GROUP", 100)
    with pytest.raises(EvaluationSetError, match=r"a\.parquet: a row group unpacks to more than .* smaller row groups"):
        read("parquet", path)
    (tmp_path / "metadata.csv").write_text("file_name,text\n" + "a.png,x\n" * 99)
    monkeypatch.setattr(sets, "MAX_METADATA", 100)
    with pytest.raises(EvaluationSetError, match=r"metadata\.csv: larger than"):
        read("image_folder", tmp_path)
