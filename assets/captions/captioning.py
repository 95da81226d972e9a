"""Synthetic captions: what models are asked about a picture, what became of it, and which of several goes on.

A format is asked for in words, or by limits on the answer where a model takes no words, and checked by length. The
caption that goes on is the one whose text lies nearest to the picture, as LAION-COCO and Panda-70M choose; the others
stay, with their scores.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from PIL import Image

from assets.captions.answers import Answers
from assets.captions.gates import GATES, MAX_CHARACTERS, Case, GateSettings, Verdict, Wording
from assets.captions.injection import speaks_to_model
from assets.captions.rows import caption_rows, with_columns
from assets.captions.templates import Prompt, fill
from assets.captions.words import Text
from assets.crawl.images import ImageRefused, decode
from resources.language_model.base import Completion, Question

APPLICABLE = frozenset(
    {"empty", "injected", "markup", "instruction_leak", "refusal", "meta", "cut_off", "repetition", "unsafe"}
)
"""Gates that need no web text."""
READ_EVERYWHERE = ("JPEG", "PNG", "WEBP", "GIF")
ORIENTATION = 0x0112
"""EXIF's tag."""
LONG = 30
"""Words from which on a caption is a paragraph, in which words come again."""


@dataclass(frozen=True)
class Format:
    """A length of caption.

    Attributes:
        name: short, dense or dense+.
        ask: fewest and most words that the prompt asks for.
        accept: fewest and most that are accepted.
        max_new_tokens: longest answer, in the model's tokens.
    """

    name: str
    ask: tuple[int, int]
    accept: tuple[int, int]
    max_new_tokens: int

    @property
    def kind(self) -> str:
        """Kind of caption."""
        return f"synthetic-{self.name}"


@dataclass(frozen=True)
class Seen:
    """What a captioner is shown of a sample.

    Attributes:
        sample_id: sample.
        picture: encoded picture; None where the bytes are not there.
        hints: texts for the slots of the prompt: tags, text, people.
    """

    sample_id: int
    picture: bytes | None
    hints: Mapping[str, str | None]


def as_shown(picture: bytes) -> bytes | None:
    """A picture as captioners take it: as it is where every endpoint reads it, upright and as PNG where it is stored in
    another format or turned by its metadata; None where it does not decode."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            turned = opened.getexif().get(ORIENTATION, 1) != 1
            if opened.format in READ_EVERYWHERE and not turned:
                return picture
        stream = io.BytesIO()
        decode(picture).save(stream, "PNG")
        return stream.getvalue()
    except (ImageRefused, OSError, ValueError, SyntaxError):
        return None


def questions_of(seen: Sequence[Seen], prompt: Prompt, format: Format, max_hint_bytes: int = 600) -> list[Question]:
    """One question per sample that has a picture, in order."""
    length = {"least": str(format.ask[0]), "most": str(format.ask[1])}
    return [
        Question(
            f"{found.sample_id}-{format.name}",
            fill(prompt, {**length, **found.hints}, max_hint_bytes),
            found.picture,
            format.max_new_tokens,
            # A model that takes no words is asked for length by its limits; the tokens of a word are one or more.
            0 if format.name == "short" else format.ask[0],
        )
        for found in seen
        if found.picture is not None
    ]


def caption_shard(
    seen: Sequence[Seen], answers: Answers, prompt: Prompt, format: Format, refusal: str | None = None
) -> pa.Table:
    """What one captioner writes in one format, as rows of table `draft`, one per sample, in order.

    Args:
        seen: samples with pictures and hints.
        answers: the captioner.
        prompt: template of the format.
        format: length asked for.
        refusal: term of the policy by which the captioner must not write; None where it may.
    """
    agent = answers.model.agent
    about = {"kind": format.kind, "model": agent.id, "revision": agent.revision, "prompt_sha256": prompt.sha256}
    if refusal is not None:
        rows = [{**about, "sample_id": found.sample_id, "status": "skipped", "reason": refusal} for found in seen]
        return caption_rows(rows)
    shown = [found for found in seen if found.picture is not None]
    given = answers.complete(questions_of(seen, prompt, format))
    by_sample = dict(zip((found.sample_id for found in shown), given, strict=True))
    rows = []
    for found in seen:
        row = {**about, "sample_id": found.sample_id, "inputs": _inputs(found, prompt)}
        if found.sample_id not in by_sample:
            rows.append({**row, "status": "failed", "reason": "no_image"})
            continue
        key, answer = by_sample[found.sample_id]
        hints = "\n".join(text for text in found.hints.values() if text)
        rows.append({**row, "key": key, **judged(answer, format, prompt, hints)})
    return caption_rows(rows)


def _inputs(found: Seen, prompt: Prompt) -> list[str]:
    used = sorted(slot for slot, text in found.hints.items() if text and slot in prompt.slots)
    return ["image", *(f"hint-{slot}" for slot in used)]


def judged(answer: Completion, format: Format, prompt: Prompt, hints: str) -> dict[str, Any]:
    """Columns of a caption's row: what was written, and what the gates say of it."""
    row: dict[str, Any] = {
        "text": answer.text or None,
        "tokens": answer.tokens,
        "prompt_tokens": answer.prompt_tokens,
        "finish_reason": answer.finish_reason,
    }
    if not answer.answered:
        return {**row, "status": "failed", "reason": answer.finish_reason}
    verdict = judge_caption(answer.text, format, answer.finish_reason, prompt.wording, hints)
    status = "ok" if verdict.accepted else "rejected"
    return {**row, "status": status, "reason": verdict.reason, "score": verdict.score, "threshold": verdict.threshold}


def judge_caption(
    text: str, format: Format, finish_reason: str | None = None, instructions: str = "", hints: str = ""
) -> Verdict:
    """Ask the gates that need no web text about a caption, then its length; the first that refuses gives the reason."""
    # Hints stand where a fusion has its inputs: their words are no leak of the prompt.
    seen, written = Text(hints[:MAX_CHARACTERS]), Text(text[:MAX_CHARACTERS])
    case = Case(Text(""), seen, written, finish_reason, _wording(instructions))
    long = format.ask[1] > LONG
    # In a long text the same two words come again with what they name; four in a row should not, but for one in twenty.
    limits = GateSettings(max_repeats=len(written.words) // 20 if long else 0, max_pairs=None if long else 2)
    if len(text) > MAX_CHARACTERS:
        return Verdict(False, "too_long", float(len(text)), float(MAX_CHARACTERS))
    if speaks_to_model(written, disguised=False):
        return Verdict(False, "injected")
    for gate in GATES:
        if gate.__name__ not in APPLICABLE:
            continue
        refused = gate(case, limits)
        if refused is not None:
            return Verdict(False, gate.__name__, *refused)
    return judge_length(text, format)


@lru_cache(maxsize=16)
def _wording(instructions: str) -> Wording:
    return Wording(instructions, "")


def judge_length(text: str, format: Format) -> Verdict:
    """Whether a caption has the length of its format, in words."""
    count, (least, most) = len(Text(text).words), format.accept
    if count < least:
        return Verdict(False, "too_short", float(count), float(least))
    if count > most:
        return Verdict(False, "too_long", float(count), float(most))
    return Verdict(True)


def with_similarity(rows: pa.Table, similarity: Mapping[int, float]) -> pa.Table:
    """The same rows with image-text scores, given by row; NaN and rows without one are null."""
    values = [similarity.get(place) for place in range(rows.num_rows)]
    finite = [None if value is None or not np.isfinite(value) else float(value) for value in values]
    return with_columns(rows, similarity=pa.array(finite, pa.float32()))


def select(rows: pa.Table, by: Literal["similarity", "first"] = "similarity") -> pa.Table:
    """The same rows with `selected` set for one accepted caption per sample and kind.

    Of several it is the one with the highest image-text score, then the one that stands first; with `first`, that one.
    """
    best: dict[tuple[int, str], tuple[float, int]] = {}
    columns = (rows.column(name).to_pylist() for name in ("sample_id", "kind", "status", "text", "similarity"))
    for place, (sample, kind, status, text, similarity) in enumerate(zip(*columns, strict=True)):
        if status == "ok" and text:
            score = -similarity if by == "similarity" and similarity is not None else 0.0
            # A caption without a score comes after all that have one.
            rank = (score if by == "first" or similarity is not None else np.inf, place)
            best[sample, kind] = min(best.get((sample, kind), rank), rank)
    selected = np.zeros(rows.num_rows, dtype=bool)
    selected[[place for _, place in best.values()]] = True
    return with_columns(rows, selected=pa.array(selected))
