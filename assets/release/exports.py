"""A release in other forms: its words alone, image-text pairs, WIT's table, or addresses and captions.

Reads the release's folder and nothing else. To add a form, write a function and its reader and name both in `EXPORTS`
(docs/extending.md). Each form is one file:

    text        Parquet, a row per document: the texts in order
    pairs       Parquet, a row per image of a document: the text that it is assigned
    wit         TSV, gzip: the 17 columns of WIT (Srinivasan et al. 2021), a row per sample; texts are quoted, nulls are not
    metadata    Parquet, a row per sample: addresses, ids, captions and credit, no bytes
"""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from assets.release.documents import (
    PAIR_SCHEMA,
    PREFIX,
    TEXT_SCHEMA,
    Similarity,
    by_order,
    pair_table,
    read_file,
    text_table,
)
from assets.release.manifest import read_list
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseError, describe_file

MIME = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif",
        "TIFF": "image/tiff", "BMP": "image/bmp", "AVIF": "image/avif"}  # fmt: skip

TEXT, U32, BOOL = pa.string(), pa.uint32(), pa.bool_()
WIT = pa.schema(
    [
        ("language", TEXT), ("page_url", TEXT), ("image_url", TEXT), ("page_title", TEXT), ("section_title", TEXT),
        ("hierarchical_section_title", TEXT), ("caption_reference_description", TEXT),
        ("caption_attribution_description", TEXT), ("caption_alt_text_description", TEXT), ("mime_type", TEXT),
        ("original_height", U32), ("original_width", U32), ("is_main_image", BOOL),
        ("attribution_passes_lang_id", BOOL), ("page_changed_recently", BOOL), ("context_page_description", TEXT),
        ("context_section_description", TEXT),
    ]
)  # fmt: skip
"""WIT's columns, in its order."""

METADATA = (
    "sample_id", "uid", "key", "status", "url", "sha256", "width", "height", "caption", "caption_kind", "caption_model", "alt",
    "synthetic", "synthetic_dense", "synthetic_dense_plus", "fused", "language", "page_url", "page_record_id", "position",
    "image_license", "license_url", "text_license", "text_license_url", "caption_license", "obligations", "attribution",
)  # fmt: skip
"""Columns of form `metadata`, as in the release."""
ATTRIBUTION = 1

Alike = Callable[[Sequence[str], Sequence[bytes | None]], np.ndarray]
"""Texts and images of a document (None: the release has no bytes of it) -> (images, texts) similarities."""

Fact = Literal["id", "page", "url", "license", "credit", "text", "hash", "bytes"]
"""What a form may tell of a sample or document, under a name of its own:

    id          sample_id; of a document page_record_id
    page        address of the page
    url         address of the image, null where the address holds the image itself
    license     of the image; of a document that of its words
    credit      credit line of the same
    text        caption of a sample; of a document its texts, an empty line between them
    hash        SHA-256 of the image as crawled, hexadecimal
    bytes       the image, null where the release has no bytes of it
"""


@dataclass(frozen=True)
class Form:
    """A form of a release.

    Attributes:
        write: writes a release to a file; returns the number of rows.
        read: reads such a file back as a table, rows in the order in which they were written.
        row: what a row is: a `sample`, a `document`, or a `pair`, an image of a document with one of its texts.
        keeps: what a row tells, and the column of the table read back that has it.
        lacks: why it does not tell which sample a row is, under which license, or the image's hash.
    """

    write: Callable[[ReleaseFolder, Path, Alike | None], int]
    read: Callable[[Path], pa.Table]
    row: Literal["sample", "document", "pair"]
    keeps: Mapping[Fact, str]
    lacks: Mapping[Fact, str] = field(default_factory=dict)


def by_rows(write: Callable[[Iterator[pa.Table], Path], int]) -> Callable[[ReleaseFolder, Path, Alike | None], int]:
    """A form's `write`, of a function that takes the rows of the samples, file by file, and nothing else of a release."""
    return lambda release, out, alike: write(release.rows(), out)


def wit(rows: pa.Table, pages: Mapping[int, Mapping[str, Any]] | None = None) -> pa.Table:
    """WIT's 17 columns for rows of a release; what nobody knows is null.

    The reference description is the image's caption on its page, the attribution description its credit line, with
    which its license is kept.

    Args:
        rows: with COLUMNS of a release.
        pages: by sample_id what `sections` knows of the place of an image in its document.

    Raises ReleaseError where a license asks for credit and a row has none.
    """
    found = [_wit_row(row, (pages or {}).get(row["sample_id"], {})) for row in rows.select(_WIT_FROM).to_pylist()]
    return pa.Table.from_pylist(found, WIT)


_WIT_FROM = ["sample_id", "language", "page_url", "url", "page_title", "heading", "figcaption", "attribution", "alt",
             "image_format", "original_height", "original_width", "context", "obligations"]  # fmt: skip


def _wit_row(row: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    if row["obligations"] & ATTRIBUTION and not row["attribution"]:
        raise ReleaseError(
            f"sample {row['sample_id']} has no credit line, but its license asks for one: build it again"
        )
    return {
        "language": row["language"],
        "page_url": row["page_url"],
        "image_url": address(row["url"]),
        "page_title": row["page_title"],
        "section_title": row["heading"],
        "hierarchical_section_title": place.get("hierarchy"),
        "caption_reference_description": row["figcaption"],
        "caption_attribution_description": row["attribution"],
        "caption_alt_text_description": row["alt"],
        "mime_type": MIME.get((row["image_format"] or "").upper()),
        "original_height": row["original_height"],
        "original_width": row["original_width"],
        "context_page_description": place.get("lead"),
        "context_section_description": place.get("section") or row["context"],
    }


def address(url: str | None) -> str | None:
    """An address, but not one that holds the image itself."""
    return None if url is None or url.lower().startswith("data:") else url


def sections(document: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """For each image of a document, by sample_id: headings above it, first paragraph of the page, text of its section.

    The hierarchy begins with the page's title, as WIT's does; a section's text ends at the next heading.
    """
    about = json.loads(document["metadata"])
    general = json.loads(document["general_metadata"])
    places = list(zip(document["texts"], general["roles"], general["tags"], strict=True))
    lead = next((text for text, role, _ in places if role == "paragraph"), None)
    paragraphs: list[list[str]] = [[]]
    above: list[tuple[int, str]] = []
    images: list[tuple[int, int, str]] = []
    for (text, role, tag), image in zip(places, about, strict=True):
        if image is not None:
            titles = [document["page_title"], *(title for _, title in above)]
            hierarchy = " / ".join(dict.fromkeys(title for title in titles if title))
            images.append((image["sample_id"], len(paragraphs) - 1, hierarchy))
        elif role == "heading":
            level = int(tag[1]) if tag[1:].isdigit() else 6
            above = [*(title for title in above if title[0] < level), (level, text)]
            paragraphs.append([])
        elif role == "paragraph":
            paragraphs[-1].append(text)
    return {
        sample: {"hierarchy": hierarchy or None, "lead": lead, "section": " ".join(paragraphs[number]) or None}
        for sample, number, hierarchy in images
    }


def export(folder: Path, form: str, out: Path, alike: Alike | None = None) -> int:
    """Write a release in another form; returns the number of rows.

    Args:
        folder: of the release.
        form: one of `EXPORTS`.
        out: file to write; it must not be there yet.
        alike: for pairs, how alike images and texts of a document are; None: the nearest text in document order.

    Raises ReleaseError, in one sentence, where the folder is no whole release or lacks what the form needs, or `out`
    cannot be written.
    """
    if form not in EXPORTS:
        raise ReleaseError(f"{form} is no form of a release; choose one of {', '.join(EXPORTS)}")
    return write(ReleaseFolder(folder), EXPORTS[form], out, alike)


def write(release: ReleaseFolder, form: Form, out: Path, alike: Alike | None = None) -> int:
    """Write an open release to a file that appears whole or not at all; see `export`."""
    if out.exists():
        raise ReleaseError(f"{out}: there is a file of that name already; choose another name, or delete it")
    partial = out.with_name(f".{out.name}.partial")
    try:
        count = form.write(release, partial, alike)
        os.replace(partial, out)
    except OSError as error:
        raise ReleaseError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


class ReleaseFolder:
    """Files of a release, each of which is what the release's list says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: tuple[str, dict[str, tuple[int, int]]] | None = None
        self._sha256: dict[str, str] = {file["name"]: file["sha256"] for file in read_list(folder)["files"]}

    def rows(self) -> Iterator[pa.Table]:
        """Rows of the samples, file by file."""
        for name in self._named(lambda name: name[:1].isdigit() or name.startswith("urls-")):
            yield self._read(name, pq.read_table)

    def documents(self, needed: bool = True) -> Iterator[pa.Table]:
        """Documents, file by file."""
        names = self._named(lambda name: name.startswith(PREFIX))
        if needed and not names:
            raise ReleaseError(f"{self.folder}: the release has no documents; set release.documents: true and build it")
        for name in names:
            yield self._read(name, read_file)

    def images(self, document: Mapping[str, Any]) -> list[bytes | None]:
        """Images of a document, in order; None where the release has no bytes."""
        about = [image for image in json.loads(document["metadata"]) if image is not None]
        members = [image for image in document["images"] if image is not None]
        return [
            self._member(image["file"], member) if image["status"] == "success" else None
            for image, member in zip(about, members, strict=True)
        ]

    def _member(self, tar: str, member: str) -> bytes:
        if self._open is None or self._open[0] != tar:
            self._open = (tar, self._read(tar, _offsets))
        try:
            offset, size = self._open[1][member]
        except KeyError as error:
            raise ReleaseError(f"{self.folder / tar}: it has no member {member}; get the release again") from error
        with (self.folder / tar).open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def _named(self, asks: Callable[[str], bool]) -> list[str]:
        return sorted(name for name in self._sha256 if name.endswith(".parquet") and asks(name))

    def _read(self, name: str, read: Callable[[Path], Any]) -> Any:
        path = self.folder / name
        try:
            if name in self._sha256 and describe_file(path).sha256 == self._sha256[name]:
                return read(path)
        except (OSError, pa.ArrowException, tarfile.TarError) as error:
            raise ReleaseError(f"{path}: the file cannot be read; get the release again") from error
        raise ReleaseError(f"{path}: not the file that release.json lists; get the release again")


def _offsets(tar: Path) -> dict[str, tuple[int, int]]:
    """Where each member of a tar lies."""
    with tarfile.open(tar, "r:") as archive:
        return {entry.name: (entry.offset_data, entry.size) for entry in archive}


def _write_text(release: ReleaseFolder, out: Path, alike: Alike | None) -> int:
    return _write_parquet((text_table(part) for part in release.documents()), TEXT_SCHEMA, out)


def _write_pairs(release: ReleaseFolder, out: Path, alike: Alike | None) -> int:
    if alike is None:
        tables = (_unmeasured(pair_table(part, by_order)) for part in release.documents())
    else:
        tables = (pair_table(part, _measure(release, alike)) for part in release.documents())
    return _write_parquet(tables, PAIR_SCHEMA, out)


def _unmeasured(pairs: pa.Table) -> pa.Table:
    """Pairs that stand near each other: nobody knows how alike they are."""
    at = PAIR_SCHEMA.get_field_index("similarity")
    return pairs.set_column(at, PAIR_SCHEMA.field(at), pa.nulls(pairs.num_rows, PAIR_SCHEMA.field(at).type))


def _measure(release: ReleaseFolder, alike: Alike) -> Similarity:
    def measure(document: Mapping[str, Any]) -> np.ndarray:
        texts = [text for text in document["texts"] if text is not None]
        return alike(texts, release.images(document))

    return measure


def _write_metadata(parts: Iterator[pa.Table], out: Path) -> int:
    schema = pa.schema([(name, COLUMNS[name][0]) for name in METADATA])
    return _write_parquet((_metadata(part) for part in parts), schema, out)


def _metadata(rows: pa.Table) -> pa.Table:
    """A release's columns of METADATA; an older release may lack some of them."""
    columns = {}
    for name in METADATA:
        kind = COLUMNS[name][0]
        has = name in rows.column_names
        columns[name] = rows[name].cast(kind) if has else pa.nulls(rows.num_rows, kind)
    columns["url"] = pa.array([address(url) for url in columns["url"].to_pylist()], pa.string())
    return pa.table(columns)


def _write_wit(release: ReleaseFolder, out: Path, alike: Alike | None) -> int:
    pages: dict[int, dict[str, Any]] = {}
    for part in release.documents(needed=False):
        for document in part.to_pylist():
            pages |= sections(document)
    count = 0
    options = pa_csv.WriteOptions(delimiter="\t", quoting_style="all_valid", include_header=True)
    # Without name and clock, so that equal releases give equal bytes.
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
        pa_csv.CSVWriter(packed, WIT, write_options=options) as writer,
    ):
        for rows in release.rows():
            writer.write_table(wit(rows, pages))
            count += rows.num_rows
    return count


def read_wit(path: Path) -> pa.Table:
    """A file of form `wit`, read back without loss: a quoted empty cell is an empty text, a bare one is null."""
    with gzip.open(path, "rb") as stream:
        return pa_csv.read_csv(
            stream,
            parse_options=pa_csv.ParseOptions(delimiter="\t", newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=WIT, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )


def _write_parquet(parts: Iterator[pa.Table], schema: pa.Schema, out: Path) -> int:
    """One file from parts."""
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part)
            count += part.num_rows
    return count


EXPORTS: dict[str, Form] = {
    "text": Form(
        _write_text,
        pq.read_table,
        "document",
        keeps={
            "id": "page_record_id",
            "page": "page_url",
            "license": "license",
            "credit": "attribution",
            "text": "text",
        },
        lacks={"hash": "it has no images"},
    ),
    "pairs": Form(
        _write_pairs,
        pq.read_table,
        "pair",
        keeps={"id": "sample_id", "page": "page_url", "license": "image_license", "credit": "image_attribution"},
        lacks={"hash": "key and file name the image in the release, which has its hash"},
    ),
    "wit": Form(
        _write_wit,
        read_wit,
        "sample",
        keeps={"page": "page_url", "url": "image_url", "credit": "caption_attribution_description"},
        lacks={
            "id": "WIT's columns are given: page and address tell which it is",
            "license": "WIT's columns are given: the credit line names it where it asks for credit",
            "hash": "WIT's columns are given",
        },
    ),
    "metadata": Form(
        by_rows(_write_metadata),
        pq.read_table,
        "sample",
        keeps={
            "id": "sample_id",
            "page": "page_url",
            "url": "url",
            "license": "image_license",
            "credit": "attribution",
            "text": "caption",
            "hash": "sha256",
        },
    ),
}
"""Every form, by name."""
