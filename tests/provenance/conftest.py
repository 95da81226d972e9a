import duckdb
import pytest

from assets.provenance.database import build_database
from tests.provenance import tiny_build


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory):
    return tiny_build.write_files(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session", params=[True, False], ids=["tables", "views"])
def tiny(request, tiny_files, tmp_path_factory):
    """A read-only connection to the tiny build's database, with native tables and with views."""
    path = tmp_path_factory.mktemp("database") / "provenance.duckdb"
    build_database(path, tiny_files, tiny_build.ledger(), materialize=request.param)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection
