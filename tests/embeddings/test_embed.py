"""A shard's vectors: rows, decisions, and each picture and text computed once."""

from __future__ import annotations

import hashlib
import io
import threading

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from assets.embeddings.cache import ENCODER, Found, as_matrix
from assets.embeddings.checks import unit_and_finite
from assets.embeddings.embed import Done, EmbedSettings, cosine, embed_shard
from assets.provenance.tables import TABLES
from resources.encoder.base import make_agent, unit_rows
from resources.encoder.load import LazyEncoder

DIM, RAW = 4, 6


class ColorEncoder:
    """Looks at a picture's corner pixel and at a text's color words; counts what it is asked."""

    agent = make_agent("colors", "r1", b"\x01" * 32, "CC0-1.0")
    dim, raw_dim, batch_size = DIM, RAW, 2
    words = ("red", "green", "blue")

    def __init__(self, one: float = 0.1) -> None:
        self.images, self.texts, self.loads, self.threads, self.one = 0, [], 0, set(), one

    def lazy(self, key: str = "colors-key") -> LazyEncoder:
        return LazyEncoder(self.agent, key, self._load)

    def _load(self) -> ColorEncoder:
        self.loads += 1
        return self

    def prepare(self, image):
        self.threads.add(threading.get_ident())
        return np.array(image.getpixel((0, 0)), np.uint8).reshape(1, 1, 3)

    def begin_images(self, pixels):
        pixels = pixels.reshape(-1, 3).astype(np.float32) / 255
        assert len(pixels) <= self.batch_size
        self.images += len(pixels)
        ones = np.full((len(pixels), 1), self.one, np.float32)
        pixels[(pixels == 0).all(axis=1)] = np.nan  # black: a tower without an answer
        return lambda: (unit_rows(np.hstack([pixels, ones])), unit_rows(np.hstack([pixels, pixels + self.one - 0.1])))

    def encode_texts(self, texts):
        self.texts += list(texts)
        return unit_rows(np.array([[*(w in t for w in self.words), 0.1] for t in texts], np.float32))


def png(color: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(stream, format="PNG")
    return stream.getvalue()


class Tars:
    """Tars in memory: file -> member -> bytes; remembers what was asked for."""

    def __init__(self, files: dict[str, dict[str, bytes]]) -> None:
        self.files, self.asked = files, []

    def read(self, file, members):
        self.asked.append((file, list(members)))
        for member in members:
            yield self.files[file][member]

    def rows(self, *rows: tuple[int, str, str, str | None]) -> pa.Table:
        """(sample_id, file, member, text) with the hash of the member's bytes."""
        ids, files, members, texts = zip(*rows, strict=True) if rows else ((), (), (), ())
        sha256 = [hashlib.sha256(self.files[f][m]).digest() for f, m in zip(files, members, strict=True)]
        return pa.table(
            {
                "sample_id": pa.array(ids, pa.uint64()),
                "image_sha256": pa.array(sha256, pa.binary(32)),
                "file": pa.array(files, pa.string()),
                "member": pa.array(members, pa.string()),
                "text": pa.array(texts, pa.string()),
            }
        )


@pytest.fixture
def tars() -> Tars:
    return Tars(
        {
            "a.tar": {"red.png": png("#ff0000"), "green.png": png("#00ff00"), "broken.png": png("#ff0000")[:40]},
            "b.tar": {"blue.png": png("#0000ff"), "again.png": png("#ff0000"), "black.png": png("#000000")},
        }
    )


def decisions(table: pa.Table) -> dict[int, tuple]:
    return {r["sample_id"]: (r["kept"], r["reason"], r["score"], r["threshold"]) for r in table.to_pylist()}


def test_matching_words_score_high_and_others_low(tars):
    rows = tars.rows((1, "a.tar", "red.png", "a red thing"), (2, "a.tar", "green.png", "a blue thing"))
    embedding, score, decision = embed_shard(rows, tars.read, ColorEncoder().lazy())
    # (1, 0, 0, .1) with itself, and (0, 1, 0, .1) with (0, 0, 1, .1), each of squared length 1.01
    np.testing.assert_allclose(score["value"].to_numpy(), [1, 0.01 / 1.01], atol=1e-3)
    assert score["scorer"].to_pylist() == ["image_text_similarity"] * 2
    assert score["model"].to_pylist() == ["colors@r1"] * 2
    assert decisions(decision)[1][:2] == (True, None)
    assert unit_and_finite(embedding)[0]


def test_tables_follow_the_contract_and_are_sorted_whatever_the_order_of_the_rows(tars):
    rows = tars.rows((9, "b.tar", "blue.png", "blue"), (2, "a.tar", "red.png", "red"), (5, "a.tar", "green.png", None))
    shuffled = rows.take([1, 2, 0])
    first = embed_shard(rows, tars.read, ColorEncoder().lazy())
    second = embed_shard(shuffled, tars.read, ColorEncoder().lazy())
    for a, b, name in zip(first, second, ("embedding", "score", "decision"), strict=True):
        assert a.equals(b)
        assert a.column_names == TABLES[name].schema.names
        assert a["sample_id"].to_pylist() == [2, 5, 9]
    assert first[0].schema.field("image").type == pa.list_(pa.float16(), DIM)
    assert first[0].schema.field("image_raw").type == pa.list_(pa.float16(), RAW)
    assert first[0].schema.metadata[ENCODER.encode()] == b"colors-key"


def test_every_input_sample_has_one_decision_and_only_decodable_ones_have_vectors(tars):
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "broken.png", "red"), (3, "b.tar", "black.png", "x"))
    embedding, score, decision = embed_shard(rows, tars.read, ColorEncoder().lazy())
    assert embedding["sample_id"].to_pylist() == score["sample_id"].to_pylist() == [1]
    found = decisions(decision)
    assert found[1][:2] == (True, None)
    assert found[2] == (False, "not_decodable", None, None)
    assert found[3] == (False, "no_vector", None, None)
    assert decision["stage"].to_pylist() == ["embeddings"] * 3


def test_the_place_of_a_text_among_others_is_a_score_where_somebody_asks(tars):
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "red.png", "green"))
    _, score, _ = embed_shard(rows, tars.read, ColorEncoder().lazy(), settings=EmbedSettings(rank=(1, 0)))
    places = {row["sample_id"]: row["value"] for row in score.to_pylist() if row["scorer"] == "image_text_rank"}
    assert places == {1: 1, 2: 2}


def test_the_same_bytes_and_the_same_words_are_encoded_once(tars):
    encoder = ColorEncoder()
    rows = tars.rows(
        (1, "a.tar", "red.png", "red"),
        (2, "b.tar", "again.png", "red"),
        (3, "a.tar", "red.png", "other"),
        (4, "b.tar", "blue.png", "other"),
    )
    embedding, _, _ = embed_shard(rows, tars.read, encoder.lazy())
    assert encoder.images == 2
    assert sorted(encoder.texts) == ["other", "red"]
    assert tars.asked == [("a.tar", ["red.png"]), ("b.tar", ["blue.png"])]
    image = as_matrix(embedding["image"])
    np.testing.assert_array_equal(image[0], image[1])
    assert len(set(embedding["text_sha256"].to_pylist())) == 2
    assert embedding["text_sha256"][0].as_py() == hashlib.sha256(b"red").digest()


def test_a_missing_text_counts_as_an_empty_one(tars):
    encoder = ColorEncoder()
    rows = tars.rows((1, "a.tar", "red.png", None), (2, "a.tar", "red.png", ""))
    embedding, _, _ = embed_shard(rows, tars.read, encoder.lazy())
    assert encoder.texts == [""]
    assert set(embedding["text_sha256"].to_pylist()) == {hashlib.sha256(b"").digest()}


def test_no_rows_give_empty_tables_that_still_know_their_vectors_length(tars):
    embedding, score, decision = embed_shard(tars.rows(), tars.read, ColorEncoder().lazy())
    assert embedding.num_rows == score.num_rows == decision.num_rows == 0
    assert embedding.schema.field("image").type.list_size == DIM
    assert embedding.schema.field("image_raw").type.list_size == RAW
    assert unit_and_finite(embedding)[0]


def test_a_shard_of_which_nothing_can_be_decoded_keeps_its_decisions(tars):
    embedding, _, decision = embed_shard(tars.rows((7, "a.tar", "broken.png", "red")), tars.read, ColorEncoder().lazy())
    assert embedding.num_rows == 0
    assert decisions(decision)[7] == (False, "not_decodable", None, None)


def test_a_picture_larger_than_the_limit_is_refused_and_not_encoded(tars):
    rows = tars.rows((1, "a.tar", "red.png", "red"))
    encoder = ColorEncoder()
    _, _, decision = embed_shard(rows, tars.read, encoder.lazy(), settings=EmbedSettings(max_pixels=15))
    assert decisions(decision)[1][1] == "not_decodable"
    assert encoder.images == 0


def test_a_tar_that_cannot_be_read_is_an_error_of_the_shard_and_not_a_dropped_sample(tars):
    def read(file, members):
        raise OSError("the disk is gone")
        yield b""

    with pytest.raises(OSError, match="the disk is gone"):
        embed_shard(tars.rows((1, "a.tar", "red.png", "red")), read, ColorEncoder().lazy())


def test_cosine_divides_by_the_lengths_that_float16_left():
    vectors = {name: pa.FixedSizeListArray.from_arrays(pa.array(np.array(v, np.float16)), 2) for name, v in
               {"image": [0.6, 0.79], "text": [0.6, 0.79]}.items()}  # fmt: skip
    assert cosine(pa.table(vectors)).tolist() == [1.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.5])
def test_the_check_finds_a_vector_that_is_not_finite_or_not_unit(tars, bad):
    embedding, _, _ = embed_shard(
        tars.rows((3, "a.tar", "red.png", "red"), (4, "a.tar", "green.png", "red")), tars.read, ColorEncoder().lazy()
    )
    text = as_matrix(embedding["text"]).copy()
    text[1, 3] = bad
    column = pa.FixedSizeListArray.from_arrays(pa.array(text.ravel()), DIM)
    broken = embedding.set_column(embedding.column_names.index("text"), "text", column)
    holds, sentence = unit_and_finite(broken)
    assert not holds
    assert "1 vectors in text" in sentence
    assert "sample 4" in sentence


def test_decoding_runs_in_a_thread_beside_the_model(tars, tiny_encoder, monkeypatch):
    from assets.embeddings import embed

    threads = set()
    decode = embed.decode
    monkeypatch.setattr(embed, "decode", lambda *a: threads.add(threading.get_ident()) or decode(*a))
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "broken.png", "red"), (3, "b.tar", "blue.png", "red"))
    embedding, _, _ = embed_shard(rows, tars.read, tiny_encoder)
    assert embedding["sample_id"].to_pylist() == [1, 3]
    assert threading.get_ident() not in threads


def test_any_number_of_decoding_threads_gives_the_same_tables(tars, tiny_encoder):
    names = ["red", "green", "broken"]
    rows = tars.rows(
        *((i, "a.tar", f"{name}.png", name) for i, name in enumerate(names)),
        (7, "b.tar", "blue.png", "blue"),
        (8, "b.tar", "black.png", "black"),
    )
    one, *others = (
        embed_shard(rows, tars.read, tiny_encoder, settings=EmbedSettings(decode_threads=n)) for n in (1, 2, 5)
    )
    for other in others:
        assert all(a.equals(b) for a, b in zip(one, other, strict=True))


def test_pictures_of_which_none_can_be_decoded_load_no_image_tower(tars):
    def load():
        raise AssertionError("loaded for pictures that cannot be decoded")

    concepts = LazyEncoder(ColorEncoder.agent, "concepts-key", load)
    rows, told = tars.rows((7, "a.tar", "broken.png", "red")), []
    cache = VectorCacheOfDims(DIM, RAW)
    embed_shard(rows, tars.read, ColorEncoder().lazy(), cache, concepts=concepts, tell=told.append)
    assert Done("concept images", 0, 1, 0) in told


class VectorCacheOfDims:
    """A cache that knows how long vectors are and holds none."""

    def __init__(self, dim: int, raw_dim: int) -> None:
        self.dim, self.raw_dim = dim, raw_dim

    def lookup(self, images, texts):
        return Found()

    def dims(self):
        return self.dim, self.raw_dim


def test_who_asks_is_told_how_far_it_is_and_what_was_there(tars):
    told: list[Done] = []
    rows = tars.rows((1, "a.tar", "red.png", "red"), (2, "a.tar", "green.png", "red"), (3, "b.tar", "blue.png", "blue"))
    embed_shard(rows, tars.read, ColorEncoder().lazy(), tell=told.append)
    assert [(d.what, d.done, d.total, d.cached) for d in told] == [
        ("images", 0, 3, 0),
        ("images", 2, 3, 0),
        ("images", 3, 3, 0),
        ("texts", 0, 2, 0),
        ("texts", 2, 2, 0),
    ]


def test_no_more_pictures_are_held_than_the_threads_and_batches_need(tars):
    """200 pictures, batches of 2: reading runs ahead of the tower by a bounded number."""
    read, done, farthest = 0, 0, 0
    names = [f"{i}.png" for i in range(200)]
    colors = Tars({"c.tar": {name: png(f"#{i:02x}0101") for i, name in enumerate(names)}})

    def reading(file, members):
        nonlocal read, farthest
        for data in colors.read(file, members):
            read += 1
            farthest = max(farthest, read - done)
            yield data

    def tell(found: Done) -> None:
        nonlocal done
        done = found.done

    rows = colors.rows(*((i, "c.tar", name, "x") for i, name in enumerate(names)))
    embed_shard(rows, reading, ColorEncoder().lazy(), settings=EmbedSettings(decode_threads=3), tell=tell)
    assert read == 200
    # 6 in threads and one being handed on; batches of 2: 2 made ahead, 1 being made, 2 with the tower
    assert farthest <= 6 + 1 + 2 * (2 + 1 + 2)
