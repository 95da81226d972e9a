"""From pages to documents: which pages may pass on their words, their parts, and what is in no document and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.captions.gates import is_injection, language
from assets.crawl.documents import PageDocument, Part, read_document
from assets.crawl.html import PageRefused
from assets.crawl.images import ImageRefused
from assets.crawl.rows import Rows
from assets.rights.findings import RULES, UNREAD_RANK
from assets.rights.licenses import NOASSERTION, NONE, fold, obligations_of
from assets.rights.policy import VERDICTS, Policy

NO_DERIVATIVES = 8
SPEAKS = "speaks_to_model"
LANGUAGE_LETTERS = 50
"""Letters of a text from which on its language is told, as in the gates of captions."""


@dataclass(frozen=True)
class Documents:
    """Tables `document` and `document_left_out`; see the contract."""

    document: pa.Table
    left_out: pa.Table


def page_words(sample: pa.Table, rights: pa.Table, license_evidence: pa.Table, policy: Policy) -> dict[int, str | None]:
    """For each page: None where its words may be passed on whole, else the reason why not.

    Stricter than what holds of a caption, which may be short and factual without any license: a page's words need a
    license that the policy allows for bytes, found with enough confidence, beside no other that it does not allow, and
    without a ban on derivatives, since a document leaves parts of its page out.

    Args:
        sample: columns sample_id and page_record_id of the samples that are released.
        rights: columns sample_id and text_license of the same shard.
        license_evidence: of the same shard.
        policy: in force.
    """
    license_of = dict(zip(rights["sample_id"].to_pylist(), rights["text_license"].to_pylist(), strict=True))
    licenses: dict[int, set[str | None]] = defaultdict(set)
    for row in sample.select(["sample_id", "page_record_id"]).to_pylist():
        if row["page_record_id"] is not None:
            licenses[row["page_record_id"]].add(license_of.get(row["sample_id"]))
    stated = _page_statements(license_evidence, licenses)
    return {page: _words_refused(found, stated.get(page, []), policy) for page, found in licenses.items()}


def _page_statements(evidence: pa.Table, pages: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """What license rules read about each of some pages."""
    about = pc.and_(
        pc.equal(evidence["subject_type"], "page"), pc.is_in(evidence["subject_id"], pa.array(pages, pa.uint64()))
    )
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in evidence.filter(about).select(["subject_id", "rule", "spdx_id", "confidence"]).to_pylist():
        rule = RULES.get(row["rule"])
        if rule is not None and rule.rank is not None and rule.rank < UNREAD_RANK:
            found[row["subject_id"]].append({**row, "rank": rule.rank})
    return found


def _words_refused(licenses: set[str | None], stated: Sequence[Mapping[str, Any]], policy: Policy) -> str | None:
    if len(licenses) != 1 or None in licenses:
        return "no_rights" if None in licenses else "text_license_conflict"
    (spdx_id,) = (str(license) for license in licenses)
    if spdx_id == NONE:
        # A whole page is never short, so "allow_short_factual" says no.
        return None if policy.components.text.unknown == "allow" else "no_text_license"
    if spdx_id == NOASSERTION:
        return "unreadable_text_license"
    verdict = _verdict(spdx_id, policy)
    if verdict != "allow":
        return {"deny": "text_license_denied"}.get(verdict, f"text_license_{verdict}")
    if obligations_of(spdx_id) & NO_DERIVATIVES:
        return "no_derivatives"
    own = [row for row in stated if row["spdx_id"] == spdx_id]
    best = max((row["confidence"] for row in own if row["rank"] == min(o["rank"] for o in own)), default=0.0)
    if round(best, 4) < policy.min_confidence:
        return "low_confidence"
    others = {row["spdx_id"] for row in stated} - {spdx_id, NOASSERTION}
    strict = policy.conflict == "most_restrictive"
    return "text_license_conflict" if strict and any(_verdict(o, policy) != "allow" for o in others) else None


def _verdict(spdx_id: str, policy: Policy) -> str:
    return VERDICTS[fold(spdx_id, lambda part: VERDICTS.index(policy.license_verdict(part)), min, max)]


def document_parts(
    sample: pa.Table,
    released: Collection[int] | np.ndarray,
    words: Mapping[int, str | None],
    charsets: Mapping[int, str | None],
    read_body: Callable[[int], bytes],
    max_bytes: int = 8 << 20,
) -> Documents:
    """Parts of every page that has released samples, and what is in no document and why.

    Args:
        sample: columns sample_id, page_record_id and position of a shard's samples.
        released: ids of those that are released.
        words: for each page None, or why its words are not passed on, as `page_words` says; a page that it lacks has
            no rights.
        charsets: character set of each page, as table `record` says.
        read_body: gives the bytes of a record, e.g. `assets.crawl.bodies.body_reader`.
        max_bytes: a larger page is not read.
    """
    ours = sample.filter(pc.is_in(sample["sample_id"], pa.array(np.asarray(sorted(released), np.uint64))))
    pages: dict[int | None, dict[int, int]] = defaultdict(dict)
    out = _Out()
    for row in ours.select(["sample_id", "page_record_id", "position"]).to_pylist():
        if row["page_record_id"] is None:
            out.leave("image", None, "no_page", sample_id=row["sample_id"])
        else:
            pages[row["page_record_id"]][row["position"]] = row["sample_id"]
    for page in sorted(page for page in pages if page is not None):
        samples = pages[page]
        reason = words.get(page, "no_rights")
        if reason is None:
            try:
                body = read_body(page)
                out.add(page, read_document(body, charsets.get(page), samples.keys(), max_bytes), samples)
                continue
            except (PageRefused, ImageRefused) as refusal:
                reason = str(refusal)
        out.leave("page", page, reason, parts=len(samples))
    return out.tables()


class _Out:
    """Rows of both tables."""

    def __init__(self) -> None:
        self._parts, self._left = Rows("document"), Rows("document_left_out")

    def tables(self) -> Documents:
        keys = [(name, "ascending") for name in ("page_record_id", "kind", "reason", "sample_id")]
        return Documents(self._parts.table(), self._left.table().sort_by(keys))

    def leave(self, kind: str, page: int | None, reason: str, parts: int = 1, sample_id: int | None = None) -> None:
        row = {"kind": kind, "page_record_id": page, "sample_id": sample_id, "reason": reason, "parts": parts}
        self._left.add(row)

    def add(self, page: int, document: PageDocument, samples: Mapping[int, int]) -> None:
        """A page, unless nothing of its text or of its images is left."""
        steering = _steering(document.parts)
        parts = [part for part in document.parts if part.text is None or part.block not in steering]
        silenced = len(document.parts) - len(parts)
        placed = {part.position for part in parts} & samples.keys()
        if not placed or not any(part.text for part in parts):
            self.leave("page", page, "no_text" if placed else "no_image", parts=len(placed))
            parts, missing = [], samples.keys() - placed
        else:
            missing = samples.keys() - placed
        for position in sorted(missing):
            rule = document.images_left_out.get(position, "not_on_page")
            self.leave("image", page, rule, sample_id=samples[position])
        for rule, count in sorted({**document.left_out, SPEAKS: silenced}.items()):
            if count and parts:
                self.leave("text", page, rule, parts=count)
        for number, part in enumerate(parts):
            self._parts.add(_row(page, number, part, samples))


def _row(page: int, number: int, part: Part, samples: Mapping[int, int]) -> dict[str, Any]:
    row = {"page_record_id": page, "part": number, "tag": part.tag, "role": part.role}
    if part.text is None:
        return {**row, "kind": "image", "sample_id": samples[part.position or 0]}
    told = language(part.text) if sum(map(str.isalpha, part.text)) >= LANGUAGE_LETTERS else None
    return {**row, "kind": "text", "text": part.text, "language": told}


def _steering(parts: Sequence[Part]) -> set[int]:
    """Blocks that speak to a model; one that an image cuts in two is read as one."""
    blocks: dict[int, list[str]] = defaultdict(list)
    for part in parts:
        if part.text is not None:
            blocks[part.block].append(part.text)
    return {
        block for block, texts in blocks.items() if is_injection(" ".join(texts)) or any(map(is_injection, texts[1:]))
    }


def every_sample_is_placed(document: pa.Table, left_out: pa.Table, released: int) -> tuple[bool, str]:
    """Whether each released sample is a part of a document or is left out with a reason."""
    placed = pc.sum(pc.equal(document["kind"], "image")).as_py() or 0
    images = pc.sum(pc.equal(left_out["kind"], "image")).as_py() or 0
    pages = pc.sum(left_out.filter(pc.equal(left_out["kind"], "page"))["parts"]).as_py() or 0
    sentence = f"{placed} of {released} released samples stand in documents, {images + pages} do not and have a reason"
    return placed + images + pages == released, sentence
