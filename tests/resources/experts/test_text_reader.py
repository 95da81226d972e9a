"""Lines of text are read from pictures in reading order, cleaned and in bounds."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from resources.experts import Line, TextReader, text_reader
from resources.experts.text_reader import MAX_CHARACTERS, MAX_LINES, clean
from resources.scorers import WatermarkTextScorer, ocr


def sign(*lines, size=(480, 240)):
    """Lines of black text on white, as (text, x, y)."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for text, x, y in lines:
        draw.text((x, y), text, fill="black", font=ImageFont.load_default(36))
    return picture


def read(*pictures, threads=1):
    return [[line.text for line in lines] for lines in TextReader(threads).read(pictures)]


@pytest.fixture
def found(monkeypatch):
    """Has OCR find the lines and confidences that a test says."""

    def say(texts, confidences):
        result = type("Found", (), {"txts": tuple(texts), "scores": tuple(confidences)})
        monkeypatch.setattr(ocr.Engines, "read", lambda self, image: result)
        return TextReader(1).read([Image.new("RGB", (64, 64))])[0]

    return say


def test_words_are_read_surely_and_in_reading_order():
    picture = sign(("Main Street", 20, 20), ("BAKERY", 30, 90), ("open", 30, 170), ("daily", 300, 170))
    (lines,) = TextReader(1).read([picture])
    assert [line.text for line in lines] == ["Main Street", "BAKERY", "open", "daily"]
    assert all(0.9 < line.confidence <= 1 for line in lines)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 200), "white"),
        Image.new("L", (1, 1)),
        Image.new("RGB", (5000, 40)),
        Image.new("1", (64, 64)),
    ],
)
def test_pictures_without_writing_or_without_room_for_it_have_no_lines(picture):
    assert read(picture) == [[]]


def test_shapes_are_no_letters():
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).ellipse((50, 50, 150, 150), outline="black", width=12)
    assert read(picture) == [[]]


def test_a_line_is_the_same_alone_reversed_and_on_any_number_of_threads():
    pictures = [sign((f"number {n}{n}{n}", 20, 30 * n)) for n in range(5)]
    alone = [TextReader(1).read([picture])[0] for picture in pictures]
    assert all(alone)
    assert TextReader(3).read(pictures[::-1]) == alone[::-1]
    assert TextReader(2).read(iter(())) == []


def test_lines_that_were_not_read_surely_are_left_out(found):
    assert found(["certain", "guess", "just"], [0.99, 0.79, 0.8]) == [Line("certain", 0.99), Line("just", 0.8)]


def test_lines_and_their_number_are_bounded(found):
    lines = found(["x" * 10_000] * 1000, [1.0] * 1000)
    assert len(lines) == MAX_LINES
    assert {len(line.text) for line in lines} == {MAX_CHARACTERS}


@pytest.mark.parametrize("text", ["", " ", "\x00", "\u202e\u200b", "O", "*", "\u7c73", "- -", "\u2605"])
def test_what_holds_no_two_letters_is_no_line(found, text):
    assert found([text], [1.0]) == []


def test_lines_hold_no_control_characters():
    assert clean("a\x00b\x1b[31m \u202e\u200bc\n\nd\t e\u2028f\ud800\ue000 ") == "ab[31m c d e f"
    assert clean("Grüße 日本 ½ é") == "Grüße 日本 ½ é"


def test_the_agent_is_named_by_version_limits_and_weights(monkeypatch):
    agent = TextReader().agent
    assert agent.agent_id == f"text_reader@{agent.revision}"
    assert (agent.kind, agent.license) == ("detector", "Apache-2.0")
    assert agent.weights_sha256 == WatermarkTextScorer().agent.weights_sha256
    monkeypatch.setattr(text_reader, "CONFIDENCE", 0.5)
    assert TextReader().agent.agent_id != agent.agent_id


def test_threads_must_be_at_least_one():
    with pytest.raises(ValueError, match="threads is 0"):
        TextReader(0)


def test_noise_is_read_without_an_error():
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert len(read(Image.fromarray(noise))) == 1
