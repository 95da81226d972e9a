"""What becomes of licenses when works come together: side by side in a collection, or merged into one new work.

In a collection each item keeps its license, so obligations only add up. A merged text is an adaptation of all its parts
and needs one license that each of them accepts. Which license an adaptation may carry follows Creative Commons' chart of
adapter's licenses (Creative Commons FAQ, "If I derive or adapt material offered under a Creative Commons license, which
CC license(s) can I use?"): public domain and BY accept any, BY-NC accepts BY-NC and BY-NC-SA, share-alike only itself in
the same or a later version (version 1.0 only itself), no-derivatives none. Licenses that Creative Commons counts as
compatible with BY-SA 4.0 (GPL-3.0, Free Art License) are not: a text that is both is refused, which errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from assets.rights.licenses import NOASSERTION, NONE, License, fold
from assets.rights.licenses import licenses as known_licenses

ATTRIBUTION, SHARE_ALIKE, NON_COMMERCIAL, NO_DERIVATIVES = 1, 2, 4, 8
USE_RESTRICTIONS = 128

MAX_ALTERNATIVES = 4096
"""Ways to choose among dual licenses that are tried before the licenses count as unreadable."""

REASONS = (
    "text_license_unreadable",
    "text_license_denied",
    "no_derivatives",
    "non_commercial",
    "share_alike",
    "incompatible_licenses",
)
"""Why texts must not be merged, from farthest to nearest; of several choices the nearest one is told."""

_BY, _BY_NC = 1 | 16 | 32, 1 | 4 | 16 | 32
_SHARED = (_BY | SHARE_ALIKE, _BY_NC | SHARE_ALIKE)
_UNREAD = ("none", "unknown", "spdx")
_PERMISSIVE = ("open-source", "open-data", "public-domain")

Choice = Literal["allow", "exclude"]


@dataclass(frozen=True, slots=True)
class Fused:
    """Whether texts may be merged.

    Attributes:
        license: of the new text; NONE where no part has any, NOASSERTION where merging is not allowed.
        obligations: bits as in table `license`, of all parts; 0 where merging is not allowed.
        reason: one of REASONS, None where merging is allowed.
    """

    allowed: bool
    license: str
    obligations: int
    reason: str | None


def union(*bits: int) -> int:
    """Obligations of a collection: all of its items'."""
    together = 0
    for obligations in bits:
        together |= obligations
    return together


def fuse_terms(licenses: Sequence[str], share_alike: Choice, non_commercial: Choice = "exclude") -> Fused:
    """Whether texts under these licenses may be merged into one new work, and under which license.

    No-derivatives texts never take part. The order of the licenses does not matter, nor how often one is named. Of
    `A OR B` the one is chosen that leaves the new work freest; of `A AND B` both hold. NONE marks texts too short for a
    license: they add nothing.

    Args:
        licenses: ids or expressions, one per text.
        share_alike: whether share-alike texts take part.
        non_commercial: whether non-commercial texts take part.
    """
    excluded = {
        NO_DERIVATIVES: True,
        NON_COMMERCIAL: non_commercial == "exclude",
        SHARE_ALIKE: share_alike == "exclude",
    }
    ways = _ways(sorted(set(licenses) - {NONE}))
    if ways is None:
        return _refused("text_license_unreadable")
    outcomes = [_merged(way, excluded) for way in ways]
    allowed = [outcome for outcome in outcomes if outcome.allowed]
    if allowed:
        return min(allowed, key=_closeness)
    return _refused(max((str(outcome.reason) for outcome in outcomes), key=REASONS.index))


Way = frozenset[str]
"""Licenses that hold together once every choice is made."""


def _ways(expressions: Sequence[str]) -> set[Way] | None:
    """Every way to make all choices; None where an expression is broken or the choices are too many."""
    try:
        count = math.prod(fold(expression, lambda _: 1, sum, math.prod) for expression in expressions)
    except ValueError:
        return None
    if count > MAX_ALTERNATIVES:
        return None
    return _every_way([fold(expression, lambda i: {frozenset({i})}, _any_of, _every_way) for expression in expressions])


def _any_of(choices: Iterable[set[Way]]) -> set[Way]:
    return set().union(*choices)


def _every_way(parts: Iterable[set[Way]]) -> set[Way]:
    together: set[Way] = {frozenset()}
    for part in parts:
        together = {way | more for way in together for more in part}
    return together


def _closeness(fused: Fused) -> tuple[int, int, int, str]:
    limits = fused.obligations & (SHARE_ALIKE | NON_COMMERCIAL | USE_RESTRICTIONS)
    return limits.bit_count(), fused.obligations.bit_count(), fused.obligations, fused.license


def _refused(reason: str) -> Fused:
    return Fused(allowed=False, license=NOASSERTION, obligations=0, reason=reason)


def _merged(ids: Way, excluded: dict[int, bool]) -> Fused:
    known = known_licenses()
    if any(spdx_id not in known or known[spdx_id].family in _UNREAD for spdx_id in ids):
        return _refused("text_license_unreadable")
    parts = [known[spdx_id] for spdx_id in sorted(ids)]
    if any(part.family == "proprietary" or part.obligations & USE_RESTRICTIONS for part in parts):
        return _refused("text_license_denied")
    bits = union(*(part.obligations for part in parts))
    for bit, reason in (
        (NO_DERIVATIVES, "no_derivatives"),
        (NON_COMMERCIAL, "non_commercial"),
        (SHARE_ALIKE, "share_alike"),
    ):
        if bits & bit and excluded[bit]:
            return _refused(reason)
    spdx_id = _license_of_all(parts)
    if spdx_id is None:
        return _refused("incompatible_licenses")
    return Fused(allowed=True, license=spdx_id, obligations=bits, reason=None)


def _license_of_all(parts: list[License]) -> str | None:
    """License that an adaptation of all parts may carry; None where there is none."""
    binding = [part for part in parts if _is_binding(part)]
    if not binding:
        free, credited = [p for p in parts if not p.obligations], [p for p in parts if p.obligations]
        return _all_of(credited or free)
    shared = [part for part in binding if part.family == "cc" and part.obligations in _SHARED]
    if not shared:
        same = len(binding) == 1 or all(part.family == "cc" and part.obligations == _BY_NC for part in binding)
        return _latest(binding).spdx_id if same else None
    latest = _latest(shared)
    # BY-NC texts may go into a BY-NC-SA work; nothing else that binds may go into another license's work.
    fits = all(
        part in shared or (part.obligations == _BY_NC and latest.obligations & NON_COMMERCIAL) for part in binding
    )
    one_unit = len({part.obligations for part in shared}) == 1
    return latest.spdx_id if fits and one_unit and _may_meet({part.version for part in shared}) else None


def _is_binding(part: License) -> bool:
    """Whether an adaptation must come under this license: any license but public domain, BY and permissive ones."""
    if part.family == "cc":
        return part.obligations != _BY
    return part.family not in _PERMISSIVE or bool(part.obligations & (SHARE_ALIKE | NON_COMMERCIAL))


def _may_meet(versions: set[str | None]) -> bool:
    """Share-alike licenses let an adaptation move to a later version, but for 1.0; an unknown version may be that one."""
    return len(versions) == 1 or not versions & {"1.0", None}


def _latest(parts: list[License]) -> License:
    """Of one unit the latest version; of its ports the unported one where it is among them, else the first."""
    return min(
        parts,
        key=lambda part: (part.version is None, -float(part.version or 0), part.jurisdiction is not None, part.spdx_id),
    )


def _all_of(parts: list[License]) -> str:
    """Licenses that hold side by side in one work: the latest of the BY versions, and every other."""
    by = [part for part in parts if part.family == "cc"]
    ids = {part.spdx_id for part in parts if part.family != "cc"} | ({_latest(by).spdx_id} if by else set())
    return " AND ".join(sorted(ids)) or NONE
