"""Finished attempts on their way to the writer: in batches, one at a time, outside the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from resources.fetcher.result import Fetched

Write = Callable[[Sequence[Fetched]], None]
MAX_AGE = 60.0
"""Seconds after which a batch is written although it is not full."""


class Outbox:
    """A queue with a bound on items and bytes.

    Args:
        write: takes a batch; called in one thread of its own.
        batch_items: items per batch.
        batch_bytes: bytes per batch; a larger item goes alone.

    Attributes:
        emptied: called in the loop when a batch has been taken, and when it has been written.
    """

    def __init__(self, write: Write, batch_items: int, batch_bytes: int) -> None:
        self._write = write
        self.emptied: Callable[[], None] = lambda: None
        self._batch_items, self._batch_bytes = batch_items, batch_bytes
        self._waiting: deque[Fetched] = deque()
        self._bytes = 0
        self._due = asyncio.Event()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether a whole batch waits, so that nothing more should be started."""
        return len(self._waiting) >= self._batch_items or self._bytes >= self._batch_bytes

    def put(self, fetched: Fetched) -> None:
        """Hand over one item; never waits."""
        self._waiting.append(fetched)
        self._bytes += fetched.size
        if self.full:
            self._due.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._due.set()

    async def run(self) -> None:
        """Write until closed and empty; raises what `write` raises."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "write") as thread:
            while self._waiting or not self._closed:
                if not self.full and not self._closed:
                    self._due.clear()
                    try:
                        async with asyncio.timeout(MAX_AGE):
                            await self._due.wait()
                    except TimeoutError:
                        pass
                batch = self._batch()
                if batch:
                    self.emptied()
                    await loop.run_in_executor(thread, self._write, batch)
                    del batch
                    self.emptied()

    def _batch(self) -> list[Fetched]:
        batch: list[Fetched] = []
        size = 0
        while self._waiting and len(batch) < self._batch_items:
            size += self._waiting[0].size
            if batch and size > self._batch_bytes:
                break
            batch.append(self._waiting.popleft())
            self._bytes -= batch[-1].size
        return batch
