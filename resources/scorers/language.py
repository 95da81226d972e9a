"""Which language a text is in."""

from __future__ import annotations

import importlib.metadata
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from resources.agents import Agent

_LATIN = ("LATIN",)
_SCRIPTS = {
    "am": ("ETHIOPIC",), "ar": ("ARABIC",), "bg": ("CYRILLIC",), "bn": ("BENGALI",), "cs": _LATIN, "da": _LATIN,
    "de": _LATIN, "el": ("GREEK",), "en": _LATIN, "es": _LATIN, "fa": ("ARABIC",), "fi": _LATIN, "fr": _LATIN,
    "gu": ("GUJARATI",), "he": ("HEBREW",), "hi": ("DEVANAGARI",), "hu": _LATIN, "hy": ("ARMENIAN",), "id": _LATIN,
    "it": _LATIN, "ja": ("HIRAGANA", "KATAKANA", "CJK"), "ka": ("GEORGIAN",), "km": ("KHMER",), "kn": ("KANNADA",),
    "ko": ("HANGUL", "CJK"), "lo": ("LAO",), "ml": ("MALAYALAM",), "my": ("MYANMAR",), "nl": _LATIN, "no": _LATIN,
    "pa": ("GURMUKHI",), "pl": _LATIN, "pt": _LATIN, "ro": _LATIN, "ru": ("CYRILLIC",), "si": ("SINHALA",),
    "sv": _LATIN, "ta": ("TAMIL",), "te": ("TELUGU",), "th": ("THAI",), "tr": _LATIN, "uk": ("CYRILLIC",),
    "vi": _LATIN, "zh": ("CJK",),
}  # fmt: skip
"""Scripts that a language is written in, as Unicode's character names begin."""

LANGUAGES = tuple(_SCRIPTS)
"""Languages a text is held against: the web's larger ones and one per script. Against all 139 that the model knows,
short texts are given to rare ones; a text in a language that is not here falls to a relative: another language too."""

MAX_CHARACTERS = 4096
"""More of a text is not looked at."""


@dataclass(frozen=True)
class LanguageProbabilities:
    """Answers for n texts.

    Attributes:
        wanted: (n,) float64 probability of the language asked for.
        other: (n,) float64 probability of the likeliest other language.
    """

    wanted: np.ndarray
    other: np.ndarray


class LanguageScorer:
    """Language identification by py3langid (naive Bayes over byte n-grams), and by script where that settles it."""

    @property
    def agent(self) -> Agent:
        """Who scores."""
        version = importlib.metadata.version("py3langid")
        return Agent(f"py3langid@{version}", "scorer", "py3langid", version, None, "BSD-3-Clause", "none")

    def probabilities(self, texts: Sequence[str], language: str) -> LanguageProbabilities:
        """How likely each text is in a language, and in the likeliest other one.

        Probabilities are over `LANGUAGES`, from the model's log scores divided by the square root of the text's bytes,
        which is the package's own calibration. Texts most of whose letters the language is not written with have
        (0, 1) without asking the model; texts without letters have (0, 0).

        Args:
            texts: n texts.
            language: one of `LANGUAGES`.

        Raises:
            ValueError: if the language is not one of `LANGUAGES`.
        """
        if language not in LANGUAGES:
            raise ValueError(f"language {language!r} is not known; known are {', '.join(LANGUAGES)}")
        found = {text: self._pair(text[:MAX_CHARACTERS], language) for text in dict.fromkeys(texts)}
        pairs = np.array([found[text] for text in texts], dtype=np.float64).reshape(len(texts), 2)
        return LanguageProbabilities(pairs[:, 0], pairs[:, 1])

    def _pair(self, text: str, language: str) -> tuple[float, float]:
        scripts = [_script(letter) for letter in unicodedata.normalize("NFKC", text) if letter.isalpha()]
        if not scripts:
            return 0.0, 0.0
        if 2 * sum(script in _SCRIPTS[language] for script in scripts) < len(scripts):
            return 0.0, 1.0
        # The n-grams end at blanks: names such as red_apple_3 are words to a reader, but none to the model.
        ranked = dict(_identifier().rank(text.replace("_", " ")))
        wanted = float(ranked.pop(language))
        return wanted, float(max(ranked.values()))


@cache
def _identifier() -> Any:
    """The loaded model, held to `LANGUAGES`."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(LANGUAGES))
    return model


@cache
def _script(letter: str) -> str:
    """First word of a letter's Unicode name: its script."""
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
