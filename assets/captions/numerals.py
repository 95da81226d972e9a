"""Numbers of a caption by value, however they are written: `1,234`, `two dozen`, `25th`, `XIV`, `May` for a 5."""

from __future__ import annotations

import re
from itertools import pairwise

from assets.captions.words import Text, word_set

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = """third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth"""
_ROMANS = "ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi"
_MONTHS = "january february march april may june july august september october november december"
_SMALL = {word: value for value, word in enumerate(_ONES.split())}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_SMALL |= {word: value for value, word in enumerate(_ORDINALS.split(), 3)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_NUMBER_WORDS = frozenset(_SMALL | _SCALES | {"dozen": 12})
_PAIRS = word_set("pair couple both twin twins duo double twice second half bilingual")
_MONTH = {name: str(value) for value, name in enumerate(_MONTHS.split(), 1)}
_MONTH |= {name[:3]: value for name, value in _MONTH.items()} | {"sept": "9"}
MONTHS = frozenset(_MONTH)
"""English months, in full and as three letters."""

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")
_PART = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\w\s-]")
_SPACED = re.compile(r"(?<!\d)\d{1,3}(?: \d{3})+(?!\d)")
_SCALED = re.compile(r"(\d+(?:\.\d+)?) ?(k|m|mio|bn|b|hundred|thousand|million|billion)\b")
_SCALED_BY = {"k": 1_000, "m": 1_000_000, "mio": 1_000_000, "bn": 1_000_000_000, "b": 1_000_000_000} | _SCALES
_SHORT_YEAR = re.compile(r"(?:'|\b\d\d?[/.]\d\d?[/.])(\d\d)(?!\d)|(?<!\d)(\d\d)s\b")
_NO_FACT = re.compile(
    r"\d{3,4} ?[x×] ?\d{3,4}(?: ?px)?"
    r"|\b(?:img|dsc\w?|image|photo|picture|pic|page|slide|gallery|thumbnail|screenshot|figure|fig\.?)[ _#-]*\d+"
    r"|#\d+\b|\(\d+\)|[-_|] ?\d+$|, ?\d$|\d+\.(?:jpe?g|png|gif|webp|svg|bmp|tiff?)\b|\b\d+ (?:of|/) \d+$|\d{7,}"
)


def all_from(text: Text, *sources: Text) -> bool:
    """Whether every number of a text surely stands in the sources in the same form; False where it takes a closer
    look."""
    new = text.forms.difference(*(source.forms for source in sources))
    return _NUMBER_WORDS.isdisjoint(new) and not _DIGIT.search("".join(new))


def has_numbers(text: Text) -> bool:
    """Whether a text has a number in digits or in words."""
    return _DIGIT.search(text.plain) is not None or not _NUMBER_WORDS.isdisjoint(text.forms)


def stated(text: Text) -> set[str]:
    """Numbers that a text states, as plain decimals; parts of dates each on their own, `one` left out.

    `1,234` is 1234, `1,5` is 1.5, `twenty-five` is 25, `2 million` is 2000000, `third` is 3.
    """
    if not has_numbers(text):
        return set()
    found: set[str] = set()
    spoken: list[int] = []
    digits = ""
    parts = _PART.findall(text.plain)
    for part, after in pairwise([*parts, ""]):
        if part[0].isdecimal():
            found |= _spoken(spoken)
            spoken, digits = [], part
            if after not in _SCALES:
                found |= _values(part)
        elif digits and part in _SCALES:
            found |= {_plain(f"{float(value) * _SCALES[part]:.4f}") for value in _values(digits)}
            digits = ""
        elif part in _NUMBER_WORDS:
            spoken.append({**_SMALL, **_SCALES, "dozen": 12}[part])
            digits = ""
        elif not (part == "and" and spoken and spoken[-1] >= 100 and after in _SMALL):
            found |= _spoken(spoken)
            spoken, digits = [], ""
    return found | _spoken(spoken)


def known(alt: Text, synthetic: Text) -> set[str]:
    """Every number that a fusion of these texts may state: theirs, and other ways to say them.

    A web text that joins two things by `and` allows `two`.
    """
    found = said(alt) | said(synthetic)
    if "and" in alt.forms or "&" in alt.plain:
        found.add("2")
    return found


def said(text: Text) -> set[str]:
    """Numbers of a text, and other ways to say them."""
    found = stated(text) | _implied(text)
    for value in list(found):
        if len(value) == 4 and value.isdecimal():
            found.add(_plain(value[2:]))
    return found


def given(text: Text) -> set[str]:
    """Numbers that a web text states as facts: words of their own, not digits in names of files, models or hashes, nor
    a 1, which an article says as well."""
    if not _DIGIT.search(text.plain):
        return set()
    plain = _NO_FACT.sub(" ", text.plain)
    found: set[str] = set()
    for match in _NUMBER.finditer(plain):
        before, after = plain[: match.start()][-1:], plain[match.end() :][:1]
        if not (before.isalpha() or after.isalpha() or "_" in (before, after)):
            found |= _values(match.group())
    return found - {"1", "0"}


def as_number(word: str) -> str | None:
    """Value of a Roman numeral from 2 to 21, or of a month's name."""
    return _ROMAN.get(word) or _MONTH.get(word)


_ROMAN = {numeral: str(value) for value, numeral in enumerate(_ROMANS.split(), 2)}


def _implied(text: Text) -> set[str]:
    plain, forms = text.plain, text.forms
    found = {_MONTH[word] for word in forms & MONTHS} | {_ROMAN[word] for word in forms & _ROMAN.keys()}
    if not _PAIRS.isdisjoint(forms):
        found.add("2")
    if "dozen" in forms:
        found.add("12")
    if _DIGIT.search(plain):
        found |= {run.lstrip("0") or "0" for run in re.findall(r"\d+", plain)}
        found |= {run.replace(" ", "") for run in _SPACED.findall(plain)}
        found |= {_plain(f"{float(n) * _SCALED_BY[scale]:.4f}") for n, scale in _SCALED.findall(plain)}
        found |= {century + a + b for a, b in _SHORT_YEAR.findall(plain) for century in ("19", "20")}
    return found


def _spoken(values: list[int]) -> set[str]:
    """Numbers of neighboring number words: [100, 50] is 150, [19, 80, 4] is 1984, [2, 3] is 2 and 3."""
    if not values or values in ([1], [0]):
        return set()
    if len(values) in (2, 3) and 10 <= values[0] < 21 and 20 <= values[1] < 100:
        return {str(values[0] * 100 + sum(values[1:]))}
    found: set[str] = set()
    total = current = 0
    last = 10**12
    for value in values:
        if value >= 100 or (value == 12 and current and last < 10):
            current = max(current, 1) * value
            if value >= 1_000:
                total, current = total + current, 0
        elif current and not (value < 10 <= last < 100 and last % 10 == 0) and last < 100:
            found.add(str(total + current))
            total, current = 0, value
        else:
            current += value
        last = value
    return found | {str(total + current)}


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
