"""Texts by the tower alone, and pictures that come from where the embedded encoder learned."""

from __future__ import annotations

import gzip
import hashlib
import io
import json

import numpy as np
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from PIL import Image

from assets.crawl.images import ImageRefused, decode
from assets.evaluation.towers import text_features, without_projection
from resources.encoder import EncoderSettings
from resources.encoder.base import EncoderError
from resources.encoder.load import _loaded
from resources.encoder.training.rendering import difference_hash
from resources.encoder.training.source import HASHES, from_encoder_source, known_hashes, read_hashes, write_hashes
from tests.conftest import CRAWL


def test_texts_come_from_the_tower_alone_and_the_encoder_that_others_share_is_left_alone():
    shared = _loaded.cache_info()
    found = text_features(EncoderSettings(batch_size=4), ["a cat", "a dog", "a cat"])
    assert _loaded.cache_info() == shared
    assert found.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found[0] == found[2]).all()
    assert (found[0] != found[1]).any()


def test_a_clip_of_open_clips_own_loses_its_projection_too():
    import torch
    from open_clip import CLIP, CustomTextCLIP

    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    text = {"context_length": 8, "vocab_size": 64, "width": 24, "heads": 2, "layers": 1}
    for kind in (CLIP, CustomTextCLIP):
        model = kind(embed_dim=16, vision_cfg=vision, text_cfg=text)
        assert without_projection(model, "tiny") == 24
        assert model.encode_text(torch.ones(2, 8, dtype=torch.long)).shape == (2, 24)
        with pytest.raises(EncoderError, match="encoder tiny: its text tower has no projection"):
            without_projection(model, "tiny")


def truth() -> list[dict]:
    with gzip.open(CRAWL / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def crawled() -> tuple[list[Image.Image], list[str]]:
    """Pictures of one shard of the sample crawl, and the package that each comes from."""
    package = {row["sha256"]: row["source_package"] for row in truth() if row["sha256"] and row["source_package"]}
    pictures, packages = {}, {}
    for name in ("sample-00001.warc.gz", "sample-00003.warc.gz"):
        with (CRAWL / name).open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
                body = record.reader.read()
                sha256 = hashlib.sha256(body).hexdigest()
                if sha256 in package:
                    try:
                        pictures[sha256] = decode(body)
                    except ImageRefused:
                        continue
                    packages[sha256] = package[sha256]
    return list(pictures.values()), [packages[one] for one in pictures]


def test_drawings_of_the_sample_crawl_are_recognized_and_others_are_not(crawled):
    pictures, packages = crawled
    source = np.array(packages) == "openclipart-svg"
    assert source.sum() > 300
    assert (~source).sum() > 100
    found = from_encoder_source(pictures)
    assert found[source].mean() > 0.97
    assert found[~source].mean() < 0.02


def test_a_shrunk_and_compressed_copy_is_recognized_and_its_mirror_image_is_not(crawled):
    picture = crawled[0][crawled[1].index("openclipart-svg")].convert("RGB")
    small = io.BytesIO()
    picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)).save(small, "JPEG", quality=60)
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert from_encoder_source([Image.open(small), mirrored]).tolist() == [True, False]
    assert from_encoder_source([]).shape == (0,)


def test_hashes_are_written_sorted_and_once_and_the_same_hashes_give_the_same_bytes(tmp_path):
    hashes = np.random.default_rng(0).random((20, 256)) < 0.5
    assert write_hashes(np.concatenate([hashes, hashes[:5]]), tmp_path / "a.safetensors") == 20
    assert write_hashes(hashes[::-1], tmp_path / "b.safetensors") == 20
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert {row.tobytes() for row in read_hashes(tmp_path / "a.safetensors")} == {row.tobytes() for row in hashes}


def test_the_committed_file_is_small_and_as_it_would_be_written_again(tmp_path):
    assert HASHES.stat().st_size < 250_000
    assert write_hashes(known_hashes(), tmp_path / "again.safetensors") == 6420
    assert (tmp_path / "again.safetensors").read_bytes() == HASHES.read_bytes()


def test_every_drawing_of_the_package_is_hashed_by_the_command(tmp_path, monkeypatch, capsys):
    from resources.encoder import train
    from resources.encoder.training import drawings

    folder = tmp_path / drawings.FOLDERS[drawings.OPENCLIPART]
    folder.mkdir(parents=True)
    (folder / "boat.svg").write_text("<svg/>")
    (folder / "torn.svg").write_text("<svg")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "boat.png")
    monkeypatch.setattr(train, "render_all", lambda found, *_: [tmp_path / "boat.png", None][: len(found)])
    file = tmp_path / "hashes.safetensors"
    train.main([str(tmp_path), "--work", str(tmp_path / "work"), "--hashes", str(file)])
    assert "1 different hashes of 1 drawings; 1 could not be drawn" in capsys.readouterr().out
    assert (read_hashes(file)[0] == difference_hash(Image.open(tmp_path / "boat.png"))).all()
    with pytest.raises(FileNotFoundError, match="unpack the package openclipart-svg"):
        train.main([str(tmp_path / "none"), "--work", str(tmp_path), "--hashes", str(file)])
