"""Crawl files become records, candidates, fetched answers, samples and images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg
import pyarrow as pa
from upath import UPath

from assets.crawl.bodies import body_reader
from assets.crawl.candidates import Candidates, ReadSettings, read_images, read_links, read_warc, read_wat_file
from assets.crawl.fetched import (
    Answered,
    Router,
    SegmentWriter,
    answered,
    pending,
    recorded,
    rules_of,
    wanted,
)
from assets.crawl.images import DecodeSettings
from assets.crawl.lists import LAYOUTS, Columns
from assets.crawl.shard import Target, crawl_shard
from orchestration import partitions, plots, progress
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.registry import columns_of
from orchestration.stages import check, done_shards, read_done, stage
from resources.fetcher import Wanted, fetch_all
from resources.lake import local_path

MIB = 1 << 20
LIMITS = ("max_body_mib", "max_page_mib")


def _sources(recipe: Recipe) -> object:
    return [source.model_dump() for source in recipe.crawl.sources]


def _reading(recipe: Recipe) -> object:
    crawl = recipe.crawl
    return {
        **crawl.model_dump(include={"text_roles", *LIMITS}),
        "columns": {s.name: asdict(columns_of(s)) for s in crawl.sources if s.layout != "generic" or s.columns},
    }


def _fetching(recipe: Recipe) -> object:
    if recipe.fetch is None:
        return None
    return {**recipe.crawl.model_dump(include={"max_body_mib"}), "robots": recipe.fetch.robots}


def _decoding(recipe: Recipe) -> object:
    crawl = recipe.crawl.model_dump(include={"max_body_mib", "max_image_mib", "max_pixels", "images"})
    # Whatever the number of threads, the result is the same.
    del crawl["images"]["threads"]
    return {**crawl, "verify_sha256": recipe.fetch is not None and recipe.fetch.verify_sha256}


def _announce(context: dg.AssetExecutionContext, build: Build) -> None:
    new = partitions.announce(context.instance, build.snapshot)
    context.log.info(f"{len(build.snapshot.shards)} shards, {len(new)} of them new")


@stage(group="crawl", tables=["shard"], section=_sources, code=[], prepare=_announce)
def shards(work: Work) -> Mapping[str, pa.Table]:
    """Which crawl files the build reads: looks at the sources, numbers new files, registers them as partitions.

    A file whose bytes changed becomes a new shard that supersedes the old one.
    """
    return {"shard": work.build.snapshot.table()}


@stage(
    group="crawl",
    tables=["record", "candidate"],
    section=_reading,
    code=["assets.crawl.candidates"],
    libraries=["fastwarc", "selectolax", "ada-url", "brotli", "charset-normalizer", "pyarrow"],
    per_shard=True,
    kinds={"parquet", "python"},
)
def candidates(work: Work) -> Mapping[str, pa.Table]:
    """Every record of a crawl file, and a candidate for every image that it shows or names.

    WARC and WAT files, rows of a link list, image shards: all become the same tables. A broken record is a row with its
    reason.
    """
    found = _read(work)
    return {"record": found.record, "candidate": found.candidate}


def _read(work: Work) -> Candidates:
    shard, path = work.shard, local_path(work.crawl_file())
    assert shard is not None
    config = work.config
    settings = ReadSettings(tuple(config["text_roles"]), config["max_body_mib"] * MIB, config["max_page_mib"] * MIB)
    if shard.kind == "wat":
        return read_wat_file(path, shard.shard_id, settings)
    if shard.kind == "links":
        named = config["columns"].get(shard.source)
        columns = Columns(**named) if named else LAYOUTS["generic"]
        return read_links(path, shard.shard_id, shard.piece, columns, settings)
    if shard.kind == "images":
        side = work.side_file()
        return read_images(path, local_path(side) if side is not None else None, shard.shard_id, settings)
    return read_warc(path, shard.shard_id, settings)


def _ask_hosts(works: Sequence[Work]) -> None:
    """Ask hosts for what crawl files lack and no earlier attempt brought; whatever they answer is recorded.

    All shards of a run are asked for together: a host's limits and robots.txt hold over all of them, and an address that
    several shards want is asked for once.
    """
    build, step = works[0].build, works[0].step
    fetch = build.recipe.fetch
    assert fetch is not None
    settings, now = fetch.settings(build.recipe.crawl.max_image_mib * MIB), datetime.now(UTC)
    with build.lake.alone(step.name):
        owners: dict[str, list[int]] = defaultdict(list)
        asked: dict[str, Wanted] = {}
        writers: dict[int, SegmentWriter] = {}
        for work in works:
            assert work.shard is not None
            urls = wanted(work.read("candidates", "candidate", ["image_url", "reason"]))
            folder = build.segment_folder(step, work.shard)
            tried = build.lake.files(folder, "*.parquet")
            for found in pending(urls, tried, fetch.attempts, now, rules_of(settings), settings.robots):
                owners[found.url].append(work.shard.shard_id)
                asked.setdefault(found.url, found)
            writers[work.shard.shard_id] = SegmentWriter(build.lake, folder, settings)
        _take_over(build.lake.home / "observations" / step.name, asked, owners, writers, settings.robots)
        if asked:
            router = Router(writers, owners, partial(progress.say, step.name))
            try:
                fetch_all(asked.values(), settings, router.write, batch_items=router.ITEMS)
            finally:
                router.close()


def _take_over(
    root: UPath,
    asked: dict[str, Wanted],
    owners: dict[str, list[int]],
    writers: Mapping[int, SegmentWriter],
    robots: bool,
) -> None:
    """Copy what other shards of this home were answered, and take it from what is asked for."""
    copies: dict[int, dict[tuple[str, int | None], Answered]] = defaultdict(dict)
    for url, answers in answered(root, asked.keys(), robots).items():
        for shard in owners.pop(url):
            for segment, row in answers:
                copies[shard][str(segment), row["offset"]] = segment, row
        del asked[url]
    for shard, found in copies.items():
        writers[shard].copy(found.values())


def _show_outcomes(build: Build) -> dict[str, str]:
    if build.recipe.fetch is None:
        return {"outcomes": "The recipe has no section `fetch`: nothing is fetched."}
    rows = read_done(build, "fetch", "fetch", ["kind", "status", "reason"]).to_pylist()
    found = Counter(row["reason"] or row["status"] for row in rows if row["kind"] == "image").most_common(20)
    picture = plots.bars([name for name, _ in found], [count for _, count in found], "attempts")
    return {"outcomes": plots.inline("attempts by outcome", picture)}


@stage(
    group="crawl",
    tables=["fetch", "record"],
    reads=["candidates"],
    section=_fetching,
    code=["assets.crawl.fetched"],
    libraries=["fastwarc"],
    per_shard=True,
    observe=_ask_hosts,
    beside=[".warc"],
    kinds={"parquet", "http"},
    show=_show_outcomes,
)
def fetch(work: Work) -> Mapping[str, pa.Table]:
    """Every attempt to fetch an image that the crawl file lacks, and what the hosts answered.

    Polite: robots.txt, opt-outs, few requests per domain, no private addresses. Answers are recorded as WARC files; all
    that follows reads the recording. A later run asks again only for what failed and may succeed. Without a section
    `fetch` in the recipe nothing is asked for.
    """
    assert work.shard is not None
    segments = work.segments("fetch")
    uris = [work.build.lake.uri(path.with_suffix(".warc")) for path in segments]
    config = work.config or {"max_body_mib": 0, "robots": True}
    found = recorded(segments, uris, work.shard.shard_id, config["max_body_mib"] * MIB, config["robots"])
    return {"fetch": found.fetch, "record": found.record}


@stage(
    group="crawl",
    tables=["sample", "image", "decision"],
    reads=["candidates", "fetch"],
    section=_decoding,
    code=["assets.crawl.shard", "assets.crawl.bodies"],
    libraries=["fastwarc", "pillow", "simplejpeg", "torch", "numpy", "imagehash", "brotli", "lxml", "resvg-py"],
    per_shard=True,
    blobs=["image.tar"],
    kinds={"parquet", "python"},
)
def crawl(work: Work) -> Mapping[str, pa.Table]:
    """A sample for every candidate, and the bytes of every image that decodes.

    Bytes are hostile: sizes and pixels are limited before anything is decoded. An image that is missing or refused is a
    decision with its reason.
    """
    assert work.shard is not None
    config = work.config
    images = config["images"]
    settings = DecodeSettings(
        max_pixels=config["max_pixels"],
        svg=images["svg"],
        longest_side=images["longest_side"],
        jpeg_quality=images["jpeg_quality"],
        store="resized" if images["longest_side"] else "original",
    )
    made = crawl_shard(
        work.shard.shard_id,
        work.read("candidates", "candidate"),
        work.read("fetch", "fetch"),
        body_reader(
            work.shard.kind, local_path(work.crawl_file()), segment_files(work), records(work),
            config["max_body_mib"] * MIB,
        ),
        Target(local_path(work.blobs["image.tar"]), work.uri("image.tar")),
        settings,
        config["max_image_mib"] * MIB,
        work.build.recipe.crawl.images.threads,
        config["verify_sha256"],
    )  # fmt: skip
    return {"sample": made.sample, "image": made.image, "decision": made.decision}


def records(work: Work) -> pa.Table:
    """Table `record` of a shard: of its crawl file, then what was fetched for it."""
    return pa.concat_tables([work.read("candidates", "record"), work.read("fetch", "record")])


def segment_files(work: Work) -> dict[str, Path]:
    """WARC files of fetched answers, by how table `record` names them."""
    paths = [path.with_suffix(".warc") for path in work.segments("fetch")]
    return {work.build.lake.uri(path): local_path(path) for path in paths}


@check(candidates, "every_candidate_is_a_sample")
def every_candidate_is_a_sample(build: Build) -> tuple[bool, str]:
    """Nothing is lost between what a crawl file names and the samples: the same ids, in the same order."""
    rows = 0
    for shard in done_shards(build, "candidates", "crawl"):
        named = build.read("candidates", "candidate", ["sample_id"], shard)
        made = build.read("crawl", "sample", ["sample_id"], shard)
        if not named.equals(made):
            return False, f"shard {shard.label}: {named.num_rows} candidates, {made.num_rows} samples"
        rows += made.num_rows
    return True, f"{rows} candidates, as many samples"


@check(fetch, "every_address_was_tried")
def every_address_was_tried(build: Build) -> tuple[bool, str]:
    """Every address that a host may still answer was tried, and attempted = ok + failed + refused."""
    if build.recipe.fetch is None:
        return True, "the recipe fetches nothing"
    counts = {"ok": 0, "failed": 0, "refused": 0}
    for shard in done_shards(build, "candidates", "fetch"):
        urls = wanted(build.read("candidates", "candidate", ["image_url", "reason"], shard))
        rows = build.read("fetch", "fetch", ["kind", "url", "status"], shard).to_pylist()
        last = {row["url"]: row["status"] for row in rows if row["kind"] == "image"}
        if left := [url for url in urls if url not in last]:
            return False, f"shard {shard.label}: {len(left)} addresses were never tried, the first is {left[0]}"
        for status in last.values():
            counts[status] += 1
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return True, f"{sum(counts.values())} addresses: {told}"


@check(crawl, "every_sample_has_a_crawl_decision")
def every_sample_has_a_crawl_decision(build: Build) -> tuple[bool, str]:
    """Each sample is kept or dropped with a reason: kept + dropped = came in."""
    came_in = decided = 0
    for shard in done_shards(build, "crawl"):
        came_in += build.read("crawl", "sample", ["sample_id"], shard).num_rows
        decided += build.read("crawl", "decision", ["sample_id"], shard).num_rows
    return came_in == decided, f"{came_in} samples, {decided} decisions"
