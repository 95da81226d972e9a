"""Takedowns, from the request to the proof: in a home with a release, by every kind of selector, again and again."""

import hashlib
import json
import random
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import orchestration.definitions  # noqa: F401  (registers the steps, in their order)
from assets.provenance.stage import funnel_of
from assets.release.manifest import verify_folder
from assets.release.reach import REACHES
from assets.release.shards import id_pairs
from assets.rights.removals import MATCH, RemovalError, matches, rows_of, selector, selector_table
from orchestration import asking, cli, ledger, removing, requesting, takedowns
from orchestration.gc import collect
from orchestration.manifest import BuildError, read_manifest
from orchestration.publishing import standing
from orchestration.removing import Request, apply_takedown, look, request_takedown
from tests.conftest import REPOSITORY
from tests.orchestration.takedown_house import HOSTS, make_house

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A finished build; tests only look at it."""
    house = make_house(tmp_path_factory.mktemp("house") / "project")
    house.build()
    return house


@pytest.fixture
def own(house, tmp_path):
    """A copy that a test may change."""
    return house.copied(tmp_path / "project")


def take(house, *selectors, **more):
    request = Request(rows_of([selector(kind, value) for kind, value in selectors]), **more)
    return apply_takedown(house.lake, request_takedown(house.lake, request))


def files_of(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def drawn(house, kind, dice):
    """A selector of a kind that names one in a hundred of the released samples, or one; what it must take out at least."""
    rows = house.rows(house.newest())
    row = dice.choice(sorted(rows, key=lambda row: row["sample_id"]))
    image = house.sql(
        f"""SELECT lower(hex(md5)), lower(hex(phash)), image_id FROM image JOIN sample USING (image_id)
        WHERE sample_id = {row["sample_id"]}"""
    )[0]
    return {
        "url": row["url"], "url_prefix": row["url"][:-4], "host": row["url"].split("/")[2], "domain": "museum.example",
        "page": row["page_url"], "image_sha256": row["sha256"], "image_md5": image[0], "phash": f"{image[1]}/0",
        "creator": row["creator"], "record": str(image[2]), "sample": str(row["sample_id"]),
    }[kind]  # fmt: skip


def residue(house, folder, kind, value):
    """Samples of a release, told from its own files, that a selector names."""
    left = {row["sample_id"] for row in house.rows(folder)}
    build = house.open()
    tables = {name: build.read("crawl", name) for name in ("sample", "image")}
    tables["attribution"] = build.read("evidence", "attribution")
    found = matches(selector_table("again", rows_of([selector(kind, value)]), True), tables)
    return left & set(found["sample_id"].to_pylist())


@pytest.mark.parametrize("kind", sorted(MATCH))
def test_a_drill_leaves_nothing_and_rewrites_only_files_that_were_touched(own, kind):
    dice = random.Random(kind)
    before = own.newest()
    old, value = files_of(before), drawn(own, kind, dice)
    meant = residue(own, before, kind, value)
    assert meant
    report = take(own, (kind, value))
    after = own.newest()
    assert report.patches == {before.name: after.name}
    assert residue(own, after, kind, value) == set()
    assert verify_folder(after) == []
    new = files_of(after)
    left = {row["sample_id"] for row in own.rows(after)}
    gone = {row["sample_id"] for row in own.rows(before)} - left
    assert meant <= gone == {row["sample_id"] for row in own.rows(before)} & reached(own)
    held = {place for place, samples in places(own, before).items() if samples & gone}
    touched = {name for name in old if name[0].isdigit() and old[name] != new.get(name)}
    assert {f"{name[:-4]}.{kind}" for name in held for kind in ("tar", "parquet")} == touched
    untouched = [name for name in old if name[0].isdigit() and name not in touched]
    assert all((before / name).samefile(after / name) for name in untouched)
    assert files_of(before) == old
    assert report.seconds is not None
    assert report.seconds < 60
    assert own.sql("SELECT status, release_id, residue FROM takedown") == [("applied", after.name, 0)]


def reached(house):
    """Samples that the home's takedowns reached."""
    return {sample for (sample,) in house.sql("SELECT sample_id FROM takedown_hit")}


def places(house, folder):
    """Samples by the file of a release that holds them, told from the files."""
    found = {}
    for tar in folder.glob("*.tar"):
        with tarfile.open(tar) as archive:
            found[tar.name] = {int(name.partition(".")[0]) for name in archive.getnames()}
    return found


def test_a_takedown_reaches_copies_and_duplicates_wherever_they_lie(own):
    (first,) = [row for row in own.rows(own.newest()) if row["url"] == f"http://{HOSTS[0]}/p/3.png"]
    report = look(own.lake, Request(rows_of([selector("url", f"https://{HOSTS[2]}/p/again.png")])))
    assert report.matches == {"exact": 1, "duplicate": 1, "twin": 1}
    assert list(report.released.values()) == [1]
    take(own, ("url", f"https://{HOSTS[2]}/p/again.png"))
    assert first["sample_id"] not in {row["sample_id"] for row in own.rows(own.newest())}
    hits = dict(own.sql("SELECT s.image_url, h.match FROM takedown_hit h JOIN sample s USING (sample_id)"))
    assert set(hits) == {
        f"http://{HOSTS[0]}/p/3.png",
        f"http://{HOSTS[1]}/p/copy.png",
        f"http://{HOSTS[2]}/p/again.png",
    }


def test_the_reach_can_be_kept_short(house):
    asked = rows_of([selector("url", f"https://{HOSTS[1]}/p/copy.png")])
    counted = {
        reach: sum(look(house.lake, Request(asked, reach=reach)).matches.values())
        for reach in ("exact", "twins", "duplicates")
    }
    assert counted == {"exact": 1, "twins": 2, "duplicates": 3}


def test_a_patch_is_what_a_release_without_the_samples_would_be(own):
    before = own.newest()
    take(own, ("url", f"https://{HOSTS[1]}/p/1.png"))
    after = own.newest()
    gone = [row for row in own.rows(before) if row["url"].endswith(f"{HOSTS[1]}/p/1.png")]
    expected = sorted(row["uid"] for row in own.rows(before) if row not in gone)
    assert np.array_equal(np.load(after / "ids.npy"), id_pairs(expected))
    listed = json.loads((after / "release.json").read_bytes())
    assert listed["samples"] == len(expected) == listed["samples_with_image"]
    assert listed["history"]["supersedes"] == before.name
    assert gone[0]["key"] not in (after / "ATTRIBUTION.csv").read_text()
    assert "museum" in (after / "README.md").read_text()
    assert before.name in (after / "README.md").read_text()
    members = own.sql('SELECT sample_id, file, "row" FROM release_member')
    for sample, file, row in members:
        table = pq.read_table(after / f"{file.rpartition('.')[0]}.parquet", columns=["sample_id"])
        assert table["sample_id"][row].as_py() == sample
    assert len(members) == len(expected)
    assert own.sql("SELECT came_in - kept, reasons[1].reason FROM funnel WHERE stage = 'release'") == [(1, "takedown")]


def test_a_samples_story_tells_which_takedown_took_it_and_from_which_release(own):
    before = own.newest()
    (row,) = [row for row in own.rows(before) if row["url"] == f"http://{HOSTS[1]}/p/1.png"]
    take(own, ("url", row["url"]), basis="copyright")
    told = asking.story(str(own.home), row["sample_id"])
    assert told.startswith(f"sample {row['sample_id']}: dropped at release: takedown")
    assert f"also {before.name}: " in told
    assert ", withdrawn " in told
    assert f"reached by {takedowns.ids(own.lake)[0]} (exact), copyright, applied" in told


def test_the_home_says_which_release_took_the_place_of_which(own):
    before = own.newest()
    take(own, ("creator", "Maker 1"))
    after = own.newest()
    rows = own.sql(
        "SELECT release_id, version, supersedes, withdrawn_at IS NOT NULL FROM release ORDER BY published_at"
    )
    assert rows == [(before.name, "0.1.0", None, True), (after.name, "0.1.1", before.name, False)]
    changed = own.sql("SELECT change, stage, reason, count(*) FROM release_change GROUP BY ALL")
    assert changed == [("removed", "release", "takedown", changed[0][3])]
    assert (
        own.sql(
            "SELECT count(*) FROM release_history WHERE release_id <> (SELECT any_value(release_id) FROM release_member)"
        )[0][0]
        == 48
    )
    builds = own.sql("SELECT build_id, parent_build_id FROM build ORDER BY completed_at")
    assert builds[1][1] == builds[0][0]
    assert read_manifest(own.lake, "latest").build_id == builds[1][0]


def test_a_takedown_keeps_later_builds_clean_and_recomputes_only_shards_that_it_reaches(own):
    take(own, ("url", f"https://{HOSTS[1]}/p/1.png"))
    own.build()
    assert residue(own, own.newest(), "url", f"https://{HOSTS[1]}/p/1.png") == set()
    for step in ("scores", "pool", "embeddings"):
        assert own.computed[step] == [2], step
    assert own.computed["removals"] == [1, 2, 3]
    assert not {"candidates", "crawl", "evidence", "occurrence", "rights"} & set(own.computed)
    assert own.sql("SELECT dropped, reasons[1].reason FROM funnel WHERE stage = 'removals'") == [(1, "takedown")]
    why = dict(
        own.sql(
            "SELECT partition, because FROM run WHERE asset = 'pool' AND NOT reused AND because <> 'made for the first time'"
        )
    )
    assert why == {"tiles.00002": "input: removals, scores"}
    own.build()
    assert own.computed == {}


def test_an_image_that_was_taken_out_does_not_come_back_under_another_address(own, tmp_path):
    from tests.crawl.warcs import response, write
    from tests.orchestration.takedown_house import noise, page

    take(own, ("url", f"https://{HOSTS[0]}/p/5.png"))
    host = "mirror.example"
    write(
        own.folder / "crawl" / "9.warc.gz",
        response(
            f"http://{host}/",
            page(
                host,
                [("x.png", "pattern of tiles, mirror number one"), ("y.png", "pattern of other tiles, mirror two")],
            ),
        ),
        response(f"http://{host}/p/x.png", noise(5), "image/png"),
        response(f"http://{host}/p/y.png", noise(777), "image/png"),
    )
    own.build()
    assert own.sql(
        f"SELECT stage, reason FROM decision JOIN sample USING (sample_id) WHERE NOT kept AND image_url LIKE '%{host}/p/x.png'"
    ) == [("removals", "takedown")]
    assert f"http://{host}/p/y.png" in {row["url"] for row in own.rows(own.newest())}


def test_a_removal_list_of_the_recipe_keeps_its_images_and_their_copies_out(own):
    md5 = own.sql(
        f"SELECT lower(hex(md5)) FROM image JOIN sample USING (image_id) WHERE image_url = 'http://{HOSTS[0]}/p/3.png'"
    )[0][0]
    (own.folder / "list.txt").write_text(f"{md5}\nhttps://{HOSTS[2]}/p/2.png\n")
    own.write_recipe(removals={"lists": ["list.txt"], "phash_radius": 2})
    own.build()
    gone = own.sql(
        "SELECT image_url, reason FROM decision JOIN sample USING (sample_id) WHERE stage = 'removals' AND NOT kept ORDER BY 1"
    )
    assert gone == [
        (f"http://{HOSTS[2]}/p/2.png", "removal_list"), (f"http://{HOSTS[2]}/p/again.png", "removal_list"),
        (f"http://{HOSTS[0]}/p/3.png", "removal_list"), (f"http://{HOSTS[1]}/p/copy.png", "removal_list"),
    ]  # fmt: skip
    matched = dict(
        own.sql("SELECT image_url, match FROM hit JOIN sample USING (sample_id) WHERE list = 'list:list.txt'")
    )
    assert matched[f"http://{HOSTS[2]}/p/again.png"] == "phash"
    (own.folder / "list.txt").write_text(f"{md5}\nnonsense\n")
    with pytest.raises(RemovalError, match="list.txt: 'nonsense' is no address"):
        own.build()


def test_the_block_list_tells_nobody_what_it_blocks(own):
    url = f"https://{HOSTS[0]}/p/7.png"
    take(own, ("url", url), basis="privacy")
    (name,) = takedowns.ids(own.lake)
    folder = takedowns.folder(own.lake, name)
    kept = b"".join(path.read_bytes() for path in folder.iterdir()) + json.dumps(ledger.rows(own.lake, "run")).encode()
    sha256 = own.sql(
        f"SELECT lower(hex(sha256)) FROM image JOIN sample USING (image_id) WHERE image_url = 'http://{HOSTS[0]}/p/7.png'"
    )[0][0]
    for secret in (url, f"//{HOSTS[0]}/p/7.png", sha256):
        assert secret.encode() not in kept
    assert own.sql("SELECT selector, selector_type, octet_length(selector_hmac) FROM takedown") == [(None, "url", 32)]
    assert (takedowns.folder(own.lake) / "key").stat().st_mode & 0o777 == 0o600


def test_a_discreet_takedown_takes_neutral_samples_of_the_same_files_along_and_says_how_many(own, monkeypatch):
    monkeypatch.setattr(removing, "MOST_NEUTRAL", 1.0)
    before = own.newest()
    report = take(own, ("url", f"https://{HOSTS[0]}/p/7.png"), basis="illegal_content", padding=3)
    gone = {row["sample_id"] for row in own.rows(before)} - {row["sample_id"] for row in own.rows(own.newest())}
    matched = dict(own.sql("SELECT sample_id, match FROM takedown_hit"))
    assert sorted(matched[sample] for sample in gone) == ["exact", "padding", "padding", "padding"]
    assert report.neutral == 3
    assert "3 of them are neutral" in "\n".join(requesting.told(report, "took out"))
    held = [place for place, samples in places(own, before).items() if samples & gone]
    assert len(held) == 1
    removed = np.load(takedowns.folder(own.lake, takedowns.ids(own.lake)[0]) / "removed.npy")
    uids = [row["uid"] for row in own.rows(before) if row["sample_id"] in gone]
    assert np.array_equal(removed, id_pairs(uids))


def test_of_small_files_at_most_a_tenth_goes_along_which_may_be_none(own):
    report = take(own, ("url", f"https://{HOSTS[0]}/p/7.png"), basis="illegal_content")
    assert list(report.released.values()) == [1]
    assert report.neutral == 0


def test_neutral_samples_stay_out_of_later_builds(own, monkeypatch):
    monkeypatch.setattr(removing, "MOST_NEUTRAL", 1.0)
    before = own.newest()
    take(own, ("url", f"https://{HOSTS[0]}/p/7.png"), padding=2)
    gone = {row["sample_id"] for row in own.rows(before)} - {row["sample_id"] for row in own.rows(own.newest())}
    assert sorted(match for _, match in own.sql("SELECT sample_id, match FROM takedown_hit")) == [
        "exact",
        "padding",
        "padding",
    ]
    assert len(gone) == 3
    own.build()
    assert not gone & {row["sample_id"] for row in own.rows(own.newest())}


def test_mode_rebuild_builds_again_and_proves_it(own):
    before = own.newest()
    request = Request(rows_of([selector("host", HOSTS[2])]), mode="rebuild")
    report = apply_takedown(
        own.lake, request_takedown(own.lake, request), lambda name: own.build() if name == "tiles" else None
    )
    assert report.patches == {before.name: own.newest().name}
    assert residue(own, own.newest(), "host", HOSTS[2]) == set()
    assert own.sql("SELECT mode, status, residue FROM takedown") == [("rebuild", "applied", 0)]
    assert own.sql(f"SELECT withdrawn_at IS NULL FROM release WHERE release_id = '{before.name}'") == [(False,)]


def test_a_takedown_that_was_killed_on_the_way_is_carried_through_by_the_next_call(own, monkeypatch):
    before = own.newest()
    asked = request_takedown(own.lake, Request(rows_of([selector("host", HOSTS[0])])))
    with monkeypatch.context() as patched:
        patched.setattr(removing, "_withdraw", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            apply_takedown(own.lake, asked)
    assert removing.pending(own.lake) == [asked]
    lines = list(requesting.run(str(own.home), None, {}, False, None, lambda *_: None))
    assert removing.pending(own.lake) == []
    assert any("residue: 0" in line for line in lines)
    assert residue(own, own.newest(), "host", HOSTS[0]) == set()
    assert own.sql(f"SELECT withdrawn_at IS NULL FROM release WHERE release_id = '{before.name}'") == [(False,)]


def test_a_release_that_appears_between_request_and_patch_is_looked_through_as_well(own):
    asked = request_takedown(own.lake, Request(rows_of([selector("url", f"https://{HOSTS[1]}/p/1.png")])))
    hidden = takedowns.folder(own.lake) / "hidden"
    (takedowns.folder(own.lake) / asked).rename(hidden)
    own.write_recipe(release={"name": "tiles", "version": "0.2.0", "samples_per_shard": 6})
    own.build()
    hidden.rename(takedowns.folder(own.lake) / asked)
    before = own.newest()
    report = apply_takedown(own.lake, asked)
    assert residue(own, before, "url", f"https://{HOSTS[1]}/p/1.png")
    assert before.name in report.patches
    assert residue(own, own.newest(), "url", f"https://{HOSTS[1]}/p/1.png") == set()


def test_a_release_that_would_still_have_any_of_it_is_not_announced_and_the_old_one_stands(own, monkeypatch):
    monkeypatch.setattr(
        removing, "write_patch", lambda old, new, members, drop, settings: _real(old, new, members, drop[:0], settings)
    )
    before = own.newest()
    with pytest.raises(RemovalError, match="still has 1 samples"):
        take(own, ("url", f"https://{HOSTS[0]}/p/7.png"))
    assert [row["release_id"] for row in standing(own.lake)] == [before.name]
    assert [row["release_id"] for row in ledger.rows(own.lake, "release")] == [before.name]
    assert len(removing.pending(own.lake)) == 1


_real = removing.write_patch


def test_a_release_from_which_everything_goes_is_empty_and_whole(own):
    take(own, *(("host", host) for host in HOSTS))
    assert own.rows(own.newest()) == []
    assert verify_folder(own.newest()) == []
    assert not list(own.newest().glob("*.tar"))
    assert len(np.load(own.newest() / "ids.npy")) == 0


def test_documents_lose_the_place_of_what_goes(own):
    def images(folder):
        tables = [pq.read_table(path) for path in folder.glob("documents-*.parquet")]
        return {name for table in tables for row in table["images"].to_pylist() for name in row if name}

    before = images(own.newest())
    (key,) = [row["key"] for row in own.rows(own.newest()) if row["url"] == f"http://{HOSTS[1]}/p/1.png"]
    take(own, ("url", f"http://{HOSTS[1]}/p/1.png"))
    assert before - images(own.newest()) == {f"{key}.png"}


def test_what_names_nothing_leaves_releases_alone_and_is_kept_for_later_builds(own):
    before = own.newest()
    report = take(own, ("url", "https://nowhere.example/x.png"))
    assert report.patches == {}
    assert own.newest() == before
    assert own.sql("SELECT takedown_id, status, release_id FROM takedown") == [
        (takedowns.ids(own.lake)[0], "applied", None)
    ]


def test_a_home_without_a_release_says_so(tmp_path):
    from resources.lake import Lake

    with pytest.raises(BuildError, match="no release that stands"):
        look(Lake(tmp_path), Request(rows_of([selector("host", "a.example")])))


@pytest.mark.parametrize(
    ("more", "told"), [({"basis": "whim"}, "no basis"), ({"mode": "maybe"}, "no mode"), ({"reach": "far"}, "no reach")]
)
def test_a_request_that_is_none_is_one_sentence(house, more, told):
    with pytest.raises(RemovalError, match=told):
        request_takedown(house.lake, Request(rows_of([selector("host", "a.example")]), **more))
    with pytest.raises(RemovalError, match="names nothing"):
        request_takedown(house.lake, Request(rows_of([])))
    assert takedowns.ids(house.lake) == []


def test_gc_keeps_what_kept_builds_and_standing_releases_need_and_deletes_the_rest(own):
    take(own, ("url", f"https://{HOSTS[1]}/p/1.png"))
    before = {path.name for path in (own.home / "releases").iterdir()}
    leftover = own.home / "lake" / "sample" / ".x.parquet.123.partial"
    leftover.write_bytes(b"x")
    told = collect(str(own.home), 1, delete=False)
    assert all(line.startswith("would delete") for line in told[:-1])
    assert not any(".partial" in line for line in told)
    collect(str(own.home), 1, delete=True, withdrawn=True, recent=0)
    assert not leftover.exists()
    manifest = read_manifest(own.lake, "latest")
    assert all((own.home / file["uri"]).exists() for file in manifest.document["files"])
    assert {path.name for path in (own.home / "releases").iterdir()} < before
    assert len(list((own.home / "builds").iterdir())) == 1
    assert "0 files" in collect(str(own.home), 1, delete=False, withdrawn=True, recent=0)[-1]


def test_a_changed_policy_recomputes_what_it_changes_and_nothing_else(own):
    policy = (REPOSITORY / "assets/rights/policies/commercial-open.yaml").read_text()
    (own.folder / "own.yaml").write_text(policy.replace("min_confidence: 0.7", "min_confidence: 0.71"))
    own.write_recipe(rights={"policy": "own.yaml"})
    own.build()
    assert own.computed["rights"] == [1, 2, 3]
    assert not {"crawl", "evidence", "pool", "scores", "embeddings"} & set(own.computed)
    because = own.sql(
        "SELECT DISTINCT because FROM run WHERE asset = 'occurrence' AND NOT reused AND because <> 'made for the first time'"
    )
    assert because == [("recipe: policy, policy_sha256",)]


def decided(build):
    """Files of decisions of every stage that has any rows, by step."""
    found = {}
    for name, step in build.steps.items():
        if "decision" in step.tables:
            found[name] = next(
                (path for path in build.paths(name, "decision") if pq.read_metadata(path).num_rows), None
            )
    return {name: path for name, path in found.items() if path is not None}


def test_a_row_of_a_decision_removed_by_hand_is_found_at_every_stage(own):
    build = own.open()
    assert funnel_of(build)[0]
    files = decided(build)
    assert set(files) == {
        "crawl", "rights", "removals", "pool", "embeddings", "agreement", "dedup", "decontaminate", "selection", "captions",
        "release",
    }  # fmt: skip
    for name, path in files.items():
        whole = pq.read_table(path)
        for row in (0, whole.num_rows - 1):
            pq.write_table(pa.concat_tables([whole.slice(0, row), whole.slice(row + 1)]), path)
            holds, told = funnel_of(build)
            assert not holds, name
            assert str(whole["sample_id"][row].as_py()) in told
        pq.write_table(whole, path)
    assert funnel_of(build)[0]


def test_a_question_about_any_two_builds_works_out_what_nobody_compared(own):
    take(own, ("url", f"https://{HOSTS[1]}/p/1.png"))
    releases = [row["release_id"] for row in ledger.rows(own.lake, "release")]
    shutil.rmtree(own.home / "changes")
    columns, rows = asking.ask(str(own.home), "build_diff", [f"older={releases[1]}", f"newer={releases[0]}"])
    (row,) = [dict(zip(columns, row, strict=True)) for row in rows]
    assert (row["change"], row["stage"], row["reason"]) == ("added", "release", "takedown")
    assert row["image_url"] == f"http://{HOSTS[1]}/p/1.png"


def test_the_command_offers_what_a_request_may_be():
    options = {option.name: option for option in cli.takedown.params}
    for name, known in (("basis", removing.BASES), ("mode", removing.MODES), ("reach", REACHES)):
        assert tuple(options[name].type.choices) == known
