"""Opt-outs under a policy: which findings count, and what each protocol finally says of a page or image."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import pyarrow as pa

from assets.rights.policy import Policy
from assets.rights.site_rules import agents_in

PROTOCOL_OF = {
    "robots_agents": "robots-ai",
    "robots_unread": "robots-ai",
    "content_usage_header": "content-usage",
    "content_usage_robots": "content-usage",
    "content_signal": "content-signal",
    "x_robots_tag": "x-robots-noai",
    "meta_robots": "x-robots-noai",
    "tdmrep_file": "tdmrep",
    "tdmrep_header": "tdmrep",
    "tdmrep_meta": "tdmrep",
    "plus_data_mining": "plus-datamining",
    "ai_txt": "ai.txt",
    "rsl_robots": "rsl",
    "rsl_header": "rsl",
    "rsl_link": "rsl",
}
_BY_AGENT = {"robots_agents", "content_usage_robots", "content_signal"}
_TDM_ORDER = ("tdmrep_file", "tdmrep_header", "tdmrep_meta")


class Reservation(NamedTuple):
    """What one rule says of a subject, for the usages of the policy."""

    decision: str
    rule: str


def reservations_of(table: pa.Table, policy: Policy) -> dict[tuple[str, int], list[Reservation]]:
    """Findings that count under a policy, by (subject_type, subject_id).

    Inside TDMRep a later channel supersedes an earlier one: file, header, meta. Everything else stands side by side.
    """
    honored, usages = set(policy.reservations.honor), set(policy.reservations.usage)
    agents = {agent.lower() for agent in policy.reservations.agents}
    found: dict[tuple[str, int], list[Reservation]] = defaultdict(list)
    for row in table.select(["subject_type", "subject_id", "rule", "usage", "decision", "value"]).to_pylist():
        rule = row["rule"].removesuffix("_legacy")
        if PROTOCOL_OF[rule] in honored and row["usage"] in usages and _counts(row, rule, agents, policy):
            found[(row["subject_type"], row["subject_id"])].append(Reservation(row["decision"], rule))
    return {subject: _superseded(list(said)) for subject, said in found.items()}


def _counts(row: dict[str, Any], rule: str, agents: set[str], policy: Policy) -> bool:
    if rule in _BY_AGENT and not agents_in(row["value"].removesuffix("_legacy")) & agents:
        return False
    return rule == row["rule"] or policy.reservations.legacy_labels == "reserved"


def _superseded(said: list[Reservation]) -> list[Reservation]:
    valid = [r for r in said if r.rule in _TDM_ORDER and r.decision in ("reserved", "allowed")]
    latest = max((_TDM_ORDER.index(r.rule) for r in valid), default=-1)
    return [r for r in said if r.rule not in _TDM_ORDER or (r in valid and _TDM_ORDER.index(r.rule) == latest)]
