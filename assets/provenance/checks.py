"""The funnel adds up: what comes into a stage is what the stage before let go on, and each of it is kept or dropped."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from assets.provenance.tables import STAGES


def funnel_adds_up(decisions: Iterable[pa.Table], samples: np.ndarray | None = None) -> tuple[bool, str]:
    """Whether every stage decided exactly once on exactly the samples that the stage before kept.

    Args:
        decisions: tables `decision`, in any order and any cut; stages without a row are left out of the funnel.
        samples: (n,) uint64 ids of all samples, which come into the first stage; without them nobody can tell whether one
            is missing there.
    Returns:
        (True, the funnel in one line), or (False, the first stage that does not add up and one sample that shows it).
    """
    ids: dict[str, list[np.ndarray]] = {}
    kept: dict[str, list[np.ndarray]] = {}
    for table in decisions:
        stage = table.column("stage").cast(pa.dictionary(pa.int32(), pa.string())).combine_chunks()
        sample_id = np.asarray(table.column("sample_id").to_numpy(), dtype=np.uint64)
        stays = np.asarray(table.column("kept").to_numpy(), dtype=bool)
        codes = np.asarray(stage.indices)
        for code, name in enumerate(stage.dictionary.to_pylist()):
            here = codes == code
            ids.setdefault(name, []).append(sample_id[here])
            kept.setdefault(name, []).append(sample_id[here & stays])
    unknown = sorted(set(ids) - set(STAGES))
    if unknown:
        return False, f"{unknown[0]} is not a stage"
    told: list[str] = []
    before = None if samples is None else ("the crawl files", np.sort(samples))
    for name in (stage for stage in STAGES if stage in ids):
        came_in, goes_on = np.sort(np.concatenate(ids[name])), np.sort(np.concatenate(kept[name]))
        twice = came_in[1:][came_in[1:] == came_in[:-1]]
        if len(twice):
            return False, f"stage {name} decided more than once on sample {twice[0]}"
        if before is not None:
            fault = _difference(name, came_in, *before)
            if fault:
                return False, fault
        told.append(f"{name} {len(came_in)} = {len(goes_on)} kept + {len(came_in) - len(goes_on)} dropped")
        before = (name, goes_on)
    return True, "; ".join(told) or "no decisions yet"


def _difference(stage: str, came_in: np.ndarray, earlier: str, kept: np.ndarray) -> str | None:
    missing, extra = np.setdiff1d(kept, came_in), np.setdiff1d(came_in, kept)
    counts = f"stage {stage} decided on {len(came_in)} samples, but {earlier} kept {len(kept)}"
    if len(missing):
        return f"{counts}: {len(missing)} have no decision, e.g. sample {missing[0]}"
    if len(extra):
        return f"{counts}: {len(extra)} were not kept there, e.g. sample {extra[0]}"
    return None
