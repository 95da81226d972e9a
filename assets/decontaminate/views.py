"""Views of an evaluation item under which a copy may turn up: less a margin on some sides, mirrored.

A perceptual hash hears a crop as another picture: of 150 drawings and photographs cut by a tenth, the hashes of the
median one differed in 14 of 64 bits. So an item is hashed under every cut, and a copy comes near to one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

FLAT = 4.0
"""Standard deviation of gray values (0 to 255) below which a picture is one color to a perceptual hash."""

CUTS: dict[str, tuple[float, float, float, float]] = {
    "all_sides": (0.5, 0.5, 0.5, 0.5),
    "left": (1, 0, 0, 0),
    "top": (0, 1, 0, 0),
    "right": (0, 0, 1, 0),
    "bottom": (0, 0, 0, 1),
    "left_top": (1, 1, 0, 0),
    "right_top": (0, 1, 1, 0),
    "left_bottom": (1, 0, 0, 1),
    "right_bottom": (0, 0, 1, 1),
    "left_and_half": (1, 0.5, 0, 0.5),
    "top_and_half": (0.5, 1, 0.5, 0),
    "right_and_half": (0, 0.5, 1, 0.5),
    "bottom_and_half": (0.5, 0, 0.5, 1),
}
"""Which parts of the margin each cut takes from left, top, right and bottom: no cut of both sides lies far from one of these."""


def cut(picture: Image.Image, sides: tuple[float, float, float, float], share: float) -> Image.Image:
    """The picture less `share` of its width and height times `sides` (left, top, right, bottom); at least one pixel."""
    width, height = picture.size
    left, top, right, bottom = (share * side for side in sides)
    x, y = min(round(width * left), width - 1), min(round(height * top), height - 1)
    return picture.crop((x, y, max(x + 1, round(width * (1 - right))), max(y + 1, round(height * (1 - bottom)))))


def mirror(picture: Image.Image) -> Image.Image:
    """The picture with left and right changed over."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def views(picture: Image.Image, crop: float, mirrored: bool) -> Iterator[tuple[str, Image.Image]]:
    """(name, picture) of every view: whole, each cut where `crop` is not 0, and all of these mirrored if asked for."""
    found = [("whole", picture)]
    if crop > 0:
        found += [(name, cut(picture, sides, crop)) for name, sides in CUTS.items()]
    for name, view in found:
        yield name, view
    if mirrored:
        for name, view in found:
            yield f"{name}{MIRRORED}", mirror(view)


VIEWS = ("whole", *CUTS)
"""Names of the views of a picture, mirrored or not, in the order in which `views` gives them."""
MIRRORED = "_mirrored"
"""What the name of a view of a mirror image ends in."""


def is_flat(picture: Image.Image) -> bool:
    """True where a picture is so nearly of one color that its perceptual hash means nothing."""
    return float(np.asarray(picture.convert("L"), np.float64).std()) < FLAT
