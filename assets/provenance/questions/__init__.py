"""Ready-made questions to `provenance.duckdb`: one SQL file each, with a header that says what it answers.

Parameters are bound to the statement, never put into its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from assets.provenance.sql_files import read_sql
from assets.rights.removals import RemovalError, Selector, match_sql, selector

NAMED = "{named}"
"""Stands in a question for the statement that finds what a selector names."""


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

    def bound(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The statement for some values, and what is bound to it.

        What a selector names depends on its kind, of which there are few: each has a statement of its own.

        Raises ValueError where a kind or a value is none.
        """
        if NAMED not in self.sql:
            return self.sql, dict(values)
        try:
            asked = selector(str(values["kind"]), str(values["value"]))
        except RemovalError as error:
            raise ValueError(f"question {self.name}: {error}") from error
        rest = {"kind": asked.kind, "value": asked.value, "radius": asked.radius}
        return self.sql.replace(NAMED, named_sql(asked)), {**values, **rest}


def named_sql(asked: Selector) -> str:
    """SQL over a provenance database that finds what one selector names: relation `selector` holds it.

    The same as `match_sql`, with shortcuts: hosts by their numbers, addresses only where their path is in them.
    """
    if asked.kind in ("host", "domain"):
        return _BY_HOST.format(under=" OR ends_with(host, '.' || value)" if asked.kind == "domain" else "")
    path = "/" + asked.value[2:].partition("/")[2]
    if asked.kind not in ("url", "url_prefix", "page") or len(path) < 2:
        return match_sql([asked.kind])
    needle = path.replace("'", "''")
    with_it = f"FROM main.sample WHERE contains(image_url, '{needle}') OR contains(page_url, '{needle}')"
    return f"WITH sample AS ({with_it}) {match_sql([asked.kind])}"


_BY_HOST = """WITH wanted AS (
        SELECT host_id FROM host_domain, selector WHERE rtrim(host, '.') = value{under}
    )
    SELECT 'asked' AS list, sample_id, 'domain' AS match, NULL::FLOAT AS distance FROM sample_host
    WHERE page_host IN (FROM wanted) OR image_host IN (FROM wanted)"""


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
        sql, bound = question.bound(given)
        return connection.execute(sql, bound or None).to_arrow_table()
    except duckdb.ConversionException as error:
        raise ValueError(f"question {name}: {error}") from error
