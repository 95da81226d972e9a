"""What the wording of a text gives away: file names, words that fit any picture, characters that no text needs.

All of it takes time in proportion to the text's length, whatever stands in it.
"""

from __future__ import annotations

import re
import unicodedata

_FILE_TYPES = "jpe?g|jfif|png|gif|webp|svgz?|bmp|tiff?|avif|hei[cf]|ico|psd|eps|pdf|raw|cr2|nef|dng|mp4|mov"
_NAMED_FILE = re.compile(
    rf"(?:https?://\S{{1,2000}}|[^?#]{{1,200}}\.(?:{_FILE_TYPES})(?:[?#]\S{{0,200}})?)", re.IGNORECASE
)
_CAMERA_FILE = re.compile(
    r"(?:(?:_?img|_?dsc[nf]?|_?mg|pict|pxl|mvi|gopr|screenshot|image|photo|untitled|scan)[-_ (]{0,2}\d[\d_() -]{2,40}"
    r"|\d[\d_() -]{5,40})(?:copy|edited|scaled)?",
    re.IGNORECASE,
)
"""What cameras, phones and scanners call their files."""

_FITS_ANY_PICTURE = """
    image images img picture pictures pic pics photo photos photograph photography illustration graphic figure fig icon
    icons logo logos banner banners thumbnail thumbnails avatar spacer blank pixel placeholder default untitled
    unnamed noname null none undefined nan description caption alt text title attachment file download button divider
    separator background header footer hero slide slideshow gallery cover featured main loading loader click tap here
    to for enlarge view zoom open close expand larger large big small full size fullsize screen screenshot no not
    available missing broken preview site website web page home our company brand
    the a an of this and in is on with
    bild bilder foto fotos symbolbild vorschau vorschaubild platzhalter grafik abbildung abb vignette agrandir imagen
    imagenes logotipo
"""
_PLACEHOLDERS = frozenset(_FITS_ANY_PICTURE.split())
"""Words of texts that fit any picture; a text is a placeholder if it has no others."""

_FORMULA = re.compile(
    r"[\s${]*\\(?:displaystyle|textstyle|scriptstyle|begin|frac|sqrt|sum|int|mathbf|mathbb|mathrm|left)\b"
)
"""How TeX begins in the alt texts that formula renderers write."""

_WORD = re.compile(r"[^\W\d_]+")
_STACKED = 3
"""Marks on one letter that count as writing: no language regularly uses more."""
_JOINERS = frozenset("\u200b\u200c\u200d\u00ad\ufe0e\ufe0f")
"""Format characters that writing needs: breaks and joiners (Khmer, Persian, Hindi, emoji), soft hyphen, variants."""


def visible_characters(text: str) -> int:
    """Number of characters that show: neither white space nor controls, format characters or unassigned ones."""
    if text.isascii():
        return sum(not c.isspace() and c.isprintable() for c in text)
    return sum(unicodedata.category(c)[0] not in "CZ" for c in text)


def is_file_name(text: str) -> bool:
    """True if the whole text is a file's name, its address, or what a camera calls its files."""
    text = text.strip()
    return bool(_NAMED_FILE.fullmatch(text) or _CAMERA_FILE.fullmatch(text))


def is_placeholder(text: str) -> bool:
    """True if the text has words, and all of them fit any picture."""
    words = _WORD.findall(text.lower())
    return bool(words) and all(word in _PLACEHOLDERS for word in words)


def is_formula(text: str) -> bool:
    """True if the text is the TeX source of a formula."""
    return _FORMULA.match(text) is not None


def odd_share(text: str) -> float:
    """Share of characters that text does not have: controls, bidirectional overrides, broken, private or unassigned
    characters, and marks stacked on more than three marks; 0 for an empty text.
    """
    if not text or (text.isascii() and text.isprintable()):
        return 0.0
    odd = stacked = 0
    for c in text:
        kind = unicodedata.category(c)
        stacked = stacked + 1 if kind in ("Mn", "Me") else 0
        odd += c == "\ufffd" or stacked > _STACKED or (kind[0] == "C" and c not in _JOINERS and not c.isspace())
    return odd / len(text)
