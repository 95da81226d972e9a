"""A person who asks `provenance.duckdb` all the time: what one look sees must be one build, whole.

As a program (`python -m tests.chaos.reader HOME`) it looks until its input ends, and then says what it saw as JSON.
"""

from __future__ import annotations

import hashlib
import json
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb

PAUSE = 0.1
"""Seconds between two looks: it shares the processor with the build."""

MOST_ERRORS = 5
"""Errors after which it gives up."""

REPOSITORY = Path(__file__).resolve().parents[2]


class MixedError(Exception):
    """What was read is not one build."""


def look(home: Path) -> str:
    """Read the newest build from the database of a home; its id. Raises MixedError where the rows are not of one build."""
    with duckdb.connect(str(home / "provenance.duckdb"), read_only=True) as connection:

        def ask(query: str, *values: object) -> list[tuple]:
            return connection.execute(query, values).fetchall()

        build, name, sha256 = ask(
            "SELECT build_id, name, lower(hex(manifest_sha256)) FROM build ORDER BY completed_at DESC LIMIT 1"
        )[0]
        text = (home / "builds" / build / "manifest.json").read_bytes().removesuffix(b"\n")
        _must(hashlib.sha256(text).hexdigest() == sha256, f"{build}: another manifest than the database's")
        document = json.loads(text)
        _must(document["name"] == name, f"{build}: a manifest of {document['name']}")
        artifacts = {(uri, lower) for uri, lower in ask("SELECT uri, lower(hex(sha256)) FROM artifact")}
        listed = {(file["uri"], file["sha256"]) for file in document["files"]}
        _must(artifacts == listed, f"{build}: files of another build")
        known = {table for (table,) in ask("SELECT table_name FROM information_schema.tables")}
        rows: Counter[str] = Counter()
        for file in document["files"]:
            rows[file["table"]] += file["rows"] or 0
        for table in sorted(rows.keys() & known - {"release"}):
            ((found,),) = ask(f'SELECT count(*) FROM "{table}"')
            _must(found == rows[table], f"{build}: {table} has {found} rows, its files {rows[table]}")
        _funnel(build, ask("SELECT stage, came_in, kept, dropped FROM funnel"), rows)
        releases = {release for (release,) in ask("SELECT release_id FROM release WHERE build_id = ?", build)}
        members = {release for (release,) in ask("SELECT DISTINCT release_id FROM release_member")}
        _must(members == releases != set(), f"{build}: released as {releases}, members of {members}")
    return str(build)


def _funnel(build: str, rows: list[tuple], counted: Counter[str]) -> None:
    """What came in is kept or dropped, and what is kept comes into the next stage."""
    came, leaves = counted["sample"], 0
    for stage, came_in, kept, dropped in rows:
        _must(came_in == came == kept + dropped, f"{build}: {stage} got {came_in} of {came}, {kept} + {dropped}")
        came = leaves = kept
    _must(leaves == counted["release_member"], f"{build}: the funnel ends with {leaves}")


def _must(holds: bool, told: str) -> None:
    if not holds:
        raise MixedError(told)


class Reader:
    """The program, beside what a test does; afterwards `looks` and `errors` say what it saw.

    Attributes:
        looks: how often it saw each build.
        errors: what was wrong, at most a few.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.looks: dict[str, int] = {}
        self.errors: list[str] = []

    def __enter__(self) -> Reader:
        command = [sys.executable, "-m", "tests.chaos.reader", str(self.home)]
        self._process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        told = json.loads(self._process.communicate(timeout=60)[0])
        self.looks, self.errors = told["looks"], told["errors"]


def main(home: Path) -> None:
    """Look until the input ends, and once more."""
    looks: Counter[str] = Counter()
    errors: list[str] = []
    print("reading", flush=True)
    ended = False
    while True:
        try:
            looks[look(home)] += 1
        except Exception as error:
            errors.append(f"look {looks.total() + len(errors) + 1}: {type(error).__name__}: {error}")
        if ended or len(errors) > MOST_ERRORS:
            break
        ended = bool(select.select([sys.stdin], [], [], PAUSE)[0])
    print(json.dumps({"looks": looks, "errors": errors}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
