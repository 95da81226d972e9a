"""What Dagster sees: the graph, its descriptions, schemas, checks; and a real webserver that answers for it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import pytest

from bench.ui import webserver
from orchestration.definitions import ROOMS, defs
from orchestration.stages import STEPS

REPOSITORY = Path(__file__).resolve().parents[2]
GROUPS = [
    "crawl",
    "rights",
    "pool",
    "embeddings",
    "dedup",
    "decontaminate",
    "clusters",
    "prune",
    "captions",
    "release",
    "evaluation",
    "provenance",
]


@pytest.fixture(scope="module")
def graph():
    return defs.resolve_asset_graph()


def test_the_definitions_are_valid():
    dg.Definitions.validate_loadable(defs)


def test_every_stage_of_the_house_has_assets(graph):
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == set(GROUPS)
    assert len(ROOMS) == len(GROUPS)


def test_the_manifest_waits_for_everything_that_is_a_file_of_the_build(graph):
    waited_for = graph.get(dg.AssetKey("manifest")).parent_keys
    steps, reached = set(STEPS), set()
    waiting = [key.to_user_string() for key in waited_for]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += [one for one in STEPS[name].reads if one not in reached]
    assert reached == steps


def test_every_asset_says_what_it_is(graph):
    silent = [key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).description]
    assert silent == []


def test_every_asset_that_computes_says_which_code_made_it(graph):
    silent = [key.to_user_string() for key in graph.materializable_asset_keys if not graph.get(key).code_version]
    assert silent == []


def test_every_step_shows_the_schema_of_its_tables_with_a_sentence_per_column(graph):
    for name in STEPS:
        schema = graph.get(dg.AssetKey(name)).metadata["dagster/column_schema"]
        assert schema.columns
        assert all(column.description for column in schema.columns)


def test_steps_are_partitioned_by_shard_or_over_all_of_them(graph):
    for name, step in STEPS.items():
        assert (graph.get(dg.AssetKey(name)).partitions_def is not None) == step.per_shard


def test_a_step_reads_only_steps_before_it():
    seen = set()
    for name, step in STEPS.items():
        assert set(step.reads) <= seen
        seen.add(name)


def test_a_room_reads_only_its_own_and_earlier_rooms():
    for step in STEPS.values():
        assert all(GROUPS.index(STEPS[name].group) <= GROUPS.index(step.group) for name in step.reads)


def test_the_promised_checks_block(graph):
    names = {key.name for key in graph.asset_check_keys}
    assert {
        "funnel_adds_up",
        "one_rights_row_per_released_sample",
        "unit_and_finite",
        "quotas_spend_the_budget",
    } <= names
    assert all(graph.get_check_spec(key).blocking for key in graph.asset_check_keys)


def test_every_room_has_a_check(graph):
    assert {graph.get(key.asset_key).group_name for key in graph.asset_check_keys} == set(GROUPS)


def test_schedule_and_sensors_are_there():
    assert [schedule.name for schedule in defs.schedules] == ["nightly_rebuild"]
    assert [sensor.name for sensor in defs.sensors] == ["new_shards", "new_removals", "new_settings"]


def test_the_workspace_file_validates():
    program = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [program, "definitions", "validate", "-w", "workspace.yaml"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a real webserver answers."""
    home = tmp_path_factory.mktemp("data") / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    with webserver(home) as address:
        yield address


def test_the_ui_answers_with_the_asset_graph(address):
    question = json.dumps({"query": "{ assetNodes { groupName assetKey { path } description } }"}).encode()
    request = urllib.request.Request(f"{address}/graphql", question, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        nodes = json.load(answer)["data"]["assetNodes"]
    assert {node["assetKey"]["path"][0] for node in nodes} >= set(STEPS)
    assert {node["groupName"] for node in nodes} == set(GROUPS)


def test_the_ui_page_is_served(address):
    with urllib.request.urlopen(f"{address}/asset-groups", timeout=30) as page:
        assert b"<html" in page.read().lower()
