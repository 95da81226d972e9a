"""croissant.json: a release for Croissant's loaders and search engines, with RAI properties and PROV-O provenance.

Croissant 1.1 and RAI 1.0 (MLCommons), PROV-O and ODRL (W3C). The JSON is written here: mlcroissant's own writer drops the
types of offers. Everything follows from its arguments: no clock, no path, no host.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from assets.release.card import NOBODY, OBLIGATIONS, Imprint, fusion_sentence, limits, misuses, uses, whole_license
from assets.release.documents import COLUMNS as DOCUMENT_COLUMNS
from assets.release.documents import FILES as DOCUMENTS
from assets.release.facts import Facts
from assets.release.markup import one_line
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseFile, ReleaseSettings, extension_of

Json = dict[str, Any]

FILE = "croissant.json"
LISTED = 1000
"""Files of one kind that are described one by one; of more, readers take a millisecond each before the first record."""

FORMATS = {
    "parquet": "application/x-parquet",
    "tar": "application/x-tar",
    "npy": "application/x-npy",
    "csv": "text/csv",
}
"""Media types by extension, as mlcroissant calls them; npy has no registered one."""

PAIRS = ("[0-9]*.parquet", "urls-*.parquet")
"""Patterns of the files whose rows are pairs."""

TYPES = {
    pa.string(): "sc:Text",
    pa.uint16(): "cr:UInt16",
    pa.uint32(): "cr:UInt32",
    pa.uint64(): "cr:UInt64",
    pa.int64(): "cr:Int64",
    pa.float32(): "cr:Float32",
    pa.float64(): "cr:Float64",
    pa.bool_(): "sc:Boolean",
}
ADDRESSES = ("url", "page_url")
"""Columns with one address each; license_url and its like may hold several, source_url what somebody wrote."""

WRITTEN = {
    "synthetic": ("synthetic-short",),
    "synthetic_dense": ("synthetic-dense",),
    "synthetic_dense_plus": ("synthetic-dense+",),
    "fused": ("fused",),
    "caption": ("synthetic-short", "synthetic-dense", "synthetic-dense+", "fused"),
}
"""Columns that a model writes, with the kinds of captions that stand in them."""

MADE_BY = {
    "image_license": "rights", "text_license": "rights", "obligations": "rights", "similarity": "embeddings",
    "scores": "scores", "cluster_id": "membership", "cluster_distance": "membership", "caption": "captions",
    "synthetic": "synthetic", "synthetic_dense": "synthetic", "synthetic_dense_plus": "synthetic", "fused": "fusion",
}  # fmt: skip
"""Columns that a stage made, with that stage; the rest stands on the page or was measured from the bytes."""

_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "cc": "http://creativecommons.org/ns#",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        name: f"cr:{name}"
        for name in (
            "annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract",
            "field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath",
            "key", "md5", "parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace",
            "samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive",
        )
    },
}  # fmt: skip

_ASKED = {1: ("duty", "cc:Attribution"), 2: ("duty", "cc:ShareAlike"), 16: ("duty", "cc:Notice"),
          4: ("prohibition", "cc:CommercialUse"), 8: ("prohibition", "cc:DerivativeWorks")}  # fmt: skip
"""Obligation bits for which ODRL has an action, and whether it is asked for or forbidden."""


@dataclass(frozen=True)
class Lineage:
    """What a release was made by.

    Attributes:
        code_version: of the whole program.
        stages: (stage, code version), in the order in which they ran.
        supersedes: id of the release that this one takes the place of.
    """

    code_version: str
    stages: Sequence[tuple[str, str]] = ()
    supersedes: str | None = None


def croissant(
    facts: Facts,
    settings: ReleaseSettings,
    files: Sequence[ReleaseFile],
    lineage: Lineage,
    documents: Mapping[str, str | bytes] | None = None,
    notes: Sequence[str] = (),
    imprint: Imprint = NOBODY,
) -> str:
    """The JSON-LD document that describes a release.

    Args:
        facts: counts over the build.
        settings: name, version and id.
        files: data files of the release, as `write_release` describes them.
        lineage: stages, and the release that this one takes the place of.
        documents: further files of the release by name; those of FORMATS (ATTRIBUTION.csv) are described too.
        notes: further known limits in whole sentences.
        imprint: who publishes it, and where.
    """
    described = sorted([*files, *_described(documents or {})], key=lambda file: file.name)
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        **_identity(facts, settings, imprint),
        **_responsibility(facts, settings, notes, imprint),
        **_provenance(facts, lineage),
        "distribution": _distribution(facts, described),
        "recordSet": _record_sets(facts, lineage, described),
    }
    return json.dumps(_without_empty(document), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _described(documents: Mapping[str, str | bytes]) -> list[ReleaseFile]:
    found = []
    for name, content in documents.items():
        data = content.encode() if isinstance(content, str) else content
        if _extension(name) in FORMATS:
            found.append(ReleaseFile(name, hashlib.sha256(data).hexdigest(), len(data)))
    return found


def _without_empty(document: Json) -> Json:
    return {name: value for name, value in document.items() if value not in (None, [], {})}


def _identity(facts: Facts, settings: ReleaseSettings, imprint: Imprint) -> Json:
    """What schema.org asks of a data set."""
    named = f"{settings.name} {settings.version}"
    by = f", author = {{{imprint.creator}}}" if imprint.creator else ""
    at = f", url = {{{imprint.identifier or imprint.url}}}" if imprint.identifier or imprint.url else ""
    return {
        "name": settings.name,
        "version": settings.version,
        "description": (
            f"{facts.samples:,} image-text pairs from a web crawl, {facts.with_image:,} with their image and "
            f"{facts.samples - facts.with_image:,} by address only. Each pair has its own license (column image_license), "
            "the evidence for it, the decisions that kept it and the model that wrote its caption."
        ),
        "identifier": [name for name in (settings.release_id, imprint.identifier) if name],
        "citeAs": f"@misc{{{settings.release_id}, title = {{{named}}}{by}{at}, note = {{release {settings.release_id}}}}}",
        "license": licenses(facts),
        "creator": _party(imprint.creator),
        "publisher": _party(imprint.publisher, imprint.contact),
        "datePublished": imprint.published,
        "url": imprint.url,
        "isLiveDataset": False,
        "keywords": ["image-text pairs", "web crawl", "license provenance", "WebDataset"],
        "inLanguage": sorted({language for language, _ in facts.languages if language}),
        "usageInfo": _obligations(facts),
    }


def _party(name: str | None, contact: str | None = None) -> Json | None:
    """A creator or publisher. Croissant wants a person or an organization; an organization may be one person."""
    if name is None:
        return None
    return _without_empty(
        {"@type": "sc:Organization", "name": name, "email": contact if "@" in (contact or "") else None}
    )


def licenses(facts: Facts) -> list[str]:
    """Address of every license that something in the release comes under: SPDX's, else its own, else its id."""
    addresses: dict[str, str] = {row[0]: row[1] for row in facts.licenses if row[1]}
    words: set[str] = {word for expression in facts.stated for word in re.split(r"[()\s]+", expression)}
    ids = words - {"", "AND", "OR", "WITH"}
    own = {name: addresses.get(name, name) for name in ids if name.startswith(("LicenseRef-", "DocumentRef-"))}
    return sorted(own.get(name, f"https://spdx.org/licenses/{name}") for name in ids)


def _obligations(facts: Facts) -> Json | None:
    """What the release as a whole asks of its users, as an offer in ODRL."""
    if not facts.obligations:
        return None
    offer: Json = {
        "@type": ["CreativeWork", "odrl:Offer"],
        "name": "Obligations of the release as a whole",
        "description": "; ".join(
            f"{OBLIGATIONS.get(bit, f'bit {bit}')}: {n:,} samples" for bit, n in facts.obligations
        ),
    }
    if expression := whole_license(facts):
        offer["text"] = f"SPDX expression of the whole: {expression}"
    for kind in ("duty", "prohibition"):
        actions = [_ASKED[bit][1] for bit, _ in facts.obligations if bit in _ASKED and _ASKED[bit][0] == kind]
        if actions and kind == "duty":
            duties = [{"odrl:action": {"@id": action}} for action in actions]
            offer["odrl:permission"] = {"odrl:action": {"@id": "odrl:use"}, "odrl:duty": duties}
        elif actions:
            offer["odrl:prohibition"] = [{"odrl:action": {"@id": action}} for action in actions]
    return offer


def _responsibility(facts: Facts, settings: ReleaseSettings, notes: Sequence[str], imprint: Imprint) -> Json:
    """Properties of Croissant RAI 1.0, from the counts."""
    return {
        "rai:dataCollection": _collection(facts),
        "rai:dataCollectionType": ["Web Scraping", "Secondary Data analysis"],
        "rai:dataCollectionTimeframe": _timeframe(facts),
        "rai:dataCollectionRawData": _raw_data(facts),
        "rai:dataCollectionMissingData": _missing(facts),
        "rai:dataPreprocessingProtocol": [
            f"{stage}: {came:,} came in, {kept:,} went on, {dropped:,} were dropped{f' ({reasons})' if reasons else ''}."
            for stage, came, kept, dropped, reasons in facts.funnel
        ],
        "rai:dataManipulationProtocol": (
            "Alt texts, titles and captions of the page are as crawled; one that speaks to a model instead of describing is "
            "left out, never rewritten. Images are as crawled where sha256 and stored_sha256 are equal; the others were "
            "shrunk as the recipe asks. A caption fused by a model stands in its own column beside what it was made from."
        ),
        "rai:dataImputationProtocol": "Nothing was imputed: what is not known is null.",
        "rai:dataAnnotationProtocol": _annotation(facts),
        "rai:dataAnnotationPlatform": ["none: no annotations were collected from people for this release"],
        "rai:machineAnnotationTools": [
            f"{name} {revision or ''} ({kind}), weights {license or 'without a stated license'}, "
            f"terms of outputs: {terms or 'not stated'}".replace("  ", " ")
            for name, kind, revision, license, terms in facts.agents
        ],
        "rai:personalSensitiveInformation": [
            "Pictures and texts of web pages may show or name people. Whether anything was filtered on that account stands "
            "under dataPreprocessingProtocol; nothing else was.",
            "Credit lines name authors, as licenses ask for it.",
        ],
        "rai:dataBiases": _biases(facts),
        "rai:dataLimitations": [*limits(facts, notes), *misuses(facts)],
        "rai:dataUseCases": uses(facts),
        "rai:dataReleaseMaintenancePlan": (
            f"Release {settings.release_id} never changes. Takedowns and later opt-outs lead to a new release that "
            "supersedes it and to a list of what went. "
            + (f"Requests: {imprint.contact}." if imprint.contact else "No contact was given to the build.")
        ),
    }


def _collection(facts: Facts) -> str:
    files = "; ".join(f"{source}: {count:,} files of kind {kind}" for source, kind, count, _ in facts.collections)
    return (
        f"<img> elements of archived pages, or rows of image lists, with the texts around them: {facts.crawled:,} image "
        f"references in {len(facts.crawl_files):,} crawl files or pieces of lists ({files or 'none'})."
    )


def _timeframe(facts: Facts) -> list[str]:
    if not facts.periods:
        return []
    return [min(first for _, first, _, _ in facts.periods), max(last for _, _, last, _ in facts.periods)]


def _raw_data(facts: Facts) -> str:
    hosts = f"{len(facts.domains):,} registrable domains" if facts.domains else "no domain"
    largest = f", the largest {one_line(facts.domains[0][0]) or 'unknown'}" if facts.domains else ""
    return (
        f"Crawl files, named with their hashes under prov:wasDerivedFrom. Pages of the released pairs are from {hosts}"
        f"{largest}; column page_url names the page of each."
    )


def _missing(facts: Facts) -> str:
    return (
        f"{facts.samples - facts.with_image:,} pairs have no image bytes: rights, or the kind of release, allow the address "
        "only; "
        f"{facts.alt_missing:,} have no alt text. Of {facts.crawled:,} image references "
        f"{max(facts.crawled - facts.samples, 0):,} are not in the release; table decision of provenance.duckdb says why."
    )


def _annotation(facts: Facts) -> str:
    written = ", ".join(
        f"{kind} by {model or 'no model'}: {accepted:,} accepted, {chosen:,} chosen as the caption"
        for kind, model, accepted, _, _, _, chosen in facts.captions
    )
    scored = ", ".join(f"{scorer} by {model}: {count:,}" for scorer, model, count in facts.scorers)
    return f"All annotations are by machine. Captions: {written or 'none'}. {fusion_sentence(facts)} Scores: {scored or 'none'}."


def _biases(facts: Facts) -> list[str]:
    """Shares that a user should know; what is not measured is said to be so."""
    found = []
    total = max(facts.samples, 1)
    if facts.languages:
        language, count = facts.languages[0]
        found.append(f"{100 * count / total:.1f} % of the pairs are declared as {language or 'no language at all'}.")
    if facts.domains:
        domain, count, _, _ = max(facts.domains, key=lambda row: (row[1], row[0]))
        found.append(f"{100 * count / total:.1f} % of the pairs are from one domain ({one_line(domain) or 'unknown'}).")
    found.append("Filters, licenses and opt-outs favor those who state licenses, and leave out those who opt out.")
    found.append("How people, places or cultures are represented was not measured.")
    return found


def _provenance(facts: Facts, lineage: Lineage) -> Json:
    """PROV-O of the whole: crawl files, one activity per stage, models as agents."""
    derived = _crawl_entities(facts)
    made: Json = {
        "prov:wasGeneratedBy": [_activity(stage, version) for stage, version in lineage.stages],
        "prov:wasAttributedTo": [_program(lineage), *_agents(facts).values()],
    }
    if lineage.supersedes is not None:
        earlier = {
            "@id": f"release/{_slug(lineage.supersedes)}",
            "@type": "prov:Entity",
            "prov:label": lineage.supersedes,
        }
        derived.append(earlier)
        made["prov:wasRevisionOf"] = {"@id": earlier["@id"]}
    return {"prov:wasDerivedFrom": derived, **made}


def _crawl_entities(facts: Facts) -> list[Json]:
    """Crawl files by name and hash; of very many, one entity with the hash of the list of them."""
    files = list(dict.fromkeys((PurePosixPath(uri).name, size, digest) for uri, size, digest in facts.crawl_files))
    if len(files) > LISTED:
        listed = "".join(f"{digest or ''}  {name}\n" for name, _, digest in files)
        label = f"{len(files):,} crawl files; the hash is that of their list as sha256sum writes it"
        digest = hashlib.sha256(listed.encode()).hexdigest()
        return [{"@id": "crawl", "@type": "prov:Collection", "prov:label": label, "sha256": digest}]
    return [
        _without_empty(
            {
                "@id": f"crawl/{number}", "@type": "prov:Entity", "prov:label": name, "sha256": digest,
                "contentSize": None if size is None else f"{size} B",
            }
        )
        for number, (name, size, digest) in enumerate(files, 1)
    ]  # fmt: skip


def _activity(stage: str, code_version: str) -> Json:
    program = {"@type": "prov:SoftwareAgent", "prov:label": f"winnow, code of {stage}", "version": code_version}
    return {
        "@id": f"activity/{_slug(stage)}", "@type": "prov:Activity", "prov:label": stage,
        "prov:wasAssociatedWith": program,
    }  # fmt: skip


def _program(lineage: Lineage) -> Json:
    return {"@id": "agent/0", "@type": "prov:SoftwareAgent", "prov:label": "winnow", "version": lineage.code_version}


def _agents(facts: Facts) -> dict[str, Json]:
    """Models of the build by name@revision, as agents."""
    made: dict[str, Json] = {}
    for number, (name, kind, revision, license, terms) in enumerate(facts.agents, 1):
        agent = {
            "@id": f"agent/{number}", "@type": "prov:SoftwareAgent", "prov:label": f"{name}@{revision}" if revision else name,
            "description": f"{kind}; terms of its outputs: {terms or 'not stated'}", "license": license, "version": revision,
        }  # fmt: skip
        made.setdefault(agent["prov:label"], _without_empty(agent))
    return made


def _slug(name: str) -> str:
    """A name as the last part of an identifier: mlcroissant allows no white space in them."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _extension(name: str) -> str:
    return name.rpartition(".")[2]


def _distribution(facts: Facts, files: Sequence[ReleaseFile]) -> list[Json]:
    """Every data file with its hash, as long as they are not too many of a kind, and the sets that records are read from."""
    found: list[Json] = []
    for extension in FORMATS:
        kind = _of(files, extension)
        found += [_file_object(file) for file in kind] if len(kind) <= LISTED else []
    pairs, tars, pages = _matching(files, PAIRS), _of(files, "tar"), _matching(files, [DOCUMENTS])
    if pairs:
        described = "Parquet files of pairs with image (NNNNN) and by address only (urls-NNNNN)."
        found.append(_file_set("pair-files", described + _uncounted(pairs), [FORMATS["parquet"]], PAIRS))
    if pages:
        described = "Parquet files of interleaved documents."
        found.append(_file_set("document-files", described + _uncounted(pages), [FORMATS["parquet"]], [DOCUMENTS]))
    if len(tars) > LISTED:
        described = "WebDataset tars: KEY.jpg or the like, KEY.txt, KEY.json."
        found.append(_file_set("tar-files", described + _uncounted(tars), [FORMATS["tar"]], ["*.tar"]))
    elif tars:
        extensions = sorted({extension_of(name) for name, _ in facts.formats})
        encodings = sorted({_media_type(name) for name, _ in facts.formats})
        images = _file_set("image-files", "Images in the tars.", encodings, [f"*.{name}" for name in extensions])
        found.append(images | {"containedIn": [{"@id": file.name} for file in tars]})
    return found


def _uncounted(files: Sequence[ReleaseFile]) -> str:
    return f" {len(files):,} files; SHA256SUMS has the hash of each." if len(files) > LISTED else ""


def _media_type(image_format: str) -> str:
    """Media type of an image format; MPO is a JPEG file with more pictures after the first."""
    return f"image/{'jpeg' if image_format.upper() == 'MPO' else image_format.lower()}"


def _of(files: Sequence[ReleaseFile], extension: str) -> list[ReleaseFile]:
    return [file for file in files if _extension(file.name) == extension]


def _matching(files: Sequence[ReleaseFile], patterns: Sequence[str]) -> list[ReleaseFile]:
    return [file for file in files if any(fnmatchcase(file.name, pattern) for pattern in patterns)]


def _has_images(files: Sequence[ReleaseFile]) -> bool:
    """Whether images can be told to be in the tars: each tar has to be described for that."""
    return 0 < len(_of(files, "tar")) <= LISTED


def _file_object(file: ReleaseFile) -> Json:
    made = {
        "@type": "cr:FileObject", "@id": file.name, "name": file.name, "contentUrl": file.name,
        "contentSize": f"{file.bytes} B", "encodingFormat": FORMATS[_extension(file.name)], "sha256": file.sha256,
    }  # fmt: skip
    if file.rows is not None:
        made["description"] = f"{file.rows:,} rows or samples"
    return made


def _file_set(identifier: str, description: str, encodings: Sequence[str], includes: Sequence[str]) -> Json:
    return {
        "@type": "cr:FileSet", "@id": identifier, "name": identifier, "description": description,
        "encodingFormat": list(encodings), "includes": list(includes),
    }  # fmt: skip


def _record_sets(facts: Facts, lineage: Lineage, files: Sequence[ReleaseFile]) -> list[Json]:
    """`pairs`: rows of the Parquet files; `images`: images of the tars with their captions, joined by key; `documents`."""
    if not _matching(files, PAIRS):
        return []
    sets = [_pairs(facts, lineage)]
    if _has_images(files):
        sets.append(_images())
    if _matching(files, [DOCUMENTS]):
        sets.append(_documents())
    return sets


def _documents() -> Json:
    fields = [_typed("documents", "document-files", name, *column) for name, column in DOCUMENT_COLUMNS.items()]
    return {
        "@type": "cr:RecordSet", "@id": "documents", "name": "documents", "field": fields,
        "description": "One record per page: texts and images in their order, at each place one of the two.",
    }  # fmt: skip


def _pairs(facts: Facts, lineage: Lineage) -> Json:
    count = {
        "@type": "cr:Field", "@id": "pairs/count", "name": "pairs/count", "value": facts.samples,
        "dataType": "http://www.wikidata.org/entity/Q4049983",
    }  # fmt: skip
    page = {
        "@type": "cr:Field", "@id": "pairs/seen_on", "name": "pairs/seen_on", "dataType": "sc:URL",
        "description": "page that the pair was taken from", "equivalentProperty": "prov:wasDerivedFrom",
        "source": _column("page_url"),
    }  # fmt: skip
    return {
        "@type": "cr:RecordSet", "@id": "pairs", "name": "pairs", "key": {"@id": "pairs/key"},
        "description": "One record per image-text pair, with and without image bytes.",
        "field": [_field(facts, lineage, name) for name in COLUMNS], "annotation": [count, page],
    }  # fmt: skip


def _column(name: str) -> Json:
    return {"fileSet": {"@id": "pair-files"}, "extract": {"column": name}}


def _field(facts: Facts, lineage: Lineage, name: str) -> Json:
    """A column of the release's Parquet files, with who wrote it where that is known."""
    field = _typed("pairs", "pair-files", name, *COLUMNS[name])
    if MADE_BY.get(name) in dict(lineage.stages):
        field["prov:wasGeneratedBy"] = {"@id": f"activity/{_slug(MADE_BY[name])}"}
    writers = _writers(facts, name)
    if writers:
        field["prov:wasAttributedTo"] = writers
    if name == "caption":
        field["annotation"] = {
            "@type": "cr:Field", "@id": "pairs/caption/writer", "name": "pairs/caption/writer", "dataType": "sc:Text",
            "description": "model that wrote this caption; null where it is the alt text",
            "equivalentProperty": "prov:wasAttributedTo", "source": _column("caption_model"),
        }  # fmt: skip
    return field


def _typed(record_set: str, file_set: str, name: str, kind: pa.DataType, description: str) -> Json:
    """A column of Parquet files as a field: scalar, list of scalars, or list of records."""
    field: Json = {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "description": description}
    source = {"fileSet": {"@id": file_set}, "extract": {"column": name}}
    if not pa.types.is_list(kind):
        return {**field, "dataType": "sc:URL" if name in ADDRESSES else TYPES[kind], "source": source}
    field |= {"isArray": True, "arrayShape": "-1"}
    if not pa.types.is_struct(kind.value_type):
        return {**field, "dataType": TYPES[kind.value_type], "source": source}
    return {**field, "subField": [_part(f"{record_set}/{name}", source, part) for part in kind.value_type.fields]}


def _part(parent: str, source: Json, part: pa.Field) -> Json:
    made = {
        "@type": "cr:Field", "@id": f"{parent}/{part.name}", "name": part.name, "dataType": TYPES[part.type],
        "source": {**source, "transform": {"jsonPath": part.name}},
    }  # fmt: skip
    return {**made, "equivalentProperty": "prov:wasAttributedTo"} if part.name == "model" else made


def _writers(facts: Facts, name: str) -> list[Json]:
    """Models that wrote a column in this release."""
    if name in WRITTEN:
        models = [row[1] for row in facts.captions if row[0] in WRITTEN[name] and row[6 if name == "caption" else 2]]
    elif name in ("scores", "similarity"):
        models = [model for scorer, model, _ in facts.scorers if name == "scores" or scorer == "image_text_similarity"]
    else:
        return []
    agents = _agents(facts)
    return [
        {"@id": agents[model]["@id"]} if model in agents else {"@type": "prov:SoftwareAgent", "prov:label": model}
        for model in dict.fromkeys(models)
        if model
    ]


def _images() -> Json:
    image_files = {"fileSet": {"@id": "image-files"}}
    key = {
        "@type": "cr:Field", "@id": "images/key", "name": "key", "dataType": "sc:Text",
        "description": "name of the sample's members in the tar; column key of pairs",
        "source": {**image_files, "extract": {"fileProperty": "filename"}, "transform": {"regex": r"^(\d+)"}},
        "references": {**_column("key")},
    }  # fmt: skip
    image = {
        "@type": "cr:Field", "@id": "images/image", "name": "image", "dataType": "sc:ImageObject",
        "description": "the picture", "source": {**image_files, "extract": {"fileProperty": "content"}},
    }  # fmt: skip
    columns = [
        {
            "@type": "cr:Field", "@id": f"images/{name}", "name": name, "dataType": "sc:Text",
            "description": COLUMNS[name][1], "source": _column(name),
        }
        for name in ("caption", "image_license", "attribution")
    ]  # fmt: skip
    return {
        "@type": "cr:RecordSet", "@id": "images", "name": "images", "key": {"@id": "images/key"},
        "description": "One record per image in the tars, with its caption, license and credit line.",
        "field": [key, image, *columns],
    }  # fmt: skip
