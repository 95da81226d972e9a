"""Verdicts: from the findings about a sample, its page and its image to what may be done with it.

A license is taken from the most specific statement (rank of its rule). Statements about the image that disagree are a
conflict, and the strictest of them gives the verdict. Any honored opt-out wins over any license. Every step can only
be stricter under a stricter policy; what could not be read never allows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.provenance.decisions import decision_table
from assets.provenance.tables import conform
from assets.rights.addresses import registrable_domain
from assets.rights.findings import NOTICE_RANK, OUTSIDE, PAGE_RANK, RULES, UNREAD_RANK
from assets.rights.licenses import NOASSERTION, NONE, fold, licenses, obligations_of
from assets.rights.policy import VERDICTS, Policy, stricter
from assets.rights.reservations import Reservation, reservations_of

RELEASABLE = ("allow", "url_only")
OWNER_DOUBT = 0.7
"""Factor on the confidence of a page's license where the caption names an owner."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A finding of a license, as far as it decides."""

    rule: str
    rank: int
    spdx_id: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What becomes of a sample, and why. `score` and `threshold`: the number that decided, where one did."""

    image_license: str
    text_license: str
    obligations: int
    confidence: float
    conflict: bool
    reservation: str
    decided_by: str | None
    verdict: str
    reason: str


def occurrences(
    sample: pa.Table,
    image: pa.Table,
    license_evidence: pa.Table,
    reservation_evidence: pa.Table,
    attribution: pa.Table,
    policy: Policy,
) -> pa.Table:
    """Table `occurrence`: every sample of a shard by its own evidence, before copies elsewhere are looked at.

    Args:
        sample: rows of table `sample` that are to be judged.
        image: table `image` of the shard; samples whose image it lacks are not judged.
        license_evidence, reservation_evidence, attribution: of the same shard.
        policy: in force.
    """
    licensed = _licenses_by_subject(license_evidence)
    reserved = reservations_of(reservation_evidence, policy)
    outside = _outside(license_evidence)
    owned = _owned(attribution)
    columns = ["sample_id", "page_record_id", "image_record_id", "page_url", "image_url", "text"]
    sample = sample.filter(pc.is_in(sample["image_id"], image["image_id"].combine_chunks()))
    rows = sorted(sample.select(columns).to_pylist(), key=lambda row: row["sample_id"])
    decided = [_decide(_place(row, outside, owned), licensed, reserved, policy) for row in rows]
    return conform("occurrence", _occurrence_table([row["sample_id"] for row in rows], decided))


def _licenses_by_subject(table: pa.Table) -> dict[tuple[str, int], list[Statement]]:
    found: dict[tuple[str, int], list[Statement]] = defaultdict(list)
    for row in table.select(["subject_type", "subject_id", "rule", "spdx_id", "confidence"]).to_pylist():
        rank = RULES[row["rule"]].rank
        if rank is not None:
            statement = Statement(row["rule"], rank, row["spdx_id"], round(row["confidence"], 4))
            found[(row["subject_type"], row["subject_id"])].append(statement)
    return found


def _owned(attribution: pa.Table) -> set[int]:
    """Samples whose caption names an owner."""
    rows = attribution.select(["subject_type", "subject_id", "rule"]).to_pylist()
    return {row["subject_id"] for row in rows if row["subject_type"] == "sample" and row["rule"] == "caption_notice"}


def _outside(license_evidence: pa.Table) -> set[int]:
    """Samples that stand where no license of the page reaches them."""
    rows = license_evidence.select(["subject_id", "rule"]).to_pylist()
    return {row["subject_id"] for row in rows if row["rule"] == OUTSIDE}


def _place(row: dict[str, Any], outside: set[int], owned: set[int]) -> dict[str, Any]:
    return row | {"outside": row["sample_id"] in outside, "owned": row["sample_id"] in owned}


def _subjects(row: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    subjects = [("sample", row["sample_id"])]
    if row["page_record_id"] is not None:
        subjects.append(("page", row["page_record_id"]))
    if row["image_record_id"] is not None:
        subjects.append(("image", row["image_record_id"]))
    return tuple(subjects)


def _decide(
    row: dict[str, Any],
    licensed: dict[tuple[str, int], list[Statement]],
    reserved: dict[tuple[str, int], list[Reservation]],
    policy: Policy,
) -> Decided:
    page = licensed.get(("page", row["page_record_id"]), [])
    image = [s for subject in _subjects(row) if subject[0] != "page" for s in licensed.get(subject, [])]
    by_license = _image_decision(row, image, page, policy)
    with_text = _with_text(by_license, row, page, policy)
    return _with_reservation(with_text, [r for s in _subjects(row) for r in reserved.get(s, [])], policy)


def _restrictiveness(spdx_id: str) -> tuple[int, int, str]:
    """Order of licenses from free to closed, whatever the policy says."""
    if spdx_id in (NONE, NOASSERTION):
        return (3 if spdx_id == NOASSERTION else 2, 0, spdx_id)
    bits = obligations_of(spdx_id)
    closed = fold(spdx_id, _is_closed, min, max)
    return (closed, 4 * (bits & 12).bit_count() + 2 * (bits & 2).bit_count() + (bits & 1), spdx_id)


def _is_closed(spdx_id: str) -> int:
    known = licenses().get(spdx_id)
    return 4 if known is None or known.family == "proprietary" else 1


def _deciding(statements: list[Statement]) -> Statement | None:
    """The statement of the lowest rank; of several, the most restrictive one, then the surest."""
    return min(
        statements,
        key=lambda s: (s.rank, [-part for part in _restrictiveness(s.spdx_id)[:2]], -s.confidence, s.spdx_id, s.rule),
        default=None,
    )


def _image_decision(row: dict[str, Any], image: list[Statement], page: list[Statement], policy: Policy) -> Decided:
    own = _deciding([s for s in image if s.rank < UNREAD_RANK])
    shared = _deciding([s for s in page if s.rank < UNREAD_RANK])
    unread = _deciding([s for s in image + page if s.rank == UNREAD_RANK])
    if own is not None:
        return _by_own(row, own, image, shared, policy)
    if shared is not None:
        return _by_page(row, shared, page, policy)
    if unread is not None:
        verdict = policy.license_verdict(NOASSERTION)
        return _decided(NOASSERTION, unread.confidence, unread.rule, verdict, "unreadable_license")
    return _decided(NONE, 0.0, None, policy.license_verdict(NONE), "no_license_found")


def _by_own(
    row: dict[str, Any], own: Statement, image: list[Statement], shared: Statement | None, policy: Policy
) -> Decided:
    """Decision by statements about the image itself; readable ones that disagree with each other are a conflict.

    A notice reserves what the page licenses, which is a conflict too.
    """
    readable = {s.spdx_id for s in image if s.rank < UNREAD_RANK and s.spdx_id != NOASSERTION}
    conflict = len(readable) > 1 or (own.rank == NOTICE_RANK and shared is not None)
    third_party = own.rank >= 30 and _other_host(row, policy)
    decided = _by_statement(own, own.confidence, third_party, policy)
    if len(readable) > 1:
        decided = replace(decided, obligations=_union(readable))
        if policy.conflict == "most_restrictive":
            others = [_by_statement(s, s.confidence, third_party, policy) for s in image if s.spdx_id in readable]
            strictest = max(others, key=lambda d: (VERDICTS.index(d.verdict), d.decided_by or ""))
            if VERDICTS.index(strictest.verdict) > VERDICTS.index(decided.verdict):
                decided = replace(decided, verdict=strictest.verdict, reason="license_conflict")
                decided = replace(decided, decided_by=strictest.decided_by, confidence=strictest.confidence)
    return replace(decided, conflict=conflict)


def _by_page(row: dict[str, Any], shared: Statement, page: list[Statement], policy: Policy) -> Decided:
    """Decision by the page's license, which covers the page's own images only."""
    confidence = shared.confidence * (OWNER_DOUBT if row["owned"] else 1.0)
    ranked = {s.spdx_id for s in page if s.rank == shared.rank}
    decided = _by_statement(shared, confidence, False, policy)
    if row["outside"] or _other_host(row, policy) and policy.page_scope.require_same_registered_domain:
        verdict = stricter(decided.verdict, policy.license_verdict(NONE))
        reason = "outside_main_content" if row["outside"] else "page_license_of_other_site"
        return _decided(NONE, 0.0, shared.rule, verdict, reason)
    if _other_host(row, policy):
        decided = _by_statement(shared, confidence, True, policy)
    if len(ranked) > 1 and policy.conflict == "most_restrictive":
        verdicts = [_by_statement(s, confidence, False, policy).verdict for s in page if s.rank == shared.rank]
        if stricter(*verdicts) != decided.verdict:
            decided = replace(decided, verdict=stricter(decided.verdict, *verdicts), reason="license_conflict")
    return replace(decided, conflict=len(ranked) > 1, obligations=_union(ranked))


def _union(expressions: set[str]) -> int:
    bits = 0
    for expression in expressions:
        bits |= obligations_of(expression)
    return bits


def _by_statement(statement: Statement, confidence: float, third_party: bool, policy: Policy) -> Decided:
    """Verdict over one statement: its license, then its risk, then how sure it is."""
    spdx_id = statement.spdx_id

    def leaf(part: str) -> str:
        verdict: str = policy.license_verdict(part)
        return stricter(verdict, "review") if _risk(part, third_party, policy) > policy.risk.max else verdict

    by_license = fold(
        spdx_id, policy.license_verdict, lambda v: min(v, key=VERDICTS.index), lambda v: max(v, key=VERDICTS.index)
    )
    verdict = fold(spdx_id, leaf, lambda v: min(v, key=VERDICTS.index), lambda v: max(v, key=VERDICTS.index))
    reason = _license_reason(spdx_id, by_license) if verdict == by_license else "risk"
    if confidence < policy.min_confidence and VERDICTS.index(verdict) < VERDICTS.index("review"):
        verdict, reason = "review", "low_confidence"
    return _decided(spdx_id, confidence, statement.rule, verdict, reason)


def _license_reason(spdx_id: str, verdict: str) -> str:
    if spdx_id == NOASSERTION:
        return "unreadable_license"
    words = {"allow": "license_allowed", "url_only": "license_url_only", "review": "license_review"}
    return words.get(verdict, "license_denied")


def _risk(spdx_id: str, third_party: bool, policy: Policy) -> int:
    known = licenses().get(spdx_id)
    if known is None:
        return 3
    old = known.family == "cc" and known.version is not None and known.version < "4"
    return known.risk + policy.risk.old_cc_versions * old + policy.risk.third_party_host * third_party


def _decided(spdx_id: str, confidence: float, rule: str | None, verdict: str, reason: str) -> Decided:
    bits = 0 if spdx_id in (NONE, NOASSERTION) else obligations_of(spdx_id)
    return Decided(spdx_id, NONE, bits, confidence, False, "unknown", rule, verdict, reason)


def _other_host(row: dict[str, Any], policy: Policy) -> bool:
    """Whether the image comes from a registered domain that is not the page's and serves nobody else."""
    if not row["image_url"] or row["image_url"].startswith("data:"):
        return False
    domain = registrable_domain(row["image_url"])
    # Without a page there is no page's license that could fail to reach the image.
    page = registrable_domain(row["page_url"]) if row["page_url"] else domain
    return domain != page and domain not in policy.page_scope.cdn_allow


def _with_text(decided: Decided, row: dict[str, Any], page: list[Statement], policy: Policy) -> Decided:
    """Adds the license of the words around the image: the page's, or none."""
    shared = (
        _deciding([s for s in page if PAGE_RANK <= s.rank < UNREAD_RANK])
        if policy.components.text.inherit_page
        else None
    )
    text_license = shared.spdx_id if shared else NONE
    if shared and text_license != NOASSERTION:
        by_text: str = _by_statement(shared, 1.0, False, replace_risk(policy)).verdict
        reason = "text_license_denied" if by_text == "deny" else "text_license_review"
    else:
        by_text, reason = _unlicensed_text(len(row["text"] or ""), policy), "long_text_without_license"
    verdict = stricter(decided.verdict, by_text)
    bits = decided.obligations | (obligations_of(text_license) if text_license not in (NONE, NOASSERTION) else 0)
    decided = replace(decided, text_license=text_license, obligations=bits)
    return decided if verdict == decided.verdict else replace(decided, verdict=verdict, reason=reason)


def replace_risk(policy: Policy) -> Policy:
    """The policy without risk points: words carry no image's risk."""
    return policy.model_copy(update={"risk": policy.risk.model_copy(update={"max": 20})})


def _unlicensed_text(length: int, policy: Policy) -> str:
    text = policy.components.text
    if text.unknown == "allow_short_factual":
        return "allow" if length <= text.max_chars else "review"
    return text.unknown


def _with_reservation(decided: Decided, found: list[Reservation], policy: Policy) -> Decided:
    """Any reservation wins; a condition counts as the policy says."""
    for state in ("reserved", "conditional", "allowed"):
        strongest = min((r for r in found if r.decision == state), key=lambda r: r.rule, default=None)
        if strongest is None:
            continue
        decided = replace(decided, reservation=state)
        if state == "reserved" or state == "conditional" and policy.reservations.conditional == "reserved":
            return replace(decided, verdict="deny", reason="reserved", decided_by=strongest.rule, confidence=1.0)
        if state == "conditional" and policy.reservations.conditional == "review":
            verdict = stricter(decided.verdict, "review")
            changed = verdict != decided.verdict
            reason, rule = (
                ("reserved_on_conditions", strongest.rule) if changed else (decided.reason, decided.decided_by)
            )
            return replace(decided, verdict=verdict, reason=reason, decided_by=rule)
        return decided
    return decided


def _occurrence_table(sample_id: list[int], decided: list[Decided]) -> pa.Table:
    columns: dict[str, pa.Array] = {"sample_id": pa.array(sample_id, pa.uint64())}
    for name in Decided.__dataclass_fields__:
        columns[name] = pa.array([getattr(item, name) for item in decided], _TYPES.get(name, pa.string()))
    columns["caption_terms"] = pa.nulls(len(decided), pa.string())
    return pa.table(columns)


_TYPES = {"obligations": pa.uint16(), "confidence": pa.float32(), "conflict": pa.bool_()}


def final_rights(
    occurrence: pa.Table, sample_sha256: pa.Table, twin: pa.Table, policy: Policy | None = None
) -> tuple[pa.Table, pa.Table]:
    """Tables `rights` and `decision`: occurrences made stricter where a copy of the same bytes is.

    Args:
        occurrence: of one shard.
        sample_sha256: columns sample_id and sha256 of its samples; samples that it lacks have no copies.
        twin: table `twin` of the whole build.
        policy: in force, for the limit that a doubtful license was held against; without it decisions carry no numbers.
    """
    sha256_of = dict(zip(*(sample_sha256.column(c).to_pylist() for c in ("sample_id", "sha256")), strict=True))
    twins_of = {row["sha256"]: row for row in twin.to_pylist()}
    rows = sorted(occurrence.to_pylist(), key=lambda row: row["sample_id"])
    for row in rows:
        copies = twins_of.get(sha256_of.get(row["sample_id"]))
        if copies is not None:
            _apply_twin(row, copies)
    rights = pa.Table.from_pylist(rows, schema=occurrence.schema)
    return conform("rights", rights), _decisions(rows, policy)


def _apply_twin(row: dict[str, Any], copies: dict[str, Any]) -> None:
    row["conflict"] = row["conflict"] or copies["conflict"]
    verdict = stricter(row["verdict"], copies["verdict"])
    if verdict != row["verdict"]:
        row["reason"] = "twin_conflict" if copies["conflict"] else "twin_refused"
        row["verdict"], row["decided_by"] = verdict, "twin"


def _decisions(rows: list[dict[str, Any]], policy: Policy | None) -> pa.Table:
    doubtful = np.array([policy is not None and row["reason"] == "low_confidence" for row in rows], dtype=bool)
    confidence = np.array([row["confidence"] for row in rows], dtype=np.float64)
    limit = np.nan if policy is None else policy.min_confidence
    return decision_table(
        "rights",
        np.array([row["sample_id"] for row in rows], dtype=np.uint64),
        np.array([row["verdict"] in RELEASABLE for row in rows], dtype=bool),
        [row["reason"] for row in rows],
        score=np.where(doubtful, confidence, np.nan),
        threshold=np.where(doubtful, limit, np.nan),
    )
