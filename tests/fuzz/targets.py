"""What is fuzzed, and what must hold of whatever comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from assets.crawl.charsets import decode_html
from assets.crawl.html import Page, PageRefused, parse_page
from assets.crawl.image_shards import ImageShardRefused, read_image, read_image_shard
from assets.crawl.images import EXTENSIONS, DecodeSettings, ImageRefused, decode, read_members, render
from assets.crawl.lists import LAYOUTS, ListRefused, read_rows, split
from assets.crawl.resizing import fitted
from assets.crawl.warc import WarcRecord, iter_records, read_record
from assets.crawl.wat import read_wat
from tests.crawl.shards import crawl_warc
from tests.fuzz import corpus
from tests.fuzz.engine import Target
from tests.fuzz.mutators import MUTATORS, Mutator, flip_early, json_value, mutate, png_with_true_sums
from tests.fuzz.rights import check_rights, make_rights

PIXELS = 4_000_000
SETTINGS = (DecodeSettings(PIXELS), DecodeSettings(PIXELS, longest_side=16, store="resized"),
            DecodeSettings(PIXELS, longest_side=300, store="resized"))  # fmt: skip
COMPRESSED, PLAIN = b"z", b"p"


# What the header is damaged by most often is refused at once: more of the others goes deeper.
IMAGE_WAYS = (*(way for way in MUTATORS if way is not flip_early), *[png_with_true_sums] * 3)
WAT_WAYS = (*MUTATORS, *[json_value] * 20)


def _of(inputs: Sequence[bytes], rng: random.Random, ways: Sequence[Mutator] = MUTATORS) -> bytes:
    return mutate(rng.choice(inputs), inputs, rng, ways)


def make_warc(rng: random.Random) -> bytes:
    """Some records, one of them damaged, before or after it is compressed; the first byte says which kind of file."""
    compressed = rng.random() < 0.7
    whole = corpus.members() if compressed else corpus.records()
    parts = [rng.choice(whole) for _ in range(rng.choice((2, 4, 7)))]
    at = rng.randrange(len(parts))
    if compressed and rng.random() < 0.6:
        parts[at] = corpus.member(_of(corpus.records(), rng))
    else:
        parts[at] = mutate(parts[at], whole, rng)
    return (COMPRESSED if compressed else PLAIN) + b"".join(parts)


def check_warc(data: bytes, folder: Path) -> str:
    """Offsets grow, every record can be read again, and no whole record is lost."""
    path = folder / "file.warc"
    path.write_bytes(data[1:])
    records = list(iter_records(path))
    assert [record.ordinal for record in records] == list(range(len(records)))
    assert len(records) <= len(data)
    assert all(0 <= record.offset < len(data) for record in records)
    for record in records:
        if record.status == "ok":
            again = read_record(path, record.offset)
            assert (again.url, again.body) == (record.url, record.body), f"{record.url} reads differently again"
            _read_page(record.body, record.charset, record.url or "http://none.example/")
    _nothing_lost(data, records, folder)
    return "broken" if any(record.type == "broken" for record in records) else "read"


def _nothing_lost(data: bytes, records: Sequence[WarcRecord], folder: Path) -> None:
    """Whole gzip members are found wherever they lie; plain records where all before them is whole too."""
    found = {(record.type, record.url, record.status, record.body) for record in records}
    at, whole = 1, corpus.members() if data[:1] == COMPRESSED else corpus.records()
    while at < len(data):
        part = next((part for part in whole if data.startswith(part, at)), None)
        if part is None and data[:1] == PLAIN:
            return
        if part is None:
            at = min((place for part in whole if (place := data.find(part, at + 1)) >= 0), default=len(data))
            continue
        alone = folder / "alone.warc"
        alone.write_bytes(part)
        expected = next(iter_records(alone))
        key = (expected.type, expected.url, expected.status, expected.body)
        assert key in found, f"lost at {at - 1}: {key[:3]}"
        at += len(part)


def check_shard(data: bytes, folder: Path) -> str:
    """Every sample of a crawl file has its decision, and every kept one its image in the tar."""
    path, tar = folder / "file.warc", folder / "images.tar"
    path.write_bytes(data[1:])
    found = crawl_warc(path, 1, tar, decoding=SETTINGS[1])
    assert found.sample["sample_id"].equals(found.decision["sample_id"])
    kept = set(found.sample["image_id"].drop_null().to_pylist())
    assert kept == set(found.image["image_id"].to_pylist())
    assert all(read_members(tar, found.image["member"].to_pylist()))
    return "images" if kept else "samples" if len(found.sample) else "nothing"


def check_page(data: bytes, _: Path) -> str:
    """A page is read or refused for a reason."""
    return _read_page(data, None, "http://a.example/dir/page.html")


def _read_page(body: bytes, charset: str | None, url: str) -> str:
    try:
        page = parse_page(decode_html(body, charset)[0], url)
    except PageRefused as refusal:
        return _word(str(refusal))
    return _page(page)


def _page(page: Page) -> str:
    assert [image.position for image in page.images] == list(range(len(page.images)))
    for image in page.images:
        texts = (
            image.url,
            image.alt,
            image.title,
            image.caption,
            image.heading,
            image.before,
            image.after,
            *image.other_urls,
        )
        for text in texts:
            (text or "").encode()  # a lone surrogate could not be written
        assert image.url not in image.other_urls or image.url is None
    return "read"


def check_image(data: bytes, _: Path) -> str:
    """Shrunk or not, an image is accepted or refused alike, in bounds, and what is stored decodes."""
    outcomes = set()
    for settings in SETTINGS:
        try:
            found = render(data, settings)
        except ImageRefused as refusal:
            outcomes.add(_word(refusal.reason))
            continue
        outcomes.add(found.format)
        longest = settings.longest_side
        assert found.picture.mode == "RGB"
        assert 0 < found.width * found.height <= PIXELS
        assert found.frames >= 1
        assert found.stored_format in EXTENSIONS
        if longest is not None and max(found.width, found.height) > longest:
            assert found.picture.size == fitted((found.width, found.height), longest)
        if found.stored is not None:
            assert decode(found.stored).size == (found.stored_width, found.stored_height) == found.picture.size
        else:
            assert decode(data, PIXELS).size == (found.width, found.height)
    assert len(outcomes) == 1, outcomes
    return outcomes.pop()


def check_drawing(data: bytes, _: Path) -> str:
    """A drawing becomes pixels or is refused, whatever it asks for."""
    try:
        return render(data, DecodeSettings(PIXELS, svg=True)).format
    except ImageRefused as refusal:
        return _word(refusal.reason)


def check_wat(data: bytes, _: Path) -> str:
    """A WAT record is read or refused for a reason."""
    try:
        found = read_wat(data)
    except PageRefused as refusal:
        return _word(str(refusal))
    _page(found.page)
    return "read"


def make_list(rng: random.Random) -> bytes:
    """A damaged list; what stands before the first line end is the ending of its name."""
    ending = rng.choice(sorted(corpus.lists()))
    return ending.encode() + b"\n" + mutate(corpus.lists()[ending], tuple(corpus.lists().values()), rng)


def check_list(data: bytes, folder: Path) -> str:
    """Every row of every piece is there, in order."""
    ending, _, content = data.partition(b"\n")
    path = folder / f"list{ending.decode()}"
    path.write_bytes(content)
    try:
        pieces = split(path, 7)
        rows = [row for piece in pieces for row in read_rows(path, LAYOUTS["generic"], piece)]
    except ListRefused as refusal:
        return "refused" if path.name in str(refusal) else "refused_namelessly"
    assert [row.row for row in rows] == list(range(sum(piece.rows for piece in pieces)))
    assert all(row.url for row in rows if row.reason is None)
    return "broken" if any(row.reason for row in rows) else "read"


def check_tar(data: bytes, folder: Path) -> str:
    """Rows are counted on, and the place of every image lies in the file."""
    path = folder / "shard.tar"
    path.write_bytes(data)
    try:
        rows = list(read_image_shard(path))
    except ImageShardRefused:
        return "refused"
    assert [row.row for row in rows] == list(range(len(rows)))
    for row in rows:
        if row.reason is None:
            assert row.image_offset is not None
            assert len(read_image(path, row.image_offset, row.image_bytes or 0)) == row.image_bytes
    return "broken" if any(row.reason for row in rows) else "read"


def _word(reason: str) -> str:
    assert reason.replace("_", "").isalnum(), reason
    return reason


TARGETS = {
    "warc": Target(make_warc, check_warc),
    "shard": Target(make_warc, check_shard),
    "page": Target(lambda rng: _of(corpus.PAGES, rng), check_page),
    "image": Target(lambda rng: _of(corpus.pictures(), rng, IMAGE_WAYS), check_image),
    "wat": Target(lambda rng: _of(corpus.wats(), rng, WAT_WAYS), check_wat),
    "list": Target(make_list, check_list),
    "tar": Target(lambda rng: _of(corpus.tars(), rng), check_tar),
    "rights": Target(make_rights, check_rights),
}
SHARES = {"warc": 30, "page": 30, "image": 30, "wat": 10, "list": 10, "tar": 10, "rights": 10, "shard": 5, "drawing": 1}
"""Of the cases of a run, in proportion."""
if corpus.draws():
    TARGETS["drawing"] = Target(lambda rng: _of(corpus.DRAWINGS, rng), check_drawing)
