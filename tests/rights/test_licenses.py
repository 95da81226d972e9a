"""Addresses and phrases to license ids."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rights.licenses import (
    either,
    fold,
    license_of_text,
    license_of_url,
    license_table,
    licenses,
    obligations_of,
)

CC = "https://creativecommons.org/"


@pytest.mark.parametrize(
    ("url", "spdx_id"),
    [
        (CC + "licenses/by/4.0/", "CC-BY-4.0"),
        ("//creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("HTTP://WWW.CreativeCommons.org/licenses/BY-SA/4.0/legalcode", "CC-BY-SA-4.0"),
        (CC + "licenses/by/4.0/legalcode.en?x=1#y", "CC-BY-4.0"),
        (CC + "licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0"),
        (CC + "licenses/by-sa-nc/2.0", "CC-BY-NC-SA-2.0"),
        (CC + "licenses/by-sa/3.0/de/", "CC-BY-SA-3.0-DE"),
        (CC + "licenses/by/2.5/se/deed.sv", "LicenseRef-CC-BY-2.5-SE"),
        (CC + "licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
        (CC + "licenses/by-nc/2.5/scotland/", "LicenseRef-CC-BY-NC-2.5-SCOTLAND"),
        (CC + "licenses/by/", "LicenseRef-CC-BY-unversioned"),
        (CC + "licenses/publicdomain/", "CC-PDDC"),
        (CC + "publicdomain/zero/1.0/deed.fr", "CC0-1.0"),
        (CC + "publicdomain/mark/1.0/", "CC-PDM-1.0"),
        (CC + "licenses/sampling+/1.0/", "LicenseRef-CC-SamplingPlus-1.0"),
        (CC + "licenses/sa/1.0/", "CC-SA-1.0"),
        ("http://web.resource.org/cc/PublicDomain", "CC-PDDC"),
        ("https://spdx.org/licenses/GPL-2.0-or-later.html", "GPL-2.0-or-later"),
        ("https://www.gnu.org/licenses/gpl-3.0.en.html", None),
        ("https://www.gnu.org/licenses/gpl-3.0.html", "GPL-3.0-only"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("http://artlibre.org/licence/lal/en/", "LAL-1.3"),
    ],
)
def test_a_license_address_gives_its_id(url, spdx_id):
    assert license_of_url(url) == spdx_id


@pytest.mark.parametrize(
    "url",
    [
        "http://creativecommons.org.evil.example/licenses/by/4.0/",
        "http://evil.example/go?u=https://creativecommons.org/licenses/by/4.0/",
        "https://mycreativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org@evil.example/licenses/by/4.0/",
        "https://evil.example/creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org:8443/licenses/by/4.0/",
        "https://creativecommons.org\\@evil.example/licenses/by/4.0/",
        "javascript://creativecommons.org/licenses/by/4.0/",
        CC,
        CC + "licenses/by/9.9/",
        CC + "licenses/by/4.0/de/",
        CC + "licenses/by/4.0/../../by-nc/4.0/",
        CC + "licenses/by-by/4.0/",
        CC + "licenses/nd-sa/4.0/",
        CC + "licenses/by/4.0/deed.de/extra",
        "https://creativecommons.org/licenses/by /4.0/",
        "http://[broken/licenses/by/4.0/",
        "",
    ],
)
def test_what_only_looks_like_a_license_gives_none(url):
    assert license_of_url(url) is None


def test_every_listed_address_leads_back_to_its_own_id():
    wrong = [
        (e.spdx_id, u, license_of_url(u)) for e in licenses().values() for u in e.urls if license_of_url(u) != e.spdx_id
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "spdx_id"),
    [
        ("Photo: S, CC BY 4.0", "CC-BY-4.0"),
        ("S (CC BY-SA 3.0)", "CC-BY-SA-3.0"),
        ("S, Creative Commons Attribution-NonCommercial 4.0", "CC-BY-NC-4.0"),
        ("Creative Commons Attribution-Share Alike 3.0 Unported", "CC-BY-SA-3.0"),
        ("Public domain, CC0 1.0", "CC0-1.0"),
        ("CC BY-NC-SA 2.0 DE", "CC-BY-NC-SA-2.0-DE"),
        ("see https://creativecommons.org/licenses/by/4.0/.", "CC-BY-4.0"),
        ("creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("CC-BY", "LicenseRef-CC-BY-unversioned"),
        ("CC BY 7.0", "NOASSERTION"),
        ("CC BY 4.0 or CC BY-NC 4.0", "CC-BY-4.0 OR CC-BY-NC-4.0"),
        ("CC BY 4.0, CC BY-NC 4.0", "NOASSERTION"),
        ("CC BY 4.0. All rights reserved.", "NOASSERTION"),
        ("All rights reserved", "LicenseRef-AllRightsReserved"),
        ("Alle Rechte vorbehalten", "LicenseRef-AllRightsReserved"),
        ("Used with permission", "LicenseRef-AllRightsReserved"),
        ("Released under the MIT License", "MIT"),
        ("© Sample Studio", None),
        ("public domain", None),
        ("cc by the harbor", None),
        ("accby 4.0", None),
        ("http://creativecommons.org.evil.example/licenses/by/4.0/", None),
        ("", None),
    ],
)
def test_a_text_states_what_its_words_say(text, spdx_id):
    assert license_of_text(text) == spdx_id


def test_the_license_table_has_unique_ids_and_known_obligations():
    rows = {row["spdx_id"]: row for row in license_table().to_pylist()}
    assert len(rows) == license_table().num_rows > 600
    assert rows["CC0-1.0"]["obligations"] == 0
    assert rows["CC-BY-4.0"]["obligations"] == 1 + 16 + 32
    assert rows["CC-BY-NC-SA-3.0"]["obligations"] == 1 + 2 + 4 + 16 + 32
    assert rows["CC-BY-ND-2.0"]["obligations"] & 8
    assert {"NONE", "NOASSERTION", "LicenseRef-AllRightsReserved"} <= rows.keys()


def test_a_choice_takes_the_lighter_obligations_and_a_sum_takes_all():
    assert obligations_of("CC-BY-4.0 OR CC-BY-NC-4.0") == obligations_of("CC-BY-4.0")
    assert obligations_of("CC-BY-4.0 AND CC-BY-NC-4.0") == obligations_of("CC-BY-NC-4.0")
    assert either(["MIT", "CC0-1.0", "MIT"]) == "CC0-1.0 OR MIT"
    assert fold("A OR (B AND C)", str.lower, "|".join, "&".join) == "a|b&c"


def test_a_broken_expression_is_refused():
    with pytest.raises(ValueError, match="no license expression"):
        fold("CC0-1.0 AND", str, max, max)


@given(st.text(max_size=300))
def test_any_text_and_any_address_are_survived(text):
    for spdx_id in (license_of_url(text), license_of_text(text), license_of_url(CC + text)):
        assert spdx_id is None or " OR " in spdx_id or spdx_id in licenses()


def test_long_hostile_texts_are_searched_in_no_time():
    start = time.perf_counter()
    for text in (
        "CC BY-" * 50_000,
        "Creative Commons " * 30_000,
        "http://" * 50_000,
        "all rights " * 50_000,
        "-" * 10**6,
    ):
        license_of_text(text)
        license_of_url("https://creativecommons.org/" + text)
    assert time.perf_counter() - start < 60
