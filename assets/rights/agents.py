"""AI crawlers that robots rules may name, and what each of them collects for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml


@cache
def usages_of_agents() -> dict[str, str]:
    """Usage by agent, as the agents spell themselves; `*` stands for everybody a file does not name."""
    text = Path(__file__).with_name("agents.yaml").read_text(encoding="utf-8")
    groups = yaml.safe_load(text)["agents"]
    return {agent: usage for usage, agents in groups.items() for agent in agents}


@cache
def agent_names() -> frozenset[str]:
    """Names of all agents but `*`, lower case."""
    return frozenset(agent.lower() for agent in usages_of_agents()) - {"*"}
