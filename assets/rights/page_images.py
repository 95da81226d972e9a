"""The images of a page that are samples, and which of them a statement on the page is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

from assets.rights.elements import Element, Item
from assets.rights.markup import MAX_PAIRS, Page


class Images:
    """The samples of a page, by position, by address, and by the figures around them.

    Args:
        page: the page.
        samples: (sample_id, position, addresses) of its images; addresses as `urls.join` makes them.
    """

    def __init__(self, page: Page, samples: Iterable[tuple[int, int, list[str]]]) -> None:
        self._page, self._left = page, MAX_PAIRS
        self.element_of: dict[int, Element] = {}
        self.by_address: dict[str, list[int]] = defaultdict(list)
        self.in_figure: dict[int, list[int]] = defaultdict(list)
        self._nested = False
        self.in_item: dict[Item, list[int]] = defaultdict(list)
        for sample_id, position, addresses in samples:
            for key in {_without_scheme(address) for address in addresses}:
                self.by_address[key].append(sample_id)
            if position < len(page.images):
                element = page.images[position]
                context = element.context
                self.element_of[sample_id] = element
                if context.item is not None and context.item.is_image:
                    self.in_item[context.item].append(sample_id)
                self._nested = self._nested or len(context.figures) > 1
                for figure in context.figures:
                    self.in_figure[figure].append(sample_id)

    def at(self, address: str | None) -> list[int]:
        """Samples that show the image at an absolute address, under http or https."""
        return [] if address is None else self._said_of(self.by_address.get(_without_scheme(address), []))

    def of_figure(self, figure: int) -> list[int]:
        """Samples in a figure, those in figures inside it too."""
        return self._said_of(self.in_figure.get(figure, []))

    def nearest(self, figure: int, stating: Container[int]) -> list[int]:
        """Samples in a figure that no other of the figures that state something holds more closely."""
        shown = self.of_figure(figure)
        if not self._nested:
            return shown
        figures = {sample_id: self.element_of[sample_id].context.figures for sample_id in shown}
        return [i for i in shown if next(around for around in figures[i] if around in stating) == figure]

    def of_item(self, item: Item) -> list[int]:
        """Samples that stand in an item that describes an image."""
        return self._said_of(self.in_item.get(item, []))

    def afford(self, rows: int) -> bool:
        """Whether so many more rows about images may be made of the page; it is not read to its end if not."""
        self._left -= rows
        if self._left < 0:
            self._page.cut = True
        return self._left >= 0

    def _said_of(self, samples: list[int]) -> list[int]:
        """The samples of one statement, until the page has made too many statements about too many."""
        return samples if self.afford(len(samples)) else []


def _without_scheme(address: str) -> str:
    return address.partition(":")[2].partition("#")[0]
