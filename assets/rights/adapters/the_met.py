"""Object pages of The Met: the words "Public Domain" beside the picture of an object.

The museum's image and data resources page (https://www.metmuseum.org/policies/image-resources) puts images so marked
under CC0. The class `public-domain__text` inside `artwork__access` was read from public repositories; the museum does
not document it. The statement is about the picture that `og:image` names, in any of its sizes, and not about the
thumbnails of related objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assets.rights.adapters.said import Said, words
from assets.rights.markup import Page
from assets.rights.page_images import Images

HOSTS = frozenset({"www.metmuseum.org", "metmuseum.org"})
_CC0 = "CC0-1.0"
_SIZE = re.compile(r"(/CRDImages/[\w-]+)/[\w-]+(?=/[^/]+$)")
"""The folder that tells the size of a picture: .../CRDImages/ep/web-large/DT1567.jpg."""


def meaning(text: str) -> str | None:
    """License that the words beside a picture stand for."""
    return _CC0 if text.lower() in ("public domain", "cc0", "open access") else None


def read(page: Page, images: Images) -> Iterator[Said]:
    """License of the picture of the object that a page is about."""
    pictures = {
        _picture(address)
        for element in page.metas
        if element.get("property").lower() == "og:image" and (address := page.join(element.get("content")))
    }
    shown = (found for address, found in images.by_address.items() if _picture(address) in pictures)
    samples = tuple(sorted({sample_id for found in shown for sample_id in found}))
    mark = page.tree.css_first(".artwork__access .public-domain__text")
    spdx_id = meaning(words(mark))
    if samples and mark is not None and spdx_id:
        credits = [("title", words(page.tree.css_first(".artwork__title--text"))), ("source_url", page.url)]
        yield Said(samples, spdx_id, words(mark), page.where_element(mark), credits)


def _picture(address: str) -> str:
    """An address without its scheme and the size that is asked for."""
    without_scheme = address.partition("://")[2] if "://" in address else address.removeprefix("//")
    return _SIZE.sub(r"\1", without_scheme.partition("?")[0])
