"""The plan of a build: which step makes which table, and where every file lies before it is made.

A step's output is a pure function of its code version, its section of the recipe and the fingerprints of its inputs.
The hash of those is the output's fingerprint. Nothing here knows Dagster: the assets call `Build.run`, tests do too.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import inspect
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, TypeAlias

import pyarrow as pa
from upath import UPath

from assets.provenance.tables import TABLES, conform
from orchestration.cost import Cost, metered
from orchestration.recipe import Recipe
from orchestration.registry import Shard, Snapshot, forget
from resources import objects
from resources.batches import ahead
from resources.lake import Lake, StoredFile, copy_of, hash_file, local_path, sha256_of

PLUMBING = {"assets.provenance.tables", "resources.lake", "resources.objects"}
"""Modules whose meaning enters a fingerprint otherwise (schemas) or not at all (how files are written)."""


NO_DATA = {"assets", "resources", "provenance"}
"""Folders whose data files no step reads: the questions and views of the database are not part of any table."""


Rows: TypeAlias = pa.Table | Iterator[pa.Table]
"""A table of a step: whole, or in parts whose rows are in the table's order."""


class CrawlFileError(Exception):
    """A crawl file is gone or has changed; the message says which and what to do."""


@dataclass(frozen=True)
class Step:
    """One step of the plan; its name is the Dagster asset's.

    Attributes:
        name: asset and step.
        group: room of the house.
        tables: tables it writes, the main one first.
        reads: steps whose tables it may read.
        section: its part of the recipe, as JSON-able values; nothing else of the recipe may reach it.
        code: modules whose source, with everything of the project they import, is its code version.
        libraries: distributions whose versions are part of the code version.
        per_shard: True for one set of files per shard, False for one for all shards.
        blobs: files beside the tables, as `table.suffix`, e.g. `image.tar`.
        compute: the work.
        sources: True for the step that stands for the recipe's sources as a whole.
        folder: where a step publishes a folder of files besides its tables; the folder is part of being done.
        when: inputs that count only where the step's section asks for them: (step, question about the section).
        observe: what looks at the world outside before the step's work, for the shards of a run together: it adds
            segments, which are inputs.
        observes: what its section looks at, as a folder's name, "" for the step as a whole; None where it looks at
            nothing. What was observed of something else is no input.
        beside: files that lie beside each observed segment, by suffix.
        resolve: what replaces names in its section by what they stand for when the build is opened.
        by_content: tables by whose bytes, and not by what they were made from, readers know its output: what is
            changed in its inputs and changes nothing in these tables recomputes nothing after it.
    """

    name: str
    group: str
    tables: tuple[str, ...]
    reads: tuple[str, ...]
    section: Callable[[Recipe], Any]
    code: tuple[str, ...]
    libraries: tuple[str, ...]
    per_shard: bool
    compute: Callable[[Work], Mapping[str, Rows]]
    blobs: tuple[str, ...] = ()
    sources: bool = False
    folder: Callable[[Build], UPath] | None = None
    when: tuple[tuple[str, Callable[[Any], bool]], ...] = ()
    observe: Callable[[Sequence[Work]], None] | None = None
    observes: Callable[[Any], str | None] = lambda config: "" if config else None
    beside: tuple[str, ...] = ()
    resolve: Callable[[Build, Any], Any] | None = None
    by_content: tuple[str, ...] = ()

    def inputs(self, config: Any) -> tuple[str, ...]:
        """Steps that it reads under this section of the recipe."""
        unless = {name for name, asks in self.when if not asks(config)}
        return tuple(name for name in self.reads if name not in unless)

    def code_version(self) -> str:
        """Hash of the step's own function and what that uses beside it, its modules, its schemas and its libraries."""
        return _code_version(self)


@cache
def _code_version(step: Step) -> str:
    schemas = [[name, [(f.name, str(f.type), f.nullable) for f in TABLES[name].schema]] for name in step.tables]
    return sha256_of(
        {
            "compute": _own_source(step.compute),
            "sources": source_hash(step.code),
            "schemas": schemas,
            "libraries": {name: _version(name) for name in sorted(step.libraries)},
        }
    )


def _own_source(function: Callable[..., Any]) -> list[str]:
    """Source of a function and of what it uses of its own module: other functions, and the values of plain constants."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [(function.__name__, function)]
    while waiting:
        name, value = waiting.pop()
        if name in found:
            continue
        if inspect.isfunction(value) and value.__module__ == function.__module__:
            found[name] = inspect.getsource(value)
            waiting += [(used, value.__globals__[used]) for used in _names(value.__code__) if used in value.__globals__]
        elif isinstance(value, (bool, int, float, str, bytes, tuple, frozenset)):
            found[name] = repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
    return [found[name] for name in sorted(found)]


def _names(code: CodeType) -> set[str]:
    """Global names that a function's code uses, functions inside it included."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(_names(part) for part in inner))


def _version(library: str) -> str:
    """Version of a distribution; one that a step can do without may be absent."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@cache
def source_hash(modules: tuple[str, ...]) -> str:
    """Hash of the modules' source, of what they import from this project, and of data files in their folders."""
    digest = hashlib.sha256()
    for path in sorted(_sources(modules), key=str):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources(modules: Sequence[str]) -> set[Path]:
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in PLUMBING:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"module {name} is named as the code of a step, but cannot be found")
        found[name] = Path(spec.origin)
        waiting += _imports(Path(spec.origin), name)
    data = {
        file
        for folder in {path.parent for path in found.values()}
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and folder.name not in NO_DATA
    }
    return set(found.values()) | data


@cache
def _imports(path: Path, module: str) -> tuple[str, ...]:
    """Modules of this project that a source file imports, at any depth of nesting."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    ours = [name for name in names if name.split(".")[0] in ("assets", "resources") and name != module]
    return tuple(name for name in ours if _is_module(name))


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True)
class Outcome:
    """What became of one step for one shard; `because`: what differs from the run before, where it was computed."""

    step: str
    shard: Shard | None
    fingerprint: str
    reused: bool
    rows: dict[str, int]
    files: tuple[StoredFile, ...]
    started_at: datetime
    ended_at: datetime
    notes: Mapping[str, float | str] = field(default_factory=dict)
    because: str | None = None
    cost: Cost = Cost()

    @property
    def partition(self) -> str | None:
        """Dagster's partition key; None for a step over all shards."""
        return self.shard.partition if self.shard else None


@dataclass(frozen=True)
class Handed:
    """What goes to another machine with a shard.

    Attributes:
        fingerprints: of the shard's steps, and of steps over all shards.
        segments: what was observed for the shard, by step, as uris.
        observing: steps that observe.
    """

    fingerprints: Mapping[tuple[str, int | None], str]
    segments: Mapping[str, Sequence[str]]
    observing: tuple[str, ...]


@dataclass
class Build:
    """A recipe, the shards it reads and the lake it writes to.

    Attributes:
        away: crawl files are read from their staged copies: this is another machine than the recipe's.
        spread: for a step by its name, what hands items of its work to workers; None where there are none.
    """

    recipe: Recipe
    lake: Lake
    snapshot: Snapshot
    steps: Mapping[str, Step]
    away: bool = False
    spread: Callable[[str], Any] = lambda step: None
    _fingerprints: dict[tuple[str, int | None], str] = field(default_factory=dict)
    _contents: dict[tuple[str, int | None], str] = field(default_factory=dict)
    _configs: dict[str, Any] = field(default_factory=dict)
    _segments: dict[tuple[str, int], list[UPath]] = field(default_factory=dict)

    @property
    def build_id(self) -> str:
        """Hash of everything that determines the build: known as soon as what was observed and picked is."""
        parts = [
            (name, self.fingerprint(step, shard)) for name, step in self.steps.items() for shard in self._all(step)
        ]
        return sha256_of(parts)[:16]

    @property
    def code_version(self) -> str:
        """Hash of all steps' code versions."""
        return sha256_of({name: step.code_version() for name, step in self.steps.items()})

    def config(self, step: Step) -> Any:
        """The step's section of the recipe, as plain values."""
        if step.name not in self._configs:
            section = step.section(self.recipe)
            self._configs[step.name] = step.resolve(self, section) if step.resolve else section
        return self._configs[step.name]

    def shards_of(self, step: Step) -> list[Shard | None]:
        """What a step is run for: every shard, or once."""
        return self._all(step)

    def fingerprint(self, step: Step, shard: Shard | None) -> str:
        """Hash of what the step's files for that shard are made from."""
        key = (step.name, shard.shard_id if shard else None)
        if key not in self._fingerprints:
            made_from = self.made_from(step, shard)
            made_from["inputs"] = list(made_from["inputs"].values())
            self._fingerprints[key] = sha256_of(made_from)[:32]
        return self._fingerprints[key]

    def made_from(self, step: Step, shard: Shard | None) -> dict[str, Any]:
        """What a fingerprint is the hash of, part by part; inputs by the step that makes them."""
        return {
            "step": step.name,
            "code": step.code_version(),
            "config": self.config(step),
            "shard": self._what_is_read(step, shard),
            "observed": [path.stem for path in self.segments(step, shard)],
            "inputs": {
                name: self._input_fingerprints(self.steps[name], shard) for name in step.inputs(self.config(step))
            },
        }

    def segments(self, step: Step, shard: Shard | None) -> list[UPath]:
        """What a step observed for a shard, oldest first; their names hold their hashes.

        Looked up once: what another run observes meanwhile is no input of this build.
        """
        if step.observe is None or shard is None or step.observes(self.config(step)) is None:
            return []
        key = (step.name, shard.shard_id)
        if key not in self._segments:
            self._segments[key] = self.lake.files(self.segment_folder(step, shard), "*.parquet")
        return self._segments[key]

    def segment_folder(self, step: Step, shard: Shard) -> UPath:
        """Where a step's observations for a shard lie: by its bytes and rows, whatever its number, name or parser."""
        what = step.observes(self.config(step)) or ""
        return self.lake.home / "observations" / step.name / what / sha256_of(shard.content)[:32]

    def observe(self, step: Step, shards: Sequence[Shard | None]) -> None:
        """Let a step look at the world outside for some shards; what it sees is an input of it and all that follow."""
        if step.observe is not None and step.observes(self.config(step)) is not None:
            step.observe([Work(self, step, shard, {}) for shard in shards])
            self._segments.clear()
            self.forget_fingerprints()

    def hand_over(self, step: Step, shard: Shard) -> Handed:
        """What a build of this one shard on another machine has to know, besides recipe and home, to run a step for it."""
        self.fingerprint(step, shard)
        shards = (None, shard.shard_id)
        segments = {
            name: [self.lake.uri(path) for path in self.segments(one, shard)] for name, one in self.steps.items()
        }
        return Handed(
            {(n, s): self._fingerprints[n, s] for n in self.steps for s in shards if (n, s) in self._fingerprints},
            {name: found for name, found in segments.items() if found},
            tuple(name for name, one in self.steps.items() if one.observe is not None),
        )

    def configs(self) -> dict[str, Any]:
        """Every step's section of the recipe, resolved."""
        return {name: self.config(step) for name, step in self.steps.items()}

    def take_up(self, configs: Mapping[str, Any], handed: Handed) -> None:
        """Know what another machine read of the recipe's files, and handed over."""
        self._configs.update(configs)
        self._fingerprints.update(handed.fingerprints)
        for shard in self.snapshot.shards:
            for name in handed.observing:
                paths = [self.lake.home / uri for uri in handed.segments.get(name, ())]
                self._segments[name, shard.shard_id] = paths

    def forget_fingerprints(self) -> None:
        """Work fingerprints out anew: what they are made of has changed, or has come to be known."""
        self._fingerprints.clear()
        self._contents.clear()

    def _what_is_read(self, step: Step, shard: Shard | None) -> Any:
        """The crawl files that a step stands for: its shard, or the whole snapshot."""
        if shard is not None:
            return [shard.shard_id, *shard.content]
        return self.snapshot.sha256 if step.sources else None

    def _input_fingerprints(self, source: Step, shard: Shard | None) -> list[str]:
        identity = self._content if source.by_content else self.fingerprint
        return [identity(source, s) for s in self._seen(source, shard)]

    def _content(self, step: Step, shard: Shard | None) -> str:
        """Hash of the tables that readers of a step know it by; until they are made nobody knows what follows."""
        key = (step.name, shard.shard_id if shard else None)
        if key not in self._contents:
            paths = [self.path(step, shard, name) for name in step.by_content]
            made = all(self.lake.exists(path) for path in paths)
            hashes = [_hash_once(copy_of(path)) for path in paths] if made else []
            self._contents[key] = sha256_of(hashes) if made else f"to be made: {self.fingerprint(step, shard)}"
        return self._contents[key]

    def _all(self, step: Step) -> list[Shard | None]:
        return list(self.snapshot.shards) if step.per_shard else [None]

    def _seen(self, source: Step, shard: Shard | None) -> list[Shard | None]:
        """Which files of `source` a step sees when it works on `shard`: its own, or those of all shards."""
        return [shard] if source.per_shard and shard is not None else self._all(source)

    def path(self, step: Step, shard: Shard | None, table: str) -> UPath:
        """Where a table of a step lies; `table` may be a blob such as `image.tar`."""
        name, _, suffix = table.partition(".")
        label = shard.label if shard else "all"
        return self.lake.path(name, label, self.fingerprint(step, shard), suffix or "parquet")

    def outputs(self, step: Step, shard: Shard | None) -> list[UPath]:
        """Every file the step makes for that shard, the tables last and in order."""
        return [self.path(step, shard, name) for name in (*step.blobs, *step.tables)]

    def done(self, step: Step, shard: Shard | None) -> bool:
        """True where every file is there; files appear by rename, so they are whole."""
        published = step.folder is None or self.lake.folder_exists(step.folder(self))
        return published and all(self.lake.exists(path) for path in self.outputs(step, shard))

    def paths(self, name: str, table: str | None = None, shard: Shard | None = None) -> list[UPath]:
        """Files of a step's table: of one shard, or of all shards in order."""
        step = self.steps[name]
        return [self.path(step, s, table or step.tables[0]) for s in self._seen(step, shard)]

    def read(
        self, name: str, table: str | None = None, columns: Sequence[str] | None = None, shard: Shard | None = None
    ) -> pa.Table:
        """Rows of a step's table, of one shard or of all shards in order."""
        return self.lake.read_table(self.paths(name, table, shard), columns)

    def run(self, step: Step, shard: Shard | None) -> Outcome:
        """Make the step's files for that shard, unless they are there; say what it cost."""
        with metered(self.lake.traffic) as cost, objects.holding():
            outcome = self._made(step, shard)
        return replace(outcome, cost=cost[0])

    def _made(self, step: Step, shard: Shard | None) -> Outcome:
        started = datetime.now(UTC)
        if self.done(step, shard):
            return self._reused(step, shard, started)
        # Whoever works on the same on this machine is waited for: both would work in one scratch folder.
        with self.lake.one_at_a_time(Work(self, step, shard, {}).scratch_folder):
            return self._reused(step, shard, started) if self.done(step, shard) else self._make(step, shard, started)

    def _reused(self, step: Step, shard: Shard | None, started: datetime) -> Outcome:
        rows = {name: self.lake.rows_of(self.path(step, shard, name)) for name in step.tables}
        return Outcome(step.name, shard, self.fingerprint(step, shard), True, rows, (), started, datetime.now(UTC))

    def _make(self, step: Step, shard: Shard | None, started: datetime) -> Outcome:
        fingerprint = self.fingerprint(step, shard)
        files: list[StoredFile] = []
        with ExitStack() as stack:
            blobs = {
                name: stack.enter_context(self.lake.new_file(self.path(step, shard, name), once=True))
                for name in step.blobs
            }
            work = Work(self, step, shard, blobs)
            with self.lake.room(work.scratch_folder):
                tables = {name: _conformed(name, table) for name, table in step.compute(work).items()}
        if set(tables) != set(step.tables):
            raise ValueError(f"step {step.name} promises {step.tables} but made {tuple(tables)}")
        files += [self.lake.describe(self.path(step, shard, name)) for name in step.blobs]
        for name in step.tables:
            path = self.path(step, shard, name)
            files.append(self.lake.write_table(path, tables[name], work.metadata))
        work.forget_scratch()
        if step.by_content:
            # What follows is known only now.
            self.forget_fingerprints()
        rows = {name: stored.rows or 0 for name, stored in zip(step.tables, files[len(step.blobs) :], strict=True)}
        return Outcome(step.name, shard, fingerprint, False, rows, tuple(files), started, datetime.now(UTC), work.notes)

    def files(self) -> Iterator[tuple[Step, Shard | None, str, UPath]]:
        """Every file of the build: step, shard, table or blob, path; in the order of the steps and shards."""
        for step in self.steps.values():
            for shard in self._all(step):
                for path in self.segments(step, shard):
                    yield step, shard, f"{step.name}.segment", path
                    for suffix in step.beside:
                        yield step, shard, f"{step.name}{suffix}", path.with_suffix(suffix)
                for name in (*step.blobs, *step.tables):
                    yield step, shard, name, self.path(step, shard, name)


def _conformed(name: str, table: Rows) -> Rows:
    """Rows as the contract wants them; parts one by one, as they are asked for, and at least one."""
    if isinstance(table, pa.Table):
        return conform(name, table)

    def parts() -> Iterator[pa.Table]:
        empty = True
        for part in table:
            empty = False
            yield conform(name, part)
        if empty:
            yield TABLES[name].empty()

    return parts()


@dataclass
class Work:
    """What a step's function may see: its section of the recipe, its inputs, its shard; nothing else.

    Its own to fill: `metadata` is stored in the Parquet files; `notes`, speeds and counts of this run, are only shown.
    """

    build: Build
    step: Step
    shard: Shard | None
    blobs: Mapping[str, UPath]
    metadata: dict[str, str] = field(default_factory=dict)
    notes: dict[str, float | str] = field(default_factory=dict)

    @property
    def config(self) -> Any:
        """The step's section of the recipe, as plain values."""
        return self.build.config(self.step)

    def read(self, name: str, table: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of an input's table: of this shard, or of all shards for a step over all of them."""
        self._declared(name)
        return self.build.read(name, table, columns, self.shard)

    def read_own(self, name: str, table: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of this work's shard in a table that an input has for all shards together, sorted by sample_id."""
        self._declared(name)
        if self.shard is None:
            return self.build.read(name, table, columns)
        ids = (self.shard.shard_id << 32, (self.shard.shard_id + 1) << 32)
        return self.build.lake.read_table(self.build.paths(name, table, self.shard), columns, ids)

    def each(self, name: str, table: str | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Rows of an input's table in the order of shards, a row group at a time: never the whole table.

        A thread reads ahead: unpacking a column of vectors takes about as long as what is done with it.
        """
        self._declared(name)
        paths = self.build.paths(name, table, self.shard)
        yield from ahead(part for path in paths for part in self.build.lake.each_group(path, columns))

    @property
    def shards(self) -> Sequence[Shard]:
        """All shards of the build, in order."""
        return self.build.snapshot.shards

    def of(self, shard: Shard) -> Work:
        """The same work with one shard in view: a step over all shards reads its inputs one shard at a time."""
        return replace(self, shard=shard)

    def scratch(self) -> Path:
        """A folder for work that a killed run need not do again; it goes when the step's files are written.

        Its name holds the step's fingerprint: what lies in it was made from the same code, recipe and inputs.
        """
        folder = local_path(self.scratch_folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def forget_scratch(self) -> None:
        """Delete the folder that `scratch` gave, if it did."""
        if self.scratch_folder.exists():
            shutil.rmtree(str(self.scratch_folder))

    @property
    def scratch_folder(self) -> UPath:
        """Where `scratch` lies, whether or not it is there."""
        label = self.shard.label if self.shard else "all"
        fingerprint = self.build.fingerprint(self.step, self.shard)
        return self.build.lake.scratch / f"{self.step.name}-{label}-{fingerprint}"

    def paths(self, name: str, table: str | None = None) -> list[UPath]:
        """Files of an input's table or blob."""
        self._declared(name)
        return self.build.paths(name, table, self.shard)

    def uri(self, name: str) -> str:
        """Where one of this step's own files will lie, relative to the home."""
        return self.build.lake.uri(self.build.path(self.step, self.shard, name))

    def spread(self) -> Any:
        """What hands items of this step's work to workers, if there are any but this process."""
        return self.build.spread(self.step.name)

    def earlier(self, table: str) -> list[UPath]:
        """Files of a table that any build left in the lake: where content keys are looked up.

        In an object store only those of the same shard, and of the one whose place it took: with many shards, looking into the
        files of all of them for each would move far more bytes than it saves.
        """
        lake = self.build.lake
        folder = lake.home / "lake" / table
        if lake.on_disk:
            return lake.files(folder, "*.parquet")
        labels = [self.shard.label] if self.shard else ["all"]
        if self.shard and self.shard.supersedes is not None:
            labels.append(replace(self.shard, shard_id=self.shard.supersedes).label)
        return [path for label in labels for path in lake.files(folder, f"{label}-*.parquet")]

    def crawl_file(self) -> UPath:
        """The shard's crawl file; raises CrawlFileError where it is gone or its bytes are not the registered ones."""
        if self.shard is None:
            raise ValueError(f"step {self.step.name} works on all shards and has no crawl file")
        return unchanged(self.build, self.shard.uri, self.shard.sha256)

    def side_file(self) -> UPath | None:
        """The Parquet file beside the shard's image tar; None where there was none at registration."""
        if self.shard is None or self.shard.side_uri is None or self.shard.side_sha256 is None:
            return None
        return unchanged(self.build, self.shard.side_uri, self.shard.side_sha256)

    def segments(self, name: str) -> list[UPath]:
        """Segments that an input, or this step itself, observed for the shard: Parquet files, each with its `.warc`."""
        if name != self.step.name:
            self._declared(name)
        return self.build.segments(self.build.steps[name], self.shard)

    def _declared(self, name: str) -> None:
        if name not in self.step.inputs(self.config):
            raise ValueError(f"step {self.step.name} reads {name}, but does not declare it")


def unchanged(build: Build, uri: str, sha256: str) -> UPath:
    """A crawl file on this machine; raises CrawlFileError where it is gone or its bytes are not the registered ones."""
    place = build.recipe.locate(uri)
    if build.away and place.protocol in ("", "file"):
        place = staged(build.lake, uri, sha256)
    if not build.lake.exists(place):
        raise CrawlFileError(
            f"{uri}: the crawl file is gone; put it back, or take it out of crawl.sources and run again"
        )
    path = copy_of(place)
    if _hash_once(path) != sha256:
        forget(build.recipe, build.lake)
        raise CrawlFileError(f"{uri}: its bytes changed after it was registered; run the build again")
    return UPath(path)


def staged(lake: Lake, uri: str, sha256: str) -> UPath:
    """Where a copy of a crawl file lies in the home for machines that cannot reach the file itself."""
    return lake.home / "staged" / sha256 / uri.rpartition("/")[2]


_hashed: dict[tuple[str, int, float], str] = {}


def _hash_once(path: Path) -> str:
    """Hash of a file's bytes; a list of many shards is not read again for each of them while it stays as it is."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime)
    if key not in _hashed:
        _hashed[key] = hash_file(path)
    return _hashed[key]
