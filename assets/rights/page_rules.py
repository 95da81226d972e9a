"""What a page says in its markup: rel=license on the page and in figures, captions, meta elements, RDFa `about`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from assets.rights.credits import credits_in, names_an_owner
from assets.rights.findings import RULES, Findings, Subject
from assets.rights.licenses import ALL_RIGHTS_RESERVED, NOASSERTION, either, license_of_text, license_of_value
from assets.rights.markup import Context, Element, Item, Page
from assets.rights.rdfa import AUTHOR, LICENSE, meanings

MAX_AUTHORS = 3
"""A page that names more authors is a list of pages by others."""

MAX_PAIRS = 200_000
"""Statements about single images that are read of a page: each could be about each image."""

RSL_TYPE = "application/rsl+xml"


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
                for figure in context.figures[:1]:
                    self.in_figure[figure].append(sample_id)

    def at(self, address: str | None) -> list[int]:
        """Samples that show the image at an absolute address, under http or https."""
        return [] if address is None else self._said_of(self.by_address.get(_without_scheme(address), []))

    def of_figure(self, figure: int) -> list[int]:
        """Samples whose innermost figure is a node."""
        return self._said_of(self.in_figure.get(figure, []))

    def of_item(self, item: Item) -> list[int]:
        """Samples that stand in an item that describes an image."""
        return self._said_of(self.in_item.get(item, []))

    def _said_of(self, samples: list[int]) -> list[int]:
        """The samples of one statement, until the page has made too many statements about too many."""
        self._left -= len(samples)
        if self._left >= 0:
            return samples
        self._page.cut = True
        return []


def _without_scheme(address: str) -> str:
    return address.partition(":")[2].partition("#")[0]


def read_markup(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in the markup of a page."""
    licensed = _links(page, images, findings)
    _plain_links(page, findings)
    _metas(page, findings)
    _captions(page, images, findings)
    _credits(page, images, findings)
    everything = findings.licenses_page(page.record_id)
    for sample_id, element in images.element_of.items():
        if everything or sample_id in licensed:
            findings.attribution(Subject("sample", sample_id), "img_title", "title", element.get("title"))
    say_what_was_left(page, findings)


def say_what_was_left(page: Page, findings: Findings) -> None:
    """Says of a page that states more than is read that it was not read to its end."""
    if page.cut:
        where = page.where()._replace(start=0, end=len(page.body))
        reason = "page incomplete: too_many_statements"
        findings.license(Subject("page", page.record_id), "page_unread", NOASSERTION, reason, where)


def mark_outside(page: Page, images: Images, findings: Findings) -> None:
    """Says of images in the site's header, footer or navigation that they are not what a page's license is about.

    HTML: rel=license covers the main content of a document. A logo is none of it.
    """
    for sample_id, element in images.element_of.items():
        context = element.context
        if context.outside or context.comment:
            value = "comment" if context.comment else "header, footer or nav"
            findings.license(Subject("sample", sample_id), "outside_main", NOASSERTION, value, page.where(element))


def _links(page: Page, images: Images, findings: Findings) -> set[int]:
    """License relations by what they are about: an image (RDFa), a figure, a visitor's comment, or the page.

    Several links in one place are a choice, so they make one finding: `A OR B`. Returns the samples that got one.
    """
    figures: dict[int, list[Element]] = defaultdict(list)
    items: dict[Item, list[Element]] = defaultdict(list)
    pages: dict[tuple[int, float], list[Element]] = defaultdict(list)
    licensed: set[int] = set()
    for element in page.statements:
        if LICENSE not in element.means or element.context.noscript or _is_rsl(element):
            continue
        context = element.context
        about = _about(page, context)
        if context.comment:
            _state([Subject("page", page.record_id)], "comment_rel", [element], page, findings)
        elif about:
            subjects = [Subject("sample", i) for i in images.at(page.join(about))]
            licensed |= _state(subjects, "rdfa_about", [element], page, findings)
        elif _is_said_of_item(element) or not _is_html_relation(element):
            continue  # structured.py reads items; a property without a subject of its own is about nothing we show
        elif element.tag in ("a", "area") and context.figures:
            figures[context.figures[0]].append(element)
        elif element.tag in ("a", "area") and context.item is not None and context.item.is_image:
            items[context.item].append(element)
        elif element.tag in ("a", "area", "link", "form"):
            pages[_place(element)].append(element)
    for shown, elements in [
        *((images.of_figure(figure), found) for figure, found in figures.items()),
        *((images.of_item(item), found) for item, found in items.items()),
    ]:
        licensed |= _state([Subject("sample", i) for i in shown], "figure_rel", elements, page, findings)
    for (_, weight), elements in pages.items():
        confidence = RULES["page_rel"].confidence * weight
        _state([Subject("page", page.record_id)], "page_rel", elements, page, findings, confidence)
    return licensed


def _is_rsl(element: Element) -> bool:
    return element.get("type").lower().startswith(RSL_TYPE)


def _about(page: Page, context: Context) -> str | None:
    """The subject that RDFa names around an element; None for the page and for things without a name."""
    about = context.about
    if not about or about == "_:":
        return None
    return None if "#" not in about and page.is_at(page.join(about)) else about


def _is_said_of_item(element: Element) -> bool:
    """Whether an image's item has the element among its properties: microdata's, or the RDFa property itself."""
    item = element.context.item
    if item is None or not item.is_image:
        return False
    attribute = "itemprop" if item.kind == "microdata" else "property"
    return any(word.rpartition(":")[2].rpartition("/")[2] == LICENSE for word in element.get(attribute).split())


def _is_html_relation(element: Element) -> bool:
    """`rel` counts for the page in plain HTML; a `property` of the page needs a prefix, or any word would do."""
    context = element.context
    if LICENSE in meanings(element.get("rel"), "", context.vocabulary, context.prefixes):
        return True
    return ":" in element.get("property") and context.about != "_:"


def _place(element: Element) -> tuple[int, float]:
    """What makes several page links one statement: the same parent; and how much the place weakens it.

    A license in the navigation, or in the footer of the site, may be the site's own and not the content's.
    """
    context = element.context
    weight = 0.5 if context.nav else 0.9 if context.about == "_:" or context.outside else 1.0
    return (0 if element.tag == "link" else element.parent, weight)


def _state(
    subjects: list[Subject],
    rule: str,
    elements: list[Element],
    page: Page,
    findings: Findings,
    confidence: float | None = None,
) -> set[int]:
    """One finding for the targets of some elements, about each subject; returns whom it is about."""
    targets = [target for element in elements if (target := element.target()) and target.strip("# ")]
    if not targets or not subjects:
        return set()
    ids = [page.license_of(target) for target in targets]
    readable = sorted({spdx_id for spdx_id in ids if spdx_id})
    spdx_id = either(readable) if readable and None not in ids else NOASSERTION
    value, where = " ".join(targets), page.where(*elements)
    for subject in subjects:
        findings.license(subject, rule, spdx_id, value, where, confidence)
    return {subject.id for subject in subjects}


def _plain_links(page: Page, findings: Findings) -> None:
    """Links to a license that do not say they license anything: kept, so that nobody need wonder; they never decide."""
    subject = Subject("page", page.record_id)
    for element in page.links:
        spdx_id = page.license_of(element.get("href"))
        if spdx_id:
            findings.license(subject, "page_link", spdx_id, element.get("href"), page.where(element))


LICENSE_METAS = {
    "dc.rights",
    "dc.license",
    "dcterms.rights",
    "dcterms.license",
    "dc.rights.license",
    "license",
    "rights",
    "og:license",
}
"""Names of meta elements that state a page's license."""
_META_FIELDS = {
    "author": "creator",
    "dc.creator": "creator",
    "dcterms.creator": "creator",
    "copyright": "copyright_notice",
}


def _metas(page: Page, findings: Findings) -> None:
    subject = Subject("page", page.record_id)
    for element in page.metas:
        name = (element.get("name") or element.get("property")).strip().lower()
        content = element.get("content")
        if element.context.noscript:
            continue
        if name in LICENSE_METAS:
            # dc.rights is often a bare copyright notice: it names an owner, and a license only where it names one.
            spdx_id = license_of_value(content) or (NOASSERTION if name.endswith("license") else None)
            if spdx_id:
                findings.license(subject, "page_meta", spdx_id, content, page.where(element))
        elif name in _META_FIELDS:
            findings.attribution(subject, "page_meta", _META_FIELDS[name], content)


def _captions(page: Page, images: Images, findings: Findings) -> None:
    """Captions that name a license, reserve rights, or name an owner."""
    linked: dict[int, Element] = {}
    for element in page.statements:
        if LICENSE in element.means and element.context.caption:
            linked.setdefault(element.context.caption, element)
    for caption in page.captions:
        figures = caption.context.figures
        subjects = [Subject("sample", i) for i in images.of_figure(figures[0])] if figures else []
        if subjects:
            _caption(caption, linked.get(caption.id), subjects, page, findings)


def _caption(caption: Element, link: Element | None, subjects: list[Subject], page: Page, findings: Findings) -> None:
    text = caption.text()
    words = None if link is None else link.text()
    # Beside a link the words only repeat it, unless they reserve all rights: the rest of the caption tells.
    spdx_id = license_of_text(text) if not words or license_of_text(text.replace(words, " ")) else None
    rule = None
    if spdx_id == ALL_RIGHTS_RESERVED:
        rule = "caption_notice"
    elif spdx_id and link is None and not caption.context.noscript:
        rule = "figure_text"
    credits = credits_in(text, words)
    owned = names_an_owner(text)
    where = page.where_element(caption) if rule else None
    for subject in subjects:
        if rule and spdx_id and where:
            findings.license(subject, rule, spdx_id, text, where)
        if owned:
            findings.attribution(subject, "caption_notice", "copyright_notice", text)
        for field, name in credits:
            findings.attribution(subject, "caption_credit", field, name)


def _credits(page: Page, images: Images, findings: Findings) -> None:
    """Names, titles and sources that relations and properties state of an image, a figure, or the page.

    An author that the site's footer names may be the one of its theme.
    """
    authors: dict[str, None] = {}
    for element in page.statements:
        context = element.context
        fields = sorted(element.means - {LICENSE})
        if not fields or context.comment or context.noscript:
            continue
        about = _about(page, context)
        if about:
            rule, subjects = "rdfa_about", [Subject("sample", i) for i in images.at(page.join(about))]
        elif context.figures:
            rule = "figure_credit"
            subjects = [Subject("sample", i) for i in images.of_figure(context.figures[0])]
        elif context.about in (None, ""):
            rule, subjects = "rdfa_page", [Subject("page", page.record_id)]
        else:
            continue
        for field in fields:
            value = _credit(element, field, page)
            if field == AUTHOR and rule == "rdfa_page":
                authors |= {} if context.outside else {value: None}
            elif field != AUTHOR or rule == "figure_credit":
                for subject in subjects:
                    findings.attribution(subject, rule, "creator" if field == AUTHOR else field, value)
    names = [name for name in authors if name]
    for name in names if len(names) <= MAX_AUTHORS else ():
        findings.attribution(Subject("page", page.record_id), "page_author", "creator", name)


def _credit(element: Element, field: str, page: Page) -> str:
    """What an element says in a field: an address, which is made absolute, or words."""
    if field not in ("source_url", "license_url"):
        return element.get("content") or element.text()
    target = element.target() or element.get("content") or element.text()
    return target if "://" in target else page.join(target) or ""
