"""What k-means did, as plots and a small table on the asset's page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration import plots


def training(build: Any) -> dict[str, str]:
    """Objective by iteration; and, where several numbers of concepts were tried, what each explains."""
    table = build.read("centroids", "kmeans")
    found = {
        "training": summary(table),
        "objective": plots.inline("objective", plots.objective(curves(table))),
    }
    last = table.filter(pc.is_valid(table["held_out"])).sort_by("k")
    if last.num_rows > 1:
        ks, values = last["k"].to_pylist(), last["held_out"].to_pylist()
        chosen = next(iter(last.filter(last["chosen"])["k"].to_pylist()), None)
        found["sweep of k"] = plots.inline("sweep of k", plots.sweep(ks, values, chosen))
    return found


def curves(table: pa.Table) -> list[tuple[str, np.ndarray]]:
    """(name, objective by iteration) of every number of concepts in table `kmeans`."""
    found = []
    for k in sorted(pc.unique(table["k"]).to_pylist()):
        rows = table.filter(pc.equal(table["k"], k)).sort_by("iteration")
        mark = " (chosen)" if rows["chosen"][0].as_py() else ""
        found.append((f"k = {k}{mark}", rows["objective"].to_numpy()))
    return found


def summary(table: pa.Table) -> str:
    """One line of Markdown per number of concepts: the chosen one and the first twelve others."""
    lines = ["|k|iterations|mean cosine|held out|empty ones moved| |", "|-:|-:|-:|-:|-:|-|"]
    chosen = pc.unique(table.filter(table["chosen"])["k"]).to_pylist()
    others = [k for k in sorted(pc.unique(table["k"]).to_pylist()) if k not in chosen][:12]
    for k in sorted([*chosen, *others]):
        rows = table.filter(pc.equal(table["k"], k)).sort_by("iteration").to_pylist()
        held = rows[-1]["held_out"]
        told = "" if held is None else f"{held:.4f}"
        moved = sum(row["moved"] for row in rows)
        mark = "chosen" if rows[-1]["chosen"] else ""
        lines.append(f"|{k}|{len(rows)}|{rows[-1]['objective']:.4f}|{told}|{moved}|{mark}|")
    return "\n".join(lines)
