"""Finds weight files inside installed packages, without importing the packages."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resources.encoder.base import EncoderError


@dataclass(frozen=True)
class PackageFile:
    """A file that comes with a package.

    Attributes:
        distribution: what `pip install` calls it.
        module: its top-level module, whose folder holds the file.
        path: of the file, or of a folder, below the module's folder.
    """

    distribution: str
    module: str
    path: str

    def locate(self) -> Path:
        """Where it lies; raises EncoderError that names the package to install."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise EncoderError(
                f"the embedded encoder needs the package {self.distribution}; run: pip install {self.distribution}"
            )
        found = Path(spec.origin).parent / self.path
        if not found.exists():
            raise EncoderError(
                f"the package {self.distribution} is installed, but lacks {self.path};"
                f" run: pip install --force-reinstall {self.distribution}"
            )
        return found


@cache
def _hash(path: str, size: int, changed: int) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.digest()


def weights_hash(path: Path) -> bytes:
    """SHA-256 of a file; read once per process as long as the file does not change."""
    stat = path.stat()
    return _hash(str(path), stat.st_size, stat.st_mtime_ns)
