import pytest

from assets.release.checks import release_reads_back, released_samples_are_allowed
from assets.release.manifest import finish_release
from assets.release.shards import write_release
from tests.provenance import tiny_build as t


def rights_with(change):
    return t.table("rights", change(t.RIGHTS))


def set_for(sample_id, **values):
    return lambda rows: [{**row, **values} if row["sample_id"] == sample_id else row for row in rows]


def test_a_sound_release_passes(released, tables):
    assert released_samples_are_allowed(released[0].members, tables["rights"]) == (
        True, "4 released samples, each with one rights row that allows it",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: [row for row in rows if row["sample_id"] != t.A2], "has 0 rights rows"),
        (lambda rows: [*rows, rows[2]], "has 2 rights rows"),
        (set_for(t.A2, verdict="deny"), "with its image, but its verdict is deny"),
        (set_for(t.A2, verdict="review"), "but its verdict is review"),
        (set_for(t.A2, verdict="url_only"), "with its image, but its verdict is url_only"),
        (set_for(t.A2, reservation="reserved"), "its rights are reserved"),
    ],
)
def test_a_sample_that_must_not_be_there_is_found(released, change, told):
    holds, sentence = released_samples_are_allowed(released[0].members, rights_with(change))
    assert not holds
    assert str(t.A2) in sentence
    assert told in sentence


def test_an_address_whose_image_could_have_been_released_is_found(released):
    holds, sentence = released_samples_are_allowed(released[0].members, rights_with(set_for(t.A4, verdict="allow")))
    assert not holds
    assert "by its address, but its verdict is allow" in sentence


def test_a_sample_released_twice_is_found(released, tables):
    rows = released[0].members.to_pylist()
    members = t.table("release_member", [*rows, rows[0]])
    assert released_samples_are_allowed(members, tables["rights"]) == (False, f"sample {t.A0} is released 2 times")


def test_a_denied_sample_that_is_not_released_does_no_harm(released, tables):
    assert {row["verdict"] for row in tables["rights"].to_pylist()} >= {"deny"}
    assert released_samples_are_allowed(released[0].members, tables["rights"])[0]


def test_a_changed_file_of_a_release_is_found(assembled, settings, tmp_path):
    made = write_release(assembled.rows, t.read_image_bytes, tmp_path, settings)
    finish_release(tmp_path, made.files, {"README.md": "# tiny\n"}, settings)
    assert release_reads_back(tmp_path) == (True, "every file has the hash that SHA256SUMS says")
    data = bytearray((tmp_path / "00000.tar").read_bytes())
    data[600] ^= 1
    (tmp_path / "00000.tar").write_bytes(bytes(data))
    assert release_reads_back(tmp_path) == (False, "1 files are missing, changed or not listed: 00000.tar")
    (tmp_path / "SHA256SUMS").unlink()
    assert not release_reads_back(tmp_path)[0]
