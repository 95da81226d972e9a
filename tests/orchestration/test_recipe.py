import copy

import pytest
import yaml

from orchestration.recipe import RecipeError, load_recipe, parse_recipe
from orchestration.recipe_doc import TARGET, recipe_markdown

SMALL = {
    "name": "small",
    "crawl": {"sources": [{"name": "a", "uris": ["a/*.warc.gz"]}]},
    "prune": {"keep": 0.5},
    "release": {"name": "small"},
}


def changed(**values):
    """The small recipe with dotted keys set."""
    recipe = copy.deepcopy(SMALL)
    for key, value in values.items():
        *parents, last = key.split("__")
        place = recipe
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return recipe


def message(data) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(data, "recipes/x.yaml")
    return str(caught.value)


def test_a_small_recipe_is_complete_with_defaults():
    recipe = parse_recipe(SMALL)
    assert recipe.clusters.k == 500
    assert recipe.prune.temperature == 0.5
    assert recipe.rights.policy == "commercial-open"


def test_a_share_of_1_4_is_refused_with_the_share_that_was_meant():
    assert message(changed(prune__keep=1.4)) == (
        "recipes/x.yaml: prune.keep is 1.4, but it is a share and must lie in (0, 1]. Did you mean 0.4?"
    )


def test_a_percentage_is_refused_with_the_share_that_was_meant():
    assert message(changed(prune__keep=40)).endswith("Did you mean 0.4?")


def test_a_share_of_zero_is_refused_without_a_guess():
    assert message(changed(prune__keep=0)).endswith("must lie in (0, 1].")


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    assert message(changed(prune__kep=0.3)) == (
        "recipes/x.yaml: prune.kep is not a key of a recipe. Did you mean keep?"
    )


def test_an_unknown_key_near_nothing_is_told_what_is_known():
    assert "known here: keep, neighbors" in message(changed(prune__zzzzzz=1))


def test_an_unknown_section_is_named():
    assert "clustres is not a key of a recipe. Did you mean clusters?" in message(changed(clustres={}))


def test_an_unknown_key_deep_inside_is_named_with_its_path():
    assert "captions.fusion.max_fusion is not a key of a recipe. Did you mean max_fusions?" in message(
        changed(captions__fusion={"max_fusion": 1})
    )


def test_a_wrong_type_says_what_it_must_be():
    assert (
        message(changed(clusters__k="many"))
        == "recipes/x.yaml: clusters.k is 'many': must be a whole number, at least 1, or auto"
    )


def test_a_wrong_word_is_told_the_words():
    assert message(changed(prune__select="hrd")).endswith("must be one of 'hard', 'easy', 'random' or 'ssp'")


def test_a_missing_section_is_named():
    data = copy.deepcopy(SMALL)
    del data["release"]
    assert message(data) == "recipes/x.yaml: release is missing; a recipe must say it"


def test_every_mistake_is_told_at_once():
    assert len(message(changed(prune__keep=2.5, clusters__k=-1)).splitlines()) == 2


def test_two_source_sets_must_not_share_a_name():
    two = {"sources": [{"name": "a", "uris": ["x"]}, {"name": "a", "uris": ["y"]}]}
    assert "two source sets have the same name" in message(changed(crawl=two))


def test_a_source_name_with_a_comma_is_refused():
    assert "crawl.sources[0].name" in message(changed(crawl={"sources": [{"name": "a,b", "uris": ["x"]}]}))


ENDPOINT = {"base_url": "http://localhost:8000/v1"}


@pytest.mark.parametrize(
    ("captions", "told"),
    [
        ({"fusion": {"kind": "openai", "model": "m"}}, "captions.fusion: endpoint and kind openai go together"),
        ({"fusion": {"kind": "transformers"}}, "captions.fusion: kind transformers needs model"),
        ({"fusion": {"endpoint": ENDPOINT}}, "captions.fusion: endpoint and kind openai go together"),
        (
            {"fusion": {"kind": "openai", "model": "m", "endpoint": {**ENDPOINT, "max_cost": 5}}},
            "captions.fusion.endpoint: max_cost needs input_price and output_price",
        ),
        (
            {"fusion": {"kind": "openai", "model": "m", "endpoint": {"base_url": "localhost:8000"}}},
            "captions.fusion.endpoint.base_url is 'localhost:8000'",
        ),
        (
            {"fusion": {"kind": "openai", "model": "m", "endpoint": {**ENDPOINT, "api_key": "sk-1"}}},
            "captions.fusion.endpoint.api_key is not a key of a recipe. Did you mean api_key_env?",
        ),
        ({"captioners": [{"name": "a"}, {"name": "a"}]}, "captions.captioners: two of them have the same name"),
        ({"captioners": [{"formats": ["dense"]}]}, "which writes formats: [short] only"),
        ({"targets": {"clip": {"alt": 0.5}}}, "captions.targets.clip: shares sum to 0.5, but must to 1"),
        ({"targets": {"clip": {"caption": 1.0}}}, "captions.targets.clip.caption"),
        (
            {"fusion": {"kind": "openai", "model": "m", "endpoint": {"base_url": "http://u:secret@h/v1"}}},
            "captions.fusion.endpoint.base_url",
        ),
        (
            {"fusion": {"kind": "openai", "model": "m", "endpoint": {**ENDPOINT, "options": {"stream": True}}}},
            "stream is not an option",
        ),
        (
            {"captioners": [{"name": n, "kind": "openai", "model": "m", "endpoint": ENDPOINT} for n in "ab"]},
            "two of them are m of the same revision",
        ),
        ({"captioners": [{"name": "a"}, {"name": "b"}]}, "one of kind tags is enough"),
        ({"captioners": [{"formats": ["short", "short"]}]}, "has a format twice"),
        ({"formats": {"dense": {"ask": [60, 40], "accept": [30, 77], "max_new_tokens": 99}}}, "ask is [60, 40]"),
        ({"gates": {"min_words": 99}}, "min_words 99 is more than max_words 60"),
        ({"fallback_for": {"cutoff": "alt"}}, "did you mean cut_off?"),
        ({"fallback_for": {"cut_off": "none"}}, "captions.fallback_for.cut_off is 'none', but must be one of"),
    ],
)
def test_a_section_of_captions_that_makes_no_sense_is_told_in_one_sentence(captions, told):
    said = message(changed(captions=captions))
    assert told in said
    assert "\n" not in said


def test_a_prompt_that_is_not_there_or_lacks_a_slot_is_named(tmp_path):
    import orchestration.definitions  # noqa: F401  (registers the steps)
    from orchestration.stages import STEPS

    (tmp_path / "mine.txt").write_text("[user]\n{alt}")
    for name, told in (("absent", "no such template"), ("mine.txt", "needs {alt}, {synthetic} once each")):
        recipe = parse_recipe(changed(captions__fusion__prompt=name), str(tmp_path / "recipe.yaml"))
        with pytest.raises(RecipeError, match=f"captions.fusion: prompt {name}") as caught:
            STEPS["fusion"].section(recipe)
        assert told in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(RecipeError, match="no such recipe; name a YAML file or set WINNOW_RECIPE"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe\x00", b"- a list", b""])
def test_a_file_that_is_no_recipe_is_one_sentence_with_its_name(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_recipe_file_cannot_make_python_objects(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(path)


def test_patterns_are_named_as_the_recipe_names_them(tmp_path):
    (tmp_path / "crawl").mkdir()
    for name in ("b.warc.gz", "a.warc.gz", "c.txt"):
        (tmp_path / "crawl" / name).write_bytes(b"")
    path = tmp_path / "recipes" / "r.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(SMALL))
    found = load_recipe(path).expand("../crawl/*.warc.gz")
    assert sorted(found) == ["../crawl/a.warc.gz", "../crawl/b.warc.gz"]
    assert all(file.exists() for file in found.values())


def test_the_recipe_named_by_the_environment_is_the_default(tmp_path, monkeypatch):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    monkeypatch.setenv("WINNOW_RECIPE", str(path))
    assert load_recipe().name == "small"


def test_the_hash_depends_on_values_not_on_how_they_are_written():
    assert parse_recipe(SMALL).sha256 == parse_recipe(changed(clusters__k=500), "elsewhere").sha256
    assert parse_recipe(SMALL).sha256 != parse_recipe(changed(clusters__k=501)).sha256


def test_the_demo_recipe_is_valid():
    assert load_recipe("recipes/demo.yaml").name == "demo"


def test_every_key_says_what_it_means():
    rows = [line for line in recipe_markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_recipe_page_is_up_to_date():
    assert TARGET.read_text(encoding="utf-8") == recipe_markdown(), "docs/recipe.md is stale: run `make docs`"
