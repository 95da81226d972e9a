"""Photo pages of Flickr: the license link beside the photo, and the name of its owner.

The link carries rel="license cc:license" or class `photo-license-url`, the owner class `owner-name`, the photo class
`main-photo`. They were read from pages quoted in public repositories; Flickr documents none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from assets.rights.adapters.said import Said, words
from assets.rights.licenses import ALL_RIGHTS_RESERVED, NOASSERTION, license_of_text
from assets.rights.markup import Page
from assets.rights.page_images import Images

HOSTS = frozenset({"www.flickr.com", "flickr.com"})


def read(page: Page, images: Images) -> Iterator[Said]:
    """License and owner of the photo that a page is about."""
    shown = {node.mem_id for node in page.tree.css("img.main-photo")}
    samples = tuple(sorted(i for i, element in images.element_of.items() if element.id in shown))
    if not samples:
        return
    link = page.tree.css_first("a.photo-license-url") or page.tree.css_first('a[rel~="license"]')
    if link is not None:
        reserved = license_of_text(words(link)) == ALL_RIGHTS_RESERVED
        spdx_id = page.license_of(link.attributes.get("href") or "")
        if reserved:
            yield Said(samples, ALL_RIGHTS_RESERVED, words(link), page.where_element(link))
        else:
            yield Said(samples, spdx_id or NOASSERTION, link.attributes.get("href") or "", page.where(link))
    owner = words(page.tree.css_first("a.owner-name")).removeprefix("Image: ").rstrip("; ")
    yield Said(samples, credits=[("creator", owner), ("source_url", page.url)])
