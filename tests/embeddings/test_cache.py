"""Vectors of earlier builds: used when, and only when, they are what would be computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.embeddings.cache import ENCODER, VectorCache, as_column, as_matrix
from assets.embeddings.embed import embed_shard
from resources.encoder.load import LazyEncoder
from tests.embeddings.test_embed import ColorEncoder, Tars, png

KEY = "colors-key"


@pytest.fixture
def tars() -> Tars:
    colors = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "gray": "#777777"}
    return Tars({"a.tar": {f"{name}.png": png(color) for name, color in colors.items()}})


def never() -> LazyEncoder:
    def load():
        raise AssertionError("the model was loaded although every vector was there")

    return LazyEncoder(ColorEncoder.agent, KEY, load)


def stored(path: Path, embedding: pa.Table, key: str = KEY) -> Path:
    """The table as the lake writes it: compressed, with the encoder's key in the metadata."""
    pq.write_table(embedding.replace_schema_metadata({ENCODER: key}), path, compression="zstd", row_group_size=2)
    return path


def same(a: tuple, b: tuple) -> bool:
    return all(x.equals(y) for x, y in zip(a, b, strict=True))


def test_a_full_hit_gives_the_same_bits_and_loads_no_model_and_reads_no_picture(tars, tmp_path):
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "blue.png", "b"), (3, "a.tar", "gray.png", "red"))
    computed = embed_shard(rows, tars.read, ColorEncoder().lazy())
    file = stored(tmp_path / "1.parquet", computed[0])
    tars.asked.clear()
    assert same(computed, embed_shard(rows, tars.read, never(), VectorCache([file], KEY)))
    assert tars.asked == []


def test_what_is_missing_is_computed_and_what_is_there_is_not(tars, tmp_path):
    before = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "blue.png", "blue"))
    file = stored(tmp_path / "1.parquet", embed_shard(before, tars.read, ColorEncoder().lazy())[0])
    rows = tars.rows((8, "a.tar", "green.png", "red"), (9, "a.tar", "blue.png", "a new text"))
    encoder = ColorEncoder()
    found = embed_shard(rows, tars.read, encoder.lazy(), VectorCache([file], KEY))
    assert (encoder.images, encoder.texts) == (1, ["a new text"])
    assert same(found, embed_shard(rows, tars.read, ColorEncoder().lazy()))


def test_vectors_are_found_across_files_and_row_groups(tars, tmp_path):
    names = ["red", "green", "blue", "gray"]
    rows = tars.rows(*((i, "a.tar", f"{name}.png", name) for i, name in enumerate(names)))
    computed = embed_shard(rows, tars.read, ColorEncoder().lazy())
    first = stored(tmp_path / "1.parquet", computed[0].slice(0, 3))
    second = stored(tmp_path / "2.parquet", computed[0].slice(3))
    for files in ([first, second], [second, first]):
        assert same(computed, embed_shard(rows, tars.read, never(), VectorCache(files, KEY)))


def test_another_encoders_vectors_are_never_used(tars, tmp_path):
    rows = tars.rows((1, "a.tar", "red.png", "red"))
    table = embed_shard(rows, tars.read, ColorEncoder().lazy())[0]
    other = stored(tmp_path / "1.parquet", table, key="another-key")
    bare = tmp_path / "2.parquet"
    pq.write_table(table.replace_schema_metadata(None), bare)
    encoder = ColorEncoder()
    embed_shard(rows, tars.read, encoder.lazy(), VectorCache([other, bare], KEY))
    assert (encoder.images, encoder.texts) == (1, ["red"])


def test_files_that_are_missing_or_damaged_give_nothing(tars, tmp_path):
    rows = tars.rows((1, "a.tar", "red.png", "red"))
    computed = embed_shard(rows, tars.read, ColorEncoder().lazy())
    whole = stored(tmp_path / "1.parquet", computed[0])
    cut, empty, text = (tmp_path / name for name in ("cut.parquet", "empty.parquet", "text.parquet"))
    cut.write_bytes(whole.read_bytes()[:-20])
    empty.write_bytes(b"")
    text.write_bytes(b"PAR1 no table at all PAR1")
    files = [tmp_path / "missing.parquet", cut, empty, text, whole]
    assert same(computed, embed_shard(rows, tars.read, never(), VectorCache(files, KEY)))


@pytest.mark.parametrize("damage", [0.0, np.nan, 3.0])
def test_a_stored_vector_that_is_not_unit_is_computed_again(tars, tmp_path, damage):
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "blue.png", "red"))
    computed = embed_shard(rows, tars.read, ColorEncoder().lazy())
    image = as_matrix(computed[0]["image"]).copy()
    image[0] *= np.float16(damage)
    place = computed[0].column_names.index("image")
    file = stored(tmp_path / "1.parquet", computed[0].set_column(place, "image", as_column(image)))
    encoder = ColorEncoder()
    assert same(computed, embed_shard(rows, tars.read, encoder.lazy(), VectorCache([file], KEY)))
    assert encoder.images == 1


def test_an_empty_shard_learns_the_vectors_length_from_an_earlier_file(tars, tmp_path):
    table = embed_shard(tars.rows((1, "a.tar", "red.png", "red")), tars.read, ColorEncoder().lazy())[0]
    cache = VectorCache([tmp_path / "missing.parquet", stored(tmp_path / "1.parquet", table)], KEY)
    assert cache.dims() == (4, 6)
    assert embed_shard(tars.rows(), tars.read, never(), cache)[0].schema.equals(table.schema)
    assert VectorCache([], KEY).dims() == (None, None)


def test_a_real_model_gives_the_same_bits_with_and_without_earlier_files(tars, tmp_path, tiny_encoder):
    names = ["red", "green", "blue", "gray"]
    rows = tars.rows(*((i, "a.tar", f"{name}.png", f"a {name} square") for i, name in enumerate(names)))
    computed = embed_shard(rows, tars.read, tiny_encoder)
    half = stored(tmp_path / "1.parquet", computed[0].slice(1, 2), tiny_encoder.key)
    assert same(computed, embed_shard(rows, tars.read, tiny_encoder, VectorCache([half], tiny_encoder.key)))


def test_vectors_go_into_a_column_and_out_of_its_parts_unchanged():
    matrix = np.arange(12, dtype=np.float16).reshape(4, 3)
    column = as_column(matrix)
    np.testing.assert_array_equal(as_matrix(column), matrix)
    np.testing.assert_array_equal(as_matrix(column.slice(1, 2)), matrix[1:3])
    np.testing.assert_array_equal(as_matrix(pa.chunked_array([column.slice(2), column.slice(0, 1)])), matrix[[2, 3, 0]])
    assert as_matrix(as_column(matrix[:0])).shape == (0, 3)
