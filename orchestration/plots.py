"""Plots on the asset pages: pictures as data URIs inside Markdown.

Dagster 1.13 shows Markdown of up to 1,000 characters on the page itself and longer ones by a click; so what matters most is
also there as a small table with bars of characters.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

KEPT, DROPPED, INK = "#2f7d5b", "#c8553d", "#333333"


def inline(title: str, png: bytes) -> str:
    """Markdown that shows a picture, as WebP: the asset page loads those of a hundred builds at a time."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        # Matplotlib's drawings (RGBA) are small without loss; sheets of photographs (RGB) are not.
        picture.save(buffer, "WEBP", lossless=picture.mode == "RGBA", quality=80)
    return f"![{title}](data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()})"


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


MOST_DISCS = 2_000
"""Concepts drawn one by one; of more, those that lie in the same cell of a grid share a disc."""

GRID = (60, 40)
"""Cells of that grid, across and up."""


def complexity(d_inter: np.ndarray, d_intra: np.ndarray, size: np.ndarray, quota: np.ndarray) -> bytes:
    """One disc per concept: spread against distance to its neighbors; area is size, color is the share kept. PNG.

    More than `MOST_DISCS` concepts share discs: those in a cell of a grid are put together, and drawn at their mean place.
    The largest disc is the smaller, the more there are.
    """
    there = np.flatnonzero(size > 0)
    cell = grid_cells(d_inter[there], d_intra[there])
    x, y = means(d_inter[there], cell), means(d_intra[there], cell)
    members, kept = sums(size[there], cell), sums(quota[there], cell)
    # Small discs last, so that large ones do not hide them.
    order = np.argsort(-members, kind="stable")
    figure, axes = _figure(7.5, 5)
    # By this number discs cover at most about half of the plane, if they lie apart.
    largest = min(400.0, 190_000 / max(len(order), 1))
    area = largest * np.maximum(members[order] / max(float(members.max(initial=1)), 1.0), 0.015)
    discs = axes.scatter(
        x[order], y[order], s=area, c=kept[order] / members[order],
        cmap="viridis", vmin=0, vmax=1, alpha=0.8, linewidths=0,
    )  # fmt: skip
    figure.colorbar(discs, label="share kept")
    axes.set_xlabel("d_inter: mean cosine distance to the nearest concepts")
    axes.set_ylabel("d_intra: mean cosine distance of members")
    what = f"{len(there):,} concepts" if len(order) == len(there) else _together(len(there), len(order))
    axes.set_title(f"{what}; area: samples", fontsize=9)
    return _png(figure)


def _together(concepts: int, discs: int) -> str:
    return f"{concepts:,} concepts in {discs:,} discs, those near to each other in one"


def grid_cells(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) number of each point's disc, from 0 without gaps: its own up to `MOST_DISCS` points, else its cell of the grid."""
    if len(x) <= MOST_DISCS:
        return np.arange(len(x))
    cell = np.zeros(len(x), np.int64)
    for values, count in zip((x, y), GRID, strict=True):
        low, high = float(values.min()), float(values.max())
        place = (values - low) * (count / (high - low)) if high > low else np.zeros(len(values))
        cell = cell * count + np.minimum(place.astype(np.int64), count - 1)
    return np.unique(cell, return_inverse=True)[1]


def sums(values: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Sum of the values in each cell, by its number."""
    return np.bincount(cell, values.astype(np.float64))


def means(values: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Mean of the values in each cell, by its number."""
    return sums(values, cell) / np.bincount(cell)


MOST_BARS = 120
"""Bars side by side that can be told apart; more concepts are put together, as many to a bar."""


def kept_share(complexity_of: np.ndarray, size: np.ndarray, quota: np.ndarray) -> bytes:
    """Members and quota of concepts from simple to complex, and the share kept. PNG bytes.

    More than `MOST_BARS` concepts share bars, neighbors in complexity with each other.
    """
    there = np.flatnonzero(size > 0)
    order = there[np.argsort(complexity_of[there], kind="stable")]
    groups = np.array_split(order, min(len(order), MOST_BARS)) if len(order) else []
    members, kept = (np.array([float(values[g].sum()) for g in groups]) for values in (size, quota))
    figure, axes = _figure(7.5, 3.6)
    rows = np.arange(len(groups))
    axes.bar(rows, members, color=DROPPED, alpha=0.45, label="members")
    axes.bar(rows, kept, color=KEPT, label="quota")
    together = "" if len(order) <= MOST_BARS else f", about {len(order) / len(groups):.0f} to a bar"
    axes.set_xlabel(f"concepts, from simple to complex{together}")
    axes.set_ylabel("samples")
    axes.xaxis.get_major_locator().set_params(integer=True)
    right = axes.twinx()
    right.plot(rows, kept / members if len(rows) else rows, color=INK, linewidth=0.8, marker=".", markersize=4)
    right.set_ylim(0, 1.02)
    right.set_ylabel("share kept (points)")
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return _png(figure)


def quota_against_target(target: np.ndarray, quota: np.ndarray, floor: np.ndarray, size: np.ndarray) -> bytes:
    """What softmax gives each concept against what it gets; those that a bound holds are marked. PNG bytes.

    Up to `MOST_BARS` concepts have a line from floor to size. More than `MOST_DISCS` of a kind share discs, as in `complexity`,
    on a grid over the logarithms; area is the number of concepts beside the most of that kind.
    """
    there = size > 0
    full, held = there & (quota >= size), there & (quota <= floor) & (quota < size)
    kinds = [("free", there & ~full & ~held, INK), ("all members", full, KEPT), ("held at the floor", held, DROPPED)]
    figure, axes = _figure(7.5, 4.6)
    ranges = int(there.sum()) <= MOST_BARS
    if ranges:
        low, high = np.minimum(floor, quota)[there], size[there]
        axes.vlines(target[there], low, high, color=INK, alpha=0.25, linewidth=1, label="from floor to size")
    for name, mask, color in kinds:
        x, y = target[mask].astype(np.float64), quota[mask].astype(np.float64)
        cell = grid_cells(np.log1p(x), np.log1p(y))
        each = np.bincount(cell)
        area = 12 if len(each) == len(x) else 4 + 36 * each / each.max()
        label = f"{name}: {len(x):,}" + ("" if len(each) == len(x) else f" in {len(each):,} discs")
        axes.scatter(means(x, cell), means(y, cell), s=area, color=color, alpha=0.6, linewidths=0, label=label)
    if there.any():
        _fit(axes, "x", target[there])
        _fit(axes, "y", np.concatenate([quota[there], *([floor[there], size[there]] if ranges else [])]))
    # Curved where one axis alone is logarithmic.
    line = np.geomspace(1e-3, max(float(quota.max(initial=1)), 1.0), 200)
    axes.plot(line, line, color=INK, linewidth=0.6, linestyle=":", label="quota is target")
    axes.set_xlabel("target: softmax share of the budget")
    axes.set_ylabel("quota")
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return _png(figure)


def _fit(axes: Any, side: str, values: np.ndarray) -> None:
    """Limits of an axis just around the values, and logarithms where they differ by more than ten times."""
    low, high = float(values.min()), float(values.max())
    set_scale, set_limits = (axes.set_xscale, axes.set_xlim) if side == "x" else (axes.set_yscale, axes.set_ylim)
    if high > 10 * low and high > 10:
        set_scale("symlog", linthresh=1)
        set_limits(max(low * 0.8, -0.1) if low else -0.1, high * 1.3)
    else:
        edge = 0.05 * (high - low) or 0.5
        set_limits(low - edge, high + edge)


def histogram(values: np.ndarray, threshold: float, name: str) -> bytes:
    """How often which value occurs, from a threshold on. PNG bytes."""
    figure, axes = _figure(7.5, 2.8)
    axes.hist(values, bins=50, range=(threshold, max(1.0, float(values.max(initial=1.0)))), color=KEPT)
    axes.axvline(threshold, color=DROPPED, linestyle="--", label=f"threshold {threshold:g}")
    axes.set_xlabel(name)
    axes.set_ylabel("samples")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


class Shown(Protocol):
    """A sample on a sheet: a PIL image, or None and why there is none; and what stands below it."""

    @property
    def picture(self) -> Any: ...  # noqa: D102
    @property
    def absence(self) -> str: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102


def pairs(
    rows: Sequence[tuple[Shown, Shown, str]], of: int, threshold: float, across: int = 4, side: int = 112
) -> bytes:
    """Pairs of pictures, left what stays, right what goes, and their cosine below, from row to row. PNG bytes.

    Args:
        rows: what stays, what goes, cosine.
        of: how many pairs there are.
        threshold: cosine above which one goes.
        across: pairs in a row.
        side: longest side of a picture in pixels.
    """
    from PIL import Image, ImageDraw

    gap, wide = 4, 2 * side + 20
    tall = side + LINE + 10
    sheet = Image.new("RGB", (across * wide, LINE + 10 + tall * -(-max(len(rows), 1) // across)), "white")
    pen = ImageDraw.Draw(sheet)
    head = f"{len(rows)} of {of:,} pairs over the range of cosines, threshold {threshold:g}: left stays, right goes"
    pen.text((gap, gap), head, fill=INK)
    for number, (stays, goes, cosine) in enumerate(rows):
        left, top = gap + (number % across) * wide, LINE + 10 + (number // across) * tall
        _tile(sheet, pen, stays, (left, top), side)
        _tile(sheet, pen, goes, (left + side + 2, top), side)
        pen.text((left, top + side), cosine, fill=INK)
    return _sheet_png(sheet)


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


LINE = 14
"""Height of a line of text on a sheet, in pixels."""


def contact_sheet(parts: Sequence[tuple[str, Sequence[Shown]]], columns: int = 12, side: int = 72) -> bytes:
    """Parts with a title each: thumbnails with a note below; an empty frame says why there is no picture. PNG bytes."""
    from PIL import Image, ImageDraw

    gap = 6
    cell = side + LINE + gap
    height = sum(LINE + cell * -(-len(tiles) // columns) for _, tiles in parts) + 2 * gap
    sheet = Image.new("RGB", (columns * (side + gap) + gap, height), "white")
    pen = ImageDraw.Draw(sheet)
    top = gap
    for title, tiles in parts:
        pen.text((gap, top), title, fill=INK)
        top += LINE
        for number, tile in enumerate(tiles):
            left, above = gap + (number % columns) * (side + gap), top + (number // columns) * cell
            _tile(sheet, pen, tile, (left, above), side)
            pen.text((left, above + side), tile.note, fill=INK)
        top += cell * -(-len(tiles) // columns)
    return _sheet_png(sheet)


def _tile(sheet: Any, pen: Any, tile: Shown, place: tuple[int, int], side: int) -> None:
    """A thumbnail, or a frame with the reason in it, word by word."""
    left, top = place
    if tile.picture is None:
        pen.rectangle((left, top, left + side - 1, top + side - 1), outline="#bbbbbb")
        pen.multiline_text((left + 4, top + 4), "\n".join(tile.absence.replace("_", " ").split()), fill=INK)
        return
    thumb = tile.picture.copy()
    thumb.thumbnail((side, side))
    sheet.paste(thumb, place)


def _sheet_png(sheet: Any) -> bytes:
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
