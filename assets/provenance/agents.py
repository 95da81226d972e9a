"""Table `agent`: models and programs as rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from assets.provenance.tables import TABLES, conform
from resources.agents import Agent


def agent_table(agents: Iterable[Agent]) -> pa.Table:
    """Rows of table `agent`, by id; of two with one id the first counts."""
    # A scorer and an expert, or a captioner and a language model, may be the same model.
    by_id = {agent.agent_id: agent for agent in reversed(list(agents))}
    return pa.Table.from_pylist([asdict(by_id[agent_id]) for agent_id in sorted(by_id)], TABLES["agent"].schema)


def agent_row(agent: Agent) -> dict[str, Any]:
    """The row of an agent, as whoever reads the table finds it."""
    row: dict[str, Any] = conform("agent", agent_table([agent])).to_pylist()[0]
    return row
