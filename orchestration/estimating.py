"""`winnow estimate`: what a whole recipe would take, from what some of its shards took."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from upath import UPath

from orchestration import ledger
from orchestration.cost import Cost, of_row
from orchestration.manifest import BuildError
from orchestration.plan import Build
from orchestration.recipe import Recipe
from orchestration.registry import Shard, Snapshot, latest, register
from resources.lake import Lake

FEWEST = 2
CONFIDENCE = 0.95
MANY_PARTITIONS = 25_000
"""Partitions of an asset that Dagster's documentation names as the most to have."""
PASS_BYTES_PER_SECOND = 2.1e8
"""How fast one pass over stored vectors is: 20 million of 256 float16 in 47.8 s (docs/benchmarks.md, Scale, centroids)."""

Growth = Callable[["Size", "Size"], float]


@dataclass(frozen=True)
class Size:
    """How large a build is.

    Attributes:
        shards: crawl files, or parts of link lists; a whole number where they were counted.
        pairs: candidate pairs, rows of table `candidate`.
        vectors: samples that have vectors, rows of table `embedding`.
    """

    shards: float
    pairs: float
    vectors: float

    def of_shards(self, shards: float) -> Size:
        """The size of so many shards like these."""
        return self.of(shards / self.shards)

    def of_pairs(self, pairs: float) -> Size:
        """The size of so many pairs like these; raises BuildError where there are none."""
        if not self.pairs:
            raise BuildError(
                "the shards that were measured hold no candidate pairs; leave --pairs out or take more shards"
            )
        return self.of(pairs / self.pairs)

    def of(self, times: float) -> Size:
        """So many times as large."""
        return Size(self.shards * times, self.pairs * times, self.vectors * times)


@dataclass(frozen=True)
class Law:
    """How a step over all shards grows.

    Attributes:
        told: the law in a few words.
        work: times its seconds, from one size to another.
        reads: times the bytes it reads.
        writes: times the bytes it writes.
        passes: True where it also reads all vectors once, which grows with them whatever `work` says.
    """

    told: str
    work: Growth
    reads: Growth
    writes: Growth
    passes: bool = False


def linear(here: Size, there: Size) -> float:
    """With the number of shards."""
    return there.shards / here.shards


def constant(here: Size, there: Size) -> float:
    """Not at all."""
    return 1.0


def bounded(points: float) -> Growth:
    """With the vectors until there are so many."""

    def grow(here: Size, there: Size) -> float:
        return max(1.0, min(there.vectors, points)) / max(1.0, min(here.vectors, points))

    return grow


def by_cells(size: int, visited: int) -> Growth:
    """With the vectors and what each is compared with: its cell, the cells visited, and the centers on the way to them."""
    from assets.dedup.store import GROUPS_ASKED

    def each(vectors: float) -> float:
        return size / 2 + visited * size + (1 + GROUPS_ASKED) * math.sqrt(max(1.0, vectors / size))

    def grow(here: Size, there: Size) -> float:
        return linear(here, there) * each(there.vectors) / each(here.vectors)

    return grow


PER_SHARD = Law("each shard alone", linear, linear, linear)
OVER_ALL = Law("with the rows of all shards", linear, linear, linear)
ONCE = Law("not with the pool", constant, constant, constant)
FEW_ROWS = Law("reads the rows of all shards", linear, linear, constant)


def laws(recipe: Recipe) -> dict[str, Law]:
    """Steps that grow otherwise than their kind, by name: those over all shards with their rows, the others by shard."""
    clusters, dedup = recipe.clusters, recipe.dedup
    k = clusters.k if isinstance(clusters.k, int) else max(clusters.sweep or [500])
    points = k * clusters.points_per_centroid
    found = dict.fromkeys(
        ("removal_list", "licenses", "eval_registry", "eval_vectors", "vocabulary", "agents", "comparison"), ONCE
    )
    found |= dict.fromkeys(("concepts", "caption_report", "held_aside"), FEW_ROWS)
    found["rights_agreement"] = Law("with the labeled images", constant, constant, constant)
    found["dedup"] = Law("near linear, by cells", by_cells(dedup.cell_size, dedup.neighbor_cells), linear, linear)
    told = f"at most {points:,} vectors, and one pass"
    found["centroids"] = Law(told, bounded(points), linear, constant, passes=True)
    found["evaluation_arms"] = Law("fixed steps of training", constant, linear, constant)
    if (most := recipe.captions.fusion.max_fusions) is not None:
        found["fusion"] = Law(f"at most {most:,} fusions", constant, linear, constant)
    return found


@dataclass(frozen=True)
class Measured:
    """What a step took.

    Attributes:
        step: its name.
        law: how it grows.
        seconds: wall time of each shard; of all together, a single number, for a step over all shards.
        costs: beside them.
        per_shard: True for a step per shard.
        pooled: True where work for all shards was charged to the first, so that their spread says nothing.
    """

    step: str
    law: Law
    seconds: tuple[float, ...]
    costs: tuple[Cost, ...]
    per_shard: bool
    pooled: bool = False

    @property
    def cost(self) -> Cost:
        """Of all that was measured."""
        return sum(self.costs, Cost())


@dataclass(frozen=True)
class Sample:
    """What was measured of a recipe.

    Attributes:
        here: the size that was measured.
        steps: what each step took.
        stored: bytes by table, and how they grow.
        weak: what the figures cannot tell, a sentence each.
    """

    here: Size
    steps: tuple[Measured, ...]
    stored: Mapping[str, tuple[int, Growth]]
    weak: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """What a step would take in all; `seconds` and `cost` are sums over shards, the interval is one of `seconds`."""

    step: Measured
    seconds: float
    low: float | None
    high: float | None
    cost: Cost


def extrapolate(step: Measured, here: Size, there: Size) -> Forecast:
    """A step at another size: seconds and cost by its law, with an interval where several shards were measured."""
    work, reads = step.law.work(here, there), step.law.reads(here, there)
    extra = step.cost.bytes_read * max(0.0, reads - 1) / PASS_BYTES_PER_SECOND if step.law.passes else 0.0
    seconds = sum(step.seconds) * work + extra
    cost = Cost(
        step.cost.cpu_seconds * work + extra,
        step.cost.gpu_seconds * work,
        round(step.cost.bytes_read * reads),
        round(step.cost.bytes_written * step.law.writes(here, there)),
    )
    spread = None
    if step.per_shard and not step.pooled and step.law is PER_SHARD:
        spread = margin(step.seconds, there.shards)
    if spread is None:
        return Forecast(step, seconds, None, None, cost)
    return Forecast(step, seconds, max(0.0, seconds - spread), seconds + spread, cost)


def margin(values: Sequence[float], shards: float) -> float | None:
    """Half the 95 % interval of a sum over so many shards, of which some were measured (Student's t, finite population).

    None where a single shard was measured; 0 where all were.
    """
    n = len(values)
    if n < 2:
        return None
    if shards <= n:
        return 0.0
    from scipy.stats import t

    mean = sum(values) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return quantile * deviation * shards * math.sqrt((1 - n / shards) / n)


@dataclass(frozen=True)
class Prices:
    """What a core-hour, a GPU-hour and a gigabyte-month cost, in one currency."""

    cpu: float = 0.05
    gpu: float = 2.5
    storage: float = 0.023


@dataclass(frozen=True)
class Totals:
    """A recipe at a size.

    Attributes:
        seconds: of one worker that does all steps one after the other.
        margin: half the interval of `seconds`, from the spread between shards; None where it cannot be told.
        wall: seconds with several workers: shards are shared out, steps over all shards have one worker.
        cost: in all.
        stored: bytes in the end.
        computing: price of processor and GPU time.
        storing: price of a month of storage.
    """

    seconds: float
    margin: float | None
    wall: float
    cost: Cost
    stored: float
    computing: float
    storing: float


def totals(sample: Sample, there: Size, workers: int, prices: Prices) -> Totals:
    """Sums over the steps of a sample at another size."""
    found = [extrapolate(step, sample.here, there) for step in sample.steps]
    apart = sum(one.seconds for one in found if one.step.per_shard)
    together = sum(one.seconds for one in found if not one.step.per_shard)
    cost = sum((one.cost for one in found), Cost())
    stored = sum(size * grow(sample.here, there) for size, grow in sample.stored.values())
    spread = [one.seconds for one in sample.steps if one.per_shard and not one.pooled and one.law is PER_SHARD]
    return Totals(
        seconds=apart + together,
        margin=margin([sum(values) for values in zip(*spread, strict=True)], there.shards) if spread else None,
        wall=apart / max(1.0, min(workers, there.shards)) + together,
        cost=cost,
        stored=stored,
        computing=cost.cpu_seconds / 3600 * prices.cpu + cost.gpu_seconds / 3600 * prices.gpu,
        storing=stored / 1e9 * prices.storage,
    )


def estimate(recipe: Recipe, home: str, shards: int, say: Callable[[str], None]) -> tuple[Sample, int]:
    """What was measured, and how many shards the recipe has.

    A complete build in the home is read from its ledger; otherwise some shards are built in a home that goes again.
    """
    lake = Lake(home)
    snapshot = latest(recipe, lake)
    if snapshot is not None:
        found = measured(Build(recipe, lake, snapshot, _steps()))
        if found is not None:
            say(f"read from the ledger: {len(snapshot.shards)} shards")
            return found, len(snapshot.shards)
    with tempfile.TemporaryDirectory(prefix="winnow-estimate-") as folder:
        scratch = Lake(UPath(folder) / "home")
        scratch.prepare()
        everything = snapshot or register(recipe, scratch)
        chosen = spaced(everything.shards, max(FEWEST, shards))
        return _built(recipe, scratch, chosen, say), len(everything.shards)


def spaced(shards: Sequence[Shard], count: int) -> list[Shard]:
    """So many shards from evenly spaced places: the middles of as many equal parts."""
    count = min(count, len(shards))
    return [shards[int((place + 0.5) * len(shards) / count)] for place in range(count)]


def _steps() -> Mapping[str, Any]:
    import orchestration.rooms  # noqa: F401 - imports every stage
    from orchestration.stages import STEPS

    return STEPS


def _built(recipe: Recipe, lake: Lake, shards: Sequence[Shard], say: Callable[[str], None]) -> Sample:
    """Build some shards and measure.

    Concepts start anew, for the build that they would start from lies elsewhere. The comparison with chance needs more pairs
    than a sample has, and costs the same whatever the pool.
    """
    from orchestration.stages import run_step
    from orchestration.workers import Alone

    clusters = recipe.clusters.model_copy(update={"warm_start": None})
    alone = recipe.model_copy(update={"clusters": clusters, "evaluation": None})
    build = Build(alone, lake, Snapshot(tuple(shards)), _steps())
    say(f"building {len(shards)} shards: {', '.join(shard.partition for shard in shards)}")
    for number, step in enumerate(build.steps.values(), 1):
        say(f"{number} of {len(build.steps)}: {step.name}")
        run_step(build, step, build.shards_of(step), "estimate", Alone())
    found = measured(build)
    if found is None:
        raise RuntimeError("a build that has just been made is not complete")
    if recipe.evaluation is None:
        return found
    left_out = "The comparison with chance (evaluation) is left out: it needs more than a sample, and does not grow with the pool."
    return replace(found, weak=(*found.weak, left_out))


def measured(build: Build) -> Sample | None:
    """What the ledger says of a build; None where any of its files is missing, or was made before costs were noted."""
    runs: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in ledger.rows(build.lake, "run"):
        if row["status"] == "ok" and not row["reused"] and of_row(row) is not None:
            runs[row["asset"], row["partition"], row["fingerprint"]] = row
    special, steps = laws(build.recipe), []
    for step in build.steps.values():
        rows = []
        for shard in build.shards_of(step):
            key = (step.name, shard.partition if shard else None, build.fingerprint(step, shard))
            if key not in runs or not build.done(step, shard):
                return None
            rows.append(runs[key])
        steps.append(
            Measured(
                step.name,
                special.get(step.name, PER_SHARD if step.per_shard else OVER_ALL),
                tuple(_seconds(row) for row in rows),
                tuple(of_row(row) or Cost() for row in rows),
                step.per_shard,
                step.observe is not None and step.observes(build.config(step)) is not None,
            )
        )
    here = Size(
        len(build.snapshot.shards), _rows(build, "candidates", "candidate"), _rows(build, "embeddings", "embedding")
    )
    return Sample(here, tuple(steps), _stored(build, {step.step: step.law for step in steps}), _weak(build, here))


def _seconds(row: Mapping[str, Any]) -> float:
    return (datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()


def _rows(build: Build, step: str, table: str) -> int:
    return sum(build.lake.rows_of(path) for path in build.paths(step, table))


def _stored(build: Build, law: Mapping[str, Law]) -> dict[str, tuple[int, Growth]]:
    """Bytes of every table, blob and folder of a build, and how they grow."""
    sizes: dict[tuple[str, Growth], int] = defaultdict(int)
    for step, _, name, path in build.files():
        sizes[name, law[step.name].writes] += build.lake.size(path)
    for step in build.steps.values():
        if step.folder is not None:
            sizes[f"{step.name}/", linear] += sum(file.bytes for file in build.lake.tree(step.folder(build)))
    return {
        name if growth is linear else f"{name} (once)": (size, growth)
        for (name, growth), size in sorted(sizes.items(), key=lambda one: -one[1])
    }


def _weak(build: Build, here: Size) -> tuple[str, ...]:
    """What these figures cannot tell."""
    recipe, told = build.recipe, []
    if here.shards <= 2:
        told.append(
            f"{here.shards:.0f} shards say little of how shards differ; --shards 8 tells more."
            if here.shards > 1
            else "One shard says nothing of how shards differ; there is no interval."
        )
    told.append(
        "Steps over all shards were measured once, at this size; how they grow is the law that is named, no measurement, "
        "and what they cost whatever their size is taken to grow along."
    )
    if here.vectors < 10 * recipe.dedup.cell_size:
        told.append(
            f"{here.vectors:,.0f} vectors do not fill ten cells of dedup ({recipe.dedup.cell_size:,} each): its seconds here "
            "are mostly starting. docs/benchmarks.md has it at millions."
        )
    told.append("The first shard of a step pays for loading its models, which a worker does once.")
    if recipe.fetch is not None:
        told.append(f"Fetching waited for {_hosts(build):,} hosts; more hosts wait side by side, one large host alone.")
    if _endpoints(recipe):
        told.append("What endpoints charge is not in it, nor how they answer under more load (winnow sql model_calls).")
    if len({row["build_id"] for row in ledger.rows(build.lake, "build")}) > 1:
        told.append("Vectors and captions that earlier builds of this home had made were looked up, not computed.")
    told.append(
        "Seconds are too many where other work shares the machine, and other processors take others; processor seconds are "
        "those used, not those of machines that wait. The database file and Dagster's own are not in it."
    )
    return tuple(told)


def _hosts(build: Build) -> int:
    from urllib.parse import urlsplit

    urls = build.read("fetch", "fetch", ["url"])["url"].to_pylist()
    return len({urlsplit(url).hostname for url in urls})


def _endpoints(recipe: Recipe) -> bool:
    return any(model.endpoint is not None for model in (*recipe.captions.captioners, recipe.captions.fusion))


def report(
    sample: Sample, shards: int, pairs: float | None, workers: int, prices: Prices
) -> tuple[list[Any], list[str]]:
    """Tables, as columns and rows each, and sentences.

    Args:
        sample: what was measured.
        shards: how many the recipe has.
        pairs: candidate pairs to extrapolate to; None for the recipe's shards.
        workers: processes that share the shards.
        prices: of a core-hour, a GPU-hour and a gigabyte-month.
    """
    there = sample.here.of_shards(shards) if pairs is None else sample.here.of_pairs(pairs)
    found = totals(sample, there, workers, prices)
    columns = [
        "step",
        "grows",
        "seconds",
        "CPU s",
        "GPU s",
        "MB read",
        "MB written",
        "in all",
        "95 % interval",
        "CPU h",
        "GPU h",
    ]
    rows = [_line(extrapolate(step, sample.here, there)) for step in sample.steps]
    kept = [(name, size, size * grow(sample.here, there)) for name, (size, grow) in sample.stored.items()]
    stored = [[name, _bytes(size), _bytes(grown)] for name, size, grown in kept]
    lines = [
        f"measured: {_size(sample.here)}",
        f"in all:   {_size(there)}",
        f"work:     {_time(found.seconds)}{_interval(found)} of one worker, {found.cost.cpu_seconds / 3600:.4g} CPU hours, "
        f"{found.cost.gpu_seconds / 3600:.4g} GPU hours",
        f"wall:     {_time(found.wall)} with {workers} workers, each as fast as this one",
        f"storage:  {_bytes(found.stored)}",
        f"cost:     {found.computing:,.2f} for computing, {found.storing:,.2f} a month for storing "
        f"({prices.cpu:g} a CPU hour, {prices.gpu:g} a GPU hour, {prices.storage:g} a GB and month)",
        *(f"weak:     {sentence}" for sentence in (*sample.weak, *_too_many(there))),
    ]
    return [(columns, rows), (["stored", "measured", "in all"], stored)], lines


def _too_many(there: Size) -> list[str]:
    if there.shards <= MANY_PARTITIONS:
        return []
    return [
        f"{there.shards:,.0f} shards are more partitions than Dagster is made for ({MANY_PARTITIONS:,}): take larger ones."
    ]


def _line(one: Forecast) -> list[str]:
    step, count = one.step, len(one.step.seconds)
    cost = step.cost
    per = [sum(step.seconds), cost.cpu_seconds, cost.gpu_seconds, cost.bytes_read / 1e6, cost.bytes_written / 1e6]
    unit = " a shard" if step.per_shard else ""
    between = "" if one.low is None or one.high is None else f"{_time(one.low)} to {_time(one.high)}"
    first, *others = (f"{value / count:.3g}" for value in per)
    return [
        step.step, step.law.told, first + unit, *others, _time(one.seconds), between,
        f"{one.cost.cpu_seconds / 3600:.3g}", f"{one.cost.gpu_seconds / 3600:.3g}",
    ]  # fmt: skip


def _interval(found: Totals) -> str:
    return "" if found.margin is None else f" (± {_time(found.margin)} by the spread between shards)"


def _size(size: Size) -> str:
    return f"{size.shards:,.0f} shards, {size.pairs:,.0f} candidate pairs, {size.vectors:,.0f} vectors"


def _time(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds:.3g} s"


def _bytes(size: float) -> str:
    for unit, length in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size:.0f} B"
