"""Statements in markup and structured data, and what they are about."""

import json
import time

import pytest

from assets.crawl.nesting import too_deep
from assets.rights.markup import MAX_PAIRS, Page
from tests.rights.conftest import licenses_in, read_page, reservations_in

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"
A, B = "/a.png", "/b.png"
ITEM = '<div itemscope itemtype="https://schema.org/ImageObject">'
IMG_A, IMG_B = f'<img src="{A}">', f'<img src="{B}">'
RSL = '<link rel="license" type="application/rsl+xml" href="/l.xml">'


COMMENTS = (
    "comment", "comments-area", "comments-section", "comment_body", "user-comment", "Comment__body", "UserComment", "reply",
    "forum-post", "postbody", "usertext", "review", "x replies", "comment-list",
)  # fmt: skip


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
        *((f'<div class="{name}">{link()}</div>', "comment_rel") for name in COMMENTS),
        (link(rel='rel="license UGC"'), "comment_rel"),
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


@pytest.mark.parametrize(
    "name",
    [
        "commentary",
        "no-comments",
        "has-comments",
        "comments-open",
        "preview",
        "forum",
        "post",
        "category-review",
        "incomment",
    ],
)
def test_a_name_that_only_resembles_one_of_comments_is_none(name):
    assert found(f'<div class="{name}">{link()}</div>') == {("page", 1, "page_rel", "CC-BY-4.0")}


def test_what_a_visitor_writes_into_an_item_of_the_page_is_no_property_of_it():
    comment = f'<div class="comment"><a itemprop="license" href="{BY}">x</a><b itemprop="creator">Eve</b></div>'
    evidence = read_page(f"{ITEM}{IMG_A}{comment}</div>", [A])
    assert licenses_in(evidence) == set()
    assert evidence.attribution.num_rows == 0
    rdfa = (
        f'<div vocab="https://schema.org/" typeof="ImageObject">{IMG_A}{comment.replace("itemprop", "property")}</div>'
    )
    assert {row for row in found(rdfa) if row[0] == "sample"} == set()


@pytest.mark.parametrize(
    "said",
    [
        f'<script type="application/ld+json">{{"@type": "ImageObject", "contentUrl": "/a.png", "license": "{BY}"}}</script>',
        f'<script type="application/ld+json">{{"@type": "WebPage", "license": "{BY}",}}</script>',
        f'<meta name="license" content="{BY}">',
        '<meta name="author" content="Eve">',
        f"<figure>{IMG_A}<figcaption>Photo: Eve, CC BY 4.0</figcaption></figure>",
    ],
)
def test_a_visitors_data_captions_and_metas_license_and_credit_nothing(said):
    evidence = read_page(f'{IMG_A}<div class="comment">{said}</div>', [A, A])
    assert licenses_in(evidence) == set()
    assert evidence.attribution.num_rows == 0


def test_a_visitors_captions_and_metas_may_reserve():
    reserved = "LicenseRef-AllRightsReserved"
    caption = f"<figure>{IMG_A}<figcaption>All rights reserved</figcaption></figure>"
    assert ("sample", 0, "caption_notice", reserved) in found(f'<div class="comment">{caption}</div>')
    meta = '<meta name="dc.rights" content="All rights reserved">'
    assert found(f'<div class="comment">{meta}</div>') == {("page", 1, "page_meta", reserved)}


def test_a_visitors_link_in_a_caption_does_not_silence_the_caption():
    own = link(rel='rel="license ugc"')
    assert ("sample", 0, "figure_text", "CC-BY-NC-4.0") in found(
        f"<figure>{IMG_A}<figcaption>CC BY-NC 4.0 {own}</figcaption></figure>"
    )


def test_only_a_base_in_the_head_moves_addresses():
    data = '<script type="application/ld+json">{"@type": "ImageObject", "contentUrl": "a.png", "license": "CC0-1.0"}</script>'
    base = '<base href="http://other.example/">'
    here, there = "http://site.example/dir/a.png", "http://other.example/a.png"
    assert found(f"<head>{base}</head><body>{data}", (here, there)) == {("sample", 1, "jsonld_image", "CC0-1.0")}
    assert found(f"<body><p>x</p>{base}{data}", (here, there)) == {("sample", 0, "jsonld_image", "CC0-1.0")}


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


@pytest.mark.parametrize(
    "html",
    [
        f"<body><noscript>{link()}</noscript>",
        f"<body><noscript><figure>{IMG_A}{link()}</figure></noscript>",
        f"<template>{link()}</template>",
        f'<script type="text/template">{link()}</script>',
        f"<style>/* {link()} */</style>",
        f"<p title='{link()}'>x</p>",
        f"<title>{link()}</title>",
        f"<![CDATA[ {link()} ]]>",
        f"&lt;a rel=license href={BY}&gt;",
        f'<noscript><meta name="license" content="{BY}"></noscript>',
        f'<body><noscript><script type="application/ld+json">{{"@type": "WebPage", "license": "{BY}"}}</script></noscript>',
    ],
)
def test_what_a_reader_of_the_page_does_not_see_gives_no_license(html):
    assert found(html) == set()


def test_a_notice_in_a_noscript_still_denies():
    caption = "<figcaption>All rights reserved</figcaption>"
    assert found(f"<body><noscript><figure>{IMG_A}{caption}</figure></noscript>") == {
        ("sample", 0, "caption_notice", "LicenseRef-AllRightsReserved")
    }


def confidence_of(html: str) -> float:
    return round(read_page(html, [A]).license_evidence["confidence"].to_pylist()[0], 4)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (f"<main>{link()}</main>", 0.8),
        (f'<link rel="license" href="{BY}">', 0.8),
        (f"<article><footer>{link()}</footer></article>", 0.8),
        (f"<footer>{link()}</footer>", 0.72),
        (f"<header>{link()}</header>", 0.72),
        (f"<nav>{link()}</nav>", 0.4),
        (f"<footer><nav>{link()}</nav></footer>", 0.4),
    ],
)
def test_a_page_license_is_weaker_in_the_footer_and_weakest_in_the_navigation(html, expected):
    assert confidence_of(html) == expected


@pytest.mark.parametrize(
    "element",
    [
        f'<meta name="DC.rights" content="{BY}">',
        f'<meta name="dcterms.license" content="{BY}">',
        '<meta name="license" content="CC BY 4.0">',
        f'<meta property="og:license" content="{BY}">',
    ],
)
def test_meta_elements_license_the_page(element):
    assert found(element) == {("page", 1, "page_meta", "CC-BY-4.0")}


def test_a_meta_element_that_names_an_owner_is_no_license():
    assert found('<meta name="DC.rights" content="© Jane Doe">') == set()
    assert found('<meta name="license" content="ask us">') == {("page", 1, "page_meta", "NOASSERTION")}


@pytest.mark.parametrize(
    "how",
    [
        'rel="license"',
        'rel="cc:license"',
        'property="cc:license"',
        'property="http://creativecommons.org/ns#license"',
        'rel="http://purl.org/dc/terms/license"',
        'prefix="x: http://creativecommons.org/ns#" rel="x:license"',
        'xmlns:y="http://creativecommons.org/ns#" rel="y:license"',
        'vocab="https://schema.org/" property="license"',
    ],
)
def test_rdfa_states_a_license_of_an_image_by_prefix_vocabulary_or_full_address(how):
    assert found(f'<div about="{A}">{IMG_A}{link(rel=how)}</div>{IMG_B}', (A, B)) == {
        ("sample", 0, "rdfa_about", "CC-BY-4.0")
    }


def test_a_prefix_that_means_something_else_states_no_license():
    how = 'prefix="cc: http://evil.example/ns#" rel="cc:license"'
    assert found(f'<div about="{A}">{IMG_A}{link(rel=how)}</div>') == {("page", 1, "page_link", "CC-BY-4.0")}


def test_the_nearest_subject_counts():
    inner = f'<div about="{B}">{IMG_B}{link(NC)}</div>'
    assert found(f'<div about="{A}">{IMG_A}{inner}{link()}</div>', (A, B)) == {
        ("sample", 0, "rdfa_about", "CC-BY-4.0"),
        ("sample", 1, "rdfa_about", "CC-BY-NC-4.0"),
    }
    assert found(f'<div resource="{A}">{IMG_A}{link()}</div>') == {("sample", 0, "rdfa_about", "CC-BY-4.0")}


def test_the_subject_of_the_page_itself_is_the_page():
    assert found(f'<div about="http://site.example/dir/page.html">{link()}</div>') == {
        ("page", 1, "page_rel", "CC-BY-4.0")
    }


def test_a_figure_that_has_a_type_keeps_its_link_to_itself():
    figure = f'<figure typeof="mw:File/Thumb">{IMG_A}<figcaption>{link()}</figcaption></figure>'
    assert found(figure + IMG_B, (A, B)) == {("sample", 0, "figure_rel", "CC-BY-4.0")}


def test_a_link_in_a_linked_caption_is_said_once_and_reserved_rights_beside_it_are_not_lost():
    assert found(f"<figure>{IMG_A}<figcaption>Seal, {link()}</figcaption></figure>") == {
        ("sample", 0, "figure_rel", "CC-BY-4.0")
    }
    reserved = f"<figure>{IMG_A}<figcaption>All rights reserved {link()}</figcaption></figure>"
    assert ("sample", 0, "caption_notice", "LicenseRef-AllRightsReserved") in found(reserved)


def captioned(caption: str, inner: str = IMG_A) -> str:
    return f"<figure>{inner}<figcaption>{caption}</figcaption></figure>"


RESERVED = "LicenseRef-AllRightsReserved"


def test_the_caption_of_an_outer_figure_is_about_the_images_of_those_inside_it():
    gallery = f"<figure>{IMG_A}</figure><figure>{IMG_B}</figure>"
    assert found(captioned("All rights reserved", gallery), (A, B)) == {
        ("sample", 0, "caption_notice", RESERVED),
        ("sample", 1, "caption_notice", RESERVED),
    }
    assert found(captioned(link(), gallery), (A, B)) == {
        ("sample", 0, "figure_rel", "CC-BY-4.0"),
        ("sample", 1, "figure_rel", "CC-BY-4.0"),
    }


def test_an_outer_license_counts_only_where_no_inner_figure_states_one_but_a_notice_always_does():
    inner = captioned("CC BY-NC 4.0")
    assert found(captioned(link(), inner + f"<figure>{IMG_B}</figure>"), (A, B)) == {
        ("sample", 0, "figure_text", "CC-BY-NC-4.0"),
        ("sample", 1, "figure_rel", "CC-BY-4.0"),
    }
    assert found(captioned("All rights reserved", inner)) == {
        ("sample", 0, "figure_text", "CC-BY-NC-4.0"),
        ("sample", 0, "caption_notice", RESERVED),
    }


@pytest.mark.parametrize("element", ["p", "dd", "div"])
def test_the_captions_of_older_wordpress_are_captions(element):
    def old(caption: str) -> str:
        text = f'<{element} class="wp-caption-text x">{caption}</{element}>'
        return f'<div id="attachment_1" class="wp-caption alignleft">{IMG_A}{text}</div>{IMG_B}'

    assert found(old("All rights reserved"), (A, B)) == {("sample", 0, "caption_notice", RESERVED)}
    assert found(old("CC BY-NC 4.0"), (A, B)) == {("sample", 0, "figure_text", "CC-BY-NC-4.0")}
    assert found(old(link(NC)), (A, B)) == {("sample", 0, "figure_rel", "CC-BY-NC-4.0")}


@pytest.mark.parametrize(
    "figure",
    [
        captioned(link(NC, "")),
        captioned(f'<a href="{NC}">CC BY-NC</a> by Ann'),
        f"<figure>{IMG_A}{link(NC, '')}</figure>",
        f"<figure><figure>{IMG_A}</figure><figcaption>{link(NC, '')}</figcaption></figure>",
    ],
)
def test_a_link_in_a_figure_that_only_leads_to_a_license_is_its_text(figure):
    assert found(figure + IMG_B, (A, B)) == {
        ("sample", 0, "figure_text", "CC-BY-NC-4.0"),
        ("page", 1, "page_link", "CC-BY-NC-4.0"),
    }


def test_links_that_only_lead_to_licenses_are_no_choice_and_say_nothing_beside_one_that_is_meant():
    two = f"<figure>{IMG_A}{link(BY, '')} {link(NC, '')}</figure>"
    assert ("sample", 0, "figure_text", "NOASSERTION") in found(two)
    meant = {row for row in found(f"<figure>{IMG_A}{link(NC)} after {link(BY, '')}</figure>") if row[0] == "sample"}
    assert meant == {("sample", 0, "figure_rel", "CC-BY-NC-4.0")}
    gnu = f'<figure>{IMG_A}<a href="https://www.gnu.org/licenses/gpl-3.0.html">x</a></figure>'
    assert ("sample", 0, "figure_text", "GPL-3.0-only") in found(gnu)


@pytest.mark.parametrize(
    "statement",
    [
        f'<span property="cc:license" content="{NC}">x</span>',
        f'<meta property="cc:license" content="{NC}">',
        link(NC, 'rel="dc:rights"'),
        link(NC, 'rel="dct:rights"'),
        link(NC, 'property="http://purl.org/dc/elements/1.1/rights"'),
    ],
)
def test_a_license_about_an_image_may_be_content_or_its_rights(statement):
    assert found(f'{IMG_A}{IMG_B}<div about="{B}">{statement}</div>', (A, B)) == {
        ("sample", 1, "rdfa_about", "CC-BY-NC-4.0")
    }
    own = f'<span about="{B}" property="cc:license" content="{NC}"></span>'
    assert found(IMG_A + IMG_B + own, (A, B)) == {("sample", 1, "rdfa_about", "CC-BY-NC-4.0")}


def test_rights_that_lead_to_no_license_are_none():
    assert found(link("/rights", 'rel="dct:rights"')) == set()
    assert found(link(rel='rel="dc:rights"')) == {("page", 1, "page_rel", "CC-BY-4.0")}


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


@pytest.mark.parametrize(
    "data",
    [
        "{'@type': 'ImageObject', 'contentUrl': '/a.png', 'license': 'x'}",
        '{"@type": "ImageObject", "schema:contentUrl": "/a.png", "schema:license": "x",}',
        '{"contentUrl": "/a.png", license: "x"}',
    ],
)
def test_broken_json_ld_is_unread_in_whatever_way_it_writes_license(data):
    assert found(ld(data), (A, B)) == {("sample", 0, "jsonld_unread", "NOASSERTION")}


@pytest.mark.parametrize(
    "data",
    [
        json.dumps({"@type": "Article", "license": BY})[:-1] + ",}",
        "{'@type': 'WebPage', 'license': 'x'}",
        json.dumps({"@type": "ImageObject", "contentUrl": "/other.png", "license": BY})[:-1],
    ],
)
def test_broken_json_ld_that_names_no_image_is_unread_for_the_page(data):
    assert found(ld(data), (A, B)) == {("page", 1, "jsonld_unread", "NOASSERTION")}


@pytest.mark.parametrize(
    ("notice", "spdx_id"),
    [
        ("© Ann. All rights reserved.", RESERVED),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("© 2020 Ann", None),
        ("MIT", None),
    ],
)
@pytest.mark.parametrize("key", ["copyrightNotice", "creditText"])
def test_a_notice_in_structured_data_reserves_or_licenses_and_a_bare_one_does_neither(key, notice, spdx_id):
    def expected(rule: str) -> set:
        return {("sample", 0, rule, spdx_id)} if spdx_id else set()

    assert found(ld({"@type": "ImageObject", "contentUrl": A, key: notice})) == expected("jsonld_image")
    assert found(f'{ITEM}{IMG_A}<i itemprop="{key}">{notice}</i></div>') == expected("microdata_image")
    rdfa = f'<div vocab="https://schema.org/" typeof="ImageObject">{IMG_A}<i property="{key}">{notice}</i></div>'
    assert found(rdfa) == expected("rdfa_image")


def test_a_notice_beside_a_license_in_structured_data_is_only_a_credit_and_two_that_differ_cannot_be_read():
    assert found(ld(IMAGE | {"copyrightNotice": "All rights reserved"})) == {("sample", 0, "jsonld_image", "CC-BY-4.0")}
    both = {
        "@type": "ImageObject",
        "contentUrl": A,
        "copyrightNotice": "All rights reserved",
        "creditText": "CC BY 4.0",
    }
    assert found(ld(both)) == {("sample", 0, "jsonld_image", "NOASSERTION")}


ARTICLE = '<article itemscope itemtype="https://schema.org/NewsArticle">'
LITE = '<article vocab="https://schema.org/" typeof="Article">'


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        (f'{ARTICLE}<a itemprop="license" href="{NC}">x</a></article>', "microdata_page"),
        (f'{ARTICLE}<meta itemprop="license" content="{NC}"><link itemprop="url" href=""></article>', "microdata_page"),
        (f'<a itemprop="license" href="{NC}">x</a>', "microdata_page"),
        (f'<div itemscope itemtype="http://schema.org/WebPage">{ARTICLE.replace("itemscope", "itemprop=mainEntity itemscope")}'
         f'<a itemprop="license" href="{NC}">x</a></article></div>', "microdata_page"),
        (f'{LITE}<a property="license" href="{NC}">x</a></article>', "rdfa_page_license"),
        (f'<article typeof="schema:Article"><b property="schema:license" content="{NC}">x</b></article>', "rdfa_page_license"),
        (f'<div vocab="https://schema.org/"><a property="license" href="{NC}">x</a></div>', "rdfa_page_license"),
    ],
)  # fmt: skip
def test_items_of_a_page_and_loose_properties_license_the_page(html, rule):
    rows = {row for row in found(html) if row[2] != "page_link"}
    assert rows == {("page", 1, rule, "CC-BY-NC-4.0")}


@pytest.mark.parametrize(
    "html",
    [
        f'{ARTICLE}<link itemprop="url" href="/other"><a itemprop="license" href="{NC}">x</a></article>',
        f'<div itemscope itemtype="https://schema.org/ItemList">{ARTICLE.replace("itemscope", "itemprop=item itemscope")}'
        f'<a itemprop="license" href="{NC}">x</a></article></div>',
        f'<div itemscope itemtype="https://schema.org/Book"><a itemprop="license" href="{NC}">x</a></div>',
        f'<div class="comment"><a itemprop="license" href="{NC}">x</a></div>',
        f'<div itemscope itemtype="https://schema.org/Book" itemref="l"></div><p id="l"><a itemprop="license" href="{NC}">x</a>',
        f'{LITE.replace("Article", "Book")}<a property="license" href="{NC}">x</a></article>',
        f'<div about="/book" vocab="https://schema.org/"><a property="license" href="{NC}">x</a></div>',
    ],
)  # fmt: skip
def test_items_of_other_things_license_no_page(html):
    assert {row for row in found(html) if row[2] != "page_link"} == set()


def test_a_property_in_a_figure_is_about_the_figure_and_a_place_weakens_a_page():
    loose = f'<a itemprop="license" href="{NC}">x</a>'
    assert found(f"<figure>{IMG_A}{loose}</figure>") == {("sample", 0, "figure_text", "CC-BY-NC-4.0")}
    assert confidence_of(loose) == 0.7
    assert confidence_of(f"<footer>{loose}</footer>") == 0.63


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


def test_an_image_object_is_matched_by_any_of_its_addresses_and_several_are_told_apart():
    for key in ("contentUrl", "url", "thumbnailUrl"):
        assert found(ld({"@type": "ImageObject", key: "b.png", "license": BY}), (A, "/dir/b.png")) == {
            ("sample", 1, "jsonld_image", "CC-BY-4.0")
        }
    thumbnail = {"@type": "ImageObject", "thumbnail": {"@type": "ImageObject", "contentUrl": A}, "license": BY}
    assert found(ld(thumbnail)) == {("sample", 0, "jsonld_image", "CC-BY-4.0")}
    assert found(ld([IMAGE, IMAGE | {"contentUrl": B, "license": NC}]), (A, B)) == {
        ("sample", 0, "jsonld_image", "CC-BY-4.0"),
        ("sample", 1, "jsonld_image", "CC-BY-NC-4.0"),
    }
    assert found(ld(IMAGE | {"contentUrl": "/other.png"})) == set()


def test_json_ld_keys_may_be_written_in_full():
    full = {"@type": "schema:ImageObject", "schema:contentUrl": A, "https://schema.org/license": BY}
    assert found(ld(full)) == {("sample", 0, "jsonld_image", "CC-BY-4.0")}


def test_microdata_speaks_of_the_image_that_its_itemid_names():
    item = f'<div itemscope itemid="{A}" itemtype="https://schema.org/ImageObject">'
    assert found(f'{IMG_A}{IMG_B}{item}<a itemprop="license" href="{BY}">x</a></div>', (A, B)) == {
        ("sample", 0, "microdata_image", "CC-BY-4.0")
    }


def test_microdata_takes_in_what_itemref_names_but_not_the_things_inside_it():
    item = ITEM.replace("itemscope", 'itemscope itemref="terms missing"')
    other = f'<p itemscope itemtype="https://schema.org/Book"><a itemprop="license" href="{NC}">y</a></p>'
    html = f'{item}{IMG_A}</div><div id="terms">{other}<a itemprop="license" href="{BY}">x</a></div>'
    assert found(html) == {("sample", 0, "microdata_image", "CC-BY-4.0")}


def test_a_thing_inside_an_item_keeps_its_properties():
    book = (
        f'<p itemprop="about" itemscope itemtype="https://schema.org/Book"><a itemprop="license" href="{NC}">y</a></p>'
    )
    assert found(f"{ITEM}{IMG_A}{book}</div>") == set()
    terms = f'<p itemprop="license" itemscope itemtype="https://schema.org/CreativeWork"><a itemprop="url" href="{BY}">y</a></p>'
    assert found(f"{ITEM}{IMG_A}{terms}</div>") == {("sample", 0, "microdata_image", "CC-BY-4.0")}


def test_an_item_in_another_item_is_an_image_of_its_own():
    article = '<article itemscope itemtype="https://schema.org/Article">'
    image = ITEM.replace("itemscope", 'itemprop="image" itemscope')
    html = f'{article}{image}{IMG_A}<a itemprop="license" href="{BY}">x</a></div>{IMG_B}</article>'
    assert found(html, (A, B)) == {("sample", 0, "microdata_image", "CC-BY-4.0")}


def test_a_plain_license_link_inside_an_item_is_about_the_item_and_not_the_page():
    assert found(f"{ITEM}{IMG_A}{link()}</div>{IMG_B}", (A, B)) == {("sample", 0, "figure_rel", "CC-BY-4.0")}


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
    "a list of nothing in JSON-LD": ld("[" + ",".join(["{}"] * 600_000) + "]"),
    "8 MB of images": IMG_A * 400_000,
    "8 MB of elements": "<b></b>" * 1_100_000 + link(),
    "10,000 figures": f"<figure>{IMG_A}<figcaption>{link()}</figcaption></figure>" * 10_000,
    "100,000 links": link() * 100_000,
    "100,000 items": (ITEM + "</div>") * 100_000,
    "items that refer to everything": (
        ITEM.replace("itemscope", 'itemscope itemref="all all all all all"') + IMG_A + "</div>"
    )
    * 5000
    + '<div id="all">'
    + "<a itemprop=license href=x>" * 3000,
    "prefixes in prefixes": "".join(f'<div prefix="a{n}: http://x/{n}">' for n in range(9000)) + link(),
    "titles in titles": f'<div about="{A}">' + '<div property="dct:title">' * 9000 + "word " * 1_300_000,
    "RDFa in microdata": ITEM * 9000 + '<b property="license">' * 9000,
    "captions of brackets": f"<figure>{IMG_A}<figcaption>{'((((by ' * 280}</figcaption></figure>" * 3000,
    "captions of labels": f"<figure>{IMG_A}<figcaption>{'photo: ' * 280}{link()}</figcaption></figure>" * 3000,
}
BOUND = 20.0
"""Seconds of processor time that a page of MAX_PAGE bytes may take at the very most; the worst here takes about two."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_are_read_in_bounded_time(name):
    start = time.process_time()
    read_page(HOSTILE[name], [A])
    assert time.process_time() - start < BOUND


@pytest.mark.parametrize(
    "html",
    [
        "<figure>" + IMG_A * 20_000 + link() * 20_000 + "</figure>",
        "<figure>" + IMG_A * 20_000 + "".join(f"<b rel=author>{n}</b>" for n in range(20_000)),
        ITEM + IMG_A * 20_000 + "".join(f"<b itemprop=creator>{n}</b>" for n in range(20_000)),
        f'<div about="{A}">' + IMG_A * 20_000 + "".join(f'<a rel=license href="/{n}">x</a>' for n in range(20_000)),
        IMG_A * 20_000 + ld([IMAGE | {"license": f"/{n}"} for n in range(15_000)]),
    ],
    ids=["figure", "authors", "item", "about", "json-ld"],
)
def test_many_statements_about_many_images_are_read_in_bounded_time(html):
    start = time.process_time()
    rows = read_page(html, [A] * 20_000).license_evidence.num_rows
    assert time.process_time() - start < BOUND
    assert rows <= MAX_PAIRS + 1


def test_rows_about_images_are_bounded_and_credits_count_among_them():
    """A few kilobytes on which every one of 430 objects is about each of 450 images."""
    many = [
        IMAGE | {"license": f"l{n}", "name": [f"n{n}", f"m{n}"], "creditText": f"c{n}", "author": f"a{n}"}
        for n in range(430)
    ]
    evidence = read_page(IMG_A * 450 + ld(many), [A] * 450)
    assert 450 < evidence.license_evidence.num_rows + evidence.attribution.num_rows <= MAX_PAIRS + 1
    assert ("page", 1, "page_unread", "NOASSERTION") in licenses_in(evidence)
    items = (ITEM + f'<meta itemprop="contentUrl" content="{A}">' + '<b itemprop="creator">C</b>' * 20 + "</div>") * 100
    said = read_page(IMG_A * 450 + items.replace(">C<", ">C{}<").format(*range(2000)), [A] * 450)
    assert 450 < said.attribution.num_rows <= MAX_PAIRS
    assert ("page", 1, "page_unread", "NOASSERTION") in licenses_in(said)


def test_figures_and_links_by_the_thousand_are_all_read():
    figures = "".join(f'<figure><img src="/{n}.png"><figcaption>{link()}</figcaption></figure>' for n in range(10_000))
    rows = found(figures, tuple(f"/{n}.png" for n in range(10_000)))
    assert rows == {("sample", n, "figure_rel", "CC-BY-4.0") for n in range(10_000)}
    nofollow = '<a rel="nofollow" href="/x">x</a>' * 50_000
    assert found(nofollow + link()) == {("page", 1, "page_rel", "CC-BY-4.0")}


def test_a_page_that_states_more_than_is_read_says_so():
    unread = ("page", 1, "page_unread", "NOASSERTION")
    assert unread in found(link() * 20_001)
    assert unread in found(f"<figure>{IMG_A}<figcaption>x</figcaption></figure>" * 20_001)
    assert unread not in found(link() * 20_000)


@pytest.mark.parametrize(
    "data",
    [
        '{"license": 1, "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"license": "x", "a": "' + "x" * (2 << 20) + '"}',
        '{"license": "x", "a": [' + ",".join(["{}"] * 20_000) + "]}",
    ],
    ids=["deep", "long", "many"],
)
def test_json_ld_that_asks_for_too_much_is_unread_for_the_whole_page(data):
    assert found(ld(data)) == {("page", 1, "jsonld_unread", "NOASSERTION")}
    assert found(ld(data.replace('"license"', '"title"'))) == set()


def test_deeper_pages_than_the_parser_can_take_are_recognized_and_long_ones_are_not():
    assert too_deep(b"<div>" * 30_000)
    assert not too_deep(b"<div><p>x<br></div>" * 30_000)


def test_unknown_character_sets_fall_back_to_utf_8():
    assert Page(b"<p>x", "http://a.example/", "no-such-charset", 1).tree.css_first("p").text() == "x"
