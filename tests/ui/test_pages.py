"""What pages and runs say about themselves, without a browser."""

from datetime import timedelta

import dagster as dg
import pytest
import yaml

import orchestration.definitions  # noqa: F401  (registers the steps)
from assets.provenance.tables import TABLES
from orchestration import pages
from orchestration.definitions import ROOMS
from orchestration.recipe import load_recipe
from orchestration.stages import RECIPE, RECIPE_SHA256, STEPS, show_recipe

REPOSITORY = pages.REPOSITORY


@pytest.fixture(scope="module")
def specs():
    """Specs of all assets by name, as `with_pages` makes them."""
    assets = [asset for room in ROOMS for asset in dg.load_assets_from_modules([room])]
    dressed = pages.with_pages(assets, load_recipe(REPOSITORY / "recipes" / "demo.yaml"))
    return {spec.key.to_user_string(): spec for asset in dressed for spec in asset.specs}


@pytest.mark.parametrize(
    ("cron", "hours"), [("0 3 * * *", 24), ("0 3 * * 1-5", 72), ("*/30 * * * *", 0.5), ("0 3 1 * *", 31 * 24)]
)
def test_the_longest_time_between_two_builds_counts_weekends_and_months(cron, hours):
    assert pages.longest_gap(cron, "UTC") == timedelta(hours=hours)


def test_a_night_when_the_clock_goes_back_is_longer():
    assert pages.longest_gap("0 3 * * *", "Europe/Paris") == timedelta(hours=25)


def test_one_missed_build_warns_and_two_fail(specs):
    policy = specs["release"].freshness_policy
    assert policy.warn_window.to_timedelta() == timedelta(hours=30)
    assert policy.fail_window.to_timedelta() == timedelta(hours=54)
    assert {name for name, spec in specs.items() if spec.freshness_policy} == {"release", "manifest", "provenance"}


def test_every_page_leads_to_the_function_that_makes_the_asset_and_to_a_document_that_exists(specs):
    for name, spec in specs.items():
        file, _, line = spec.metadata["code"].rpartition(":")
        assert file.startswith("assets/")
        assert file.endswith("/stage.py")
        head = "".join((REPOSITORY / file).read_text().splitlines(keepends=True)[int(line) - 1 :]).split("\n\n\n")[0]
        assert f"def {name}(" in head
        assert (REPOSITORY / spec.metadata["documentation"]).is_file()


def test_paths_of_this_machine_stand_in_code_references_alone(specs):
    for spec in specs.values():
        told = {key: value for key, value in spec.metadata.items() if key != "dagster/code_references"}
        assert str(REPOSITORY) not in repr(told)


def test_the_table_that_a_page_names_is_in_the_database(specs):
    for name, step in STEPS.items():
        found = specs[name].metadata.get("dagster/table_name")
        assert found == (None if TABLES[step.tables[0]].internal else f"provenance.main.{step.tables[0]}")


class Log(list):
    """Keeps what is logged."""

    info = list.append


def test_a_run_is_tagged_with_its_recipe_and_logs_it_once():
    recipe, log = load_recipe(REPOSITORY / "recipes" / "demo.yaml"), Log()
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(dg.job(name="none")(lambda: None))
        show_recipe(instance, run.run_id, recipe, log)
        show_recipe(instance, run.run_id, recipe, log)
        tags = instance.get_run_by_id(run.run_id).tags
    assert tags[RECIPE] == "demo"
    assert recipe.sha256.startswith(tags[RECIPE_SHA256])
    assert len(log) == 1
    assert yaml.safe_load(log[0].partition("\n")[2]) == recipe.model_dump(mode="json")


def test_a_recipe_that_changed_while_the_run_went_on_is_logged_again():
    recipe, log = load_recipe(REPOSITORY / "recipes" / "demo.yaml"), Log()
    other = recipe.model_copy(update={"name": "other"})
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(dg.job(name="none")(lambda: None))
        for one in (recipe, other, other):
            show_recipe(instance, run.run_id, one, log)
        assert instance.get_run_by_id(run.run_id).tags[RECIPE] == "other"
    assert len(log) == 2
