"""When builds are made: the job over all assets, the nightly schedule, sensors for crawl files, removals and settings."""

import json
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from orchestration import ledger, partitions, takedowns
from orchestration.recipe import Recipe, home_folder, load_recipe
from orchestration.registry import Snapshot, listing
from orchestration.stages import RECIPE, open_build
from resources.lake import Lake, hash_file, sha256_of

WHY = "winnow/why"
"""Tag that says why a run was asked for; what it then computes, and why, stands on each asset and in table `run`."""

rebuild = dg.define_asset_job(
    "rebuild",
    selection=dg.AssetSelection.all(),
    description="Everything, for every shard; what is done is reused.",
)


def range_tags(snapshot: Snapshot, known: Sequence[str]) -> dict[str, str]:
    """Tags that make one run cover every shard of a snapshot.

    A range is one of Dagster's own order, `known`, in which partitions stand as they were announced: shards of other
    recipes may lie between ours, and ours in any order. Steps leave out what is not theirs.
    """
    ours = {shard.partition for shard in snapshot.shards}
    keys = [key for key in known if key in ours]
    return {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}


def _request(recipe: Recipe, snapshot: Snapshot, known: Sequence[str], why: str) -> dg.RunRequest:
    return dg.RunRequest(tags={**range_tags(snapshot, known), WHY: why, RECIPE: recipe.name})


def nightly(recipe: Recipe) -> dg.ScheduleDefinition:
    """The schedule that the recipe asks for: register what is there, then build again."""

    @dg.schedule(
        job=rebuild,
        name="nightly_rebuild",
        cron_schedule=recipe.schedule.cron,
        execution_timezone=recipe.schedule.timezone,
        description="Looks for new and changed crawl files, then builds again; what is done is reused.",
    )
    def nightly_rebuild(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        now = load_recipe()
        snapshot = open_build(now, renew=True).snapshot
        partitions.announce(context.instance, snapshot)
        return _request(now, snapshot, context.instance.get_dynamic_partitions("shard"), "nightly rebuild")

    return nightly_rebuild


@dg.sensor(
    job=rebuild,
    name="new_shards",
    minimum_interval_seconds=60,
    description="Registers new and changed crawl files under the recipe's sources and builds with them.",
)
def new_shards(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Looks at names, sizes and times first; files are hashed only when those changed."""
    recipe = load_recipe()
    found = sha256_of(listing(recipe))
    if found == context.cursor:
        return dg.SkipReason("the sources look as they did before")
    known = context.instance.get_dynamic_partitions("shard")
    build = open_build(recipe, renew=True)
    new = [shard.partition for shard in build.snapshot.shards if shard.partition not in set(known)]
    requests = [partitions.shards.build_add_request(new)] if new else []
    # Whoever registered a shard first, it is built: what counts is whether this build was ever completed.
    if any(row["build_id"] == build.build_id for row in ledger.rows(build.lake, "build")):
        return dg.SensorResult(cursor=found, dynamic_partitions_requests=requests)
    run = _request(
        recipe, build.snapshot, [*known, *new], f"{len(new)} new crawl files" if new else "crawl files changed"
    )
    return dg.SensorResult(cursor=found, dynamic_partitions_requests=requests, run_requests=[run])


def _on_change(name: str, description: str, look: Callable[[Recipe, Lake], Mapping[str, str]]) -> dg.SensorDefinition:
    """A sensor that builds again when one of a few things looks different from the last time.

    What was seen the first time is only kept: whether anything was built at all is the business of `new_shards`.
    """

    @dg.sensor(job=rebuild, name=name, minimum_interval_seconds=60, description=description)
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        recipe = load_recipe()
        found = dict(look(recipe, Lake(home_folder())))
        seen = json.loads(context.cursor) if context.cursor else None
        cursor = json.dumps(found, sort_keys=True)
        changed = [key for key in {**(seen or {}), **found} if (seen or {}).get(key) != found.get(key)]
        if seen is None or not changed:
            return dg.SensorResult(cursor=cursor, skip_reason=dg.SkipReason("nothing changed"))
        build = open_build(recipe)
        if any(row["build_id"] == build.build_id for row in ledger.rows(build.lake, "build")):
            return dg.SensorResult(
                cursor=cursor, skip_reason=dg.SkipReason("what changed changes nothing in the build")
            )
        partitions.announce(context.instance, build.snapshot)
        known = context.instance.get_dynamic_partitions("shard")
        why = f"changed: {', '.join(sorted(changed))}"
        return dg.SensorResult(cursor=cursor, run_requests=[_request(recipe, build.snapshot, known, why)])

    return sensor


def _removals_now(recipe: Recipe, lake: Lake) -> dict[str, str]:
    paths = {uri: recipe.locate(uri) for uri in recipe.removals.lists}
    lists = {uri: hash_file(path) if path.exists() else "missing" for uri, path in paths.items()}
    return {**lists, **{row[0]: row[1] for row in takedowns.tombstones(lake)}}


def _settings_now(recipe: Recipe, lake: Lake) -> dict[str, str]:
    name = recipe.rights.policy
    policy = recipe.locate(name) if name.endswith((".yaml", ".yml")) else None
    sections = {key: sha256_of(value)[:16] for key, value in recipe.model_dump(mode="json").items()}
    return {**sections, f"policy {name}": hash_file(policy) if policy is not None and policy.exists() else ""}


new_removals = _on_change(
    "new_removals",
    "Builds again when a removal list of the recipe changes or a takedown came in: only shards that it reaches are computed.",
    _removals_now,
)
new_settings = _on_change(
    "new_settings",
    "Builds again when the recipe or its policy file changes: only what depends on the changed keys is computed.",
    _settings_now,
)
