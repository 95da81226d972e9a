import dataclasses

import duckdb
import pytest

from assets.provenance.database import build_database
from assets.provenance.explain import explain, render
from assets.provenance.story_text import plain
from tests.provenance import tiny_build as t


def told(connection, sample_id):
    return render(explain(connection, sample_id))


def test_a_released_sample_is_told_from_crawl_byte_to_release_row(tiny):
    text = told(tiny, t.A0)
    assert text.startswith(f"sample {t.A0}: released in {t.RELEASE}, 00000.tar row 0\n")
    assert "crawl/one.warc.gz at offset 1000, 100 bytes, fetched 2026-03-01T12:00:00Z" in text
    assert "lake/image/one.tar: a.jpg" in text
    assert f"sha256 {t.sha(b'a' * 40).hex()}" in text
    assert "* fused [ok] by small-llm@2 (Apache-2.0, outputs none): “An oak leaf from a tree”" in text
    assert "concept 0: 3 samples, quota 2; distance to its centroid 0.2000" in text


def test_the_deciding_license_statement_is_marked_and_located(tiny):
    [line] = [line for line in told(tiny, t.A0).splitlines() if "<- decided" in line]
    assert "figure_rel" in line
    assert "[crawl/one.warc.gz at 1000, body bytes 500-550]" in line


def test_a_dropped_sample_says_stage_reason_score_and_threshold(tiny):
    text = told(tiny, t.B2)
    assert text.startswith(f"sample {t.B2}: dropped at pool: aspect_ratio (score 5, limit 3)")
    assert "DROPPED aspect_ratio (score 5, limit 3)" in text


def test_a_near_duplicate_names_the_sample_it_lost_to(tiny):
    assert f"sample {t.A0} stays in its place: https://cdn.leaf.example/a.jpg" in told(tiny, t.A1)


def test_an_opt_out_of_the_site_is_told_with_its_bytes(tiny):
    text = told(tiny, t.B1)
    assert "opt-out reserved for ai_train by robots_agents (site)  <- decided" in text
    assert "[crawl/two.warc.gz at 9000, body bytes 0-34]" in text


def test_copies_of_the_same_bytes_are_told_with_their_license(tiny):
    story = explain(tiny, t.A0)
    assert story.copy_count == 1
    assert [row["sample_id"] for row in story.copies] == [t.A1]
    assert f"copy    sample {t.A1}: CC-BY-SA-4.0, allow, decided by figure_rel" in render(story)


def test_a_rejected_fusion_says_which_gate(tiny):
    assert "fused [rejected, leak (score 1, limit 0)] by small-llm@2" in told(tiny, t.A2)


def test_a_sample_whose_image_the_crawl_lacks_is_told(tiny):
    text = told(tiny, t.A3)
    assert "not in the crawl" in text
    assert "dropped at crawl: not_archived" in text


def test_a_sample_released_by_address_says_so(tiny):
    text = told(tiny, t.A4)
    assert "released by its address only" in text
    assert "no finding decided" in text


def test_text_from_the_web_cannot_command_a_terminal(tiny):
    text = told(tiny, t.A2)
    assert all(character.isprintable() or character == "\n" for character in text)


def test_long_texts_are_cut_and_stay_on_one_line():
    assert plain("a\nb\tc\u202ed\x00e") == "a b c d e"
    assert plain("x" * 500, 10) == "x" * 9 + "…"


def test_many_findings_are_counted_and_not_listed(tiny):
    story = explain(tiny, t.A0)
    many = dataclasses.replace(story, licenses=story.licenses[:1] * 50, copy_count=40)
    text = render(many)
    assert "… and 42 more" in text
    assert "copies  40 in all" in text
    assert len(text.splitlines()) < 60


@pytest.mark.parametrize("sample_id", [12345, -1, 2**64, 2**80, 0])
def test_an_unknown_sample_says_in_one_line_how_to_find_ids(tiny, sample_id):
    with pytest.raises(
        LookupError, match=rf"no sample has the id {sample_id} .*{t.A0} to {t.B3}.*FROM why LIMIT 10"
    ) as error:
        explain(tiny, sample_id)
    assert "\n" not in error.value.args[0]


def test_a_sample_without_rights_row_or_decision_is_told(tmp_path):
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, {"sample": t.tables()["sample"]}), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        text = told(connection, t.A0)
    assert "kept so far, in no release" in text
    assert "record is not in this database" in text


def test_a_verdict_that_a_copy_decided_points_to_the_copies(tiny):
    story = explain(tiny, t.A1)
    text = render(dataclasses.replace(story, rights={**story.rights, "decided_by": "twin", "conflict": True}))
    assert "decided by a copy of the same bytes, see below" in text
    assert "statements conflict" in text
    assert f"copy    sample {t.A0}: CC-BY-4.0, allow, decided by figure_rel" in text


def test_attempts_to_fetch_an_image_are_told_in_order(tiny):
    text = told(tiny, t.A3)
    assert "fetch 1: failed timeout, 2026-03-01T12:00:00Z" in text
    assert "fetch 2: refused x_robots_tag (noai), 2026-03-01T12:00:00Z" in text


def test_a_sample_without_a_page_says_which_row_of_which_list_it_is(tmp_path):
    sample = t.sample(t.A1, None, None, None, "https://cdn.leaf.example/a.jpg", "leaf", 0)
    shard = {"shard_id": 1, "source": "s", "uri": "l.parquet", "kind": "links", "first_row": 10000, "status": "ok"}
    made = {"sample": t.table("sample", [sample]), "shard": t.table("shard", [shard])}
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, made), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        assert "from    l.parquet, row 10001" in told(connection, t.A1)


def test_the_evidence_of_a_story_is_that_of_the_view(tiny):
    for sample_id in t.SAMPLES:
        story = explain(tiny, sample_id)
        told = [*story.licenses, *story.reservations]
        viewed = tiny.execute("FROM sample_evidence WHERE sample_id = ?", [sample_id]).to_arrow_table().to_pylist()
        key = lambda row: sorted((name, str(value)) for name, value in row.items())  # noqa: E731
        assert sorted(told, key=key) == sorted(viewed, key=key)
