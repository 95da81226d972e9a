"""docs/recipe.md: every key of a recipe with type, default and meaning, generated from the recipe's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from assets.crawl.lists import LAYOUTS, Columns
from assets.pool.registry import FILTERS
from assets.pool.sets import SETS, resolve
from orchestration.recipe import Recipe

TARGET = Path(__file__).resolve().parents[1] / "docs" / "recipe.md"

INTRODUCTION = """# The recipe

One YAML file says everything about a build. `recipes/demo.yaml` is one. Unknown keys are errors; a wrong value is an
error that names the key. Each stage's fingerprint covers only its own section, so a changed key recomputes only what is
downstream of it. This page is generated: `make docs`.
"""


def recipe_markdown() -> str:
    """The page."""
    return INTRODUCTION + "".join(_section("", Recipe)) + _sets() + _filters() + _layouts()


def _sets() -> str:
    lines = [
        "\n## Filter sets (`pool.filter_set`)\n\n| set | filters, in the order in which they decide |\n| --- | --- |\n"
    ]
    for name in SETS:
        told = [f"`{f.name}`{_limits(f.limits)}" for f in resolve(name, {})]
        lines.append(f"| `{name}` | {', '.join(told)} |\n")
    return "".join(lines)


def _filters() -> str:
    text = (
        "\n## Filters (`pool.extra`, `pool.without`, `pool.overrides`)\n\nThose that need `similarity` or `rank` decide where the "
        "vectors are, in stage `agreement`: their limits are those of a real CLIP, and mean nothing for the embedded encoder.\n\n"
        "| filter | what it does | limits | needs | source |\n| --- | --- | --- | --- | --- |\n"
    )
    for name, known in sorted(FILTERS.items()):
        cells = (known.question, _limits(known.defaults).strip(" ()"), known.needs or "", known.source)
        text += f"| `{name}` | {' | '.join(_plain(cell) for cell in cells)} |\n"
    return text


def _limits(limits: Mapping[str, Any]) -> str:
    told = ", ".join(f"{key} {'null' if value is None else str(value)}" for key, value in limits.items())
    return f" ({told})" if told else ""


def _layouts() -> str:
    text = (
        "\n## Layouts of link lists (`crawl.sources.layout`)\n\nThe first name that is there counts, whatever its case.\n\n"
        "| layout | columns |\n| --- | --- |\n"
    )
    for name, columns in LAYOUTS.items():
        told = [f"{field}: {' or '.join(f'`{n}`' for n in names)}" for field, names in _named(columns)]
        text += f"| `{name}` | {', '.join(told)} |\n"
    return text


def _named(columns: Columns) -> list[tuple[str, tuple[str, ...]]]:
    return [(field, names) for field, names in asdict(columns).items() if field != "quoted" and names]


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
