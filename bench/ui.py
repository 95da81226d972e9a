"""Dagster's UI over a thousand shards and twenty builds: `python -m bench.ui`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.history import SOURCE, Grown, grow, partition_keys
from bench.measure import ROUNDS, duration, machine, medians, table

SHARDS, BUILDS = 1_000, 20
GOAL_PAGE, GOAL_DEFINITIONS = 2.0, 5.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
PAUSE = 0.5
"""Seconds without a question to the server after which a page counts as answered."""
PATIENCE = 120_000
"""Milliseconds that a page may take at most."""


@dataclass(frozen=True)
class Page:
    """A page of the UI: what it is called, where it is, and a selector of what a person came for, once for each."""

    name: str
    path: str
    shows: tuple[str, ...]


def _asset(name: str, view: str, *shows: str) -> Page:
    return Page(f"`{name}`, {view}", f"/assets/{name}?view={view}", shows)


def pages(groups: Sequence[str], shards: int) -> list[Page]:
    """What is opened: the graph in three ways, and pages of assets by shard and over all of them."""
    titles = tuple(f"svg >> text='{group}'" for group in groups)
    last = f"text='{partition_keys(SOURCE, shards)[-1]}'"
    opened = ",".join(f"global@global:{group}" for group in groups)
    return [
        Page("graph, groups folded", "/asset-groups", titles),
        Page("graph, groups open", f"/asset-groups?expanded={opened}", titles),
        Page("graph of the captions, with status", '/asset-groups~group:"captions"', ("svg >> text='caption_report'",)),
        _asset("crawl", "overview", "text='Row count'", "text='fingerprint'"),
        _asset("crawl", "partitions", f"text='Materialized ({shards})'"),
        _asset("crawl", "events", last),
        _asset("pool", "overview", "text='Row count'", "text='fingerprint'"),
        _asset("pool", "events", last),
        _asset("release", "overview", "text='Row count'", "text='fingerprint'"),
        _asset("release", "events", "text='fingerprint'"),
    ]


@dataclass
class Visit:
    """Seconds from the start of a navigation, and the questions that the page asked the server: name by body."""

    shown: float
    answered: float
    questions: dict[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """Visits of a page, the first one apart, and the question that the server alone needs longest for."""

    first: Visit
    later: list[Visit]
    slowest: str
    seconds: float


@dataclass(frozen=True)
class Load:
    """Seconds of a command, and of processor time in it."""

    wall: float
    processor: float


def main(home: Path | None = None, shards: int = SHARDS, builds: int = BUILDS, rounds: int = ROUNDS) -> str:
    """Measure; the section for docs/benchmarks.md. A home that is given is kept, and used again if it is there."""
    with tempfile.TemporaryDirectory(prefix="winnow-ui-") as folder:
        grown = make_home(home or Path(folder), shards, builds)
        loads = {name: [run_once(command) for _ in range(rounds)] for name, command in LOADS.items()}
        visits = visit_all((home or Path(folder)) / "dagster", grown.shards, rounds) if browser() else {}
    return section(grown, loads, visits)


def make_home(home: Path, shards: int, builds: int) -> Grown:
    """A home with one real build of the demo recipe and generated builds after it."""
    note = home / "grown.json"
    if not note.exists():
        subprocess.run(
            [PROGRAMS / "winnow", "build", "recipes/demo.yaml", "--quiet", "--home", str(home)],
            cwd=REPOSITORY,
            check=True,
        )
        note.write_text(json.dumps(vars(grow(home / "dagster", shards, builds))))
    return Grown(**json.loads(note.read_text()))


LOADS: dict[str, Sequence[str | Path]] = {
    "import of `orchestration.definitions`": [sys.executable, "-W", "ignore", "-c", "import orchestration.definitions"],
    "`dagster definitions validate`": [PROGRAMS / "dagster", "definitions", "validate", "-w", "workspace.yaml"],
}


def run_once(command: Sequence[str | Path]) -> Load:
    """Run a command in a process of its own."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Load(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def browser() -> str | None:
    """The system's Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def webserver(dagster_home: Path) -> Iterator[str]:
    """Dagster's webserver on a free port, its definitions loaded; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DAGSTER_HOME": str(dagster_home), "WINNOW_HOME": str(dagster_home.parent)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
        cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/graphql")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(address: str, patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            _ask(address, json.dumps({"query": "{ version }"}).encode())
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _ask(address: str, question: bytes) -> bytes:
    request = urllib.request.Request(address, question, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def visit_all(dagster_home: Path, shards: int, rounds: int) -> dict[str, Opened]:
    """Visits of every page, in turn: the first after the server's start, with an empty browser, and `rounds` more."""
    from playwright.sync_api import sync_playwright

    with webserver(dagster_home) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 1600, "height": 1000})
        found = pages(groups(), shards)
        visits: dict[str, list[Visit]] = {page.name: [] for page in found}
        for _ in range(rounds + 1):
            for page in found:
                visits[page.name].append(visit(context, address, page))
        chromium.close()
        return {name: _opened(address, some) for name, some in visits.items()}


def _opened(address: str, visits: Sequence[Visit]) -> Opened:
    """Ask a page's questions again, one by one, while no browser works."""
    asked = {body: name for one in visits for body, name in one.questions.items()}
    numbered = dict(enumerate(asked))
    seconds, _ = medians({str(number): partial(_ask, f"{address}/graphql", body) for number, body in numbered.items()})
    slowest = max(seconds, key=seconds.__getitem__)
    return Opened(visits[0], list(visits[1:]), asked[numbered[int(slowest)]], seconds[slowest])


def groups() -> list[str]:
    """Groups of the asset graph."""
    from orchestration.definitions import defs

    graph = defs.resolve_asset_graph()
    return sorted({graph.get(key).group_name or "" for key in graph.get_all_asset_keys()})


def visit(context: Any, address: str, page: Page) -> Visit:
    """Open a page in a tab of its own, and wait until it shows what it is for and its questions are answered."""
    tab = context.new_page()
    asked: set[Any] = set()
    questions: dict[bytes, str] = {}
    last = started = time.perf_counter()

    def begun(request: Any) -> None:
        if "/graphql" in request.url:
            asked.add(request)
            questions[request.post_data_buffer] = (request.post_data_json or {}).get("operationName") or "unnamed"

    def ended(request: Any) -> None:
        nonlocal last
        if request in asked:
            asked.remove(request)
            last = time.perf_counter()

    tab.on("request", begun)
    tab.on("requestfinished", ended)
    tab.on("requestfailed", ended)
    tab.goto(address + page.path, wait_until="commit")
    for selector in page.shows:
        tab.locator(selector).first.wait_for(state="visible", timeout=PATIENCE)
    shown = time.perf_counter()
    while asked or time.perf_counter() - max(shown, last) < PAUSE:
        tab.wait_for_timeout(50)
        if time.perf_counter() - started > PATIENCE / 1000:
            raise TimeoutError(f"{page.path}: the page still asks the server after {PATIENCE / 1000:.0f} s")
    tab.close()
    return Visit(shown - started, max(shown, last) - started, questions)


def section(grown: Grown, loads: dict[str, list[Load]], visits: dict[str, Opened]) -> str:
    """The section of docs/benchmarks.md."""
    load_rows = [
        [
            name,
            duration(statistics.median(one.wall for one in some)),
            duration(statistics.median(one.processor for one in some)),
        ]
        for name, some in loads.items()
    ]
    packages = ["dagster", "dagster-webserver", "playwright"] if visits else ["dagster", "dagster-webserver"]
    runs = len(next(iter(loads.values())))
    return f"""## The UI

Dagster's webserver over a home with {grown.shards:,} shards and {grown.builds} builds of all of them behind it:
{grown.events:,} events, {grown.bytes / 1e9:.1f} GB of SQLite files (`bench/history.py`). The builds are generated from a
real one of the demo recipe, with its metadata and plots.

{_pages(visits)}

Definitions, in a process of their own each time; the aim was {GOAL_DEFINITIONS:.0f} s. Medians of {runs} runs.

{table(["command", "time", "processor time"], load_rows)}

{machine(packages)}"""


def _pages(visits: dict[str, Opened]) -> str:
    if not visits:
        return "No Chromium was found where this was measured: pages were not opened."
    rows, shown, answered = [], [], []
    for name, page in visits.items():
        shown.append(statistics.median(one.shown for one in page.later))
        answered.append(statistics.median(one.answered for one in page.later))
        times = (shown[-1], answered[-1], page.first.answered)
        rows.append([name, *map(duration, times), f"{page.slowest} {duration(page.seconds)}"])
    rounds = len(next(iter(visits.values())).later)
    head = ["page", "content shown", "all answered", "first visit", "slowest question, alone"]
    return f"""In headless Chromium, from the start of a navigation in a new tab: `content shown` is when what the page is for
is visible, `all answered` is the last answer to the page's questions, statuses included. Medians of {rounds} visits in
turn, after a first one that met a server just started and an empty browser. Browser and server share the machine; what
the server takes is in the last column, where the page's questions are asked again, one by one, without a browser. The
aim was {GOAL_PAGE:.0f} s; the slowest page shows its content after {duration(max(shown))} and is answered after
{duration(max(answered))}.

{table(head, rows)}"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a folder that is kept, and used again if it is there")
    parser.add_argument("--shards", type=int, default=SHARDS)
    parser.add_argument("--builds", type=int, default=BUILDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    print(main(given.home, given.shards, given.builds, given.rounds))
