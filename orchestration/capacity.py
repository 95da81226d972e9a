"""What each step asks of the machine it runs on: processors, graphics cards, memory; from the file WINNOW_RESOURCES names."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from orchestration.recipe import RecipeError

VARIABLE = "WINNOW_RESOURCES"

UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}  # fmt: skip
"""Units of memory as Kubernetes writes them."""


class CapacityError(RecipeError):
    """What the environment says of executors and resources cannot be used; the message says where, and what it may say."""


@dataclass(frozen=True)
class Needs:
    """What a step asks for.

    Attributes:
        cpus: processors, of which a part may be asked for.
        gpus: graphics cards.
        memory: bytes; None asks for no certain amount.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int | None = None


def needs_of(step_name: str) -> Needs:
    """What a step asks for: its own entry of the file over `default`, that over one processor; raises CapacityError."""
    path, entries = _entries()
    return _needs(path, step_name if step_name in entries else "default", entries)


def check_names(steps: Collection[str]) -> None:
    """Raise CapacityError where the file has an entry that is wrong, or is of none of these steps."""
    path, entries = _entries()
    for name in entries:
        if name != "default" and name not in steps:
            close = get_close_matches(str(name), steps, n=1)
            raise CapacityError(f"{path}: {name!r} is no step{f'; did you mean {close[0]!r}?' if close else ''}")
        _needs(path, name, entries)


def whole_number(variable: str, default: int) -> int:
    """A whole number above 0 from the environment; raises CapacityError where something else is there."""
    written = os.environ.get(variable, "")
    if not written:
        return default
    if not written.isascii() or not written.isdigit() or int(written) == 0:
        raise CapacityError(f"{variable} is {written!r}, but it must be a whole number of 1 or more")
    return int(written)


def _entries() -> tuple[str, dict[str, dict[str, Any]]]:
    """The file's name and its entries; none where no file is named."""
    path = os.environ.get(VARIABLE, "")
    if not path:
        return path, {}
    try:
        read = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CapacityError(f"{VARIABLE} names {path}, which cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CapacityError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if read is None:
        return path, {}
    if not isinstance(read, dict) or not all(isinstance(entry, dict) for entry in read.values()):
        raise CapacityError(f"{path}: it must be `default` and names of steps, each with some of cpus, gpus and memory")
    return path, read


def _needs(path: str, name: str, entries: Mapping[str, dict[str, Any]]) -> Needs:
    asked = {"cpus": 1, "gpus": 0, "memory": None, **entries.get("default", {}), **entries.get(name, {})}
    unknown = set(asked) - {"cpus", "gpus", "memory"}
    if unknown:
        raise CapacityError(f"{path}: {name}.{min(map(str, unknown))} is no field; there are cpus, gpus and memory")
    cpus, gpus = (_number(path, f"{name}.{field}", asked[field]) for field in ("cpus", "gpus"))
    if cpus == 0:
        raise CapacityError(f"{path}: {name}.cpus is 0, but every step needs some of a processor, e.g. 0.5")
    return Needs(cpus, gpus, None if asked["memory"] is None else _bytes(path, f"{name}.memory", asked["memory"]))


def _number(path: str, field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise CapacityError(f"{path}: {field} is {value!r}, but it must be a number of 0 or more")
    return float(value)


def _bytes(path: str, field: str, value: Any) -> int:
    found = None if isinstance(value, bool) else re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?", str(value))
    size = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
    if size <= 0:
        raise CapacityError(f"{path}: {field} is {value!r}, but it must be bytes, or a size such as 8Gi or 500Mi")
    return size
