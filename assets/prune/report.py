"""What pruning did, in pictures: which concepts keep how much, and what stays and goes in any of them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.clusters.kmeans import splitmix
from assets.crawl.tiles import Tile, tiles
from assets.rights.showing import barred
from orchestration import plots

EACH = 12
"""Pictures of a concept that stay, and as many that go, on a sheet."""


def concept_plots(cluster: pa.Table) -> dict[str, str]:
    """Plots of table `cluster` by title, as Markdown with the picture inline, and a small table that stands on the page."""
    return {"summary": summary(cluster)} | {
        title: plots.inline(title, png) for title, png in concept_pictures(cluster).items()
    }


def concept_pictures(cluster: pa.Table) -> dict[str, bytes]:
    """PNG pictures of table `cluster` by title."""
    column = {name: np.nan_to_num(cluster[name].to_numpy(zero_copy_only=False)) for name in cluster.column_names}
    size, quota, complexity = column["size"], column["quota"], column["complexity"]
    return {
        "complexity": plots.complexity(column["d_inter"], column["d_intra"], size, quota),
        "kept share by concept": plots.kept_share(complexity, size, quota),
        "quota against target": plots.quota_against_target(column["target"], quota, column["floor"], size),
    }


def summary(cluster: pa.Table) -> str:
    """Markdown table of a few lines: how evenly samples lie, how evenly the quotas, and how many meet a bound."""
    size, quota, floor = (cluster[name].to_numpy().astype(np.int64) for name in ("size", "quota", "floor"))
    there = size > 0
    share = quota[there] / size[there]
    low, middle, high = np.quantile(share, [0.05, 0.5, 0.95]) if there.any() else (0.0, 0.0, 0.0)
    rows = [
        ("concepts with members", f"{int(there.sum()):,} of {len(size):,}"),
        ("samples kept", f"{int(quota.sum()):,} of {int(size.sum()):,}"),
        ("share kept: 5 %, median, 95 % of concepts", f"{low:.2f}, {middle:.2f}, {high:.2f}"),
        ("kept whole", f"{int((quota[there] == size[there]).sum()):,}"),
        ("held up by the floor", f"{int(((quota == floor) & there & (quota < size)).sum()):,}"),
        ("Gini of sizes, of quotas", f"{gini(size[there]):.3f}, {gini(quota[there]):.3f}"),
    ]
    return "\n".join(["|concepts| |", "|-|-:|", *(f"|{name}|{value}|" for name, value in rows)])


def gini(values: np.ndarray) -> float:
    """Gini coefficient of numbers that are not negative: 0 where all are equal, near 1 where one has everything."""
    total = float(values.sum())
    if not total:
        return 0.0
    rank = np.arange(1, len(values) + 1)
    return float((2 * rank - len(values) - 1) @ np.sort(values)) / (len(values) * total)


def chosen_concepts(cluster: pa.Table) -> list[tuple[int, str]]:
    """A handful of concepts with members and why: the most and the least complex, the largest, the one that loses most."""
    size = cluster["size"].to_numpy().astype(np.int64)
    there = np.flatnonzero(size > 0)
    if len(there) == 0:
        return []
    complexity = cluster["complexity"].to_numpy()
    lost = size - cluster["quota"].to_numpy().astype(np.int64)
    picks = {
        "most complex": there[np.argmax(complexity[there])],
        "least complex": there[np.argmin(complexity[there])],
        "largest": there[np.argmax(size[there])],
        "loses most": there[np.argmax(lost[there])],
    }
    reasons: dict[int, list[str]] = {}
    for reason, row in picks.items():
        reasons.setdefault(int(row), []).append(reason)
    ids = cluster["cluster_id"].to_numpy()
    return [(int(ids[row]), ", ".join(told)) for row, told in reasons.items()]


def concept_sheet(
    build: Any, concepts: Sequence[tuple[int, str]], each: int = EACH, credited: Container[int] | None = None
) -> list[Row]:
    """Rows of a contact sheet: for each concept some samples that stay and some that go, the nearest first.

    Which are shown follows from a hash of their ids; below each stands its distance to the centroid.

    Args:
        build: with all steps up to the selection done.
        concepts: ids, and what to say of each.
        each: samples that stay, and as many that go.
        credited: for a release: the samples that it credits; pictures that it must not show are left out.
    """
    found = _members(build, [concept for concept, _ in concepts], each)
    ids = [row for rows in found.values() for row in rows["sample_id"].tolist()]
    shown = tiles(build, ids, None if credited is None else barred(build, ids, credited))
    sheet: list[Row] = []
    for concept, told in concepts:
        for kept, word in ((True, "kept"), (False, "dropped")):
            rows = found[concept, kept]
            order = np.lexsort((rows["sample_id"], rows["distance"]))
            named = []
            for one in rows[order]:
                tile = shown[int(one["sample_id"])]
                named.append(replace(tile, note=f"{one['distance']:.3f}"))
            about = f" ({told})" if told else ""
            sheet.append((f"concept {concept}{about}, {word}: {_total(rows)} samples", named))
    return sheet


Row = tuple[str, list[Tile]]
"""Title and tiles of one part of a sheet."""

_CANDIDATE = np.dtype([("hash", np.uint64), ("sample_id", np.uint64), ("distance", np.float32), ("total", np.int64)])


def _total(rows: np.ndarray) -> str:
    return f"{int(rows['total'][0]):,}" if len(rows) else "0"


def _members(build: Any, concepts: Sequence[int], each: int) -> dict[tuple[int, bool], np.ndarray]:
    """Some samples of each concept that stay and that go, chosen by a hash of their ids; and how many there are."""
    best = {(concept, kept): np.empty(0, _CANDIDATE) for concept in concepts for kept in (True, False)}
    total = dict.fromkeys(best, 0)
    for ids, concept, distance, kept in _decided(build):
        for one, stays in best:
            rows = np.flatnonzero((concept == one) & (kept == stays))
            more = np.empty(len(rows), _CANDIDATE)
            more["sample_id"], more["distance"], more["hash"] = ids[rows], distance[rows], splitmix(ids[rows])
            total[one, stays] += len(rows)
            best[one, stays] = np.sort(np.concatenate([best[one, stays], more]), order="hash")[:each]
    for key, found in best.items():
        found["total"] = np.int64(total[key])
    return best


def _decided(build: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Ids, concepts, distances and decisions of the members of one shard after the other."""
    path = build.paths("selection", "decision")
    for shard in build.snapshot.shards:
        member = build.read("membership", columns=["sample_id", "cluster_id", "distance"], shard=shard)
        ids = (shard.shard_id << 32, (shard.shard_id + 1) << 32)
        decision = build.lake.read_table(path, ["sample_id", "kept"], ids)
        kept = decision["sample_id"].filter(decision["kept"]).combine_chunks()
        stays = pc.is_in(member["sample_id"], kept).to_numpy()
        yield (
            member["sample_id"].to_numpy(), member["cluster_id"].to_numpy(), member["distance"].to_numpy(), stays,
        )  # fmt: skip


def sheet_png(sheet: Sequence[Row]) -> bytes:
    """The sheet as a PNG picture."""
    return plots.contact_sheet(sheet)


def selection_plots(build: Any) -> dict[str, str]:
    """What stays and what goes in a handful of concepts, as Markdown with the picture inline."""
    sheet = concept_sheet(build, chosen_concepts(build.read("concepts")))
    return {"kept and dropped": plots.inline("kept and dropped", sheet_png(sheet))}
