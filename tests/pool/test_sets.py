"""Sets hold the published numbers; recipes change them by name, and wrong names and values are told."""

import pytest

from assets.pool.registry import FILTERS, Between, OneOf, pool_filter
from assets.pool.sets import SETS, resolve


def limits(*arguments, **named):
    return {chosen.name: chosen.limits for chosen in resolve(*arguments, **named)}


def test_laion_is_the_published_recipe():
    assert limits("laion", {}) == {
        "no_text": {},
        "text_characters": {"limit": 5},
        "image_bytes": {"limit": 5000},
        "language": {"language": "en", "confidence": 0.5, "undetermined": "keep"},
        "nsfw": {"limit": 0.5},
    }


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


def test_align_asks_for_more_than_200_pixels_and_less_than_three():
    found = limits("align", {})
    assert found["short_side"] == {"limit": 201}
    assert found["aspect_ratio"] == {"limit": 3.0, "inclusive": False}


@pytest.mark.parametrize("name", SETS)
def test_every_set_resolves_and_drops_missing_texts_first(name):
    assert resolve(name, {})[0].name == "no_text"


def test_an_override_changes_one_limit_and_leaves_the_others():
    found = limits("laion", {"image_bytes": {"limit": 500}, "language": {"undetermined": "drop"}})
    assert found["image_bytes"] == {"limit": 500}
    assert found["language"] == {"language": "en", "confidence": 0.5, "undetermined": "drop"}
    assert SETS["laion"]["image_bytes"] == {"limit": 5000}


def test_extra_filters_decide_before_pictures_are_looked_at():
    names = list(limits("laion", {}, extra=["short_side", "file_name"]))
    assert names == ["no_text", "text_characters", "image_bytes", "language", "short_side", "file_name", "nsfw"]


def test_a_filter_can_be_left_out():
    assert "nsfw" not in limits("laion", {}, without=["nsfw"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lion", {}), ["pool.filter_set", "'lion'", "did you mean laion?", "datacomp_basic"]),
        (("laion", {"image_byte": {}}), ["pool.overrides", "did you mean image_bytes?"]),
        (("laion", {}, ["sharpness"]), ["pool.extra", "'sharpness'", "aspect_ratio"]),
        (("laion", {}, [], ["nsfv"]), ["pool.without", "did you mean nsfw?"]),
        (("laion", {}, [], ["short_side"]), ["pool.without", "short_side is not in the set laion"]),
        (("laion", {"short_side": {"limit": 9}}), ["pool.overrides.short_side", "add it to pool.extra"]),
        (("laion", {"image_bytes": {"limits": 9}}), ["pool.overrides.image_bytes", "did you mean limit?"]),
        (("laion", {"no_text": {"limit": 1}}), ["pool.overrides.no_text", "known are none"]),
        (("laion", {"image_bytes": {"limit": "5 KB"}}), ["pool.overrides.image_bytes.limit is '5 KB'", "a number"]),
        (("laion", {"image_bytes": {"limit": True}}), ["must be a number"]),
        (("laion", {"image_bytes": {"limit": None}}), ["must be a number"]),
        (("laion", {"image_bytes": {"limit": float("nan")}}), ["must be a number"]),
        (("laion", {"image_bytes": {"limit": -1}}), ["must be at least 0"]),
        (("laion", {"nsfw": {"limit": 1.4}}), ["pool.overrides.nsfw.limit is 1.4", "between 0 and 1"]),
        (("laion", {"language": {"confidence": 0.4}}), ["between 0.5 and 1"]),
        (
            ("laion", {"language": {"language": "english"}}),
            ["pool.overrides.language.language", "must be one of", "en"],
        ),
        (("laion", {"language": {"undetermined": "maybe"}}), ["keep, drop, declared, likeliest"]),
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
