from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from assets.release.card import Imprint
from assets.release.eu_summary import (
    Crawler,
    eu_summary_markdown,
    eu_summary_sections,
    image_range,
    month,
    text_range,
)
from assets.release.facts import gather
from assets.release.markup import Grid


@pytest.fixture(scope="module")
def facts(assembled, tables):
    return gather(assembled.rows, tables)


@pytest.fixture(scope="module")
def summary(facts, settings):
    return eu_summary_markdown(facts, settings).replace("\\", "")


def grid(sections, title, place=0):
    section = next(section for section in sections if section.title.startswith(title))
    return [block for block in section.blocks if isinstance(block, Grid)][place]


def test_it_has_the_sections_of_the_template_that_a_builder_knows(facts):
    numbers = [section.title.split()[0] for section in eu_summary_sections(facts)]
    assert numbers == ["1.3", "2.3", "2.3", "2.5", "3.1", "3.2", "To"]


@pytest.mark.parametrize("number", ["1.1 and 1.2", "2.1", "2.2", "2.4", "2.6", "3.3"])
def test_it_says_what_is_left_to_the_provider(summary, number):
    assert f"\n- {number}, " in summary.partition("To be filled in by the provider")[2]


@pytest.mark.parametrize(
    "words",
    [
        "4 images: 3 as files of 110 bytes together, 1 by address only",
        "| Image | less than 1 million images |",
        "Latest date of acquisition: 03/2026.",
        "| page | 03/2026 | 03/2026 | 3 |",
        "| tiny | warc | 2 | 20,000 |",
        "| fused | small-llm@2 | 1 | 1 |",
        "| tagger | captioner | 1 | MIT | none |",
        "1 samples of the crawl were left out because of a reservation",
        "| robots-ai | yes | 1 | 0 | 0 | 0 |",
        "Nothing was found of: content-usage,",
        "no address was given to the build",
    ],
)
def test_it_tells_the_counts(summary, words):
    assert words in summary


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (999_999, "less than 1 million"),
        (10**6, "1 million to"),
        (10**9, "1 million to"),
        (10**9 + 1, "more than 1 billion"),
    ],
)
def test_sizes_are_the_ranges_of_the_template(images, said):
    assert image_range(images).startswith(said)


def test_a_range_of_tokens_is_only_claimed_where_no_tokenizer_could_deny_it():
    assert text_range(10**9 - 1) == "less than 1 billion tokens"
    assert "tokenizer" in text_range(10**9)


def test_months_are_written_as_the_template_wants():
    assert month("2026-03-01") == "03/2026"


def test_the_largest_tenth_of_the_domains_is_listed_and_small_companies_may_stop_earlier(facts):
    domains = [(f"d{place:02d}.example", 1, 1, 1000 - place) for place in range(41)]
    sections = eu_summary_sections(replace(facts, domains=domains))
    listed = grid(sections, "2.3 Domain")
    assert [row[1] for row in listed.rows] == [f"d0{place}.example" for place in range(5)]
    words = next(s for s in sections if s.title.startswith("2.3 Domain")).blocks[0].text
    assert "The top 10 % of 41 registrable domains" in words
    assert "may end the list after 3 " in words
    assert "after 1,000 " in eu_summary_sections(replace(facts, domains=domains * 1000))[2].blocks[0].text


def test_domains_are_registered_ones_by_the_bytes_of_their_images(facts):
    assert facts.domains == [("leaf.example", 2, 2, 100), ("moon.example", 2, 1, 30)]
    assert grid(eu_summary_sections(facts), "2.3 Domain").rows == [
        (1, "leaf.example", 100, pytest.approx(100 / 1.3), 2)
    ]


def test_the_period_is_that_of_the_released_records(facts, assembled, tables):
    assert facts.periods == [("page", "2026-03-01", "2026-03-01", 3), ("image", "2026-03-01", "2026-03-01", 4)]
    assert gather(assembled.rows, {**tables, "record": tables["record"].slice(0, 0)}).periods == []


def test_crawlers_are_told_as_far_as_they_are_known(facts, settings):
    crawler = Crawler("Winnow/1.0", "The Makers", "to collect images", "Obeys robots.txt; stops at logins.")
    told = eu_summary_markdown(facts, settings, [crawler]).replace("\\", "")
    assert "| Winnow/1.0 | The Makers | to collect images | Obeys robots.txt; stops at logins. |" in told
    assert "to be filled in" in told.partition("## 2.3")[2].partition("## 2.5")[0]


def test_complaints_go_where_the_imprint_says(facts, settings):
    told = eu_summary_markdown(facts, settings, imprint=Imprint(contact="rights@makers.example")).replace("\\", "")
    assert "Complaints and requests of rightsholders: rights@makers.example." in told


def test_what_was_taken_out_is_counted(facts, settings):
    drops = [("rights", "reserved", 5), ("rights", "reserved_on_conditions", 2), ("removals", "removal_list", 11),
             ("removals", "takedown", 13), ("pool", "nsfw", 17)]  # fmt: skip
    told = eu_summary_markdown(replace(facts, drops=drops), settings).replace("\\", "")
    assert "7 samples of the crawl were left out because of a reservation. 13 more were taken out" in told
    assert "(nsfw by nsfw@1) left out 17 samples" in told
    assert "took out 11 samples" in told
    assert "(takedowns) took out 13 samples" in told


def test_a_filter_that_was_not_there_is_not_claimed(facts, settings):
    none = replace(facts, drops=[], scorers=[])
    assert "No filter of pictures that are not safe for work was at work" in eu_summary_markdown(none, settings)


def test_opt_outs_that_no_policy_honors_are_told_as_such(facts, settings):
    told = eu_summary_markdown(replace(facts, honored=["tdmrep"]), settings).replace("\\", "")
    assert "| robots-ai | no | 1 | 0 | 0 | 0 |" in told
    assert "The policy honors no protocol" in eu_summary_markdown(replace(facts, honored=[]), settings)


def test_old_labels_of_a_protocol_count_with_it(assembled, tables):
    found = tables["reservation_evidence"]
    renamed = found.set_column(
        found.column_names.index("rule"), found.schema.field("rule"), [["content_signal_legacy", "c2pa_legacy"]]
    )
    counted = gather(assembled.rows, {**tables, "reservation_evidence": renamed}).reservations
    assert {row[0]: sum(row[1:]) for row in counted} == {"content-signal": 1, "cawg": 1}


def test_two_summaries_of_one_build_are_equal(assembled, tables, settings, facts):
    turned = {name: table.take(list(range(table.num_rows))[::-1]) for name, table in tables.items()}
    assert eu_summary_markdown(gather(assembled.rows, turned), settings) == eu_summary_markdown(facts, settings)


def test_a_summary_of_nothing_is_a_summary(assembled, settings):
    told = eu_summary_markdown(gather(assembled.rows.slice(0, 0), {}), settings)
    assert "0 images" in told
    assert "Latest date of acquisition: not known here" in told
    assert "No caption was written by a model" in told


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def tags(source):
    found = Tags()
    found.feed(source)
    return found.tags


@pytest.mark.parametrize("text", ["<script>x</script>", "[a](http://evil.example)", "a | b", "**b**", "x\n\n## y"])
def test_hostile_domains_and_models_stay_text(facts, settings, text):
    def made(word):
        worse = replace(
            facts, domains=[(word, 1, 1, 1)], agents=[(word, word, word, word, word)], languages=[(word, 4)],
            captions=[("fused", f"{word}@{word}", 1, 0, 0, 0, 1)], collections=[(word, word, 1, 1)],
        )  # fmt: skip
        reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        return tags(reader.render(eu_summary_markdown(worse, settings)))

    assert made(text) == made("x")
