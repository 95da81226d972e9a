"""Dagster's daemons, with backfills looked at every two seconds.

"Materialize all" is a backfill: one run for each stretch of assets that are partitioned alike, the next asked for when the
backfill is looked at. Dagster looks every 30 seconds and has no setting for it, so that most of a small build was waiting.
`dagster dev` and `dagster-daemon` work on the same home, at their own pace.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Sequence

import dagster as dg
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.controller import create_daemons_from_instance, daemon_controller_from_instance
from dagster._daemon.daemon import BackfillDaemon, DagsterDaemon

BACKFILL_SECONDS = 2.0


class _ShortWaits(threading.Event):
    """Stands for the event that ends a daemon's loop; nobody waits for it longer than `BACKFILL_SECONDS`."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait(BACKFILL_SECONDS if timeout is None else min(timeout, BACKFILL_SECONDS))


class QuickBackfillDaemon(BackfillDaemon):
    """Dagster's backfill daemon, whose pauses are short."""

    def core_loop(self, workspace_process_context, shutdown_event):  # type: ignore[no-untyped-def]
        """Dagster's own loop: it pauses by waiting for `shutdown_event`."""
        return super().core_loop(workspace_process_context, _ShortWaits(shutdown_event))


def daemons(instance: dg.DagsterInstance) -> Sequence[DagsterDaemon]:
    """The daemons that an instance needs, with a quick one for backfills."""
    made = [daemon for daemon in create_daemons_from_instance(instance) if not isinstance(daemon, BackfillDaemon)]
    return [*made, QuickBackfillDaemon(settings=instance.get_backfill_settings())]


def run(workspace: str) -> None:
    """Run the daemons of the instance under DAGSTER_HOME over a workspace file, until SIGINT or SIGTERM."""
    with (
        dg.DagsterInstance.get() as instance,
        daemon_controller_from_instance(instance, WorkspaceFileTarget([workspace]), gen_daemons=daemons) as controller,
    ):
        controller.check_daemon_loop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run(sys.argv[1])
