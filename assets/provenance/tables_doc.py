"""docs/tables.md, generated from the schemas: `python -m assets.provenance.tables_doc` writes it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from assets.provenance.database import HELPERS, IN_LAKE, MACROS, VIEWS, sql_type, view
from assets.provenance.questions import list_questions
from assets.provenance.tables import TABLES, Table, describe

PATH = Path(__file__).resolve().parents[2] / "docs" / "tables.md"

_HEAD = """# Tables

Generated from `assets/provenance/tables.py` by `python -m assets.provenance.tables_doc`; do not edit by hand.

Every table is Parquet in the lake and a table in `provenance.duckdb`, where the sentences below are comments
(`SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'sample'`). Columns in **bold** are never null.
Tables marked *ledger* have clocks and names of runs and stand outside the manifest's hash; tables marked *in the lake*
are views over the lake's files in every database; what a table marked *not in the database* holds is in another one.
"""


def tables_markdown() -> str:
    """The page: every table with its columns, the views and their columns, and the ready-made questions."""
    parts = [_HEAD, _contents()]
    parts += [_table(table) for table in TABLES.values()]
    parts += [_view(name) for name in VIEWS]
    parts.append("## Helpers\n\nMade with the database, for its views and questions.\n\n" + _lines(HELPERS))
    parts.append(
        "## Functions\n\nTable functions stand after FROM: `FROM rights_under('research-eu')`.\n\n" + _lines(MACROS)
    )
    questions = {
        f"`winnow sql {question.name}`": question.title
        + "".join(f" `--arg {name}=…`: {text}." for name, text in question.parameters.items())
        for question in list_questions()
    }
    listed = "".join(f"- {name}: {text}\n" for name, text in questions.items())
    parts.append(f"## Ready-made questions\n\n{listed}")
    return "\n".join(parts)


def _contents() -> str:
    tables = ", ".join(f"[{name}](#{name})" for name in TABLES)
    views = ", ".join(f"[{name}](#{name}-view)" for name in VIEWS)
    return f"Tables: {tables}.\n\nViews: {views}.\n"


def _table(table: Table) -> str:
    known = (("ledger", table.ledger), ("in the lake", table.name in IN_LAKE), ("not in the database", table.internal))
    marks = [mark for mark, holds in known if holds]
    mark = f" *{', '.join(marks)}*" if marks else ""
    rows = "".join(f"| {_column(field)} | {_type(field)} | {_cell(describe(field))} |\n" for field in table.schema)
    key = ", ".join(f"`{column}`" for column in table.key)
    return (
        f"## {table.name}\n\nOne row per {table.one_row_per}.{mark} Key: {key}.\n\n"
        f"| column | type | what it holds |\n|---|---|---|\n{rows}"
    )


def _view(name: str) -> str:
    file = view(name)
    rows = "".join(f"| `{column}` | {_cell(text)} |\n" for column, text in file.notes.items())
    return f"## {name} (view)\n\n{file.title}\n\n| column | what it holds |\n|---|---|\n{rows}"


def _column(field: pa.Field) -> str:
    return f"`{field.name}`" if field.nullable else f"**`{field.name}`**"


def _type(field: pa.Field) -> str:
    return f"{sql_type(field.type)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _lines(texts: dict[str, str]) -> str:
    return "".join(f"- `{name}`: {text}\n" for name, text in texts.items())


if __name__ == "__main__":
    PATH.write_text(tables_markdown(), encoding="utf-8")
    print(f"wrote {PATH.name}")
