"""Gates after fusion: small questions about texts, each with its own reason to refuse.

They see what went in (the text of the web, the synthetic caption) and what a language model made of it. None of them
needs a model, so they run anywhere, and they cannot see the picture: a fusion that is wrong in words both inputs use
passes. What to look for was measured on ten thousand fusions that Yu et al. released with CapsFusion (CVPR 2024).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from assets.captions import words
from assets.captions.phrases import INJECTION, LEAK, MARKUP, META, REFUSAL


@dataclass(frozen=True)
class GateSettings:
    """Limits of the gates.

    Attributes:
        min_words: fewest words of a fusion; less for inputs that have fewer words that carry facts.
        max_words: most words.
        min_recall: least share of the web text's words that must come back.
        min_facts: least share of its names, and of its numbers, that must come back.
        max_new: largest share of words that neither input has; None to allow any.
        max_repeats: how often a sequence of four words may come again; a sentence may not.
        language_letters: least number of letters at which a text's language is judged.
    """

    min_words: int = 8
    max_words: int = 60
    min_recall: float = 0.3
    min_facts: float = 0.5
    max_new: float | None = 0.67
    max_repeats: int = 0
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


@dataclass(frozen=True)
class Case:
    """One fusion and what it was made of; what several gates ask for is worked out once.

    Attributes:
        alt: text of the web.
        synthetic: caption that a model wrote.
        fused: what the language model answered.
        finish_reason: `stop`, `length`, or None where nobody knows.
        instructions: wording of the prompt around the inputs.
        examples: answers of examples in the prompt.
    """

    alt: str
    synthetic: str
    fused: str
    finish_reason: str | None = None
    instructions: str = ""
    examples: str = ""

    @cached_property
    def inputs(self) -> str:
        """Both inputs as one text."""
        return f"{self.alt}\n{self.synthetic}"

    @cached_property
    def known(self) -> set[str]:
        """What a word of the fusion may go back to."""
        return words.known_words(self.alt) | words.known_words(self.synthetic)

    @cached_property
    def plain(self) -> str:
        """The fusion in the form in which phrases are looked for."""
        return words.clean(self.fused).casefold()

    @cached_property
    def plain_inputs(self) -> str:
        """The inputs in that form."""
        return words.clean(self.inputs).casefold()


Refusal = tuple[float | None, float | None]
"""Score and threshold of a gate that refuses; either may be None."""
Gate = Callable[[Case, GateSettings], Refusal | None]


def empty(case: Case, settings: GateSettings) -> Refusal | None:
    """Nothing was written, or nothing but marks."""
    return None if any(c.isalnum() for c in case.plain) else (0.0, 1.0)


def injected(case: Case, settings: GateSettings) -> Refusal | None:
    """The web text speaks to a model, so whatever came out of it is not trusted; or the fusion hands such words on."""
    return (None, None) if any(is_injection(text) for text in (case.alt, case.synthetic, case.fused)) else None


def markup(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion holds tags, addresses, code, lists or special tokens, which no caption needs."""
    return (None, None) if MARKUP.search(case.fused) else None


def instruction_leak(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion repeats wording of the prompt, or of its examples, that neither input has."""
    if _new_phrase(LEAK, case):
        return (None, None)
    leaked = _runs(case.fused) & _prompt_runs(case.instructions)
    leaked -= _runs(case.alt) | _runs(case.synthetic) | _runs(case.inputs)
    leaked_words = set(words.content(case.fused)) & set(words.content(case.examples)) - case.known
    return (float(len(leaked) + len(leaked_words)), 0.0) if leaked or leaked_words else None


def refusal(case: Case, settings: GateSettings) -> Refusal | None:
    """The model declines or apologizes."""
    return _new_phrase(REFUSAL, case)


def meta(case: Case, settings: GateSettings) -> Refusal | None:
    """The model talks about its task, its inputs or itself."""
    return _new_phrase(META, case)


def cut_off(case: Case, settings: GateSettings) -> Refusal | None:
    """The sentence does not end: the token limit was hit, or there is no final mark and nothing says the model
    stopped."""
    found = words.tokens(case.fused)
    dangling = found[-1].written.casefold() in _OPEN_ENDS or case.plain.endswith(
        (",", ";", ":", "-", "–", "—", "(", "&")
    )
    if case.finish_reason == "length" or (dangling and not words.ends(case.fused)):
        return (None, None)
    return None if case.finish_reason == "stop" or words.ends(case.fused) else (None, None)


def copied(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion is one of the inputs again, or one pasted after the other."""
    alt, synthetic, fused = (_skeleton(text) for text in (case.alt, case.synthetic, case.fused))
    return (None, None) if fused in (alt, synthetic, alt + synthetic, synthetic + alt) else None


def too_short(case: Case, settings: GateSettings) -> Refusal | None:
    """Fewer words than asked for; inputs with few words that carry facts lower the floor, to three at least."""
    available = len(set(words.content(case.inputs)))
    floor = min(settings.min_words, max(3, available))
    count = len(words.tokens(case.fused))
    return (count, floor) if count < floor else None


def too_long(case: Case, settings: GateSettings) -> Refusal | None:
    """More words than a caption has."""
    count = len(words.tokens(case.fused))
    return (count, settings.max_words) if count > settings.max_words else None


def repetition(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion says something twice: a word after itself, four words in the same order, or a sentence."""
    stems = [t.stem for t in words.tokens(case.fused)]
    doubled = {pair for pair in zip(stems, stems[1:], strict=False) if pair[0] == pair[1] and not pair[0].isdigit()}
    source = [t.stem for t in words.tokens(case.inputs)]
    if doubled - set(zip(source, source[1:], strict=False)) - {("had", "had"), ("that", "that")}:
        return (None, None)
    runs = Counter(tuple(stems[i : i + 4]) for i in range(len(stems) - 3))
    repeats = sum(count - 1 for count in runs.values())
    if repeats > settings.max_repeats:
        return (repeats, settings.max_repeats)
    sentences = [s for s in (tuple(_skeleton(s)) for s in re.split(r"[.!?。！？]+", case.fused)) if s]
    return (None, None) if len(set(sentences)) < len(sentences) else None


def language_flip(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion is in a writing system of neither input, or, where it is long enough to tell, in another language."""
    if words.scripts(case.fused) - words.scripts(case.inputs):
        return (None, None)
    letters = sum(c.isalpha() for c in case.fused)
    if letters < settings.language_letters:
        return None
    fused = language(case.fused)
    allowed = {language(case.alt), language(case.synthetic), language(case.inputs), "en"}
    return (letters, settings.language_letters) if fused is not None and fused not in allowed else None


def lost_facts(case: Case, settings: GateSettings) -> Refusal | None:
    """Too few of the web text's words came back, or of its names, or of its numbers."""
    wanted = set(words.content(case.alt)) or {t.stem for t in words.tokens(case.alt)}
    found = words.known_words(case.fused)
    for initials, stems in words.abbreviated(case.alt).items():
        found |= stems if initials in found else set()
    recall = _share(wanted, found)
    if recall < settings.min_recall:
        return (recall, settings.min_recall)
    named = _share({t.stem for t in words.names(case.alt)}, found)
    if named < settings.min_facts:
        return (named, settings.min_facts)
    counts = words.numbers(case.fused) | words.counted(case.fused)
    numbered = _share(words.standing_numbers(case.alt), counts)
    return (numbered, settings.min_facts) if numbered < settings.min_facts else None


def invented_facts(case: Case, settings: GateSettings) -> Refusal | None:
    """The fusion has a number or a proper name that neither input has."""
    values = words.numbers(case.inputs) | words.counted(case.inputs) | _digits(case.inputs)
    new = (words.numbers(case.fused) | words.counted(case.fused)) - values
    names = {
        t.stem for t in words.names(case.fused, trust_capitals=True) if not _is_known(t.written, t.stem, case.known)
    }
    return (float(len(new | names)), 0.0) if new or names else None


def unsupported(case: Case, settings: GateSettings) -> Refusal | None:
    """Most words of the fusion come from neither input: the model told a story of its own."""
    said = words.content(case.fused)
    if settings.max_new is None or not said:
        return None
    share = sum(stem not in case.known for stem in said) / len(said)
    return (share, settings.max_new) if share > settings.max_new else None


GATES: tuple[Gate, ...] = (
    empty,
    injected,
    markup,
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
    limits = settings or GateSettings()
    read = [text[:MAX_CHARACTERS] if text else "" for text in (alt, synthetic, fused)]
    case = Case(read[0], read[1], read[2], finish_reason, instructions, examples)
    for gate in GATES:
        refused = gate(case, limits)
        if refused is not None:
            score, threshold = refused
            return Verdict(False, gate.__name__, score, threshold)
    return Verdict(True)


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
    rows = zip(alts, synthetics, fused, reasons, strict=True)
    return [judge(a, s, f, settings, r, instructions, examples) for a, s, f, r in rows]


def is_injection(text: str) -> bool:
    """Whether a text speaks to a model instead of describing: asks it to ignore, to act as, to answer with."""
    return bool(INJECTION.search(words.clean(text[:MAX_CHARACTERS]).casefold()))


def language(text: str) -> str | None:
    """Most likely language of a text as a two-letter code; None where it is too short to tell."""
    if sum(c.isalpha() for c in text) < 20:
        return None
    import py3langid

    return str(py3langid.classify(text)[0])


def _new_phrase(pattern: re.Pattern[str], case: Case) -> Refusal | None:
    """Refuse where a phrase stands in the fusion, but not in the inputs."""
    new = {match.group() for match in pattern.finditer(case.plain)}
    return (None, None) if any(phrase not in case.plain_inputs for phrase in new) else None


def _skeleton(text: str) -> list[str]:
    """Words in order without articles, case and marks."""
    return [t.stem for t in words.tokens(text) if t.stem not in ("a", "an", "the")]


def _runs(text: str) -> set[tuple[str, ...]]:
    """Three words in a row, of which two at least carry facts."""
    found = words.tokens(text)
    heavy = [t.written.casefold() not in words.FUNCTION_WORDS | words.GENERIC_WORDS for t in found]
    stems = [t.stem for t in found]
    return {tuple(stems[i : i + 3]) for i in range(len(stems) - 2) if sum(heavy[i : i + 3]) >= 2}


@lru_cache(maxsize=16)
def _prompt_runs(instructions: str) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(instructions))


def _share(wanted: set[str], found: set[str]) -> float:
    return len(wanted & found) / len(wanted) if wanted else 1.0


def _digits(text: str) -> set[str]:
    """Every run of digits without leading zeros, so that `2004` of a date or a file name counts as known."""
    return {run.lstrip("0") or "0" for run in re.findall(r"\d+", words.clean(text))}


def _is_known(written: str, stem: str, known: set[str]) -> bool:
    return stem in known or all(part in known for part in words.known_words(written) - {written[:1].casefold()})


_OPEN_ENDS = words.word_set(
    """
    a an the and or but of in on at to for with by from as is are was were that which who whose into onto over under his
    her its their this these those near between while featuring including like than
    """
)
