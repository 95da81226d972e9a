"""Kinds of captioners that run in this process, by the name that recipes use."""

from __future__ import annotations

from collections.abc import Callable

from resources.captioner.settings import CaptionerSettings
from resources.captioner.transformers_captioner import TransformersCaptioner
from resources.language_model.base import LanguageModel, LanguageModelError

KINDS: dict[str, Callable[[CaptionerSettings], LanguageModel]] = {
    "transformers": TransformersCaptioner,
}
"""Each makes a captioner of settings and loads nothing before it is asked; docs/extending.md shows how one is added."""


def load_captioner(kind: str, settings: CaptionerSettings) -> LanguageModel:
    """The captioner that the settings name. Raises LanguageModelError for a kind that is not known."""
    if kind not in KINDS:
        raise LanguageModelError(f"captioner {settings.model}: kind {kind} is none of {', '.join(KINDS)}")
    return KINDS[kind](settings)
