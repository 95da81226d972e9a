"""Terms that models put on what they write, as obligations of their captions.

A recipe and a policy name terms by these ids. Sources: the licenses' own texts as summed up in November 2026; Llama
2 and 3.0 forbid training other models on outputs, 3.1 and later ask for the name; Gemma up to 3n passes a prohibited-use
policy on, Gemma 4 is Apache-2.0; the hosted models of OpenAI and Anthropic may not be used to build competing ones.
"""

from __future__ import annotations

MODEL_NAME, USE_RESTRICTIONS, NO_COMPETE = 64, 128, 256

OUTPUT_TERMS = {
    "none": 0,
    "model-name": MODEL_NAME,
    "use-restrictions": USE_RESTRICTIONS,
    "no-compete": NO_COMPETE,
    "llama-2": NO_COMPETE | USE_RESTRICTIONS,
    "llama-3.0": NO_COMPETE | USE_RESTRICTIONS,
    "llama-3.1": MODEL_NAME | USE_RESTRICTIONS,
    "llama-4": MODEL_NAME | USE_RESTRICTIONS,
    "gemma-1-3n": USE_RESTRICTIONS,
    "openai": NO_COMPETE,
    "anthropic": NO_COMPETE,
}
"""Obligation bits by id of the terms."""


def terms_bits(output_terms: str | None) -> int:
    """Obligation bits of a model's terms; terms that nobody knows ask for everything that terms are known to ask."""
    return OUTPUT_TERMS.get(output_terms or "", MODEL_NAME | USE_RESTRICTIONS | NO_COMPETE)


def terms_names(output_terms: str | None) -> list[str]:
    """The terms' own id and what they come to: `llama-2` is also no-compete and use-restrictions."""
    bits = terms_bits(output_terms)
    kinds = (("model-name", MODEL_NAME), ("use-restrictions", USE_RESTRICTIONS), ("no-compete", NO_COMPETE))
    return [*([output_terms] if output_terms else []), *(name for name, bit in kinds if bits & bit)]
