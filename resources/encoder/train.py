"""Trains the projection of the embedded encoder from drawings and their words. Run by hand, never by a build.

Both towers stay as they are, so their answers are computed once; a training run then takes less than a minute.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from resources.encoder.embedded import PROJECTION
from resources.encoder.training import drawings
from resources.encoder.training.features import Features, extract
from resources.encoder.training.heads import (
    Classes,
    Heads,
    conse,
    image_head,
    load_heads,
    save_heads,
    text_projection,
)
from resources.encoder.training.rendering import looks_like_any, render_all
from resources.encoder.training.retrieval import Retrieval, retrieval
from resources.encoder.training.source import hashes_of, write_hashes

HELP = """\
Trains resources/encoder/lit_proj.safetensors again and prints how well it retrieves held-out drawings.

The drawings come with Debian packages. In an empty folder, say /tmp/drawings:

    apt-get download openclipart-svg tuxpaint-stamps-default qabcs-data
    for package in *.deb; do dpkg -x "$package" .; done

Drawing them needs CairoSVG, which nothing else here does: pip install cairosvg. Then, from the project's folder:

    python -m resources.encoder.train /tmp/drawings --work /tmp/encoder --seeds 0 1 2

Pictures and features stay in the work folder: the first run
takes about six minutes on two cores, a later one half a minute per seed.

    python -m resources.encoder.train /tmp/drawings --work /tmp/encoder --hashes training_drawings.safetensors

trains nothing: it hashes every drawing of openclipart-svg, the one package it needs, in about two minutes. Comparisons
with chance leave pictures out that look like one of them.
"""
DUPLICATE_BITS = 12
"""Held-out drawings whose difference hash is that near to any training drawing's are left out of the figures."""


@dataclass(frozen=True)
class Plan:
    """Numbers of the training."""

    epochs: int = 30
    batch: int = 512
    rate: float = 1e-3
    text_rate: float = 3e-4
    warm_up: int = 20
    decay: float = 0.05
    dropout: float = 0.3
    temperature: float = 0.07
    same_text: float = 0.8
    """Two captions with a higher cosine may describe the same thing: they are no negatives of each other."""
    mixtures: int = 256
    prototypes: int = 128
    reach: float = 8.157
    """How far a prototype may be pushed towards its class: 0.6 times the mean length of a feature vector."""
    label_share: float = 0.15
    anchor: float = 10.0


class Trainer:
    """One run: heads, optimizer and the three losses."""

    def __init__(self, features: Features, plan: Plan, seed: int) -> None:
        random.seed(seed)
        torch.manual_seed(seed)
        self.plan = plan
        ours = [i for i, d in enumerate(features.drawings) if d.collection == drawings.OPENCLIPART]
        self.paired = torch.tensor([i for i in ours if features.drawings[i].captions])
        self.captions = [
            [(features.captions[text], weight) for text, weight in features.drawings[i].captions] for i in self.paired
        ]
        images = torch.from_numpy(features.images)
        self.images, self.all_images = images[self.paired], images[torch.tensor(ours)]
        self.texts = torch.from_numpy(features.texts)
        self.classes = Classes(*map(torch.from_numpy, (features.classifier, features.bias, features.classes)))
        self.mean = self.all_images.mean(dim=0)
        head = image_head(self.classes, self.all_images)
        self.heads = Heads(head, text_projection(self.classes), plan.temperature)
        self.first_text_head = self.heads.text.weight.detach().clone()
        self.groups: list[tuple[list[nn.Parameter], float, float]] = [
            (list(self.heads.image.parameters()), plan.rate, plan.decay),
            (list(self.heads.text.parameters()), plan.text_rate, 0.0),
            ([self.heads.log_scale], plan.rate, 0.0),
        ]

    def run(self) -> None:
        """Train for all epochs; heads are left in evaluation mode."""
        plan, n = self.plan, len(self.images)
        optimizer = torch.optim.AdamW(
            [{"params": p, "lr": rate, "weight_decay": decay} for p, rate, decay in self.groups], betas=(0.9, 0.98)
        )
        trained = [p for group in self.groups[:2] for p in group[0]]
        per_epoch = max(1, n // plan.batch)
        steps = plan.epochs * per_epoch
        for step in range(steps):
            if step % per_epoch == 0:
                order = torch.randperm(n)
            share = min(1, (step + 1) / plan.warm_up) * (1 + math.cos(math.pi * step / steps)) / 2
            for group, (_, rate, _) in zip(optimizer.param_groups, self.groups, strict=True):
                group["lr"] = rate * share
            rows = order[step % per_epoch * plan.batch :][: plan.batch]
            loss = self.contrast(rows) + self.distill() + self.stay()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
        self.heads.eval()

    def contrast(self, rows: Tensor) -> Tensor:
        """InfoNCE in both directions over a batch, one sampled caption per picture."""
        chosen = [random.choices(*zip(*self.captions[row], strict=True))[0] for row in rows.tolist()]
        words = self.texts[torch.tensor(chosen)]
        images, texts = self.heads(functional.dropout(self.images[rows], self.plan.dropout), words)
        same = (words @ words.T > self.plan.same_text) & ~torch.eye(len(rows), dtype=torch.bool)
        logits = (self.heads.scale * images @ texts.T).masked_fill(same, -1e4)
        target = torch.arange(len(rows))
        return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2

    def distill(self) -> Tensor:
        """Keep what ImageNet's classifier knows: ConSE's vector and its ranking of the class names, on mixed features.

        Half of the mixtures are single pictures; prototypes are pictures pushed towards a class at random, so that
        classes which no drawing shows are not forgotten.
        """
        images, classes = self.all_images, self.classes
        a, b = (images[torch.randint(len(images), (self.plan.mixtures,))] for _ in range(2))
        share = torch.rand(len(a), 1) * 0.5 * (torch.rand(len(a), 1) < 0.5)
        which = torch.randint(len(classes.names), (self.plan.prototypes,))
        base = (images[torch.randint(len(images), (len(which),))] + self.mean) / 2
        push = functional.normalize(classes.weight[which], dim=1) * torch.rand(len(which), 1) * self.plan.reach
        mixed = torch.cat([(1 - share) * a + share * b, (base + push).clamp(min=0)])
        found, wanted = self.heads(functional.dropout(mixed, self.plan.dropout), conse(mixed, classes))
        names = functional.normalize(self.heads.text(classes.names), dim=-1)
        likely = classes.logits(mixed).softmax(dim=1)
        ranking = functional.cross_entropy(self.heads.scale * found @ names.T, likely)
        return (1 - (found * wanted).sum(dim=1)).mean() + self.plan.label_share * ranking

    def stay(self) -> Tensor:
        """Hold the text projection near its start: words that no drawing has must keep their meaning."""
        change = (self.heads.text.weight - self.first_text_head).square().sum()
        return self.plan.anchor * change / self.heads.text.in_features


def held_out(features: Features) -> dict[str, list[int]]:
    """Rows of the three measured sets, without drawings that look like a training drawing."""
    rows = {c: [i for i, d in enumerate(features.drawings) if d.collection == c] for c in drawings.FOLDERS}
    seen = features.hashes[rows[drawings.OPENCLIPART]]
    kept = {}
    for collection in (drawings.TUXPAINT, drawings.QABCS):
        known = looks_like_any(features.hashes[rows[collection]], seen, DUPLICATE_BITS)
        kept[collection] = [row for row, old in zip(rows[collection], known, strict=True) if not old]
    tuxpaint = kept[drawings.TUXPAINT]
    no_symbols = [i for i in tuxpaint if features.drawings[i].group != "symbols"]
    return {"tuxpaint": tuxpaint, "tuxpaint without letters and symbols": no_symbols, "qabcs": kept[drawings.QABCS]}


def measure(heads: Heads, features: Features, sets: dict[str, list[int]]) -> dict[str, Retrieval]:
    """Retrieval of each held-out set."""
    figures = {}
    for name, rows in sets.items():
        captions = [features.drawings[i].captions[0][0] for i in rows]
        words = features.texts[[features.captions[text] for text in captions]]
        with torch.inference_mode():
            images, texts = heads(torch.from_numpy(features.images[rows]), torch.from_numpy(words))
        figures[name] = retrieval(images.numpy(), texts.numpy(), captions)
    return figures


def show(figures: dict[str, Retrieval]) -> None:
    """Print one line per held-out set."""
    for name, found in figures.items():
        print(f"  {name}: {found.line()}", flush=True)


def show_spread(results: Sequence[dict[str, Retrieval]]) -> None:
    """Print mean and standard deviation over seeds."""
    print("mean and standard deviation over seeds, percent:")
    for name in results[0]:
        for direction in ("image_to_text", "text_to_image"):
            values = 100 * np.array([getattr(result[name], direction) for result in results])
            pairs = zip(values.mean(axis=0), values.std(axis=0), strict=True)
            print(f"  {name}, {direction}: " + "  ".join(f"{mean:.1f} ± {sd:.1f}" for mean, sd in pairs))


def hash_source(root: Path, work: Path, file: Path, processes: int) -> None:
    """Write hashes of every drawing of the package that training drawings come from."""
    pictures = render_all(drawings.read_source(root), root, work / "pictures", processes)
    different = write_hashes(hashes_of(pictures), file)
    drawn = sum(picture is not None for picture in pictures)
    print(f"{file}: {different} different hashes of {drawn} drawings; {len(pictures) - drawn} could not be drawn")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see HELP."""
    parser = argparse.ArgumentParser(
        prog="python -m resources.encoder.train", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawings", type=Path, help="folder that the packages were unpacked into")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, features and the trained files")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="one run each; the committed file is of seed 0"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of the towers and of training")
    parser.add_argument("--hashes", type=Path, help="write hashes of the package's drawings to this file, and stop")
    options = parser.parse_args(arguments)
    if options.hashes:
        hash_source(options.drawings, options.work, options.hashes, options.threads)
        return
    features = extract(drawings.read_drawings(options.drawings), options.drawings, options.work, options.threads)
    torch.set_num_threads(options.threads)
    sets = held_out(features)
    print(f"{PROJECTION.name}, as committed:")
    show(measure(load_heads(PROJECTION), features, sets))
    results: list[dict[str, Retrieval]] = []
    for seed in options.seeds:
        began = time.monotonic()
        trainer = Trainer(features, Plan(), seed)
        trainer.run()
        seconds, temperature = time.monotonic() - began, 1 / trainer.heads.scale.item()
        file = options.work / f"lit_proj-{seed}.safetensors"
        save_heads(trainer.heads, file)
        print(f"seed {seed}: {len(trainer.images)} pairs, {len(trainer.all_images)} drawings, {seconds:.0f} s,"
              f" temperature {temperature:.3f}, {file}")  # fmt: skip
        results.append(measure(trainer.heads, features, sets))
        show(results[-1])
    if len(results) > 1:
        show_spread(results)


if __name__ == "__main__":
    main()
