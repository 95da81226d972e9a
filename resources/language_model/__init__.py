"""Language models: questions in, answers out. `load_language_model` and `Endpoint` are the ways in."""

from resources.language_model.base import (
    Answers,
    Chat,
    Completion,
    LanguageModel,
    LanguageModelAgent,
    LanguageModelError,
    Question,
)
from resources.language_model.load import load_language_model, locate_embedded
from resources.language_model.settings import EndpointSettings, LanguageModelSettings

__all__ = [
    "Answers",
    "Chat",
    "Completion",
    "EndpointSettings",
    "LanguageModel",
    "LanguageModelAgent",
    "LanguageModelError",
    "LanguageModelSettings",
    "Question",
    "load_language_model",
    "locate_embedded",
]
