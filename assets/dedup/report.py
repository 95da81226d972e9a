"""What dedup did, in pictures: how near the near-duplicates were, and pairs over that range to judge eps by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Any

import numpy as np
import pyarrow.compute as pc

from assets.crawl.tiles import tiles
from assets.rights.showing import barred
from orchestration import plots

PAIRS = 12


def dedup_plots(build: Any) -> dict[str, str]:
    """Counts by reason, a histogram of cosines and a sheet of pairs, as Markdown with the pictures inline."""
    reasons, near = decided(build)
    found = {"reasons": summary(reasons)}
    if len(near):
        found |= {title: plots.inline(title, png) for title, png in dedup_pictures(build, near).items()}
    return found


def dedup_pictures(build: Any, near: np.ndarray, credited: Container[int] | None = None) -> dict[str, bytes]:
    """PNG pictures by title: cosines of near-duplicates, and pairs of them.

    Args:
        build: with step dedup done.
        near: near-duplicates, as `decided` gives them; at least one.
        credited: for a release: the samples that it credits; pictures that it must not show are left out.
    """
    threshold = float(near["threshold"][0])
    chosen = spread_out(near)
    ids = [int(one) for name in ("other", "sample_id") for one in chosen[name]]
    shown = tiles(build, ids, None if credited is None else barred(build, ids, credited))
    rows = [(shown[int(one["other"])], shown[int(one["sample_id"])], f"{one['score']:.6f}") for one in chosen]
    return {
        "cosines of near-duplicates": plots.histogram(near["score"], threshold, "cosine to the sample that stays"),
        "near-duplicate pairs": plots.pairs(rows, len(near), threshold),
    }


_NEAR = np.dtype(
    [("sample_id", np.uint64), ("other", np.uint64), ("score", np.float64), ("threshold", np.float64)]
)  # fmt: skip


def decided(build: Any) -> tuple[Counter[str], np.ndarray]:
    """Samples by reason (`kept` for those that stay), and the near-duplicates, one row group at a time."""
    reasons: Counter[str] = Counter()
    near = [np.empty(0, _NEAR)]
    columns = ["sample_id", "kept", "reason", "score", "threshold", "other_sample_id"]
    for path in build.paths("dedup", "decision"):
        for part in build.lake.each_group(path, columns):
            for row in pc.value_counts(pc.if_else(part["kept"], "kept", part["reason"])).to_pylist():
                reasons[row["values"]] += row["counts"]
            rows = part.filter(pc.fill_null(pc.equal(part["reason"], "near_duplicate"), False))
            some = np.empty(rows.num_rows, _NEAR)
            some["sample_id"], some["other"] = rows["sample_id"].to_numpy(), rows["other_sample_id"].to_numpy()
            some["score"], some["threshold"] = rows["score"].to_numpy(), rows["threshold"].to_numpy()
            near.append(some)
    return reasons, np.concatenate(near)


_SCATTER = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, volume 3, section 6.4): takes ids that lie together apart."""


def spread_out(near: np.ndarray, count: int = PAIRS) -> np.ndarray:
    """Some near-duplicates over the range of their cosines, nearest to the threshold first.

    For each of `count` evenly spaced cosines the first at or above it that is not yet taken, in the order of cosines and, where
    these are equal, of a hash of the ids; so there are `count` of them however the cosines lie.
    """
    with np.errstate(over="ignore"):
        order = np.lexsort((near["sample_id"] * _SCATTER, near["score"]))
    if len(near) <= count:
        return near[order]
    wanted = np.linspace(near["score"][order[0]], near["score"][order[-1]], count)
    place = np.searchsorted(near["score"][order], wanted)
    turn = np.arange(count)
    # Strictly increasing from the left, then room for those that follow on the right.
    place = np.minimum(np.maximum.accumulate(place - turn) + turn, len(near) - count + turn)
    return near[order[place]]


def summary(reasons: Counter[str]) -> str:
    """Markdown table: samples by reason."""
    rows = sorted(reasons.items(), key=lambda item: (item[0] != "kept", -item[1], item[0]))
    return "\n".join(["|dedup|samples|", "|-|-:|", *(f"|{reason}|{count:,}|" for reason, count in rows)])
