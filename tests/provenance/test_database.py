import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.provenance.database import HELPERS, MACROS, VIEWS, build_database
from assets.provenance.tables import TABLES, describe
from tests.provenance import tiny_build as t

IN_DATABASE = {name: table for name, table in TABLES.items() if not table.internal}


def rows(connection, query, *values):
    return connection.execute(query, list(values)).fetchall()


def test_every_table_of_the_contract_is_there_with_its_columns_in_order(tiny):
    for name, table in IN_DATABASE.items():
        columns = [row[0] for row in rows(tiny, f'DESCRIBE "{name}"')]
        assert columns == table.schema.names, name


def test_tables_and_columns_carry_the_sentences_of_the_contract_as_comments(tiny):
    query = "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    found = {(table, column): text for table, column, text in rows(tiny, query)}
    for name, table in IN_DATABASE.items():
        for field in table.schema:
            assert found[name, field.name] == describe(field)
    comments = dict(
        rows(
            tiny,
            "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views()",
        )
    )
    assert comments["sample"] == f"one row per {TABLES['sample'].one_row_per}"


def test_every_column_of_every_view_is_described_and_every_description_has_a_column(tiny):
    found = rows(tiny, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
    undescribed = [(table, column) for table, column, text in found if table in VIEWS and not text]
    assert undescribed == []


def test_helpers_are_described(tiny):
    said = "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views()"
    comments = dict(rows(tiny, said))
    assert {name: comments[name] for name in HELPERS} == HELPERS


def test_rows_of_several_files_are_all_there(tiny):
    assert rows(tiny, "SELECT sample_id FROM sample ORDER BY 1") == [(i,) for i in t.SAMPLES]
    assert rows(tiny, "SELECT count(*) FROM decision") == [(sum(map(len, t.DECISIONS.values())),)]


def test_a_table_without_files_is_empty(tiny):
    assert rows(tiny, "SELECT count(*) FROM takedown") == [(0,)]
    assert rows(tiny, "SELECT count(*) FROM embedding") == [(0,)]


def test_ids_and_hashes_keep_their_types(tiny):
    assert rows(tiny, "SELECT typeof(sample_id), typeof(shard_id) FROM sample LIMIT 1") == [("UBIGINT", "UINTEGER")]
    assert rows(tiny, "SELECT typeof(sha256), octet_length(sha256) FROM image LIMIT 1") == [("BLOB", 32)]
    assert rows(tiny, "SELECT epoch_us(fetched_at) FROM record LIMIT 1") == [(1_772_366_400_000_000,)]


def test_the_funnel_is_in_the_order_of_the_stages_and_adds_up(tiny):
    assert rows(tiny, "SELECT stage, came_in, kept, dropped, top_reasons FROM funnel") == [
        ("crawl", 10, 9, 1, "not_archived 1"),
        ("rights", 9, 7, 2, "license_denied 1, reserved 1"),
        ("pool", 7, 6, 1, "aspect_ratio 1"),
        ("dedup", 6, 5, 1, "exact 1"),
        ("prune", 5, 4, 1, "over_quota 1"),
        ("captions", 4, 4, 0, None),
        ("release", 4, 4, 0, None),
    ]


def test_why_has_one_row_per_sample_with_its_outcome(tiny):
    outcomes = dict(rows(tiny, "SELECT sample_id, coalesce(dropped_stage, outcome) FROM why"))
    dropped = {t.A1: "dedup", t.A3: "crawl", t.A5: "rights", t.B1: "rights", t.B2: "pool", t.B3: "prune"}
    assert outcomes == {**dict.fromkeys(t.RELEASED, "released"), **dropped}
    assert rows(tiny, "SELECT count(*) FROM why") == [(10,)]


def test_why_gives_crawl_file_offset_and_the_bytes_that_decided(tiny):
    columns = "crawl_file, record_offset, image_offset, decided_by, decided_value, decided_offset, decided_part"
    [found] = rows(tiny, f"SELECT {columns}, decided_byte_start, decided_byte_end FROM why WHERE sample_id = ?", t.A2)
    value = "https://license.example/CC0-1.0"
    assert found == ("crawl/one.warc.gz", 1000, 3000, "xmp_cc_license", value, 3000, "body", 20, 70)


def test_why_gives_score_threshold_and_the_sample_that_stays(tiny):
    columns = "dropped_reason, dropped_score, dropped_threshold, other_sample_id"
    assert rows(tiny, f"SELECT {columns} FROM why WHERE sample_id = ?", t.A1) == [("exact", 1.0, 0.95, t.A0)]
    assert rows(tiny, f"SELECT {columns} FROM why WHERE sample_id = ?", t.B2) == [("aspect_ratio", 5.0, 3.0, None)]


def test_why_gives_concept_caption_and_place_in_the_release(tiny):
    columns = (
        "cluster_id, cluster_size, cluster_quota, caption, caption_kind, caption_model, fusion_status, release_file"
    )
    assert rows(
        tiny, f"SELECT {columns}, release_row, with_image FROM why WHERE sample_id IN (?, ?) ORDER BY 1", t.A0, t.A4
    ) == [
        (0, 3, 2, "An oak leaf from a tree", "fused", "small-llm@2", "ok", "00000.tar", 0, True),
        (1, 2, 2, "moon", "synthetic-short", "tagger@1", "skipped", "urls-00000.parquet", 0, False),
    ]


def test_evidence_of_page_image_site_and_sample_reaches_the_samples_it_is_about(tiny):
    found = rows(tiny, "SELECT sample_id, rule FROM sample_evidence ORDER BY ALL")
    page = [(i, rule) for i in (t.A0, t.A1, t.A2, t.A3) for rule in ("page_rel", "tdmrep_meta")]
    site = [(i, "robots_agents") for i in (t.A4, t.A5, t.B0, t.B1)]
    own = [(t.A0, "figure_rel"), (t.A1, "figure_rel"), (t.A5, "figure_rel"), (t.A2, "xmp_cc_license")]
    other = [(i, "page_rel") for i in (t.B0, t.B1, t.B2, t.B3)]
    assert found == sorted(page + site + own + other)


def test_evidence_of_a_host_reaches_a_sample_once_when_page_and_image_share_it(tiny):
    assert rows(tiny, "SELECT count(*) FROM sample_evidence WHERE sample_id = ? AND kind = 'reservation'", t.B0) == [
        (1,)
    ]


def test_sources_count_what_each_host_gave(tiny):
    columns = (
        "host, domain, crawl_files, pages, samples, decoded, licensed, reserved, released, with_image, released_bytes"
    )
    assert rows(tiny, f"SELECT {columns} FROM sources ORDER BY host") == [
        ("moon.example", "moon.example", 2, 2, 4, 4, 3, 1, 2, 1, 10),
        ("star.example", "star.example", 1, 1, 2, 2, 2, 0, 0, 0, 0),
        ("www.leaf.example", "leaf.example", 1, 1, 4, 3, 3, 0, 2, 2, 100),
    ]


def test_the_attribution_list_takes_the_words_nearest_to_the_picture(tiny):
    found = rows(tiny, "SELECT sample_id, work_title, creator, source, license, required FROM attribution_list")
    assert found == [
        (t.A0, "Oak", "Jane Doe", t.LEAF, "CC-BY-4.0", True),
        (t.A2, None, t.EVIL, t.LEAF, "CC0-1.0", False),
        (t.B0, None, None, "https://archive.example/e", "CC-BY-SA-4.0", True),
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("HTTP://user:word@WWW.Leaf.example:8080/a?b#c", "www.leaf.example"),
        ("https://[2001:db8::1]:443/a", "[2001:db8::1]"),
        ("https://leaf.example?x=@y", "leaf.example"),
        ("data:image/png;base64,AAAA", ""),
        (None, None),
    ],
)
def test_host_is_read_from_an_address(tiny, url, host):
    assert rows(tiny, "SELECT host(?)", url) == [(host,)]


def test_table_functions_say_what_the_rights_would_be_under_another_policy(tiny):
    now = dict(rows(tiny, "SELECT sample_id, verdict FROM rights_under('commercial-open')"))
    assert (now[t.A0], now[t.A4], now[t.A5]) == ("allow", "url_only", "deny")
    research = dict(rows(tiny, "SELECT sample_id, verdict FROM rights_under('research-eu')"))
    assert research == now | {t.A5: "allow"}
    assert rows(tiny, "SELECT conflict, reason FROM rights_under('commercial-open') WHERE sample_id = ?", t.A1) == [
        (True, "license_allowed")
    ]
    assert rows(tiny, "SELECT conflict FROM occurrence_under('commercial-open') WHERE sample_id = ?", t.A1) == [
        (False,)
    ]


def test_functions_are_there(tiny):
    found = {name for (name,) in rows(tiny, "SELECT function_name FROM duckdb_functions() WHERE NOT internal")}
    assert found == {name.partition("(")[0] for name in MACROS}


def test_a_decision_leads_to_the_asset_and_fingerprint_that_made_it(tiny):
    fingerprint = t.sha("pool").hex()[:16]
    assert rows(tiny, "FROM decision_file WHERE stage = 'pool'") == [("pool", None, "pool_asset", fingerprint)]


def test_vectors_stay_in_the_lake_and_are_read_from_there(tmp_path):
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([1, 0, 0, 1], pa.float16()), 2)
    columns = {"image": vectors, "image_raw": vectors, "text": vectors}
    hashes = pa.array([t.sha("a"), t.sha("b")], pa.binary(32))
    table = pa.table(
        {"sample_id": pa.array([1, 2], pa.uint64()), "image_sha256": hashes, "text_sha256": hashes, **columns}
    )
    pq.write_table(table, tmp_path / "embedding's.parquet")
    build_database(tmp_path / "p.duckdb", {"embedding": [tmp_path / "embedding's.parquet"]}, {})
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        assert rows(connection, "SELECT sample_id, image FROM embedding") == [(1, [1.0, 0.0]), (2, [0.0, 1.0])]
        assert rows(connection, "SELECT view_name FROM duckdb_views() WHERE view_name = 'embedding'") == [
            ("embedding",)
        ]


def test_the_finished_database_is_one_file_without_a_log_or_spill(tiny_files, tmp_path):
    build_database(tmp_path / "p.duckdb", tiny_files, t.ledger())
    assert [path.name for path in tmp_path.iterdir()] == ["p.duckdb"]


def test_a_name_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no table of the contract is named samples"):
        build_database(tmp_path / "p.duckdb", {"samples": []}, {})


def test_native_tables_outlive_the_files_they_came_from(tmp_path):
    files = t.write_files(tmp_path / "lake")
    build_database(tmp_path / "p.duckdb", files, t.ledger(), materialize=True)
    for paths in files.values():
        for path in paths:
            path.unlink()
    with duckdb.connect(str(tmp_path / "p.duckdb"), read_only=True) as connection:
        assert rows(connection, "SELECT count(*) FROM why") == [(10,)]
