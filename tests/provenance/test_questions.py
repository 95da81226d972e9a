import hashlib

import duckdb
import pytest

from assets.provenance.database import build_database
from assets.provenance.explain import explain, render
from assets.provenance.questions import NAMED, answer, list_questions
from tests.provenance import tiny_build as t

GIVEN = {
    "sample_id": str(t.A0), "domain": "moon.example", "license": "CC-*", "kind": "domain", "value": "moon.example",
    "older": "b0", "newer": t.RELEASE,
    "policy": "metadata-only",
}  # fmt: skip


def ask(connection, name, **values):
    return answer(connection, name, values).to_pylist()


def test_every_question_says_what_it_answers_and_describes_its_parameters():
    for question in list_questions():
        assert question.title.endswith((".", "?", ")")), question.name
        assert all(question.parameters.values()), question.name
        assert all(f"${name}::" in question.sql for name in question.parameters), question.name
        asked = [*question.parameters, *(["radius"] if NAMED in question.sql else [])]
        assert question.sql.count("$") == sum(question.sql.count(f"${name}::") for name in asked)


def test_the_questions_that_people_ask_are_there():
    asked = {
        "where_from", "why_dropped", "license_evidence", "caption_models", "attribution", "license_by_cluster",
        "from_domain", "unknown_licenses", "domains_by_bytes", "reservations_by_protocol", "funnel", "releases_with",
        "build_diff", "what_if_policy", "takedown_reach",
    }  # fmt: skip
    numbered = {question.name: question.title.partition(".")[0] for question in list_questions()}
    assert {int(number) for number in numbered.values() if number.isdecimal()} == set(range(1, 16))
    assert {name for name, number in numbered.items() if number.isdecimal()} == asked


@pytest.mark.parametrize("question", list_questions(), ids=lambda question: question.name)
def test_every_question_is_answered_the_same_way_twice(tiny, question):
    given = {name: GIVEN[name] for name in question.parameters}
    first = answer(tiny, question.name, given).to_pylist()
    assert first == answer(tiny, question.name, given).to_pylist()
    assert first


def test_fetching_is_told_by_outcome_and_by_host_and_the_last_attempt_counts(tiny):
    assert ask(tiny, "fetch_outcomes") == [
        {"status": "refused", "reason": "x_robots_tag", "addresses": 1, "attempts": 2}
    ]
    [host] = ask(tiny, "fetch_by_host")
    assert (host["host"], host["addresses"], host["refused"], host["failed"]) == ("cdn.leaf.example", 1, 1, 0)


def test_where_from(tiny):
    [row] = ask(tiny, "where_from", sample_id=t.B0)
    assert (row["crawl_file"], row["page_offset"], row["image_offset"]) == ("crawl/two.warc.gz", 1000, 2000)
    assert row["crawl_file_sha256"] == t.sha("two").hex()
    assert (row["image_sha256"], row["image_file"], row["image_member"]) == (t.sha(b"e" * 10).hex(), t.TARS[2], "e.gif")


def test_where_from_a_sample_whose_image_the_crawl_lacks(tiny):
    [row] = ask(tiny, "where_from", sample_id=t.A3)
    assert (row["page_offset"], row["image_offset"], row["image_sha256"]) == (1000, None, None)


def test_why_dropped_follows_the_sample_to_its_end_with_code_and_settings(tiny):
    found = ask(tiny, "why_dropped", sample_id=t.A1)
    assert [(row["stage"], row["kept"]) for row in found] == [
        ("crawl", True), ("rights", True), ("pool", True), ("dedup", False),
    ]  # fmt: skip
    last = found[-1]
    assert (last["reason"], last["score"], last["threshold"], last["other_sample_id"]) == ("exact", 1.0, 0.95, t.A0)
    assert (last["asset"], last["code_version"]) == ("dedup_asset", "code of dedup")
    assert last["config_sha256"] == t.sha("config of dedup").hex()


def test_license_evidence_shows_the_deciding_statement_first(tiny):
    found = ask(tiny, "license_evidence", sample_id=t.A0)
    assert [(row["decided"], row["rule"], row["byte_start"], row["byte_end"]) for row in found] == [
        (True, "figure_rel", 500, 550), (False, "page_rel", 900, 950),
    ]  # fmt: skip


def test_captions_of_a_sample(tiny):
    found = ask(tiny, "captions_of", sample_id=t.A2)
    assert [(row["kind"], row["chosen"], row["status"], row["reason"], row["model_license"]) for row in found] == [
        ("alt", True, "ok", None, None),
        ("fused", False, "rejected", "leak", "Apache-2.0"),
        ("synthetic-short", False, "ok", None, "MIT"),
    ]


def test_what_captions_took(tiny):
    assert ask(tiny, "model_calls") == [
        {"asset": "fusion", "agent_id": "small-llm@2", "questions": 3, "answered": 2, "requests": 9, "tokens_read": 200,
         "tokens_written": 90, "seconds": 6.0, "median_seconds": 1.5, "cost": 0.75}
    ]  # fmt: skip


def test_caption_models(tiny):
    columns = ("kind", "model", "model_license", "captions", "accepted", "rejected", "skipped", "chosen", "released")
    assert [tuple(row[name] for name in columns) for row in ask(tiny, "caption_models")] == [
        ("alt", None, None, 4, 3, 0, 1, 2, 2),
        ("fused", "small-llm@2", "Apache-2.0", 4, 1, 1, 2, 1, 1),
        ("synthetic-short", "tagger@1", "MIT", 4, 4, 0, 0, 1, 1),
    ]


def test_releases_with_a_sample(tiny):
    [row] = ask(tiny, "releases_with", sample_id=t.A2)
    assert (row["release_id"], row["file"], row["row"], row["version"]) == (t.RELEASE, "00000.tar", 1, "1.0.0")
    assert ask(tiny, "releases_with", sample_id=t.A1) == []


def test_attribution(tiny):
    columns = ("sample_id", "title", "author", "source", "license", "license_url", "required")
    found = [tuple(row[name] for name in columns) for row in ask(tiny, "attribution")]
    by = "https://creativecommons.org/licenses/by/4.0/"
    assert found[0] == (t.A0, "Oak", "Jane Doe", t.LEAF, "CC-BY-4.0", by, True)
    assert [row[0] for row in found] == [t.A0, t.A2, t.B0]


def test_license_by_cluster(tiny):
    columns = ("cluster_id", "license", "samples", "share", "released")
    assert [tuple(row[name] for name in columns) for row in ask(tiny, "license_by_cluster")] == [
        (0, "CC-BY-4.0", 2, 0.6667, 1), (0, "CC0-1.0", 1, 0.3333, 1),
        (1, "CC-BY-SA-4.0", 1, 0.5, 1), (1, "NONE", 1, 0.5, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("moon.example", {t.A4, t.A5, t.B0, t.B1}),
        ("MOON.example", {t.A4, t.A5, t.B0, t.B1}),
        ("leaf.example", {t.A0, t.A1, t.A2, t.A3}),
        ("cdn.leaf.example", {t.A0, t.A1, t.A2, t.A3}),
        ("oon.example", set()),
        ("%", set()),
    ],
)
def test_from_domain_finds_pages_and_images_of_its_hosts_only(tiny, domain, expected):
    assert {row["sample_id"] for row in ask(tiny, "from_domain", domain=domain)} == expected


def test_from_domain_says_what_became_of_each_sample(tiny):
    found = {row["sample_id"]: row for row in ask(tiny, "from_domain", domain="moon.example")}
    assert (found[t.B0]["released"], found[t.B0]["file"]) == (True, "00001.tar")
    assert (found[t.B1]["released"], found[t.B1]["dropped_stage"], found[t.B1]["dropped_reason"]) == (
        False,
        "rights",
        "reserved",
    )


def test_unknown_licenses(tiny):
    columns = ("license", "samples", "share", "released", "share_of_release", "released_with_image")
    assert [tuple(row[name] for name in columns) for row in ask(tiny, "unknown_licenses")] == [
        ("NONE", 1, 0.1111, 1, 0.25, 0), ("stated", 8, 0.8889, 3, 0.75, 3),
    ]  # fmt: skip


def test_domains_by_bytes(tiny):
    columns = ("domain", "samples", "bytes", "share", "released_bytes", "rank_share")
    assert [tuple(row[name] for name in columns) for row in ask(tiny, "domains_by_bytes")] == [
        ("leaf.example", 3, 140, 0.35, 100, 0.3333),
        ("moon.example", 4, 140, 0.35, 10, 0.6667),
        ("star.example", 2, 120, 0.3, 0, 1.0),
    ]


def test_reservations_by_protocol(tiny):
    columns = ("protocol", "usage", "decision", "records", "samples", "decided")
    assert [tuple(row[name] for name in columns) for row in ask(tiny, "reservations_by_protocol")] == [
        ("robots_agents", "ai_train", "reserved", 1, 4, 1), ("tdmrep_meta", "tdm", "allowed", 1, 4, 0),
    ]  # fmt: skip


def test_funnel(tiny):
    found = ask(tiny, "funnel")
    assert [(row["stage"], row["kept_share"]) for row in found][:3] == [
        ("crawl", 0.9),
        ("rights", 0.7778),
        ("pool", 0.8571),
    ]


def test_an_evaluation_set_that_claims_nothing_is_told_too(tiny):
    [row] = ask(tiny, "evaluation_sets")
    told = {
        "name": "bench",
        "version": "1",
        "date": "2020-01-01",
        "license": "MIT",
        "items": 3,
        "failed": 1,
        "match": None,
    }
    assert row == {**told, "claimed": 0, "dropped_for_it": 0, "lowest": None, "highest": None}


def claimed_twice(folder):
    """A database in which two versions of a set claim a star, and one of them the moon as well."""
    made = t.tables()
    registry = [{**t.EVALUATION_SETS[0], "version": version, "date": f"202{version}-01-01"} for version in "12"]
    hit = [
        {"list": name, "sample_id": sample, "match": "phash", "score": bits, "threshold": 8.0, "item": item, "view": "left"}
        for name, sample, bits, item in (
            ("eval:bench@1", t.B3, 2.0, "s.jpg"), ("eval:bench@2", t.B0, 6.0, "m.jpg"), ("eval:bench@2", t.B3, 4.0, "s.jpg"),
        )
    ]  # fmt: skip
    gone = {t.B0: ("eval:bench@2", 6.0, 8.0, None), t.B3: ("eval:bench@1", 2.0, 8.0, None)}
    kept = [
        row
        for row in made["decision"].to_pylist()
        if row["sample_id"] not in gone or row["stage"] in ("crawl", "rights")
    ]
    rows = [*kept, *t.decided("decontaminate", [t.A0, t.A2, t.A4], gone)]
    made |= {
        "eval_registry": t.table("eval_registry", registry), "hit": t.table("hit", hit),
        "decision": t.table("decision", rows),
    }  # fmt: skip
    path = folder / "claimed.duckdb"
    build_database(path, t.write_files(folder, made), t.ledger())
    return duckdb.connect(str(path), read_only=True)


def test_what_two_versions_of_a_set_claim_went_under_one_of_them(tmp_path):
    with claimed_twice(tmp_path) as connection:
        found = ask(connection, "evaluation_sets")
    columns = ("version", "match", "claimed", "dropped_for_it", "lowest", "highest")
    assert [tuple(row[name] for name in columns) for row in found] == [
        ("1", "phash", 1, 1, 2.0, 2.0),
        ("2", "phash", 2, 1, 4.0, 6.0),
    ]


def test_a_claimed_samples_story_names_set_item_and_view(tmp_path):
    with claimed_twice(tmp_path) as connection:
        text = render(explain(connection, t.B3))
    assert "decontaminate DROPPED eval:bench@1 (score 2, limit 8)" in text
    assert "claimed by eval:bench@1, item s.jpg: phash, view left (score 2, limit 8)" in text
    assert "claimed by eval:bench@2, item s.jpg: phash, view left (score 4, limit 8)" in text


def test_a_comparison_with_chance_says_whether_it_supports_a_claim(tiny):
    [row] = ask(tiny, "chance")
    assert (row["metric"], row["other"], row["pruned"], row["supported"]) == ("zero_shot", "random", 0.5, False)


def test_what_if_a_license_were_denied(tiny):
    [row] = ask(tiny, "what_if_denied", license="CC-BY-SA-*")
    assert (row["file"], row["license"], row["samples"]) == ("00001.tar", "CC-BY-SA-4.0", 1)
    assert sum(row["samples"] for row in ask(tiny, "what_if_denied", license="CC*")) == 3


def test_copies_of_one_image_under_two_licenses_are_listed_each_with_its_own(tiny):
    found = ask(tiny, "license_conflicts")
    assert [(row["sample_id"], row["license"], row["conflict"], row["verdict"]) for row in found] == [
        (t.A0, "CC-BY-4.0", True, "allow"), (t.A1, "CC-BY-SA-4.0", True, "allow"),
    ]  # fmt: skip


def test_what_if_the_policy_were_another(tiny):
    found = ask(tiny, "what_if_policy", policy="metadata-only")
    columns = ("license", "verdict_now", "verdict_then", "samples", "released")
    assert {tuple(row[name] for name in columns) for row in found} == {
        ("CC-BY-4.0", "allow", "url_only", 3, 1), ("CC0-1.0", "allow", "url_only", 1, 1),
        ("CC-BY-SA-4.0", "allow", "url_only", 2, 1), ("CC-BY-NC-4.0", "deny", "url_only", 1, 0),
        ("CC-BY-SA-4.0", "deny", "url_only", 1, 0),
    }  # fmt: skip
    with pytest.raises(duckdb.Error, match="no policy is named no-such-policy; FROM policy lists them"):
        ask(tiny, "what_if_policy", policy="no-such-policy")


def test_a_takedown_reaches_the_sample_that_stands_for_a_dropped_copy(tiny):
    found = ask(tiny, "takedown_reach", kind="url_prefix", value="http://star.example/")
    assert found == []
    found = ask(tiny, "takedown_reach", kind="url", value="https://cdn.leaf.example/a.jpg")
    assert [(row["file"], row["match"], row["sample_ids"]) for row in found] == [("00000.tar", "exact", [t.A0])]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("sample", str(t.A1)), ("record", str(t.ONE | 11)), ("image_sha256", t.sha(t.BYTES["a.jpg"]).hex()),
        ("image_md5", hashlib.md5(t.BYTES["a.jpg"]).hexdigest()), ("phash", (b"a" * 8).hex() + "/0"),
    ],
)  # fmt: skip
def test_a_takedown_reaches_the_same_group_from_any_of_it_by_any_kind_of_selector(tiny, kind, value):
    found = ask(tiny, "takedown_reach", kind=kind, value=value)
    assert t.A0 in [sample for row in found for sample in row["sample_ids"]]


def test_releases_before_this_one_are_told_too(tiny):
    found = ask(tiny, "releases_with", sample_id=t.A0)
    assert [(row["release_id"], row["file"], row["withdrawn_at"] is not None) for row in found] == [
        (t.BEFORE, "00000.tar", True), (t.RELEASE, "00000.tar", False),
    ]  # fmt: skip
    assert [row["release_id"] for row in ask(tiny, "releases_with", sample_id=t.B3)] == [t.BEFORE]


@pytest.mark.parametrize(("older", "newer"), [("b0", "b1"), (t.BEFORE, t.RELEASE)])
def test_the_difference_of_two_builds_has_reasons(tiny, older, newer):
    found = ask(tiny, "build_diff", older=older, newer=newer)
    assert [(row["sample_id"], row["change"], row["stage"], row["reason"]) for row in found] == [
        (t.A2, "added", "prune", "over_quota"), (t.A0, "changed caption", "captions", "alt -> fused"),
        (t.B3, "removed", "prune", "over_quota"),
    ]  # fmt: skip
    assert (found[1]["before"], found[1]["after"]) == ("a leaf", "a green leaf")
    assert ask(tiny, "build_diff", older="b1", newer="b0") == []


@pytest.mark.parametrize("value", ["' OR 1=1 --", "1; DROP TABLE sample", "", "-1", "1e400", str(2**64)])
def test_a_hostile_sample_id_is_a_wrong_value_and_no_sql(tiny, value):
    with pytest.raises(ValueError, match="question where_from"):
        ask(tiny, "where_from", sample_id=value)


def test_hostile_text_is_only_text(tiny):
    assert ask(tiny, "from_domain", domain="x' OR '1'='1") == []
    assert ask(tiny, "takedown_reach", kind="creator", value="' UNION SELECT 1 --") == []
    with pytest.raises(ValueError, match="is no http address"):
        ask(tiny, "takedown_reach", kind="url_prefix", value="' UNION SELECT 1 --")
    with pytest.raises(ValueError, match="no kind of selector"):
        ask(tiny, "takedown_reach", kind="' UNION SELECT 1 --", value="x")


def test_a_missing_or_unknown_parameter_is_named(tiny):
    with pytest.raises(ValueError, match="question where_from takes sample_id .*given: none"):
        ask(tiny, "where_from")
    with pytest.raises(ValueError, match="question funnel takes no parameters; given: x"):
        ask(tiny, "funnel", x="1")


def test_an_unknown_question_says_which_there_are(tiny):
    with pytest.raises(LookupError, match="no question is named 'nope'.*where_from"):
        ask(tiny, "nope")


def test_questions_answer_an_empty_database(tmp_path):
    build_database(tmp_path / "p.duckdb", {}, {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        for question in list_questions():
            assert answer(connection, question.name, {name: GIVEN[name] for name in question.parameters}).num_rows == 0
