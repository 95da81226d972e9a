"""What every kit is made of: a check looks at one thing and says whether it holds, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Case = TypeVar("Case")

Answer = tuple[bool, str]
"""Whether a check holds, and a sentence: what was found, or what is wrong."""

Check = Callable[[Case], Answer]
"""A question about a case, named by what must hold; the first line of its docstring is the question."""


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes:
        check: name of the check.
        holds: whether it holds.
        sentence: what was found, or what is wrong.
    """

    check: str
    holds: bool
    sentence: str


def judge(check: Check[Case], case: Case) -> Result:
    """Carry out one check. What it raises is what is wrong: a check that cannot be carried out does not hold."""
    try:
        holds, sentence = check(case)
    except Exception as error:
        holds, sentence = False, f"raises {type(error).__name__}: {' '.join(str(error).split())[:300] or 'no message'}"
    return Result(check.__name__, holds, sentence)


def results(checks: Sequence[Check[Case]], case: Case) -> Iterator[Result]:
    """Carry out a kit, check by check. Its first check says that there is something to look at; without that no other is
    carried out."""
    for place, check in enumerate(checks):
        found = judge(check, case)
        yield found
        if place == 0 and not found.holds:
            return
