"""From a section of the recipe to the models that write, and to what their answers follow from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from orchestration.recipe import Endpoint as EndpointSection
from orchestration.recipe import Fusion, Writer
from resources.captioner.settings import CaptionerSettings
from resources.language_model import EndpointSettings, LanguageModel, LanguageModelSettings, load_language_model

DECIDING = ("model", "revision", "license", "output_terms", "precision", "device", "batch_size", "threads")
"""Keys of a model's section that its answers follow from, or that its agent says."""


def writer_section(writer: Writer, kind: str) -> dict[str, Any]:
    """What an answer follows from, as plain values: all but how an endpoint is reached."""
    section = {"kind": kind, **{name: getattr(writer, name) for name in DECIDING}}
    if kind == "openai":
        assert writer.endpoint is not None
        kept = {name: section[name] for name in ("kind", "model", "revision", "license", "output_terms")}
        return {**kept, "options": writer.endpoint.options, "seed": writer.endpoint.seed}
    if kind == "embedded":
        return {name: value for name, value in section.items() if name not in DECIDING[:4]}
    return section


def fusion_section(fusion: Fusion) -> dict[str, Any] | None:
    """The same for the model that fuses; None where the recipe wants no fusion."""
    if fusion.kind == "none":
        return None
    return {**writer_section(fusion, fusion.kind), "max_new_tokens": fusion.max_new_tokens}


def language_model(section: Mapping[str, Any], endpoint: EndpointSection | None) -> LanguageModel:
    """The model that fuses; loads nothing yet."""
    if section["kind"] == "openai":
        return _endpoint(section, endpoint, section["max_new_tokens"])
    named = {name: section[name] for name in ("kind", "precision", "device", "batch_size", "threads", "max_new_tokens")}
    if section["kind"] == "transformers":
        named |= {name: section[name] for name in ("model", "revision", "license", "output_terms")}
    return _load(LanguageModelSettings(**named))


def captioner(section: Mapping[str, Any], endpoint: EndpointSection | None) -> LanguageModel:
    """A model that looks at pictures; loads nothing yet. Not for kind tags, which needs no model of its own."""
    if section["kind"] == "openai":
        return _endpoint(section, endpoint, 80)
    named = {name: section[name] for name in DECIDING}
    # A kind that has no models to choose from goes by its own name.
    return _load_captioner(section["kind"], CaptionerSettings(**{**named, "model": named["model"] or section["kind"]}))


def fresh(load: Callable[[], LanguageModel]) -> LanguageModel:
    """What `load` makes with `language_model` or `captioner`, made anew and not the one that the process has."""
    for kept in (_load, _load_captioner, _ask):
        kept.cache_clear()
    return load()


def _endpoint(section: Mapping[str, Any], endpoint: EndpointSection | None, max_new_tokens: int) -> LanguageModel:
    if endpoint is None:
        raise ValueError(f"model {section['model']} is of kind openai, but the recipe names no endpoint for it")
    how = endpoint.model_dump(exclude={"attempts", "max_answer_kib", "options", "seed"})
    return _ask(
        EndpointSettings(
            **how,
            **{name: section[name] for name in ("model", "revision", "license", "output_terms", "options", "seed")},
            max_new_tokens=max_new_tokens,
            max_answer_bytes=endpoint.max_answer_kib * 1024,
        )
    )


@cache
def _load(settings: LanguageModelSettings) -> LanguageModel:
    """The model, loaded once per process and not once per shard."""
    return load_language_model(settings)


@cache
def _load_captioner(kind: str, settings: CaptionerSettings) -> LanguageModel:
    from resources.captioner import load_captioner

    return load_captioner(kind, settings)


@cache
def _ask(settings: EndpointSettings) -> LanguageModel:
    """One client per process, which keeps its limits over all shards."""
    from resources.language_model.endpoint import Endpoint

    return Endpoint(settings)
