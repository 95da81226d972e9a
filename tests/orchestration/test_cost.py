"""What work costs: processor time of threads and children, GPU time, bytes; in outcomes, ledger, table and question."""

import pickle
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import duckdb
import pytest

from assets.provenance.questions import answer
from orchestration import ledger
from orchestration.cost import NAMES, Cost, metered, of_row
from orchestration.ray_workers import TaskError
from orchestration.stages import run_step
from resources.lake import Traffic
from tests.orchestration.test_plan import STEPS, make, rows  # noqa: F401

BURN = "import time\nwhile time.process_time() < {}: pass"


def burn(seconds):
    """Keep one core of this process busy."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def busy(work):
    burn(0.3)
    subprocess.run([sys.executable, "-S", "-c", BURN.format(0.4)], check=True)
    return {"score": rows("score", sample_id=[1], scorer=["busy"], model=["m"], value=[1.0])}


BUSY = replace(STEPS["count_bytes"], name="busy", compute=busy)


@pytest.fixture
def build(make):  # noqa: F811
    return make()


def test_a_step_is_charged_its_own_processor_time_and_that_of_its_children(build):
    cost = build.run(BUSY, build.snapshot.shards[0]).cost
    assert 0.7 <= cost.cpu_seconds < 1.2
    assert cost.gpu_seconds == 0


def test_a_reused_step_costs_nearly_nothing(build):
    build.run(BUSY, build.snapshot.shards[0])
    again = build.run(BUSY, build.snapshot.shards[0])
    assert again.reused
    assert again.cost.cpu_seconds < 0.1
    assert again.cost.bytes_written == 0


def test_bytes_are_those_of_the_files_that_the_step_read_and_wrote(build):
    shard = build.snapshot.shards[0]
    first = build.run(STEPS["count_bytes"], shard)
    second = build.run(STEPS["scale"], shard)
    assert first.cost.bytes_written == first.files[0].bytes
    assert second.cost.bytes_read >= first.files[0].bytes
    assert second.cost.bytes_written == second.files[0].bytes


def test_runs_in_the_ledger_carry_the_cost_of_computed_and_of_reused_files(build):
    for _ in range(2):
        run_step(build, BUSY, build.snapshot.shards[:1], "run")
    computed, reused = ledger.rows(build.lake, "run")
    assert of_row(computed).cpu_seconds >= 0.7 > of_row(reused).cpu_seconds
    told = ledger.table("run", [computed]).to_pylist()[0]
    assert {name: told[name] for name in NAMES} == of_row(computed).as_dict()


def test_a_row_of_an_older_ledger_has_no_cost_and_a_table_row_all_the_same(build):
    run_step(build, STEPS["count_bytes"], build.snapshot.shards[:1], "run")
    [row] = ledger.rows(build.lake, "run")
    old = {key: value for key, value in row.items() if key not in NAMES}
    assert of_row(old) is None
    assert ledger.table("run", [old])["cpu_seconds"].to_pylist() == [None]


def test_what_was_observed_for_all_shards_is_charged_to_the_first(make):  # noqa: F811
    watching = replace(
        BUSY, compute=STEPS["count_bytes"].compute, observe=lambda works: burn(0.3), observes=lambda c: ""
    )
    build = make()
    build.steps = {**build.steps, "busy": watching}
    first, second, third = run_step(build, watching, build.snapshot.shards, "run")
    assert first.cost.cpu_seconds >= 0.3 > second.cost.cpu_seconds + third.cost.cpu_seconds
    assert (first.ended_at - first.started_at).total_seconds() >= 0.3


@pytest.mark.parametrize("fails", ["looking", "computing"])
def test_a_run_that_fails_is_charged_what_it_took_until_then(make, fails):  # noqa: F811
    def fail(work):
        burn(0.3)
        raise ValueError("no")

    watching = replace(
        BUSY,
        compute=fail if fails == "computing" else busy,
        observe=fail if fails == "looking" else lambda works: burn(0.3),
        observes=lambda c: "",
    )
    build = make()
    build.steps = {**build.steps, "busy": watching}
    with pytest.raises(ValueError, match="no"):
        run_step(build, watching, build.snapshot.shards, "run")
    [row] = ledger.rows(build.lake, "run")
    least = 0.6 if fails == "computing" else 0.3
    assert row["status"] == "failed"
    assert least <= of_row(row).cpu_seconds < least + 0.3


def test_what_a_task_cost_comes_with_its_error_from_another_process():
    error = pickle.loads(pickle.dumps(TaskError(ValueError("no"), Cost(1, 2, 3, 4))))
    assert (str(error.error), error.cost) == ("no", Cost(1, 2, 3, 4))


def fake_cuda(peaks, initialized=True):
    """Stands for torch.cuda: highest memory by device."""
    return SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: initialized, device_count=lambda: len(peaks),
        reset_peak_memory_stats=lambda device: None, max_memory_allocated=lambda device: peaks[device],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("peaks", "initialized", "gpus"), [([0, 0], True, 0), ([10, 0], True, 1), ([10, 5], True, 2), ([10], False, 0)]
)
def test_gpu_seconds_are_those_of_every_gpu_of_which_memory_was_held(monkeypatch, peaks, initialized, gpus):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=fake_cuda(peaks, initialized)))
    with metered(Traffic()) as cost:
        time.sleep(0.05)
    assert cost[0].gpu_seconds == pytest.approx(0.05 * gpus, abs=0.03)


def test_torch_is_not_imported_to_find_out():
    code = "import sys; from orchestration.cost import Meter; from types import SimpleNamespace as N\n"
    code += "Meter(N(read=0, written=0)).cost; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_costs_add_up():
    assert Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40) == Cost(11, 22, 33, 44)


def test_the_question_tells_what_the_newest_build_cost_by_asset(built):
    project, _ = built
    with duckdb.connect(str(project.home / "provenance.duckdb"), read_only=True) as connection:
        found = {row["asset"]: row for row in answer(connection, "cost").to_pylist()}
    crawl = found["crawl"]
    assert (crawl["computed"], crawl["reused"]) == (2, 0)
    assert crawl["seconds_per_shard"] == pytest.approx(crawl["seconds"] / 2, abs=0.002)
    assert found["embeddings"]["cpu_seconds"] > found["concepts"]["cpu_seconds"] > 0
    assert all(row["bytes_written"] > 0 and row["gpu_seconds"] == 0 for row in found.values())
    assert found["dedup"]["computed"] == 1
