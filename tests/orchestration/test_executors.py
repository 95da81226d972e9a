"""Where assets are computed: one process for what runs one by one, a process each for what runs side by side."""

import dagster as dg

from orchestration.executors import local


def test_assets_that_run_one_by_one_run_in_the_process_of_their_run():
    assert local(side_by_side=1) is dg.in_process_executor


def test_assets_that_run_side_by_side_have_a_process_each():
    assert local(side_by_side=4).name == "multiprocess"
