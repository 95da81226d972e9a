"""The page of rules says what the program does."""

from assets.rights.findings import RULES
from assets.rights.reservations import PROTOCOL_OF
from assets.rights.rules_doc import PATH, RECORDED, level_of, rules_markdown


def test_the_page_in_docs_is_not_stale():
    assert PATH.read_text(encoding="utf-8") == rules_markdown(), "run `make docs`"


def test_every_rule_stands_on_the_page():
    page = rules_markdown()
    assert [rule for rule in (*RULES, *PROTOCOL_OF) if f"`{rule}`" not in page] == []


def test_every_opt_out_rule_names_its_specification():
    rows = [line.split(" | ") for line in rules_markdown().splitlines() if line.startswith("| ")]
    assert [
        row for row in rows if len(row) == 3 and row[1].strip("`") in PROTOCOL_OF and row[2].strip(" |") == ""
    ] == []


def test_levels_follow_the_ranks():
    assert (level_of(10), level_of(14), level_of(70), level_of(85), level_of(None)) == (
        "image bytes", "image bytes", "page", "data about the page, site adapters, lists", RECORDED,
    )  # fmt: skip
