"""`winnow ui`: code server, webserver and daemons on loopback, until Ctrl-C; like `dagster dev`, with quicker backfills."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import dagster as dg
import yaml
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.load_target import WorkspaceFileTarget

HOST = "127.0.0.1"
POLL_SECONDS = 0.5
STOP_SECONDS = 30


class ServerError(Exception):
    """A part of the UI ended by itself."""


def serve(workspace: Path, port: int) -> None:
    """Run the UI of a workspace file for the instance under DAGSTER_HOME until SIGINT or SIGTERM.

    Raises ServerError where webserver or daemon ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.get())
        # One code server for both: definitions are loaded once.
        servers = stack.enter_context(ProxyServerManager(instance, WorkspaceFileTarget([str(workspace)]), "WARNING"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = folder / "workspace.yaml"
        found.write_text(yaml.safe_dump({"load_from": list(servers.get_code_server_specs())}))
        parts = {
            "webserver": stack.enter_context(_part(_webserver(found, port))),
            "daemon": stack.enter_context(_part([sys.executable, "-m", "orchestration.daemon", str(found)])),
        }
        try:
            while True:
                time.sleep(POLL_SECONDS)
                for name, process in parts.items():
                    if process.poll() is not None:
                        raise ServerError(f"the {name} ended with status {process.returncode}; its last lines say why")
        except KeyboardInterrupt:
            return


def _webserver(workspace: Path, port: int) -> Sequence[str]:
    return [
        sys.executable, "-m", "dagster_webserver", "--host", HOST, "--port", str(port), "--workspace", str(workspace),
        "--dagster-log-level", "warning", "--live-data-poll-rate", "2000",
    ]  # fmt: skip


@contextmanager
def _part(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end, by force if need be."""
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
