"""The papers of a release: card, attribution, machine-readable description, list of files; for a release and its patches."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.release.card import NOBODY, History, Imprint, card_html, figure_files, readme
from assets.release.croissant import FILE as CROISSANT
from assets.release.croissant import Lineage, croissant
from assets.release.documents import PREFIX
from assets.release.eu_summary import FILE as EU_SUMMARY
from assets.release.eu_summary import Crawler, eu_summary_markdown
from assets.release.facts import READ, ROWS_READ, gather
from assets.release.manifest import finish_release, read_list
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseFile, ReleaseSettings
from resources.lake import sha256_of

ReadTable = Callable[[str, Sequence[str]], pa.Table]
"""Columns of a whole table of the build, by the table's name."""


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
    credits: str,
    read: ReadTable,
    settings: ReleaseSettings,
    papers: Papers,
) -> list[ReleaseFile]:
    """Write everything beside the data into a release's folder; returns every file of the release.

    Args:
        folder: the release, whose data files are there.
        rows: rows of the release, with the columns that are counted at least.
        files: data files, as they were written.
        credits: ATTRIBUTION.csv.
        read: tables of the build, for the counts.
        settings: name, version and id.
        papers: what else the papers say.
    """
    facts = gather(rows, {name: read(name, columns) for name, columns in READ.items()})
    history = papers.history
    lineage = Lineage(sha256_of(dict(papers.steps)), papers.steps, history.supersedes if history else None)
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


def read_counted(folder: Path, files: Sequence[ReleaseFile]) -> pa.Table:
    """What is counted of a release's rows, from its Parquet files."""
    names = [file.name for file in files if file.name.endswith(".parquet") and not file.name.startswith(PREFIX)]
    parts = [pq.read_table(folder / name, columns=list(ROWS_READ)) for name in names]
    empty = pa.schema([(name, COLUMNS[name][0]) for name in ROWS_READ]).empty_table()
    return pa.concat_tables([empty, *(part.select(list(ROWS_READ)) for part in parts)])


def credits_without(text: str, keys: Collection[str]) -> str:
    """ATTRIBUTION.csv without the lines of some samples, whose other lines do not change."""
    lines = csv.reader(io.StringIO(text))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(line for line in lines if line[0] not in keys)
    return out.getvalue()
