"""Site adapters: rules for pages of one site, by the class names that it documents or has kept for years.

Off by default, as a site may change its pages any day. A recipe names those it wants; each is a rule with a version of
its own, so evidence says which reading of the site it comes from. An adapter reads pages of its own hosts only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from assets.rights.adapters import flickr, the_met, wikimedia_commons
from assets.rights.adapters.said import Said
from assets.rights.findings import RULES, Findings, Subject
from assets.rights.markup import Page
from assets.rights.page_images import Images
from assets.rights.page_rules import say_what_was_left


@dataclass(frozen=True, slots=True)
class Adapter:
    """A rule for the pages of one site.

    Attributes:
        name: as a recipe writes it.
        hosts: whose pages it reads.
        read: what a page says about its images.
    """

    name: str
    hosts: frozenset[str]
    read: Callable[[Page, Images], Iterator[Said]]

    @property
    def rule(self) -> str:
        """Its name as a rule."""
        return f"adapter_{self.name.replace('-', '_')}"

    @property
    def version(self) -> int:
        """Raised when it reads differently."""
        return RULES[self.rule].version


ADAPTERS = {
    adapter.name: adapter
    for adapter in (
        Adapter("wikimedia-commons", wikimedia_commons.HOSTS, wikimedia_commons.read),
        Adapter("flickr", flickr.HOSTS, flickr.read),
        Adapter("the-met", the_met.HOSTS, the_met.read),
    )
}


def read_adapters(names: Iterable[str], page: Page, images: Images, findings: Findings) -> None:
    """What the named adapters read of a page, if it is of their site. Raises ValueError for an unknown name."""
    for name in names:
        adapter = ADAPTERS.get(name)
        if adapter is None:
            raise ValueError(f"there is no site adapter {name!r}; there are {', '.join(sorted(ADAPTERS))}")
        if _host(page.url) not in adapter.hosts:
            continue
        for said in adapter.read(page, images):
            for sample_id in said.samples if images.afford(len(said.samples) * (1 + len(said.credits))) else ():
                subject = Subject("sample", sample_id)
                if said.spdx_id is not None and said.where is not None:
                    findings.license(subject, adapter.rule, said.spdx_id, said.value, said.where)
                for field, value in said.credits:
                    findings.attribution(subject, adapter.rule, field, value)
    say_what_was_left(page, findings)


def license_in_words(rule: str, text: str) -> str | None:
    """License that words mean to an adapter, where elsewhere they would mean none or another."""
    readers = {"adapter_wikimedia_commons": wikimedia_commons.meaning, "adapter_the_met": the_met.meaning}
    return readers[rule](text) if rule in readers else None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""
