"""`winnow tune`: which batch size, precision and threads make a recipe's encoder fastest on this machine."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast

import numpy as np
from PIL import Image

from assets.crawl.images import decode
from orchestration.recipe import EncoderModel, Recipe
from resources.batches import ahead, in_groups, in_order, one_behind
from resources.encoder import EncoderSettings, build_encoder
from resources.encoder.devices import computes_in_bf16
from resources.encoder.open_clip_encoder import OpenClipEncoder

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
Say = Callable[[str], None]

CPU_BATCHES, CUDA_BATCHES = (8, 16, 32, 64, 128), (64, 128, 256, 512, 1024)
CPU_START, CUDA_START = 32, 256
"""Batch size at which precision and threads are compared first."""
CLEARLY = 1.03
"""A later setting must be that much faster than the best before it; less is noise, and smaller batches take less memory."""
REPEATS = 3
"""Batches that are timed; the fastest counts, because what else the machine does can only make one slower."""
PICTURES = 48
PICTURE_SIDE = (640, 480)


@dataclass(frozen=True)
class Trial:
    """One setting, and how fast it was.

    Attributes:
        precision: of the towers.
        batch_size: pictures per call.
        threads: of the towers.
        decode_threads: threads that decode and resize; None where pictures were prepared beforehand.
        images_per_second: as measured.
    """

    precision: Precision
    batch_size: int
    threads: int
    decode_threads: int | None
    images_per_second: float


def encoders_of(recipe: Recipe) -> dict[str, EncoderSettings]:
    """The recipe's encoders by the section that names them; raises EncoderError."""
    found: dict[str, EncoderModel] = {"embeddings": recipe.embeddings}
    if recipe.embeddings.concepts is not None:
        found["embeddings.concepts"] = recipe.embeddings.concepts
    names = {field.name for field in fields(EncoderSettings)}
    return {section: EncoderSettings(**model.model_dump(include=names)) for section, model in found.items()}


def tune(
    settings: EncoderSettings, seconds: float, say: Say, clock: Callable[[], float] = time.monotonic
) -> list[Trial]:
    """Measure settings one after the other; the recipe's own batch size, precision and threads decide nothing.

    Precisions and threads at one batch size first, then batch sizes with the faster of them, then, with all of it,
    threads that decode. What would begin after `seconds` is left out; what has begun is finished.

    Raises EncoderError where the encoder cannot be loaded.
    """
    return _Tuning(settings, clock() + seconds, say, clock).run()


def best(trials: Sequence[Trial]) -> Trial:
    """The fastest setting of the towers, with the best number of threads that decode; the earlier one where near."""
    towers = [trial for trial in trials if trial.decode_threads is None]
    found = _fastest(towers)
    whole = [trial for trial in trials if trial.decode_threads is not None]
    return replace(found, decode_threads=_fastest(whole).decode_threads if whole else 1)


def keys_of(section: str, found: Trial) -> str:
    """The keys that put a setting into a recipe, as YAML."""
    lines = [f"precision: {found.precision}", f"batch_size: {found.batch_size}", f"threads: {found.threads}"]
    if section == "embeddings":
        lines.append(f"decode_threads: {found.decode_threads}")
    indent = "  "
    text = ""
    for depth, name in enumerate(section.split(".")):
        text += f"{indent * depth}{name}:\n"
    return text + "\n".join(indent * len(section.split(".")) + line for line in lines)


def _fastest(trials: Sequence[Trial]) -> Trial:
    """The fastest, unless one before it is as good as that."""
    found = trials[0]
    for trial in trials[1:]:
        if trial.images_per_second > found.images_per_second * CLEARLY:
            found = trial
    return found


class _Tuning:
    """One encoder's measurements, in bounded time."""

    def __init__(self, settings: EncoderSettings, until: float, say: Say, clock: Callable[[], float]) -> None:
        self.settings, self.until, self.say, self.clock = settings, until, say, clock
        self.on_cpu = settings.device == "cpu"
        self.trials: list[Trial] = []
        self.encoders: dict[Precision, OpenClipEncoder] = {}

    def run(self) -> list[Trial]:
        start = CPU_START if self.on_cpu else CUDA_START
        for precision in self._precisions():
            for threads in self._threads():
                self._try(precision, start, threads)
        leader = _fastest(self.trials)
        for precision in [name for name in self.encoders if name != leader.precision]:
            del self.encoders[precision]
        sizes = [size for size in (CPU_BATCHES if self.on_cpu else CUDA_BATCHES) if size != start]
        for size in sorted(sizes, key=lambda size: max(size / start, start / size)):
            self._try(leader.precision, size, leader.threads)
        # Of settings that are equally fast the first counts: the most exact, with the fewest threads, in least memory.
        self.trials.sort(key=lambda trial: (PRECISIONS.index(trial.precision), trial.threads, trial.batch_size))
        self._decoding(_fastest(self.trials))
        return self.trials

    def _precisions(self) -> list[Precision]:
        found: list[Precision] = ["fp32"]
        if computes_in_bf16(self.settings.device):
            found.append("bf16")
        return found if self.on_cpu else [*found, "fp16"]

    def _threads(self) -> list[int]:
        """All cores and half of them; on a GPU one, for the towers do not compute here."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return sorted({cores, max(1, cores // 2)}, reverse=True) if self.on_cpu else [1]

    def _try(self, precision: Precision, batch_size: int, threads: int) -> None:
        """Time the towers on pictures that are prepared."""
        if self.trials and self.clock() >= self.until:
            return
        encoder = self._encoder(precision).reshaped(batch_size, threads)
        pixels = np.stack([encoder.prepare(Image.new("RGB", PICTURE_SIDE))] * batch_size)
        times = []
        for number in range(1 + REPEATS):
            begun = self.clock()
            encoder.begin_images(pixels)()
            if number:
                times.append(self.clock() - begun)  # the first call of a shape prepares kernels
            if times and self.clock() >= self.until:
                break
        self._add(Trial(precision, batch_size, threads, None, batch_size / max(min(times), 1e-9)))

    def _decoding(self, towers: Trial) -> None:
        """Time everything from bytes to vectors with more and more threads that decode."""
        encoder = self._encoder(towers.precision).reshaped(towers.batch_size, towers.threads)
        files = example_files(PICTURES)
        threads = 1
        while threads <= 2 * max(self._threads()) and (threads == 1 or self.clock() < self.until):
            count = max(PICTURES, 2 * towers.batch_size)
            begun = self.clock()
            encode_files((files[number % PICTURES] for number in range(count)), encoder, threads)
            speed = count / max(self.clock() - begun, 1e-9)
            self._add(replace(towers, decode_threads=threads, images_per_second=speed))
            threads *= 2

    def _encoder(self, precision: Precision) -> OpenClipEncoder:
        if precision not in self.encoders:
            self.say(f"loading {self.settings.model} in {precision}")
            built = build_encoder(replace(self.settings, precision=precision, batch_size=1))
            self.encoders[precision] = cast(OpenClipEncoder, built)
        return self.encoders[precision]

    def _add(self, trial: Trial) -> None:
        self.trials.append(trial)
        values = {name: value for name, value in asdict(trial).items() if value is not None}
        speed = values.pop("images_per_second")
        self.say(", ".join(f"{name} {value}" for name, value in values.items()) + f": {speed:.1f} images/s")


def encode_files(files: Iterator[bytes], encoder: OpenClipEncoder, decode_threads: int) -> np.ndarray:
    """(n, dim) vectors of picture files, decoded and resized by threads while the model computes, as a build does it."""
    prepared = in_order(lambda data: encoder.prepare(decode(data)), files, decode_threads)
    batches = ahead(np.stack(group) for group in in_groups(prepared, encoder.batch_size))
    return np.concatenate([found[0] for _, found in one_behind((None, encoder.begin_images(b)) for b in batches)])


def example_files(count: int) -> list[bytes]:
    """JPEGs of smooth noise, about as large as pictures of the web; the same ones every time."""
    random = np.random.default_rng(0)
    files = []
    for _ in range(count):
        rough = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        stream = io.BytesIO()
        rough.resize(PICTURE_SIDE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=85)
        files.append(stream.getvalue())
    return files


def report(section: str, settings: EncoderSettings, trials: Sequence[Trial]) -> tuple[list[str], list[list[Any]], str]:
    """Columns and rows of a table, and the best keys with what they mean."""
    found = best(trials)
    columns = ["precision", "batch_size", "threads", "decode_threads", "images/s"]
    rows = [
        [t.precision, t.batch_size, t.threads, t.decode_threads or "(not decoded)", f"{t.images_per_second:.1f}"]
        for t in trials
    ]
    text = (
        f"fastest here for {settings.model} on {settings.device}:\n\n{keys_of(section, found)}\n\n"
        "Another precision, batch_size or number of threads makes other vectors, which a build computes anew;"
        " decode_threads changes none."
    )
    return columns, rows, text
