"""A cluster of one machine for tests: as much of Kubernetes' API as dagster-k8s asks for, with a process for each pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml


class Cluster:
    """Jobs that were asked for, by name, as they were sent; and what became of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.jobs: dict[str, dict] = {}
        self.processes: dict[str, subprocess.Popen] = {}

    def create(self, job: dict) -> None:
        """Start a job's container as a process here: its arguments, and its environment over the cluster's."""
        name = job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        program, *arguments = container["args"]
        assert program == "dagster"
        # What comes from secrets and from fields of the pod is the cluster's to know.
        given = {
            one["name"]: one["value"] for one in container["env"] if "value" in one and one["name"] != "DAGSTER_HOME"
        }
        self.jobs[name] = job
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments],
            env={**self.environment, **given},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def status(self, name: str) -> dict:
        """A job's status, as far as its process has come."""
        code = self.processes[name].poll()
        return {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}

    def stop(self) -> None:
        """End what is still running."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def serving(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Serve a cluster on loopback; yields the kubeconfig that leads there."""

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path.endswith("/namespaces/winnow/jobs"), self.path
            cluster.create(job)
            self._answer(201, job)

        def do_GET(self) -> None:
            name = self.path.removesuffix("/status").rpartition("/")[2]
            if name not in cluster.jobs:
                self._answer(404, {"kind": "Status", "status": "Failure", "code": 404})
            else:
                self._answer(200, {**cluster.jobs[name], "status": cluster.status(name)})

        def _answer(self, code: int, body: dict) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = folder / "kubeconfig"
    here = {"server": f"http://127.0.0.1:{server.server_address[1]}"}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": here}],
                "users": [{"name": "me", "user": {}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "current-context": "here",
            }
        )
    )
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()
        cluster.stop()


def without_proxies() -> dict[str, str]:
    """This process's environment, less Winnow's, Dagster's and what would send requests to loopback elsewhere."""
    leave = ("WINNOW", "DAGSTER", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    return {name: value for name, value in os.environ.items() if not name.startswith(leave)}
