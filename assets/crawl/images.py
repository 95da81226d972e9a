"""Image bytes: gates before anything is decoded, decoding in bounds, and tars that keep the bytes as crawled."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from PIL import ExifTags, Image, ImageFile, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from assets.crawl.image_bytes import (
    MAX_FRAMES,
    ImageRefused,
    frames_of,
    is_svg,
    refuse_endless,
    refuse_false_sums,
    refuse_other,
)
from assets.crawl.resizing import fitted, jpeg_pixels, pixels_of, shrink, to_jpeg, to_srgb

__all__ = ["EXTENSIONS", "FORMATS", "MAX_PIXELS", "DecodeSettings", "Decoded", "ImageRefused", "ImageTar", "Rendered",
           "decode", "decode_file", "perceptual_hash", "read_members", "render"]  # fmt: skip

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "AVIF": "avif"}
MAX_PIXELS = 64_000_000
HASH_SIDE = 256
"""Shorter side down to which a JPEG may be decoded where nothing but its validity and its hash is asked for."""
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
              MemoryError, RuntimeError, struct.error)  # fmt: skip
"""What Pillow's readers raise on damaged bytes; AVIF's raises RuntimeError, TIFF's struct.error."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF orientation; from 5 on width and height change places."""


@dataclass(frozen=True)
class DecodeSettings:
    """How images are decoded and what is kept of them.

    Attributes:
        max_pixels: an image with more pixels is refused, from its header.
        svg: rasterize drawings; needs `pip install 'winnow[svg]'`.
        longest_side: shrink to this many pixels on the longest side, only if it is longer.
        jpeg_quality: of shrunk pictures.
        store: keep the original bytes, or the shrunk picture where one was shrunk.
    """

    max_pixels: int = MAX_PIXELS
    svg: bool = False
    longest_side: int | None = None
    jpeg_quality: int = 95
    store: Literal["original", "resized"] = "original"


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file says of it."""

    picture: Image.Image
    format: str
    frames: int


@dataclass(frozen=True)
class Rendered:
    """An image as the tables describe it, and the bytes that are stored.

    Attributes:
        format: of the bytes given; SVG for a drawing.
        width, height: upright, at full size.
        frames: number of frames; the first one counts.
        picture: RGB, upright, possibly shrunk.
        stored: bytes to store; None where those given are stored.
        stored_format: of the stored bytes, a key of EXTENSIONS.
        stored_width, stored_height: of the stored bytes, upright.
    """

    format: str
    width: int
    height: int
    frames: int
    picture: Image.Image
    stored: bytes | None
    stored_format: str
    stored_width: int
    stored_height: int


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture as RGB, upright, transparency on white, first frame; raises ImageRefused."""
    return decode_file(data, max_pixels).picture


def decode_file(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The picture, at full size, with format and number of frames; by the rules of `render`."""
    refuse_other(data)
    with _opened(data, max_pixels) as image:
        frames = _frames(image, data)
        _load(image, data)
        return Decoded(_upright(_on_white(image), _orientation(image)), image.format or "", frames)


def render(data: bytes, settings: DecodeSettings) -> Rendered:
    """Decode an image, shrink it if asked to, and say what is stored. The bytes are at most as many as the caller allows.

    | what arrives | what is done |
    |---|---|
    | nothing, HTML, text | refused: empty, html_body, not_an_image |
    | SVG | refused: svg; with `settings.svg` rasterized, and stored as the PNG it became |
    | more pixels than allowed, by the header | refused before decoding: too_many_pixels |
    | no pixels | refused: empty |
    | JPEG of more than 100 scans | refused before decoding: too_many_scans |
    | more than 100,000 segments, chunks or strips | refused before decoding: too_many_parts |
    | cut off, or damaged so that decoding fails | refused: truncated, broken_data, undecodable, bad_header |
    | PNG whose check sums are false | refused: bad_checksum |
    | animation, several pages | first frame; frames are counted, up to 10,000, without decoding them |
    | several pictures in a JPEG (MPO, gain maps) | a JPEG of one frame: the first |
    | CMYK, YCCK | RGB by complement, without a profile; Adobe's inverted values are turned round |
    | LAB | RGB by way of a color profile |
    | 16 bits per sample | scaled to 8; 0xFFFF is white |
    | 1 bit, gray, palette | RGB |
    | transparency, of any kind | laid on white |
    | EXIF or XMP orientation | applied: width and height are those of the upright picture |
    | color profile | kept in the original; a shrunk picture is turned into sRGB, perceptual intent, where the profile is of RGB |
    | a longest side above `longest_side` | shrunk, antialiased; JPEGs are decoded at a half, a quarter or an eighth first |
    | stored "resized" | if shrunk, a baseline JPEG (4:2:0) without metadata; otherwise the original bytes |
    | stored "original" | the bytes as they came, with all their metadata |

    A JPEG's entropy-coded data are read to the end at every scale, so a cut is found at every scale. Where nothing is
    shrunk, a JPEG's picture is still decoded at the smallest of these scales that leaves its shorter side 256 pixels.

    Raises:
        ImageRefused: with the reason.
        ModuleNotFoundError: `settings.svg` without the library that rasterizes.
    """
    if settings.svg and is_svg(data):
        return _drawing(data, settings)
    refuse_other(data)
    with _opened(data, settings.max_pixels) as image:
        frames, profile = _frames(image, data), image.info.get("icc_profile")
        picture, full, turn = _pixels(image, data, settings.longest_side)
    shrunk = settings.longest_side is not None and max(full) > settings.longest_side
    picture = _upright(to_srgb(picture, profile) if shrunk else picture, turn)
    full = full[::-1] if turn > 4 else full
    kind = image.format or ""
    if shrunk and settings.store == "resized":
        jpeg = to_jpeg(picture, settings.jpeg_quality)
        return Rendered(kind, *full, frames, picture, jpeg, "JPEG", *picture.size)
    return Rendered(kind, *full, frames, picture, None, kind, *full)


def _pixels(
    image: ImageFile.ImageFile, data: bytes, longest_side: int | None
) -> tuple[Image.Image, tuple[int, int], int]:
    """The picture, shrunk where it has to be, its full size, and what is left to do to set it upright."""
    full = image.size
    extent = _scale_down(image, longest_side)
    wanted = fitted(full, longest_side or max(full))
    if image.format == "JPEG" and wanted != full and image.mode == "RGB":
        pixels = jpeg_pixels(data, image.size)
        if pixels is not None:
            return shrink(pixels, wanted, extent), full, _orientation(image)
    _load(image, data)
    if image.format != "JPEG":
        full = extent = image.size  # TIFF sets itself upright while it is loaded
        wanted = fitted(full, longest_side or max(full))
    picture = _on_white(image)
    if wanted != full:
        picture = shrink(pixels_of(picture), wanted, extent)
    return picture, full, _orientation(image)


def _drawing(data: bytes, settings: DecodeSettings) -> Rendered:
    from assets.crawl.svg import rasterize

    png = rasterize(data, settings.max_pixels)
    found = render(png, settings)
    if found.stored is not None:
        return replace(found, format="SVG")
    return replace(found, format="SVG", stored=png)


def _opened(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """The image, its header read and its pixels counted, nothing decoded."""
    refuse_endless(data)
    try:
        if data.startswith(b"\xff\xd8\xff"):
            # Not by way of Image.open, which makes a JPEG that holds further pictures something else.
            image: ImageFile.ImageFile = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        else:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageRefused("not_an_image") from None
    except UNREADABLE:
        raise ImageRefused("bad_header") from None
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageRefused("too_many_pixels", float(pixels), float(max_pixels))
    if pixels == 0:
        raise ImageRefused("empty")
    return image


def _scale_down(image: ImageFile.ImageFile, longest_side: int | None) -> tuple[float, float]:
    """Have a JPEG decoded at the smallest scale that is enough; width and height of what the decoded pixels show."""
    width, height = image.size
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return width, height
    # One piece: the reader would put pieces together again and again.
    image.decodermaxblock = 1 << 26
    enough = fitted(image.size, longest_side or max(image.size))
    if enough == image.size:
        short = min(image.size)
        enough = (-(-width * HASH_SIDE // short), -(-height * HASH_SIDE // short))
    found = image.draft(None, enough)
    return (found[1][2], found[1][3]) if found else (width, height)


def _frames(image: ImageFile.ImageFile, data: bytes) -> int:
    if image.format == "JPEG":
        return 1
    try:
        return frames_of(data) or min(int(getattr(image, "n_frames", 1)), MAX_FRAMES)
    except UNREADABLE as error:
        raise ImageRefused(_why(str(error))) from None


def _load(image: ImageFile.ImageFile, data: bytes) -> None:
    if image.format == "PNG":
        refuse_false_sums(data)
    try:
        image.load()
    except UNREADABLE as error:
        raise ImageRefused(_why(str(error))) from None


def _orientation(image: Image.Image) -> int:
    """EXIF orientation of a loaded image, else XMP's; 1 where neither can be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except UNREADABLE:
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _why(words: str) -> str:
    lower = words.lower()
    if "truncated" in lower or "unexpected end" in lower or "cut off" in lower or "premature" in lower:
        return "truncated"
    if "checksum" in lower or "crc" in lower or "broken png" in lower:
        return "bad_checksum"
    return "broken_data" if "broken data" in lower else "undecodable"


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow clips 16-bit grays at 255 instead of scaling them.
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        return ground.convert("RGB")
    return image.convert("RGB")


def perceptual_hash(picture: Image.Image) -> bytes:
    """64-bit DCT hash of a picture, 8 bytes."""
    import imagehash
    import numpy as np

    return np.packbits(imagehash.phash(picture).hash.flatten()).tobytes()


class ImageTar:
    """A tar of image bytes whose own bytes depend on the images alone: no time, no owner."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._tar = tarfile.TarFile(path, "w", format=tarfile.USTAR_FORMAT)

    def add(self, member: str, data: bytes) -> None:
        """Append a file."""
        entry = tarfile.TarInfo(member)
        entry.size = len(data)
        entry.mode = 0o644
        self._tar.addfile(entry, io.BytesIO(data))

    def __enter__(self) -> ImageTar:
        return self

    def __exit__(self, *error: Any) -> None:
        self._tar.close()


def read_members(tar_path: str | os.PathLike[str], members: Sequence[str]) -> Iterator[bytes]:
    """Bytes of members of a tar, in the order asked for; raises KeyError where one is not there."""
    with tarfile.open(tar_path, "r:") as tar:
        entries = {entry.name: entry for entry in tar}
        for name in members:
            stream = tar.extractfile(entries[name]) if name in entries else None
            if stream is None:
                raise KeyError(f"{tar_path}: no file {name}")
            yield stream.read()


# Pillow's remarks on odd files are no news; a filter per image would not be safe where threads decode.
warnings.filterwarnings("ignore", module=r"PIL\.")
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Pixels are counted here, against the recipe's limit and with the number that decided.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 20
