"""Site adapters. The pages are made for these tests from the class names that the sites use; none is a real page."""

import pytest

from assets.rights.adapters import ADAPTERS, license_in_words, read_adapters
from assets.rights.findings import RULES, Evidence, Findings
from assets.rights.markup import Page
from assets.rights.page_images import Images
from tests.rights.conftest import licenses_in

FILE = "https://commons.wikimedia.org/wiki/File:Seal.jpg"
PHOTO = "https://www.flickr.com/photos/jane/123/"
OBJECT = "https://www.metmuseum.org/art/collection/search/1"
BY_SA = "https://creativecommons.org/licenses/by-sa/4.0/"


def read(name: str, html: str, url: str, images: tuple[str, ...] = ("/seal.jpg",)) -> Evidence:
    page, findings = Page(html.encode(), url, "utf-8", 1), Findings()
    shown = Images(page, [(i, i, [page.join(address)]) for i, address in enumerate(images)])
    read_adapters([name], page, shown, findings)
    return findings.evidence()


def credits(evidence: Evidence) -> set[tuple[str, str]]:
    return {(row["field"], row["value"]) for row in evidence.attribution.to_pylist()}


def template(short: str, link: str = "", more: str = "") -> str:
    address = f'<span class="licensetpl_link">{link}</span>' if link else ""
    return f'<div class="licensetpl"><span class="licensetpl_short">{short}</span>{address}{more}</div>'


def commons(*templates: str) -> str:
    return (
        '<div class="fullImageLink"><a href="/big.jpg"><img src="/seal.jpg"></a></div><img src="/logo.png">'
        '<table><tr><td id="fileinfotpl_aut">Author</td><td><a href="/wiki/User:Jane">Jane Doe</a></td></tr>'
        '<tr><td id="fileinfotpl_src">Source</td><td><a href="https://seals.example/1">seals</a></td></tr></table>'
        + "".join(templates)
        + f'<footer><a rel="license" href="{BY_SA}">text under CC BY-SA</a></footer>'
    )


def test_a_file_page_of_commons_licenses_its_file_and_names_author_and_source():
    attr = '<span class="licensetpl_attr">Jane Doe / Seals</span>'
    html = commons(template("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0", attr))
    found = read("wikimedia-commons", html, FILE, ("/seal.jpg", "/logo.png"))
    assert licenses_in(found) == {("sample", 0, "adapter_wikimedia_commons", "CC-BY-4.0")}
    assert credits(found) == {
        ("creator", "Jane Doe"),
        ("credit", "Jane Doe / Seals"),
        ("source_url", "https://seals.example/1"),
        ("source_url", FILE),
    }


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        ([template("CC BY-SA 3.0")], "CC-BY-SA-3.0"),
        ([template("Public domain")], "LicenseRef-PublicDomain"),
        ([template("CC BY 4.0"), template("CC BY-SA 4.0")], "CC-BY-4.0 OR CC-BY-SA-4.0"),
        ([template("CC BY 4.0"), template("Public domain")], "NOASSERTION"),
        ([template("Copyrighted free use, provided that")], "NOASSERTION"),
        ([template("CC BY 4.0"), template("something else")], "NOASSERTION"),
    ],
)
def test_license_templates_of_commons_are_a_choice_unless_they_may_be_of_different_layers(templates, expected):
    found = licenses_in(read("wikimedia-commons", commons(*templates), FILE))
    assert found == {("sample", 0, "adapter_wikimedia_commons", expected)}


def flickr(link: str) -> str:
    return f'<img class="main-photo" src="/seal.jpg"><a class="owner-name" href="/photos/jane/">Jane Doe</a>{link}'


def test_a_photo_page_of_flickr_licenses_its_photo():
    html = flickr(f'<a class="photo-license-url" rel="license cc:license" href="{BY_SA}">Some rights reserved</a>')
    found = read("flickr", html, PHOTO)
    assert licenses_in(found) == {("sample", 0, "adapter_flickr", "CC-BY-SA-4.0")}
    assert credits(found) == {("creator", "Jane Doe"), ("source_url", PHOTO)}


def test_a_photo_of_flickr_with_all_rights_reserved_is_not_free():
    html = flickr('<a class="photo-license-url" href="/help/general/#147">All rights reserved</a>')
    assert licenses_in(read("flickr", html, PHOTO)) == {("sample", 0, "adapter_flickr", "LicenseRef-AllRightsReserved")}


def the_met(words: str) -> str:
    return (
        '<meta property="og:image" content="https://images.metmuseum.org/CRDImages/ep/original/DT1.jpg">'
        f'<img src="https://images.metmuseum.org/CRDImages/ep/web-large/DT1.jpg"><h1 class="artwork__title--text">Seal</h1>'
        f'<section class="artwork__access"><span class="public-domain__text">{words}</span></section>'
        '<img src="https://images.metmuseum.org/CRDImages/ep/mobile-large/DT2.jpg">'
    )


MET_IMAGES = tuple(
    f"https://images.metmuseum.org/CRDImages/ep/{name}.jpg" for name in ("web-large/DT1", "mobile-large/DT2")
)


def test_an_object_of_the_met_in_the_public_domain_is_cc0_in_any_size_and_its_neighbors_are_not():
    found = read("the-met", the_met("Public Domain"), OBJECT, MET_IMAGES)
    assert licenses_in(found) == {("sample", 0, "adapter_the_met", "CC0-1.0")}
    assert ("title", "Seal") in credits(found)


def test_an_object_of_the_met_without_the_mark_has_no_license():
    assert licenses_in(read("the-met", the_met("© Estate of Somebody"), OBJECT, MET_IMAGES)) == set()


@pytest.mark.parametrize(
    ("name", "html", "url"),
    [
        ("wikimedia-commons", commons(template("CC BY 4.0")), FILE),
        ("flickr", flickr(f'<a class="photo-license-url" href="{BY_SA}">x</a>'), PHOTO),
        ("the-met", the_met("Public Domain"), OBJECT),
    ],
)
def test_an_adapter_reads_its_own_hosts_only(name, html, url):
    images = MET_IMAGES if name == "the-met" else ("/seal.jpg",)
    host = url.split("/")[2]
    assert licenses_in(read(name, html, url, images))
    for other in (f"{host}.evil.example", "mirror.example", f"evil-{host}", f"mirror.example/{host}"):
        found = read(name, html, url.replace(host, other), images)
        assert licenses_in(found) == set()
        assert credits(found) == set()


def test_a_place_of_an_adapter_reads_back():
    html = "<p>Grüße</p>" + commons(template("CC BY 4.0"))
    row = read("wikimedia-commons", html, FILE).license_evidence.to_pylist()[0]
    expected = b'<span class="licensetpl_short">CC BY 4.0</span>'
    assert html.encode()[row["byte_start"] : row["byte_end"]] == expected


def test_words_that_mean_a_license_to_an_adapter_alone():
    assert license_in_words("adapter_the_met", "Public Domain") == "CC0-1.0"
    assert license_in_words("adapter_wikimedia_commons", "Public domain") == "LicenseRef-PublicDomain"
    assert license_in_words("page_rel", "Public Domain") is None


def test_every_adapter_is_a_rule_with_a_version_below_what_pages_say():
    for adapter in ADAPTERS.values():
        assert RULES[adapter.rule].rank > RULES["jsonld_page"].rank
        assert adapter.version == RULES[adapter.rule].version


def test_an_unknown_adapter_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="no site adapter 'geocities'; there are flickr, the-met, wikimedia-commons"):
        read("geocities", "", FILE)


def test_no_adapter_is_read_unless_it_is_named():
    page, findings = Page(commons(template("CC BY 4.0")).encode(), FILE, "utf-8", 1), Findings()
    read_adapters((), page, Images(page, [(0, 0, [FILE])]), findings)
    assert findings.evidence().license_evidence.num_rows == 0


def test_a_page_of_too_many_pictures_is_not_read_to_its_end():
    pictures = '<img class="main-photo" src="/seal.jpg">' * 10_000
    found = licenses_in(
        read("flickr", pictures + flickr(f'<a rel="license" href="{BY_SA}">x</a>'), PHOTO, ("/a",) * 10_000)
    )
    assert ("page", 1, "page_unread", "NOASSERTION") in found
    assert ("sample", 0, "adapter_flickr", "CC-BY-SA-4.0") in found
