"""SQL files with a header of comments: what the statement answers, its columns or its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class SqlFile:
    """A statement and what its header says.

    Attributes:
        name: the file's, without suffix.
        title: the header's sentences.
        notes: description by name, from header lines such as `-- column NAME: text`, in their order.
        sql: the statement, without the header.
    """

    name: str
    title: str
    notes: dict[str, str]
    sql: str


@cache
def read_sql(path: Path, note: str) -> SqlFile:
    """A SQL file; `note` is the word that starts a header line about a column or parameter.

    Raises ValueError where a file has no header: nobody could find out what it answers.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    header = []
    for line in lines:
        if not line.startswith("--"):
            break
        header.append(line.removeprefix("--").strip())
    title = [line for line in header if not line.startswith(f"{note} ")]
    if not title:
        raise ValueError(f"{path.name}: starts with no comment that says what it answers")
    notes = dict(line.removeprefix(f"{note} ").split(": ", 1) for line in header if line.startswith(f"{note} "))
    return SqlFile(path.stem, " ".join(title), notes, "\n".join(lines[len(header) :]).strip())
