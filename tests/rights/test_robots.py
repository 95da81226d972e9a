"""robots.txt by RFC 9309."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights import robots


def allowed(text: str, token: str, path: str) -> bool:
    group = robots.parse(text.encode()).group(token)
    rule = robots.deciding(group, robots.normalize(path)) if group else None
    return rule is None or bool(rule.allow)


FILE = """# sample
User-agent: CCBot
User-agent: GPTBot
Disallow: /closed/
Allow: /closed/press/

User-agent: Google-Extended
Disallow: /

User-agent: *
Allow: /
"""


@pytest.mark.parametrize(
    ("token", "path", "free"),
    [
        ("CCBot", "/closed/1", False),
        ("gptbot", "/closed/1", False),
        ("CCBot", "/closed/press/1", True),
        ("CCBot", "/open", True),
        ("Google-Extended", "/open", False),
        ("OtherBot", "/closed/1", True),
    ],
)
def test_the_longest_rule_of_the_agents_own_group_decides(token, path, free):
    assert allowed(FILE, token, path) is free


@pytest.mark.parametrize(
    ("rules", "path", "free"),
    [
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Allow: /p\nDisallow: /", "/page", True),
        ("Allow: /folder\nDisallow: /folder", "/folder/page", True),
        ("Allow: /page\nDisallow: /*.htm", "/page.htm", False),
        ("Allow: /$\nDisallow: /", "/", True),
        ("Allow: /$\nDisallow: /", "/page.htm", False),
        ("Disallow: /*.php$", "/x.php", False),
        ("Disallow: /*.php$", "/x.php?a", True),
        ("Disallow: /fish*", "/Fish", True),
        ("Disallow: /a%3cd", "/a%3Cd", False),
        ("Disallow: /a%2fb", "/a/b", True),
        ("Disallow: /%66oo", "/foo", False),
        ("Disallow: /ö", "/%C3%B6", False),
        ("Disallow:", "/x", True),
        ("Disalow: /x", "/x", False),
        ("Disallow: /x # note", "/x", False),
        ("Disallow: /a*b*c$", "/aXbYc", False),
        ("Disallow: /a*b*c$", "/aXbYcZ", True),
        ("Disallow: /*$", "/", False),
    ],
)
def test_patterns_match_as_the_standard_says(rules, path, free):
    assert allowed(f"User-agent: *\n{rules}\n", "bot", path) is free


def test_groups_of_one_agent_are_merged_and_other_lines_do_not_split_them():
    text = "User-agent: a\nSitemap: x\nUser-agent: b\nDisallow: /1\n\nUser-agent: a\nDisallow: /2\n"
    assert [allowed(text, "a", p) for p in ("/1", "/2", "/3")] == [False, False, True]
    assert [allowed(text, "b", p) for p in ("/1", "/2")] == [False, True]


def test_version_and_case_of_a_token_do_not_matter_but_its_end_does():
    text = "User-agent: CCBot/2.0 (x)\nDisallow: /\n"
    assert not allowed(text, "ccbot", "/")
    assert allowed(text, "CCBotImage", "/")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_know_their_bytes_whatever_ends_them(newline):
    body = "\ufeff" + newline.join(["# ü", "User-agent: *", "Disallow: /x"])
    raw = body.encode()
    rule = robots.deciding(robots.parse(raw).group("a"), "/x")
    assert raw[rule.line.start : rule.line.end] == b"Disallow: /x"


USAGE = "User-agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: train-ai=n\nContent-Usage: /ai-ok/ train-ai=y\n"


@pytest.mark.parametrize(
    ("path", "values"), [("/test", ["train-ai=n"]), ("/never/test", []), ("/ai-ok/test", ["train-ai=y"])]
)
def test_the_longest_preference_path_counts_where_crawling_is_allowed(path, values):
    group = robots.parse(USAGE.encode()).group("a")
    assert [rule.line.value for rule in robots.usage_rules(group, path)] == values


def test_preferences_for_one_path_are_all_returned():
    group = robots.parse(b"User-agent: *\nContent-Usage: / train-ai=y\nContent-Usage: / train-ai=n\n").group("a")
    assert len(robots.usage_rules(group, "/x")) == 2


def test_what_follows_500_kib_is_not_read():
    filler = b"# " + b"x" * 98 + b"\n"
    body = b"User-agent: *\nDisallow: /early\n" + filler * 6000 + b"Disallow: /late\n"
    assert not allowed(body.decode(), "a", "/early")
    assert allowed(body.decode(), "a", "/late")


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * 3_000_000,
        b"User-agent: *\n" + b"Disallow: /\n" * 300_000,
        b"User-agent: *\n" + b"".join(b"Disallow: /%d\n" % i for i in range(30_000)),
        b"User-agent: a\n" * 30_000 + b"Disallow: /\n",
        b":" * 500_000,
    ],
)
def test_millions_of_lines_are_read_and_asked_in_no_time(body):
    start = time.perf_counter()
    group = robots.parse(body).group("a")
    for i in range(500):
        if group:
            robots.deciding(group, f"/{i}/" + "x" * 60)
    assert time.perf_counter() - start < 60


def test_a_pattern_of_stars_takes_no_exponential_time():
    start = time.perf_counter()
    assert not robots.matches("/" + "a*" * 1500 + "b$", "/" + "a" * 4000)
    assert time.perf_counter() - start < 60


@given(st.binary(max_size=400))
def test_any_bytes_are_survived(body):
    robots.parse(body)


def test_ai_txt_patterns_match_file_names_anywhere():
    group = robots.parse(
        b"User-Agent: *\nDisallow: *.JPG\nDisallow: .png\nAllow: *.txt\n", relative_patterns=True
    ).group("a")
    found = {path: robots.deciding(group, path) for path in ("/a/b.jpg", "/c.png", "/d.txt", "/e.webp")}
    assert {path: rule and rule.allow for path, rule in found.items()} == {
        "/a/b.jpg": False,
        "/c.png": False,
        "/d.txt": True,
        "/e.webp": None,
    }
