"""A real S3 server on loopback (moto's), which can be told to answer badly for a while, and counts what it is asked."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

BUCKET = "winnow"


@dataclass
class Weather:
    """What goes wrong: every `each`-th request is answered with `status`, or after `seconds`; 0 for never.

    Attributes:
        each, status, seconds: see above.
        only: of which requests.
        times: so often, and then never again; None for ever.
        late: what was asked is done first, and only its answer is lost.
        cut: the line breaks in the middle of what GET answers.
        deaf: headers that the server does not hear, in any request, e.g. HTTP_IF_NONE_MATCH.
    """

    each: int = 0
    status: int = 0
    seconds: float = 0.0
    only: Callable[[dict[str, Any]], bool] = lambda environ: True
    times: int | None = None
    late: bool = False
    cut: bool = False
    deaf: tuple[str, ...] = ()


@dataclass
class Store:
    """The server: its address, what was asked, the bytes that GET answered, and the weather."""

    port: int
    weather: Weather = field(default_factory=Weather)
    asked: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it: nothing but the variables that any S3 client reads."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def counted(self) -> Counter[str]:
        """What was asked since the last time, by kind of request: GET, HEAD, PUT, DELETE, LIST."""
        with self.lock:
            asked, self.asked = self.asked, Counter()
        return asked


class Middleware:
    """Counts, and makes the weather."""

    def __init__(self, application: Any, store: Store) -> None:
        self.application, self.store, self.number = application, store, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        store = self.store
        kind = environ["REQUEST_METHOD"]
        if kind == "GET" and ("list-type" in environ["QUERY_STRING"] or environ["PATH_INFO"].count("/") < 2):
            kind = "LIST"
        with store.lock:
            store.asked[kind] += 1
            weather, bad = store.weather, False
            if weather.each and weather.only(environ):
                self.number += 1
                bad = self.number % weather.each == 0 and weather.times != 0
            store.refused += bad
            if bad and weather.times is not None:
                weather.times -= 1
        for header in weather.deaf:
            environ.pop(header, None)
        if bad and weather.seconds:
            time.sleep(weather.seconds)
        if bad and weather.status:
            if weather.late:
                list(self.application(environ, lambda *_: None))
            else:
                # Whatever was sent is read first, as a proxy in front of a store would.
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{weather.status} Bad", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return [b""]
        answer = list(self.application(environ, start_response))
        with store.lock:
            store.sent += sum(map(len, answer)) if kind == "GET" else 0
        return [(whole := b"".join(answer))[: len(whole) // 2]] if bad and weather.cut and kind == "GET" else answer


@contextmanager
def s3_server() -> Iterator[Store]:
    """The server in a thread of its own, with an empty bucket; stopped at the end."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from s3fs import S3FileSystem
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *arguments: Any) -> None:
            """Nothing."""

    # A client that fsspec kept would go on asking an earlier server.
    S3FileSystem.clear_instance_cache()
    store = Store(0)
    application = Middleware(DomainDispatcherApplication(create_backend_app), store)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    store.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        make_bucket(store, BUCKET)
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def s3_client(store: Store) -> Any:
    """A client of the server that is not Winnow's."""
    import boto3

    with environment(store.environment):
        return boto3.client("s3")


def make_bucket(store: Store, name: str) -> None:
    """A new bucket."""
    s3_client(store).create_bucket(Bucket=name)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Variables of the environment, put back at the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
