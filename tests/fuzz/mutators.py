"""Ways to damage bytes. Every way is a function of the bytes and of a seeded generator, so a case can be made again."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

Mutator = Callable[[bytes, random.Random], bytes]

EDGES = (0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 254, 255, 256, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31,
         2**32 - 2, 2**32 - 1, 2**63, 2**64 - 1)  # fmt: skip
NUMBERS = (b"0", b"-1", b"1", b"00", b"65536", b"99999", b"2147483648", b"9" * 19, b"9" * 400, b"1e999", b"NaN", b"")
MAX_SIZE = 1 << 18


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """A few bits."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_early(data: bytes, rng: random.Random) -> bytes:
    """Bytes of the header."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 3))):
        out[rng.randrange(min(len(out), rng.choice((16, 64, 256))))] = rng.choice(
            (0, 1, 127, 128, 255, rng.randrange(256))
        )
    return bytes(out)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(1, len(data) + 1)]


def remove(data: bytes, rng: random.Random) -> bytes:
    """A piece is missing."""
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A piece comes several times."""
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 30)) + data[end:]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two pieces change places."""
    first, second = sorted((_span(data, rng), _span(data, rng)))
    if first[1] > second[0]:
        return data[second[0] :] + data[: second[0]]
    (a, b), (c, d) = first, second
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def insert_noise(data: bytes, rng: random.Random) -> bytes:
    """Random bytes, or many of one, come in between."""
    at = rng.randrange(len(data) + 1)
    noise = (
        rng.randbytes(rng.choice((1, 2, 4, 40)))
        if rng.random() < 0.7
        else rng.choice((b"\0", b"\xff", b"<", b"\n")) * 2000
    )
    return data[:at] + noise + data[at:]


def edge_number(data: bytes, rng: random.Random) -> bytes:
    """A binary number, such as a length or a count, becomes one at an edge."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(max(1, min(len(data), rng.choice((32, 256, len(data)))) - size + 1))
    number = (rng.choice(EDGES) % 256**size).to_bytes(size, rng.choice(("big", "little")))
    return data[:at] + number + data[at + size :]


def written_number(data: bytes, rng: random.Random) -> bytes:
    """A number in digits becomes another."""
    found = list(re.finditer(rb"[0-9]+", data[:65536]))
    if not found:
        return edge_number(data, rng)
    place = rng.choice(found)
    return data[: place.start()] + rng.choice(NUMBERS) + data[place.end() :]


def repeat_line(data: bytes, rng: random.Random) -> bytes:
    """Lines or tags are doubled, dropped or shuffled."""
    parts = re.split(rb"(?<=[\n>])", data)
    if len(parts) < 3:
        return repeat(data, rng)
    at = rng.randrange(len(parts))
    way = rng.randrange(3)
    if way == 0:
        parts[at:at] = [parts[at]] * rng.choice((1, 3, 200))
    elif way == 1:
        del parts[at]
    else:
        rng.shuffle(parts)
    return b"".join(parts)


def png_with_true_sums(data: bytes, rng: random.Random) -> bytes:
    """A chunk of a PNG is damaged before its check sum is made, so that the damage is not found by the sum."""
    at, out = 8, bytearray(data[:8])
    if not data.startswith(b"\x89PNG"):
        return flip_bits(data, rng)
    while at + 12 <= len(data):
        end = min(at + 8 + int.from_bytes(data[at : at + 4], "big"), len(data) - 4)
        content = data[at + 8 : end]
        if content and rng.random() < 0.3:
            content = rng.choice((flip_bits, edge_number, remove))(content, rng)
        named = data[at + 4 : at + 8] + content
        out += len(content).to_bytes(4, "big") + named + zlib.crc32(named).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


def json_value(data: bytes, rng: random.Random) -> bytes:
    """A value somewhere in a JSON document becomes another, of another kind or very large."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return flip_bits(data, rng)
    at = whole
    while isinstance(at, dict | list) and at:
        key = rng.choice(sorted(at) if isinstance(at, dict) else range(len(at)))
        if rng.random() < 0.2 or not isinstance(at[key], dict | list):
            odd: tuple[Any, ...] = (
                None,
                0,
                -1,
                1e300,
                2**70,
                "",
                "\0\ud800",
                "x" * 9000,
                [],
                {},
                [[]],
                True,
                whole,
                "http://[",
            )
            at[key] = json.loads(json.dumps(rng.choice(odd)))
            break
        at = at[key]
    return json.dumps(whole).encode()


MUTATORS: Sequence[Mutator] = (flip_bits, flip_early, truncate, remove, repeat, swap, insert_noise, edge_number,
                               written_number, repeat_line)  # fmt: skip


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random, ways: Sequence[Mutator] = MUTATORS) -> bytes:
    """Damage bytes in one to four ways; now and then the end becomes that of another input."""
    if others and rng.random() < 0.08:
        other = rng.choice(others)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice((1, 1, 2, 4))):
        if data:
            data = rng.choice(ways)(data, rng)[:MAX_SIZE]
    return data


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 12, 64, 512, 4096)))
