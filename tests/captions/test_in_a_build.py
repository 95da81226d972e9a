"""Captions in whole builds: by endpoints that misbehave, from pages that give orders, again and again."""

from __future__ import annotations

import html
import io
import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

import orchestration.definitions  # noqa: F401  (registers the steps)
from orchestration import ledger
from orchestration.recipe import load_recipe
from orchestration.stages import open_build
from tests.captions.injections import INJECTIONS
from tests.conftest import Project
from tests.crawl.warcs import response, write
from tests.resources.captioner.conftest import captioners  # noqa: F401
from tests.resources.language_model.server import Reply, ScriptedServer
from tests.resources.language_model.test_transformers_model import tiny  # noqa: F401

pytestmark = pytest.mark.slow

PAYLOADS = ("HACKED", "PWNED", "hello world", "OWNED")
GOOD_SHORT = "A pattern of many small colored squares covers the whole picture."
WORDS = "A pattern of small colored squares covers the picture from edge to edge; red, green and blue stand beside each other in"
GOOD_DENSE = (
    f"{WORDS} no order that repeats. The squares are sharp and bright. Nothing else is shown, and the light is even."
)
ORDINARY = [f"{name} tile pattern number {number}" for name in ("Lisbon", "Delft", "Iznik") for number in range(4)]

VOCABULARY = Path("nowhere")
"""A home in which the vocabulary is done."""


def noise(seed: int) -> bytes:
    """A picture that no other looks like."""
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 30, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((240, 240), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()


def page(alts: list[str]) -> str:
    """A page under an open license that shows a picture for each text."""
    shown = "".join(
        f'<p><img src="/p/{i}.png" width="240" height="240" alt="{html.escape(alt, quote=True)}"></p>'
        for i, alt in enumerate(alts)
    )
    return (
        '<!doctype html><html lang="en"><head><title>Patterns</title>'
        '<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"></head>'
        f"<body>{shown}</body></html>"
    )


@dataclass
class House:
    """A project that is built in this process, as far as a release and a report go."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def build(self, last: str | None = None) -> str:
        """Run every step that is not done, up to `last` where it is given; the build's id."""
        build = open_build(load_recipe(self.folder / "recipe.yaml"), self.home)
        for name, step in build.steps.items():
            build.observe(step, build.shards_of(step))
            for shard in build.shards_of(step):
                build.run(step, shard)
            if name == last:
                break
        self.last = build
        return build.build_id

    def copied(self, folder: Path) -> House:
        """A copy that a test may change."""
        shutil.copytree(self.folder, folder)
        return House(folder)

    def sql(self, query: str) -> list[tuple]:
        """Ask the tables of the last build, and the ledger of calls."""
        files = {
            "caption": self.last.paths("captions", "caption"),
            "caption_target": self.last.paths("caption_targets"),
        }
        files["model_call"] = ledger.call_files(self.last.lake)
        with duckdb.connect() as connection:
            for name, paths in files.items():
                listed = ", ".join(f"'{path}'" for path in paths)
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{listed}])")
            return connection.execute(query).fetchall()


def make(folder: Path, alts: list[str], **captions) -> House:
    """A project whose crawl is one page; no filter drops what the page says."""
    (folder / "crawl").mkdir(parents=True)
    write(
        folder / "crawl" / "a.warc.gz",
        response("http://patterns.example/", page(alts).encode()),
        *(response(f"http://patterns.example/p/{i}.png", noise(i), "image/png") for i in range(len(alts))),
    )
    if (VOCABULARY / "lake").exists():
        shutil.copytree(VOCABULARY / "lake", folder / "home" / "lake")
    project = House(folder)
    configure(project, **captions)
    return project


@pytest.fixture(scope="module", autouse=True)
def vocabulary(tmp_path_factory):
    """The vocabulary's vectors, which follow from the encoder alone, are made once: `make` puts the file into every home."""
    global VOCABULARY
    house = make(tmp_path_factory.mktemp("words") / "p", ORDINARY[:1])
    build = open_build(load_recipe(house.folder / "recipe.yaml"), house.home)
    build.run(build.steps["vocabulary"], None)
    VOCABULARY = house.home


def configure(project: House, **captions) -> None:
    recipe = {
        "name": "patterns",
        "crawl": {"sources": [{"name": "a", "uris": ["crawl/a.warc.gz"]}]},
        "pool": {"filter_set": "none", "threads": 1},
        "dedup": {"eps": 0.0},
        "clusters": {"k": 2},
        "prune": {"keep": 1.0},
        "captions": captions,
        "release": {"name": "patterns"},
    }
    (project.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))


def at(server: ScriptedServer, **more) -> dict:
    """A model of kind openai at a scripted server."""
    endpoint = {"base_url": server.base_url, "backoff": 0.01, "max_backoff": 0.2, "timeout": 2.0, **more}
    about = {"model": "scripted", "revision": "r1", "license": "Apache-2.0", "output_terms": "none"}
    return {"kind": "openai", "endpoint": endpoint, **about}


def fusion(server: ScriptedServer, endpoint: dict | None = None, **more) -> dict:
    return {**at(server, **(endpoint or {})), "min_agreement_rank": None, "max_score_drop": None, "retry": [], **more}


def alt_of(request) -> str:
    """The web text of a fusion's question."""
    return request.said.split("Label: «")[-1].split("»\n")[0]


def fused(request, attempt) -> Reply:
    return Reply(text=f"{alt_of(request)} is shown as a pattern of many small squares.", echo=request.id)


def released(project: House) -> bytes:
    """Every byte of the newest release that a reader of it could see."""
    (folder,) = sorted((project.home / "releases").iterdir())[-1:]
    texts = [
        json.dumps(pq.read_table(path).to_pylist(), default=str).encode() for path in sorted(folder.glob("*.parquet"))
    ]
    return b"\n".join([*(path.read_bytes() for path in sorted(folder.glob("*.tar"))), *texts])


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """A build, as far as the selection, of a page with every text of the suite."""
    alts = [injection.alt.replace("\x00", "") for injection in INJECTIONS] + ORDINARY[:4]
    house = make(tmp_path_factory.mktemp("orders") / "p", alts, fusion={"kind": "none"})
    house.build("selection")
    return house


def test_texts_that_give_orders_and_a_model_that_obeys_never_reach_a_release(orders, tmp_path):
    """Every injection of the suite is on the page; the model writes what each one wants, and what it wants in a caption."""
    obeyed = {}

    def obey(request, attempt):
        # The text was made harmless on its way, so it is found by the picture of its letters.
        asked = "".join(filter(str.isalnum, alt_of(request)))[:24]
        for injection in INJECTIONS:
            if asked and "".join(filter(str.isalnum, injection.alt)).startswith(asked):
                obeyed[injection.alt] = injection
                return Reply(text=injection.obeyed[-1], echo=request.id)
        return fused(request, attempt)

    with ScriptedServer(obey) as server:
        project = orders.copied(tmp_path / "p")
        configure(project, fusion=fusion(server))
        project.build()
    rows = project.sql("SELECT kind, status, reason, text, chosen FROM caption")
    kept = project.sql("SELECT count(DISTINCT sample_id) FROM caption")[0][0]
    assert kept >= len(INJECTIONS), "nothing is filtered away before captions"
    assert sum(kind == "alt" and reason == "injected" for kind, _, reason, _, _ in rows) >= len(INJECTIONS) - 2
    chosen = [(kind, text) for kind, _, _, text, mark in rows if mark]
    payloads = {text for injection in INJECTIONS for text in injection.obeyed}
    assert not {text for _, text in chosen} & payloads
    assert not {text for kind, text in chosen} & {injection.alt for injection in INJECTIONS}
    assert Counter(kind for kind, _ in chosen)["fused"] >= 3
    seen = released(project)
    for payload in PAYLOADS:
        assert payload.encode() not in seen, payload
    for injection in INJECTIONS:
        if injection.language == "en" and len(injection.alt) < 200 and injection.alt.isascii():
            assert json.dumps(injection.alt)[1:-1].encode() not in seen, injection.alt


def test_texts_that_give_orders_never_reach_a_release_through_the_embedded_model(orders, tmp_path):
    project = orders.copied(tmp_path / "p")
    configure(project, fusion={"kind": "embedded", "min_agreement_rank": None, "retry": []})
    project.build()
    chosen = project.sql("SELECT kind, text FROM caption WHERE chosen")
    assert len(chosen) == len(INJECTIONS) + 4
    assert not {text for _, text in chosen} & {injection.alt for injection in INJECTIONS}
    asked = project.sql("SELECT count(*) FROM caption WHERE kind = 'fused' AND key IS NOT NULL")
    assert asked == [(4,)], "a text that gives orders is not put to the model"
    seen = released(project)
    assert not [payload for payload in PAYLOADS if payload.encode() in seen]


class Misbehaving:
    """A server that fails two requests of five in some way, until it is mended."""

    faults = (
        Reply(status=429, headers={"Retry-After": "0.02"}),
        Reply(status=500),
        Reply(raw=b"{"),
        Reply(text="cut", cut="length"),
        Reply(text="cut", cut="chunked"),
        Reply(choices=[]),
        Reply(close=True),
    )

    def __init__(self) -> None:
        self.chance, self.lock, self.mended = random.Random(0), threading.Lock(), False

    def __call__(self, request, attempt):
        with self.lock:
            broken = not self.mended and self.chance.random() < 0.4
            return self.chance.choice(self.faults) if broken else fused(request, attempt)


def test_whatever_an_endpoint_does_every_sample_has_its_own_row_and_a_later_run_asks_for_what_failed(tmp_path):
    alts = [f"Delft tile pattern number {number}" for number in range(40)]
    script = Misbehaving()
    with ScriptedServer(script) as server:
        project = make(tmp_path / "p", alts, fusion=fusion(server, {"retries": 0}))
        project.build()
        rows = project.sql("SELECT sample_id, status, reason, text FROM caption WHERE kind = 'fused'")
        assert len(rows) == len({sample for sample, *_ in rows}) == 40
        failed = [reason for _, status, reason, _ in rows if status == "failed"]
        assert set(failed) <= {"rate_limited", "server_error", "bad_json", "cut_stream", "no_choice"}
        assert 5 < len(failed) < 30
        script.mended, asked = True, len(server.requests)
        project.build()
        assert len(server.requests) - asked == len(failed), "only what failed is asked for again"
    own = project.sql("""SELECT a.text, f.text, f.status FROM caption f JOIN caption a USING (sample_id)
        WHERE f.kind = 'fused' AND a.kind = 'alt'""")
    assert len(own) == 40
    assert all(status == "ok" for _, _, status in own)
    assert all(text == f"{alt} is shown as a pattern of many small squares." for alt, text, _ in own)
    calls = project.sql("SELECT count(DISTINCT key), sum(attempts) FROM model_call WHERE asset = 'fusion'")
    assert calls == [(40, len(server.requests))], "the ledger has every request"


def test_an_answer_that_never_comes_is_given_up_after_so_many_runs(tmp_path):
    with ScriptedServer(lambda request, attempt: Reply(status=500)) as server:
        project = make(tmp_path / "p", ORDINARY[:3], fusion=fusion(server, {"retries": 0, "attempts": 2}))
        ids = [project.build() for _ in range(4)]
    assert len(server.requests) == 6
    assert ids[2] == ids[3]
    assert project.sql("SELECT DISTINCT status, reason FROM caption WHERE kind = 'fused'") == [
        ("failed", "server_error")
    ]


def test_a_budget_that_is_spent_leaves_a_build_that_stays_as_it_is(tmp_path):
    with ScriptedServer(fused) as server:
        prices = {"input_price": 1.0, "output_price": 1000.0, "max_cost": 0.2, "concurrency": 1}
        project = make(tmp_path / "p", ORDINARY[:6], fusion=fusion(server, prices))
        project.build()
        asked = len(server.requests)
        rows = project.sql("SELECT status, reason FROM caption WHERE kind = 'fused'")
        assert sorted(rows, key=str)[0] == ("failed", "not_asked")
        assert 0 < asked < 6
        poor = fusion(server, {**prices, "max_cost": 0.0001})
        configure(project, fusion=poor)
        ids = [project.build() for _ in range(3)]
    assert ids[0] == ids[1] == ids[2]
    assert len(server.requests) == asked


def test_shards_without_samples_samples_without_captions_and_recipes_without_hints(tmp_path):
    """An empty crawl file, a captioner that fails, no expert, no fusion, no fallback: rows for all, and nothing chosen."""
    with ScriptedServer(lambda request, attempt: Reply(status=500)) as server:
        eyes = {"name": "eyes", "formats": ["dense"], **at(server, retries=0)}
        captions = {"captioners": [eyes], "hints": [], "fusion": {"kind": "none"}, "fallback": "drop"}
        project = make(tmp_path / "p", ORDINARY[:3], **captions)
        write(project.folder / "crawl" / "b.warc.gz", response("http://patterns.example/empty", b"<p>nothing</p>"))
        recipe = yaml.safe_load((project.folder / "recipe.yaml").read_text())
        recipe["crawl"]["sources"][0]["uris"] = ["crawl/*.warc.gz"]
        (project.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        project.build()
    rows = project.sql("SELECT kind, status, reason, count(*) FROM caption GROUP BY ALL ORDER BY ALL")
    assert rows == [("alt", "ok", None, 3), ("synthetic-dense", "failed", "server_error", 3)]
    assert project.sql("SELECT count(*) FROM caption WHERE chosen") == [(0,)]
    assert project.sql("SELECT count(*) FROM caption_target") == [(0,)], "a sample that is not kept has no target"
    assert "Things a program found" not in json.dumps([r.body for r in server.requests])
    assert (
        project.last.read("hints", "hint").select(["tags", "people"]).to_pylist() == [{"tags": [], "people": None}] * 3
    )


def test_models_in_this_process_caption_and_fuse_in_a_build_and_are_asked_once(tmp_path, captioners, tiny):  # noqa: F811
    """Tiny models of random weights, through the real classes: what they write is refused, and every row says why."""
    terms = {"license": "MIT", "output_terms": "none", "precision": "fp32", "threads": 1}
    eyes = {
        "name": "eyes",
        "kind": "transformers",
        "model": str(captioners["llava"]),
        "formats": ["short", "dense"],
        **terms,
    }
    mouth = {"kind": "transformers", "model": str(tiny), "max_new_tokens": 12, "min_agreement_rank": None, **terms}
    project = make(tmp_path / "p", ORDINARY[:4], captioners=[{"name": "tags"}, {**eyes, "batch_size": 3}], fusion=mouth)
    first = project.build()
    rows = project.sql("""SELECT kind, model, count(*), count(key), count(DISTINCT key), count(finish_reason)
        FROM caption WHERE model NOT LIKE 'tags:%' AND attempt = 1 GROUP BY ALL ORDER BY kind""")
    assert [(kind, *counts) for kind, _, *counts in rows] == [
        ("fused", 4, 4, 4, 4), ("synthetic-dense", 4, 4, 4, 4), ("synthetic-short", 4, 4, 4, 4),
    ]  # fmt: skip
    assert project.sql("SELECT count(*) FROM caption WHERE status = 'rejected' AND reason IS NULL") == [(0,)]
    calls = project.sql("SELECT count(*), count(DISTINCT key), min(seconds) > 0 FROM model_call")
    keys = project.sql("SELECT count(DISTINCT key) FROM caption WHERE key IS NOT NULL")
    assert calls == [(keys[0][0], keys[0][0], True)]
    assert project.build() == first
    configure(project, captioners=[{"name": "tags"}, {**eyes, "batch_size": 3}], fusion=mouth, gates={"min_words": 9})
    assert project.build() != first
    assert project.sql("SELECT count(*), count(DISTINCT key), min(seconds) > 0 FROM model_call") == calls


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """A finished build with two captioners at an endpoint and fusion at another; what each was asked."""

    def look(request, attempt):
        dense = "40 to 60" in json.dumps(request.body)
        return Reply(text=GOOD_DENSE if dense else GOOD_SHORT, usage=(300, 30), echo=request.id)

    with ScriptedServer(look) as eyes, ScriptedServer(fused) as mouth:
        seeing = {"name": "eyes", "formats": ["short", "dense"], **at(eyes, input_price=1.0, output_price=2.0)}
        captions = {
            "captioners": [{"name": "tags"}, seeing],
            "hints": ["tags", "faces"],
            "fusion": fusion(mouth, synthetic="dense"),
        }
        project = make(tmp_path_factory.mktemp("twelve") / "p", ORDINARY, **captions)
        first = project.build()
        yield project, first, eyes, mouth, captions


def test_all_candidates_are_stored_one_of_each_kind_is_selected(twelve):
    project, *_ = twelve
    rows = project.sql("""SELECT kind, model LIKE 'tags:%' AS tagger, count(*), count(*) FILTER (selected),
        count(similarity), count(*) FILTER (status = 'ok') FROM caption WHERE kind LIKE 'synthetic%' GROUP BY ALL""")
    found = {(kind, tagger): counts for kind, tagger, *counts in rows}
    assert found["synthetic-short", False][0] == found["synthetic-short", True][0] == 12
    assert found["synthetic-short", False][1] + found["synthetic-short", True][1] == 12
    assert found["synthetic-dense", False] == [12, 12, 12, 12]
    best = project.sql("""SELECT count(*) FROM caption s JOIN caption l USING (sample_id, kind)
        WHERE s.selected AND NOT l.selected AND l.status = 'ok' AND kind LIKE 'synthetic%' AND l.similarity > s.similarity""")
    assert best == [(0,)]


def test_a_picture_goes_with_its_question_and_hints_with_dense_ones_alone(twelve):
    _, _, eyes, _, _ = twelve
    dense = [r for r in eyes.requests if "40 to 60" in json.dumps(r.body)]
    short = [r for r in eyes.requests if r not in dense]
    assert len(dense) == len(short) == 12
    assert all("Things a program found" in r.said for r in dense)
    assert not any("Things a program found" in r.said for r in short)
    pictures = {r.body["messages"][-1]["content"][0]["image_url"]["url"] for r in short}
    assert len(pictures) == 12
    assert all(url.startswith("data:image/png;base64,") for url in pictures)


def test_a_fusion_is_made_of_the_caption_that_the_recipe_names(twelve):
    project, _, _, mouth, _ = twelve
    assert all("small colored squares" in request.said for request in mouth.requests)
    assert project.sql("SELECT DISTINCT inputs FROM caption WHERE kind = 'fused'") == [(["alt", "synthetic-dense"],)]


def test_the_ledger_counts_tokens_cost_and_time_of_every_call(twelve):
    project, *_ = twelve
    rows = project.sql("""SELECT asset, count(*), sum(prompt_tokens), sum(tokens), sum(cost), min(seconds) > 0,
        min(served_by) FROM model_call GROUP BY asset ORDER BY asset""")
    assert [row[:4] for row in rows] == [("fusion", 12, 240, 96), ("synthetic", 24, 7200, 720)]
    assert rows[1][4] == pytest.approx((7200 * 1.0 + 720 * 2.0) / 1e6)
    assert all(positive and served == "scripted/fp_1" for *_, positive, served in rows)
    joined = project.sql("""SELECT count(*) FROM caption c JOIN model_call m USING (key)
        WHERE c.kind = 'fused' AND m.seconds > 0 AND m.finish_reason = c.finish_reason""")
    assert joined == [(12,)]


def test_published_shares_hold_for_every_target(twelve):
    project, *_ = twelve
    rows = project.sql("SELECT target, kind, count(*) FROM caption_target GROUP BY ALL")
    counts = {(target, kind): n for target, kind, n in rows}
    assert counts["clip", "alt"] == counts["clip", "synthetic-short"] == 6
    assert counts["mllm", "synthetic-dense"] == 8
    assert counts["diffusion", "synthetic-dense"] == 6
    assert counts["mllm_sft", "synthetic-dense"] == 12, "nothing writes dense+, dense stands in"


def test_building_again_asks_nobody_and_gives_the_same_hash(twelve):
    project, first, eyes, mouth, _ = twelve
    asked = len(eyes.requests), len(mouth.requests)
    assert project.build() == first
    assert (len(eyes.requests), len(mouth.requests)) == asked


def test_a_changed_filter_asks_for_nothing_that_was_answered(twelve, tmp_path):
    """Fewer samples and another gate: the same questions, so the recordings answer them."""
    project, first, eyes, mouth, captions = twelve
    copy = project.copied(tmp_path / "p")
    asked = len(eyes.requests), len(mouth.requests)
    configure(copy, **captions, gates={"min_words": 9}, fallback="synthetic-short")
    recipe = yaml.safe_load((copy.folder / "recipe.yaml").read_text())
    recipe["prune"]["keep"] = 0.5
    (copy.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert copy.build() != first
    assert copy.sql("SELECT count(*) FROM caption WHERE kind = 'fused' AND status = 'ok'") == [(6,)]
    assert (len(eyes.requests), len(mouth.requests)) == asked


def test_a_killed_run_loses_no_more_than_what_was_under_way(tmp_path):
    """kill -9 while an endpoint is being asked: what was answered before is not asked for again."""
    alts = [f"Iznik tile pattern number {number}" for number in range(40)]
    fast = threading.Event()

    def answer(request, attempt):
        return replace(fused(request, attempt), delay=0.0 if fast.is_set() else 0.15)

    with ScriptedServer(answer) as server:
        house = make(tmp_path / "p", alts, fusion=fusion(server, {"concurrency": 2}))
        house.build("selection")
        process = Project(house.folder).start("build", "recipe.yaml")
        deadline = time.monotonic() + 180
        while len(server.requests) < 12 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        before = len(server.requests)
        assert 12 <= before < 40
        fast.set()
        house.build()
    assert len({request.said for request in server.requests}) == 40
    assert len(server.requests) <= 40 + 4, "at most what was under way is asked for twice"
    assert house.sql("SELECT count(*) FROM caption WHERE kind = 'fused' AND status = 'ok'") == [(40,)]
    assert house.sql("SELECT count(DISTINCT key) FROM model_call") == [(40,)], (
        "calls of the killed run are in the ledger"
    )
