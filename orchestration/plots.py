"""Plots on the asset pages: pictures as data URIs inside Markdown.

Dagster 1.13 shows Markdown of up to 1,000 characters on the page itself and longer ones by a click; so what matters most is
also there as a small table with bars of characters.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

KEPT, DROPPED, INK = "#2f7d5b", "#c8553d", "#333333"


def inline(title: str, png: bytes) -> str:
    """Markdown that shows a picture."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"


def text_funnel(stages: Sequence[str], kept: Sequence[int], dropped: Sequence[int]) -> str:
    """The funnel as a Markdown table short enough to stand on the page: stage, kept, dropped, a bar."""
    most = max((k + d for k, d in zip(kept, dropped, strict=True)), default=1) or 1
    lines = ["|stage|kept|dropped| |", "|-|-:|-:|-|"]
    for name, k, d in zip(stages, kept, dropped, strict=True):
        lines.append(f"|{name}|{k}|{d}|{'█' * round(20 * k / most)}{'░' * round(20 * d / most)}|")
    return "\n".join(lines)


def funnel(stages: Sequence[str], kept: Sequence[int], dropped: Sequence[int]) -> bytes:
    """Horizontal bars, one per stage from top to bottom: kept and dropped samples. PNG bytes."""
    figure, axes = _figure(7.5, 0.5 * len(stages) + 1.0)
    rows = np.arange(len(stages))
    axes.barh(rows, kept, color=KEPT, label="kept")
    axes.barh(rows, dropped, left=kept, color=DROPPED, alpha=0.55, label="dropped")
    for row, (k, d) in enumerate(zip(kept, dropped, strict=True)):
        axes.text(k + d, row, f"  {k:,} of {k + d:,}", va="center", fontsize=8, color=INK)
    axes.set_yticks(rows, stages)
    axes.invert_yaxis()
    axes.set_xlim(0, max((k + d for k, d in zip(kept, dropped, strict=True)), default=1) * 1.25)
    axes.set_xlabel("samples")
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return _png(figure)


def complexity(d_inter: np.ndarray, d_intra: np.ndarray, size: np.ndarray, quota: np.ndarray) -> bytes:
    """One disc per concept: spread against distance to its neighbors; area is size, color is the share kept. PNG."""
    figure, axes = _figure(7.5, 5)
    share = np.divide(quota, size, out=np.zeros(len(size)), where=size > 0)
    discs = axes.scatter(d_inter, d_intra, s=10 + 6 * size, c=share, cmap="viridis", vmin=0, vmax=1, alpha=0.8)
    figure.colorbar(discs, label="share kept")
    axes.set_xlabel("d_inter: mean cosine distance to the nearest concepts")
    axes.set_ylabel("d_intra: mean cosine distance of members")
    return _png(figure)


def kept_by_concept(size: np.ndarray, quota: np.ndarray, order: np.ndarray) -> bytes:
    """Bars per concept from simple to complex: size, and what it keeps. PNG bytes."""
    figure, axes = _figure(7.5, 3.2)
    rows = np.arange(len(order))
    axes.bar(rows, size[order], color=DROPPED, alpha=0.45, label="members")
    axes.bar(rows, quota[order], color=KEPT, label="quota")
    axes.set_xlabel("concepts, from simple to complex")
    axes.set_ylabel("samples")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def objective(curves: Sequence[tuple[str, np.ndarray]]) -> bytes:
    """Mean cosine of the training sample by iteration of k-means, a line for each (name, values). PNG bytes."""
    figure, axes = _figure(7.5, 3.2)
    for name, values in curves:
        axes.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=3, label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel("mean cosine to the centroid")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def sweep(ks: Sequence[int], values: Sequence[float], chosen: int | None) -> bytes:
    """What several numbers of concepts explain of held-out vectors, over log k; the chosen one is marked. PNG bytes."""
    figure, axes = _figure(7.5, 3.2)
    axes.plot(ks, values, color=INK, marker="o", markersize=4)
    if chosen is not None:
        axes.axvline(chosen, color=KEPT, linestyle="--", label=f"chosen: {chosen}")
        axes.legend(frameon=False, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("concepts")
    axes.set_ylabel("mean cosine, held out")
    return _png(figure)


def bars(labels: Sequence[str], values: Sequence[int], unit: str) -> bytes:
    """Horizontal bars with their numbers. PNG bytes."""
    figure, axes = _figure(7.5, 0.34 * max(len(labels), 1) + 1.0)
    rows = np.arange(len(labels))
    axes.barh(rows, values, color=KEPT)
    for row, value in enumerate(values):
        axes.text(value, row, f"  {value:,}", va="center", fontsize=8, color=INK)
    axes.set_yticks(rows, labels)
    axes.invert_yaxis()
    axes.set_xlim(0, max([*values, 1]) * 1.15)
    axes.set_xlabel(unit)
    return _png(figure)


MOST_LABELS = 15


def confusion(table: pa.Table) -> bytes:
    """Heat maps of what was expected against what was found: licenses left, opt-outs right. PNG bytes.

    Args:
        table: columns kind, expected, found, samples and right; kinds besides license and reservation are not shown.
    """
    rows = table.to_pylist()
    panels = []
    for kind in ("license", "reservation"):
        counted = [(row["expected"], row["found"], row["samples"]) for row in rows if row["kind"] == kind]
        panels.append((kind, *confusion_cells(counted, MOST_LABELS)))
    widths = [0.46 * len(labels) + 2.2 for _, labels, _ in panels]
    figure, first = _figure(sum(widths), 0.34 * max(len(labels) for _, labels, _ in panels) + 2.2)
    first.remove()
    for axes, (kind, labels, cells) in zip(figure.subplots(1, 2, width_ratios=widths), panels, strict=True):
        _heat_map(axes, kind, labels, cells)
    return _png(figure)


def confusion_cells(counted: Sequence[tuple[str, str, int]], most: int) -> tuple[list[str], np.ndarray]:
    """Labels by count, at most `most` and then `other`, and samples by (expected, found) in that order.

    Args:
        counted: (expected, found, samples).
    """
    totals: Counter[str] = Counter()
    for expected, found, samples in counted:
        for label in {expected, found}:
            totals[label] += samples
    labels = sorted(totals, key=lambda label: (-totals[label], label))
    place = {label: min(number, most) for number, label in enumerate(labels)}
    if len(labels) > most:
        labels = [*labels[:most], "other"]
    cells = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for expected, found, samples in counted:
        cells[place[expected], place[found]] += samples
    return labels, cells


def _heat_map(axes: Any, kind: str, labels: Sequence[str], cells: np.ndarray) -> None:
    """One panel; color by the logarithm of the count, so that a single wrong sample shows beside thousands."""
    shade = np.log1p(cells.astype(np.float64))
    most = float(shade.max(initial=0.0)) or 1.0
    if len(labels):
        axes.imshow(shade, cmap="Greens", vmin=0, vmax=1.6 * most, aspect="auto")
    for row, column in np.argwhere(cells):
        ink = INK if row == column else DROPPED
        axes.text(column, row, f"{cells[row, column]:,}", ha="center", va="center", fontsize=7, color=ink)
    places = np.arange(len(labels))
    axes.set_xticks(places, labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlabel("found")
    axes.set_ylabel("expected")
    axes.set_title(f"{kind}: samples", fontsize=10)


def contact_sheet(rows: Sequence[tuple[str, Sequence[Any]]], columns: int = 12, side: int = 72) -> bytes:
    """Rows of thumbnails, each with a title above it; pictures are PIL images. PNG bytes."""
    from PIL import Image, ImageDraw

    gap, title = 6, 16
    height = sum(title + (side + gap) * -(-max(len(pictures), 1) // columns) for _, pictures in rows) + gap
    sheet = Image.new("RGB", (columns * (side + gap) + gap, height), "white")
    pen = ImageDraw.Draw(sheet)
    top = gap
    for label, pictures in rows:
        pen.text((gap, top), label, fill=INK)
        top += title
        for number, picture in enumerate(pictures):
            thumb = picture.copy()
            thumb.thumbnail((side, side))
            left = gap + (number % columns) * (side + gap)
            sheet.paste(thumb, (left, top + (number // columns) * (side + gap)))
        top += (side + gap) * -(-max(len(pictures), 1) // columns)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
