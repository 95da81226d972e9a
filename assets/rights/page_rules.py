"""What a page says in its markup: rel=license, meta elements, RDFa `about`; `figures.py` reads what figures say."""

from __future__ import annotations

from collections import defaultdict

from assets.rights.elements import Context, Element, Item
from assets.rights.figures import Figures, linked
from assets.rights.findings import RULES, Findings, Subject
from assets.rights.licenses import ALL_RIGHTS_RESERVED, NOASSERTION, license_of_value
from assets.rights.markup import Page
from assets.rights.page_images import Images
from assets.rights.rdfa import AUTHOR, LICENSE, RIGHTS, meanings

MAX_AUTHORS = 3
"""A page that names more authors is a list of pages by others."""

RSL_TYPE = "application/rsl+xml"


def read_markup(page: Page, images: Images, findings: Findings) -> None:
    """Every statement in the markup of a page."""
    figures = Figures(page, images)
    licensed = _links(page, images, figures, findings)
    _plain_links(page, figures, findings)
    _metas(page, findings)
    _credits(page, images, figures, findings)
    licensed |= figures.read(findings)
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


def _links(page: Page, images: Images, figures: Figures, findings: Findings) -> set[int]:
    """License relations by what they are about: an image (RDFa), a figure, a visitor's comment, or the page.

    Several links in one place are a choice, so they make one finding: `A OR B`. Returns the samples that got one.
    """
    items: dict[Item, list[Element]] = defaultdict(list)
    pages: dict[tuple[int, float], list[Element]] = defaultdict(list)
    licensed: set[int] = set()
    for element in page.statements:
        if LICENSE not in element.means or element.context.noscript or _is_rsl(element):
            continue
        context = element.context
        about = subject_around(page, context)
        if context.comment:
            _state([Subject("page", page.record_id)], "comment_rel", [element], page, findings)
        elif about:
            subjects = [Subject("sample", i) for i in images.at(page.join(about))]
            licensed |= _state(subjects, "rdfa_about", [element], page, findings)
        elif _is_said_of_item(element) or not is_html_relation(element):
            continue  # items.py reads properties of things, and those without a subject of their own
        elif context.figures and (element.tag in ("a", "area") or element.get("property")):
            figures.relations[context.figures[0]].append(element)
        elif element.tag in ("a", "area") and context.item is not None and context.item.is_image:
            items[context.item].append(element)
        elif element.tag in ("a", "area", "link", "form") or (element.get("property") and context.about != "_:"):
            pages[_place(element)].append(element)
    for item, elements in items.items():
        shown = [Subject("sample", i) for i in images.of_item(item)]
        licensed |= _state(shown, "figure_rel", elements, page, findings)
    for (_, weight), elements in pages.items():
        confidence = RULES["page_rel"].confidence * weight
        _state([Subject("page", page.record_id)], "page_rel", elements, page, findings, confidence)
    return licensed


def _is_rsl(element: Element) -> bool:
    return element.get("type").lower().startswith(RSL_TYPE)


def subject_around(page: Page, context: Context) -> str | None:
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


def is_html_relation(element: Element) -> bool:
    """`rel` counts for the page in plain HTML; a `property` of the page needs a prefix, or any word would do."""
    context = element.context
    if not meanings(element.get("rel"), "", context.vocabulary, context.prefixes).isdisjoint((LICENSE, RIGHTS)):
        return True
    return ":" in element.get("property") and context.about != "_:"


def _place(element: Element) -> tuple[int, float]:
    """What makes several page links one statement: the same parent; and how much the place weakens it.

    A license in the navigation, or in the footer of the site, may be the site's own and not the content's.
    """
    named = 0.9 if element.context.about == "_:" else 1.0
    return (0 if element.tag == "link" else element.parent, min(named, weight_of_place(element.context)))


def weight_of_place(context: Context) -> float:
    """Factor on the confidence of a page's license for where on the page it stands."""
    return 0.5 if context.nav else 0.9 if context.outside else 1.0


def _state(
    subjects: list[Subject],
    rule: str,
    elements: list[Element],
    page: Page,
    findings: Findings,
    confidence: float | None = None,
) -> set[int]:
    """One finding for the targets of some elements, about each subject; returns whom it is about."""
    stated = linked(elements, page) if subjects else None
    if stated is None:
        return set()
    spdx_id, value, where = stated
    for subject in subjects:
        findings.license(subject, rule, spdx_id, value, where, confidence)
    return {subject.id for subject in subjects}


def _plain_links(page: Page, figures: Figures, findings: Findings) -> None:
    """Links to a license that do not say they license anything: kept, so that nobody need wonder; they never decide.

    In a figure they may be all that it says of its images.
    """
    subject = Subject("page", page.record_id)
    for element in page.links:
        spdx_id = page.license_of(element.get("href"))
        if spdx_id:
            findings.license(subject, "page_link", spdx_id, element.get("href"), page.where(element))
            context = element.context
            if context.figures and not context.comment and not context.noscript and not subject_around(page, context):
                figures.links[context.figures[0]].append((element, element.get("href")))


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
            # A visitor may reserve rights, and license nothing but his own.
            if spdx_id and (not element.context.comment or spdx_id == ALL_RIGHTS_RESERVED):
                findings.license(subject, "page_meta", spdx_id, content, page.where(element))
        elif name in _META_FIELDS and not element.context.comment:
            findings.attribution(subject, "page_meta", _META_FIELDS[name], content)


def _credits(page: Page, images: Images, figures: Figures, findings: Findings) -> None:
    """Names, titles and sources that relations and properties state of an image, a figure, or the page.

    An author that the site's footer names may be the one of its theme.
    """
    authors: dict[str, None] = {}
    for element in page.statements:
        context = element.context
        fields = sorted(element.means - {LICENSE})
        if not fields or context.comment or context.noscript:
            continue
        about = subject_around(page, context)
        if about:
            rule, subjects = "rdfa_about", [Subject("sample", i) for i in images.at(page.join(about))]
        elif context.figures:
            for field in fields:
                if value := _credit(element, field, page):
                    place = (context.figures[0], "creator" if field == AUTHOR else field)
                    figures.credits[place].append(("figure_credit", value))
            continue
        elif context.about in (None, ""):
            rule, subjects = "rdfa_page", [Subject("page", page.record_id)]
        else:
            continue
        for field in fields:
            value = _credit(element, field, page)
            if field == AUTHOR and rule == "rdfa_page":
                authors |= {} if context.outside else {value: None}
            elif field != AUTHOR:
                for subject in subjects if images.afford(len(subjects)) else ():
                    findings.attribution(subject, rule, field, value)
    names = [name for name in authors if name]
    for name in names if len(names) <= MAX_AUTHORS else ():
        findings.attribution(Subject("page", page.record_id), "page_author", "creator", name)


def _credit(element: Element, field: str, page: Page) -> str:
    """What an element says in a field: an address, which is made absolute, or words."""
    if field not in ("source_url", "license_url"):
        return element.get("content") or element.text()
    target = element.target() or element.get("content") or element.text()
    return target if "://" in target else page.join(target) or ""
