"""Filters: one question each, one answer per sample, the number that decided it.

A filter takes a batch, a table with a row per sample, and answers `Decision`. To add one, write a function with a
decorator; recipes can then name it in `pool.extra`, and its name becomes the reason of what it drops. Where a limit is
missing from a publication, its `source` says so.

A filter whose number comes from elsewhere finds it as a column of the batch: numbers of scorers, counts over the whole
pool, and how picture and text agree. A sample without the number is NaN there, and such filters let it pass: a scorer
leaves out what was dropped before, and a count is kept only where it is above the limit.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from assets.pool.registry import Between, OneOf, pool_filter
from assets.pool.shares import top_fraction_threshold
from assets.pool.wording import is_file_name, is_formula, is_placeholder, odd_share, visible_characters
from assets.provenance.decisions import Decision
from resources.scorers import LANGUAGES

LAION = "Schuhmann et al. 2022 (LAION-5B)"
DATACOMP = "Gadre et al. 2023 (DataComp), basic filter"
DATACOMP_CLIP = "Gadre et al. 2023 (DataComp), CLIP score"
ALIGN = "Jia et al. 2021 (ALIGN)"
COYO = "Byeon et al. 2022 (COYO-700M)"
LAION400M = "Schuhmann et al. 2021 (LAION-400M)"
MOSCAR = "Futeral et al. 2024 (mOSCAR)"
OURS = "our own"


@pool_filter("no_text", source=f"{LAION}: image tags with alt text only")
def no_text(batch: pa.Table) -> Decision:
    """Drop samples without a visible character."""
    return Decision(np.array([visible_characters(text) > 0 for text in _texts(batch)], dtype=bool))


@pool_filter("text_characters", source=f"{LAION}: at least 5 characters")
def text_characters(batch: pa.Table, limit: float = 5) -> Decision:
    """Drop texts with fewer than `limit` characters."""
    length = _characters(batch)
    return Decision(length >= limit, length, limit)


@pool_filter("text_characters_at_most", source=f"{COYO}: at most 1,000 characters", measure="text_characters")
def text_characters_at_most(batch: pa.Table, limit: float = 1000) -> Decision:
    """Drop texts with more than `limit` characters."""
    length = _characters(batch)
    return Decision(length <= limit, length, limit)


@pool_filter("text_words", source=f"{DATACOMP}: more than 2 words; {ALIGN}: at least 3")
def text_words(batch: pa.Table, limit: float = 3) -> Decision:
    """Drop texts with fewer than `limit` words, split at white space."""
    words = _words(batch)
    return Decision(words >= limit, words, limit)


@pool_filter("text_words_at_most", source=f"{ALIGN}: at most 20 words; {COYO}: 256", measure="text_words")
def text_words_at_most(batch: pa.Table, limit: float = 20) -> Decision:
    """Drop texts with more than `limit` words, split at white space."""
    words = _words(batch)
    return Decision(words <= limit, words, limit)


@pool_filter("file_name", source=f"{OURS}: a file name says nothing of the picture")
def file_name(batch: pa.Table) -> Decision:
    """Drop texts that are nothing but the name or address of a file."""
    return Decision(np.array([not is_file_name(text) for text in _texts(batch)], dtype=bool))


@pool_filter("placeholder", source=f"{OURS}: words that stand on any picture")
def placeholder(batch: pa.Table) -> Decision:
    """Drop texts such as `image`, `Site logo` or `click to enlarge`, which would fit any picture."""
    return Decision(np.array([not is_placeholder(text) for text in _texts(batch)], dtype=bool))


@pool_filter("formula", source=f"{OURS}: what formula renderers write as alt text")
def formula(batch: pa.Table) -> Decision:
    """Drop texts that are the TeX source of a formula."""
    return Decision(np.array([not is_formula(text) for text in _texts(batch)], dtype=bool))


@pool_filter("odd_characters", source=f"{OURS}: broken encodings and stacked marks", limit=Between(0, 1))
def odd_characters(batch: pa.Table, limit: float = 0.1) -> Decision:
    """Drop texts of which more than the share `limit` are controls, broken characters or marks stacked on marks."""
    share = np.array([odd_share(text) for text in _texts(batch)], dtype=np.float64)
    return Decision(share <= limit, share, limit)


@pool_filter(
    "language",
    source=f"{LAION}: split into the language, other languages, and none for sure; confidence measured here",
    needs="language",
    language=OneOf(LANGUAGES),
    confidence=Between(0.5, 1),
    undetermined=OneOf(("keep", "drop", "declared", "likeliest")),
)
def language(batch: pa.Table, language: str = "en", confidence: float = 0.5, undetermined: str = "keep") -> Decision:
    """Drop texts in another language than `language`.

    A text is in a language if its probability is at least `confidence`: from 0.5 on that holds for one language. A text
    that is in none for sure, as names and single words mostly are, follows `undetermined`:

    * `keep`: it stays; LAION published such texts beside the English ones.
    * `drop`: it goes, as it did from LAION's English set.
    * `declared`: it goes if the page declares another language.
    * `likeliest`: it stays if `language` is the likeliest, whatever `confidence` says; the rule of DataComp.

    The score is the number that decided: for `keep` the probability of the likeliest other language, for `drop` that
    of `language`, for `declared` the former where it is high and the latter where the declaration decided, for
    `likeliest` the share of `language` against the likeliest other.
    """
    wanted, other = _numbers(batch, "language_wanted"), _numbers(batch, "language_other")
    if undetermined == "drop":
        return Decision(wanted >= confidence, wanted, confidence)
    if undetermined == "likeliest":
        share = np.divide(wanted, wanted + other, out=np.full(len(wanted), 0.5), where=wanted + other > 0)
        return Decision(share >= 0.5, share, 0.5)
    elsewhere = other >= confidence
    if undetermined == "keep":
        return Decision(~elsewhere, other, confidence)
    declared = np.array([said not in (None, language) for said in batch["language"].to_pylist()], dtype=bool)
    return Decision(~elsewhere & ((wanted >= confidence) | ~declared), np.where(elsewhere, other, wanted), confidence)


@pool_filter("image_bytes", source=f"{LAION}: at least 5 KB, 5,000 bytes in its code")
def image_bytes(batch: pa.Table, limit: float = 5000) -> Decision:
    """Drop images of fewer than `limit` bytes."""
    size = _numbers(batch, "bytes")
    return Decision(size >= limit, size, limit)


@pool_filter("short_side", source=f"{DATACOMP}: at least 200 pixels; {ALIGN}: more than 200")
def short_side(batch: pa.Table, limit: float = 200) -> Decision:
    """Drop images whose shorter side has fewer than `limit` pixels."""
    side = np.minimum(_numbers(batch, "width"), _numbers(batch, "height"))
    return Decision(side >= limit, side, limit)


@pool_filter(
    "aspect_ratio",
    source=f"{DATACOMP}: at most 3; {ALIGN}: below 3",
    limit=Between(1),
    inclusive=OneOf((True, False)),
)
def aspect_ratio(batch: pa.Table, limit: float = 3.0, inclusive: bool = True) -> Decision:
    """Drop banners and strips: long side over short side above `limit`, or at it unless `inclusive`."""
    width, height = _numbers(batch, "width"), _numbers(batch, "height")
    ratio = np.maximum(width, height) / np.minimum(width, height)
    return Decision(ratio <= limit if inclusive else ratio < limit, ratio, limit)


@pool_filter("nsfw", source=f"{LAION}: unsafe above 0.5, of its own classifier", needs="nsfw", limit=Between(0, 1))
def nsfw(batch: pa.Table, limit: float = 0.5) -> Decision:
    """Drop pictures that are likely not safe for work: score above `limit`."""
    score = _numbers(batch, "nsfw")
    return Decision(~(score > limit), score, limit)


@pool_filter("profanity", source=f"{COYO}: texts with words of profanity lists", needs="profanity")
def profanity(batch: pa.Table, limit: float = 0) -> Decision:
    """Drop texts with more than `limit` words of a list of profane words."""
    words = _numbers(batch, "profanity")
    return Decision(~(words > limit), words, limit)


@pool_filter(
    "watermark_text",
    source=f"{OURS}, by reading; {LAION} marks as watermarked above 0.8 of its own classifier",
    needs="watermark_text",
    limit=Between(0, 1),
)
def watermark_text(batch: pa.Table, limit: float = 0.8) -> Decision:
    """Drop pictures with a stock agency's name or a claim of rights written over them: score above `limit`."""
    score = _numbers(batch, "watermark_text")
    return Decision(~(score > limit), score, limit)


@pool_filter("text_images", source=f"{ALIGN}: at most 10 images share a text", needs="text_images")
def text_images(batch: pa.Table, limit: float = 10) -> Decision:
    """Drop texts that stand on more than `limit` different images of the pool."""
    return _at_most(batch, "text_images", limit)


@pool_filter("image_texts", source=f"{ALIGN}: at most 1,000 texts for an image", needs="image_texts")
def image_texts(batch: pa.Table, limit: float = 1000) -> Decision:
    """Drop images that have more than `limit` different texts in the pool."""
    return _at_most(batch, "image_texts", limit)


@pool_filter("text_samples", source=f"{COYO}: texts seen at most 10 times", needs="text_samples")
def text_samples(batch: pa.Table, limit: float = 10) -> Decision:
    """Drop texts that more than `limit` samples of the pool have."""
    return _at_most(batch, "text_samples", limit)


@pool_filter(
    "rare_tokens",
    source=f"{ALIGN}: every unigram and bigram is among the 100 million most frequent of the raw data",
    needs="rare_tokens",
    most_frequent=Between(1, whole=True),
)
def rare_tokens(batch: pa.Table, most_frequent: int = 100_000_000) -> Decision:
    """Drop texts with a word or pair of words that is not among the `most_frequent` of the pool."""
    return _at_most(batch, "rare_tokens", 0)


@pool_filter(
    "similarity",
    source=f"{LAION400M}: at least 0.30; {DATACOMP_CLIP}: the top 30 %, or at least 0.25 by ViT-B/32",
    needs="similarity",
    one_of=("limit", "fraction"),
    limit=Between(-1, 1, optional=True),
    fraction=Between(0, 1, above=True, optional=True),
)
def similarity(batch: pa.Table, limit: float | None = None, fraction: float | None = 0.3) -> Decision:
    """Drop pairs of picture and text that agree too little: cosine below `limit`, or outside the top `fraction`.

    With `fraction` the batch must be the whole pool, since the limit is then a place in it.
    """
    cosine = _numbers(batch, "similarity")
    if limit is None:
        limit = top_fraction_threshold(cosine[~np.isnan(cosine)], fraction or 0.0)
    return _similar_enough(batch, np.ones(len(cosine), dtype=bool), limit)


@pool_filter(
    "similarity_language",
    source=f"{LAION}: at least 0.28 for English, by ViT-B/32",
    measure="similarity",
    needs="similarity",
    limit=Between(-1, 1),
    language=OneOf(LANGUAGES),
    confidence=Between(0.5, 1),
)
def similarity_language(
    batch: pa.Table, limit: float = 0.28, language: str = "en", confidence: float = 0.5
) -> Decision:
    """Drop pairs whose text is in `language`, and that agree too little: cosine below `limit`."""
    return _similar_enough(batch, _numbers(batch, "language_wanted") >= confidence, limit)


@pool_filter(
    "similarity_others",
    source=f"{LAION}: at least 0.26 for what is not English, by multilingual CLIP",
    measure="similarity",
    needs="similarity",
    limit=Between(-1, 1),
    language=OneOf(LANGUAGES),
    confidence=Between(0.5, 1),
)
def similarity_others(batch: pa.Table, limit: float = 0.26, language: str = "en", confidence: float = 0.5) -> Decision:
    """Drop pairs whose text is not in `language` for sure, and that agree too little: cosine below `limit`."""
    return _similar_enough(batch, _numbers(batch, "language_wanted") < confidence, limit)


@pool_filter(
    "rank",
    source=f"{MOSCAR}: among the best 8 of the text itself and 63 random ones",
    needs="rank",
    keep=Between(1, whole=True),
    negatives=Between(1, whole=True),
    seed=Between(0, whole=True),
)
def rank(batch: pa.Table, keep: int = 8, negatives: int = 63, seed: int = 0) -> Decision:
    """Drop pairs whose text comes after place `keep` when it and `negatives` others are sorted by fit to the picture."""
    place = _numbers(batch, "rank")
    return Decision(~(place > keep), place, keep)


def _similar_enough(batch: pa.Table, asked: np.ndarray, limit: float) -> Decision:
    """Of the samples that are asked, those below the limit go; one without a number stays."""
    cosine = _numbers(batch, "similarity")
    return Decision(~(asked & (cosine < limit)), cosine, limit)


def _at_most(batch: pa.Table, column: str, limit: float) -> Decision:
    count = _numbers(batch, column)
    return Decision(~(count > limit), count, limit)


def _texts(batch: pa.Table) -> list[str]:
    return ["" if text is None else text for text in batch["text"].to_pylist()]


def _characters(batch: pa.Table) -> np.ndarray:
    return np.array([len(text) for text in _texts(batch)], dtype=np.float64)


def _words(batch: pa.Table) -> np.ndarray:
    return np.array([len(text.split()) for text in _texts(batch)], dtype=np.float64)


def _numbers(batch: pa.Table, column: str) -> np.ndarray:
    return np.asarray(batch[column].to_numpy(), dtype=np.float64)
