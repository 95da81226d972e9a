"""Scorers whose models come with packages: language and profanity of a text, nudity and overlaid text in a picture.

Each answers for one text or picture alone: its number does not depend on what stands beside it, nor on threads.
"""

from resources.scorers.language import LANGUAGES, MAX_CHARACTERS, LanguageProbabilities, LanguageScorer
from resources.scorers.nsfw import NsfwScorer
from resources.scorers.profanity import ProfanityScorer
from resources.scorers.watermark import WatermarkTextScorer

__all__ = [
    "LANGUAGES",
    "MAX_CHARACTERS",
    "LanguageProbabilities",
    "LanguageScorer",
    "NsfwScorer",
    "ProfanityScorer",
    "WatermarkTextScorer",
]
