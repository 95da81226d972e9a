"""kill -9 at random moments of a small build, each followed by a rerun, while somebody reads the database."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.reader import Reader, look
from tests.chaos.small import Small
from tests.chaos.visible import faults, hashes, hidden
from tests.chaos.zygote import Ended, Zygote

RERUN = 0.7
"""A rerun takes about this share of a build; its moments are drawn within it."""


@dataclass
class Report:
    """What came of many kills.

    Attributes:
        kills: builds that were killed before their end.
        late: builds that had ended when their moment came.
        looks: how often the reader saw which build.
        left: hidden names that kills left behind.
        wrong: everything that must not be.
    """

    kills: int = 0
    late: int = 0
    looks: Counter[str] = field(default_factory=Counter)
    left: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = [f"{self.kills} kills, {self.late} builds ended before theirs; {self.left} hidden leftovers"]
        told += [f"{self.looks.total()} looks at the database: {dict(self.looks)}"]
        return "\n".join([*told, *(self.wrong or ["nothing wrong"])])


class Ground:
    """A home in which an earlier build is complete, and another in which a build was not disturbed."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        """Write the crawls; make the earlier build, and beside it, in a home of its own, the one that is not disturbed."""
        self.zygote, self.folder = zygote, folder
        _well(*zygote.run([{"do": "encoder", "folder": str(folder / "encoder")}]))
        self.small = Small(folder / "small", folder / "encoder").make()
        wanted = [(self.small.earlier, self.start), (self.small.recipe, self.whole)]
        made = zygote.run([{"do": "build", "recipe": str(recipe), "home": str(home)} for recipe, home in wanted])
        self.seconds = [_well(ended).cpu for ended in made][-1]
        self.earlier, self.build = look(self.start), look(self.whole)
        self.manifest = manifest(self.whole, self.build)
        self.expected = {**hashes(self.start), **hashes(self.whole)}
        for home in (self.start, self.whole):
            if found := faults(home, self.expected):
                raise AssertionError(f"a build that nobody disturbed: {found}")

    @property
    def start(self) -> Path:
        """The home with the earlier build; it is copied."""
        return self.folder / "start"

    @property
    def whole(self) -> Path:
        """The home of the build that nobody disturbed."""
        return self.folder / "whole"


def manifest(home: Path, build: str) -> dict:
    """A build's manifest."""
    return json.loads((home / "builds" / build / "manifest.json").read_bytes())


def kill(ground: Ground, seed: int, kills: int, in_a_row: tuple[int, int] = (1, 2), say=print) -> Report:
    """Kill builds at moments that follow from the seed; each home gets so many kills in a row, then a rerun to the end.

    A moment is a share of the processor time that the undisturbed build took: seconds of a clock would depend on what
    else the machine does, and a failure could not be repeated by its seed.
    """
    dice, report, number = random.Random(seed), Report(), 0
    say(f"seed {seed}: {kills} kills within {ground.seconds:.1f} s")
    while report.kills < kills:
        row = range(dice.randint(*in_a_row))
        shares = [dice.random() * (RERUN if again else 1) for again in row][: kills - report.kills]
        home = ground.folder / f"home-{number:03d}"
        shutil.copytree(ground.start, home)
        before, started = len(report.wrong), time.monotonic()
        with Reader(home) as reader:
            for share in shares:
                ended = ground.zygote.build(ground.small.recipe, home, share * ground.seconds)
                report.kills += ended.killed
                report.late += ended.status == 0
                found = [] if ended.killed or ended.status == 0 else [f"a build failed by itself: {ended.said}"]
                found += faults(home, ground.expected)
                report.wrong += [f"{home.name} after {share:.4f} of the build: {fault}" for fault in found]
            report.left += len(hidden(home))
            ended = ground.zygote.build(ground.small.recipe, home)
        report.wrong += [f"{home.name}: {fault}" for fault in _after(ground, home, ended, reader)]
        report.looks.update(reader.looks)
        moments = ", ".join(f"{share:.4f}" for share in shares)
        result = "wrong" if len(report.wrong) > before else "whole"
        say(f"{home.name}: killed at {moments} of the build, {result} after {time.monotonic() - started:.1f} s")
        if result == "whole":
            shutil.rmtree(home)
        number += 1
    return report


def _after(ground: Ground, home: Path, ended: Ended, reader: Reader) -> list[str]:
    """What is wrong when the rerun has ended."""
    if ended.status != 0:
        return [f"the rerun failed: {ended.said}"]
    found = faults(home, ground.expected)
    if look(home) != ground.build or manifest(home, ground.build) != ground.manifest:
        found.append("the rerun ended with another manifest")
    if missing := sorted(ground.expected.keys() - hashes(home).keys()):
        found.append(f"the rerun did not make {missing}")
    if any((home / "scratch").rglob("*")):
        found.append("work of the killed run is left in scratch")
    found += [f"a reader met {error}" for error in reader.errors]
    if not reader.looks.keys() <= {ground.earlier, ground.build} or ground.earlier not in reader.looks:
        found.append(f"a reader saw {reader.looks}")
    return found


def _well(ended: Ended) -> Ended:
    if ended.status != 0:
        raise AssertionError(f"ended with {ended.status}: {ended.said}")
    return ended
