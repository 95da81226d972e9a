"""Which records of a shard answer an address: its own, those behind its redirects, those that its revisits repeat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from assets.crawl.answers import MAX_REDIRECTS, digest_key
from assets.crawl.urls import same
from assets.rights.addresses import site_address

MAX_REACHED = 64
"""Addresses that one may lead to: a redirect may have been archived in many states."""

MAX_HOPS = 20
"""Records on the way to an image whose headers are read."""

_TYPES = ("response", "resource", "revisit")


class Chains:
    """The redirects and revisits of a shard; every archived state of them counts."""

    def __init__(self, records: Mapping[int, Mapping[str, Any]]) -> None:
        """From rows of table `record`, by record."""
        self.records = records
        self._final: dict[str, list[int]] = defaultdict(list)
        self._moved: dict[str, list[int]] = defaultdict(list)
        self._steps: dict[str, set[str]] = defaultdict(set)
        self._hops: dict[str, list[int]] = defaultdict(list)
        self._bodies: dict[str, list[int]] = defaultdict(list)
        for record_id, row in sorted(records.items()):
            if not row["url"] or row["type"] not in _TYPES or row["status"] == "other":
                continue
            url = same(row["url"])
            (self._moved if row["status"] == "redirect" else self._final)[url].append(record_id)
            if row["status"] == "redirect" and row["redirect_to"]:
                self._steps[url].add(row["redirect_to"])
            if row["status"] in ("redirect", "repeat"):
                self._hops[url].append(record_id)
            elif row["status"] == "ok" and row["digest"]:
                self._bodies[digest_key(row["digest"])].append(record_id)

    def answers(self) -> dict[int, list[str]]:
        """Addresses that each record answers, sorted.

        A redirect that leads nowhere in this shard answers for itself, as does a revisit of what is not in it. One that
        leads to the same path of the same host, with http for https or a default port, is no answer: another shard may
        hold the file, and it binds the host by itself.
        """
        found: dict[int, list[str]] = defaultdict(list)
        for url in sorted(self._final.keys() | self._moved.keys()):
            ends, lost = self._ends(url)
            ids = {i for end in ends for record_id in self._final[end] for i in self._read_for(record_id)}
            for record_id in sorted(ids.union(self._moved[url] if lost else ())):
                found[record_id].append(url)
        return found

    def hops(self, url: str) -> list[int]:
        """Redirects and revisits on the way from an address; at most one more than are read."""
        if not self._hops:
            return []
        reached, _ = self._reached(same(url))
        return [i for one in reached for i in self._hops.get(one, ())][: MAX_HOPS + 1]

    def _reached(self, url: str) -> tuple[list[str], bool]:
        """The address and those it leads to, nearest first, and whether there are more than are followed."""
        reached, nearest = [url], {url}
        for _ in range(MAX_REDIRECTS):
            nearest = {to for one in nearest for to in self._steps.get(one, ())}.difference(reached)
            reached += sorted(nearest)
            if not nearest or len(reached) > MAX_REACHED:
                break
        return reached[:MAX_REACHED], len(reached) > MAX_REACHED

    def _ends(self, url: str) -> tuple[list[str], bool]:
        """Addresses with a final answer that an address leads to, and whether it leads to where nobody knows."""
        if url not in self._moved:
            return [url], False
        reached, too_many = self._reached(url)
        ends = [one for one in reached if one in self._final]
        stuck = any(one in self._moved and one not in self._steps for one in reached)
        missing = [one for one in reached if one not in self._final and one not in self._moved]
        elsewhere = any(site_address(one) != site_address(url) for one in missing)
        return ends, too_many or stuck or elsewhere or not (ends or missing)

    def _read_for(self, record_id: int) -> list[int]:
        """The records whose bytes an answer gives: itself, or those that a revisit stands for, as its digest tells."""
        row = self.records[record_id]
        if row["type"] != "revisit" or not row["digest"]:
            return [record_id]
        return self._bodies.get(digest_key(row["digest"])) or [record_id]
