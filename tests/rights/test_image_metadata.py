"""Statements in image bytes: XMP in all its forms, EXIF, IPTC, PNG text, comments, SVG."""

import pytest
from PIL import Image

from tests.rights.conftest import reservations_in
from tests.rights.image_files import (
    BY,
    NC,
    PLUS,
    chunk,
    credits_in,
    encoded,
    found,
    in_jpeg,
    in_png,
    iptc,
    packet,
    packet_of,
    png_text,
    read,
    read_xmp,
    segment,
    svg,
)

OLD_CC = "http://web.resource.org/cc/"


@pytest.mark.parametrize(
    ("children", "attributes"),
    [
        (f'<cc:license rdf:resource="{BY}"/>', ""),
        ("", f'cc:license="{BY}"'),
        (f"<cc:license>{BY}</cc:license>", ""),
        (f"<cc:license>\n  {BY}\n</cc:license>", ""),
        (f'<lic:license xmlns:lic="http://creativecommons.org/ns#" rdf:resource="{BY}"/>', ""),
        (f'<lic:license xmlns:lic="https://creativecommons.org/ns#" rdf:resource="{BY}"/>', ""),
        (f'<lic:license xmlns:lic="{OLD_CC}" rdf:resource="{BY}"/>', ""),
        (f'<t:license xmlns:t="http://purl.org/dc/terms/" rdf:resource="{BY}"/>', ""),
        (f'<cc:license><rdf:Bag><rdf:li rdf:resource="{BY}"/></rdf:Bag></cc:license>', ""),
        (f"<cc:license><rdf:Seq><rdf:li>{BY}</rdf:li></rdf:Seq></cc:license>", ""),
        (f'<cc:license rdf:parseType="Resource"><rdf:value rdf:resource="{BY}"/></cc:license>', ""),
    ],
)
def test_a_license_in_xmp_counts_however_rdf_writes_it(children, attributes):
    assert found(read_xmp(children, attributes)) == {("xmp_cc_license", "CC-BY-4.0")}


def test_a_license_of_another_namespace_is_none_and_an_unknown_address_is_unread():
    assert found(read_xmp(f'<o:license xmlns:o="http://other.example/ns#" rdf:resource="{BY}"/>')) == set()
    strange = "http://creativecommons.org.evil.example/licenses/by/4.0/"
    assert found(read_xmp("", f'cc:license="{strange}"')) == {("xmp_cc_license", "NOASSERTION")}


def test_two_statements_in_one_packet_are_two_findings():
    both = read_xmp("", f'cc:license="{BY}" xapRights:WebStatement="{NC}"')
    assert found(both) == {("xmp_cc_license", "CC-BY-4.0"), ("xmp_web_statement", "CC-BY-NC-4.0")}


def test_properties_may_stand_in_several_descriptions():
    second = f'</rdf:Description><rdf:Description xmlns:c="{OLD_CC}" c:license="{BY}">'
    assert found(read_xmp(second)) == {("xmp_cc_license", "CC-BY-4.0")}


@pytest.mark.parametrize(
    "form", ['xapRights:WebStatement="{}"', '<xapRights:WebStatement rdf:resource="{}"/>',
             "<xapRights:WebStatement>{}</xapRights:WebStatement>"]
)  # fmt: skip
def test_a_web_statement_is_a_license_only_where_it_is_the_address_of_one(form):
    def statement(url):
        text = form.format(url)
        return read_xmp(text) if text.startswith("<") else read_xmp("", text)

    assert found(statement(BY)) == {("xmp_web_statement", "CC-BY-4.0")}
    other = statement("http://a.example/about")
    assert found(other) == {("xmp_web_page", "NOASSERTION")}
    assert credits_in(other) == {("license_url", "http://a.example/about")}


def test_marked_reserves_rights_unless_a_license_stands_beside_it():
    assert found(read_xmp("", 'xapRights:Marked="True"')) == {("xmp_marked", "LicenseRef-AllRightsReserved")}
    assert found(read_xmp("<xapRights:Marked>true</xapRights:Marked>")) == {
        ("xmp_marked", "LicenseRef-AllRightsReserved")
    }
    assert found(read_xmp("", f'xapRights:Marked="True" cc:license="{BY}"')) == {("xmp_cc_license", "CC-BY-4.0")}
    beside = read_xmp(
        f'<t:license xmlns:t="http://purl.org/dc/terms/" rdf:resource="{BY}"/>', 'xapRights:Marked="True"'
    )
    assert found(beside) == {("xmp_cc_license", "CC-BY-4.0")}


def test_unmarked_is_the_public_domain_less_surely_than_a_license():
    evidence = read_xmp("", 'xapRights:Marked="False"')
    assert found(evidence) == {("xmp_marked", "LicenseRef-PublicDomain")}
    unmarked = evidence.license_evidence.to_pylist()[0]["confidence"]
    marked = read_xmp("", 'xapRights:Marked="True"').license_evidence.to_pylist()[0]["confidence"]
    assert unmarked < marked


def test_usage_terms_are_terms_whether_or_not_they_can_be_read():
    def terms(words):
        alternatives = f"<rdf:Alt><rdf:li xml:lang='x-default'>{words}</rdf:li></rdf:Alt>"
        return read_xmp(f"<xapRights:UsageTerms>{alternatives}</xapRights:UsageTerms>")

    assert found(terms("All rights reserved")) == {("xmp_usage_terms", "LicenseRef-AllRightsReserved")}
    assert found(terms("Licensed CC BY-NC 4.0")) == {("xmp_usage_terms", "CC-BY-NC-4.0")}
    assert found(terms("For the yearbook of 2019")) == {("xmp_usage_terms", "NOASSERTION")}


def test_terms_that_cannot_be_read_do_not_lift_the_mark():
    evidence = read_xmp("", 'xapRights:Marked="True" xapRights:UsageTerms="For the yearbook"')
    assert ("xmp_marked", "LicenseRef-AllRightsReserved") in found(evidence)


def test_a_notice_is_a_license_only_where_it_names_one():
    notice = read_xmp("<dc:rights><rdf:Alt><rdf:li>© Sample Studio</rdf:li></rdf:Alt></dc:rights>")
    assert found(notice) == set()
    assert credits_in(notice) == {("copyright_notice", "© Sample Studio")}
    named = read_xmp("<dc:rights><rdf:Alt><rdf:li>© Sample Studio, CC BY 4.0</rdf:li></rdf:Alt></dc:rights>")
    assert found(named) == {("xmp_dc_rights", "CC-BY-4.0")}


def test_every_credit_of_a_packet_is_kept_and_lists_give_a_row_each():
    lists = (
        "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
        "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Harbor</rdf:li></rdf:Alt></dc:title>"
        "<xapRights:Owner><rdf:Bag><rdf:li>Sample Studio</rdf:li></rdf:Bag></xapRights:Owner>"
        '<cc:attributionURL rdf:resource="http://a.example/ann"/><cc:morePermissions rdf:resource="http://a.example/buy"/>'
    )
    evidence = read_xmp(lists, 'photoshop:Credit="Agency" cc:attributionName="Ann B." dc:source="http://a.example/1"')
    assert credits_in(evidence) == {
        ("creator", "Ann"),
        ("creator", "Bob"),
        ("creator", "Ann B."),
        ("title", "Harbor"),
        ("copyright_notice", "Sample Studio"),
        ("source_url", "http://a.example/ann"),
        ("source_url", "http://a.example/1"),
        ("license_url", "http://a.example/buy"),
        ("credit", "Agency"),
    }


@pytest.mark.parametrize(
    "form", ['<rdf:li rdf:parseType="Resource"><p:{0}>{1}</p:{0}></rdf:li>', '<rdf:li p:{0}="{1}"/>',
             '<rdf:li><rdf:Description p:{0}="{1}"/></rdf:li>']
)  # fmt: skip
def test_licensor_and_owner_are_whom_to_ask_and_no_license(form):
    licensor = f"<p:Licensor><rdf:Seq>{form.format('LicensorURL', BY)}</rdf:Seq></p:Licensor>"
    owner = f"<p:CopyrightOwner><rdf:Seq>{form.format('CopyrightOwnerName', 'Ann')}</rdf:Seq></p:CopyrightOwner>"
    evidence = read_xmp(licensor + owner)
    assert found(evidence) == set()
    assert credits_in(evidence) == {("license_url", BY), ("copyright_notice", "Ann")}


def test_a_mark_beside_a_licensor_keeps_its_rights():
    licensor = '<p:Licensor><rdf:Seq><rdf:li p:LicensorURL="http://a.example/buy"/></rdf:Seq></p:Licensor>'
    evidence = read_xmp(licensor, 'xapRights:Marked="True"')
    assert found(evidence) == {("xmp_marked", "LicenseRef-AllRightsReserved")}


def test_the_license_of_an_ingredient_is_not_the_images():
    inner = f'<rdf:Description xmlns:cc="http://creativecommons.org/ns#" cc:license="{BY}"/>'
    nested = (
        f'<q:Pantry xmlns:q="http://ns.adobe.com/xap/1.0/mm/"><rdf:Bag><rdf:li>{inner}</rdf:li></rdf:Bag></q:Pantry>'
    )
    assert found(read_xmp(nested)) == set()


WORK = f'''cc:license="{BY}" p:DataMining="DMI-PROHIBITED"'''
WHAT_IT_SAYS = ({("xmp_cc_license", "CC-BY-4.0")}, {("plus_data_mining", "tdm", "reserved")})


@pytest.mark.parametrize(
    "nodes",
    [
        '<rdf:Description rdf:about="uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b" {}/>',
        '<rdf:Description rdf:about=""/><rdf:Description rdf:about="Camera Data" {}/>',
        '<rdf:Description rdf:about="http://a.example/i.jpg" {}/>',
        '<rdf:Description rdf:about="http://a.example/i.jpg"/><rdf:Description rdf:about="http://a.example/i.jpg" {}/>',
        '<rdf:Description rdf:about=""/><cc:Work rdf:about="" {}/>',
        '<dc:Image rdf:about="" {}/>',
        '<other:Photo xmlns:other="http://other.example/ns#" rdf:about="http://a.example/i.jpg" {}/>',
    ],
)
def test_a_packet_is_about_its_image_however_it_names_it(nodes):
    evidence = read(encoded("JPEG", xmp=packet_of(nodes.format(WORK)).encode()))
    assert (found(evidence), reservations_in(evidence)) == WHAT_IT_SAYS


@pytest.mark.parametrize("use", ["PROHIBITED", "ALLOWED"])
def test_a_packet_that_describes_something_else_too_licenses_and_permits_nothing_by_it(use):
    other = f'<rdf:Description rdf:about="http://a.example/other.jpg" cc:license="{BY}" p:DataMining="DMI-{use}"/>'
    for nodes in (f'<rdf:Description rdf:about=""/>{other}', f'{other}<rdf:Description rdf:about=""/>'):
        evidence = read(encoded("JPEG", xmp=packet_of(nodes).encode()))
        assert found(evidence) == set()
        restricted = {("plus_data_mining", "tdm", "conditional")} if use == "PROHIBITED" else set()
        assert reservations_in(evidence) == restricted


def test_licenses_and_people_that_a_packet_describes_are_not_its_image():
    nodes = f'<cc:License rdf:about="{BY}" dc:title="BY"/><cc:Agent rdf:about="" dc:title="Ann"/>'
    evidence = read(encoded("JPEG", xmp=packet_of(nodes).encode()))
    assert (found(evidence), credits_in(evidence)) == (set(), set())


DATA_MINING = {
    "DMI-UNSPECIFIED": ("tdm", "unknown"),
    "DMI-ALLOWED": ("tdm", "allowed"),
    "DMI-PROHIBITED-AIMLTRAINING": ("ai_train", "reserved"),
    "DMI-PROHIBITED-GENAIMLTRAINING": ("ai_gen_train", "reserved"),
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": ("tdm", "reserved"),
    "DMI-PROHIBITED": ("tdm", "reserved"),
    "DMI-PROHIBITED-SEECONSTRAINT": ("tdm", "conditional"),
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": ("tdm", "conditional"),
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": ("tdm", "conditional"),
}


@pytest.mark.parametrize("key", DATA_MINING)
@pytest.mark.parametrize(
    "form",
    [
        'p:DataMining="{}"',
        '<p:DataMining rdf:resource="{}"/>',
        "<p:DataMining>{}</p:DataMining>",
        "<p:DataMining><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag></p:DataMining>",
        '<p:DataMining><rdf:Bag><rdf:li rdf:resource="{}"/></rdf:Bag></p:DataMining>',
        '<other:DataMining xmlns:other="http://ns.useplus.org/ldf/xmp/1.0/" rdf:resource="{}"/>',
    ],
)
def test_plus_data_mining_is_heard_in_every_form(form, key):
    expected = {("plus_data_mining", *DATA_MINING[key])}
    for value in (PLUS + key, key, key.lower(), "plus:" + key):
        text = form.format(value)
        evidence = read_xmp(text) if text.startswith("<") else read_xmp("", text)
        assert reservations_in(evidence) == expected


def test_a_prohibition_in_words_is_no_permission():
    evidence = read_xmp("", 'p:DataMining="Prohibited for AI/ML training"')
    assert reservations_in(evidence) == {("plus_data_mining", "tdm", "conditional")}


def test_the_constraint_is_kept_beside_the_value_that_refers_to_it():
    constraint = "<p:OtherConstraints><rdf:Alt><rdf:li>Ask Ann</rdf:li></rdf:Alt></p:OtherConstraints>"
    refers = read_xmp(constraint, 'p:DataMining="DMI-PROHIBITED-SEECONSTRAINT"').reservation_evidence.to_pylist()
    assert [row["value"] for row in refers] == ["DMI-PROHIBITED-SEECONSTRAINT; Ask Ann"]
    plain = read_xmp(constraint, 'p:DataMining="DMI-PROHIBITED"').reservation_evidence.to_pylist()
    assert [row["value"] for row in plain] == ["DMI-PROHIBITED"]


def test_exif_names_owner_and_license_only_where_it_says_so():
    exif = Image.Exif()
    exif[0x8298], exif[0x013B] = "Copyright Sample Studio", "Ann; Bob"
    evidence = read(encoded("JPEG", exif=exif.tobytes()))
    assert found(evidence) == set()
    people = {("creator", "Ann"), ("creator", "Bob")}
    assert credits_in(evidence) == {("copyright_notice", "Copyright Sample Studio"), *people}
    exif[0x8298] = f"(c) Ann, {BY}"
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        assert found(read(encoded(format, exif=exif.tobytes()))) == {("exif_copyright", "CC-BY-4.0")}, format


def test_exif_of_windows_is_read_as_utf_16_and_a_copyright_may_have_two_parts():
    exif = Image.Exif()
    exif[0x9C9B], exif[0x9C9D] = "Hafen ü\0".encode("utf-16-le"), "Ann;Bob\0".encode("utf-16-le")
    exif[0x8298] = "Ann\0Sample Studio"
    expected = {("title", "Hafen ü"), ("creator", "Ann"), ("creator", "Bob")}
    owners = {("copyright_notice", "Ann"), ("copyright_notice", "Sample Studio")}
    assert credits_in(read(encoded("JPEG", exif=exif.tobytes()))) == expected | owners


def test_iptc_fields_are_credits_and_know_their_bytes():
    data = iptc((5, b"Harbor"), (80, b"Ann"), (80, b"Bob"), (110, b"Agency"), (115, b"Archive"), (116, b"CC BY 4.0"))
    evidence = read(data)
    assert credits_in(evidence) == {
        ("title", "Harbor"),
        ("creator", "Ann"),
        ("creator", "Bob"),
        ("credit", "Agency"),
        ("credit", "Archive"),
        ("copyright_notice", "CC BY 4.0"),
    }
    row = evidence.license_evidence.to_pylist()[0]
    assert (row["rule"], row["spdx_id"]) == ("iptc_copyright", "CC-BY-4.0")
    assert data[row["byte_start"] : row["byte_end"]] == b"\x1c\x02\x74\x00\x09CC BY 4.0"


def test_iptc_instructions_may_license_and_are_no_copyright_notice():
    evidence = read(iptc((40, b"Use under CC BY-NC 4.0"), (116, b"(c) Ann")))
    assert found(evidence) == {("iptc_copyright", "CC-BY-NC-4.0")}
    assert credits_in(evidence) == {("copyright_notice", "(c) Ann")}


def test_iptc_text_is_read_in_its_character_set():
    assert credits_in(read(iptc((80, "Zoë".encode()), charset=b"\x1b%G"))) == {("creator", "Zoë")}
    assert credits_in(read(iptc((80, "Zoë".encode("latin-1"))))) == {("creator", "Zoë")}
    broken = iptc((80, b"Zo\xeb"), charset=b"\x1b%G")
    assert credits_in(read(broken)) == {("creator", "Zo\ufffd")}


@pytest.mark.parametrize("compressed", [False, True])
def test_png_text_counts_by_its_keyword(compressed):
    assert found(read(png_text("Copyright", "CC BY-NC 4.0", compressed))) == {("png_text", "CC-BY-NC-4.0")}
    assert found(read(png_text("Comment", BY, compressed))) == set()
    assert credits_in(read(png_text("Author", "Ann", compressed))) == {("creator", "Ann")}
    assert credits_in(read(png_text("Title", "Harbor", compressed))) == {("title", "Harbor")}
    assert credits_in(read(png_text("Source", "Camera 5", compressed))) == set()


def test_international_png_text_is_read_as_utf_8():
    text = chunk(b"iTXt", b"Copyright\0\0\0de\0Urheber\0" + "© Zoë".encode())
    assert credits_in(read(in_png(text))) == {("copyright_notice", "© Zoë")}


def test_metadata_that_imagemagick_puts_in_png_text_is_read_as_what_it_is():
    for kind, data in (("xmp", packet("", f'cc:license="{BY}"').encode()), ("APP1", b"http://ns.adobe.com/xap/1.0/\0")):
        whole = data if kind == "xmp" else data + packet("", f'cc:license="{BY}"').encode()
        profile = f"\n{kind}\n{len(whole):8}\n{whole.hex()}\n"
        assert found(read(png_text(f"Raw profile type {kind}", profile, True))) == {("xmp_cc_license", "CC-BY-4.0")}
    records = b"8BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x74\x00\x09CC BY 4.0"
    profile = f"\niptc\n{len(records):8}\n{records.hex()}\n"
    assert found(read(png_text("Raw profile type iptc", profile, True))) == {("iptc_copyright", "CC-BY-4.0")}
    assert found(read(png_text("Raw profile type xmp", "\nxmp\n 9\nzz", True))) == {("metadata_unread", "NOASSERTION")}


def test_a_comment_is_a_notice_where_it_reads_like_one():
    jpeg = in_jpeg(segment(0xFE, b"(c) Ann, CC BY 4.0"))
    assert found(read(jpeg)) == {("jpeg_comment", "CC-BY-4.0")}
    assert credits_in(read(jpeg)) == {("copyright_notice", "(c) Ann, CC BY 4.0")}
    gif = encoded("GIF", comment=f"see {NC}".encode())
    assert found(read(gif)) == {("gif_comment", "CC-BY-NC-4.0")}
    program = read(in_jpeg(segment(0xFE, b"CREATOR: encoder v1.0")))
    assert (found(program), credits_in(program)) == (set(), set())


def test_svg_describes_its_work_and_not_the_license_or_another_work():
    work = (
        f'<cc:Work rdf:about=""><cc:license rdf:resource="{NC}"/><dc:title>Harbor</dc:title>'
        "<dc:creator><cc:Agent><dc:title>Ann</dc:title></cc:Agent></dc:creator></cc:Work>"
    )
    other = f'<cc:License rdf:about="{BY}"/><cc:Work rdf:about="other.svg"><cc:license rdf:resource="{BY}"/></cc:Work>'
    evidence = read(svg(work + other))
    assert found(evidence) == {("svg_cc_license", "CC-BY-NC-4.0")}
    assert credits_in(evidence) == {("title", "Harbor"), ("creator", "Ann")}


IN_SVG = {("svg_cc_license", "CC-BY-4.0")}, WHAT_IT_SAYS[1]


@pytest.mark.parametrize(
    "nodes",
    [
        '<cc:Work rdf:about="http://a.example/i.svg" {}/>',
        '<rdf:Description rdf:about="http://a.example/i.svg" {}/>',
        '<cc:Work rdf:about="http://a.example/i.svg"/><rdf:Description rdf:about="http://a.example/i.svg" {}/>',
        '<rdf:Description rdf:about=""/><cc:Work rdf:about="http://a.example/i.svg" {}/>',
        '<cc:Work rdf:about="http://a.example/i.svg" {}/><cc:Work rdf:about="http://a.example/part.svg"/>',
        '<cc:Work rdf:about="http://a.example/part.svg"/><cc:Work rdf:about="" {}/>',
        '<rdf:Description rdf:about="http://a.example/ann"/><cc:Work rdf:about="http://a.example/i.svg" {}/>',
    ],
)
def test_svg_is_the_work_that_it_describes_first_or_without_an_address(nodes):
    evidence = read(svg(nodes.format(WORK)))
    assert (found(evidence), reservations_in(evidence)) == IN_SVG


def test_an_opt_out_for_another_work_in_an_svg_may_be_about_a_part_of_it():
    for address in ("http://a.example/part.svg", "part.svg"):
        evidence = read(svg(f'<cc:Work rdf:about=""/><cc:Work rdf:about="{address}" {WORK}/>'))
        assert found(evidence) == set()
        assert reservations_in(evidence) == {("plus_data_mining", "tdm", "conditional")}


def test_svg_may_carry_everything_that_xmp_may():
    description = f'<rdf:Description rdf:about="" xapRights:WebStatement="{NC}" p:DataMining="DMI-PROHIBITED"/>'
    evidence = read(svg(description))
    assert found(evidence) == {("xmp_web_statement", "CC-BY-NC-4.0")}
    assert reservations_in(evidence) == {("plus_data_mining", "tdm", "reserved")}


def test_an_svg_may_name_its_document_type():
    named = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    work = f'<cc:Work rdf:about=""><cc:license rdf:resource="{BY}"/></cc:Work>'
    assert found(read(svg(work, named))) == {("svg_cc_license", "CC-BY-4.0")}
