"""How much of one image file is read: what is beyond it is said to be unread, and an opt-out in it is a condition."""

import struct
import time

import pytest

from assets.rights import blocks
from assets.rights.containers import metadata_blocks
from assets.rights.findings import Evidence, Findings
from assets.rights.image_rules import read_image
from assets.rights.verify import verify
from assets.rights.xmp import xmp_properties
from tests.rights.conftest import reservations_in
from tests.rights.image_files import NC, chunk, dataset, found, in_jpeg, in_png, packet, photoshop, read, segment

MOST_SECONDS = 5.0
"""Processor time of a case, which takes less than a tenth of it."""

XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
PROHIBITED = packet("<p:DataMining>DMI-PROHIBITED</p:DataMining>").encode()
RESERVED, MAYBE, UNKNOWN = (
    ("plus_data_mining", "tdm", decision) for decision in ("reserved", "conditional", "unknown")
)


def bounded_read(data: bytes) -> Evidence:
    findings, started = Findings(), time.process_time()
    read_image(data, 5, None, findings)
    assert time.process_time() - started < MOST_SECONDS
    return findings.evidence()


def unread(evidence: Evidence) -> list[str]:
    rows = evidence.license_evidence.to_pylist()
    return [row["value"] for row in rows if row["rule"] == "metadata_unread"]


def comments(*texts: bytes) -> bytes:
    return in_jpeg(*[segment(0xFE, text) for text in texts])


def packets(*texts: bytes) -> bytes:
    return in_png(*[chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text) for text in texts])


def iptc_segments(count: int, each: int) -> bytes:
    """JPEG file with that many segments of IPTC, with that many different notices in each of them."""
    notices = [dataset(2, 116, b"CC BY 4.0, %d" % number) for number in range(count * each)]
    parts = [b"".join(notices[at : at + each]) for at in range(0, len(notices), each)]
    return in_jpeg(*[segment(0xED, photoshop(part)) for part in parts])


MANY, TEXT = "iptc: too many statements", "iptc: too much text"


@pytest.mark.parametrize(("segments", "more"), [(10, []), (11, [MANY]), (400, [MANY, TEXT])])
def test_a_file_states_a_thousand_licenses_and_credits_whatever_blocks_they_are_in(segments, more):
    evidence = bounded_read(iptc_segments(segments, 100))
    assert evidence.attribution.num_rows == 1000
    assert evidence.license_evidence.num_rows == 1000 + len(more)
    assert sorted(unread(evidence)) == sorted(more)


def test_credits_beyond_a_thousand_are_said_to_be_more():
    names = b"".join(dataset(2, 80, b"Ann %d" % number) for number in range(1001))
    evidence = read(in_jpeg(segment(0xED, photoshop(names))))
    assert evidence.attribution.num_rows == 1000
    assert unread(evidence) == ["iptc: too many statements"]


@pytest.mark.parametrize("key", ["DMI-ALLOWED", "DMI-PROHIBITED"])
def test_opt_outs_beyond_two_hundred_are_one_condition(key):
    allowed = [packet(attributes='p:DataMining="DMI-ALLOWED"').encode()] * 200
    assert {row["decision"] for row in read(packets(*allowed)).reservation_evidence.to_pylist()} == {"allowed"}
    more = packet(attributes=f'p:DataMining="{key}"').encode()
    evidence = read(packets(*allowed, more, more))
    rows = evidence.reservation_evidence.to_pylist()
    assert [row["value"] for row in rows if row["decision"] == "conditional"] == ["too many statements"]
    assert len(rows) == 201
    assert unread(evidence) == ["xmp: too many statements"]


def test_blocks_that_cannot_be_read_count_as_statements():
    evidence = read(b"II*\0\x08\0\0\0\0\0" + b"<?xpacket begin?><?xpacket end?>" * 4000)
    assert evidence.license_evidence.num_rows == 1001
    assert evidence.reservation_evidence.num_rows == 201


@pytest.mark.parametrize(
    "text",
    [
        "<dc:rights>" + "<rdf:li>" * 200 + "y " * 450_000 + "</rdf:li>" * 200 + "</dc:rights>",
        "<p:Licensor>" + "<p:LicensorURL>" * 200 + "y " * 450_000 + "</p:LicensorURL>" * 200 + "</p:Licensor>",
    ],
    ids=["list", "structure"],
)
def test_what_is_nested_in_itself_is_read_once(text):
    started = time.process_time()
    for _ in range(4):
        values = list(xmp_properties(packet(text).encode()).values())
    assert time.process_time() - started < MOST_SECONDS
    assert [len(value.split()) for listed in values for value in listed] == [450_000]


def test_members_of_a_list_are_its_outermost_ones():
    text = (
        "<dc:creator><rdf:Seq><rdf:li>Ann <rdf:li>and Bob</rdf:li></rdf:li><rdf:li>Cy</rdf:li></rdf:Seq></dc:creator>"
    )
    assert xmp_properties(packet(text).encode())["dc:creator"] == ["Ann and Bob", "Cy"]


def test_two_different_words_on_mining_in_one_member_are_a_condition():
    nested = "<rdf:li>DMI-ALLOWED <rdf:li>DMI-PROHIBITED</rdf:li></rdf:li>"
    text = packet(f"<p:DataMining><rdf:Bag>{nested}</rdf:Bag></p:DataMining>")
    assert reservations_in(read(packets(text.encode()))) == {MAYBE}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("<cc:Work/>" * 25_000, "xmp: too many descriptions"),
        (f"<rdf:Description><p:Licensor>{'<a/>' * 25_000}</p:Licensor></rdf:Description>", "xmp: too many properties"),
    ],
)
def test_a_packet_of_more_nodes_than_anybody_writes_is_unread(shape, reason):
    text = packet().replace("<rdf:Description", f"{shape}<rdf:Description", 1)
    evidence = bounded_read(packets(text.encode()))
    assert unread(evidence) == [reason]
    assert reservations_in(evidence) == {UNKNOWN}


def test_packets_of_one_file_are_parsed_up_to_a_bound_and_heard_beyond_it():
    large = packet("<dc:title/>" * 15_000 + " " * 800_000).encode()
    fit = blocks.FILE_LIMITS["xmp"] // len(large)
    license = packet(f'<cc:license rdf:resource="{NC}"/>').encode()
    assert found(read(packets(*[large] * fit, license))) == {("xmp_cc_license", "CC-BY-NC-4.0")}
    evidence = bounded_read(packets(*[large] * 30, license, PROHIBITED))
    assert unread(evidence) == ["xmp: too many bytes"]
    assert evidence.license_evidence.num_rows == 1
    decisions = [row["decision"] for row in evidence.reservation_evidence.to_pylist()]
    assert (decisions.count("unknown"), decisions.count("conditional")) == (30 - fit + 1, 1)


def test_one_packet_may_be_as_large_as_depth_maps_make_it_beside_another():
    assert blocks.FILE_LIMITS["xmp"] >= blocks.MAX_LARGE + blocks.MAX_BLOCK


@pytest.mark.parametrize("kind", ["exif", "iptc"])
def test_exif_and_iptc_of_one_file_are_parsed_up_to_a_bound(kind):
    if kind == "exif":
        entries = b"".join(struct.pack("<HHII", tag, 2, 4, 0) for tag in range(5000))
        part = segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + entries)
    else:
        part = segment(0xED, photoshop(dataset(2, 0, b"") * 12_000))
    assert unread(bounded_read(in_jpeg(*[part] * 200))) == [f"{kind}: too many bytes"]


def test_a_large_tiff_file_is_one_exif_block_and_no_reason_to_stop():
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 0x8298, 2, 9, 26)
    data = b"II*\0\x08\0\0\0" + directory + b"\0" * 4 + b"CC BY 4.0" + b"\0" * (20 << 20)
    assert found(read(data)) == {("exif_copyright", "CC-BY-4.0")}


def test_words_of_one_file_are_searched_for_licenses_up_to_a_bound():
    texts = [b"CC BY 4.0 licen " * 400 + b"%d" % number for number in range(3000)]
    fit = blocks.FILE_LIMITS["words"] // 6401
    evidence = bounded_read(comments(*texts))
    assert evidence.license_evidence.num_rows == fit + 1
    assert unread(evidence) == ["comment: too much text"]


def test_opt_outs_and_credits_are_heard_beyond_the_words_that_are_searched():
    words = [b"a " * 30_000] * 20
    terms = (
        '<xmpRights:UsageTerms xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">CC BY 4.0</xmpRights:UsageTerms>'
    )
    last = packet(f"<dc:creator>Ann</dc:creator><p:DataMining>DMI-PROHIBITED</p:DataMining>{terms}").encode()
    data = in_jpeg(*[segment(0xFE, text) for text in words], segment(0xE1, XMP_JPEG + last))
    evidence = read(data)
    assert found(evidence) == {("metadata_unread", "NOASSERTION")}
    assert reservations_in(evidence) == {RESERVED}
    assert [row["value"] for row in evidence.attribution.to_pylist()] == ["Ann"]


SMALL = {
    "jpeg segments": (b"\xff\xd8", b"\xff\xe5\0\2"),
    "jpeg fill bytes": (b"\xff\xd8", b"\xff"),
    "photoshop resources": (b"\xff\xd8", segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\5\0\0\0\0\0\0" * 5000)),
    "png chunks": (b"\x89PNG\r\n\x1a\n", chunk(b"abcd", b"")),
    "webp chunks": (b"RIFF\0\0\0\0WEBP", b"abcd\0\0\0\0"),
    "boxes": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x08free"),
    "tiff resources": (
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8649, 7, 16 << 20, 26, 0),
        b"8BIM\4\5\0\0\0\0\0\0",
    ),
}


@pytest.mark.parametrize("shape", SMALL)
def test_a_file_of_millions_of_small_parts_is_walked_up_to_a_bound(shape):
    start, part = SMALL[shape]
    data = start + part * ((16 << 20) // len(part)) + PROHIBITED
    evidence = bounded_read(data)
    assert any("too large or broken" in reason for reason in unread(evidence))
    assert {RESERVED, MAYBE} & reservations_in(evidence)
    assert evidence.license_evidence.num_rows <= 3


def test_a_large_image_of_ordinary_parts_is_read_to_its_end():
    assert unread(read(in_png(*[chunk(b"IDAT", b"x" * 64)] * 100_000, chunk(b"tEXt", b"Copyright\0CC BY 4.0")))) == []
    assert [block.kind for block in metadata_blocks(in_jpeg(*[segment(0xE2, b"x" * 64)] * 100_000))] == []


@pytest.mark.parametrize(
    "data",
    [
        iptc_segments(11, 100),
        packets(*[PROHIBITED] * 202),
        comments(*[b"CC BY 4.0 " + b"a " * 9000] * 20),
        packets(*[packet(f"<dc:rights>CC BY 4.0</dc:rights>{' ' * 900_000}").encode()] * 11, PROHIBITED),
    ],
    ids=["licenses", "reservations", "words", "xmp"],
)
def test_findings_of_a_file_that_is_not_read_to_its_end_read_the_same(data):
    evidence = read(data)
    rows = [row | {"says": row["spdx_id"], "usage": None} for row in evidence.license_evidence.to_pylist()[-25:]]
    rows += [row | {"says": row["decision"]} for row in evidence.reservation_evidence.to_pylist()[-25:]]
    assert unread(evidence)
    assert [row for row in rows if verify(row, data).outcome != "same"] == []
