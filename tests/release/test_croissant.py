import json
import logging
import re
import socket
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdflib import Graph

from assets.release.card import Imprint
from assets.release.croissant import LISTED, Lineage, croissant, licenses
from assets.release.documents import SCHEMA
from assets.release.facts import gather
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseFile, describe_file
from tests.release.conftest import LINEAGE

mlcroissant = pytest.importorskip("mlcroissant")

PROV = "http://www.w3.org/ns/prov#"
IMPRINT = Imprint("The Makers", "The Publishers", "takedown@makers.example", "https://makers.example/d",
                  "https://doi.org/10.1/2", "2026-11-25")  # fmt: skip


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """No network, and no unpacked tars of other releases: mlcroissant keeps them by their name alone."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    from mlcroissant._src.operation_graph.operations import extract

    monkeypatch.setattr(extract, "EXTRACT_PATH", type(extract.EXTRACT_PATH)(tmp_path / "unpacked"))


@pytest.fixture
def facts(assembled, tables):
    return gather(assembled.rows, tables)


@pytest.fixture
def document(facts, settings, released):
    return json.loads(croissant(facts, settings, released[0].files, LINEAGE))


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def named(nodes, name):
    return next(node for node in nodes if node["@id"] == name)


def fields(document, record_set="pairs"):
    return {field["@id"]: field for field in named(document["recordSet"], record_set)["field"]}


def decoded(record):
    """mlcroissant gives texts as bytes."""
    return {
        name.rpartition("/")[2]: value.decode() if isinstance(value, bytes) else value for name, value in record.items()
    }


def test_the_document_is_valid_and_nothing_is_missing_that_croissant_recommends(gallery, tmp_path, caplog):
    text = croissant(gallery.facts, gallery.settings, gallery.written.files, LINEAGE, imprint=IMPRINT)
    with caplog.at_level(logging.WARNING):
        found = mlcroissant.Dataset(written(tmp_path / "croissant.json", text)).metadata
    assert caplog.records == []
    assert (found.name, found.version, found.conforms_to[0]) == (
        "gallery",
        "2.1.0",
        "http://mlcommons.org/croissant/1.1",
    )
    assert [creator.name for creator in found.creators] == ["The Makers"]
    assert found.license == ["https://spdx.org/licenses/CC-BY-4.0", "https://spdx.org/licenses/CC0-1.0"]


def test_its_records_are_the_rows_of_the_release(gallery):
    records = [decoded(record) for record in mlcroissant.Dataset(gallery.folder / "croissant.json").records("pairs")]
    expected = {row["key"]: row for row in gallery.rows.to_pylist()}
    assert [record["key"] for record in records] == sorted(expected)
    assert set(records[0]) == set(COLUMNS)
    scalar = [name for name, (kind, _) in COLUMNS.items() if not pa.types.is_list(kind)]
    for record in records:
        assert {name: record[name] for name in scalar} == {name: expected[record["key"]][name] for name in scalar}
    assert {record["status"] for record in records} == {"success", "url_only"}
    assert [decoded(score) for score in records[1]["scores"]] == expected[records[1]["key"]]["scores"]


def test_its_images_come_with_their_captions(gallery):
    records = [decoded(record) for record in mlcroissant.Dataset(gallery.folder / "croissant.json").records("images")]
    expected = [row for row in gallery.rows.to_pylist() if row["status"] == "success"]
    assert [(r["key"], r["caption"], r["image"].size) for r in records] == [
        (row["key"], row["caption"], (row["width"], row["height"])) for row in expected
    ]
    assert {record["image"].format for record in records} == {"JPEG", "PNG", "WEBP"}


def test_a_tar_that_was_changed_is_not_read(gallery, tmp_path):
    for file in gallery.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "00001.tar").write_bytes(b"x" + (tmp_path / "00001.tar").read_bytes()[1:])
    with pytest.raises(Exception, match="Download\\(00001.tar\\)") as error:
        list(mlcroissant.Dataset(tmp_path / "croissant.json").records("images"))
    assert "is not identical" in str(error.value.__cause__)


def test_a_wrong_reference_is_an_error(gallery, tmp_path):
    text = (gallery.folder / "croissant.json").read_text(encoding="utf-8").replace('"pair-files"', '"no-files"', 1)
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(written(tmp_path / "croissant.json", text))


def test_every_data_file_is_there_with_hash_and_size(gallery):
    document = json.loads((gallery.folder / "croissant.json").read_text(encoding="utf-8"))
    objects = {node["@id"]: node for node in document["distribution"] if node["@type"] == "cr:FileObject"}
    assert set(objects) == {file.name for file in gallery.written.files} | {"ATTRIBUTION.csv"}
    sums = dict(line.split("  ")[::-1] for line in (gallery.folder / "SHA256SUMS").read_text().splitlines())
    for name, node in objects.items():
        size = (gallery.folder / name).stat().st_size
        assert (node["sha256"], node["contentUrl"], node["contentSize"]) == (sums[name], name, f"{size} B")


def test_a_release_of_very_many_files_names_sets_of_them_and_is_valid(facts, settings, tmp_path):
    many = [ReleaseFile(f"{n:05d}.{kind}", "0" * 64, 1, 1) for n in range(LISTED + 1) for kind in ("parquet", "tar")]
    text = croissant(facts, settings, many, LINEAGE)
    document = json.loads(text)
    assert [node["@id"] for node in document["distribution"]] == ["pair-files", "tar-files"]
    assert [node["@id"] for node in document["recordSet"]] == ["pairs"]
    mlcroissant.Dataset(written(tmp_path / "croissant.json", text))


def test_documents_are_records_of_their_own_and_no_pairs(gallery, tmp_path):
    for file in gallery.written.files:
        (tmp_path / file.name).write_bytes((gallery.folder / file.name).read_bytes())
    page = dict.fromkeys(SCHEMA.names) | {"page_url": "https://p.example/", "texts": ["a", None], "images": [None, "b"]}
    pq.write_table(pa.Table.from_pylist([page], SCHEMA), tmp_path / "documents-00000.parquet")
    files = [*gallery.written.files, describe_file(tmp_path / "documents-00000.parquet")]
    text = croissant(gallery.facts, gallery.settings, files, LINEAGE)
    dataset = mlcroissant.Dataset(written(tmp_path / "croissant.json", text))
    (record,) = [decoded(record) for record in dataset.records("documents")]
    assert (record["page_url"], record["texts"], record["images"]) == ("https://p.example/", [b"a", None], [None, b"b"])
    assert len(list(dataset.records("pairs"))) == 21


def test_an_empty_release_is_valid(settings, assembled, tmp_path):
    text = croissant(gather(assembled.rows.slice(0, 0), {}), settings, [], Lineage("c0de"))
    assert mlcroissant.Dataset(written(tmp_path / "croissant.json", text)).metadata.record_sets == []


def test_columns_have_types_and_sentences(document):
    found = fields(document)
    assert [name.partition("/")[2] for name in found] == list(COLUMNS)
    assert found["pairs/width"]["dataType"] == "cr:UInt32"
    assert found["pairs/page_url"]["dataType"] == "sc:URL"
    assert found["pairs/caption"]["description"] == COLUMNS["caption"][1]
    assert [part["name"] for part in found["pairs/scores"]["subField"]] == ["scorer", "model", "value"]


def test_columns_name_the_models_that_wrote_them_and_no_others(document):
    found, agents = fields(document), document["prov:wasAttributedTo"]
    label = {agent["@id"]: agent["prov:label"] for agent in agents}

    def writers(name):
        said = found[f"pairs/{name}"].get("prov:wasAttributedTo", [])
        return [label.get(agent.get("@id")) or agent["prov:label"] for agent in said]

    assert writers("fused") == ["small-llm@2"]
    assert writers("synthetic") == ["tagger@1"]
    assert writers("synthetic_dense") == writers("alt") == []
    assert sorted(writers("caption")) == ["small-llm@2", "tagger@1"]
    assert writers("scores") == ["clip@1", "nsfw@1"]
    assert writers("similarity") == ["clip@1"]
    assert found["pairs/caption"]["annotation"]["equivalentProperty"] == "prov:wasAttributedTo"


def test_columns_name_their_stage_where_the_lineage_has_it(document):
    found = fields(document)
    assert found["pairs/caption"]["prov:wasGeneratedBy"] == {"@id": "activity/captions"}
    assert "prov:wasGeneratedBy" not in found["pairs/fused"]


def test_the_provenance_reads_as_prov(facts, settings, released):
    lineage = replace(LINEAGE, supersedes="tiny-0.9.0-old")
    graph = Graph().parse(data=croissant(facts, settings, released[0].files, lineage), format="json-ld")
    rows = graph.query(
        f"""PREFIX prov: <{PROV}> PREFIX sc: <https://schema.org/>
        SELECT ?kind ?label ?more WHERE {{ ?d a sc:Dataset .
            {{ ?d prov:wasDerivedFrom ?x BIND("from" AS ?kind) OPTIONAL {{ ?x sc:sha256 ?more }} }}
            UNION {{ ?d prov:wasGeneratedBy ?x BIND("by" AS ?kind)
                OPTIONAL {{ ?x prov:wasAssociatedWith/sc:version ?more }} }}
            UNION {{ ?d prov:wasAttributedTo ?x BIND("agent" AS ?kind) OPTIONAL {{ ?x sc:license ?more }} }}
            ?x prov:label ?label }}"""
    )
    found = {(str(kind), str(label), str(more) if more else None) for kind, label, more in rows}
    hashes = {uri.rpartition("/")[2]: digest for uri, _, digest in facts.crawl_files}
    assert {row for row in found if row[0] == "from"} == {
        *(("from", name, digest) for name, digest in hashes.items()), ("from", "tiny-0.9.0-old", None),
    }  # fmt: skip
    assert {row for row in found if row[0] == "by"} == {("by", stage, version) for stage, version in LINEAGE.stages}
    assert {row for row in found if row[0] == "agent"} == {
        ("agent", "winnow", None), ("agent", "tagger@1", "MIT"), ("agent", "small-llm@2", "Apache-2.0"),
    }  # fmt: skip


def test_very_many_crawl_files_are_one_collection(facts, settings):
    many = [(f"s3://bucket/{n}.warc.gz", 1, f"{n:064x}") for n in range(LISTED + 1)]
    document = json.loads(croissant(replace(facts, crawl_files=many), settings, [], LINEAGE))
    (entity,) = document["prov:wasDerivedFrom"]
    assert entity["prov:label"].startswith("1,001 crawl files")
    assert re.fullmatch(r"[0-9a-f]{64}", entity["sha256"])


def test_responsible_ai_is_told_from_the_counts(document):
    assert document["rai:dataCollectionTimeframe"] == ["2026-03-01", "2026-03-01"]
    assert document["rai:dataPreprocessingProtocol"][1].startswith("rights: 9 came in, 7 went on, 2 were dropped")
    assert "1 pairs have no image bytes" in document["rai:dataCollectionMissingData"]
    assert document["rai:machineAnnotationTools"][0].startswith("tagger 1 (captioner), weights MIT")
    assert "All annotations are by machine" in document["rai:dataAnnotationProtocol"]
    assert "50.0 % of the pairs are from one domain (moon.example)." in document["rai:dataBiases"]
    assert "http://mlcommons.org/croissant/RAI/1.0" in document["conformsTo"]


def test_obligations_are_an_offer(document, facts, settings):
    offer = document["usageInfo"]
    assert offer["@type"] == ["CreativeWork", "odrl:Offer"]
    actions = [duty["odrl:action"]["@id"] for duty in offer["odrl:permission"]["odrl:duty"]]
    assert actions == ["cc:Attribution", "cc:ShareAlike"]
    bound = json.loads(croissant(replace(facts, obligations=[(4, 2)]), settings, [], LINEAGE))["usageInfo"]
    assert bound["odrl:prohibition"] == [{"odrl:action": {"@id": "cc:CommercialUse"}}]
    assert "odrl:permission" not in bound


def test_licenses_are_addresses_and_expressions_are_taken_apart(facts):
    rows = [("LicenseRef-X", "https://x.example/terms", 1, 1, "no")]
    found = licenses(replace(facts, stated=["(MIT OR CC0-1.0) AND LicenseRef-X", "MIT"], licenses=rows))
    assert found == ["https://spdx.org/licenses/CC0-1.0", "https://spdx.org/licenses/MIT", "https://x.example/terms"]


def test_two_documents_of_one_build_are_equal_bytes_whatever_the_order(assembled, tables, settings, released):
    turned = {name: table.take(list(range(table.num_rows))[::-1]) for name, table in tables.items()}
    first = croissant(gather(assembled.rows, tables), settings, released[0].files, LINEAGE)
    assert croissant(gather(assembled.rows, turned), settings, released[0].files[::-1], LINEAGE) == first


def test_no_path_of_a_machine_is_in_it(facts, settings, released):
    here = [("/home/me/crawl/one.warc.gz", 1, "00"), ("file:///data/two.warc.gz", 2, None)]
    text = croissant(replace(facts, crawl_files=here), settings, released[0].files, LINEAGE)
    assert "one.warc.gz" in text
    assert not re.search(r"/home/|/data/|file:|/tmp/", text)


@pytest.mark.parametrize("text", ['" }, {', "a b\nc", "</script>", "@id", "\x1b[31m\u202e", "urn:x y"])
def test_hostile_names_stay_text(facts, settings, released, text, tmp_path):
    worse = replace(
        facts,
        agents=[(text, text, text, text, text)],
        crawl_files=[(text, 1, "00")],
        domains=[(text, 1, 1, 1)],
        languages=[(text, 4)],
        funnel=[("crawl", 10, 9, 1, text)],
    )
    lineage = Lineage(text, [(text, text)], text)
    made = croissant(worse, settings, released[0].files, lineage)
    assert json.loads(made)["prov:wasAttributedTo"][1]["license"] == text
    mlcroissant.Dataset(written(tmp_path / "croissant.json", made))
