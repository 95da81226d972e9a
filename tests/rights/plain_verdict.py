"""Verdicts once more, sample by sample in plain Python: what `verdict.sql` is held against.

Written from RIGHTS: precedence of statements, page scope, conflict, doubt, risk, words, no-derivatives, opt-outs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assets.rights.addresses import registrable_domain
from assets.rights.findings import NOTICE_RANK, PAGE_AUTHOR_RANK, RULES, UNREAD_RANK
from assets.rights.licenses import NOASSERTION, NONE, fold, licenses, obligations_of
from assets.rights.policy import VERDICTS, Policy
from assets.rights.reservations import BY_AGENT, PROTOCOL_OF, TDM_STEPS
from assets.rights.terms import restrictiveness


@dataclass(frozen=True)
class Case:
    """One sample with its evidence.

    licenses: (subject type, rule, spdx_id, confidence); reservations: (subject type, rule, usage, decision, value).
    """

    licenses: tuple = ()
    reservations: tuple = ()
    owned: bool = False
    image_url: str = "http://a.example/i.png"
    page_url: str = "http://a.example/p"
    text: str = "a bird"
    changed: bool = False
    policy: Policy = field(default=None)


ALLOW, URL_ONLY, REVIEW, DENY = range(4)


def plain_verdict(case: Case) -> dict:
    policy = case.policy
    domain, home = registrable_domain(case.image_url), registrable_domain(case.page_url)
    elsewhere = domain != home and domain not in policy.page_scope.cdn_allow
    statements = [(RULES[rule].rank, rule, spdx, round(sure, 4), kind) for kind, rule, spdx, sure in case.licenses]
    outside = any(rule == "outside_main" for _, rule, *_ in statements)
    ranked = sorted((s for s in statements if s[0] is not None), key=_precedence)
    blocked = any(s[0] == UNREAD_RANK for s in ranked)
    page_cut = any(s[0] == UNREAD_RANK and s[4] == "page" for s in ranked)
    page = [s for s in ranked if s[4] == "page" and s[0] < UNREAD_RANK]
    own = [s for s in ranked if s[4] != "page" and s[0] < UNREAD_RANK]
    unread = sorted((s for s in ranked if s[0] >= UNREAD_RANK), key=lambda s: (-s[3], s[1]))
    if own:
        row = _own(own, page, elsewhere, policy)
    elif blocked:
        of_page = [_judge(s[2], 1.0, False, policy)[0] for s in _counting(page)]
        verdict = max([_number(policy.unknown.noassertion), *of_page])
        row = _row(NOASSERTION, 0, verdict, "unreadable_license", unread[0][1], unread[0][3], False)
    elif page and (outside or elsewhere and policy.page_scope.require_same_registered_domain):
        sure = page[0][3] * (0.7 if case.owned else 1)
        verdict = max(_number(policy.unknown.none), _judge(page[0][2], sure, False, policy)[0])
        reason = "outside_main_content" if outside else "page_license_of_other_site"
        row = _row(NONE, 0, verdict, reason, page[0][1], 0.0, False)
    elif page:
        row = _page(page, case.owned, elsewhere, policy)
    elif unread:
        verdict = _number(policy.unknown.noassertion)
        row = _row(NOASSERTION, 0, verdict, "unreadable_license", unread[0][1], unread[0][3], False)
    else:
        row = _row(NONE, 0, _number(policy.unknown.none), "no_license_found", None, 0.0, False)
    row["image_verdict"] = row["verdict"]
    _words(row, page, page_cut, case, policy)
    _no_derivatives(row, case, policy)
    _opt_outs(row, case, policy)
    row["verdict"], row["image_verdict"] = VERDICTS[row["verdict"]], VERDICTS[row["image_verdict"]]
    del row["image_bits"]
    return row


def _precedence(s: tuple) -> tuple:
    rank, rule, spdx, sure, _ = s
    closed, weight = restrictiveness(spdx)
    return rank, -closed, -weight, -sure, spdx, rule


def _number(verdict: str) -> int:
    return VERDICTS.index(verdict)


def _row(license, bits, verdict, reason, rule, sure, conflict) -> dict:
    return {
        "image_license": license, "text_license": NONE, "obligations": bits, "image_bits": bits, "verdict": verdict,
        "reason": reason, "decided_by": rule, "confidence": sure, "conflict": conflict, "reservation": "unknown",
    }  # fmt: skip


def _judge(spdx: str, sure: float, far: bool, policy: Policy) -> tuple[int, str]:
    def leaf(part: str) -> int:
        verdict = _number(policy.license_verdict(part))
        if part in (NONE, NOASSERTION):
            return verdict
        known = licenses().get(part)
        risk = 3
        if known is not None:
            old = known.family == "cc" and known.version is not None and known.version < "4"
            risk = known.risk + policy.risk.old_cc_versions * old + policy.risk.third_party_host * far
        return max(verdict, REVIEW) if risk > policy.risk.max else verdict

    by_license = fold(spdx, lambda part: _number(policy.license_verdict(part)), min, max)
    verdict = fold(spdx, leaf, min, max)
    words = ("license_allowed", "license_url_only", "license_review", "license_denied")
    reason = "risk" if verdict > by_license else "unreadable_license" if spdx == NOASSERTION else words[by_license]
    return (REVIEW, "low_confidence") if sure < policy.min_confidence and verdict < REVIEW else (verdict, reason)


def _bits(spdx: str) -> int:
    return 0 if spdx in (NONE, NOASSERTION) else obligations_of(spdx)


def _own(own, page, elsewhere, policy) -> dict:
    def judged(s):
        return _judge(s[2], s[3], elsewhere and s[0] >= PAGE_AUTHOR_RANK, policy)

    rank, rule, spdx, sure, _ = own[0]
    verdict, reason = judged(own[0])
    readable = [s for s in own if s[2] != NOASSERTION]
    several = len({s[2] for s in readable}) > 1
    bits = _bits(spdx)
    if several:
        bits = 0
        for s in readable:
            bits |= _bits(s[2])
        worst = max((judged(s)[0], s[1], s[3]) for s in readable)
        if policy.conflict == "most_restrictive" and worst[0] > verdict:
            verdict, rule, sure = worst
            reason = "license_conflict"
    return _row(spdx, bits, verdict, reason, rule, sure, several or (rank == NOTICE_RANK and bool(page)))


def _page(page, owned, elsewhere, policy) -> dict:
    rank, rule, spdx, sure, _ = page[0]
    sure = sure * 0.7 if owned else sure
    verdict, reason = _judge(spdx, sure, elsewhere, policy)
    stated = {s[2] for s in _counting(page)}
    bits = 0
    for other in stated:
        bits |= _bits(other)
    worst = max(_judge(other, sure, elsewhere, policy)[0] for other in stated)
    if policy.conflict == "most_restrictive" and worst > verdict:
        verdict, reason = worst, "license_conflict"
    return _row(spdx, bits, verdict, reason, rule, sure, len(stated) > 1)


def _counting(page: list) -> list:
    """Statements of a page that count: readable ones, and of the rank that decides also others."""
    return [s for s in page if s[2] != NOASSERTION or s[0] == page[0][0]]


def _words(row, page, page_cut, case, policy) -> None:
    text = policy.components.text
    spdx = page[0][2] if page and text.inherit_page else NONE
    by_page = fold(spdx, lambda part: _number(policy.license_verdict(part)), min, max) if spdx != NONE else ALLOW
    row["text_license"] = NOASSERTION if page_cut and text.inherit_page else spdx
    if row["text_license"] not in (NONE, NOASSERTION):
        verdict = by_page
        reason = "text_license_denied" if verdict == DENY else "text_license_review"
        row["obligations"] |= _bits(spdx)
    elif text.unknown == "allow_short_factual":
        verdict, reason = (REVIEW if len(case.text) > text.max_chars else ALLOW), "long_text_without_license"
    else:
        verdict, reason = _number(text.unknown), "text_without_license"
    if by_page >= verdict > ALLOW or by_page > verdict:
        verdict = by_page
        reason = "text_license_denied" if verdict == DENY else "text_license_review"
    if verdict > row["verdict"]:
        row["verdict"], row["reason"] = verdict, reason


def _no_derivatives(row, case, policy) -> None:
    if row["image_bits"] & 8:
        how = policy.adaptation.nd_image
        least = DENY if how == "drop" else URL_ONLY if how == "url_only" or case.changed else ALLOW
        if least > row["verdict"]:
            row["verdict"], row["reason"] = least, "no_derivatives"


def _opt_outs(row, case, policy) -> None:
    rules = policy.reservations
    agents = {agent.lower() for agent in rules.agents}
    heard, deaf = [], False
    for subject in ("page", "image", "sample"):
        said = []
        for kind, rule, usage, decision, value in case.reservations:
            base = rule.removesuffix("_legacy")
            named = {agent.strip().lower() for agent in value.partition(":")[0].split(",")}
            if kind != subject or PROTOCOL_OF[base] not in rules.honor or usage not in rules.usage:
                continue
            if base in BY_AGENT and not named & agents or base != rule and rules.legacy_labels != "reserved":
                continue
            said.append((base, usage, decision))
            deaf |= base.endswith(("_unread", "_unavailable"))
        for rule, usage, decision in said:
            valid = ("reserved", "allowed")
            steps = [TDM_STEPS.index(r) for r, u, d in said if r in TDM_STEPS and u == usage and d in valid]
            superseded = rule in TDM_STEPS and (decision not in valid or TDM_STEPS.index(rule) != max(steps))
            if decision != "unknown" and not superseded:
                heard.append((("reserved", "conditional", "allowed").index(decision), rule))
    if not heard:
        return
    level, rule = min(heard)
    state = ("reserved", "conditional", "allowed")[level]
    row["reservation"] = "unknown" if state == "allowed" and deaf else state
    row["image_verdict"] = max(row["image_verdict"], _by_reservation(state, rules.conditional))
    if state == "reserved" or state == "conditional" and rules.conditional == "reserved":
        row |= {"verdict": DENY, "reason": "reserved", "decided_by": rule, "confidence": 1.0}
    elif state == "conditional" and rules.conditional == "review" and row["verdict"] < REVIEW:
        row |= {"verdict": REVIEW, "reason": "reserved_on_conditions", "decided_by": rule}


def _by_reservation(state: str, conditional: str) -> int:
    if state == "conditional":
        return {"reserved": DENY, "review": REVIEW, "ignored": ALLOW}[conditional]
    return DENY if state == "reserved" else ALLOW
