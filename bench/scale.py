"""How dedup, clustering and pruning grow with the pool: `python -m bench.scale --samples 1000000 20000000 --home DIR`.

Every step runs in a process of its own under one memory limit, on a pool that bench/pool.py simulates; then what it
decided is held against what was planted. Figures go to a results file, a line of JSON per run, from which the section of
docs/benchmarks.md and its plot are made (`--report` makes them again without a run).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.measure import duration, machine, table
from bench.pool import Pool, Traits, open_pool, simulate, traits, truth, vectors

if TYPE_CHECKING:
    from orchestration.plan import Build, Step

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("dedup", "decontaminate", "clusters", "prune")
GIB = 1 << 30
CGROUPS = Path("/sys/fs/cgroup/memory")
POLL = 0.05
"""Seconds between two looks at the memory of a step."""
BILLION = 10**9
CHECKED = 1 << 16
"""Drops whose cosines are computed again at a time."""
ROUNDED = 1e-6
"""What may lie between a cosine in six decimals and one computed otherwise."""


class ScaleError(Exception):
    """A run cannot start, or a step failed; the message says which and what to do."""


def steps(build: Build) -> list[Step]:
    """The steps that are measured, in order."""
    return [step for step in build.steps.values() if step.group in ROOMS]


def run(pool: Pool, home: Path, limit_gib: float, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Simulate a pool, run every step, check what was decided; the figures of the run.

    Raises:
        ScaleError: where the disk has too little room, a step fails or needs more memory than the limit.
    """
    enough_disk(pool, home)
    started = time.perf_counter()
    names = [step.name for step in steps(simulate(home, pool, settings))]
    simulated = time.perf_counter() - started
    figures = {name: _child("run_step", home, name, limit_gib) for name in names}
    return {
        "samples": pool.samples,
        "dims": pool.dims,
        "shards": pool.shards,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(("numpy", "faiss-cpu", "torch", "pyarrow")),
        "limit_gib": limit_gib,
        "limited_by": Limit(limit_gib).kind,
        "recipe": open_pool(home).recipe.model_dump(mode="json", include={"dedup", "clusters", "prune"}),
        "gflops": products(),
        "simulated": simulated,
        "steps": figures,
        "truth": _child("run_checks", home, "", 0)["truth"],
    }


def enough_disk(pool: Pool, home: Path) -> None:
    """Raises ScaleError where the disk has too little room for a pool: its vectors twice, and its other columns."""
    home.mkdir(parents=True, exist_ok=True)
    needed = pool.samples * (5 * pool.dims + 300)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise ScaleError(
            f"{home}: {pool.samples:,} samples need about {needed / GIB:.1f} GiB, but {free / GIB:.1f} GiB are free; "
            "free space, or give another --home or fewer --samples"
        )


def products() -> dict[str, float]:
    """Billions of operations a second of a product of matrices, by type: what the machine can do at most."""
    import torch

    found = {}
    for kind in (torch.float32, torch.bfloat16):
        a, b = torch.randn(2048, 2048).to(kind), torch.randn(2048, 2048).to(kind)
        seconds = []
        for _ in range(7):
            started = time.perf_counter()
            torch.mm(a, b)
            seconds.append(time.perf_counter() - started)
        found[str(kind).removeprefix("torch.")] = 2 * 2048**3 / sorted(seconds)[3] / 1e9
    return found


# --- one step, in a process of its own ---


class Limit:
    """A limit on the memory of one process and those it starts.

    A cgroup, where one can be made, limits all of them together, and the page cache with them. Otherwise each is held by
    RLIMIT_DATA: its heap and other private memory.
    """

    def __init__(self, gib: float) -> None:
        self.bytes = int(gib * GIB)
        self.group = CGROUPS / f"winnow-scale-{os.getpid()}"
        can_group = os.access(CGROUPS, os.W_OK) and (CGROUPS / "memory.limit_in_bytes").exists()
        self.kind = "nothing" if not self.bytes else "cgroup" if can_group else "RLIMIT_DATA"

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """What a process must call before it starts to be under the limit."""
        if self.kind == "cgroup":
            self.group.mkdir()
            (self.group / "memory.limit_in_bytes").write_text(str(self.bytes))
        try:
            yield self._enter
        finally:
            if self.kind == "cgroup":
                self.group.rmdir()

    def _enter(self) -> None:
        if self.kind == "cgroup":
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        elif self.kind == "RLIMIT_DATA":
            resource.setrlimit(resource.RLIMIT_DATA, (self.bytes, self.bytes))


def _child(function: str, home: Path, name: str, limit_gib: float) -> dict[str, Any]:
    """What a function of this module wrote from a process of its own, with the seconds and the memory that took."""
    answer = home / "scale-answer.json"
    code = f"from bench.scale import {function}; {function}({str(home)!r}, {name!r}, {str(answer)!r})"
    started, own, resident = time.perf_counter(), 0, 0
    with Limit(limit_gib).held() as enter:
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, preexec_fn=enter)
        try:
            while process.poll() is None:
                memory = [_memory_of(pid) for pid in _family(process.pid)]
                own = max(own, sum(one for one, _ in memory))
                # The kernel keeps a process's own peak; its resource usage would count what it was forked from, too.
                resident = max(resident, sum(peak for _, peak in memory))
                time.sleep(POLL)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode == -9:
        raise ScaleError(f"{name or function} was killed: it needs more than {limit_gib} GiB of memory")
    if process.returncode:
        raise ScaleError(f"{name or function} failed with status {process.returncode}; what it printed says why")
    wall = time.perf_counter() - started
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found | {"wall": wall, "resident_mib": resident / 2**20, "own_mib": own / 2**20}


def _family(pid: int) -> list[int]:
    """A process and those that it started, as far as they are still there."""
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [one for child in tasks.read_text().split() for one in _family(int(child))]
        except OSError:
            continue  # it has ended
    return found


def _memory_of(pid: int) -> tuple[int, int]:
    """Bytes of memory of a process that no file stands behind, and its highest resident memory; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    kib = {
        line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem", "VmHWM"))
    }
    return 1024 * (kib.get("RssAnon", 0) + kib.get("RssShmem", 0)), 1024 * kib.get("VmHWM", 0)


def run_step(home: str, name: str, answer: str) -> None:
    """Run a step for all its shards and write its figures."""
    build = open_pool(home)
    step = build.steps[name]
    started = time.perf_counter()
    outcomes = [build.run(step, shard) for shard in build.shards_of(step)]
    seconds = time.perf_counter() - started
    rows = sum(outcome.rows[step.tables[0]] for outcome in outcomes)
    _answer(answer, {"seconds": seconds, "rows": rows, "reused": all(outcome.reused for outcome in outcomes)})


def run_checks(home: str, _: str, answer: str) -> None:
    """Hold what was decided against what was planted and write the counts."""
    build, pool = open_pool(home), read_pool(Path(home))
    _answer(answer, {"truth": check_dedup(build, pool) | check_selection(build)})


def read_pool(home: Path) -> Pool:
    """The pool that a home was simulated from."""
    import tarfile

    with tarfile.open(sorted((home / "shards").glob("*.tar"))[0]) as tar:
        stream = tar.extractfile("pool.json")
        said = json.load(stream) if stream else {}
    kinds = tuple((cosine, share) for cosine, share in said.pop("copies"))
    sizes = said.pop("sizes")
    said.pop("shard")
    return Pool(**{**said, "spread": tuple(said["spread"])}, copies=kinds, sizes=tuple(sizes) if sizes else None)


def _answer(path: str, value: Mapping[str, Any]) -> None:
    Path(path).write_text(json.dumps(value), encoding="utf-8")


# --- truth ---


def check_dedup(build: Build, pool: Pool) -> dict[str, Any]:
    """Counts of planted pairs that were found, and of drops that are wrong.

    Returns:
        `planted`: by cosine, (copies, those of them that were found: copy and original do not both stay; or, for copies
        not above the threshold, those that stay, as they should); `wrong`: drops as near-duplicates whose cosine to the
        sample named is not above the threshold; `score_off`: largest difference of a score from the cosine;
        `not_twins`: drops as exact duplicates that show another picture; `not_kept`, `not_preferred`: drops that name a
        sample that went, or that they are preferred to; `strangers`: drops that name a sample that was not copied from
        the same one; `undecided`: samples without a decision.
    """
    kept, other, score, exact = _dedup_decisions(build, pool)
    threshold = 1 - build.recipe.dedup.eps
    counts = dict.fromkeys(("wrong", "not_twins", "not_kept", "not_preferred", "strangers"), 0)
    planted = {cosine: np.zeros(2, np.int64) for cosine, _ in pool.copies}
    off = 0.0
    for at in range(0, pool.samples, CHECKED):
        number = np.arange(at, min(at + CHECKED, pool.samples))
        what = truth(pool, number)
        for cosine, found in planted.items():
            copy = (what.original != number) & (what.cosine == cosine)
            stays = kept[number] == 1
            right = ~(stays & (kept[what.original] == 1)) if cosine > threshold else stays
            found += [copy.sum(), (copy & right).sum()]
        dropped = number[(kept[number] == 0) & (other[number] >= 0)]
        named = other[dropped]
        here, there = truth(pool, dropped), truth(pool, named)
        same = (here.original == there.original) & (here.cosine == 1) & (there.cosine == 1)
        counts["not_twins"] += int((exact[dropped] & ~same).sum())
        counts["strangers"] += int((here.original != there.original).sum())
        counts["not_kept"] += int((kept[named] != 1).sum())
        counts["not_preferred"] += int((~_preferred(pool, named, dropped)).sum())
        near = ~exact[dropped]
        true = cosines(pool, dropped[near], named[near])
        counts["wrong"] += int((true <= threshold - ROUNDED).sum())
        off = max(off, float(np.abs(true - score[dropped[near]]).max(initial=0)))
    pairs = {str(cosine): found.tolist() for cosine, found in planted.items()}
    return {"planted": pairs, "undecided": int((kept < 0).sum()), "dropped": int((kept == 0).sum())} | counts | {
        "score_off": off
    }  # fmt: skip


def _dedup_decisions(build: Build, pool: Pool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every sample: 1 if dedup kept it, 0 if not, -1 if it was not asked; whom it names; its score; is it a twin."""
    import pyarrow.compute as pc

    n = pool.samples
    kept, other = np.full(n, -1, np.int8), np.full(n, -1, np.int64)
    score, exact = np.full(n, np.nan), np.zeros(n, bool)
    for path in build.paths("dedup"):
        for part in build.lake.each_group(path):
            number = pool.numbers(part["sample_id"].to_numpy())
            kept[number] = part["kept"].to_numpy()
            score[number] = part["score"].to_numpy()
            exact[number] = pc.fill_null(pc.equal(part["reason"], "exact_duplicate"), False).to_numpy()
            named = part["other_sample_id"].is_valid().to_numpy()
            other[number[named]] = pool.numbers(part["other_sample_id"].drop_null().to_numpy())
    return kept, other, score, exact


def _preferred(pool: Pool, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) whether samples are preferred to others: by verdict, pixels, image-text score, then the lower id."""
    better = first < second
    a, b = traits(pool, first), traits(pool, second)
    for lower, higher in reversed(list(zip(_ranks(a), _ranks(b), strict=True))):
        better = np.where(lower == higher, better, lower < higher)
    return better


def _ranks(of: Traits) -> tuple[np.ndarray, ...]:
    """What decides, the most important first; smaller is better."""
    return of.url_only, -(of.side.astype(np.int64) ** 2), -of.score


def cosines(pool: Pool, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) float64 cosines of pairs of samples, from vectors made anew."""
    a, b = (vectors(pool, number).astype(np.float64) for number in (first, second))
    return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def check_selection(build: Build) -> dict[str, Any]:
    """Whether the budget is spent exactly, and every concept keeps exactly its quota."""
    from assets.prune.quotas import budget

    cluster = build.read("concepts")
    number = cluster["cluster_id"].to_numpy()
    held, members = np.zeros(len(number), np.int64), 0
    decisions = (part for path in build.paths("selection") for part in build.lake.each_group(path))
    kept = np.concatenate([part["sample_id"].filter(part["kept"]).to_numpy() for part in decisions])
    for path in build.paths("membership"):
        for part in build.lake.each_group(path):
            members += part.num_rows
            ids = part["sample_id"].to_numpy()
            place = np.minimum(np.searchsorted(kept, ids), max(len(kept) - 1, 0))
            stays = kept[place] == ids if len(kept) else np.zeros(len(ids), bool)
            held += np.bincount(np.searchsorted(number, part["cluster_id"].to_numpy()[stays]), minlength=len(number))
    return {
        "members": members,
        "kept": len(kept),
        "budget": budget(members, build.recipe.prune.keep),
        "quotas_missed": int((held != cluster["quota"].to_numpy()).sum()),
    }


# --- what the runs say ---


def section(runs: Sequence[Mapping[str, Any]]) -> str:
    """The section of docs/benchmarks.md."""
    runs = sorted(runs, key=lambda one: one["samples"])
    last = runs[-1]
    sizes = ", ".join(f"{one['samples']:,}" for one in runs)
    held = f"{last['limit_gib']} GiB by {last['limited_by']}" if last["limit_gib"] else "nothing"
    return f"""## Scale

Dedup, clustering and pruning of simulated pools of {sizes} samples, {last["dims"]} x float16 (`bench/scale.py`): heavy-tailed
concepts, planted twins and near-duplicates (`bench/pool.py`). Every step runs in a process of its own, whose memory is
limited to {held}. Seconds are those of the step, without the start of its process; own memory is what no file stands
behind, summed over its processes; resident memory counts mapped files and libraries, too. {last["machine"]}.

{_times(runs)}

![Seconds against samples, by step](scale.png)

Memory of the largest run, and what the pool truly holds:

{_memory(last)}

{_truths(runs)}

{estimate(runs)}"""


def _asked(one: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of the steps that wrote something: the recipe may not ask for all."""
    return {name: step for name, step in one["steps"].items() if step["rows"]}


def totals(one: Mapping[str, Any]) -> dict[str, float]:
    """Seconds by step, and of all."""
    seconds = {name: step["seconds"] for name, step in _asked(one).items()}
    return seconds | {"all": sum(seconds.values())}


def exponents(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By step, the exponent e of seconds ~ samples ** e: least squares on logarithms; NaN for a single size."""
    if len({one["samples"] for one in runs}) < 2:
        return dict.fromkeys(totals(runs[-1]), float("nan"))
    x = np.log([one["samples"] for one in runs])
    return {name: float(np.polyfit(x, np.log([totals(one)[name] for one in runs]), 1)[0]) for name in totals(runs[-1])}


def _times(runs: Sequence[Mapping[str, Any]]) -> str:
    found = exponents(runs)
    rows = []
    for name in totals(runs[-1]):
        seconds = [totals(one)[name] for one in runs]
        per_million = [s / one["samples"] * 1e6 for s, one in zip(seconds, runs, strict=True)]
        rows.append(
            (
                name,
                *(duration(s) for s in seconds),
                f"{per_million[-1]:.3g} s",
                f"{per_million[-1] / per_million[0]:.2f}",
                f"{found[name]:.2f}",
            )
        )
    rows.append(("(simulation)", *(duration(one["simulated"]) for one in runs), "", "", ""))
    head = ("step", *(f"{one['samples']:,}" for one in runs), "per million, largest", "that over smallest", "exponent")
    return table(head, rows)


def _memory(one: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{step['own_mib']:,.0f} MiB", f"{step['resident_mib']:,.0f} MiB", duration(step["wall"]))
        for name, step in _asked(one).items()
    ]
    return table(("step", "own memory, peak", "resident memory, peak", "with the start of its process"), rows)


def _truths(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in runs:
        said = one["truth"]
        planted = (f"{found:,} of {pairs:,}" for pairs, found in said["planted"].values())
        budget = f"{said['kept']:,} of {said['budget']:,}"
        rows.append((f"{one['samples']:,}", *planted, said["wrong"], said["not_preferred"], said["not_kept"], budget))
    threshold = 1 - runs[-1]["recipe"]["dedup"]["eps"]
    kinds = (
        f"copies at {cosine} found" if float(cosine) > threshold else f"near misses at {cosine} that stay"
        for cosine in runs[-1]["truth"]["planted"]
    )
    head = ("samples", *kinds, f"drops at or below {threshold:.2f}", "not the preferred stays", "named one went",
            "kept of the budget")  # fmt: skip
    return table(head, rows)


def plot(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Seconds against samples by step, both logarithmic, as a PNG file."""
    from matplotlib.figure import Figure

    runs = sorted(runs, key=lambda one: one["samples"])
    found = exponents(runs)
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    samples = [one["samples"] for one in runs]
    for name in totals(runs[-1]):
        style = {"color": "black", "linewidth": 2} if name == "all" else {}
        label = f"{name} ({found[name]:.2f})"
        axes.loglog(samples, [totals(one)[name] for one in runs], "o-", label=label, **style)
    axes.set(xlabel="samples", ylabel="seconds", title="Time by step (exponent)")
    axes.grid(alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")
    figure.savefig(path)


def operations(n: float, dims: int, recipe: Mapping[str, Any]) -> dict[str, float]:
    """Operations (a multiplication and an addition are two) of every part that computes products, for n samples."""
    from assets.dedup.store import GROUPS_ASKED, ITERATIONS, POINTS_PER_CELL, POINTS_PER_GROUP

    dedup, clusters = recipe["dedup"], recipe["clusters"]
    size, visited = dedup["cell_size"], dedup["neighbor_cells"]
    cells = n / size
    groups = cells**0.5
    pair = 2.0 * dims
    return {
        "k-means of groups and cells": ITERATIONS * (POINTS_PER_GROUP * groups**2 + POINTS_PER_CELL * groups**3) * pair,
        "nearest groups": n * groups * pair,
        "nearest cells of these groups": n * GROUPS_ASKED * groups * pair,
        "own cell, each pair once": n * size / 2 * pair,
        "visited cells": n * size * visited * pair,
        "k-means of concepts": clusters["iterations"] * clusters["points_per_centroid"] * clusters["k"] ** 2 * pair,
        "nearest concept": n * clusters["k"] * pair,
    }


def estimate(runs: Sequence[Mapping[str, Any]]) -> str:
    """What a billion samples would take, by two ways that do not depend on each other."""
    last = max(runs, key=lambda one: one["samples"])
    found, seconds = exponents(runs), totals(last)
    factor = BILLION / last["samples"]
    grown = {name: seconds[name] * factor ** found[name] for name in _asked(last)}
    rows = [
        (name, duration(seconds[name]), f"{found[name]:.2f}", f"{seconds[name]:.3g} x {factor:g}^{found[name]:.2f}",
         f"{grown[name] / 3600:.3g} h")
        for name in grown
    ]  # fmt: skip
    here = operations(last["samples"], last["dims"], last["recipe"])
    there = operations(BILLION, last["dims"], last["recipe"])
    work = [(name, f"{here[name]:.3g}", f"{there[name]:.3g}") for name in here]
    work.append(("all", f"{sum(here.values()):.3g}", f"{sum(there.values()):.3g}"))
    rate = sum(here.values()) / seconds["all"] / 1e9
    peak = ", ".join(f"{value:,.0f} in {kind}" for kind, value in last["gflops"].items())
    return f"""### A billion samples, on paper

From the measured times alone, each step's seconds at {last["samples"]:,} grown by its exponent, on this machine:

{table(("step", "measured", "exponent", "arithmetic", "a billion"), rows)}

Together {sum(grown.values()) / 3600:.3g} h. From the operations of its products of matrices:

{table(("part", f"operations, {last['samples']:,}", "operations, a billion"), work)}

All steps together did {rate:,.0f} billion operations a second over their whole time, reading and writing included (a
product of matrices alone does {peak}). At that rate a billion samples take
{sum(there.values()):.3g} / {rate * 1e9:.3g} s = {sum(there.values()) / rate / 1e9 / 3600:.3g} h.
{_memory_of_a_billion(runs)} The vectors alone are {BILLION * last["dims"] * 2 / 1e9:,.0f} GB, on disk twice while dedup works."""


def _memory_of_a_billion(runs: Sequence[Mapping[str, Any]]) -> str:
    """How memory grows, by step, from the smallest and the largest run."""
    small, large = min(runs, key=lambda one: one["samples"]), max(runs, key=lambda one: one["samples"])
    if small["samples"] == large["samples"]:
        return "How memory grows, one size cannot tell."
    name = max(large["steps"], key=lambda one: large["steps"][one]["own_mib"])
    grown = (large["steps"][name]["own_mib"] - small["steps"][name]["own_mib"]) * 2**20
    each = grown / (large["samples"] - small["samples"])
    return (
        f"The step that needs most memory is {name}: {each:.0f} bytes per further sample, "
        f"which is {each * BILLION / 1e9:,.0f} GB for a billion."
    )


def main() -> None:
    """Measure, or report what was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000_000], help="sizes of the pools")
    parser.add_argument("--dims", type=int, default=256, help="length of the vectors")
    parser.add_argument("--home", type=Path, help="folder in which each pool gets a home")
    parser.add_argument("--limit-gib", type=float, default=6, help="memory of a step; 0 for no limit")
    parser.add_argument("--keep", action="store_true", help="keep the homes")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "scale.jsonl", help="figures, a line per run")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "scale.png", help="where the plot goes")
    parser.add_argument("--report", action="store_true", help="run nothing, report what the results file says")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
    if not asked.report:
        if asked.home is None:
            parser.error("--home is missing: name a folder on a disk with room for the pools")
        try:
            _measure(asked)
        except ScaleError as error:
            raise SystemExit(str(error)) from None
    runs = newest(asked.results)
    plot(runs, asked.plot)
    print(section(runs))


def _measure(asked: argparse.Namespace) -> None:
    for samples in asked.samples:
        home = asked.home / f"pool-{samples}"
        try:
            figures = run(Pool(samples, asked.dims), home, asked.limit_gib)
            with asked.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(figures) + "\n")
        finally:
            if not asked.keep and home.exists():
                shutil.rmtree(home)
        print(json.dumps({name: round(value, 2) for name, value in totals(figures).items()}), flush=True)


def newest(results: Path) -> list[dict[str, Any]]:
    """The last run of each size, smallest first."""
    found = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found[one["samples"], one["dims"]] = one
    return [found[key] for key in sorted(found)]


if __name__ == "__main__":
    main()
