"""Backfills are looked at every two seconds, by Dagster's own loop."""

import threading
import time
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._daemon.daemon import BackfillDaemon, SpanMarker

from orchestration import daemon
from orchestration.daemon import QuickBackfillDaemon, daemons


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def test_all_daemons_of_an_instance_run_and_the_one_for_backfills_is_the_quick_one(instance):
    made = daemons(instance)
    assert sorted(one.daemon_type() for one in made) == sorted(instance.get_required_daemon_types())
    assert [type(one) for one in made if isinstance(one, BackfillDaemon)] == [QuickBackfillDaemon]
    for one in made:
        one.__exit__(None, None, None)


def test_the_pause_between_two_looks_at_backfills_is_short(instance, monkeypatch):
    monkeypatch.setattr(daemon, "BACKFILL_SECONDS", 0.05)
    quick = QuickBackfillDaemon(settings={"use_threads": False})
    steps = quick.core_loop(SimpleNamespace(instance=instance), threading.Event())
    started, looks = time.monotonic(), 0
    while looks < 4:
        looks += next(steps) is SpanMarker.START_SPAN
    # Dagster's own pauses would make it more than a minute.
    assert time.monotonic() - started < 10
    steps.close()


def test_a_daemon_that_is_told_to_stop_does_not_pause():
    stopped = threading.Event()
    stopped.set()
    started = time.monotonic()
    assert daemon._ShortWaits(stopped).wait(30)
    assert daemon._ShortWaits(stopped).is_set()
    assert time.monotonic() - started < 1
