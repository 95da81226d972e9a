"""Everything Dagster loads: the stages in the order the data flows, their checks, the job, schedule and sensors."""

from __future__ import annotations

from typing import Any

import dagster as dg

from orchestration.recipe import load_recipe

from assets.crawl import stage as crawl  # isort: skip
from assets.rights import stage as rights  # isort: skip
from assets.pool import stage as pool  # isort: skip
from assets.embeddings import stage as embeddings  # isort: skip
from assets.dedup import stage as dedup  # isort: skip
from assets.decontaminate import stage as decontaminate  # isort: skip
from assets.clusters import stage as clusters  # isort: skip
from assets.prune import stage as prune  # isort: skip
from assets.captions import stage as captions  # isort: skip
from assets.release import stage as release  # isort: skip
from assets.evaluation import stage as evaluation  # isort: skip
from assets.provenance import stage as provenance  # isort: skip

from orchestration import executors, jobs, pages, stages  # isort: skip

ROOMS = [
    crawl,
    rights,
    pool,
    embeddings,
    dedup,
    decontaminate,
    clusters,
    prune,
    captions,
    release,
    evaluation,
    provenance,
]

recipe = load_recipe()
assets: list[Any] = pages.with_pages(
    [asset for room in ROOMS for asset in dg.load_assets_from_modules([room])],  # type: ignore[misc]
    recipe,
)
checks = [check for room in ROOMS for check in dg.load_asset_checks_from_modules([room])]

defs = dg.Definitions(
    assets=assets,
    asset_checks=checks,
    jobs=[jobs.rebuild],
    schedules=[jobs.nightly(recipe)],
    sensors=[jobs.new_shards, jobs.new_removals, jobs.new_settings],
    resources={"winnow": stages.Winnow()},
    executor=executors.local(),
)
