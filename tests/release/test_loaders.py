"""A release that our own code wrote loads in the programs that people train and search with."""

import json
import os
import socket
from functools import partial
from inspect import signature
from types import SimpleNamespace

import duckdb
import pytest

from resources.encoder.torchvision_shim import allow_torchvision_import


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    connect = socket.socket.connect

    def only_here(self, address):
        if self.family != socket.AF_UNIX:
            pytest.fail(f"the network was asked for {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")


def with_image(gallery):
    return [row for row in gallery.rows.to_pylist() if row["status"] == "success"]


@pytest.fixture
def training(monkeypatch):
    """open_clip's module of training data.

    It is written for webdataset up to 0.2.86 (so says its extra `training`); later ones put a marker between tars that it
    does not know unless they are asked not to.
    """
    allow_torchvision_import()
    data = pytest.importorskip("open_clip_train.data")
    expand = data.tar_file_expander
    if "eof_value" in signature(expand).parameters:
        monkeypatch.setattr(data, "tar_file_expander", partial(expand, eof_value=None))
    return data


def epoch(gallery, training, transform, tokenizer, resampled=False):
    """Images and texts of one epoch through open_clip's training loader, as its command line would set it up."""
    arguments = SimpleNamespace(
        train_data=f"{gallery.folder}/{{00000..00001}}.tar", val_data=None, train_num_samples=18, val_num_samples=None,
        dataset_resampled=resampled, train_data_upsampling_factors=None, seed=0, workers=0, world_size=1, batch_size=9,
    )  # fmt: skip
    data = training.get_wds_dataset(arguments, transform, is_train=True, tokenizer=tokenizer)
    data.set_epoch(0)
    return [(image, text) for images, texts in data.dataloader for image, text in zip(images, texts, strict=True)]


@pytest.fixture(scope="module")
def tools():
    """Transform and tokenizer of a small model, as open_clip makes them from a configuration."""
    allow_torchvision_import()
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transform import image_transform

    return image_transform(32, is_train=False, mean=(0, 0, 0), std=(1, 1, 1)), SimpleTokenizer(context_length=32)


def test_open_clips_training_loader_sees_every_sample_of_an_epoch_with_its_own_text(gallery, training, tools):
    transform, tokenizer = tools
    number_of = {tuple(tokenizer(row["caption"])[0].tolist()): row["sample_id"] & 0xFF for row in with_image(gallery)}
    assert len(number_of) == 18
    seen = []
    for image, text in epoch(gallery, training, transform, tokenizer):
        number = number_of[tuple(text.tolist())]
        seen.append(number)
        assert image.shape == (3, 32, 32)
        red, green = (255 * float(image[channel].mean()) for channel in (0, 1))
        assert (red, green) == pytest.approx((10 * number, 255 - 10 * number), abs=3)
    assert sorted(seen) == list(range(18))


def test_open_clips_loader_with_resampled_shards_gives_whole_epochs(gallery, training, tools):
    assert len(epoch(gallery, training, *tools, resampled=True)) == 18


def test_webdataset_reads_images_texts_and_what_is_known_of_them(gallery):
    import webdataset

    shards = [str(gallery.folder / f"0000{number}.tar") for number in (0, 1)]
    reader = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
    found = [(key, image.size, text, known["sha256"])
             for key, image, text, known in reader.to_tuple("__key__", "jpg;png;webp", "txt", "json")]  # fmt: skip
    assert found == [(r["key"], (r["width"], r["height"]), r["caption"], r["sha256"]) for r in with_image(gallery)]


def test_datasets_reads_the_parquet_files_as_the_card_names_them(gallery, tmp_path):
    import datasets

    files = {"train": f"{gallery.folder}/[0-9]*.parquet", "urls": f"{gallery.folder}/urls-*.parquet"}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=tmp_path)
    rows = gallery.rows.drop_columns(["file", "member"]).to_pylist()
    assert loaded["train"].to_list() + loaded["urls"].to_list() == rows
    assert (loaded["train"].num_rows, loaded["urls"].num_rows) == (18, 3)


def test_datasets_finds_both_configurations_in_the_folder_by_its_card(gallery, tmp_path):
    import datasets

    assert datasets.get_dataset_config_names(str(gallery.folder)) == ["default", "urls"]
    urls = datasets.load_dataset(str(gallery.folder), "urls", split="train", cache_dir=tmp_path)
    assert urls["status"][:] == ["url_only"] * 3


def test_datasets_reads_the_tars_where_it_is_told_the_extensions(gallery, tmp_path):
    """Untold, it takes them from the first five samples and refuses tars whose images are of several formats."""
    import datasets

    columns = dict.fromkeys(("jpg", "png", "webp"), datasets.Image()) | {"json": datasets.Json()}
    texts = dict.fromkeys(("txt", "__key__", "__url__"), datasets.Value("string"))
    loaded = datasets.load_dataset(
        "webdataset", data_files=f"{gallery.folder}/*.tar", split="train", cache_dir=tmp_path,
        features=datasets.Features({**columns, **texts}),
    )  # fmt: skip
    rows = with_image(gallery)
    assert loaded["txt"][:] == [row["caption"] for row in rows]
    assert [known["uid"] for known in loaded["json"][:]] == [row["uid"] for row in rows]
    pictures = [next(row[name] for name in ("jpg", "png", "webp") if row[name]) for row in loaded]
    assert [picture.size for picture in pictures] == [(row["width"], row["height"]) for row in rows]


def test_duckdb_asks_all_files_at_once(gallery):
    query = f"SELECT status, count(*), sum(width) FROM '{gallery.folder}/*.parquet' GROUP BY ALL ORDER BY ALL"
    widths = [24 + number for number in range(21)]
    assert duckdb.sql(query).fetchall() == [("success", 18, sum(widths[:18])), ("url_only", 3, sum(widths[18:]))]


def test_mlcroissant_reads_the_folder_by_its_description(gallery):
    mlcroissant = pytest.importorskip("mlcroissant")
    records = list(mlcroissant.Dataset(gallery.folder / "croissant.json").records("pairs"))
    assert [record["pairs/caption"].decode() for record in records] == gallery.rows["caption"].to_pylist()


def test_the_list_of_ids_is_datacomps(gallery):
    import numpy as np

    found = np.load(gallery.folder / "ids.npy")
    expected = sorted((int(uid[:16], 16), int(uid[16:], 16)) for uid in gallery.rows["uid"].to_pylist())
    assert (found.dtype, found.tolist()) == (np.dtype("u8,u8"), expected)


def test_every_file_of_the_folder_is_in_its_own_list(gallery):
    listed = {file["name"] for file in json.loads((gallery.folder / "release.json").read_text())["files"]}
    assert set(os.listdir(gallery.folder)) == listed | {"release.json", "SHA256SUMS"}
