"""WAT records, by hand and from the sample crawl."""

import json
import random
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator

from assets.crawl.html import PageRefused
from assets.crawl.wat import WatRefused, read_wat
from tests.crawl.wat_fixtures import warc_to_wat

CRAWL = Path(__file__).resolve().parents[2] / "examples" / "crawl"


def wat(links=(), head=None, headers=None, url="http://a.example/d/p.html", status="200", **fields) -> bytes:
    return json.dumps(
        {
            "Container": {"Filename": "CC-1.warc.gz", "Compressed": True, "Offset": "4711"},
            "Envelope": {
                "Format": "WARC",
                "WARC-Header-Metadata": {
                    "WARC-Type": "response",
                    "WARC-Target-URI": url,
                    "WARC-Date": "2024-05-06T07:08:09Z",
                    "WARC-Payload-Digest": "sha1:ABC",
                    **fields,
                },
                "Payload-Metadata": {
                    "HTTP-Response-Metadata": {
                        "Response-Message": {"Version": "HTTP/1.1", "Status": status, "Reason": "OK"},
                        "Headers": headers or {"Content-Type": "text/html; charset=utf-8"},
                        "HTML-Metadata": {"Head": head or {}, "Links": list(links)},
                    }
                },
            },
        }
    ).encode()


def img(url, **more):
    return {"path": "IMG@/src", "url": url, **more}


def reason(payload: bytes) -> str:
    with pytest.raises(PageRefused) as refusal:
        read_wat(payload)
    return str(refusal.value)


def test_a_record_gives_the_page_and_its_images_in_order():
    found = read_wat(
        wat([img("a.png", alt="One", title="t"), {"path": "A@/href", "url": "x.html", "text": "go"}, img("/b.png")])
    )
    assert (found.url, found.http_status, found.mime, found.digest) == (
        "http://a.example/d/p.html", 200, "text/html", "sha1:ABC"
    )  # fmt: skip
    assert found.fetched_at.isoformat() == "2024-05-06T07:08:09+00:00"
    assert (found.warc_file, found.warc_offset) == ("CC-1.warc.gz", 4711)
    one, two = found.page.images
    assert (one.position, one.url, one.alt, one.title, one.other_urls) == (
        0, "http://a.example/d/a.png", "One", "t", []
    )  # fmt: skip
    assert (two.position, two.url, two.alt, two.title) == (1, "http://a.example/b.png", None, None)
    assert (one.caption, one.heading, one.before, one.after) == (None, None, "", "")


def test_addresses_are_joined_to_the_base_of_the_page():
    assert read_wat(wat([img("a.png")], {"Base": "//b.example/x/"})).page.images[0].url == "http://b.example/x/a.png"


def test_title_language_metas_and_images_of_the_page_come_from_the_head():
    head = {
        "Title": " A \n title ",
        "Metas": [
            {"name": "HTML@/lang", "content": "de-CH"},
            {"name": "twitter:image", "content": "/t.png"},
            {"property": "og:image", "content": "o.png"},
            {"name": "Robots", "content": "noai"},
            {"http-equiv": "Content-Language", "content": "en"},
        ],
        "Link": [{"path": "LINK@/href", "url": "s.png", "rel": "image_src"}],
    }
    found = read_wat(wat([img("a.png")], head))
    assert found.page.og_images == [f"http://a.example/{path}" for path in ("d/o.png", "t.png", "d/s.png")]
    assert (found.page.title, found.page.language, found.page.images[0].language) == ("A title", "de", "de")
    assert found.metas[2:4] == [("og:image", "o.png"), ("robots", "noai")]


@pytest.mark.parametrize(
    ("head", "headers", "language"),
    [
        ({"Metas": [{"http-equiv": "content-language", "content": "fr"}]}, {"Content-Language": "en"}, "fr"),
        ({}, {"content-language": "pt-BR"}, "pt"),
        ({}, {"content-language": "en, de"}, None),
        ({}, {}, None),
    ],
)
def test_the_language_is_what_the_page_says_then_what_the_server_says(head, headers, language):
    assert read_wat(wat([], head, headers)).page.language == language


def test_the_header_block_can_be_read_like_a_sent_one_and_values_cannot_add_fields():
    headers = {"X-Robots-Tag": ["noai", "noindex"], "A": "1\r\nLicense: free", "B\r\nC": "2", "D": 3}
    block = read_wat(wat(headers=headers)).header_bytes
    assert block == (
        b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nX-Robots-Tag: noindex\r\nA: 1 License: free\r\nB C: 2\r\n\r\n"
    )


def test_links_that_state_a_license_are_listed_once_and_absolute():
    links = [
        {"path": "A@/href", "url": "/terms", "rel": "nofollow License", "text": "terms"},
        {"path": "A@/href", "url": "http://c.example/by", "rel": "nolicense"},
    ]
    head = {"Link": [{"path": "LINK@/href", "url": "http://a.example/terms", "rel": "license"}]}
    assert read_wat(wat(links, head)).license_links == ["http://a.example/terms"]


def test_further_attributes_of_an_element_are_alternatives_and_a_lazy_address_comes_first():
    links = [
        img("blank.gif", alt="x"),
        {"path": "IMG@/data-src", "url": "real.jpg"},
        {"path": "IMG@/srcset", "url": "s.jpg 1x, l.jpg 2x"},
        {"path": "IMG@/longdesc", "url": "about.html"},
        img("next.png"),
    ]
    one, two = read_wat(wat(links)).page.images
    assert one.url == "http://a.example/d/real.jpg"
    assert one.other_urls == [f"http://a.example/d/{name}.jpg" for name in ("l", "s")]
    assert (two.position, two.url, two.other_urls) == (1, "http://a.example/d/next.png", [])


def test_a_link_without_words_around_an_image_is_its_larger_version():
    links = [img("s.png"), {"path": "A@/href", "url": "l.png"}, img("t.png"), {"path": "A@/href", "url": "page.html"}]
    links += [img("u.png"), {"path": "A@/href", "url": "m.png", "text": "another picture"}]
    found = read_wat(wat(links)).page.images
    assert [image.other_urls for image in found] == [["http://a.example/d/l.png"], [], []]


def test_an_answer_that_is_no_page_has_no_images():
    content = json.loads(wat(headers={"Content-Type": "image/png"}))
    del content["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"]
    found = read_wat(json.dumps(content).encode())
    assert (found.mime, found.page.images) == ("image/png", [])


def test_only_responses_count():
    assert reason(wat(**{"WARC-Type": "request"})) == "not_a_response"
    assert reason(b"{}") == "not_a_response"


def test_what_is_no_wat_is_refused_with_a_reason():
    assert reason(wat(url="")) == "no_url"
    assert reason(b"[1]") == "bad_wat"
    assert reason(b'{"Envelope": 5}') == "bad_wat"
    assert reason(wat().replace(b'"Links": []', b'"Links": {}')) == "bad_wat"
    assert reason(b'{"Envelope": ') == "bad_json"
    assert reason(b'{"a": ' + b"9" * 5000 + b"}") == "bad_json"
    assert reason(b'{"a": ' + b"[" * 100_000) == "too_deep"
    assert reason(b" " * (8 << 20) + b"{}") == "too_large"


def test_more_images_than_a_page_may_have_are_refused():
    assert reason(wat([{"path": "IMG@/src"}] * 100_001)) == "too_many_images"


def test_lone_surrogates_and_control_characters_are_removed():
    found = read_wat(wat([img("a\udc00.png", alt="a\udc00\u0001b")], {"Title": "\ud800"}))
    assert found.page.images[0].alt == "ab"
    assert found.page.title is None
    (found.page.images[0].url or "").encode()


def test_no_bytes_raise_anything_but_a_refusal():
    source = wat([img("a.png", alt="x"), {"path": "A@/href", "url": "l.png"}], {"Title": "t", "Metas": [{"name": "a"}]})
    tokens = [b"[]", b"{}", b"null", b"1e999", b'"\\ud800"', b"-1", b"true", b"\xff", b'"', b",", b"[1]"]
    chance = random.Random(1)
    outcomes = defaultdict(int)
    for _ in range(800):
        data = bytearray(source)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 2, 8))] = chance.choice(tokens)
        outcomes[_outcome(bytes(data))] += 1
    for value in (None, 5, "x", [], {}, [[]], [5], True):
        for broken in _each_part_replaced(json.loads(source), value):
            outcomes[_outcome(json.dumps(broken).encode())] += 1
    assert {"read", "bad_json", "bad_wat", "not_a_response"} <= outcomes.keys()


def _outcome(data: bytes) -> str:
    try:
        page = read_wat(data)
    except WatRefused as refusal:
        return str(refusal)
    assert all(isinstance(image.url, str | None) for image in page.page.images)
    return "read"


def _each_part_replaced(root, value):
    """The document with one of its parts replaced, for every part."""
    places = [(root, key) for key in root]
    while places:
        whole, key = places.pop()
        kept, whole[key] = whole[key], value
        yield root
        whole[key] = kept
        places += [
            (kept, k) for k in (kept if isinstance(kept, dict) else range(len(kept)) if isinstance(kept, list) else ())
        ]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Address -> page, of shards 1 and 2 of the sample crawl, read as WAT; a page archived twice is there once."""
    found = {}
    for number in (1, 2):
        path = tmp_path_factory.mktemp("wat") / f"{number}.warc.wat.gz"
        assert warc_to_wat(CRAWL / f"sample-{number:05d}.warc.gz", path) > 30
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, parse_http=False):
                try:
                    page = read_wat(record.reader.read())
                except WatRefused:
                    # Records of requests and of the file itself.
                    continue
                if page.page.images:
                    found.setdefault(page.url, page)
    return found


@pytest.fixture(scope="module")
def expected(truth):
    """Address -> rows of the truth, of the same shards."""
    rows = defaultdict(list)
    for row in truth:
        if row["shard"] in ("sample-00001", "sample-00002"):
            rows[row["page_url"]].append(row)
    return {url: sorted(page, key=lambda row: row["img_index"]) for url, page in rows.items()}


def test_every_image_of_the_sample_pages_is_there_with_its_position(pages, expected):
    """No page of the sample has an <img> without `src`, the one kind that a WAT would leave out."""
    assert {url: len(page.page.images) for url, page in pages.items()} == {u: len(r) for u, r in expected.items()}


def test_addresses_are_those_of_the_pages_but_for_lazy_loading(pages, expected):
    """A WAT names `src` alone: where another attribute holds the real address, it has only the stand-in."""
    both = [
        (image.url, row)
        for url, rows in expected.items()
        for image, row in zip(pages[url].page.images, rows, strict=True)
    ]
    assert len(both) > 1500
    differing = [(url, row) for url, row in both if url != row["image_url"]]
    assert {row["attr"] for _, row in differing} == {"data-src", "data-original"}
    assert len(differing) == sum(row["attr"] in ("data-src", "data-original") for _, row in both)
    assert [url for url, row in differing if url != row["src_url"]] == []


def test_alt_texts_are_those_of_the_pages(pages, expected):
    both = [
        (image.alt, row)
        for url, rows in expected.items()
        for image, row in zip(pages[url].page.images, rows, strict=True)
    ]
    exact = [(alt, row["alt"]) for alt, row in both if row["alt_exact"]]
    assert [(a, b) for a, b in exact if lines(a) != lines(b)] == []
    assert len(exact) > 1500


def test_page_languages_are_those_of_the_pages(pages, expected):
    wrong = [url for url, rows in expected.items() if (pages[url].page.language or "") != (rows[0]["page_lang"] or "")]
    assert wrong == []


def lines(text):
    return text if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


def test_positions_count_up(pages):
    for page in pages.values():
        assert all(b.position == a.position + 1 for a, b in pairwise(page.page.images))
