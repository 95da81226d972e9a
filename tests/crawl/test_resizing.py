"""What becomes of every kind of image under the decode settings, and how pictures are shrunk."""

import hashlib
import io
import struct
import sys
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageCms

from assets.crawl import image_bytes
from assets.crawl.image_bytes import MAX_FRAMES, MAX_PARTS, MAX_SCANS, frames_of, refuse_endless
from assets.crawl.images import DecodeSettings, ImageRefused, decode, decode_file, perceptual_hash, render
from assets.crawl.resizing import fitted, jpeg_pixels, pixels_of, shrink
from tests.crawl.warcs import picture

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SMALL = DecodeSettings(longest_side=512, store="resized")


@cache
def scene():
    """Smooth shading, detail at four scales, and a little noise."""
    rng = np.random.default_rng(0)
    pixels = np.full((1500, 2048, 3), 128, np.float32)
    for cells, strength in ((4, 50), (16, 30), (64, 16), (256, 8)):
        small = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(small[..., channel]).resize((2048, 1500), Image.Resampling.BICUBIC)
            pixels[..., channel] += strength * np.asarray(layer)
    pixels += rng.standard_normal((1500, 2048, 1), dtype=np.float32) * 6
    return np.clip(pixels, 0, 255).astype(np.uint8)


def photograph(size, number=0):
    """A part of the scene, at another place for every number."""
    return Image.fromarray(np.roll(scene(), 197 * number, axis=(0, 1))[: size[1], : size[0]])


def saved(image, kind="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def refused(data, settings=None):
    with pytest.raises(ImageRefused) as caught:
        render(data, settings or DecodeSettings())
    return caught.value


def difference(a, b):
    return np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16))


def decibels(a, b):
    """Peak signal to noise."""
    return 10 * np.log10(255**2 / np.mean(difference(a, b).astype(np.float64) ** 2))


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((1024, 768), 512, (512, 384)),
        ((768, 1024), 512, (384, 512)),
        ((512, 512), 512, (512, 512)),
        ((100, 50), 512, (100, 50)),
        ((513, 1), 512, (512, 1)),
        ((10_000, 3), 100, (100, 1)),
        ((1000, 333), 512, (512, 170)),
        ((7, 5), 1, (1, 1)),
    ],
)
def test_the_longest_side_becomes_the_limit_and_nothing_grows(size, limit, expected):
    assert fitted(size, limit) == expected


@pytest.mark.parametrize("size", [(1001, 749), (1600, 1200), (2047, 1000), (333, 1500), (513, 400), (700, 1024)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_shrunk_jpeg_is_as_good_as_one_decoded_whole_and_scaled_by_lanczos(size, progressive):
    data = saved(photograph(size), quality=90, progressive=progressive)
    whole = decode(data)
    reference = whole.resize(fitted(size, 512), Image.Resampling.LANCZOS)
    found = render(data, SMALL)
    assert (found.width, found.height) == size
    assert found.picture.size == reference.size
    assert decibels(found.picture, reference) > 43
    assert decibels(whole.resize(reference.size, Image.Resampling.NEAREST), reference) < 38


@pytest.mark.parametrize("size", [(999, 333), (512, 512), (60, 3), (5, 700), (2, 2)])
@pytest.mark.parametrize("target", [(1, 1), (2, 2), (2, 1)])
def test_shrinking_agrees_with_pillows_bicubic(size, target):
    image = photograph(size)
    for wanted in (target, (max(1, size[0] // 3), max(1, size[1] // 2))):
        wanted = min(wanted[0], size[0]), min(wanted[1], size[1])
        found = shrink(pixels_of(image), wanted)
        assert found.size == wanted
        assert difference(found, image.resize(wanted, Image.Resampling.BICUBIC)).max() <= 2


def test_pixels_that_show_less_than_their_width_are_not_squeezed():
    image = photograph((126, 95))
    found = shrink(pixels_of(image), (100, 75), (125.125, 94.5))
    exact = image.resize((100, 75), Image.Resampling.BICUBIC, box=(0, 0, 125.125, 94.5))
    squeezed = image.resize((100, 75), Image.Resampling.BICUBIC)
    assert difference(found, exact).max() <= 2
    assert difference(found, squeezed).max() > 8


def test_every_size_comes_out_as_asked_for():
    for width in range(513, 1400, 7):
        full = (width, width * 2 // 3)
        wanted = fitted(full, 512)
        for scale in (1, 2):
            decoded = Image.new("RGB", (-(-full[0] // scale), -(-full[1] // scale)))
            if decoded.width >= wanted[0] and decoded.height >= wanted[1]:
                assert shrink(pixels_of(decoded), wanted, (full[0] / scale, full[1] / scale)).size == wanted


def test_both_jpeg_decoders_give_the_same_pixels():
    data = saved(photograph((801, 603)), quality=85)
    for scale in (1, 2, 4, 8):
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (-(-801 // scale) if scale > 1 else 801, 1))
            image.draft(None, None)
        shown = -(-801 // scale), -(-603 // scale)
        with Image.open(io.BytesIO(data)) as image:
            image.draft(None, (801 // scale, 603 // scale))
            assert image.size == shown
            assert np.array_equal(jpeg_pixels(data, shown)[..., :3], np.asarray(image))


def test_what_is_stored_is_the_same_bytes_every_time_without_metadata():
    exif = Image.Exif()
    exif[0x010E] = "taken by somebody"
    data = saved(photograph((900, 700)), exif=exif, comment=b"a comment")
    found = render(data, SMALL)
    assert found.stored == render(data, SMALL).stored
    assert (found.stored_format, found.stored_width, found.stored_height) == ("JPEG", 512, 398)
    with Image.open(io.BytesIO(found.stored)) as image:
        assert image.size == (512, 398)
        assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not image.getexif()
        assert decibels(image, found.picture) > 35
    assert len(render(data, DecodeSettings(longest_side=512, store="resized", jpeg_quality=50)).stored) < len(
        found.stored
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_the_original_is_kept_where_nothing_was_shrunk_or_where_the_recipe_keeps_originals(kind):
    data = saved(photograph((96, 64)), kind)
    for settings in (DecodeSettings(), SMALL, DecodeSettings(longest_side=32)):
        found = render(data, settings)
        assert found.stored is None
        assert (found.format, found.stored_format) == (kind, kind)
        assert (found.width, found.height) == (found.stored_width, found.stored_height) == (96, 64)
    shrunk = render(data, DecodeSettings(longest_side=32, store="resized"))
    assert (shrunk.format, shrunk.stored_format, shrunk.stored_width, shrunk.stored_height) == (kind, "JPEG", 32, 21)
    assert decode(shrunk.stored).size == (32, 21)


def test_a_jpeg_that_is_not_shrunk_is_decoded_small_and_its_hash_hardly_changes():
    bits = []
    for seed in range(8):
        data = saved(photograph((1300, 1100), seed), quality=85)
        found = render(data, DecodeSettings())
        assert (found.width, found.height) == (1300, 1100)
        assert found.picture.size == (325, 275)
        whole = perceptual_hash(decode(data))
        bits.append((int.from_bytes(whole) ^ int.from_bytes(perceptual_hash(found.picture))).bit_count())
    assert max(bits) <= 2


@pytest.mark.parametrize("settings", [DecodeSettings(), SMALL])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_jpeg_is_found_at_every_scale(settings, progressive):
    data = saved(photograph((1700, 1300)), quality=85, progressive=progressive)
    for share in (0.3, 0.9, 0.999):
        assert refused(data[: int(len(data) * share)], settings).reason == "truncated"


def test_a_damaged_jpeg_has_the_same_outcome_shrunk_or_not():
    data = bytearray(saved(photograph((1100, 900)), quality=85))
    for at in range(1000, len(data), 9973):
        damaged = bytes(data[:at]) + bytes([data[at] ^ 0x55]) + bytes(data[at + 1 :])
        outcomes = set()
        for settings in (DecodeSettings(), SMALL):
            try:
                outcomes.add(render(damaged, settings).format)
            except ImageRefused as refusal:
                outcomes.add(refusal.reason)
        assert len(outcomes) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_shrunk_pictures_stand_upright_and_sizes_are_those_of_the_upright_picture(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(photograph((900, 600)), kind, exif=exif)
    found, whole = render(data, SMALL), decode(data)
    assert (found.width, found.height) == whole.size == ((600, 900) if orientation > 4 else (900, 600))
    assert found.picture.size == decode(found.stored).size == fitted(whole.size, 512)
    assert decibels(found.picture, whole.resize(found.picture.size, Image.Resampling.LANCZOS)) > 43


def test_unreadable_exif_costs_nothing():
    data = saved(photograph((60, 40)), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03" * 9)
    assert render(data, DecodeSettings()).width == 60


@pytest.mark.parametrize(
    ("color", "mode", "kind", "expected"),
    [
        ((0, 255, 255, 0), "CMYK", "JPEG", (255, 0, 0)),
        ((0, 0, 0, 255), "CMYK", "JPEG", (0, 0, 0)),
        ((0, 255, 255, 0), "CMYK", "TIFF", (255, 0, 0)),
        ((255, 128, 128), "LAB", "TIFF", (255, 255, 255)),
        (0x8080, "I;16", "PNG", (128, 128, 128)),
        (1, "1", "PNG", (255, 255, 255)),
        (77, "L", "JPEG", (77, 77, 77)),
        ((0, 0, 0, 0), "RGBA", "WEBP", (255, 255, 255)),
        ((9, 9, 9, 0), "RGBA", "PNG", (255, 255, 255)),
    ],
)
@pytest.mark.parametrize("settings", [DecodeSettings(), DecodeSettings(longest_side=24, store="resized")])
def test_every_kind_of_picture_becomes_rgb_shrunk_or_not(color, mode, kind, expected, settings):
    data = picture(color, (64, 48), kind, mode, **({"lossless": True} if kind == "WEBP" else {}))
    found = render(data, settings).picture
    assert found.mode == "RGB"
    assert difference(found.getpixel((3, 3)), expected).max() <= 3


def test_adobes_inverted_ycck_is_turned_round():
    # Pillow writes CMYK inverted with an Adobe marker; marker value 2 declares the same samples to be YCCK.
    plain = picture((0, 255, 255, 0), (32, 32), "JPEG", "CMYK", quality=100, subsampling=0)
    marker = plain.index(b"Adobe") + 11
    assert plain[marker] == 0
    found = render(plain[:marker] + b"\2" + plain[marker + 1 :], DecodeSettings()).picture.getpixel((9, 9))
    assert render(plain, DecodeSettings()).picture.getpixel((9, 9)) == (255, 0, 0)
    assert found != (255, 0, 0)


def wide_gamut():
    """A profile of RGB whose red and green have changed places: what it says can be seen."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12)}
    red, green = (slice(tags[name], tags[name] + 8) for name in (b"rXYZ", b"gXYZ"))
    profile[red], profile[green] = profile[green], profile[red]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Odd!".encode("utf-16-be"))


def test_a_shrunk_picture_is_turned_into_srgb_by_its_profile_and_an_original_is_not():
    data = picture((250, 10, 10), (64, 64), "JPEG", icc_profile=wide_gamut(), quality=95)
    shrunk = render(data, DecodeSettings(longest_side=32, store="resized"))
    assert difference(shrunk.picture.getpixel((5, 5)), (10, 250, 10)).max() < 12
    assert b"ICC_PROFILE" not in shrunk.stored
    assert difference(render(data, DecodeSettings()).picture.getpixel((5, 5)), (250, 10, 10)).max() < 6


@pytest.mark.parametrize("profile", [b"x" * 200, b"\0" * 16 + b"RGB " + b"\0" * 200, b"\0" * 16 + b"GRAY" + b"\0" * 99])
def test_a_profile_that_cannot_be_used_costs_nothing(profile):
    data = picture((250, 10, 10), (64, 64), "PNG", icc_profile=profile)
    assert render(data, DecodeSettings(longest_side=32)).picture.getpixel((5, 5)) == (250, 10, 10)


def test_a_jpeg_of_several_pictures_is_a_jpeg_of_one_frame():
    red, blue = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    data = saved(red, "MPO", save_all=True, append_images=[blue])
    found = render(data, DecodeSettings())
    assert (found.format, found.frames, found.stored_format) == ("JPEG", 1, "JPEG")
    assert found.picture.getpixel((5, 5))[0] > 250
    assert decode_file(data).format == "JPEG"


def scans(count):
    """A progressive JPEG that comes back to its last scan again and again."""
    data = saved(photograph((64, 64)), progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (count - data.count(b"\xff\xda")) + data[-2:]


def test_a_jpeg_of_too_many_scans_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    found = refused(scans(MAX_SCANS + 1))
    assert (found.reason, found.score, found.threshold) == ("too_many_scans", MAX_SCANS + 1.0, float(MAX_SCANS))
    refuse_endless(scans(MAX_SCANS))


def test_what_follows_a_picture_does_not_count_as_its_scans():
    data = saved(photograph((64, 64)), progressive=True) + b"\xff\xda\0\x02" * 1000
    assert render(data, DecodeSettings()).format == "JPEG"
    baseline = saved(photograph((64, 64))) + b"\xff\xda\0\x02" * 1000
    assert render(baseline, DecodeSettings()).format == "JPEG"


def test_a_scan_hidden_in_another_segment_does_not_count():
    data = saved(photograph((64, 64)), progressive=True, comment=b"\xff\xda" * 500)
    assert render(data, DecodeSettings()).format == "JPEG"


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + b"\xff" * (MAX_PARTS + 9),
        b"\xff\xd8\xff\xe0\0\2" + b"j" * (MAX_PARTS + 9),
        b"\xff\xd8" + b"\xff\xe1\0\2" * (MAX_PARTS + 9),
        b"\x89PNG\r\n\x1a\n" + chunk(b"teXt") * (MAX_PARTS + 9),
        b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 273, 4, MAX_PARTS + 9, 8) + b"\0" * 400,
    ],
)
def test_an_image_of_endless_parts_is_refused_before_it_is_opened(monkeypatch, data):
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("opened"))
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile", lambda *_: pytest.fail("opened"))
    found = refused(data)
    assert found.reason == "too_many_parts"
    assert found.score > found.threshold == MAX_PARTS


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("TIFF", {}), ("TIFF", {"big_tiff": True})])
def test_frames_are_counted_as_pillow_counts_them(count, kind, options):
    frames = [photograph((20, 10), seed) for seed in range(count)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert frames_of(data) == image.n_frames == count
    assert render(data, DecodeSettings()).frames == count


def test_an_animation_of_a_million_frames_is_counted_up_to_the_limit():
    data = saved(Image.new("P", (1, 1)), "GIF")
    start = data.index(b",", 13)
    assert frames_of(data[:-1] + data[start:-1] * (MAX_FRAMES * 2) + b";") == MAX_FRAMES


def test_a_tiff_whose_pages_go_round_in_a_circle_is_counted_once():
    pages = [photograph((8, 8), seed) for seed in range(2)]
    data = bytearray(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    first = int.from_bytes(data[4:8], "little")
    link = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[link : link + 4] = first.to_bytes(4, "little")
    assert frames_of(bytes(data)) == 1
    assert frames_of(b"II*\0\xff\xff\xff\xff") == 1


@pytest.mark.parametrize("settings", [DecodeSettings(max_pixels=5999), DecodeSettings(5999, longest_side=9)])
def test_pixels_are_counted_at_full_size(settings):
    assert refused(saved(photograph((100, 60))), settings).reason == "too_many_pixels"
    assert render(saved(photograph((100, 60))), DecodeSettings(6000)).width == 100


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" %s</svg>'
DRAW = DecodeSettings(svg=True)


def test_a_drawing_is_refused_unless_the_recipe_asks_for_it():
    assert refused(SVG % b"width='9' height='9'>").reason == "svg"


def test_without_the_library_a_drawing_says_what_to_install(monkeypatch):
    monkeypatch.setattr("assets.crawl.svg.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'winnow\[svg\]'"):
        render(SVG % b"width='9' height='9'>", DRAW)


class TestDrawings:
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("resvg_py")

    @pytest.mark.parametrize(
        ("attributes", "size"),
        [
            (b"width='30' height='20'", (30, 20)),
            (b"width='30px' height='20px' viewBox='0 0 3 2'", (30, 20)),
            (b"viewBox='0 0 40 20'", (40, 20)),
            (b"width='100%' height='100%' viewBox='0,0,40,20'", (40, 20)),
            (b"width='1in' height='72pt'", (96, 96)),
            (b"width='80' viewBox='0 0 40 20'", (80, 40)),
        ],
    )
    def test_it_becomes_a_png_of_the_size_it_states(self, attributes, size):
        found = render(SVG % (attributes + b"><rect width='100%' height='100%' fill='red'/>"), DRAW)
        assert (found.format, found.stored_format, found.frames) == ("SVG", "PNG", 1)
        assert (found.width, found.height) == (found.stored_width, found.stored_height) == size
        assert decode(found.stored).getpixel((5, 5)) == (255, 0, 0)

    def test_it_is_shrunk_like_any_other(self):
        found = render(SVG % b"width='900' height='600'><rect width='900' height='600' fill='red'/>",
                       DecodeSettings(svg=True, longest_side=300, store="resized"))  # fmt: skip
        assert (found.format, found.stored_format, found.stored_width, found.width) == ("SVG", "JPEG", 300, 900)

    @pytest.mark.parametrize("tag", ["image", "x:image", "feImage", "IMAGE"])
    @pytest.mark.parametrize("name", ["href", "xlink:href"])
    def test_no_file_is_read_for_it(self, tmp_path, tag, name):
        (tmp_path / "secret.png").write_bytes(picture("red", (30, 20)))
        inside = f"<{tag} {name}='{tmp_path}/secret.png' width='30' height='20'/>".encode()
        space = b" xmlns:x='http://www.w3.org/2000/svg' width='30' height='20'>"
        assert render(SVG % (space + inside), DRAW).picture.getcolors() == [(600, (255, 255, 255))]

    def test_text_is_set_in_a_font_that_is_everywhere_the_same(self):
        found = render(SVG % b"width='60' height='20'><text y='15'>Hello</text>", DRAW).picture
        assert found.convert("L").getextrema()[0] < 60

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + SVG % b"><text>&a;</text>", "svg_entities"),
            (b"<!DOCTYPE svg [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]>" + SVG % b"><text>&b;</text>", "svg_entities"),
            (SVG % b"width='100000' height='100000'>", "too_many_pixels"),
            (SVG % b"width='9' height='9'><rect", "undecodable"),
            (SVG % (b"width='9' height='9'>" + b"<g>" * 9000 + b"</g>" * 9000), "undecodable"),
            (SVG % (b">" + b" " * (5 << 20)), "too_large"),
        ],
    )
    def test_what_it_may_not_ask_for_is_refused(self, data, reason):
        assert refused(data, DRAW).reason == reason

    def test_a_doctype_without_declarations_is_passed_over(self):
        start = b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/svg11.dtd">'
        assert render(start + SVG % b"width='9' height='9'>", DRAW).width == 9

    def test_one_that_unfolds_without_end_or_draws_too_long_is_ended(self, monkeypatch):
        monkeypatch.setattr("assets.crawl.svg.MAX_SECONDS", 1)
        monkeypatch.setattr("assets.crawl.svg.MAX_MEMORY", 600 << 20)
        levels = "".join(f"<g id='a{n}'>" + f"<use xlink:href='#a{n - 1}'/>" * 10 + "</g>" for n in range(1, 10))
        unfolds = f"width='9' height='9'><defs><g id='a0'><path d='M0 0h1'/></g>{levels}</defs><use xlink:href='#a9'/>"
        blurs = "width='3000' height='3000'><filter id='f'><feTurbulence numOctaves='9999'/></filter>"
        blurs += "<rect width='3000' height='3000' filter='url(#f)'/>"
        for inside in (unfolds, blurs):
            assert refused(SVG % inside.encode(), DRAW).reason in ("svg_too_slow", "undecodable")


def test_heavy_libraries_are_loaded_only_when_something_is_shrunk():
    import subprocess

    code = "import sys, assets.crawl.images; print([m for m in ('torch', 'simplejpeg', 'resvg_py', 'lxml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_digest_of_a_shrunk_picture_is_pinned():
    image = Image.fromarray(np.add.outer(np.arange(300) * 3, np.arange(400) * 2).astype(np.uint8)).convert("RGB")
    found = shrink(pixels_of(image), (100, 75))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "8811831ff9c4a3a8"


def test_the_limits_are_those_that_the_rules_name():
    words = render.__doc__
    assert f"{image_bytes.MAX_SCANS} scans" in words
    assert f"{image_bytes.MAX_PARTS:,} segments" in words
    assert f"up to {image_bytes.MAX_FRAMES:,}" in words
