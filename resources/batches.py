"""Groups of rows, and work that goes on in threads while the model computes; neither ever changes what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items in order; the last one may be shorter."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order, made by one thread that runs at most `depth` items ahead.

    What the thread raises is raised here, after the items made before it. A reader that stops early stops the thread.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        waiting = deque(pool.submit(next, source, end) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, source, end))
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()


def in_order(work: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """`work` of every item, in the items' order, by several threads that run at most 2 items each ahead.

    What `work` raises is raised here, after the results before it. A reader that stops early stops the threads.

    Args:
        work: called by several threads at once.
        items: read by the caller's thread.
        threads: how many; 1 or more.
    """
    source = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="in-order") as pool:
        waiting = deque(pool.submit(work, item) for item in islice(source, 2 * threads))
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(source, 1))
                yield done
        finally:
            for future in waiting:
                future.cancel()


def one_behind(begun: Iterable[tuple[S, Callable[[], T]]]) -> Iterator[tuple[S, T]]:
    """Name and answer of each piece of work, in order; an answer is asked for once the next piece has been begun.

    So a device that computes on its own is never without work while the last answer is copied and stored.
    """
    last: tuple[S, Callable[[], T]] | None = None
    for piece in begun:
        if last is not None:
            yield last[0], last[1]()
        last = piece
    if last is not None:
        yield last[0], last[1]()
