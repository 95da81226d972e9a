"""`winnow verify` on a home with one real shard: what it prints, and what it notices."""

import hashlib
import shutil
import tarfile
from io import BytesIO

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from assets.crawl.warc import read_record
from assets.provenance.database import build_database
from assets.rights.verify import PartGoneError
from orchestration import verifying
from orchestration.cli import main
from orchestration.recipe import load_recipe
from resources.lake import Lake
from tests.rights.conftest import table
from tests.rights.test_verify import rows_of


@pytest.fixture
def home(shards, tmp_path):
    """A home with the database of shard 4, its crawl file and a recipe beside it."""
    shard = shards[4]
    (tmp_path / "crawl").mkdir()
    shutil.copyfile(shard.path, tmp_path / "crawl" / "four.warc.gz")
    (tmp_path / "recipe.yaml").write_text(
        "name: four\ncrawl: {sources: [{name: four, uris: [crawl/*.warc.gz]}]}\n"
        "prune: {keep: 0.5}\nrelease: {name: four, version: 0.1.0}\n"
    )
    sha256 = hashlib.sha256(shard.path.read_bytes()).digest()
    listed = {"shard_id": 4, "source": "four", "uri": "crawl/four.warc.gz", "kind": "warc", "sha256": sha256}
    tables = {
        "shard": table("shard", [listed | {"status": "ok"}]),
        "record": shard.crawled.record,
        "sample": shard.crawled.sample,
        "license_evidence": shard.evidence.license_evidence,
        "reservation_evidence": shard.evidence.reservation_evidence,
    }
    files = {}
    for name, rows in tables.items():
        files[name] = [tmp_path / f"{name}.parquet"]
        pq.write_table(rows, files[name][0])
    (tmp_path / "home").mkdir()
    build_database(tmp_path / "home" / "provenance.duckdb", files, {})
    return tmp_path


def winnow_verify(home, *arguments):
    return CliRunner().invoke(main, ["verify", str(home / "recipe.yaml"), "--home", str(home / "home"), *arguments])


def test_the_command_reads_all_findings_again(home, shards):
    count = rows_of(shards[4]).num_rows
    found = winnow_verify(home, "--all")
    assert found.exit_code == 0, found.output
    *lines, last = found.output.splitlines()
    assert last == f"{count} findings: {count} same"
    assert len(lines) == count
    assert all("crawl/four.warc.gz@" in line and line.endswith("  same") for line in lines)


def test_the_command_reads_the_findings_about_one_sample(home, shards):
    figures = [row for row in rows_of(shards[4]).to_pylist() if row["subject_type"] == "sample"]
    found = winnow_verify(home, "--sample", str(figures[0]["subject_id"]))
    assert found.exit_code == 0, found.output
    assert figures[0]["rule"] in found.output
    assert found.output.splitlines()[-1].endswith(" same")


def test_the_command_draws_the_same_findings_every_time(home):
    first = winnow_verify(home, "--count", "5")
    assert len(first.output.splitlines()) == 6
    assert winnow_verify(home, "--count", "5").output == first.output


def test_the_command_notices_one_flipped_byte_in_the_crawl_file(home):
    path = home / "crawl" / "four.warc.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = winnow_verify(home, "--count", "3")
    assert found.exit_code == 1
    assert found.output.splitlines()[-1] == "3 findings: 3 gone"
    assert "its bytes changed after the build" in found.output


def test_the_command_says_what_is_wrong_in_one_sentence(home):
    (home / "crawl" / "four.warc.gz").unlink()
    assert "the file is gone" in winnow_verify(home, "--count", "1").output
    unknown = winnow_verify(home, "--sample", "7")
    assert (unknown.exit_code, unknown.output[:48]) == (1, "Error: no sample has the id 7 in this database; ")
    both = winnow_verify(home, "--all", "--count", "1")
    assert both.exit_code == 2
    assert "exclude each other" in both.output


def opened_by(home, **row) -> tuple[bytes, bytes]:
    """Headers and body of a record as the command opens it."""
    parts = verifying.Parts(load_recipe(str(home / "recipe.yaml")), Lake(str(home / "home")))
    known = {
        "file": None,
        "uri": "crawl/four.warc.gz",
        "kind": "warc",
        "offset": 0,
        "length": None,
        "sha256": None,
    } | row
    return parts.open(known, 1, "headers"), parts.open(known, 1, "body")


def test_the_command_opens_images_of_image_shards(home):
    with tarfile.open(home / "crawl" / "five.tar", "w") as tar:
        for name in ("a.png", "b.png"):
            entry = tarfile.TarInfo(name)
            entry.size = 300
            tar.addfile(entry, BytesIO(name.encode() * 60))
    with tarfile.open(home / "crawl" / "five.tar") as tar:
        offset = tar.getmember("b.png").offset_data
    sha256 = hashlib.sha256((home / "crawl" / "five.tar").read_bytes()).hexdigest()
    row = {"uri": "crawl/five.tar", "kind": "images", "sha256": sha256, "offset": offset}
    assert opened_by(home, **row, length=300) == (b"", b"b.png" * 60)
    with pytest.raises(PartGoneError, match="the tar no longer holds the image"):
        opened_by(home, **row, length=100_000)


def test_the_command_opens_fetched_answers_in_the_home(home, shards):
    shutil.copyfile(shards[4].path, home / "home" / "fetched.warc.gz")
    offset = shards[4].crawled.record["offset"].to_pylist()[-1]
    record = read_record(shards[4].path, offset)
    assert opened_by(home, file="fetched.warc.gz", offset=offset) == (record.header_bytes, record.body)
    with pytest.raises(PartGoneError, match="the file is gone"):
        opened_by(home, file="lost.warc.gz", offset=offset)


def test_the_command_reads_what_policies_say_to_agents_of_their_own(home):
    with duckdb.connect(str(home / "home" / "provenance.duckdb")) as connection:
        for name, agent in (("mine", "OurBot"), ("other", "OtherBot")):
            body = f'{{"reservations": {{"agents": ["{agent}", "*"]}}}}'
            connection.execute("INSERT INTO policy VALUES (?, 'x'::BLOB, ?, ?)", [name, body, name == "mine"])
    assert verifying.agents(str(home / "home")) == ["*", "OurBot"]
