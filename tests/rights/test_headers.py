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
    ],
)
def test_link_values_are_parsed_with_their_quotes(value, parsed):
    assert [(link.target, link.rel) for link in links(value)] == parsed


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
        ("content_usage_header", "ai_train", "reserved"),
        ("tdmrep_header", "tdm", "reserved"),
    }
    assert reservations_in(read("tdm-reservation: true")[1]) == {("tdmrep_header", "tdm", "unknown")}


def test_hostile_headers_are_read_in_no_time():
    start = time.perf_counter()
    for value in ("<u>;" * 60_000, '<u>; a="' + "\\" * 200_000, "<" * 200_000, "<u>, " * 50_000, "noai:" * 50_000):
        read(f"Link: {value}\r\nX-Robots-Tag: {value}\r\nContent-Usage: {value}")
    assert time.perf_counter() - start < 60
