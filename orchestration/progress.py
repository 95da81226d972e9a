"""Progress of long work: silent unless somebody listens (`winnow build` does)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from orchestration.plan import Outcome


class Listener(Protocol):
    """Who is told about progress."""

    def start(self, group: str, name: str, total: int) -> None:
        """A step begins, for so many shards."""

    def finished(self, outcome: Outcome) -> None:
        """A shard of the step is done."""

    def said(self, name: str, text: str) -> None:
        """A step says how far it is, in a few words."""


_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` about progress inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def begin(group: str, name: str, total: int) -> None:
    """Say that a step begins, for so many shards."""
    for listener in _listeners:
        listener.start(group, name, total)


def say(name: str, text: str) -> None:
    """Say how far a step is; where nobody listens, on the error stream, which Dagster keeps with the run."""
    for listener in _listeners:
        listener.said(name, text)
    if not _listeners:
        print(f"{name}: {text}", file=sys.stderr, flush=True)


def finished(outcome: Outcome) -> None:
    """Say that one item is done."""
    for listener in _listeners:
        listener.finished(outcome)
