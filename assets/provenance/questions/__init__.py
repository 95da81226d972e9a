"""Ready-made questions to `provenance.duckdb`: one SQL file each, with a header that says what it answers.

Parameters are bound to the statement, never put into its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.provenance.sql_files import read_sql


@dataclass(frozen=True)
class Question:
    """A question that ships with Winnow.

    Attributes:
        name: what it is called on the command line; the file's name.
        title: what it answers, in a sentence.
        parameters: description by name; all must be given, as text.
        sql: the statement, with `$name` for each parameter.
    """

    name: str
    title: str
    parameters: Mapping[str, str]
    sql: str


@cache
def list_questions() -> tuple[Question, ...]:
    """Every ready-made question, by name."""
    files = [read_sql(path, "parameter") for path in sorted(Path(__file__).parent.glob("*.sql"))]
    return tuple(Question(file.name, file.title, file.notes, file.sql) for file in files)


def answer(connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, str | int] | None = None) -> pa.Table:
    """The answer to a ready-made question, as a table.

    Raises LookupError where there is no such question, ValueError where a parameter is missing, unknown or not of its
    kind (e.g. a sample id that is no number).
    """
    found = {question.name: question for question in list_questions()}
    if name not in found:
        raise LookupError(f"no question is named {name!r}; known: {', '.join(found)}")
    question, given = found[name], dict(values or {})
    if set(given) != set(question.parameters):
        wanted = ", ".join(f"{key} ({text})" for key, text in question.parameters.items()) or "no parameters"
        raise ValueError(f"question {name} takes {wanted}; given: {', '.join(sorted(given)) or 'none'}")
    try:
        return connection.execute(question.sql, given or None).to_arrow_table()
    except duckdb.ConversionException as error:
        raise ValueError(f"question {name}: {error}") from error
