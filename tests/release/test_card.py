import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from markdown_it import MarkdownIt

from assets.release.card import (
    History,
    Imprint,
    card_html,
    figure_files,
    fusion_sentence,
    history_sentence,
    limits,
    misuses,
    readme,
    uses,
    whole_license,
)
from assets.release.facts import gather
from assets.release.markup import escape_html, escape_markdown, one_line

HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[click](javascript:alert(1))", "![](http://evil.example/x)",
    "https://evil.example/", "www.evil.example", "<https://evil.example>", "a | b | c", "**bold** _it_ `code` ~~no~~",
    "&lt;b&gt; &#60;", "# heading", "- item", "1. item", "---", "line\n\n## heading", "\x1b[31m\u202e", "\\](x)", "$x$",
    "a@b.example", "[ref]: http://evil.example", "=====",
)  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n"
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def facts(assembled, tables):
    return gather(assembled.rows, tables)


@pytest.fixture(scope="module")
def card(facts, settings, released):
    return readme(facts, settings, released[0].files, ["The encoder is small."])


@pytest.fixture(scope="module")
def page(facts, settings, released):
    return card_html(facts, settings, released[0].files, ["The encoder is small."], {"Funnel": PNG})


class Tags(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def parsed(source):
    tags = Tags()
    tags.feed(source)
    return tags


def rendered(markdown):
    """What a reader with tables, strike-through and bare links makes of it."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def test_the_facts_are_counted_by_hand(facts):
    assert (facts.samples, facts.with_image, facts.image_bytes, facts.crawled) == (4, 3, 110, 10)
    assert [row[:4] for row in facts.funnel][:2] == [("crawl", 10, 9, 1), ("rights", 9, 7, 2)]
    assert facts.funnel[1][4] == "license_denied 1, reserved 1"
    assert facts.sources == [("tiny", "moon.example", 2, 1), ("tiny", "www.leaf.example", 2, 2)]
    assert [(row[0], row[2], row[3], row[4]) for row in facts.licenses] == [
        ("CC-BY-4.0", 1, 1, "yes"), ("CC-BY-SA-4.0", 1, 1, "yes"), ("CC0-1.0", 1, 1, "no"), ("NONE", 1, 0, "no"),
    ]  # fmt: skip
    assert facts.obligations == [(1, 2), (2, 1)]
    assert facts.captions == [
        ("alt", None, 3, 0, 1, 0, 2), ("fused", "small-llm@2", 1, 1, 2, 0, 1),
        ("synthetic-short", "tagger@1", 4, 0, 0, 0, 1),
    ]  # fmt: skip
    assert facts.refusals == [("leak", 1)]
    assert facts.formats == [("GIF", 1), ("JPEG", 1), ("PNG", 1)]
    # One alt text is missing, one is left out since it carries a program.
    assert (facts.concepts, facts.alt_missing, facts.conflicts, facts.credited) == (2, 2, 1, 3)


def test_the_mean_similarity_leaves_out_what_is_no_number(facts):
    assert facts.mean_similarity == pytest.approx((0.5 + 0.125 + 0.25) / 3)


def test_the_card_says_what_share_of_fusions_passed_and_why_others_did_not(facts, card):
    sentence = "Of 2 fusions by a language model 1 (50.0 %) passed the gates and 1 (50.0 %) did not"
    assert fusion_sentence(facts).startswith(sentence)
    assert "2 samples were not asked for" in fusion_sentence(facts)
    assert sentence in card
    assert "| leak | 1 |" in card


def test_no_fusion_is_said_to_be_none(facts):
    assert fusion_sentence(replace(facts, captions=[("alt", None, 4, 0, 0, 0, 4)])) == "No fusion was asked for."


@pytest.mark.parametrize(
    "words",
    ["tiny 1.0.0", "## Funnel", "| rights | 9 | 7 | 2 |", "CC-BY-SA-4.0", "small-llm", "Apache-2.0", "commercial-open",
     "The encoder is small.", "sha256sum --check", "GIF 1", "by address only", "np.load"],
)  # fmt: skip
def test_the_card_tells(card, words):
    assert words in card.replace("\\", "")


def test_the_card_lists_every_data_file_with_its_hash(card, released):
    for file in released[0].files:
        assert file.name in card
        assert file.sha256 in card


def test_limits_speak_from_the_numbers(facts):
    told = " ".join(limits(facts))
    assert "1 sample by address only" in told
    assert "2 of 4 captions are the alt text" in told
    assert "The largest host gives 50.0 % of the samples (2 hosts in all)" in told
    assert "conflict" not in " ".join(limits(replace(facts, conflicts=0)))
    assert "3 samples with license statements that conflict" in " ".join(limits(replace(facts, conflicts=3)))


def test_the_collection_as_a_whole_has_the_licenses_and_obligations_of_all_its_items(facts, card):
    assert whole_license(facts) == "CC-BY-4.0 AND CC-BY-SA-4.0 AND CC0-1.0"
    assert whole_license(replace(facts, stated=["CC0-1.0", "MIT OR CC0-1.0"])) == "CC0-1.0 AND (MIT OR CC0-1.0)"
    assert whole_license(replace(facts, stated=[])) is None
    assert "bound by all of them together: attribution, share-alike" in card


def test_texts_that_were_not_adapted_are_told_apart_from_those_that_were_not_asked_for(facts):
    told = fusion_sentence(replace(facts, not_adapted=[("no_derivatives", 1)]))
    assert "1 sample was not asked for" in told
    assert "2 samples were not asked for" in fusion_sentence(facts)


def test_a_release_that_supersedes_another_says_what_became_of_it(facts, settings):
    history = History("tiny-0.9.0-old", 3, "subtract")
    assert history_sentence(history).startswith(
        "This release supersedes tiny-0.9.0-old: 3 samples of it are not in this one. The rest is the same"
    )
    told = history_sentence(History("tiny-0.9.0-old", 1, "rebuild", added=2))
    assert "1 sample of it is not in this one. The build ran again" in told
    assert "2 samples came in." in told
    for made in (readme, card_html):
        assert "This release supersedes tiny-0.9.0-old" in made(facts, settings, [], history=history)
        assert "Earlier release" not in made(facts, settings, [])


def test_uses_are_told_as_far_as_the_numbers_go(facts):
    assert "Opt-outs were heard for these uses: tdm, ai_train, ai_gen_train." in uses(facts)[1]
    assert len(uses(replace(facts, honored=[]))) == 1
    assert not any("commercial" in sentence for sentence in misuses(facts))
    told = " ".join(misuses(replace(facts, obligations=[(4, 7), (8, 1)])))
    assert "commercial use: 7 samples under a license without it" in told
    assert "changed copies: 1 sample under a license that forbids it" in told


def test_the_card_names_people_and_addresses_only_where_they_were_given(facts, settings, card):
    plain = card.replace("\\", "")
    assert "nobody was named to the build as maker or contact" in plain
    assert "no address or DOI was given to the build" in plain
    imprint = Imprint("The Makers", "The Publishers", "mail@makers.example", "https://makers.example/d", "doi:10.1/2")
    told = readme(facts, settings, [], imprint=imprint).replace("\\", "")
    assert (
        "made by The Makers; published by The Publishers; questions and requests to take something out: mail@" in told
    )
    assert "(at https://makers.example/d, as doi:10.1/2)" in told


def test_the_card_names_the_papers_beside_it(card):
    assert "croissant.json" in card
    assert "EU-SUMMARY.md" in card.replace("\\", "")


def test_the_header_is_yaml_that_hubs_read(card):
    _, header, _ = card.split("---\n", 2)
    values = yaml.safe_load(header)
    assert (values["license"], values["size_categories"]) == ("other", ["n<1K"])
    assert values["configs"][0]["data_files"] == "[0-9]*.parquet"


def test_the_page_is_whole_in_itself_and_runs_nothing(page):
    found = parsed(page)
    assert not {"script", "link", "iframe", "object", "a", "form"} & set(found.tags)
    assert [value for name, value in found.attributes if name == "src"] == [PIXEL]
    assert "default-src 'none'" in page
    assert "Of 2 fusions" in found.text


def test_pictures_are_files_beside_the_card_and_inside_the_page(facts, settings):
    plots = {"Funnel": PNG, "kept and dropped": PNG + b"1"}
    assert figure_files(plots) == {"figure-funnel.png": PNG, "figure-kept-and-dropped.png": PNG + b"1"}
    body = readme(facts, settings, [], plots=plots).split("---\n", 2)[2]
    shown = [value for name, value in parsed(rendered(body)).attributes if name == "src"]
    assert shown == list(figure_files(plots))
    assert "Single samples are shown only where the policy lets" in body
    assert "Pictures" not in readme(facts, settings, [])


@pytest.mark.parametrize("made", [readme, card_html])
@pytest.mark.parametrize("data", [b"", b"<svg onload=x>", b"GIF89a"])
def test_only_a_png_is_a_picture(facts, settings, made, data):
    with pytest.raises(ValueError, match="is no PNG"):
        made(facts, settings, [], plots={"x": data})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_makes_no_other_file_or_tag(facts, settings, text):
    (name,) = figure_files({text + " x": PNG})
    assert re.fullmatch(r"figure-[a-z0-9-]+\.png", name)
    body = readme(facts, settings, [], plots={text + " x": PNG}).split("---\n", 2)[2]
    assert parsed(rendered(body)).tags.count("img") == 1


def test_two_cards_of_the_same_build_are_equal(card, assembled, tables, settings, released):
    turned = {name: table.take(list(range(table.num_rows))[::-1]) for name, table in tables.items()}
    again = readme(gather(assembled.rows, turned), settings, released[0].files[::-1], ["The encoder is small."])
    assert again == card


def test_a_card_of_nothing_is_a_card(settings, assembled):
    facts = gather(assembled.rows.slice(0, 0), {})
    assert "0 image-text pairs" in readme(facts, settings, [])
    assert "<h1>" in card_html(facts, settings, [])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text_in_markdown(text):
    source = f"{escape_markdown(text)}\n\n| a | b |\n|---|---|\n| {escape_markdown(text)} | x |\n"
    found = parsed(rendered(source))
    assert sorted(found.tags) == sorted(["p", "table", "thead", "tbody", "tr", "tr", "th", "th", "td", "td"])
    assert found.attributes == []
    assert found.text.count(one_line(text)) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_no_bare_address_is_left_for_readers_that_make_links_of_them(text):
    assert not re.search(r"(?i)(https?:|\bwww\.|[^\\]@)", escape_markdown(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text_in_html(text):
    found = parsed(f'<p title="{escape_html(text)}">{escape_html(text)}</p>')
    assert found.tags == ["p"]
    assert found.attributes == [("title", one_line(text))]
    assert found.text == one_line(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_hosts_licenses_and_reasons_change_no_card(facts, settings, text):
    worse = replace(
        facts,
        sources=[(text, text, 4, 3)],
        licenses=[(text, text, 4, 3, "yes")],
        refusals=[(text, 1)],
        languages=[(text, 4)],
        funnel=[("crawl", 10, 9, 1, text)],
        crawl_files=[(text, 1, "00")],
        usages=[text],
    )
    harmless = replace(
        worse,
        sources=[("x", "x", 4, 3)],
        licenses=[("x", "x", 4, 3, "yes")],
        refusals=[("x", 1)],
        languages=[("x", 4)],
        funnel=[("crawl", 10, 9, 1, "x")],
        crawl_files=[("x", 1, "00")],
        usages=["x"],
    )
    tags = [parsed(card_html(made, settings, [])).tags for made in (worse, harmless)]
    assert tags[0] == tags[1]
    bodies = [readme(made, settings, []).split("---\n", 2)[2] for made in (worse, harmless)]
    assert parsed(rendered(bodies[0])).tags == parsed(rendered(bodies[1])).tags


def test_a_long_text_is_cut():
    assert len(one_line("x" * 10_000)) == 300
