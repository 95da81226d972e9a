from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resources.fetcher.hosts import Hosts


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts() as running:
        yield running
