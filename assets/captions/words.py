"""Words, numbers and names of a caption, in the form in which gates compare them.

Nothing here knows a dictionary. Words are compared without case, width, accents' encoding, invisible characters,
possessive and common English endings; numbers by value, whatever script their digits are in.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{CJK}]|(?:(?![{CJK}])[^\W_])+(?:['.&](?:(?![{CJK}_])[^\W_])+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+|\d+")
_CLOSING = "\"'”’»)]}›"
_TERMINAL = ".!?…。！？؟।۔։"


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    """
    a an the this that these those there here it its he she they them their his her who whose which what where when
    while and or but nor so yet as at by for from in into of off on onto out over per than then through to toward
    towards under up upon via with within without above across after against along among around before behind below
    beneath beside besides between beyond down during inside near next outside past since until is are was were be
    been being am has have had having do does did can could may might must shall should will would not no also both
    each every some any all such one if because although though like very more most much many other another same own
    only just too
    """
)
"""English words that carry no fact."""

GENERIC_WORDS = word_set(
    """
    picture image photo photograph photography illustration drawing clipart clip art graphic icon logo symbol shown
    showing shows show featuring features feature depicts depicting depicted displays displaying displayed view
    close-up scene
    """
)
"""Words that say it is a picture, of nothing in particular."""

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {
    **{word: str(value) for value, word in enumerate(_ONES.split())},
    **{word: str(10 * value) for value, word in enumerate(_TENS.split(), 2)},
    "dozen": "12",
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
}


def clean(text: str) -> str:
    """NFKC, straight quotes and hyphens, digits of any script as 0-9, no invisible or control characters, single
    spaces."""
    text = unicodedata.normalize("NFKC", text)
    text = text.translate(
        {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x2010: "-", 0x2011: "-", 0x2212: "-", 0x201C: '"', 0x201D: '"'}
    )
    kept = (
        " " if c.isspace() else str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in text
        if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    return " ".join("".join(kept).split())


@dataclass(frozen=True)
class Token:
    """A word as written and in the form that is compared.

    Attributes:
        written: after `clean`, with its capitals.
        stem: compared form.
        opens: True for the first word of the text or of a sentence in it.
    """

    written: str
    stem: str
    opens: bool

    @property
    def capital(self) -> bool:
        """Whether it is written with a capital."""
        return self.written[0].isupper()


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[Token, ...]:
    """Words of a text in order; hyphens and underscores separate, Chinese, Japanese and Korean characters stand
    alone."""
    text = clean(text)
    found: list[Token] = []
    last = 0
    for match in _WORD.finditer(text):
        between = text[last : match.start()]
        opens = not found or any(mark in between for mark in _TERMINAL + ':"“')
        found.append(Token(match.group(), stem(match.group()), opens))
        last = match.end()
    return tuple(found)


def stem(word: str) -> str:
    """Compared form of one word: folded case, accents composed, possessive and common English endings cut."""
    word = unicodedata.normalize("NFC", word.casefold()).replace(".", "") if "." in word else word.casefold()
    word = re.sub(r"'s$|'$", "", word)
    if not word.isascii() or any(c.isdigit() for c in word) or len(word) < 4:
        return word
    for ending, instead, least in (("ies", "y", 5), ("sses", "ss", 5), ("ing", "", 6), ("ed", "", 5), ("es", "e", 5)):
        if word.endswith(ending) and len(word) >= least:
            word = word[: -len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def content(text: str) -> list[str]:
    """Stems that carry facts, in order: neither function words nor words for `picture`."""
    return [
        t.stem
        for t in tokens(text)
        if t.stem not in _EMPTY and t.written.casefold() not in FUNCTION_WORDS | GENERIC_WORDS
    ]


_EMPTY = frozenset(stem(word) for word in FUNCTION_WORDS | GENERIC_WORDS)


def numbers(text: str) -> set[str]:
    """Numbers of a text as plain decimals: `1,234` is 1234, `1,5` is 1.5, `٣` is 3; dates and versions in their
    parts."""
    found = set()
    for match in _NUMBER.finditer(clean(text)):
        found |= _values(match.group())
    return found


def standing_numbers(text: str) -> set[str]:
    """Numbers that stand as words of their own, as facts do; not digits in names of files, models or hashes."""
    text = clean(text)
    found = set()
    for match in _NUMBER.finditer(text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if not (before.isalpha() or after.isalpha() or "_" in (before, after)):
            found |= _values(match.group())
    return found


def counted(text: str) -> set[str]:
    """Values of number words from two on; `one` is mostly a pronoun."""
    folded = (t.written.casefold() for t in tokens(text))
    return {NUMBER_WORDS[word] for word in folded if word in NUMBER_WORDS and word not in ("one", "zero")}


def _values(written: str) -> set[str]:
    if _THOUSANDS.fullmatch(written):
        return {_plain(re.sub(r",", "", written) if "," in written else written.replace(".", ""))}
    parts = re.split(r"[.,]", written)
    if len(parts) == 2:
        return {_plain(".".join(parts))}
    return {_plain(part) for part in parts}


def _plain(value: str) -> str:
    whole, _, fraction = value.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def known_words(text: str) -> set[str]:
    """Everything a name may be called by: stems, parts of camelCase and file names, neighbors written together,
    initials."""
    found = tokens(text)
    stems = [t.stem for t in found]
    known = set(stems)
    known |= {stem(part) for t in found for part in _CAMEL.findall(t.written)}
    for size in (2, 3):
        known |= {"".join(stems[i : i + size]) for i in range(len(stems) - size + 1)}
    bare = [unicodedata.normalize("NFC", t.written.casefold().replace(".", "")) for t in found]
    for size in (2, 3, 4, 5):
        known |= {"".join(word[0] for word in bare[i : i + size] if word) for i in range(len(bare) - size + 1)}
    return known


def title_case(text: str) -> bool:
    """Whether capitals say nothing: every longer word that could do without one has it."""
    words = [t for t in tokens(text) if t.written[0].isalpha() and t.written.casefold() not in FUNCTION_WORDS]
    return len(words) >= 3 and all(t.capital or len(t.written) < 4 for t in words)


def abbreviated(text: str) -> dict[str, set[str]]:
    """Initials of neighboring capitalized words, two to five, and the stems they stand for: `un` for United Nations."""
    words = tokens(text)
    found: dict[str, set[str]] = {}
    for size in (2, 3, 4, 5):
        for run in (words[i : i + size] for i in range(len(words) - size + 1)):
            if all(t.capital for t in run):
                found.setdefault("".join(t.written[0] for t in run).casefold(), set()).update(t.stem for t in run)
    return found


def names(text: str, trust_capitals: bool = False) -> list[Token]:
    """Words that their capital marks as proper names.

    The first word of a sentence counts only if a capital follows it, or a possessive or verb that a common noun without
    article does not take. Empty where capitals say nothing: German, scripts without case, and title case unless
    `trust_capitals`.
    """
    words = tokens(text)
    if german(text) or (not trust_capitals and title_case(text)):
        return []
    found = []
    for i, token in enumerate(words):
        if not token.capital or len(token.written) < 2 or token.written.casefold() in FUNCTION_WORDS | GENERIC_WORDS:
            continue
        after = words[i + 1] if i + 1 < len(words) and not words[i + 1].opens else None
        followed = after is not None and (after.capital or after.written.casefold() in _SINGULAR_VERBS)
        if not token.opens or followed or token.written.endswith("'s") or token.written[1:].isupper():
            found.append(token)
    return found


_SINGULAR_VERBS = word_set(
    "is was has stands sits smiles poses walks plays holds wears speaks looks performs attends hosts lies welcomes"
)

_GERMAN = word_set(
    "der die das den dem des ein eine einen einem einer und ist sind mit von vom zum zur im auf für nicht"
)


def german(text: str) -> bool:
    """Whether a text is German, where every noun has a capital: two or more of its small words."""
    return sum(t.written.casefold() in _GERMAN for t in tokens(text)) >= 2


def ends(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return clean(text).rstrip(_CLOSING + " ").endswith(tuple(_TERMINAL))


def scripts(text: str) -> set[str]:
    """Writing systems of the letters of a text, such as LATIN, CYRILLIC, CJK."""
    found = {unicodedata.name(c, "?").split(" ")[0].split("-")[0] for c in set(clean(text)) if c.isalpha()}
    return {"CJK" if s in ("HIRAGANA", "KATAKANA") else s for s in found} - {"MODIFIER", "FEMININE", "MASCULINE"}
