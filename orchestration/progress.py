"""Progress of long work: silent unless somebody listens (`winnow build` does)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from orchestration.plan import Outcome

Item = TypeVar("Item")


class Listener(Protocol):
    """Who is told about progress."""

    def start(self, group: str, name: str, total: int) -> None:
        """A step begins, for so many shards."""

    def finished(self, outcome: Outcome) -> None:
        """A shard of the step is done."""


_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` about progress inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def track(items: Sequence[Item], group: str, name: str) -> Iterator[Item]:
    """The items one by one, having said how many there are."""
    for listener in _listeners:
        listener.start(group, name, len(items))
    yield from items


def finished(outcome: Outcome) -> None:
    """Say that one item is done."""
    for listener in _listeners:
        listener.finished(outcome)
