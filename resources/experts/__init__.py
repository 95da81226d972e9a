"""Experts: models that read one thing in a picture, where it says more than a captioner sees.

Each answers for one picture alone: what it finds does not depend on what stands beside it, nor on threads.
"""

from resources.experts.faces import Face, FaceFinder
from resources.experts.text_reader import Line, TextReader

__all__ = ["Face", "FaceFinder", "Line", "TextReader"]
