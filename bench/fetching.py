"""Fetching, decoding, shrinking and writing against img2dataset: `python -m bench.fetching`.

img2dataset pins libraries that do not go with ours, so it lives in an environment of its own:
`python -m venv .img2dataset && .img2dataset/bin/pip install img2dataset==1.47.0`; IMG2DATASET names another Python.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.measure import machine, table

ROOT = Path(__file__).resolve().parents[1]
PEER_VERSION = "1.47.0"
COUNT, FEW, ROUNDS = 4000, 50, 3
PICTURES = 64
LONGEST_SIDE, QUALITY = 256, 95
CONCURRENCY = 64
OURS = "Winnow"
PEER = "img2dataset"

PEER_SCRIPT = """
import sys
from img2dataset import download

if __name__ == "__main__":
    urls, folder, side, quality, threads = sys.argv[1:]
    download(url_list=urls, output_folder=folder, image_size=int(side), resize_mode="keep_ratio_largest",
             resize_only_if_bigger=True, encode_quality=int(quality), output_format="webdataset", input_format="txt",
             thread_count=int(threads), processes_count=1, number_sample_per_shard=10000, timeout=30,
             disallowed_header_directives=["noai", "noimageai", "noindex", "noimageindex"])
"""


@dataclass(frozen=True)
class Cost:
    """What a process took, its own children included.

    Attributes:
        cpu: seconds of processor time, user and system.
        wall: seconds.
        peak: largest resident set, in MiB.
        images: pictures in the tars it wrote.
    """

    cpu: float
    wall: float
    peak: float
    images: int


def web_pictures(count: int = PICTURES) -> list[bytes]:
    """JPEGs as pages show them: 300 to 1600 pixels on the longest side, most of them small, qualities 75 to 92."""
    from bench.decoding import scenes

    rng = np.random.default_rng(5)
    found = []
    for number in range(count):
        longest = int(300 * (1600 / 300) ** rng.uniform())
        scene = scenes()[number % len(scenes())]
        stream = io.BytesIO()
        scene.resize((longest, longest * 3 // 4), Image.Resampling.LANCZOS).save(
            stream, "JPEG", quality=int(rng.integers(75, 93))
        )
        found.append(stream.getvalue())
    return found


def serve(port: Connection) -> None:
    """A server in memory: /<n>.jpg is picture n modulo their number. It keeps connections open where it is asked to."""
    pictures = web_pictures()
    heads = [
        b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body) for body in pictures
    ]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                if path.endswith(b".jpg"):
                    number = int(path[1:-4]) % len(pictures)
                    writer.writelines((heads[number], pictures[number]))
                else:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                if b"connection: close" in head.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def ours(urls: str, folder: str) -> None:
    """Winnow's way, in one process: robots.txt, fetch, WARC, decode, shrink, tar, rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from assets.crawl.images import DecodeSettings, ImageTar, render
    from resources.fetcher import Fetched, FetchSettings, Wanted, WarcWriter, fetch_all

    settings = FetchSettings(
        "winnow-bench/1.0", concurrency=CONCURRENCY, per_domain=CONCURRENCY, delay=0.0, rate=1e5,
        allow_private=("127.0.0.1",),
    )  # fmt: skip
    decoding = DecodeSettings(longest_side=LONGEST_SIDE, jpeg_quality=QUALITY, store="resized")
    rows: list[dict[str, Any]] = []
    with open(Path(folder, "x.warc"), "wb") as stream, ImageTar(Path(folder, "x.tar")) as tar:
        archive = WarcWriter(stream, settings)

        def write(batch: Sequence[Fetched]) -> None:
            for fetched in batch:
                ordinals = [archive.add(exchange) for exchange in fetched.exchanges]
                if fetched.attempt.kind == "image" and fetched.attempt.status == "ok":
                    body = fetched.exchanges[-1].body
                    rendered = render(body, decoding)
                    tar.add(f"{len(rows):09d}.jpg", rendered.stored or body)
                    size = {"width": rendered.width, "height": rendered.height, "ordinal": ordinals[-1]}
                    rows.append({"url": fetched.attempt.url, "sha256": fetched.attempt.sha256, **size})

        with open(urls) as lines:
            fetch_all((Wanted(line.strip()) for line in lines), settings, write)
    pq.write_table(pa.Table.from_pylist(rows), Path(folder, "x.parquet"))


def run(command: Sequence[str], folder: Path) -> Cost:
    """Run a process to its end; raises RuntimeError with what it said if it fails."""
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    log = folder.parent / f"{folder.name}.log"
    started = time.perf_counter()
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{log.read_text(errors='replace')[-2000:]}")
    images = 0
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as tar:
            images += sum(name.endswith(".jpg") for name in tar.getnames())
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, images)


def once(name: str, peer_python: str, port: int, count: int, folder: Path) -> Cost:
    """One run of one way over `count` images."""
    folder.mkdir()
    urls = folder / "urls.txt"
    urls.write_text("".join(f"http://127.0.0.1:{port}/{number}.jpg\n" for number in range(count)))
    if name == OURS:
        return run([sys.executable, "-m", "bench.fetching", "ours", str(urls), str(folder)], folder)
    script = folder.parent / "peer.py"
    script.write_text(PEER_SCRIPT)
    sizes = [str(LONGEST_SIDE), str(QUALITY), str(CONCURRENCY)]
    return run([peer_python, str(script), str(urls), str(folder / "out"), *sizes], folder / "out")


def measured(peer_python: str, count: int, rounds: int) -> dict[str, list[tuple[Cost, Cost]]]:
    """Runs of each way in turn: one over few images, for what starting costs, and one over all."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(sending,), daemon=True)
    server.start()
    port = receiving.recv()
    found: dict[str, list[tuple[Cost, Cost]]] = {OURS: [], PEER: []}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for number in range(rounds):
                for name, costs in found.items():
                    few, all_ = (
                        once(name, peer_python, port, size, Path(scratch, f"{name}-{number}-{size}"))
                        for size in (FEW, count)
                    )
                    if (few.images, all_.images) != (FEW, count):
                        raise RuntimeError(f"{name} wrote {few.images} of {FEW} and {all_.images} of {count} images")
                    costs.append((few, all_))
    finally:
        server.terminate()
    return found


def row(name: str, costs: Sequence[tuple[Cost, Cost]], count: int) -> tuple[object, ...]:
    """One way: medians over its rounds."""
    whole = statistics.median(count / all_.cpu for _, all_ in costs)
    going = statistics.median((count - FEW) / (all_.cpu - few.cpu) for few, all_ in costs)
    wall = statistics.median((count - FEW) / (all_.wall - few.wall) for few, all_ in costs)
    peak = statistics.median(all_.peak for _, all_ in costs)
    return name, f"{going:,.0f}", f"{whole:,.0f}", f"{wall:,.0f}", f"{peak:,.0f} MiB"


def main(count: int = COUNT, rounds: int = ROUNDS) -> str:
    """The section of docs/benchmarks.md."""
    peer_python = os.environ.get("IMG2DATASET", str(ROOT / ".img2dataset" / "bin" / "python"))
    if not Path(peer_python).exists():
        raise SystemExit(f"{peer_python} is not there; see the first lines of bench/fetching.py for how to make it")
    costs = measured(peer_python, count, rounds)
    head = ("", "images/s per core", "starting included", "images/s", "peak memory")
    return f"""## Fetching

{count:,} JPEGs from a server on the same machine, fetched, decoded, shrunk to at most {LONGEST_SIDE} pixels on the
longest side, written as JPEGs of quality {QUALITY} into a tar (`bench/fetching.py`). The pictures are generated,
300 to 1600 pixels on the longest side. Peer: img2dataset {PEER_VERSION} in an environment of its own, one process,
{CONCURRENCY} threads, `keep_ratio_largest`, `webdataset`. Winnow: one process, {CONCURRENCY} requests at a time, no
delay; it also asks for robots.txt, keeps every original with its header in a WARC file, and checks addresses. "Per
core" is per second of processor time of the process and its children; in the first column what a run over {FEW} images
takes is subtracted, which is mostly starting. The server is not counted. Medians of {rounds} runs, in turn.
{machine(("aiohttp", "pillow"))}.

{table(head, [row(name, found, count) for name, found in costs.items()])}"""


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(*sys.argv[2:])
    else:
        print(main(*(int(value) for value in sys.argv[1:])))
