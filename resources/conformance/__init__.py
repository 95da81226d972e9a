"""Test kits for what is plugged in: an encoder, a captioner or a language model is asked everything that a build relies on.

A kit is a tuple of checks, plain functions over a case; docs/extending.md shows how each is run.
"""

from resources.conformance.captioner import CAPTIONER_CHECKS, CaptionerCase, captioner_checks
from resources.conformance.checks import Answer, Check, Result, judge, results
from resources.conformance.encoder import ENCODER_CHECKS, EncoderCase, encoder_checks
from resources.conformance.language_model import LANGUAGE_MODEL_CHECKS, LanguageModelCase, language_model_checks

__all__ = [
    "CAPTIONER_CHECKS",
    "ENCODER_CHECKS",
    "LANGUAGE_MODEL_CHECKS",
    "Answer",
    "CaptionerCase",
    "Check",
    "EncoderCase",
    "LanguageModelCase",
    "Result",
    "captioner_checks",
    "encoder_checks",
    "judge",
    "language_model_checks",
    "results",
]
