"""Image bytes: what is refused before decoding, what is refused while, and what a picture looks like after."""

import io
import random
import struct
import tarfile
import zlib

import pytest
from PIL import Image

from assets.crawl.images import ImageRefused, ImageTar, decode, decode_file, perceptual_hash, read_members
from tests.crawl.warcs import picture

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def refused(data, **options):
    with pytest.raises(ImageRefused) as caught:
        decode(data, **options)
    return caught.value


def png_header(width, height):
    """A PNG that says how large it is, one bit per pixel, and holds hardly any data."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>not found", "html_body"),
        (b"\xef\xbb\xbf \n<HTML>", "html_body"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (b"<?xml version='1.0'?><!-- c --><svg/>", "svg"),
        (b"GIF89a", "bad_header"),
        (b"just some text", "not_an_image"),
        (b"%PDF-1.7", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    ],
)
def test_what_is_no_picture_is_refused_by_what_it_is(data, reason):
    assert refused(data).reason in ((reason,) if reason != "bad_header" else ("bad_header", "not_an_image"))


def test_a_gzipped_svg_is_an_svg():
    import gzip

    stream = io.BytesIO()
    with gzip.GzipFile("drawing.svg", "wb", fileobj=stream, mtime=0) as file:
        file.write(b"<svg/>")
    assert refused(stream.getvalue()).reason == "svg"


def test_a_picture_of_20000_by_20000_is_refused_from_its_header_with_the_number_that_decided():
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    assert len(stream.getvalue()) < 100_000
    found = refused(stream.getvalue(), max_pixels=64_000_000)
    assert (found.reason, found.score, found.threshold) == ("too_many_pixels", 400e6, 64e6)


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_pixels_are_counted_before_anything_is_decoded(monkeypatch, side):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    found = refused(png_header(side, side))
    assert (found.reason, found.score) == ("too_many_pixels", float(side * side))


def test_a_limit_above_what_pillow_allows_by_itself_holds():
    # Cut off, but not refused for its 225 megapixels: 15,000 x 15,000 fits 400 megapixels.
    assert refused(png_header(15_000, 15_000), max_pixels=400_000_000).reason == "truncated"


def test_a_picture_of_exactly_the_limit_is_decoded():
    assert decode(picture(size=(8, 6)), max_pixels=48).size == (8, 6)
    assert refused(picture(size=(8, 6)), max_pixels=47).reason == "too_many_pixels"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_picture_is_refused_not_half_shown(kind):
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    stream = io.BytesIO()
    noise.save(stream, kind)
    data = stream.getvalue()
    assert refused(data[: len(data) // 2]).reason in ("truncated", "undecodable", "bad_header", "not_an_image")


def test_a_truncated_jpeg_says_so():
    assert refused(picture(kind="JPEG", size=(64, 64))[:-40]).reason == "truncated"


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT", b"IEND"])
def test_a_png_with_a_false_check_sum_is_refused_though_it_could_be_decoded(chunk):
    data = bytearray(picture())
    at = data.index(chunk)
    size = int.from_bytes(data[at - 4 : at], "big")
    data[at + 4 + size] ^= 1
    assert refused(bytes(data)).reason in ("bad_checksum", "not_an_image")
    if chunk == b"IDAT":
        assert refused(bytes(data)).reason == "bad_checksum"


def test_damaged_bytes_of_any_format_are_refused_and_never_raise_anything_else():
    rng = random.Random(7)
    frames = [Image.effect_noise((16, 16), 90).convert("RGB") for _ in range(2)]
    seeds = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        stream = io.BytesIO()
        many = {"save_all": True, "append_images": frames[1:]} if kind in ("WEBP", "GIF", "TIFF") else {}
        frames[0].save(stream, kind, **many)
        seeds.append(stream.getvalue())
    outcomes = set()
    for _ in range(6000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(min(len(data), rng.choice((60, 300, 10**6))))] = rng.choice((0, 255, rng.randrange(256)))
        try:
            decode_file(bytes(data), 10**6)
            outcomes.add("decoded")
        except ImageRefused as refusal:
            outcomes.add(refusal.reason)
    assert len(outcomes) > 4


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (picture((255, 0, 0)), (255, 0, 0)),
        (picture(0, mode="1"), (0, 0, 0)),
        (picture(128, mode="L"), (128, 128, 128)),
        (picture((0, 255, 255, 0), kind="TIFF", mode="CMYK"), (255, 0, 0)),
        (picture((255, 0, 0, 255), mode="RGBA"), (255, 0, 0)),
        (picture((255, 0, 0, 0), mode="RGBA"), (255, 255, 255)),
        (picture((0, 0, 0, 51), mode="RGBA"), (204, 204, 204)),
        (picture((0, 0), mode="LA"), (255, 255, 255)),
        (picture(0x8080, mode="I;16"), (128, 128, 128)),
        (picture(0xFFFF, mode="I;16", kind="TIFF"), (255, 255, 255)),
        (picture(0, mode="P", transparency=0), (255, 255, 255)),
        (picture(0, mode="P", kind="GIF", transparency=0), (255, 255, 255)),
    ],
)
def test_every_kind_of_picture_becomes_rgb_with_transparency_on_white(data, expected):
    found = decode(data)
    assert (found.mode, found.size) == ("RGB", (8, 6))
    assert found.getpixel((3, 3)) == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_the_format_is_what_the_bytes_are(kind):
    assert decode_file(picture(kind=kind, size=(16, 16))).format == kind


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation_counts(kind):
    blue = Image.new("RGB", (8, 6), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode_file(picture("red", kind=kind, save_all=True, append_images=[blue], **options))
    assert found.frames == 2
    assert found.picture.getpixel((3, 3)) == (255, 0, 0)


def test_a_picture_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # camera held upright: turn clockwise
    stream = io.BytesIO()
    sideways = Image.new("RGB", (8, 6), "white")
    sideways.paste("black", (0, 0, 8, 3))
    sideways.save(stream, "PNG", exif=exif)
    found = decode(stream.getvalue())
    assert found.size == (6, 8)
    assert [found.getpixel((x, 4)) for x in (0, 5)] == [(255, 255, 255), (0, 0, 0)]


def test_hashes_of_a_scaled_picture_are_near_and_of_another_far():
    def bits(a, b):
        return (int.from_bytes(perceptual_hash(a)) ^ int.from_bytes(perceptual_hash(b))).bit_count()

    shape = Image.effect_mandelbrot((256, 256), (-2, -1.2, 1, 1.5), 100).convert("RGB")
    assert len(perceptual_hash(shape)) == 8
    assert bits(shape, shape.resize((100, 140))) <= 4
    assert bits(shape, shape.rotate(90)) >= 16


def test_a_tar_holds_the_bytes_and_nothing_about_time_or_owner(tmp_path):
    for name in ("one.tar", "two.tar"):
        with ImageTar(tmp_path / name) as tar:
            tar.add("0001.png", b"first")
            tar.add("0002.jpg", b"")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert [(m.name, m.mtime, m.uid, m.uname, m.mode) for m in tar] == [
            ("0001.png", 0, 0, "", 0o644),
            ("0002.jpg", 0, 0, "", 0o644),
        ]


def test_members_come_in_the_order_asked_for_and_may_repeat(tmp_path):
    with ImageTar(tmp_path / "x.tar") as tar:
        for number in range(3):
            tar.add(str(number), bytes([number]))
    assert list(read_members(tmp_path / "x.tar", ["2", "0", "2"])) == [b"\2", b"\0", b"\2"]
    with pytest.raises(KeyError, match="no file 7"):
        list(read_members(tmp_path / "x.tar", ["7"]))
