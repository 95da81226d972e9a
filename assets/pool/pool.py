"""The pool: filters in order; all but those that look at pictures see every sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.pool.registry import FILTERS
from assets.pool.sets import Chosen
from assets.provenance.decisions import Decision, first_failure
from assets.provenance.tables import TABLES
from resources.scorers import LanguageScorer, NsfwScorer

ReadImages = Callable[[Sequence[int]], Iterator[Image.Image]]
"""image ids -> decoded pictures, in that order."""

PROGRAM = "winnow"
"""agent_id of numbers that no model gave."""


def pool(
    rows: pa.Table, read_images: ReadImages, filters: Sequence[Chosen], language: LanguageScorer, nsfw: NsfwScorer
) -> tuple[pa.Table, pa.Table]:
    """Decide which samples are candidates.

    Args:
        rows: columns sample_id, image_id, sha256, text, width, height, bytes, and language (as the page declares it)
            if a filter asks for it; any order, every row with its image.
        read_images: pictures by image id, for the scorer that looks at them; each distinct picture is read once.
        filters: in the order in which they decide, as `resolve` gives them.
        language: identifies languages.
        nsfw: scores pictures.

    Returns:
        Tables `decision` (stage pool) and `score`, by sample_id. The first filter that fails gives the reason. The
        numbers of every filter on text, size and bytes are scores of every sample, dropped or not; nsfw has scores
        only of samples that no earlier filter dropped, since it was not computed for others.

    Raises:
        ValueError: names a column that a filter needs and the rows lack, or a sample without an image.
    """
    rows = rows.sort_by("sample_id")
    _complete(rows, filters)
    still_in = np.ones(rows.num_rows, dtype=bool)
    answers: dict[str, Decision] = {}
    scores: dict[tuple[str, str], np.ndarray] = {}
    for chosen in filters:
        registered, batch = FILTERS[chosen.name], rows
        if registered.needs == "language":
            batch = _with_language(rows, str(chosen.limits["language"]), language, scores)
        elif registered.needs == "nsfw":
            values = scores["nsfw", nsfw.agent.agent_id] = _nsfw(rows, still_in, read_images, nsfw)
            batch = rows.append_column("nsfw", pa.array(values))
        answer = registered.apply(batch, **chosen.limits)
        if registered.needs is None and answer.score is not None:
            scores[registered.measure, PROGRAM] = answer.score
        # What was dropped before has no nsfw score, and NaN compares false: it must not look like a second failure.
        answers[chosen.name] = Decision(answer.keep | ~still_in, answer.score, answer.threshold)
        still_in &= answer.keep
    sample_id = rows["sample_id"].to_numpy()
    return first_failure("pool", sample_id, answers), _score_table(sample_id, scores)


def _complete(rows: pa.Table, filters: Sequence[Chosen]) -> None:
    """Raise ValueError where a column or an image is missing."""
    needed = {"sample_id", "image_id", "sha256", "text", "width", "height", "bytes"}
    if any(chosen.limits.get("undetermined") == "declared" for chosen in filters):
        needed.add("language")
    if missing := sorted(needed - set(rows.column_names)):
        raise ValueError(f"pool: the rows lack the columns {', '.join(missing)}")
    without = rows.filter(rows["sha256"].is_null())["sample_id"]
    if len(without):
        raise ValueError(
            f"pool: {len(without)} samples have no image, the first is {without[0]}; crawl should drop them"
        )


def _with_language(
    rows: pa.Table, wanted: str, language: LanguageScorer, scores: dict[tuple[str, str], np.ndarray]
) -> pa.Table:
    """The rows with columns language_wanted and language_other; keeps both numbers as scores."""
    found = language.probabilities(["" if text is None else text for text in rows["text"].to_pylist()], wanted)
    scores[f"language:{wanted}", language.agent.agent_id] = found.wanted
    scores["language:other", language.agent.agent_id] = found.other
    return rows.append_column("language_wanted", pa.array(found.wanted)).append_column(
        "language_other", pa.array(found.other)
    )


def _nsfw(rows: pa.Table, still_in: np.ndarray, read_images: ReadImages, nsfw: NsfwScorer) -> np.ndarray:
    """(n,) scores, NaN for samples that are out; copies of one picture are scored once."""
    hashes, ids = rows["sha256"].to_pylist(), rows["image_id"].to_pylist()
    first: dict[bytes, int] = {}
    for sha256, image_id, inside in zip(hashes, ids, still_in, strict=True):
        if inside:
            first.setdefault(sha256, image_id)
    found = nsfw.scores(read_images(list(first.values()))) if first else np.empty(0)
    by_hash = dict(zip(first, found, strict=True))
    return np.array([by_hash.get(sha256, np.nan) if i else np.nan for sha256, i in zip(hashes, still_in, strict=True)])


def _score_table(sample_id: np.ndarray, scores: dict[tuple[str, str], np.ndarray]) -> pa.Table:
    """Table `score` from columns of numbers; NaN gives no row."""
    tables = [TABLES["score"].empty()]
    for (scorer, model), values in scores.items():
        measured = ~np.isnan(values)
        count = int(measured.sum())
        columns = [sample_id[measured], pa.repeat(scorer, count), pa.repeat(model, count), values[measured]]
        tables.append(pa.table(columns, TABLES["score"].schema.names).cast(TABLES["score"].schema))
    keys = [(name, "ascending") for name in TABLES["score"].key]
    return pa.concat_tables(tables).sort_by(keys).combine_chunks()
