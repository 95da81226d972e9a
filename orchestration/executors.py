"""Where the assets of a run are computed: on this machine, or each in a pod of its own, or as a job of a Ray cluster."""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg

from orchestration import capacity
from orchestration.capacity import CapacityError

SIDE_BY_SIDE = max(1, (os.cpu_count() or 2) // 2)
"""Assets that run at once on one machine: each computes on two threads or more."""

VARIABLE = "WINNOW_EXECUTOR"

PODS_AT_ONCE = 8
"""Assets of one run that have a pod at the same time; WINNOW_PODS_PER_RUN says otherwise."""

KEPT_SECONDS = 24 * 3600
"""How long the job of an asset that is done stays, for whoever wants to see its pod."""

GPU_POOL = "gpu"
GPU = "nvidia.com/gpu"
GPU_NODES = "winnow/nodes=gpu"
"""Label of the nodes that have graphics cards; WINNOW_GPU_NODES says otherwise."""


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


def kubernetes() -> dg.ExecutorDefinition:
    """In the cluster that the run is in: a pod per asset, made like the run's own pod, with what the asset needs."""
    if importlib.util.find_spec("dagster_k8s") is None:
        raise CapacityError(
            f"{VARIABLE} is kubernetes, but dagster-k8s is not installed: pip install 'winnow[kubernetes]'"
        )
    from dagster_k8s import k8s_job_executor

    return k8s_job_executor.configured(
        {
            "max_concurrent": capacity.whole_number("WINNOW_PODS_PER_RUN", PODS_AT_ONCE),
            "step_k8s_config": {"job_spec_config": {"ttl_seconds_after_finished": KEPT_SECONDS}},
        }
    )


def ray() -> dg.ExecutorDefinition:
    """In the Ray cluster whose job server WINNOW_RAY_JOBS names: a job per asset, whose shards are tasks of the cluster."""
    if importlib.util.find_spec("dagster_ray") is None:
        raise CapacityError(f"{VARIABLE} is ray, but dagster-ray is not installed: pip install 'winnow[ray]'")
    address = os.environ.get("WINNOW_RAY_JOBS", "")
    if not address.startswith(("http://", "https://")):
        raise CapacityError(
            f"{VARIABLE} is ray, so WINNOW_RAY_JOBS must be the address of the cluster's job server, http://HOST:8265"
        )
    from dagster_ray import ray_executor

    # A job lives in the cluster: whatever it has to know of this process's environment is named here.
    told = [name for name in JOB_VARIABLES if name in os.environ]
    return ray_executor.configured({"ray": {"address": address, "env_vars": [*told, "WINNOW_RAY_ADDRESS=auto"]}})


JOB_VARIABLES = ("WINNOW_HOME", "WINNOW_RECIPE", "WINNOW_RESOURCES", "WINNOW_RAY_RETRIES", "DAGSTER_HOME")

EXECUTORS = {"local": local, "kubernetes": kubernetes, "ray": ray}


def chosen(steps: Collection[str]) -> dg.ExecutorDefinition:
    """The executor that WINNOW_EXECUTOR names, `local` by default.

    Raises CapacityError where it names none, or where the file of resources has a wrong entry or one of no step.
    """
    capacity.check_names(steps)
    return EXECUTORS[_name()]()


def tags(step: str, per_shard: bool) -> Mapping[str, Any] | None:
    """What the executor has to know of a step's asset: its job's or its pod's resources, and which nodes can have that."""
    name, needs = _name(), capacity.needs_of(step)
    if name == "ray":
        # Where shards are tasks, with what the step asks for each, the job itself only waits.
        asked = (
            {"num_cpus": 0} if per_shard else {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory}
        )
        return {"dagster-ray/config": {key: value for key, value in asked.items() if value is not None}}
    return {"dagster-k8s/config": pod(needs)} if name == "kubernetes" else None


def pool(step: str) -> str | None:
    """Dagster's pool of a step that asks for graphics cards: its limit holds over all runs, once somebody sets one."""
    return GPU_POOL if capacity.needs_of(step).gpus else None


def pod(needs: capacity.Needs) -> dict[str, Any]:
    """Configuration of a step's pod, in the words of dagster-k8s."""
    requests: dict[str, str] = {"cpu": f"{needs.cpus:g}"}
    # Processors that nobody else uses are there to be used; memory beyond what was asked for is another pod's.
    limits: dict[str, str] = {}
    if needs.memory is not None:
        requests["memory"] = limits["memory"] = str(needs.memory)
    if not needs.gpus:
        return {"container_config": {"resources": {"requests": requests, "limits": limits}}}
    # Kubernetes gives a card away whole, and only to pods that limit themselves to so many.
    limits[GPU] = str(math.ceil(needs.gpus))
    return {
        "container_config": {"resources": {"requests": requests, "limits": limits}},
        "pod_spec_config": {
            "node_selector": _gpu_nodes(),
            "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        },
    }


def _name() -> str:
    name = os.environ.get(VARIABLE) or "local"
    if name not in EXECUTORS:
        raise CapacityError(f"{VARIABLE} is {name!r}, but it must be one of {', '.join(EXECUTORS)}")
    return name


def _gpu_nodes() -> dict[str, str]:
    written = os.environ.get("WINNOW_GPU_NODES", GPU_NODES)
    labels = [label.strip() for label in written.split(",") if label.strip()]
    if not all(re.fullmatch(r"[^=\s]+=[^=\s]*", label) for label in labels):
        raise CapacityError(f"WINNOW_GPU_NODES is {written!r}, but it must be labels of nodes such as {GPU_NODES}")
    return {key: value for key, _, value in (label.partition("=") for label in labels)}
