"""What the provenance database knows of one sample, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

MOST = 8
"""Findings, captions or copies that are shown of each kind; the rest is counted."""


@dataclass(frozen=True)
class Story:
    """What the database knows of one sample; every row is a mapping from column to value.

    Attributes:
        sample: addresses and texts.
        page: record of the page: crawl file, offset, length, fetch time (ISO), status; empty where there is no page.
        origin: crawl file, and row of a list or an image shard.
        image_record: record of the image, likewise; None where the crawl has none.
        image: decoded image: hash (hexadecimal), size, format, file, member; None where there is none.
        rights: verdict and what decided; None where the sample never got so far.
        policy: name of the policy in force; None if unknown.
        attempts: attempts to fetch the image, in order.
        licenses: license statements, deciding ones first.
        reservations: opt-out signals, those that reserve first.
        attributions: what was stated about author, title and source.
        copies: samples with the same bytes, with license, verdict and what decided there; at most MOST.
        copy_count: how many there are.
        decisions: one per stage, in order.
        captions: all of them, the chosen one first, with license and terms of the model.
        scores: all of them.
        cluster: concept, distance, size and quota; None if it was never in one.
        releases: file and row in each release.
        earlier: file and row in other releases of the home, and when they were withdrawn (ISO); oldest first.
        takedowns: requests that reach it, with how.
        hits: lists from outside that claim it: removals, evaluation sets.
    """

    sample: Row
    page: Row
    image_record: Row | None
    image: Row | None
    rights: Row | None
    policy: str | None
    origin: str = ""
    attempts: list[Row] = field(default_factory=list)
    licenses: list[Row] = field(default_factory=list)
    reservations: list[Row] = field(default_factory=list)
    attributions: list[Row] = field(default_factory=list)
    copies: list[Row] = field(default_factory=list)
    copy_count: int = 0
    decisions: list[Row] = field(default_factory=list)
    captions: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    cluster: Row | None = None
    releases: list[Row] = field(default_factory=list)
    earlier: list[Row] = field(default_factory=list)
    takedowns: list[Row] = field(default_factory=list)
    hits: list[Row] = field(default_factory=list)
