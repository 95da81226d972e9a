"""Fusions a second beside CapsFusion's published script logic, and what the engine costs: `python -m bench.fusion`."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.captions.answers import Answers, Journal
from assets.captions.fuse import Attempt, FusionSettings, fuse_shard
from assets.captions.templates import fill, parse_prompt, prompt_text
from bench.measure import machine, medians, table
from resources.encoder.torchvision_shim import allow_torchvision_import
from resources.language_model import LanguageModelSettings, load_language_model
from resources.language_model.transformers_model import TransformersModel

ROWS, BATCH, TOKENS, ROUNDS = 64, 32, 80, 3
PEER_BATCH, BEAMS = 4, 3
"""Of CapsFusion's configuration: four rows per batch, beam search of width three, 80 new tokens."""
_NOUNS = (
    "lighthouse", "harbor", "teapot", "bridge", "kettle", "orchard", "violin", "lantern", "cathedral", "bicycle", "garden",
    "tractor",
)  # fmt: skip
_PLACES = ("Oban", "Lisbon", "Kyoto", "Quito", "Bergen", "Tunis", "Perth", "Riga", "Cusco", "Bath", "Nagoya", "Ghent")


def pairs(count: int) -> pa.Table:
    """Alt texts and synthetic captions of the lengths that were measured on CapsFusion's released rows."""
    draw = random.Random(0)
    alts = [
        f"{draw.choice(_NOUNS).title()} and {draw.choice(_NOUNS)} near {draw.choice(_PLACES)}, {draw.randint(1850, 2020)}, "
        f"from the collection of {draw.choice(_PLACES)} museum"
        for _ in range(count)
    ]
    synthetic = [f"a picture of a {draw.choice(_NOUNS)}, with a {draw.choice(_NOUNS)}" for _ in range(count)]
    return pa.table({"sample_id": pa.array(range(count), pa.uint64()), "text": alts, "synthetic": synthetic})


def tiny_model(folder: Path, tokenizer_of: TransformersModel) -> Path:
    """A small Llama with random weights and the embedded model's tokenizer: 4 layers of 256."""
    allow_torchvision_import()
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer, _ = tokenizer_of._loaded
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=4, max_position_embeddings=2048, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def script(model: TransformersModel, rows: pa.Table) -> Callable[[], list[str]]:
    """What a plain script does: batches in order, padded to their longest, beam search, answers decoded; no gates."""
    import torch

    tokenizer, network = model._loaded
    tokenizer.padding_side = "left"
    prompt = parse_prompt("fusion-v1", prompt_text("fusion-v1"))
    texts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in fill(prompt, {"alt": alt, "synthetic": synthetic})],
            add_generation_prompt=True, tokenize=False,
        )
        for alt, synthetic in zip(rows["text"].to_pylist(), rows["synthetic"].to_pylist(), strict=True)
    ]  # fmt: skip

    def run() -> list[str]:
        torch.set_num_threads(model.settings.threads)
        found: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(texts), PEER_BATCH):
                batch = tokenizer(
                    texts[start : start + PEER_BATCH], return_tensors="pt", padding=True, add_special_tokens=False
                )
                written = network.generate(
                    **batch,
                    num_beams=BEAMS,
                    do_sample=False,
                    max_new_tokens=TOKENS,
                    pad_token_id=tokenizer.pad_token_id,
                )
                found += tokenizer.batch_decode(written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return found

    return run


def engine(model: TransformersModel, rows: pa.Table, folder: Path) -> Callable[[], pa.Table]:
    """Winnow's way from pairs to rows of the provenance table: prompts, batches, notes of the run, gates, rows."""
    attempt = Attempt(parse_prompt("fusion-v1", prompt_text("fusion-v1")))

    def run() -> pa.Table:
        # A journal of its own each time, or nothing would be asked twice.
        journal = Journal(Path(tempfile.mkdtemp(dir=folder)))
        return fuse_shard(
            rows, rows["sample_id"].to_pylist(), lambda: Answers(model, lambda keys: {}, journal), [attempt],
            FusionSettings(),
        )  # fmt: skip

    return run


def overhead(model: TransformersModel, run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of a run, and those of them that the model itself did not take."""
    _, network = model._loaded
    generate, inside = network.generate, [0.0]

    def timed(**given: Any) -> Any:
        started = time.perf_counter()
        try:
            return generate(**given)
        finally:
            inside[0] += time.perf_counter() - started

    network.generate = timed
    try:
        started = time.perf_counter()
        run()
        whole = time.perf_counter() - started
    finally:
        network.generate = generate
    return whole, whole - inside[0]


def measured(folder: Path) -> list[tuple[str, dict[str, float], float]]:
    """Per model: name, rows a second of both ways, share of the engine's time that is not the model's."""
    embedded = load_language_model(_settings("embedded", "", "auto"))
    named = {
        "Llama of 4 layers of 256, random": load_language_model(
            _settings("transformers", str(tiny_model(folder / "tiny", embedded)), "fp32")
        ),
        "SmolLM2-135M-Instruct": embedded,
    }
    found = []
    for name, model in named.items():
        rows = pairs(ROWS)
        ways = {"script": script(model, rows), "Winnow": engine(model, rows, folder)}
        seconds, _ = medians(ways, ROUNDS)
        shares = sorted(share for _ in range(ROUNDS) for whole, rest in [overhead(model, ways["Winnow"])]
                        for share in [rest / whole])  # fmt: skip
        found.append((f"{name}, {model.precision}", {way: ROWS / seconds[way] for way in ways}, shares[ROUNDS // 2]))
    return found


def _settings(kind: Any, model: str, precision: Any) -> LanguageModelSettings:
    return LanguageModelSettings(
        kind=kind, model=model, precision=precision, batch_size=BATCH, max_new_tokens=TOKENS, threads=2
    )


def section(found: Sequence[tuple[str, dict[str, float], float]]) -> str:
    """The section of docs/benchmarks.md."""
    lines = [
        (
            name,
            f"{rates['script']:.2f}",
            f"{rates['Winnow']:.2f}",
            f"{rates['Winnow'] / rates['script']:.1f}",
            f"{100 * share:.1f} %",
        )
        for name, rates, share in found
    ]
    return (
        "## Fusion\n\n"
        f"{ROWS} pairs of alt text and synthetic caption, at most {TOKENS} new tokens. The script is the logic of CapsFusion's "
        f"published inference: plain transformers, batches of {PEER_BATCH} in order, beam search of width {BEAMS}, answers "
        f"decoded and nothing checked. Winnow decodes greedily in batches of {BATCH} of one shape, writes every answer down, "
        "asks the gates and makes the rows of the provenance table. Both run the same weights in the same precision with two "
        "threads. The last column is all of Winnow's time that is not the model's own. Medians of "
        f"{ROUNDS} runs, in turn. {machine(('torch', 'transformers'))}\n\n"
        + table(("model", "script, rows/s", "Winnow, rows/s", "times", "engine's share"), lines)
    )


def main() -> str:
    """Measure and describe."""
    with tempfile.TemporaryDirectory() as folder:
        return section(measured(Path(folder)))


if __name__ == "__main__":
    print(main())
