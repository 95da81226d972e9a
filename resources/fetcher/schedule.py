"""Whose turn it is: domains in turn, each at its own pace, none waiting for another."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from resources.fetcher.addresses import Target
from resources.fetcher.result import Exchange, Kind, Wanted
from resources.fetcher.settings import FetchSettings

CATCH_UP = 0.05
"""Seconds of the global rate that may be caught up on after the loop was busy."""


@dataclass(slots=True)
class Job:
    """An address on its way: at which hop of which attempt it is.

    Attributes:
        kind: image or robots.
        url: address as wanted.
        target: its normal form, later the hop that is next; None where it has none.
        number: of the attempt, earlier runs included.
        tries: attempts made before this one in this run.
        exchanges: answers of the hops before.
        seconds: spent on requests of this attempt.
        started_at: of this attempt's first request.
        parked: bytes of answers counted while it waits for its next hop.
    """

    kind: Kind
    url: str
    target: Target | None
    number: int
    tries: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    seconds: float = 0.0
    started_at: datetime | None = None
    parked: int = 0
    _first: Target | None = field(init=False)

    def __post_init__(self) -> None:
        """Remember where it began."""
        self._first = self.target

    @property
    def at(self) -> Target:
        """The hop that is next."""
        assert self.target is not None
        return self.target

    @property
    def first(self) -> Target:
        """The hop it began at."""
        assert self._first is not None
        return self._first

    @property
    def size(self) -> int:
        """Bytes of answers it has met."""
        return sum(len(exchange.header_bytes) + len(exchange.body) for exchange in self.exchanges)

    def restart(self) -> None:
        """Begin the next attempt, from the address as wanted."""
        self.target, self.number, self.tries = self._first, self.number + 1, self.tries + 1
        self.exchanges, self.seconds, self.started_at = [], 0.0, None


@dataclass(slots=True)
class Domain:
    """A registrable domain and what waits for it.

    Attributes:
        name: the domain.
        delay: seconds between starts.
        fresh: addresses not yet looked at.
        ready: jobs under way, which come first.
        active: requests that run.
        not_before: loop time of the next start.
        streak: attempts in a row that reached nobody.
        given_up: left alone for the rest of the run.
        listed: stands in the schedule's heap.
    """

    name: str
    delay: float
    fresh: deque[Wanted] = field(default_factory=deque)
    ready: deque[Job] = field(default_factory=deque)
    active: int = 0
    not_before: float = 0.0
    streak: int = 0
    given_up: bool = False
    listed: bool = False


class Schedule:
    """Domains with work, by the time of their next start; times are the loop's, in seconds."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._domains: dict[str, Domain] = {}
        self._heap: list[tuple[float, int, Domain]] = []
        self._later: list[tuple[float, int, Job]] = []
        self._serial = count()
        self._next_start = 0.0
        self.active = 0

    def domain(self, name: str) -> Domain:
        """The domain of this name."""
        found = self._domains.get(name)
        if found is None:
            found = self._domains[name] = Domain(name, self._settings.delay)
        return found

    def add(self, wanted: Wanted, domain: Domain) -> None:
        """Queue an address."""
        domain.fresh.append(wanted)
        self.list(domain)

    def push(self, job: Job) -> None:
        """Queue a job for its next hop, ahead of fresh addresses."""
        domain = self.domain(job.at.domain)
        domain.ready.append(job)
        self.list(domain)

    def push_later(self, job: Job, at: float) -> None:
        """Queue a job once that time has come."""
        heapq.heappush(self._later, (at, next(self._serial), job))

    def list(self, domain: Domain) -> None:
        """Have a domain take part, if it has work and may start another request."""
        has_work = bool(domain.ready or domain.fresh)
        if has_work and not domain.listed and domain.active < self._settings.per_domain:
            domain.listed = True
            heapq.heappush(self._heap, (domain.not_before, next(self._serial), domain))

    def next_domain(self, now: float) -> Domain | None:
        """A domain that may start a request now, taken off the list; None where all have to wait."""
        while self._later and self._later[0][0] <= now:
            self.push(heapq.heappop(self._later)[2])
        if self.active >= self._settings.concurrency or self._next_start > now:
            return None
        while self._heap and self._heap[0][0] <= now:
            _, _, domain = heapq.heappop(self._heap)
            domain.listed = False
            if domain.not_before <= now and (domain.ready or domain.fresh):
                return domain
            self.list(domain)
        return None

    def wake_at(self) -> float | None:
        """When to look again, if nothing ends before."""
        times = [self._later[0][0]] if self._later else []
        if self._heap and self.active < self._settings.concurrency:
            times.append(max(self._heap[0][0], self._next_start))
        return min(times, default=None)

    def started(self, domain: Domain, now: float) -> None:
        """Count a request in."""
        self.active += 1
        domain.active += 1
        domain.not_before = max(domain.not_before, now + domain.delay)
        self._next_start = max(self._next_start, now - CATCH_UP) + 1 / self._settings.rate

    def ended(self, domain: Domain) -> None:
        """Count a request out."""
        self.active -= 1
        domain.active -= 1
        self.list(domain)
