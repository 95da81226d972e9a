"""Hosts of every kind, good and bad, behind one real server on 127.0.0.1 that logs what it is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from resources.fetcher import Fetched, FetchSettings, Wanted, fetch_all

AGENT = "winnow-tests/1.0 (+https://winnow.example/bot)"


@dataclass
class Request:
    """What the server was asked, and from when to when it answered."""

    host: str
    path: str
    headers: dict[str, str]
    begun: float
    ended: float = 0.0


Route = bytes | Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(place: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(b"", status, f"Location: {place}")


@dataclass
class Hosts:
    """The server. Routes are looked up by host and path, then by host; what has none is 404.

    Attributes:
        routes: raw bytes to send, or a coroutine that sends them.
        log: requests in order of arrival.
        connections: accepted, by local address.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Hosts:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._handle, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        # The same port on an address that nobody allows.
        canary = self._loop.run_until_complete(asyncio.start_server(self._handle, "127.0.0.2", self.port))
        ready.set()
        self._loop.run_forever()
        server.close()
        canary.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer.get_extra_info("sockname")[0])
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = dict(line.split(": ", 1) for line in head[1:] if line)
                host = fields["Host"].split(":")[0] if not fields["Host"].startswith("[") else fields["Host"]
                request = Request(host, head[0].split(" ")[1], fields, time.monotonic())
                self.log.append(request)
                route = self.routes.get(host + request.path.partition("?")[0]) or self.routes.get(host)
                try:
                    if callable(route):
                        await route(request, writer)
                    else:
                        writer.write(route or answer(b"", "404 Not Found"))
                        await writer.drain()
                finally:
                    request.ended = time.monotonic()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    def asked(self, host: str, robots: bool = False) -> list[str]:
        """Paths a host was asked for."""
        return [r.path for r in list(self.log) if r.host == host and (robots or r.path != "/robots.txt")]

    def url(self, host: str, path: str = "/a.png") -> str:
        """An address of a host."""
        return f"http://{host}:{self.port}{path}"

    def settings(self, **changes: object) -> FetchSettings:
        """Settings that reach every host of the routes, fast."""
        names = {name.partition("/")[0] for name in self.routes}
        given: dict = {
            "user_agent": AGENT, "allow_private": ("127.0.0.1",), "resolve": dict.fromkeys(names, ("127.0.0.1",)),
            "delay": 0.0, "rate": 10_000.0, "retries": 0, "backoff": 0.01, "timeout": 5.0, "connect_timeout": 2.0,
        }  # fmt: skip
        resolve = {**given["resolve"], **changes.pop("resolve", {})}  # type: ignore[dict-item]
        return FetchSettings(**{**given, **changes, "resolve": resolve})

    def fetch(self, *urls: str | Wanted, **changes: object) -> list[Fetched]:
        """Everything a run hands over, in order."""
        done: list[Fetched] = []
        wanted = [url if isinstance(url, Wanted) else Wanted(url) for url in urls]
        fetch_all(wanted, self.settings(**changes), done.extend)
        return done


def images(done: list[Fetched]) -> list[Fetched]:
    """Without the attempts at robots.txt."""
    return [fetched for fetched in done if fetched.attempt.kind == "image"]


def outcome(done: list[Fetched]) -> tuple[str, str | None, bool]:
    """Status, reason and outlook of the only image attempt."""
    [only] = images(done)
    return only.attempt.status, only.attempt.reason, only.attempt.may_succeed
