"""Prompt templates for fusion: files with a hash, filled with texts that nobody may trust.

The web text can say anything, also to a model. Before it enters a prompt it loses what could pass for a part of the
prompt: control and invisible characters, brackets and quotation marks that delimit, names of speakers with a colon; and
it is cut to a bounded length. The gates do the rest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from assets.captions import words

FUSION = Path(__file__).with_name("prompts") / "fusion-v1.txt"
_TURN = re.compile(r"^\[(system|user|assistant)\]$", re.MULTILINE)
_SLOT = re.compile(r"\{(alt|synthetic)\}")
_SPEAKER = re.compile(
    r"\b(system|assistant|user|human|developer|tool|label|guess|notes?|instructions?|answer|prompt|output|response|caption|task)"
    r"\s*['’]*\s*[:=\u02d0\u2236\ua789]",
    re.IGNORECASE,
)
_INSTEAD = str.maketrans(
    {**dict.fromkeys("<[{", "("), **dict.fromkeys(">]}", ")"), **dict.fromkeys('«»‹›"“”„`', "'")}
    | {**dict.fromkeys("|\\", "/"), **dict.fromkeys("#*~", " ")}
)


@dataclass(frozen=True)
class Prompt:
    """A template: turns with the slots `{alt}` and `{synthetic}`.

    Attributes:
        name: name of the file.
        sha256: hash of its bytes.
        turns: (role, text) in order.
    """

    name: str
    sha256: bytes
    turns: tuple[tuple[str, str], ...]

    @property
    def examples(self) -> str:
        """The answers that its examples give."""
        return "\n".join(text for role, text in self.turns if role == "assistant")

    @property
    def wording(self) -> str:
        """Everything the template says by itself, examples included."""
        return "\n".join(_SLOT.sub("", text) for _, text in self.turns)


def load_prompt(path: Path = FUSION) -> Prompt:
    """A template from a file of turns, each headed by `[system]`, `[user]` or `[assistant]`.

    Raises ValueError unless both slots stand exactly once and the last turn is the user's.
    """
    data = path.read_bytes()
    _, *parts = _TURN.split(data.decode("utf-8").replace("\r\n", "\n"))
    turns = tuple((role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))
    if not turns:
        raise ValueError(f"prompt {path.name}: no turn; a line [system], [user] or [assistant] begins one")
    slots = sorted(_SLOT.findall("\n".join(text for _, text in turns)))
    if slots != ["alt", "synthetic"] or turns[-1][0] != "user":
        raise ValueError(f"prompt {path.name}: needs {{alt}} and {{synthetic}} once each, and a user's turn at the end")
    return Prompt(path.name, hashlib.sha256(data).digest(), turns)


def fill(prompt: Prompt, alt: str, synthetic: str, max_alt_bytes: int = 320) -> tuple[tuple[str, str], ...]:
    """The conversation for one sample, with both texts made harmless; the web text's tail is cut."""
    texts = {"alt": harmless(alt, max_alt_bytes), "synthetic": harmless(synthetic, max_alt_bytes)}
    return tuple((role, _SLOT.sub(lambda slot: texts[slot.group(1)], text)) for role, text in prompt.turns)


def harmless(text: str, max_bytes: int) -> str:
    """A text on one line that cannot close its quotation or speak in another role, at most `max_bytes` of UTF-8
    long."""
    # What is cut away below need not be cleaned; four times the length leaves room for what cleaning removes.
    text = words.clean(text[: 4 * max_bytes]).translate(_INSTEAD)
    text = _SPEAKER.sub(r"\1 -", text)
    return shorten(" ".join(text.split()), max_bytes)


def shorten(text: str, max_bytes: int) -> str:
    """The beginning of a text, at most so long in UTF-8, cut at a space where there is one in its second half."""
    data = text.encode("utf-8")
    if len(data) <= max_bytes:
        return text
    cut = data[:max_bytes].decode("utf-8", errors="ignore")
    space = cut.rfind(" ")
    return (cut[:space] if space >= len(cut) // 2 else cut).rstrip()
