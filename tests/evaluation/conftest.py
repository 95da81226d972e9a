"""A small world in which what training teaches is known: pictures and texts are two views of a few hidden things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from assets.evaluation.experiment import Outcome
from assets.evaluation.heads import train_heads
from assets.evaluation.measure import Held, Vectors
from assets.evaluation.training import Training


@dataclass(frozen=True)
class World:
    """600 pairs: towers answer with mixtures of eight hidden numbers; the last 60 pairs are held aside."""

    ids: np.ndarray
    images: np.ndarray
    texts: np.ndarray
    training: Training

    @property
    def held(self) -> Held:
        labels = [f"thing {row % 6}" for row in range(60)]
        return Held(self.ids[-60:], [f"text {row}" for row in range(60)], labels)

    def train(self, rows: np.ndarray, seed: int, texts: np.ndarray | None = None) -> Outcome:
        texts = self.texts if texts is None else texts
        heads = train_heads(self.images, texts, rows, self.training, 16, seed)
        held = heads.encode_texts(self.texts[-60:])
        vectors = Vectors(heads.encode_images(self.images[-60:]), held, held[:6])
        return Outcome(vectors, heads.first_weights_sha256, heads.loss)


@pytest.fixture(scope="session")
def world() -> World:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(600, 8))
    images = hidden @ random.normal(size=(8, 40)) + 0.3 * random.normal(size=(600, 40))
    texts = hidden @ random.normal(size=(8, 30)) + 0.3 * random.normal(size=(600, 30))
    training = Training(steps=60, batch_size=32, learning_rate=3e-3, warm_up=5, threads=1)
    return World(np.arange(600, dtype=np.uint64) << np.uint64(3), images, texts, training)
