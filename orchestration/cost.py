"""What a step's work costs: processor time, GPU time, bytes read from the home and written to it."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol


@dataclass(frozen=True)
class Cost:
    """What some work cost.

    Attributes:
        cpu_seconds: user and system time of this process, all its threads, and of its children that ended meanwhile.
        gpu_seconds: seconds of work in which this process held memory of a GPU, summed over GPUs; a step that held any
            is charged from its first second to its last.
        bytes_read: bytes of the home's files that were opened, whole files even where some columns were looked at.
        bytes_written: bytes of files put into the home.
    """

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            self.gpu_seconds + other.gpu_seconds,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
        )

    def as_dict(self) -> dict[str, float | int]:
        """Plain values, for JSON."""
        return asdict(self)


NAMES = tuple(field.name for field in fields(Cost))
"""The numbers of a cost, as columns of table `run`."""


def of_row(row: Mapping[str, Any]) -> Cost | None:
    """The cost that a ledger's row holds; None where it was written before there were any."""
    if any(row.get(name) is None for name in NAMES):
        return None
    return Cost(**{name: row[name] for name in NAMES})


class Counters(Protocol):
    """Bytes that a lake counts, as `resources.lake.Traffic` does."""

    read: int
    written: int


class Meter:
    """Counts from when it is made; `cost` is what has been spent since.

    What other threads of this process do meanwhile is counted, too: a process works on one step at a time.
    """

    def __init__(self, traffic: Counters) -> None:
        self._traffic = traffic
        _forget_gpu_peaks()
        self._begun = self._now()
        self._clock = time.perf_counter()

    @property
    def cost(self) -> Cost:
        """What was spent since the meter was made."""
        cpu, read, written = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        seconds = time.perf_counter() - self._clock
        return Cost(float(cpu), _gpus_held() * seconds, int(read), int(written))

    def _now(self) -> tuple[float, int, int]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used), self._traffic.read, self._traffic.written


@contextmanager
def metered(traffic: Counters) -> Iterator[list[Cost]]:
    """The cost of the block, in the list that it is given, once it ends."""
    meter, found = Meter(traffic), [Cost()]
    try:
        yield found
    finally:
        found[0] = meter.cost


def _cuda() -> Any:
    """torch.cuda, where this process has used it; torch is never imported for that."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_available() and cuda.is_initialized() else None


def _forget_gpu_peaks() -> None:
    """Let the highest memory so far be what is held now."""
    cuda = _cuda()
    for device in range(cuda.device_count() if cuda else 0):
        cuda.reset_peak_memory_stats(device)


def _gpus_held() -> int:
    """GPUs of which this process held memory since the peaks were forgotten."""
    cuda = _cuda()
    return sum(cuda.max_memory_allocated(device) > 0 for device in range(cuda.device_count() if cuda else 0))
