"""The UI in a browser, as a person meets it: a clean home, the graph, one press of a button, the pages of what was made."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bench.ui import browser
from orchestration.definitions import ROOMS
from tests.ui import pictures

pytest.importorskip("playwright", reason="the package playwright is missing: pip install -e '.[dev]'")
from tests.ui.browser import window  # noqa: E402
from tests.ui.server import winnow_ui  # noqa: E402
from tests.ui.walk import Plot, Walk  # noqa: E402

CHROMIUM = browser()
RUN_SECONDS = 300

COMES_LATE = {"release": ["Fails if more than"]}
"""What a page asks the server for only when the rest of it is there."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium and no google-chrome on PATH: the UI is not looked at"),
]


@dataclass
class Seen:
    """What was seen on one walk."""

    groups: list[str] = field(default_factory=list)
    launched: str = ""
    run: str = ""
    recipe: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    plots: dict[str, list[Plot]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def drawn(self, asset: str) -> set[str]:
        """Titles of the plots of an asset that the browser could draw."""
        return {plot.title for plot in self.plots[asset] if plot.width > 0 and plot.height > 0}


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Seen:
    """One walk over a home that nothing was built in; its recipe has one crawl file, so that one run builds everything."""
    folder = tmp_path_factory.mktemp("ui")
    seen = Seen()
    assert CHROMIUM is not None
    with winnow_ui(pictures.make_recipe(folder / "wall"), folder / "home") as address, window(CHROMIUM) as opened:
        walk = Walk(opened, address)
        seen.groups = walk.open_graph(len(ROOMS))
        seen.launched = walk.materialize_everything()
        seen.run = walk.watch(RUN_SECONDS)
        seen.recipe = walk.find_in_log("defaults written out")
        for asset in ("concepts", "selection", "release"):
            seen.pages[asset] = walk.open_asset(asset, *COMES_LATE.get(asset, ()))
            seen.plots[asset] = walk.plots()
        seen.errors = opened.errors
    return seen


def test_the_graph_has_a_node_for_every_stage(seen):
    assert seen.groups == sorted(room.__name__.split(".")[1] for room in ROOMS)


def test_one_press_builds_everything_on_a_clean_home(seen):
    assert seen.launched == "Launch 1 run"
    assert "Success" in seen.run


def test_the_list_of_runs_says_which_recipe_was_built(seen):
    assert "winnow/recipe: wall" in seen.run
    assert "winnow/recipe_sha256: " in seen.run


def test_the_whole_recipe_stands_in_the_log_of_the_run(seen):
    assert "recipe wall, sha256 " in seen.recipe
    assert "keep: 0.6" in seen.recipe


def test_plots_of_the_pruning_assets_are_drawn(seen):
    assert seen.drawn("concepts") == {"complexity", "kept share by concept", "quota against target"}
    assert seen.drawn("selection") == {"kept and dropped"}


def test_every_picture_of_the_release_page_is_drawn(seen):
    titles = {plot.title for plot in seen.plots["release"]}
    assert {"complexity", "funnel", "kept and dropped"} <= titles
    assert seen.drawn("release") == titles


def test_pages_lead_to_code_documentation_table_and_file(seen):
    for words in ("assets/prune/stage.py:", "docs/pruning.md", "provenance.main.cluster", "lake/cluster/all-"):
        assert words in seen.pages["concepts"]


def test_the_release_page_says_how_old_a_release_may_be(seen):
    assert "Fails if more than" in seen.pages["release"]
    assert "Fails if more than" not in seen.pages["concepts"]


def test_no_page_met_an_error(seen):
    assert seen.errors == []
