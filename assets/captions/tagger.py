"""Zero-shot tags: which words of a vocabulary lie nearest to a picture, and a plain caption made of them.

Some words are hubs: near to every picture because of where they lie, not of what they mean. Each word's similarity is
therefore taken relative to how near that word is to the vocabulary as a whole, a number that depends on words alone,
so a picture's tags never depend on the other pictures of its shard or build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.captions.rows import caption_rows
from assets.captions.words import word_set

VOCABULARY = Path(__file__).with_name("vocabulary.txt")
PROMPT = "a picture of {}"
"""How a word is put to the text tower."""


@dataclass(frozen=True)
class Vocabulary:
    """Words that pictures are tagged with.

    Attributes:
        words: in order, each once.
    """

    words: tuple[str, ...]

    @property
    def prompts(self) -> list[str]:
        """What the text tower encodes, one text per word: a(n) before words that take an article."""
        return [PROMPT.format(with_article(word)) for word in self.words]

    @cached_property
    def sha256(self) -> bytes:
        """Hash of the words and of how they are put to the encoder."""
        return hashlib.sha256("\n".join(self.prompts).encode()).digest()


@dataclass(frozen=True)
class TaggerSettings:
    """How tags are chosen.

    Attributes:
        top: tags per picture.
        hub_correction: how much of a word's mean similarity to the vocabulary is subtracted: 0 none, 1 all of it.
        max_overlap: a tag this near to a better one (cosine of the two words) says the same and is left out.
        min_ratio: further tags need at least this share of the best tag's cosine.
    """

    top: int = 3
    hub_correction: float = 1.0
    max_overlap: float = 0.8
    min_ratio: float = 0.75


@dataclass(frozen=True)
class Tags:
    """Tags of n pictures, best first.

    Attributes:
        index: (n, top) places in the vocabulary; -1 where there are fewer tags.
        score: (n, top) cosine less hub correction; NaN where there is no tag.
        similarity: (n, top) plain cosine of picture and word.
    """

    index: np.ndarray
    score: np.ndarray
    similarity: np.ndarray


def load_vocabulary(path: Path = VOCABULARY) -> Vocabulary:
    """Words of a file, one per line; `#` starts a comment line. Raises ValueError if a word stands twice or none is
    there."""
    lines = (" ".join(line.split()) for line in path.read_text(encoding="utf-8").splitlines())
    words = [line for line in lines if line and not line.startswith("#")]
    folded = [word.casefold() for word in words]
    twice = sorted({word for word in folded if folded.count(word) > 1})
    if twice or not words:
        raise ValueError(f"vocabulary {path.name}: {'no words' if not words else 'twice: ' + ', '.join(twice)}")
    return Vocabulary(tuple(words))


def hub_offsets(vocabulary_vectors: np.ndarray) -> np.ndarray:
    """(v,) float64 mean cosine of each word to all other words, less the mean over words; 0 for a single word.

    Args:
        vocabulary_vectors: (v, d) unit vectors.
    """
    vectors = np.asarray(vocabulary_vectors, dtype=np.float64)
    count = len(vectors)
    if count < 2:
        return np.zeros(count)
    means = (vectors @ vectors.sum(axis=0) - np.einsum("ij,ij->i", vectors, vectors)) / (count - 1)
    return means - means.mean()


def tag(image_vectors: np.ndarray, vocabulary_vectors: np.ndarray, settings: TaggerSettings | None = None) -> Tags:
    """The words nearest to each picture, after hub correction and without near-synonyms; ties go to the earlier word.

    Args:
        image_vectors: (n, d) unit vectors; a row that is not finite gets no tags.
        vocabulary_vectors: (v, d) unit vectors of `Vocabulary.prompts`.
        settings: number of tags, hub correction.
    """
    settings = settings or TaggerSettings()
    images = np.asarray(image_vectors, dtype=np.float64)
    words = np.asarray(vocabulary_vectors, dtype=np.float64)
    if images.ndim != 2 or words.ndim != 2 or images.shape[1] != words.shape[1]:
        raise ValueError(f"tagger: pictures {images.shape} and words {words.shape} are not vectors of one length")
    offsets = settings.hub_correction * hub_offsets(words)
    shape = (len(images), settings.top)
    index, score, similarity = np.full(shape, -1), np.full(shape, np.nan), np.full(shape, np.nan)
    for row, vector in enumerate(images):
        if not np.isfinite(vector).all():
            continue
        # One picture at a time: products of a whole batch differ in last bits with its size.
        cosine = words @ vector
        corrected = cosine - offsets
        chosen = _distinct(np.argsort(-corrected, kind="stable"), cosine, words, settings)
        index[row, : len(chosen)] = chosen
        score[row, : len(chosen)], similarity[row, : len(chosen)] = corrected[chosen], cosine[chosen]
    return Tags(index, score.astype(np.float32), similarity.astype(np.float32))


def _distinct(order: np.ndarray, cosine: np.ndarray, words: np.ndarray, settings: TaggerSettings) -> list[int]:
    """The first words in order that say something of their own."""
    chosen = [int(order[0])] if len(order) and settings.top else []
    least = settings.min_ratio * cosine[chosen[0]] if chosen else 0.0
    for candidate in order[1:]:
        if len(chosen) >= settings.top:
            break
        if cosine[candidate] >= least and float((words[chosen] @ words[candidate]).max()) < settings.max_overlap:
            chosen.append(int(candidate))
    return chosen


def short_caption(tags: Sequence[str]) -> str | None:
    """`a picture of a teapot, with a cup and a plate`; None without tags."""
    if not tags:
        return None
    first, *others = [with_article(word) for word in tags]
    if not others:
        return PROMPT.format(first)
    listed = others[0] if len(others) == 1 else f"{', '.join(others[:-1])} and {others[-1]}"
    return f"{PROMPT.format(first)}, with {listed}"


def with_article(word: str) -> str:
    """A word with its indefinite article; none before plurals and words that are not counted."""
    last = word.split()[-1].casefold()
    if last in _UNCOUNTED or (last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in _SINGULAR_S):
        return word
    first = word.casefold()
    vowel = first[0] in "aeiou" and not first.startswith(_LIKE_YOU)
    return f"{'an' if vowel or first.startswith('hour') else 'a'} {word}"


_LIKE_YOU = ("uni", "use", "eu", "one", "uk", "ut")
_SINGULAR_S = word_set("lens bus gas canvas iris compass albatross circus")
_UNCOUNTED = word_set(
    """
    bread meat rice pasta milk coffee tea juice wine chocolate candy fruit grass snow rain smoke fire lightning money
    text paper chess corn garlic guacamole broccoli espresso sky chain mail wool hay
    """
)


def synthetic_rows(
    sample_id: Sequence[int] | np.ndarray, tags: Tags, vocabulary: Vocabulary, encoder_id: str, encoder_revision: str
) -> pa.Table:
    """Rows of table `caption`, kind synthetic-short: n samples in order; score is the cosine of the best tag.

    Args:
        sample_id: (n,) ids.
        tags: of the same n pictures.
        vocabulary: that they point into.
        encoder_id: agent id of the encoder; the model's id names it and the vocabulary.
        encoder_revision: its revision.
    """
    rows = []
    for sample, places, similar in zip(sample_id, tags.index.tolist(), tags.similarity.tolist(), strict=True):
        text = short_caption([vocabulary.words[place] for place in places if place >= 0])
        rows.append(
            {
                "sample_id": int(sample),
                "kind": "synthetic-short",
                "text": text,
                "model": tagger_id(encoder_id, vocabulary),
                "revision": encoder_revision,
                "inputs": ["image"],
                "status": "ok" if text else "failed",
                "reason": None if text else "no_vector",
                "score": similar[0] if text else None,
            }
        )
    return caption_rows(rows)


def tagger_id(encoder_id: str, vocabulary: Vocabulary) -> str:
    """Agent id of the tagger: the encoder's and the vocabulary's hash."""
    return f"tags:{encoder_id}+vocabulary-{vocabulary.sha256.hex()[:12]}"
