"""A policy as relations: what it says of every license, rule and opt-out, ready to be joined to evidence.

`verdict.sql` reads these; nothing else of a policy reaches a verdict. Several policies may stand in them side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from assets.rights.findings import RULES
from assets.rights.licenses import NOASSERTION, NONE, fold, licenses, obligations_of
from assets.rights.policy import VERDICTS, Policy, stricter
from assets.rights.reservations import BY_AGENT, NATURAL_LANGUAGE, PROTOCOL_OF, TDM_STEPS

UNLISTED_RISK = 3
"""Risk of a license that nobody here has read."""

_I8, _TEXT = pa.int8(), pa.string()


def policy_relations(policies: Iterable[Policy], spdx_ids: Iterable[str]) -> dict[str, pa.Table]:
    """Relations `policy_setting`, `policy_term`, `license_rule` and `optout_rule` by name.

    Args:
        policies: each under its own name.
        spdx_ids: every id and expression that the evidence states.
    """
    policies, stated = list(policies), sorted({*spdx_ids, NONE, NOASSERTION})
    return {
        "policy_setting": pa.Table.from_pylist([_setting(policy) for policy in policies], schema=SETTING),
        "policy_term": pa.Table.from_pylist([_term(p, spdx_id) for p in policies for spdx_id in stated], schema=TERM),
        "license_rule": license_rules(),
        "optout_rule": optout_rules(),
    }


SETTING = pa.schema(
    [
        ("policy", _TEXT), ("min_confidence", pa.float64()), ("conflict", _TEXT),
        ("require_same_registered_domain", pa.bool_()), ("cdn_allow", pa.list_(_TEXT)), ("inherit_page", pa.bool_()),
        ("max_chars", pa.int64()), ("by_short_text", _I8), ("by_long_text", _I8), ("by_none", _I8),
        ("by_noassertion", _I8), ("nd_image", _TEXT), ("honor", pa.list_(_TEXT)), ("usage", pa.list_(_TEXT)),
        ("agents", pa.list_(_TEXT)), ("conditional", _TEXT), ("legacy_labels", _TEXT),
    ]
)  # fmt: skip
"""One row per policy; `by_…` are verdicts as numbers."""

TERM = pa.schema(
    [
        ("policy", _TEXT), ("spdx_id", _TEXT), ("closed", _I8), ("weight", _I8), ("bits", pa.uint16()),
        ("by_license", _I8), ("near", _I8), ("far", _I8),
    ]
)  # fmt: skip
"""One row per policy and license id. closed, weight: order of licenses from free to closed, whatever the policy says.
by_license: verdict; near: with risk; far: with the risk of an image from another registered domain."""


def _setting(policy: Policy) -> dict[str, object]:
    text, reservations = policy.components.text, policy.reservations
    short, long = {"allow_short_factual": ("allow", "review")}.get(text.unknown, (text.unknown, text.unknown))
    return {
        "policy": policy.name,
        "min_confidence": policy.min_confidence,
        "conflict": policy.conflict,
        "require_same_registered_domain": policy.page_scope.require_same_registered_domain,
        "cdn_allow": policy.page_scope.cdn_allow,
        "inherit_page": text.inherit_page,
        "max_chars": text.max_chars,
        "by_short_text": VERDICTS.index(short),
        "by_long_text": VERDICTS.index(long),
        "by_none": VERDICTS.index(policy.unknown.none),
        "by_noassertion": VERDICTS.index(policy.unknown.noassertion),
        "nd_image": policy.adaptation.nd_image,
        "honor": [
            *reservations.honor,
            *([NATURAL_LANGUAGE] if reservations.natural_language_terms == "reserved" else []),
        ],
        "usage": list(reservations.usage),
        "agents": [agent.lower() for agent in reservations.agents],
        "conditional": reservations.conditional,
        "legacy_labels": reservations.legacy_labels,
    }


def _term(policy: Policy, spdx_id: str) -> dict[str, object]:
    closed, weight = restrictiveness(spdx_id)

    def verdict(third_party: bool | None) -> int:
        def leaf(part: str) -> int:
            by_license: str = policy.license_verdict(part)
            risky = third_party is not None and _risk(part, third_party, policy) > policy.risk.max
            return VERDICTS.index(stricter(by_license, "review") if risky else by_license)

        return fold(spdx_id, leaf, min, max)

    return {
        "policy": policy.name,
        "spdx_id": spdx_id,
        "closed": closed,
        "weight": weight,
        "bits": 0 if spdx_id in (NONE, NOASSERTION) else obligations_of(spdx_id),
        "by_license": verdict(None),
        "near": verdict(False),
        "far": verdict(True),
    }


def _risk(spdx_id: str, third_party: bool, policy: Policy) -> int:
    if spdx_id in (NONE, NOASSERTION):
        return 0
    known = licenses().get(spdx_id)
    if known is None:
        return UNLISTED_RISK
    old = known.family == "cc" and known.version is not None and known.version < "4"
    return known.risk + policy.risk.old_cc_versions * old + policy.risk.third_party_host * third_party


def restrictiveness(spdx_id: str) -> tuple[int, int]:
    """Order of licenses from free to closed, whatever the policy says."""
    if spdx_id in (NONE, NOASSERTION):
        return (3 if spdx_id == NOASSERTION else 2, 0)
    bits = obligations_of(spdx_id)
    return fold(spdx_id, _closed, min, max), 4 * (bits & 12).bit_count() + 2 * (bits & 2).bit_count() + (bits & 1)


def _closed(spdx_id: str) -> int:
    known = licenses().get(spdx_id)
    return 4 if known is None or known.family in ("proprietary", "spdx") else 1


def license_rules() -> pa.Table:
    """Columns rule and rank: the rules that may decide."""
    ranks: Mapping[str, int] = {name: rule.rank for name, rule in RULES.items() if rule.rank is not None}
    return pa.table({"rule": pa.array(list(ranks), _TEXT), "rank": pa.array(list(ranks.values()), pa.int16())})


def optout_rules() -> pa.Table:
    """Opt-out rules with their protocol: base name, step within TDMRep, and what kind they are: do they name
    agents, is the label an old one, do they stand for what could not be read."""
    rows = [
        {
            "rule": name + suffix,
            "base": name,
            "protocol": protocol,
            "step": TDM_STEPS.index(name) if name in TDM_STEPS else None,
            "by_agent": name in BY_AGENT,
            "legacy": bool(suffix),
            "unread": name.endswith(("_unread", "_unavailable")),
        }
        for name, protocol in PROTOCOL_OF.items()
        for suffix in ("", "_legacy")
    ]
    kinds = [("rule", _TEXT), ("base", _TEXT), ("protocol", _TEXT), ("step", _I8), ("by_agent", pa.bool_()),
             ("legacy", pa.bool_()), ("unread", pa.bool_())]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))
