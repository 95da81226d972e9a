"""Any open_clip model by name and checkpoint, on a small one that a configuration describes."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resources.encoder import EncoderError, EncoderSettings, identify_encoder, lazy_encoder, load_encoder


def test_a_checkpoint_file_gives_the_vectors_of_open_clips_own_road(tiny, pictures, texts):
    import open_clip
    import torch

    encoder = load_encoder(tiny)
    model, _, prepare = open_clip.create_model_and_transforms("tiny-clip", pretrained=tiny.pretrained)
    tokenizer = open_clip.get_tokenizer("tiny-clip")
    model.eval()
    with torch.inference_mode():
        images = model.encode_image(torch.stack([prepare(p) for p in pictures]), normalize=True).numpy()
        words = model.encode_text(tokenizer(texts), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_images(pictures)[0], images, atol=2e-6)
    np.testing.assert_allclose(encoder.encode_texts(texts), words, atol=2e-6)


def test_a_tower_without_a_trunk_gives_its_projected_vectors_as_raw_ones(tiny, pictures):
    encoder = load_encoder(tiny)
    projected, raw = encoder.encode_images(pictures)
    assert encoder.dim == encoder.raw_dim == 12
    np.testing.assert_array_equal(projected, raw)


def test_the_agent_is_named_after_model_and_file_and_never_after_a_folder(tiny):
    agent = identify_encoder(tiny)
    digest = hashlib.sha256(Path(tiny.pretrained).read_bytes()).digest()
    assert agent.name == "tiny-clip/tiny.pt"
    assert agent.weights_sha256 == digest
    assert agent.id == f"tiny-clip/tiny.pt@{digest.hex()[:12]}"
    assert identify_encoder(replace(tiny, revision="v1", license="MIT")).id == "tiny-clip/tiny.pt@v1"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_gives_nearly_the_same_vectors_and_repeats(tiny, pictures, texts, precision):
    exact, rough = load_encoder(tiny), load_encoder(replace(tiny, precision=precision))
    images, _ = rough.encode_images(pictures)
    assert (images * exact.encode_images(pictures)[0]).sum(axis=1).min() > 0.99
    assert (rough.encode_texts(texts) * exact.encode_texts(texts)).sum(axis=1).min() > 0.99
    np.testing.assert_array_equal(rough.encode_images(pictures[3:4])[0][0], images[3])
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-6)


def test_a_folder_with_configuration_and_weights_is_a_model(folder_of_model, tiny, texts):
    settings = EncoderSettings(kind="open_clip", model=f"local-dir:{folder_of_model}", batch_size=4)
    assert identify_encoder(settings).name == "tiny-folder"
    np.testing.assert_array_equal(load_encoder(settings).encode_texts(texts), load_encoder(tiny).encode_texts(texts))


def test_a_repository_of_a_hub_is_fetched_at_its_revision(folder_of_model, monkeypatch, pictures):
    import huggingface_hub

    asked = []

    def snapshot(repository, revision, allow_patterns):
        asked.append((repository, revision))
        return str(folder_of_model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    settings = EncoderSettings(kind="open_clip", model="hf-hub:someone/tiny", revision="abc123", batch_size=4)
    assert identify_encoder(settings).id == "someone/tiny@abc123"
    assert asked == [("someone/tiny", "abc123")]
    assert load_encoder(settings).encode_images(pictures[:1])[0].shape == (1, 12)


def test_a_hub_that_cannot_be_reached_is_said_plainly(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(EncoderError, match=r"hf-hub:someone/tiny.*could not be fetched"):
        identify_encoder(EncoderSettings(kind="open_clip", model="hf-hub:someone/tiny"))


def test_a_pretrained_tag_is_fetched_with_its_preprocessing(tiny, monkeypatch):
    from open_clip import pretrained

    monkeypatch.setattr(pretrained, "download_pretrained", lambda config: tiny.pretrained)
    settings = EncoderSettings(kind="open_clip", model="ViT-B-32", pretrained="laion2b_s34b_b79k")
    assert identify_encoder(settings).name == "ViT-B-32/laion2b_s34b_b79k"


def test_a_pretrained_tag_on_a_hub_is_fetched_at_its_revision(tiny, monkeypatch):
    from open_clip import pretrained

    asked = []

    def fetch(repository, filename, revision):
        asked.append((repository, revision))
        return tiny.pretrained

    monkeypatch.setattr(pretrained, "download_pretrained_from_hf", fetch)
    settings = EncoderSettings(kind="open_clip", model="ViT-B-32", pretrained="laion2b_s34b_b79k", revision="r7")
    assert identify_encoder(settings).id == "ViT-B-32/laion2b_s34b_b79k@r7"
    assert [revision for _, revision in asked] == ["r7"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pretrained": None}, "random weights mean nothing"),
        ({"pretrained": "no/such/file.pt"}, "no checkpoint file no/such/file.pt"),
        ({"model": "ViT-B-23", "pretrained": "openai"}, r"no model ViT-B-23. Did you mean ViT-B-32\?"),
        ({"model": "ViT-B-32", "pretrained": "laion2b_s34b_b79"}, r"Did you mean laion2b_s34b_b79k\?"),
        ({"model": "ViT-B-32", "pretrained": "zzz"}, "it has .*laion2b_s34b_b79k"),
        ({"model": "local-dir:no/such/folder"}, "must hold open_clip_config.json"),
        ({"weights_sha256": "ab" * 32}, "asks for"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_sentence(tiny, change, said):
    with pytest.raises(EncoderError, match=said) as raised:
        load_encoder(replace(tiny, **change))
    assert "\n" not in str(raised.value)


def test_a_checkpoint_of_another_model_is_refused(tiny):
    with pytest.raises(EncoderError, match="could not be built"):
        load_encoder(replace(tiny, model="ViT-B-32"))


def test_a_web_page_in_place_of_a_checkpoint_is_refused(tiny, tmp_path):
    (tmp_path / "page.pt").write_bytes(b"<!doctype html><title>404</title>")
    with pytest.raises(EncoderError, match="could not be built"):
        load_encoder(replace(tiny, pretrained=str(tmp_path / "page.pt")))


class _Writes:
    """A pickle that would touch a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_checkpoint_cannot_run_code(tiny, tmp_path):
    import torch

    trace = tmp_path / "ran"
    torch.save({"state_dict": _Writes(trace)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Writes(trace)))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(EncoderError, match="could not be built"):
            load_encoder(replace(tiny, pretrained=str(tmp_path / name)))
    assert not trace.exists()


def test_the_key_follows_what_decides_the_bits_and_nothing_else(tiny, tmp_path):
    key = lazy_encoder(tiny).key
    moved = tmp_path / "tiny.pt"
    shutil.copy(tiny.pretrained, moved)
    assert lazy_encoder(replace(tiny, pretrained=str(moved))).key == key
    assert lazy_encoder(replace(tiny, license="MIT")).key == key
    assert str(tmp_path) not in key
    for change in ({"batch_size": 8}, {"threads": 1}, {"precision": "bf16"}, {"resize_mode": "longest"},
                   {"revision": "other"}):  # fmt: skip
        assert lazy_encoder(replace(tiny, **change)).key != key


def test_changed_weights_change_the_key_although_the_path_stays(tiny, tmp_path):
    import torch

    path = tmp_path / "tiny.pt"
    shutil.copy(tiny.pretrained, path)
    settings = replace(tiny, pretrained=str(path), revision="same")
    key = lazy_encoder(settings).key
    state = torch.load(path, weights_only=True)
    torch.save({name: tensor + 1 for name, tensor in state.items()}, path)
    assert lazy_encoder(settings).key != key


def test_an_encoder_is_loaded_once_and_only_when_asked_for(tiny):
    lazy = lazy_encoder(replace(tiny, batch_size=3))
    assert lazy.load() is lazy.load()
