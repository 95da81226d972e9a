"""Prompt templates: files of turns with a hash, whose slots are filled with texts that nobody may trust."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from upath import UPath

from assets.captions.untrusted import harmless

FOLDER = Path(__file__).with_name("prompts")
_TURN = re.compile(r"^\[(system|user|assistant)\]$", re.MULTILINE)
_SLOT = re.compile(r"\{([a-z_]+)\}")

FUSION_SLOTS = frozenset({"alt", "synthetic"})
CAPTION_SLOTS = frozenset({"least", "most"})
HINT_SLOTS = frozenset({"tags", "text", "people"})


@dataclass(frozen=True)
class Prompt:
    """A template: turns with slots such as `{alt}`.

    Attributes:
        name: name of the file.
        sha256: hash of its bytes.
        turns: (role, text) in order.
    """

    name: str
    sha256: bytes
    turns: tuple[tuple[str, str], ...]

    @cached_property
    def examples(self) -> str:
        """The answers that its examples give."""
        return "\n".join(text for role, text in self.turns if role == "assistant")

    @cached_property
    def wording(self) -> str:
        """Everything the template says by itself, examples included."""
        return "\n".join(_SLOT.sub("", text) for _, text in self.turns)

    @cached_property
    def slots(self) -> frozenset[str]:
        """Names of its slots."""
        return frozenset(name for _, text in self.turns for name in _SLOT.findall(text))


def parse_prompt(name: str, text: str, needed: Collection[str] = FUSION_SLOTS, allowed: Collection[str] = ()) -> Prompt:
    """A template from a text of turns, each headed by a line `[system]`, `[user]` or `[assistant]`.

    Raises ValueError unless every needed slot stands exactly once, no unknown one stands anywhere, and the last turn is
    the user's.
    """
    _, *parts = _TURN.split(text.replace("\r\n", "\n"))
    turns = tuple((role, turn.strip()) for role, turn in zip(parts[::2], parts[1::2], strict=True))
    if not turns:
        raise ValueError(f"prompt {name}: no turn; a line [system], [user] or [assistant] begins one")
    found = [slot for _, turn in turns for slot in _SLOT.findall(turn)]
    wrong = sorted(set(found) - set(needed) - set(allowed))
    if any(found.count(slot) != 1 for slot in needed) or wrong or turns[-1][0] != "user":
        listed = ", ".join(f"{{{slot}}}" for slot in sorted(needed))
        unknown = f"; it has no use for {{{wrong[0]}}}" if wrong else ""
        raise ValueError(f"prompt {name}: needs {listed} once each, and a user's turn at the end{unknown}")
    return Prompt(name, hashlib.sha256(text.encode()).digest(), turns)


def prompt_text(name: str, folder: Path | UPath | None = None) -> str:
    """Text of a template that ships with Winnow, by its name, or of a file. Raises ValueError naming what is missing."""
    shipped = FOLDER / f"{name}.txt"
    path = shipped if re.fullmatch(r"[a-z0-9+-]+", name) and shipped.is_file() else (folder or Path()) / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.txt")))
        raise ValueError(f"prompt {name}: no such template and no such file; templates: {known}") from None


def fill(prompt: Prompt, texts: Mapping[str, str | None], max_bytes: int = 320) -> tuple[tuple[str, str], ...]:
    """The conversation for one sample, with its texts made harmless and their tails cut.

    A line whose slot has no text is left out.
    """
    safe = {slot: harmless(text, max_bytes) for slot, text in texts.items() if text and slot in prompt.slots}
    return tuple((role, _filled(turn, safe)) for role, turn in prompt.turns)


def _filled(turn: str, safe: Mapping[str, str]) -> str:
    lines = [line for line in turn.split("\n") if all(slot in safe for slot in _SLOT.findall(line))]
    return _SLOT.sub(lambda slot: safe[slot.group(1)], "\n".join(lines))
