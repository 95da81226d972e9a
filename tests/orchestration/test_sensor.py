"""The sensor: new crawl files become partitions and a run, whoever saw them first."""

import dagster as dg
import pytest
import yaml

import orchestration.definitions  # noqa: F401  (registers the steps)
from orchestration.jobs import new_shards
from orchestration.partitions import announce
from orchestration.recipe import load_recipe
from orchestration.stages import open_build
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
