"""`winnow takedown`: from what a person typed to a report in lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.rights.removal_lists import read_removal_list
from assets.rights.removals import RemovalError, rows_of, selector
from orchestration.manifest import Manifest
from orchestration.removing import Report, Request, apply_takedown, look, pending, request_takedown
from resources.lake import Lake

Prepare = Callable[[str | None, str], None]


def run(
    home: str,
    selectors: pa.Table | None,
    how: Mapping[str, Any],
    dry_run: bool,
    recipe: str | None,
    prepare: Prepare,
) -> Iterator[str]:
    """Carry takedowns through, unfinished ones first; lines that say what was reached and done.

    Args:
        home: the home.
        selectors: what is asked for; None to go on with what is unfinished.
        how: the other parts of a `Request`.
        dry_run: only say what it would reach.
        recipe: the recipe to build again, for mode rebuild.
        prepare: makes the process ready for a build.
    """
    lake = Lake(home)
    if dry_run:
        if selectors is None:
            raise RemovalError("--dry-run of what? give a kind and a value, or --list")
        yield from told(look(lake, Request(selectors, **how)), "would take out")
        return

    def build(name: str) -> Manifest | None:
        from orchestration.build import run_build
        from orchestration.recipe import load_recipe

        if load_recipe(recipe).name != name:
            return None
        prepare(recipe, home)
        return run_build(recipe, home, None, quiet=True)

    with lake.alone("takedown"):
        waiting = pending(lake)
        if selectors is not None:
            waiting.append(request_takedown(lake, Request(selectors, **how)))
        if not waiting:
            raise RemovalError("no takedown is unfinished; give a kind and a value, or --list, to ask for one")
        for takedown_id in waiting:
            yield f"{takedown_id}: received"
            yield from told(apply_takedown(lake, takedown_id, build), "took out")


def asked(kind: str | None, value: str | None, list_file: str | None) -> pa.Table | None:
    """Selectors that somebody typed, or that a list has; None where nothing was given."""
    if list_file is not None:
        if kind is not None:
            raise RemovalError("give a kind and a value, or --list, not both")
        return read_removal_list(Path(list_file), list_file)
    if kind is None:
        return None
    if value is None:
        raise RemovalError(f"{kind} of what? give a value, as in: winnow takedown {kind} …")
    return rows_of([selector(kind, value)])


def told(report: Report, verb: str) -> Iterator[str]:
    """A report in lines."""
    if report.matches:
        yield "reached: " + ", ".join(f"{count} {match}" for match, count in sorted(report.matches.items()))
    for release, samples in report.released.items():
        files = report.files.get(release)
        where = f", {len(files)} file{'' if len(files) == 1 else 's'}" if files is not None else ""
        yield f"{verb} {samples} sample{'' if samples == 1 else 's'} of {release}{where}"
        if files:
            yield "  " + ", ".join(files[:12]) + (f" and {len(files) - 12} more" if len(files) > 12 else "")
    if not any(report.released.values()):
        yield (
            "no release that stands has any of it; later builds will not, either"
            if report.takedown_id
            else "no release has any of it"
        )
    if report.neutral:
        yield f"{report.neutral} of them are neutral and went along, so that the difference does not tell which were meant"
    for before, after in report.patches.items():
        yield f"release {after} takes the place of {before}, which is withdrawn"
    if report.seconds is not None:
        yield f"residue: 0; {report.seconds:.1f} s from the request to the last release"
