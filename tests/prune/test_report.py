"""Pictures of what pruning did, on a real build."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import orchestration.definitions  # noqa: F401 - the steps, in their order
from assets.crawl.tiles import tiles
from assets.prune import report
from assets.rights.showing import barred
from orchestration.recipe import load_recipe
from orchestration.stages import open_build


def cluster(size, quota, complexity):
    k = len(size)
    zero = np.zeros(k)
    return pa.table(
        {
            "cluster_id": pa.array(range(10, 10 + k), pa.uint32()),
            "size": size, "d_intra": zero, "d_inter": zero, "complexity": complexity, "target": quota, "floor": zero,
            "quota": quota,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def build(built):
    project, _ = built
    return open_build(load_recipe(project.folder / "recipe.yaml"), project.home)


def test_the_concepts_shown_are_extreme_ones_each_once_with_every_reason():
    table = cluster([5, 90, 0, 40], [5, 80, 0, 2], [0.9, 0.1, 5.0, 0.4])
    assert report.chosen_concepts(table) == [(10, "most complex"), (11, "least complex, largest"), (13, "loses most")]
    assert report.chosen_concepts(cluster([0], [0], [0.0])) == []


def test_the_summary_counts_what_meets_a_bound_and_stands_on_the_page():
    said = report.summary(cluster([5, 90, 0, 40], [5, 80, 0, 0], [0.9, 0.1, 5.0, 0.4]))
    assert "|concepts with members|3 of 4|" in said
    assert "|samples kept|85 of 135|" in said
    assert "|kept whole|1|" in said
    assert "|held up by the floor|1|" in said
    assert len(said) < 1000


def test_gini_is_zero_for_equals_and_nears_one_for_one_that_has_all():
    assert report.gini(np.array([3, 3, 3])) == 0
    assert report.gini(np.r_[np.zeros(99), 1]) == pytest.approx(0.99)
    assert report.gini(np.array([1, 3])) == pytest.approx(0.25)
    assert report.gini(np.array([])) == 0


def test_the_sheet_of_a_concept_shows_members_that_stay_and_that_go_with_their_distances(build):
    table = build.read("concepts")
    concept = int(table["cluster_id"][int(np.argmax(table["size"].to_numpy()))].as_py())
    member, decision = build.read("membership"), build.read("selection", "decision")
    kept = set(decision["sample_id"].filter(decision["kept"]).to_pylist())
    distance = dict(zip(member["sample_id"].to_pylist(), member["distance"].to_pylist(), strict=True))
    inside = [i for i, c in zip(distance, member["cluster_id"].to_pylist(), strict=True) if c == concept]
    sheet = report.concept_sheet(build, [(concept, "largest")], each=5)
    assert [title.split(": ")[0] for title, _ in sheet] == [
        f"concept {concept} (largest), kept",
        f"concept {concept} (largest), dropped",
    ]
    for (title, shown), stays in zip(sheet, (True, False), strict=True):
        all_of_them = [i for i in inside if (i in kept) == stays]
        assert title.endswith(f": {len(all_of_them)} samples")
        assert len(shown) == min(5, len(all_of_them))
        assert {tile.sample_id for tile in shown} <= set(all_of_them)
        assert [tile.note for tile in shown] == [f"{distance[tile.sample_id]:.3f}" for tile in shown]
        assert all(tile.picture is not None for tile in shown)
    assert report.sheet_png(sheet) == report.sheet_png(report.concept_sheet(build, [(concept, "largest")], each=5))


def test_a_release_shows_no_picture_that_rights_keep_from_it(build):
    rights = pa.concat_tables([build.read("rights", "rights", shard=s) for s in build.snapshot.shards]).to_pylist()
    ids = [row["sample_id"] for row in rights]
    hidden = barred(build, ids, credited=())
    for row in rights:
        bits = row["obligations"] or 0
        assert (row["sample_id"] in hidden) == (row["verdict"] != "allow" or bool(bits & 9))
    credited = [i for i in ids if i not in barred(build, ids, credited=ids)]
    assert set(hidden) > set(ids) - set(credited)
    some = next(iter(hidden))
    assert tiles(build, [some], hidden)[some].picture is None
    assert tiles(build, [some], hidden)[some].absence == hidden[some]


def test_a_sample_without_a_picture_is_a_frame_that_says_why(build, monkeypatch):
    one = build.read("selection", "decision")["sample_id"][0].as_py()
    assert (tiles(build, [one])[one].picture is not None, tiles(build, [one])[one].absence) == (True, "")
    assert tiles(build, [1 << 32 | 0xFFFFFFF])[1 << 32 | 0xFFFFFFF].absence == "no picture"
    for stored, absence in ((None, "bytes missing"), (b"GIF89a", "not decodable")):
        monkeypatch.setattr("assets.crawl.tiles.stored_bytes", lambda _, names, s=stored: dict.fromkeys(names, s))
        assert tiles(build, [one])[one].picture is None
        assert tiles(build, [one])[one].absence.startswith(absence)


def test_a_sheet_with_missing_bytes_still_shows_distances(build, monkeypatch):
    monkeypatch.setattr("assets.crawl.tiles.stored_bytes", lambda *_: {})
    sheet = report.concept_sheet(build, report.chosen_concepts(build.read("concepts"))[:1], each=3)
    shown = [tile for _, tiles_of in sheet for tile in tiles_of]
    assert {tile.absence for tile in shown} == {"bytes missing"}
    assert all(0 <= float(tile.note) < 2 for tile in shown)
    assert report.sheet_png(sheet).startswith(b"\x89PNG")


def test_every_plot_of_the_asset_pages_is_a_picture(build):
    for made in (report.concept_plots(build.read("concepts")), report.selection_plots(build)):
        assert made
        assert all(text.startswith(("![", "|")) for text in made.values())


def test_the_command_draws_any_concept_and_an_unknown_one_is_one_sentence(built, tmp_path):
    project, _ = built
    out = tmp_path / "sheet.png"
    told = project.winnow("concept", "3", "recipe.yaml", "--each", "4", "--out", str(out))
    assert "concept 3, kept" in told
    assert Image.open(io.BytesIO(out.read_bytes())).format == "PNG"
    said = project.winnow("concept", "999", "recipe.yaml", "--out", str(out), fails=True)
    assert "concept 999: not in the build; its concepts are 0 to 7" in said
    missing = str(tmp_path / "nowhere" / "sheet.png")
    assert "its folder is not there" in project.winnow("concept", "3", "recipe.yaml", "--out", missing, fails=True)
    empty = tmp_path / "empty"
    said = project.winnow("concept", "3", "recipe.yaml", "--home", str(empty), fails=True)
    assert said.count("\n") == 1
    assert "has no selection yet; run `winnow build` first" in said
    assert not empty.exists()
