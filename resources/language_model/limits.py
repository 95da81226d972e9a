"""Limits of an endpoint: how many requests and tokens a minute, how long to wait after a failure, how much to spend."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


class Pace:
    """So many units a minute, evenly: no more at once than a second's worth, or one."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = None if per_minute is None else per_minute / 60
        self._clock = clock
        self._free_at = 0.0

    def wait(self, units: float) -> float:
        """Seconds until so many units may be used; they are used from then on."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        # What was not used is kept for a second at most.
        start = max(self._free_at, now - max(1.0, 1.0 / self._rate))
        self._free_at = start + units / self._rate
        return max(0.0, self._free_at - now)

    def correct(self, units: float) -> None:
        """Units that were used beyond those waited for; negative for fewer."""
        if self._rate is not None:
            self._free_at += units / self._rate


class Budget:
    """Money of a run: what requests under way may cost is set aside until they have ended.

    An endpoint adds to a prompt what nobody outside can count, so no less is set aside than the dearest request so far
    came to. Only the first requests, which are under way before any has ended, may go beyond it.
    """

    def __init__(self, most: float | None) -> None:
        self._most = most
        self.spent = 0.0
        self._reserved = 0.0
        self._dearest = 0.0

    def reserve(self, cost: float) -> bool:
        """Set an amount aside; False where the run may not spend it."""
        likely = max(cost, self._dearest)
        if self._most is not None and self.spent + self._reserved + likely > self._most:
            return False
        self._reserved += cost
        return True

    def settle(self, reserved: float, cost: float) -> None:
        """What was set aside is free again, what it came to is spent."""
        self._reserved -= reserved
        self.spent += cost
        self._dearest = max(self._dearest, cost)


class Gate:
    """Holds all requests back until a moment that the endpoint named."""

    def __init__(self) -> None:
        self._open_at = 0.0

    def close(self, seconds: float) -> None:
        """Hold back for so long at least."""
        self._open_at = max(self._open_at, time.monotonic() + seconds)

    async def passed(self) -> None:
        """Wait until it is open."""
        while (left := self._open_at - time.monotonic()) > 0:
            await asyncio.sleep(left)


def back_off(name: str, attempt: int, base: float, most: float) -> float:
    """Seconds to wait after the attempt-th failure: doubled each time, between half and all of it by the name's hash."""
    digest = hashlib.blake2b(f"{name} {attempt}".encode(), digest_size=4).digest()
    share = 0.5 + 0.5 * int.from_bytes(digest, "little") / 2**32
    return float(min(most, base * 2 ** (attempt - 1)) * share)


def retry_after(value: str | None, most: float) -> float | None:
    """Seconds that a header Retry-After asks for, a number or a date, at most `most`; None where it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), most) if seconds == seconds else None
