"""Link lists in every form they come in, whole, cut and broken."""

import csv
import gzip
import io
import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.crawl.lists import LAYOUTS, ListRefused, Piece, read_rows, split

GENERIC, CC12M = LAYOUTS["generic"], LAYOUTS["cc12m"]


def address(number: int) -> str:
    return f"https://a.example/{number}.jpg"


def text(number: int) -> str:
    return f'line one of "{number}",\nline two' if number % 7 == 3 else f"ein schönes Bild, {number}"


def write(path: Path, data: bytes) -> Path:
    """Bytes as the name says: compressed or not."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = pa.Codec("zstd").compress(data, asbytes=True)
    path.write_bytes(data)
    return path


def content(kind: str, rows: int) -> bytes:
    stream = io.StringIO()
    if kind == "jsonl":
        return b"".join(json.dumps({"url": address(n), "caption": text(n)}).encode() + b"\n" for n in range(rows))
    writer = csv.writer(stream, delimiter="\t" if kind == "tsv" else ",")
    writer.writerow(["URL", "other", "TEXT"])
    writer.writerows([address(n), "-", text(n)] for n in range(rows))
    return stream.getvalue().encode()


def make(folder: Path, name: str, rows: int) -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        table = pa.table({"URL": [address(n) for n in range(rows)], "TEXT": [text(n) for n in range(rows)]})
        pq.write_table(table, path, row_group_size=40)
        return path
    return write(path, content(name.split(".")[1], rows))


def all_rows(path, size=1000, layout=GENERIC):
    return [row for piece in split(path, size, layout) for row in read_rows(path, layout, piece)]


def reasons(path, layout=GENERIC):
    return [row.reason for row in all_rows(path, layout=layout)]


NAMES = ["a.parquet"] + [f"a.{kind}{end}" for kind in ("csv", "tsv", "jsonl") for end in ("", ".gz", ".zst")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7, 50, 100, 101, 1000])
def test_pieces_hold_every_row_once_and_each_can_be_read_alone(tmp_path, name, size):
    path = make(tmp_path, name, 100)
    pieces = split(path, size)
    assert [piece.rows for piece in pieces] == [size] * (100 // size) + ([100 % size] if 100 % size else [])
    assert [piece.first_row for piece in pieces] == list(range(0, 100, size))
    for piece in reversed(pieces):
        rows = list(read_rows(path, GENERIC, piece))
        numbers = range(piece.first_row, piece.first_row + piece.rows)
        assert [(row.row, row.url, row.text, row.reason) for row in rows] == [
            (n, address(n), text(n), None) for n in numbers
        ]


def test_the_first_byte_of_a_piece_is_where_its_first_row_starts(tmp_path):
    data = b'url,text\r\nhttp://a.example/1,"a\r\nb"\r\nhttp://a.example/2,c\r\n'
    path = write(tmp_path / "a.csv", data)
    assert split(path, 1) == [Piece(0, 1, 10), Piece(1, 1, data.index(b"http://a.example/2"))]
    assert [row.text for row in all_rows(path, 1)] == ["a\r\nb", "c"]


def test_bytes_before_the_piece_are_not_parsed(tmp_path):
    path = write(tmp_path / "a.csv", content("csv", 100))
    last = split(path, 50)[1]
    data = bytearray(path.read_bytes())
    header = data.index(b"\n") + 1
    data[header : last.first_byte] = b'"' * (last.first_byte - header)
    path.write_bytes(data)
    assert [row.url for row in read_rows(path, GENERIC, last)] == [address(n) for n in range(50, 100)]


def test_row_groups_outside_the_piece_are_not_read(tmp_path):
    path = make(tmp_path, "a.parquet", 100)
    group = pq.ParquetFile(path).metadata.row_group(0)
    data = bytearray(path.read_bytes())
    end = group.column(1).dictionary_page_offset + group.column(1).total_compressed_size
    data[4:end] = b"\xff" * (end - 4)
    path.write_bytes(data)
    assert [row.url for row in read_rows(path, GENERIC, Piece(40, 60, None))] == [address(n) for n in range(40, 100)]
    assert [row.reason for row in read_rows(path, GENERIC, Piece(0, 100, None))] == ["broken_file"] * 40 + [None] * 60


@pytest.mark.parametrize(
    ("layout", "columns", "expected"),
    [
        ("laion2b", {"SAMPLE_ID": 5, "URL": "u", "TEXT": "t", "HEIGHT": 3, "WIDTH": 4, "LICENSE": "?", "LANGUAGE": "zh-Latn"},
         {"language": "zh", "license": None}),
        ("laion2b", {"URL": "u", "TEXT": "t", "WIDTH": 4.0, "HEIGHT": 3.0, "similarity": 0.3, "hash": -7, "punsafe": 0.1},
         {"language": None}),
        ("laion400m", {"SAMPLE_ID": 1.0, "URL": "u", "TEXT": "t", "LICENSE": "cc-by", "NSFW": "UNLIKELY", "similarity": 0.3},
         {"license": "cc-by"}),
        ("coyo", {"id": 841814333321, "url": "u", "text": "t", "width": 4, "height": 3, "image_phash": "f0"},
         {"license": None}),
        ("datacomp", {"uid": "ab" * 16, "url": "u", "text": "t", "original_width": 4, "original_height": 3, "sha256": "AB" * 32},
         {"sha256": "ab" * 32}),
        ("generic", {"Image_URL": "u", "Caption": "t", "Title": "T", "page_url": "http://p.example", "lang": "de-CH"},
         {"title": "T", "page_url": "http://p.example/", "language": "de"}),
    ],
)  # fmt: skip
def test_layouts_know_the_columns_of_their_data_set(tmp_path, layout, columns, expected):
    columns = {name: "http://a.example/x" if value == "u" else value for name, value in columns.items()}
    pq.write_table(pa.Table.from_pylist([columns]), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text(json.dumps(columns))
    for name in ("a.parquet", "a.jsonl"):
        (row,) = all_rows(tmp_path / name, layout=LAYOUTS[layout])
        assert (row.url, row.text, row.reason) == ("http://a.example/x", "t", None)
        assert {field: getattr(row, field) for field in expected} == expected


def test_cc12m_has_no_header_and_its_quotes_mean_nothing(tmp_path):
    data = b'http://a.example/1\t"open <PERSON>\nhttp://a.example/2\t5" nail\t\nhttp://a.example/3\ta "b" c\n'
    rows = all_rows(write(tmp_path / "cc12m.tsv", data), layout=CC12M)
    assert [(row.text, row.reason) for row in rows] == [
        ('"open <PERSON>', None),
        (None, "bad_fields"),
        ('a "b" c', None),
    ]
    with_header = write(tmp_path / "named.tsv", b"url\tcaption\n" + data)
    assert [row.text for row in all_rows(with_header, layout=CC12M)] == [row.text for row in rows]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_missing_column_is_named_with_those_that_are_there(tmp_path, name):
    path = make(tmp_path, name, 3)
    layout = replace(GENERIC, text=("words", "alt"))
    with pytest.raises(
        ListRefused, match=rf"{name}: there is no column words or alt; its columns are: (URL|url), .*\. Name the"
    ):
        split(path, 10, layout)
    with pytest.raises(ListRefused, match="there is no column"):
        list(read_rows(path, layout, Piece(0, 3, 0)))


def test_files_that_are_no_lists_are_refused_with_a_sentence(tmp_path):
    for name, data, words in [
        ("a.doc", b"x", "does not say what kind of list"),
        ("a.gz", b"x", "does not say what kind of list"),
        ("a.csv", b"", "it is empty"),
        ("b.csv", b"\xff\xfeu\0", "UTF-16"),
        ("c.csv", b"\xff\xff\n", "does not name columns"),
        ("a.csv.gz", b"no gzip", "damaged before its first row"),
        ("a.parquet", b"PAR1....PAR1", "not readable as Parquet"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ListRefused, match=words):
            split(tmp_path / name, 10)
    with pytest.raises(FileNotFoundError):
        split(tmp_path / "none.csv.gz", 10)
    with pytest.raises(ListRefused, match="at least one"):
        split(tmp_path / "a.csv", 0)


def test_a_list_without_rows_has_no_pieces(tmp_path):
    assert split(write(tmp_path / "a.csv", b"\xef\xbb\xbfurl,text\n\n"), 5) == []
    assert split(write(tmp_path / "a.jsonl", b""), 5) == []
    assert split(make(tmp_path, "a.parquet", 0), 5) == []


def test_a_bad_row_of_a_csv_is_a_row_and_moves_no_other(tmp_path):
    lines = [
        b"url,text",
        b"http://a.example/0,ok",
        b"http://a.example/1,caf\xe9",
        b"http://a.example/2",
        b"http://a.example/3,a,b",
        b",no address",
        b"ftp://a.example/5,x",
        b"http://,x",
        b"http://a.example/7," + b"x" * 70_000,
        b"http://a.example/8," + b"x" * (2 << 20),
        b"http://a.example/" + b"9" * 9000 + b",x",
        b'http://a.example/10,"caf\xe9"',
        b"http://a.example/11,\x00ok",
        b'"http://a.example/12","o""k"',
    ]
    rows = all_rows(write(tmp_path / "a.csv", b"\n".join(lines)))
    assert [row.reason for row in rows] == [
        None, "not_utf8", "bad_fields", "bad_fields", "no_url", "not_http", "bad_url", "too_long", "too_long", "too_long",
        "not_utf8", None, None,
    ]  # fmt: skip
    assert [row.row for row in rows] == list(range(13))
    assert [rows[i].text for i in (0, 11, 12)] == ["ok", "ok", 'o"k']
    assert (rows[5].url, rows[5].text) == ("ftp://a.example/5", "x")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_quote_that_is_never_closed_costs_its_own_line(tmp_path, size):
    rows = [f"{address(n)},plain {n}" for n in range(200)]
    rows[10] = f'{address(10)},"never closed'
    rows[199] = f'{address(199)},"open at the end'
    path = write(tmp_path / "a.csv", "\n".join(["url,text", *rows]).encode())
    found = all_rows(path, size)
    assert [(row.row, row.reason) for row in found if row.reason] == [(10, "unclosed_quote"), (199, "unclosed_quote")]
    assert [row.url for row in found if not row.reason] == [address(n) for n in range(199) if n != 10]


def test_quotes_inside_an_unquoted_field_are_text(tmp_path):
    path = write(tmp_path / "a.csv", b'url,text\nhttp://a.example/1,5" nail\nhttp://a.example/2,b\n')
    assert [row.text for row in all_rows(path)] == ['5" nail', "b"]


def test_a_bad_line_of_json_is_a_row_and_moves_no_other(tmp_path):
    lines = [
        b'{"url": "http://a.example/0", "text": "ok"}', b"{", b"[1]", b"[" * 100_000, b'{"url": "\xff"}', b'{"text": "x"}',
        b'{"url": 5, "text": "x"}', b'{"url": ["a"], "text": "x"}', b'{"url": "http://a.example/8", "text": {"a": 1}}', b"",
        b'{"url": "http://a.example/9", "text": null}', b'{"url": "http://a.example/10", "text": 1.5, "width": 1e999}',
        b'{"url": "http://a.example/11", "text": "\\ud800x"}',
    ]  # fmt: skip
    rows = all_rows(write(tmp_path / "a.jsonl", b"\n".join(lines)))
    assert [row.reason for row in rows] == [
        None, "bad_json", "bad_json", "bad_json", "not_utf8", "no_url", "not_http", "bad_value", "bad_value", None, None, None,
    ]  # fmt: skip
    assert [row.text for row in rows[-3:]] == [None, "1.5", "x"]


def test_parquet_values_of_every_type_are_taken_for_what_they_say(tmp_path):
    urls = [b"http://a.example/0#part", b"\xff", None, b"http://a.example/3 x"]
    table = pa.table(
        {
            "url": pa.array(urls, pa.binary()),
            "text": pa.array(["a", "b", "a", None]).dictionary_encode(),
            "sha256": pa.array([b"\x01" * 32, None, None, b"no"], pa.binary()),
            "width": pa.array([1.0, float("nan"), 2.5, -3.0]),
            "uid": pa.array([1, 2, None, 4], pa.int64()),
            "title": pa.array([["list"], None, None, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    rows = all_rows(tmp_path / "a.parquet")
    assert [row.reason for row in rows] == [None, "not_utf8", "no_url", None]
    assert (rows[0].url, rows[0].sha256) == ("http://a.example/0", "01" * 32)
    assert (rows[3].url, rows[3].text, rows[3].sha256) == ("http://a.example/3%20x", None, None)


def test_invalid_utf8_in_a_text_column_of_parquet_costs_its_rows_alone(tmp_path):
    words = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"ok\xff\xff"))
    pq.write_table(pa.table({"url": [address(0), address(1)], "text": words}), tmp_path / "a.parquet")
    assert reasons(tmp_path / "a.parquet") == [None, "not_utf8"]


def test_a_long_value_that_stands_for_many_rows_is_kept_once(tmp_path):
    bomb = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 2000, pa.int32()), pa.array(["x" * (20 << 20), "short"]))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"url": [address(n) for n in range(4000)], "text": bomb}), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    before = pa.total_allocated_bytes()
    found = [row.reason for row in read_rows(path, GENERIC, Piece(0, 4000, None))]
    assert found == ["too_long", None] * 2000
    assert pa.default_memory_pool().max_memory() - before < 1 << 28


def test_a_column_that_unpacks_to_far_more_than_it_takes_is_not_read(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"url": [address(n) for n in range(3)], "text": ["x" * (30 << 20)] * 3})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    assert reasons(path) == ["too_large"] * 3


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "a.csv.zst"])
def test_a_cut_file_gives_its_rows_up_to_the_cut_and_one_for_the_rest(tmp_path, name):
    chance = random.Random(4)
    extra = [f"{chance.getrandbits(400):x}" for _ in range(3000)]
    kind = name.split(".")[1]
    if kind == "jsonl":
        data = "".join(json.dumps({"url": address(n), "text": e}) + "\n" for n, e in enumerate(extra))
    else:
        comma = "," if kind == "csv" else "\t"
        data = f"url{comma}text\n" + "".join(f"{address(n)}{comma}{e}\n" for n, e in enumerate(extra))
    path = write(tmp_path / name, data.encode())
    whole = split(path, 100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    pieces = split(path, 100)
    found = [row for piece in pieces for row in read_rows(path, GENERIC, piece)]
    assert pieces[:-1] == whole[: len(pieces) - 1]
    assert 500 < len(found) < 3000
    assert [row.reason for row in found[:-1]] == [None] * (len(found) - 1)
    assert [row.text for row in found[:-1]] == extra[: len(found) - 1]
    assert found[-1].reason == "broken_file"
    # Pieces that were told before the file was cut keep their rows.
    late = list(read_rows(path, GENERIC, whole[-1]))
    assert [(row.row, row.reason) for row in late] == [(n, "broken_file") for n in range(2900, 3000)]
    within = list(read_rows(path, GENERIC, whole[len(pieces) - 1]))
    assert len(within) == 100
    assert within[-1].reason == "broken_file"


def test_a_parquet_file_that_lost_its_footer_gives_broken_rows(tmp_path):
    path = make(tmp_path, "a.parquet", 100)
    piece = split(path, 60)[1]
    path.write_bytes(path.read_bytes()[:-100])
    assert [(row.row, row.reason) for row in read_rows(path, GENERIC, piece)] == [
        (n, "broken_file") for n in range(60, 100)
    ]


def test_gzip_members_one_after_another_and_padding_are_one_file(tmp_path):
    parts = [b"url,text\nhttp://a.example/0,x\nhttp://a.exa", b"mple/1,y\n"]
    (tmp_path / "a.csv.gz").write_bytes(b"".join(gzip.compress(part) for part in parts) + b"\0" * 200_000)
    assert [row.url for row in all_rows(tmp_path / "a.csv.gz")] == ["http://a.example/0", "http://a.example/1"]


def test_a_line_that_unpacks_to_far_too_much_is_passed_over(tmp_path):
    data = b"url,text\nhttp://a.example/0," + b"x" * (50 << 20) + b"\nhttp://a.example/1,y\n"
    assert reasons(write(tmp_path / "a.csv.gz", data)) == ["too_long", None]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.parquet"])
def test_no_bytes_raise_anything_but_a_refusal_and_pieces_keep_their_numbers(tmp_path, name):
    whole = make(tmp_path, name, 60).read_bytes()
    chance, path = random.Random(5), tmp_path / f"b{name[1:]}"
    tokens = [b'"', b'""', b"\n", b"\r", b",", b"\t", b"\xff", b"\0", b"{", b'"\n', b"", b"\\"]
    outcomes: set[str | None] = set()
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 3))] = chance.choice(tokens)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            pieces = split(path, 11)
        except ListRefused:
            continue
        rows = [row for piece in pieces for row in read_rows(path, GENERIC, piece)]
        assert [row.row for row in rows] == list(range(sum(piece.rows for piece in pieces)))
        one = split(path, 10_000)
        again = [row for piece in one for row in read_rows(path, GENERIC, piece)]
        assert again == rows
        outcomes |= {row.reason for row in rows}
    assert None in outcomes
    assert len(outcomes) > 1
