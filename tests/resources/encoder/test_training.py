"""The training script's parts: what it reads, what it measures, where it starts, and that it learns."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from PIL import Image

from resources.encoder.embedded import PROJECTION
from resources.encoder.training.drawings import Drawing, openclipart_captions, read_drawings
from resources.encoder.training.features import Features, class_names
from resources.encoder.training.rendering import difference_hash, looks_like_any, render_all
from resources.encoder.training.retrieval import retrieval

SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><rdf:RDF>
 <cc:Work rdf:about=""><dc:title>{title}</dc:title><dc:description>A boat with a very large sail</dc:description>
 <dc:subject><rdf:Bag><rdf:li>hash(0x1)</rdf:li><rdf:li>{tag}</rdf:li></rdf:Bag></dc:subject>
 <cc:license rdf:resource="http://web.resource.org/cc/{license}"/></cc:Work></rdf:RDF></metadata></svg>"""


@pytest.fixture
def unpacked(tmp_path):
    """A folder as the three packages leave it, with a few files each."""
    clip = tmp_path / "usr/share/openclipart/svg/transport"
    stars = tmp_path / "usr/share/openclipart/svg/shapes/stars"
    stamps = tmp_path / "usr/share/tuxpaint/stamps/animals"
    game = tmp_path / "usr/share/qabcs/abcs"
    for folder in (clip, stars, stamps, game / "en", game / "all/pics/food"):
        folder.mkdir(parents=True)
    (clip / "boat.svg").write_text(SVG.format(title="sailBoat_01", tag="boat", license="PublicDomain"))
    (clip / "own.svg").write_text(SVG.format(title="Own terms", tag="boat", license="Other"))
    (clip / "untagged.svg").write_text(SVG.format(title="A plain thing", tag="", license="PublicDomain"))
    (clip / "link.svg").symlink_to("boat.svg")
    (clip / "broken.svg").write_text("<svg")
    (stars / "star.svg").write_text(SVG.format(title="star", tag="star", license="PublicDomain"))
    for i in range(5):
        (clip / f"series{i}.svg").write_text(SVG.format(title="Part of a set", tag="thing", license="PublicDomain"))
    Image.new("RGB", (4, 4)).save(stamps / "cat.png")
    (stamps / "cat.txt").write_text("A cat.\nde.utf8=Eine Katze.\n")
    Image.new("RGB", (4, 4)).save(stamps / "cat_mirror.png")
    Image.new("RGB", (4, 4)).save(game / "all/pics/food/apple.png")
    letter = {"sound_letter": "A.ogg", "food": {"pic": "food/apple.png", "name": "APPLE"}}
    (game / "en/abc1.json").write_text(json.dumps({"letters": [{"A": letter}]}))
    return tmp_path


def test_public_domain_drawings_with_words_are_read_and_the_others_left_or_kept_silent(unpacked):
    found = {drawing.path.removeprefix("usr/share/"): drawing for drawing in read_drawings(unpacked)}
    boat = found["openclipart/svg/transport/boat.svg"]
    assert boat.captions == (
        ("sail Boat", 2.0),
        ("a drawing of sail boat", 1.0),
        ("a picture of sail boat", 1.0),
        ("sail boat, boat", 2.0),
        ("A boat with a very large sail", 1.0),
    )
    silent = ["untagged", *(f"series{i}" for i in range(5))]
    assert all(found[f"openclipart/svg/transport/{name}.svg"].captions == () for name in silent)
    assert found["tuxpaint/stamps/animals/cat.png"].captions == (("A cat.", 1.0),)
    assert found["tuxpaint/stamps/animals/cat.png"].group == "animals"
    assert found["qabcs/abcs/all/pics/food/apple.png"].captions == (("a picture of a apple", 1.0),)
    assert len(found) == 9


def test_a_missing_package_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="unpack the package openclipart-svg"):
        read_drawings(tmp_path)


@pytest.mark.parametrize(("title", "tags"), [("svg 01", ("boat",)), ("boat", ("unsorted", "clip art")), ("boat", ())])
def test_words_that_say_nothing_make_no_caption(title, tags):
    assert openclipart_captions(title, "a long enough description here", tags) == ()


def test_a_description_with_an_address_is_no_caption():
    texts = [text for text, _ in openclipart_captions("boat", "write to me at a@b.example please", ("boat",))]
    assert len(texts) == 4


def test_pictures_are_cut_to_what_they_show_on_white_and_failures_are_said(tmp_path):
    picture = Image.new("RGBA", (900, 900), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (300, 300, 900, 600))
    picture.save(tmp_path / "a.png")
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(tmp_path / "empty.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    drawings = [Drawing("tuxpaint", name, ()) for name in ("a.png", "empty.png", "broken.png")]
    for _ in range(2):  # the second time from what is there
        done = render_all(drawings, tmp_path, tmp_path / "out", 1)
        assert [path is not None for path in done] == [True, False, False]
        assert Image.open(done[0]).size == (300, 150)
        assert Image.open(done[0]).getpixel((150, 75)) == (255, 0, 0)


def test_the_hash_finds_a_brighter_and_smaller_copy_but_no_other_picture():
    field = np.random.default_rng(0).integers(0, 200, (8, 8), dtype=np.uint8)
    picture = Image.fromarray(field).resize((160, 160), Image.Resampling.BICUBIC)
    copy = picture.point(lambda value: value + 20).resize((90, 90), Image.Resampling.BICUBIC)
    other = picture.transpose(Image.Transpose.ROTATE_90)
    hashes = np.stack([difference_hash(p) for p in (copy, other)])
    assert hashes.shape == (2, 256)
    assert looks_like_any(hashes, difference_hash(picture)[None], 12).tolist() == [True, False]


def test_a_distance_at_the_radius_counts_as_alike():
    zeros = np.zeros((1, 256), bool)
    twelve = zeros.copy()
    twelve[0, :12] = True
    assert looks_like_any(twelve, zeros, 12).tolist() == [True]
    assert looks_like_any(twelve, zeros, 11).tolist() == [False]


def test_retrieval_of_hand_made_vectors():
    # Pictures 0 and 1 share a caption; picture 2 lies nearer to the other caption than to its own.
    texts = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    images = np.array([[1, 0], [0.8, 0.6], [0.8, 0.6]], np.float32)
    found = retrieval(images, texts, ["a", "a", "b"])
    assert found.image_to_text == (pytest.approx(2 / 3), 1, 1)
    # "a" finds picture 0; for "b" the wrong picture 1 is as near as the right one, and the tie counts against it.
    assert found.text_to_image == (pytest.approx(1 / 2), 1, 1)
    # own cosines 1, .8, .6; mismatched 0 and .6 (a pictures with b), .8 and .8 (picture 2 with a, twice)
    assert found.auc == pytest.approx((4 / 4 + 2 / 4 + 1 / 4) / 3)


def test_vectors_that_are_all_alike_find_nothing():
    same = np.ones((12, 2), np.float32) / np.sqrt(2)
    found = retrieval(same, same, [str(i) for i in range(12)])
    assert found.image_to_text == found.text_to_image == (0, 0, 0)


def test_class_names_are_in_the_order_of_the_classifier():
    names = class_names()
    assert len(names) == 1000
    assert (names[0], names[1], names[999]) == ("tench", "goldfish", "toilet tissue")


@pytest.fixture(scope="module")
def toy() -> Features:
    """1,200 'drawings' of 12 things: noisy feature vectors around 12 directions, each with its own words."""
    random = np.random.default_rng(0)

    def unit(*shape):
        vectors = random.normal(size=shape).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    things, words = np.abs(random.normal(size=(12, 1280))).astype(np.float32), unit(12, 384)
    kind = np.arange(1200) % 12
    noise = np.abs(random.normal(size=(1200, 1280))).astype(np.float32)
    drawings = [
        Drawing("openclipart" if i < 1188 else "qabcs", f"{i}", ((f"thing {k}", 1.0),)) for i, k in enumerate(kind)
    ]
    hashes = random.integers(0, 2, (1200, 256)).astype(bool)
    hashes[1188] = hashes[0]  # one held-out drawing is a training drawing
    return Features(
        drawings, things[kind] + 0.5 * noise, hashes, {f"thing {k}": k for k in range(12)}, words,
        unit(1000, 384), 0.05 * unit(1000, 1280), np.zeros(1000, np.float32),
    )  # fmt: skip


def test_held_out_drawings_that_look_like_training_drawings_are_left_out(toy):
    from resources.encoder.train import held_out

    assert held_out(toy)["qabcs"] == list(range(1189, 1200))


def test_training_learns_to_name_things_and_repeats_to_the_bit(toy):
    import torch

    from resources.encoder.train import Plan, Trainer, held_out, measure

    def train() -> Trainer:
        trainer = Trainer(toy, Plan(epochs=3, batch=99, mixtures=32, prototypes=16, warm_up=4, same_text=0.99), seed=7)
        trainer.run()
        return trainer

    sets = {"qabcs": held_out(toy)["qabcs"]}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        untrained = Trainer(toy, Plan(), seed=7)
        first, second = train(), train()
    finally:
        torch.set_num_threads(before)
    assert measure(untrained.heads, toy, sets)["qabcs"].image_to_text[0] < 0.5
    assert measure(first.heads, toy, sets)["qabcs"].image_to_text[0] == 1
    for a, b in zip(first.heads.parameters(), second.heads.parameters(), strict=True):
        assert torch.equal(a, b)


def test_heads_are_written_under_the_names_and_sizes_of_the_committed_file(tmp_path):
    import torch
    from safetensors.torch import load_file

    from resources.encoder.training.heads import load_heads, save_heads

    committed = load_heads(PROJECTION)
    save_heads(committed, tmp_path / "copy.safetensors")
    copy, original = load_file(tmp_path / "copy.safetensors"), load_file(PROJECTION)
    assert copy.keys() == original.keys()
    assert all(torch.equal(copy[name], original[name]) for name in original)


def test_the_encoder_projects_as_the_trained_heads_do(embedded, pictures):
    import torch

    from resources.encoder.training.heads import load_heads

    _, raw = embedded.image_features(pictures)
    with torch.inference_mode():
        heads, _ = load_heads(PROJECTION)(torch.from_numpy(raw), torch.zeros(1, 384))
    np.testing.assert_allclose(embedded.encode_images(pictures)[0], heads.numpy(), atol=1e-5)


def test_the_start_is_conse_before_any_training():
    """A picture that one class explains starts out beside that class's name."""
    import torch

    from resources.encoder.training.heads import Classes, conse, image_head, text_projection

    random.seed(0)
    torch.manual_seed(0)
    names = torch.nn.functional.normalize(torch.randn(1000, 384), dim=1)
    weight = torch.zeros(1000, 1280)
    weight[torch.arange(1000), torch.arange(1000)] = 1.0
    classes = Classes(weight, torch.zeros(1000), names)
    features = torch.rand(64, 1280)
    picture = torch.zeros(1, 1280)
    picture[0, 7] = 30.0
    assert (conse(picture, classes) @ names[7]).item() == pytest.approx(1, abs=1e-4)
    with torch.inference_mode():
        image = torch.nn.functional.normalize(image_head(classes, features)(picture)[:, :384], dim=1)
        text = torch.nn.functional.normalize(text_projection(classes)(names)[:, :384], dim=1)
    assert (image @ text.T).argmax().item() == 7
