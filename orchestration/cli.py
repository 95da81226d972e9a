"""`winnow`: build, look at, ask and compare builds from the command line."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click

SAMPLE = click.IntRange(0, 2**64 - 1)
REPOSITORY = Path(__file__).resolve().parents[1]


class Plain(click.Group):
    """A group of commands whose known errors are one sentence and exit status 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; say what is wrong in plain words."""
        from assets.decontaminate.sets import EvaluationSetError
        from assets.release.shards import ReleaseError
        from assets.rights.confusion import TruthError
        from assets.rights.policy import PolicyError
        from assets.rights.removals import RemovalError
        from orchestration.manifest import BuildError
        from orchestration.recipe import RecipeError
        from resources.encoder import EncoderError
        from resources.lake import LakeError

        try:
            return super().invoke(ctx)
        except (
            RecipeError,
            LakeError,
            BuildError,
            PolicyError,
            RemovalError,
            ReleaseError,
            TruthError,
            EncoderError,
            EvaluationSetError,
        ) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Plain, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="winnow")
def main() -> None:
    """Winnow builds image-text training sets from raw web crawls and can say why any sample is in or out.

    \b
    winnow build recipes/demo.yaml      build everything the recipe asks for; what is done is reused
    winnow shards                       which crawl files the recipe finds, and which of them are new
    winnow ui                           the same assets in Dagster, on http://127.0.0.1:3000
    winnow sql "FROM funnel"            ask provenance.duckdb
    winnow explain SAMPLE_ID            one sample's whole story
    winnow what-if POLICY               what another policy would let through, or not
    winnow diff BUILD BUILD             what changed between two builds, and why
    winnow takedown KIND VALUE          take out an address, a host, an image …: patch, proof, tombstone
    winnow tune RECIPE                  how fast its encoders are here, and with which batch size and threads
    winnow estimate RECIPE              what all of it would take, from a few shards: time, storage, money
    winnow check encoder RECIPE         whether a model, a filter or an export does what builds rely on

    The data lies under WINNOW_HOME (default: .winnow in the current folder).
    """


def _home_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--home", envvar="WINNOW_HOME", default=".winnow", show_default=True, help="Folder that holds the data."
    )(function)


@main.command()
@click.argument("recipe", required=False)
@click.option("--select", metavar="ASSETS", help="Dagster selection, e.g. '*crawl' (with all it needs).")
@click.option("--quiet", is_flag=True, help="Only the last line, and errors.")
@_home_option
def build(recipe: str | None, select: str | None, quiet: bool, home: str) -> None:
    """Build RECIPE (default: WINNOW_RECIPE, else recipes/demo.yaml) and print its funnel.

    Nothing is computed twice: a file's name holds the hash of what it was made from, so a second build reuses all of
    it, and a changed threshold recomputes only what is downstream of it. A build that was killed goes on where it was.
    The last line is `manifest: <sha256>`: the same inputs and recipe give the same one.
    """
    _prepare(recipe, home)
    from orchestration.build import run_build

    manifest = run_build(recipe, home, select, quiet)
    if manifest is not None:
        click.echo(f"manifest: {manifest.sha256}")


@main.command()
@click.argument("recipe", required=False)
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
@_home_option
def ui(recipe: str | None, port: int, home: str) -> None:
    """Open Dagster on RECIPE: registers its crawl files, then starts webserver and daemon on loopback.

    "Materialize all" in the asset graph builds the recipe; the schedule and the sensor can be switched on there.
    """
    _prepare(recipe, home)
    from orchestration.build import dagster_instance
    from orchestration.partitions import announce
    from orchestration.recipe import load_recipe
    from orchestration.stages import open_build
    from orchestration.ui import ServerError, serve

    with dagster_instance() as instance:
        announce(instance, open_build(load_recipe(), renew=True).snapshot)
    click.echo(f"Dagster: http://127.0.0.1:{port}  (data: {home}; stop with Ctrl-C)")
    # Dagster finds the package `orchestration` from here.
    os.chdir(REPOSITORY)
    try:
        serve(REPOSITORY / "workspace.yaml", port)
    except ServerError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("recipe", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@_home_option
def shards(recipe: str | None, as_csv: bool, home: str) -> None:
    """Look at the sources of RECIPE now: number new files, register them as partitions, and list all shards.

    A file whose bytes changed becomes a new shard that supersedes the old one; nothing is built. The sensor
    `new_shards` does the same while Dagster's daemon runs, and builds.
    """
    _prepare(recipe, home)
    from orchestration.build import dagster_instance
    from orchestration.partitions import announce
    from orchestration.recipe import load_recipe
    from orchestration.stages import open_build

    build = open_build(load_recipe(), renew=True)
    with dagster_instance() as instance:
        new = set(announce(instance, build.snapshot))
    columns = ["shard", "kind", "file", "rows", "bytes", "sha256", "supersedes", ""]
    rows = [
        [s.partition, s.kind, s.uri, _rows_of(s.first_row, s.rows), s.bytes, s.sha256, s.supersedes,
         "new" if s.partition in new else ""]
        for s in build.snapshot.shards
    ]  # fmt: skip
    if as_csv:
        _print_csv(columns[:-1], [row[:-1] for row in rows])
        return
    _print_table(columns, [[*row[:5], str(row[5])[:16], *row[6:]] for row in rows])
    click.echo(f"{len(rows)} shards, {len(new)} new, {len(build.snapshot.retired)} no longer read")


def _rows_of(first: int | None, rows: int | None) -> str | None:
    return None if first is None or rows is None else f"{first}-{first + rows - 1}"


def _print_csv(columns: list[str], rows: list[Any]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _print_table(columns: list[str], rows: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@main.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--list", "show_list", is_flag=True, help="List the ready-made questions.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="A parameter of a ready-made question.")
@_home_option
def sql(query: str | None, as_csv: bool, show_list: bool, arguments: tuple[str, ...], home: str) -> None:
    """Ask provenance.duckdb: QUERY is SQL, or the name of a ready-made question (`winnow sql --list`).

    \b
    winnow sql "FROM funnel"
    winnow sql "SELECT reason, count(*) FROM decision WHERE NOT kept GROUP BY ALL ORDER BY 2 DESC"
    winnow sql from_domain --arg domain=opendrawings.example --csv
    """
    from orchestration import asking

    if show_list or query is None:
        for name, title, parameters in asking.ready_made():
            click.echo(f"{name:24} {title}{'  (' + ', '.join(parameters) + ')' if parameters else ''}")
        return
    columns, rows = asking.ask(home, query, arguments)
    if as_csv:
        _print_csv(columns, rows)
        return
    _print_table(columns, rows)


@main.command("what-if")
@click.argument("policy")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@_home_option
def what_if(policy: str, as_csv: bool, home: str) -> None:
    """Say which samples POLICY would judge otherwise: a policy that ships with Winnow, or a YAML file.

    Nothing is built: the evidence in provenance.duckdb is weighed again, copies on other pages included. Which samples a
    build would then choose in place of others takes that build.
    """
    from orchestration import asking

    columns, rows = asking.what_if(home, policy)
    if as_csv:
        _print_csv(columns, rows)
        return
    _print_table(columns, rows)
    changed, released = (sum(row[columns.index(name)] for row in rows) for name in ("samples", "released"))
    click.echo(f"{changed} samples would have another verdict, {released} of them released")


@main.command()
@click.argument("sample_id", type=SAMPLE)
@click.option("--prov", is_flag=True, help="As a PROV-JSON document.")
@_home_option
def explain(sample_id: int, prov: bool, home: str) -> None:
    """Tell one sample's story: crawl file and offset, texts, license findings, every decision, captions, release."""
    from orchestration import asking

    click.echo(asking.prov(home, sample_id) if prov else asking.story(home, sample_id))


@main.command()
@click.argument("concept_id", type=click.IntRange(min=0))
@click.argument("recipe", required=False)
@click.option("--each", type=click.IntRange(1, 500), default=24, show_default=True, help="Pictures that stay, and go.")
@click.option("--out", type=click.Path(dir_okay=False), help="PNG file to write; without it concept-ID.png.")
@_home_option
def concept(concept_id: int, recipe: str | None, each: int, out: str | None, home: str) -> None:
    """Draw what stays and what goes in one concept of RECIPE's build: a PNG of pictures with their distances."""
    from orchestration import asking

    click.echo(asking.concept(recipe, home, concept_id, each, out or f"concept-{concept_id}.png"))


@main.command()
@click.argument("recipe", required=False)
@click.option(
    "--sample", "samples", type=SAMPLE, multiple=True, metavar="SAMPLE_ID", help="Findings about this sample."
)
@click.option("--count", type=click.IntRange(1), help="So many findings, drawn by hash: the same ones every time.")
@click.option("--all", "everything", is_flag=True, help="All findings.")
@_home_option
def verify(recipe: str | None, samples: tuple[int, ...], count: int | None, everything: bool, home: str) -> None:
    """Read findings again in the crawl files of RECIPE: are the bytes they name still what they say?

    Without an option, 100 findings are drawn. Exit status 1 if one does not stand.

    \b
    same            the rule reads the same from the stored bytes
    differs         the stored value is not in the stored range
    differs_reading the value is there, but gives another license or decision
    unplaced        the finding has no bytes: link lists and WAT files tell none
    gone            the crawl file is missing or has changed
    """
    from collections import Counter

    from orchestration import verifying
    from orchestration.recipe import load_recipe

    if bool(samples) + (count is not None) + everything > 1:
        raise click.UsageError("--sample, --count and --all exclude each other; give one of them")
    rows = verifying.findings(home, samples, None if everything else count or 100)
    outcomes: Counter[str] = Counter()
    for row, found in verifying.verified(load_recipe(recipe), home, rows):
        outcomes[found.outcome] += 1
        click.echo(verifying.line_of(row, found))
    click.echo(verifying.count_line(outcomes))
    if not verifying.stands(outcomes):
        sys.exit(1)


@main.command()
@click.argument("recipe", required=False)
@click.option("--seconds", default=60, show_default=True, type=click.IntRange(1), help="For each encoder, about.")
def tune(recipe: str | None, seconds: int) -> None:
    """Measure how fast the encoders of RECIPE are on this machine, and print the best keys to put into it.

    Pictures are made up; nothing is built and no file is changed. Run it while the machine does nothing else.
    """
    from orchestration import tuning
    from orchestration.recipe import load_recipe

    for section, settings in tuning.encoders_of(load_recipe(recipe)).items():
        trials = tuning.tune(settings, seconds, partial(_tell, section))
        columns, rows, text = tuning.report(section, settings, trials)
        _print_table(columns, rows)
        click.echo(text)


def _tell(section: str, text: str) -> None:
    click.echo(f"{section}: {text}", err=True)


@main.command()
@click.argument("recipe", required=False)
@click.option("--shards", default=2, show_default=True, type=click.IntRange(1), help="Shards to build as a sample.")
@click.option("--pairs", type=click.FloatRange(1), help="Candidate pairs to extrapolate to, e.g. 1e9.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Workers that share the shards.")
@click.option("--cpu-price", default=0.05, show_default=True, type=click.FloatRange(0), help="Of a core-hour.")
@click.option("--gpu-price", default=2.5, show_default=True, type=click.FloatRange(0), help="Of a GPU-hour.")
@click.option("--storage-price", default=0.023, show_default=True, type=click.FloatRange(0), help="Of a GB and month.")
@_home_option
def estimate(
    recipe: str | None,
    shards: int,
    pairs: float | None,
    workers: int,
    cpu_price: float,
    gpu_price: float,
    storage_price: float,
    home: str,
) -> None:
    """Say what all shards of RECIPE, or so many pairs like theirs, would take: time, storage and money.

    A complete build in the home is read from its ledger. Otherwise some shards, evenly spaced, are built in a temporary
    home, which goes again; the home itself is not touched. Every step's law of growth, and what the figures cannot tell, is
    printed with them.
    """
    from orchestration import estimating
    from orchestration.recipe import load_recipe

    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries would write their own progress bars between ours
    sample, known = estimating.estimate(load_recipe(recipe), home, shards, partial(_tell, "estimate"))
    prices = estimating.Prices(cpu_price, gpu_price, storage_price)
    tables, lines = estimating.report(sample, known, pairs, workers, prices)
    for columns, rows in tables:
        _print_table(columns, rows)
    for line in lines:
        click.echo(line)


@main.command()
@click.argument("older")
@click.argument("newer")
@click.option("--csv", "as_csv", is_flag=True, help="Print every changed sample as CSV instead of the summary.")
@_home_option
def diff(older: str, newer: str, as_csv: bool, home: str) -> None:
    """Compare two builds or releases by id (of a build its start will do), or `latest`: added, removed, changed caption,
    changed license, each with its reason.

    `winnow sql "FROM build"` and `winnow sql "FROM release"` list those of this home.
    """
    from orchestration import asking

    rows = asking.difference(home, older, newer)
    if as_csv:
        _print_csv(rows.column_names, [list(row.values()) for row in rows.to_pylist()])
        return
    for line in asking.summary(rows):
        click.echo(line)


@main.command()
@click.argument("release")
@click.argument("form")
@click.argument("out", type=click.Path(dir_okay=False))
@_home_option
def export(release: str, form: str, out: str, home: str) -> None:
    """Write RELEASE (a folder, or a release's id) in another FORM to the file OUT.

    \b
    text      words of its documents, one row each (a release with release.documents: true)
    pairs     pairs of pictures and texts of its documents
    wit       the columns of Wikipedia's image-text set: reference, attribution and alt text of each picture (.tsv.gz)
    metadata  addresses, ids and captions, no bytes
    Forms of your own (docs/extending.md) are taken likewise; a name that is none is answered with the list.
    """
    from assets.release.exports import export as write

    click.echo(f"{write(_release_folder(release, home), form, Path(out))} rows: {out}")


def _release_folder(release: str, home: str) -> Path:
    """A release by its folder, or by its id in a home."""
    return Path(release) if Path(release).is_dir() else Path(home) / "releases" / release


@main.group()
def check() -> None:
    """Run a test kit over something that was added: every check a line, exit status 1 if one does not hold.

    docs/extending.md shows how a filter, a captioner and an export are added, and which kit asks what.
    """


@check.command("encoder")
@click.argument("recipe", required=False)
def check_encoder(recipe: str | None) -> None:
    """Check the encoders of RECIPE: dimensions, license, revision; the same bits alone, in company and loaded again."""
    from orchestration import checking
    from orchestration.recipe import load_recipe

    _report(checking.encoders(load_recipe(recipe)))


@check.command("captioner")
@click.argument("recipe", required=False)
@click.argument("name", required=False)
def check_captioner(recipe: str | None, name: str | None) -> None:
    """Check the captioners of RECIPE, or the one called NAME. An endpoint is asked some ninety questions."""
    from orchestration import checking
    from orchestration.recipe import load_recipe

    _report(checking.captioners(load_recipe(recipe), name))


@check.command("language-model")
@click.argument("recipe", required=False)
def check_language_model(recipe: str | None) -> None:
    """Check the language model that fuses in RECIPE. An endpoint is asked some fifty questions."""
    from orchestration import checking
    from orchestration.recipe import load_recipe

    _report(checking.language_models(load_recipe(recipe)))


@check.command("filter")
@click.argument("name")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="A limit other than the filter's own.")
def check_filter(name: str, limits: tuple[str, ...]) -> None:
    """Check the pool filter NAME: one answer per sample, the same alone and in company."""
    from orchestration import checking

    _report(checking.filters(name, limits))


@check.command("export")
@click.argument("form")
@click.argument("releases", nargs=-1, required=True)
@_home_option
def check_export(form: str, releases: tuple[str, ...], home: str) -> None:
    """Check the export FORM: carry each of RELEASES (folders, or ids) there and back; the same ids, order, licenses, hashes."""
    from orchestration import checking

    _report(checking.exports(form, [_release_folder(release, home) for release in releases]))


@check.command("evaluation-set")
@click.argument("recipe", required=False)
@click.argument("name", required=False)
def check_evaluation_set(recipe: str | None, name: str | None) -> None:
    """Check the evaluation sets of RECIPE, or the one called NAME: copies of its images are found, other views stay."""
    from orchestration import checking
    from orchestration.recipe import load_recipe

    _report(checking.evaluation_sets(load_recipe(recipe), name))


def _report(found: Iterable[tuple[str, Any]]) -> None:
    """Print what the checks of a kit found as a table; end with exit status 1 if one does not hold."""
    rows = list(found)
    _print_table(
        ["of", "check", "holds", "what was found"],
        [
            [what, result.check.replace("_", " "), "yes" if result.holds else "NO", result.sentence]
            for what, result in rows
        ],
    )
    failed = sum(not result.holds for _, result in rows)
    click.echo(f"{len(rows) - failed} of {len(rows)} checks hold")
    if failed:
        sys.exit(1)


@main.command()
@click.argument("kind", required=False)
@click.argument("value", required=False)
@click.option(
    "--list", "list_file", type=click.Path(), help="Take the selectors from a removal list: text, CSV or Parquet."
)
@click.option(
    "--basis",
    type=click.Choice(["copyright", "privacy", "illegal_content", "reservation_update", "other"]),
    default="other",
    show_default=True,
    help="Why.",
)
@click.option(
    "--mode",
    type=click.Choice(["subtract", "rebuild"]),
    default="subtract",
    show_default=True,
    help="Patch the release, or build the recipe again, so that quotas are filled up.",
)
@click.option(
    "--reach",
    type=click.Choice(["exact", "twins", "duplicates"]),
    default="duplicates",
    show_default=True,
    help="What is named; its copies too; whole groups of near-duplicates too.",
)
@click.option(
    "--padding",
    type=click.IntRange(0),
    help="Neutral samples that go beside each one; by default 9 where the basis "
    "is privacy or illegal_content, else none.",
)
@click.option("--keep-selector", is_flag=True, help="Write down the selector itself, not its keyed hash alone.")
@click.option("--dry-run", is_flag=True, help="Only say what it would reach.")
@click.option("--recipe", help="For mode rebuild: the recipe to build again (default: as for winnow build).")
@_home_option
def takedown(
    kind: str | None,
    value: str | None,
    list_file: str | None,
    basis: str,
    mode: str,
    reach: str,
    padding: int | None,
    keep_selector: bool,
    dry_run: bool,
    recipe: str | None,
    home: str,
) -> None:
    """Take out what KIND VALUE names, with its copies: patch the release, prove it, keep it out of every later build.

    \b
    winnow takedown url https://example.org/a.jpg          an image's address
    winnow takedown domain example.org --basis copyright   every page and image of a registered domain
    winnow takedown image_sha256 058cdd02…                 an image by its bytes; image_md5 likewise
    winnow takedown phash 8f3c…/6                          pictures within 6 bits of a perceptual hash
    winnow takedown --list removals.csv                    a list of addresses or hashes
    Kinds: url, url_prefix, host, domain, page, image_sha256, image_md5, phash, creator, record, sample.

    Only files of the release that hold any of it are written anew. The selector is kept as a keyed hash, so the block list
    tells nobody what it blocks. Without KIND, takedowns that a killed process left unfinished are carried through.
    """
    from orchestration import requesting

    how = {"basis": basis, "mode": mode, "reach": reach, "padding": padding, "keep_selector": keep_selector}
    for line in requesting.run(home, requesting.asked(kind, value, list_file), how, dry_run, recipe, _prepare):
        click.echo(line)


@main.command()
@click.option("--yes", is_flag=True, help="Delete; without it, only say what would go.")
@click.option("--keep", default=2, show_default=True, help="How many of the newest builds keep their files.")
@click.option("--withdrawn", is_flag=True, help="Also the folders of releases that were withdrawn.")
@_home_option
def gc(yes: bool, keep: int, withdrawn: bool, home: str) -> None:
    """Delete what no manifest needs: lake files of builds that are not kept, and what killed runs left a day ago or more.

    The newest builds are kept, and that of the newest release of every name that is not withdrawn. Releases, takedowns and
    the ledger stay.
    """
    from orchestration.gc import collect

    for line in collect(home, keep, yes, withdrawn):
        click.echo(line)


def _prepare(recipe: str | None, home: str) -> None:
    """Set WINNOW_RECIPE, WINNOW_HOME and DAGSTER_HOME; check the recipe and the home before anything is loaded."""
    from orchestration.instance import write_instance
    from orchestration.recipe import load_recipe
    from resources.lake import Lake

    found = load_recipe(recipe)
    # Libraries would write their own progress bars between ours.
    os.environ.setdefault("TQDM_DISABLE", "1")
    local = "://" not in home
    os.environ["WINNOW_RECIPE"] = found.path if "://" in found.path else str(Path(found.path).resolve())
    os.environ["WINNOW_HOME"] = str(Path(home).resolve()) if local else home
    Lake(os.environ["WINNOW_HOME"]).prepare()
    dagster_home = Path(os.environ["WINNOW_HOME"] if local else Path.home() / ".winnow") / "dagster"
    write_instance(dagster_home)
    os.environ["DAGSTER_HOME"] = str(dagster_home)


if __name__ == "__main__":
    main(prog_name="winnow")
