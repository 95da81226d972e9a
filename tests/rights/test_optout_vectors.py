"""Every opt-out protocol against the vectors of its specification, from the bytes of a file or header to findings."""

import json
import time
from datetime import UTC, datetime

import pytest

from assets.rights import preferences, site_rules
from assets.rights.findings import Findings, Subject, Where
from assets.rights.http_rules import read_headers, read_meta_reservations
from assets.rights.policy import load_policy
from assets.rights.rereading import Origin
from assets.rights.site_rules import SiteFile, Target, read_sites
from assets.rights.sites import MAX_FILE
from assets.rights.verify import verify
from tests.rights.conftest import URL, read_page, reservations_in

SITE = "https://a.example"
SEEN = datetime(2026, 11, 1, tzinfo=UTC)


def of_site(kind: str, body: str | bytes, path: str = "/x", status: int | None = None, agents=()) -> list[dict]:
    """Findings of one site file about one image."""
    raw = body.encode() if isinstance(body, str) else body
    findings = Findings()
    file = SiteFile(kind, SITE, 5, SEEN, raw, http_status=status)
    read_sites([file], [Target(Subject("image", 7), SITE + path)], findings, agents)
    return findings.evidence().reservation_evidence.to_pylist()


def of_headers(block: str, agents: frozenset[str] = frozenset()) -> list[dict]:
    findings = Findings()
    raw = ("HTTP/1.1 200 OK\r\n" + block + "\r\n\r\n").encode("latin-1")
    read_headers(raw, SITE + "/x", Subject("image", 7), SEEN, findings, agents)
    return findings.evidence().reservation_evidence.to_pylist()


def said(rows: list[dict]) -> set[tuple[str, str, str]]:
    return {(row["rule"], row["usage"], row["decision"]) for row in rows}


def ids(cases: list[tuple]) -> list[str]:
    return [str(case[0]) for case in cases]


# Content-Usage (draft-ietf-aipref-attach-05, draft-ietf-aipref-vocab)

TRAIN, SEARCH = "ai_train", "search"
CONTENT_USAGE = [
    ("train-ai=n", {(TRAIN, "reserved")}),
    ("train-ai=y", {(TRAIN, "allowed")}),
    ("train-ai=y, search=n", {(TRAIN, "allowed"), (SEARCH, "reserved")}),
    ('train-ai=y, train-ai, search=n, search="n"', {(TRAIN, "unknown"), (SEARCH, "unknown")}),
    ("train-ai;allow=n, train-ai=y", {(TRAIN, "allowed")}),
    ("train-ai=n, train-ai=y", {(TRAIN, "allowed")}),
    ("Train-AI=n", {(TRAIN, "unknown")}),
    ("train-ai=n,", {(TRAIN, "unknown")}),
    ("train-ai = n", {(TRAIN, "unknown")}),
    ("train-ai=no", {(TRAIN, "unknown")}),
    ("other=n", set()),
    ("train-ai=n" + " " * 20_000 + ", search=n", {(TRAIN, "conditional")}),
]


@pytest.mark.parametrize(("value", "preferences"), CONTENT_USAGE, ids=lambda v: v[:40] if isinstance(v, str) else "")
def test_content_usage_header(value, preferences):
    rows = of_headers(f"Content-Usage: {value}")
    assert said(rows) == {("content_usage_header", *preference) for preference in preferences}
    assert {row["spec_date"] for row in rows} <= {"2026-08 draft-ietf-aipref-attach-05"}


def test_content_usage_headers_in_two_lines_are_one_dictionary():
    assert said(of_headers("Content-Usage: train-ai=y\r\nContent-Usage: train-ai=n")) == {
        ("content_usage_header", TRAIN, "reserved")
    }


LABELS = [
    ("tdm=n", "tdm", "2025-06 draft-ietf-aipref-vocab-01"),
    ("ai=n", "ai_train", "2025-06 draft-ietf-aipref-vocab-01"),
    ("genai=n", "ai_gen_train", "2025-06 draft-ietf-aipref-vocab-01"),
    ("inference=n", "ai_input", "2025-06 draft-ietf-aipref-vocab-01"),
    ("all=n", "tdm", "2025-09 draft-ietf-aipref-vocab-03"),
    ("train-genai=n", "ai_gen_train", "2025-09 draft-ietf-aipref-vocab-03"),
    ("bots=n", "tdm", "2025-10 draft-ietf-aipref-vocab-04"),
    ("ai-output=n", "ai_input", "2025-10 draft-ietf-aipref-vocab-04"),
    ("ai-input=n", "ai_input", "2025-10 draft-romm-aipref-contentsignals-00"),
    ("ai-train=n", "ai_train", "2025-10 draft-romm-aipref-contentsignals-00"),
]


@pytest.mark.parametrize(("value", "usage", "draft"), LABELS, ids=ids(LABELS))
def test_a_label_of_an_earlier_draft_is_kept_apart_with_that_draft(value, usage, draft):
    (row,) = of_headers(f"Content-Usage: {value}")
    assert (row["rule"], row["usage"], row["decision"]) == ("content_usage_header_legacy", usage, "reserved")
    assert row["spec_date"] == draft
    (row,) = of_site("robots", f"User-agent: *\nContent-Usage: / {value}\n")
    assert (row["rule"], row["usage"], row["spec_date"]) == ("content_usage_robots_legacy", usage, draft)


def test_cc_signals_are_noted_as_unknown_beside_what_they_qualify():
    rows = of_headers("Content-Usage: train-genai=n;exceptions=cc-cr-ec")
    assert said(rows) == {
        ("content_usage_header_legacy", "ai_gen_train", "reserved"),
        ("content_usage_header_legacy", "tdm", "unknown"),
    }
    assert {row["value"] for row in rows} == {"train-genai=n;exceptions=cc-cr-ec"}


ATTACH = (
    "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: / train-ai=n\nContent-Usage: /ai-ok/ train-ai=y\n"
    "\nUser-Agent: ExampleBot\nAllow: /\nContent-Usage: / train-ai=y\n"
)
ATTACH_PATHS = [("/test", {"reserved"}), ("/never/test", set()), ("/ai-ok/test", {"allowed"})]


@pytest.mark.parametrize(("path", "decisions"), ATTACH_PATHS, ids=ids(ATTACH_PATHS))
def test_content_usage_in_robots_txt(path, decisions):
    rows = [row for row in of_site("robots", ATTACH, path) if row["rule"] == "content_usage_robots"]
    assert {row["decision"] for row in rows if row["value"].startswith("*")} == decisions


def test_content_usage_of_a_group_of_ones_own_goes_before_that_of_everybody():
    rows = of_site("robots", ATTACH, "/never/test", agents=["ExampleBot"])
    assert {(r["value"].partition(":")[0], r["decision"]) for r in rows if r["rule"] == "content_usage_robots"} == {
        ("ExampleBot", "allowed")
    }


USAGE_LINES = [
    ("Content-Usage: train-ai=n", {"reserved"}),
    ("Content-Usage: /x\ttrain-ai=n", {"reserved"}),
    ("content-usage : /x train-ai=n # train-ai=y", {"reserved"}),
    ("Content-Usage: /x train-ai=n\nContent-Usage: /x train-ai=y", {"reserved", "allowed"}),
    ("Content-Usage: / train-ai=n\nContent-Usage: /x train-ai=y", {"allowed"}),
    ("Content-Usage: /*x$ train-ai=n", {"reserved"}),
    ("Content-Usage: /y train-ai=n", set()),
    ("Content-Usage: /x", set()),
]


@pytest.mark.parametrize(("lines", "decisions"), USAGE_LINES, ids=ids(USAGE_LINES))
def test_content_usage_lines(lines, decisions):
    assert {row["decision"] for row in of_site("robots", f"User-agent: *\n{lines}\n")} == decisions


# Content-Signal (contentsignals.org)

CONTENT_SIGNAL = [
    ("search=yes, ai-train=no", {("search", "allowed"), ("ai_train", "reserved")}),
    ("search=yes,ai-train=no,use=reference", {("search", "allowed"), ("ai_train", "reserved"), ("tdm", "unknown")}),
    ("use=immediate", {("tdm", "unknown")}),
    ("use=full", {("tdm", "unknown")}),
    ("AI-Train=No", {("ai_train", "reserved")}),
    ("ai-input=no", {("ai_input", "reserved")}),
    ("ai-train=maybe", {("ai_train", "unknown")}),
    ("ai-train", {("ai_train", "unknown")}),
    ("ai-train=yes, ai-train=no", {("ai_train", "reserved")}),
    ("ai-train=no, ai-train=yes", {("ai_train", "reserved")}),
    ("ai-train=no; search=yes", {("search", "allowed"), ("ai_train", "reserved")}),
    ("", set()),
    ("somethingelse=no", set()),
]


@pytest.mark.parametrize(("value", "preferences"), CONTENT_SIGNAL, ids=ids(CONTENT_SIGNAL))
def test_content_signal(value, preferences):
    rows = of_site("robots", f"User-agent: *\nContent-Signal: {value}\nAllow: /\n")
    assert said(rows) == {("content_signal", *preference) for preference in preferences}
    assert {row["value"] for row in rows} <= {f"*: Content-Signal: {value}"}
    assert said(of_headers(f"Content-Signal: {value}")) == {("content_signal_header", *p) for p in preferences}


def test_a_content_signal_binds_the_agents_of_its_group_only():
    text = "User-agent: GPTBot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /\n"
    assert [row["value"] for row in of_site("robots", text)] == ["GPTBot: Content-Signal: ai-train=no"]


ABOVE = [
    ("Content-Signal: ai-train=no\n", [("content_signal", "*: Content-Signal: ai-train=no")]),
    ("Content-Usage: /x train-ai=n\n", [("content_usage_robots", "*: Content-Usage: train-ai=n")]),
    ("Content-Usage: train-ai=n\n\nUser-agent: GPTBot\nAllow: /\n", [
        ("content_usage_robots", "*: Content-Usage: train-ai=n"),
    ]),
    ("Content-Signal: ai-train=no\nDisallow: /\nUser-agent: *\nDisallow: /y\n", [
        ("content_signal", "*: Content-Signal: ai-train=no"),
    ]),
    ("Content-Signal: ai-train=no\nUser-agent: *\nDisallow: /\n", [
        ("content_signal", "*: Content-Signal: ai-train=no"), ("robots_agents", "*: Disallow: /"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), ABOVE, ids=ids(ABOVE))
def test_preferences_above_the_first_group_are_said_to_everybody_and_rules_to_nobody(text, found):
    assert [(row["rule"], row["value"]) for row in of_site("robots", text)] == found


# X-Robots-Tag and robots meta elements

ROBOTS_TAGS = [
    ("noai", {"noai"}),
    ("noai, noimageai", {"noai", "noimageai"}),
    ("NOAI", {"noai"}),
    ("otherbot: noindex, noai", set()),
    ("noai, otherbot: noindex", {"noai"}),
    ("gptbot: noai", {"noai"}),
    ("*: noai", {"noai"}),
    ("other bot: noai", set()),
    ("otherbot: noai, gptbot: noimageai", {"noimageai"}),
    ("max-image-preview:large, noai", {"noai"}),
    ("max-snippet:-1, max-video-preview:-1, noai", {"noai"}),
    ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", {"noai"}),
    ("unavailable_after: Tuesday, 25 Jun 2030 15:00:00 PST, noai", {"noai"}),
    ("rating: adult, noai", {"noai"}),
    ("noindex;noai", {"noindex", "noai"}),
    ("noai; noimageai", {"noai", "noimageai"}),
    ("index;noai", {"noai"}),
    ("otherbot: unavailable_after: 25 Jun 2030 15:00:00 PST, noai", set()),
    ("noindex", {"noindex"}),
    ("noimageindex, nofollow", {"noimageindex"}),
    ("none", {"none"}),
    ("all", set()),
    ("index, follow", set()),
    ("", set()),
]
RESERVES = {"noai": "ai_train", "noimageai": "ai_train"}


@pytest.mark.parametrize(("value", "directives"), ROBOTS_TAGS, ids=ids(ROBOTS_TAGS))
def test_x_robots_tag(value, directives):
    rows = of_headers(f"X-Robots-Tag: {value}")
    expected = {("x_robots_tag", RESERVES.get(directive, "index"), "reserved") for directive in directives}
    assert said(rows) == expected
    assert {row["value"] for row in rows} == {f"{directive}: {value}" for directive in directives}


@pytest.mark.parametrize(("value", "directives"), ROBOTS_TAGS, ids=ids(ROBOTS_TAGS))
def test_meta_robots(value, directives):
    findings = Findings()
    read_meta_reservations([("Robots", value)], Subject("page", 1), Where(1, "body", 0, 9), SEEN, findings)
    rows = findings.evidence().reservation_evidence.to_pylist()
    assert said(rows) == {("meta_robots", RESERVES.get(d, "index"), "reserved") for d in directives}
    assert {row["value"] for row in rows} == {f"{directive}: {value}" for directive in directives}


def test_no_shipped_policy_takes_a_word_about_indexing_for_a_reservation():
    for name in ("commercial-open", "research-eu", "metadata-only"):
        assert "index" not in load_policy(name).reservations.usage


def test_of_two_x_robots_tag_headers_each_is_read_by_itself():
    assert said(of_headers("X-Robots-Tag: otherbot: noindex\r\nX-Robots-Tag: noai")) == {
        ("x_robots_tag", "ai_train", "reserved")
    }


def test_a_token_that_only_the_recipe_names_is_ours_in_headers_and_metas():
    assert of_headers("X-Robots-Tag: WinnowBot: noai") == []
    ours = frozenset({"WinnowBot"})
    assert said(of_headers("X-Robots-Tag: winnowbot: noai", ours)) == {("x_robots_tag", "ai_train", "reserved")}
    for agents, expected in ((frozenset(), set()), (ours, {("meta_robots", "ai_train", "reserved")})):
        findings = Findings()
        metas = [("winnowbot", "noai")]
        read_meta_reservations(metas, Subject("page", 1), Where(1, "body", 0, 9), SEEN, findings, agents)
        assert reservations_in(findings.evidence()) == expected


# TDMRep (W3C community group)

TDM_VALUES = [
    (1, "reserved"), (0, "allowed"), ("1", "reserved"), (" 1 ", "reserved"), (2, "unknown"), ("true", "unknown"),
    (True, "unknown"), (None, "unknown"), ([1], "unknown"), (1.5, "unknown"), ("", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "decision"), TDM_VALUES, ids=[repr(case[0]) for case in TDM_VALUES])
def test_tdm_reservation_in_the_file(value, decision):
    body = json.dumps([{"location": "/", "tdm-reservation": value}])
    assert said(of_site("tdmrep", body)) == {("tdmrep_file", "tdm", decision)}


@pytest.mark.parametrize(
    ("value", "decision"),
    [("1", "reserved"), ("0", "allowed"), ("2", "unknown"), ("true", "unknown"), (" 1 ", "reserved"), ("", "unknown")],
)
def test_tdm_reservation_in_header_and_meta(value, decision):
    assert said(of_headers(f"TDM-Reservation: {value}")) == {("tdmrep_header", "tdm", decision)}
    found = read_page(f'<meta name="TDM-Reservation" content="{value}">')
    assert reservations_in(found) == {("tdmrep_meta", "tdm", decision)}


IN_PLACE = [
    ("<head>%s</head>", "0", {"allowed"}),
    ("<title>t</title>%s<p>x", "0", {"allowed"}),
    ("<head></head>%s<body>", "0", {"allowed"}),
    ("<p>x</p>%s", "0", set()),
    ("<body><div class='comment'>%s</div>", "0", set()),
    ("<body><head>%s</head>", "0", set()),
    ("<body><svg><head>%s</head></svg>", "0", set()),
    ("<p>x</p>%s", "1", {"reserved"}),
    ("<p>x</p>%s", "2", {"unknown"}),
]


@pytest.mark.parametrize(("html", "value", "decisions"), IN_PLACE)
def test_a_meta_element_outside_the_head_may_reserve_and_allows_nothing(html, value, decisions):
    found = read_page(html % f'<meta name="tdm-reservation" content="{value}">')
    assert {decision for _, _, decision in reservations_in(found)} == decisions


@pytest.mark.parametrize("reason", [site_rules.NOT_KEPT, site_rules.NOT_HERE])
@pytest.mark.parametrize("kind", ["robots", "ai_txt", "tdmrep", "trust_txt"])
def test_a_file_whose_bytes_are_not_at_hand_is_a_condition_without_a_place(kind, reason):
    findings = Findings()
    read_sites([SiteFile(kind, SITE, 5, SEEN, b"", truncated=reason)], [Target(Subject("image", 7), SITE)], findings)
    (row,) = findings.evidence().reservation_evidence.to_pylist()
    assert (row["decision"], row["byte_start"], row["byte_end"]) == ("conditional", None, None)
    assert verify(row | {"says": row["decision"]}, b"").outcome == "unplaced"


def entry(location: str | None, reservation: int = 1, **more) -> dict:
    return {"tdm-reservation": reservation, **more} | ({} if location is None else {"location": location})


TDM_FILES = [
    ("first match decides", [entry("/x", 0), entry("/", 1)], "/x/1", {("tdmrep_file", "allowed")}),
    ("first match, not longest", [entry("/", 1), entry("/x", 0)], "/x/1", {("tdmrep_file", "reserved")}),
    ("star and dollar", [entry("/*.jpg$", 1)], "/a/b.jpg", {("tdmrep_file", "reserved")}),
    ("dollar ends", [entry("/*.jpg$", 1)], "/a/b.jpg?w=1", set()),
    ("case counts", [entry("/X", 1)], "/x", set()),
    ("escapes are equal", [entry("/%66oo", 1)], "/foo", {("tdmrep_file", "reserved")}),
    ("no location", [entry(None, 1)], "/x", set()),
    ("entry that is no object", [1, "x", None, entry("/", 1)], "/x", {("tdmrep_file", "reserved")}),
    ("empty list", [], "/x", set()),
    ("an object", entry("/", 1), "/x", {("tdmrep_unread", "unknown")}),
    ("no slash", [entry("images/", 1)], "/images/a", {("tdmrep_file", "reserved")}),
    (
        "no slash but in a query",
        [entry("x?u=https://b.example/", 1)],
        "/x?u=https://b.example/",
        {("tdmrep_file", "reserved")},
    ),
    ("an address", [entry("https://a.example/images/*.jpg$", 1)], "/images/a.jpg", {("tdmrep_file", "reserved")}),
    ("an address with its port", [entry("https://A.example:443", 1)], "/x", {("tdmrep_file", "reserved")}),
    ("an address elsewhere", [entry("https://b.example/", 1)], "/x", {("tdmrep_unread", "unknown")}),
    ("another scheme", [entry("http://a.example/", 1)], "/x", {("tdmrep_file", "reserved")}),
    ("elsewhere, and allowed", [entry("https://b.example/x", 1), entry("/", 0)], "/x", {("tdmrep_unread", "unknown")}),
    ("elsewhere, and reserved", [entry("https://b.example/x", 0), entry("/", 1)], "/x", {("tdmrep_file", "reserved")}),
    ("blanks", [entry(" ", 1)], "/x", set()),
]


@pytest.mark.parametrize(("name", "content", "path", "expected"), TDM_FILES, ids=ids(TDM_FILES))
def test_tdmrep_file(name, content, path, expected):
    rows = of_site("tdmrep", json.dumps(content), path)
    assert {(row["rule"], row["decision"]) for row in rows} == expected


BROKEN_TDM = [
    ("no JSON", b"User-agent: *"),
    ("empty", b""),
    ("HTML", b"<!doctype html><title>Not found</title>"),
    ("not UTF-8", b'[{"location": "/\xff", "tdm-reservation": 0}]'),
    ("deep", b"[" * 200_000),
    ("cut", b'[{"location": "/y", "tdm-reservation": 0},'),
    ("cut entry", b'[{"location": "/", "tdm-reserva'),
    ("allowed before it breaks", b'[{"location": "/", "tdm-reservation": 0}, oops'),
]


@pytest.mark.parametrize(("name", "body"), BROKEN_TDM, ids=ids(BROKEN_TDM))
def test_a_tdmrep_file_that_cannot_be_read_is_unknown_and_never_allowed(name, body):
    (row,) = of_site("tdmrep", body)
    assert (row["rule"], row["usage"], row["decision"]) == ("tdmrep_unread", "tdm", "unknown")
    assert (row["byte_start"], row["byte_end"]) == (0, len(body))
    assert row["spec_date"] == "2024-05 W3C TDMRep"


def test_a_reservation_before_a_tdmrep_file_breaks_is_heard():
    body = b'\xef\xbb\xbf[{"location": "/\xc3\xb6"}, {"location": "/", "tdm-reservation": 1}, oops'
    (row,) = of_site("tdmrep", body)
    assert (row["rule"], row["decision"]) == ("tdmrep_file", "reserved")
    assert body[row["byte_start"] : row["byte_end"]] == b'{"location": "/", "tdm-reservation": 1}'


def test_a_tdm_policy_counts_only_with_a_reservation():
    policy = {"tdm-policy": "https://a.example/policy.json"}
    for reservation, is_kept in ((1, True), (0, False)):
        (in_file,) = of_site("tdmrep", json.dumps([entry("/", reservation, **policy)]))
        (header,) = of_headers(f"tdm-policy: {policy['tdm-policy']}\r\nX: y\r\ntdm-reservation: {reservation}")
        (meta,) = read_page(
            f'<meta name="tdm-reservation" content="{reservation}"><meta name="tdm-policy" content="{policy["tdm-policy"]}">'
        ).reservation_evidence.to_pylist()
        assert [policy["tdm-policy"] in row["value"] for row in (in_file, header, meta)] == [is_kept] * 3


def test_of_robots_meta_elements_none_is_passed_over_in_silence():
    other = "".join(f'<meta name="m{i}" content="x">' for i in range(10_000))
    last = '<meta name="robots" content="noai">'
    assert reservations_in(read_page(other + last)) == {("meta_robots", "ai_train", "reserved")}
    same = '<meta name="robots" content="noindex">' * 10_000
    assert reservations_in(read_page(same + last)) >= {("meta_robots", "ai_train", "reserved")}
    different = "".join(f'<meta name="robots" content="max-snippet:{i}">' for i in range(3_000))
    assert reservations_in(read_page(different + last)) == {("meta_robots", "ai_train", "conditional")}


def test_the_range_of_a_finding_holds_the_policy_only_where_the_policy_counts():
    html = '<meta name="tdm-policy" content="/p"><meta name="robots" content="noai"><meta name="tdm-reservation" content="1">'
    rows = read_page(html).reservation_evidence.to_pylist()
    assert {row["rule"]: html[row["byte_start"] : row["byte_end"]] for row in rows} == {
        "meta_robots": '<meta name="robots" content="noai">',
        "tdmrep_meta": html,
    }


# RFC 9309: answers, and "our token"

STATUS = [
    (200, {("robots_agents", "tdm", "reserved")}),
    (None, {("robots_agents", "tdm", "reserved")}),
    (404, set()),
    (403, set()),
    (429, set()),
    (500, {("robots_unavailable", "tdm", "unknown")}),
    (503, {("robots_unavailable", "tdm", "unknown")}),
]


@pytest.mark.parametrize(("status", "expected"), STATUS, ids=ids(STATUS))
def test_the_answer_to_robots_txt(status, expected):
    rows = of_site("robots", "User-agent: *\nDisallow: /\n", status=status)
    assert said(rows) == expected
    if status == 503:
        assert rows[0]["value"] == "HTTP 503"


RESERVING, PERMITTING = "User-agent: *\nDisallow: /\n", "User-agent: *\nContent-Signal: ai-train=yes\n"
MANY_LICENSES = "".join(f"License: /{i}.xml\n" for i in range(20))
UNREAD_ROBOTS = {
    "longer than 500 KiB": "#" * 512_001,
    "too many License lines": MANY_LICENSES,
    "too many agents in a line": "User-agent: " + "a," * 600,
    "too many rules": "".join(f"Content-Signal: ai-train=yes, x{i}=y\n" for i in range(20)),
}


@pytest.mark.parametrize("reason", UNREAD_ROBOTS)
def test_of_a_robots_txt_that_is_not_all_read_what_reserves_counts_beside_a_condition(reason):
    rows = of_site("robots", f"{RESERVING}{UNREAD_ROBOTS[reason]}\n")
    assert {("robots_agents", "tdm", "reserved"), ("robots_unread", "tdm", "conditional")} <= said(rows)
    assert {row["value"] for row in rows if row["rule"] == "robots_unread"} == {reason}
    rows = of_site("robots", f"{PERMITTING}{UNREAD_ROBOTS[reason]}\n")
    assert ("robots_unread", "tdm", "conditional") in said(rows)
    assert "allowed" not in {row["decision"] for row in rows}


def test_a_license_line_that_is_repeated_is_one():
    rows = of_site("robots", RESERVING + "License: /l.xml\n" * 20)
    assert said(rows) == {("robots_agents", "tdm", "reserved"), ("rsl_robots", "ai_train", "conditional")}


def cut(kind: str, body: str, status: int | None = None) -> set[tuple[str, str, str]]:
    """What a file says that was archived in part."""
    findings = Findings()
    file = SiteFile(kind, SITE, 5, SEEN, body.encode(), http_status=status, truncated="length")
    read_sites([file], [Target(Subject("image", 7), f"{SITE}/x")], findings)
    rows = findings.evidence().reservation_evidence.to_pylist()
    assert all(row["value"] == "incomplete: length" for row in rows if row["decision"] == "conditional")
    return said(rows)


OPEN_TDM = '[{"location": "/y", "tdm-reservation": 0}'
CUT = [
    ("robots", "User-agent: *\nAllow: /\n", {("robots_unread", "tdm", "conditional")}),
    ("robots", "", {("robots_unread", "tdm", "conditional")}),
    ("robots", RESERVING, {("robots_unread", "tdm", "conditional"), ("robots_agents", "tdm", "reserved")}),
    ("ai_txt", RESERVING, {("ai_txt", "ai_train", "conditional"), ("ai_txt", "ai_train", "reserved")}),
    ("ai_txt", "", {("ai_txt", "ai_train", "conditional")}),
    ("trust_txt", "datatrainingallowed=yes\n", {("trust_txt", "ai_train", "conditional")}),
    ("tdmrep", OPEN_TDM, {("tdmrep_unread", "tdm", "conditional")}),
    ("tdmrep", OPEN_TDM.replace("/y", "/"), {("tdmrep_unread", "tdm", "conditional")}),
]


@pytest.mark.parametrize(("kind", "body", "expected"), CUT)
def test_of_a_file_archived_in_part_the_rest_is_a_condition(kind, body, expected):
    assert cut(kind, body) == expected
    assert cut(kind, body, status=404) == set()


def test_robots_txt_itself_is_never_disallowed():
    assert of_site("robots", "User-agent: *\nDisallow: /\n", "/robots.txt") == []
    assert of_site("robots", "User-agent: *\nDisallow: /\n", "/robots.txt?x") != []


OUR_TOKEN = [
    ("WinnowBot", "User-agent: winnowbot\nDisallow: /\n", {"WinnowBot: Disallow: /"}),
    ("winnowbot", "User-agent: WinnowBot/1.0 (x)\nDisallow: /\n", {"winnowbot: Disallow: /"}),
    ("WinnowBot", "User-agent: WinnowBotImage\nDisallow: /\n", set()),
    ("CCBot", "User-agent: CCBot\nDisallow: /\n", {"CCBot: Disallow: /"}),
    ("", "User-agent: other\nDisallow: /\n", set()),
    ("WinnowBot", "User-agent: *\nDisallow: /\n", {"*: Disallow: /"}),
]


@pytest.mark.parametrize(("token", "text", "values"), OUR_TOKEN)
def test_a_token_that_only_the_recipe_names_is_ours_in_robots_txt(token, text, values):
    rows = of_site("robots", text, agents=[token])
    assert {row["value"] for row in rows} == values
    assert {row["usage"] for row in rows} <= {"tdm"}


# ai.txt (Spawning)

AI_TXT = [
    ("User-Agent: *\nDisallow: *.jpg\n", "/a/b.JPG", {"*: Disallow: *.jpg"}),
    ("User-Agent: *\nDisallow: .jpg\n", "/a/b.jpg", {"*: Disallow: .jpg"}),
    ("User-Agent: *\nDisallow: /\nAllow: *.jpg\n", "/a/b.jpg", set()),
    ("User-Agent: *\nDisallow: *.png\n", "/a/b.jpg", set()),
    ("User-Agent: WinnowBot\nDisallow: /\n", "/x", {"WinnowBot: Disallow: /"}),
    ("User-Agent: Other\nDisallow: /\n", "/x", set()),
    ("User-Agent: Spawning\nDisallow: /\n", "/x", {"Spawning: Disallow: /"}),
    ('{"version": "1.0", "policies": {"training": "deny"}}', "/x", set()),
    ("<html>User-Agent: *\nDisallow: /\n", "/x", set()),
]


def test_an_ai_txt_that_a_server_could_not_give_is_unknown():
    (row,) = of_site("ai_txt", RESERVING, status=503)
    assert (row["rule"], row["usage"], row["decision"], row["value"]) == ("ai_txt", "ai_train", "unknown", "HTTP 503")
    assert of_site("ai_txt", RESERVING, status=404) == []


@pytest.mark.parametrize(("text", "path", "values"), AI_TXT, ids=ids(AI_TXT))
def test_ai_txt(text, path, values):
    rows = of_site("ai_txt", text, path, agents=["WinnowBot"])
    assert {row["value"] for row in rows} == values
    assert said(rows) <= {("ai_txt", "ai_train", "reserved")}


# trust.txt (JournalList)

TRUST_TXT = [
    ("datatrainingallowed=no", {"reserved"}),
    ("# note\r\n DataTrainingAllowed = No # really\r\n", {"reserved"}),
    ("datatrainingallowed=yes", {"allowed"}),
    ("datatrainingallowed=yes\ndatatrainingallowed=no\n", {"allowed", "reserved"}),
    ("datatrainingallowed=perhaps", {"unknown"}),
    ("#datatrainingallowed=no", set()),
    ("member=https://a.example/", set()),
    ("", set()),
]


@pytest.mark.parametrize("rest", ["#" * (1 << 20), "".join(f"datatrainingallowed={i}\n" for i in range(20))])
def test_a_trust_txt_that_is_not_all_read_allows_nothing(rest):
    found = said(of_site("trust_txt", f"datatrainingallowed=yes\n{rest}"))
    assert ("trust_txt", "ai_train", "conditional") in found
    assert ("trust_txt", "ai_train", "allowed") not in found


@pytest.mark.parametrize(("text", "decisions"), TRUST_TXT, ids=ids(TRUST_TXT))
def test_trust_txt(text, decisions):
    rows = of_site("trust_txt", text)
    assert said(rows) == {("trust_txt", "ai_train", decision) for decision in decisions}
    assert all(text.encode()[row["byte_start"] : row["byte_end"]].decode().strip() == row["value"] for row in rows)


# What was not all read reads back from the bytes of the whole file

FEED = '<rss xmlns:rsl="https://rslstandard.org/rsl"><channel><rsl:content url="/"/></chan'
READ_BACK = [
    ("robots", "\n".join([RESERVING, MANY_LICENSES, "Content-Signal: ai-train=no"]), None, None),
    ("robots", "Content-Signal: ai-train=no; search=no\nContent-Usage: /x train-ai=n\n", None, None),
    ("robots", RESERVING, "length", None),
    ("robots", "", "bad_encoding", None),
    ("ai_txt", RESERVING, "length", None),
    ("ai_txt", RESERVING + "#" * 512_001, None, None),
    ("ai_txt", "busy", None, 503),
    ("robots", "moved", None, 301),
    ("tdmrep", "", None, 302),
    ("trust_txt", "datatrainingallowed=no\n", "length", None),
    ("trust_txt", "datatrainingallowed=no\n" + "#" * (1 << 20), None, None),
    ("trust_txt", "datatrainingallowed=no", None, None),
    ("tdmrep", '[{"location": "/y", "tdm-reservation": 1}, {"location": "x', "length", None),
    ("tdmrep", json.dumps([entry("/$", 1), entry("https://b.example/", 1)]), None, None),
    ("tdmrep", json.dumps([entry("https://a.example/y", 0), entry("x", 1)]), None, None),
    ("tdmrep", json.dumps([entry("https://a.example/", 1)]), None, None),
    ("tdmrep", json.dumps([entry("/y", 0)] * 20_000), None, None),
    ("rsl", FEED, None, None),
    ("rsl", FEED + "nel></rss>", None, None),
]


@pytest.mark.parametrize(("kind", "body", "truncated", "status"), READ_BACK, ids=range(len(READ_BACK)))
def test_every_finding_of_a_file_read_in_part_reads_back(kind, body, truncated, status):
    findings = Findings()
    raw = body.encode()[:MAX_FILE]
    file = SiteFile(kind, SITE, 5, SEEN, raw, f"{SITE}/file", status, truncated)
    read_sites([file], [Target(Subject("image", 7), f"{SITE}/x")], findings)
    rows = findings.evidence().reservation_evidence.to_pylist()
    origin = Origin(f"{SITE}/file", None, status, (truncated,) if truncated else ())
    assert rows
    for row in rows:
        assert verify(row | {"says": row["decision"]}, body.encode(), origin).outcome == "same", row
        if row["decision"] == "conditional" and row["rule"] not in ("rsl_robots", "rsl_feed"):
            other = Origin(f"{SITE}/file", None, 404)
            assert verify(row | {"says": row["decision"]}, body.encode(), other).outcome == "differs", row


# What holds for all of them

EVERY = {
    "robots": of_site("robots", "User-agent: *\nDisallow: /\n"),
    "robots 5xx": of_site("robots", b"", status=500),
    "content signal": of_site("robots", "User-agent: *\nContent-Signal: ai-train=no\n"),
    "content usage": of_site("robots", "User-agent: *\nContent-Usage: / train-ai=n\n"),
    "rsl": of_site("robots", "License: /l.xml\n"),
    "ai.txt": of_site("ai_txt", "User-agent: *\nDisallow: /\n"),
    "ai.txt 5xx": of_site("ai_txt", b"busy", status=500),
    "trust.txt": of_site("trust_txt", "datatrainingallowed=no"),
    "tdmrep": of_site("tdmrep", '[{"location": "/", "tdm-reservation": 1}]'),
    "broken tdmrep": of_site("tdmrep", "{"),
    "headers": of_headers("X-Robots-Tag: noai\r\nContent-Usage: train-ai=n\r\ntdm-reservation: 1\r\nContent-Signal: ai-train=no"),
}  # fmt: skip


@pytest.mark.parametrize("rows", EVERY.values(), ids=EVERY.keys())
def test_every_finding_has_its_raw_value_its_place_its_date_and_its_specification(rows):
    assert rows
    for row in rows:
        assert row["observed_at"] == SEEN
        assert all((row["value"], row["spec_date"]))
        assert row["byte_start"] < row["byte_end"] or row["rule"] == "robots_unavailable"


def test_what_binds_an_image_is_the_answer_it_came_with_and_not_the_page_that_shows_it():
    found = read_page('<meta name="tdm-reservation" content="1"><img src="x.png">', [URL + "x.png"])
    assert {row["subject_type"] for row in found.reservation_evidence.to_pylist()} == {"page"}


def test_the_vocabulary_in_force_is_the_last_one():
    assert preferences.USAGE_LABELS == {"train-ai": "ai_train", "search": "search"}


# Hostile files

LINES = 20_000
SITE_FILES = {
    "robots of one agent": ("robots", b"User-agent: *\n" + b"".join(b"Disallow: /%d\n" % i for i in range(80_000))),
    "robots of many agents": (
        "robots",
        b"".join(b"User-agent: a%d\n" % i for i in range(LINES)) + b"User-agent: *\nDisallow: /\n" * LINES,
    ),
    "robots of wildcards": ("robots", b"User-agent: *\n" + b"".join(b"Disallow: /*%d*x\n" % i for i in range(LINES))),
    "robots of stars": ("robots", b"User-agent: *\n" + b"Disallow: /" + b"*a" * 400_000 + b"$\n"),
    "robots of signals": (
        "robots",
        b"User-agent: *\n" + b"".join(b"Content-Signal: ai-train=no, x%d=y\n" % i for i in range(LINES)),
    ),
    "robots of usages": (
        "robots",
        b"User-agent: *\n" + b"".join(b"Content-Usage: / train-ai=n, a%d=y\n" % i for i in range(LINES)),
    ),
    "robots of licenses": ("robots", b"".join(b"License: /%d.xml\n" % i for i in range(LINES))),
    "ai.txt of wildcards": ("ai_txt", b"User-agent: *\n" + b"".join(b"Disallow: *.x%d\n" % i for i in range(LINES))),
    "tdmrep of 100,000 entries": (
        "tdmrep",
        json.dumps([entry(f"/{i}", 0) for i in range(100_000)]).encode(),
    ),
    "tdmrep of wildcards": ("tdmrep", json.dumps([entry(f"/*{i}$", 0) for i in range(9_000)]).encode()),
    "tdmrep of depth": ("tdmrep", b'[{"location": "/", "tdm-reservation": ' + b"[" * 500_000),
    "tdmrep of digits": ("tdmrep", b'[{"location": "/", "tdm-reservation": ' + b"1" * 500_000 + b"}]"),
    "tdmrep of escapes": ("tdmrep", b'[{"location": "' + b"\\u0041" * 150_000 + b'", "tdm-reservation": 1}]'),
}


@pytest.mark.parametrize(("kind", "body"), SITE_FILES.values(), ids=SITE_FILES.keys())
def test_a_hostile_site_file_takes_bounded_work_and_allows_nothing(kind, body):
    findings = Findings()
    targets = [Target(Subject("image", i), f"{SITE}/a/{i}/" + "a" * 200) for i in range(300)]
    start = time.process_time()
    read_sites([SiteFile(kind, SITE, 5, SEEN, body)], targets, findings)
    assert time.process_time() - start < 20
    decisions = {row["decision"] for row in findings.evidence().reservation_evidence.to_pylist()}
    assert decisions <= {"reserved", "conditional", "unknown"}


def test_a_file_that_is_too_much_to_read_is_a_condition():
    kinds = {name: of_site(*SITE_FILES[name]) for name in ("robots of wildcards", "ai.txt of wildcards")}
    assert {name: said(rows) for name, rows in kinds.items()} == {
        "robots of wildcards": {("robots_unread", "tdm", "conditional")},
        "ai.txt of wildcards": {("ai_txt", "ai_train", "conditional")},
    }
    few_locations = json.dumps([entry("/y", 0)] * 20_000).encode()
    too_large = json.dumps([entry("/y", 0, more="x" * (2 << 20))]).encode()
    for name in ("tdmrep of 100,000 entries", "tdmrep of wildcards"):
        assert said(of_site(*SITE_FILES[name])) == {("tdmrep_unread", "tdm", "conditional")}
    for body in (few_locations, too_large):
        assert said(of_site("tdmrep", body)) == {("tdmrep_unread", "tdm", "conditional")}


def test_paths_of_the_same_fate_are_worked_out_once(monkeypatch):
    calls = []
    monkeypatch.setattr(site_rules, "content_signal", lambda value: calls.append(value) or [("ai_train", "reserved")])
    file = SiteFile("robots", SITE, 5, SEEN, b"User-agent: *\nDisallow: /closed/\nContent-Signal: ai-train=no\n")
    targets = [Target(Subject("image", i), f"{SITE}/{'closed' if i % 2 else 'open'}/{i}") for i in range(1000)]
    findings = Findings()
    read_sites([file], targets, findings)
    assert len(calls) == 2
    assert findings.evidence().reservation_evidence.num_rows == 1500
