"""EU-SUMMARY.md: what the builder of a data set knows of the public summary of training content that the AI Act asks for.

The sections and their numbers are those of the European Commission's template (C(2025) 8311; AI Act, Article 53(1)(d)). A
summary is about a model and is its provider's to give; this is the part of it that follows from one release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from assets.release.card import NOBODY, Imprint
from assets.release.facts import Facts, Rows
from assets.release.markup import Block, Grid, Items, Section, Text, markdown
from assets.release.shards import ReleaseSettings

FILE = "EU-SUMMARY.md"
MILLION, BILLION = 10**6, 10**9

FOR_THE_PROVIDER = (
    "1.1 and 1.2, provider and model: names, versions, dates, and the models that this one depends on.",
    "1.3, beyond this release: other data that the model was trained on, and languages and regions of all of it together.",
    "2.1, publicly available data sets: whether this release is one of them for the model, and which others there are. Crawl "
    "files that somebody else collected and published may belong there instead of in 2.3.",
    "2.2, private data sets: licensed from rightsholders or got from third parties.",
    "2.4, data of users: of the model or of other services of the provider.",
    "2.5, beyond this release: synthetic data that was made for the training itself.",
    "2.6, other sources.",
    "3.1, beyond this release: commitments under the Code of Practice, the copyright policy, and where rightsholders complain.",
    "3.2, beyond this release: filters that were applied in training.",
    "3.3, other processing that the provider wants to tell of.",
)
"""Parts of the template that nobody knows who builds data only."""


@dataclass(frozen=True)
class Crawler:
    """A crawler of ours or that was run for us.

    Attributes:
        name: as it names itself to hosts.
        operator: who runs it.
        purpose: what for, in a sentence.
        behavior: robots.txt, captchas, paywalls and logins, pace; in whole sentences.
    """

    name: str
    operator: str | None
    purpose: str
    behavior: str


def eu_summary_markdown(
    facts: Facts, settings: ReleaseSettings, crawlers: Sequence[Crawler] = (), imprint: Imprint = NOBODY
) -> str:
    """EU-SUMMARY.md; arguments as for `eu_summary_sections`."""
    return markdown(_title(settings), _lead(settings), eu_summary_sections(facts, crawlers, imprint))


def eu_summary_sections(facts: Facts, crawlers: Sequence[Crawler] = (), imprint: Imprint = NOBODY) -> list[Section]:
    """Sections 1.3, 2.3, 2.5, 3.1 and 3.2 from the counts of a release, and a list of all that is left to the provider.

    Args:
        facts: counts over the build.
        crawlers: that fetched what the release holds; those of crawl files by others are not known from the files' names.
        imprint: who publishes the release, and where complaints go.
    """
    return [
        Section("1.3 Modalities, size and other characteristics", _characteristics(facts)),
        Section("2.3 Data crawled and scraped from online sources", _crawled(facts, crawlers)),
        Section("2.3 Domain names by size of content", _top_domains(facts.domains)),
        Section("2.5 Synthetic data", _synthetic(facts)),
        Section("3.1 Respect of reservations of rights", _reservations(facts, imprint)),
        Section("3.2 Removal of illegal content", _illegal(facts)),
        Section("To be filled in by the provider of the model", [Items(FOR_THE_PROVIDER)]),
    ]


def _title(settings: ReleaseSettings) -> str:
    return f"{settings.name} {settings.version}: for the public summary of training content"


def _lead(settings: ReleaseSettings) -> str:
    return (
        f"What the builder of release {settings.release_id} can say for the template of the European Commission under "
        "Article 53(1)(d) of the AI Act. The summary itself is about a model and is given by its provider, who has to check "
        "this part and add the rest. Counts are of this release unless said otherwise. Not legal advice."
    )


def image_range(images: int) -> str:
    """The template's range for a number of images."""
    if images < MILLION:
        return "less than 1 million images"
    return "1 million to 1 billion images" if images <= BILLION else "more than 1 billion images"


def text_range(size: int) -> str:
    """The template's range for a text of so many bytes; no token is shorter than a byte, so small ones are certain."""
    if size < BILLION:
        return "less than 1 billion tokens"
    return "to be counted with the model's own tokenizer"


def month(day: str) -> str:
    """MM/YYYY of a day YYYY-MM-DD."""
    return f"{day[5:7]}/{day[:4]}"


def _characteristics(facts: Facts) -> list[Block]:
    rows: Rows = [
        ("Image", image_range(facts.samples), f"{facts.samples:,} images: {facts.with_image:,} as files of "
         f"{facts.image_bytes:,} bytes together, {facts.samples - facts.with_image:,} by address only"),
        ("Text", text_range(facts.caption_bytes), f"{facts.samples:,} captions of {facts.caption_bytes:,} bytes together"),
    ]  # fmt: skip
    formats = ", ".join(f"{name} {count:,}" for name, count in facts.formats) or "none"
    languages = ", ".join(f"{name or 'not declared'} {count:,}" for name, count in facts.languages) or "none"
    kinds = ", ".join(f"{kind} {chosen:,}" for kind, _, _, _, _, _, chosen in facts.captions if chosen) or "none"
    latest = max((last for _, _, last, _ in facts.periods), default=None)
    return [
        Grid(["modality", "range of the template", "in this release"], rows),
        Text("No audio, no video, no other modality."),
        Items(
            [
                f"Types of content: images of web pages ({formats}); texts that stood with them or were written to them "
                f"({kinds}).",
                f"Languages that the pages declare, in samples: {languages}.",
                f"Latest date of acquisition: {month(latest)}."
                if latest
                else "Latest date of acquisition: not known here.",
                "Once published a release never changes; what is acquired later goes into another.",
            ]
        ),
    ]


def _crawled(facts: Facts, crawlers: Sequence[Crawler]) -> list[Block]:
    blocks: list[Block] = [
        Grid(["source set", "kind of files", "files", "bytes"], facts.collections),
        Text(
            "Kinds: warc and wat are archives of a web crawl, links are lists of image addresses, images are pairs that "
            "were collected before."
        ),
    ]
    if crawlers:
        named = [(crawler.name, crawler.operator, crawler.purpose, crawler.behavior) for crawler in crawlers]
        blocks.append(Grid(["crawler", "operator", "purpose", "behavior"], named))
    blocks.append(
        Text(
            "Crawlers of files that came from others are named in the warcinfo records of those files, and their behavior "
            "is their operators' to tell: to be filled in."
        )
    )
    periods = [(kind, month(first), month(last), count) for kind, first, last, count in facts.periods]
    blocks.append(
        Grid(["fetched", "from", "to", "records"], periods)
        if periods
        else Text("Period of collection: not known here.")
    )
    blocks.append(Text("Content: HTML pages, of which images and the words around them were taken."))
    return blocks


def _top_domains(domains: Rows) -> list[Block]:
    """The share of domains that the template asks for, of the size of their images."""
    total, of_all = ceil(len(domains) / 10), sum(row[3] for row in domains)
    small = min(ceil(len(domains) / 20), 1000)
    rows = [
        (place, domain or "none", size, 100 * size / max(of_all, 1), samples)
        for place, (domain, samples, _, size) in enumerate(domains[:total], 1)
    ]
    return [
        Text(
            f"The top 10 % of {len(domains):,} registrable domains of the released pairs' pages, by bytes of their images, "
            f"those by address only included: {total:,} of them. Small and medium-sized companies may end the list after "
            f"{small:,} (the top 5 %, at most 1,000)."
        ),
        Grid(["rank", "domain", "bytes", "percent of bytes", "samples"], rows),
    ]


def _synthetic(facts: Facts) -> list[Block]:
    written = [(kind, model, accepted, chosen) for kind, model, accepted, _, _, _, chosen in facts.captions if model]
    if not written:
        return [Text("No caption was written by a model.")]
    return [
        Text(
            "Captions were written by models to images of the release, or fused by them from alt texts and such captions. "
            "Column caption_model names the model of each, column caption_kind tells them from texts of pages."
        ),
        Grid(["kind of caption", "model", "accepted", "caption of the release"], written),
        Grid(["model", "kind", "revision", "license of the weights", "terms of the outputs"], _authors(facts, written)),
        Text("What those models were themselves trained on is in their own publishers' summaries."),
    ]


def _authors(facts: Facts, written: Rows) -> Rows:
    """Agents of the build that wrote captions."""
    names = {row[1] for row in written}
    return [agent for agent in facts.agents if f"{agent[0]}@{agent[2]}" in names or agent[0] in names]


def _reservations(facts: Facts, imprint: Imprint) -> list[Block]:
    dropped = _dropped(facts)
    reserved = sum(n for (stage, reason), n in dropped.items() if reason in ("reserved", "reserved_on_conditions"))
    late = dropped.get(("removals", "takedown"), 0)
    found = [(name, "yes" if name in facts.honored else "no", *counts) for name, *counts in facts.reservations]
    silent = [name for name in facts.honored if name not in {row[0] for row in facts.reservations}]
    blocks: list[Block] = [
        Text(
            f"{reserved:,} samples of the crawl were left out because of a reservation. "
            f"{late:,} more were taken out after a request to the builder. No sample whose rights are reserved under the "
            "policy is in the release; a check of the build fails otherwise."
        )
    ]
    if facts.honored:
        blocks.append(
            Text(
                f"Honored: {', '.join(facts.honored)}. Agents whose rules in robots.txt count: "
                f"{', '.join(facts.agents_heard)}. Uses whose reservation counts: {', '.join(facts.usages)}."
            )
        )
    else:
        blocks.append(Text("The policy honors no protocol, or is not known here."))
    if found:
        columns = ["protocol", "honored", "reserve", "on conditions", "allow", "unclear"]
        blocks += [
            Text("Findings in the crawl, each one statement about a site, a page or an image:"),
            Grid(columns, found),
        ]
    if silent:
        blocks.append(Text(f"Nothing was found of: {', '.join(silent)}."))
    where = imprint.contact or "no address was given to the build: to be filled in"
    return [*blocks, Text(f"Complaints and requests of rightsholders: {where}.")]


def _illegal(facts: Facts) -> list[Block]:
    dropped = _dropped(facts)
    unsafe = sum(n for (_, reason), n in dropped.items() if reason == "nsfw")
    listed = dropped.get(("removals", "removal_list"), 0)
    asked = sum(dropped.get((stage, "takedown"), 0) for stage in ("removals", "release"))
    scorers = [f"{scorer} by {model}" for scorer, model, _ in facts.scorers if scorer == "nsfw"]
    filter_sentence = (
        f"A filter of pictures that are not safe for work ({', '.join(scorers) or 'scorer not known here'}) left out "
        f"{unsafe:,} samples. It is a classifier for nudity, which finds no other illegal content and is wrong at times."
        if unsafe or scorers
        else "No filter of pictures that are not safe for work was at work, or its scores are not known here."
    )
    blocks: list[Block] = [
        Items(
            [
                filter_sentence,
                f"Removal lists (addresses or hashes, as hotlines and authorities hand them out) took out {listed:,} samples.",
                f"Requests to take something out (takedowns) took out {asked:,} samples.",
                "Whether a list of known illegal images was given to the build stands in its recipe; none comes with it.",
            ]
        )
    ]
    return blocks


def _dropped(facts: Facts) -> dict[tuple[str, str], int]:
    """Samples dropped by stage and reason."""
    return {(stage, reason): n for stage, reason, n in facts.drops}
