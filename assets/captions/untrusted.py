"""Texts that nobody may trust, made harmless before they enter a prompt.

A text of the web, or one that was read in a picture, can say anything, also to a model. Before it enters a prompt it
loses what could pass for a part of the prompt: control and invisible characters, brackets and quotation marks that
delimit, names of speakers with a colon; and it is cut to a bounded length. The gates do the rest.
"""

from __future__ import annotations

import re

from assets.captions import words

_SPEAKER = re.compile(
    r"\b(system|assistant|user|human|developer|tool|label|guess|notes?|instructions?|answer|prompt|output|response|caption|task)"
    r"\s*['’]*\s*[:=\u02d0\u2236\ua789]",
    re.IGNORECASE,
)
_INSTEAD = str.maketrans(
    {**dict.fromkeys("<[{", "("), **dict.fromkeys(">]}", ")"), **dict.fromkeys('«»‹›"“”„`', "'")}
    | {**dict.fromkeys("|\\", "/"), **dict.fromkeys("#*~", " ")}
)


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
