"""Questions to what builds left: SQL, one sample's story, the difference of two builds."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.manifest import BuildError, Manifest, read_manifest
from orchestration.publishing import compare, database_file, releases
from resources.lake import Lake, local_path


def ready_made() -> list[tuple[str, str, list[str]]]:
    """Name, title and parameters of every ready-made question."""
    from assets.provenance.questions import list_questions

    return [(question.name, question.title, list(question.parameters)) for question in list_questions()]


def ask(home: str, query: str, arguments: Sequence[str]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of a query, or of a ready-made question with `NAME=VALUE` arguments.

    Raises BuildError where there is no database, or DuckDB refuses the query, in DuckDB's own words.
    """
    import duckdb

    from assets.provenance.questions import list_questions

    questions = {question.name: question for question in list_questions()}
    values: dict[str, Any] = {}
    shown: dict[str, pa.Table] = {}
    if query in questions:
        given = dict(argument.partition("=")[::2] for argument in arguments)
        wanted = questions[query].parameters
        if set(given) != set(wanted):
            form = " ".join(f"--arg {name}=…" for name in wanted) or "no --arg"
            raise BuildError(f"question {query} takes {form}")
        if query == "build_diff":
            # Any two builds may be asked about: what differs is worked out, and kept, where nobody compared them yet.
            before, after = _builds(home, given["older"], given["newer"])
            shown["release_change"] = compare(Lake(home), before, after)
            given = {"older": before.build_id, "newer": after.build_id}
        try:
            query, values = questions[query].bound(given)
        except ValueError as error:
            raise BuildError(str(error)) from error
    elif arguments:
        raise BuildError(f"--arg goes with a ready-made question, and {query!r} is none; see winnow sql --list")
    with connect(home) as connection:
        for name, rows in shown.items():
            connection.register(name, rows)  # found before the database's own table of that name
        try:
            result = connection.execute(query, values) if values else connection.execute(query)
            return [column[0] for column in result.description], result.fetchall()
        except (duckdb.Error, RuntimeError, UnicodeError) as error:
            raise BuildError(f"the query was refused: {error}") from error


def what_if(home: str, name_or_path: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Samples whose verdict would be another under a policy: columns and rows, counted by verdict, reason and license.

    Args:
        home: where the database is.
        name_or_path: a policy that ships with Winnow, or a YAML file.

    Raises PolicyError where there is no such policy or it is wrong, BuildError where there is no database.
    """
    from assets.provenance.database import verdict_change
    from assets.provenance.questions import answer
    from assets.rights.policy import load_policy
    from assets.rights.terms import policy_relations

    with connect(home) as connection:
        recipes = connection.execute("SELECT recipe FROM build ORDER BY completed_at DESC LIMIT 1").fetchall()
        fetch = json.loads(recipes[0][0] or "{}").get("fetch") if recipes else None
        policy = load_policy(name_or_path).heeding((fetch or {}).get("robots_token", ""))
        stated = connection.execute("SELECT DISTINCT spdx_id FROM license_evidence").fetchall()
        relations = policy_relations([policy], [spdx_id for (spdx_id,) in stated])
        # Both are found before the database's own of that name, and so are their changes and the policy itself.
        for name in ("policy_setting", "policy_term"):
            connection.register(name, relations[name])
        connection.register("policy", pa.table({"name": [policy.name]}))
        connection.execute(f"CREATE TEMP TABLE verdict_change AS {verdict_change(policy.name)}")
        found = answer(connection, "what_if_policy", {"policy": policy.name})
        return found.column_names, [tuple(row.values()) for row in found.to_pylist()]


def story(home: str, sample_id: int) -> str:
    """A sample's whole story as text."""
    from assets.provenance.explain import explain, render

    with connect(home) as connection:
        try:
            return render(explain(connection, sample_id))
        except LookupError as error:
            raise BuildError(str(error.args[0])) from error


def prov(home: str, sample_id: int) -> str:
    """A sample's provenance as a PROV-JSON document."""
    from assets.provenance.prov import prov_json

    with connect(home) as connection:
        try:
            return prov_json(connection, sample_id)
        except LookupError as error:
            raise BuildError(str(error.args[0])) from error


def difference(home: str, older: str, newer: str) -> pa.Table:
    """One row per sample that differs between two builds or releases, with the reason."""
    return compare(Lake(home), *_builds(home, older, newer))


def _builds(home: str, *names: str) -> list[Manifest]:
    """Manifests of builds, or of the builds that releases were cut from."""
    lake = Lake(home)
    return [read_manifest(lake, build_of(lake, name)) for name in names]


def build_of(lake: Lake, name: str) -> str:
    """The build that a release was cut from, where a name is a release's; else the name, which is a build's."""
    return next((row["build_id"] for row in releases(lake) if row["release_id"] == name), name)


def concept(recipe: str | None, home: str, concept_id: int, each: int, out: str) -> str:
    """Draw a contact sheet of one concept of a recipe's build; the sentence that says where it is.

    Args:
        recipe: of the build; None for the one in force.
        home: where the build is.
        concept_id: as tables `cluster` and `cluster_member` have it.
        each: pictures of samples that stay, and of samples that go.
        out: PNG file to write.

    Raises BuildError where the build has no such concept, or is not there.
    """
    import dagster as dg

    from orchestration.recipe import load_recipe
    from orchestration.registry import latest

    found = load_recipe(recipe)
    # The definitions read the recipe in force, for its schedule.
    os.environ["WINNOW_RECIPE"] = found.path
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    import orchestration.definitions  # noqa: F401 - the steps
    from assets.prune.report import concept_sheet, sheet_png
    from orchestration.stages import open_build

    missing = BuildError(f"{home}: the build of {found.path} has no selection yet; run `winnow build` first")
    # A look at a home must not register shards in it.
    if latest(found, Lake(home)) is None:
        raise missing
    build = open_build(found, home)
    if not build.done(build.steps["selection"], None):
        raise missing
    known = build.read("concepts", columns=["cluster_id"])["cluster_id"].to_pylist()
    if concept_id not in known:
        there = f"its concepts are {known[0]} to {known[-1]}" if known else "it has no concepts"
        raise BuildError(f"concept {concept_id}: not in the build; {there}")
    if not Path(out).absolute().parent.is_dir():
        raise BuildError(f"{out}: its folder is not there; make it, or give another --out")
    sheet = concept_sheet(build, [(concept_id, "")], each)
    Path(out).write_bytes(sheet_png(sheet))
    return "\n".join([*(title for title, _ in sheet), f"written: {out}"])


def summary(rows: pa.Table) -> list[str]:
    """How many samples changed in which way, most frequent first."""
    if rows.num_rows == 0:
        return ["no difference"]
    counts = Counter((row["change"], row["stage"], row["reason"]) for row in rows.to_pylist())
    return [
        f"{count:8}  {change}" + (f"  ({stage}: {reason})" if reason else "")
        for (change, stage, reason), count in counts.most_common()
    ]


def connect(home: str) -> Any:
    """A read-only connection to the home's database; a reader never blocks a build."""
    import duckdb

    lake = Lake(home)
    path = database_file(lake)
    if not lake.exists(path):
        raise BuildError(f"{path}: no such database; run `winnow build` first, or set WINNOW_HOME")
    return duckdb.connect(str(local_path(path)), read_only=True)
