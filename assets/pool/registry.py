"""The registry of filters: each under the name that recipes use and that its drops carry as their reason."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from assets.provenance.decisions import Decision

Filter = Callable[..., Decision]
"""A batch and limits by name -> what the filter says of each row."""

TEXT_SCORERS = ("language", "profanity")
PICTURE_SCORERS = ("nsfw", "watermark_text")
"""Scorers that look at pictures, the cheaper one first; the others cost next to nothing beside them."""
FREQUENCIES = ("text_images", "image_texts", "text_samples", "rare_tokens")
"""Counts over the whole pool."""
VECTORS = ("similarity", "rank")
"""Numbers that need vectors of picture and text; the pool has none, so their filters decide after it."""
NEEDS = (*TEXT_SCORERS, *PICTURE_SCORERS, *FREQUENCIES, *VECTORS)


@dataclass(frozen=True)
class Between:
    """Numbers that a limit may have: `low` to `high`, both included.

    Attributes:
        low: least.
        high: greatest.
        above: True where `low` itself is not allowed.
        whole: True where only whole numbers are.
        optional: True where the limit may be missing.
    """

    low: float = 0.0
    high: float = math.inf
    above: bool = False
    whole: bool = False
    optional: bool = False

    def refuse(self, value: Any) -> str | None:
        """What is wrong with a value; None if nothing is."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            return "must be a number"
        if self.above and value <= self.low:
            return f"must be above {self.low:g}"
        if not self.low <= value <= self.high:
            wanted = f"at least {self.low:g}" if self.high == math.inf else f"between {self.low:g} and {self.high:g}"
            return f"must be {wanted}"
        if self.whole and not float(value).is_integer():
            return "must be a whole number"
        return None


@dataclass(frozen=True)
class OneOf:
    """Words, or True and False, that a setting may have."""

    values: tuple[Any, ...]

    def refuse(self, value: Any) -> str | None:
        """What is wrong with a value; None if nothing is."""
        # 1 == True: the type has to be looked at too.
        if any(value == known and type(value) is type(known) for known in self.values):
            return None
        return f"must be one of {', '.join(map(str, self.values))}"


Allowed = Between | OneOf


@dataclass(frozen=True)
class Registered:
    """A filter and what is known of it.

    Attributes:
        name: reason of its drops.
        question: first line of its docstring.
        source: publication of the rule and of its default limit.
        measure: what its number is called in table `score`; filters that ask about one number share it.
        needs: one of `NEEDS`, whose columns it reads; None if the sample's own columns are enough.
        defaults: its limits and their defaults.
        allowed: values that each limit may have.
        one_of: limits of which exactly one is a number, the others None.
        apply: the function.
    """

    name: str
    question: str
    source: str
    measure: str
    needs: str | None
    defaults: Mapping[str, Any]
    allowed: Mapping[str, Allowed]
    one_of: tuple[str, ...]
    apply: Filter

    def limits(self, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults, changed by what is given; raises ValueError, naming the key, for what it does not know or allow."""
        for name, value in given.items():
            if name not in self.defaults:
                raise ValueError(unknown(key, name, self.defaults))
            if problem := self.allowed[name].refuse(value):
                raise ValueError(f"{key}.{name} is {value!r}, but {problem}")
        limits = {**self.defaults, **{name: self._plain(name, value) for name, value in given.items()}}
        if self.one_of and sum(limits[name] is not None for name in self.one_of) != 1:
            found = ", ".join(f"{name}: {limits[name]}" for name in self.one_of)
            raise ValueError(f"{key}: give one of {' and '.join(self.one_of)} and set the rest to null, not {found}")
        return limits

    def _plain(self, name: str, value: Any) -> Any:
        """A whole number as an int: recipes may read 8 as 8.0."""
        allowed = self.allowed[name]
        return int(value) if isinstance(allowed, Between) and allowed.whole and value is not None else value


FILTERS: dict[str, Registered] = {}
"""Every filter, by name."""


def pool_filter(
    name: str,
    source: str,
    measure: str | None = None,
    needs: str | None = None,
    one_of: tuple[str, ...] = (),
    **allowed: Allowed,
) -> Callable[[Filter], Filter]:
    """Register a filter under a name.

    Args:
        name: what recipes call it, and the reason of its drops.
        source: where the rule and its default limit come from.
        measure: name of its number in table `score`; without one the filter's own name.
        needs: what it depends on, one of `NEEDS`.
        one_of: limits of which exactly one must be given.
        allowed: values of its limits; a limit that is not listed may be any number from 0.

    Raises:
        ValueError: if the name is taken, nothing of that sort can be needed, or the function has no question in its
            docstring.
    """

    def register(function: Filter) -> Filter:
        if name in FILTERS:
            raise ValueError(f"two pool filters are called {name!r}")
        if needs is not None and needs not in NEEDS:
            raise ValueError(f"pool filter {name!r} needs {needs!r}, but only {', '.join(NEEDS)} can be had")
        question = (function.__doc__ or "").strip().partition("\n")[0]
        if not question:
            raise ValueError(f"pool filter {name!r}: the first line of its docstring must say what it drops")
        parameters = inspect.signature(function).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
        limits = {**dict.fromkeys(defaults, Between()), **allowed}
        FILTERS[name] = Registered(name, question, source, measure or name, needs, defaults, limits, one_of, function)
        return function

    return register


def unknown(key: str, name: str, known: Collection[str]) -> str:
    """A sentence: the name under this key is not known; what may be meant, and what is known."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{key}: {name!r} is not known; {hint}known are {', '.join(sorted(known)) or 'none'}"
