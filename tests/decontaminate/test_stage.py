"""Evaluation sets in a build: registered in the recipe, taken out under their names, told in the database's tables."""

import html

import pytest
import webdataset
import yaml

import orchestration.definitions  # noqa: F401  (registers the steps, in their order)
from assets.decontaminate.conformance import another_view, cropped, recompressed, resized
from assets.decontaminate.views import mirror
from orchestration.recipe import RecipeError, load_recipe
from orchestration.stages import open_build, run_step
from tests.crawl.warcs import response, write
from tests.decontaminate.conftest import jpeg

pytestmark = pytest.mark.slow

OURS = range(8)
"""Photographs that are in the crawl as they are; the sets hold 10 to 19, and the crawl copies and other views of some."""
PLANTED = {
    "first-resized": (10, resized),
    "first-recompressed": (11, recompressed),
    "first-cropped": (12, cropped),
    "first-view": (13, another_view),
    "later": (14, resized),
    "second-cropped": (15, cropped),
    "second-mirrored": (16, mirror),
    "second-view": (17, another_view),
}


def page(names):
    shown = "".join(
        f'<figure><img src="/p/{name}.jpg" alt="{html.escape(f"photograph that is called {name}")}"></figure>'
        f"<p>Words about number {number}, which no other picture of the page has.</p>"
        for number, name in enumerate(names)
    )
    license = '<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">'
    return f'<!doctype html><html lang="en"><head><title>Views</title>{license}</head><body>{shown}</body></html>'


class House:
    def __init__(self, folder, photographs):
        self.folder = folder
        (folder / "crawl").mkdir(parents=True)
        pictures = {f"ours-{n}": photographs[n] for n in OURS}
        pictures |= {name: made(photographs[number]) for name, (number, made) in PLANTED.items()}
        names = list(pictures)
        for number, part in enumerate((names[::2], names[1::2])):
            host = f"http://views-{number}.example"
            answers = [response(f"{host}/p/{name}.jpg", jpeg(pictures[name]), "image/jpeg") for name in part]
            write(folder / "crawl" / f"{number}.warc.gz", response(f"{host}/", page(part).encode()), *answers)
        for version, numbers in (("v1", range(10, 14)), ("v2", range(11, 15)), ("other", range(40, 42))):
            (folder / version).mkdir()
            for number in numbers:
                (folder / version / f"{number}.jpg").write_bytes(jpeg(photographs[number]))
        with webdataset.TarWriter(str(folder / "second.tar")) as tar:
            for number in range(15, 18):
                tar.write({"__key__": str(number), "jpg": jpeg(photographs[number]), "txt": f"photo {number}"})

    def build(self, *sets, **limits):
        recipe = {
            "name": "views",
            "crawl": {"sources": [{"name": "views", "uris": ["crawl/*.warc.gz"]}]},
            "pool": {"filter_set": "none", "threads": 1},
            "decontaminate": {"sets": list(sets), **limits},
            "clusters": {"k": 2},
            "prune": {"keep": 1.0},
            "release": {"name": "views"},
        }
        (self.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        build = open_build(load_recipe(self.folder / "recipe.yaml"), self.folder / "home", renew=True)
        self.computed = []
        for name, step in build.steps.items():
            outcomes = run_step(build, step, build.shards_of(step), "test")
            self.computed += [name for outcome in outcomes if not outcome.reused]
            if name == "membership":
                return build
        raise AssertionError

    def dropped(self, build):
        """Name of each dropped picture -> reason."""
        urls = build.read("crawl", "sample", ["sample_id", "image_url"]).to_pylist()
        name = {row["sample_id"]: row["image_url"].rpartition("/")[2].removesuffix(".jpg") for row in urls}
        rows = build.read("decontaminate", "decision").to_pylist()
        assert len(rows) == len(OURS) + len(PLANTED)
        return {name[row["sample_id"]]: row["reason"] for row in rows if not row["kept"]}


FIRST = {"name": "bench", "version": "1", "date": "2014-01-01", "license": "CC-BY-4.0", "uris": ["v1"]}
LATER = {**FIRST, "version": "2", "date": "2016-01-01", "uris": ["v2"]}
SECOND = {"name": "second", "date": "2020-02-02", "layout": "webdataset", "uris": ["*.tar"], "mirrored": True}
OTHER = {"name": "other", "date": "2021-01-01", "uris": ["other"]}


@pytest.fixture(scope="module")
def house(tmp_path_factory, photographs):
    return House(tmp_path_factory.mktemp("views") / "project", photographs)


def test_sets_are_taken_out_under_their_names_and_other_views_stay(house):
    build = house.build(FIRST, SECOND)
    assert house.dropped(build) == {
        "first-resized": "eval:bench@1",
        "first-recompressed": "eval:bench@1",
        "first-cropped": "eval:bench@1",
        "second-cropped": "eval:second@1",
        "second-mirrored": "eval:second@1",
    }
    hit = build.read("decontaminate", "hit").to_pylist()
    assert {row["item"] for row in hit} == {"10.jpg", "11.jpg", "12.jpg", "second.tar:15", "second.tar:16"}
    registry = {row["name"]: row for row in build.read("eval_registry").to_pylist()}
    bench = registry["bench"]
    assert (bench["license"], bench["date"], bench["items"]) == ("CC-BY-4.0", "2014-01-01", 4)
    assert registry["second"]["mirrored"]
    assert len(build.read("membership")) == len(OURS) + len(PLANTED) - 5


def test_a_newer_version_removes_only_what_it_newly_matches(house):
    before = house.dropped(house.build(FIRST, SECOND))
    after = house.dropped(house.build(FIRST, LATER, SECOND))
    assert {name: reason for name, reason in after.items() if name not in before} == {"later": "eval:bench@2"}
    assert {name: reason for name, reason in after.items() if name in before} == before


def test_a_set_that_claims_nothing_recomputes_nothing_after_it(house):
    house.build(FIRST, SECOND)
    house.build(FIRST, SECOND, OTHER)
    assert house.computed == ["eval_registry", "eval_vectors", "decontaminate", "decontaminate"]


def test_another_limit_recomputes_no_registry_and_no_vector(house):
    house.build(FIRST, SECOND)
    build = house.build(FIRST, SECOND, phash_radius=None, together=None, cosine=0.999)
    assert house.computed[:2] == ["decontaminate", "decontaminate"]
    assert "eval_vectors" not in house.computed
    assert len(house.dropped(build)) < 5


def test_changed_bytes_of_a_set_are_a_new_input(house, photographs):
    house.build(FIRST, SECOND)
    file = house.folder / "v1" / "13.jpg"
    old = file.read_bytes()
    file.write_bytes(jpeg(photographs[3]))
    try:
        assert house.dropped(house.build(FIRST, SECOND))["ours-3"] == "eval:bench@1"
    finally:
        file.write_bytes(old)


def test_a_set_that_is_not_there_is_one_sentence(house):
    with pytest.raises(RecipeError, match=r"decontaminate\.sets names v9 \(set bench\), but there is no such folder"):
        house.build({**FIRST, "uris": ["v9"]})


def test_two_sets_of_one_name_and_version_are_refused(house):
    with pytest.raises(RecipeError, match="two evaluation sets have the same name and version"):
        house.build(FIRST, {**LATER, "version": "1"})
