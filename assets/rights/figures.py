"""What figures say of their images: links to a license, captions, credits.

A figure in a figure speaks first: what the outer one licenses or credits counts for images of which no figure inside it
states such a thing. A notice that reserves rights counts from any of them, and so does the name of an owner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assets.rights.credits import credits_in, names_an_owner
from assets.rights.elements import Element
from assets.rights.findings import Findings, Subject, Where
from assets.rights.licenses import ALL_RIGHTS_RESERVED, NOASSERTION, choice_of, license_of_text
from assets.rights.markup import Page
from assets.rights.page_images import Images
from assets.rights.rdfa import LICENSE


class Figures:
    """Statements of a page's figures, as they are come by; `read` tells them of the images.

    Attributes:
        relations: links of each figure that say they are its license.
        links: (element, address) of others that lead to one.
        credits: (rule, value) of each figure and field of table `attribution`.
    """

    def __init__(self, page: Page, images: Images) -> None:
        self._page, self._images = page, images
        self.relations: dict[int, list[Element]] = defaultdict(list)
        self.links: dict[int, list[tuple[Element, str]]] = defaultdict(list)
        self.credits: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
        self._licenses: dict[int, list[tuple[str, str, str, Where]]] = defaultdict(list)

    def read(self, findings: Findings) -> set[int]:
        """Everything that figures say. Returns the samples that a license relation is about."""
        for figure, elements in self.relations.items():
            stated = linked(elements, self._page)
            if stated is not None:
                self._licenses[figure].append(("figure_rel", *stated))
        for figure, pairs in self.links.items():
            if figure not in self._licenses:
                self._licenses[figure].append(("figure_text", *self._led_to(pairs)))
        self._read_captions(findings)
        licensed: set[int] = set()
        for figure, statements in self._licenses.items():
            for rule, spdx_id, value, where in statements:
                shown = self._images.nearest(figure, self._licenses)
                licensed.update(shown if rule == "figure_rel" else ())
                for sample_id in shown:
                    findings.license(Subject("sample", sample_id), rule, spdx_id, value, where)
        self._tell_credits(findings)
        return licensed

    def _led_to(self, pairs: Sequence[tuple[Element, str]]) -> tuple[str, str, Where]:
        """(license, value, bytes) of links that do not say what they are: several licenses are no choice then."""
        ids = {self._page.license_of(address) or NOASSERTION for _, address in pairs}
        spdx_id = ids.pop() if len(ids) == 1 else NOASSERTION
        where = self._page.where(*(element for element, _ in pairs))
        return spdx_id, " ".join(address for _, address in pairs), where

    def _read_captions(self, findings: Findings) -> None:
        """Captions that name a license, reserve rights, credit somebody, or name an owner."""
        links: dict[int, Element] = {}
        relations = [element for element in self._page.statements if LICENSE in element.means]
        for element in (*relations, *(element for pairs in self.links.values() for element, _ in pairs)):
            if element.context.caption:
                links.setdefault(element.context.caption, element)
        for caption in self._page.captions:
            figures = caption.context.figures
            if figures and figures[0] in self._images.in_figure:
                self._read_caption(caption, links.get(caption.id), figures[0], findings)

    def _read_caption(self, caption: Element, link: Element | None, figure: int, findings: Findings) -> None:
        text, place = caption.text(), caption.context
        words = None if link is None else link.text()
        # Beside a link the words only repeat it, unless they reserve all rights: the rest of the caption tells.
        spdx_id = license_of_text(text) if not words or license_of_text(text.replace(words, " ")) else None
        if spdx_id == ALL_RIGHTS_RESERVED:
            where = self._page.where_element(caption)
            for sample_id in self._images.of_figure(figure):
                findings.license(Subject("sample", sample_id), "caption_notice", spdx_id, text, where)
        elif spdx_id and (link is None or link.context.comment) and not (place.noscript or place.comment):
            self._licenses[figure].append(("figure_text", spdx_id, text, self._page.where_element(caption)))
        if names_an_owner(text):
            for sample_id in self._images.of_figure(figure):
                findings.attribution(Subject("sample", sample_id), "caption_notice", "copyright_notice", text)
        for field, name in () if place.comment else credits_in(text, words):
            self.credits[figure, field].append(("caption_credit", name))

    def _tell_credits(self, findings: Findings) -> None:
        crediting: dict[str, set[int]] = defaultdict(set)
        for figure, field in self.credits:
            crediting[field].add(figure)
        for (figure, field), named in self.credits.items():
            for rule, value in named:
                for sample_id in self._images.nearest(figure, crediting[field]):
                    findings.attribution(Subject("sample", sample_id), rule, field, value)


def linked(elements: Sequence[Element], page: Page) -> tuple[str, str, Where] | None:
    """(license, value, bytes) of links in one place that say they are licenses; None where they lead nowhere."""
    targets = [target for element in elements if (target := element.target()) and target.strip("# ")]
    if not targets:
        return None
    return choice_of(page.license_of(target) for target in targets), " ".join(targets), page.where(*elements)
