"""What a dataset card states: counts over the tables of a build, no opinion and no clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from assets.provenance.tables import STAGES, TABLES
from assets.rights.addresses import HOST_OF_URL, registrable_domain
from assets.rights.combining import REASONS
from assets.rights.policy import MODEL_REFUSALS
from assets.rights.reservations import PROTOCOL_OF

Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]


@dataclass(frozen=True)
class Facts:
    """Counts of one release.

    Attributes:
        samples: samples in the release.
        with_image: those whose image is in it.
        image_bytes: bytes of those images.
        crawled: <img> elements that the build saw.
        funnel: stage, came in, kept, dropped, most frequent reasons.
        sources: source set, host, samples, with image; most samples first.
        licenses: license, address, samples, with image, asks for attribution; most samples first.
        obligations: bit and samples that carry it.
        captions: kind, model, accepted, rejected, skipped, failed, chosen for the release.
        refusals: reason and number of refused or failed fusions.
        agents: name, kind, revision, license, output terms.
        formats: format and samples with image.
        languages: declared language and samples.
        policies: name, hash (hexadecimal).
        crawl_files: uri, bytes, hash (hexadecimal).
        concepts: number of concepts that have samples in the release.
        alt_missing: samples without alt text.
        mean_similarity: mean cosine of image and source text; None without scores.
        conflicts: samples of the release whose license statements conflict.
        credited: samples with a credit line.
        stated: every license of an image, of the words around it or of a caption in the release.
        not_adapted: term by which a text was not put to the language model, and samples.
        caption_bytes: bytes of the captions in UTF-8.
        periods: page or image, first and last day that one of the release was fetched (YYYY-MM-DD), records.
        collections: source set, kind of its files, files, bytes.
        domains: registrable domain of the page, samples, with image, bytes of all their images; largest first.
        drops: stage, reason, samples that it dropped; in the order of stages, most samples first.
        reservations: protocol, findings that reserve, set conditions, allow, are unclear.
        honored: protocols that the policy in force honors.
        agents_heard: agents whose rules it follows.
        usages: usages whose reservation counts under it.
        scorers: scorer, model, samples of the release it scored.
    """

    samples: int
    with_image: int
    image_bytes: int
    crawled: int
    funnel: Rows
    sources: Rows
    licenses: Rows
    obligations: list[tuple[int, int]]
    captions: Rows
    refusals: Rows
    agents: Rows
    formats: Rows
    languages: Rows
    policies: Rows
    crawl_files: Rows
    concepts: int
    alt_missing: int
    mean_similarity: float | None
    conflicts: int
    credited: int
    stated: list[str]
    not_adapted: Rows
    caption_bytes: int
    periods: Rows
    collections: Rows
    domains: Rows
    drops: Rows
    reservations: Rows
    honored: list[str]
    agents_heard: list[str]
    usages: list[str]
    scorers: Rows


READ: dict[str, tuple[str, ...]] = {
    "shard": ("shard_id", "source", "uri", "kind", "sha256", "bytes"),
    "decision": ("stage", "kept", "reason"),
    "rights": ("sample_id", "conflict"),
    "caption": ("sample_id", "kind", "model", "attempt", "status", "reason", "chosen"),
    "agent": ("agent_id", "kind", "name", "revision", "license", "output_terms"),
    "policy": ("name", "sha256", "body", "in_force"),
    "record": ("record_id", "fetched_at"),
    "sample": ("sample_id", "image_record_id"),
    "reservation_evidence": ("rule", "decision"),
}
"""Tables of a build that are counted, with the columns of each."""

ROWS_READ = (
    "sample_id", "status", "url", "page_url", "page_record_id", "alt", "caption", "language", "image_format", "image_bytes",
    "image_license", "license_url", "text_license", "caption_license", "obligations", "attribution", "similarity", "scores",
    "cluster_id",
)  # fmt: skip
"""Columns of a release's rows that are counted."""


def gather(rows: pa.Table, tables: Mapping[str, pa.Table], threads: int = 2) -> Facts:
    """Count what a card states.

    Args:
        rows: rows of the release, as `assemble` made them.
        tables: tables of READ by name, with those columns at least; `decision` with the rows of all stages, the
            release's own too. A table left out counts as empty.
        threads: threads of the counting.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        for name, columns in READ.items():
            connection.register(name, tables.get(name, TABLES[name].empty()).select(list(columns)))
        connection.register("released", rows.select(list(ROWS_READ)))
        order = pa.table({"stage": list(STAGES), "position": pa.array(range(len(STAGES)), pa.int64())})
        connection.register("stage_order", order)

        def ask(query: str) -> Rows:
            return connection.execute(query).fetchall()

        totals = ask(_TOTALS)[0]
        obligations = ask("SELECT obligations, count(*) FROM released GROUP BY ALL ORDER BY ALL")
        funnel = ask(_FUNNEL)
        return Facts(
            **_acquired(ask),
            **_reserved(ask),
            samples=totals[0],
            with_image=totals[1],
            image_bytes=totals[2],
            concepts=totals[3],
            alt_missing=totals[4],
            mean_similarity=totals[5],
            credited=totals[6],
            caption_bytes=totals[7],
            crawled=funnel[0][1] if funnel else 0,
            funnel=funnel,
            sources=ask(_SOURCES),
            licenses=ask(_LICENSES),
            obligations=_bits(obligations),
            captions=ask(_CAPTIONS),
            refusals=ask(_REFUSALS),
            stated=[license for (license,) in ask(_STATED)],
            not_adapted=ask(_NOT_ADAPTED),
            agents=ask("SELECT name, kind, revision, license, output_terms FROM agent ORDER BY kind, agent_id"),
            formats=ask(_FORMATS),
            languages=ask("SELECT language, count(*) n FROM released GROUP BY ALL ORDER BY n DESC, language"),
            policies=ask("SELECT name, lower(hex(sha256)) FROM policy WHERE in_force ORDER BY name"),
            crawl_files=ask("SELECT uri, bytes, lower(hex(sha256)) FROM shard ORDER BY shard_id"),
            conflicts=ask("SELECT count(*) FROM rights SEMI JOIN released USING (sample_id) WHERE conflict")[0][0],
        )


def _acquired(ask: Ask) -> dict[str, Any]:
    """Where and when the content was collected, and what was taken out of it or added to it."""
    return {
        "periods": ask(_PERIODS),
        "collections": ask(_COLLECTIONS),
        "domains": _domains(ask(_HOSTS)),
        "drops": ask(_DROPS),
        "scorers": ask(_SCORERS),
    }


def _reserved(ask: Ask) -> dict[str, Any]:
    """Opt-outs that were found, and those that the policy in force honors."""
    found: Counter[tuple[str, str]] = Counter()
    for rule, decision, findings in ask(
        "SELECT rule, decision, count(*) FROM reservation_evidence GROUP BY ALL ORDER BY ALL"
    ):
        protocol = str(PROTOCOL_OF.get(rule) or PROTOCOL_OF.get(rule.removesuffix("_legacy"), rule))
        found[protocol, decision] += findings
    decisions = ("reserved", "conditional", "allowed", "unknown")
    protocols = sorted({protocol for protocol, _ in found})
    bodies = ask("SELECT body FROM policy WHERE in_force ORDER BY name LIMIT 1")
    heard = json.loads(bodies[0][0])["reservations"] if bodies else {}
    return {
        "reservations": [(name, *(found[name, decision] for decision in decisions)) for name in protocols],
        "honored": list(heard.get("honor", [])),
        "agents_heard": list(heard.get("agents", [])),
        "usages": list(heard.get("usage", [])),
    }


def _domains(hosts: Rows) -> Rows:
    """Samples and bytes by registrable domain, largest first; what has none keeps its host."""
    sums: dict[str, list[int]] = {}
    for host, *counts in hosts:
        domain = registrable_domain(host) or host if host else ""
        sums[domain] = [before + more for before, more in zip(sums.get(domain, [0, 0, 0]), counts, strict=True)]
    return sorted(((domain, *counts) for domain, counts in sums.items()), key=lambda row: (-row[3], row[0]))


def _bits(counted: Rows) -> list[tuple[int, int]]:
    """Samples per obligation bit."""
    found: dict[int, int] = {}
    for bits, samples in counted:
        for bit in (1 << place for place in range(16)):
            if bits & bit:
                found[bit] = found.get(bit, 0) + samples
    return sorted(found.items())


_TOTALS = """SELECT count(*), count(*) FILTER (status = 'success'),
    coalesce(sum(image_bytes) FILTER (status = 'success'), 0)::BIGINT, count(DISTINCT cluster_id),
    count(*) FILTER (alt IS NULL OR trim(alt) = ''), avg(TRY_CAST(similarity AS DECIMAL(9, 6))), count(attribution),
    coalesce(sum(strlen(caption)), 0)::BIGINT
FROM released"""
_FUNNEL = """WITH counted AS (SELECT stage, kept, reason, count(*) AS n FROM decision GROUP BY ALL)
SELECT stage, sum(n)::BIGINT, coalesce(sum(n) FILTER (kept), 0)::BIGINT, coalesce(sum(n) FILTER (NOT kept), 0)::BIGINT,
    array_to_string((list(concat(reason, ' ', n) ORDER BY n DESC, reason) FILTER (NOT kept))[:5], ', ')
FROM counted JOIN stage_order USING (stage) GROUP BY stage, position ORDER BY position"""
_SOURCES = r"""SELECT h.source,
    lower(regexp_extract(coalesce(page_url, url), '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)', 1)) AS host,
    count(*) AS n, count(*) FILTER (r.status = 'success')
FROM released r LEFT JOIN shard h ON h.shard_id = r.sample_id >> 32 GROUP BY ALL ORDER BY n DESC, host, h.source"""
_LICENSES = """SELECT image_license, min(license_url), count(*) AS n, count(*) FILTER (status = 'success'),
    CASE WHEN bool_or((obligations & 1) = 1) THEN 'yes' ELSE 'no' END
FROM released GROUP BY image_license ORDER BY n DESC, image_license"""
_CAPTIONS = """SELECT c.kind, c.model, count(*) FILTER (c.status = 'ok'), count(*) FILTER (c.status = 'rejected'),
    count(*) FILTER (c.status = 'skipped'), count(*) FILTER (c.status = 'failed'),
    count(r.sample_id) FILTER (c.chosen)
FROM (
    SELECT * FROM caption QUALIFY kind <> 'fused' OR attempt = max(attempt) OVER (PARTITION BY sample_id, kind)
) c LEFT JOIN released r USING (sample_id) GROUP BY ALL ORDER BY c.kind, c.model"""
_REFUSALS = """SELECT coalesce(reason, status), count(*) AS n FROM (
    SELECT * FROM caption WHERE kind = 'fused' QUALIFY attempt = max(attempt) OVER (PARTITION BY sample_id)
) WHERE status IN ('rejected', 'failed') GROUP BY ALL ORDER BY n DESC, 1"""
_STATED = """SELECT license FROM (SELECT DISTINCT unnest([image_license, text_license, caption_license]) AS license FROM released)
WHERE license NOT IN ('NONE', 'NOASSERTION') ORDER BY license"""
_NOT_ADAPTED = f"""SELECT reason, count(*) AS n FROM caption
WHERE kind = 'fused' AND status = 'skipped' AND reason IN {(*REASONS, *MODEL_REFUSALS)} GROUP BY ALL ORDER BY n DESC, 1"""
_FORMATS = """SELECT image_format, count(*) AS n FROM released
WHERE status = 'success' GROUP BY ALL ORDER BY n DESC, 1"""
_DAY = "strftime(make_timestamp(epoch_us({0}(fetched_at))), '%Y-%m-%d')"
_PERIODS = f"""SELECT kind, {_DAY.format("min")}, {_DAY.format("max")}, count(*) FROM (
    SELECT 'page' AS kind, page_record_id AS record_id FROM released
    UNION SELECT 'image', image_record_id FROM sample SEMI JOIN released USING (sample_id)
) JOIN record USING (record_id) WHERE fetched_at IS NOT NULL GROUP BY kind ORDER BY kind DESC"""
_COLLECTIONS = """SELECT source, kind, count(DISTINCT uri), coalesce(sum(bytes), 0)::BIGINT
FROM (SELECT DISTINCT source, kind, uri, bytes FROM shard) GROUP BY ALL ORDER BY source, kind"""
_HOSTS = f"""SELECT lower(regexp_extract(coalesce(page_url, url), '{HOST_OF_URL.replace("'", "''")}', 1)) AS host, count(*),
    count(*) FILTER (status = 'success'), coalesce(sum(image_bytes), 0)::BIGINT
FROM released GROUP BY ALL ORDER BY host"""
_DROPS = """SELECT stage, coalesce(reason, ''), count(*) AS n FROM decision JOIN stage_order USING (stage)
WHERE NOT kept GROUP BY stage, position, reason ORDER BY position, n DESC, reason"""
_SCORERS = """SELECT score.scorer, score.model, count(*) FROM (SELECT unnest(scores) AS score FROM released)
GROUP BY ALL ORDER BY ALL"""
