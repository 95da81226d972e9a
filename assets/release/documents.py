"""Interleaved documents: pages whose words may be passed on, with the released images where they stand among the texts.

    documents-NNNNN.parquet    one row per page, in OBELICS' layout (Laurençon et al. 2023): `texts` and `images` are lists
                               of one length, and at each place exactly one of the two is null

A document can be cut down to its words (`text_only`) or to image-text pairs (`pairs`): each image gets the text that an
optimal assignment on a given similarity matrix gives it (Zhu et al. 2023, Multimodal C4, section 2).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.captions.gates import is_injection
from assets.release.attribution import credit_line
from assets.release.shards import ReleaseError, ReleaseFile, describe_file, extension_of
from assets.rights.licenses import NOASSERTION, NONE, obligations_of

PREFIX = "documents-"
"""What names of the files of documents in a release start with."""
FILES = f"{PREFIX}*.parquet"
"""Pattern of those names."""

TEXT, U64 = pa.string(), pa.uint64()
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "page_record_id": (U64, "record of the page in the crawl"),
    "page_url": (TEXT, "address of the page"),
    "page_title": (TEXT, "title of the page"),
    "language": (TEXT, "language of most of the characters; else the one that the page declares for most images"),
    "license": (TEXT, "license of the page's words; each image has its own"),
    "license_url": (TEXT, "that license's own address"),
    "attribution": (TEXT, "credit line of the words, where their license asks for one"),
    "texts": (pa.list_(TEXT), "texts in document order; null where an image stands"),
    "images": (
        pa.list_(TEXT),
        "images in document order: name of the member in the release's tar, or the image's address where the release has"
        " no bytes of it; null where a text stands",
    ),
    "metadata": (
        TEXT,
        "JSON: list as long as the others, of each image its key, sample_id, tar, license and credit line",
    ),
    "general_metadata": (TEXT, "JSON: of each text its role and element on the page, as lists as long as the others"),
}
"""Columns of the files of documents, with a sentence each."""
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])

ATTRIBUTION = 1


def write_documents(
    document: pa.Table,
    rows: pa.Table,
    members: pa.Table,
    folder: Path,
    attribution: pa.Table | None = None,
    per_file: int = 1000,
) -> list[ReleaseFile]:
    """Write the documents of a release into its folder, and read them again.

    A page with no image in `rows` gets none: those samples have their decision.

    Args:
        document: table `document`, sorted.
        rows: rows of `assemble`, sorted by sample_id.
        members: table `release_member` of the release, sorted by sample_id.
        folder: of the release.
        attribution: table `attribution`, for the authors of pages.
        per_file: pages per file.

    Raises ReleaseError where a file does not read back. The files' `rows` is None: they hold no samples.
    """
    pages = _pages(document, rows, members, _page_authors(attribution))
    files: list[ReleaseFile] = []
    waiting: list[dict[str, Any]] = []
    for page in pages:
        waiting.append(page)
        if len(waiting) == per_file:
            files.append(_write(waiting, folder / f"{PREFIX}{len(files):05d}.parquet"))
            waiting = []
    if waiting:
        files.append(_write(waiting, folder / f"{PREFIX}{len(files):05d}.parquet"))
    return files


def _write(pages: Sequence[Mapping[str, Any]], path: Path) -> ReleaseFile:
    return write_file(pa.Table.from_pylist(list(pages), SCHEMA), path)


def write_file(documents: pa.Table, path: Path) -> ReleaseFile:
    """A file of documents, read back; raises ReleaseError where it is another one then, or its lists do not agree."""
    pq.write_table(documents, path, compression="zstd")
    if read_file(path) != documents:
        raise ReleaseError(f"{path}: what was written could not be read back; check the disk and run again")
    return describe_file(path)


def read_file(path: Path) -> pa.Table:
    """A file of documents; raises ReleaseError where it cannot be read or a place is no text, no image, or both."""
    try:
        documents = pq.read_table(path, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise ReleaseError(f"{path}: not a readable file of documents; get the release again") from error
    texts, images = (documents[name].combine_chunks() for name in ("texts", "images"))
    lengths = [pc.list_value_length(column) for column in (texts, images)]
    aligned = lengths[0].null_count + lengths[1].null_count == 0 and lengths[0].equals(lengths[1])
    if aligned:
        a, b = (pc.list_flatten(column).is_null() for column in (texts, images))
        aligned = pc.all(pc.xor(a, b), min_count=0).as_py()
    if not aligned:
        raise ReleaseError(f"{path}: texts and images of a document do not lie side by side; get the release again")
    return documents


def _page_authors(attribution: pa.Table | None) -> dict[int, dict[str, str]]:
    """What pages say of their own authors: field -> values, joined."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    if attribution is None:
        return found
    of_pages = attribution.filter(pc.equal(attribution["subject_type"], "page"))
    for row in of_pages.select(["subject_id", "field", "value"]).to_pylist():
        if row["field"] in ("creator", "credit", "copyright_notice") and not is_injection(row["value"]):
            fields = found[row["subject_id"]]
            if row["value"] not in fields.get(row["field"], "").split("; "):
                fields[row["field"]] = "; ".join(filter(None, (fields.get(row["field"]), row["value"])))
    return found


_OF_IMAGE = ("key", "sample_id", "status", "url", "sha256", "caption", "image_license", "license_url", "attribution",
             "image_format")  # fmt: skip
_OF_PAGE = ("page_url", "page_title", "language", "text_license", "text_license_url")


def _pages(
    document: pa.Table, rows: pa.Table, members: pa.Table, authors: Mapping[int, Mapping[str, str]]
) -> Iterator[dict[str, Any]]:
    """Rows of the files, page by page; those of a page are Python objects, those of the release stay columns."""
    ids = rows["sample_id"].to_numpy()
    described = rows.select([*_OF_IMAGE, *_OF_PAGE])
    described = described.append_column("file", members["file"]).combine_chunks()
    pages = document["page_record_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, pages[1:] != pages[:-1]][: len(pages)])
    for start, end in zip(starts, np.append(starts[1:], len(pages)), strict=False):
        parts = document.slice(start, end - start).to_pylist()
        wanted = np.array([part["sample_id"] for part in parts if part["sample_id"] is not None], np.uint64)
        places = np.searchsorted(ids, wanted)
        places = places[(places < len(ids)) & (np.append(ids, np.uint64(0))[places] == wanted)]
        samples = {row["sample_id"]: row for row in described.take(places).to_pylist()}
        page = _page(parts, samples, authors)
        if page is not None:
            yield page


def _page(
    parts: Sequence[Mapping[str, Any]],
    samples: Mapping[int, Mapping[str, Any]],
    authors: Mapping[int, Mapping[str, str]],
) -> dict[str, Any] | None:
    kept = [part for part in parts if part["text"] is not None or part["sample_id"] in samples]
    if not samples or not any(part["text"] for part in kept):
        return None
    page_id, first = parts[0]["page_record_id"], next(iter(samples.values()))
    about = [None if part["text"] else _about(samples[part["sample_id"]]) for part in kept]
    texts = [part if part["text"] else {"role": None, "tag": None} for part in kept]
    return {
        "page_record_id": page_id,
        "page_url": first["page_url"],
        "page_title": first["page_title"],
        "language": _language(kept, samples.values()),
        "license": first["text_license"],
        "license_url": first["text_license_url"],
        "attribution": _credit(first, authors.get(page_id, {})),
        "texts": [part["text"] for part in kept],
        "images": [None if part["text"] else _image(samples[part["sample_id"]]) for part in kept],
        "metadata": _json(about),
        "general_metadata": _json({"roles": [t["role"] for t in texts], "tags": [t["tag"] for t in texts]}),
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _image(row: Mapping[str, Any]) -> str:
    return f"{row['key']}.{extension_of(row['image_format'])}" if row["status"] == "success" else str(row["url"])


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in ("key", "sample_id", "status", "url", "sha256", "caption", "file")}
    credit = {"license": row["image_license"], "license_url": row["license_url"], "attribution": row["attribution"]}
    return {**found, **credit}


def _language(parts: Sequence[Mapping[str, Any]], samples: Iterable[Mapping[str, Any]]) -> str | None:
    """The language of most characters; where no text is long enough to tell, the one that most images declare."""
    votes: Counter[str] = Counter()
    for part in parts:
        if part["language"]:
            votes[part["language"]] += len(part["text"])
    if not votes:
        votes.update(row["language"] for row in samples if row["language"])
    return min(votes, key=lambda name: (-votes[name], name)) if votes else None


def _credit(row: Mapping[str, Any], author: Mapping[str, str]) -> str | None:
    """Credit line of a page's words."""
    license = row["text_license"]
    if license in (None, NONE, NOASSERTION) or not (obligations_of(license) & ATTRIBUTION or author):
        return None
    terms = {"image_license": license, "license_url": row["text_license_url"], "text_license": license}
    work = {
        "work_title": row["page_title"] or row["page_url"],
        "page_url": row["page_url"],
        "source_url": None,
        "url": None,
    }
    stated = {name: author.get(name) for name in ("creator", "credit", "copyright_notice")}
    return credit_line({**terms, **work, **stated, "text_license_url": row["text_license_url"]})


def without_samples(documents: pa.Table, gone: Collection[int]) -> pa.Table:
    """Documents without some images; those that have no image left are gone as a whole."""
    removed = set(gone)
    kept = []
    for row in documents.to_pylist():
        about, general = json.loads(row["metadata"]), json.loads(row["general_metadata"])
        stay = [n for n, image in enumerate(about) if image is None or image["sample_id"] not in removed]
        if len(stay) < len(about):
            row |= {name: [row[name][n] for n in stay] for name in ("texts", "images")}
            row["metadata"] = _json([about[n] for n in stay])
            row["general_metadata"] = _json({name: [values[n] for n in stay] for name, values in general.items()})
        if any(image is not None for image in row["images"]):
            kept.append(row)
    return pa.Table.from_pylist(kept, SCHEMA)


def text_only(document: Mapping[str, Any]) -> str:
    """The texts of a document in order, an empty line between them."""
    return "\n\n".join(text for text in document["texts"] if text is not None)


@dataclass(frozen=True)
class Pair:
    """An image of a document with one of its texts, by their places among the parts, and how alike they are."""

    image: int
    text: int
    similarity: float


def pairs(document: Mapping[str, Any], similarity: np.ndarray) -> list[Pair]:
    """The assignment of images to texts, no text to two images, whose similarities have the greatest sum.

    Where there are more images than texts, some images have none. Pairs come in the order of the images.

    Args:
        document: with `texts` and `images`.
        similarity: (images, texts) in the order in which they stand; NaN counts as less than any number.

    Raises ValueError where the matrix has another shape.
    """
    from scipy.optimize import linear_sum_assignment

    images = [place for place, image in enumerate(document["images"]) if image is not None]
    texts = [place for place, text in enumerate(document["texts"]) if text is not None]
    matrix = np.asarray(similarity, dtype=np.float64)
    if matrix.shape != (len(images), len(texts)):
        raise ValueError(f"{len(images)} images and {len(texts)} texts need a matrix of that shape, not {matrix.shape}")
    finite = matrix[np.isfinite(matrix)]
    least = float(finite.min() - np.ptp(finite) * min(matrix.shape) - 1) if len(finite) else 0.0
    chosen = zip(*linear_sum_assignment(np.where(np.isfinite(matrix), matrix, least), maximize=True), strict=True)
    return [Pair(images[i], texts[j], float(matrix[i, j])) for i, j in chosen]


Similarity = Callable[[Mapping[str, Any]], np.ndarray]
"""A document, as a mapping of COLUMNS -> (images, texts) similarities."""

TEXT_COLUMNS = ("page_record_id", "page_url", "page_title", "language", "license", "license_url", "attribution")
TEXT_SCHEMA = pa.schema([*(SCHEMA.field(name) for name in TEXT_COLUMNS), ("text", TEXT)])
PAIR_SCHEMA = pa.schema(
    [
        ("page_record_id", U64), ("page_url", TEXT), ("language", TEXT), ("sample_id", U64), ("key", TEXT),
        ("image", TEXT), ("file", TEXT), ("image_part", pa.uint32()), ("text", TEXT), ("text_part", pa.uint32()),
        ("similarity", pa.float32()), ("image_license", TEXT), ("image_license_url", TEXT), ("image_attribution", TEXT),
        ("text_license", TEXT), ("text_license_url", TEXT), ("text_attribution", TEXT),
    ]
)  # fmt: skip


def text_table(documents: pa.Table) -> pa.Table:
    """A row per document: its words alone, with their license and credit."""
    about = documents.select(TEXT_COLUMNS)
    texts = [text_only({"texts": texts}) for texts in documents["texts"].to_pylist()]
    return about.append_column("text", pa.array(texts, TEXT)).cast(TEXT_SCHEMA)


def pair_table(documents: pa.Table, similarity: Similarity) -> pa.Table:
    """A row per image that has a text, with licenses and credit of both."""
    found = []
    for document in documents.to_pylist():
        about = json.loads(document["metadata"])
        page = {name: document[name] for name in ("page_record_id", "page_url", "language")}
        words = {f"text_{name}": document[name] for name in ("license", "license_url", "attribution")}
        for pair in pairs(document, similarity(document)):
            image = about[pair.image]
            terms = {f"image_{name}": image[name] for name in ("license", "license_url", "attribution")}
            which = {name: image[name] for name in ("sample_id", "key", "file")}
            places = {"image_part": pair.image, "text_part": pair.text, "similarity": pair.similarity}
            both = {"image": document["images"][pair.image], "text": document["texts"][pair.text]}
            found.append({**page, **words, **terms, **which, **places, **both})
    return pa.Table.from_pylist(found, PAIR_SCHEMA)


def by_order(document: Mapping[str, Any]) -> np.ndarray:
    """Nearness of images and texts among the parts, without a model: a caption beside the image is nearest, then what
    follows it, then what comes before."""
    roles = json.loads(document["general_metadata"])["roles"]
    images = np.array([place for place, image in enumerate(document["images"]) if image is not None])
    texts = np.array([place for place, text in enumerate(document["texts"]) if text is not None])
    captions = np.array([roles[place] == "caption" for place in texts])
    apart = texts[None, :] - images[:, None]
    return -(np.abs(apart) + 0.25 * (apart < 0) - 0.5 * captions[None, :])
