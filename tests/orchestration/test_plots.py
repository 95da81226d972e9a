import base64
import io

import numpy as np
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


def test_pictures_stand_inside_the_markdown():
    markdown = plots.inline("title", b"png")
    assert markdown == f"![title](data:image/png;base64,{base64.b64encode(b'png').decode()})"


def test_every_plot_is_a_png_and_repeats_to_the_byte():
    four = np.array([0.1, 0.2, 0.3, 0.4])
    size, quota = np.array([4, 3, 2, 0]), np.array([1, 3, 0, 0])
    for draw in (
        lambda: plots.funnel(["a"], [1], [2]),
        lambda: plots.complexity(four, four, size, quota),
        lambda: plots.kept_by_concept(size, quota, np.arange(4)),
        lambda: plots.bars(["x"], [3], "samples"),
        lambda: plots.bars([], [], "samples"),
    ):
        assert picture(draw()).format == "PNG"
        assert draw() == draw()


def test_a_contact_sheet_shows_every_picture_under_its_title():
    red, blue = Image.new("RGB", (200, 100), "red"), Image.new("RGB", (50, 80), "blue")
    sheet = picture(plots.contact_sheet([("kept", [red, red]), ("dropped", [blue]), ("none", [])], columns=2, side=40))
    colors = {color for _, color in sheet.convert("RGB").getcolors(100_000)}
    assert {(255, 0, 0), (0, 0, 255)} <= colors
