"""The three steps of the pool over two small crawl files: what each depends on, and what is never computed twice."""

import pytest

import assets.crawl.stage
import assets.pool.stage
import assets.rights.stage  # noqa: F401  (registers its steps)
from assets.pool.stage import known, needs_frequencies
from orchestration.plan import Work
from orchestration.recipe import parse_recipe
from orchestration.stages import STEPS, open_build
from resources.scorers import NsfwScorer
from tests.crawl.warcs import picture, response, write

FREE = '<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">'
COMMON = "A cat on the roof of the house"


@pytest.fixture
def make(tmp_path):
    """Builds over two crawl files with three images each, all of them with the same text, and with text of their own."""
    for name, shades in (("one", (10, 60, 110)), ("two", (160, 210, 250))):
        tags = "".join(
            f'<img src="/{n}.png" alt="{COMMON}"><img src="/{n}.png" alt="Shade {n} of gray">' for n in shades
        )
        images = [response(f"http://{name}.test/{n}.png", picture((n, n, n), (300, 240)), "image/png") for n in shades]
        page = f'<html lang="en"><head>{FREE}</head><body>{tags}</body></html>'.encode()
        write(tmp_path / f"{name}.warc.gz", response(f"http://{name}.test/", page), *images)

    def build(**pool):
        recipe = {
            "name": "two", "prune": {"keep": 0.5}, "release": {"name": "two"},
            "crawl": {"sources": [{"name": "s", "uris": [str(tmp_path / "*.warc.gz")]}]},
            "pool": pool,
        }  # fmt: skip
        return open_build(parse_recipe(recipe), tmp_path / "home")

    return build


@pytest.fixture
def looked_at(monkeypatch):
    """How many pictures the NSFW scorer was given."""
    seen = []
    scores = NsfwScorer.scores

    def count(self, pictures):
        pictures = list(pictures)
        seen.extend(pictures)
        return scores(self, pictures)

    monkeypatch.setattr(NsfwScorer, "scores", count)
    return seen


def up_to_pool(build):
    """Run the pool and every step that it needs; names of those that were not reused."""
    names, made = [], set()

    def add(name):
        for source in STEPS[name].reads:
            add(source)
        if name not in names:
            names.append(name)

    add("pool")
    for step in (STEPS[name] for name in names):
        made |= {step.name for shard in build.shards_of(step) if not build.run(step, shard).reused}
    return made


ALIGN = {"filter_set": "align", "overrides": {"text_images": {"limit": 5}, "text_words": {"limit": 1}}}


def reasons(build):
    sample = build.read("crawl", "sample", ["sample_id", "text"])
    rows = sample.join(build.read("pool", "decision", ["sample_id", "reason"]), "sample_id").to_pylist()
    return {row["text"]: row["reason"] for row in rows}


def test_a_text_is_counted_over_all_shards_and_dropped_in_each(make):
    build = make(**ALIGN)
    up_to_pool(build)
    found = reasons(build)
    assert found.pop(COMMON) == "text_images"
    assert set(found.values()) == {None}
    score = build.read("pool", "score").to_pylist()
    assert {row["value"] for row in score if row["scorer"] == "text_images"} == {6}


def test_six_images_are_not_too_many_for_six(make):
    build = make(**{**ALIGN, "overrides": {"text_images": {"limit": 6}, "text_words": {"limit": 1}}})
    up_to_pool(build)
    assert set(reasons(build).values()) == {None}
    assert build.read("frequencies", "frequency").num_rows == 0


def test_pictures_that_any_build_of_the_shard_scored_are_not_looked_at_again(make, looked_at):
    first = make(**ALIGN)
    up_to_pool(first)
    assert len(looked_at) == 6, "two texts share each picture"
    other = make(filter_set="laion5b", overrides={"image_bytes": {"limit": 1}}, extra=["language"])
    assert "scores" in up_to_pool(other)
    assert len(looked_at) == 6
    one, two = (
        {r["sample_id"]: r["value"] for r in b.read("scores", "score").to_pylist() if r["scorer"] == "nsfw"}
        for b in (first, other)
    )
    assert one == two
    assert len(one) == 12


def test_an_earlier_file_that_is_broken_or_lost_its_images_is_passed_over(make, looked_at):
    first = make(**ALIGN)
    up_to_pool(first)
    shard = first.snapshot.shards[0]
    work = Work(first, STEPS["scores"], shard, {})
    ((key, values),) = known(work).items()
    assert key[0] == "nsfw"
    assert len(values) == 3
    first.paths("scores", "score", shard)[0].write_bytes(b"not a table")
    assert known(work) == {}
    up_to_pool(make(filter_set="coyo", overrides={"image_bytes": {"limit": 1}}))
    assert len(looked_at) == 9


def test_a_limit_makes_anew_only_what_depends_on_it(make):
    up_to_pool(make(**ALIGN))
    changes = {
        "nsfw": ({"limit": 0.4}, {"pool"}),
        "text_images": ({"limit": 4}, {"frequencies", "pool"}),
        "short_side": ({"limit": 100}, {"scores", "pool"}),
    }
    for name, (limits, made) in changes.items():
        overrides = {**ALIGN["overrides"], name: limits}
        assert up_to_pool(make(filter_set="align", overrides=overrides)) == made, name


def test_the_pool_depends_on_the_other_shards_only_where_a_filter_counts(make):
    counting, alone = make(**ALIGN), make(filter_set="laion5b")
    pool = STEPS["pool"]
    assert "frequencies" in pool.inputs(counting.config(pool))
    assert "frequencies" not in pool.inputs(alone.config(pool))
    assert needs_frequencies(make(filter_set="none", extra=["text_samples"]).config(pool))
    assert not needs_frequencies(
        make(filter_set="align", without=["text_images", "image_texts", "rare_tokens"]).config(pool)
    )
