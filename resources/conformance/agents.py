"""What every model says of itself, and that it can be written into the provenance table `agent`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from resources.agents import Agent
from resources.conformance.checks import Answer

Land = Callable[[Agent], Mapping[str, Any]]
"""Writes an agent as a row of table `agent` and reads it back. Resources know no tables: whoever runs a kit gives it."""

UNKNOWN = re.compile(r"^(unknown|none|null)?(\+.*)?$", re.IGNORECASE)
"""Revisions that tell nothing."""


class Named(Protocol):
    """Who answers: what agents of encoders and of language models have in common."""

    @property
    def id(self) -> str:
        """name@revision."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def revision(self) -> str:
        """Its revision."""

    @property
    def weights_sha256(self) -> bytes | None:
        """Hash of its weights."""

    @property
    def license(self) -> str | None:
        """SPDX id of its weights."""


def license_of(agent: Named) -> Answer:
    """Does it say under which license its weights are?"""
    if not agent.license:
        return False, "it states no license; name one in its code, or under `license` where the recipe names the model"
    return True, f"license {agent.license}"


def revision_of(agent: Named) -> Answer:
    """Does it say which revision it is, so that another one has another id?"""
    if not agent.revision or UNKNOWN.match(agent.revision):
        return False, f"its revision is {agent.revision!r}, which tells nothing; state one, or the hash of the weights"
    if agent.id != f"{agent.name}@{agent.revision}":
        return False, f"its id is {agent.id!r}, but must be {agent.name}@{agent.revision}"
    return True, f"revision {agent.revision}"


def row_of(agent: Named, kind: str, output_terms: str | None, land: Land) -> Answer:
    """Does table `agent` take it, and give back id, revision and license?"""
    if Path(agent.name).is_absolute():
        return False, f"its name {agent.name} is a path of this machine; another machine would write another one"
    told = Agent(agent.id, kind, agent.name, agent.revision, agent.weights_sha256, agent.license, output_terms)
    row = land(told)
    if row != asdict(told) or not row["license"] or not row["revision"]:
        return False, f"table agent would say {row['agent_id']!r}, {row['revision']!r}, {row['license']!r}"
    return True, f"a row of kind {kind}: {row['agent_id']}"
