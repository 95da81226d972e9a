"""What the rules found beside what a truth file says: licenses, opt-outs and credits, counted.

A truth file has one JSON object per line and `<img>` element. Only rows with role `content` count, and only those whose
image was judged: what a build never saw is neither right nor wrong.
"""

from __future__ import annotations

import gzip
import json
import os
import reprlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

MAX_LINE = 1 << 20
MAX_BYTES = 1 << 30
"""A truth file of more bytes, unpacked, is refused; real ones have about 1 KiB per row."""

RESERVATIONS = ("reserved", "conditional", "allowed", "unknown")
FOUND, MISSED, OTHER = "found", "missed", "other"

_FIELDS = {"creator": ("creator",), "credit": ("credit", "creator"), "source": ("source_url", "license_url")}
"""Fields of table `attribution` that state what a truth's attribution names: a license page is often the source."""

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), False),
        pa.field("expected", pa.string(), False),
        pa.field("found", pa.string(), False),
        pa.field("samples", pa.uint32(), False),
        pa.field("right", pa.bool_(), False),
    ]
)


class TruthError(ValueError):
    """A truth file cannot be used; the message names file and line and says what is wrong."""


class Truth(NamedTuple):
    """What a careful reader would say of one image on one page.

    Attributes:
        page_url, position: which `<img>` of which page, from 0.
        license: SPDX id or expression, NONE or NOASSERTION.
        also_right: other defensible answers.
        reservation: reserved, conditional, allowed or unknown; None where the file does not say.
        attribution: creator, credit and source, as far as one is named.
    """

    page_url: str
    position: int
    license: str | None
    also_right: tuple[str, ...]
    reservation: str | None
    attribution: dict[str, str]


def read_truth(path: str | os.PathLike[str]) -> list[Truth]:
    """Content rows of a truth file: JSON lines, packed with gzip where the name ends in .gz. Raises TruthError."""
    name = os.fspath(path)
    opener = gzip.open if name.endswith(".gz") else open
    try:
        with opener(path, "rb") as stream:
            rows = (_truth(line, f"{name}, line {number}") for number, line in _lines(cast(BinaryIO, stream), name))
            return [row for row in rows if row is not None]
    except (OSError, EOFError, zlib.error) as error:
        raise TruthError(f"{name}: it cannot be read: {error}") from error


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = total = 0
    while line := stream.readline(MAX_LINE + 1):
        number, total = number + 1, total + len(line)
        if len(line) > MAX_LINE:
            raise TruthError(f"{name}, line {number}: it is longer than 1 MiB; one line is one image")
        if total > MAX_BYTES:
            raise TruthError(f"{name}, line {number}: the file has more than 1 GiB; split it")
        if line.strip():
            yield number, line


def _truth(line: bytes, place: str) -> Truth | None:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise TruthError(f"{place}: it is no JSON object: {error}") from error
    if not isinstance(row, dict):
        raise TruthError(f"{place}: it is {type(row).__name__}, but a row is a JSON object")
    if row.get("role") != "content":
        return None
    page_url, position, reservation = row.get("page_url"), row.get("img_index"), row.get("reservation")
    if not isinstance(page_url, str):
        raise TruthError(f"{place}: page_url must be a text, not {reprlib.repr(page_url)}")
    if not isinstance(position, int) or isinstance(position, bool) or position < 0:
        raise TruthError(
            f"{place}: img_index must be the number of the <img> in its page, from 0, not {reprlib.repr(position)}"
        )
    if reservation is not None and reservation not in RESERVATIONS:
        raise TruthError(
            f"{place}: reservation must be one of {', '.join(RESERVATIONS)}, not {reprlib.repr(reservation)}"
        )
    license_, also, attribution = row.get("licence"), row.get("licence_also_ok"), row.get("attribution")
    if license_ is not None and not isinstance(license_, str):
        raise TruthError(f"{place}: licence must be a text, not {reprlib.repr(license_)}")
    if not isinstance(also, list | None) or any(not isinstance(item, str) for item in also or ()):
        raise TruthError(f"{place}: licence_also_ok must be a list of texts, not {reprlib.repr(also)}")
    if not isinstance(attribution, dict | None):
        raise TruthError(
            f"{place}: attribution must be an object with creator, credit and source, not {reprlib.repr(attribution)}"
        )
    stated = {key: value for key, value in (attribution or {}).items() if key in _FIELDS and isinstance(value, str)}
    stated = {key: value for key, value in stated.items() if value.strip()}
    return Truth(page_url, position, license_, tuple(also or ()), reservation, stated)


def confusion(rights_rows: pa.Table, sample: pa.Table, attribution: pa.Table, truth_rows: Sequence[Truth]) -> pa.Table:
    """How often what was expected was found as what: columns kind, expected, found, samples, right.

    For licenses, `right` also where the truth lists the found one as another defensible answer. Creator, credit and
    source are kinds of their own, and `expected` is always `found` there: a truth that names nobody says nothing.

    Args:
        rights_rows: columns sample_id, image_license and reservation.
        sample: columns sample_id, page_url, position, page_record_id, image_record_id and image_id, of the same samples
            or more.
        attribution: table `attribution` of the same shards.
        truth_rows: of `read_truth`.
    """
    truth = {(row.page_url, row.position): row for row in truth_rows}
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    places = _places(sample, {row.page_url for row in truth_rows})
    stated = _stated(attribution, places.values())
    judged = rights_rows.select(["sample_id", "image_license", "reservation"])
    judged = judged.filter(pc.is_in(judged["sample_id"], pa.array(list(places), pa.uint64())))
    for row in judged.to_pylist():
        place = places[row["sample_id"]]
        expected = truth.get((place["page_url"], place["position"]))
        if expected is None:
            continue
        if expected.license is not None:
            found = row["image_license"]
            right = found == expected.license or found in expected.also_right
            counts["license", expected.license, found, right] += 1
        if expected.reservation is not None:
            found = row["reservation"]
            counts["reservation", expected.reservation, found, found == expected.reservation] += 1
        said = [stated.get(subject, {}) for subject in _subjects(place)] if expected.attribution else []
        for field, name in expected.attribution.items():
            found = _credited(field, name, said)
            counts[field, FOUND, found, found == FOUND] += 1
    rows = [
        {"kind": kind, "expected": expected_word, "found": found, "samples": count, "right": right}
        for (kind, expected_word, found, right), count in sorted(counts.items())
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _places(sample: pa.Table, pages: set[str]) -> dict[int, dict[str, Any]]:
    """Samples on the truth's pages, by id."""
    columns = ["sample_id", "page_url", "position", "page_record_id", "image_record_id", "image_id"]
    on_pages = sample.select(columns).filter(pc.is_in(sample["page_url"], pa.array(sorted(pages), pa.string())))
    return {row["sample_id"]: row for row in on_pages.to_pylist()}


def _subjects(place: Mapping[str, Any]) -> list[tuple[str, int]]:
    subjects = [("image", place["image_record_id"]), ("image", place["image_id"]), ("sample", place["sample_id"])]
    return [*subjects, ("page", place["page_record_id"])]


Stated = dict[str, set[str]]


def _stated(attribution: pa.Table, places: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Stated]:
    """What is stated about the places' subjects: values by field."""
    wanted = {subject for place in places for subject in _subjects(place)}
    ids = pa.array(sorted({i for _, i in wanted if i is not None}), pa.uint64())
    rows = attribution.select(["subject_type", "subject_id", "field", "value"])
    found: dict[tuple[str, int], Stated] = defaultdict(lambda: defaultdict(set))
    for row in rows.filter(pc.is_in(rows["subject_id"], ids)).to_pylist():
        subject = (row["subject_type"], row["subject_id"])
        if subject in wanted:
            found[subject][row["field"]].add(_plain(row["value"]))
    return found


def _credited(key: str, value: str, stated: Sequence[Stated]) -> str:
    """Whether what is expected is stated; `other` where something else stands in its place."""
    said = {text for level in stated for field in _FIELDS[key] for text in level.get(field, ())}
    return FOUND if _plain(value) in said else OTHER if said else MISSED


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def agreement(table: pa.Table) -> dict[str, float]:
    """Share of samples that are right, by kind; kinds without samples are left out. `attribution` is of all credits.

    `missed`: samples that the truth calls reserved and the build does not; 0 is what a release needs.
    """
    rows = table.to_pylist()
    shares: dict[str, float] = {}
    credits = tuple(_FIELDS)
    kinds = {**{kind: (kind,) for kind in ("license", "reservation", *credits)}, "attribution": credits}
    for kind, together in kinds.items():
        of_kind = [row for row in rows if row["kind"] in together]
        total = sum(row["samples"] for row in of_kind)
        if total:
            shares[kind] = sum(row["samples"] for row in of_kind if row["right"]) / total
    reserved = [row for row in rows if row["kind"] == "reservation" and row["expected"] == "reserved"]
    shares["missed"] = sum(row["samples"] for row in reserved if row["found"] != "reserved")
    return shares
