"""What `winnow check` runs: the kits, over what a recipe names, a filter or a form of a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assets.provenance.agents import agent_row
from orchestration.recipe import Recipe, RecipeError
from resources.conformance import Result, captioner_checks, encoder_checks, language_model_checks

Found = tuple[str, Result]
"""What was asked, and what a check found."""


def encoders(recipe: Recipe) -> Iterator[Found]:
    """The encoders of a recipe, by the section that names them."""
    from orchestration.tuning import encoders_of

    for section, settings in encoders_of(recipe).items():
        yield from _named(section, encoder_checks(settings, agent_row))


def captioners(recipe: Recipe, name: str | None = None) -> Iterator[Found]:
    """The captioners of a recipe, or the one of that name. Raises RecipeError where there is none to ask."""
    from orchestration.writers import captioner, fresh, writer_section

    models = recipe.captions.captioners
    own = [model for model in models if model.kind != "tags" and name in (None, model.name)]
    if name is not None and name not in [model.name for model in models]:
        known = ", ".join(model.name for model in models)
        raise RecipeError(f"{recipe.path}: captions.captioners has none that is called {name}; it has {known}")
    if not own:
        raise RecipeError(
            f"{recipe.path}: captions.captioners has no model of its own to ask; kind tags is the encoder's, so run"
            " `winnow check encoder`"
        )
    for model in own:
        load = partial(captioner, writer_section(model, model.kind), model.endpoint)
        yield from _named(model.name, captioner_checks(partial(fresh, load), agent_row))


def language_models(recipe: Recipe) -> Iterator[Found]:
    """The model of a recipe that fuses. Raises RecipeError where there is none."""
    from orchestration.writers import fresh, fusion_section, language_model

    section = fusion_section(recipe.captions.fusion)
    if section is None:
        raise RecipeError(f"{recipe.path}: captions.fusion.kind is none, so there is no language model to ask")
    load = partial(language_model, section, recipe.captions.fusion.endpoint)
    yield from _named("captions.fusion", language_model_checks(partial(fresh, load), agent_row))


def filters(name: str, limits: Sequence[str]) -> Iterator[Found]:
    """A pool filter, with limits as `name=value`. Raises RecipeError for what it does not know."""
    from assets.pool.conformance import filter_checks

    try:
        yield from _named(name, filter_checks(name, _limits(limits)))
    except ValueError as error:
        raise RecipeError(str(error)) from None


def _limits(given: Sequence[str]) -> Mapping[str, Any]:
    import yaml

    return {name: yaml.safe_load(value) for name, _, value in (pair.partition("=") for pair in given)}


def exports(form: str, folders: Sequence[Path]) -> Iterator[Found]:
    """A form of a release, over one release or several. Raises ReleaseError for a form that nobody knows."""
    from assets.release.conformance import export_checks

    for folder in folders:
        yield from _named(folder.name, export_checks(form, folder))


def evaluation_sets(recipe: Recipe, name: str | None = None) -> Iterator[Found]:
    """The evaluation sets of a recipe, or those of that name. Raises RecipeError where there is none to ask."""
    from assets.decontaminate.conformance import EvaluationSetCase, evaluation_set_checks
    from assets.decontaminate.stage import compared_by, limits_of, reading
    from orchestration.evaluation_sets import files_of

    section = recipe.decontaminate
    asked = [found for found in section.sets if name in (None, found.name)]
    if not asked:
        known = ", ".join(sorted({found.name for found in section.sets})) or "none"
        raise RecipeError(f"{recipe.path}: decontaminate.sets has no set to ask; it has {known}")
    encoder, limits = compared_by(recipe), limits_of(section)
    for found in asked:
        read = reading(recipe, found.model_dump(), files_of(recipe, found.model_dump()))
        case = EvaluationSetCase(found.model_dump(), read, encoder, limits, section.crop, recipe.crawl.max_pixels)
        yield from _named(f"{found.name} {found.version}", evaluation_set_checks(case))


def _named(what: str, found: Iterator[Result]) -> Iterator[Found]:
    return ((what, result) for result in found)
