import hashlib
import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.provenance.tables import TABLES
from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseError, ReleaseSettings, extension_of, id_pairs, read_shard, write_release
from tests.provenance import tiny_build as t


def test_samples_are_cut_into_tars_with_a_parquet_file_each_and_addresses_apart(released):
    made, folder = released
    names = [file.name for file in made.files]
    expected = ["00000.parquet", "00000.tar", "00001.parquet", "00001.tar", "ids.npy", "urls-00000.parquet"]
    assert names == expected == sorted(path.name for path in folder.iterdir())
    assert {file.name: file.rows for file in made.files} == {
        "00000.parquet": 2, "00000.tar": 2, "00001.parquet": 1, "00001.tar": 1, "ids.npy": 4, "urls-00000.parquet": 1,
    }  # fmt: skip


def test_files_are_described_by_their_hash_and_size(released):
    made, folder = released
    for file in made.files:
        data = (folder / file.name).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))


def test_members_say_file_and_row_of_each_sample(released):
    made, folder = released
    assert made.members.schema.equals(TABLES["release_member"].schema)
    assert [tuple(row.values()) for row in made.members.to_pylist()] == [
        (t.RELEASE, i, file, row, image, kind) for i, file, row, image, kind in sorted(t.PLACES)
    ]
    for row in made.members.to_pylist():
        twin = folder / (row["file"].removesuffix(".tar").removesuffix(".parquet") + ".parquet")
        assert pq.read_table(twin).column("sample_id").to_pylist()[row["row"]] == row["sample_id"]


def test_a_tar_holds_bytes_as_crawled_caption_and_description(released):
    _, folder = released
    samples = dict(read_shard(folder / "00000.tar"))
    assert list(samples) == [f"{t.A0:020d}", f"{t.A2:020d}"]
    oak = samples[f"{t.A0:020d}"]
    assert set(oak) == {"jpg", "txt", "json"}
    assert oak["jpg"] == b"a" * 40
    assert oak["txt"] == b"An oak leaf from a tree"
    described = json.loads(oak["json"])
    assert set(described) == set(COLUMNS)
    assert (described["license_url"], described["sample_id"]) == ("https://creativecommons.org/licenses/by/4.0/", t.A0)
    assert described["sha256"] == hashlib.sha256(oak["jpg"]).hexdigest()


def test_members_lie_in_order_without_clock_owner_or_directory(released):
    _, folder = released
    with tarfile.open(folder / "00000.tar") as archive:
        entries = archive.getmembers()
    names = [entry.name for entry in entries]
    assert names == sorted(names)
    assert all(name.count(".") == 1 and "/" not in name for name in names)
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {(0, 0, 0, "", "", 0o644)}


def test_the_extension_follows_what_the_bytes_are():
    formats = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"]
    assert [extension_of(name) for name in formats] == ["jpg", "jpg", "png", "webp", "gif", "tif", "avif", "bmp"]


def test_where_the_bytes_lie_in_the_lake_is_no_part_of_a_release(released):
    _, folder = released
    assert "lake/image" not in "".join(path.read_bytes().decode("latin-1") for path in folder.glob("*.tar"))
    assert all(pq.read_schema(path).names == list(COLUMNS) for path in folder.glob("*.parquet"))


def test_an_address_is_released_without_bytes_but_with_the_hash(released):
    _, folder = released
    [row] = pq.read_table(folder / "urls-00000.parquet").to_pylist()
    assert (row["status"], row["url"], row["sha256"]) == (
        "url_only", "https://moon.example/c.webp", hashlib.sha256(b"c" * 20).hexdigest(),
    )  # fmt: skip
    assert all(b"c" * 20 not in path.read_bytes() for path in folder.iterdir())


def test_a_score_that_is_no_number_is_null_in_json(assembled, settings, tmp_path):
    rows = assembled.rows.to_pylist()
    rows[0]["similarity"] = rows[0]["scores"][0]["value"] = float("nan")
    write_release(pa.Table.from_pylist(rows, assembled.rows.schema), t.read_image_bytes, tmp_path, settings)
    _, parts = next(read_shard(tmp_path / "00000.tar"))
    described = json.loads(parts["json"], parse_constant=pytest.fail)
    assert (described["similarity"], described["scores"][0]["value"]) == (None, None)


def test_equal_rows_give_equal_bytes_in_any_folder(released, assembled, settings, tmp_path):
    made, _ = released
    (tmp_path / "elsewhere").mkdir()
    again = write_release(assembled.rows, t.read_image_bytes, tmp_path / "elsewhere", settings)
    assert again.files == made.files
    assert again.members.equals(made.members)


def test_ids_are_pairs_of_halves_sorted_as_datacomp_reads_them(released, assembled):
    _, folder = released
    ids = np.load(folder / "ids.npy")
    assert ids.dtype == np.dtype("u8,u8")
    uids = sorted(assembled.rows.column("uid").to_pylist())
    assert [f"{high:016x}{low:016x}" for high, low in ids.tolist()] == uids


def test_ids_sort_by_the_high_half_first_and_keep_large_values():
    uids = ["f" * 32, "0" * 31 + "2", "0" * 15 + "1" + "0" * 16, "0" * 32]
    assert id_pairs(uids).tolist() == [(0, 0), (0, 2), (1, 0), (2**64 - 1, 2**64 - 1)]
    assert id_pairs([]).shape == (0,)


def test_bytes_that_are_not_what_was_crawled_stop_the_release(assembled, settings, tmp_path):
    with pytest.raises(
        ReleaseError, match=rf"lake/image/one.tar: member a.jpg of sample {t.A0} is not what the crawl stored"
    ):
        write_release(assembled.rows, lambda file, members: (b"other" for _ in members), tmp_path, settings)


def test_a_reader_that_gives_too_few_images_stops_the_release(assembled, settings, tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_release(assembled.rows, lambda file, members: iter(()), tmp_path, settings)


def test_a_tar_that_does_not_read_back_stops_the_release(assembled, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("assets.release.shards.read_shard", lambda path: iter(()))
    with pytest.raises(ReleaseError, match="00000.tar: 0 of 2 samples read back"):
        write_release(assembled.rows, t.read_image_bytes, tmp_path, settings)


def test_a_tar_with_a_changed_caption_stops_the_release(assembled, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("assets.release.shards._add", _add_with_another_text)
    with pytest.raises(ReleaseError, match=f"sample {t.A0:020d} does not read back"):
        write_release(assembled.rows, t.read_image_bytes, tmp_path, settings)


def _add_with_another_text(archive, name, content):
    info = tarfile.TarInfo(name)
    data = b"other" if name.endswith(".txt") else content
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def test_an_empty_release_is_an_empty_id_list(assembled, settings, tmp_path):
    made = write_release(assembled.rows.slice(0, 0), t.read_image_bytes, tmp_path, settings)
    assert [(file.name, file.rows) for file in made.files] == [("ids.npy", 0)]
    assert made.members.num_rows == 0


def test_images_of_one_lake_tar_are_asked_for_in_one_call_per_shard(assembled, settings, tmp_path):
    calls = []

    def read(file, members):
        calls.append((file, tuple(members)))
        return t.read_image_bytes(file, members)

    write_release(assembled.rows, read, tmp_path, settings)
    assert calls == [(t.TARS[1], ("a.jpg", "b.png")), (t.TARS[2], ("e.gif",))]


def picture(kind):
    out = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(out, kind)
    return out.getvalue()


def test_webdataset_decodes_a_shard_of_every_common_format_as_the_card_says(assembled, tmp_path):
    wds = pytest.importorskip("webdataset")
    kinds = ["JPEG", "PNG", "WEBP", "GIF"]
    rows = assembled.rows.to_pylist()
    for row, kind in zip(rows, kinds, strict=True):
        digest = hashlib.sha256(picture(kind)).hexdigest()
        row.update(
            status="success", image_format=kind, sha256=digest, stored_sha256=digest, member=kind, file="one.tar"
        )
    table = pa.Table.from_pylist(rows, assembled.rows.schema)
    settings = ReleaseSettings("r", "r", "1.0.0", samples_per_shard=10)
    write_release(table, lambda file, members: map(picture, members), tmp_path, settings)
    shard = wds.WebDataset(str(tmp_path / "00000.tar"), shardshuffle=False).decode("pil")
    pairs = list(shard.to_tuple("jpg;png;webp;gif", "txt", "json"))
    assert [image.size for image, _, _ in pairs] == [(8, 6)] * 4
    assert [text for _, text, _ in pairs] == [row["caption"] for row in rows]
    assert [described["image_format"] for _, _, described in pairs] == kinds


def test_duckdb_reads_all_parquet_files_as_one_table(released):
    import duckdb

    _, folder = released
    query = f"SELECT count(*), count(DISTINCT key), count(*) FILTER (status = 'success') FROM '{folder}/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(4, 4, 3)]
