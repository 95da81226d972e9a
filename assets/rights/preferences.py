"""Vocabularies of opt-outs: what a value of each protocol says about which usage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import http_sf
from http_sf import StructuredFieldError, Token

RESERVED, ALLOWED, CONDITIONAL, UNKNOWN = "reserved", "allowed", "conditional", "unknown"
Preference = tuple[str, str]
"""(usage, decision)."""

MAX_FIELD = 16 * 1024

USAGE_LABELS = {"train-ai": "ai_train", "search": "search"}
"""Vocabulary of draft-ietf-aipref-vocab as of December 2025."""

LEGACY_LABELS = {
    "tdm": "tdm", "all": "tdm", "bots": "tdm", "ai": "ai_train", "genai": "ai_gen_train", "train-genai": "ai_gen_train",
    "inference": "ai_input", "ai-output": "ai_input", "ai-input": "ai_input", "ai-train": "ai_train",
}  # fmt: skip
"""Labels of earlier drafts."""

_YES_NO = {"n": RESERVED, "y": ALLOWED}


def content_usage(value: str) -> tuple[list[Preference], list[Preference]]:
    """Preferences of a Content-Usage value, of current and of legacy labels.

    A structured-field dictionary (RFC 9651): a value that does not parse says nothing (`unknown`), as does any member
    but the tokens y and n; the last of equal keys counts.
    """
    try:
        members: Any = http_sf.parse(value[:MAX_FIELD].encode("latin-1", "replace"), tltype="dictionary")
    except (StructuredFieldError, RecursionError):
        return [("ai_train", UNKNOWN)], []
    current: list[Preference] = []
    legacy: list[Preference] = []
    for key, (item, _) in members.items():
        said = _YES_NO.get(str(item), UNKNOWN) if isinstance(item, Token) else UNKNOWN
        if key in USAGE_LABELS:
            current.append((USAGE_LABELS[key], said))
        elif key in LEGACY_LABELS:
            legacy.append((LEGACY_LABELS[key], said))
    return current, legacy


_SIGNALS = {"ai-train": "ai_train", "ai-input": "ai_input", "search": "search", "use": "tdm"}


def content_signal(value: str) -> list[Preference]:
    """Preferences of a Content-Signal line: `search=yes, ai-train=no`; a repeated key is read restrictively."""
    said: dict[str, str] = {}
    for part in value[:MAX_FIELD].lower().split(","):
        key, _, answer = (piece.strip() for piece in part.partition("="))
        usage = _SIGNALS.get(key)
        if usage:
            decision = {"no": RESERVED, "yes": ALLOWED}.get(answer, UNKNOWN)
            said[usage] = RESERVED if said.get(usage) == RESERVED else decision
    return sorted(said.items())


_VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_OPT_OUTS = {"noai", "noimageai"}


def robots_directives(values: Iterable[str], agents: frozenset[str]) -> set[str]:
    """Opt-outs (`noai`, `noimageai`) that bind us in X-Robots-Tag headers or robots meta elements.

    A name and a colon address what follows, up to the next name, to one agent; directives that take a value are no
    names. Case does not matter.

    Args:
        agents: lower-case names of agents whose rules count, besides everybody's.
    """
    found: set[str] = set()
    for value in values:
        binds = True
        for part in value[:MAX_FIELD].lower().split(","):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            if colon and re.fullmatch(r"[\w*-]+", name) and name not in _VALUED:
                binds = name == "*" or name in agents
                part = rest
            if binds:
                found |= _OPT_OUTS & set(part.split())
    return found


def tdm_reservation(value: object) -> str | None:
    """Decision of a tdm-reservation value: 1 reserved, 0 allowed; anything else is an error and says nothing (None)."""
    if isinstance(value, bool):
        return None
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    return {"1": RESERVED, "0": ALLOWED}.get(text)


_PLUS = {
    "DMI-UNSPECIFIED": ("tdm", UNKNOWN),
    "DMI-ALLOWED": ("tdm", ALLOWED),
    "DMI-PROHIBITED": ("tdm", RESERVED),
    "DMI-PROHIBITED-AIMLTRAINING": ("ai_train", RESERVED),
    "DMI-PROHIBITED-GENAIMLTRAINING": ("ai_gen_train", RESERVED),
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": ("tdm", RESERVED),
    "DMI-PROHIBITED-SEECONSTRAINT": ("tdm", CONDITIONAL),
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": ("tdm", CONDITIONAL),
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": ("tdm", CONDITIONAL),
}


def plus_data_mining(value: str) -> Preference:
    """Preference of a plus:DataMining value: a vocabulary address or bare key in any case; others are unknown.

    An unknown key that still says PROHIBITED is read as conditional: it is no permission.
    """
    key = value.strip().rstrip("/").rsplit("/", 1)[-1].upper()
    return _PLUS.get(key, ("tdm", CONDITIONAL if "PROHIBITED" in key else UNKNOWN))
