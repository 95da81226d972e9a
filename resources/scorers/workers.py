"""Pictures worked on by a few threads, and never more of them in memory than that takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from PIL import Image


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
    waiting: deque[Future[float]] = deque()
    found: list[float] = []
    with ThreadPoolExecutor(threads, thread_name_prefix="scorer") as workers:
        for picture in pictures:
            waiting.append(workers.submit(score, picture))
            if len(waiting) > 2 * threads:
                found.append(waiting.popleft().result())
        found += [future.result() for future in waiting]
    return np.array(found, dtype=np.float32)
