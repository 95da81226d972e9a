"""How much of its stated concurrency an endpoint with 50 ms latency is given: `python -m bench.endpoint`."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import machine, table
from resources.language_model import EndpointSettings, Question
from resources.language_model.endpoint import Endpoint
from tests.resources.language_model.server import Reply, Request, ScriptedServer

LATENCY, ROUNDS, SECONDS = 0.05, 5, 4.0
CONCURRENCY = (8, 16, 32)


@dataclass(frozen=True)
class Kept:
    """Medians over runs.

    Attributes:
        concurrency: stated.
        share: mean number of requests in the server's hands, over the stated one.
        most: most that were there at once.
        rate: answers a second, start and end of the run included.
    """

    concurrency: int
    share: float
    most: int
    rate: float


def answer(request: Request, attempt: int) -> Reply:
    """A caption after the latency."""
    return Reply(text="A cat sits on a mat.", delay=LATENCY, echo=request.id)


def _serve(say: Any, done: Any) -> None:
    """The server, in a process of its own."""
    with ScriptedServer(answer) as server:
        say.put(server.base_url)
        done.wait()
        say.put((server.mean_in_flight(), server.most))


def run(concurrency: int) -> tuple[float, int, float]:
    """Share of the concurrency that was kept in the middle of a run, most at once, answers a second."""
    context = multiprocessing.get_context("spawn")
    say, done = context.Queue(), context.Event()
    process = context.Process(target=_serve, args=(say, done))
    process.start()
    model = Endpoint(EndpointSettings(say.get(), "scripted", concurrency=concurrency))
    turns = (("system", "You write one short sentence about a picture from two notes."),)
    count = int(SECONDS * concurrency / LATENCY)
    questions = [
        Question(f"{i}-fusion-1", (*turns, ("user", f"Label: cat {i}. Guess: a cat." * 4))) for i in range(count)
    ]
    started = time.perf_counter()
    for group in model.answer(questions):
        assert all(answer.answered for _, answer in group)
    seconds = time.perf_counter() - started
    done.set()
    mean, most = say.get()
    process.join()
    return mean / concurrency, most, count / seconds


def measured() -> list[Kept]:
    """Every concurrency, in turn, several times."""
    found: dict[int, list[tuple[float, int, float]]] = {concurrency: [] for concurrency in CONCURRENCY}
    for _ in range(ROUNDS):
        for concurrency in CONCURRENCY:
            found[concurrency].append(run(concurrency))
    return [
        Kept(
            concurrency,
            statistics.median(share for share, _, _ in runs),
            max(most for _, most, _ in runs),
            statistics.median(rate for _, _, rate in runs),
        )
        for concurrency, runs in found.items()
    ]


def section(found: Sequence[Kept]) -> str:
    """The section of docs/benchmarks.md."""
    rows = [(k.concurrency, f"{100 * k.share:.1f} %", k.most, f"{k.rate:.0f}") for k in found]
    return (
        "## Endpoints\n\n"
        f"A scripted OpenAI-compatible server in a process of its own answers after {1000 * LATENCY:.0f} ms. What is kept is the "
        "mean number of requests in the server's hands over the stated one, without the first and last fifth of a run of "
        f"{SECONDS:.0f} s. Medians of {ROUNDS} runs. Client and server share the machine. "
        f"{machine(('aiohttp',))}\n\n" + table(("stated concurrency", "kept", "most at once", "answers/s"), rows)
    )


def main() -> str:
    """Measure and describe."""
    return section(measured())


if __name__ == "__main__":
    print(main())
