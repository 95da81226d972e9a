"""Expert hints: what programs that look for one thing each find in a picture, kept as columns and offered to prompts.

DenseFusion (Li et al. 2024) showed that such findings make dense captions better; its users miss the findings
themselves, so they are a table of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from assets.captions.words import word_set
from assets.crawl.images import ImageRefused, decode
from assets.provenance.tables import TABLES
from resources.agents import Agent
from resources.lake import local_path

PEOPLE = word_set("person people man woman boy girl child baby crowd bride groom face portrait sailor soldier")
"""Words of the vocabulary that name people."""

MOST_LINES = 12
"""Lines of writing that are offered to a prompt."""


@dataclass(frozen=True)
class Found:
    """What one expert found in one picture.

    Attributes:
        lines: OCR: lines in reading order; None where it did not look.
        confidence: OCR: mean confidence of the lines; None without any.
        faces: face finder: how many; None where it did not look.
    """

    lines: tuple[str, ...] | None = None
    confidence: float | None = None
    faces: int | None = None


@dataclass(frozen=True)
class Expert:
    """Something that looks at pictures.

    Attributes:
        agent: who it is.
        look: one finding per picture, in order; a picture that does not decode has an empty one.
    """

    agent: Agent
    look: Callable[[Iterable[bytes]], list[Found]]


def text_expert(threads: int) -> Expert:
    """OCR."""
    from resources.experts import TextReader

    reader = TextReader(threads)

    def read(pictures: Iterable[bytes]) -> list[Found]:
        found = []
        for lines in reader.read(map(_decoded, pictures)):
            confidence = sum(line.confidence for line in lines) / len(lines) if lines else None
            found.append(Found(tuple(line.text for line in lines), confidence))
        return found

    return Expert(reader.agent, read)


def faces_expert(threads: int) -> Expert:
    """Face finder."""
    from resources.experts import FaceFinder

    finder = FaceFinder(threads)

    def find(pictures: Iterable[bytes]) -> list[Found]:
        return [Found(faces=len(faces)) for faces in finder.find(map(_decoded, pictures))]

    return Expert(finder.agent, find)


EXPERTS: dict[str, Callable[[int], Expert]] = {"text": text_expert, "faces": faces_expert}
"""Experts besides the tagger, by the name that a recipe has for them."""


def _decoded(data: bytes) -> Image.Image:
    try:
        return decode(data)
    except ImageRefused:
        return Image.new("RGB", (1, 1))


def hint_table(
    ids: Sequence[int],
    sha256: Sequence[bytes],
    tags: Sequence[Sequence[str]],
    similarities: Sequence[Sequence[float]],
    findings: Mapping[str, Mapping[bytes, Found]],
    tagger: str | None,
) -> pa.Table:
    """Table `hint` of n samples, in order.

    Args:
        ids: (n,) samples.
        sha256: (n,) hashes of their pictures' bytes.
        tags: (n,) words, best first.
        similarities: (n,) their cosines.
        findings: what each expert found, by agent and picture.
        tagger: agent id of the tagger; None where nobody looked for tags.
    """
    rows: list[dict[str, Any]] = []
    experts = sorted([*([tagger] if tagger is not None else []), *findings])
    for sample, picture, words, cosines in zip(ids, sha256, tags, similarities, strict=True):
        found = [of[picture] for of in findings.values() if picture in of]
        lines = next((f.lines for f in found if f.lines is not None), None)
        faces = next((f.faces for f in found if f.faces is not None), None)
        rows.append(
            {
                "sample_id": sample,
                "image_sha256": picture,
                "tags": list(words),
                "tag_similarities": list(cosines),
                "text_lines": None if lines is None else list(lines),
                "text_confidence": next((f.confidence for f in found if f.confidence is not None), None),
                "faces": faces,
                "people": _people(faces, words if tagger is not None else None),
                "experts": experts,
            }
        )
    return pa.Table.from_pylist(rows, schema=TABLES["hint"].schema)


def _people(faces: int | None, words: Sequence[str] | None) -> bool | None:
    """Whether people are in a picture; None where neither faces nor tags were looked for."""
    if faces is None and words is None:
        return None
    return bool(faces) or not PEOPLE.isdisjoint(words or ())


def known_findings(files: Iterable[Any], agent: str, text: bool, wanted: Collection[bytes]) -> dict[bytes, Found]:
    """What an expert found in earlier builds, by picture.

    Args:
        files: Parquet files of table `hint`.
        agent: the expert.
        text: True for OCR, False for faces.
        wanted: hashes of the pictures that are asked for.
    """
    columns = ["image_sha256", "text_lines", "text_confidence", "faces", "experts"]
    found: dict[bytes, Found] = {}
    for path in files:
        missing = set(wanted) - found.keys()
        if not missing:
            break
        with local_path(path).open("rb") as stream:
            rows = pq.read_table(stream, columns=columns)
        rows = rows.filter(pc.is_in(rows["image_sha256"], pa.array(sorted(missing), pa.binary(32))))
        for row in rows.to_pylist():
            if agent in row["experts"]:
                lines = tuple(row["text_lines"]) if row["text_lines"] is not None else None
                finding = Found(lines, row["text_confidence"]) if text else Found(faces=row["faces"])
                if finding != Found():
                    found[row["image_sha256"]] = finding
    return found


def look(
    expert: Expert, pictures: Callable[[Sequence[int]], Iterable[bytes]], sha256: Sequence[bytes]
) -> dict[bytes, Found]:
    """Let an expert see every picture once, by hash.

    Args:
        expert: who looks.
        pictures: gives the bytes of the pictures at some places.
        sha256: their hashes.
    """
    first = {picture: place for place, picture in reversed(list(enumerate(sha256)))}
    places = sorted(first.values())
    found = expert.look(pictures(places)) if places else []
    return dict(zip((sha256[place] for place in places), found, strict=True))


def hints_of(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Texts for the slots of a prompt: tags, text, people; None where there is nothing to say."""
    lines = row["text_lines"] or []
    return {
        "tags": ", ".join(row["tags"]) or None,
        "text": " / ".join(lines[:MOST_LINES]) or None,
        "people": None if row["faces"] is None else str(row["faces"]),
    }
