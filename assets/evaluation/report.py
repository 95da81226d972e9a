"""The comparison in a picture and in a table that stands on the asset page."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

COLORS = {"pruned": "#2f7d5b", "random": "#999999", "top_score": "#c8553d", "everything": "#333333"}
OTHER = "#6a7fb0"
TITLES = {
    "image_to_text_r1": "image to text, R@1",
    "image_to_text_r5": "image to text, R@5",
    "text_to_image_r1": "text to image, R@1",
    "text_to_image_r5": "text to image, R@5",
    "zero_shot": "zero-shot",
}


def spread(score: pa.Table, arms: Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Metrics, and (metrics, arms) means and standard deviations (n - 1) over seeds, from table `evaluation_score`."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in score.to_pylist():
        found.setdefault((row["metric"], row["arm"]), []).append(row["value"])
    metrics = [metric for metric in TITLES if (metric, arms[0]) in found]
    values = [[np.array(found[metric, arm]) for arm in arms] for metric in metrics]
    means = np.array([[one.mean() for one in row] for row in values])
    return metrics, means, np.array([[one.std(ddof=1) for one in row] for row in values])


def plot(
    metrics: Sequence[str], arms: Sequence[str], means: np.ndarray, deviations: np.ndarray, note: str = ""
) -> bytes:
    """A bar for each arm in each metric, with its standard deviation over seeds. PNG bytes.

    Args:
        metrics, arms: names.
        means, deviations: (metrics, arms) shares from 0 to 1.
        note: what stands above, such as how many pairs and seeds.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places, width = np.arange(len(metrics)), 0.8 / max(len(arms), 1)
    for number, arm in enumerate(arms):
        at = places + (number - (len(arms) - 1) / 2) * width
        axes.bar(
            at, 100 * means[:, number], 0.9 * width, yerr=100 * deviations[:, number],
            color=COLORS.get(arm, OTHER), alpha=0.85, label=arm.replace("_", " "), capsize=2, ecolor="#222222",
        )  # fmt: skip
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xticks(places, [TITLES.get(metric, metric).replace(", ", ",\n") for metric in metrics], fontsize=8)
    axes.set_ylabel("right answers, percent")
    axes.set_title(note, fontsize=9)
    axes.legend(frameon=False, fontsize=8, ncols=len(arms), loc="lower left", bbox_to_anchor=(0, 1.05))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def table(metrics: Sequence[str], arms: Sequence[str], means: np.ndarray, deviations: np.ndarray) -> str:
    """Markdown: a row for each arm, mean and deviation in percent for each metric."""
    lines = ["|percent, ± over seeds|" + "|".join(TITLES.get(m, m) for m in metrics) + "|"]
    lines.append("|-|" + "-:|" * len(metrics))
    for number, arm in enumerate(arms):
        cells = (f"{100 * means[m, number]:.1f} ± {100 * deviations[m, number]:.1f}" for m in range(len(metrics)))
        lines.append(f"|{arm}|" + "|".join(cells) + "|")
    return "\n".join(lines)


def claims(comparison: pa.Table) -> str:
    """Markdown list of the differences that are supported; where there is none, one sentence that says so."""
    rows = comparison.to_pylist()
    told = [f"- {TITLES.get(row['metric'], row['metric'])}: {row['statement']}" for row in rows if row["supported"]]
    if told:
        return "\n".join(told)
    return f"None of {len(rows)} comparisons shows a difference that the deviations support."
