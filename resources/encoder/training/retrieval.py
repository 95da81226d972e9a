"""How well pictures find their words and words their pictures: recall at k and the area under the ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

F32 = np.ndarray
CUTS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """Figures of one set of pairs, as shares from 0 to 1.

    Attributes:
        pairs: how many.
        image_to_text: recall at 1, 5 and 10 over the distinct texts.
        text_to_image: recall at 1, 5 and 10; any picture of the same text counts as found.
        auc: chance that a matching pair has a higher cosine than a pair of different texts.
    """

    pairs: int
    image_to_text: tuple[float, ...]
    text_to_image: tuple[float, ...]
    auc: float

    def line(self) -> str:
        """The figures in percent, on one line."""
        i2t, t2i = ("/".join(f"{100 * value:.1f}" for value in v) for v in (self.image_to_text, self.text_to_image))
        return f"n {self.pairs}  image to text {i2t}  text to image {t2i}  AUC {self.auc:.3f}"


@dataclass(frozen=True)
class Ranks:
    """Places of right answers, from 1; ties count against them.

    Attributes:
        image_to_text: (n,) place of each picture's text among the distinct texts.
        text_to_image: (m,) place of each distinct text's best picture among those of other texts.
        which: (n,) which distinct text each pair has.
    """

    image_to_text: np.ndarray
    text_to_image: np.ndarray
    which: np.ndarray


def ranks(images: F32, texts: F32, captions: Sequence[str]) -> Ranks:
    """Places of the right answers of n pairs; arguments as for `retrieval`."""
    distinct, first, which = np.unique(np.array(captions), return_index=True, return_inverse=True)
    similarity = images @ texts[first].T  # pictures x distinct texts
    right = which[:, None] == np.arange(len(distinct))
    own = similarity[np.arange(len(captions)), which]
    best = np.where(right, similarity, -np.inf).max(axis=0)
    return Ranks((similarity >= own[:, None]).sum(axis=1), ((similarity >= best) & ~right).sum(axis=0) + 1, which)


def retrieval(images: F32, texts: F32, captions: Sequence[str]) -> Retrieval:
    """Figures of n pairs.

    Args:
        images: (n, d) unit vectors.
        texts: (n, d) unit vectors of the captions.
        captions: n texts; pictures that share one are all right answers to it. Ties count against the right answer.
    """
    found, similarity = ranks(images, texts, captions), images @ texts.T
    own = np.diagonal(similarity)
    mismatched = np.sort(similarity[found.which[:, None] != found.which[None, :]])
    below = np.searchsorted(mismatched, own) / max(len(mismatched), 1)
    return Retrieval(
        len(captions),
        tuple(float((found.image_to_text <= k).mean()) for k in CUTS),
        tuple(float((found.text_to_image <= k).mean()) for k in CUTS),
        float(below.mean()),
    )
