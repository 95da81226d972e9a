"""The papers of a release: card, attribution, machine-readable description, list of files; for a release and its patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.release.attribution import attribution_csv
from assets.release.card import NOBODY, History, Imprint, card_html, figure_files, readme
from assets.release.croissant import FILE as CROISSANT
from assets.release.croissant import Lineage, croissant
from assets.release.eu_summary import FILE as EU_SUMMARY
from assets.release.eu_summary import Crawler, eu_summary_markdown
from assets.release.facts import USED, gather
from assets.release.manifest import finish_release
from assets.release.patch import read_list
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseFile, ReleaseSettings
from resources.lake import sha256_of

ReadTable = Callable[[str], pa.Table]
"""Whole tables of the build by name."""


@dataclass(frozen=True)
class Papers:
    """What papers are made of, besides the counts.

    Attributes:
        notes: known limits in whole sentences, e.g. about the recipe's models.
        pictures: PNG files of the card by title.
        steps: name and code version of every step that the release comes from, in order.
        history: of a patch: what it is a patch of; None for others.
        imprint: who publishes it, and where.
        crawlers: crawlers that brought the content, as far as somebody named them.
    """

    notes: Sequence[str] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    steps: Sequence[tuple[str, str]] = ()
    history: History | None = None
    imprint: Imprint = NOBODY
    crawlers: Sequence[Crawler] = ()


def write_papers(
    folder: Path,
    rows: pa.Table,
    files: Sequence[ReleaseFile],
    members: pa.Table,
    read: ReadTable,
    settings: ReleaseSettings,
    papers: Papers,
) -> list[ReleaseFile]:
    """Write everything beside the data into a release's folder; returns every file of the release.

    Args:
        folder: the release, whose data files are there.
        rows: rows of the release, sorted by sample_id.
        files: data files, as they were written.
        members: table `release_member` of the release.
        read: tables of the build, for the counts.
        settings: name, version and id.
        papers: what else the papers say.
    """
    facts = gather(rows, {name: read(name) for name in USED})
    history = papers.history
    credits = attribution_csv(rows, members)
    lineage = Lineage(None, sha256_of(dict(papers.steps)), papers.steps, history.supersedes if history else None)
    card = (facts, settings, files, papers.notes, papers.pictures, history, papers.imprint)
    documents: dict[str, str | bytes] = {
        "README.md": readme(*card),
        "card.html": card_html(*card),
        "ATTRIBUTION.csv": credits,
        CROISSANT: croissant(
            facts, settings, files, lineage, {"ATTRIBUTION.csv": credits}, papers.notes, papers.imprint
        ),
        EU_SUMMARY: eu_summary_markdown(facts, settings, papers.crawlers, papers.imprint),
        **figure_files(papers.pictures),
    }
    told = {
        "notes": list(papers.notes),
        "pictures": [[title, name] for title, name in zip(papers.pictures, figure_files(papers.pictures), strict=True)],
        "steps": [list(step) for step in papers.steps],
        "imprint": asdict(papers.imprint),
        "crawlers": [asdict(crawler) for crawler in papers.crawlers],
        **({"history": asdict(history)} if history else {}),
    }
    return finish_release(folder, files, documents, settings, told)


def papers_of(folder: Path, **more: Any) -> Papers:
    """What a release's own list of files says of its papers, for a patch of it; `more` replaces single parts."""
    told = read_list(folder)
    found = {
        "notes": told.get("notes", ()),
        "pictures": {title: (folder / name).read_bytes() for title, name in told.get("pictures", ())},
        "steps": [tuple(step) for step in told.get("steps", ())],
        "imprint": Imprint(**told.get("imprint", {})),
        "crawlers": [Crawler(**crawler) for crawler in told.get("crawlers", ())],
    }
    return Papers(**{**found, **more})


def read_rows(folder: Path, files: Sequence[ReleaseFile]) -> pa.Table:
    """Rows of a release from its Parquet files, sorted by sample_id."""
    names = [file.name for file in files if file.name.endswith(".parquet") and not file.name.startswith("documents-")]
    parts = [pq.read_table(folder / name) for name in names]
    empty = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()]).empty_table()
    return pa.concat_tables([empty, *parts]).sort_by("sample_id")
