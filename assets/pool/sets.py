"""Filter sets: which filters, in which order, with which limits; the published ones as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.pool import filters  # noqa: F401  (registers them)
from assets.pool.registry import FILTERS, unknown

SETS: dict[str, dict[str, dict[str, Any]]] = {
    # Schuhmann et al. 2022. The fourth rule, image-text similarity, is embeddings.min_similarity: it needs vectors.
    # LAION published three parts: English, other languages, none for sure; this is the first and the third.
    # `language: {undetermined: drop}` leaves the first alone.
    "laion": {
        "no_text": {},
        "text_characters": {"limit": 5},
        "image_bytes": {"limit": 5000},
        "language": {"language": "en", "undetermined": "keep"},
        "nsfw": {"limit": 0.5},
    },
    # Gadre et al. 2023, basic filter: likeliest language English, more than 2 words, more than 5 characters, shorter
    # side at least 200, long over short side at most 3.
    # Its detector is fastText's. Ours finds another language likelier for every third short English title (measured on
    # the sample crawl), so this set and coyo keep fewer samples here than they would there.
    "datacomp_basic": {
        "no_text": {},
        "language": {"language": "en", "undetermined": "likeliest"},
        "text_words": {"limit": 3},
        "text_characters": {"limit": 6},
        "short_side": {"limit": 200},
        "aspect_ratio": {"limit": 3.0},
    },
    # Jia et al. 2021: shorter side above 200, aspect below 3, 3 to 20 words, no pornography. Left out, as they need a
    # pass over the whole pool: texts of more than 10 images, images with more than 1,000 texts, rare words.
    "align": {
        "no_text": {},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 20},
        "short_side": {"limit": 201},
        "aspect_ratio": {"limit": 3.0, "inclusive": False},
        "nsfw": {"limit": 0.5},
    },
    # Byeon et al. 2022. Left out: texts seen more than 10 times (whole pool), texts without a noun (needs a tagger),
    # lists of profane words.
    "coyo": {
        "no_text": {},
        "image_bytes": {"limit": 5000},
        "aspect_ratio": {"limit": 3.0},
        "short_side": {"limit": 200},
        "text_characters": {"limit": 6},
        "text_characters_at_most": {"limit": 1000},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 256},
        "language": {"language": "en", "undetermined": "likeliest"},
        "nsfw": {"limit": 0.5},
    },
    "none": {"no_text": {}},
}
"""Filter sets by name: filter -> limits that differ from the filter's own defaults or are the point of the set."""


@dataclass(frozen=True)
class Chosen:
    """A filter with its limits, as a build applies it."""

    name: str
    limits: Mapping[str, Any]


def resolve(
    filter_set: str,
    overrides: Mapping[str, Mapping[str, Any]],
    extra: Sequence[str] = (),
    without: Sequence[str] = (),
) -> list[Chosen]:
    """The filters of a set, less `without`, then `extra`, with limits changed by `overrides`.

    They come in the order in which they decide: as listed, but filters that look at pictures last, so that those are
    looked at only where nothing else has decided.

    Raises:
        ValueError: names the recipe's key, for an unknown set, filter or limit, a value that a limit must not have,
            or a filter that is left out or changed although it is not in use.
    """
    if filter_set not in SETS:
        raise ValueError(unknown("pool.filter_set", filter_set, SETS))
    for key, listed in (("pool.without", without), ("pool.extra", extra), ("pool.overrides", overrides)):
        for name in listed:
            if name not in FILTERS:
                raise ValueError(unknown(key, name, FILTERS))
    limits = dict(SETS[filter_set])
    for name in without:
        if limits.pop(name, None) is None:
            raise ValueError(f"pool.without: {name} is not in the set {filter_set}, there is nothing to leave out")
    for name in extra:
        limits.setdefault(name, {})
    for name in overrides:
        if name not in limits:
            raise ValueError(f"pool.overrides.{name}: the filter is not in use; add it to pool.extra")
    names = sorted(limits, key=lambda name: FILTERS[name].needs == "nsfw")
    return [
        Chosen(name, FILTERS[name].limits(f"pool.overrides.{name}", {**limits[name], **overrides.get(name, {})}))
        for name in names
    ]
