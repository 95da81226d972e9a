"""Captioners in this process: models that look at a picture and write. `TransformersCaptioner` is the way in."""

from resources.captioner.settings import CaptionerSettings
from resources.captioner.transformers_captioner import TransformersCaptioner

__all__ = ["CaptionerSettings", "TransformersCaptioner"]
