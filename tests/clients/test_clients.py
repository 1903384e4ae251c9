"""Scripts with the calls of people's notebooks, run by the clients that they were written for."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Run


@pytest.mark.parametrize(
    "script",
    [
        "linear_learner.py",
        "k_means.py",
        "components.py",
        "neighbors.py",
        "sparse_pairs.py",
        "boosted_trees.py",
        "anomalies.py",
        "logins.py",
    ],
)
def test_a_notebooks_calls_run_with_sdk_2(run: Run, script: str) -> None:
    printed = run("sdk2", script)
    # Only the linear learner's first fit() shows the log: the SDK looks for a job's end every 30 s
    assert ("#quality_metric" in printed) == (script == "linear_learner.py")


def test_a_notebooks_calls_run_with_boto3_alone(run: Run) -> None:
    run("sdk2", "low_level.py")


def test_the_aws_command_trains_deploys_and_copies(run: Run) -> None:
    run("sdk2", "commands.sh")


def test_a_trainer_and_the_resources_of_sdk_3_run(run: Run) -> None:
    run("sdk3", "trainer_of_sdk3.py")


def test_a_notebook_that_names_no_bucket_and_no_role_runs_through_the_proxy(run: Run) -> None:
    run("sdk2", "untouched_notebook.py", proxy=True)
