"""A process that has everything imported and forks a build per request: `winnow build` without its seconds of imports.

`Zygote` is the handle that tests hold; the process behind it is this module run as a program. Every build is the real
one (`orchestration.build.run_build`: Dagster in process, manifest and database included), in a session of its own, so
that SIGKILL ends all of it. Nothing runs in parallel in the process before it forks: a thread pool of OpenMP, torch or
DuckDB would not survive the fork.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

LATE = (
    "orchestration.definitions", "orchestration.build",
    "torch", "open_clip", "transformers", "timm", "faiss", "onnxruntime", "matplotlib.pyplot", "duckdb", "scipy.sparse",
    "scipy.optimize", "imagehash", "ftfy", "alembic.config", "dagster._core.storage.event_log.sqlite",
    "dagster._core.storage.runs.sqlite", "dagster._core.storage.schedules.sqlite", "torch.distributed",
)  # fmt: skip
"""What a build imports only when it needs it."""

POLL = 0.002
"""Seconds between two looks at the processor time of a child."""


@dataclass(frozen=True)
class Ended:
    """How a forked child ended.

    Attributes:
        status: its exit status; negative: the signal.
        seconds: how long it ran.
        cpu: seconds of processor time it used.
        said: what it printed.
    """

    status: int
    seconds: float
    cpu: float
    said: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Zygote:
    """The handle: starts the process, asks it to fork, waits for what becomes of the child."""

    def __enter__(self) -> Zygote:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WINNOW", "DAGSTER"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote"],
            cwd=REPOSITORY,
            env={**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(timeout=60)

    def build(self, recipe: Path, home: Path, kill_after: float | None = None) -> Ended:
        """Build a recipe, killed after so many seconds of processor time unless it ends before."""
        (ended,) = self.run([{"do": "build", "recipe": str(recipe), "home": str(home)}], kill_after)
        return ended

    def run(self, wanted: Sequence[dict[str, Any]], kill_after: float | None = None) -> list[Ended]:
        """Fork a child for each request, all at once; how each ended."""
        print(json.dumps({"wanted": list(wanted), "kill_after": kill_after}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"the zygote ended with status {self.process.wait()}")
        return [Ended(**row) for row in json.loads(line)]


def serve() -> None:
    """Answer requests, a line each, until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_everything()
    for line in sys.stdin:
        request = json.loads(line)
        children = [_fork(wanted, number) for number, wanted in enumerate(request["wanted"])]
        print(json.dumps([_wait(*child, request["kill_after"]) for child in children]), file=answers, flush=True)


def import_everything() -> None:
    """Import what a build imports, at the latest when its last step runs; nothing is computed."""
    import matplotlib

    matplotlib.use("agg")
    from resources.encoder.torchvision_shim import allow_torchvision_import

    allow_torchvision_import()
    for name in LATE:
        importlib.import_module(name)
    keep_engines()


def keep_engines() -> None:
    """Let Dagster keep its database engines: it makes one per statement, which compiles the same SQL again and again."""
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        module.create_engine = _kept(module.create_engine)


def _kept(create: Callable[..., Any]) -> Callable[..., Any]:
    engines: dict[str, Any] = {}

    def create_engine(address: str, **options: Any) -> Any:
        key = repr((address, sorted(options.items())))
        if key not in engines:
            engines[key] = create(address, **options)
        return engines[key]

    return create_engine


def _fork(wanted: dict[str, Any], number: int) -> tuple[int, int, float]:
    """A child that does what is wanted, in its own session; its id, what it writes to, and when it started."""
    said = os.memfd_create(f"said-{number}")
    ready, tell = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            for stream in (1, 2):
                os.dup2(said, stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.write(tell, b".")
            DEEDS[wanted.pop("do")](**wanted)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    return child, said, time.monotonic()


def _wait(child: int, said: int, started: float, kill_after: float | None) -> dict[str, Any]:
    """Wait for a child; when it has used so much processor time, it is killed with all of its session."""
    handle = os.pidfd_open(child)
    while not select.select([handle], [], [], None if kill_after is None else POLL)[0]:
        if _processor_time(child) >= kill_after:
            os.killpg(child, signal.SIGKILL)  # not waited for yet: the number is still its own
            break
    _, status, used = os.wait4(child, 0)
    os.close(handle)
    text = os.pread(said, 1 << 20, 0).decode(errors="replace")
    os.close(said)
    seconds = time.monotonic() - started
    cpu = used.ru_utime + used.ru_stime
    return {"status": os.waitstatus_to_exitcode(status), "seconds": seconds, "cpu": cpu, "said": text}


def _processor_time(process: int) -> float:
    """Seconds that all threads of a process used together; the clock's number is Linux's for that process."""
    try:
        return time.clock_gettime((~process << 3) | 2)
    except OSError:  # it has just ended
        return 0.0


def _build(recipe: str, home: str) -> None:
    """What `winnow build --quiet` does."""
    from orchestration.build import run_build
    from orchestration.cli import _prepare

    os.chdir(Path(recipe).parent)
    _prepare(recipe, home)
    manifest = run_build(recipe, home, None, True)
    print(f"manifest: {manifest.sha256 if manifest else None}")


def _steps(recipe: str, home: str, part: int, parts: int) -> None:
    """One worker of several: its share of the shards, the last one first; the first worker runs what is for all shards.

    A worker goes on to the next step when all workers are done with this one.
    """
    from orchestration.cli import _prepare
    from orchestration.recipe import load_recipe
    from orchestration.stages import STEPS, open_build

    os.chdir(Path(recipe).parent)
    _prepare(recipe, home)
    for name, step in STEPS.items():
        build = open_build(load_recipe(recipe), home)
        whole = build.shards_of(step)
        for shard in whole[::-1][part::parts]:
            print(name, shard and shard.label, "reused" if build.run(step, shard).reused else "made")
        while not all(build.done(step, shard) for shard in whole):
            time.sleep(0.01)
            build = open_build(load_recipe(recipe), home)


def _encoder(folder: str) -> None:
    """Write the tiny encoder's folder."""
    from tests.chaos.small import make_encoder

    make_encoder(Path(folder))


DEEDS: dict[str, Callable[..., None]] = {"build": _build, "steps": _steps, "encoder": _encoder}


if __name__ == "__main__":
    serve()
