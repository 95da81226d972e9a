"""What a person sees of a build that was not finished: asked for in part, or failed."""

import pytest

from tests.conftest import make_project

pytestmark = pytest.mark.slow


def test_a_part_of_a_build_says_how_far_the_samples_came_and_a_wrong_selection_is_one_sentence(tmp_path):
    project = make_project(tmp_path)
    out = project.winnow("build", "recipe.yaml", "--select", "*crawl")
    assert "so far" in out
    assert "crawl" in out
    error = project.winnow("build", "recipe.yaml", "--select", "nonsense", fails=True)
    assert error.startswith("Error: --select 'nonsense' names no assets")
    assert "Traceback" not in error


def test_an_asset_whose_inputs_are_not_there_is_one_sentence_that_names_the_file(tmp_path):
    error = make_project(tmp_path).winnow("build", "recipe.yaml", "--select", "crawl", fails=True)
    assert "lake/candidate/" in error
    assert "Traceback" not in error


def test_a_file_that_changed_behind_our_back_is_looked_at_again_by_the_next_build(tmp_path):
    import os

    project = make_project(tmp_path)
    file = next((project.folder / "crawl").glob("*.warc.gz"))
    os.utime(file, (1_000_000_000, 1_000_000_000))
    project.winnow("shards", "recipe.yaml")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    error = project.winnow("build", "recipe.yaml", "--select", "*candidates", fails=True)
    assert "its bytes changed after it was registered; run the build again" in error
    project.winnow("build", "recipe.yaml", "--select", "*candidates")
