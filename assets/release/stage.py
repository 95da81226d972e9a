"""Training shards, card and attribution: what leaves the house."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from assets.crawl.bodies import body_reader
from assets.crawl.stage import MIB, records, segment_files
from assets.dedup.report import decided, dedup_pictures
from assets.embeddings.stage import image_reader
from assets.provenance.decisions import funnel_counts, kept_ids
from assets.provenance.tables import TABLES
from assets.prune.report import chosen_concepts, concept_pictures, concept_sheet, sheet_png
from assets.release.attribution import attribution_csv
from assets.release.card import Imprint
from assets.release.checks import release_reads_back, released_samples_are_allowed
from assets.release.documents import write_documents
from assets.release.eu_summary import Crawler
from assets.release.pages import document_parts, every_sample_is_placed, page_words
from assets.release.papers import Papers, write_papers
from assets.release.rows import assemble
from assets.release.shards import ReleaseSettings, write_release
from assets.rights.policy import Policy
from assets.rights.stage import policy_section
from orchestration import plots
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, done_shards, stage
from resources.lake import local_path

DECIDING = (
    "crawl",
    "rights",
    "removals",
    "pool",
    "embeddings",
    "agreement",
    "dedup",
    "diversify",
    "decontaminate",
    "selection",
    "captions",
)

WEAK_ENCODER = (
    "Vectors come from the embedded encoder, whose projection was trained on 2,867 drawings: its image-text score orders"
    " pairs coarsely and is no quality filter, and it knows photographs and languages other than English hardly at all."
)
WEAK_TAGS = (
    "Synthetic captions are zero-shot tags of that encoder. In a reading of 20 photographs about 8 were right; wrong tags"
    " score as high as right ones."
)
WEAK_FUSION = (
    "Fused captions come from a language model of 135 million parameters. Gates refuse what they can recognize as wrong;"
    " what they let through was not read by a person."
)


def _section(recipe: Recipe) -> object:
    return {
        **recipe.release.model_dump(),
        "encoder": recipe.embeddings.kind,
        "fusion": recipe.captions.fusion.kind,
        "max_fusions": recipe.captions.fusion.max_fusions,
        "crawlers": [*(crawler.model_dump() for crawler in recipe.release.crawlers), *_own_crawler(recipe)],
    }


def _own_crawler(recipe: Recipe) -> list[dict[str, str | None]]:
    """The recipe's own fetcher, for the public summary."""
    fetch = recipe.fetch
    if fetch is None:
        return []
    obeys = (
        "obeys robots.txt (RFC 9309)" if fetch.robots else "does not look at robots.txt, which is for own hosts alone"
    )
    behavior = (
        f"It {obeys}, takes no answer that X-Robots-Tag reserves, sends at most {fetch.per_domain} requests at a time to one "
        f"registrable domain with {fetch.delay:g} seconds between them, and passes no paywall, login or captcha."
    )
    name = fetch.user_agent or fetch.robots_token
    return [{"name": name, "operator": fetch.contact, "purpose": "images that crawl files name and do not hold",
             "behavior": behavior}]  # fmt: skip


def release_folder(build: Build) -> UPath:
    """Where the build's release lies: name, version and fingerprint, so a release is never written over."""
    settings = build.recipe.release
    fingerprint = build.fingerprint(build.steps["release"], None)
    return build.lake.home / "releases" / f"{settings.name}-{settings.version}-{fingerprint[:12]}"


def _show(build: Build) -> dict[str, str]:
    """The card without its header, and each of its pictures, whose files Dagster cannot reach, by itself."""
    folder = release_folder(build)
    card = (folder / "README.md").read_text(encoding="utf-8")
    text = card.partition("\n---\n")[2] if card.startswith("---\n") else card
    figures = sorted(folder.glob("figure-*.png"), key=lambda path: path.name)
    shown = {path.stem.removeprefix("figure-").replace("-", " "): path.read_bytes() for path in figures}
    return {
        "card": text.partition("\n## Pictures\n")[0],
        **{title: plots.inline(title, png) for title, png in shown.items()},
    }


DOCUMENT_READS = ("candidates", "fetch", "crawl", "evidence", "rights", "captions")


def _documents(recipe: Recipe) -> object:
    """Limits and policy of the pages that are read again; None where the release has no documents."""
    if not recipe.release.documents:
        return None
    limits = recipe.crawl.model_dump(include={"max_body_mib", "max_page_mib"})
    return {**limits, **policy_section(recipe)}


@stage(
    group="release",
    tables=["document", "document_left_out"],
    reads=DOCUMENT_READS,
    section=_documents,
    when=dict.fromkeys(DOCUMENT_READS, bool),
    code=["assets.release.pages", "assets.crawl.bodies"],
    libraries=["fastwarc", "selectolax", "brotli", "py3langid", "license-expression"],
    per_shard=True,
)
def documents(work: Work) -> Mapping[str, pa.Table]:
    """Pages with released images as documents: their texts and images in order, where their words may be passed on.

    Empty unless the recipe asks for documents (release.documents). A page, an image or a text that is in no document is
    a row with its reason.
    """
    tables = ("document", "document_left_out")
    if work.config is None:
        return {name: TABLES[name].empty() for name in tables}
    assert work.shard is not None
    released = kept_ids(work.read_own("captions", "decision"))
    sample = work.read("crawl", "sample", ["sample_id", "page_record_id", "position"])
    ours = sample.filter(pc.is_in(sample["sample_id"], pa.array(released)))
    record = records(work)
    policy = Policy.model_validate(work.config["policy"])
    made = document_parts(
        ours,
        released,
        page_words(ours, work.read("rights", "rights"), work.read("evidence", "license_evidence"), policy),
        dict(zip(record["record_id"].to_pylist(), record["charset"].to_pylist(), strict=True)),
        body_reader(
            work.shard.kind, local_path(work.crawl_file()), segment_files(work), record,
            work.config["max_body_mib"] * MIB,
        ),
        work.config["max_page_mib"] * MIB,
    )  # fmt: skip
    return dict(zip(tables, (made.document, made.left_out), strict=True))


@check(documents, "every_released_sample_is_placed")
def every_released_sample_is_placed(build: Build) -> tuple[bool, str]:
    """Each sample that stays is an image of a document, or is left out with a reason."""
    if not build.recipe.release.documents:
        return True, "the recipe asks for no documents"
    for shard in done_shards(build, "captions", "documents"):
        document, left = (build.read("documents", name, shard=shard) for name in ("document", "document_left_out"))
        ids = kept_ids(build.read("captions", "decision", shard=shard))
        ids = ids[ids >> 32 == shard.shard_id]
        holds, sentence = every_sample_is_placed(document, left, len(ids))
        if not holds:
            return False, f"shard {shard.label}: {sentence}"
    return True, "all of them"


@stage(
    group="release",
    tables=["release_member", "decision"],
    reads=[
        "shards",
        "candidates",
        "fetch",
        "crawl",
        "evidence",
        "site_evidence",
        "rights",
        "removals",
        "licenses",
        "scores",
        "pool",
        "embeddings",
        "agreement",
        "dedup",
        "diversify",
        "decontaminate",
        "membership",
        "concepts",
        "selection",
        "captions",
        "caption_targets",
        "agents",
        "documents",
    ],  # fmt: skip
    section=_section,
    when={"documents": lambda config: config["documents"]},
    code=[
        "assets.release.shards",
        "assets.release.documents",
        "assets.release.papers",
        "assets.release.rows",
        "assets.prune.report",
        "assets.dedup.report",
        "orchestration.plots",
    ],
    libraries=["duckdb", "pyarrow", "numpy", "matplotlib", "pillow"],
    folder=release_folder,
    kinds={"parquet", "webdataset"},
    show=_show,
)
def release(work: Work) -> Mapping[str, pa.Table]:
    """WebDataset shards with Parquet side files, id list, card, attribution and checksums; immutable once published.

    Samples that may be named but not copied (`url_only`) are rows without bytes, in files of their own.
    """
    folder = release_folder(work.build)
    settings = ReleaseSettings(
        folder.name, work.config["name"], work.config["version"], work.config["samples_per_shard"]
    )
    tables = {
        "sample": work.read("crawl", "sample"),
        "image": work.read("crawl", "image"),
        "rights": work.read("rights", "rights"),
        "license": work.read("licenses", "license"),
        "policy": work.read("licenses", "policy"),
        "record": pa.concat_tables(
            [work.read(step, "record", ["record_id", "fetched_at"]) for step in ("candidates", "fetch")]
        ),
        "reservation_evidence": pa.concat_tables(
            [work.read(step, "reservation_evidence") for step in ("evidence", "site_evidence")]
        ),
        "caption": work.read("captions", "caption"),
        "score": pa.concat_tables([work.read(step, "score") for step in ("scores", "pool", "embeddings")]),
        "attribution": work.read("evidence", "attribution"),
        "cluster_member": work.read("membership"),
        "agent": work.read("agents"),
        "shard": work.read("shards"),
    }
    tables["caption_target"] = work.read("caption_targets")
    full = work.config["profile"] == "full"
    assembled = assemble(kept_ids(work.read("captions", "decision")), tables, bytes_too=full)
    earlier = [work.read(step, "decision") for step in DECIDING]
    tables["decision"] = pa.concat_tables([*earlier, assembled.decision])
    papers = Papers(
        _notes(work),
        dict(_pictures(work, tables["decision"], assembled.rows)),
        steps_behind(work),
        imprint=Imprint(**work.config["imprint"]),
        crawlers=[Crawler(**crawler) for crawler in work.config["crawlers"]],
    )
    with work.build.lake.new_folder(folder) as partial:
        written = write_release(assembled.rows, image_reader(work), local_path(partial), settings)
        files = written.files
        if work.config["documents"]:
            parts = work.read("documents", "document")
            files = files + write_documents(
                parts, assembled.rows, written.members, local_path(partial), tables["attribution"]
            )
        credits = attribution_csv(assembled.rows, written.members)
        write_papers(
            local_path(partial), assembled.rows, files, credits, lambda name, _: tables[name], settings, papers
        )
    return {"release_member": written.members, "decision": assembled.decision}


def steps_behind(work: Work) -> list[tuple[str, str]]:
    """Name and code version of every step that the release comes from, in the order of the steps."""
    build, waiting, found = work.build, [work.step.name], set()
    while waiting:
        step = build.steps[waiting.pop()]
        found.add(step.name)
        waiting += [name for name in step.inputs(build.config(step)) if name not in found]
    return [(name, step.code_version()) for name, step in build.steps.items() if name in found]


def _pictures(work: Work, decision: pa.Table, rows: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Pictures of the card: the funnel, concepts and quotas, near-duplicates; samples only as rights allow."""
    credited = set(rows["sample_id"].to_pylist())
    yield "Funnel", plots.funnel(*funnel_counts([decision.select(["stage", "kept"])]))
    cluster = work.read("concepts", "cluster")
    yield from concept_pictures(cluster).items()
    yield "kept and dropped", sheet_png(concept_sheet(work.build, chosen_concepts(cluster), credited=credited))
    _, near = decided(work.build)
    if len(near):
        yield from dedup_pictures(work.build, near, credited=credited).items()


def _notes(work: Work) -> list[str]:
    """What the recipe's models are known to be bad at."""
    notes = [WEAK_ENCODER, WEAK_TAGS] if work.config["encoder"] == "embedded" else []
    if work.config["fusion"] == "embedded":
        notes.append(WEAK_FUSION)
    if work.config["fusion"] != "none" and work.config["max_fusions"] is not None:
        notes.append(
            f"The recipe asks for at most {work.config['max_fusions']} fusions; the other samples carry a fallback."
        )
    return notes


@check(release, "one_rights_row_per_released_sample")
def one_rights_row_per_released_sample(build: Build) -> tuple[bool, str]:
    """Every released sample has exactly one rights row, is not reserved, and is released as its verdict says."""
    members, rights = build.read("release", "release_member"), build.read("rights", "rights")
    return released_samples_are_allowed(members, rights, build.recipe.release.profile == "full")


@check(release, "release_reads_back")
def the_release_reads_back(build: Build) -> tuple[bool, str]:
    """Every file of the release has the hash that its checksums say."""
    return release_reads_back(local_path(release_folder(build)))
