import pytest

from assets.provenance.decisions import kept_ids
from assets.release.rows import assemble
from assets.release.shards import ReleaseSettings, write_release
from tests.provenance import tiny_build


@pytest.fixture(scope="session")
def tables():
    """The tiny build's tables; its four candidates are what the captions stage kept."""
    return tiny_build.tables()


@pytest.fixture(scope="session")
def assembled(tables):
    return assemble(kept_ids(tiny_build.table("decision", tiny_build.DECISIONS["captions"])), tables)


@pytest.fixture(scope="session")
def settings():
    return ReleaseSettings(tiny_build.RELEASE, "tiny", "1.0.0", samples_per_shard=2)


@pytest.fixture(scope="session")
def released(assembled, settings, tmp_path_factory):
    """A written release and its folder; tests only look at it."""
    folder = tmp_path_factory.mktemp("release")
    return write_release(assembled.rows, tiny_build.read_image_bytes, folder, settings), folder
