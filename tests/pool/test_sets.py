"""Sets hold the published numbers; recipes change them by name, and wrong names and values are told."""

import pytest

from assets.pool.registry import FILTERS, Between, OneOf, pool_filter
from assets.pool.sets import (
    SETS,
    counted,
    languages_asked_for,
    pool_filters,
    resolve,
    sample_filters,
    similarity_rules,
    what_is_scored,
)


def limits(*arguments, **named):
    return {chosen.name: chosen.limits for chosen in resolve(*arguments, **named)}


def test_laion5b_is_the_published_recipe():
    assert limits("laion5b", {}) == {
        "no_text": {},
        "text_characters": {"limit": 5},
        "image_bytes": {"limit": 5000},
        "nsfw": {"limit": 0.5},
        "similarity_language": {"limit": 0.28, "language": "en", "confidence": 0.5},
        "similarity_others": {"limit": 0.26, "language": "en", "confidence": 0.5},
    }


def test_laion400m_is_english_and_asks_for_a_similarity_of_0_30():
    found = limits("laion400m", {})
    assert found["language"]["undetermined"] == "drop"
    assert found["similarity"] == {"limit": 0.30, "fraction": None}
    assert (found["text_characters"], found["image_bytes"]) == ({"limit": 5}, {"limit": 5000})


def test_datacomp_basic_is_the_published_recipe():
    found = limits("datacomp_basic", {})
    assert found.pop("language")["undetermined"] == "likeliest"
    assert found == {
        "no_text": {},
        "text_words": {"limit": 3},
        "text_characters": {"limit": 6},
        "short_side": {"limit": 200},
        "aspect_ratio": {"limit": 3.0, "inclusive": True},
    }


def test_datacomp_clip_is_the_best_30_percent_or_a_limit_but_not_both():
    assert limits("datacomp_clip", {}) == {"no_text": {}, "similarity": {"limit": None, "fraction": 0.30}}
    found = limits("datacomp_clip", {"similarity": {"limit": 0.25, "fraction": None}})
    assert found["similarity"] == {"limit": 0.25, "fraction": None}


def test_align_is_the_published_recipe():
    assert limits("align", {}) == {
        "no_text": {},
        "short_side": {"limit": 201},
        "aspect_ratio": {"limit": 3.0, "inclusive": False},
        "image_texts": {"limit": 1000},
        "text_images": {"limit": 10},
        "rare_tokens": {"most_frequent": 100_000_000},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 20},
        "nsfw": {"limit": 0.5},
    }


def test_coyo_is_the_published_recipe():
    found = limits("coyo", {})
    assert found.pop("language")["undetermined"] == "likeliest"
    assert found == {
        "no_text": {},
        "image_bytes": {"limit": 5000},
        "aspect_ratio": {"limit": 3.0, "inclusive": True},
        "short_side": {"limit": 200},
        "text_characters": {"limit": 6},
        "text_words": {"limit": 3},
        "text_words_at_most": {"limit": 256},
        "text_characters_at_most": {"limit": 1000},
        "text_samples": {"limit": 10},
        "profanity": {"limit": 0},
        "nsfw": {"limit": 0.5},
    }


def test_the_rank_of_moscar_is_an_option_of_every_set():
    assert limits("none", {}, extra=["rank"])["rank"] == {"keep": 8, "negatives": 63, "seed": 0}


@pytest.mark.parametrize("name", SETS)
def test_every_set_resolves_and_drops_missing_texts_first(name):
    assert resolve(name, {})[0].name == "no_text"


def test_an_override_changes_one_limit_and_leaves_the_others():
    found = limits("laion5b", {"image_bytes": {"limit": 500}, "language": {"undetermined": "drop"}}, extra=["language"])
    assert found["image_bytes"] == {"limit": 500}
    assert found["language"] == {"language": "en", "confidence": 0.5, "undetermined": "drop"}
    assert SETS["laion5b"]["image_bytes"] == {"limit": 5000}


def test_pictures_are_looked_at_after_everything_else_the_cheaper_scorer_first_and_vectors_come_last():
    names = list(limits("laion5b", {}, extra=["watermark_text", "rank", "short_side", "file_name"]))
    assert names == [
        "no_text", "text_characters", "image_bytes", "short_side", "file_name", "nsfw", "watermark_text",
        "similarity_language", "similarity_others", "rank",
    ]  # fmt: skip


def test_a_filter_can_be_left_out():
    assert "nsfw" not in limits("laion5b", {}, without=["nsfw"])


def test_a_whole_number_stays_one_however_a_recipe_reads_it():
    found = limits("none", {"rank": {"keep": 4.0, "seed": 3}}, extra=["rank"])["rank"]
    assert repr(found) == "{'keep': 4, 'negatives': 63, 'seed': 3}"


def test_the_filters_of_a_set_are_told_apart_by_what_they_need():
    chosen = resolve("align", {}, extra=["similarity", "similarity_others"])
    assert [c.name for c in similarity_rules(chosen)] == ["similarity", "similarity_others"]
    assert set(counted(chosen)) == {"image_texts", "text_images", "rare_tokens"}
    assert counted(chosen)["text_images"] == {"limit": 10}
    assert counted(resolve("laion5b", {})) == {}
    assert languages_asked_for(chosen) == ["en"]
    names = {c.name for c in sample_filters(chosen)}
    assert names == {"no_text", "short_side", "aspect_ratio", "text_words", "text_words_at_most", "nsfw"}
    assert {c.name for c in pool_filters(chosen)} == names | set(counted(chosen))


def scored(filter_set, overrides=None, extra=()):
    return what_is_scored(resolve(filter_set, overrides or {}, extra))


def test_scores_depend_on_a_limit_only_where_it_spares_a_picture_from_being_looked_at():
    assert scored("align") != scored("align", {"short_side": {"limit": 64}})
    assert scored("align") == scored("align", {"nsfw": {"limit": 0.9}})
    assert scored("align") == scored("align", {"text_images": {"limit": 3}, "rare_tokens": {"most_frequent": 9}})
    assert scored("laion5b") == scored("laion5b", {"similarity_others": {"limit": 0.1}})
    assert scored("datacomp_basic") == scored("datacomp_basic", {"short_side": {"limit": 64}})
    assert scored("datacomp_basic") != scored("datacomp_basic", {"language": {"language": "de"}})
    both = ["watermark_text"]
    assert scored("align", extra=both) != scored("align", {"nsfw": {"limit": 0.9}}, both)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("laion", {}), ["pool.filter_set", "'laion'", "did you mean laion5b?", "datacomp_basic"]),
        (("laion5b", {"image_byte": {}}), ["pool.overrides", "did you mean image_bytes?"]),
        (("laion5b", {}, ["sharpness"]), ["pool.extra", "'sharpness'", "aspect_ratio"]),
        (("laion5b", {}, [], ["nsfv"]), ["pool.without", "did you mean nsfw?"]),
        (("laion5b", {}, [], ["short_side"]), ["pool.without", "short_side is not in the set laion5b"]),
        (("laion5b", {"short_side": {"limit": 9}}), ["pool.overrides.short_side", "add it to pool.extra"]),
        (("laion5b", {"image_bytes": {"limits": 9}}), ["pool.overrides.image_bytes", "did you mean limit?"]),
        (("laion5b", {"no_text": {"limit": 1}}), ["pool.overrides.no_text", "known are none"]),
        (("laion5b", {"image_bytes": {"limit": "5 KB"}}), ["pool.overrides.image_bytes.limit is '5 KB'", "a number"]),
        (("laion5b", {"image_bytes": {"limit": True}}), ["must be a number"]),
        (("laion5b", {"image_bytes": {"limit": None}}), ["must be a number"]),
        (("laion5b", {"image_bytes": {"limit": float("nan")}}), ["must be a number"]),
        (("laion5b", {"image_bytes": {"limit": -1}}), ["must be at least 0"]),
        (("laion5b", {"nsfw": {"limit": 1.4}}), ["pool.overrides.nsfw.limit is 1.4", "between 0 and 1"]),
        (("laion400m", {"language": {"confidence": 0.4}}), ["between 0.5 and 1"]),
        (
            ("laion400m", {"language": {"language": "english"}}),
            ["pool.overrides.language.language", "must be one of", "en"],
        ),
        (("laion400m", {"language": {"undetermined": "maybe"}}), ["keep, drop, declared, likeliest"]),
        (
            ("datacomp_clip", {"similarity": {"limit": 0.25}}),
            ["pool.overrides.similarity: give one of limit and fraction", "not limit: 0.25, fraction: 0.3"],
        ),
        (("datacomp_clip", {"similarity": {"fraction": None}}), ["give one of limit and fraction"]),
        (("datacomp_clip", {"similarity": {"fraction": 0}}), ["pool.overrides.similarity.fraction is 0", "above 0"]),
        (("align", {"rare_tokens": {"most_frequent": 0.5}}), ["must be at least 1"]),
        (("align", {"rare_tokens": {"most_frequent": 1.5}}), ["must be a whole number"]),
        (("align", {"rare_tokens": {"most_frequent": float("inf")}}), ["must be a whole number"]),
        (("datacomp_basic", {"aspect_ratio": {"inclusive": 1}}), ["must be one of True, False"]),
        (("datacomp_basic", {"aspect_ratio": {"limit": 0.5}}), ["must be at least 1"]),
    ],
)
def test_what_is_wrong_is_told_by_key(arguments, words):
    with pytest.raises(ValueError, match=r"^pool\.") as error:
        resolve(*arguments)
    for word in words:
        assert word in str(error.value)


def test_every_filter_says_what_it_drops_and_where_its_rule_comes_from():
    for registered in FILTERS.values():
        assert registered.question.startswith("Drop ")
        assert registered.question.endswith(".")
        assert registered.source
        assert set(registered.allowed) == set(registered.defaults)
        for key, value in registered.defaults.items():
            assert registered.allowed[key].refuse(value) is None


def test_a_new_filter_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr("assets.pool.registry.FILTERS", found := {})

    @pool_filter("bright", source="a test", limit=Between(0, 255), when=OneOf(("day", "night")))
    def bright(batch, limit=200, when="day"):
        """Drop dark pictures."""

    assert found["bright"].question == "Drop dark pictures."
    assert found["bright"].measure == "bright"
    assert found["bright"].limits("k", {"when": "night"}) == {"limit": 200, "when": "night"}
    assert bright.__name__ == "bright"
    with pytest.raises(ValueError, match="two pool filters are called 'bright'"):
        pool_filter("bright", source="again")(bright)
    with pytest.raises(ValueError, match="docstring"):
        pool_filter("mute", source="a test")(lambda batch: None)
    with pytest.raises(ValueError, match="needs 'magic', but only language, profanity"):
        pool_filter("odd", source="a test", needs="magic")(bright)
