"""Drawings as pictures of at most 300 pixels on white, and a hash that finds those which look alike."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import signal
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from resources.encoder.training.drawings import Drawing

SIDE = 300
LARGEST_SVG = 400_000
"""Bytes; larger files are traced photographs that take minutes to draw."""
SECONDS = 5
"""Longest time to draw one file."""
HASH_SIDE = 16


class _TooSlowError(Exception):
    """A drawing took longer than SECONDS."""


def render_all(drawings: Sequence[Drawing], root: Path, folder: Path, processes: int) -> list[Path | None]:
    """PNG of every drawing, in order; None where it could not be drawn. Pictures that are there are not drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    work = [(root / d.path, folder / f"{hashlib.sha256(d.path.encode()).hexdigest()[:24]}.png") for d in drawings]
    # Its workers end by themselves; those of a multiprocessing.Pool are sent a SIGTERM, which whoever started us may ignore.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        done = list(pool.map(_render, *zip(*work, strict=True), chunksize=16)) if work else []
    return [target if ok else None for (_, target), ok in zip(work, done, strict=True)]


def _render(source: Path, target: Path) -> bool:
    failed = target.with_suffix(".failed")
    if target.exists() or failed.exists():
        return target.exists()
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(SECONDS)
    try:
        picture = _draw(source)
    except (_TooSlowError, OSError, ValueError, TypeError, AttributeError, KeyError, IndexError, ArithmeticError,
            SyntaxError, RecursionError, MemoryError, zlib.error):  # fmt: skip
        picture = None  # cairosvg answers a drawing it does not understand with nearly any of these
    finally:
        signal.alarm(0)
    if picture is None:
        failed.touch()
        return False
    partial = target.with_suffix(".partial")
    picture.save(partial, format="PNG", compress_level=1)
    partial.rename(target)
    return True


def _give_up(signum: int, frame: FrameType | None) -> None:
    raise _TooSlowError


def _draw(source: Path) -> Image.Image | None:
    """The drawing without its empty margin, on white; None where it is empty or too large."""
    if source.suffix == ".svg":
        import cairosvg

        if source.stat().st_size > LARGEST_SVG:
            return None
        opened = Image.open(io.BytesIO(cairosvg.svg2png(url=str(source), output_width=SIDE)))
    else:
        opened = Image.open(source)
    picture: Image.Image = opened.convert("RGBA")
    box = picture.getchannel("A").getbbox()
    if box is None:
        return None
    picture = picture.crop(box)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def difference_hash(picture: Image.Image) -> np.ndarray:
    """(256,) bool: is each of 16 x 16 gray cells darker than its right neighbor."""
    gray = np.asarray(picture.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS), np.int16)
    return (gray[:, 1:] > gray[:, :-1]).ravel()


def looks_like_any(hashes: np.ndarray, others: np.ndarray, radius: int) -> np.ndarray:
    """(n,) bool: does any of the (m, b) others lie within `radius` bits of each of the (n, b) hashes."""
    a, b = hashes.astype(np.float32) * 2 - 1, others.astype(np.float32) * 2 - 1
    distance = (hashes.shape[1] - a @ b.T) / 2
    return (distance <= radius).any(axis=1)
