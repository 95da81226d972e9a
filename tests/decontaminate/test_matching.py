"""What counts as the same image as an evaluation item, over photographs of the sample crawl and the embedded encoder."""

import functools
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.crawl.images import perceptual_hash
from assets.decontaminate.conformance import all_of_it, another_view, cropped, recompressed, resized
from assets.decontaminate.matching import Limits, decided, hits, items_of
from assets.decontaminate.registering import Registered, list_name, no_vectors, normalized, vectors
from assets.decontaminate.sets import EvaluationSetError, Item
from assets.decontaminate.views import CUTS, cut, is_flat, mirror, views
from assets.embeddings.cache import VectorCache
from assets.provenance.tables import TABLES, conform
from resources.encoder import EncoderSettings, lazy_encoder
from tests.crawl.warcs import picture
from tests.decontaminate.conftest import jpeg

PIXELS = 10_000_000
LIMITS = Limits()
STATED = {"version": "1", "license": None, "source": None, "layout": "image_folder", "mirrored": False}


@functools.cache
def encoder():
    return lazy_encoder(EncoderSettings(batch_size=16))


def items(*sets, crop=0.1):
    """Items of sets given as (name, date, pictures by name, more that is stated)."""
    registered, given = Registered(), []
    for name, date, pictures, more in sets:
        stated = {**STATED, "name": name, "date": date, **more}
        found = [Item(key, data, text) for key, (data, text) in pictures.items()]
        registered.add(stated, found, crop, PIXELS)
        given.append((list_name(name, stated["version"]), stated["mirrored"], found))
    tables = registered.tables()
    embedding = vectors(given, encoder(), VectorCache([], encoder().key), PIXELS)
    return items_of(*(conform(name, table) for name, table in tables.items()), conform("eval_embedding", embedding))


def pool(pictures, texts=None):
    """Rows, ids and vectors of a pool with ids from 1, as the stage hands them over."""
    ids = np.arange(1, len(pictures) + 1, dtype=np.uint64)
    rows = pa.table(
        {
            "sample_id": pa.array(ids),
            "sha256": [hashlib.sha256(jpeg(one)).digest() for one in pictures],
            "phash": [perceptual_hash(one) for one in pictures],
            "text": texts or [None] * len(pictures),
        }
    )
    return rows, ids, encoder().load().encode_images(pictures)[1].astype(np.float16), pictures


def find(rows, ids, matrix, pictures, held, limits=LIMITS):
    return hits(rows, ids, matrix, held, limits, lambda some: [pictures[at] for at in some], 0.1)


def named(pictures):
    return {f"{number:02}": (jpeg(one), None) for number, one in enumerate(pictures)}


def claimed(found):
    return dict(zip(found["sample_id"].to_pylist(), found["item"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def aside(photographs):
    """An evaluation set of the first 24 photographs."""
    return items(("flickr", "2014-01-01", named(photographs[:24]), {}))


@pytest.mark.parametrize("copied", [resized, recompressed, cropped, all_of_it])
def test_a_copy_of_an_item_is_found_and_its_item_named(photographs, aside, copied):
    found = find(*pool([copied(one) for one in photographs[:24]]), aside)
    assert claimed(found) == {number + 1: f"{number:02}" for number in range(24)}


def test_a_sample_that_an_item_was_cut_out_of_is_found_by_its_own_views(photographs):
    cut_out = items(("flickr", "2014-01-01", named([cropped(one) for one in photographs[:12]]), {}))
    found = find(*pool(photographs[:12]), cut_out).to_pylist()
    assert [row["sample_id"] for row in found] == list(range(1, 13))
    assert any((row["view"] or "").startswith("sample_") for row in found)


def test_other_photographs_stay(photographs, aside):
    assert find(*pool(photographs[24:]), aside).num_rows == 0


def test_another_view_of_the_same_thing_stays(photographs, aside):
    assert find(*pool([another_view(one) for one in photographs[:24]]), aside).num_rows == 0


def test_mirror_images_are_found_where_they_are_asked_for(photographs):
    asked = items(("flickr", "2014-01-01", named(photographs[:24]), {"mirrored": True}))
    rows = pool([mirror(one) for one in photographs[:24]])
    found = find(*rows, asked)
    assert claimed(found) == {number + 1: f"{number:02}" for number in range(24)}
    assert {view.endswith("mirrored") for view in found["view"].to_pylist()} == {True}
    hashes_alone = Limits(cosine=None, together=None)
    assert find(*rows, items(("flickr", "2014-01-01", named(photographs[:24]), {})), hashes_alone).num_rows == 0


def test_the_surest_match_is_told_with_its_number_and_limit(photographs, aside):
    same = jpeg(photographs[0])
    rows, ids, matrix, pictures = pool([photographs[0], recompressed(photographs[1]), all_of_it(photographs[2])])
    found = find(rows, ids, matrix, pictures, aside).to_pylist()
    assert rows["sha256"][0].as_py() == hashlib.sha256(same).digest()
    assert [(row["match"], row["threshold"]) for row in found[:2]] == [("sha256", None), ("phash", 8)]
    assert found[1]["score"] <= 8
    assert found[1]["view"] in {"whole", *CUTS}
    alone = find(rows, ids, matrix, pictures, aside, Limits(phash_radius=None, together=(12, 0.5))).to_pylist()
    assert {row["match"] for row in alone[1:]} <= {"vector", "phash_and_vector"}
    assert all(row["score"] > row["threshold"] for row in alone[1:])


def test_a_score_at_the_limit_stays(photographs, aside):
    rows = pool([resized(photographs[5])])
    (found,) = find(*rows, aside, Limits(phash_radius=None, together=None, cosine=0.5)).to_pylist()
    exactly = Limits(phash_radius=None, together=None, cosine=round(found["score"], 6))
    assert find(*rows, aside, Limits(phash_radius=None, together=None, cosine=found["score"] - 1e-4)).num_rows == 1
    assert find(*rows, aside, exactly).num_rows == 0


def test_a_sample_without_vector_is_compared_by_its_hashes_alone(photographs, aside):
    rows, ids, matrix, pictures = pool([resized(photographs[0]), photographs[30]])
    found = hits(rows, ids[1:], matrix[1:], aside, LIMITS, pytest.fail, 0.1)
    assert [(row["sample_id"], row["match"]) for row in found.to_pylist()] == [(1, "phash")]


def test_pictures_of_one_color_are_not_alike_because_their_hashes_are():
    white = picture("white", (64, 64))
    flat = items(("blank", "2014-01-01", {"white": (white, None)}, {}))
    assert is_flat(Image.new("RGB", (9, 9), "gray"))
    assert flat.view_names == []
    gray = Image.new("RGB", (64, 64), (250, 240, 10))
    assert find(*pool([gray]), flat, Limits(cosine=None, together=None)).num_rows == 0


def test_the_same_text_counts_only_where_it_is_asked_for_and_long_enough(photographs):
    pictures = {"a": (jpeg(photographs[0]), "A Man, riding a HORSE!"), "b": (jpeg(photographs[1]), "a dog")}
    held = items(("captions", "2014-01-01", pictures, {}))
    rows = pool(photographs[30:33], ["a man riding a horse", "A dog.", None])
    assert find(*rows, held).num_rows == 0
    found = find(*rows, held, Limits(text_words=5)).to_pylist()
    assert [(row["sample_id"], row["match"], row["item"]) for row in found] == [(1, "text", "a")]


def test_words_are_compared_without_case_marks_and_blanks():
    assert normalized("  Ein\u00a0\ufb01scher\u2019s Boot -- 3,5 m ") == "ein fischer s boot 3 5 m"
    assert normalized("...") is None


def test_what_two_sets_claim_goes_by_the_one_that_was_published_first(photographs):
    both = items(
        ("newer", "2021-05-05", named(photographs[:3]), {}),
        ("older", "2014-01-01", named(photographs[1:4]), {}),
    )
    rows, ids, matrix, pictures = pool(photographs[:6])
    found = find(rows, ids, matrix, pictures, both)
    assert found.num_rows == 6
    decision = decided(ids, found, both.lists).to_pylist()
    assert [row["reason"] for row in decision] == [
        "eval:newer@1", "eval:older@1", "eval:older@1", "eval:older@1", None, None,
    ]  # fmt: skip
    assert [row["kept"] for row in decision] == [False] * 4 + [True] * 2


def test_a_newer_version_claims_only_what_it_newly_matches(photographs):
    first = ("bench", "2014-01-01", named(photographs[:3]), {"version": "1"})
    second = ("bench", "2015-01-01", named(photographs[1:5]), {"version": "2"})
    rows, ids, matrix, pictures = pool(photographs[:8])
    before, after = items(first), items(first, second)
    was = decided(ids, find(rows, ids, matrix, pictures, before), before.lists).to_pylist()
    now = decided(ids, find(rows, ids, matrix, pictures, after), after.lists).to_pylist()
    changed = [(new["sample_id"], new["reason"]) for old, new in zip(was, now, strict=True) if old != new]
    assert changed == [(4, "eval:bench@2"), (5, "eval:bench@2")]


def test_an_item_that_cannot_be_read_is_a_row_with_its_reason():
    registered = Registered()
    given = [Item("good", picture()), Item("html", b"<html>"), Item("none", None, reason="too_large")]
    registered.add({**STATED, "name": "a", "date": "2014-01-01"}, given, 0.1, PIXELS)
    table = conform("eval_item", registered.tables()["eval_item"])
    assert [(row["item"], row["status"], row["reason"]) for row in table.to_pylist()] == [
        ("good", "ok", None),
        ("html", "failed", "html_body"),
        ("none", "failed", "too_large"),
    ]
    assert [(row["items"], row["failed"]) for row in registered.registry] == [(1, 2)]


def test_a_set_without_an_item_that_can_be_read_is_an_error():
    with pytest.raises(EvaluationSetError, match=r"evaluation set a 1: none of its 1 items can be read"):
        Registered().add({**STATED, "name": "a", "date": "2014-01-01"}, [Item("x", b"no")], 0.1, PIXELS)


def test_a_vector_that_an_earlier_build_made_is_looked_up(photographs, tmp_path):
    given = [("eval:a@1", True, [Item("x", jpeg(photographs[0])), Item("y", jpeg(photographs[1]))])]
    made = vectors(given, encoder(), VectorCache([], encoder().key), PIXELS)
    assert made["view"].to_pylist() == ["mirrored", "whole"] * 2
    path = tmp_path / "earlier.parquet"
    pq.write_table(made.replace_schema_metadata({"winnow.encoder": encoder().key}), path)
    unloadable = type(encoder())(encoder().agent, encoder().key, lambda: pytest.fail("the encoder was loaded"))
    again = vectors(given, unloadable, VectorCache([path], encoder().key), PIXELS)
    assert again.equals(made)


def test_no_sets_claim_nothing():
    tables = [TABLES[name].empty() for name in ("eval_registry", "eval_item", "eval_view")]
    empty = items_of(*tables, conform("eval_embedding", no_vectors()))
    assert find(*pool([Image.new("RGB", (9, 9))]), empty).num_rows == 0


def test_views_are_the_whole_the_cuts_and_their_mirror_images(photographs):
    names = [name for name, _ in views(photographs[0], 0.1, True)]
    assert names == [*("whole", *CUTS), *(f"{name}_mirrored" for name in ("whole", *CUTS))]
    assert [name for name, _ in views(photographs[0], 0, False)] == ["whole"]
    assert cut(photographs[0], CUTS["left"], 0.1).size == (288, photographs[0].height)
    tiny = Image.new("RGB", (1, 1))
    assert all(view.size == (1, 1) for _, view in views(tiny, 0.3, True))
