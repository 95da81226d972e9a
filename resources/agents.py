"""Agents: the models and programs that decided or wrote something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Agent:
    """A row of table `agent`.

    Attributes:
        agent_id: name@revision.
        kind: encoder, captioner, language-model, scorer, detector or program.
        name: name.
        revision: revision or version.
        weights_sha256: hash of the weights, where they are a file.
        license: SPDX id of weights or program; None where nobody said.
        output_terms: terms its outputs come under; `none` where it claims none.
    """

    agent_id: str
    kind: str
    name: str
    revision: str | None
    weights_sha256: bytes | None
    license: str | None
    output_terms: str | None
