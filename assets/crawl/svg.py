"""Drawings: SVG made into pixels, in a process of its own, from a tree that names nothing outside itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assets.crawl.image_bytes import ImageRefused

MAX_BYTES = 4 << 20
"""Bytes of a drawing, decompressed."""
MAX_SECONDS = 5
MAX_MEMORY = 2 << 30
"""Address space of the process that draws."""
UNSTATED = (300.0, 150.0)
"""Width and height of a drawing that states none (CSS 2.1, section 10.3.2)."""

_LENGTH = re.compile(r"\s*([0-9]{0,9}(?:\.[0-9]{1,9})?)(px|pt|pc|mm|cm|in)?\s*")
_UNITS = {None: 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_LEFT_OUT = frozenset(("image", "feImage", "script", "foreignObject"))
_DRAW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[4]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[5]),) * 2)
import resvg_py
families = dict.fromkeys(("font_family", "serif_family", "sans_serif_family", "monospace_family"), "DejaVu Sans")
drawn = resvg_py.svg_to_bytes(svg_string=sys.stdin.buffer.read().decode(), width=int(sys.argv[1]),
    height=int(sys.argv[2]), dpi=96.0, skip_system_fonts=True, font_files=[sys.argv[3]], **families)
sys.stdout.buffer.write(drawn)
"""


def rasterize(data: bytes, max_pixels: int) -> bytes:
    """A drawing as PNG, at the size it states.

    The library that draws would read any file that an <image> names: pictures, linked or embedded, are left out, as are
    references to anything but the drawing's own parts. Text is set in DejaVu Sans, so that the pixels do not depend on
    the machine's fonts.

    Raises:
        ImageRefused: svg_entities, svg_too_slow, too_large, too_many_pixels, undecodable.
        ModuleNotFoundError: the library is not there.
    """
    if find_spec("resvg_py") is None:
        raise ModuleNotFoundError("Drawings are to be rasterized, but resvg_py is missing: pip install 'winnow[svg]'.")
    root = _own_parts(_unpacked(data))
    width, height = _size(root)
    if width * height > max_pixels:
        raise ImageRefused("too_many_pixels", float(width * height), float(max_pixels))
    return _drawn(root, width, height)


def _drawn(root: Any, width: int, height: int) -> bytes:
    from lxml import etree

    matplotlib = find_spec("matplotlib")
    font = Path((matplotlib and matplotlib.origin) or "").parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    numbers = [str(number) for number in (width, height, font, MAX_MEMORY, MAX_SECONDS)]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _DRAW, *numbers],
            input=etree.tostring(root, encoding="utf-8"),
            capture_output=True,
            timeout=2 * MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ImageRefused("svg_too_slow") from None
    if done.returncode:
        # The limit on processor time ends the process by a signal; memory and depth end it otherwise.
        slow = done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        raise ImageRefused("svg_too_slow" if slow else "undecodable")
    return done.stdout


def _unpacked(data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        try:
            data = zlib.decompressobj(31).decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise ImageRefused("undecodable") from None
    if len(data) > MAX_BYTES:
        raise ImageRefused("too_large", float(len(data)), float(MAX_BYTES))
    return data


def _own_parts(data: bytes) -> Any:
    """The drawing's tree without anything that points elsewhere; a DOCTYPE is passed over, what it declares refused."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data.lstrip(b"\xef\xbb\xbf \t\r\n"), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ImageRefused("undecodable") from None
    declared: Any = root.getroottree().docinfo.internalDTD
    if declared is not None and declared.entities():
        raise ImageRefused("svg_entities")
    for element in list(root.iter("*")):
        if etree.QName(element).localname in _LEFT_OUT and element is not root:
            parent = element.getparent()
            if parent is not None:
                parent.remove(element)
            continue
        for name, value in element.attrib.items():
            if etree.QName(name).localname == "href" and not value.strip().startswith("#"):
                del element.attrib[name]
    return root


def _size(root: Any) -> tuple[int, int]:
    """Width and height in CSS pixels: as stated, else the view box's, else CSS's own."""
    stated = [_pixels(root.get(name)) for name in ("width", "height")]
    box = [_pixels(number) for number in re.split(r"[\s,]+", (root.get("viewBox") or "").strip())[2:4]]
    wide, high = (box[0], box[1]) if len(box) == 2 else (None, None)
    width = stated[0] or (stated[1] * wide / high if stated[1] and wide and high else wide) or UNSTATED[0]
    height = stated[1] or (stated[0] * high / wide if stated[0] and wide and high else high) or UNSTATED[1]
    return max(1, round(width)), max(1, round(height))


def _pixels(length: str | None) -> float | None:
    """A positive length in CSS pixels; None for anything else, a percentage among them."""
    found = _LENGTH.fullmatch(length or "")
    return float(found[1]) * _UNITS[found[2]] or None if found and found[1] else None
