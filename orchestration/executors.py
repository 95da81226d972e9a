"""Where the assets of a run are computed."""

from __future__ import annotations

import os

import dagster as dg

SIDE_BY_SIDE = max(1, (os.cpu_count() or 2) // 2)
"""Assets that run at once on one machine: each computes on two threads or more."""


def local(side_by_side: int = SIDE_BY_SIDE) -> dg.ExecutorDefinition:
    """On this machine: a process per asset, or the run's own process where only one asset runs at a time anyway."""
    if side_by_side == 1:
        return dg.in_process_executor
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": side_by_side,
            "start_method": {"forkserver": {"preload_modules": ["orchestration.definitions"]}},
        }
    )
