"""Facts of a fusion against those of its inputs: which words, names and numbers were lost, which came from nowhere."""

from __future__ import annotations

import re
from functools import cached_property

from assets.captions import kin, numerals
from assets.captions.words import (
    EMPTY_STEMS,
    Text,
    abbreviated,
    beside,
    known_words,
    names,
    parts,
    title_case,
)

Missed = tuple[float, float]
"""A share that is too small, and the limit it was held against."""


class Inputs:
    """Both inputs of a fusion.

    Attributes:
        alt: text of the web.
        synthetic: caption that a model wrote.
        stems: compared forms of all their words.
    """

    def __init__(self, alt: Text, synthetic: Text):
        self.alt = alt
        self.synthetic = synthetic
        self.stems = {*alt.stems, *synthetic.stems}

    @cached_property
    def known(self) -> set[str]:
        """What a word of the fusion may go back to."""
        return known_words(self.alt) | known_words(self.synthetic)

    @cached_property
    def relatives(self) -> set[str]:
        """Other names of what the inputs name."""
        return kin.relatives(self.alt) | kin.relatives(self.synthetic)

    @cached_property
    def numbers(self) -> set[str]:
        """Numbers that a fusion may state."""
        return numerals.known(self.alt, self.synthetic)


def lost_words(alt: Text, fused: Text, min_recall: float, min_titled: float, min_facts: float) -> Missed | None:
    """Whether too few words of a web text came back, or too few of its names.

    Args:
        alt: text of the web.
        fused: the fusion.
        min_recall: least share of the words that carry facts.
        min_titled: the same where all words have a capital, so that any may be a name.
        min_facts: least share of the words of names, and of names of which a word came back.
    """
    wanted = alt.claims
    said = set(fused.stems)
    lost = wanted - said
    if not lost or (len(lost) <= len(wanted) * (1 - max(min_recall, min_titled)) and not _may_name(alt, lost)):
        return None
    titled = title_case(alt)
    groups = [group & wanted for group in _named(alt, titled)]
    groups = [group for group in groups if group]
    limits = (min_recall, min_titled if titled else 0.0, min_facts, min_facts)
    shares = _shares(wanted, groups, said)
    if all(share >= limit for share, limit in zip(shares, limits, strict=True)):
        return None
    said |= known_words(fused) | kin.relatives(fused)
    for initials, stems in abbreviated(alt).items():
        said |= stems if initials in said else set()
    said |= {word for word in wanted - said if all(part in said for part in parts(word)) or kin.akin(word, said)}
    shares = _shares(wanted, groups, said)
    return next(((share, limit) for share, limit in zip(shares, limits, strict=True) if share < limit), None)


def kept_numbers(alt: Text, fused: Text) -> float:
    """Share of the numbers of a web text that came back."""
    if numerals.all_from(alt, fused):
        return 1.0
    return _share(numerals.given(alt), numerals.said(fused))


def invented_numbers(fused: Text, inputs: Inputs) -> set[str]:
    """Numbers of a fusion that neither input has."""
    if numerals.all_from(fused, inputs.alt, inputs.synthetic):
        return set()
    return numerals.stated(fused) - inputs.numbers


def invented_names(fused: Text, inputs: Inputs) -> set[str]:
    """Names of a fusion that neither input has."""
    strange = set(fused.stems) - inputs.stems - EMPTY_STEMS
    if not strange:
        return set()
    unknown = {i for i, stem in enumerate(fused.stems) if stem in strange}
    places = kin.proper()
    found = {i for i in unknown if fused.folded[i] in places}
    if any(fused.words[i][0].isupper() for i in unknown):
        found |= unknown.intersection(names(fused))
    return {fused.stems[i] for i in found if not _is_known(i, fused, inputs)}


def new_share(fused: Text, inputs: Inputs, limit: float) -> float:
    """Share of the words that carry facts which neither input has; 0 where it surely is not above `limit`."""
    said = [stem for stem in fused.stems if stem not in EMPTY_STEMS]
    if sum(stem not in inputs.stems for stem in said) <= len(said) * limit:
        return 0.0
    return sum(stem not in inputs.known and stem not in inputs.relatives for stem in said) / len(said)


def _share(wanted: set[str], found: set[str]) -> float:
    return len(wanted & found) / len(wanted) if wanted else 1.0


def _shares(wanted: set[str], groups: list[set[str]], said: set[str]) -> tuple[float, float, float, float]:
    recall = _share(wanted, said)
    named = set().union(*groups)
    kept = sum(not group.isdisjoint(said) for group in groups) / len(groups) if groups else 1.0
    return recall, recall, _share(named, said), kept


def _may_name(alt: Text, stems: set[str]) -> bool:
    """Whether one of these words of a web text may be a name."""
    words = zip(alt.words, alt.folded, alt.stems, strict=True)
    return any(word[0].isupper() or folded in kin.proper() for word, folded, stem in words if stem in stems)


def _named(alt: Text, titled: bool) -> list[set[str]]:
    """Stems of each name of a web text that a fusion has to keep; who offers the picture and hashtags are none."""
    found = set(names(alt)) if not titled else set()
    found |= {i for i, word in enumerate(alt.folded) if word in kin.proper()}
    groups: list[set[str]] = []
    last = -2
    for i in sorted(found):
        if i == last + 1 and beside(alt, i):
            groups[-1].add(alt.stems[i])
        else:
            groups.append({alt.stems[i]})
        last = i
    credit = _CREDIT.search(alt.clean)
    offered = (
        set(Text(alt.clean[credit.start() :]).stems) - set(Text(alt.clean[: credit.start()]).stems) if credit else set()
    )
    if "#" in alt.clean:
        offered |= {stem for tag in _HASHTAG.findall(alt.clean) for stem in Text(tag).stems}
    return [group for group in groups if not group <= offered]


def _is_known(i: int, fused: Text, inputs: Inputs) -> bool:
    """Whether a name of the fusion goes back to the inputs in one of many ways."""
    stem, word, known = fused.stems[i], fused.words[i], inputs.known
    if stem in known or stem in inputs.relatives or fused.folded[i] in kin.TITLES or kin.akin(stem, inputs.stems):
        return True
    if all(part in known for part in known_words(Text(word)) - {fused.folded[i][:1]}):
        return True
    return numerals.as_number(fused.folded[i]) in inputs.numbers or _spelled_out(i, fused, inputs)


def _spelled_out(i: int, fused: Text, inputs: Inputs) -> bool:
    """Whether a name is part of a run of capitals whose initials the inputs have: World Health Organization for WHO."""
    words = fused.words
    for size in (2, 3, 4, 5, 6):
        for start in range(max(0, i - size + 1), min(i, len(words) - size) + 1):
            capitals = [word for word in words[start : start + size] if word[0].isupper()]
            initials = "".join(word[0] for word in capitals).casefold()
            if len(capitals) > 1 and words[i] in capitals and initials in inputs.stems:
                return True
    return False


_HASHTAG = re.compile(r"#[^\W\d]\w+")
_CREDIT = re.compile(
    r"\b(?:photo|image|picture|photograph|photographed|photography|stock photo|credit|copyright|courtesy)s? (?:by|of|from|credit)\b"
    r"(?<! of)|\bcourtesy of\b|\b(?:credit|photo|image|picture|copyright|source)s?\s*[:©]|©|\(c\)|\bvia\b"
    r"|\bstock (?:photo|image|vector|illustration|footage)|\b(?:getty|alamy|shutterstock|istock|adobe stock|dreamstime|pinterest"
    r"|etsy|ebay|amazon|wikipedia|wikimedia|flickr|youtube|redbubble)\b| \| ",
    re.IGNORECASE,
)
"""Where a web text begins to say who offers the picture."""
