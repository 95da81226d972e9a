"""A real Ray cluster of several nodes on one machine: each with a folder, temporary folder, home and cache of its own."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

RAY = Path(sys.executable).with_name("ray")
START_SECONDS = 90
FIRST = 10
"""Last number of the head's address; nodes count on from there."""
_clusters = itertools.count(os.getpid())
"""What becomes the third number, so that no two clusters of this machine listen at the same address."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Node:
    """A node: its folder, and the process that all others of it belong to."""

    folder: Path
    process: subprocess.Popen[bytes]

    def workers(self) -> list[int]:
        """Processes of it that run a task or wait for one."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                folder = os.readlink(f"/proc/{pid}/cwd")
            except OSError:
                continue
            named = command.split(b"\0")[0]
            # A node dies with its agents.
            if (
                named.startswith(b"ray::")
                and not named.rstrip().endswith(b"Agent")
                and Path(folder).is_relative_to(self.folder)
            ):
                found.append(int(pid))
        return found

    def busy(self) -> list[int]:
        """Those that run a task of Winnow."""
        return [pid for pid in self.workers() if b"work_on" in _command(pid)]

    def stop(self) -> None:
        """Kill the node with all its processes, as when a machine is switched off."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@dataclass
class Cluster:
    """The nodes; the first one is the head and computes nothing."""

    address: str
    environment: Mapping[str, str]
    folder: Path
    sockets: Path
    network: str
    jobs: str = ""
    nodes: list[Node] = field(default_factory=list)

    def add(self, cpus: int, *arguments: str, processor: int | None = None) -> Node:
        """Start a node; where a processor is named, all its processes keep to that one."""
        folder = self.folder / f"node-{len(self.nodes)}"
        number = len(self.nodes)
        # Names of sockets have a limit that folders of tests exceed.
        temporary = self.sockets / f"tmp-{number}"
        for path in (*(folder / name for name in ("work", "home", "cache")), temporary):
            path.mkdir(parents=True)
        environment = {
            **os.environ,
            **self.environment,
            "PATH": f"{RAY.parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(temporary),
            "WINNOW_CACHE": str(folder / "cache"),
            "RAY_DISABLE_IMPORT_WARNING": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        for name in ("WINNOW_HOME", "WINNOW_RECIPE", "DAGSTER_HOME", "PYTHONPATH"):
            environment.pop(name, None)
        # An address of its own makes it another machine to Ray.
        command = [
            RAY, "start", "--block", "--num-cpus", str(cpus), "--node-ip-address", f"{self.network}.{FIRST + number}",
            "--temp-dir", str(self.sockets / str(number)), "--object-store-memory", str(200 << 20),
            "--dashboard-agent-listen-port", str(free_port()), "--disable-usage-stats", *arguments,
        ]  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder / "work", env=environment, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=None if processor is None else partial(os.sched_setaffinity, 0, {processor}),
            )  # fmt: skip
        node = Node(folder, process)
        self.nodes.append(node)
        return node


@contextmanager
def ray_cluster(
    folder: Path,
    cpus: list[int],
    environment: Mapping[str, str],
    dashboard: bool = False,
    pinned: bool = False,
) -> Iterator[Cluster]:
    """A head without processors, with a job server where asked, and a node for each number of `cpus`; killed at the end.

    Where `pinned`, each node keeps to a processor of its own, as a machine with one does.
    """
    port, network = free_port(), f"127.0.{next(_clusters) % 254 + 1}"
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as sockets:
        cluster = Cluster(f"{network}.{FIRST}:{port}", environment, folder, Path(sockets), network)
        try:
            server = ["--include-dashboard", str(dashboard).lower()]
            if dashboard:
                server += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(jobs := free_port())]
                cluster.jobs = f"http://127.0.0.1:{jobs}"
            cluster.add(0, "--head", "--port", str(port), *server)
            wait_for(cluster.address, 0, 1)
            for number, count in enumerate(cpus):
                cluster.add(count, "--address", cluster.address, processor=number if pinned else None)
            wait_for(cluster.address, sum(cpus), len(cpus) + 1)
            yield cluster
        finally:
            for node in reversed(cluster.nodes):
                node.stop()


def wait_for(address: str, cpus: int, nodes: int) -> None:
    """Wait until all nodes have joined."""
    code = (
        "import ray, sys, logging; ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.ERROR);"
        "print(int(ray.cluster_resources().get('CPU', 0)), sum(n['Alive'] for n in ray.nodes()))"
    )
    deadline = time.monotonic() + START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        if done.returncode == 0 and done.stdout.split()[-2:] == [str(cpus), str(nodes)]:
            return
        time.sleep(0.5)
    raise AssertionError(f"the cluster did not come up: {said[-2000:]}")
