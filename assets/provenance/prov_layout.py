"""The layout of PROV-JSON: elements with attributes, relations between them, everything in sorted order."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from assets.provenance.story import Row

PREFIXES = {"winnow": "urn:winnow:", "xsd": "http://www.w3.org/2001/XMLSchema#"}
"""What prefixes stand for. Numbers of samples, records and shards are those of one home."""

ENDS = {
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "used": ("prov:activity", "prov:entity"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity", "prov:activity"),
    "wasAssociatedWith": ("prov:activity", "prov:agent", "prov:plan"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
    "hadMember": ("prov:collection", "prov:entity"),
}
"""Relations, with the words for their ends; a third one may be unknown."""

_ELEMENTS = ("entity", "activity", "agent")
_OF_ACTIVITIES, _OF_AGENTS = "prov:activity", "prov:agent"


@dataclass
class Account:
    """What a document says.

    Attributes:
        elements: attributes by kind (entity, activity, agent) and identifier.
        relations: ends by PROV's name of the relation; each is said once.
        files: files of the home that entities lie in, by uri, with those entities.
    """

    elements: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in _ELEMENTS})
    relations: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    files: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def entity(self, kind: str, row: Row, *types: str) -> str:
        """Describe an entity by a row, whose `id` is its identifier; returns that."""
        return self._describe("entity", row, {"prov:type": [_named(name) for name in (f"winnow:{kind}", *types)]})

    def agent(self, row: Row) -> str:
        """Describe a model or program."""
        return self._describe("agent", row, {"prov:type": [_named("prov:SoftwareAgent")]})

    def activity(self, row: Row) -> str:
        """Describe a run; `start` and `end` are its clock."""
        clock = {"prov:startTime": row.pop("start"), "prov:endTime": row.pop("end")}
        return self._describe("activity", row, {**clock, "prov:type": [_named("winnow:run")]})

    def generate(self, entity: str, activity: str | None) -> None:
        """Say which run made an entity; nothing where that is unknown."""
        if activity is not None:
            self.relations["wasGeneratedBy"].add((entity, activity))

    def derive(self, generated: str, used: str, activity: str | None = None) -> None:
        """Say that an entity was made from another, and by which run, where that is known."""
        if activity is None:
            self.relations["wasDerivedFrom"].add((generated, used))
            return
        self.relations["wasDerivedFrom"].add((generated, used, activity))
        self.relations["used"].add((activity, used))
        self.generate(generated, activity)

    def attribute(self, entity: str, agent: str) -> None:
        """Say who wrote an entity: its run was associated with that agent."""
        self.relations["wasAttributedTo"].add((entity, agent))
        for made, activity in list(self.relations["wasGeneratedBy"]):
            if made == entity:
                self.associate(activity, agent)

    def associate(self, activity: str, agent: str, plan: str | None = None) -> None:
        """Say who was at work in a run, and by which plan."""
        self.relations["wasAssociatedWith"].add((activity, agent) if plan is None else (activity, agent, plan))

    def contain(self, collection: str, member: str) -> None:
        """Say that an entity is part of a release or file."""
        self.relations["hadMember"].add((collection, member))

    def lies_in(self, uri: str | None, *entities: str) -> None:
        """Note a file of the home that the document should describe, and what lies in it."""
        if uri is not None:
            self.files[uri] += entities

    def activities(self) -> list[str]:
        """Runs that relations name."""
        return sorted({ends[1] for ends in self.relations["wasGeneratedBy"]} | {e[0] for e in self.relations["used"]})

    def document(self) -> dict[str, dict[str, Any]]:
        """The document; what relations name and no row describes is in it by its identifier alone."""
        for name, found in self.relations.items():
            for word, identifier in (pair for ends in found for pair in zip(ENDS[name], ends, strict=False)):
                self.elements[_element_of(word)].setdefault(identifier, {})
        made: dict[str, dict[str, Any]] = {"prefix": dict(PREFIXES)}
        made |= {name: dict(sorted(found.items())) for name, found in self.elements.items() if found}
        for name, words in ENDS.items():
            records = [dict(zip(words, ends, strict=False)) for ends in sorted(self.relations[name])]
            if records:
                made[name] = {f"_:{name}{number}": record for number, record in enumerate(records, 1)}
        return made

    def _describe(self, element: str, row: Row, attributes: Row) -> str:
        identifier = str(row["id"])
        columns = {f"winnow:{name}": value for name, value in row.items() if name != "id"}
        described = {name: _value(value) for name, value in {**attributes, **columns}.items()}
        self.elements[element][identifier] = {n: v for n, v in described.items() if v is not None and v != []}
        return identifier


def _element_of(word: str) -> str:
    return {_OF_ACTIVITIES: "activity", _OF_AGENTS: "agent"}.get(word, "entity")


def _named(identifier: str) -> Row:
    return {"$": identifier, "type": "prov:QUALIFIED_NAME"}


def _value(value: Any) -> Any:
    """A column's value in JSON: hashes hexadecimal, numbers that JSON does not hold as typed text, one of a list bare."""
    if isinstance(value, list):
        found = [_value(item) for item in value if item is not None]
        return found[0] if len(found) == 1 else found
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}INF", "type": "xsd:double"}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return {"$": str(value), "type": "xsd:integer"}
    return value
