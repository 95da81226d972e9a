import datetime
import json
import re
import warnings

import duckdb
import prov.model
import pyarrow as pa
import pytest

from assets.provenance.database import build_database
from assets.provenance.prov import IDENTIFIERS, prov_document, prov_json
from tests.provenance import tiny_build as t

INPUTS = {
    "candidates": [], "fetch": ["candidates"], "crawl": ["candidates", "fetch"], "evidence": ["candidates", "crawl"],
    "site_evidence": ["crawl", "evidence"], "twins": ["crawl"], "rights": ["crawl", "twins"], "synthetic": ["crawl"],
    "fusion": ["crawl", "synthetic"], "captions": ["synthetic", "fusion"], "release": ["crawl", "captions"],
}  # fmt: skip
PER_SHARD = {
    "candidates": ["record", "candidate"], "fetch": ["fetch", "record"], "crawl": ["sample", "image", "image.tar"],
    "evidence": ["license_evidence", "reservation_evidence"], "site_evidence": ["reservation_evidence"],
    "rights": ["rights"], "synthetic": ["draft"], "fusion": ["draft"], "captions": ["caption"],
}  # fmt: skip
FOR_ALL = {"twins": ["twin"], "release": ["release_member"]}
WARC = "observations/fetch/x/000001 %.warc"
SEGMENT = "observations/fetch/x/000001.parquet"
FETCHED = t.ONE | 2**31
LATER = t.FETCHED + datetime.timedelta(days=1)


def fingerprint(asset, shard):
    return t.sha(f"{asset} {shard}").hex()[:16]


def uri(table, shard):
    return t.TARS[shard] if table == "image.tar" else f"lake/{table}/{shard or 'all'}.parquet"


def artifact(asset, shard, table, where, run_id="run-1"):
    row = {"uri": where, "table_name": table, "shard_id": shard, "asset": asset, "sha256": t.sha(where), "bytes": 9}
    return {**row, "fingerprint": fingerprint(asset, shard), "run_id": run_id}


def run(asset, shard, run_id="run-1", at=t.FETCHED, **more):
    row = {"run_id": run_id, "build_id": "b1", "asset": asset, "partition": shard and f"tiny.0000{shard}"}
    row |= {"fingerprint": fingerprint(asset, shard), "code_version": f"code of {asset}", "config_sha256": t.sha("c")}
    return {**row, "started_at": at, "ended_at": at, "status": "ok", "reused": False, **more}


def activity(asset, shard):
    return f"winnow:run/{asset}/{f'tiny.0000{shard}' if shard else 'all'}@{fingerprint(asset, shard)}"


def artifacts_and_runs():
    """The files of two crawl files' stages, and the runs that made them; crawl of the second one failed at first."""
    work = [(a, s, table) for a, tables in PER_SHARD.items() for s in (1, 2) for table in tables]
    work += [(a, None, table) for a, tables in FOR_ALL.items() for table in tables]
    artifacts = [
        artifact(a, s, table, uri(f"{a}-{table}" if table != "image.tar" else table, s)) for a, s, table in work
    ]
    artifacts += [artifact("fetch", 1, "fetch.segment", SEGMENT, None), artifact("fetch", 1, "fetch.warc", WARC, None)]
    artifacts.append(artifact("release", None, "release", f"releases/{t.RELEASE}/00000.tar", None))
    made = sorted({(a, s or 0) for a, s, _ in work})
    runs = [run(a, s or None) for a, s in made if (a, s) != ("crawl", 2)]
    runs += [run("crawl", 2, status="failed"), run("crawl", 2, "run-2", LATER)]
    runs.append(run("candidates", 1, "run-2", LATER, reused=True))
    return artifacts, runs


def whole_ledger():
    artifacts, runs = artifacts_and_runs()
    ledger = t.ledger()
    for name, rows in (("artifact", artifacts), ("run", runs)):
        ledger[name] = pa.concat_tables([ledger[name], t.table(name, rows)])
    return ledger


def more_tables():
    """The tiny build with an answer of a host, what experts saw in A0, and the program among the agents."""
    made = t.tables()
    hint = {"sample_id": t.A0, "image_sha256": t.sha(b"a" * 40), "tags": ["leaf"], "tag_similarities": [0.5]}
    rows = {
        "record": [t.record(FETCHED, 7, "https://cdn.leaf.example/late.jpg", file=WARC)],
        "hint": [{**hint, "experts": ["tagger@1"]}],
        "agent": [
            {"agent_id": "winnow", "kind": "program", "name": "winnow", "revision": "1", "license": "Apache-2.0"}
        ],
    }
    for name, found in rows.items():
        added = t.table(name, found)
        made[name] = pa.concat_tables([made[name], added]) if name in made else added
    return made


def opened(folder, materialize):
    files = t.write_files(folder, more_tables())
    build_database(folder / "p.duckdb", files, whole_ledger(), materialize=materialize, inputs=INPUTS)
    return duckdb.connect(str(folder / "p.duckdb"), read_only=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("prov"), materialize=True) as connection:
        yield connection


def asked(connection, query, *values):
    return connection.execute(query, list(values)).fetchall()


def used_by(connection, asset, shard):
    found = asked(connection, "SELECT entity FROM prov_used WHERE activity = ?", activity(asset, shard))
    return sorted(entity for (entity,) in found)


def made_from(connection, generated):
    found = asked(connection, "SELECT used, activity FROM prov_was_derived_from WHERE generated = ?", generated)
    assert len(found) == len(set(found))
    return set(found)


def file(name):
    return f"winnow:artifact/{name}"


def crawl_files(shard):
    return [file(f"lake/crawl-image/{shard}.parquet"), file(f"lake/crawl-sample/{shard}.parquet"), file(t.TARS[shard])]


# Which run used what


def test_a_run_for_one_shard_uses_files_of_that_shard_and_of_assets_that_take_all_shards(home):
    assert used_by(home, "rights", 2) == sorted([*crawl_files(2), file("lake/twins-twin/all.parquet")])


def test_a_run_over_all_shards_uses_files_of_every_shard(home):
    assert used_by(home, "twins", None) == sorted(crawl_files(1) + crawl_files(2))


def test_runs_that_read_a_crawl_file_use_it(home):
    assert used_by(home, "candidates", 2) == ["winnow:shard/2"]
    crawled = asked(home, "SELECT asset FROM prov_used WHERE entity = prov_shard(1) ORDER BY asset")
    assert crawled == [("candidates",), ("crawl",), ("evidence",)]


def test_answers_of_hosts_are_used_by_the_run_that_reads_them_and_were_made_by_none(home):
    observed = {"winnow:artifact/observations/fetch/x/000001%20%25.warc", file(SEGMENT)}
    assert observed < set(used_by(home, "fetch", 1))
    assert observed < set(used_by(home, "crawl", 1))
    assert not observed & set(used_by(home, "crawl", 2))
    assert asked(home, "SELECT count(*) FROM prov_was_generated_by WHERE entity LIKE '%observations%'") == [(0,)]


def test_nothing_is_said_of_use_where_nobody_says_which_asset_reads_which(tiny):
    assert asked(tiny, "SELECT count(*) FROM prov_used WHERE entity NOT LIKE 'winnow:shard/%'") == [(0,)]


# Which run made what


def test_a_run_that_found_the_files_there_or_failed_made_nothing(home):
    query = "SELECT run_id, epoch_us(started_at) FROM prov_activity WHERE activity = ?"
    first, later = (int(at.timestamp()) * 10**6 for at in (t.FETCHED, LATER))
    assert asked(home, query, activity("candidates", 1)) == [("run-1", first)]
    assert asked(home, query, activity("crawl", 2)) == [("run-2", later)]


def test_every_file_was_made_by_one_run(home):
    query = "SELECT count(*), count(DISTINCT entity) FROM prov_was_generated_by WHERE what = 'file'"
    observed = 2
    assert asked(home, query) == asked(home, "SELECT count(*) - ?, count(*) - ? FROM artifact", observed, observed)


def test_files_of_a_release_folder_were_made_by_the_release(home):
    query = "SELECT activity, epoch_us(made_at) FROM prov_was_generated_by WHERE entity = ?"
    found = asked(home, query, file(f"releases/{t.RELEASE}/00000.tar"))
    assert found == [(activity("release", None), int(t.FETCHED.timestamp()) * 10**6)]


def test_every_row_was_made_by_one_run(home):
    query = "SELECT entity, activity FROM prov_was_generated_by WHERE sample_id = ? ORDER BY ALL"
    caption = f"winnow:caption/{t.A0}"
    assert asked(home, query, t.A0) == [
        (f"{caption}/alt/-/0", activity("fusion", 1)),
        (f"{caption}/fused/small-llm@2/1", activity("fusion", 1)),
        (f"{caption}/synthetic-short/tagger@1/1", activity("synthetic", 1)),
        (f"winnow:release/{t.RELEASE}/{t.A0}", activity("release", None)),
        (f"winnow:sample/{t.A0}", activity("crawl", 1)),
    ]
    twice = "SELECT entity FROM prov_was_generated_by GROUP BY entity HAVING count(*) > 1"
    assert asked(home, twice) == []


# What was made from what


def test_a_sample_is_made_from_its_page_and_its_image(home):
    by = activity("crawl", 2)
    assert made_from(home, f"winnow:sample/{t.B0}") == {
        (f"winnow:record/{t.TWO | 30}", by), (f"winnow:record/{t.TWO | 31}", by), (f"winnow:image/{t.TWO | 31}", by),
    }  # fmt: skip
    assert made_from(home, f"winnow:image/{t.TWO | 31}") == {(f"winnow:record/{t.TWO | 31}", by)}


def test_a_sample_whose_image_is_missing_is_made_from_its_page_alone(home):
    assert made_from(home, f"winnow:sample/{t.A3}") == {(f"winnow:record/{t.ONE | 10}", activity("crawl", 1))}


def test_a_record_comes_from_the_crawl_file_or_from_the_file_of_answers(home):
    assert made_from(home, f"winnow:record/{t.TWO | 30}") == {("winnow:shard/2", activity("candidates", 2))}
    answers = "winnow:artifact/observations/fetch/x/000001%20%25.warc"
    assert made_from(home, f"winnow:record/{FETCHED}") == {(answers, activity("fetch", 1))}


def test_captions_are_made_from_the_picture_or_from_other_captions(home):
    caption = f"winnow:caption/{t.A0}"
    fusion = activity("fusion", 1)
    assert made_from(home, f"{caption}/alt/-/0") == {(f"winnow:sample/{t.A0}", fusion)}
    assert made_from(home, f"{caption}/fused/small-llm@2/1") == {
        (f"{caption}/alt/-/0", fusion), (f"{caption}/synthetic-short/tagger@1/1", fusion),
    }  # fmt: skip


def test_a_caption_is_made_from_the_inputs_it_names(tmp_path):
    named = {
        t.A0: (["image"], {"image"}), t.A1: (["image", "hint-people", "hint-tags"], {"image", "hint"}),
        t.A2: (["alt"], {"caption"}), t.A4: (["alt", "synthetic-dense"], {"caption"}), t.A5: ([], set()),
    }  # fmt: skip
    rows = [t.caption(sample, "alt", "An oak") for sample in named]
    rows += [t.caption(sample, "synthetic-short", "leaf", inputs=inputs) for sample, (inputs, _) in named.items()]
    made = t.tables() | {"caption": t.table("caption", rows)}
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, made), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        for sample, (_, expected) in named.items():
            found = made_from(connection, f"winnow:caption/{sample}/synthetic-short/tagger@1/1")
            assert {used.removeprefix("winnow:").partition("/")[0] for used, _ in found} == expected


def test_a_text_that_was_not_written_is_made_from_nothing(home):
    assert made_from(home, f"winnow:caption/{t.A4}/fused/small-llm@2/1") == set()


def test_a_release_row_is_made_from_sample_text_and_image(home):
    by = activity("release", None)
    assert made_from(home, f"winnow:release/{t.RELEASE}/{t.A2}") == {
        (f"winnow:sample/{t.A2}", by), (f"winnow:caption/{t.A2}/alt/-/0", by), (f"winnow:image/{t.ONE | 12}", by),
    }  # fmt: skip


def test_a_row_released_by_its_address_is_not_made_from_the_image(home):
    used = {entity for entity, _ in made_from(home, f"winnow:release/{t.RELEASE}/{t.A4}")}
    assert used == {f"winnow:sample/{t.A4}", f"winnow:caption/{t.A4}/synthetic-short/tagger@1/1"}


def test_a_file_is_made_from_the_files_that_its_run_used(home):
    generated = file("lake/rights-rights/2.parquet")
    assert {used for used, _ in made_from(home, generated)} == set(used_by(home, "rights", 2))


def test_a_sample_without_a_page_is_made_from_the_list_that_names_it(tmp_path):
    made = {"sample": t.table("sample", [t.sample(t.A1, None, None, None, "https://x.example/a.jpg", "leaf", 0)])}
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, made), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        assert made_from(connection, f"winnow:sample/{t.A1}") == {("winnow:shard/1", None)}


def test_numbers_and_identifiers_find_the_same_relations(home):
    query = "SELECT generated, used FROM prov_was_derived_from WHERE "
    rows = asked(home, query + "sample_id IS NOT NULL OR record_id IS NOT NULL ORDER BY ALL")
    assert rows == asked(home, query + "what <> 'file' ORDER BY ALL")
    for sample in (t.A0, t.A3):
        by_number = asked(home, query + "sample_id = ? AND what = 'sample' ORDER BY ALL", sample)
        assert by_number == asked(home, query + "generated = prov_sample(?) ORDER BY ALL", sample)


# Who


def test_models_are_associated_with_the_runs_in_which_they_wrote(home):
    query = "SELECT activity FROM prov_was_associated_with WHERE agent_id = ? ORDER BY ALL"
    assert asked(home, query, "small-llm@2") == [(activity("fusion", 1),)]
    assert asked(home, query, "tagger@1") == [(activity("synthetic", shard),) for shard in (1, 2)]
    assert asked(home, query, "winnow") == asked(home, "SELECT activity FROM prov_activity ORDER BY ALL")


# Identifiers


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("prov_agent('Qwen/Qwen3 8B@main')", "winnow:agent/Qwen%2FQwen3%208B@main"),
        ("prov_caption(7, 'synthetic-dense+', 'a/b:c@1', 2)", "winnow:caption/7/synthetic-dense%2B/a%2Fb%3Ac@1/2"),
        ("prov_artifact('lake/a b/\"é\".parquet')", "winnow:artifact/lake/a%20b/%22%C3%A9%22.parquet"),
        ("prov_finding(7, 'r', 'tdm:reserved', 'body', 3, 5)", "winnow:finding/7/r/tdm%3Areserved/body/3-5"),
        ("prov_finding(7, 'r', 'NONE', 'headers', NULL, NULL)", "winnow:finding/7/r/NONE/headers"),
        ("prov_activity_id('crawl', NULL, 'ab')", "winnow:run/crawl/all@ab"),
        ("prov_sample(18446744073709551615)", "winnow:sample/18446744073709551615"),
        ("prov_sample(NULL)", None),
    ],
)
def test_words_from_outside_are_encoded_in_identifiers(home, call, expected):
    assert asked(home, f"SELECT {call}") == [(expected,)]


def test_identifiers_are_described():
    assert all(means.endswith(".") for _, means in IDENTIFIERS.values())


# One sample as PROV-JSON


TOLD = (*t.RELEASED, t.A1, t.A3, t.B1)
"""Released with image and by address, a copy, one without an image, one whose site reserves its rights."""


@pytest.fixture(scope="module")
def told(home):
    return {sample: prov_json(home, sample) for sample in TOLD}


def loaded(text):
    """The document as the Python package `prov` reads it; what it reads only with a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return prov.model.ProvDocument.deserialize(content=text, format="json")


def ends(document, relation):
    return [
        tuple(str(value) for _, value in record.formal_attributes if value) for record in document.get_records(relation)
    ]


def reached(document, start):
    """Everything that an entity was made from, over any number of steps."""
    edges = [pair[:2] for pair in ends(document, prov.model.ProvDerivation)]
    found, waiting = set(), [start]
    while waiting:
        found.add(entity := waiting.pop())
        waiting += [used for generated, used in edges if generated == entity and used not in found]
    return found


@pytest.mark.parametrize("sample", t.RELEASED)
def test_a_release_row_leads_back_to_the_crawl_file(told, sample):
    document = loaded(told[sample])
    assert f"winnow:shard/{sample >> 32}" in reached(document, f"winnow:release/{t.RELEASE}/{sample}")


def test_the_way_back_passes_caption_sample_image_and_records(told):
    assert reached(loaded(told[t.A0]), f"winnow:release/{t.RELEASE}/{t.A0}") == {
        f"winnow:release/{t.RELEASE}/{t.A0}", f"winnow:caption/{t.A0}/fused/small-llm@2/1",
        f"winnow:caption/{t.A0}/alt/-/0", f"winnow:caption/{t.A0}/synthetic-short/tagger@1/1",
        f"winnow:sample/{t.A0}", f"winnow:image/{t.ONE | 11}", f"winnow:record/{t.ONE | 10}",
        f"winnow:record/{t.ONE | 11}", "winnow:shard/1",
    }  # fmt: skip


@pytest.mark.parametrize("sample", TOLD)
def test_whatever_a_relation_names_is_in_the_document(told, sample):
    document = loaded(told[sample])
    kinds = (prov.model.ProvEntity, prov.model.ProvActivity, prov.model.ProvAgent)
    known = {str(record.identifier) for kind in kinds for record in document.get_records(kind)}
    named = {end for name in ends(document, prov.model.ProvRelation) for end in name}
    assert named <= known
    assert known - named <= {f"winnow:sample/{sample}"}


@pytest.mark.parametrize("sample", TOLD)
def test_nothing_is_made_by_two_runs(told, sample):
    made = [entity for entity, *_ in ends(loaded(told[sample]), prov.model.ProvGeneration)]
    assert len(made) == len(set(made))


def test_the_package_writes_back_what_it_read(told):
    document = loaded(told[t.A0])
    assert loaded(document.serialize(format="json")) == document
    records = sum(len(found) for name, found in json.loads(told[t.A0]).items() if name != "prefix")
    assert len(document.get_records()) == records


def test_hashes_places_and_times_are_told(home):
    entities = prov_document(home, t.A0)["entity"]
    assert entities["winnow:shard/1"]["winnow:uri"] == "crawl/one.warc.gz"
    assert entities["winnow:shard/1"]["winnow:sha256"] == t.sha("one").hex()
    page = entities[f"winnow:record/{t.ONE | 10}"]
    assert (page["winnow:offset"], page["winnow:length"]) == (1000, 100)
    assert page["winnow:fetched_at"] == "2026-03-01T12:00:00.000000Z"
    assert entities[f"winnow:image/{t.ONE | 11}"]["winnow:sha256"] == t.sha(b"a" * 40).hex()
    assert entities[file(f"releases/{t.RELEASE}/00000.tar")]["winnow:sha256"]


def test_findings_are_told_with_their_bytes_and_lead_to_the_verdict(home):
    document = prov_document(home, t.B1)
    name = f"winnow:finding/{t.TWO | 90}/robots_agents/ai_train%3Areserved/body/0-34"
    finding = document["entity"][name]
    assert (finding["winnow:decided"], finding["winnow:byte_end"]) == (True, 34)
    edges = [tuple(edge.values()) for edge in document["wasDerivedFrom"].values()]
    assert (f"winnow:rights/{t.B1}", name) in edges
    assert (name, f"winnow:record/{t.TWO | 90}", activity("site_evidence", 2)) in edges
    assert (f"winnow:decision/{t.B1}/rights", f"winnow:rights/{t.B1}") in [edge[:2] for edge in edges]


def test_decisions_are_told_with_the_code_that_made_them_and_the_sample_that_stays(home):
    document = prov_document(home, t.A1)
    decision = document["entity"][f"winnow:decision/{t.A1}/dedup"]
    assert (decision["winnow:kept"], decision["winnow:reason"], decision["winnow:threshold"]) == (False, "exact", 0.95)
    [edge] = [e for e in document["wasDerivedFrom"].values() if e["prov:usedEntity"] == f"winnow:sample/{t.A0}"]
    assert edge["prov:generatedEntity"] == f"winnow:decision/{t.A1}/dedup"
    run = document["activity"][edge["prov:activity"]]
    assert (run["winnow:code_version"], run["prov:startTime"]) == ("code of dedup", "2026-03-01T12:00:00.000000Z")


def test_captions_are_attributed_to_models_with_license_and_terms(home):
    document = prov_document(home, t.A0)
    writers = {edge["prov:entity"]: edge["prov:agent"] for edge in document["wasAttributedTo"].values()}
    assert writers == {
        f"winnow:caption/{t.A0}/fused/small-llm@2/1": "winnow:agent/small-llm@2",
        f"winnow:caption/{t.A0}/synthetic-short/tagger@1/1": "winnow:agent/tagger@1",
        f"winnow:hint/{t.A0}": "winnow:agent/tagger@1",
    }
    model = document["agent"]["winnow:agent/small-llm@2"]
    assert (model["winnow:license"], model["winnow:output_terms"], model["winnow:revision"]) == (
        "Apache-2.0",
        "none",
        "2",
    )
    by = [(e["prov:activity"], e["prov:agent"]) for e in document["wasAssociatedWith"].values()]
    assert (activity("fusion", 1), "winnow:agent/small-llm@2") in by


def test_every_run_followed_the_recipe_of_a_build(home):
    document = prov_document(home, t.B0)
    plans = {e["prov:activity"]: e.get("prov:plan") for e in document["wasAssociatedWith"].values() if "prov:plan" in e}
    assert plans == dict.fromkeys(document["activity"], "winnow:build/b1")
    assert document["entity"]["winnow:build/b1"]["winnow:recipe_sha256"] == t.sha("r").hex()


def test_the_document_is_the_same_twice_and_in_order(home, told):
    assert prov_json(home, t.A0) == told[t.A0]
    assert all(
        list(found) == sorted(found) for name, found in prov_document(home, t.A0).items() if name in ("entity", "agent")
    )


def test_a_database_of_views_over_files_tells_the_same(home, told, tmp_path):
    with opened(tmp_path, materialize=False) as connection:
        assert prov_json(connection, t.A0) == told[t.A0]
        for view in ("prov_used", "prov_was_derived_from", "prov_was_generated_by", "prov_was_associated_with"):
            query = f"SELECT COLUMNS(x -> x NOT LIKE '%_at') FROM {view} ORDER BY ALL"
            assert asked(connection, query) == asked(home, query)


def test_text_from_the_web_stays_text(told):
    assert told[t.A2].isascii()
    assert "\x1b" not in told[t.A2]
    assert json.loads(told[t.A2])["entity"][f"winnow:sample/{t.A2}"]["winnow:alt"] == t.EVIL


def test_numbers_that_json_cannot_hold_are_typed_text(tmp_path):
    shard = 2**32 - 1
    rows = [t.record(shard << 32, 2**60, t.LEAF)]
    made = {"record": t.table("record", rows)}
    made["sample"] = t.table("sample", [t.sample(shard << 32, t.LEAF, shard << 32, None, None, "leaf", 0)])
    decided = t.decided("pool", [], {shard << 32: ("odd", float("nan"), float("-inf"), None)})
    made["decision"] = t.table("decision", decided)
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, made), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        text = prov_json(connection, shard << 32)
    loaded(text)
    entities = json.loads(text)["entity"]
    assert entities[f"winnow:record/{shard << 32}"]["winnow:offset"] == {"$": str(2**60), "type": "xsd:integer"}
    decision = entities[f"winnow:decision/{shard << 32}/pool"]
    assert [decision[f"winnow:{name}"]["$"] for name in ("score", "threshold")] == ["NaN", "-INF"]


def test_a_sample_of_which_little_is_known_is_told(tmp_path):
    build_database(tmp_path / "p.duckdb", t.write_files(tmp_path, {"sample": t.tables()["sample"]}), {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        document = loaded(prov_json(connection, t.A0))
    assert f"winnow:record/{t.ONE | 10}" in reached(document, f"winnow:sample/{t.A0}")


@pytest.mark.parametrize("sample_id", [12345, -1, 2**64, 0])
def test_an_unknown_sample_says_in_one_line_how_to_find_ids(home, sample_id):
    with pytest.raises(LookupError, match=rf"no sample has the id {sample_id} .*{t.A0} to {t.B3}.*FROM why LIMIT 10"):
        prov_document(home, sample_id)


def test_the_steps_that_statements_name_are_steps_and_those_that_read_crawl_files_are_all_named():
    import orchestration.definitions  # noqa: F401  (registers the steps)
    from assets.provenance.database import view
    from orchestration.plan import _own_source
    from orchestration.stages import STEPS

    named = re.search(r"VALUES (.*?)\) reads_crawl_files", view("prov_used").sql, re.DOTALL)[1]
    readers = {
        name for name, step in STEPS.items() if any("crawl_file()" in text for text in _own_source(step.compute))
    }
    assert set(re.findall(r"'(\w+)'", named)) == readers | {"shards"}
    assert {"fetch", "fusion", "synthetic", "evidence", "site_evidence", "captions"} <= set(STEPS)
