"""SPDX's license list and its expressions: one spelling for every id and for everything that is put together from ids.

The list is the one that ships with license-expression (version 3.27); see https://spdx.org/licenses/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from license_expression import ExpressionError, Licensing, get_license_index

NOASSERTION = "NOASSERTION"

MAX_EXPRESSION = 500
"""Characters of an expression."""

MAX_LICENSES = 20
"""Licenses that an expression may join."""

LICENSING = Licensing()
"""Parser of expressions; it takes any id for a license."""

_OPERATORS = frozenset({"and", "or", "with"})
_WORD = re.compile(r"[^\s(),;]+")
_NO_IDS = frozenset({"gpl", "bsd-2"})
"""Aliases in the index that SPDX never listed; each may mean several licenses."""

_WITH_EXCEPTION = {
    "eCos-2.0": "GPL-2.0-or-later WITH eCos-exception-2.0",
    "GPL-2.0-with-autoconf-exception": "GPL-2.0-only WITH Autoconf-exception-2.0",
    "GPL-2.0-with-bison-exception": "GPL-2.0-only WITH Bison-exception-2.2",
    "GPL-2.0-with-classpath-exception": "GPL-2.0-only WITH Classpath-exception-2.0",
    "GPL-2.0-with-font-exception": "GPL-2.0-only WITH Font-exception-2.0",
    "GPL-2.0-with-GCC-exception": "GPL-2.0-only WITH GCC-exception-2.0",
    "GPL-3.0-with-autoconf-exception": "GPL-3.0-only WITH Autoconf-exception-3.0",
    "GPL-3.0-with-GCC-exception": "GPL-3.0-only WITH GCC-exception-3.1",
    "wxWindows": "LGPL-2.0-or-later WITH WxWindows-exception-3.1",
}
"""Ids that SPDX deprecated because they join a license and an exception. Source: notes of the SPDX license list."""


@cache
def listed_ids() -> tuple[str, ...]:
    """Ids of SPDX's license list that are not deprecated, sorted."""
    return tuple(sorted(entry["spdx_license_key"] for entry in get_license_index() if _is_license(entry)))


@cache
def ids_by_name() -> dict[str, str]:
    """Id of every name that SPDX lists, in lower case; a deprecated name gives what SPDX says to use instead."""
    listed = [entry for entry in get_license_index() if _is_license(entry)]
    ids = {name.lower(): expression for name, expression in _WITH_EXCEPTION.items()}
    for entry in listed:
        names = [name.lower() for name in entry["other_spdx_license_keys"] if not name.startswith("LicenseRef-")]
        ids |= {name: entry["spdx_license_key"] for name in names if " " not in name and name not in _NO_IDS}
    return {**ids, **{entry["spdx_license_key"].lower(): entry["spdx_license_key"] for entry in listed}}


@cache
def _exceptions() -> dict[str, str]:
    keys = [entry["spdx_license_key"] for entry in get_license_index() if _is_current(entry) and entry["is_exception"]]
    return {key.lower(): key for key in keys}


def _is_license(entry: dict[str, object]) -> bool:
    return _is_current(entry) and not entry["is_exception"]


def _is_current(entry: dict[str, object]) -> bool:
    key = str(entry.get("spdx_license_key") or "")
    return bool(key) and not key.startswith("LicenseRef-") and not entry["is_deprecated"]


def normalized(text: str, id_of: Callable[[str], str | None]) -> str | None:
    """One spelling of an SPDX expression: canonical ids, sorted, each once, operators in capitals.

    Args:
        text: an id or an expression; `MIT/Apache-2.0`, as old package manifests have it, is a choice.
        id_of: id that a name stands for, None where it is unknown.
    Returns:
        The expression; NOASSERTION where a part of it is unknown, where it is broken, or where it is too long; None where
        the text is none, as is a sentence in which an id occurs.
    """
    whole = len(text) <= MAX_EXPRESSION
    text = text[:MAX_EXPRESSION] if "//" in text else text[:MAX_EXPRESSION].replace("/", " OR ")
    words = _WORD.findall(text) if whole else _WORD.findall(text)[:-1]
    if len(words) < 2:
        return id_of(words[0]) if words else None
    if words[1].lower() not in _OPERATORS and id_of(words[0]) is None:
        return None
    names = [word for word in words if word.lower() not in _OPERATORS]
    known = {name: spdx_id for name in names if (spdx_id := id_of(name) or _exceptions().get(name.lower()))}
    joined = words[::2] == names and len(words) == 2 * len(names) - 1
    if not known or not (joined or len(known) == len(set(names))):
        return None
    if not whole or not joined or len(names) > MAX_LICENSES or len(known) < len(set(names)):
        return NOASSERTION
    return _parsed(_WORD.sub(lambda word: _grouped(known.get(word.group(), word.group())), text), id_of)


def _parsed(text: str, id_of: Callable[[str], str | None]) -> str:
    try:
        tree = LICENSING.parse(text).simplify()
    except (ExpressionError, AttributeError, IndexError):  # the parser meets some broken expressions with the last two
        return NOASSERTION
    for symbol in tree.symbols:
        parts = (
            (symbol.license_symbol.key, symbol.exception_symbol.key) if " WITH " in str(symbol) else (symbol.key, None)
        )
        if id_of(parts[0]) is None or (parts[1] and parts[1].lower() not in _exceptions()):
            return NOASSERTION
    expression = str(tree)
    return expression if len(expression) <= MAX_EXPRESSION else NOASSERTION


def _grouped(spdx_id: str) -> str:
    return f"({spdx_id})" if " " in spdx_id else spdx_id
