"""Pictures worked on by a few threads, and never more of them in memory than that takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from PIL import Image

T = TypeVar("T")


def check_threads(threads: int) -> int:
    """The number itself; raises ValueError if it is below 1."""
    if threads < 1:
        raise ValueError(f"threads is {threads}, but must be at least 1")
    return threads


def one_by_one(score: Callable[[Image.Image], float], pictures: Iterable[Image.Image], threads: int) -> np.ndarray:
    """Score pictures, taken from the iterable a few at a time.

    Returns:
        (n,) float32, in the order of the pictures.
    """
    return np.array(each(score, pictures, threads), dtype=np.float32)


def each(work: Callable[[Image.Image], T], pictures: Iterable[Image.Image], threads: int) -> list[T]:
    """What `work` makes of each picture, in their order; they are taken from the iterable a few at a time."""
    waiting: deque[Future[T]] = deque()
    found: list[T] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="scorer") as workers:
        for picture in pictures:
            waiting.append(workers.submit(work, picture))
            if len(waiting) > 2 * threads:
                found.append(waiting.popleft().result())
        found += [future.result() for future in waiting]
    return found
