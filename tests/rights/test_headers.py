"""Header blocks and Link headers."""

import time

import pytest

from assets.rights.findings import Findings, Subject
from assets.rights.headers import header_lines, links
from assets.rights.http_rules import read_headers
from tests.rights.conftest import licenses_in, reservations_in

BY = "https://creativecommons.org/licenses/by/4.0/"


def read(block: str, kind: str = "image"):
    findings = Findings()
    raw = ("HTTP/1.1 200 OK\r\n" + block + "\r\n\r\n").encode("latin-1")
    read_headers(raw, "http://a.example/x.png", Subject(kind, 7), None, findings)
    return raw, findings.evidence()


def test_lines_know_their_bytes_and_folded_lines_are_one():
    block = b"HTTP/1.1 200 OK\r\nA: 1\r\nLink: <x>;\r\n rel=license\r\nbroken\r\n\r\n"
    lines = header_lines(block)
    assert [(line.name, line.value) for line in lines] == [("a", "1"), ("link", "<x>; rel=license")]
    assert block[lines[1].start : lines[1].end] == b"Link: <x>;\r\n rel=license"


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ('<u>; rel="license"', [("u", {"license"})]),
        ("<u>; rel=license", [("u", {"license"})]),
        (
            '<i>; rel="index", <u>; rel="license copyright"; title="a, b; c"',
            [("i", {"index"}), ("u", {"license", "copyright"})],
        ),
        ('<u>; title="say \\"rel=license\\""', [("u", set())]),
        ("<u>; rel=license; rel=index", [("u", {"license"})]),
        ("<u>; REL=License", [("u", {"license"})]),
        ("u; rel=license", []),
        ("", []),
        ("x; rel=next, <u>; rel=license", [("u", {"license"})]),
        ("</style.css; rel=preload, <u>; rel=license", [("u", {"license"})]),
        ("<i>; rel=index broken, <u>; rel=license", [("i", {"index"}), ("u", {"license"})]),
        ('<i>; title="a, <b>; rel=license", <u>; rel=license', [("i", set()), ("u", {"license"})]),
        ('broken "a, <b>; rel=license", <u>; rel=license', [("u", {"license"})]),
        ('broken <a, b>, "not closed, <u>; rel=license', [("u", {"license"})]),
        ('<i>; title="not closed, <u>; rel=license', [("i", set()), ("u", {"license"})]),
    ],
)
def test_link_values_are_parsed_with_their_quotes(value, parsed):
    assert [(link.target, link.rel) for link in links(value)] == parsed


def test_escapes_in_quoted_parameters_are_undone_and_the_first_of_equal_ones_counts():
    (link,) = links('<u>; title="a \\"b\\" c"; title=d; flag')
    assert link.parameters == {"title": 'a "b" c', "flag": ""}


def test_a_link_license_is_about_the_answer_it_came_with():
    raw, found = read(f'Link: <{BY}>; rel="license"')
    assert licenses_in(found) == {("image", 7, "http_link_image", "CC-BY-4.0")}
    row = found.license_evidence.to_pylist()[0]
    assert raw[row["byte_start"] : row["byte_end"]].decode() == f'Link: <{BY}>; rel="license"'
    assert licenses_in(read(f"Link: <{BY}>; rel=license", "page")[1]) == {("page", 7, "http_link_page", "CC-BY-4.0")}


def test_a_link_about_another_resource_is_none_of_ours():
    assert licenses_in(read(f'Link: <{BY}>; rel=license; anchor="/other.png"')[1]) == set()
    assert licenses_in(read(f'Link: <{BY}>; rel=license; anchor="/x.png"')[1]) != set()


def test_two_license_links_are_a_choice_and_an_unknown_one_spoils_it():
    nc = BY.replace("by/", "by-nc/")
    assert licenses_in(read(f"Link: <{BY}>; rel=license, <{nc}>; rel=license")[1]) == {
        ("image", 7, "http_link_image", "CC-BY-4.0 OR CC-BY-NC-4.0")
    }
    assert licenses_in(read(f"Link: <{BY}>; rel=license, </terms>; rel=license")[1]) == {
        ("image", 7, "http_link_image", "NOASSERTION")
    }


def test_an_rsl_link_is_terms_and_no_license():
    found = read('Link: </l.xml>; rel="license"; type="application/rsl+xml"')[1]
    assert licenses_in(found) == set()
    assert reservations_in(found) == {("rsl_header", "ai_train", "conditional")}


def test_opt_out_headers_are_found_in_any_case_and_number():
    found = read("x-robots-tag: noindex\r\nX-Robots-Tag: NOAI\r\nContent-Usage: train-ai=n\r\ntdm-reservation: 1")[1]
    assert reservations_in(found) == {
        ("x_robots_tag", "ai_train", "reserved"),
        ("x_robots_tag", "index", "reserved"),
        ("content_usage_header", "ai_train", "reserved"),
        ("tdmrep_header", "tdm", "reserved"),
    }
    assert reservations_in(read("tdm-reservation: true")[1]) == {("tdmrep_header", "tdm", "unknown")}


def test_a_directive_or_reservation_that_is_repeated_is_one_finding_at_its_first_header():
    raw, found = read("X-Robots-Tag: noindex, noai\r\nX-Robots-Tag: noai\r\ntdm-reservation: 0\r\ntdm-reservation: 1")
    rows = found.reservation_evidence.to_pylist()
    assert {(row["usage"], raw[row["byte_start"] : row["byte_end"]].decode()) for row in rows} == {
        ("ai_train", "X-Robots-Tag: noindex, noai"),
        ("index", "X-Robots-Tag: noindex, noai"),
        ("tdm", "tdm-reservation: 0"),
        ("tdm", "tdm-reservation: 1"),
    }


def test_a_reservation_and_its_policy_are_one_range():
    raw, found = read("TDM-Policy: /policy.json\r\nA: b\r\nTDM-Reservation: 1")
    (row,) = found.reservation_evidence.to_pylist()
    assert row["value"] == "1 tdm-policy /policy.json"
    text = raw[row["byte_start"] : row["byte_end"]].decode()
    assert text.splitlines() == ["TDM-Policy: /policy.json", "A: b", "TDM-Reservation: 1"]


def test_a_block_on_the_way_to_an_image_may_restrict_it_and_permits_nothing():
    block = (
        f"X-Robots-Tag: noai\r\nContent-Usage: train-ai=y, search=n\r\nTDM-Reservation: 0\r\nLink: <{BY}>; rel=license\r\n"
        'Content-Signal: search=yes\r\nLink: </l.xml>; rel="license"; type="application/rsl+xml"'
    )
    findings = Findings()
    read_headers(block.encode(), "http://a.example/old.png", Subject("image", 7), None, findings, record_id=3)
    found = findings.evidence()
    assert licenses_in(found) == set()
    assert reservations_in(found) == {
        ("x_robots_tag", "ai_train", "reserved"),
        ("content_usage_header", "search", "reserved"),
    }
    places = {(row["subject_id"], row["record_id"]) for row in found.reservation_evidence.to_pylist()}
    assert places == {(7, 3)}


HOSTILE = {
    "links": "<u>;" * 60_000,
    "members that are not closed": "<u," * 80_000,
    "escaped quotes of members": '<u>; a=\\",' * 20_000,
    "escaped quotes in one that is not closed": 'x"' + '\\",' * 80_000,
    "angles in quotes": '"<' * 120_000,
    "a quote without end": '<u>; a="' + "\\" * 200_000,
    "angles": "<" * 200_000,
    "many links": "<u>, " * 50_000,
    "blanks before a link": "<u>," + " " * 200_000 + "x",
    "commas and blanks": ", " * 100_000,
    "agents": "noai:" * 50_000,
    "agents of many words": "a b " * 50_000 + ": noai",
    "folded lines": "a\r\n " * 60_000,
    "dictionary": "a=n," * 50_000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_values_are_read_in_bounded_time_and_allow_nothing(value):
    names = ("Link", "X-Robots-Tag", "Content-Usage", "Content-Signal", "tdm-reservation", "tdm-policy")
    start = time.process_time()
    for name in names:
        assert {decision for _, _, decision in reservations_in(read(f"{name}: {value}")[1])} <= {
            "unknown",
            "conditional",
        }
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Link", '</l.xml>; rel="license"; type="application/rsl+xml"'),
        ("X-Robots-Tag", "noai"),
        ("Content-Usage", "train-ai=n"),
        ("tdm-reservation", "1"),
    ],
)
def test_ten_thousand_headers_are_read_as_far_as_the_block_goes(name, value):
    start = time.process_time()
    rows = read("\r\n".join([f"{name}: {value}"] * 10_000))[1].reservation_evidence.to_pylist()
    assert {row["decision"] for row in rows} <= {"reserved", "conditional", "unknown"}
    assert rows
    assert time.process_time() - start < 10


def test_a_block_too_long_to_be_read_to_its_end_says_so():
    found = read("A: " + "x" * 300_000 + "\r\nX-Robots-Tag: noai")[1]
    assert reservations_in(found) == {("x_robots_tag", "tdm", "conditional")}
