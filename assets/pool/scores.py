"""Scores: every number the chosen filters ask a sample for, the costly ones only where nothing cheaper drops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from assets.pool.registry import FILTERS, PICTURE_SCORERS
from assets.pool.sets import Chosen
from assets.provenance.tables import TABLES
from resources.agents import Agent
from resources.scorers import LanguageScorer, NsfwScorer, ProfanityScorer, WatermarkTextScorer

_FROM_VECTORS = {"similarity": "image_text_similarity", "rank": "image_text_rank"}
"""What table `score` calls the numbers that need vectors."""

ReadImages = Callable[[Sequence[int]], Iterator[Image.Image]]
"""image ids -> decoded pictures, in that order."""

Known = Mapping[tuple[str, str], Mapping[bytes, float]]
"""(scorer, model) -> SHA-256 of a picture's bytes -> the number that this model gave it before."""

PROGRAM = "winnow"
"""agent_id of numbers that no model gave."""

COLUMNS = ("sample_id", "image_id", "sha256", "text", "width", "height", "bytes")
"""What filters may read of a sample; and `language`, as the page declares it, if one of them asks for it.

All of it is as crawled, whatever the recipe made of the picture afterwards.
"""


class PictureScorer(Protocol):
    """Gives a number for a picture."""

    @property
    def agent(self) -> Agent:
        """Who scores."""

    def scores(self, pictures: Iterator[Image.Image]) -> np.ndarray:
        """(n,) float32."""


@dataclass(frozen=True)
class Scorers:
    """The models that filters ask.

    Attributes:
        language: identifies languages.
        profanity: counts profane words.
        pictures: scorers of pictures by what they measure.
    """

    language: LanguageScorer = field(default_factory=LanguageScorer)
    profanity: ProfanityScorer = field(default_factory=ProfanityScorer)
    pictures: Mapping[str, PictureScorer] = field(default_factory=dict)

    @classmethod
    def with_threads(cls, threads: int) -> Scorers:
        """All of them, the ones that look at pictures with some threads each; models load when they are asked."""
        return cls(pictures={"nsfw": NsfwScorer(threads), "watermark_text": WatermarkTextScorer(threads)})

    def agent(self, needs: str) -> Agent:
        """Who gives the number that a filter needs."""
        by_name: dict[str, Agent] = {"language": self.language.agent, "profanity": self.profanity.agent}
        return by_name[needs] if needs in by_name else self.pictures[needs].agent


def agents(chosen: Sequence[Chosen], scorers: Scorers) -> list[Agent]:
    """Who scored for these filters, each once, in the order of the filters."""
    wanted = [c.needs for c in chosen if c.needs in ("language", "profanity", *PICTURE_SCORERS)]
    if any("language" in c.limits for c in chosen):
        wanted.append("language")
    return [scorers.agent(needs) for needs in dict.fromkeys(wanted)]


def score_samples(
    rows: pa.Table,
    read_images: ReadImages,
    filters: Sequence[Chosen],
    scorers: Scorers,
    known: Known | None = None,
    languages: Sequence[str] = (),
) -> pa.Table:
    """Every number that the filters ask for.

    Args:
        rows: `COLUMNS`, stored_sha256 (the hash of the bytes that `read_images` decodes) and language if filters ask
            for them; any order, every row with its image.
        read_images: pictures by image id; each distinct picture is read once for a scorer, and only if it is not known.
        filters: those that look at one sample, in the order in which they decide.
        scorers: who gives the numbers.
        known: numbers of earlier builds.
        languages: languages that texts are held against besides, for rules that decide later.

    Returns:
        Table `score`, by its key. Numbers of texts, sizes and bytes are those of every sample, dropped or not; a scorer
        of pictures has numbers only for samples that no earlier filter dropped, since it was not asked about others.

    Raises:
        ValueError: names a column that a filter needs and the rows lack, or a sample without an image.
    """
    rows = rows.sort_by("sample_id")
    check_rows(rows, filters, pictures=True)
    still_in = np.ones(rows.num_rows, dtype=bool)
    scores: dict[tuple[str, str], np.ndarray] = {}
    for chosen in filters:
        registered, batch = FILTERS[chosen.name], rows
        for column, key, values in _measure(chosen, rows, still_in, read_images, scorers, known or {}):
            values = scores.setdefault(key, values)
            batch = batch.append_column(column, pa.array(values, pa.float32()))
        answer = registered.apply(batch, **chosen.limits)
        if registered.needs is None and answer.score is not None:
            scores[registered.measure, PROGRAM] = answer.score
        still_in &= answer.keep
    for language in languages:
        found = scorers.language.probabilities(_texts(rows), language)
        scores.setdefault((f"language:{language}", scorers.language.agent.agent_id), found.wanted)
    return score_table(rows["sample_id"].to_numpy(), scores)


def check_rows(rows: pa.Table, filters: Sequence[Chosen], pictures: bool = False) -> None:
    """Raise ValueError where a column or an image is missing; `pictures` are looked at only for scores."""
    needed = set(COLUMNS)
    if pictures and any(chosen.needs in PICTURE_SCORERS for chosen in filters):
        needed.add("stored_sha256")
    if any(chosen.limits.get("undetermined") == "declared" for chosen in filters):
        needed.add("language")
    if missing := sorted(needed - set(rows.column_names)):
        raise ValueError(f"pool: the rows lack the columns {', '.join(missing)}")
    without = rows.filter(rows["sha256"].is_null())["sample_id"]
    if len(without):
        raise ValueError(
            f"pool: {len(without)} samples have no image, the first is {without[0]}; crawl should drop them"
        )


def score_table(sample_id: np.ndarray, scores: Mapping[tuple[str, str], np.ndarray]) -> pa.Table:
    """Table `score` from columns of numbers by (scorer, model); NaN gives no row."""
    tables = [TABLES["score"].empty()]
    for (scorer, model), values in scores.items():
        measured = ~np.isnan(values)
        count = int(measured.sum())
        columns = [sample_id[measured], pa.repeat(scorer, count), pa.repeat(model, count), values[measured]]
        tables.append(pa.table(columns, TABLES["score"].schema.names).cast(TABLES["score"].schema))
    keys = [(name, "ascending") for name in TABLES["score"].key]
    return pa.concat_tables(tables).sort_by(keys).combine_chunks()


def scored_columns(rows: pa.Table, score: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """The rows with numbers of table `score` as float32 columns; NaN where a sample has none.

    Args:
        rows: with sample_id.
        score: sample_id, scorer, value.
        names: scorer -> name of the column.
    """
    ids = np.asarray(rows["sample_id"].to_numpy(), dtype=np.uint64)
    order = np.argsort(ids)
    ordered = ids[order]
    for name, column in names.items():
        mine = score.filter(pc.equal(score["scorer"], name))
        sample_id = np.asarray(mine["sample_id"].to_numpy(), dtype=np.uint64)
        at = np.searchsorted(ordered, sample_id)
        inside = at < len(ids)
        inside[inside] = ordered[at[inside]] == sample_id[inside]
        values = np.full(len(ids), np.nan, dtype=np.float32)
        values[order[at[inside]]] = np.asarray(mine["value"].to_numpy(), dtype=np.float32)[inside]
        rows = rows.append_column(column, pa.array(values))
    return rows


def columns_of(chosen: Chosen) -> dict[str, str]:
    """Scorers, as table `score` names them, and the columns in which the filter finds their numbers."""
    if chosen.needs == "language":
        return {f"language:{chosen.limits['language']}": "language_wanted", "language:other": "language_other"}
    own = {} if chosen.needs is None else {_FROM_VECTORS.get(chosen.needs, chosen.needs): chosen.needs}
    if "language" in chosen.limits:
        own[f"language:{chosen.limits['language']}"] = "language_wanted"
    return own


def known_values(score: pa.Table, sample: pa.Table, image: pa.Table) -> dict[tuple[str, str], dict[bytes, float]]:
    """What an earlier table of scores knows of images, whichever filters it was made for.

    Args:
        score: table `score`.
        sample: sample_id, image_id of the tables that it was made from.
        image: image_id, stored_sha256 of those tables.
    """
    of_image = dict(zip(image["image_id"].to_pylist(), image["stored_sha256"].to_pylist(), strict=True))
    of_sample = dict(zip(sample["sample_id"].to_pylist(), sample["image_id"].to_pylist(), strict=True))
    found: dict[tuple[str, str], dict[bytes, float]] = {}
    for row in score.select(["sample_id", "scorer", "model", "value"]).to_batches():
        for sample_id, scorer, model, value in zip(*(column.to_pylist() for column in row.columns), strict=True):
            sha256 = of_image.get(of_sample.get(sample_id))
            if scorer in PICTURE_SCORERS and sha256 is not None and value is not None:
                found.setdefault((scorer, model), {})[sha256] = value
    return found


def _measure(
    chosen: Chosen,
    rows: pa.Table,
    still_in: np.ndarray,
    read_images: ReadImages,
    scorers: Scorers,
    known: Known,
) -> Iterator[tuple[str, tuple[str, str], np.ndarray]]:
    """Column, (scorer, model) and numbers that a filter needs; float32, so that what is stored is what decides."""
    if chosen.needs == "language":
        wanted, model = str(chosen.limits["language"]), scorers.language.agent.agent_id
        found = scorers.language.probabilities(_texts(rows), wanted)
        yield "language_wanted", (f"language:{wanted}", model), found.wanted.astype(np.float32)
        yield "language_other", ("language:other", model), found.other.astype(np.float32)
    elif chosen.needs == "profanity":
        yield "profanity", ("profanity", scorers.profanity.agent.agent_id), scorers.profanity.scores(_texts(rows))
    elif chosen.needs is not None:
        scorer = scorers.pictures[chosen.needs]
        key = (chosen.needs, scorer.agent.agent_id)
        yield chosen.needs, key, _of_pictures(rows, still_in, read_images, scorer, known.get(key, {}))


def _of_pictures(
    rows: pa.Table, still_in: np.ndarray, read_images: ReadImages, scorer: PictureScorer, known: Mapping[bytes, float]
) -> np.ndarray:
    """(n,) float32 scores, NaN for samples that are out; copies of one picture are scored once."""
    hashes, ids = rows["stored_sha256"].to_pylist(), rows["image_id"].to_pylist()
    first: dict[bytes, int] = {}
    for sha256, image_id, inside in zip(hashes, ids, still_in, strict=True):
        if inside and sha256 not in known:
            first.setdefault(sha256, image_id)
    found = scorer.scores(read_images(list(first.values()))) if first else np.empty(0)
    by_hash = {**known, **dict(zip(first, found, strict=True))}
    values = [by_hash[sha256] if inside else np.nan for sha256, inside in zip(hashes, still_in, strict=True)]
    return np.array(values, dtype=np.float32)


def _texts(rows: pa.Table) -> list[str]:
    return ["" if text is None else text for text in rows["text"].to_pylist()]
