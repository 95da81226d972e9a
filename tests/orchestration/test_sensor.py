"""The sensors: new crawl files become partitions and a run, whoever saw them first; removals and settings a run."""

import dagster as dg
import pytest
import yaml

import orchestration.definitions  # noqa: F401  (registers the steps)
from assets.rights.removals import rows_of, selector
from orchestration import ledger
from orchestration.jobs import new_removals, new_settings, new_shards
from orchestration.partitions import announce
from orchestration.recipe import load_recipe
from orchestration.removing import Request, request_takedown
from orchestration.stages import open_build
from tests.conftest import REPOSITORY
from tests.crawl.warcs import response, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    recipe = {
        "name": "r",
        "crawl": {"sources": [{"name": "set", "uris": ["*.warc.gz"]}]},
        "prune": {"keep": 0.5},
        "release": {"name": "r"},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    write(tmp_path / "a.warc.gz", response("http://a.example/", b"<p>a"))
    monkeypatch.setenv("WINNOW_RECIPE", str(tmp_path / "r.yaml"))
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    return tmp_path


def look(instance, cursor=None):
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return new_shards(context)


def asked_for(result):
    (run,) = result.run_requests
    return {run.tags[f"dagster/asset_partition_range_{side}"] for side in ("start", "end")}


def test_files_that_appear_become_partitions_and_a_run_and_what_looks_the_same_is_passed_by(folder):
    with dg.DagsterInstance.ephemeral() as instance:
        first = look(instance)
        assert [key for request in first.dynamic_partitions_requests for key in request.partition_keys] == ["set.00001"]
        assert asked_for(first) == {"set.00001"}
        instance.add_dynamic_partitions("shard", ["set.00001"])
        assert isinstance(look(instance, first.cursor), dg.SkipReason)
        write(folder / "b.warc.gz", response("http://b.example/", b"<p>b"))
        second = look(instance, first.cursor)
        assert [k for request in second.dynamic_partitions_requests for k in request.partition_keys] == ["set.00002"]
        assert asked_for(second) == {"set.00001", "set.00002"}


def test_a_shard_that_somebody_else_registered_is_built_all_the_same(folder):
    with dg.DagsterInstance.ephemeral() as instance:
        announce(instance, open_build(load_recipe(), renew=True).snapshot)
        result = look(instance)
        assert list(result.dynamic_partitions_requests) == []
        assert asked_for(result) == {"set.00001"}


def test_a_changed_file_is_a_new_partition_and_the_old_one_is_left_out(folder):
    with dg.DagsterInstance.ephemeral() as instance:
        first = look(instance)
        instance.add_dynamic_partitions("shard", ["set.00001"])
        write(folder / "a.warc.gz", response("http://a.example/", b"<p>other words"))
        second = look(instance, first.cursor)
        assert asked_for(second) == {"set.00002"}


def changes(sensor, instance, cursor=None):
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return sensor(context)


def why(result):
    (run,) = result.run_requests
    return run.tags["winnow/why"]


def with_policy(folder, **more):
    recipe = yaml.safe_load((folder / "r.yaml").read_text())
    (folder / "r.yaml").write_text(yaml.safe_dump({**recipe, **more}))


def test_a_removal_list_that_changes_asks_for_a_run_and_says_which(folder):
    (folder / "gone.txt").write_text("https://a.example/x.png\n")
    with_policy(folder, removals={"lists": ["gone.txt"]})
    with dg.DagsterInstance.ephemeral() as instance:
        first = changes(new_removals, instance)
        assert not first.run_requests
        assert not changes(new_removals, instance, first.cursor).run_requests
        (folder / "gone.txt").write_text("https://a.example/y.png\n")
        second = changes(new_removals, instance, first.cursor)
        assert why(second) == "changed: gone.txt"
        assert asked_for(second) == {"set.00001"}
        assert not changes(new_removals, instance, second.cursor).run_requests


def test_a_takedown_asks_for_a_run(folder):
    with dg.DagsterInstance.ephemeral() as instance:
        first = changes(new_removals, instance)
        lake = open_build(load_recipe()).lake
        name = request_takedown(lake, Request(rows_of([selector("host", "a.example")])))
        assert why(changes(new_removals, instance, first.cursor)) == f"changed: {name}"


def test_a_policy_or_a_recipe_that_changes_asks_for_a_run_and_says_what_changed(folder):
    policy = (REPOSITORY / "assets/rights/policies/commercial-open.yaml").read_text()
    (folder / "own.yaml").write_text(policy)
    with_policy(folder, rights={"policy": "own.yaml"})
    with dg.DagsterInstance.ephemeral() as instance:
        first = changes(new_settings, instance)
        assert not first.run_requests
        (folder / "own.yaml").write_text(policy.replace("min_confidence: 0.7", "min_confidence: 0.8"))
        second = changes(new_settings, instance, first.cursor)
        assert why(second) == "changed: policy own.yaml"
        with_policy(folder, prune={"keep": 0.4})
        assert why(changes(new_settings, instance, second.cursor)) == "changed: prune"


def test_what_changes_nothing_in_the_build_asks_for_no_run(folder, monkeypatch):
    with dg.DagsterInstance.ephemeral() as instance:
        first = changes(new_settings, instance)
        build = open_build(load_recipe())
        ledger.write(build.lake, "build", [{"build_id": build.build_id, "name": "r", "manifest_sha256": "00"}])
        with_policy(folder, schedule={"cron": "0 4 * * *"})
        second = changes(new_settings, instance, first.cursor)
        assert not second.run_requests
        assert "changes nothing in the build" in second.skip_reason.skip_message
