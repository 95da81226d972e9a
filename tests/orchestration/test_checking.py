"""`winnow check`: a line per check, exit status 1 if one does not hold, one sentence where there is nothing to check."""

import pytest
import yaml
from click.testing import CliRunner

from orchestration.cli import main
from tests.chaos.small import Small, make_encoder
from tests.conftest import REPOSITORY
from tests.release import interleaved
from tests.release.conftest import settings  # noqa: F401


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    make_encoder(folder / "encoder")
    return Small(folder / "project", folder / "encoder").make()


def winnow(*arguments, status=0):
    done = CliRunner().invoke(main, ["check", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == status, done.output
    return done.output


def test_an_encoder_without_a_license_fails_by_that_check_alone(small):
    said = winnow("encoder", small.recipe, status=1)
    refused = {
        line.split("│")[2].strip() for line in said.splitlines() if line.count("│") > 3 and "NO" in line.split("│")[3]
    }
    assert refused == {"states its license", "lands in table agent"}
    assert "13 of 15 checks hold" in said
    recipe = yaml.safe_load(small.recipe.read_text())
    recipe["embeddings"]["license"] = "MIT"
    licensed = small.folder / "licensed.yaml"
    licensed.write_text(yaml.safe_dump(recipe))
    assert "15 of 15 checks hold" in winnow("encoder", licensed)


def test_a_recipe_without_a_model_of_that_sort_is_one_sentence(small):
    for what, words in (
        (("captioner", small.recipe), "captions.captioners has no model of its own to ask"),
        (("captioner", small.recipe, "palete"), "captions.captioners has none that is called palete; it has tags"),
        (("language-model", small.recipe), "captions.fusion.kind is none, so there is no language model to ask"),
    ):
        said = winnow(*what, status=1)
        assert words in said
        assert said.count("\n") == 1


def test_a_filter_is_checked_by_its_name_and_limits():
    assert "7 of 7 checks hold" in winnow("filter", "aspect_ratio", "--limit", "limit=2")
    assert "did you mean aspect_ratio?" in winnow("filter", "aspect_rato", status=1)
    assert "limit is 0.5, but must be at least 1" in winnow("filter", "aspect_ratio", "--limit", "limit=0.5", status=1)


def test_an_export_is_checked_over_every_release_named(tmp_path, settings):  # noqa: F811
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        interleaved.write(tmp_path / name, settings)
    assert "24 of 24 checks hold" in winnow("export", "wit", tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "00000.parquet").write_bytes(b"damaged")
    said = winnow("export", "wit", tmp_path / "one", tmp_path / "two", status=1)
    assert "12 of 13 checks hold" in said
    assert "pdf is no form of a release" in winnow("export", "pdf", tmp_path / "one", status=1)


def test_an_evaluation_set_is_checked_as_the_recipe_registers_it(tmp_path):
    recipe = yaml.safe_load((REPOSITORY / "recipes" / "demo.yaml").read_text())
    recipe["decontaminate"]["sets"][0]["uris"] = [str(REPOSITORY / "examples" / "evaluation" / "drawings")]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    assert "9 of 9 checks hold" in winnow("evaluation-set", path, "drawings")
    said = winnow("evaluation-set", path, "paintings", status=1)
    assert "decontaminate.sets has no set to ask; it has drawings" in said
