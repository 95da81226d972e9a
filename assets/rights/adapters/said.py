"""What an adapter reads from a page, before it becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from assets.rights.findings import Where


@dataclass(frozen=True, slots=True)
class Said:
    """A site's statement about some of a page's images.

    Attributes:
        samples: whom it is about.
        spdx_id: license; None where there are credits only.
        value: as written.
        where: its bytes.
        credits: (field of table `attribution`, value).
    """

    samples: tuple[int, ...]
    spdx_id: str | None = None
    value: str = ""
    where: Where | None = None
    credits: list[tuple[str, str]] = field(default_factory=list)


def words(node: LexborNode | None) -> str:
    """Text of a node with single spaces; empty where there is none."""
    return " ".join(node.text(separator=" ").split()) if node is not None else ""
