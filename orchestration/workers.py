"""Who computes the shards of a step: this process, one after the other, or the workers of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestration.cost import Cost, Meter
from orchestration.plan import Build, Outcome, Step
from orchestration.registry import Shard

VARIABLE = "WINNOW_RAY_ADDRESS"
"""Names the Ray cluster whose workers compute shards: `auto`, `host:port` or `ray://host:port`. Without it nobody helps."""

Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""A function of this project over items: results in the order of the items, of which only some are held at a time."""


@dataclass(frozen=True)
class Failure:
    """A shard that did not end well: why, and what it cost until then."""

    error: Exception
    cost: Cost = Cost()


Done = tuple[Shard | None, Outcome | Failure]
"""A shard and what became of it."""


def attempt(build: Build, step: Step, shard: Shard | None) -> Outcome | Failure:
    """Run a step for a shard in this process."""
    meter = Meter(build.lake.traffic)
    try:
        return build.run(step, shard)
    except Exception as error:
        return Failure(error, meter.cost)


class Team(Protocol):
    """Whoever computes."""

    def run(self, build: Build, step: Step, shards: Sequence[Shard | None]) -> Iterator[Done]:
        """Run a step for some shards, as they are done; nothing is begun after one that failed, which comes last."""

    def spread(self, step: str) -> Spread | None:
        """What hands items to workers with what a step asks for; None where there are none but this process."""


class Alone:
    """This process."""

    def run(self, build: Build, step: Step, shards: Sequence[Shard | None]) -> Iterator[Done]:
        """Run a step for some shards, one after the other."""
        for shard in shards:
            yield shard, (result := attempt(build, step, shard))
            if isinstance(result, Failure):
                return

    def spread(self, step: str) -> None:
        """Nobody to hand anything to."""
        return


def chosen() -> Team:
    """The workers of the Ray cluster that WINNOW_RAY_ADDRESS names; this process where it names none."""
    address = os.environ.get(VARIABLE)
    if not address:
        return Alone()
    from orchestration.ray_workers import connect

    return connect(address)
