"""docs/recipe.md: every key of a recipe with type, default and meaning, generated from the recipe's own types."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from orchestration.recipe import Recipe

TARGET = Path(__file__).resolve().parents[1] / "docs" / "recipe.md"

INTRODUCTION = """# The recipe

One YAML file says everything about a build. `recipes/demo.yaml` is one. Unknown keys are errors; a wrong value is an
error that names the key. Each stage's fingerprint covers only its own section, so a changed key recomputes only what is
downstream of it. This page is generated: `make docs`.
"""


def recipe_markdown() -> str:
    """The page."""
    return INTRODUCTION + "".join(_section("", Recipe)) + "\n"


def _section(prefix: str, model: type[BaseModel]) -> list[str]:
    title = f"`{prefix}`" if prefix else "Top level"
    lines = [f"\n## {title}\n\n{(model.__doc__ or '').strip().splitlines()[0]}\n\n"]
    lines.append("| key | type | default | meaning |\n| --- | --- | --- | --- |\n")
    below: list[str] = []
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        key = f"{prefix}.{name}" if prefix else name
        if inner is not None:
            below += _section(key, inner)
        meaning = field.description or (inner.__doc__ or "").strip().splitlines()[0] if inner else field.description
        lines.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {_plain(meaning)} |\n")
    return lines + below


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_of, get_args(annotation)) if found), None)


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    for name in ("typing.", "orchestration.recipe."):
        text = text.replace(name, "")
    text = text.partition(", FieldInfo")[0].replace("Annotated[", "")
    return f"`{text}`".replace("|", "\\|")


def _default(field: Any) -> str:
    if field.default is not PydanticUndefined:
        return f"`{field.default!r}`"
    return "section's own" if field.default_factory else "**required**"


def _plain(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    TARGET.write_text(recipe_markdown(), encoding="utf-8")
    print(TARGET)
