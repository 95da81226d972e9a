"""One request and its answer: checked addresses, hard limits, and every error a reason."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from resources.fetcher.addresses import Guard, Target
from resources.fetcher.headers import Fields, values
from resources.fetcher.result import Exchange, Failure
from resources.fetcher.settings import FetchSettings

LARGE = 1 << 20
"""Bytes of a body that may be held without asking."""
LARGE_AT_A_TIME = 8
"""Bodies above that size that are read at a time."""
MAX_HEADER = 64 * 1024
MAX_FIELD = 16 * 1024
MAX_REDIRECT_BODY = 2048
MAX_ERROR_BODY = 64 * 1024
IDLE_CONNECTIONS = 512
DNS_SECONDS = 300
REDIRECTS = (301, 302, 303, 307, 308)

ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
"""What the HTTP library raises on answers of every kind; parsing errors in a body come as they are."""

Inspect = Callable[[int, Fields], Failure | None]
"""Looks at status and header fields before the body is read; a failure says that it must not be."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what was wrong with it after its header had come."""

    exchange: Exchange
    fields: Fields
    failure: Failure | None = None


class CheckedResolver(AbstractResolver):
    """Names to addresses that may be connected to; what is not checked here never reaches a socket."""

    def __init__(self, settings: FetchSettings, guard: Guard) -> None:
        self._fixed = {name.lower(): tuple(found) for name, found in (settings.resolve or {}).items()}
        self._guard = guard
        # A name server that does not answer takes a thread for many seconds: one for every request there can be.
        self._threads = ThreadPoolExecutor(min(settings.concurrency, 256), "resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; raises Failure where one of them is refused, OSError where there is none."""
        found = self._fixed.get(host.lower().rstrip("."))
        if found is None:
            loop = asyncio.get_running_loop()
            try:
                infos = await loop.run_in_executor(self._threads, _addresses, host, port)
            except UnicodeError as error:
                # A label of more than 63 characters is fine for a browser, and for no name server.
                raise OSError(f"no name for DNS: {error}") from error
            found = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
        if not found:
            raise OSError(f"no address for {host}")
        self._guard.check(host, port, found)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Let the threads go; one that waits for a name server ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Client:
    """A session that follows no redirect, keeps no cookie, uses no proxy and decompresses nothing."""

    def __init__(self, settings: FetchSettings, guard: Guard) -> None:
        self._guard = guard
        self._large = asyncio.Semaphore(LARGE_AT_A_TIME)
        agent, contact = settings.user_agent, settings.contact
        headers = {"Accept-Encoding": "identity"}
        if contact and "@" in contact:
            headers["From"] = contact
        elif contact:
            agent = f"{agent} (+{contact})"
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=CheckedResolver(settings, guard),
            ttl_dns_cache=DNS_SECONDS,
            # Connections that wait for a next request count against the limit of open files.
            keepalive_timeout=min(15.0, max(0.5, IDLE_CONNECTIONS / settings.rate)),
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": agent, **headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_FIELD,
            max_field_size=MAX_FIELD,
            middlewares=(_once,),
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        self._guard.check_connection(str(address[0]), int(address[1]))
        return socket.socket(family, kind, protocol)

    async def get(
        self, target: Target, accept: str, max_bytes: int, seconds: float, inspect: Inspect, cut: bool = False
    ) -> Answer:
        """Ask once; raises Failure where no header came.

        Args:
            accept: media types asked for.
            max_bytes: largest body of a successful answer.
            seconds: until which the body must be here; waiting for other large bodies does not count.
            inspect: called before the body is read.
            cut: a longer body is cut there instead of given up.
        """
        started: Answer | None = None
        try:
            async with asyncio.timeout(seconds) as clock:
                url = URL(target.url, encoded=True)
                if (url.raw_host or "").strip("[]") != target.host:
                    raise Failure("bad_url", target.url)
                async with self._session.get(url, headers={"Accept": accept}, allow_redirects=False) as response:
                    started = _header(target, response)
                    failure = started.failure or inspect(response.status, started.fields)
                    if failure is None and 200 <= response.status < 300:
                        return await self._body(started, response, max_bytes, cut, clock)
                    if failure is None:
                        most = MAX_REDIRECT_BODY if response.status in REDIRECTS else MAX_ERROR_BODY
                        return await self._body(started, response, most, None, clock)
                    response.close()
                    return _without_body(started, failure, "unspecified")
        except TimeoutError as error:
            slow = isinstance(error, aiohttp.ConnectionTimeoutError)
            failure = Failure("connect_timeout" if slow else "timeout", again=True, unreachable=True)
            return _ended(started, failure, "time", error)
        except ERRORS as error:
            return _ended(started, failure_of(error, started is not None), "disconnect", error)

    async def _body(
        self,
        answer: Answer,
        response: aiohttp.ClientResponse,
        limit: int,
        cut: bool | None,
        clock: asyncio.Timeout,
    ) -> Answer:
        """The answer with its body; `cut` None: one that is too long is of no interest, and no failure."""
        too_large = None if cut is None else Failure("too_large", f"over {limit} bytes")
        if not cut and (response.content_length or 0) > limit:
            response.close()
            return _without_body(answer, too_large, "length")
        parts: list[bytes] = []
        size, holds = 0, False
        try:
            async for part in response.content.iter_any():
                size += len(part)
                parts.append(part)
                if size > limit:
                    response.close()
                    if not cut:
                        return _without_body(answer, too_large, "length")
                    return _with_body(answer, b"".join(parts)[:limit], "length")
                if size > LARGE and not holds:
                    await self._hold(clock)
                    holds = True
            return _with_body(answer, b"".join(parts), None)
        finally:
            if holds:
                self._large.release()

    async def _hold(self, clock: asyncio.Timeout) -> None:
        """Wait for a place among the large bodies with the clock stopped: the host is not to blame."""
        loop = asyncio.get_running_loop()
        if self._large.locked():
            left = (clock.when() or 0.0) - loop.time()
            clock.reschedule(None)
            await self._large.acquire()
            clock.reschedule(loop.time() + left)
        else:
            await self._large.acquire()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Middleware against the second request that the library sends by itself where a host hangs up."""
    try:
        return await handler(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError):
            raise
        raise Failure("disconnected", error, again=True) from error


def _header(target: Target, response: aiohttp.ClientResponse) -> Answer:
    """The answer before its body."""
    version = response.version or aiohttp.HttpVersion11
    line = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}".rstrip()
    raw = [pair for pair in response.raw_headers if pair[0].lower() != b"transfer-encoding"]
    block = b"\r\n".join([line.encode("utf-8", "surrogateescape"), *(b"%b: %b" % pair for pair in raw), b"", b""])
    failure = None
    if len(block) > MAX_HEADER:
        failure, block = (
            Failure("header_too_large", f"{len(block)} bytes"),
            f"{line}\r\n\r\n".encode("utf-8", "replace"),
        )
    exchange = Exchange(target.url, response.status, block, b"", datetime.now(UTC), "unspecified")
    fields = tuple((key.decode("latin-1").lower(), value.decode("latin-1").strip()) for key, value in raw)
    return Answer(exchange, fields, failure)


def _with_body(answer: Answer, body: bytes, truncated: str | None) -> Answer:
    found = answer.exchange
    return Answer(
        Exchange(found.url, found.status, found.header_bytes, body, found.fetched_at, truncated), answer.fields
    )


def _without_body(answer: Answer, failure: Failure | None, truncated: str) -> Answer:
    whole = _with_body(answer, b"", truncated)
    return Answer(whole.exchange, whole.fields, failure)


def _ended(started: Answer | None, failure: Failure, truncated: str, error: Exception) -> Answer:
    """What came before an answer ended early; raises its failure where nothing had come."""
    if started is None:
        raise failure from error
    return _without_body(started, failure, truncated)


def failure_of(error: Exception, in_body: bool) -> Failure:
    """The reason that stands for an error of the HTTP library."""
    detail = f"{type(error).__name__}: {error}"
    if in_body:
        return Failure("truncated", detail, may_succeed=True)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure("dns_failed", detail, again=True, unreachable=True)
    if isinstance(error, aiohttp.ClientSSLError):
        return Failure("tls_failed", detail, may_succeed=True, unreachable=True)
    if isinstance(error, aiohttp.ClientConnectionError):
        return Failure("connect_failed", detail, again=True, unreachable=True)
    if isinstance(error, aiohttp.InvalidURL):
        return Failure("bad_url", detail)
    return Failure("bad_http", detail)


def location(fields: Fields) -> str | None:
    """Where a redirect leads."""
    found = values(fields, "location")
    if not found or not found[0]:
        return None
    try:
        # Many hosts write the bytes of UTF-8 here instead of escapes.
        return found[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return found[0]
