"""When builds are made: the job over all assets, the nightly schedule, the sensor for new crawl files."""

from collections.abc import Sequence

import dagster as dg

from orchestration import ledger, partitions
from orchestration.recipe import Recipe, load_recipe
from orchestration.registry import Snapshot, listing
from orchestration.stages import open_build
from resources.lake import sha256_of

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
        snapshot = open_build(load_recipe(), renew=True).snapshot
        partitions.announce(context.instance, snapshot)
        return dg.RunRequest(tags=range_tags(snapshot, context.instance.get_dynamic_partitions("shard")))

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
    run = dg.RunRequest(tags=range_tags(build.snapshot, [*known, *new]))
    return dg.SensorResult(cursor=found, dynamic_partitions_requests=requests, run_requests=[run])
