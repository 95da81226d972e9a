from __future__ import annotations

import pytest

from resources.encoder import LazyEncoder, lazy_encoder
from tests.resources.encoder.conftest import tiny  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def tiny_encoder(tiny) -> LazyEncoder:  # noqa: F811 - the fixture by its name
    """A small open_clip model from a checkpoint file, not yet loaded."""
    return lazy_encoder(tiny)
