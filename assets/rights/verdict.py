"""Verdicts: from the findings about a sample, its page and its image to what may be done with it.

A license is taken from the most specific statement (rank of its rule). Statements about the image that disagree are a
conflict, and the strictest of them gives the verdict. Any honored opt-out wins over any license. Every step can only
be stricter under a stricter policy; what could not be read never allows. The rules themselves are in `verdict.sql`, so
that a question "what if" asks the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from assets.provenance.decisions import decision_table
from assets.provenance.tables import conform
from assets.rights.addresses import HOST_OF_URL, registrable_domain
from assets.rights.findings import NOTICE_RANK, PAGE_AUTHOR_RANK, RULES, UNREAD_RANK
from assets.rights.policy import Policy
from assets.rights.reservations import PROTOCOL_OF
from assets.rights.terms import policy_relations

RELEASABLE = ("allow", "url_only")
OWNER_DOUBT = 0.7
"""Factor on the confidence of a page's license where the caption names an owner."""


@cache
def rights_sql(name: str) -> str:
    """Statement `verdict`, `twin` or `final`, with this module's numbers in it; `{policy}` is left to the caller."""
    text = Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
    numbers = {"unread": UNREAD_RANK, "notice": NOTICE_RANK, "by_page": PAGE_AUTHOR_RANK, "owner_doubt": OWNER_DOUBT}
    for key, value in numbers.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text.strip()


def occurrences(
    sample: pa.Table,
    image: pa.Table,
    license_evidence: pa.Table,
    reservation_evidence: pa.Table,
    attribution: pa.Table,
    policy: Policy,
    threads: int = 2,
) -> pa.Table:
    """Table `occurrence`: every sample of a shard by its own evidence, before copies elsewhere are looked at.

    Args:
        sample: rows of table `sample` that are to be judged.
        image: table `image` of the shard; samples whose image it lacks are not judged.
        license_evidence, reservation_evidence, attribution: of the same shard.
        policy: in force.
        threads: threads of the join; they do not change the outcome.

    Raises ValueError where evidence names a rule that is not known here: it would be passed over.
    """
    _known(license_evidence, RULES, "license")
    _known(reservation_evidence, {f"{rule}{old}" for rule in PROTOCOL_OF for old in ("", "_legacy")}, "reservation")
    with duckdb.connect(config={"threads": threads}) as connection:
        tables = {
            "sample": sample, "image": image, "license_evidence": license_evidence,
            "reservation_evidence": reservation_evidence, "attribution": attribution,
        }  # fmt: skip
        ids = pc.unique(license_evidence["spdx_id"]).to_pylist()
        for name, table in (tables | policy_relations([policy], ids)).items():
            connection.register(name, table)
        connection.execute(f"CREATE MACRO host(url) AS lower(regexp_extract(url, '{HOST_OF_URL}', 1))")
        connection.register("host_domain", _domains(connection))
        made = connection.execute(rights_sql("verdict").replace("{policy}", "$policy"), {"policy": policy.name})
        return conform("occurrence", made.to_arrow_table())


def _known(evidence: pa.Table, rules: Mapping[str, object] | set[str], kind: str) -> None:
    unknown = sorted(set(pc.unique(evidence["rule"]).to_pylist()) - set(rules))
    if unknown:
        raise ValueError(f"{kind} evidence by rules that nobody knows: {', '.join(unknown)}")


def _domains(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Columns host and domain: registrable domain of every host in the samples."""
    rows = connection.execute(
        "SELECT host(page_url) AS host FROM sample UNION SELECT host(image_url) FROM sample ORDER BY 1"
    ).fetchall()
    hosts = [host for (host,) in rows if host]
    return pa.table({"host": pa.array(hosts, pa.string()), "domain": domains(hosts)})


def domains(hosts: list[str]) -> pa.Array:
    """Registrable domain of each host."""
    return pa.array([registrable_domain(host) for host in hosts], pa.string())


def final_rights(
    occurrence: pa.Table,
    sample_sha256: pa.Table,
    twin: pa.Table,
    policy: Policy | None = None,
    threads: int = 2,
) -> tuple[pa.Table, pa.Table]:
    """Tables `rights` and `decision`: occurrences made stricter where a copy of the same bytes is.

    Args:
        occurrence: of one shard.
        sample_sha256: columns sample_id and sha256 of its samples; samples that it lacks have no copies.
        twin: table `twin` of the whole build.
        policy: in force, for the limit that a doubtful license was held against; without it decisions carry no numbers.
        threads: threads of the join; they do not change the outcome.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("occurrence", occurrence)
        connection.register("sample_sha256", sample_sha256)
        connection.register("twin", twin)
        rights = conform("rights", connection.execute(rights_sql("final")).to_arrow_table())
    return rights, _decisions(rights, policy)


def _decisions(rights: pa.Table, policy: Policy | None) -> pa.Table:
    doubtful = pc.and_(pc.equal(rights["reason"], "low_confidence"), policy is not None)
    nothing = pa.scalar(None, pa.float64())
    limit = nothing if policy is None else pa.scalar(policy.min_confidence, pa.float64())
    return decision_table(
        "rights",
        rights["sample_id"],
        pc.is_in(rights["verdict"], pa.array(RELEASABLE)).to_numpy(),
        rights["reason"].to_pylist(),
        score=pc.if_else(doubtful, rights["confidence"].cast(pa.float64()), nothing).to_numpy(),
        threshold=pc.if_else(doubtful, limit, nothing).to_numpy(),
    )
