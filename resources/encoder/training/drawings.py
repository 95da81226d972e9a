"""Drawings with words from three Debian packages: one to learn from, two to measure with.

openclipart-svg: drawings whose metadata state the public domain, with titles, descriptions and tags. Training.
tuxpaint-stamps-default: stamps of a paint program, each with a sentence. Measuring.
qabcs-data: pictures of an alphabet game, each with a word. Measuring.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPENCLIPART, TUXPAINT, QABCS = "openclipart", "tuxpaint", "qabcs"
FOLDERS = {
    OPENCLIPART: "usr/share/openclipart/svg",
    TUXPAINT: "usr/share/tuxpaint/stamps",
    QABCS: "usr/share/qabcs/abcs",
}
PUBLIC_DOMAIN = "http://web.resource.org/cc/PublicDomain"
DC, RDF, CC = (
    "{http://purl.org/dc/elements/1.1/}",
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://web.resource.org/cc/}",
)
SERIES = 5
"""A title that so many drawings share names a series and says nothing about the picture."""
LONGEST_TEXT = 200
NOT_A_TAG = re.compile(
    r"hash(\(.*)?|unsorted|clip[ _]?art|media|svg|externalsource|png|image|icon set|various|untitled|none", re.I
)
NOT_IN_A_TITLE = re.compile(r"\b(icon|theme|svg|clip ?art|\d+|architetto|francesco|rollandin|mo|01)\b", re.I)
"""Names of series and of a prolific author, which stand in titles beside what the picture shows."""


@dataclass(frozen=True)
class Drawing:
    """A picture file and its words.

    Attributes:
        collection: one of the three.
        path: relative to the folder that the packages were unpacked into.
        captions: (text, weight) pairs; the first is the one measured with. Empty: a picture to distil from only.
        group: tuxpaint's folder of the first level; empty elsewhere.
    """

    collection: str
    path: str
    captions: tuple[tuple[str, float], ...]
    group: str = ""


@dataclass(frozen=True)
class _Stated:
    """What an SVG file says about itself."""

    path: str
    title: str
    description: str
    tags: tuple[str, ...]
    public_domain: bool


def read_drawings(root: Path) -> list[Drawing]:
    """All drawings below `root`, sorted by collection and path; raises FileNotFoundError naming a missing package."""
    for collection in FOLDERS:
        _folder(root, collection)
    drawings = [*_openclipart(root), *_tuxpaint(root), *_qabcs(root)]
    return sorted(drawings, key=lambda d: (d.collection, d.path))


def read_source(root: Path) -> list[Drawing]:
    """Every drawing of the package that training drawings come from, without words, whether it was trained on or not.

    Sorted by path; raises FileNotFoundError where the package is missing.
    """
    return [Drawing(OPENCLIPART, file.relative_to(root).as_posix(), ()) for file in _svg_files(root)]


def _folder(root: Path, collection: str) -> Path:
    packages = {OPENCLIPART: "openclipart-svg", TUXPAINT: "tuxpaint-stamps-default", QABCS: "qabcs-data"}
    folder = root / FOLDERS[collection]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing; unpack the package {packages[collection]} into {root}")
    return folder


def _svg_files(root: Path) -> list[Path]:
    return sorted(p for p in _folder(root, OPENCLIPART).rglob("*.svg") if p.is_file() and not p.is_symlink())


def _openclipart(root: Path) -> Iterator[Drawing]:
    stated = [found for file in _svg_files(root) if (found := _read_svg(file, file.relative_to(root).as_posix()))]
    titles = Counter(found.title.lower() for found in stated)
    for found in stated:
        # The package holds hundreds of near-identical stars, which would be most of the unlabeled drawings.
        if found.public_domain and "/shapes/stars" not in found.path:
            series = titles[found.title.lower()] >= SERIES
            yield Drawing(
                OPENCLIPART,
                found.path,
                () if series else openclipart_captions(found.title, found.description, found.tags),
            )


def openclipart_captions(title: str, description: str, tags: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Ways to say what a drawing shows, with weights; none where the title or the tags say nothing."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title.replace("_", " "))
    title = " ".join(NOT_IN_A_TITLE.sub(" ", spaced).split())
    tags = tuple(tag for tag in tags if not NOT_A_TAG.fullmatch(tag))
    if len(title) <= 2 or not tags:
        return ()
    lower = title.lower()
    captions = [(title, 2.0), (f"a drawing of {lower}", 1.0), (f"a picture of {lower}", 1.0)]
    captions.append((f"{lower}, {', '.join(tags[:3])}".replace("_", " "), 2.0))
    if len(description.split()) >= 4 and "@" not in description:
        captions.append((description[:LONGEST_TEXT], 1.0))
    return tuple(captions)


def _read_svg(file: Path, path: str) -> _Stated | None:
    """Title, description, tags and terms from a file's metadata; None where it is no XML or has none."""
    try:
        root = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    work = next(root.iter(f"{CC}Work"), None)
    if work is None:
        return None
    license = work.find(f"{CC}license")
    terms = "" if license is None else license.get(f"{RDF}resource", "")
    tags = (" ".join((li.text or "").split()) for li in work.findall(f"{DC}subject/{RDF}Bag/{RDF}li"))
    return _Stated(
        path, _words(work, "title"), _words(work, "description"), tuple(t for t in tags if t), terms == PUBLIC_DOMAIN
    )


def _words(work: ElementTree.Element, name: str) -> str:
    return " ".join((work.findtext(f"{DC}{name}") or "").split())


def _tuxpaint(root: Path) -> Iterator[Drawing]:
    """Every picture with a text file beside it, whose first line is its English sentence."""
    stamps = root / FOLDERS[TUXPAINT]
    for file in sorted(p for p in stamps.rglob("*") if p.suffix in (".png", ".svg")):
        words = file.with_suffix(".txt")
        if words.is_file():
            sentence = words.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
            group = file.relative_to(stamps).parts[0]
            yield Drawing(TUXPAINT, file.relative_to(root).as_posix(), ((sentence, 1.0),), group)


def _qabcs(root: Path) -> Iterator[Drawing]:
    """The pictures of the game's English alphabet: one per letter and theme."""
    game = root / FOLDERS[QABCS]
    alphabet = json.loads((game / "en" / "abc1.json").read_text(encoding="utf-8"))
    themes = (theme for letter in alphabet["letters"] for entry in letter.values() for theme in entry.values())
    words: dict[str, str] = {}
    for theme in themes:
        if isinstance(theme, dict) and "pic" in theme:
            words.setdefault(theme["pic"], theme["name"].lower())
    for picture, word in sorted(words.items()):
        path = f"{FOLDERS[QABCS]}/all/pics/{picture}"
        yield Drawing(QABCS, path, ((f"a picture of a {word}", 1.0),))
