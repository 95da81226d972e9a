"""Which pictures come from where the embedded encoder learned: Debian's openclipart-svg, known by its drawings' hashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from resources.batches import in_groups
from resources.encoder.training.rendering import difference_hash, looks_like_any

HASHES = Path(__file__).parents[1] / "training_drawings.safetensors"
"""(m, 32) uint8, sorted: the different hashes of all drawings of the package, 256 bits each."""
SOURCE_BITS = 32
"""A picture whose hash is that near to a drawing's comes from the package.

Of 1,187 pictures of the sample crawl that do, 99 % are recognized, and 83 % within 12 bits: they were drawn by another
program, shrunk and compressed. Of 781 from elsewhere, spacers aside, 27 are taken for one, 22 of them flat figures of a
manual. A blank picture looks like a blank drawing.
"""
GROUP = 1024
"""Pictures compared at a time; about 6,400 drawings each, 4 bytes a pair."""


def from_encoder_source(pictures: Iterable[Image.Image], radius: int = SOURCE_BITS) -> np.ndarray:
    """(n,) bool: does each of n pictures look like a drawing of the package that the embedded encoder learned from.

    Args:
        pictures: upright, transparency on white; taken one by one.
        radius: bits in which two hashes may differ.
    """
    found = [np.zeros(0, bool)]
    for group in in_groups(map(difference_hash, pictures), GROUP):
        found.append(looks_like_any(np.stack(group), known_hashes(), radius))
    return np.concatenate(found)


@cache
def known_hashes() -> np.ndarray:
    """(m, 256) bool hashes that come with this package."""
    return read_hashes(HASHES)


def read_hashes(file: Path) -> np.ndarray:
    """(m, 256) bool hashes that `write_hashes` wrote."""
    from safetensors.numpy import load_file

    return np.unpackbits(load_file(file)["hashes"], axis=1).astype(bool)


def write_hashes(hashes: np.ndarray, file: Path) -> int:
    """Write (m, 256) bool hashes sorted, each once; the same hashes give the same bytes. Returns how many differ."""
    from safetensors.numpy import save_file

    packed = np.unique(np.packbits(hashes, axis=1), axis=0)
    save_file({"hashes": packed}, file)
    return len(packed)


def hashes_of(files: Sequence[Path | None]) -> np.ndarray:
    """(m, 256) bool hashes of picture files; None, a drawing that could not be drawn, is passed over."""
    return np.stack([difference_hash(Image.open(file)) for file in files if file is not None])
