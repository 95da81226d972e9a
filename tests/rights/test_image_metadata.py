"""Statements in image bytes: containers, XMP in all its forms, EXIF, IPTC, PNG text, SVG."""

import io
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from assets.rights.containers import metadata_blocks
from assets.rights.findings import Findings
from assets.rights.image_rules import read_image
from tests.rights.conftest import licenses_in, reservations_in

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = (
    'xmlns:cc="http://creativecommons.org/ns#" xmlns:xapRights="http://ns.adobe.com/xap/1.0/rights/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:p="http://ns.useplus.org/ldf/xmp/1.0/"'
)


def packet(children: str = "", attributes: str = "") -> str:
    return (
        f'<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" {NAMESPACES} {attributes}>{children}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def encoded(format: str, **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, format, **options)
    return out.getvalue()


def read(data: bytes):
    findings = Findings()
    read_image(data, 5, None, findings)
    return findings.evidence()


def read_xmp(children: str = "", attributes: str = ""):
    return read(encoded("JPEG", xmp=packet(children, attributes).encode()))


def found(evidence) -> set[tuple[str, str]]:
    return {(rule, spdx_id) for _, _, rule, spdx_id in licenses_in(evidence)}


def credits_in(evidence) -> set[tuple[str, str]]:
    return {(row["field"], row["value"]) for row in evidence.attribution.to_pylist()}


@pytest.mark.parametrize(
    ("children", "attributes"),
    [
        (f'<cc:license rdf:resource="{BY}"/>', ""),
        ("", f'cc:license="{BY}"'),
        (f"<cc:license>{BY}</cc:license>", ""),
        (f'<lic:license xmlns:lic="http://creativecommons.org/ns#" rdf:resource="{BY}"/>', ""),
    ],
)
def test_a_license_in_xmp_counts_however_rdf_writes_it(children, attributes):
    assert found(read_xmp(children, attributes)) == {("xmp_cc_license", "CC-BY-4.0")}


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "GIF", "TIFF", "PNG"])
def test_xmp_is_found_in_every_container_at_its_place(format):
    text = packet(f'<cc:license rdf:resource="{BY}"/>')
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", text)
        data = encoded("PNG", pnginfo=info)
    else:
        data = encoded(format, xmp=text.encode())
    data += text.encode() if format in ("GIF", "TIFF") else b""
    evidence = read(data)
    assert ("xmp_cc_license", "CC-BY-4.0") in found(evidence)
    row = evidence.license_evidence.to_pylist()[0]
    assert BY.encode() in data[row["byte_start"] : row["byte_end"]]


def test_compressed_png_xmp_is_read_and_a_bomb_is_not():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet(f'<cc:license rdf:resource="{BY}"/>'), zip=True)
    assert found(read(encoded("PNG", pnginfo=info))) == {("xmp_cc_license", "CC-BY-4.0")}
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 50_000_000)
    chunk = struct.pack(">I", len(bomb)) + b"iTXt" + bomb + b"\0\0\0\0"
    start = time.perf_counter()
    assert found(read(b"\x89PNG\r\n\x1a\n" + chunk)) == {("metadata_unread", "NOASSERTION")}
    assert time.perf_counter() - start < 60


def test_a_web_statement_is_a_license_only_where_it_is_the_address_of_one():
    assert found(read_xmp("", f'xapRights:WebStatement="{BY}"')) == {("xmp_web_statement", "CC-BY-4.0")}
    assert found(read_xmp("", 'xapRights:WebStatement="http://a.example/about"')) == {("xmp_web_page", "NOASSERTION")}


def test_marked_reserves_rights_unless_a_license_stands_beside_it():
    assert found(read_xmp("", 'xapRights:Marked="True"')) == {("xmp_marked", "LicenseRef-AllRightsReserved")}
    assert found(read_xmp("", f'xapRights:Marked="True" cc:license="{BY}"')) == {("xmp_cc_license", "CC-BY-4.0")}
    assert found(read_xmp("", 'xapRights:Marked="False"')) == {("xmp_marked", "LicenseRef-PublicDomain")}


def test_usage_terms_are_read_and_a_notice_is_only_a_notice():
    words = "<rdf:Alt><rdf:li xml:lang='x-default'>All rights reserved</rdf:li></rdf:Alt>"
    terms = f"<xapRights:UsageTerms>{words}</xapRights:UsageTerms>"
    assert found(read_xmp(terms)) == {("xmp_usage_terms", "LicenseRef-AllRightsReserved")}
    notice = read_xmp("<dc:rights><rdf:Alt><rdf:li>© Sample Studio</rdf:li></rdf:Alt></dc:rights>")
    assert found(notice) == set()
    assert credits_in(notice) == {("copyright_notice", "© Sample Studio")}


def test_where_to_buy_a_license_is_no_license():
    licensor = (
        "<p:Licensor><rdf:Seq><rdf:li rdf:parseType='Resource'>"
        f"<p:LicensorURL>{BY}</p:LicensorURL></rdf:li></rdf:Seq></p:Licensor>"
    )
    evidence = read_xmp(licensor)
    assert found(evidence) == set()
    assert credits_in(evidence) == {("license_url", BY)}


def test_the_license_of_an_ingredient_is_not_the_images():
    inner = f'<rdf:Description xmlns:cc="http://creativecommons.org/ns#" cc:license="{BY}"/>'
    nested = (
        f'<q:Pantry xmlns:q="http://ns.adobe.com/xap/1.0/mm/"><rdf:Bag><rdf:li>{inner}</rdf:li></rdf:Bag></q:Pantry>'
    )
    assert found(read_xmp(nested)) == set()


@pytest.mark.parametrize("form", ['p:DataMining="{}"', None])
def test_plus_data_mining_as_attribute_and_as_resource(form):
    value = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"
    evidence = read_xmp("", form.format(value)) if form else read_xmp(f'<p:DataMining rdf:resource="{value}"/>')
    assert reservations_in(evidence) == {("plus_data_mining", "ai_train", "reserved")}


def test_broken_xmp_is_no_silence_and_may_still_reserve():
    evidence = read(encoded("JPEG", xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><p:DataMining'))
    assert found(evidence) == {("metadata_unread", "NOASSERTION")}
    assert reservations_in(evidence) == {("plus_data_mining", "tdm", "conditional")}


def test_entities_are_not_expanded():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(12)
    )
    hostile = bomb + f']><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">&m;</rdf:RDF></x:xmpmeta>'
    outside = '<!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><metadata>&e;</metadata></svg>'
    start = time.perf_counter()
    assert found(read(encoded("JPEG", xmp=hostile.encode()))) == {("metadata_unread", "NOASSERTION")}
    assert "root:" not in str(read(outside.encode()).attribution.to_pylist())
    assert time.perf_counter() - start < 60


def test_deep_xml_is_unread_and_quick():
    deep = packet("<a>" * 100_000)
    start = time.perf_counter()
    assert found(read(encoded("WEBP", xmp=deep.encode()))) == {("metadata_unread", "NOASSERTION")}
    assert time.perf_counter() - start < 60


def test_exif_names_owner_and_license_only_where_it_says_so():
    exif = Image.Exif()
    exif[0x8298], exif[0x013B] = "Copyright Sample Studio", "Ann"
    evidence = read(encoded("JPEG", exif=exif.tobytes()))
    assert found(evidence) == set()
    assert credits_in(evidence) == {("copyright_notice", "Copyright Sample Studio"), ("creator", "Ann")}
    exif[0x8298] = f"(c) Ann, {BY}"
    for format in ("JPEG", "PNG", "WEBP"):
        assert found(read(encoded(format, exif=exif.tobytes()))) == {("exif_copyright", "CC-BY-4.0")}


def iptc(*datasets: tuple[int, bytes]) -> bytes:
    records = b"".join(b"\x1c\x02" + bytes([tag]) + struct.pack(">H", len(text)) + text for tag, text in datasets)
    resource = (
        b"Photoshop 3.0\0"
        + b"8BIM\x04\x04\0\0"
        + struct.pack(">I", len(records))
        + records
        + b"\0" * (len(records) % 2)
    )
    jpeg = encoded("JPEG")
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + jpeg[2:]


def test_iptc_fields_are_credits_and_know_their_bytes():
    data = iptc((80, b"Ann"), (110, b"Agency"), (116, b"CC BY 4.0"))
    evidence = read(data)
    assert credits_in(evidence) == {("creator", "Ann"), ("credit", "Agency"), ("copyright_notice", "CC BY 4.0")}
    row = evidence.license_evidence.to_pylist()[0]
    assert data[row["byte_start"] : row["byte_end"]] == b"\x1c\x02\x74\x00\x09CC BY 4.0"


def test_png_text_and_svg_metadata():
    info = PngImagePlugin.PngInfo()
    info.add_text("Copyright", "CC BY-NC 4.0")
    info.add_text("Comment", BY)
    assert found(read(encoded("PNG", pnginfo=info))) == {("png_text", "CC-BY-NC-4.0")}
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="{RDF}"><metadata><rdf:RDF xmlns="http://creativecommons.org/ns#">'
        f'<Work rdf:about=""><license rdf:resource="{NC}"/></Work>'
        f'<License rdf:about="{BY}"/></rdf:RDF></metadata></svg>'
    )
    assert found(read(svg.encode())) == {("svg_cc_license", "CC-BY-NC-4.0")}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_file_cut_anywhere_is_survived(format):
    exif = Image.Exif()
    exif[0x8298] = "CC BY 4.0"
    data = encoded(format, exif=exif.tobytes())
    for end in range(0, len(data), 3):
        read(data[:end])


@given(
    st.binary(max_size=300),
    st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"<svg", b"<x:xmpmeta"]),
)
def test_any_bytes_are_survived(data, magic):
    read(magic + data)


def test_a_file_of_a_million_empty_segments_is_bounded():
    start = time.perf_counter()
    assert len(metadata_blocks(b"\xff\xd8" + b"\xff\xe1\x00\x08Exif\0\0" * 500_000)) <= 4096
    assert time.perf_counter() - start < 60
