"""Vocabularies of opt-outs: what a value of each protocol says about which usage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import http_sf
from http_sf import StructuredFieldError, Token

RESERVED, ALLOWED, CONDITIONAL, UNKNOWN = "reserved", "allowed", "conditional", "unknown"
Preference = tuple[str, str]
"""(usage, decision)."""

MAX_FIELD = 16 * 1024
"""A longer structured field is not parsed: it may reserve anything."""

_VOCABULARIES = (
    ("2025-06 draft-ietf-aipref-vocab-01",
     {"tdm": "tdm", "ai": "ai_train", "genai": "ai_gen_train", "search": "search", "inference": "ai_input"}),
    ("2025-09 draft-ietf-aipref-vocab-03",
     {"all": "tdm", "train-ai": "ai_train", "train-genai": "ai_gen_train", "search": "search"}),
    ("2025-10 draft-romm-aipref-contentsignals-00",
     {"search": "search", "ai-input": "ai_input", "ai-train": "ai_train"}),
    ("2025-10 draft-ietf-aipref-vocab-04",
     {"bots": "tdm", "train-ai": "ai_train", "ai-output": "ai_input", "search": "search"}),
    ("2025-12 draft-ietf-aipref-vocab-05",
     {"train-ai": "ai_train", "search": "search"}),
)  # fmt: skip
"""Labels of Content-Usage through time: (date and draft, usage by label). The last vocabulary is the one in force."""

USAGE_LABELS = _VOCABULARIES[-1][1]
"""Labels in force and what they are about."""

LEGACY_LABELS = {
    label: (usage, draft)
    for draft, labels in reversed(_VOCABULARIES)
    for label, usage in labels.items()
    if label not in USAGE_LABELS
}
"""Labels that are no more: what they are about, and the first draft that defined them."""

_CC_SIGNAL = re.compile(r"cc-[a-z]{2}(?:-[a-z]{2})*")
_CC_SIGNALS_DRAFT = "2025-06 CC signals, draft"


class Usage(NamedTuple):
    """One preference of a Content-Usage value. `draft`: the draft that defines its label, None for one in force."""

    usage: str
    decision: str
    draft: str | None = None


_YES_NO = {"n": RESERVED, "y": ALLOWED}


def content_usage(value: str) -> list[Usage]:
    """Preferences of a Content-Usage value, under labels in force and under earlier ones.

    A structured-field dictionary (RFC 9651): a value that does not parse says nothing (`unknown`), as does any member
    but the tokens y and n; the last of equal keys counts. CC signals (`exceptions=cc-cr`) are a draft whose meaning is
    open: they are noted as unknown beside whatever they qualify.
    """
    if len(value) > MAX_FIELD:
        return [Usage("ai_train", CONDITIONAL)]
    try:
        members: Any = http_sf.parse(value.encode("latin-1", "replace"), tltype="dictionary")
    except (StructuredFieldError, RecursionError):
        return [Usage("ai_train", UNKNOWN)]
    found: list[Usage] = []
    for key, (item, parameters) in members.items():
        said = _YES_NO.get(str(item), UNKNOWN) if isinstance(item, Token) else UNKNOWN
        if key in USAGE_LABELS:
            found.append(Usage(USAGE_LABELS[key], said))
        elif key in LEGACY_LABELS:
            usage, draft = LEGACY_LABELS[key]
            found.append(Usage(usage, said, draft))
        if any(_CC_SIGNAL.fullmatch(str(word)) for word in (key, item, *parameters.values())):
            found.append(Usage("tdm", UNKNOWN, _CC_SIGNALS_DRAFT))
    return found


_SIGNALS = {"ai-train": "ai_train", "ai-input": "ai_input", "search": "search"}


def content_signal(value: str) -> list[Preference]:
    """Preferences of a Content-Signal line: `search=yes, ai-train=no`; a repeated key is read restrictively.

    Semicolons are read as commas, for which they are mistaken. A key that is missing neither grants nor restricts.
    `use=immediate|reference|full` says how far an allowed use may go; no published text of the protocol says what it
    grants, so it is kept as unknown, whatever its value.
    """
    said: dict[str, str] = {}
    for part in re.split(r"[,;]", value.lower()):
        key, _, answer = (piece.strip() for piece in part.partition("="))
        usage = _SIGNALS.get(key)
        if usage:
            decision = {"no": RESERVED, "yes": ALLOWED}.get(answer, UNKNOWN)
            said[usage] = _stricter(said.get(usage, decision), decision)
        elif key == "use":
            said["tdm"] = UNKNOWN
    return sorted(said.items())


def _stricter(one: str, other: str) -> str:
    return max(one, other, key=(ALLOWED, UNKNOWN, CONDITIONAL, RESERVED).index)


_VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_VALUE = re.compile(rf"\b(?:{'|'.join(sorted(_VALUED))})\s*:\s*[\w-]*")
_DIRECTIVES = _VALUED | {
    "all", "none", "index", "noindex", "follow", "nofollow", "archive", "noarchive", "nocache", "snippet", "nosnippet",
    "noimageindex", "notranslate", "nositelinkssearchbox", "indexifembedded", "noodp", "noydir", "noai", "noimageai",
}  # fmt: skip
_OPT_OUTS = {
    "noai": "ai_train", "noimageai": "ai_train", "noindex": "index", "noimageindex": "index", "none": "index",
}  # fmt: skip


def usage_of_directive(directive: str) -> str:
    """What a directive that `robots_directives` finds reserves."""
    return _OPT_OUTS[directive]


def robots_directives(values: Iterable[str], agents: frozenset[str]) -> set[str]:
    """Opt-outs that bind us in X-Robots-Tag headers or robots meta elements: `noai`, `noimageai`, and of indexing.

    A name and a colon address what follows, up to the next name, to one agent; directives that take a value are no
    names, and neither is a word before something that is no directive. Case does not matter, nor what stands between
    directives: a comma, a semicolon or another sign that no directive has.

    Args:
        agents: lower-case names of agents whose rules count, besides everybody's.
    """
    found: set[str] = set()
    for value in values:
        binds = True
        for part in re.split(r"[,;]", value.lower()):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            if colon and _addresses(name, rest):
                binds = name == "*" or name in agents
                part = rest
            if binds:
                found |= _OPT_OUTS.keys() & _words(part)
    return found


def _words(part: str) -> set[str]:
    """Words that may be directives: no address, and no value of a directive that takes one."""
    plain = (word for word in _VALUE.sub(" ", part).split() if "://" not in word)
    return {word for text in plain for word in re.split(r"[^\w-]+", text)}


def _addresses(name: str, rest: str) -> bool:
    if name in _VALUED or not re.fullmatch(r"[\w.*-]+(?: [\w.*-]+)*", name):
        return False
    words = re.split(r"[\s:]+", rest, maxsplit=1)
    return words[0] in _DIRECTIVES or words[0] == ""


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
