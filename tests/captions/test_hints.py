"""What experts find is kept by picture, looked up in later builds, and offered to prompts."""

import io

import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont

from assets.captions.hints import EXPERTS, Expert, Found, hint_table, hints_of, known_findings, look
from assets.provenance.tables import TABLES
from resources.agents import Agent

OCR = Agent("ocr@1", "detector", "ocr", "1", None, "Apache-2.0", "none")
A, B = bytes(32), bytes([1]) * 32


def table(**findings):
    found = {f"{name}@1": values for name, values in findings.items()}
    return hint_table([1, 2], [A, B], [["man"], ["cat", "dog"]], [[0.5], [0.4, 0.3]], found, "tags@1")


def test_a_row_has_what_each_expert_found_and_who_looked():
    rows = table(
        ocr={A: Found(("STOP", "2 km"), 0.9), B: Found((), None)}, faces={A: Found(faces=0), B: Found(faces=2)}
    )
    assert rows.schema == TABLES["hint"].schema
    one, two = rows.to_pylist()
    assert (one["tags"], one["text_lines"], one["faces"]) == (["man"], ["STOP", "2 km"], 0)
    assert one["text_confidence"] == pytest.approx(0.9)
    assert (two["text_lines"], two["text_confidence"], two["faces"]) == ([], None, 2)
    assert one["people"], "a tag names a person"
    assert two["people"], "two faces were found"
    assert one["experts"] == ["faces@1", "ocr@1", "tags@1"]


def test_nobody_asked_is_not_nothing_found():
    one, two = table().to_pylist()
    assert (one["text_lines"], one["faces"], one["people"], two["people"]) == (None, None, True, False)


def test_without_experts_there_is_nothing_and_nobody_knows_about_people():
    rows = hint_table([1], [A], [[]], [[]], {}, None).to_pylist()
    assert (rows[0]["tags"], rows[0]["people"], rows[0]["experts"]) == ([], None, [])


def test_findings_of_an_earlier_build_are_looked_up_by_picture_and_expert(tmp_path):
    path = tmp_path / "hint.parquet"
    pq.write_table(table(ocr={A: Found(("STOP",), 0.9), B: Found((), None)}), path)
    assert known_findings([path], "ocr@1", True, [A, B]) == {
        A: Found(("STOP",), pytest.approx(0.9)),
        B: Found((), None),
    }
    assert known_findings([path], "ocr@2", True, [A, B]) == {}
    assert known_findings([path], "faces@1", False, [A]) == {}


def test_every_picture_is_looked_at_once():
    seen = []
    expert = Expert(OCR, lambda pictures: [seen.append(p) or Found((str(p),)) for p in pictures])
    found = look(expert, lambda places: [places[i] for i in range(len(places))], [A, B, A])
    assert seen == [0, 1]
    assert found == {A: Found(("0",)), B: Found(("1",))}
    assert look(expert, lambda places: [], []) == {}


def test_hints_are_texts_for_a_prompt_and_nothing_where_there_is_nothing():
    row = {"tags": ["cat", "dog"], "text_lines": [f"line {i}" for i in range(99)], "faces": 0}
    hints = hints_of(row)
    assert hints["tags"] == "cat, dog"
    assert hints["text"].startswith("line 0 / line 1 / ")
    assert hints["text"].count("/") == 11
    assert hints["people"] == "0"
    assert hints_of({"tags": [], "text_lines": None, "faces": None}) == {"tags": None, "text": None, "people": None}


def test_the_experts_of_a_recipe_look_at_encoded_pictures():
    sign = Image.new("RGB", (420, 120), "white")
    ImageDraw.Draw(sign).text((20, 20), "LIBRARY", fill="black", font=ImageFont.load_default(72))
    stream = io.BytesIO()
    sign.save(stream, "PNG")
    text, faces = EXPERTS["text"](1), EXPERTS["faces"](1)
    read = text.look([stream.getvalue(), b"no picture"])
    assert read[0].lines == ("LIBRARY",)
    assert read[0].confidence > 0.8
    assert read[1] == Found(())
    assert faces.look([stream.getvalue()]) == [Found(faces=0)]
