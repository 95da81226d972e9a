"""Where assets are computed: one process for what runs one by one, a process each for what runs side by side."""

import dagster as dg
import pytest

import orchestration.definitions  # noqa: F401 - the steps
from orchestration import executors
from orchestration.capacity import CapacityError
from orchestration.executors import local, pool, ray, tags
from orchestration.stages import STEPS


def test_assets_that_run_one_by_one_run_in_the_process_of_their_run():
    assert local(side_by_side=1) is dg.in_process_executor


def test_assets_that_run_side_by_side_have_a_process_each():
    assert local(side_by_side=4).name == "multiprocess"


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A file that gives the embeddings a card."""
    path = tmp_path / "resources.yaml"
    path.write_text("embeddings: {cpus: 4, gpus: 1, memory: 16Gi}\nselection: {memory: 8Gi}\n")
    monkeypatch.setenv("WINNOW_RESOURCES", str(path))


def test_steps_that_ask_for_cards_are_in_the_gpu_pool(cards):
    assert [pool(name) for name in ("embeddings", "selection", "crawl")] == ["gpu", None, None]


def test_without_a_file_of_resources_no_step_is_in_a_pool(monkeypatch):
    monkeypatch.delenv("WINNOW_RESOURCES", raising=False)
    assert all(pool(name) is None for name in STEPS)


def test_a_ray_job_asks_for_what_its_step_needs_and_for_nothing_where_its_shards_are_tasks(cards, monkeypatch):
    monkeypatch.setenv("WINNOW_EXECUTOR", "ray")
    assert tags("embeddings", True) == {"dagster-ray/config": {"num_cpus": 0}}
    asked = {"num_cpus": 1.0, "num_gpus": 0.0, "memory": 8 << 30}
    assert tags("selection", False) == {"dagster-ray/config": asked}


def test_the_ray_executor_needs_the_address_of_a_job_server(monkeypatch):
    pytest.importorskip("dagster_ray", reason="pip install 'winnow[ray]'")
    monkeypatch.delenv("WINNOW_RAY_JOBS", raising=False)
    with pytest.raises(CapacityError, match="WINNOW_RAY_JOBS must be the address"):
        ray()
    monkeypatch.setenv("WINNOW_RAY_JOBS", "http://127.0.0.1:8265")
    assert ray().name == "ray"


def test_ray_that_is_not_installed_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr(executors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CapacityError, match=r"pip install 'winnow\[ray\]'$"):
        ray()
