"""Whose fault it was: exit codes and the failure file, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from clary.errors import CallerError, Fault
from clary.runtime.failure import (
    CALLERS_FAULT,
    OUR_FAULT,
    TrainingFailed,
    error_of,
    exit_code,
    failure_text,
    write_failure,
)
from clary.runtime.layout import Layout

TWO = CallerError(Fault("k", "must be at least 1", 0), Fault("epochs", "is required", remedy="Ok."))


def test_the_users_faults_are_client_errors_and_ours_algorithm_errors() -> None:
    assert failure_text(TWO).startswith("ClientError: k: must be at least 1, got 0\nepochs: ")
    assert failure_text(KeyError("x")) == "AlgorithmError: KeyError: 'x'"
    assert exit_code(TWO) == CALLERS_FAULT
    assert exit_code(KeyError("x")) == OUR_FAULT


@pytest.mark.parametrize("error", [TWO, CallerError.of("a: b", "c: d"), KeyError("x")])
def test_a_failure_file_tells_the_error_again(error: Exception, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_failure(layout, error)
    again = error_of(layout.failure.read_text())
    if isinstance(error, CallerError):
        assert isinstance(again, CallerError)
        assert str(again) == str(error)
    else:
        assert isinstance(again, TrainingFailed)
        assert str(again) == "KeyError: 'x'"


def test_a_folder_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file where the folder should be")
    write_failure(Layout(tmp_path), TWO)
