"""From crawl to release: two real shards, every real stage, by the command a person would type."""

import hashlib
import json
import shutil
import tarfile

import pyarrow.parquet as pq
import pytest

import orchestration.definitions  # noqa: F401  (registers the steps)
from orchestration.recipe import RecipeError, load_recipe
from orchestration.stages import open_build
from tests.conftest import REPOSITORY, TWO_SHARDS, make_project

pytestmark = pytest.mark.slow


def test_every_image_reference_of_the_crawl_is_a_sample(built, truth):
    project, _ = built
    expected = {(row["page_url"], row["img_index"]) for row in truth if f"{row['shard']}.warc.gz" in TWO_SHARDS}
    assert set(project.sql("SELECT page_url, position FROM sample")) == expected


def test_the_funnel_adds_up_at_every_stage(built):
    project, _ = built
    rows = project.sql("SELECT stage, came_in, kept, dropped FROM funnel")
    assert rows[0][:2] == ("crawl", project.sql("SELECT count(*) FROM sample")[0][0])
    assert all(came_in == kept + dropped for _, came_in, kept, dropped in rows)
    assert all(after[1] == before[2] for before, after in zip(rows, rows[1:], strict=False))
    assert rows[-1][0] == "release"
    assert rows[-1][2] == project.sql("SELECT count(*) FROM release_member")[0][0] > 0


def test_every_dropped_sample_has_stage_and_reason(built):
    project, _ = built
    assert project.sql("SELECT count(*) FROM decision WHERE NOT kept AND (reason IS NULL OR stage IS NULL)") == [(0,)]
    dropped = project.sql("SELECT count(DISTINCT sample_id) FROM decision WHERE NOT kept")[0][0]
    released = project.sql("SELECT count(*) FROM release_member")[0][0]
    assert dropped + released == project.sql("SELECT count(*) FROM sample")[0][0]


def test_every_dropped_near_duplicate_names_a_kept_one_above_the_threshold(built):
    project, _ = built
    assert project.sql(
        """SELECT count(*) FROM decision d WHERE stage = 'dedup' AND NOT kept AND (other_sample_id IS NULL
        OR NOT EXISTS (FROM decision o WHERE o.stage = 'dedup' AND o.kept AND o.sample_id = d.other_sample_id))"""
    ) == [(0,)]


def test_every_released_sample_is_allowed_and_has_one_rights_row(built):
    project, _ = built
    assert project.sql(
        """SELECT count(*) FROM release_member m JOIN rights r USING (sample_id)
        WHERE r.verdict NOT IN ('allow', 'url_only') OR r.reservation = 'reserved'"""
    ) == [(0,)]
    assert project.sql(
        """SELECT count(*) FROM (SELECT sample_id, count(*) n FROM release_member JOIN rights USING (sample_id) GROUP BY 1)
        WHERE n <> 1"""
    ) == [(0,)]


def test_released_bytes_are_the_crawled_bytes(built):
    project, _ = built
    hashes = {
        f"{i:020d}": h for i, h in project.sql("SELECT sample_id, sha256 FROM sample JOIN image USING (image_id)")
    }
    seen = 0
    for path in (project.home / "releases").glob("*/*.tar"):
        with tarfile.open(path) as archive:
            for member in archive:
                key, _, suffix = member.name.rpartition(".")
                if suffix in ("jpg", "png", "webp", "gif"):
                    digest = hashlib.sha256(archive.extractfile(member).read()).digest()
                    assert digest == hashes[key.rpartition("/")[2]]
                    seen += 1
    assert seen == project.sql("SELECT count(*) FROM release_member WHERE with_image")[0][0] > 0


def test_an_unlicensed_image_is_released_without_its_bytes(built):
    project, _ = built
    assert project.sql(
        "SELECT DISTINCT with_image FROM release_member JOIN rights USING (sample_id) WHERE verdict = 'url_only'"
    ) in ([(False,)], [])


def test_the_manifest_hash_is_in_the_database(built):
    project, manifest = built
    assert project.sql("SELECT lower(hex(manifest_sha256)) FROM build") == [(manifest,)]


def test_every_file_of_the_manifest_has_the_hash_it_says(built):
    project, _ = built
    (path,) = project.home.glob("builds/*/manifest.json")
    files = json.loads(path.read_bytes())["files"]
    assert len(files) > 30
    for file in files:
        assert hashlib.sha256((project.home / file["uri"]).read_bytes()).hexdigest() == file["sha256"]


def test_no_data_file_knows_the_folder_it_was_made_in(built):
    project, _ = built
    for path in (project.home / "lake").rglob("*.parquet"):
        for column in pq.read_table(path).columns:
            if str(column.type) == "string":
                assert not [v for v in column.to_pylist() if v and str(project.folder) in v]


def test_explain_tells_crawl_file_offset_and_license(built):
    project, _ = built
    ((sample, offset, uri),) = project.sql(
        """SELECT sample_id, r.offset, h.uri FROM release_member JOIN sample s USING (sample_id)
        JOIN record r ON r.record_id = s.page_record_id JOIN shard h ON h.shard_id = s.shard_id
        JOIN rights t USING (sample_id) WHERE t.image_license LIKE 'CC%' ORDER BY 1 LIMIT 1"""
    )
    story = project.winnow("explain", str(sample))
    assert uri.rpartition("/")[2] in story
    assert str(offset) in story.replace(",", "")
    assert project.sql(f"SELECT image_license FROM rights WHERE sample_id = {sample}")[0][0] in story


def test_explain_tells_why_a_dropped_sample_is_out(built):
    project, _ = built
    sample, stage, reason = project.sql("SELECT sample_id, stage, reason FROM decision WHERE NOT kept ORDER BY 1")[0]
    story = project.winnow("explain", str(sample))
    assert stage in story
    assert reason in story


def test_an_unknown_sample_is_one_sentence(built):
    project, _ = built
    error = project.winnow("explain", "12345", fails=True)
    assert "12345" in error
    assert len(error.strip().splitlines()) == 1


def test_sql_prints_csv(built):
    project, _ = built
    lines = project.winnow("sql", "--csv", "SELECT stage, kept FROM funnel").splitlines()
    assert lines[0] == "stage,kept"
    assert lines[1].startswith("crawl,")


def test_a_wrong_query_is_one_error(built):
    project, _ = built
    assert "the query was refused" in project.winnow("sql", "SELECT nothing FROM nowhere", fails=True)


def test_sql_cannot_write(built):
    project, _ = built
    assert "read-only" in project.winnow("sql", "DELETE FROM sample", fails=True)


def test_the_evidence_in_the_database_comes_to_the_rights_of_the_build(built):
    project, _ = built
    differing = "SELECT count(*) FROM (FROM rights EXCEPT FROM rights_under('commercial-open'))"
    assert project.sql(differing) == [(0,)]
    assert project.sql("SELECT count(*) FROM rights") == project.sql(
        "SELECT count(*) FROM rights_under('commercial-open')"
    )


def test_another_policy_is_weighed_without_a_build(built):
    project, _ = built
    strict = (REPOSITORY / "assets" / "rights" / "policies" / "commercial-open.yaml").read_text()
    (project.folder / "strict.yaml").write_text(strict.replace('"CC-BY-SA-*", "LicenseRef', '"LicenseRef').replace(
        'deny: ["*-NC-*"', 'deny: ["*-SA-*", "*-NC-*"'))  # fmt: skip
    out = project.winnow("what-if", "strict.yaml", "--csv").splitlines()
    shared = project.sql(
        "SELECT count(*) FROM release_member JOIN rights USING (sample_id) WHERE image_license LIKE '%-SA-%' AND verdict = 'allow'"
    )[0][0]
    assert sum(int(line.split(",")[-2]) for line in out[1:] if line.startswith("allow,deny,")) == shared > 0
    assert (
        project.winnow("what-if", "commercial-open")
        .strip()
        .endswith("0 samples would have another verdict, 0 of them released")
    )
    error = project.winnow("what-if", "no-such-policy", fails=True)
    assert "no such policy; name a YAML file or one of commercial-open" in error
    assert len(error.strip().splitlines()) == 1


def test_findings_are_read_again_in_the_crawl_file(built):
    project, _ = built
    ((sample,),) = project.sql(
        "SELECT min(sample_id) FROM release_member JOIN rights USING (sample_id) WHERE decided_by IS NOT NULL"
    )
    out = project.winnow("verify", "recipe.yaml", "--sample", str(sample))
    assert project.sql(f"SELECT decided_by FROM rights WHERE sample_id = {sample}")[0][0] in out
    assert "differs" not in out
    assert (
        project.winnow("verify", "recipe.yaml", "--count", "50")
        .strip()
        .splitlines()[-1]
        .startswith("50 findings: 50 same")
    )


def test_every_released_caption_says_what_it_comes_under(built):
    project, _ = built
    assert project.sql(
        """SELECT count(*) FROM caption WHERE chosen AND (license IS NULL
        OR model IS NOT NULL AND (model_license IS NULL OR output_terms IS NULL))"""
    ) == [(0,)]


def test_every_accepted_fusion_passes_the_gates_and_the_report_counts_the_others(built):
    from assets.captions.gates import judge

    project, _ = built
    rows = project.sql("""SELECT f.status, a.text, s.text, f.text, f.finish_reason FROM caption f
        JOIN caption a ON a.sample_id = f.sample_id AND a.kind = 'alt'
        JOIN caption s ON s.sample_id = f.sample_id AND s.kind = 'synthetic-short' AND s.selected
        WHERE f.kind = 'fused' AND f.text IS NOT NULL""")
    assert rows
    for status, alt, synthetic, fused, finish in rows:
        assert status != "ok" or judge(alt, synthetic, fused, finish_reason=finish).accepted
    [(asked,)] = project.sql("SELECT value FROM caption_metric WHERE metric = 'fusions_asked'")
    [(accepted,)] = project.sql("SELECT value FROM caption_metric WHERE metric = 'fusions_accepted'")
    assert accepted == sum(status == "ok" for status, *_ in rows)
    assert (
        asked
        == project.sql("SELECT count(*) FROM caption WHERE kind = 'fused' AND attempt = 1 AND key IS NOT NULL")[0][0]
    )


@pytest.fixture(scope="module")
def project(built, tmp_path_factory):
    """A copy of the finished build that a test may change."""
    folder = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(built[0].folder, folder)
    return type(built[0])(folder)


def test_a_second_build_elsewhere_reuses_everything_and_gives_the_same_hash(project, built):
    out = project.winnow("build", "recipe.yaml")
    assert "0 computed" in out
    assert out.strip().splitlines()[-1] == f"manifest: {built[1]}"


def test_changing_prune_keep_recomputes_only_what_is_downstream(project, built):
    before = {path: path.stat().st_mtime_ns for path in (project.home / "lake").rglob("*.*")}
    project.write_recipe(prune__keep=0.3)
    assert project.build() != built[1]
    after = {path: path.stat().st_mtime_ns for path in (project.home / "lake").rglob("*.*")}
    assert {path: after[path] for path in before} == before
    new = {path.parent.name for path in set(after) - set(before)}
    assert new == {
        "cluster", "decision", "hint", "draft", "completion", "repeated_text", "caption", "caption_target",
        "caption_metric", "release_member", "document", "document_left_out", "evaluation_arm", "evaluation_rank",
        "evaluation_score", "evaluation_comparison",
    }  # fmt: skip
    ran = project.sql(
        """SELECT asset, count(*) FILTER (NOT reused), count(*) FILTER (reused) FROM run JOIN build USING (build_id)
        WHERE build.build_id = (SELECT build_id FROM build ORDER BY completed_at DESC LIMIT 1) GROUP BY 1"""
    )
    computed = {asset for asset, made, _ in ran if made}
    reused = {asset for asset, _, found in ran if found}
    assert computed == {
        "concepts", "selection", "hints", "synthetic", "fusion", "repeated", "captions", "caption_targets",
        "caption_report", "documents", "release", "evaluation_arms", "comparison",
    }  # fmt: skip
    assert {"crawl", "evidence", "pool", "embeddings", "dedup", "centroids", "membership"} <= reused
    assert not computed & reused


def test_diff_says_what_changed_and_why(project, built):
    builds = [row[0] for row in project.sql("SELECT build_id FROM build ORDER BY completed_at")]
    assert len(builds) == 2
    told = project.winnow("diff", *builds)
    assert "removed" in told
    assert "prune" in told
    assert project.winnow("diff", builds[0], builds[0]).strip() == "no difference"


def test_gc_deletes_only_what_no_kept_build_names(project):
    latest = project.sql("SELECT build_id FROM build ORDER BY completed_at DESC LIMIT 1")[0][0]
    assert "to delete with --yes" in project.winnow("gc", "--keep", "1")
    project.winnow("gc", "--keep", "1", "--yes")
    files = json.loads((project.home / "builds" / latest / "manifest.json").read_bytes())["files"]
    assert all((project.home / file["uri"]).exists() for file in files)
    assert "0 files" in project.winnow("gc", "--keep", "1")


def test_a_build_that_starts_from_an_earlier_one_keeps_its_concept_ids(project):
    earlier = project.sql("SELECT build_id FROM build ORDER BY completed_at DESC LIMIT 1")[0][0]
    before = {row[0] for row in project.sql("SELECT cluster_id FROM centroid")}
    plain = {"captions__fusion__kind": "none", "evaluation": None, "release__documents": False}
    project.write_recipe(clusters__warm_start=earlier, clusters__k=9, **plain)
    project.build()
    after = {row[0] for row in project.sql("SELECT cluster_id FROM centroid")}
    assert len(after) == 9
    assert before < after
    assert project.sql("SELECT count(*) FROM kmeans WHERE chosen AND k = 9")[0][0] >= 1
    start = json.loads((project.home / "builds" / earlier / "manifest.json").read_bytes())
    assert [file["uri"] for file in start["files"] if file["table"] == "centroid"]
    for name, told in (("demo", "this recipe's own name"), ("nowhere", "is nowhere, but there is no such build")):
        recipe = load_recipe(project.write_recipe(clusters__warm_start=name))
        with pytest.raises(RecipeError, match=f"clusters.warm_start.*{told}"):
            _ = open_build(recipe, project.home).build_id


def test_a_diversified_build_keeps_a_few_of_each_cell_and_its_funnel_adds_up(project):
    changes = {"diversify__cells": 30, "diversify__top": 2, "clusters__sweep": [2, 4], "clusters__k": "auto"}
    project.write_recipe(**changes, captions__fusion__kind="none", evaluation=None, release__documents=False)
    project.build()
    kept, dropped = project.sql(
        "SELECT count(*) FILTER (kept), count(*) FILTER (NOT kept) FROM decision WHERE stage = 'diversify'"
    )[0]
    assert kept + dropped == project.sql("SELECT count(*) FROM decision WHERE stage = 'dedup' AND kept")[0][0]
    assert project.sql("SELECT count(*) FROM cluster_member") == [(kept,)]
    assert project.sql(
        """SELECT count(*) FROM decision d WHERE stage = 'diversify' AND NOT kept AND NOT EXISTS
        (SELECT 1 FROM decision o WHERE o.sample_id = d.other_sample_id AND o.stage = 'diversify' AND o.kept)"""
    ) == [(0,)]
    assert {row[0] for row in project.sql("SELECT DISTINCT k FROM kmeans")} == {2, 4}


def test_a_missing_crawl_file_is_one_sentence(tmp_path):
    project = make_project(tmp_path / "p")
    project.write_recipe(crawl={"sources": [{"name": "two", "uris": ["crawl/none.warc.gz"]}]})
    error = project.winnow("build", "recipe.yaml", fails=True)
    assert "crawl/none.warc.gz" in error
    assert "no such file" in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(("key", "value"), [("prune__keep", 1.4), ("prune__kep", 0.4), ("clusters__k", "many")])
def test_a_wrong_recipe_is_one_sentence(tmp_path, key, value):
    project = make_project(tmp_path / "p")
    project.write_recipe(**{key: value})
    error = project.winnow("build", "recipe.yaml", fails=True)
    assert key.replace("__", ".") in error
    assert len(error.strip().splitlines()) == 1


def test_an_unwritable_home_is_one_sentence(tmp_path):
    project = make_project(tmp_path / "p")
    project.home.write_text("a file where a folder must be")
    error = project.winnow("build", "recipe.yaml", fails=True)
    assert "set WINNOW_HOME elsewhere" in error
    assert len(error.strip().splitlines()) == 1
