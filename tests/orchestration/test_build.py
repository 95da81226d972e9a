"""Runs that a killed build leaves behind."""

import os
import socket

import dagster as dg
import pytest

from orchestration.build import PROCESS, close_abandoned_runs

GONE = str(2**22 + 1)


@pytest.fixture
def instance():
    with dg.instance_for_test() as found:
        yield found


def started(instance, **tags):
    @dg.asset
    def something() -> None: ...

    job = dg.define_asset_job("j", [something]).resolve(asset_graph=dg.Definitions([something]).resolve_asset_graph())
    return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id


def test_a_run_whose_process_is_gone_is_marked_as_failed(instance):
    run = started(instance, **{PROCESS: f"{socket.gethostname()}:{GONE}"})
    assert close_abandoned_runs(instance) == [run]
    assert instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE


def test_a_run_whose_process_lives_is_left_alone(instance):
    run = started(instance, **{PROCESS: f"{socket.gethostname()}:{os.getpid()}"})
    assert close_abandoned_runs(instance) == []
    assert instance.get_run_by_id(run).status == dg.DagsterRunStatus.STARTED


def test_a_run_of_another_machine_is_left_alone(instance):
    started(instance, **{PROCESS: f"elsewhere:{GONE}"})
    assert close_abandoned_runs(instance) == []


def test_a_run_that_the_ui_started_is_left_alone(instance):
    started(instance)
    assert close_abandoned_runs(instance) == []
