"""Reading WARC files against a plain loop, and its memory against the size of a file: `python -m bench.warc_reading`."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from assets.crawl.charsets import decode_html
from assets.crawl.html import PageRefused, parse_page
from assets.crawl.warc import HTML, WarcRecord, iter_records
from bench.measure import duration, machine, medians, table

CRAWL = Path(__file__).resolve().parents[1] / "examples" / "crawl"
SIZES = (16_000_000, 1_600_000_000)
"""Bytes of the files whose reading is watched for memory."""
STEP_SIZES = (16_000_000, 160_000_000)


def files() -> list[Path]:
    """The sample crawl."""
    return sorted(CRAWL.glob("*.warc.gz"))


def plain() -> tuple[int, int]:
    """Pages and their <img> elements, counted by warcio and BeautifulSoup; nothing else is read."""
    from bs4 import BeautifulSoup
    from warcio.archiveiterator import ArchiveIterator

    pages = images = 0
    for path in files():
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type == "response" and _is_html(record.http_headers.get_header("Content-Type")):
                    pages += 1
                    images += len(BeautifulSoup(record.content_stream().read(), "html.parser").find_all("img"))
    return pages, images


def bare() -> tuple[int, int]:
    """The same, counted by fastwarc and selectolax."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from selectolax.lexbor import LexborHTMLParser

    pages = images = 0
    for path in files():
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, WarcRecordType.response, auto_decode="all"):
                if _is_html(record.http_content_type):
                    pages += 1
                    images += len(LexborHTMLParser(record.reader.read()).css("img"))
    return pages, images


def ours() -> tuple[int, int]:
    """Every record with its header block and body; of every <img> all texts, addresses and alternatives."""
    return count(files())


def count(paths: list[Path]) -> tuple[int, int]:
    """Pages and images as Winnow reads them; nothing is kept."""
    pages = images = 0
    for path in paths:
        for record in iter_records(path):
            if is_page(record):
                try:
                    found = parse_page(decode_html(record.body, record.charset)[0], record.url or "")
                except PageRefused:
                    continue
                pages += 1
                images += len(found.images)
    return pages, images


def is_page(record: WarcRecord) -> bool:
    """Whether a record is a page that can be read."""
    return record.status == "ok" and record.type == "response" and record.mime in HTML


def _is_html(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() in HTML


def repeated(path: Path, size: int) -> None:
    """A file of about `size` bytes: the sample crawl's records over and over, under other addresses each time.

    What makes a file large is images that are compressed already, so they are stored: writing stays quick.
    """
    blocks = [gzip.decompress(_member(source, record)) for source in files() for record in _places(source)]
    turn = 0
    with path.open("wb") as stream:
        while stream.tell() < size:
            for block in blocks:
                if stream.tell() >= size:
                    return
                head, blank, body = block.partition(b"\r\n\r\n")
                head = head.replace(b"WARC-Target-URI: <http://", b"WARC-Target-URI: <http://copy%d." % turn)
                stream.write(gzip.compress(head + blank + body, compresslevel=0, mtime=0))
            turn += 1


def _places(source: Path) -> list[tuple[int, int]]:
    return [(record.offset, record.length or 0) for record in iter_records(source)]


def _member(source: Path, place: tuple[int, int]) -> bytes:
    with source.open("rb") as stream:
        stream.seek(place[0])
        return stream.read(place[1])


def read(path: Path) -> tuple[int, int]:
    """Pages and images of a file, read as the stage does it: all rows of `record` and `candidate` are kept."""
    from assets.crawl.candidates import ReadSettings, read_warc

    found = read_warc(path, 1, ReadSettings())
    return len(set(found.candidate["page_record_id"].to_pylist())), found.candidate.num_rows


def peak(path: Path, way: str) -> dict[str, float]:
    """Pages, images and the peak of resident memory, in MiB, of a process of its own that reads a file one `way`.

    The system's own count of the process is asked: `getrusage` would go on from what the parent held at the fork.
    """
    call = "count([path])" if way == "count" else "read(path)"
    code = (
        "import json, sys; from pathlib import Path; from bench.warc_reading import count, high_water, read;"
        "import assets.crawl.candidates;"
        f"path = Path(sys.argv[1]); before = high_water(); pages, images = {call};"
        "print(json.dumps({'pages': pages, 'images': images, 'before': before, 'after': high_water()}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def high_water() -> float:
    """Peak of resident memory of this process, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def memory() -> str:
    """Peak memory against the size of a file."""
    rows = []
    for way, size in (*(("count", size) for size in SIZES), *(("read", size) for size in STEP_SIZES)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "crawl.warc.gz"
            repeated(path, size)
            found = peak(path, way)
            rows.append(
                (
                    "reading" if way == "count" else "reading, rows kept",
                    f"{path.stat().st_size / 1e6:,.0f} MB",
                    f"{found['pages']:,}",
                    f"{found['images']:,}",
                    f"{found['before']:.0f} MiB",
                    f"{found['after']:.0f} MiB",
                )
            )
    return table(("what", "file", "pages", "images", "peak before", "peak after"), rows)


def speed() -> tuple[str, float]:
    """The three ways on the same files; and at which share of the bare loop's speed Winnow reads."""
    seconds, found = medians({"plain": plain, "bare": bare, "ours": ours})
    # The peers' pages include answers such as 404, which show no images here and of which Winnow makes no samples.
    assert found["plain"][1] == found["bare"][1] == found["ours"][1], found
    names = {
        "plain": "warcio + BeautifulSoup (html.parser), counts images",
        "bare": "fastwarc + selectolax, counts images",
        "ours": "Winnow, all texts and addresses",
    }
    rows = [
        (
            names[name],
            duration(seconds[name]),
            f"{found[name][0] / seconds[name]:,.0f}",
            f"{found[name][1] / seconds[name]:,.0f}",
            f"{seconds['plain'] / seconds[name]:.1f}",
        )
        for name in names
    ]
    head = ("way", "time", "pages/s per core", "images/s per core", "times the plain loop")
    return table(head, rows), seconds["bare"] / seconds["ours"]


def main() -> str:
    """The section of docs/benchmarks.md."""
    size = sum(path.stat().st_size for path in files())
    told, share = speed()
    return f"""## WARC reading

The sample crawl, {len(files())} files of {size / 1e6:.1f} MB (`bench/warc_reading.py`). The peers only count <img> elements.
Winnow reads every record with its header block and body, as the rights rules need them, and of every image the address,
its alternatives, alt, title, caption, heading, the text before and after, and the language. Medians of 5 runs, in turn,
in one process on one core.
{machine(("warcio", "beautifulsoup4", "fastwarc", "selectolax"))}.

{told}

The plain loop is leaner than most: it decodes the bodies of pages alone. Eight times its speed was the aim and is not
reached; Winnow does all of the above at {share:.0%} of the speed at which fastwarc and selectolax only count.

Peak memory of a process that reads one file, the sample crawl's records repeated under other addresses. Reading takes the
same whatever the size of the file; the step `candidates` keeps its rows until the file is read, so its memory grows with
the number of images and records, not with their bytes:

{memory()}"""


if __name__ == "__main__":
    print(main())
