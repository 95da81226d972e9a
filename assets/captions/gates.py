"""Gates after fusion: small questions about texts, each with its own reason to refuse.

They see what went in (the text of the web, the synthetic caption) and what a language model made of it. None of them
needs a model, so they run anywhere, and they cannot see the picture: a fusion that is wrong in words both inputs use
passes. What to look for was measured on ten thousand fusions that Yu et al. released with CapsFusion (CVPR 2024).
"""

from __future__ import annotations

import hashlib
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assets.captions import facts
from assets.captions.injection import passes_on, speaks_to_model
from assets.captions.phrases import LEAK, META, REFUSAL, Phrases, has_markup
from assets.captions.unsafe import unsafe_words
from assets.captions.words import (
    ARTICLES,
    EMPTY_STEMS,
    FUNCTION_WORDS,
    GENERIC_WORDS,
    SMALL_WORDS,
    TERMINAL,
    Text,
    ends,
    scripts,
    word_set,
)


@dataclass(frozen=True)
class GateSettings:
    """Limits of the gates.

    Attributes:
        min_words: fewest words of a fusion; less for inputs that have fewer words that carry facts.
        max_words: most words.
        min_recall: least share of the web text's words that must come back.
        min_facts: least share of its names, and of its numbers, that must come back.
        min_titled: the same of its words where capitals do not tell names from other words.
        max_new: largest share of words that neither input has; None to allow any.
        max_repeats: how often a sequence of four words may come again; a sentence may not.
        max_pairs: how often two words that carry facts may stand together; None to allow any, in long texts.
        language_letters: least number of letters at which a text's language is judged.
    """

    min_words: int = 8
    max_words: int = 60
    min_recall: float = 0.3
    min_facts: float = 0.6
    min_titled: float = 0.5
    max_new: float | None = 0.67
    max_repeats: int = 0
    max_pairs: int | None = 2
    language_letters: int = 50


@dataclass(frozen=True)
class Verdict:
    """What the gates say of one fusion.

    Attributes:
        accepted: True if no gate refused it.
        reason: name of the first gate that did.
        score: number that decided, where the gate has one.
        threshold: limit it was held against.
    """

    accepted: bool
    reason: str | None = None
    score: float | None = None
    threshold: float | None = None


class Case:
    """One fusion and what it was made of; what several gates ask for is worked out once.

    Attributes:
        alt: text of the web.
        synthetic: caption that a model wrote.
        fused: what the language model answered.
        finish_reason: `stop`, `length`, or None where nobody knows.
        prompt: wording of the prompt around the inputs.
        inputs: both, to look facts up in.
    """

    def __init__(self, alt: Text, synthetic: Text, fused: Text, finish_reason: str | None, prompt: Wording):
        self.alt = alt
        self.synthetic = synthetic
        self.fused = fused
        self.finish_reason = finish_reason
        self.prompt = prompt
        self.inputs = facts.Inputs(alt, synthetic)


class Wording:
    """What a prompt says by itself.

    Attributes:
        runs: three words in a row, two of which carry facts.
        examples: facts in the answers of its examples.
    """

    def __init__(self, instructions: str, examples: str):
        self.runs = frozenset(_runs(Text(instructions)))
        self.examples = frozenset(Text(examples).facts)


Refusal = tuple[float | None, float | None]
"""Score and threshold of a gate that refuses; either may be None."""
Gate = Callable[[Case, GateSettings], Refusal | None]
_PLAIN_REFUSAL: Refusal = (None, None)


def empty(case: Case, settings: GateSettings) -> Refusal | None:
    """Nothing was written, or nothing but marks."""
    return None if case.fused.stems else (0.0, 1.0)


def injected(case: Case, settings: GateSettings) -> Refusal | None:
    """The web text speaks to a model, so whatever came out of it is not trusted; or the fusion hands such words on."""
    told = speaks_to_model(case.alt) or speaks_to_model(case.synthetic, disguised=False) or passes_on(case.fused)
    return _PLAIN_REFUSAL if told else None


def markup(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion holds tags, addresses, code, lists or special tokens, which no caption needs."""
    return _PLAIN_REFUSAL if has_markup(case.fused.raw) else None


def unsafe(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion has words of abuse, hate or sex: some are refused wherever they come from, some where they are new."""
    found = unsafe_words(case.fused, case.alt, case.synthetic)
    return (float(len(found)), 0.0) if found else None


def instruction_leak(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion repeats wording of the prompt, or of its examples, that neither input has."""
    if _new_phrase(LEAK, case):
        return _PLAIN_REFUSAL
    leaked: set[object] = set()
    stems = case.fused.stems
    if not case.prompt.runs.isdisjoint(zip(stems, stems[1:], stems[2:], strict=False)):
        leaked |= _runs(case.fused) & case.prompt.runs
        leaked -= _runs(case.alt) | _runs(case.synthetic)
    if not case.prompt.examples.isdisjoint(stems):
        leaked |= (case.fused.facts & case.prompt.examples) - case.inputs.known - case.inputs.relatives
    return (float(len(leaked)), 0.0) if leaked else None


def refusal(case: Case, settings: GateSettings) -> Refusal | None:
    """The model declines or apologizes."""
    return _new_phrase(REFUSAL, case)


def meta(case: Case, settings: GateSettings) -> Refusal | None:
    """The model talks about its task, its inputs or itself."""
    return _new_phrase(META, case)


def cut_off(case: Case, settings: GateSettings) -> Refusal | None:
    """The sentence does not end: the token limit was hit, or there is no final mark and nothing says the model
    stopped."""
    if case.finish_reason == "length":
        return _PLAIN_REFUSAL
    if ends(case.fused):
        return _PLAIN_REFUSAL if case.fused.clean.endswith(("...", "…")) else None
    dangling = case.fused.folded[-1] in _OPEN_ENDS or case.fused.plain.endswith(_OPEN_MARKS)
    return None if case.finish_reason == "stop" and not dangling else _PLAIN_REFUSAL


def copied(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion is one of the inputs again, or one pasted after the other."""
    last = case.fused.stems[-1]
    if last not in ARTICLES and case.alt.stems[-1:] != [last] and case.synthetic.stems[-1:] != [last]:
        return None
    alt, synthetic, fused = (_skeleton(text) for text in (case.alt, case.synthetic, case.fused))
    if fused in (alt, synthetic):
        return _PLAIN_REFUSAL
    alt, synthetic, fused = (_bare(text.stems) for text in (case.alt, case.synthetic, case.fused))
    for one, two in ((alt, synthetic), (synthetic, alt)):
        if fused[: len(one)] == one and _bare(fused[len(one) :]) == two:
            return _PLAIN_REFUSAL
        joined = fused[len(one) : len(one) + 1] in (["and"], ["also"], ["plus"]) and min(len(one), len(two)) > 1
        if joined and fused[: len(one)] == one and _bare(fused[len(one) + 1 :]) == two:
            return _PLAIN_REFUSAL
    return None


def too_short(case: Case, settings: GateSettings) -> Refusal | None:
    """Fewer words than asked for; inputs with few words that carry facts lower the floor, to three at least."""
    count = len(case.fused.stems)
    if count >= settings.min_words:
        return None
    floor = min(settings.min_words, max(3, len(case.alt.claims | case.synthetic.claims)))
    return (count, floor) if count < floor else None


def too_long(case: Case, settings: GateSettings) -> Refusal | None:
    """More words than a caption has."""
    count = len(case.fused.stems)
    return (count, settings.max_words) if count > settings.max_words else None


def repetition(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion says something twice: a word after itself, four words in the same order, or a sentence."""
    stems = case.fused.stems
    if any(map(operator.eq, stems, stems[1:])):
        source = case.alt.stems + case.synthetic.stems
        words = case.fused.words
        doubled = {
            one
            for one, two, first, second in zip(stems, stems[1:], words, words[1:], strict=False)
            if one == two and not one.isdigit() and (first == second or one not in EMPTY_STEMS)
        }
        doubled -= {one for one, two in zip(source, source[1:], strict=False) if one == two} | {"had", "that"}
        if doubled or any(
            a == b == c and not a.isdigit() for a, b, c in zip(stems, stems[1:], stems[2:], strict=False)
        ):
            return _PLAIN_REFUSAL
    runs = len(stems) - 3
    repeats = runs - len(set(zip(stems, stems[1:], stems[2:], stems[3:], strict=False))) if runs > 0 else 0
    if repeats > settings.max_repeats:
        return (repeats, settings.max_repeats)
    if settings.max_pairs is not None and len(stems) - len(set(zip(stems, stems[1:], strict=False))) > 2:
        pairs = Counter(zip(stems, stems[1:], strict=False))
        if any(count > settings.max_pairs and not EMPTY_STEMS.issuperset(pair) for pair, count in pairs.items()):
            return _PLAIN_REFUSAL
    if sum(map(case.fused.clean.count, TERMINAL)) < 2:
        return None
    sentences = [tuple(s) for s in map(_skeleton, map(Text, _SENTENCE.split(case.fused.clean))) if len(s) > 1]
    return _PLAIN_REFUSAL if len(set(sentences)) < len(sentences) else None


def language_flip(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion is in a writing system of neither input, or, where it is long enough to tell, in another language."""
    fused = case.fused
    if not (fused.clean.isascii() and (_has_latin(case.alt) or _has_latin(case.synthetic))) and (
        scripts(fused.clean) - scripts(case.alt.clean) - scripts(case.synthetic.clean)
    ):
        return _PLAIN_REFUSAL
    english = len(fused.forms & _ENGLISH)
    if english >= 2 or len(fused.clean) < settings.language_letters // 2:
        return None
    letters = sum(map(str.isalpha, fused.clean))
    told = _told_by_small_words(fused)
    if told and not english:
        found: str | None = told
    elif letters < settings.language_letters:
        return None
    else:
        found = language(fused.clean)
    if found is None or found == "en" or case.alt.forms & SMALL_WORDS.get(found, frozenset()):
        return None
    if len(set(fused.stems) & set(case.alt.stems)) > len(set(fused.stems)) / 2:
        return None
    allowed = {
        language(text) for text in (case.alt.clean, case.synthetic.clean, f"{case.alt.raw} {case.synthetic.raw}")
    }
    return None if found in allowed else (letters, settings.language_letters)


def lost_facts(case: Case, settings: GateSettings) -> Refusal | None:
    """Too few of the web text's words came back, or of its names, or of its numbers."""
    lost = facts.lost_words(case.alt, case.fused, settings.min_recall, settings.min_titled, settings.min_facts)
    if lost:
        return lost
    share = facts.kept_numbers(case.alt, case.fused)
    return (share, settings.min_facts) if share < settings.min_facts else None


def invented_facts(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion has a number or a proper name that neither input has."""
    numbers, names = facts.invented_numbers(case.fused, case.inputs), facts.invented_names(case.fused, case.inputs)
    return (float(len(numbers) + len(names)), 0.0) if numbers or names else None


def unsupported(case: Case, settings: GateSettings) -> Refusal | None:
    """Most words of the fusion come from neither input: the model told a story of its own."""
    if settings.max_new is None:
        return None
    share = facts.new_share(case.fused, case.inputs, settings.max_new)
    return (share, settings.max_new) if share > settings.max_new else None


GATES: tuple[Gate, ...] = (
    empty,
    injected,
    markup,
    unsafe,
    instruction_leak,
    refusal,
    meta,
    copied,
    cut_off,
    too_long,
    repetition,
    language_flip,
    lost_facts,
    invented_facts,
    unsupported,
    too_short,
)
"""All gates in the order in which they are asked; a gate's name is its reason."""

MAX_CHARACTERS = 4000
"""What is read of each text; a longer fusion is too long anyway, and a longer web text never reaches a prompt whole."""
OVERLAP, LONGEST = 400, 100_000
"""Orders are looked for in a whole text, piece by piece; a text as long as the second number is no caption."""


def judge(
    alt: str,
    synthetic: str,
    fused: str | None,
    settings: GateSettings | None = None,
    finish_reason: str | None = None,
    instructions: str = "",
    examples: str = "",
) -> Verdict:
    """Ask every gate about one fusion; the first that refuses gives the reason.

    Args:
        alt: text of the web, as it is.
        synthetic: caption that a model wrote.
        fused: answer of the language model.
        settings: limits; the defaults are the published ones.
        finish_reason: why the model stopped, `stop` or `length`; None where nobody knows, then a fusion without
            final mark counts as cut off.
        instructions: wording of the prompt; three words in a row that come from it and not from the inputs are a leak.
        examples: answers of examples in the prompt; a fact of theirs that the inputs do not have is a leak.
    """
    return _verdict(alt, synthetic, fused, settings or GateSettings(), finish_reason, _wording(instructions, examples))


def judge_all(
    alts: Sequence[str],
    synthetics: Sequence[str],
    fused: Sequence[str | None],
    settings: GateSettings | None = None,
    finish_reasons: Iterable[str | None] | None = None,
    instructions: str = "",
    examples: str = "",
) -> list[Verdict]:
    """`judge` for each row; raises ValueError where the columns differ in length."""
    reasons = [None] * len(fused) if finish_reasons is None else list(finish_reasons)
    limits, prompt = settings or GateSettings(), _wording(instructions, examples)
    rows = zip(alts, synthetics, fused, reasons, strict=True)
    return [_verdict(*row[:3], limits, row[3], prompt) for row in rows]


_ACCEPTED = Verdict(True)


def _verdict(
    alt: str, synthetic: str, fused: str | None, limits: GateSettings, finish_reason: str | None, prompt: Wording
) -> Verdict:
    if fused and len(fused) > MAX_CHARACTERS:
        return Verdict(False, "too_long", float(len(fused)), float(MAX_CHARACTERS))
    if alt and len(alt) > MAX_CHARACTERS and is_injection(alt):
        return Verdict(False, "injected")
    texts = [Text(text[:MAX_CHARACTERS] if text else "") for text in (alt, synthetic, fused)]
    case = Case(texts[0], texts[1], texts[2], finish_reason, prompt)
    for gate in GATES:
        refused = gate(case, limits)
        if refused is not None:
            return Verdict(False, gate.__name__, *refused)
    return _ACCEPTED


def text_key(text: str) -> bytes:
    """Eight bytes that texts share which differ only in case, marks, articles and endings."""
    return hashlib.blake2b(" ".join(_skeleton(Text(text))).encode(), digest_size=8).digest()


def is_injection(text: str) -> bool:
    """Whether a text speaks to a model instead of describing: asks it to ignore, to act as, to answer with."""
    step = MAX_CHARACTERS - OVERLAP
    starts = range(0, min(max(len(text) - OVERLAP, 1), LONGEST), step)
    return any(speaks_to_model(Text(text[start : start + MAX_CHARACTERS])) for start in starts)


def is_unsafe(text: str) -> bool:
    """Whether a text has words that no caption passes on, wherever they come from."""
    found = Text(text[:MAX_CHARACTERS])
    return bool(unsafe_words(found, found))


def language(text: str) -> str | None:
    """Most likely language of a text as a two-letter code; None where it is too short to tell."""
    if sum(map(str.isalpha, text)) < 20:
        return None
    import py3langid

    return str(py3langid.classify(text)[0])


def _new_phrase(phrases: Phrases, case: Case) -> Refusal | None:
    """Refuse where a phrase stands in the fusion, but not in the inputs."""
    if phrases.heads.keys().isdisjoint(case.fused.heads):
        return None
    for phrase in phrases.matches(case.fused):
        if phrase not in case.alt.plain and phrase not in case.synthetic.plain:
            return _PLAIN_REFUSAL
    return None


def _skeleton(text: Text) -> list[str]:
    """Words in order without articles, case and marks."""
    return [stem for stem in text.stems if stem not in ARTICLES]


def _bare(stems: list[str]) -> list[str]:
    return stems[1:] if stems and stems[0] in ARTICLES else stems


def _runs(text: Text) -> set[tuple[str, ...]]:
    heavy = [word not in FUNCTION_WORDS and word not in GENERIC_WORDS for word in text.folded]
    stems = text.stems
    return {tuple(stems[i : i + 3]) for i in range(len(stems) - 2) if sum(heavy[i : i + 3]) >= 2}


@lru_cache(maxsize=16)
def _wording(instructions: str, examples: str) -> Wording:
    return Wording(instructions, examples)


def _has_latin(text: Text) -> bool:
    return not _LATIN_LETTERS.isdisjoint(text.plain)


def _told_by_small_words(text: Text) -> str | None:
    """Language of a text by its articles and prepositions; None where too few of them tell, or English has as many."""
    counts = sorted(((len(text.forms & words), code) for code, words in SMALL_WORDS.items()), reverse=True)
    (most, code), (second, _) = counts[:2]
    return code if most >= 2 and most > max(second, len(text.forms & FUNCTION_WORDS)) else None


_LATIN_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_SENTENCE = re.compile(r"[.!?。！？]+")
_OPEN_MARKS = (",", ";", ":", "-", "–", "—", "(", "&")
_OPEN_ENDS = word_set(
    """
    a an the and or but of in on at to for with by from as is are was were that which who whose into onto over under his
    her its their this these those near between while featuring including like than
    """
)
_ENGLISH = word_set("the of and with is are on this that by from its it which their has was were at for an")
