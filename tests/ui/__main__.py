"""`python -m tests.ui`: builds a recipe on a clean home by pressing "Materialize all", and takes the pictures of docs/."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ui import browser
from orchestration.definitions import ROOMS
from tests.ui.browser import Window, window
from tests.ui.server import winnow_ui
from tests.ui.walk import Walk

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_SECONDS = 3600
GRAPH_HEIGHT = 900


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit status 1 where a page met an error or Chromium is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.ui", description=__doc__)
    parser.add_argument("--recipe", type=Path, default=REPOSITORY / "recipes" / "demo.yaml")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs")
    options = parser.parse_args(arguments)
    chromium = browser()
    if chromium is None:
        print("no chromium and no google-chrome on PATH; install one of them", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with winnow_ui(options.recipe.resolve(), home) as address, window(chromium) as opened:
            walk = Walk(opened, address)
            build(walk)
            take(walk, options.out)
            errors = opened.errors
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


def build(walk: Walk) -> None:
    """Press the button, and say how long it took."""
    walk.open_graph(len(ROOMS))
    started = time.monotonic()
    print(walk.materialize_everything())
    print(walk.watch(RUN_SECONDS))
    print(f"everything was built {time.monotonic() - started:.0f} s after the press")


def take(walk: Walk, out: Path) -> None:
    """Pictures of the graph and of two assets' pages."""
    page = walk.page
    page.get_by_text("Hide navigation").click()
    # The graph is laid out for the window in which it is opened.
    page.set_viewport_size({"width": 1600, "height": GRAPH_HEIGHT})
    walk.open_graph(len(ROOMS))
    _shoot(walk.window, out / "asset-graph.png", GRAPH_HEIGHT)
    walk.open_asset("concepts")
    _shoot(walk.window, out / "asset-page-pruning.png", 1500, walk, "complexity")
    walk.open_asset("release")
    _shoot(walk.window, out / "asset-page-release.png", 1500)


def _shoot(opened: Window, path: Path, height: int, walk: Walk | None = None, key: str = "") -> None:
    """A picture of what is seen at a height of the window, with one plot's dialog open if it is named."""
    opened.page.set_viewport_size({"width": 1600, "height": height})
    if walk is not None:
        walk.show(key)
    # Lines of the graph and dialogs slide into their place.
    opened.page.wait_for_timeout(2000)
    opened.shoot(path)
    print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    sys.exit(main())
