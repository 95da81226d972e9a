import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestration import plots

STAGES = ["crawl", "rights", "pool", "embeddings", "dedup", "prune", "captions", "release"]


def picture(png):
    return Image.open(io.BytesIO(png))


def test_the_text_funnel_is_short_enough_for_the_asset_page():
    kept = [3_448_000, 2_874_000, 1_206_000, 1_206_000, 1_057_000, 634_000, 634_000, 634_000]
    text = plots.text_funnel(STAGES, kept, [42_000, 574_000, 1_668_000, 0, 149_000, 423_000, 0, 0])
    assert len(text) < 1000
    assert "|pool|1206000|1668000|" in text


def test_the_bars_of_the_text_funnel_are_proportional():
    lines = plots.text_funnel(["a", "b"], [10, 5], [0, 5]).splitlines()
    assert lines[2].count("█") == 20
    assert (lines[3].count("█"), lines[3].count("░")) == (10, 10)


def test_an_empty_funnel_is_a_table_without_rows():
    assert len(plots.text_funnel([], [], []).splitlines()) == 2


def test_pictures_stand_inside_the_markdown_as_webp_drawings_without_loss():
    drawing = plots.bars(["a", "b"], [1, 2], "samples")
    start, _, data = plots.inline("title", drawing).partition("base64,")
    assert start == "![title](data:image/webp;"
    webp = base64.b64decode(data.removesuffix(")"))
    assert len(webp) < len(drawing)
    shown, drawn = (np.asarray(Image.open(io.BytesIO(one)).convert("RGBA")) for one in (webp, drawing))
    np.testing.assert_array_equal(shown, drawn)


def test_every_plot_is_a_png_and_repeats_to_the_byte():
    four = np.array([0.1, 0.2, 0.3, 0.4])
    size, quota = np.array([4, 3, 2, 0]), np.array([1, 3, 0, 0])
    for draw in (
        lambda: plots.funnel(["a"], [1], [2]),
        lambda: plots.complexity(four, four, size, quota),
        lambda: plots.kept_share(four, size, quota),
        lambda: plots.quota_against_target(four, quota, np.zeros(4), size),
        lambda: plots.histogram(four, 0.05, "cosine"),
        lambda: plots.objective([("k = 3", four)]),
        lambda: plots.sweep([1, 2, 4, 8], four.tolist(), 4),
        lambda: plots.pairs([(Thing(None, "gone"), Thing(None, "url_only"), "0.97")], 9, 0.95),
        lambda: plots.bars(["x"], [3], "samples"),
        lambda: plots.bars([], [], "samples"),
    ):
        assert picture(draw()).format == "PNG"
        assert draw() == draw()


@dataclass
class Thing:
    picture: Any
    absence: str = ""
    note: str = ""


def ink(image):
    """Pixels that are not white."""
    return int((np.asarray(image.convert("L")) < 250).sum())


def test_a_contact_sheet_shows_every_picture_under_its_title():
    red, blue = Image.new("RGB", (200, 100), "red"), Image.new("RGB", (50, 80), "blue")
    rows = [("kept", [Thing(red, note="0.1"), Thing(red, note="0.2")]), ("dropped", [Thing(blue)]), ("none", [])]
    sheet = picture(plots.contact_sheet(rows, columns=2, side=40))
    colors = {color for _, color in sheet.convert("RGB").getcolors(100_000)}
    assert {(255, 0, 0), (0, 0, 255)} <= colors


def test_a_frame_says_why_there_is_no_picture_and_still_has_its_note():
    def sheet(absence, note):
        return picture(plots.contact_sheet([("kept", [Thing(None, absence, note)])], columns=1, side=80))

    framed = sheet("bytes missing", "0.123")
    assert framed.getpixel((6, 20)) == (187, 187, 187)
    inside, below = (7, 21, 84, 98), (6, 101, 86, 114)
    assert ink(framed.crop(inside)) > 0
    assert ink(framed.crop(below)) > 0
    assert ink(sheet("", "0.123").crop(inside)) == 0
    assert ink(sheet("bytes missing", "").crop(below)) == 0


def test_a_pair_is_what_stays_on_the_left_and_what_goes_on_the_right():
    red, blue = Image.new("RGB", (50, 50), "red"), Image.new("RGB", (50, 50), "blue")
    sheet = picture(plots.pairs([(Thing(red), Thing(blue), "0.97")], 1, 0.95, across=1, side=50))
    assert (sheet.getpixel((20, 40)), sheet.getpixel((80, 40))) == ((255, 0, 0), (0, 0, 255))


def test_many_concepts_share_discs_and_none_is_left_out():
    rng = np.random.default_rng(0)
    x, y = rng.random(50_000), rng.gamma(2, 1, 50_000)
    cell = plots.grid_cells(x, y)
    assert set(cell) == set(range(cell.max() + 1))
    assert len(set(cell)) <= plots.GRID[0] * plots.GRID[1]
    assert plots.sums(np.ones(50_000), cell).sum() == 50_000
    for values, count in zip((x, y), plots.GRID, strict=True):
        spread = [np.ptp(values[cell == one]) for one in range(40)]
        assert max(spread) <= np.ptp(values) / count
    few = plots.grid_cells(x[:100], y[:100])
    np.testing.assert_array_equal(few, np.arange(100))
    assert set(plots.grid_cells(np.ones(5_000), np.ones(5_000))) == {0}


@pytest.mark.parametrize("k", [0, 1, 3, 20_000])
def test_plots_of_concepts_are_drawn_for_any_number_of_them(k):
    rng = np.random.default_rng(k)
    size = rng.geometric(0.02, k)
    quota = size // 3
    for png in (
        plots.complexity(rng.random(k), rng.random(k), size, quota),
        plots.kept_share(rng.random(k), size, quota),
        plots.quota_against_target(size * 0.3, quota, quota // 2, size),
    ):
        assert picture(png).width == 750
