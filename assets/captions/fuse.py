"""Fusion: a language model merges what the web said with what a model saw, and every outcome becomes a row.

The alt text is never replaced: it stays a caption of its own. A fusion that a gate refuses is kept, with its reason; it
is asked for again with another prompt as often as the recipe says, and then another caption is chosen in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from assets.captions.answers import Answers
from assets.captions.gates import MAX_CHARACTERS, GateSettings, is_injection, is_unsafe, judge
from assets.captions.rows import caption_rows
from assets.captions.templates import Prompt, fill
from resources.language_model.base import Completion, Question

RETRY_ON = frozenset(
    {"empty", "markup", "instruction_leak", "meta", "copied", "cut_off", "too_long", "repetition", "language_flip",
     "lost_facts", "invented_facts", "unsupported", "too_short", "score_drop"}
)  # fmt: skip
"""Gates after which another attempt may help: not where the web text itself is the trouble."""


@dataclass(frozen=True)
class Attempt:
    """How a fusion is asked for.

    Attributes:
        prompt: template.
        max_new_tokens: longest answer, in the model's tokens; None for the model's own limit.
    """

    prompt: Prompt
    max_new_tokens: int | None = None


@dataclass(frozen=True)
class FusionSettings:
    """Which pairs are fused, and what their fusions are held against.

    Attributes:
        max_alt_bytes: longest web text in a prompt, in bytes of UTF-8; the tail is cut.
        min_agreement: cosine of the vectors of both texts below which a pair is not fused; None not to ask. It takes an
            encoder whose text vectors tell; the embedded one's hardly do.
        min_agreement_rank: share of reference words farther from the web text than the synthetic caption is, below which
            a pair is not fused; None not to ask.
        min_alt_similarity: image-text score of the web text below which a pair is not fused; None not to ask.
        min_synthetic_similarity: the same for the synthetic caption.
        max_score_drop: how far the fusion's image-text score may lie below the lower one of its inputs; None not to ask.
        retry_on: gates after which it is asked again.
        gates: limits of the gates after fusion.
    """

    max_alt_bytes: int = 320
    min_agreement: float | None = None
    min_agreement_rank: float | None = None
    min_alt_similarity: float | None = None
    min_synthetic_similarity: float | None = None
    max_score_drop: float | None = None
    retry_on: frozenset[str] = RETRY_ON
    gates: GateSettings = field(default_factory=GateSettings)


@dataclass(frozen=True)
class Pair:
    """What a sample brings to fusion.

    Attributes:
        sample_id: sample.
        alt: text of the web; None where there is none.
        synthetic: caption that a model wrote; None where there is none.
        synthetic_kind: kind of that caption.
        agreement: cosine of the vectors of both texts; None where it was not measured.
        agreement_rank: share of reference words farther from the web text than the synthetic caption is.
        alt_similarity: image-text score of the web text.
        synthetic_similarity: image-text score of the synthetic caption.
        refusal: term of the policy by which this pair must not be fused; None where it may be.
    """

    sample_id: int
    alt: str | None
    synthetic: str | None
    synthetic_kind: str = "synthetic-short"
    agreement: float | None = None
    agreement_rank: float | None = None
    alt_similarity: float | None = None
    synthetic_similarity: float | None = None
    refusal: str | None = None


Refusal = tuple[str, float | None, float | None]
"""Reason, score, threshold."""

Score = Callable[[Sequence[int], Sequence[str]], Sequence[float | None]]
"""Image-text scores of texts, given by sample; None where a picture has no vector."""


def plan_fusions(kept_ids: Sequence[int] | np.ndarray, limit: int | None, seed: int) -> np.ndarray:
    """Which samples are fused: those whose keyed hash is smallest, whatever their shards and the order they come in.

    A higher limit adds samples and takes none away.

    Args:
        kept_ids: ids of all samples that the build keeps, in any order.
        limit: how many to choose; None for all.
        seed: key of the hash.
    Returns:
        Chosen ids, ascending, uint64.
    """
    ids = np.unique(np.asarray(kept_ids, dtype=np.uint64))
    if limit is not None and limit < 0:
        raise ValueError(f"limit of fusions is {limit}, but must not be negative")
    if limit is None or limit >= len(ids):
        return ids
    key = seed.to_bytes(8, "little")
    ranked = sorted(
        ids.tolist(), key=lambda i: (hashlib.blake2b(i.to_bytes(8, "little"), key=key, digest_size=8).digest(), i)
    )
    return np.sort(np.asarray(ranked[:limit], dtype=np.uint64))


def alt_rows(samples: pa.Table) -> pa.Table:
    """Rows of kind alt for a table with `sample_id` and `text`, optionally `similarity`.

    The text stands here as it was collected. A sample without text has a row with status failed; a text that no release
    should carry is rejected.
    """
    rows: list[dict[str, Any]] = []
    scores = samples.column("similarity").to_pylist() if "similarity" in samples.column_names else None
    for place, (sample, text) in enumerate(
        zip(samples.column("sample_id").to_pylist(), samples.column("text").to_pylist(), strict=True)
    ):
        there = bool(text and text.strip())
        status, reason = ("ok", None) if there else ("failed", "no_alt")
        if there and (refused := refuse_alt(text)):
            status, reason = "rejected", refused
        rows.append(
            {
                "sample_id": sample,
                "kind": "alt",
                "attempt": 0,
                "text": text if there else None,
                "status": status,
                "reason": reason,
                "similarity": scores[place] if scores else None,
                "selected": status == "ok",
            }
        )
    return caption_rows(rows)


def refuse_alt(text: str) -> str | None:
    """Why a web text is no caption: it speaks to a model, has words that nothing passes on, or has no end."""
    if len(text) > MAX_CHARACTERS:
        return "injected" if is_injection(text) else "too_long"
    if is_injection(text):
        return "injected"
    return "unsafe" if is_unsafe(text) else None


def fuse_shard(
    samples: pa.Table,
    asked: Sequence[int] | np.ndarray,
    answers: Callable[[], Answers],
    attempts: Sequence[Attempt],
    settings: FusionSettings | None = None,
    score: Score | None = None,
) -> pa.Table:
    """Fusions of a shard as rows of table `draft`, by sample_id and attempt: one per sample that is not asked for, one
    per attempt for the others. The accepted one is `selected`.

    Args:
        samples: columns sample_id, text (of the web), synthetic; optionally the other attributes of `Pair`.
        asked: samples to fuse, see `plan_fusions`; the others get a row with status skipped, reason over_limit.
        answers: makes the language model; called only if there is something to fuse.
        attempts: how the first attempt and each further one is made.
        settings: what is asked before and after.
        score: image-text scores of fusions; None not to measure them.
    """
    settings = settings or FusionSettings()
    wanted = {int(i) for i in asked}
    pairs = sorted(pairs_of(samples), key=lambda pair: pair.sample_id)
    refused = {pair.sample_id: refuse_before(pair, pair.sample_id in wanted, settings) for pair in pairs}
    rows = [_skipped(pair.sample_id, refusal) for pair in pairs if (refusal := refused[pair.sample_id]) is not None]
    todo = [pair for pair in pairs if refused[pair.sample_id] is None]
    writer = answers() if todo else None
    for number, attempt in enumerate(attempts, 1):
        if writer is None or not todo:
            break
        made = _fuse(todo, number, writer, attempt, settings, score)
        rows += made.values()
        todo = [
            pair
            for pair in todo
            if made[pair.sample_id]["status"] == "rejected" and made[pair.sample_id]["reason"] in settings.retry_on
        ]
    return caption_rows(sorted(rows, key=lambda row: (row["sample_id"], row["attempt"])))


def _skipped(sample_id: int, refusal: Refusal) -> dict[str, Any]:
    about = {"sample_id": sample_id, "kind": "fused", "attempt": 1, "status": "skipped"}
    return {**about, **dict(zip(("reason", "score", "threshold"), refusal, strict=True))}


def _fuse(
    pairs: Sequence[Pair],
    number: int,
    writer: Answers,
    attempt: Attempt,
    settings: FusionSettings,
    score: Score | None,
) -> dict[int, dict[str, Any]]:
    """One attempt for some pairs: a row for each."""
    prompt, agent = attempt.prompt, writer.model.agent
    questions = [
        Question(
            f"{pair.sample_id}-fusion-{number}",
            fill(prompt, {"alt": pair.alt, "synthetic": pair.synthetic}, settings.max_alt_bytes),
            max_new_tokens=attempt.max_new_tokens,
        )
        for pair in pairs
    ]
    about = {"kind": "fused", "attempt": number, "model": agent.id, "revision": agent.revision}
    rows = {}
    for pair, (key, answer) in zip(pairs, writer.complete(questions), strict=True):
        row = {**about, "sample_id": pair.sample_id, "prompt_sha256": prompt.sha256, "key": key}
        rows[pair.sample_id] = {**row, **judged(pair, answer, settings.gates, prompt)}
    if score is not None:
        _judge_scores([pair for pair in pairs if rows[pair.sample_id]["text"]], rows, settings.max_score_drop, score)
    for row in rows.values():
        row["selected"] = row["status"] == "ok"
    return rows


def _judge_scores(pairs: Sequence[Pair], rows: dict[int, dict[str, Any]], max_drop: float | None, score: Score) -> None:
    """Enter image-text scores, and refuse fusions that lie farther from the picture than both of their inputs."""
    scores = score([pair.sample_id for pair in pairs], [rows[pair.sample_id]["text"] for pair in pairs])
    for pair, similarity in zip(pairs, scores, strict=True):
        row = rows[pair.sample_id]
        row["similarity"] = similarity
        inputs = [s for s in (pair.alt_similarity, pair.synthetic_similarity) if s is not None]
        if row["status"] != "ok" or max_drop is None or similarity is None or not inputs:
            continue
        drop = min(inputs) - similarity
        if drop > max_drop:
            row |= {"status": "rejected", "reason": "score_drop", "score": drop, "threshold": max_drop}


def pairs_of(samples: pa.Table) -> list[Pair]:
    """Rows of a table as pairs; columns of scores may be missing. Raises ValueError if a sample stands twice."""
    names = {"sample_id": "sample_id", "text": "alt", "synthetic": "synthetic"}
    optional = (
        "synthetic_kind", "agreement", "agreement_rank", "alt_similarity", "synthetic_similarity", "refusal",
    )  # fmt: skip
    names |= {name: name for name in optional if name in samples.column_names}
    columns = {field: samples.column(name).to_pylist() for name, field in names.items()}
    if len(set(columns["sample_id"])) < samples.num_rows:
        raise ValueError("captions: a sample stands twice among those to fuse")
    return [Pair(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def refuse_before(pair: Pair, asked: bool, settings: FusionSettings) -> Refusal | None:
    """Why a pair is not put to the model; None if it is."""
    if not pair.alt or not pair.alt.strip():
        return "no_alt", None, None
    if not pair.synthetic:
        return "no_synthetic", None, None
    if pair.refusal:
        return pair.refusal, None, None
    if not asked:
        return "over_limit", None, None
    if refused := refuse_alt(pair.alt):
        return refused, None, None
    for reason, score, threshold in (
        ("alt_off_image", pair.alt_similarity, settings.min_alt_similarity),
        ("synthetic_off_image", pair.synthetic_similarity, settings.min_synthetic_similarity),
        ("disagreement", pair.agreement, settings.min_agreement),
        ("disagreement", pair.agreement_rank, settings.min_agreement_rank),
    ):
        # A pair that was not measured, or not measurably, does not pass a gate that asks.
        if threshold is not None and not (score is not None and score >= threshold):
            return reason, score, threshold
    return None


def judged(pair: Pair, answer: Completion, gates: GateSettings, prompt: Prompt) -> dict[str, Any]:
    """Columns of a fusion's row: what was written and what the gates say of it."""
    row: dict[str, Any] = {
        "text": answer.text or None,
        "inputs": ["alt", pair.synthetic_kind],
        "tokens": answer.tokens,
        "prompt_tokens": answer.prompt_tokens,
        "finish_reason": answer.finish_reason,
    }
    if not answer.answered:
        return {**row, "status": "failed", "reason": answer.finish_reason}
    verdict = judge(
        pair.alt or "", pair.synthetic or "", answer.text, gates, answer.finish_reason, prompt.wording, prompt.examples
    )
    status = "ok" if verdict.accepted else "rejected"
    return {**row, "status": status, "reason": verdict.reason, "score": verdict.score, "threshold": verdict.threshold}


def agreement(alt_vectors: np.ndarray, synthetic_vectors: np.ndarray) -> np.ndarray:
    """(n,) float32 cosine of each web text's vector with that of its synthetic caption; both (n, d), unit length."""
    a, b = np.asarray(alt_vectors, dtype=np.float64), np.asarray(synthetic_vectors, dtype=np.float64)
    return np.asarray((a * b).sum(axis=1), dtype=np.float32)


def agreement_rank(alt_vectors: np.ndarray, synthetic_vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,) float32 share of reference texts that lie farther from each web text than its synthetic caption does.

    A cosine of two texts means little by itself, since every encoder has its own scale; a place among many others does.
    NaN where a vector is.

    Args:
        alt_vectors: (n, d) unit vectors.
        synthetic_vectors: (n, d) unit vectors of the captions.
        references: (r, d) unit vectors of texts about many things, such as a vocabulary's.
    """
    own = agreement(alt_vectors, synthetic_vectors).astype(np.float64)
    ranks = np.empty(len(own), np.float32)
    wide = np.asarray(references, dtype=np.float64)
    for row, vector in enumerate(np.asarray(alt_vectors, dtype=np.float64)):
        # One text at a time: products of a whole batch differ in last bits with its size.
        ranks[row] = (wide @ vector < own[row]).mean() if np.isfinite(own[row]) else np.nan
    return ranks
