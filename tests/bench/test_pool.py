import json

import numpy as np
import pyarrow as pa
import pytest

from assets.provenance.tables import conform
from bench import scale
from bench.pool import Pool, concept_sizes, shard_tables, simulate, traits, truth, vectors

SMALL = Pool(6000, dims=64, concepts=20, per_shard=2048, intrinsic=32)


@pytest.fixture(scope="module")
def all_vectors():
    return vectors(SMALL, np.arange(SMALL.samples)).astype(np.float64)


def test_a_vector_has_the_same_bits_in_whatever_company_it_is_made():
    rng = np.random.default_rng(0)
    whole = vectors(SMALL, np.arange(SMALL.samples))
    some = rng.permutation(SMALL.samples)[:500]
    np.testing.assert_array_equal(vectors(SMALL, some), whole[some])
    for one in some[:20]:
        np.testing.assert_array_equal(vectors(SMALL, np.array([one]))[0], whole[one])


def test_vectors_are_of_unit_length(all_vectors):
    np.testing.assert_allclose(np.linalg.norm(all_vectors, axis=1), 1, atol=2e-3)


def test_concepts_have_their_sizes_copies_included():
    sizes = concept_sizes(SMALL)
    assert sizes.sum() == SMALL.samples
    # As rank ** -1: the first is twice the second and ten times the tenth.
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.01)
    assert sizes[0] / sizes[9] == pytest.approx(10, rel=0.03)
    concept = truth(SMALL, np.arange(SMALL.samples)).concept
    assert np.bincount(concept, minlength=20).tolist() == sizes.tolist()
    given = Pool(60, sizes=(1, 0, 9, 50))
    assert np.bincount(truth(given, np.arange(60)).concept).tolist() == [1, 0, 9, 50]


def test_every_shard_has_its_part_of_every_concept():
    share = concept_sizes(SMALL) / SMALL.samples
    for shard_id in (1, 2):
        found = np.bincount(truth(SMALL, SMALL.rows(shard_id)).concept, minlength=20) / SMALL.per_shard
        np.testing.assert_allclose(found, share, atol=0.005)


def test_copies_lie_at_their_cosines_and_are_of_originals_of_their_concept(all_vectors):
    number = np.arange(SMALL.samples)
    what = truth(SMALL, number)
    copy = what.original != number
    for cosine, share in SMALL.copies:
        some = copy & (what.cosine == cosine)
        assert some.sum() == pytest.approx(share * SMALL.samples, abs=len(concept_sizes(SMALL)))
        found = (all_vectors[some] * all_vectors[what.original[some]]).sum(axis=1)
        np.testing.assert_allclose(found, cosine, atol=1e-3)
    of = truth(SMALL, what.original[copy])
    assert (of.original == what.original[copy]).all()
    assert (of.concept == what.concept[copy]).all()
    shard = what.original[copy] // SMALL.per_shard
    assert 0.4 < (shard != number[copy] // SMALL.per_shard).mean() < 0.9


def test_what_is_no_copy_lies_below_the_threshold(all_vectors):
    number = np.arange(SMALL.samples)
    originals = all_vectors[truth(SMALL, number).original == number][:3000]
    similar = originals @ originals.T
    np.fill_diagonal(similar, 0)
    assert similar.max() < 0.95


def test_spread_and_separation_are_those_asked_for():
    tight, wide = (Pool(2000, concepts=20, zipf=0, spread=(s, s), separation=0.9, copies=()) for s in (0.3, 0.7))
    near = []
    for pool in (tight, wide):
        concept = truth(pool, np.arange(2000)).concept
        found = vectors(pool, np.arange(2000)).astype(np.float64)
        middle = np.array([found[concept == c].mean(axis=0) for c in range(20)])
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        near.append((found * middle[concept]).sum(axis=1).mean())
        between = (middle @ middle.T)[~np.eye(20, dtype=bool)]
        assert between.mean() == pytest.approx(0.1, abs=0.05)
    # Sines are spread from 0.9 to 1.2 times those asked for.
    assert near[0] == pytest.approx(np.sqrt(1 - 0.315**2), abs=0.02)
    assert near[1] == pytest.approx(np.sqrt(1 - 0.735**2), abs=0.04)


def test_a_shard_is_made_alone_and_its_tables_meet_the_contract():
    tables = shard_tables(SMALL, 3)
    assert {table.num_rows for table in tables.values()} == {6000 - 2 * 2048}
    for (_, name), table in tables.items():
        assert conform(name, table).equals(table)
    ids = tables["embeddings", "embedding"]["sample_id"].to_numpy()
    assert ids[0] == 3 << 32
    assert SMALL.numbers(ids).tolist() == SMALL.rows(3).tolist()


def test_exact_twins_show_the_same_bytes_and_others_do_not():
    image = pa.concat_tables([shard_tables(SMALL, i)["crawl", "image"] for i in (1, 2, 3)])
    what = truth(SMALL, np.arange(SMALL.samples))
    shown = np.array(image["sha256"].to_pylist())
    twin = (what.cosine == 1) & (what.original != np.arange(SMALL.samples))
    assert (shown[twin] == shown[what.original[twin]]).all()
    assert len(set(shown.tolist())) == SMALL.samples - twin.sum()
    sides = traits(SMALL, np.arange(SMALL.samples)).side
    assert (sides[twin] == sides[what.original[twin]]).all()


def test_another_seed_is_another_pool():
    other = Pool(6000, dims=64, concepts=20, per_shard=2048, intrinsic=32, seed=1)
    one, two = (vectors(pool, np.arange(50)) for pool in (SMALL, other))
    assert not (one == two).all(axis=1).any()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"samples": 0}, "samples is 0, but must lie between 1"),
        ({"samples": 5, "sizes": (2, 2)}, "sizes sum to 4, but there are 5 samples"),
        ({"samples": 5, "copies": ((0.99, 0.7), (1.0, 0.3))}, "must sum to less than 1"),
        ({"samples": 5, "dims": 100}, "must be multiples of 8"),
    ],
)
def test_a_pool_that_cannot_be_is_an_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        Pool(**wrong)


SETTINGS = {"clusters": {"k": 10}, "dedup": {"cell_size": 100}}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A simulated pool after every step from dedup to selection."""
    build = simulate(tmp_path_factory.mktemp("pool"), SMALL, SETTINGS, processes=1)
    for step in scale.steps(build):
        for shard in build.shards_of(step):
            build.run(step, shard)
    return build


def test_the_real_steps_run_on_a_simulated_pool_and_find_what_was_planted(built):
    found = scale.check_dedup(built, SMALL)
    for cosine, (copies, right) in found["planted"].items():
        assert copies > 200
        assert right >= 0.98 * copies, cosine
    wrong = {
        name: found[name] for name in ("wrong", "not_twins", "not_kept", "not_preferred", "strangers", "undecided")
    }
    assert wrong == dict.fromkeys(wrong, 0)
    assert found["score_off"] <= 2e-6
    assert found["dropped"] + scale.check_selection(built)["members"] == SMALL.samples


def test_the_budget_is_spent_exactly(built):
    said = scale.check_selection(built)
    assert said["kept"] == said["budget"]
    assert said["quotas_missed"] == 0


def test_what_dedup_did_wrong_is_counted(built, monkeypatch):
    # As if nothing had been dropped but one sample, in favor of one that is no copy of it.
    n = SMALL.samples
    what = truth(SMALL, np.arange(n))
    kept, other = np.ones(n, np.int8), np.full(n, -1)
    stranger = int(np.flatnonzero(what.original != what.original[0])[0])
    kept[stranger], other[stranger] = 0, 0
    made_up = kept, other, np.where(kept == 0, 0.96, np.nan), np.zeros(n, bool)
    monkeypatch.setattr(scale, "_dedup_decisions", lambda build, pool: made_up)
    found = scale.check_dedup(built, SMALL)
    assert (found["wrong"], found["strangers"], found["not_kept"]) == (1, 1, 0)
    assert found["score_off"] > 0.05
    assert found["planted"]["0.99"][1] <= 1 < found["planted"]["0.99"][0]


def test_the_pool_of_a_home_is_read_back(built):
    from pathlib import Path

    assert scale.read_pool(Path(str(built.lake.home))) == SMALL


def test_the_number_of_processes_changes_no_byte_and_another_seed_is_other_files(tmp_path):
    pool = Pool(300, dims=16, concepts=3, per_shard=100, intrinsic=8)
    other = Pool(**{**vars(pool), "seed": 1})
    found = []
    for name, what, processes in (("one", pool, 1), ("two", pool, 2), ("other", other, 1)):
        simulate(tmp_path / name, what, processes=processes)
        files = (tmp_path / name).rglob("*.parquet")
        found.append({str(file.relative_to(tmp_path / name)): file.read_bytes() for file in files})
    assert len(found[0]) == 3 * 6 + 1
    assert found[0] == found[1]
    assert not found[0].keys() & found[2].keys()


def test_a_pool_is_written_once_and_its_folder_takes_no_other(tmp_path):
    pool = Pool(300, dims=16, concepts=3, per_shard=100, intrinsic=8)
    build = simulate(tmp_path, pool, processes=1)
    lost = build.paths("rights")[1]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.parquet")}
    lost.unlink()
    simulate(tmp_path, pool, processes=1)
    after = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.parquet")}
    assert {file: data for file, (data, _) in after.items()} == {file: data for file, (data, _) in before.items()}
    # The shard that had lost a file was made again, no other.
    made = {file.name[:5] for file in after if after[file][1] != before[file][1]}
    assert made == {"00002"}
    with pytest.raises(ValueError, match="another pool was simulated there; give every pool a folder of its own"):
        simulate(tmp_path, Pool(**{**vars(pool), "samples": 400}), processes=1)


def a_run(samples, dedup, others):
    step = {"rows": 1, "own_mib": 100 + samples / 1e5, "resident_mib": 300, "wall": 9.0}
    steps = {"dedup": {**step, "seconds": dedup}, "selection": {**step, "seconds": others}}
    said = {
        "planted": {"0.99": [5, 5], "0.9": [3, 3]},
        "wrong": 0,
        "not_preferred": 0,
        "not_kept": 0,
        "kept": 7,
        "budget": 7,
    }
    recipe = {
        "dedup": {"eps": 0.05, "cell_size": 1000, "neighbor_cells": 8},
        "clusters": {"k": 500, "iterations": 20, "points_per_centroid": 256},
    }
    return {
        "samples": samples, "dims": 256, "machine": "2 cores", "limit_gib": 6, "limited_by": "cgroup", "recipe": recipe,
        "gflops": {"float32": 100.0}, "simulated": 1.0, "steps": {**steps, "diversify": {**step, "rows": 0, "seconds": 0.1}},
        "truth": said,
    }  # fmt: skip


def test_exponents_are_those_of_the_powers_by_which_times_grow():
    runs = [a_run(n, 3e-6 * n**1.2, 1e-6 * n) for n in (1_000_000, 4_000_000, 20_000_000)]
    found = scale.exponents(runs)
    assert found["dedup"] == pytest.approx(1.2)
    assert found["selection"] == pytest.approx(1)
    assert "diversify" not in found
    text = scale.section(runs)
    # 3e-6 s * (1e9) ** 1.2 is 52.7 hours, 1e-6 s * 1e9 a thousand seconds.
    assert "| dedup | 1.73e+03 s | 1.20 | 1.73e+03 x 50^1.20 | 52.6 h |" in text
    assert "| 0.278 h |" in text
    assert "| 20,000,000 | 5 of 5 | 3 of 3 | 0 | 0 | 0 | 7 of 7 |" in text


def test_the_plot_and_the_section_come_from_the_newest_run_of_each_size(tmp_path):
    lines = [a_run(1000, 9.0, 9.0), a_run(2000, 2.0, 1.0), a_run(1000, 1.0, 1.0)]
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    runs = scale.newest(tmp_path / "runs.jsonl")
    assert [scale.totals(one)["dedup"] for one in runs] == [1.0, 2.0]
    scale.plot(runs, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_disk_with_too_little_room_is_said_so_before_anything_is_written(tmp_path):
    with pytest.raises(scale.ScaleError, match=r"4,000,000,000 samples need about .* GiB are free; free space"):
        scale.run(Pool(4_000_000_000), tmp_path / "home", 6)
    assert list((tmp_path / "home").iterdir()) == []
