"""The dataset card: README.md for hubs, card.html for people, from the same counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from assets.release.documents import FILES, PREFIX
from assets.release.facts import Facts
from assets.release.markup import Block, Code, Grid, Items, Picture, Section, Text, markdown, page
from assets.release.shards import ReleaseFile, ReleaseSettings

SHOWN_AS = (
    "Single samples are shown only where the policy lets their bytes be passed on and their license lets them be adapted, "
    "and, if it asks for credit, where ATTRIBUTION.csv gives it; the others are empty frames that say why."
)
SHOWN = 25
"""Rows of a long table that the card shows; the rest is counted."""

READABLE = {"JPEG", "MPO", "PNG", "WEBP"}
"""Formats that common image-text loaders pick out of a tar by extension."""

OBLIGATIONS = {
    1: "attribution", 2: "share-alike", 4: "non-commercial", 8: "no derivatives", 16: "include license text",
    32: "indicate changes", 64: "model-name clause", 128: "use restrictions passed on", 256: "no competing training",
    512: "research only", 1024: "database right", 2048: "credit removed on request",
}  # fmt: skip


@dataclass(frozen=True)
class Imprint:
    """Who publishes a release, and where; None where nobody said.

    Attributes:
        creator: person or organization that made it.
        publisher: person or organization that publishes it, where that is somebody else.
        contact: address for questions, complaints and requests to take something out.
        url: where it is, or will be, published.
        identifier: persistent identifier, e.g. a DOI as an address.
        published: day, YYYY-MM-DD.
    """

    creator: str | None = None
    publisher: str | None = None
    contact: str | None = None
    url: str | None = None
    identifier: str | None = None
    published: str | None = None


@dataclass(frozen=True)
class History:
    """How a release came about from an earlier one.

    Attributes:
        supersedes: id of the release that it takes the place of.
        taken_out: samples of that one that are not in this one.
        mode: `subtract` (the same release without those samples) or `rebuild` (the build ran again without them).
        added: samples of this one that are not in the earlier one; None where nobody counted.
    """

    supersedes: str
    taken_out: int
    mode: str
    added: int | None = None


NOBODY = Imprint()


def readme(
    facts: Facts,
    settings: ReleaseSettings,
    files: Sequence[ReleaseFile],
    notes: Sequence[str] = (),
    plots: Mapping[str, bytes] | None = None,
    history: History | None = None,
    imprint: Imprint = NOBODY,
) -> str:
    """README.md: a header that dataset hubs read, then the card in Markdown.

    Args:
        facts: counts over the build.
        settings: name, version and id.
        files: data files of the release, with their hashes.
        notes: further known limits in whole sentences, e.g. about the models of the recipe.
        plots: PNG files by title; `figure_files` names the files beside README.md that must hold them.
        history: the earlier release that this one takes the place of.
        imprint: who publishes it, and where.
    """
    sections = [*_sections(facts, settings, files, notes, history, imprint), *_pictures(plots or {})]
    return _header(facts, settings, files) + markdown(_title(settings), _lead(facts, settings), sections)


def card_html(
    facts: Facts,
    settings: ReleaseSettings,
    files: Sequence[ReleaseFile],
    notes: Sequence[str] = (),
    plots: Mapping[str, bytes] | None = None,
    history: History | None = None,
    imprint: Imprint = NOBODY,
) -> str:
    """card.html: the same card as one page without scripts; `plots` are PNG files by title, whose bytes it holds."""
    sections = [*_pictures(plots or {}), *_sections(facts, settings, files, notes, history, imprint)]
    return page(_title(settings), _lead(facts, settings), sections)


def figure_files(plots: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pictures as files beside the card, by name."""
    return {_file_name(title): png for title, png in plots.items()}


def _file_name(title: str) -> str:
    return f"figure-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.png"


def _pictures(plots: Mapping[str, bytes]) -> list[Section]:
    pictures: list[Block] = [Picture(title, png, _file_name(title)) for title, png in plots.items()]
    pictures += [Text(SHOWN_AS)] if len(pictures) > 1 else []
    return [Section("Pictures", pictures)] if pictures else []


def _title(settings: ReleaseSettings) -> str:
    return f"{settings.name} {settings.version}"


def _lead(facts: Facts, settings: ReleaseSettings) -> str:
    return (
        f"{facts.samples:,} image-text pairs from a web crawl, {facts.with_image:,} with their image and "
        f"{facts.samples - facts.with_image:,} by address only, chosen from {facts.crawled:,} image references. "
        f"Release {settings.release_id}. Every pair has its license, where one was stated, the decisions that kept it "
        "and the model that wrote its caption."
    )


def _header(facts: Facts, settings: ReleaseSettings, files: Sequence[ReleaseFile]) -> str:
    """YAML that hubs read. Values are written as JSON, which is YAML and cannot be broken out of."""
    size = next((name for limit, name in _SIZES if facts.samples < limit), "n>1B")
    values = {
        "pretty_name": f"{settings.name} {settings.version}",
        "license": "other",
        "license_name": "per-sample",
        "license_details": "each sample has its own license, in column image_license; see ATTRIBUTION.csv",
        "task_categories": ["image-to-text", "zero-shot-image-classification"],
        "size_categories": [size],
        "configs": [
            {"config_name": "default", "data_files": "[0-9]*.parquet"},
            {"config_name": "urls", "data_files": "urls-*.parquet"},
            *([{"config_name": "documents", "data_files": FILES}] if with_documents(files) else []),
        ],
    }
    lines = "".join(f"{name}: {json.dumps(value, ensure_ascii=True)}\n" for name, value in values.items())
    return f"---\n{lines}---\n\n"


_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"),
)  # fmt: skip


def _sections(
    facts: Facts,
    settings: ReleaseSettings,
    files: Sequence[ReleaseFile],
    notes: Sequence[str],
    history: History | None,
    imprint: Imprint,
) -> list[Section]:
    return [
        Section("Earlier release", [Text(history_sentence(history))] if history else []),
        Section("Intended uses", [Items(uses(facts))]),
        Section("Out of scope", [Items(misuses(facts))]),
        Section("Funnel", _funnel(facts)),
        Section("Sources", _sources(facts)),
        Section("Licenses", _licenses(facts)),
        Section("Captions", _captions(facts)),
        Section("Models", _models(facts)),
        Section("Policy", _policy(facts)),
        Section("Known limits", [Items(limits(facts, notes))]),
        Section("Files and how to load them", _loading(facts, files)),
        Section("Checksums", _checksums(files)),
        Section("Find, access, combine, reuse", [Items(_fair(facts, settings, imprint))]),
    ]


def history_sentence(history: History) -> str:
    """Which release this one takes the place of, and what became of its samples."""
    went = f"{_count(history.taken_out, 'sample')} of it {'is' if history.taken_out == 1 else 'are'} not in this one"
    how = {
        "subtract": "The rest is the same: files that held none of them are the same bytes, the others were written anew.",
        "rebuild": "The build ran again without them, so quotas were filled anew and other samples may have come in.",
    }.get(history.mode, f"How: {history.mode}.")
    came = "" if history.added is None else f" {_count(history.added, 'sample')} came in."
    return f"This release supersedes {history.supersedes}: {went}. {how}{came} Whoever holds the earlier one should change to this."


def uses(facts: Facts) -> list[str]:
    """What the release was built for, and under which rules; no promise that it is good at it."""
    built = ["Built for training and studying models of images and texts: contrastive encoders, captioners, retrieval."]
    if facts.honored:
        built.append(
            f"Opt-outs were heard for these uses: {', '.join(facts.usages)}. For another use they may say something else."
        )
    return built


def misuses(facts: Facts) -> list[str]:
    """What it was not built for, as far as its own numbers say so."""
    found = [
        "Not for telling who somebody is, or anything private of them: nobody in the pictures was asked by this build.",
        "Not as ground truth: texts come from pages or models, and no person checked them against the pictures.",
        "Not as a sample of the web or of the world: filters, licenses and opt-outs decided what is in it.",
    ]
    bits = dict(facts.obligations)
    if bits.get(4):
        found.append(
            f"Not as a whole for commercial use: {_count(bits[4], 'sample')} under a license without it; column "
            "obligations tells them."
        )
    if bits.get(8):
        found.append(
            f"Not as a whole for passing on changed copies: {_count(bits[8], 'sample')} under a license that forbids it."
        )
    return found


def _funnel(facts: Facts) -> list[Block]:
    columns = ["stage", "came in", "kept", "dropped", "most frequent reasons"]
    return [Grid(columns, facts.funnel), Text("At every stage, kept and dropped add up to what came in.")]


def _sources(facts: Facts) -> list[Block]:
    shown: list[Block] = [Grid(["source set", "host", "samples", "with image"], facts.sources[:SHOWN])]
    if len(facts.sources) > SHOWN:
        shown.append(Text(f"And {len(facts.sources) - SHOWN:,} more hosts; see column page_url."))
    crawl = [(PurePosixPath(uri).name, size, digest) for uri, size, digest in facts.crawl_files[:SHOWN]]
    return [
        *shown,
        Text(f"{len(facts.crawl_files):,} crawl files were read."),
        Grid(["crawl file", "bytes", "sha256"], crawl),
    ]


def _licenses(facts: Facts) -> list[Block]:
    columns = ["license", "address", "samples", "with image", "attribution asked for"]
    named = [(OBLIGATIONS.get(bit, f"bit {bit}"), samples) for bit, samples in facts.obligations]
    blocks: list[Block] = [
        Text(
            "The release is a collection: each sample keeps its own license, which is what was stated on its page, in "
            "its headers or in its file. NONE means that nothing was stated, NOASSERTION that it "
            "could not be read; how many of each are passed on with their image stands in the table. "
            "This is what was found, not legal advice."
        ),
        Grid(columns, facts.licenses[:SHOWN]),
    ]
    if named:
        blocks.append(Grid(["obligation", "samples that carry it"], named))
        together = ", ".join(name for name, _ in named)
        blocks.append(Text(f"Whoever uses the release as a whole is bound by all of them together: {together}."))
    if expression := whole_license(facts):
        blocks.append(Text(f"Its licenses as one SPDX expression: {expression}"))
    blocks.append(Text(f"ATTRIBUTION.csv credits {facts.credited:,} samples: title, author, source, license."))
    return blocks


def whole_license(facts: Facts) -> str | None:
    """The license of the collection as a whole: that of every image and text, joined by AND; None where none is stated."""
    return " AND ".join(f"({name})" if " " in name else name for name in facts.stated) or None


def _captions(facts: Facts) -> list[Block]:
    columns = ["kind", "model", "accepted", "rejected", "skipped", "failed", "text of the release"]
    blocks: list[Block] = [Grid(columns, facts.captions), Text(fusion_sentence(facts))]
    if facts.refusals:
        blocks.append(Grid(["why a fusion was refused", "fusions"], facts.refusals))
    if facts.not_adapted:
        blocks.append(Grid(["why a text was not put to the model", "samples"], facts.not_adapted))
    return blocks


def fusion_sentence(facts: Facts) -> str:
    """How many fusions were asked for, what share passed, and how many samples were not asked for."""
    fused = [row for row in facts.captions if row[0] == "fused"]
    accepted, rejected, skipped, failed = (sum(row[place] for row in fused) for place in (2, 3, 4, 5))
    asked = accepted + rejected + failed
    skipped -= sum(samples for _, samples in facts.not_adapted)
    were = "was" if skipped == 1 else "were"
    left_out = f" {_count(skipped, 'sample')} {were} not asked for, and a fallback stays." if skipped else ""
    if not asked:
        return f"No fusion was asked for.{left_out}"
    passed, refused = 100 * accepted / asked, 100 * (rejected + failed) / asked
    return (
        f"Of {asked:,} fusions by a language model {accepted:,} ({passed:.1f} %) passed the gates and "
        f"{rejected + failed:,} ({refused:.1f} %) did not; those samples keep a fallback.{left_out}"
    )


def _models(facts: Facts) -> list[Block]:
    return [Grid(["name", "kind", "revision", "license of the weights", "terms of the outputs"], facts.agents)]


def _policy(facts: Facts) -> list[Block]:
    where = Text("The whole policy is in table policy of provenance.duckdb.")
    return [Grid(["policy", "sha256"], facts.policies), where]


def limits(facts: Facts, notes: Sequence[str] = ()) -> list[str]:
    """What a user should know before trusting the data, from its own numbers; `notes` are added."""
    found = ["License statements are found by rules and can be wrong; each has a confidence and a byte range to check."]
    if facts.samples > facts.with_image:
        found.append(
            f"{_count(facts.samples - facts.with_image, 'sample')} by address only: the image may change or vanish; "
            "sha256 says whether it is still the same."
        )
    if facts.conflicts:
        found.append(f"{_count(facts.conflicts, 'sample')} with license statements that conflict; the stricter counts.")
    chosen = {kind: samples for kind, _, _, _, _, _, samples in facts.captions if samples}
    if alt := chosen.get("alt", 0):
        found.append(
            f"{alt:,} of {facts.samples:,} captions are the alt text as it stood on the page: noisy, and not always "
            "about the picture."
        )
    if synthetic := sum(samples for kind, samples in chosen.items() if kind.startswith("synthetic")):
        found.append(f"{_count(synthetic, 'caption')} written from the pixels alone, which may name what is not there.")
    if facts.alt_missing:
        found.append(f"{_count(facts.alt_missing, 'sample')} without alt text.")
    strange = [(kind, samples) for kind, samples in facts.formats if kind not in READABLE]
    if strange:
        named = ", ".join(f"{kind} {samples:,}" for kind, samples in strange)
        found.append(f"Some loaders pass over formats other than JPEG, PNG and WebP: {named}.")
    if facts.sources and facts.samples:
        share = 100 * facts.sources[0][2] / facts.samples
        found.append(f"The largest host gives {share:.1f} % of the samples ({len(facts.sources):,} hosts in all).")
    if facts.mean_similarity is not None:
        found.append(f"Mean cosine of image and source text: {facts.mean_similarity:.3f}, by the encoder named above.")
    found.append("Faces, names and other personal data were not removed unless the funnel says so.")
    return found + list(notes)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


_DOCUMENTS = (
    "documents-NNNNN.parquet: pages as documents, their words and released images in order, in OBELICS' layout; only pages "
    "whose words may be passed on, and the words come under the page's license, which each row states."
)


def with_documents(files: Sequence[ReleaseFile]) -> bool:
    """Whether a release has interleaved documents."""
    return any(file.name.startswith(PREFIX) for file in files)


def _loading(facts: Facts, files: Sequence[ReleaseFile]) -> list[Block]:
    layout = [
        "NNNNN.tar: KEY.jpg, .png, .webp … (bytes as crawled), KEY.txt (the caption), KEY.json (everything known).",
        "NNNNN.parquet: one row per sample of the tar of the same number, in its order.",
        "urls-NNNNN.parquet: the same columns for samples whose image is not passed on.",
        *([_DOCUMENTS] if with_documents(files) else []),
        "ids.npy: 128-bit ids of the samples, numpy dtype u8,u8, sorted; column uid holds the same as 32 digits. "
        "An id is the first half of SHA-256 over the image's hash and the source text.",
        "figure-NAME.png: the pictures of this card.",
        "release.json: all files and columns; SHA256SUMS: hashes of all files; ATTRIBUTION.csv: whom to credit.",
        "croissant.json: files, columns and origin for Croissant's loaders (mlcroissant keeps unpacked tars by their name "
        "alone: give each release a CROISSANT_CACHE of its own).",
        "EU-SUMMARY.md: sections of the public summary of training content (AI Act, Article 53(1)(d)) that its builder knows.",
    ]
    code = """import webdataset as wds
pairs = wds.WebDataset("00000.tar", shardshuffle=False).decode("pil").to_tuple("jpg;png;webp;gif", "txt", "json")

import duckdb
duckdb.sql("SELECT url, caption, image_license, attribution FROM '[0-9u]*.parquet'")

import datasets  # the extensions are needed: without them it refuses tars whose images are of several formats
images = dict.fromkeys(["jpg", "png", "webp", "gif"], datasets.Image())
texts = dict.fromkeys(["txt", "__key__", "__url__"], datasets.Value("string"))
features = datasets.Features({**images, **texts, "json": datasets.Json()})
tars = datasets.load_dataset("webdataset", data_files="*.tar", split="train", features=features)

import mlcroissant
records = mlcroissant.Dataset("croissant.json").records("pairs")

import numpy as np
ids = np.load("ids.npy")  # dtype u8,u8, as DataComp's subset files"""
    blocks: list[Block] = [Items(layout), Code("python", code)]
    if facts.formats:
        blocks.append(Grid(["format", "samples with image"], facts.formats))
    if facts.languages:
        languages = [(language or "not declared", samples) for language, samples in facts.languages[:SHOWN]]
        blocks.append(Grid(["declared language", "samples"], languages))
    return blocks


def _checksums(files: Sequence[ReleaseFile]) -> list[Block]:
    listed = sorted(files, key=lambda file: file.name)
    rows = [(file.name, file.rows, file.bytes, file.sha256) for file in listed[: 2 * SHOWN]]
    blocks: list[Block] = [
        Text("sha256sum --check SHA256SUMS verifies every file."),
        Grid(["file", "rows", "bytes", "sha256"], rows),
    ]
    if len(listed) > 2 * SHOWN:
        blocks.append(Text(f"And {len(listed) - 2 * SHOWN:,} more data files; SHA256SUMS lists them all."))
    return blocks


def _fair(facts: Facts, settings: ReleaseSettings, imprint: Imprint) -> list[str]:
    place = [f"{name} {value}" for name, value in (("at", imprint.url), ("as", imprint.identifier)) if value]
    stands = ", ".join(place) or "no address or DOI was given to the build; whoever publishes it should add one"
    people = [
        f"{word} {name}" for word, name in (("made by", imprint.creator), ("published by", imprint.publisher)) if name
    ]
    people += [f"questions and requests to take something out: {imprint.contact}"] if imprint.contact else []
    said = "; ".join(people) or "nobody was named to the build as maker or contact"
    return [
        f"Find: release id {settings.release_id}, which never stands for other bytes ({stands}). Each sample has a key, "
        "a 128-bit uid that is the same in every build, and the hash of its image; croissant.json describes all of it to "
        "search engines and loaders.",
        "Access: plain tar, Parquet, CSV and JSON files; no program of ours is needed to read them. SHA256SUMS has a "
        f"checksum of every file. {facts.samples - facts.with_image:,} images are to be had from their own addresses only.",
        "Combine: layouts of WebDataset, img2dataset and DataComp; vocabularies of Croissant, schema.org and PROV; "
        "licenses are SPDX ids.",
        "Reuse: license, evidence and author for each sample; provenance.duckdb holds every decision that led here, and "
        "EU-SUMMARY.md what the AI Act's template for the summary of training content asks a builder of data.",
        f"Contact: {said}.",
    ]
