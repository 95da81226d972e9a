"""License evidence and opt-outs become one verdict per sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.stage import MIB, records, segment_files
from assets.provenance.decisions import kept_ids
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.licenses import license_table
from assets.rights.policy import Policy, load_policy
from assets.rights.twins import twins as find_twins
from assets.rights.verdict import final_rights, occurrences
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.lake import local_path

EVIDENCE = ("license_evidence", "reservation_evidence", "attribution")


def _policy(recipe: Recipe) -> dict[str, Any]:
    """The policy in force, whole: a changed word in it is a changed input."""
    name = recipe.rights.policy
    is_file = name.endswith((".yaml", ".yml"))
    policy = load_policy(str(recipe.locate(name)) if is_file else name)
    return {"policy": policy.body, "policy_sha256": policy.sha256}


def _nothing(recipe: Recipe) -> None:
    return None


def _limits(recipe: Recipe) -> object:
    return recipe.crawl.model_dump(include={"max_body_mib"})


@stage(
    group="rights",
    tables=EVIDENCE,
    reads=["candidates", "fetch", "crawl"],
    section=_limits,
    code=["assets.rights.evidence"],
    libraries=["fastwarc", "selectolax", "lxml", "license-expression", "http-sf", "tldextract"],
    per_shard=True,
)
def evidence(work: Work) -> Mapping[str, pa.Table]:
    """What pages, headers, files and robots.txt say of licenses and of training: every finding with rule and byte range."""
    assert work.shard is not None
    sources = Sources(
        local_path(work.crawl_file()), work.shard.kind, segment_files(work), work.config["max_body_mib"] * MIB
    )
    stated = work.read("candidates", "candidate", ["sample_id", "license"])
    stated = stated.filter(stated["license"].is_valid())
    licenses = dict(zip(stated["sample_id"].to_pylist(), stated["license"].to_pylist(), strict=True))
    found = collect_evidence(sources, work.shard.shard_id, records(work), work.read("crawl", "sample"), licenses)
    return {name: getattr(found, name) for name in EVIDENCE}


@stage(
    group="rights",
    tables=["occurrence"],
    reads=["crawl", "evidence"],
    section=_policy,
    code=["assets.rights.verdict"],
    libraries=["license-expression", "tldextract"],
    per_shard=True,
)
def occurrence(work: Work) -> Mapping[str, pa.Table]:
    """Each sample's own license and verdict under the policy, before copies on other pages are looked at."""
    found = {name: work.read("evidence", name) for name in EVIDENCE}
    policy = Policy.model_validate(work.config["policy"])
    return {"occurrence": occurrences(crawled(work), work.read("crawl", "image"), **found, policy=policy)}


@stage(
    group="rights",
    tables=["twin"],
    reads=["crawl", "occurrence"],
    section=_nothing,
    code=["assets.rights.twins"],
)
def twins(work: Work) -> Mapping[str, pa.Table]:
    """Copies of the same bytes on different pages: different stated licenses are a conflict, over all shards."""
    return {"twin": find_twins(work.read("occurrence").join(hashes(work), "sample_id"))}


@stage(
    group="rights",
    tables=["rights", "decision"],
    reads=["crawl", "occurrence", "twins"],
    section=_policy,
    code=["assets.rights.verdict"],
    per_shard=True,
)
def rights(work: Work) -> Mapping[str, pa.Table]:
    """One verdict per sample: `allow` and `url_only` go on, `review` and `deny` are dropped before any vector is made."""
    policy = Policy.model_validate(work.config["policy"])
    table, decision = final_rights(work.read("occurrence"), hashes(work), work.read("twins"), policy)
    return {"rights": table, "decision": decision}


@stage(
    group="rights",
    tables=["license", "policy"],
    section=_policy,
    code=["assets.rights.licenses", "assets.rights.policy"],
)
def licenses(work: Work) -> Mapping[str, pa.Table]:
    """The licenses that Winnow knows, with their obligations, and the policy in force."""
    return {"license": license_table(), "policy": Policy.model_validate(work.config["policy"]).table()}


def crawled(work: Work) -> pa.Table:
    """Samples whose image decoded."""
    sample = work.read("crawl", "sample")
    return sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("crawl", "decision")))))


def hashes(work: Work) -> pa.Table:
    """sample_id and sha256 of the image, for samples whose image decoded."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id"])
    image = work.read("crawl", "image", ["image_id", "sha256"])
    return sample.join(image, "image_id", join_type="inner").select(["sample_id", "sha256"]).sort_by("sample_id")


@check(rights, "one_rights_row_per_sample")
def one_rights_row_per_sample(build: Build) -> tuple[bool, str]:
    """Every sample whose image decoded has exactly one row of rights, and a decision that agrees with its verdict."""
    rows = 0
    for shard in done_shards(build, "crawl", "rights"):
        kept = kept_ids(build.read("crawl", "decision", shard=shard)).tolist()
        table = build.read("rights", "rights", ["sample_id", "verdict"], shard)
        if sorted(table["sample_id"].to_pylist()) != kept:
            return False, f"shard {shard.label}: {len(kept)} samples, {table.num_rows} rows of rights"
        passing = table.filter(pc.is_in(table["verdict"], pa.array(["allow", "url_only"])))["sample_id"].to_pylist()
        if sorted(passing) != kept_ids(build.read("rights", "decision", shard=shard)).tolist():
            return False, f"shard {shard.label}: decisions do not agree with verdicts"
        rows += table.num_rows
    return True, f"{rows} samples, {rows} rows of rights"
