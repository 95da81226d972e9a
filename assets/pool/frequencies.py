"""Frequencies: how often texts, images and words come in the whole pool, before any filter.

Counting happens in a DuckDB file beside a folder for what does not fit in memory, so that a pool of any size is counted
in the memory set here. Only counts that can drop a sample are kept: the result is small where the pool is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
"""What DuckDB may take before it spills to disk."""

SCHEMA = pa.schema({"kind": pa.string(), "key": pa.binary(32), "count": pa.uint64()})
KEYS = {"text_images": "text", "image_texts": "image", "text_samples": "text", "rare_tokens": "text"}
"""What each kind of count is of: a text, by the SHA-256 of its normal form, or an image, by that of its bytes."""

_PAIRS = """
    SELECT '{kind}' AS kind, {key} AS key, count(*)::UBIGINT AS "count"
    FROM (SELECT DISTINCT text, image FROM seen) GROUP BY {key} HAVING count(*) > ?
"""
_SAMPLES = """SELECT 'text_samples' AS kind, text AS key, count(*)::UBIGINT AS "count"
    FROM seen GROUP BY text HAVING count(*) > ?"""
_TOKENS = """SELECT key, n, unnest(list_concat(words,
        list_transform(range(1, len(words)), lambda i: words[i] || ' ' || words[i + 1]))) AS token
    FROM (SELECT key, n, string_split(words, ' ') AS words FROM wording)"""


def normal_text(text: str | None) -> str:
    """A text as it is compared with others: white space collapsed, nothing else changed."""
    return " ".join(text.split()) if text else ""


def text_key(text: str | None) -> bytes:
    """SHA-256 of the text's normal form."""
    return hashlib.sha256(normal_text(text).encode("utf-8", "surrogatepass")).digest()


def count_pool(
    shards: Iterable[pa.Table], rules: Mapping[str, Mapping[str, Any]], folder: Path, memory: str = MEMORY
) -> pa.Table:
    """Count over the whole raw pool.

    Args:
        shards: tables with the columns text and sha256 (of the image); rows that lack one of them do not count.
        rules: kind of count -> limits of the filter that asks for it; `limit` is the highest count that does not
            matter, `most_frequent` of rare_tokens the number of frequent tokens.
        folder: an empty folder for files while it runs; its user removes it.
        memory: what may be taken before files are used, as DuckDB writes it.

    Returns:
        kind, key, count, by kind and key:

        * text_images: different images that a text stands on, where above the limit.
        * image_texts: different texts of an image, where above the limit.
        * text_samples: samples that a text stands on, where above the limit.
        * rare_tokens: words and pairs of neighboring words of a text that are not among the most frequent of the
          pool, where there are any. Tokens are counted once per occurrence; of two with the same count, the one
          that comes first by code points is the more frequent.
    """
    import duckdb

    if not rules:
        return SCHEMA.empty_table()
    connection = duckdb.connect(str(folder / "pool.duckdb"))
    try:
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET temp_directory = '{str(folder / 'spill').replace(chr(39), chr(39) * 2)}'")
        connection.execute("SET preserve_insertion_order = false")
        _fill(connection, shards, "rare_tokens" in rules)
        parts = [_count(connection, kind, limits) for kind, limits in rules.items()]
    finally:
        connection.close()
    return pa.concat_tables([SCHEMA.empty_table(), *(part.cast(SCHEMA) for part in parts)]).sort_by(
        [("kind", "ascending"), ("key", "ascending")]
    )


def look_up(frequency: Iterable[pa.Table], text: pa.ChunkedArray, sha256: pa.ChunkedArray) -> dict[str, np.ndarray]:
    """Counts of every row's text and image.

    Args:
        frequency: what `count_pool` found, in pieces, so that only the rows that matter are ever in memory.
        text: (n,) texts.
        sha256: (n,) hashes of their images.

    Returns:
        kind -> (n,) float64; NaN where there is no count, which means that it is too low to matter.
    """
    keys = {"text": [text_key(value) for value in text.to_pylist()], "image": sha256.to_pylist()}
    wanted = pa.array(sorted({key for column in keys.values() for key in column if key is not None}), pa.binary(32))
    found: dict[tuple[str, bytes], int] = {}
    for piece in frequency:
        mine = piece.filter(pc.is_in(piece["key"], wanted))
        columns = (mine[name].to_pylist() for name in SCHEMA.names)
        found.update(((kind, key), count) for kind, key, count in zip(*columns, strict=True))
    return {
        kind: np.array([found.get((kind, key), np.nan) for key in keys[of]], dtype=np.float64)
        for kind, of in KEYS.items()
    }


def _fill(connection: duckdb.DuckDBPyConnection, shards: Iterable[pa.Table], with_words: bool) -> None:
    """Table `seen`: keys of every sample's text and image, and the text's words where they are asked for."""
    connection.execute("CREATE TABLE seen (text BLOB, image BLOB, words VARCHAR)")
    for shard in shards:
        texts = [normal_text(text) for text in shard["text"].to_pylist()]
        batch = pa.table(
            {
                "text": pa.array([text_key(text) for text in texts], pa.binary()),
                "image": shard["sha256"].cast(pa.binary()),
                "words": pa.array([text if with_words else None for text in texts], pa.string()),
            }
        )
        there = pc.and_(pa.array([text != "" for text in texts], pa.bool_()), shard["sha256"].is_valid())
        connection.register("batch", batch.filter(there))
        connection.execute("INSERT INTO seen SELECT text, image, words FROM batch")
        connection.unregister("batch")


def _count(connection: duckdb.DuckDBPyConnection, kind: str, limits: Mapping[str, Any]) -> pa.Table:
    if kind == "rare_tokens":
        return _rare_tokens(connection, int(limits["most_frequent"]))
    query = _SAMPLES if kind == "text_samples" else _PAIRS.format(kind=kind, key=KEYS[kind])
    return connection.execute(query, [limits["limit"]]).to_arrow_table()


def _rare_tokens(connection: duckdb.DuckDBPyConnection, most_frequent: int) -> pa.Table:
    connection.execute(
        "CREATE TABLE wording AS SELECT text AS key, any_value(words) AS words, count(*) AS n FROM seen GROUP BY text"
    )
    connection.execute(f"CREATE TABLE token AS SELECT token, sum(n)::UBIGINT AS n FROM ({_TOKENS}) GROUP BY token")
    edge = _edge(connection, most_frequent)
    if edge is None:
        return SCHEMA.empty_table()
    # The many frequent tokens are never listed: a token is rare if it comes after the last frequent one.
    return connection.execute(
        f"""SELECT 'rare_tokens' AS kind, key, count(*)::UBIGINT AS "count" FROM ({_TOKENS}) t
        SEMI JOIN (SELECT token FROM token WHERE n < $n OR (n = $n AND token > $token)) rare ON rare.token = t.token
        GROUP BY key""",
        {"n": edge[0], "token": edge[1]},
    ).to_arrow_table()


def _edge(connection: duckdb.DuckDBPyConnection, most_frequent: int) -> tuple[int, str] | None:
    """Count and spelling of the last token that is still frequent; None if all are."""
    left = most_frequent
    for n, tokens in connection.execute("SELECT n, count(*) FROM token GROUP BY n ORDER BY n DESC").fetchall():
        if left <= tokens:
            (token,) = connection.execute(
                "SELECT token FROM token WHERE n = ? ORDER BY token LIMIT 1 OFFSET ?", [n, left - 1]
            ).fetchone() or ("",)
            return n, token
        left -= tokens
    return None
