"""What a person does in Dagster's UI: open the graph, materialize everything, watch, look at pages and their plots."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from playwright.sync_api import Locator, Page

from tests.ui.browser import Window

LOAD_MS = 60_000
"""How long a page may take to show what it is for."""

ROW = "[class*=VirtualizedTable_row]"
"""A line of the list of runs."""

DONE = ("Success", "Completed")
FAILED = ("Failure", "Failed", "Canceled")


@dataclass(frozen=True)
class Plot:
    """A picture in a dialog: the dialog's title, and the pixels that the browser decoded; 0 where it could not."""

    title: str
    width: int
    height: int


@dataclass(frozen=True)
class Walk:
    """A window on the UI at an address."""

    window: Window
    address: str

    @property
    def page(self) -> Page:
        return self.window.page

    def open_graph(self, groups: int) -> list[str]:
        """Open the asset graph and wait until it has as many groups; their names."""
        self.page.goto(f"{self.address}/asset-groups")
        nodes = self.page.locator("svg foreignObject")
        nodes.nth(groups - 1).wait_for(timeout=LOAD_MS)
        return sorted({text.strip().splitlines()[0] for text in nodes.all_text_contents() if text.strip()})

    def materialize_everything(self) -> str:
        """Press the button over the graph and choose all partitions; what the last button said it would launch."""
        self.page.get_by_role("button", name="Materialize all").click(timeout=LOAD_MS)
        self.page.get_by_role("button", name="All", exact=True).click(timeout=LOAD_MS)
        launch = self.page.get_by_role("button", name=re.compile("^Launch "))
        said = launch.inner_text(timeout=LOAD_MS)
        launch.click()
        # The dialog goes away when the run is launched; leaving the page before would lose it.
        self.page.get_by_text("Partition selection").wait_for(state="detached", timeout=LOAD_MS)
        return said

    def watch(self, seconds: float) -> str:
        """Look at the list of runs until the newest one, or the newest backfill, has ended; its line in the list."""
        self.page.goto(f"{self.address}/runs")
        line = self.page.locator(ROW).first
        deadline = time.monotonic() + seconds
        text = ""
        while time.monotonic() < deadline:
            text = _words(line)
            if any(word in text for word in (*DONE, *FAILED)):
                return text
            self.page.wait_for_timeout(500)
        raise AssertionError(f"not done within {seconds:.0f} s: {text}")

    def find_in_log(self, text: str) -> str:
        """Open the newest run of the list and look for a text in its log; the first line that has it."""
        self.page.goto(f"{self.address}/runs")
        self.page.locator(f"{ROW} a[href^='/runs/']").first.click(timeout=LOAD_MS)
        self.page.get_by_placeholder("Filter…").fill(text, timeout=LOAD_MS)
        found = self.page.get_by_text(text).first
        found.wait_for(timeout=LOAD_MS)
        return found.inner_text()

    def open_asset(self, name: str, *parts: str) -> str:
        """Open an asset's page and wait for its description, its metadata, its lineage and texts with `parts`; what it says."""
        self.page.goto(f"{self.address}/assets/{name}")
        for part in parts:
            self.page.get_by_text(part).first.wait_for(timeout=LOAD_MS)
        for text in ("fingerprint", "Source code", "View in graph"):
            self.page.get_by_text(text, exact=True).first.wait_for(timeout=LOAD_MS)
        return self.page.inner_text("body")

    def plots(self) -> list[Plot]:
        """Open each long text of the asset's page in its dialog; the pictures that are in them."""
        found: list[Plot] = []
        for link in self.page.get_by_text("[Show Markdown]").all():
            link.click()
            found += self._pictures(self.dialog())
            self.close()
        return found

    def show(self, key: str) -> Locator:
        """Open the dialog of one entry of an asset's metadata."""
        row = self.page.locator("tr", has=self.page.get_by_text(key, exact=True))
        row.get_by_text("[Show Markdown]").first.click()
        return self.dialog()

    def dialog(self) -> Locator:
        """The dialog that is open."""
        dialog = self.page.locator(".bp5-dialog, .bp4-dialog, [role=dialog]").last
        dialog.get_by_role("button", name="Close").wait_for(timeout=LOAD_MS)
        return dialog

    def close(self) -> None:
        """Close the dialog."""
        button = self.dialog().get_by_role("button", name="Close")
        button.click()
        button.wait_for(state="detached", timeout=LOAD_MS)

    def _pictures(self, dialog: Locator) -> list[Plot]:
        title = _words(dialog).partition(" Copy")[0].strip()
        size = "image => image.decode().catch(() => null).then(() => [image.naturalWidth, image.naturalHeight])"
        return [Plot(title, *image.evaluate(size)) for image in dialog.locator("img").all()]


def _words(place: Locator) -> str:
    """The text of a place on one line; empty while it is not there."""
    return " ".join(place.inner_text(timeout=LOAD_MS).split()) if place.count() else ""
