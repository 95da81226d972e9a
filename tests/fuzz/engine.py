"""Runs cases in a process of its own, under limits of time per case and of memory, and says which case broke them."""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CASE_SECONDS = 5
ADDRESS_SPACE = 4 << 30
STUCK_SECONDS = 60
SHOWN = 20
"""Crashes that are printed in full."""


@dataclass(frozen=True)
class Target:
    """Something that reads hostile bytes.

    Attributes:
        make: the bytes of a case, from its generator.
        check: reads them; returns what came of it, raises where it must not have.
    """

    make: Callable[[random.Random], bytes]
    check: Callable[[bytes, Path], str]


@dataclass
class Report:
    """What came of some cases of one target."""

    target: str
    cases: int = 0
    slowest: float = 0.0
    slowest_seed: int = 0
    peak_mib: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take in another report."""
        self.cases += other.cases
        if other.slowest >= self.slowest:
            self.slowest, self.slowest_seed = other.slowest, other.slowest_seed
        self.peak_mib = max(self.peak_mib, other.peak_mib)
        self.outcomes.update(other.outcomes)
        self.crashes += [(seed, words) for seed, words in other.crashes]

    def __str__(self) -> str:
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items(), key=lambda x: -x[1]))
        lines = [
            f"{self.target}: {self.cases:,} cases, slowest {self.slowest:.2f} s (seed {self.slowest_seed}), "
            f"peak {self.peak_mib:.0f} MiB, {len(self.crashes)} crashes",
            f"    {outcomes}",
        ]
        return "\n".join(
            [*lines, *(f"    CRASH {self.target}:{seed}\n{words}" for seed, words in self.crashes[:SHOWN])]
        )


def bytes_of(name: str, target: Target, seed: int) -> bytes:
    """The input of a case."""
    return target.make(random.Random(f"{name}:{seed}"))


def run_here(name: str, target: Target, seeds: Sequence[int], note: Path | None = None) -> Report:
    """Run cases in this process, each under its time limit; `note` holds the seed at hand."""
    report = Report(name)
    signal.signal(signal.SIGALRM, _too_slow)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            if note is not None:
                note.write_text(str(seed))
            data = bytes_of(name, target, seed)
            started = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, CASE_SECONDS)
            try:
                report.outcomes[target.check(data, Path(folder))] += 1
            except Exception:
                report.crashes.append((seed, traceback.format_exc(limit=-6)))
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            took = time.perf_counter() - started
            report.cases += 1
            if took > report.slowest:
                report.slowest, report.slowest_seed = took, seed
    report.peak_mib = _peak_mib()
    return report


def _peak_mib() -> float:
    """Largest resident set of this process; its ru_maxrss would be that of the process that started it, if larger."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_apart(name: str, seeds: range) -> Report:
    """Run cases in processes with a memory limit; a process that dies costs the case that it died of."""
    report = Report(name)
    with tempfile.TemporaryDirectory() as folder:
        note, result = Path(folder) / "seed", Path(folder) / "result.json"
        while seeds:
            note.write_text(str(seeds.start))
            result.unlink(missing_ok=True)
            command = [sys.executable, "-m", "tests.fuzz", "--worker", name, str(seeds.start), str(seeds.stop), folder]
            words = _died(command, note)
            if result.exists():
                found = json.loads(result.read_text())
                report.add(Report(**{**found, "outcomes": Counter(found["outcomes"])}))
                break
            at = int(note.read_text())
            report.crashes.append((at, words))
            report.cases += at + 1 - seeds.start
            seeds = range(at + 1, seeds.stop)
    return report


def work(name: str, target: Target, seeds: range, folder: Path) -> None:
    """What a process of `run_apart` does."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    report = run_here(name, target, seeds, folder / "seed")
    (folder / "result.json").write_text(json.dumps(vars(report)))


def _died(command: Sequence[str], note: Path) -> str:
    """Run a worker to its end; the words it left. One that stays at a case is ended."""
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryFile() as words, subprocess.Popen(command, cwd=root, stderr=words, stdout=words) as worker:
        last, since = "", time.monotonic()
        while worker.poll() is None:
            time.sleep(0.05)
            now = note.read_text()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK_SECONDS:
                worker.kill()
        words.seek(0)
        return f"exit status {worker.returncode}: {words.read()[-2000:].decode(errors='replace')}"


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"a case took more than {CASE_SECONDS} s")
