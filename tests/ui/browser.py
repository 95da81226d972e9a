"""A headless Chromium that remembers what went wrong on the pages it showed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

SIZE = {"width": 1600, "height": 1000}

HARMLESS: dict[str, str] = {}
"""Errors that mean nothing: a part of the message, and why it does no harm."""


@dataclass
class Window:
    """A page with the errors that it met."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def listen(self) -> Window:
        """Write down console errors, uncaught exceptions and answers that are errors."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._note(f"exception: {error}"))
        self.page.on("response", lambda answer: answer.status >= 400 and self._note(f"{answer.status} {answer.url}"))
        return self

    def shoot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        self.page.screenshot(path=path)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _note(self, text: str) -> None:
        if not any(part in text for part in HARMLESS):
            self.errors.append(text)


@contextmanager
def window(chromium: str) -> Iterator[Window]:
    """A page of 1600 by 1000 in a fresh profile."""
    with sync_playwright() as playwright:
        # Containers often run as root, where Chromium refuses its sandbox; only loopback is opened.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Window(browser.new_page(viewport=SIZE)).listen()  # type: ignore[arg-type]
        finally:
            browser.close()
