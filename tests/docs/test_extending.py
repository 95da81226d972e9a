"""docs/extending.md is walked: its blocks go into a copy of the tree, which then builds, exports and answers its questions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from PIL import Image

from resources.conformance.material import encoded
from tests.chaos.small import Small, make_encoder
from tests.crawl.warcs import response, write

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "extending.md"
EDIT = re.compile(
    r"^(New file|At the end of|In) `([^`]+)`[^\n]*:\n\n```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DRIVER = """
import json, sys
from orchestration.cli import main
for arguments in json.loads(sys.argv[1]):
    print("$ winnow", *arguments, flush=True)
    try:
        main(arguments, prog_name="winnow", standalone_mode=False)
    except SystemExit as end:
        if end.code:
            raise
"""
"""Several commands in one process, so that libraries are loaded once."""


def blocks(language: str) -> list[str]:
    """Blocks of a language, in order."""
    return [text for found, text in BLOCK.findall(PAGE.read_text()) if found == language]


def apply(tree: Path) -> None:
    """Put every block that names a file into a copy of the tree."""
    for how, name, language, text in EDIT.findall(PAGE.read_text()):
        path = tree / name
        if how == "New file":
            assert not path.exists(), f"{name} is there already"
            path.write_text(text)
        elif language == "python":
            path.write_text(path.read_text() + text)
        else:
            lines = text.splitlines(keepends=True)
            before, after = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
            whole = path.read_text()
            assert whole.count(before) == 1, f"{name} has these lines {whole.count(before)} times:\n{before}"
            path.write_text(whole.replace(before, after))


@dataclass
class Walk:
    """A copy of the tree with what the page adds, and a folder with a crawl, a recipe and a home."""

    tree: Path
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *commands: list[str]) -> str:
        """What `winnow` prints, command after command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WINNOW", "DAGSTER"))}
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, json.dumps(commands)],
            cwd=self.folder,
            env={**kept, "WINNOW_HOME": str(self.home), "PYTHONPATH": str(self.tree), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, query: str) -> list[tuple]:
        """Rows that the database answers with; files are those of the folder."""
        with duckdb.connect(str(self.home / "provenance.duckdb"), read_only=True) as connection:
            connection.execute(f"SET file_search_path = '{self.folder}'")
            return connection.execute(query).fetchall()

    @property
    def release(self) -> Path:
        [found] = (self.home / "releases").iterdir()
        return found


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A recipe with the lines of another one."""
    both = {
        name: merged(whole[name], part[name]) for name in whole.keys() & part.keys() if isinstance(part[name], dict)
    }
    return {**whole, **part, **both}


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Walk:
    """The page followed to its end: the additions made, the kits run, a build and an export done."""
    base = tmp_path_factory.mktemp("walk")
    tree, folder = base / "tree", base / "project"
    for name in ("assets", "orchestration", "resources"):
        shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "dagster.yaml", tree)
    apply(tree)
    make_encoder(base / "encoder")
    small = Small(folder, base / "encoder").make()
    picture = encoded(Image.new("RGB", (400, 400), "beige"))
    license = "https://creativecommons.org/publicdomain/zero/1.0/"
    page = (
        f'<html lang="en"><link rel="license" href="{license}"><img src="/p.png" alt="An empty canvas before all work">'
    )
    write(
        folder / "crawl" / "blank.warc.gz",
        response("http://blank.example/", page.encode()),
        response("http://blank.example/p.png", picture, "image/png"),
    )
    recipe = yaml.safe_load(small.recipe.read_text())
    recipe["crawl"]["sources"][0]["uris"] = [f"crawl/{name}.warc.gz" for name in ("a", "b", "c", "blank")]
    # The tiny encoder finds most pictures alike.
    recipe = merged(recipe, {"embeddings": {"license": "MIT"}, "dedup": {"eps": 0.0001}, "prune": {"keep": 1.0}})
    for text in blocks("yaml"):
        recipe = merged(recipe, yaml.safe_load(text))
    small.recipe.write_text(yaml.safe_dump(recipe))
    made = Walk(tree, folder)
    commands = [line.split()[1:] for text in blocks("sh") for line in text.splitlines()]
    before = [command for command in commands if "RELEASE" not in command]
    (folder / "checks.txt").write_text(made.run(*before, ["build", "recipe.yaml", "--quiet"]))
    after = [
        [str(made.release) if word == "RELEASE" else word for word in command]
        for command in commands
        if "RELEASE" in command
    ]
    with (folder / "checks.txt").open("a") as stream:
        stream.write(made.run(*after))
    return made


def test_every_addition_passes_its_kit(walk):
    said = (walk.folder / "checks.txt").read_text()
    for command in ("check filter flat_picture", "check captioner recipe.yaml palette", "check export conversations"):
        part = said.partition(f"$ winnow {command}")[2].partition("$ winnow")[0]
        assert re.search(r"(\d+) of \1 checks hold", part), part


def test_the_build_has_what_the_page_asks_for_in_its_database(walk):
    filtered, captions, agent, exported = (walk.ask(query) for query in blocks("sql"))
    assert [(row[0], row[1], row[3]) for row in filtered] == [("flat_picture", 1, 0.07)]
    assert 0 < filtered[0][2] < 0.07
    [(status, count, selected, example)] = captions
    kept = walk.ask("SELECT count(*) FROM decision WHERE stage = 'prune' AND kept")[0][0]
    assert (status, count) == ("ok", kept)
    others = walk.ask(
        "SELECT count(*) FROM caption WHERE kind = 'synthetic-short' AND selected AND model <> 'palette@1'"
    )
    assert selected + others[0][0] == kept
    assert example.startswith("A square picture that is mostly ")
    assert agent == [("palette@1", "captioner", "1", "Apache-2.0", "none")]
    released = walk.ask("SELECT count(*) FROM release_member")[0][0]
    assert released > 10
    assert exported == [(released, released, released)]


def test_the_export_is_what_is_trained_on(walk):
    lines = [json.loads(line) for line in (walk.folder / "conversations.jsonl").read_text().splitlines()]
    names = {path.name for path in walk.release.iterdir()}
    assert "ids.npy" in names
    for line in lines:
        assert [turn["from"] for turn in line["conversations"]] == ["human", "gpt"]
        assert line["conversations"][0]["value"].count("<image>") == 1
        assert line["image"] == f"{line['id']}.png"


def test_what_the_page_adds_is_written_as_the_rest_of_the_tree(walk):
    added = sorted({str(walk.tree / name) for _, name, _, _ in EDIT.findall(PAGE.read_text())})
    assert len(added) == 5
    settings = ["--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings, *added], capture_output=True, text=True, cwd=walk.tree
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_names_every_kit():
    text = PAGE.read_text()
    from orchestration.cli import check

    for name in check.commands:
        assert f"`winnow check {name}" in text
