"""Crawl files become records, samples and images."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from assets.crawl.shard import CrawlSettings, crawl_shard
from orchestration import partitions
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.lake import local_path

MIB = 1 << 20


def _sources(recipe: Recipe) -> object:
    return [source.model_dump() for source in recipe.crawl.sources]


def _limits(recipe: Recipe) -> object:
    return recipe.crawl.model_dump(exclude={"sources"})


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
    tables=["record", "sample", "image", "decision"],
    section=_limits,
    code=["assets.crawl.shard"],
    libraries=["fastwarc", "selectolax", "ada-url", "pillow", "imagehash", "brotli", "charset-normalizer"],
    per_shard=True,
    blobs=["image.tar"],
    kinds={"parquet", "python"},
)
def crawl(work: Work) -> Mapping[str, pa.Table]:
    """Every record of a crawl file, a sample for every <img>, and the bytes of every image that decodes.

    Bytes are hostile: sizes and pixels are limited before anything is decoded. A broken record is a row with its
    reason; an image that is missing or refused is a decision.
    """
    assert work.shard is not None
    config = work.config
    settings = CrawlSettings(
        text_roles=tuple(config["text_roles"]),
        max_body=config["max_body_mib"] * MIB,
        max_image_bytes=config["max_image_mib"] * MIB,
        max_pixels=config["max_pixels"],
    )
    tar = local_path(work.blobs["image.tar"])
    made = crawl_shard(local_path(work.crawl_file()), work.shard.shard_id, tar, work.uri("image.tar"), settings)
    return {"record": made.record, "sample": made.sample, "image": made.image, "decision": made.decision}


@check(crawl, "every_sample_has_a_crawl_decision")
def every_sample_has_a_crawl_decision(build: Build) -> tuple[bool, str]:
    """Each <img> of each page is kept or dropped with a reason: kept + dropped = came in."""
    came_in = decided = 0
    for shard in done_shards(build, "crawl"):
        came_in += build.read("crawl", "sample", ["sample_id"], shard).num_rows
        decided += build.read("crawl", "decision", ["sample_id"], shard).num_rows
    return came_in == decided, f"{came_in} samples, {decided} decisions"
