import hashlib
import json
import subprocess

import pytest

from assets.release.manifest import finish_release, verify_folder
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseError, write_release
from tests.provenance import tiny_build as t


@pytest.fixture
def finished(assembled, settings, tmp_path):
    made = write_release(assembled.rows, t.read_image_bytes, tmp_path, settings)
    documents = {"README.md": "# tiny\n", "ATTRIBUTION.csv": "key\n"}
    return finish_release(tmp_path, made.files, documents, settings, {"policy": "commercial-open"}), tmp_path


def test_every_file_of_the_folder_is_returned_with_its_hash(finished):
    files, folder = finished
    assert [file.name for file in files] == sorted(path.name for path in folder.iterdir())
    for file in files:
        assert hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.sha256


def test_the_checksums_are_read_by_sha256sum(finished):
    _, folder = finished
    run = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(": OK") == len(list(folder.iterdir())) - 1


def test_the_manifest_says_what_the_release_is(finished):
    _, folder = finished
    document = json.loads((folder / "release.json").read_bytes())
    assert (document["name"], document["version"], document["policy"]) == ("tiny", "1.0.0", "commercial-open")
    assert (document["samples"], document["samples_with_image"]) == (4, 3)
    assert list(document["columns"]) == sorted(COLUMNS)
    assert {file["name"] for file in document["files"]} == {path.name for path in folder.iterdir()} - {
        "SHA256SUMS",
        "release.json",
    }


def test_a_release_knows_no_folder_and_no_clock(finished, assembled, settings, tmp_path_factory):
    files, folder = finished
    other = tmp_path_factory.mktemp("other")
    made = write_release(assembled.rows, t.read_image_bytes, other, settings)
    documents = {"ATTRIBUTION.csv": "key\n", "README.md": "# tiny\n"}
    assert finish_release(other, made.files, documents, settings, {"policy": "commercial-open"}) == files
    assert str(folder) not in (folder / "release.json").read_text()


def test_a_changed_a_missing_and_an_extra_file_are_found(finished):
    _, folder = finished
    assert verify_folder(folder) == []
    (folder / "README.md").write_text("# other\n")
    (folder / "00001.tar").unlink()
    (folder / "extra.txt").write_text("x")
    assert verify_folder(folder) == ["00001.tar", "README.md", "extra.txt"]


def test_a_folder_without_checksums_is_one_sentence(tmp_path):
    with pytest.raises(ReleaseError, match="SHA256SUMS: no readable list of checksums"):
        verify_folder(tmp_path)
