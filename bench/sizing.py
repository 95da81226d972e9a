"""The arithmetic of docs/scale.md: `python -m bench.sizing` writes its tables between the page's markers.

What was measured is read from docs/benchmarks.md and docs/scale.jsonl, so a new measurement makes the page stale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.embedding import PEAKS
from bench.measure import table
from bench.scale import newest, operations, totals
from orchestration.estimating import Prices
from orchestration.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parents[1]
PAGE, BENCHMARKS, RUNS = ROOT / "docs" / "scale.md", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "scale.jsonl"
RECIPE = ROOT / "recipes" / "common-crawl.yaml"
SIZES = {"10 million": 10e6, "1 billion": 1e9, "12.8 billion": 12.8e9}
HOUR, DAY, TB = 3600.0, 86400.0, 1e12
CORES_MEASURED = 2
"""Of the machine of docs/benchmarks.md."""
DIMS = {"ViT-B-32": (512, 768), "ViT-L-14": (768, 1024)}
"""Length of projected vectors, and of trunk features, which near-duplicates and concepts take."""
LARGE = "ViT-L-14"
"""What the sums are for."""
ROWS_OF_DEDUP = 2**32
"""Dedup numbers vectors with 32 bits (assets/dedup/pairs.py)."""


@dataclass(frozen=True)
class Figure:
    """A number that goes in: what it is, its unit, whether it was measured, published or assumed, and where."""

    what: str
    value: float
    unit: str
    kind: str
    where: str


@dataclass(frozen=True)
class Workers:
    """Who works: machines of 16 cores, GPUs that embed, GPUs behind vLLM."""

    machines: int
    encoders: int
    servers: int
    cores: int = 16


WORKERS = {"10 million": Workers(2, 1, 1), "1 billion": Workers(32, 4, 8), "12.8 billion": Workers(128, 32, 64)}


def measured_in(page: str, section: str, pattern: str) -> float:
    """The number that a pattern's group finds in a section of docs/benchmarks.md; raises LookupError where there is none."""
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.search(pattern, text)
    if found is None:
        raise LookupError(f"docs/benchmarks.md, section {section}: nothing matches {pattern!r}; mend bench/sizing.py")
    return float(found[1].replace(",", ""))


@cache
def figures() -> dict[str, Figure]:
    """Everything that the tables start from."""
    page = BENCHMARKS.read_text(encoding="utf-8")

    def here(what: str, unit: str, section: str, pattern: str) -> Figure:
        return Figure(what, measured_in(page, section, pattern), unit, "measured", f"benchmarks.md, {section}")

    return {
        "fetch_core": here("fetch, decode and shrink to 256 pixels", "images/s and core", "Fetching", r"\| Winnow \| (\d+) \|"),
        "fetch_process": here("the same by one process", "images/s", "Fetching", r"\| Winnow \| \d+ \| \d+ \| (\d+) \|"),
        "decode": here(
            "decode 1 to 4 megapixels, shrink to 512", "ms and core", "Decoding and shrinking",
            r"1 to 4 megapixels(?: \|[^|]*){4}\| ([\d.]+) ms",
        ),
        "decode_small": here(
            "decode to 256 pixels", "ms and core", "Decoding and shrinking", r"above 256(?: \|[^|]*){4}\| ([\d.]+) ms",
        ),
        "verdicts": here("rights, evidence to verdict, 2 threads", "samples/s", "Verdicts", r"\| together \|[^|]*\| ([\d,]+)"),
        "embed_cpu": here("ViT-B-32 in bf16, 2 cores", "images/s", "Embedding", r"Winnow, bf16 \| ([\d.]+)"),
        "gates": here("gates after fusion", "rows/s and core", "Gates after fusion", r"\*\*([\d,]+) rows/s"),
        "database": here("database of 4 million samples", "s", "The provenance database", r"helpers and views \| ([\d.]+) s"),
        "nsfw": Figure("NSFW scorer of set laion5b, 2 cores", 20, "images/s", "measured", "when the scorer was chosen, one run"),
        "tables": Figure("all tables but vectors", 395, "bytes a pair", "measured", "two shards of the demo, 481 pairs"),
        "prompt": Figure("prompt of a fusion", 227, "tokens", "measured", "the demo, mean of 3 (table model_call)"),
        "arrive": Figure("addresses that still answer", 0.91, "share", "published", "DataComp issues #3, #41: 91 to 94 %"),
        "original": Figure("picture as fetched", 130e6 / 1350, "bytes", "published", "img2dataset: 130 MB/s at 1,350 images/s"),
        "stored": Figure(
            "picture at 512 pixels", 4 * 30e6 / 1350, "bytes", "extrapolated", "img2dataset: 30 MB/s at 256 pixels, times 4",
        ),
        "machine": Figure("img2dataset, 16 cores, 1 Gbit/s", 1350, "images/s", "published", "img2dataset README"),
        "host": Figure("addresses on the largest host", 0.001, "share", "assumed", "count your own list"),
        "agree": Figure("pairs above the image-text score", 0.30, "share", "published", "DataComp, CLIP score baseline: top 30 %"),
        "unique": Figure("left after near-duplicates", 277 / 440, "share", "published", "Abbas et al. 2024: 440 M to 277 M"),
        "laion_b": Figure("ViT-B/32", 1800, "images/s and GPU", "published", "LAION-5B post; it names no GPU"),
        "laion_l": Figure("ViT-L/14", 312, "images/s and GPU", "published", "LAION-5B post; it names no GPU"),
        "rtx": Figure("ViT-B/32 on an RTX 3080", 1450, "images/s", "published", "clip-retrieval README: 1,400 to 1,500"),
        "used": Figure("share of a GPU's peak that is reached", 0.4, "share", "assumed", "`python -m bench.embedding` measures it"),
        "fused": Figure("answer of a fusion", 22.7 * 1.3, "tokens", "extrapolated", "CapsFusion's outputs: 22.7 words, times 1.3"),
        "vllm_a100": Figure(
            "7B model by vLLM on an A100-80GB", 2299, "tokens/s written", "published",
            "Qwen1.5 post, as QwenLM/Qwen3 issue #244 quotes it (and reached 1,000)",
        ),
        "vllm_h100": Figure(
            "8B model by vLLM on an H100", 12_500, "tokens/s written", "published", "morphllm.com/vllm-benchmarks, of April 2026",
        ),
        "capsfusion": Figure("13B by plain transformers, 8 A100-40G", 10_000 / 1200, "fusions/s", "published", "CapsFusion README"),
    }  # fmt: skip


def value(name: str) -> float:
    """A figure's number."""
    return figures()[name].value


@cache
def recipe() -> Recipe:
    """The recipe that is sized."""
    return load_recipe(RECIPE)


def tower(tokens: int, width: int, layers: int) -> float:
    """Operations of a transformer over one sequence: 12 width**2 weights and two products of attention in each layer."""
    return layers * (24.0 * tokens * width**2 + 4.0 * tokens**2 * width)


OPERATIONS = {
    "ViT-B-32": tower(50, 768, 12) + tower(77, 512, 12),
    "ViT-L-14": tower(257, 1024, 24) + tower(77, 768, 12),
}
"""Of a picture and its text; patches and projections, below 3 % of it, are left out."""


@dataclass(frozen=True)
class Funnel:
    """How many samples come so far."""

    pairs: float
    fetched: float
    agreed: float
    unique: float
    kept: float


def funnel(pairs: float) -> Funnel:
    """Samples at every stage, were no other filter to drop any."""
    fetched = pairs * value("arrive")
    agreed = fetched * value("agree")
    unique = agreed * value("unique")
    return Funnel(pairs, fetched, agreed, unique, unique * recipe().prune.keep)


Row = tuple[str, Callable[[Funnel], object], str]
"""What, its number at a size, and how it is known."""


def fetching() -> list[Row]:
    """Hosts, bandwidth, processor time."""
    fetch = recipe().fetch
    assert fetch is not None
    pace = min(1 / fetch.delay, fetch.per_domain / fetch.delay) if fetch.delay else fetch.rate
    return [
        ("comes in", lambda f: _bytes(f.fetched * value("original")), "extrapolated"),
        ("bandwidth, in 30 days", lambda f: f"{f.fetched * value('original') * 8 / (30 * DAY) / 1e9:.3g} Gbit/s", "extrapolated"),
        ("core-hours, with decoding to 256 pixels", lambda f: _number(f.fetched / value("fetch_core") / HOUR), "measured speed"),
        (f"one process at the recipe's rate, {fetch.rate:g}/s", lambda f: _days(f.pairs / fetch.rate), "arithmetic"),
        ("one process as fast as measured", lambda f: _days(f.pairs / value("fetch_process")), "measured speed"),
        ("machines of 1,350 images/s for 30 days", lambda f: f"{f.pairs / value('machine') / (30 * DAY):.2f}", "published speed"),
        (f"largest host, {pace:g} requests/s", lambda f: _days(f.pairs * value("host") / pace), "assumed share"),
    ]  # fmt: skip


def reading() -> list[Row]:
    """Processor time before vectors."""
    return [
        ("decode to 512 pixels, core-hours", lambda f: _number(f.fetched * value("decode") / 1e3 / HOUR), "measured speed"),
        ("NSFW scorer, core-hours", lambda f: _number(nsfw(f)), "measured speed"),
        ("rights, core-hours", lambda f: _number(f.pairs / value("verdicts") * CORES_MEASURED / HOUR), "measured speed"),
        ("database as native tables, one process", lambda f: _days(f.pairs / 4e6 * value("database")), "measured speed"),
    ]  # fmt: skip


def nsfw(f: Funnel) -> float:
    """Core-hours of the NSFW scorer, which sees every picture that came."""
    return f.fetched / value("nsfw") * CORES_MEASURED / HOUR


def gpu_hours(f: Funnel, model: str, speed: str) -> float:
    """GPU-hours of both towers: `published`, or a share of the peak of a GPU by its name."""
    if speed == "published":
        rate = value("laion_b" if model == "ViT-B-32" else "laion_l")
    else:
        rate = PEAKS[speed] * value("used") / OPERATIONS[model]
    return f.fetched / rate / HOUR


def embedding() -> list[Row]:
    """GPU-hours by model and speed."""
    rows: list[Row] = []
    for model in DIMS:
        for speed, kind in (("published", "published speed"), ("A100", "extrapolated"), ("H100", "extrapolated")):
            name = "LAION's speed" if speed == "published" else f"{speed} at {value('used'):.0%} of its peak"
            rows.append((f"{model}, {name}, GPU-hours", _gpu_row(model, speed), kind))
    rows.append(("ViT-B-32 on processors, core-hours", lambda f: _number(_on_processors(f)), "measured speed"))
    rows.append(("cores that decode to 256 pixels for one such H100, ViT-B-32", _decoding_cores, "extrapolated"))
    return rows


def _on_processors(f: Funnel) -> float:
    return f.fetched / value("embed_cpu") * CORES_MEASURED / HOUR


def _decoding_cores(f: Funnel) -> str:
    rate = PEAKS["H100"] * value("used") / OPERATIONS["ViT-B-32"]
    return f"{rate * value('decode_small') / 1e3:.0f}"


def _gpu_row(model: str, speed: str) -> Callable[[Funnel], object]:
    return lambda f: _number(gpu_hours(f, model, speed))


def stored(f: Funnel) -> dict[str, float]:
    """Bytes of a build with the recipe's image size and the vectors of ViT-L-14."""
    return {
        "originals, as fetched (WARC)": f.fetched * value("original"),
        "pictures at 512 pixels": f.fetched * value("stored"),
        "vectors of ViT-L-14, float16": vectors(f.fetched, LARGE),
        "tables": f.pairs * value("tables"),
        "release: pictures again": f.kept * value("stored"),
    }


def vectors(samples: float, model: str) -> float:
    """Bytes of table `embedding`: projected image and text vectors, and trunk features, as float16."""
    projected, trunk = DIMS[model]
    return samples * (2 * projected + trunk) * 2


def storage() -> list[Row]:
    """Bytes, and what a month of them costs."""
    kinds = ("extrapolated", "extrapolated", "arithmetic", "measured on the demo", "extrapolated")
    rows: list[Row] = [(name, _part(stored, name), kind) for name, kind in zip(stored(funnel(1)), kinds, strict=True)]
    rows.insert(3, ("(vectors of ViT-B-32)", lambda f: _bytes(vectors(f.fetched, "ViT-B-32")), "arithmetic"))
    rows.append(("all, with ViT-L-14", lambda f: _bytes(sum(stored(f).values())), "sum"))
    return rows


def _part(parts: Callable[[Funnel], Mapping[str, float]], name: str) -> Callable[[Funnel], object]:
    return lambda f: _bytes(parts(f)[name])


def moved(f: Funnel) -> dict[str, float]:
    """Bytes between dedup, clusters and membership, trunk features of ViT-L-14: what no shard does alone."""
    wide = DIMS[LARGE][1] * 2
    return {
        "dedup reads vectors": f.fetched * wide,
        "dedup writes them by cell, scratch": f.agreed * wide,
        "dedup reads cells back": f.agreed * wide,
        "centroids reads all vectors": f.fetched * wide,
        "membership reads vectors": f.fetched * wide,
        "membership writes id, concept, distance": f.unique * 16,
        "selection reads them": f.unique * 16,
    }


def sample() -> int:
    """Vectors that k-means is trained on."""
    clusters = recipe().clusters
    assert isinstance(clusters.k, int)
    return clusters.k * clusters.points_per_centroid


def shuffle() -> list[Row]:
    """Bytes, k-means sample, rows that dedup can number."""
    rows: list[Row] = [(name, _part(moved, name), "arithmetic") for name in moved(funnel(1))]
    rows.append(("all", lambda f: _bytes(sum(moved(f).values())), "sum"))
    rows.append(("k-means sample, vectors", lambda f: _number(min(sample(), f.unique)), "recipe"))
    rows.append(
        ("k-means sample, float32", lambda f: _bytes(min(sample(), f.unique) * DIMS[LARGE][1] * 4), "arithmetic")
    )
    rows.append(("of the 2^32 vectors that dedup numbers", lambda f: f"{f.agreed / ROWS_OF_DEDUP:.1%}", "arithmetic"))
    return rows


@cache
def runs() -> list[Mapping[str, object]]:
    """Measurements of dedup, clusters and pruning at scale."""
    return list(newest(RUNS))


def rate() -> float:
    """Operations a second of all steps together on the largest pool, reading and writing included."""
    last = max(runs(), key=lambda one: one["samples"])  # type: ignore[arg-type, return-value]
    work = operations(last["samples"], last["dims"], last["recipe"])  # type: ignore[arg-type]
    return sum(work.values()) / totals(last)["all"]


def grouping_hours(f: Funnel, dims: int) -> float:
    """Core-hours of dedup, clusters and pruning, by their operations at the measured rate."""
    plan = {"dedup": recipe().dedup.model_dump(), "clusters": recipe().clusters.model_dump()}
    return sum(operations(f.agreed, dims, plan).values()) / rate() * CORES_MEASURED / HOUR


def bytes_per_vector() -> float:
    """Memory of dedup for a further vector, from the smallest and the largest run."""
    small, large = (pick(runs(), key=lambda one: one["samples"]) for pick in (min, max))  # type: ignore[arg-type, return-value]
    grown = large["steps"]["dedup"]["own_mib"] - small["steps"]["dedup"]["own_mib"]  # type: ignore[index]
    return float(grown) * 2**20 / (large["samples"] - small["samples"])  # type: ignore[operator]


def grouping() -> list[Row]:
    """Dedup, clusters and pruning together."""
    return [
        ("vectors compared", lambda f: _number(f.agreed), "share of the pool"),
        ("cells of near-duplicates", lambda f: _number(f.agreed / recipe().dedup.cell_size), "recipe"),
        (
            "core-hours, trunk of ViT-B-32",
            lambda f: _number(grouping_hours(f, DIMS["ViT-B-32"][1])),
            "extrapolated from 20 million",
        ),
        (
            "core-hours, trunk of ViT-L-14",
            lambda f: _number(grouping_hours(f, DIMS[LARGE][1])),
            "extrapolated from 20 million",
        ),
        (
            "memory of dedup, one process",
            lambda f: _bytes(f.agreed * bytes_per_vector()),
            "extrapolated from 20 million",
        ),
        ("scratch of dedup, ViT-L-14", lambda f: _bytes(f.agreed * DIMS[LARGE][1] * 2), "arithmetic"),
    ]


def fusing_hours(f: Funnel, server: str) -> float:
    """GPU-hours of fusing every kept sample once, of the tokens written."""
    return f.kept * value("fused") / value(server) / HOUR


def fusing() -> list[Row]:
    """Tokens, GPU-hours, requests."""
    return [
        ("fusions", lambda f: _number(f.kept), "share of the pool"),
        ("tokens read", lambda f: _number(f.kept * value("prompt")), "measured prompt"),
        ("tokens written", lambda f: _number(f.kept * value("fused")), "extrapolated"),
        ("GPU-hours, 7B by vLLM, A100", lambda f: _number(fusing_hours(f, "vllm_a100")), "published speed"),
        ("GPU-hours, 8B by vLLM, H100", lambda f: _number(fusing_hours(f, "vllm_h100")), "published speed"),
        ("GPU-hours, CapsFusion's script, A100-40G", lambda f: _number(f.kept / value("capsfusion") * 8 / HOUR), "published speed"),
        ("gates, core-hours", lambda f: _number(f.kept / value("gates") / HOUR), "measured speed"),
    ]  # fmt: skip


@dataclass(frozen=True)
class Bill:
    """Core-hours, GPU-hours and bytes of a build, and how long stated workers take."""

    core_hours: float
    gpu_hours: float
    stored: float
    hours: Mapping[str, float]

    @property
    def computing(self) -> float:
        """Price of cores and GPUs."""
        return self.core_hours * Prices().cpu + self.gpu_hours * Prices().gpu

    @property
    def storing(self) -> float:
        """Price of a month of storage."""
        return self.stored / 1e9 * Prices().storage


def bill(f: Funnel, workers: Workers) -> Bill:
    """ViT-L-14 at LAION's speed, fusion by vLLM on A100; fetching by as many processes as there are machines."""
    cores = workers.machines * workers.cores
    fetch = f.fetched / value("fetch_core") / HOUR
    rights = f.pairs / value("verdicts") * CORES_MEASURED / HOUR
    group = grouping_hours(f, DIMS[LARGE][1])
    encoder, server = gpu_hours(f, LARGE, "published"), fusing_hours(f, "vllm_a100")
    hours = {
        "fetch, one process a machine": f.pairs / value("machine") / workers.machines / HOUR,
        "NSFW scorer and rights": (nsfw(f) + rights) / cores,
        "embedding": encoder / workers.encoders,
        "dedup, clusters, pruning on one machine": group / workers.cores,
        "fusion": server / workers.servers,
    }
    return Bill(
        fetch + nsfw(f) + rights + group + f.kept / value("gates") / HOUR,
        encoder + server,
        sum(stored(f).values()),
        hours,
    )


def whole() -> str:
    """Wall time with stated workers, and cost at stated prices."""
    bills = [bill(funnel(SIZES[name]), WORKERS[name]) for name in SIZES]
    used = WORKERS.values()
    rows: list[Sequence[object]] = [
        ("machines of 16 cores", *(w.machines for w in used), "stated"),
        ("GPUs that embed", *(w.encoders for w in used), "stated"),
        ("GPUs behind vLLM", *(w.servers for w in used), "stated"),
    ]
    rows += [(name, *(_days(b.hours[name] * HOUR) for b in bills), "extrapolated") for name in bills[0].hours]
    rows += [
        ("one after the other", *(_days(sum(b.hours.values()) * HOUR) for b in bills), "sum"),
        ("core-hours", *(_number(b.core_hours) for b in bills), "sum"),
        ("GPU-hours", *(_number(b.gpu_hours) for b in bills), "sum"),
        ("computing, at the stated prices", *(_number(b.computing) for b in bills), "arithmetic"),
        ("storing for a month", *(_number(b.storing) for b in bills), "arithmetic"),
    ]
    return table(("", *SIZES, "how it is known"), rows)


def _table(rows: Sequence[Row]) -> str:
    found = [funnel(size) for size in SIZES.values()]
    return table(("", *SIZES, "how it is known"), [(name, *(of(f) for f in found), kind) for name, of, kind in rows])


def _inputs() -> str:
    rows = [(one.what, _plain(one.value), one.unit, one.kind, one.where) for one in figures().values()]
    return table(("figure", "value", "unit", "how it is known", "where"), rows)


def _samples() -> str:
    rows: list[Row] = [
        ("candidate pairs", lambda f: _number(f.pairs), "stated"),
        ("pictures that came", lambda f: _number(f.fetched), "published share"),
        ("above the image-text score", lambda f: _number(f.agreed), "published share"),
        ("after near-duplicates", lambda f: _number(f.unique), "published share"),
        (f"kept by pruning ({recipe().prune.keep:.0%})", lambda f: _number(f.kept), "recipe"),
    ]
    return _table(rows)


TABLES: dict[str, Callable[[], str]] = {
    "inputs": _inputs,
    "samples": _samples,
    "fetch": lambda: _table(fetching()),
    "reading": lambda: _table(reading()),
    "embedding": lambda: _table(embedding()),
    "storage": lambda: _table(storage()),
    "shuffle": lambda: _table(shuffle()),
    "grouping": lambda: _table(grouping()),
    "fusion": lambda: _table(fusing()),
    "whole": whole,
}
"""The page's tables by the name in their markers."""


def filled(page: str) -> str:
    """The page with every table written anew between its markers; raises LookupError where a table has no place."""
    for name, make in TABLES.items():
        first, last = f"<!-- sizing: {name} -->", "<!-- end -->"
        before, found, rest = page.partition(first)
        _, ended, after = rest.partition(last)
        if not found or not ended:
            raise LookupError(f"docs/scale.md has no place for table {name}: {first} … {last}")
        page = f"{before}{first}\n{make()}\n{last}{after}"
    return page


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _number(number: float) -> str:
    for unit, length in (("billion", 1e9), ("million", 1e6)):
        if number >= length:
            return f"{number / length:.3g} {unit}"
    return _plain(number)


def _days(seconds: float) -> str:
    if seconds < 100 * 60:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / HOUR:.3g} h" if seconds < 3 * DAY else f"{_plain(seconds / DAY)} days"


def _bytes(size: float) -> str:
    for unit, length in (("PB", 1e15), ("TB", TB), ("GB", 1e9)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size / 1e6:.3g} MB"


def main() -> None:
    """Write the tables."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PAGE.name}")


if __name__ == "__main__":
    main()
