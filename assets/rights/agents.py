"""AI crawlers that robots rules may name, and what each of them collects for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import yaml

OTHER_AGENTS_USAGE = "tdm"
"""What an agent collects for that only a recipe or a policy names."""


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


def usages_with(agents: Iterable[str]) -> dict[str, str]:
    """Usage by agent, those included that are named here and not in the list: they collect data that others mine."""
    known = agent_names() | {"*"}
    more = {agent.lower(): agent for agent in agents if agent.strip() and agent.lower() not in known}
    return usages_of_agents() | {agent: OTHER_AGENTS_USAGE for _, agent in sorted(more.items())}


@lru_cache(maxsize=64)
def names_with(agents: frozenset[str]) -> frozenset[str]:
    """`agent_names` and further ones, lower case."""
    return agent_names() | {agent.lower() for agent in agents} - {"*", ""}
