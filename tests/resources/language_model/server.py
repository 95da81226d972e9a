"""A local server that speaks OpenAI's protocol and answers, or misbehaves, as a script says."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """What came.

    Attributes:
        id: the question's, as its header says.
        path: of the address.
        headers: in lower case.
        body: decoded JSON.
        at: when, in seconds of a monotonic clock.
    """

    id: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def said(self) -> str:
        """Text of the last turn."""
        content = self.body["messages"][-1]["content"]
        return content if isinstance(content, str) else next(p["text"] for p in content if p["type"] == "text")


@dataclass(frozen=True)
class Reply:
    """What goes back.

    Attributes:
        text: of the answer.
        finish_reason: why it ends.
        usage: tokens read and written; None to leave them out.
        delay: seconds before anything is sent.
        status, headers: of the answer.
        echo: id that the answer claims to be for.
        choices: instead of one choice with `text`.
        raw: body instead of JSON.
        cut: the connection closes after half of the body: `length` names more bytes than come, `chunked` has no end.
        close: the connection closes without an answer.
        hang: nothing comes, ever.
    """

    text: str = ""
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = (20, 8)
    delay: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    echo: str | None = None
    choices: list[dict[str, Any]] | None = None
    raw: bytes | None = None
    cut: str | None = None
    close: bool = False
    hang: bool = False

    @property
    def body(self) -> bytes:
        """Bytes of the answer."""
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": self.text or "no", "type": "error"}}).encode()
        message = {"role": "assistant", "content": self.text}
        choices = [{"index": 0, "message": message, "finish_reason": self.finish_reason}]
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{self.echo}" if self.echo else "chatcmpl-made-up",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "system_fingerprint": "fp_1",
            "choices": choices if self.choices is None else self.choices,
        }
        if self.usage:
            answer["usage"] = dict(
                zip(("prompt_tokens", "completion_tokens", "total_tokens"), (*self.usage, sum(self.usage)), strict=True)
            )
        return json.dumps(answer).encode()


Script = Callable[[Request, int], Reply]
"""Answers a request; the number counts the requests of one question, from 1."""


class ScriptedServer:
    """Runs in a thread of its own while the block lasts.

    Attributes:
        base_url: address for a client.
        requests: what came, in order.
        most: most requests that were in its hands at once.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[Request] = []
        self.most = 0
        self._events: list[tuple[float, int]] = []
        self._now = 0
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> ScriptedServer:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def mean_in_flight(self, skip: float = 0.2) -> float:
        """Time-weighted mean of requests in its hands, without the first and last share of the time."""
        events = sorted(self._events)
        begin, end = events[0][0], events[-1][0]
        begin, end = begin + skip * (end - begin), end - skip * (end - begin)
        total, here, last = 0.0, 0, begin
        for at, change in events:
            moment = min(max(at, begin), end)
            total += here * (moment - last)
            here, last = here + change, moment
        return total / (end - begin)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(client_max_size=1 << 26)
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._count(1)
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            name = headers.get("x-request-id", "")
            found = Request(name, request.path, headers, await request.json(), time.monotonic())
            self.requests.append(found)
            self._counts[name] += 1
            reply = self._script(found, self._counts[name])
            if reply.hang:
                await self._stop.wait()
            if reply.delay:
                await asyncio.sleep(reply.delay)
            return await self._send(request, reply)
        finally:
            self._count(-1)

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.echo:
            headers["X-Request-Id"] = reply.echo
        assert request.transport is not None
        if reply.close:
            request.transport.close()
            return web.Response()
        if reply.cut is None:
            return web.Response(status=reply.status, headers=headers, body=reply.body)
        response = web.StreamResponse(status=reply.status, headers=headers)
        if reply.cut == "length":
            response.content_length = len(reply.body)
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
        request.transport.close()
        return response

    def _count(self, change: int) -> None:
        self._now += change
        self.most = max(self.most, self._now)
        self._events.append((time.monotonic(), change))
