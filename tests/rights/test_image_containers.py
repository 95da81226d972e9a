"""Where metadata stands in image files of every format, and files that are broken or hostile."""

import hashlib
import io
import struct
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from assets.rights import blocks, containers
from assets.rights.containers import metadata_blocks
from tests.rights.conftest import reservations_in
from tests.rights.image_files import (
    BY,
    NC,
    RDF,
    chunk,
    credits_in,
    dataset,
    encoded,
    found,
    in_jpeg,
    in_png,
    iptc,
    packet,
    photoshop,
    placed,
    read,
    segment,
    svg,
)

LICENSED = packet(f'<cc:license rdf:resource="{BY}"/>')
UNREAD = {("metadata_unread", "NOASSERTION")}
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(12)
)


def tiff_tags(tag: int, content: bytes) -> ImageFileDirectory_v2:
    tags = ImageFileDirectory_v2()
    tags[tag], tags.tagtype[tag] = content, 7
    return tags


def with_xmp(format: str, text: str) -> bytes:
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", text)
        return encoded("PNG", pnginfo=info)
    if format == "GIF":
        gif = encoded("GIF")
        palette = 13 + (3 << (gif[10] & 7) + 1)
        trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
        return b"GIF89a" + gif[6:palette] + b"!\xff\x0bXMP DataXMP" + text.encode() + trailer + gif[palette:]
    if format == "TIFF":
        return encoded("TIFF", tiffinfo=tiff_tags(700, text.encode()))
    return encoded(format, xmp=text.encode())


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF", "TIFF", "PNG", "AVIF"])
def test_xmp_is_found_in_every_container_at_its_place(format):
    data = with_xmp(format, LICENSED)
    evidence = read(data)
    assert found(evidence) == {("xmp_cc_license", "CC-BY-4.0")}
    assert [BY.encode() in raw and len(raw) < len(LICENSED) + 100 for raw in placed(evidence, data)] == [True]


def test_a_packet_is_found_without_its_usual_wrappers():
    for text in (LICENSED[LICENSED.index("<x:") : -len('<?xpacket end="w"?>')], LICENSED.replace("x:xmpmeta", "q:xmpmeta")
                 .replace("xmlns:x=", "xmlns:q=")):  # fmt: skip
        assert found(read(b"II*\0\0\0\0\0" + text.encode())) == {("xmp_cc_license", "CC-BY-4.0")}


def extended(text: str, pieces: int = 3, guid: str = "") -> list[bytes]:
    body = text.encode()
    name = guid or hashlib.md5(body).hexdigest().upper()
    size = -(-len(body) // pieces)
    return [
        segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0" + name.encode() + struct.pack(">II", len(body), at)
            + body[at : at + size],
        )
        for at in range(0, len(body), size)
    ]  # fmt: skip


def main_packet(guid: str) -> bytes:
    note = f'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{guid}"'
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet("", note).encode())


def test_extended_xmp_is_joined_in_any_order_of_its_pieces():
    pieces = extended(LICENSED)
    guid = hashlib.md5(LICENSED.encode()).hexdigest().upper()
    for order in (pieces, pieces[::-1]):
        data = in_jpeg(main_packet(guid), *order)
        evidence = read(data)
        assert found(evidence) == {("xmp_cc_license", "CC-BY-4.0")}
        assert placed(evidence, data) == [b"".join(order)]


def test_extended_xmp_that_no_packet_names_is_a_leftover():
    assert found(read(in_jpeg(main_packet("0" * 32), *extended(LICENSED)))) == set()


def test_extended_xmp_that_lacks_a_piece_or_says_it_is_huge_is_unread():
    guid = hashlib.md5(LICENSED.encode()).hexdigest().upper()
    first, _, last = extended(LICENSED)
    assert found(read(in_jpeg(main_packet(guid), first, last))) == UNREAD
    huge = bytearray(first)
    huge[4 + 35 + 32 : 4 + 35 + 36] = struct.pack(">I", 1 << 31)
    assert found(read(in_jpeg(main_packet(guid), bytes(huge)))) == UNREAD


def test_opt_outs_in_extended_xmp_that_cannot_be_joined_still_count():
    text = packet("", 'p:DataMining="DMI-PROHIBITED"')
    guid = hashlib.md5(text.encode()).hexdigest().upper()
    evidence = read(
        in_jpeg(main_packet(guid), *extended(text, 1), segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0"))
    )
    assert ("plus_data_mining", "tdm", "reserved") in reservations_in(evidence)
    cut = in_jpeg(
        main_packet(guid), extended(text, 1)[0].replace(struct.pack(">I", len(text.encode())), b"\0\0\xff\xff")
    )
    assert reservations_in(read(cut)) == {("plus_data_mining", "tdm", "conditional")}


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def test_jpeg_xl_boxes_are_read_plain_and_compressed():
    start = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    exif = Image.Exif()
    exif[0x8298] = "CC BY 4.0"
    tiff = b"\0\0\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    assert found(read(start + box(b"xml ", LICENSED.encode()))) == {("xmp_cc_license", "CC-BY-4.0")}
    assert found(read(start + box(b"Exif", tiff))) == {("exif_copyright", "CC-BY-4.0")}
    for kind, data, expected in ((b"xml ", LICENSED.encode(), "xmp_cc_license"), (b"Exif", tiff, "exif_copyright")):
        packed = box(b"brob", kind + brotli.compress(data))
        assert found(read(start + packed)) == {(expected, "CC-BY-4.0")}
        assert found(read(start + box(b"brob", kind + b"\xff\xff\xff"))) == UNREAD
    assert found(read(start + box(b"brob", b"xml " + brotli.compress(b"x" * 50_000_000)))) == UNREAD


def test_a_tiff_file_may_hold_iptc_in_either_place():
    records = dataset(2, 116, b"CC BY 4.0")
    for tag, content in ((0x83BB, records), (0x8649, photoshop(records).removeprefix(b"Photoshop 3.0\0"))):
        data = encoded("TIFF", tiffinfo=tiff_tags(tag, content))
        evidence = read(data)
        assert found(evidence) == {("iptc_copyright", "CC-BY-4.0")}
        assert placed(evidence, data) == [records]


def test_compressed_png_xmp_is_read_and_a_bomb_is_not():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", LICENSED, zip=True)
    assert found(read(encoded("PNG", pnginfo=info))) == {("xmp_cc_license", "CC-BY-4.0")}
    bomb = zlib.compress(b"x" * 50_000_000)
    assert found(read(in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)))) == UNREAD
    assert found(read(in_png(chunk(b"zTXt", b"Copyright\0\0" + bomb)))) == UNREAD


def test_what_one_file_inflates_to_is_bounded_as_a_whole():
    most, small = zlib.compress(b"x" * blocks.MAX_BLOCK), chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x"))
    too_much = zlib.compress(b"x" * (blocks.MAX_BLOCK + 1))
    for text, whole in ((most, True), (too_much, False)):
        bombs = [chunk(b"zTXt", b"Comment\0\0" + text)] * (blocks.MAX_LARGE // blocks.MAX_BLOCK)
        few = metadata_blocks(in_png(*bombs[1:], small))
        assert [block.data is not None for block in few] == [whole] * len(bombs[1:]) + [True]
        assert metadata_blocks(in_png(*bombs, small))[-1].data is None


def test_broken_xmp_is_no_silence_and_may_still_reserve():
    evidence = read(encoded("JPEG", xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><p:DataMining'))
    assert found(evidence) == UNREAD
    assert reservations_in(evidence) == {("plus_data_mining", "tdm", "conditional")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize(
    ("words", "decision"),
    [
        ("<p:DataMining>DMI-PROHIBITED", "conditional"),
        ("<c:entry>cawg.training-mining", "conditional"),
        ("<dc:title>Harbor", "unknown"),
    ],
)
def test_a_packet_or_drawing_that_cannot_be_read_may_reserve_in_any_encoding(encoding, words, decision):
    broken = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{words}'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="{RDF}">{words}'
    for data in (encoded("WEBP", xmp=broken.encode(encoding)), drawing.encode(encoding)):
        evidence = read(data)
        assert found(evidence) == UNREAD
        assert reservations_in(evidence) == {("plus_data_mining", "tdm", decision)}


def test_other_metadata_that_cannot_be_read_is_no_word_on_mining():
    evidence = read(in_jpeg(segment(0xE1, b"Exif\0\0garbage in a block")))
    assert (found(evidence), reservations_in(evidence)) == (UNREAD, set())


def test_many_extended_packets_are_told_apart_only_up_to_a_bound():
    """Each range reaches from a packet's first piece to its last, so many of them would be many times the file."""
    pieces = [
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"%032d" % guid + struct.pack(">II", 9, at) + b"x")
        for at in range(2)
        for guid in range(1000)
    ]
    ranges = [block for block in metadata_blocks(in_jpeg(*pieces)) if block.kind == "xmp"]
    assert len(ranges) <= containers.MAX_EXTENSIONS + 1
    assert ranges[-1].data is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_entities_are_refused_and_not_expanded_in_any_encoding(encoding):
    hostile = f'{BOMB}]><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">&m;</rdf:RDF></x:xmpmeta>'
    assert found(read(encoded("WEBP", xmp=hostile.encode(encoding)))) == UNREAD
    assert found(read(encoded("WEBP", xmp=LICENSED.encode(encoding)))) == {("xmp_cc_license", "CC-BY-4.0")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7"])
def test_a_drawing_that_declares_entities_is_refused_in_any_encoding(encoding):
    declared = f"<!DOCTYPE svg [<!ENTITY by '{BY}'>]>"
    drawing = svg('<cc:Work rdf:about=""><cc:license>&by;</cc:license></cc:Work>').decode()
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    if encoding == "utf-7":
        data = (head + declared.replace("<!", "+ADwAIQ-") + drawing).encode()
    else:
        data = f"{head}{declared}{drawing}".encode(encoding)
    assert found(read(data)) == UNREAD


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_drawing_is_read_in_any_encoding_behind_comments_and_with_any_prefix(encoding):
    drawing = svg(f'<cc:Work rdf:about="" cc:license="{BY}"/>').decode()
    prefixed = (
        drawing.replace("<svg xmlns=", "<s:svg xmlns:s=")
        .replace("</svg>", "</s:svg>")
        .replace("metadata", "s:metadata")
    )
    before = '<!-- Made with <b>a program</b> -->\n<?xml-stylesheet href="a.css"?>'
    for text in (drawing, prefixed, before + drawing):
        assert found(read(text.encode(encoding))) == {("svg_cc_license", "CC-BY-4.0")}


DRAWING = svg(f'<cc:Work rdf:about="" cc:license="{BY}" p:DataMining="DMI-ALLOWED"/>').decode()


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><body>{}</body></html>",
        "<html><head><title>x</title></head>{}",
        "<!-- <svg> --><!DOCTYPE html>\n<title>x</title>{}",
        '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd"><html>{}</html>',
        "\ufeff  <div>{}</div>",
        "<rss><channel>{}</channel></rss>",
    ],
)
def test_a_web_page_is_no_drawing_and_no_packet_though_it_holds_one(page):
    for text in (DRAWING, LICENSED):
        assert metadata_blocks(page.format(text).encode()) == []


def test_text_before_a_drawing_makes_it_no_drawing():
    assert metadata_blocks(f"Not found: {DRAWING}".encode()) == []


def test_a_quadratic_blowup_is_refused_in_xmp_and_svg():
    declared = f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>'
    many = "&a;" * 20_000
    inside = f'<cc:Work rdf:about=""><dc:title>{many}</dc:title></cc:Work>'
    assert found(read(encoded("WEBP", xmp=(declared + packet(f"<dc:title>{many}</dc:title>")).encode()))) == UNREAD
    attribute = f'<cc:Work rdf:about="" dc:title="{many}"/>'
    for metadata in (inside, attribute):
        evidence = read(svg(metadata, declared))
        assert (found(evidence), credits_in(evidence)) == (UNREAD, set())


def test_an_entity_reads_no_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    declared = f'<!DOCTYPE svg [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    for file in (
        svg('<cc:Work rdf:about=""><dc:title>&e;</dc:title></cc:Work>', declared),
        encoded("WEBP", xmp=(declared + packet("<dc:title>&e;</dc:title>")).encode()),
    ):
        evidence = read(file)
        assert found(evidence) == UNREAD
        assert credits_in(evidence) == set()


def test_a_document_type_outside_of_the_file_is_not_read(tmp_path):
    outside = tmp_path / "outside.dtd"
    outside.write_text('<!ENTITY e "the secret"><!ATTLIST svg x CDATA "the secret">')
    work = '<cc:Work rdf:about=""><dc:title>Harbor&e;</dc:title></cc:Work>'
    evidence = read(svg(work, f'<!DOCTYPE svg SYSTEM "{outside.as_uri()}">'))
    assert "the secret" not in str(evidence.attribution.to_pylist())


def test_too_much_of_anything_is_unread_as_a_whole():
    many = "".join(f'<dc:p{i} xmlns:a{i}="x">y</dc:p{i}>' for i in range(25_000))
    license = f'<cc:license rdf:resource="{BY}"/>'
    assert found(read(encoded("WEBP", xmp=packet(many[:900_000].rpartition("<dc:")[0] + license).encode()))) == UNREAD
    names = "<dc:creator><rdf:Bag>" + "<rdf:li>Ann</rdf:li>" * 600 + "</rdf:Bag></dc:creator>"
    assert found(read(encoded("WEBP", xmp=packet(names + license).encode()))) == UNREAD
    assert found(read(encoded("WEBP", xmp=packet("<a>" * 100_000).encode()))) == UNREAD
    assert found(read(encoded("WEBP", xmp=packet(license + " " * 10_000_000).encode()))) == UNREAD


def test_an_opt_out_in_a_packet_that_is_too_large_is_no_permission():
    text = packet(" " * 10_000_000, 'p:DataMining="DMI-PROHIBITED"')
    assert reservations_in(read(encoded("WEBP", xmp=text.encode()))) == {("plus_data_mining", "tdm", "conditional")}


def tiff_block(count: int, offset: int, entries: int = 1, tag: int = 0x8298) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + struct.pack("<HHII", tag, 2, count, offset) * entries


@pytest.mark.parametrize("block", [tiff_block(1 << 31, 26), tiff_block(100, 1 << 30), b"garbage in a block"])
def test_exif_that_lies_about_its_bytes_is_unread(block):
    assert found(read(in_jpeg(segment(0xE1, b"Exif\0\0" + block)))) == UNREAD


def test_a_tiff_directory_that_names_one_block_many_times_gives_it_once():
    data = tiff_block(1 << 19, 0, 60_000, tag=0x83BB) + b"\0" * (1 << 20)
    assert [block.kind for block in metadata_blocks(data)] == ["exif", "iptc"]


def test_exif_directories_are_not_followed_and_a_tag_counts_once():
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    assert found(read(in_jpeg(segment(0xE1, b"Exif\0\0" + loop)))) == set()
    again = tiff_block(9, 10 + 12 * 5000, 5000) + b"CC BY 4.0"
    data = in_jpeg(segment(0xE1, b"Exif\0\0" + again))
    assert found(read(data)) == {("exif_copyright", "CC-BY-4.0")}


def test_iptc_that_lies_about_its_length_keeps_what_was_whole():
    data = iptc((80, b"Ann"), (116, b"CC BY 4.0"))
    at = data.index(b"\x1c\x02\x74")
    evidence = read(data[: at + 3] + b"\x7f\xff" + data[at + 5 :])
    assert (found(evidence), credits_in(evidence)) == (UNREAD, {("creator", "Ann")})


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_file_cut_in_its_metadata_does_not_say_that_there_is_none(format):
    exif = Image.Exif()
    exif[0x8298] = "CC BY 4.0 " + "x" * 200
    data = encoded(format, exif=exif.tobytes())
    cut = data[: data.index(b"CC BY") + 100]
    if format == "TIFF" and cut.index(b"CC BY") < struct.unpack_from("<I", data, 4)[0]:
        pytest.skip("the directory stands behind the text")
    assert ("metadata_unread", "NOASSERTION") in found(read(cut))
    for end in range(0, len(data), 3):
        read(data[:end])


def test_a_packet_without_an_end_is_unread():
    cut = LICENSED[: LICENSED.index("</rdf:Description>")]
    assert found(read(b"II*\0\0\0\0\0" + cut.encode() * 3)) == UNREAD


@given(
    st.binary(max_size=300),
    st.sampled_from([
        b"\xff\xd8", b"\xff\xd8\xff\xe1\0\x40Exif\0\0II*\0\x08\0\0\0", b"\xff\xd8\xff\xed\0\xffPhotoshop 3.0\x008BIM\4\4",
        b"\xff\xd8\xff\xeb\0\x40JP\0\1\0\0\0\1", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"II*\0", b"MM\0*",
        b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cftypavif", b"<svg", b"<x:xmpmeta",
    ]),
)  # fmt: skip
def test_any_bytes_are_survived(data, magic):
    read(magic + data)


def test_a_file_of_a_million_empty_segments_is_bounded_and_says_so():
    read_blocks = metadata_blocks(b"\xff\xd8" + b"\xff\xe1\x00\x08Exif\0\0" * 500_000)
    assert len(read_blocks) == containers.MAX_BLOCKS + 1
    assert read_blocks[-1].data is None


def test_a_gif_of_tiny_blocks_is_given_up():
    gif = encoded("GIF")[:-1] + b"!\xfe" + b"\1x" * (containers.MAX_STEPS + 10) + b"\0;"
    assert found(read(gif)) == UNREAD


def test_standalone_markers_and_fill_bytes_are_stepped_over():
    jpeg = encoded("JPEG")
    comment = segment(0xFE, f"(c) Ann {NC}".encode())
    assert found(read(jpeg[:2] + b"\xff\x01\xff\xff\xff" + comment[1:] + jpeg[2:])) == {
        ("jpeg_comment", "CC-BY-NC-4.0")
    }


def test_pillow_sees_what_is_read():
    """The files of these tests are what image software reads, not only what this reader accepts."""
    with Image.open(io.BytesIO(with_xmp("GIF", LICENSED))) as image:
        assert image.info["extension"][0].startswith(b"XMP DataXMP")
    with Image.open(io.BytesIO(with_xmp("TIFF", LICENSED))) as image:
        assert BY.encode() in image.info["xmp"]
    with Image.open(io.BytesIO(iptc((116, b"CC BY 4.0")))) as image:
        assert b"CC BY 4.0" in image.info["photoshop"][0x0404]
