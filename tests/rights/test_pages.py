"""Statements in markup and structured data, and what they are about."""

import json
import time

import pytest

from assets.crawl.nesting import too_deep
from assets.rights.markup import Page
from tests.rights.conftest import licenses_in, read_page, reservations_in

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"
A, B = "/a.png", "/b.png"
ITEM = '<div itemscope itemtype="https://schema.org/ImageObject">'
IMG_A, IMG_B = f'<img src="{A}">', f'<img src="{B}">'
RSL = '<link rel="license" type="application/rsl+xml" href="/l.xml">'


def link(url: str = BY, rel: str = 'rel="license"') -> str:
    return f'<a {rel} href="{url}">terms</a>'


def found(html: str, images=(A,)) -> set:
    return licenses_in(read_page(html, list(images)))


@pytest.mark.parametrize(
    "html",
    [
        f'<link rel="license" href="{BY}">',
        link(),
        link(rel='rel="copyright"'),
        link(rel='REL="nofollow LICENSE"'),
        f"<footer>{link()}</footer>",
        f'<map><area rel=license href="{BY}"></map>',
        f'<form rel="license" action="{BY}"></form>',
        link(rel='about="" rel="cc:license"'),
        f'<article typeof="schema:Article">{link()}</article>',
    ],
)
def test_rel_license_is_about_the_page(html):
    assert found(html) == {("page", 1, "page_rel", "CC-BY-4.0")}


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        (link(rel=""), "page_link"),
        (link(rel='rel="nofollow"'), "page_link"),
        (f'<div class="comment">{link()}</div>', "comment_rel"),
        (f'<ol id="comments"><li>{link()}</ol>', "comment_rel"),
    ],
)
def test_links_that_license_nothing_here_are_kept_but_never_decide(html, rule):
    assert found(html) == {("page", 1, rule, "CC-BY-4.0")}


@pytest.mark.parametrize(
    "html",
    [
        f"<!-- {link()} -->",
        f"<script>var x = '{link()}';</script>",
        f"<textarea>{link()}</textarea>",
        f"<p>{link('#')}</p>",
        RSL,
        '<a rel="license">no address</a>',
        link(rel='about="/book.pdf" rel="license"'),
        link(rel='about="#chapter" rel="cc:license"'),
    ],
)
def test_what_is_no_statement_gives_no_license(html):
    assert found(html) == set()


def test_an_rsl_link_is_a_condition():
    assert reservations_in(read_page(RSL)) == {("rsl_link", "ai_train", "conditional")}


def test_a_body_class_about_comments_is_not_a_comment():
    assert found(f'<body class="comments">{link()}') == {("page", 1, "page_rel", "CC-BY-4.0")}


def test_a_link_in_a_figure_is_about_its_image_only():
    html = f"<figure>{IMG_A}<figcaption>{link()}</figcaption></figure>{IMG_B}"
    assert found(html, (A, B)) == {("sample", 0, "figure_rel", "CC-BY-4.0")}


def test_a_figure_in_a_figure_keeps_its_own_license():
    html = f"<figure><figure>{IMG_A}{link(NC)}</figure>{IMG_B}{link()}</figure>"
    assert found(html, (A, B)) == {
        ("sample", 0, "figure_rel", "CC-BY-NC-4.0"),
        ("sample", 1, "figure_rel", "CC-BY-4.0"),
    }


def test_two_links_in_one_place_are_a_choice_and_in_two_places_two_statements():
    figure = f"<figure>{IMG_A}{link()} or {link(NC)}</figure>"
    assert found(figure) == {("sample", 0, "figure_rel", "CC-BY-4.0 OR CC-BY-NC-4.0")}
    assert found(f"<p>{link()} or {link(NC)}</p>") == {("page", 1, "page_rel", "CC-BY-4.0 OR CC-BY-NC-4.0")}
    assert found(f"<p>{link()}</p><p>{link(NC)}</p>") == {
        ("page", 1, "page_rel", "CC-BY-4.0"),
        ("page", 1, "page_rel", "CC-BY-NC-4.0"),
    }


def test_a_link_beside_an_unknown_one_cannot_be_read():
    assert found(f"<figure>{IMG_A}{link()}{link('/terms')}</figure>") == {("sample", 0, "figure_rel", "NOASSERTION")}


def test_look_alike_hosts_and_relative_addresses_are_unreadable_statements():
    for url in ("http://creativecommons.org.evil.example/licenses/by/4.0/", "creativecommons.org/licenses/by/4.0/"):
        assert found(f"<figure>{IMG_A}{link(url)}</figure>") == {("sample", 0, "figure_rel", "NOASSERTION")}


@pytest.mark.parametrize("how", ['rel="license"', 'rel="cc:license"', 'property="dct:license"'])
@pytest.mark.parametrize("about", [A, "//site.example/a.png", "http://site.example/a.png", "../a.png"])
def test_rdfa_about_an_image_finds_it_by_any_form_of_its_address(how, about):
    html = f'<table><tr about="{about}"><td>{IMG_A}<td><a {how} href="{BY}">x</a></tr></table>{IMG_B}'
    assert found(html, (A, B)) == {("sample", 0, "rdfa_about", "CC-BY-4.0")}


def test_a_caption_names_a_license_or_reserves_rights():
    assert found(f"<figure>{IMG_A}<figcaption>Photo: S, CC BY 4.0</figcaption></figure>") == {
        ("sample", 0, "figure_text", "CC-BY-4.0")
    }
    assert found(f"<figure>{IMG_A}<figcaption>© S. All rights reserved.</figcaption></figure>") == {
        ("sample", 0, "caption_notice", "LicenseRef-AllRightsReserved")
    }
    assert found(f"<figure>{IMG_A}<figcaption>© S</figcaption></figure>") == set()


@pytest.mark.parametrize(
    ("name", "content", "spdx_id"),
    [
        ("dc.rights", BY, "CC-BY-4.0"),
        ("DCTERMS.license", "CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("license", "MIT", "MIT"),
        ("og:license", "see our terms", "NOASSERTION"),
        ("dc.rights", "© S", None),
    ],
)
def test_meta_elements_state_page_licenses(name, content, spdx_id):
    expected = {("page", 1, "page_meta", spdx_id)} if spdx_id else set()
    assert found(f'<meta name="{name}" content="{content}">') == expected


def test_an_image_in_the_sites_header_is_not_what_the_page_licenses():
    html = f"<header>{IMG_A}</header><main><header>{IMG_B}</header>{link()}</main>"
    assert ("sample", 0, "outside_main", "NOASSERTION") in found(html, (A, B))
    assert ("sample", 1, "outside_main", "NOASSERTION") not in found(html, (A, B))


def ld(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f'<script type="application/ld+json">{text}</script>'


IMAGE = {"@type": "ImageObject", "contentUrl": "http://site.example/a.png", "license": BY}


@pytest.mark.parametrize(
    "data",
    [
        IMAGE,
        [{"@type": "Person"}, IMAGE],
        {"@graph": [{"@type": "WebPage", "primaryImageOfPage": IMAGE}]},
        {"@type": "Article", "image": [IMAGE]},
        IMAGE | {"@type": ["Thing", "https://schema.org/ImageObject"]},
        IMAGE | {"contentUrl": A},
        IMAGE | {"contentUrl": "//site.example/a.png"},
        {"@type": "ImageObject", "@id": "http://site.example/a.png", "license": BY},
        IMAGE | {"license": {"@type": "CreativeWork", "url": BY}},
        IMAGE | {"license": {"@id": BY}},
        {"@graph": [IMAGE | {"license": {"@id": "#l"}}, {"@id": "#l", "@type": "CreativeWork", "url": BY}]},
        "<!-- " + json.dumps(IMAGE) + " -->",
        "//<![CDATA[\n" + json.dumps(IMAGE) + "\n//]]>",
    ],
)
def test_an_image_object_is_found_wherever_json_ld_puts_it(data):
    assert found(ld(data), (A, B)) == {("sample", 0, "jsonld_image", "CC-BY-4.0")}


def test_json_ld_licenses_in_a_list_are_a_choice_and_unknown_ones_unreadable():
    assert found(ld(IMAGE | {"license": [BY, NC]})) == {("sample", 0, "jsonld_image", "CC-BY-4.0 OR CC-BY-NC-4.0")}
    assert found(ld(IMAGE | {"license": "/terms"})) == {("sample", 0, "jsonld_image", "NOASSERTION")}
    assert found(ld(IMAGE | {"license": 42})) == {("sample", 0, "jsonld_image", "NOASSERTION")}


def test_an_article_licenses_its_page_but_not_another():
    article = {"@type": "NewsArticle", "license": BY}
    assert found(ld(article)) == {("page", 1, "jsonld_page", "CC-BY-4.0")}
    assert found(ld(article | {"url": "http://site.example/other"})) == set()
    assert found(ld({"@type": "ItemList", "itemListElement": [article]})) == set()
    assert found(ld({"@type": "SoftwareApplication", "license": BY})) == set()


def test_broken_json_ld_is_unread_for_the_image_it_names_only():
    broken = ld(json.dumps(IMAGE)[:-1] + ",}")
    assert found(broken, (A, B)) == {("sample", 0, "jsonld_unread", "NOASSERTION")}
    assert found(ld("{not json"), (A, B)) == set()


def test_a_script_of_another_type_is_no_data():
    assert found(ld(IMAGE).replace("ld+json", "json")) == set()


@pytest.mark.parametrize(
    "html",
    [
        f'{ITEM}<img itemprop="contentUrl" src="{A}"><a itemprop="license" href="{BY}">x</a></div>',
        f'{ITEM}{IMG_A}<a itemprop="license" rel="license" href="{BY}">x</a></div>',
        f'{IMG_A}{ITEM}<meta itemprop="contentUrl" content="{A}"><link itemprop="license" href="{BY}"></div>',
    ],
)
def test_microdata_speaks_of_the_image_it_names_or_holds(html):
    assert ("sample", 0, "microdata_image", "CC-BY-4.0") in found(html + IMG_B, (A, B))
    assert not any(row[1] == 1 and row[0] == "sample" for row in found(html + IMG_B, (A, B)))


def test_rdfa_lite_speaks_of_the_image_it_holds():
    license_link = f'<a property="license" href="{BY}">x</a>'
    image = f'<img property="contentUrl" src="{A}">'
    html = f'<div vocab="https://schema.org/" typeof="ImageObject">{image}{license_link}</div>{IMG_B}'
    assert found(html, (A, B)) == {("sample", 0, "rdfa_image", "CC-BY-4.0")}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ('<meta name="robots" content="noai, noimageai">', {("meta_robots", "ai_train", "reserved")}),
        ('<meta name="GPTBot" content="NOAI">', {("meta_robots", "ai_train", "reserved")}),
        ('<meta name="otherbot" content="noai">', set()),
        ('<meta name="robots" content="index, follow">', set()),
        ('<meta name="tdm-reservation" content="1">', {("tdmrep_meta", "tdm", "reserved")}),
        ('<meta name="tdm-reservation" content="yes">', {("tdmrep_meta", "tdm", "unknown")}),
    ],
)
def test_meta_elements_reserve(meta, expected):
    assert reservations_in(read_page(meta)) == expected


@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "koi8-r", "windows-1252"])
def test_findings_know_their_bytes_in_any_character_set(charset):
    words = {"shift_jis": "赤いりんご", "koi8-r": "Красный", "windows-1252": "fenêtre"}.get(charset, "ü🍎")
    figure = f"<figure><img src='{A}'><figcaption>{words} {link()}</figcaption></figure>"
    html = f"<p title='a > b'>{words}</p><!-- <a -->{figure}"
    body = html.encode(charset)
    row = read_page(body, [A], charset).license_evidence.to_pylist()[0]
    assert body[row["byte_start"] : row["byte_end"]] == f'<a rel="license" href="{BY}">'.encode()


def test_utf_16_is_read_without_places():
    evidence = read_page(link().encode("utf-16"), [], "utf-16")
    assert licenses_in(evidence) == {("page", 1, "page_rel", "CC-BY-4.0")}
    assert evidence.license_evidence["byte_start"].to_pylist() == [None]


def test_a_page_cannot_forge_places():
    first, second = (f'<a data-winnow-at="{n}" rel="license" href="{BY}">' for n in (0, 99999999999))
    html = f"<p>x</p><svg>{first}x</a></svg>{second}"
    body = html.encode()
    for row in read_page(body).license_evidence.to_pylist():
        if row["byte_start"] is not None:
            assert body[row["byte_start"] : row["byte_end"]].startswith(b"<a")


HOSTILE = {
    "10 MB of JSON-LD": ld('{"@type": "ImageObject", "license": "x", "a": "' + "x" * 7_000_000 + '"}'),
    "deep JSON-LD": ld("[" * 500_000),
    "deep and closed JSON-LD": ld('{"a":' * 20_000 + "1" + "}" * 20_000),
    "references in a circle": ld(
        {"@graph": [{"@id": "#a", "@type": "ImageObject", "url": A, "license": {"@id": "#a"}}]}
    ),
    "deep markup": "<div>" * 15_000 + link(),
    "deep figures": "<figure>" * 3000 + IMG_A + link(),
    "deep captions": "<figure><img src=/a.png>" + "<figcaption>x" * 20_000,
    "unclosed tags": "<a " * 400_000,
    "unclosed names": "<b<b" * 400_000,
    "unclosed quotes": '<a href="' * 100_000,
    "quotes that cross": "<a x=\"'>" * 100_000,
    "unclosed comments": "<!--" * 300_000,
    "unclosed scripts": "<script>" * 100_000,
    "many links": link() * 20_000,
    "many attributes": "<a " + "x=1 " * 300_000 + ">",
    "a wide caption": f"<figure>{IMG_A}<figcaption>{'all rights ' * 100_000}</figcaption></figure>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_are_read_in_a_few_seconds(name):
    start = time.perf_counter()
    read_page(HOSTILE[name], [A])
    assert time.perf_counter() - start < 60


def test_deeper_pages_than_the_parser_can_take_are_recognized_and_long_ones_are_not():
    assert too_deep(b"<div>" * 30_000)
    assert not too_deep(b"<div><p>x<br></div>" * 30_000)


def test_unknown_character_sets_fall_back_to_utf_8():
    assert Page(b"<p>x", "http://a.example/", "no-such-charset", 1).tree.css_first("p").text() == "x"
