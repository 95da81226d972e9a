"""Shards of a step as tasks of an existing Ray cluster: what a task needs goes with it, what it makes goes into the home.

Nothing is assumed of a node but that Winnow is installed there and that it reaches the home. The machine that starts the
build, and holds the recipe, its policy and its lists, hands over what it read of them; crawl files that lie on its own
disk it copies into the home. A task whose worker or node dies is run again; one that is run twice writes the same files
under the same names, of which a store keeps the first.
"""

from __future__ import annotations

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import PurePath
from typing import Any

from orchestration import progress
from orchestration.capacity import CapacityError, Needs, needs_of, whole_number
from orchestration.cost import Cost, metered
from orchestration.plan import Build, Handed, Outcome, Step, staged, unchanged
from orchestration.recipe import parse_recipe
from orchestration.registry import Shard, Snapshot
from orchestration.workers import Done, Failure, Spread, attempt
from resources import objects
from resources.lake import Lake, LakeError, Traffic

RETRIES = 3
"""Times that a task is run again when its worker or its node died; WINNOW_RAY_RETRIES says otherwise."""

AHEAD = 2
"""Tasks that wait for each processor of the cluster."""

QUESTIONS = 16
"""Shards that a store is asked about at the same time."""

UNITS = 64
"""Most units of a step's work that are out at a time: each has its data with it."""


class WorkerError(Exception):
    """Workers died, or are not what the build needs; the message says what to do."""


class TaskError(Exception):
    """What a task raised, and what the task cost: as Ray carries it from a worker."""

    def __init__(self, error: Exception, cost: Cost) -> None:
        super().__init__(error, cost)
        self.error, self.cost = error, cost


@dataclass(frozen=True)
class Assignment:
    """What the tasks of one step share.

    Attributes:
        recipe: as plain values.
        path: the recipe's file, for messages.
        home: WINNOW_HOME.
        step: the step.
        code: code version of the step, which a worker must have, too.
        configs: sections of the recipe by step, with what its files say.
    """

    recipe: dict[str, Any]
    path: str
    home: str
    step: str
    code: str
    configs: dict[str, Any]


def work_on(assignment: Assignment, shard: Shard, handed: Handed) -> Outcome:
    """Run a step for one shard on the machine that this is called on."""
    steps = _same_code(assignment.step, assignment.code)
    # Nothing lies where the recipe lay on its own machine.
    recipe = parse_recipe(assignment.recipe, str(PurePath("elsewhere") / PurePath(assignment.path).name))
    build = Build(recipe, Lake(assignment.home), Snapshot((shard,)), steps, away=True)
    build.take_up(assignment.configs, handed)
    result = attempt(build, steps[assignment.step], shard)
    if isinstance(result, Failure):
        raise TaskError(result.error, result.cost) from result.error
    return result


def _same_code(step: str, code: str) -> Mapping[str, Step]:
    """The steps; raises WorkerError where this machine has other code of one than the machine that started the build."""
    steps = _steps()
    if steps[step].code_version() != code:
        raise WorkerError(
            f"asset {step}: a worker has other code, or other versions of its libraries, than the machine that started"
            " the build; install the same Winnow on every node"
        )
    return steps


def _steps() -> Mapping[str, Step]:
    import orchestration.rooms  # noqa: F401 - the steps
    from orchestration.stages import STEPS

    return STEPS


def metered_call(step: str, code: str, function: Callable[[Any], Any], item: Any) -> tuple[Any, Cost]:
    """What a function of a step gives for an item, and what it cost on the machine that this is called on."""
    _same_code(step, code)
    with metered(Traffic()) as cost:
        result = function(item)
    return result, cost[0]


class RayTeam:
    """Workers of a Ray cluster that this process is connected to."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._spent = Cost()
        self._staged: set[str] = set()

    def run(self, build: Build, step: Step, shards: Sequence[Shard | None]) -> Iterator[Done]:
        """Run a step for some shards, as they are done; nothing is begun after one that failed, which comes last.

        Steps over all shards, and shards whose files are there, are this process's own business.
        """
        asked: list[Shard] = []
        for shard, done in zip(shards, self._done(build, step, shards), strict=True):
            if shard is not None and not done:
                asked.append(shard)
                continue
            self._spent = Cost()
            result = attempt(build, step, shard)
            yield shard, replace(result, cost=result.cost + self._spent)
            if isinstance(result, Failure):
                return
        if asked:
            yield from self._tasks(build, step, asked)

    def _done(self, build: Build, step: Step, shards: Sequence[Shard | None]) -> list[bool]:
        """For which shards the files are there: many questions to a store, of which each takes its time."""
        for shard in shards:
            build.fingerprint(step, shard)
        with ThreadPoolExecutor(QUESTIONS) as pool:
            return list(pool.map(partial(build.done, step), shards))

    def spread(self, step: str) -> Spread:
        """What hands items to workers with what a step asks for."""
        return partial(self._map, step)

    def _map(self, step: str, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        # A unit is small, and its own business: what the whole step asks for would keep units off most nodes.
        task = self._task(step, metered_call, Needs())
        code = _steps()[step].code_version()
        waiting: deque[Any] = deque()
        room = min(self._room(), UNITS)

        def next_one() -> Any:
            result, cost = self._result(waiting.popleft(), step)
            self._spent += cost
            return result

        try:
            for item in items:
                waiting.append(task.remote(step, code, function, item))
                if len(waiting) >= room:
                    yield next_one()
            while waiting:
                yield next_one()
        finally:
            for reference in waiting:
                self._ray.cancel(reference)

    def _tasks(self, build: Build, step: Step, shards: Sequence[Shard]) -> Iterator[Done]:
        if build.lake.on_disk:
            raise LakeError(
                f"{build.lake.home}: workers of a cluster do not reach this machine's disk; set WINNOW_HOME to an object"
                " store, e.g. s3://bucket/winnow"
            )
        common = self._ray.put(
            Assignment(
                build.recipe.model_dump(mode="json"), build.recipe.path, str(build.lake.home), step.name,
                step.code_version(), build.configs(),
            )
        )  # fmt: skip
        task = self._task(step.name, work_on, needs_of(step.name))
        left = deque(shards)
        running: dict[Any, Shard] = {}
        failed: tuple[Shard, Failure] | None = None
        while running or (left and failed is None):
            while left and failed is None and len(running) < self._room():
                shard = left.popleft()
                try:
                    self._stage(build, shard)
                    running[task.remote(common, shard, build.hand_over(step, shard))] = shard
                except Exception as error:
                    failed = shard, Failure(error)
            if not running:
                break
            for done in self._ray.wait(list(running), num_returns=1)[0]:
                shard = running.pop(done)
                try:
                    outcome = self._result(done, f"{step.name}, shard {shard.partition}")
                except TaskError as told:
                    failed = failed or (shard, Failure(told.error, told.cost))
                    continue
                except Exception as error:
                    failed = failed or (shard, Failure(error))
                    continue
                if step.by_content:
                    build.forget_fingerprints()
                yield shard, outcome
        if failed is not None:
            yield failed

    def _stage(self, build: Build, shard: Shard) -> None:
        """Copy crawl files that lie on this machine's disk into the home, where every node reaches them; each once."""
        for uri, sha256 in ((shard.uri, shard.sha256), (shard.side_uri, shard.side_sha256)):
            if uri is None or sha256 is None or not objects.is_local(build.recipe.locate(uri)):
                continue
            place = staged(build.lake, uri, sha256)
            if str(place) not in self._staged and not build.lake.exists(place):
                source = unchanged(build, uri, sha256)
                with build.lake.new_file(place, once=True) as partial:
                    shutil.copyfile(str(source), str(partial))
            self._staged.add(str(place))

    def _task(self, step: str, function: Callable[..., Any], needs: Needs) -> Any:
        asked = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory or 0}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes):
            told = ", ".join(f"{name} {amount:g}" for name, amount in asked.items() if amount)
            progress.say(step, f"no node of the cluster has {told}; waiting for one")
        options: dict[str, Any] = {"num_cpus": needs.cpus, "scheduling_strategy": "SPREAD"}
        options["max_retries"] = whole_number("WINNOW_RAY_RETRIES", RETRIES)
        if needs.memory is not None:
            options["memory"] = needs.memory
        if needs.gpus:
            # Asked for here, and not later, a worker ends with its task, and its models leave the card.
            options["num_gpus"] = needs.gpus
        return self._ray.remote(**options)(function)

    def _room(self) -> int:
        """How many tasks are handed out at a time."""
        return max(2, AHEAD * int(self._ray.cluster_resources().get("CPU", 1)))

    def _result(self, reference: Any, about: str) -> Any:
        """What a task gave; its own error, or a WorkerError where it was killed again and again."""
        from ray.exceptions import RayError, RayTaskError

        try:
            return self._ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, TaskError):
                # What the worker's own traceback said is in Ray's error.
                error.cause.error.__cause__ = error
            raise error.cause if isinstance(error.cause, Exception) else error from error
        except RayError as error:
            words = " ".join(str(error).split())[:300]
            raise WorkerError(
                f"{about}: its worker died each time ({words}); see to the node, or ask for more memory in WINNOW_RESOURCES"
            ) from error


@cache
def connect(address: str) -> RayTeam:
    """Join a cluster that runs already; raises CapacityError where there is none, or Ray is not installed."""
    try:
        import ray
    except ImportError as error:
        raise CapacityError("WINNOW_RAY_ADDRESS is set, but Ray is not installed: pip install 'winnow[ray]'") from error
    try:
        ray.init(
            address=address,
            namespace="winnow",
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        words = " ".join(str(error).split())[:300]
        raise CapacityError(f"WINNOW_RAY_ADDRESS is {address!r}, but there is no cluster ({words})") from error
    return RayTeam(ray)
