"""The kit EVAL over a set in every layout; and sets that are broken in one way fail in that way alone."""

import functools
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from assets.decontaminate.conformance import EVALUATION_SET_CHECKS, EvaluationSetCase, evaluation_set_checks
from assets.decontaminate.matching import Limits
from assets.decontaminate.sets import LAYOUTS, Item, Reading, read_set
from resources.conformance.checks import judge
from resources.encoder import EncoderSettings, lazy_encoder
from tests.decontaminate.conftest import jpeg

STATED = {
    "name": "photos", "version": "2", "date": "2020-01-01", "license": "CC-BY-4.0", "source": "https://photos.example",
    "mirrored": True,
}  # fmt: skip


@functools.cache
def encoder():
    return lazy_encoder(EncoderSettings(batch_size=16))


@pytest.fixture(scope="session", params=sorted(LAYOUTS))
def laid_out(request, photographs, tmp_path_factory):
    """A case over six photographs in one layout; who adds a layout writes a set here."""
    folder = tmp_path_factory.mktemp("set")
    pictures = {f"{number:02}": jpeg(one) for number, one in enumerate(photographs[:6])}
    path = folder / "set"
    if request.param == "image_folder":
        path.mkdir()
        for name, data in pictures.items():
            (path / f"{name}.jpg").write_bytes(data)
    elif request.param == "webdataset":
        with webdataset.TarWriter(str(path)) as tar:
            for name, data in pictures.items():
                tar.write({"__key__": name, "jpg": data})
    else:
        pq.write_table(pa.table({"image": list(pictures.values())}), path)
    read = functools.partial(read_set, request.param, [("set", path)], Reading())
    return EvaluationSetCase({**STATED, "layout": request.param}, read, encoder())


@pytest.mark.parametrize("check", EVALUATION_SET_CHECKS, ids=lambda check: check.__name__)
def test_a_set_in_every_layout_passes_the_kit(laid_out, check):
    result = judge(check, laid_out)
    assert result.holds, result.sentence


def case(items, limits=None, **stated):
    read = items if callable(items) else lambda: items
    told = {**STATED, "layout": "image_folder", "mirrored": False, **stated}
    return EvaluationSetCase(told, read, encoder(), limits or Limits())


def failing(broken):
    return [result.check for result in evaluation_set_checks(broken) if not result.holds]


@pytest.fixture(scope="module")
def few(photographs):
    return [Item(f"{number}", jpeg(one)) for number, one in enumerate(photographs[:4])]


def test_an_item_that_cannot_be_read_fails_the_first_check_and_no_other_is_made(few):
    assert failing(case([*few, Item("bad", b"<html>")])) == ["its_items_are_read"]


def test_terms_that_nobody_stated_fail(few):
    assert failing(case(few, license=None)) == ["its_terms_are_stated"]


def test_a_set_that_changes_between_readings_fails(few):
    dice = count()
    assert failing(case(lambda: few[:: 1 - 2 * (next(dice) % 2)])) == ["it_reads_the_same_twice"]


def test_limits_that_are_too_narrow_find_no_copies(few):
    narrow = Limits(phash_radius=0, cosine=0.9999, together=None)
    assert "cropped_copies_are_found" in failing(case(few, narrow))


def test_limits_that_are_too_wide_claim_other_views(few):
    assert failing(case(few, Limits(cosine=0.5))) == ["other_views_stay"]


def test_a_set_of_tiny_pictures_says_that_nothing_was_tried(photographs):
    tiny = [Item("a", jpeg(photographs[0].resize((32, 32))))]
    told = {result.check: result.sentence for result in evaluation_set_checks(case(tiny)) if not result.holds}
    assert "no item is larger than 64 pixels" in told["resized_copies_are_found"]
