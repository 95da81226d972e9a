"""Who made an image, whom to credit and where it comes from: captions, markup and data, and the crawl's truth."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from assets.crawl.warc import read_record
from assets.rights.credits import credits_in, names_an_owner
from tests.rights.conftest import read_page

BY = "https://creativecommons.org/licenses/by/4.0/"
A = "/a.png"
LINK = f'<a rel="license" href="{BY}">CC BY 4.0</a>'
FIELDS = {"creator": "creator", "credit": "credit", "source": "source_url"}
AT_LEAST = 0.98


def said(html: str) -> set[tuple[str, str, str, str]]:
    """(subject, rule, field, value) of every credit on a page that shows one image."""
    rows = read_page(html, [A]).attribution.to_pylist()
    return {(row["subject_type"], row["rule"], row["field"], row["value"]) for row in rows}


def captioned(caption: str) -> str:
    return f'<figure><img src="{A}"><figcaption>{caption}</figcaption></figure>'


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("Photo: Jane Doe", "Jane Doe"),
        ("A seal. Photo by Jane Doe", "Jane Doe"),
        ("A seal. Photograph taken by Dr. A. B. Doe on Flickr", "Dr. A. B. Doe"),
        ("Photo credit: Jane Doe", "Jane Doe"),
        ("Crédit photo : Jeanne Doe", "Jeanne Doe"),
        ("Foto: Jana von Doe", "Jana von Doe"),
        ("Fotografía: Juana Doe, Madrid", "Juana Doe"),
        ("Фото: Иван Иванов", "Иван Иванов"),
        ("写真：山田太郎", "山田太郎"),
        ("Sunset. By Jane Doe", "Jane Doe"),
        ("Von Jana Doe", "Jana Doe"),
        ("Photo: jdoe77", "jdoe77"),
        ("Photo: The Gazette", "The Gazette"),
        ("Jane Doe / CC BY 4.0", "Jane Doe"),
        ("A seal. NASA/JPL / CC0", "NASA/JPL"),
        ("Photo: Jane Doe / CC BY", "Jane Doe"),
        ("seal by jane doe, CC BY 4.0", "jane doe"),
        ("Phoque par Jeanne Doe (CC BY 4.0)", "Jeanne Doe"),
        ("Foto von Max Muster (CC BY)", "Max Muster"),
        ("“Seal” by Jane D. is licensed under CC BY 2.0", "Jane D."),
        ("Leaf by Gerald G., CC BY 2.0", "Gerald G."),
        ("Leaf by Hartley, William W, CC BY 2.0", "Hartley, William W"),
        ("By Jane Doe - Own work, CC BY-SA 4.0", "Jane Doe"),
        ("Jane Doe, CC BY-SA 4.0, via Wikimedia Commons", "Jane Doe"),
        ("Seal by Jane Doe. by Janet Roe, CC BY", "Janet Roe"),
    ],
)
def test_a_caption_names_who_made_the_picture(caption, name):
    assert dict(credits_in(caption)).get("creator") == name


@pytest.mark.parametrize(
    "caption",
    [
        "House by the sea",
        "House by the sea, CC BY 4.0",
        "A visit by Donald Trump",
        "The bridge was designed by Gustave Eiffel",
        "Ansicht von Berlin, CC BY 4.0",
        "Photo de Paris",
        "Image: a cat asleep",
        "Illustration: How it works",
        "Map: Europe in 1914",
        "Image by the author",
        "Photo: unknown",
        "Photo: http://seals.example/",
        "Image licensed under CC BY 4.0",
        "Used by permission",
        "Photo by",
        "",
    ],
)
def test_a_caption_that_names_nobody_is_not_read_as_a_credit(caption):
    assert credits_in(caption) == []


@pytest.mark.parametrize(
    ("caption", "holder"),
    [
        ("© Jane Doe", "Jane Doe"),
        ("© 2019-2021 Jane Doe. All rights reserved.", "Jane Doe"),
        ("Photo: © Jane Doe", "Jane Doe"),
        ("Copyright 2020 by Seal Press", "Seal Press"),
        ("Seal, courtesy of NASA", "NASA"),
    ],
)
def test_an_owner_is_owed_a_credit_but_need_not_be_the_creator(caption, holder):
    assert credits_in(caption) == [("credit", holder)]
    assert names_an_owner(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "Photo: Ann/Getty Images", "Ann / Alamy Stock Photo", "Image via Shutterstock", "Foto: Max Muster/dpa", "Ann/AP",
        "A square (AFP)", "Reuters/Ann Roe", "Bild: picture alliance / Ann", "Photo: Ann / Magnum", "AP Photo/Ann Roe",
    ],
)  # fmt: skip
def test_an_agency_that_sells_pictures_is_an_owner(caption):
    assert names_an_owner(caption)
    assert ("sample", "caption_notice", "copyright_notice", caption) in said(captioned(caption))


@pytest.mark.parametrize("caption", ["The Getty Museum", "AP courses", "EPA scientists at work", "A magnum of wine"])
def test_words_that_are_also_names_of_agencies_name_no_owner(caption):
    assert not names_an_owner(caption)


def test_a_figure_in_a_figure_is_credited_to_those_whom_the_nearest_caption_names():
    inner = captioned("Photo: Jane Doe")
    bare = '<figure><img src="/a.png"></figure>'
    outer = "<figcaption>Photos: Max Roe, © 2020 Sea Press</figcaption>"
    press = ("sample", "caption_credit", "credit", "Sea Press")
    notice = ("sample", "caption_notice", "copyright_notice", "Photos: Max Roe, © 2020 Sea Press")
    assert said(f"<figure>{inner}{outer}</figure>") == {
        ("sample", "caption_credit", "creator", "Jane Doe"),
        press,
        notice,
    }
    assert said(f"<figure>{bare}{outer}</figure>") == {
        ("sample", "caption_credit", "creator", "Max Roe"),
        press,
        notice,
    }


def test_the_captions_of_older_wordpress_name_whom_to_credit():
    html = f'<div class="wp-caption alignleft"><img src="{A}"><p class="wp-caption-text">Photo: Jane Doe</p></div>'
    assert said(html) == {("sample", "caption_credit", "creator", "Jane Doe")}


def test_a_name_ends_where_the_link_to_the_license_begins():
    html = captioned(f"Seal by jonadab the Unsightly One, {LINK.replace('CC BY 4.0', 'terms')}")
    assert said(html) == {("sample", "caption_credit", "creator", "jonadab the Unsightly One")}
    badge = captioned(f'Seal by jane doe <a rel="license" href="{BY}"><img src="/badge.png"></a>')
    assert ("sample", "caption_credit", "creator", "jane doe") in said(badge)


SNIPPET = (
    '<span property="dct:title">Seal</span> by <a property="cc:attributionName" rel="cc:attributionURL" '
    f'href="https://seals.example/1">Jane Doe</a>, <a rel="license" href="{BY}">CC BY</a>, from '
    '<a rel="dct:source" href="/original">here</a>'
)
SNIPPET_SAYS = {
    ("creator", "Jane Doe"),
    ("title", "Seal"),
    ("source_url", "https://seals.example/1"),
    ("source_url", "http://site.example/original"),
}


@pytest.mark.parametrize(
    ("html", "subject", "rule"),
    [
        (f'<div about="{A}"><img src="{A}">{SNIPPET}</div>', "sample", "rdfa_about"),
        (f'<figure><img src="{A}">{SNIPPET}</figure>', "sample", "figure_credit"),
        (f'<img src="{A}"><p>{SNIPPET}</p>', "page", "rdfa_page"),
        (f'<img src="{A}"><p about="">{SNIPPET}</p>', "page", "rdfa_page"),
    ],
)
def test_what_the_license_chooser_of_creative_commons_writes_is_about_its_subject(html, subject, rule):
    found = {
        (field, value)
        for found_subject, found_rule, field, value in said(html)
        if (found_subject, found_rule) == (subject, rule)
    }
    assert found == SNIPPET_SAYS


def test_properties_of_another_subject_are_no_credit():
    assert said(f'<img src="{A}"><div about="/book.pdf">{SNIPPET}</div>') == set()
    assert said(f'<img src="{A}"><div class="comment">{SNIPPET}</div>') == set()


@pytest.mark.parametrize(
    "words",
    [
        'property="cc:attributionName"',
        'property="dcterms:creator"',
        'property="http://creativecommons.org/ns#attributionName"',
        'prefix="x: http://purl.org/dc/terms/" property="x:creator"',
        'xmlns:y="http://creativecommons.org/ns#" property="y:attributionName"',
        'vocab="http://creativecommons.org/ns#" property="attributionName"',
        'property="dc:creator"',
    ],
)
def test_a_property_is_known_by_its_address_however_it_is_written(words):
    html = f'<div about="{A}"><img src="{A}"><b {words}>Jane Doe</b></div>'
    assert said(html) == {("sample", "rdfa_about", "creator", "Jane Doe")}


@pytest.mark.parametrize(
    "words", ['prefix="cc: http://evil.example/#" property="cc:attributionName"', 'property="foaf:creator"']
)
def test_a_prefix_of_another_vocabulary_says_nothing(words):
    assert said(f'<div about="{A}"><img src="{A}"><b {words}>Jane Doe</b></div>') == set()


@pytest.mark.parametrize(
    "creator",
    [
        '"Jane Doe"',
        '{"@type": "Person", "name": "Jane Doe"}',
        '{"@type": "Organization", "name": ["Jane Doe"]}',
        '[{"@type": "Person", "name": {"@value": "Jane Doe"}}]',
        '{"@id": "#jane"}',
        '{"@list": [{"@type": "Person", "@id": "#jane"}]}',
    ],
)
def test_the_creator_of_json_ld_is_a_text_an_object_or_a_reference(creator):
    person = '{"@type": "Person", "@id": "#jane", "name": "Jane Doe"}'
    image = f'{{"@type": "ImageObject", "contentUrl": "{A}", "creator": {creator}}}'
    html = f'<img src="{A}"><script type="application/ld+json">{{"@graph": [{person}, {image}]}}</script>'
    assert said(html) == {("sample", "jsonld_image", "creator", "Jane Doe")}


def test_the_page_where_a_license_is_to_be_had_serves_as_the_source():
    data = '{"@type": "ImageObject", "contentUrl": "/a.png", "acquireLicensePage": "/get"}'
    address = "http://site.example/get"
    assert said(f'<img src="{A}"><script type="application/ld+json">{data}</script>') == {
        ("sample", "jsonld_license_page", "source_url", address),
        ("sample", "jsonld_image", "license_url", address),
    }


def test_the_creator_of_an_item_is_a_text_or_a_person():
    item = f'<div itemscope itemtype="https://schema.org/ImageObject"><img itemprop="contentUrl" src="{A}">'
    names = '<a itemprop="url" href="/j">j</a><i itemprop="name">Jane Doe</i>'
    person = f'<b itemprop="creator" itemscope itemtype="https://schema.org/Person">{names}</b>'
    expected = {("sample", "microdata_image", "creator", "Jane Doe")}
    assert said(f"{item}{person}</div>") == expected
    assert said(f'{item}<a itemprop="creator" href="/jane">Jane Doe</a></div>') == expected
    lite = f'<div vocab="https://schema.org/" typeof="ImageObject"><img property="contentUrl" src="{A}">'
    nested = '<b property="creator" typeof="Person"><i property="name">Jane Doe</i></b>'
    assert said(f"{lite}{nested}</div>") == {("sample", "rdfa_image", "creator", "Jane Doe")}


def test_an_author_of_the_page_is_a_weaker_word_than_one_in_a_figure():
    author = '<a rel="author" href="/jane">Jane Doe</a>'
    assert said(f'<img src="{A}">{author}') == {("page", "page_author", "creator", "Jane Doe")}
    assert said(f'<figure><img src="{A}">{author}</figure>') == {("sample", "figure_credit", "creator", "Jane Doe")}
    assert said(f'<img src="{A}"><nav>{author}</nav><footer>{author}</footer>') == set()
    many = "".join(f'<a rel="author">Author {n}</a>' for n in range(4))
    assert said(f'<img src="{A}">{many}') == set()


def test_the_title_of_a_licensed_image_is_the_title_of_the_work():
    image = f'<img src="{A}" title="Seal at noon">'
    assert ("sample", "img_title", "title", "Seal at noon") in said(f"<figure>{image}{LINK}</figure>")
    assert ("sample", "img_title", "title", "Seal at noon") in said(f"{image}{LINK}")
    assert said(image) == set()


@pytest.fixture(scope="module")
def measured(shards, truth) -> list[dict]:
    """Of every image whose statement names somebody: what the truth names and what was found, by field."""
    rows = []
    for shard in shards.values():
        credits = defaultdict(lambda: defaultdict(set))
        for row in shard.evidence.attribution.to_pylist():
            credits[(row["subject_type"], row["subject_id"])][row["field"]].add(row["value"])
        for sample in shard.crawled.sample.to_pylist():
            expected = truth[(sample["page_url"], sample["position"])]
            own = [credits[("sample", sample["sample_id"])], credits[("image", sample["image_record_id"])]]
            rows.append(
                {
                    "shard": shard,
                    "sample": sample,
                    "names": {k: " ".join(v.split()) for k, v in (expected["attribution"] or {}).items() if v},
                    "found": {name: own[0][field] | own[1][field] for name, field in FIELDS.items()},
                }
            )
    return rows


def states(row: dict, text: str) -> bool:
    """Whether the page or the image file holds a text at all."""
    offsets = dict(zip(*(row["shard"].crawled.record[c].to_pylist() for c in ("record_id", "offset")), strict=True))
    places = [row["sample"]["page_record_id"], row["sample"]["image_record_id"]]
    bodies = [read_record(row["shard"].path, offsets[place]).body for place in places if place in offsets]
    return any(text.encode() in body for body in bodies)


def test_creators_credits_and_sources_are_found_for_98_percent_of_the_images_that_name_them(measured):
    known, found = Counter(), Counter()
    unstated = 0
    for row in measured:
        names = dict(row["names"])
        if "source" in names and names["source"] not in row["found"]["source"] and not states(row, names["source"]):
            # The truth was written with the works at hand: it knows some sources that no page and no file tells.
            unstated += 1
            del names["source"]
        right = {name: value in row["found"][name] for name, value in names.items()}
        for name, is_right in right.items():
            known[name] += 1
            found[name] += is_right
        if right:
            known["all of them"] += 1
            found["all of them"] += all(right.values())
    assert unstated == 9
    assert known == {"creator": 457, "credit": 172, "source": 48, "all of them": 461}
    assert {name: found[name] / known[name] >= AT_LEAST for name in known} == dict.fromkeys(known, True)


def test_a_named_creator_is_another_than_the_truth_names_for_at_most_2_percent(measured):
    named = [row for row in measured if "creator" in row["names"] and row["found"]["creator"]]
    wrong = [row for row in named if row["names"]["creator"] not in row["found"]["creator"]]
    assert len(named) >= 450
    assert len(wrong) / len(named) <= 1 - AT_LEAST


def test_few_creators_are_named_where_the_truth_names_none(measured):
    extra = [row for row in measured if "creator" not in row["names"] and row["found"]["creator"]]
    # Captions and files of the crawl that name somebody without licensing anything: Sample Studio, two files' authors.
    assert len(extra) <= 8
