"""The kit for forms of a release: what is exported is read back and held against the release, fact by fact."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.release.documents import text_only
from assets.release.exports import EXPORTS, Fact, Form, ReleaseFolder, address, write
from assets.release.shards import ReleaseError
from resources.conformance.checks import Answer, Check, Result, results

NEEDED: tuple[Fact, ...] = ("id", "license", "hash")
"""What a form tells, or says why it does not."""


@dataclass(frozen=True)
class ExportCase:
    """A form that is asked to carry a release there and back.

    Attributes:
        form: the form.
        folder: of the release.
        scratch: empty folder for what is written.
    """

    form: Form
    folder: Path
    scratch: Path

    @cached_property
    def release(self) -> ReleaseFolder:
        """The release."""
        return ReleaseFolder(self.folder)

    @cached_property
    def count(self) -> int:
        """Rows that were written, as the form counts them."""
        return write(self.release, self.form, self.scratch / "first")

    @cached_property
    def back(self) -> pa.Table:
        """What was written, read back."""
        assert self.count >= 0
        return self.form.read(self.scratch / "first")

    @cached_property
    def truth(self) -> list[dict[Fact, Any]]:
        """What the release says of every row that the form may have, in order."""
        if self.form.row == "sample":
            return [_of_sample(row) for part in self.release.rows() for row in part.to_pylist()]
        documents = [row for part in self.release.documents() for row in part.to_pylist()]
        if self.form.row == "document":
            return [_of_document(document) for document in documents]
        return [fact for document in documents for fact in _of_images(document)]

    def told(self, fact: Fact) -> list[Any]:
        """What the form tells, row by row."""
        return list(self.back[self.form.keeps[fact]].to_pylist())

    @cached_property
    def names(self) -> list[Any]:
        """What each row read back is known by: the id, or page and address where a form has no place for one."""
        columns = [self.told(fact) for fact in self._known_by]
        return [part[0] if len(part) == 1 else part for part in zip(*columns, strict=True)]

    @cached_property
    def true_names(self) -> list[Any]:
        """The same of the release."""
        rows = [tuple(row[fact] for fact in self._known_by) for row in self.truth]
        return [row[0] if len(row) == 1 else row for row in rows]

    @property
    def _known_by(self) -> tuple[Fact, ...]:
        """The id, or page and address where a form has no place for one."""
        return ("id",) if "id" in self.form.keeps else ("page", "url")

    def pairs(self) -> list[tuple[int, dict[Fact, Any]]]:
        """Rows read back, by place, beside what the release says of the same; by place where a form has no ids."""
        if "id" not in self.form.keeps:
            return list(enumerate(self.truth[: self.back.num_rows]))
        of = {row["id"]: row for row in self.truth}
        return [(place, of[name]) for place, name in enumerate(self.names) if name in of]


def _of_sample(row: dict[str, Any]) -> dict[Fact, Any]:
    return {
        "id": row["sample_id"],
        "page": row["page_url"],
        "url": address(row["url"]),
        "license": row["image_license"],
        "credit": row["attribution"],
        "text": row["caption"],
        "hash": row["sha256"],
        "bytes": row["stored_sha256"] if row["status"] == "success" else None,
    }


def _of_document(row: dict[str, Any]) -> dict[Fact, Any]:
    facts: dict[Fact, Any] = {"id": row["page_record_id"], "page": row["page_url"], "license": row["license"]}
    return {**facts, "credit": row["attribution"], "text": text_only(row)}


def _of_images(document: dict[str, Any]) -> Iterator[dict[Fact, Any]]:
    for image in filter(None, json.loads(document["metadata"])):
        facts: dict[Fact, Any] = {"id": image["sample_id"], "page": document["page_url"], "url": address(image["url"])}
        yield {**facts, "license": image["license"], "credit": image["attribution"], "hash": image["sha256"]}


def exports(case: ExportCase) -> Answer:
    """Can the release be written in this form, and read back?"""
    missing = sorted(set(case.form.keeps.values()) - set(case.back.column_names))
    if missing:
        return False, f"what is read back has no column {missing[0]}, which the form says it has"
    return True, f"{case.count} rows, {(case.scratch / 'first').stat().st_size} bytes"


def says_what_it_keeps(case: ExportCase) -> Answer:
    """Does it tell ids, licenses and hashes, or say why it does not?"""
    silent = [fact for fact in NEEDED if fact not in case.form.keeps and not case.form.lacks.get(fact)]
    if silent:
        return False, f"it neither keeps {silent[0]} nor says why it lacks it"
    if "id" not in case.form.keeps and not {"page", "url"} <= case.form.keeps.keys():
        return False, "it has no ids, and not page and address either: nobody can tell which sample a row is"
    lacks = "; ".join(f"no {fact}: {why}" for fact, why in case.form.lacks.items())
    return True, f"keeps {', '.join(case.form.keeps)}" + (f"; {lacks}" if lacks else "")


def reads_back_every_row(case: ExportCase) -> Answer:
    """Are as many rows read back as it says it wrote?"""
    return case.count == case.back.num_rows, f"{case.count} rows written, {case.back.num_rows} read back"


def keeps_ids(case: ExportCase) -> Answer:
    """Is every sample or document of the release there once, and nothing else?"""
    found, wanted = Counter(case.names), Counter(case.true_names)
    if extra := list((found - wanted).elements()):
        return False, f"{extra[0]} is there once more than in the release, and so are {len(extra) - 1} others"
    # An image without a text of its own makes no pair.
    if case.form.row != "pair" and (gone := list((wanted - found).elements())):
        return False, f"{gone[0]} is gone, and so are {len(gone) - 1} others"
    return True, f"{len(case.names)} of {len(case.true_names)}, known by {' and '.join(case._known_by)}"


def keeps_order(case: ExportCase) -> Answer:
    """Do rows come in the order of the release?"""
    there, known = set(case.names), set(case.true_names)
    found = [name for name in case.names if name in known]
    wanted = [name for name in case.true_names if name in there]
    if Counter(found) != Counter(wanted):
        found, wanted = list(dict.fromkeys(found)), list(dict.fromkeys(wanted))
    moved = [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]]
    return not moved, f"{moved[0][0]} stands where {moved[0][1]} should" if moved else "as in the release"


def keeps_licenses(case: ExportCase) -> Answer:
    """Does every row come under the license that the release names?"""
    return _kept(case, "license")


def keeps_credit(case: ExportCase) -> Answer:
    """Does every row have the credit line of the release?"""
    return _kept(case, "credit")


def keeps_hashes(case: ExportCase) -> Answer:
    """Does every row have the hash of the image that the release has?"""
    return _kept(case, "hash")


def keeps_addresses(case: ExportCase) -> Answer:
    """Does every row have the addresses of image and page?"""
    return _all(_kept(case, fact) for fact in ("page", "url"))


def keeps_texts(case: ExportCase) -> Answer:
    """Does every row have the caption of the sample, or the texts of the document?"""
    return _kept(case, "text")


def _kept(case: ExportCase, fact: Fact) -> Answer:
    if fact not in case.form.keeps:
        return True, f"not told: {case.form.lacks.get(fact, 'the form has no place for it')}"
    told = case.told(fact)
    wrong = [(place, row) for place, row in case.pairs() if told[place] != row[fact]]
    if wrong:
        place, row = wrong[0]
        return (
            False,
            f"{fact} of {row['id']} is {told[place]!r}, but {row[fact]!r} in the release; {len(wrong)} such rows",
        )
    return True, f"{len(told)} rows, as in the release"


def _all(answers: Iterator[Answer]) -> Answer:
    found = list(answers)
    return next((answer for answer in found if not answer[0]), found[0])


def gives_equal_bytes_twice(case: ExportCase) -> Answer:
    """Does the same release give the same bytes again, under another name?"""
    assert case.count >= 0
    write(case.release, case.form, case.scratch / "second")
    first, second = ((case.scratch / name).read_bytes() for name in ("first", "second"))
    return first == second, "the same bytes" if first == second else "a clock, a name or chance is in the file"


def passes_on_no_bytes_beyond_rights(case: ExportCase) -> Answer:
    """Are images only where the release has them, and the same?"""
    own = case.form.keeps.get("bytes")
    binary = [field.name for field in case.back.schema if _is_binary(field.type) and field.name != own]
    if binary:
        return False, f"column {binary[0]} has bytes, but the form does not say that it keeps them"
    if own is None:
        return True, "no bytes"
    told = case.told("bytes")
    for place, row in case.pairs():
        found = None if told[place] is None else hashlib.sha256(told[place]).hexdigest()
        if found != row["bytes"]:
            return False, f"the image of {row['id']} is {'not there' if found is None else 'not that of the release'}"
    return True, f"{len(told)} rows, each with the image that the release has"


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


EXPORT_CHECKS: tuple[Check[ExportCase], ...] = (
    exports,
    says_what_it_keeps,
    reads_back_every_row,
    keeps_ids,
    keeps_order,
    keeps_licenses,
    keeps_credit,
    keeps_hashes,
    keeps_addresses,
    keeps_texts,
    gives_equal_bytes_twice,
    passes_on_no_bytes_beyond_rights,
)


def export_checks(form: str, folder: Path) -> Iterator[Result]:
    """Carry a release there and back in a form. Raises ReleaseError for a form that nobody knows."""
    if form not in EXPORTS:
        raise ReleaseError(f"{form} is no form of a release; choose one of {', '.join(EXPORTS)}")
    with tempfile.TemporaryDirectory() as scratch:
        yield from results(EXPORT_CHECKS, ExportCase(EXPORTS[form], folder, Path(scratch)))
