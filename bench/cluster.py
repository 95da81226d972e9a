"""Shards on one and on two workers of a Ray cluster, and the same functions called one after the other on one disk."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from bench.measure import machine

REPOSITORY = Path(__file__).resolve().parents[1]
SHARDS = 40
IMAGES = 200
SIDE = 512
ROUNDS = 2
PACKAGES = ("ray", "moto", "s3fs", "torch", "pyarrow")
LAST = "embeddings"
"""Stages up to this one are measured: all of them but a few that look over all shards fan out."""
BARE, BARE_TWICE = "bare functions, one process", "bare functions, two processes with half of the shards each"
ONE, TWO = "one worker", "two workers"


@dataclass(frozen=True)
class Run:
    """Seconds of the steps that run shard by shard, of the others, and by step."""

    seconds: float
    global_seconds: float
    by_step: Mapping[str, float]


def main(shards: int = SHARDS, images: int = IMAGES, rounds: int = ROUNDS) -> str:
    """Measure everything and give the section of docs/benchmarks.md."""
    found: dict[str, list[Run]] = {name: [] for name in (BARE, BARE_TWICE, ONE, TWO)}
    with tempfile.TemporaryDirectory() as folder:
        recipe = make_crawl(Path(folder) / "project", shards, images)
        halves = [half_of(recipe, parity) for parity in (0, 1)]
        for number in range(rounds):
            found[BARE] += bare([recipe], Path(folder) / f"disk-{number}")
            both = bare(halves, Path(folder) / f"halves-{number}")
            found[BARE_TWICE].append(max(both, key=lambda run: run.seconds))
            for workers, name in ((1, ONE), (2, TWO)):
                found[name].append(on_workers(recipe, Path(folder) / f"far-{number}-{workers}", workers))
    return section(found, shards, images)


def make_crawl(folder: Path, shards: int, images: int) -> Path:
    """A recipe over so many WARC files, each with a page of so many pictures that no other file has."""
    (folder / "crawl").mkdir(parents=True)
    for shard in range(shards):
        (folder / "crawl" / f"{shard:03}.warc.gz").write_bytes(_warc(shard, images))
    recipe = yaml.safe_load((REPOSITORY / "recipes" / "demo.yaml").read_text())
    recipe["crawl"] = {"sources": [{"name": "bench", "uris": ["crawl/*.warc.gz"]}], "images": {"threads": 1}}
    recipe["rights"] = {"policy": "commercial-open"}
    recipe["pool"] = {"filter_set": "none", "threads": 1}
    recipe["embeddings"] = {"threads": 1, "decode_threads": 1}
    for name in ("decontaminate", "evaluation"):
        recipe.pop(name)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def half_of(recipe: Path, parity: int) -> Path:
    """The same recipe over every second file."""
    half = yaml.safe_load(recipe.read_text())
    files = sorted((recipe.parent / "crawl").iterdir())[parity::2]
    half["crawl"]["sources"][0]["uris"] = [f"crawl/{file.name}" for file in files]
    path = recipe.with_name(f"half-{parity}.yaml")
    path.write_text(yaml.safe_dump(half))
    return path


def _warc(shard: int, images: int) -> bytes:
    random = np.random.default_rng(shard)
    host, tags, records = f"host-{shard}.example", [], []
    for number in range(images):
        coarse = random.integers(0, 256, (SIDE // 16, SIDE // 16, 3), dtype=np.uint8)
        picture, out = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        tags.append(f'<img src="/{number}.jpg" alt="A picture of many colors, number {number} of page {shard}">')
        records.append(_response(f"http://{host}/{number}.jpg", out.getvalue(), "image/jpeg"))
    rights = '<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">'
    page = f'<html lang="en"><head>{rights}<title>Colors</title></head><body>{"".join(tags)}</body></html>'
    records.insert(0, _response(f"http://{host}/", page.encode(), "text/html"))
    return b"".join(gzip.compress(record, mtime=0) for record in records)


def _response(url: str, body: bytes, kind: str) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    name = hashlib.sha256(url.encode()).hexdigest()
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{name[:8]}-{name[8:12]}-{name[12:16]}-"
        f"{name[16:20]}-{name[20:32]}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def bare(recipes: Sequence[Path], home: Path) -> list[Run]:
    """The functions of the steps, one shard after the other, over a disk: no Dagster, no cluster.

    Recipes are run at the same time, each in a process that keeps to a processor of its own.
    """
    with ThreadPoolExecutor(len(recipes)) as pool:
        return list(
            pool.map(
                lambda n: _measure(recipes[n], {"WINNOW_HOME": str(home / str(n))}, "--bare", processor=n),
                range(len(recipes)),
            )
        )


def on_workers(recipe: Path, folder: Path, workers: int) -> Run:
    """The same by `run_step` over a store, on a cluster of so many nodes that keep to a processor of their own each."""
    from tests.ray_cluster import ray_cluster
    from tests.stores import BUCKET, s3_server

    folder.mkdir()
    with s3_server() as store, ray_cluster(folder / "nodes", [1] * workers, store.environment, pinned=True) as cluster:
        variables = {
            **store.environment,
            # Servers of one process share what they hold: a home of its own for every run.
            "WINNOW_HOME": f"s3://{BUCKET}/{folder.name}",
            "WINNOW_CACHE": str(folder / "cache"),
            "WINNOW_RAY_ADDRESS": cluster.address,
        }
        return _measure(recipe, variables)


def _measure(recipe: Path, variables: Mapping[str, str], *arguments: str, processor: int | None = None) -> Run:
    command = [sys.executable, "-m", "bench.cluster", "--measure", str(recipe), *arguments]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WINNOW", "DAGSTER"))}
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**kept, **one_thread, **variables}, capture_output=True, text=True,
        preexec_fn=None if processor is None else partial(os.sched_setaffinity, 0, {processor}),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return Run(**json.loads(line))


def measure(path: str, alone: bool) -> Run:
    """Run the stages of a recipe up to `LAST`, in this process."""
    os.environ["WINNOW_RECIPE"] = path
    import orchestration.rooms  # noqa: F401 - the steps
    from orchestration.recipe import load_recipe
    from orchestration.stages import STEPS, open_build, run_step

    recipe, seconds, others = load_recipe(path), {}, 0.0
    build = open_build(recipe, renew=True)
    for name, step in STEPS.items():
        shards = build.shards_of(step)
        started = time.perf_counter()
        if alone:
            for shard in shards:
                build.run(step, shard)
        else:
            run_step(build, step, shards, "bench")
        spent = time.perf_counter() - started
        if step.per_shard:
            seconds[name] = spent
        else:
            others += spent
        if name == LAST:
            break
    return Run(sum(seconds.values()), others, seconds)


def section(found: Mapping[str, list[Run]], shards: int, images: int) -> str:
    """The section of docs/benchmarks.md."""
    median = {name: statistics.median(run.seconds for run in runs) for name, runs in found.items()}
    lines = [
        f"| {name} | {median[name]:.1f} s | {shards / median[name]:.2f} | {median[base] / median[name]:.2f} |"
        for name, base in ((BARE, BARE), (BARE_TWICE, BARE), (ONE, ONE), (TWO, ONE))
    ]
    names = sorted(found[ONE][0].by_step, key=lambda name: -_step(found[ONE], name))
    table = [
        f"| {name} | {_step(found[BARE], name) / shards:.3f} s | {_step(found[ONE], name) / shards:.3f} s "
        f"| {_step(found[ONE], name) / _step(found[TWO], name):.2f} |"
        for name in names
    ]
    over = (median[ONE] - median[BARE]) / shards
    return "\n".join(
        [
            "## A cluster",
            "",
            f"{shards} shards of {images} pictures of {SIDE} pixels, every stage up to the vectors, medians of"
            f" {len(found[ONE])} runs. Home in an S3 server on the same machine; a Ray node for each worker, with folders of its"
            " own, whose processes keep to one processor, as a machine with one does. Starting the workers, with their"
            " libraries and models, is in the times. Server, driver and the cluster's head share the two cores with the workers."
            " The bare functions run over a disk, without Dagster and without a cluster, each process on one processor: two of"
            " them say what these two cores give.",
            "",
            "| stages that run shard by shard | seconds | shards/s | times one |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
            f"What one worker, store and cluster add to the bare functions: {over:.2f} s a shard over {len(names)} steps.",
            "",
            "| step | bare, a shard | one worker, a shard | two workers, times one |",
            "| --- | --- | --- | --- |",
            *table,
            "",
            f"{machine(PACKAGES)}.",
        ]
    )


def _step(runs: Sequence[Run], name: str) -> float:
    return statistics.median(run.by_step[name] for run in runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--shards", type=int, default=SHARDS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.bare).__dict__))
    else:
        print(main(options.shards, options.images, options.rounds))
