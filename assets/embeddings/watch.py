"""How fast a shard's vectors are made: what is said while it runs, and what stands on its page afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable

from assets.embeddings.embed import Done

EVERY = 5.0
"""Seconds between two sentences about the same work."""


class Watch:
    """Listens to `embed_shard`, says how far it is, and adds up.

    Times are for people: they stand on the asset's page and in the log, never in a table.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`say` gets a few words every few seconds; `clock` counts seconds."""
        self._say, self._clock = say, clock
        self._said = clock()
        self._last: dict[str, Done] = {}
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def tell(self, done: Done) -> None:
        """Take note of how far it is."""
        now = self._clock()
        self._begun.setdefault(done.what, now)
        self._last[done.what] = done
        self._ended[done.what] = now
        if done.done and now - self._said >= EVERY:
            self._said = now
            self._say(f"{done.done} of {done.total} {done.what}, {self._speed(done.what):.3g} a second")

    def notes(self) -> dict[str, float | str]:
        """For images, concept images and texts: how many were computed, how many were there, and how many a second.

        The time of loading a model counts, where that happened; two encoders' pictures share theirs.
        """
        found: dict[str, float | str] = {}
        for what, done in self._last.items():
            found[f"{what} encoded"] = done.done
            found[f"{what} from earlier builds"] = done.cached
            if done.done:
                found[f"{what} per second"] = round(self._speed(what), 2)
        return found

    def _speed(self, what: str) -> float:
        return self._last[what].done / max(self._ended[what] - self._begun[what], 1e-9)
