"""Fusion: a language model merges what the web said with what a model saw, and every outcome becomes a row.

The alt text is never replaced: it stays a caption of its own. A fusion that a gate refuses is kept, with its reason,
and another caption is chosen in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from assets.captions.gates import GateSettings, is_injection, judge
from assets.captions.prompt import Prompt, fill
from assets.captions.rows import caption_rows
from resources.language_model import Completion, LanguageModel


@dataclass(frozen=True)
class FusionSettings:
    """Which pairs are fused, and what their fusions are held against.

    Attributes:
        max_alt_bytes: longest web text in a prompt, in bytes of UTF-8; the tail is cut.
        min_agreement: cosine of the vectors of both texts below which a pair is not fused; None not to ask. It takes an
            encoder whose text vectors tell; the embedded one's hardly do.
        min_alt_similarity: image-text score of the web text below which a pair is not fused; None not to ask.
        min_synthetic_similarity: the same for the synthetic caption.
        gates: limits of the gates after fusion.
    """

    max_alt_bytes: int = 320
    min_agreement: float | None = None
    min_alt_similarity: float | None = None
    min_synthetic_similarity: float | None = None
    gates: GateSettings = field(default_factory=GateSettings)


@dataclass(frozen=True)
class Pair:
    """What a sample brings to fusion.

    Attributes:
        sample_id: sample.
        alt: text of the web; None where there is none.
        synthetic: caption that a model wrote; None where there is none.
        agreement: cosine of the vectors of both texts; None where it was not measured.
        alt_similarity: image-text score of the web text.
        synthetic_similarity: image-text score of the synthetic caption.
        refusal: term of the policy by which this pair must not be fused; None where it may be.
    """

    sample_id: int
    alt: str | None
    synthetic: str | None
    agreement: float | None = None
    alt_similarity: float | None = None
    synthetic_similarity: float | None = None
    refusal: str | None = None


Refusal = tuple[str, float | None, float | None]
"""Reason, score, threshold."""


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
    """Rows of kind alt for a table with `sample_id` and `text`; a sample without text has a row with status failed.

    The text stands here as it was collected; its score, if any, is in table `score`.
    """
    rows: list[dict[str, Any]] = []
    for sample, text in zip(samples.column("sample_id").to_pylist(), samples.column("text").to_pylist(), strict=True):
        there = bool(text and text.strip())
        status, reason = ("ok", None) if there else ("failed", "no_alt")
        rows.append(
            {"sample_id": sample, "kind": "alt", "text": text if there else None, "status": status, "reason": reason}
        )
    return caption_rows(rows)


def fuse_shard(
    samples: pa.Table,
    asked: Sequence[int] | np.ndarray,
    model: Callable[[], LanguageModel],
    prompt: Prompt,
    settings: FusionSettings | None = None,
) -> pa.Table:
    """Fusions of a shard as rows of table `caption`, one per sample, by sample_id.

    Args:
        samples: columns sample_id, text (of the web), synthetic; optionally agreement, alt_similarity,
            synthetic_similarity and refusal.
        asked: samples to fuse, see `plan_fusions`; the others get a row with status skipped, reason over_limit.
        model: makes the language model; called only if there is something to fuse.
        prompt: template.
        settings: what is asked before and after.
    """
    settings = settings or FusionSettings()
    wanted = {int(i) for i in asked}
    pairs = sorted(pairs_of(samples), key=lambda pair: pair.sample_id)
    refused = {pair.sample_id: refuse_before(pair, pair.sample_id in wanted, settings) for pair in pairs}
    todo = [pair for pair in pairs if refused[pair.sample_id] is None]
    rows: dict[int, dict[str, Any]] = {}
    if todo:
        writer = model()
        chats = [fill(prompt, pair.alt or "", pair.synthetic or "", settings.max_alt_bytes) for pair in todo]
        about = {"model": writer.agent.id, "revision": writer.agent.revision, "prompt_sha256": prompt.sha256}
        for pair, answer in zip(todo, writer.complete(chats), strict=True):
            rows[pair.sample_id] = {**about, **judged(pair, answer, settings.gates, prompt)}
    for pair in pairs:
        refusal = refused[pair.sample_id]
        if refusal is not None:
            reason, score, threshold = refusal
            rows[pair.sample_id] = {"status": "skipped", "reason": reason, "score": score, "threshold": threshold}
    return caption_rows({"sample_id": i, "kind": "fused", **row} for i, row in sorted(rows.items()))


def pairs_of(samples: pa.Table) -> list[Pair]:
    """Rows of a table as pairs; columns of scores may be missing. Raises ValueError if a sample stands twice."""
    names = {"sample_id": "sample_id", "text": "alt", "synthetic": "synthetic"}
    optional = ("agreement", "alt_similarity", "synthetic_similarity", "refusal")
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
    if is_injection(pair.alt):
        return "injected", None, None
    for reason, score, threshold in (
        ("alt_off_image", pair.alt_similarity, settings.min_alt_similarity),
        ("synthetic_off_image", pair.synthetic_similarity, settings.min_synthetic_similarity),
        ("disagreement", pair.agreement, settings.min_agreement),
    ):
        # A pair that was not measured, or not measurably, does not pass a gate that asks.
        if threshold is not None and not (score is not None and score >= threshold):
            return reason, score, threshold
    return None


def judged(pair: Pair, answer: Completion, gates: GateSettings, prompt: Prompt) -> dict[str, Any]:
    """Columns of a fusion's row: what was written and what the gates say of it."""
    row: dict[str, Any] = {
        "text": answer.text or None,
        "inputs": ["alt", "synthetic-short"],
        "tokens": answer.tokens,
        "finish_reason": answer.finish_reason if answer.finish_reason in ("stop", "length") else None,
    }
    if answer.finish_reason not in ("stop", "length"):
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
