"""Captioners in this process: models that look at a picture and write. `load_captioner` is the way in."""

from resources.captioner.kinds import KINDS, load_captioner
from resources.captioner.settings import CaptionerSettings
from resources.captioner.transformers_captioner import TransformersCaptioner

__all__ = ["KINDS", "CaptionerSettings", "TransformersCaptioner", "load_captioner"]
