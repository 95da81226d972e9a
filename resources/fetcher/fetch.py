"""The run: every address becomes attempts, and what is finished goes to the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from resources.fetcher.addresses import Guard
from resources.fetcher.client import Client
from resources.fetcher.outbox import Outbox
from resources.fetcher.result import Fetched, Wanted
from resources.fetcher.run import Run
from resources.fetcher.settings import FetchSettings

TICK = 0.1
"""Seconds between looks at `should_stop`."""


def fetch_all(
    wanted: Iterable[Wanted],
    settings: FetchSettings,
    write: Callable[[Sequence[Fetched]], None],
    batch_items: int = 256,
    batch_bytes: int = 64 << 20,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Fetch every address politely; every attempt, those at robots.txt too, is handed to `write`.

    Held in memory are at most two batches, 1 MiB for each request that runs and 8 bodies of `max_bytes`, besides the
    addresses themselves.

    Args:
        wanted: addresses; each gets at least one attempt, unless the run is stopped.
        settings: of the run.
        write: takes batches, one at a time, in another thread; what it raises ends the run and is raised here.
        batch_items: attempts per batch.
        batch_bytes: bytes per batch.
        should_stop: asked ten times a second; once true, requests are dropped, what is finished is written, and the
            run ends.
    Raises:
        ValueError: a setting makes no sense.
    """
    guard = Guard(settings.allow_private, settings.allow_ports)
    asyncio.run(_fetch(wanted, settings, guard, Outbox(write, batch_items, batch_bytes), should_stop))


async def _fetch(
    wanted: Iterable[Wanted],
    settings: FetchSettings,
    guard: Guard,
    outbox: Outbox,
    should_stop: Callable[[], bool] | None,
) -> None:
    async with Client(settings, guard) as client:
        run = Run(settings, guard, client, outbox)
        writer = asyncio.create_task(outbox.run())
        feeder = asyncio.create_task(run.take_in(wanted))
        try:
            while not (run.finished.done() or writer.done() or (should_stop and should_stop())):
                await asyncio.wait({run.finished, writer}, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
        finally:
            feeder.cancel()
            await run.stop()
            outbox.close()
            await writer
        if run.finished.done():
            run.finished.result()
