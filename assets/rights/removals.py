"""Removals: what a takedown request or a removal list names, and which samples of a crawl that is.

A selector is a kind and a value: an address, a start of addresses, a host, a domain, a page, a hash, a perceptual hash with
a radius, a creator, a record, a sample. Selectors of takedowns are kept sealed: as HMAC of their value under a key of the
home, so that a block list tells nobody what it blocks and still works on future crawls. Perceptual hashes cannot be sealed,
since near is not equal. Matching is SQL, sealing included.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.urls import same
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES
from assets.rights.addresses import HOST_OF_URL

MATCH = {
    "url": "exact", "url_prefix": "prefix", "host": "domain", "domain": "domain", "page": "page",
    "image_sha256": "exact", "image_md5": "exact", "phash": "phash", "creator": "creator", "record": "exact",
    "sample": "exact",
}  # fmt: skip
"""Kinds of selectors, with what `takedown_hit.match` says of a sample that one names."""

MAX_RADIUS = 16
"""Bits in which perceptual hashes may differ at most: a quarter of all, beyond which any two pictures are alike."""

_BLOCK = 64
"""Bytes of a block of SHA-256, as HMAC wants them (RFC 2104)."""


class RemovalError(Exception):
    """A selector or a removal list cannot be followed; the message says which and what to do."""


@dataclass(frozen=True)
class Selector:
    """What somebody asks to be taken out.

    Attributes:
        kind: one of MATCH.
        value: in the one form that is compared: addresses without scheme and fragment, hashes as hexadecimal digits in
            lower case, hosts and names in lower case.
        radius: bits by which a perceptual hash may differ; 0 for other kinds.
    """

    kind: str
    value: str
    radius: int = 0


def selector(kind: str, text: str) -> Selector:
    """A selector from what somebody wrote, e.g. `host`, `www.example.org`; a perceptual hash may be `<16 digits>/<radius>`.

    Raises RemovalError where the kind is unknown or the value is none of its kind.
    """
    if kind not in MATCH:
        raise RemovalError(f"{kind!r} is no kind of selector; the kinds are {', '.join(MATCH)}")
    text = " ".join(text.split())
    if not text:
        raise RemovalError(f"a selector of kind {kind} is empty; say what is to be taken out")
    if kind in ("url", "url_prefix", "page"):
        return Selector(kind, _address(kind, text))
    if kind in ("host", "domain"):
        return Selector(kind, _host(kind, text))
    if kind in ("image_sha256", "image_md5"):
        return Selector(kind, _digits(kind, text, 64 if kind == "image_sha256" else 32))
    if kind == "phash":
        return _phash(text)
    if kind in ("record", "sample"):
        if not text.isdecimal() or int(text) >= 1 << 64:
            raise RemovalError(f"{text!r} is no {kind} id; give the number that table {kind} has")
        return Selector(kind, str(int(text)))
    return Selector(kind, text.lower())


def guess(text: str) -> Selector:
    """A selector from a line of a removal list: `kind:value`, an address, or a hash by its length (SHA-256, MD5)."""
    text = text.strip()
    kind, colon, value = text.partition(":")
    if colon and kind in MATCH:
        return selector(kind, value)
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return selector("image_sha256", text)
    if re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        return selector("image_md5", text)
    if re.match(r"https?://", text, re.IGNORECASE):
        return selector("url", text)
    raise RemovalError(
        f"{text[:80]!r} is no address and no hash; write an address, 64 or 32 hexadecimal digits, or kind:value with a kind "
        f"of {', '.join(MATCH)}"
    )


def _address(kind: str, text: str) -> str:
    if not re.match(r"https?://[^/]", text, re.IGNORECASE):
        raise RemovalError(f"{text[:80]!r} is no http address; give the whole address, with https://")
    found = re.fullmatch(r"https?:(//[^/?#]*)([^#]*)(#.*)?", same(text), re.IGNORECASE | re.DOTALL)
    if found is None:
        raise RemovalError(f"{text[:80]!r} is no http address; give the whole address, with https://")
    place, rest = found[1].lower(), found[2]
    return place + (rest if rest.startswith("/") else f"/{rest}")


def _host(kind: str, text: str) -> str:
    found = re.fullmatch(r"(?:https?://)?([^/?#:@\s]+)/?", text, re.IGNORECASE)
    name = found[1].lower().strip(".") if found else ""
    if "." not in name or "*" in name:
        raise RemovalError(f"{text[:80]!r} is no {kind}; give a name such as www.example.org")
    address = same(f"http://{name}/")
    return address.removeprefix("http://").rstrip("/")


def _digits(kind: str, text: str, length: int) -> str:
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{length}}}", text):
        raise RemovalError(f"{text[:80]!r} is no {kind}; give {length} hexadecimal digits")
    return text.lower()


def _phash(text: str) -> Selector:
    digits, slash, radius = text.partition("/")
    if not re.fullmatch(r"[0-9A-Fa-f]{16}", digits) or (slash and not radius.isdecimal()):
        raise RemovalError(f"{text[:80]!r} is no perceptual hash; give 16 hexadecimal digits, and a radius as in …/8")
    if int(radius or 0) > MAX_RADIUS:
        raise RemovalError(f"a radius of {radius} bits is too wide; give at most {MAX_RADIUS}")
    return Selector("phash", digits.lower(), int(radius or 0))


def rows_of(selectors: Iterable[Selector]) -> pa.Table:
    """Selectors as a table of kind, value and radius."""
    found = list(selectors)
    return pa.table(
        {
            "kind": pa.array([s.kind for s in found], pa.string()),
            "value": pa.array([s.value for s in found], pa.string()),
            "radius": pa.array([s.radius for s in found], pa.uint8()),
        }
    )


def selector_table(name: str, rows: pa.Table, twins: bool, secret: bytes | None = None) -> pa.Table:
    """Table `selector` of one list or takedown, sorted, each selector once.

    Args:
        name: of the list or takedown.
        rows: kind, value and radius, as `rows_of` and `read_removal_list` give them.
        twins: whether copies of the images that they name go as well.
        secret: key of the home; where it is given, values are sealed, but for perceptual hashes.
    """
    rows = rows.group_by(["kind", "value", "radius"]).aggregate([]).select(["kind", "value", "radius"])
    count = rows.num_rows
    is_prefix = pc.equal(rows["kind"], "url_prefix")
    columns = {
        "list": pa.repeat(pa.scalar(name), count),
        "kind": rows["kind"],
        "value": rows["value"],
        "hmac": pa.nulls(count, pa.binary()),
        "length": pc.if_else(is_prefix, pc.utf8_length(rows["value"]), pa.scalar(None, pa.int32())),
        "radius": rows["radius"],
        "twins": pa.repeat(pa.scalar(twins), count),
    }
    if secret is not None:
        open_ = pc.equal(rows["kind"], "phash")
        pairs = zip(rows["kind"].to_pylist(), rows["value"].to_pylist(), strict=True)
        sealed = [None if kind == "phash" else seal(secret, kind, value) for kind, value in pairs]
        columns["hmac"] = pa.array(sealed, pa.binary())
        columns["value"] = pc.if_else(open_, rows["value"], pa.scalar(None, pa.string()))
    made = pa.table(columns).cast(TABLES["selector"].schema)
    return made.sort_by([(column, "ascending") for column in ("list", "kind", "value", "hmac")])


def seal(secret: bytes, kind: str, value: str) -> bytes:
    """HMAC-SHA256 of a selector under the home's key; the kind is part of the message."""
    return hmac.digest(secret, f"{kind}:{value}".encode(), "sha256")


def matches(
    selectors: pa.Table, tables: Mapping[str, pa.Table], secret: bytes | None = None, threads: int = 2
) -> pa.Table:
    """Samples that selectors name themselves: no copies yet.

    Args:
        selectors: table `selector`.
        tables: `sample`, `image` and `attribution` of a shard or more.
        secret: key of the home, where selectors are sealed.
        threads: threads of DuckDB.
    Returns:
        Table `removal_match`: list, sample_id, match, distance; sorted by sample and list.
    """
    if selectors.num_rows == 0:
        return TABLES["removal_match"].empty()
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("selector", selectors)
        for name in ("sample", "image", "attribution"):
            connection.register(name, tables.get(name, TABLES[name].empty()))
        found = connection.execute(match_sql(selectors["kind"].unique().to_pylist(), secret)).to_arrow_table()
    return found.cast(TABLES["removal_match"].schema)


def match_sql(kinds: Sequence[str], secret: bytes | None = None) -> str:
    """SQL over relations selector, sample, image and attribution that finds what selectors of these kinds name."""
    branches = [sql for kind, sql in _KEYS.items() if kind in kinds]
    parts = [_join(branch, secret) for branch in branches]
    if set(kinds) & {"host", "domain"}:
        parts.append(_hosts(kinds, secret))
    if "phash" in kinds:
        parts.append(_NEAR)
    matched = " ".join(f"WHEN '{kind}' THEN '{match}'" for kind, match in MATCH.items())
    return f"""SELECT list, sample_id, min(CASE kind {matched} END) AS match, min(distance)::FLOAT AS distance
        FROM ({" UNION ALL ".join(parts)}) GROUP BY list, sample_id ORDER BY sample_id, list"""


_HOST = "rtrim(lower(regexp_extract({0}, '" + HOST_OF_URL.replace("'", "''") + "', 1)), '.')"
_PARTS = "regexp_extract({0}, '^[A-Za-z]+:(//[^/?#]*)([^#]*)', ['place', 'rest'])"


def address_key(column: str) -> str:
    """SQL: an address in the one form that is compared: without scheme and fragment, its host in lower case."""
    parts = _PARTS.format(column)
    return f"(lower(({parts}).place) || CASE WHEN ({parts}).rest LIKE '/%' THEN '' ELSE '/' END || ({parts}).rest)"


_SUBJECTS = """SELECT sample_id, 'sample' AS subject_type, sample_id AS subject_id FROM sample
    UNION ALL SELECT sample_id, 'image', image_record_id FROM sample
    UNION ALL SELECT sample_id, 'image', image_id FROM sample WHERE image_id IS DISTINCT FROM image_record_id
    UNION ALL SELECT sample_id, 'page', page_record_id FROM sample"""

_KEYS = {
    "url": f"SELECT sample_id, 'url' AS kind, {address_key('image_url')} AS key FROM sample WHERE image_url IS NOT NULL",
    "page": f"SELECT sample_id, 'page' AS kind, {address_key('page_url')} AS key FROM sample WHERE page_url IS NOT NULL",
    "url_prefix": f"""SELECT sample_id, 'url_prefix' AS kind, left(whole, length) AS key FROM (
        SELECT sample_id, {address_key("image_url")} AS whole FROM sample WHERE image_url IS NOT NULL
        UNION ALL SELECT sample_id, {address_key("page_url")} FROM sample WHERE page_url IS NOT NULL
    ) CROSS JOIN (SELECT DISTINCT length FROM selector WHERE kind = 'url_prefix') WHERE length(whole) >= length""",
    "image_sha256": """SELECT sample_id, 'image_sha256' AS kind, lower(hex(sha256)) AS key FROM sample JOIN image USING (image_id)
        UNION ALL SELECT sample_id, 'image_sha256', lower(hex(stored_sha256)) FROM sample JOIN image USING (image_id)
        WHERE stored_sha256 <> sha256""",
    "image_md5": "SELECT sample_id, 'image_md5' AS kind, lower(hex(md5)) AS key FROM sample JOIN image USING (image_id)",
    "creator": f"""SELECT sample_id, 'creator' AS kind, lower(trim(regexp_replace(value, '\\s+', ' ', 'g'))) AS key
        FROM ({_SUBJECTS}) JOIN attribution USING (subject_type, subject_id) WHERE field IN ('creator', 'credit')""",
    "record": """SELECT sample_id, 'record' AS kind, unnest([page_record_id, image_record_id, image_id])::VARCHAR AS key
        FROM sample""",
    "sample": "SELECT sample_id, 'sample' AS kind, sample_id::VARCHAR AS key FROM sample",
}
"""SQL: what each sample is compared by, for kinds of which values are equal or not."""

_NEAR = """SELECT s.list, 'phash' AS kind, m.sample_id, bit_count(xor(
        ('0x' || hex(i.phash))::UBIGINT, ('0x' || s.value)::UBIGINT))::FLOAT AS distance
    FROM image i JOIN sample m USING (image_id) CROSS JOIN (SELECT * FROM selector WHERE kind = 'phash') s
    WHERE i.phash IS NOT NULL AND bit_count(xor(('0x' || hex(i.phash))::UBIGINT, ('0x' || s.value)::UBIGINT)) <= s.radius"""


def _join(keyed: str, secret: bytes | None) -> str:
    open_ = f"""SELECT s.list, s.kind, k.sample_id, NULL::FLOAT AS distance FROM ({keyed}) k
        JOIN selector s ON s.kind = k.kind AND s.value = k.key"""
    if secret is None:
        return open_
    return f"""{open_} UNION ALL SELECT s.list, s.kind, k.sample_id, NULL::FLOAT FROM ({keyed}) k
        JOIN selector s ON s.kind = k.kind AND s.hmac = {_sealed("k.kind || ':' || k.key", secret)}"""


def _hosts(kinds: Sequence[str], secret: bytes | None) -> str:
    """Hosts are compared once each, a domain with every name that its hosts end in."""
    image, page = _HOST.format("image_url"), _HOST.format("page_url")
    names = f"""SELECT DISTINCT host FROM (SELECT {image} AS host FROM sample UNION ALL SELECT {page} FROM sample)
        WHERE host <> ''"""
    keyed = f"""SELECT host AS sample_id, 'host' AS kind, host AS key FROM ({names})
        UNION ALL SELECT host, 'domain', unnest(list_transform(
            range(1, len(string_split(host, '.')) + 1), i -> array_to_string(string_split(host, '.')[i:], '.')))
        FROM ({names})"""
    return f"""SELECT h.list, h.kind, m.sample_id, NULL::FLOAT AS distance FROM ({_join(keyed, secret)}) h
        JOIN (SELECT sample_id, {image} AS host FROM sample UNION SELECT sample_id, {page} FROM sample) m
        ON m.host = h.sample_id"""


def _sealed(message: str, secret: bytes) -> str:
    """SQL: HMAC-SHA256 of a text, as RFC 2104 makes it of two hashes."""
    key = secret.ljust(_BLOCK, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key).hex() for pad in (0x36, 0x5C))
    return f"unhex(sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode({message})))))"


def struck_images(found: pa.Table, sample: pa.Table, image: pa.Table, reaching: Sequence[str]) -> pa.Table:
    """Table `removal_image` of one shard: the images of samples that were named, for lists that reach copies.

    Args:
        found: table `removal_match` of the shard.
        sample, image: its samples and images.
        reaching: lists whose copies go as well.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, rows in {"found": found, "sample": sample, "image": image}.items():
            connection.register(name, rows)
        connection.register("reaching", pa.table({"list": pa.array(sorted(reaching), pa.string())}))
        made = connection.execute(
            """SELECT DISTINCT i.sha256, i.phash, f.list FROM found f SEMI JOIN reaching USING (list)
            JOIN sample USING (sample_id) JOIN image i USING (image_id) ORDER BY ALL"""
        ).to_arrow_table()
    return made.cast(TABLES["removal_image"].schema)


def hits(
    found: pa.Table, struck: pa.Table, sample: pa.Table, image: pa.Table, phash_radius: int | None = None
) -> pa.Table:
    """Table `hit` of one shard: samples that lists name, and copies of images that they name in any shard.

    Args:
        found: table `removal_match` of the shard.
        struck: table `removal_image` of all shards.
        sample, image: samples and images of the shard.
        phash_radius: bits by which the perceptual hash of a copy may differ; None for copies of the same bytes alone.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, rows in {"found": found, "struck": struck, "sample": sample, "image": image}.items():
            connection.register(name, rows)
        near = "" if phash_radius is None else _NEAR_COPY.format(radius=phash_radius)
        made = connection.execute(_HITS.format(near=near)).to_arrow_table()
    return made.cast(TABLES["hit"].schema)


def removed(came_in: np.ndarray, found: pa.Table, takedown_prefix: str) -> pa.Table:
    """Table `decision` of stage removals: what came in, with `takedown` or `removal_list` as reason of what goes.

    Args:
        came_in: (n,) uint64 samples that rights let through, ascending.
        found: table `hit`.
        takedown_prefix: what names of takedowns start with; other names are of lists.
    """
    by_takedown = pc.starts_with(found["list"], takedown_prefix)
    named = {"removal_list": found.filter(pc.invert(by_takedown)), "takedown": found.filter(by_takedown)}
    reason = np.full(len(came_in), None, dtype=object)
    for name, rows in named.items():
        reason[np.isin(came_in, rows["sample_id"].to_numpy())] = name
    return decision_table("removals", came_in, ~np.isin(came_in, found["sample_id"].to_numpy()), reason.tolist())


_NEAR_COPY = """UNION ALL
    SELECT t.list, s.sample_id, 'phash' AS match, bit_count(xor(('0x' || hex(i.phash))::UBIGINT, t.bits))::FLOAT AS score
    FROM sample s JOIN image i USING (image_id)
    CROSS JOIN (SELECT DISTINCT list, ('0x' || hex(phash))::UBIGINT AS bits FROM struck WHERE phash IS NOT NULL) t
    WHERE i.phash IS NOT NULL AND bit_count(xor(('0x' || hex(i.phash))::UBIGINT, t.bits)) <= {radius}"""
_HITS = """SELECT list, sample_id, best.match AS match, best.score AS score, NULL AS threshold, NULL AS item, NULL AS view
FROM (
    SELECT list, sample_id, arg_min({{'match': match, 'score': score}}, (rank, coalesce(score, 0))) AS best FROM (
    SELECT *, CASE match WHEN 'twin' THEN 1 WHEN 'phash' THEN 2 ELSE 0 END AS rank FROM (
        SELECT list, sample_id, match, distance AS score FROM found
        UNION ALL
        SELECT t.list, s.sample_id, 'twin', NULL::FLOAT FROM sample s JOIN image i USING (image_id)
        JOIN (SELECT DISTINCT list, sha256 FROM struck) t USING (sha256)
        {near}
    )) GROUP BY list, sample_id
) ORDER BY list, sample_id"""
