"""Which protocol each opt-out rule belongs to; how a policy weighs them is in `verdict.sql`."""

from __future__ import annotations

NATURAL_LANGUAGE = "natural-language"
"""Terms of use in prose: no protocol that a policy lists under `honor`, but one that it may count all the same."""

PROTOCOL_OF = {
    "robots_agents": "robots-ai",
    "robots_unread": "robots-ai",
    "robots_unavailable": "robots-ai",
    "content_usage_header": "content-usage",
    "content_usage_robots": "content-usage",
    "content_signal": "content-signal",
    "content_signal_header": "content-signal",
    "x_robots_tag": "x-robots-noai",
    "meta_robots": "x-robots-noai",
    "tdmrep_file": "tdmrep",
    "tdmrep_header": "tdmrep",
    "tdmrep_meta": "tdmrep",
    "tdmrep_unread": "tdmrep",
    "plus_data_mining": "plus-datamining",
    "c2pa_cawg": "cawg",
    "c2pa_legacy": "cawg",
    "c2pa_unread": "cawg",
    "ai_txt": "ai.txt",
    "trust_txt": "trust.txt",
    "rsl_robots": "rsl",
    "rsl_header": "rsl",
    "rsl_link": "rsl",
    "rsl_inline": "rsl",
    "rsl_feed": "rsl",
    "rsl_document": "rsl",
    "natural_language": NATURAL_LANGUAGE,
}
"""Protocol, as a policy names it, by rule."""

BY_AGENT = frozenset({"robots_agents", "content_usage_robots", "content_signal"})
"""Rules whose value begins with the agents it speaks to."""

TDM_STEPS = ("tdmrep_file", "tdmrep_header", "tdmrep_meta")
"""Channels of TDMRep in their order: what a later one says supersedes an earlier one (W3C TDMRep, section 7)."""
