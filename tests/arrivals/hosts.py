"""A real HTTP server that plays several hosts on one loopback port, and remembers what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What a path of a host gives."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0


@dataclass
class Hosts:
    """Answers by host and path; everything else is 404."""

    port: int = 0
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    def url(self, host: str, path: str) -> str:
        return f"http://{host}:{self.port}{path}"

    def add(self, host: str, path: str, *answer, **more) -> str:
        self.answers[host, path] = Answer(*answer, **more)
        return self.url(host, path)

    def asked(self, host: str) -> list[str]:
        """Paths that a host was asked for, in order."""
        return [path for name, path in self.log if name == host]


@contextmanager
def serving() -> Iterator[Hosts]:
    """A server on a free port; stops at the end of the block."""
    hosts = Hosts()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            hosts.log.append((host, self.path))
            hosts.agents.add(self.headers.get("User-Agent", ""))
            answer = hosts.answers.get((host, self.path), Answer(b"not here", 404))
            time.sleep(answer.wait)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *about) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hosts.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hosts
    finally:
        server.shutdown()
        server.server_close()
