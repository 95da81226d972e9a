import pytest

from assets.provenance.sql_files import read_sql
from assets.provenance.tables import TABLES
from assets.provenance.tables_doc import PATH, tables_markdown


def test_the_page_in_docs_is_not_stale():
    assert PATH.read_text(encoding="utf-8") == tables_markdown(), "run: python -m assets.provenance.tables_doc"


def test_every_table_and_column_is_on_the_page():
    page = tables_markdown()
    for name, table in TABLES.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert all(f"`{column}`" in section for column in table.schema.names), name


def test_a_question_without_a_header_is_refused(tmp_path):
    path = tmp_path / "bare.sql"
    path.write_text("SELECT 1")
    with pytest.raises(ValueError, match="bare.sql: starts with no comment"):
        read_sql(path, "parameter")
