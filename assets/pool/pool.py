"""The pool: filters in order; the first that fails decides, and the numbers of the others stay visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from assets.pool.registry import FILTERS, FREQUENCIES, PICTURE_SCORERS
from assets.pool.scores import PROGRAM, check_rows, columns_of, score_table, scored_columns
from assets.pool.sets import Chosen, pool_filters
from assets.provenance.decisions import Decision, first_failure


def pool(
    rows: pa.Table, score: pa.Table, chosen: Sequence[Chosen], counts: Mapping[str, np.ndarray] | None = None
) -> tuple[pa.Table, pa.Table]:
    """Decide which samples are candidates.

    Args:
        rows: sample_id, image_id, sha256, text, width, height, bytes, and language (as the page declares it) if a
            filter asks for it; any order, every row with its image.
        score: table `score`, as `score_samples` makes it for the same rows and filters.
        chosen: in the order in which they decide, as `resolve` gives them; those that need vectors are passed over.
        counts: how often texts, images and words of each row are in the whole pool, in the order of the rows, as
            `look_up` gives it: NaN where the count is too low to matter.

    Returns:
        Tables `decision` (stage pool) and `score`, by sample_id. The first filter that fails gives the reason; the
        scores are the counts, where there are any.

    Raises:
        ValueError: names what a filter needs and the rows, scores or counts lack.
    """
    filters = pool_filters(chosen)
    check_rows(rows, filters)
    counts = _complete(counts or {}, filters)
    for kind, values in counts.items():
        rows = rows.append_column(kind, pa.array(values, pa.float64()))
    rows = rows.sort_by("sample_id")
    still_in = np.ones(rows.num_rows, dtype=bool)
    answers: dict[str, Decision] = {}
    for c in filters:
        wanted = columns_of(c) if c.needs not in FREQUENCIES else {}
        batch = scored_columns(rows, score, wanted)
        _scored(batch, c, still_in)
        answers[c.name] = FILTERS[c.name].apply(batch, **c.limits)
        if c.needs not in FREQUENCIES:
            still_in &= answers[c.name].keep
    sample_id = rows["sample_id"].to_numpy()
    numbers = {(kind, PROGRAM): rows[kind].to_numpy() for kind in counts}
    return first_failure("pool", sample_id, answers), score_table(sample_id, numbers)


def _complete(counts: Mapping[str, np.ndarray], filters: Sequence[Chosen]) -> dict[str, np.ndarray]:
    """The counts that the filters need; raises ValueError for one that is missing."""
    wanted = [str(c.needs) for c in filters if c.needs in FREQUENCIES]
    if missing := sorted(set(wanted) - set(counts)):
        raise ValueError(f"pool: the counts lack {', '.join(missing)}; count them over the whole pool first")
    return {kind: counts[kind] for kind in wanted}


def _scored(batch: pa.Table, chosen: Chosen, still_in: np.ndarray) -> None:
    """Raise ValueError where a sample has no number although nothing that looks at it alone has dropped it."""
    if chosen.needs is None or chosen.needs in FREQUENCIES:
        return
    asked = still_in if chosen.needs in PICTURE_SCORERS else np.ones(len(still_in), dtype=bool)
    for column in columns_of(chosen).values():
        without = asked & np.isnan(batch[column].to_numpy())
        if without.any():
            first = batch["sample_id"][int(np.argmax(without))]
            raise ValueError(
                f"pool: {int(without.sum())} samples have no score for {chosen.name}, the first is {first}"
            )
