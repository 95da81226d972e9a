"""Whom a caption credits: "Photo: X", "© X", "X / CC BY", "by X, <license>", in the languages that captions use.

A caption's grammar is convention, so a name is taken only where the words around it leave little doubt: after a label
with a colon; after a word for "by" that stands at the start of a sentence or behind a word for a picture; or, with
less care, directly before a license. "House by the sea" names nobody.
"""

from __future__ import annotations

import re

MAX_NAME = 80
MAX_WORDS = 10
MAX_LABEL, MAX_SIGNS = 50, 8

_VIA = re.compile(r"\bvia\s[A-Z]")
"""What ends the credit that Wikimedia Commons proposes: "X, CC BY-SA 4.0, via Wikimedia Commons"."""
_OWNER = re.compile(r"©|\(c\)|\bcopyright\b|\bcourtesy\b|\bmit freundlicher genehmigung\b")
_OWNER_HINTS = ("©", "(c)", "copyright", "courtesy", "freundlicher")
"""Each match of `_OWNER` has one of these in it: in most captions none is, and to see that is quicker."""
_AGENCIES = (
    "getty images", "gettyimages", "alamy", "shutterstock", "istock", "adobe stock", "adobestock", "reuters", "corbis",
    "associated press", "agence france-presse", "picture alliance", "picture-alliance", "magnum photos", "ap photo",
    "ap images", "afp photo", "dpa-", "ullstein bild", "depositphotos", "dreamstime", "123rf", "fotolia", "zuma press",
    "science photo library", "bridgeman images",
)  # fmt: skip
"""Agencies that sell pictures, by names that mean nothing else, in lower case."""
_AGENCY = re.compile(
    r"(?:[/(:|·–—-]\s?|^)(?:AP|AFP|dpa|DPA|EPA|EPA-EFE|EFE|ANSA|TASS|Getty|Magnum|imago|IMAGO)(?=\s*(?:[/),.;|]|$))"
)
"""Agencies with short names, where a credit has them: "Ann/AP", "(dpa)"."""

_SHOTS = frozenset(
    ("photo", "photos", "photograph", "photographs", "photographie", "photography", "foto", "fotos", "fotografia",
     "fotografía", "fotografie", "image", "images", "picture", "pictures", "pic", "bild", "bilder", "grafik", "imagen",
     "imágenes", "immagine", "imagem", "afbeelding", "zdjęcie", "фото")
)  # fmt: skip
_WORKS = _SHOTS | frozenset(
    ("abbildung", "illustration", "illustrations", "drawing", "painting", "artwork", "graphic", "map", "chart", "diagram",
     "render", "rendering", "zeichnung", "dessin", "dibujo", "disegno", "ilustración", "ilustracion", "рисунок")
)  # fmt: skip
_LABELS = _SHOTS | frozenset(
    ("credit", "credits", "crédit", "crédits", "crédito", "créditos", "credito", "crediti", "bildnachweis", "fotonachweis",
     "photographer", "photographe", "fotograf", "fotografin", "fotógrafo", "fotografo", "author", "authors", "autor",
     "autorin", "auteur", "autore", "artist", "artiste", "künstler", "urheber", "illustrator", "автор")
)  # fmt: skip
_MADE = frozenset(("credit", "taken", "made", "created"))
_CJK_LABELS = ("写真", "撮影", "撮影者", "图片", "摄影", "攝影", "作者")
_BY = r"(?:by|von|par|por|door|av|af)"
_SIGN = re.compile(rf"[:\uff1a]\s?(?:{_BY}\s)?|(?<![\w-]){_BY}\s", re.I)
"""Where a name may begin: after a colon or a word for "by"."""
_SENTENCE_START = re.compile(r"(?:^|[.!?–—|(]\s?)$")
_HOLDER = re.compile(r"(?:©|\(c\)|\bcopyright\b)[\s©:]*(?:\(c\)\s*)?(?:\d{4}(?:\s?[-–,]\s?\d{4})?,?\s)?(?:by\s)?", re.I)
_COURTESY = re.compile(r"\bcourtesy(?: of|:)?\s|\bmit freundlicher genehmigung (?:von|der|des)\s", re.I)
_BEFORE_LICENSE = re.compile(r"(?:^|[\s(\[.,;:|–—])(?:by|(?:par|por|door)(?=\s(?-i:[A-ZÀ-ÞА-Я])))\s", re.I)

_LICENSE_WORDS = re.compile(
    r"\b(?:CC\)?[ \u2010-\u2015-]?(?:BY|0|PD)|Creative Commons|public domain|gemeinfrei|domaine public|"
    r"dominio p[úu]b+lico|GFDL)",
    re.I,
)
_PUNCTUATION = " \t,;:([|·•–—-"
_LEAD_IN = re.compile(
    r"[\s,;:(\[|·•–—-]*+(?:\b(?:is |are )?(?:licensed|used|available|released|published|shared|lizenziert|sous licence|"
    r"bajo licencia|con licenza|licen[cs]e|lizenz|licence|licencia|licenza)\b[\s:]*)?"
    r"(?:\b(?:under|unter|via|sous|bajo|sotto)\b\s*(?:(?:a|an|the|der|la|una?)\s?)?)?$",
    re.I,
)
_LEAD_IN_ENDS = frozenset(
    ("licensed", "used", "available", "released", "published", "shared", "lizenziert", "licence", "licencia", "licenza",
     "license", "lizenz", "under", "unter", "via", "sous", "bajo", "sotto", "a", "an", "the", "der", "la", "un", "una")
)  # fmt: skip
_END = re.compile(r"[,;()|©\[\]<>\"“”\n]|\s[/–—-]\s|\s(?:via|on|auf|sur|en)\s(?=[A-Z])|\s\d{4}\b|[.!?](?=\s|$)")
_INITIAL = re.compile(r"(?:^|[\s.-])(?:\w|Dr|Mr|Mrs|Ms|St|Jr|Sr|Prof|Ph|van|von|[A-Z]{1,3}(?:\.[A-Z])+)$")
_GIVEN = re.compile(r"(?:\s[A-Z]\w*\.?){1,3}")
"""What follows a family name that a comma cuts off."""
_PARTICLES = frozenset(
    ("of", "the", "and", "de", "la", "le", "du", "des", "del", "di", "da", "von", "van", "der", "den", "el",
     "al", "bin", "y", "e", "&")
)  # fmt: skip
_SENTENCE = re.compile(r"[.!?:]\s|\s[–—|]\s")
_NOT_A_NAME = re.compile(
    r"(?:the|a|an|my|our|your|his|her|its|their|this|that|these|permission|see|and|der|die|das|dem|den|ein|eine|einer|"
    r"le|la|les|un|une|des|el|los|las|il|lo|het|een)\b|\W*$|\d"
    r"|(?i:unknown|anonymous|courtesy|source|permission|all rights|alle rechte|tous droits|todos los|tutti i)\b"
)


def names_an_owner(text: str) -> bool:
    """Whether a caption says that somebody owns or sells the picture: that is no license, and casts doubt on one."""
    lower = text.lower()
    if _owned(lower) or _AGENCY.search(text):
        return True
    for name in _AGENCIES:  # noqa: SIM110 - a loop takes half the time of any() here, on every caption
        if name in lower:
            return True
    return False


def _owned(lower: str) -> bool:
    """Whether a text in lower case has a word for an owner."""
    for hint in _OWNER_HINTS:
        if hint in lower:
            return _OWNER.search(lower) is not None
    return False


def credits_in(text: str, license_words: str | None = None) -> list[tuple[str, str]]:
    """(field, name) of those whom a caption names: `creator` for who made the picture, `credit` for whom it is owed.

    Args:
        text: of the caption, with single spaces.
        license_words: words of the link to a license that stands in it; None if there is no link.
    """
    found: list[tuple[str, str]] = []
    license_at = _license_at(text, license_words)
    closed = license_at is not None
    head = _without_lead_in(text[:license_at]) if closed else text
    creator = _labeled(head, closed) or (_before_license(head) if closed else None)
    if creator is None and closed and _VIA.search(text[license_at:]):
        creator = _name(head, closed) if _is_proper(head) else None
    if creator:
        found.append(("creator", creator))
    for pattern in (_HOLDER, _COURTESY) if _owned(text.lower()) else ():
        match = pattern.search(text)
        holder = _name(text[match.end() :], False) if match else None
        if holder:
            found.append(("credit", holder))
    return found


def _license_at(text: str, license_words: str | None) -> int | None:
    """Where a caption's license begins; its end, if the link shows a picture."""
    if license_words is not None:
        place = text.rfind(license_words) if license_words else len(text)
        return place if place >= 0 else len(text)
    match = _LICENSE_WORDS.search(text)
    return match.start() if match else None


def _without_lead_in(text: str) -> str:
    """The text without the words that lead to a license: "licensed under a", an open bracket."""
    text = text.rstrip(_PUNCTUATION)
    if text[-20:].rpartition(" ")[2].lower() not in _LEAD_IN_ENDS:
        return text
    return text[: -2 * MAX_NAME] + _LEAD_IN.sub("", text[-2 * MAX_NAME :])


def _labeled(text: str, closed: bool) -> str | None:
    """The name after the last label."""
    for match in list(_SIGN.finditer(text))[: -MAX_SIGNS - 1 : -1]:
        before, sign = text[max(0, match.start() - MAX_LABEL) : match.start()], match.group().lower()
        is_colon = sign[0] in ":\uff1a"
        capital = text[match.end() : match.end() + 1].isupper()
        words = [word.strip('("“') for word in before.lower().split()[-2:]] or [""]
        if is_colon:
            labels = words[-1] in _LABELS or before.rstrip().endswith(_CJK_LABELS)
        elif words[-1] in _WORKS or (words[-1] in _MADE and words[0] in _WORKS):
            labels = sign.startswith("by") or (closed and capital)
        else:
            labels = capital and _SENTENCE_START.search(before) is not None
        name = _name(text[match.end() :], closed) if labels else None
        if name and (closed or not is_colon or _is_proper(name)):
            return name
    return None


def _before_license(text: str) -> str | None:
    """The name that a text ends with: "by X", "X /"."""
    if text.endswith("/"):
        start = max((match.end() for match in _SENTENCE.finditer(text)), default=0)
        name = text[start:].rstrip(" /")
        return name if _is_name(name) and name[:1].isupper() and len(name.split()) <= 6 else None
    places = [match.end() for match in _BEFORE_LICENSE.finditer(text)]
    return _name(text[places[-1] :], closed=True) if places else None


def _name(text: str, closed: bool) -> str | None:
    """The name that a text begins with.

    Args:
        closed: whether a license follows the text, so that a period at its end belongs to the name.
    """
    text = text[: 2 * MAX_NAME].lstrip(" :")
    end = len(text)
    for match in _END.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        if match.group() in ".!?" and (closed and not after or _INITIAL.search(before)):
            continue
        if match.group() == "," and closed and before.isalpha() and _GIVEN.fullmatch(after):
            continue
        end = match.start()
        break
    name = text[:end].strip(" -–—/:,")
    return name if _is_name(name) else None


def _is_name(text: str) -> bool:
    words = len(text.split())
    return 2 <= len(text) <= MAX_NAME and words <= MAX_WORDS and "://" not in text and not _NOT_A_NAME.match(text)


def _is_proper(name: str) -> bool:
    """Whether a name is written as one: a description of the picture may follow a colon as well."""
    words = name.split()
    return len(words) == 1 or all(word in _PARTICLES or not word[0].islower() for word in words)
