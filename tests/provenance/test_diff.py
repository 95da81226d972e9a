import pyarrow as pa
import pytest

from assets.provenance.diff import CHANGES, TABLES_COMPARED, diff
from tests.provenance import tiny_build as t


def files(folder, **changes):
    """Files of a build like the tiny one, with the rows of some tables changed by functions over their rows."""
    made = {name: table for name, table in t.tables().items() if name in TABLES_COMPARED}
    for name, change in changes.items():
        made[name] = t.table(name, change(made[name].to_pylist()))
    return t.write_files(folder, made)


def changed(rows, sample_id, **values):
    return [{**row, **values} if row["sample_id"] == sample_id else row for row in rows]


def listed(table: pa.Table):
    return [(row["sample_id"], row["change"], row["stage"], row["reason"]) for row in table.to_pylist()]


@pytest.fixture
def before(tmp_path):
    return files(tmp_path / "before")


def test_a_build_does_not_differ_from_itself(before, tmp_path):
    assert diff(before, before).num_rows == 0
    assert diff(before, files(tmp_path / "same")).num_rows == 0


def test_a_removed_sample_tells_what_drops_it_now(before, tmp_path):
    def drop(rows):
        pruned = [
            row for row in rows if not (row["sample_id"] == t.B0 and row["stage"] in ("prune", "captions", "release"))
        ]
        return [*pruned, {"sample_id": t.B0, "stage": "prune", "kept": False, "reason": "over_quota", "score": None,
                          "threshold": None, "other_sample_id": None}]  # fmt: skip

    after = files(
        tmp_path / "after", decision=drop, release_member=lambda rows: [r for r in rows if r["sample_id"] != t.B0]
    )
    assert listed(diff(before, after)) == [(t.B0, "removed", "prune", "over_quota")]
    assert listed(diff(after, before)) == [(t.B0, "added", "prune", "over_quota")]


def test_a_sample_that_the_other_build_never_saw_is_new_or_gone(before, tmp_path):
    def without(rows):
        return [row for row in rows if row["sample_id"] != t.A0]

    smaller = files(tmp_path / "smaller", sample=without, decision=without, release_member=without)
    assert listed(diff(smaller, before)) == [(t.A0, "added", "crawl", "new")]
    assert listed(diff(before, smaller)) == [(t.A0, "removed", "crawl", "gone")]


def test_a_changed_caption_shows_both_texts(before, tmp_path):
    def rewrite(rows):
        return [
            {**row, "text": "A brown oak leaf"} if row["sample_id"] == t.A0 and row["chosen"] else row for row in rows
        ]

    [row] = diff(before, files(tmp_path / "after", caption=rewrite)).to_pylist()
    assert (row["change"], row["reason"], row["before"], row["after"]) == (
        "changed caption", "fused", "An oak leaf from a tree", "A brown oak leaf",
    )  # fmt: skip


def test_a_caption_of_another_kind_says_from_which_to_which(before, tmp_path):
    def fall_back(rows):
        return [{**row, "chosen": row["kind"] == "alt"} if row["sample_id"] == t.A0 else row for row in rows]

    assert listed(diff(before, files(tmp_path / "after", caption=fall_back))) == [
        (t.A0, "changed caption", "captions", "fused -> alt")
    ]


def test_a_changed_license_and_delivery_are_two_rows(before, tmp_path):
    after = files(
        tmp_path / "after",
        rights=lambda rows: changed(
            rows, t.A2, image_license="NONE", verdict="url_only", reason="unknown_license", decided_by=None
        ),
        release_member=lambda rows: changed(rows, t.A2, with_image=False),
    )
    found = diff(before, after).to_pylist()
    assert [(row["change"], row["reason"], row["before"], row["after"]) for row in found] == [
        ("changed license", "unknown_license", "CC0-1.0", "NONE"),
        ("changed delivery", "unknown_license", "image", "address"),
    ]


def test_a_caption_of_a_sample_that_is_not_released_is_no_change(before, tmp_path):
    after = files(tmp_path / "after", caption=lambda rows: [*rows, t.caption(t.B3, "alt", "a star", chosen=True)])
    assert diff(before, after).num_rows == 0


def test_files_that_both_builds_name_are_not_compared_row_by_row(before, tmp_path):
    rewritten = files(tmp_path / "after", caption=lambda rows: [{**row, "text": "x"} for row in rows])
    after = {**before, "caption": [before["caption"][0], rewritten["caption"][1]]}
    assert {row[0] for row in listed(diff(before, after))} == {t.B0}


def test_a_table_left_out_is_empty(before):
    assert {row[1:] for row in listed(diff({}, before))} == {("added", "crawl", "new")}


def test_rows_are_sorted_by_change_then_sample(before):
    rows = listed(diff({}, before)) + listed(diff(before, {}))
    assert rows == sorted(rows, key=lambda row: (CHANGES.index(row[1]), row[0]))
