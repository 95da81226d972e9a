"""Filter sets: which filters, in which order, with which limits; the published ones as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.pool import filters  # noqa: F401  (registers them)
from assets.pool.registry import FILTERS, FREQUENCIES, PICTURE_SCORERS, VECTORS, unknown

SETS: dict[str, dict[str, dict[str, Any]]] = {
    # Schuhmann et al. 2022. LAION published three parts, English, other languages and none for sure; this is all of
    # them, and `extra: [language]` takes one. Its similarities are those of two models, ViT-B/32 for English and
    # multilingual CLIP for the rest; here one encoder gives both. It tags unsafe and watermarked pictures (classifier
    # above 0.8) and leaves them in: here unsafe ones go, and its watermark classifier is not to be had;
    # `extra: [watermark_text]` reads overlaid text instead.
    "laion5b": {
        "no_text": {},
        "text_characters": {"limit": 5},
        "image_bytes": {"limit": 5000},
        "nsfw": {"limit": 0.5},
        "similarity_language": {"limit": 0.28, "language": "en"},
        "similarity_others": {"limit": 0.26, "language": "en"},
    },
    # Schuhmann et al. 2021: English texts, similarity by ViT-B/32. Left out: its test for children in pictures that
    # are tagged unsafe, by words in the text and categories of CLIP; the nsfw filter drops unsafe ones outright.
    "laion400m": {
        "no_text": {},
        "text_characters": {"limit": 5},
        "image_bytes": {"limit": 5000},
        "language": {"language": "en", "undetermined": "drop"},
        "nsfw": {"limit": 0.5},
        "similarity": {"limit": 0.30, "fraction": None},
    },
    # Jia et al. 2021: no pornography, shorter side above 200, aspect below 3, at most 1,000 texts for an image, at most
    # 10 images for a text, no rare words, 3 to 20 words. It names no tokenizer: words are split at white space and
    # compared as they are written. Copies of test images are dropped by `decontaminate`, not here.
    "align": {
        "no_text": {},
        "short_side": {"limit": 201},
        "aspect_ratio": {"limit": 3.0, "inclusive": False},
        "image_texts": {"limit": 1000},
        "text_images": {"limit": 10},
        "rare_tokens": {"most_frequent": 100_000_000},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 20},
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
    # Gadre et al. 2023, CLIP score: the best 30 % of the pool by ViT-L/14. Their other form is at least 0.25 by
    # ViT-B/32: `overrides: {similarity: {limit: 0.25, fraction: null}}`. The share is one of what reaches the encoder.
    "datacomp_clip": {"no_text": {}, "similarity": {"limit": None, "fraction": 0.30}},
    # Byeon et al. 2022. Left out: texts without a noun, as no tagger comes as a package with its data. Of its three
    # lists of profane words one is in use, better_profanity's. Its two NSFW models are one here. Copies of test images
    # are dropped by `decontaminate`, and copies of (perceptual hash, text) by dedup.
    "coyo": {
        "no_text": {},
        "image_bytes": {"limit": 5000},
        "aspect_ratio": {"limit": 3.0},
        "short_side": {"limit": 200},
        "language": {"language": "en", "undetermined": "likeliest"},
        "text_characters": {"limit": 6},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 256},
        "text_characters_at_most": {"limit": 1000},
        "text_samples": {"limit": 10},
        "profanity": {"limit": 0},
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

    @property
    def needs(self) -> str | None:
        """What the filter depends on besides the sample's own columns."""
        return FILTERS[self.name].needs


def resolve(
    filter_set: str,
    overrides: Mapping[str, Mapping[str, Any]],
    extra: Sequence[str] = (),
    without: Sequence[str] = (),
) -> list[Chosen]:
    """The filters of a set, less `without`, then `extra`, with limits changed by `overrides`.

    They come in the order in which they decide: as listed, but filters that look at pictures after the others, so that
    pictures are looked at only where nothing else has decided, and filters that need vectors last of all.

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
    chosen = [
        Chosen(name, FILTERS[name].limits(f"pool.overrides.{name}", {**own, **overrides.get(name, {})}))
        for name, own in limits.items()
    ]
    return sorted(chosen, key=lambda c: _LATE.index(c.needs) if c.needs in _LATE else -1)


_LATE = (*PICTURE_SCORERS, *VECTORS)


def sample_filters(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Those that look at one sample at a time."""
    return [c for c in chosen if c.needs not in (*FREQUENCIES, *VECTORS)]


def pool_filters(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Those that the pool decides by: all but those that need vectors."""
    return [c for c in chosen if c.needs not in VECTORS]


def similarity_rules(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Those that need vectors; they decide where the vectors are."""
    return [c for c in chosen if c.needs in VECTORS]


def counted(chosen: Sequence[Chosen]) -> dict[str, dict[str, Any]]:
    """What must be counted over the whole pool, and the limits up to which a count does not matter."""
    return {c.needs: dict(c.limits) for c in chosen if c.needs in FREQUENCIES}


def languages_asked_for(chosen: Sequence[Chosen]) -> list[str]:
    """Languages that filters which need vectors tell apart."""
    return sorted({c.limits["language"] for c in similarity_rules(chosen) if "language" in c.limits})


def what_is_scored(chosen: Sequence[Chosen]) -> list[tuple[str, dict[str, Any]]]:
    """Per-sample filters with the limits on which the table of scores depends.

    Those are the limits of what decides before the last scorer of pictures, since that one leaves out what they drop,
    and everywhere the language that is asked for.
    """
    own = sample_filters(chosen)
    last = max((i for i, c in enumerate(own) if c.needs in PICTURE_SCORERS), default=0)
    return [(c.name, {k: v for k, v in c.limits.items() if i < last or k == "language"}) for i, c in enumerate(own)]
