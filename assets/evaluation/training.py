"""The loop that every arm is trained by: AdamW, a cosine with warm-up, a fixed number of steps and of pairs in a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.encoder.devices import torch_device
from resources.encoder.open_clip_encoder import COMPUTING

HIGHEST_SCALE = 100.0
"""Bound on one over the temperature (Radford et al. 2021, section 2.5)."""


@dataclass(frozen=True)
class Training:
    """Numbers of the training, the same for every arm.

    Attributes:
        steps: how often weights are changed.
        batch_size: pairs in a batch.
        learning_rate: the highest; warmed up, then along a cosine to 0.
        weight_decay: of matrices; biases, gains and the temperature have none.
        warm_up: steps until the learning rate is at its highest.
        threads: torch threads; part of what makes a run repeat.
        device: `cpu`, `cuda`, `cuda:1` … Bits repeat on `cpu`; on CUDA as far as torch has deterministic kernels.
    """

    steps: int = 300
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.2
    warm_up: int = 20
    threads: int = 2
    device: str = "cpu"


def batches(count: int, training: Training, seed: int) -> Iterator[np.ndarray]:
    """Rows of each batch, `steps` of them: an epoch's rows are shuffled, and a batch may reach into the next epoch.

    No batch has a row twice: a pair beside itself would count as a wrong answer.

    Raises:
        ValueError: for fewer rows than a batch has.
    """
    size = training.batch_size
    if count < size:
        raise ValueError(
            f"evaluation.batch_size is {size}, but an arm has {count} pairs; set it to {count} at most, so that every "
            "arm has batches of that size"
        )
    random = np.random.Generator(np.random.PCG64(seed))
    left = np.empty(0, np.int64)
    for _ in range(training.steps):
        if len(left) < size:
            shuffled = random.permutation(count)
            # What the batch already has from the last epoch comes late in this one.
            again = np.isin(shuffled, left)
            left = np.concatenate([left, shuffled[~again], shuffled[again]])
        yield left[:size]
        left = left[size:]


def fit(model: Any, loss_of: Callable[[np.ndarray], Any], rows: np.ndarray, training: Training, seed: int) -> float:
    """Train a model's weights in place; call it inside `repeatable`.

    Args:
        model: a torch module with a `logit_scale`, the logarithm of one over the temperature.
        loss_of: loss of a batch, given rows out of `rows`.
        rows: of the arm's pairs.
        training: how.
        seed: of the order of pairs.

    Returns:
        Mean loss over the last tenth of the steps.

    Raises:
        ValueError: where the loss is no longer a number.
    """
    import math

    import torch
    from open_clip_train.scheduler import cosine_lr

    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.98), eps=1e-6)
    schedule = cosine_lr(optimizer, training.learning_rate, training.warm_up, training.steps)
    last = max(1, training.steps // 10)
    losses: list[float] = []
    for step, batch in enumerate(batches(len(rows), training, seed)):
        schedule(step)
        loss = loss_of(rows[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(HIGHEST_SCALE))
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise ValueError(
                f"evaluation: the loss is {losses[-1]} after {step + 1} steps; lower evaluation.model.learning_rate"
            )
    return float(np.mean(losses[-last:]))


@contextmanager
def repeatable(training: Training, seed: int = 0) -> Iterator[None]:
    """Seeded random numbers, a fixed number of threads and deterministic kernels; afterwards all is as it was before."""
    import torch

    device = torch_device(training.device)
    with COMPUTING, torch.random.fork_rng([device] if device.type == "cuda" else []):
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.set_num_threads(training.threads)
        torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
        torch.manual_seed(seed)
        try:
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
                yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict, warn_only=only_warns)


def weights_sha256(state: Mapping[str, Any]) -> bytes:
    """Hash of a model's `state_dict`: names, types, shapes and numbers, by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.numpy().tobytes())
    return digest.digest()
