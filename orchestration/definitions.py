"""Everything Dagster loads: the stages in the order the data flows, their checks, the job, schedule and sensors."""

from __future__ import annotations

from typing import Any

import dagster as dg

from orchestration.recipe import load_recipe

from orchestration.rooms import ROOMS  # isort: skip - the stages fill what the modules below read
from orchestration import executors, jobs, pages, stages  # isort: skip

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
    executor=executors.chosen(stages.STEPS),
)
