"""License evidence and opt-outs become one verdict per sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from assets.crawl.stage import MIB, records, segment_files
from assets.provenance.decisions import decision_table, kept_ids
from assets.provenance.tables import TABLES
from assets.rights.agents import agent_names
from assets.rights.confusion import TruthError, agreement, confusion, read_truth
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.licenses import license_table
from assets.rights.policy import Policy, load_policy, policy_table
from assets.rights.removal_lists import read_removal_list
from assets.rights.removals import RemovalError, hits, matches, removed, selector_table, struck_images
from assets.rights.sites import origins_of, read_site_files, site_files, terms_named
from assets.rights.sites import site_evidence as find_site_evidence
from assets.rights.twins import twins as find_twins
from assets.rights.verdict import final_rights, occurrences
from assets.rights.verify import verify_sample
from orchestration import plots, takedowns
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, read_done, stage
from orchestration.verifying import shard_findings
from resources.lake import hash_file, local_path

EVIDENCE = ("license_evidence", "reservation_evidence", "attribution", "site_file", "rsl_reference")
VERIFIED = 100
"""Findings of a shard whose bytes a check reads again."""


def policy_section(recipe: Recipe) -> dict[str, Any]:
    """The policy in force, whole: a changed word in it is a changed input."""
    policy = _policy(recipe)
    return {"policy": policy.body, "policy_sha256": policy.sha256, "own_agent": _own_token(recipe)}


def _policy(recipe: Recipe) -> Policy:
    """The recipe's policy, which heeds what is said to the recipe's own fetcher too."""
    name = recipe.rights.policy
    is_file = name.endswith((".yaml", ".yml"))
    policy = load_policy(str(recipe.locate(name)) if is_file else name)
    return policy.heeding(_own_token(recipe))


def _own_token(recipe: Recipe) -> str:
    return recipe.fetch.robots_token if recipe.fetch is not None else ""


def _agents(recipe: Recipe) -> list[str]:
    """Product tokens that the policy or the recipe names and the list of AI crawlers does not."""
    known = {"*", *agent_names()}
    return sorted({a for a in _policy(recipe).reservations.agents if a.lower() not in known})


def _nothing(recipe: Recipe) -> None:
    return None


def _reading(recipe: Recipe) -> object:
    limits = recipe.crawl.model_dump(include={"max_body_mib"})
    return {**limits, "agents": _agents(recipe), "adapters": sorted(recipe.rights.adapters)}


@stage(
    group="rights",
    tables=EVIDENCE,
    reads=["candidates", "fetch", "crawl"],
    section=_reading,
    code=["assets.rights.evidence"],
    libraries=[
        "fastwarc",
        "selectolax",
        "lxml",
        "license-expression",
        "http-sf",
        "tldextract",
        "brotli",
        "c2pa-python",
    ],
    per_shard=True,
)
def evidence(work: Work) -> Mapping[str, pa.Table]:
    """What pages, headers and files say of licenses and of training: every finding with its rule and byte range."""
    assert work.shard is not None
    sources = Sources(
        local_path(work.crawl_file()),
        work.shard.kind,
        segment_files(work),
        work.config["max_body_mib"] * MIB,
        frozenset(work.config["agents"]),
        tuple(work.config["adapters"]),
    )
    stated = work.read("candidates", "candidate", ["sample_id", "license"])
    stated = stated.filter(stated["license"].is_valid())
    licenses = dict(zip(stated["sample_id"].to_pylist(), stated["license"].to_pylist(), strict=True))
    found = collect_evidence(sources, work.shard.shard_id, records(work), work.read("crawl", "sample"), licenses)
    return {name: getattr(found, name) for name in EVIDENCE}


@stage(group="rights", tables=["site_file"], reads=["evidence"], section=_nothing, code=["assets.rights.sites"])
def sites(work: Work) -> Mapping[str, pa.Table]:
    """robots.txt and its kin from all crawl files: a host's file may lie in another one than its images."""
    return {"site_file": site_files(read_site_files(work.read("evidence", "site_file")))}


@stage(
    group="rights",
    tables=["reservation_evidence"],
    reads=["candidates", "fetch", "crawl", "evidence", "sites"],
    section=_agents,
    code=["assets.rights.sites"],
    libraries=["lxml", "http-sf", "tldextract", "ada-url"],
    per_shard=True,
)
def site_evidence(work: Work) -> Mapping[str, pa.Table]:
    """What robots.txt, ai.txt, TDM reservation files and RSL terms say of each page and image, wherever they were archived."""
    record, sample = records(work), work.read("crawl", "sample")
    referring = work.read("evidence", "rsl_reference")
    stored = ds.dataset([local_path(path) for path in work.paths("sites")])
    ours = pc.field("origin").isin(pa.array(origins_of(record, sample), pa.string()))
    files = read_site_files(stored.to_table(filter=ours))
    named = pc.field("url").isin(pa.array(terms_named(files, record, referring), pa.string()))
    files += read_site_files(stored.to_table(filter=named & (pc.field("kind") == "rsl") & ~ours))
    found = find_site_evidence(files, record, sample, referring, work.config)
    return {"reservation_evidence": found}


@stage(
    group="rights",
    tables=["occurrence"],
    reads=["crawl", "evidence", "site_evidence"],
    section=policy_section,
    code=["assets.rights.verdict"],
    libraries=["license-expression", "tldextract"],
    per_shard=True,
)
def occurrence(work: Work) -> Mapping[str, pa.Table]:
    """Each sample's own license and verdict under the policy, before copies on other pages are looked at."""
    found = {name: work.read("evidence", name) for name in ("license_evidence", "attribution")}
    said = [work.read(step, "reservation_evidence") for step in ("evidence", "site_evidence")]
    policy = Policy.model_validate(work.config["policy"])
    image = work.read("crawl", "image")
    return {
        "occurrence": occurrences(
            crawled(work), image, reservation_evidence=pa.concat_tables(said), **found, policy=policy
        )
    }


@stage(
    group="rights",
    tables=["twin"],
    reads=["crawl", "occurrence"],
    section=_nothing,
    code=["assets.rights.twins"],
)
def twins(work: Work) -> Mapping[str, pa.Table]:
    """Copies of the same bytes on different pages: different stated licenses are a conflict, over all shards."""
    return {"twin": find_twins(work.read("occurrence"), hashes(work))}


@stage(
    group="rights",
    tables=["rights", "decision"],
    reads=["crawl", "occurrence", "twins"],
    section=policy_section,
    code=["assets.rights.verdict"],
    per_shard=True,
)
def rights(work: Work) -> Mapping[str, pa.Table]:
    """One verdict per sample: `allow` and `url_only` go on, `review` and `deny` are dropped before any vector is made."""
    policy = Policy.model_validate(work.config["policy"])
    table, decision = final_rights(work.read("occurrence"), hashes(work), work.read("twins"), policy)
    return {"rights": table, "decision": decision}


def _removal_section(recipe: Recipe) -> object:
    return recipe.removals.model_dump(include={"lists", "twins"})


def _named_now(build: Build, section: dict[str, Any]) -> dict[str, Any]:
    """Lists by their bytes, and the home's takedowns: a new one of either is a new input."""
    lists = []
    for uri in section["lists"]:
        path = build.recipe.locate(uri)
        if not path.exists():
            raise RemovalError(f"{uri}: no such removal list; correct removals.lists in {build.recipe.path}")
        lists.append([uri, hash_file(path)])
    return {"lists": lists, "twins": section["twins"], "takedowns": takedowns.tombstones(build.lake)}


@stage(
    group="rights",
    tables=["selector"],
    section=_removal_section,
    resolve=_named_now,
    code=["assets.rights.removal_lists"],
)
def removal_list(work: Work) -> Mapping[str, pa.Table]:
    """What takedowns and removal lists name: addresses, hosts, hashes, creators; those of takedowns are sealed."""
    config, lake = work.config, work.build.lake
    asked = [takedowns.selectors(lake, [name for name, _ in config["takedowns"]])]
    for uri, _ in config["lists"]:
        rows = read_removal_list(local_path(work.build.recipe.locate(uri)), uri)
        asked.append(selector_table(f"list:{uri}", rows, config["twins"]))
    return {"selector": pa.concat_tables(asked)}


@stage(
    group="rights",
    tables=["removal_match"],
    reads=["crawl", "evidence", "removal_list"],
    section=_nothing,
    code=["assets.rights.removals"],
    libraries=["duckdb"],
    per_shard=True,
)
def removal_matches(work: Work) -> Mapping[str, pa.Table]:
    """Samples that takedowns and removal lists name themselves."""
    selectors = work.read("removal_list")
    if selectors.num_rows == 0:
        return {"removal_match": TABLES["removal_match"].empty()}
    tables = {name: work.read("crawl", name) for name in ("sample", "image")}
    tables["attribution"] = work.read("evidence", "attribution")
    return {"removal_match": matches(selectors, tables, takedowns.secret(work.build.lake))}


@stage(
    group="rights",
    tables=["removal_image"],
    reads=["crawl", "removal_list", "removal_matches"],
    section=_nothing,
    code=["assets.rights.removals"],
    libraries=["duckdb"],
)
def removal_images(work: Work) -> Mapping[str, pa.Table]:
    """Images of those samples, over all shards: their copies go as well, wherever they lie."""
    selectors = work.read("removal_list", columns=["list", "twins"])
    reaching = selectors.filter(selectors["twins"])["list"].unique().to_pylist()
    found = [TABLES["removal_image"].empty()]
    for part in (work.of(shard) for shard in work.shards if reaching):
        named = part.read("removal_matches")
        if named.num_rows:
            found.append(struck_images(named, part.read("crawl", "sample"), part.read("crawl", "image"), reaching))
    return {"removal_image": pa.concat_tables(found)}


def _radius(recipe: Recipe) -> object:
    return recipe.removals.phash_radius


def _show_removals(build: Build) -> dict[str, str]:
    rows = (
        read_done(build, "removals", "hit", ["list", "match"])
        .group_by(["list", "match"])
        .aggregate([([], "count_all")])
    )
    listed = sorted((row["list"], row["match"], row["count_all"]) for row in rows.to_pylist())
    if not listed:
        return {"removals": "No takedown and no removal list reaches a sample."}
    lines = [f"| {name} | {match} | {count} |" for name, match, count in listed[:50]]
    return {"removals": "\n".join(["| list or takedown | match | samples |", "| --- | --- | --- |", *lines])}


@stage(
    group="rights",
    tables=["decision", "hit"],
    reads=["crawl", "rights", "removal_matches", "removal_images"],
    section=_radius,
    code=["assets.rights.removals"],
    libraries=["duckdb"],
    per_shard=True,
    show=_show_removals,
    # A takedown recomputes what it reaches, and not the world: whoever reads this looks at the decisions alone.
    by_content=["decision"],
)
def removals(work: Work) -> Mapping[str, pa.Table]:
    """What takedowns and removal lists take out, copies of the same image included, before any vector is made."""
    came_in = kept_ids(work.read("rights", "decision"))
    named, struck = work.read("removal_matches"), work.read("removal_images")
    if named.num_rows + struck.num_rows == 0:
        everything = decision_table("removals", came_in, np.ones(len(came_in), bool), [None] * len(came_in))
        return {"decision": everything, "hit": TABLES["hit"].empty()}
    found = hits(named, struck, work.read("crawl", "sample"), work.read("crawl", "image"), work.config)
    return {"decision": removed(came_in, found, takedowns.PREFIX), "hit": found}


@stage(
    group="rights",
    tables=["license", "policy"],
    section=policy_section,
    code=["assets.rights.licenses", "assets.rights.policy"],
    libraries=["license-expression"],
)
def licenses(work: Work) -> Mapping[str, pa.Table]:
    """The licenses that Winnow knows, with their obligations, and the policy in force."""
    return {
        "license": license_table(),
        "policy": policy_table(Policy.model_validate(work.config["policy"]), work.config["own_agent"]),
    }


def _truth(recipe: Recipe) -> object:
    """The truth file by its bytes; None where the recipe names none."""
    if recipe.rights.truth is None:
        return None
    path = recipe.locate(recipe.rights.truth)
    if not path.is_file():
        raise TruthError(f"{recipe.rights.truth}: no such truth file; correct rights.truth in {recipe.path}")
    return {"truth": recipe.rights.truth, "sha256": hash_file(path)}


def _show_agreement(build: Build) -> dict[str, str]:
    counted = build.read("rights_agreement")
    if counted.num_rows == 0:
        return {"agreement": "The recipe names no truth file (rights.truth): there is nothing to compare with."}
    shares = agreement(counted)
    told = ", ".join(f"{kind} {100 * share:.2f} %" for kind, share in shares.items() if kind != "missed")
    sentence = f"Right: {told}. Reserved images that were missed: {shares['missed']:.0f}."
    return {"agreement": sentence, "confusion": plots.inline("confusion", plots.confusion(counted))}


@stage(
    group="rights",
    tables=["rights_agreement"],
    reads=["crawl", "evidence", "occurrence"],
    section=_truth,
    code=["assets.rights.confusion"],
    show=_show_agreement,
)
def rights_agreement(work: Work) -> Mapping[str, pa.Table]:
    """Licenses, opt-outs and credits beside what a truth file expects, counted; empty where the recipe names no truth."""
    if work.config is None:
        return {"rights_agreement": TABLES["rights_agreement"].empty()}
    truth = read_truth(local_path(work.build.recipe.locate(work.config["truth"])))
    rights, sample = work.read("occurrence"), work.read("crawl", "sample")
    return {"rights_agreement": confusion(rights, sample, work.read("evidence", "attribution"), truth)}


def crawled(work: Work) -> pa.Table:
    """Samples whose image decoded."""
    sample = work.read("crawl", "sample")
    return sample.filter(pc.is_in(sample["sample_id"], pa.array(kept_ids(work.read("crawl", "decision")))))


def hashes(work: Work) -> pa.Table:
    """sample_id and sha256 of the image, for samples whose image decoded."""
    sample = work.read("crawl", "sample", ["sample_id", "image_id"])
    image = work.read("crawl", "image", ["image_id", "sha256"])
    return sample.join(image, "image_id", join_type="inner").select(["sample_id", "sha256"]).sort_by("sample_id")


@check(site_evidence, "findings_read_back")
def findings_read_back(build: Build) -> tuple[bool, str]:
    """Of each shard some findings, drawn by hash, are read again from the bytes that they name, and say the same."""
    shards = done_shards(build, "candidates", "fetch", "evidence", "site_evidence")
    read = 0
    for shard in shards:
        rows, open_part = shard_findings(build, shard)
        holds, sentence = verify_sample(rows, VERIFIED, open_part, _agents(build.recipe))
        if not holds:
            return False, f"shard {shard.label}: {sentence}"
        read += min(VERIFIED, rows.num_rows - rows["byte_start"].null_count)
    return True, f"{read} findings of {len(shards)} shards read again"


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
