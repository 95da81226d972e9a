"""Two encoders side by side: one for the image-text score, another one's vectors for near-duplicates and concepts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from assets.embeddings.cache import CONCEPTS, ENCODER, VectorCache, as_matrix
from assets.embeddings.embed import embed_shard
from resources.encoder.base import make_agent
from resources.encoder.load import LazyEncoder
from tests.embeddings.test_cache import same
from tests.embeddings.test_embed import ColorEncoder, Tars, png

SCORE, SHAPE, OTHER = "score-key", "shape-key", "other-key"
"""Keys of encoders; the stand-ins of different keys answer differently."""
ONES = {SCORE: 0.1, SHAPE: 0.7, OTHER: 0.4}


class Counted:
    """Stand-ins by key, that remember whether they were loaded and how many pictures they saw."""

    def __init__(self) -> None:
        self.encoders = {key: ColorEncoder(one) for key, one in ONES.items()}

    def lazy(self, key: str) -> LazyEncoder:
        encoder = self.encoders[key]
        encoder.agent = make_agent(key, "r1", b"\x01" * 32, "CC0-1.0")
        return encoder.lazy(key)

    def images(self) -> dict[str, int]:
        return {key: encoder.images for key, encoder in self.encoders.items() if encoder.images}

    def loaded(self) -> set[str]:
        return {key for key, encoder in self.encoders.items() if encoder.loads}


@pytest.fixture
def tars() -> Tars:
    colors = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff", "gray": "#777777", "black": "#000000"}
    files = {f"{name}.png": png(color) for name, color in colors.items()}
    return Tars({"a.tar": {**files, "broken.png": png("#ff0000")[:40]}})


@pytest.fixture
def rows(tars):
    names = ["red", "green", "blue", "gray", "red"]
    return tars.rows(*((i, "a.tar", f"{name}.png", name) for i, name in enumerate(names)))


def run(tars, rows, score: str, concepts: str | None, files=()):
    """Tables, and what was loaded and encoded for them."""
    counted = Counted()
    tables = embed_shard(
        rows,
        tars.read,
        counted.lazy(score),
        VectorCache(list(files), score, concepts),
        concepts=counted.lazy(concepts) if concepts else None,
    )
    return tables, counted


def stored(path: Path, tables) -> Path:
    """A file as the lake writes it, with the metadata that the table came with."""
    pq.write_table(tables[0], path, row_group_size=2)
    return path


def test_raw_vectors_are_the_second_encoders_and_everything_else_is_the_firsts(tars, rows):
    both, counted = run(tars, rows, SCORE, SHAPE)
    first, _ = run(tars, rows, SCORE, None)
    second, _ = run(tars, rows, SHAPE, None)
    for column, alone in (("image", first), ("text", first), ("image_raw", second)):
        np.testing.assert_array_equal(as_matrix(both[0][column]), as_matrix(alone[0][column]))
    assert not np.array_equal(as_matrix(first[0]["image_raw"]), as_matrix(second[0]["image_raw"]))
    assert both[1].equals(first[1])
    assert counted.images() == {SCORE: 4, SHAPE: 4}
    assert counted.encoders[SHAPE].texts == []


def test_the_file_names_both_keys(tars, rows):
    both, _ = run(tars, rows, SCORE, SHAPE)
    assert both[0].schema.metadata == {ENCODER.encode(): SCORE.encode(), CONCEPTS.encode(): SHAPE.encode()}


def test_each_picture_is_read_once_for_both(tars, rows):
    run(tars, rows, SCORE, SHAPE)
    assert tars.asked == [("a.tar", ["red.png", "green.png", "blue.png", "gray.png"])]


def test_a_full_hit_loads_neither(tars, rows, tmp_path):
    both, _ = run(tars, rows, SCORE, SHAPE)
    again, counted = run(tars, rows, SCORE, SHAPE, [stored(tmp_path / "1.parquet", both)])
    assert same(both, again)
    assert counted.loaded() == set()


def test_another_scoring_encoder_recomputes_no_concept_vector(tars, rows, tmp_path):
    file = stored(tmp_path / "1.parquet", run(tars, rows, SCORE, SHAPE)[0])
    found, counted = run(tars, rows, OTHER, SHAPE, [file])
    assert counted.loaded() == {OTHER}
    assert counted.images() == {OTHER: 4}
    assert same(found, run(tars, rows, OTHER, SHAPE)[0])


def test_another_concept_encoder_recomputes_no_score_vector(tars, rows, tmp_path):
    file = stored(tmp_path / "1.parquet", run(tars, rows, SCORE, SHAPE)[0])
    found, counted = run(tars, rows, SCORE, OTHER, [file])
    assert counted.loaded() == {OTHER}
    assert counted.images() == {OTHER: 4}
    assert counted.encoders[SCORE].texts == []
    assert same(found, run(tars, rows, SCORE, OTHER)[0])


def test_vectors_of_an_encoder_that_worked_alone_before_are_used_in_either_place(tars, rows, tmp_path):
    files = [stored(tmp_path / f"{key}.parquet", run(tars, rows, key, None)[0]) for key in (SCORE, SHAPE)]
    found, counted = run(tars, rows, SCORE, SHAPE, files)
    assert counted.loaded() == set()
    assert same(found, run(tars, rows, SCORE, SHAPE)[0])


def test_the_second_encoders_vectors_are_never_taken_for_the_firsts(tars, rows, tmp_path):
    file = stored(tmp_path / "1.parquet", run(tars, rows, SCORE, SHAPE)[0])
    for key in (SCORE, SHAPE):
        found, counted = run(tars, rows, key, None, [file])
        assert counted.images() == {key: 4}
        assert same(found, run(tars, rows, key, None)[0])


def test_an_empty_shard_learns_both_lengths_from_different_files(tars, rows, tmp_path):
    files = [stored(tmp_path / f"{key}.parquet", run(tars, rows, key, None)[0]) for key in (SHAPE, SCORE)]
    tables, counted = run(tars, tars.rows(), SCORE, SHAPE, files)
    assert counted.loaded() == set()
    assert tables[0].schema.equals(run(tars, rows, SCORE, SHAPE)[0][0].schema, check_metadata=True)


def test_a_picture_to_which_either_has_no_answer_is_dropped(tars):
    rows = tars.rows((1, "a.tar", "black.png", "x"), (2, "a.tar", "red.png", "x"), (3, "a.tar", "broken.png", "x"))
    tables, _ = run(tars, rows, SCORE, SHAPE)
    assert tables[0]["sample_id"].to_pylist() == [2]
    assert tables[2]["reason"].to_pylist() == ["no_vector", None, "not_decodable"]


def test_a_picture_that_cannot_be_decoded_asks_no_model_again(tars, tmp_path):
    rows = tars.rows((2, "a.tar", "red.png", "x"), (3, "a.tar", "broken.png", "x"))
    both, _ = run(tars, rows, SCORE, SHAPE)
    again, counted = run(tars, rows, SCORE, SHAPE, [stored(tmp_path / "1.parquet", both)])
    assert same(both, again)
    assert counted.loaded() == set()
