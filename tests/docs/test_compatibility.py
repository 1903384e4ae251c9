"""What the page on compatibility says of members is decided in the code, for each of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clary.control import training_jobs
from clary.control.operations import OPERATIONS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def compatibility(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(DOCS)
    import compatibility

    if not compatibility.is_of_this_model((DOCS / "compatibility.md").read_text()):
        pytest.skip("the page was written from other models of AWS's services")
    return compatibility


def test_every_member_is_read_or_answered_or_has_a_reason(compatibility) -> None:
    assert list(compatibility.undeclared()) == []


def test_a_member_without_a_reason_is_found(compatibility, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(training_jobs.IGNORED, "VpcConfig")
    monkeypatch.setitem(training_jobs.IGNORED, "NeverThere", "kept; there is no such member")
    assert "CreateTrainingJob, request: VpcConfig" in list(compatibility.undeclared())
    assert "clary.control.training_jobs, IGNORED: NeverThere" in list(compatibility.stale())


def test_every_reason_is_of_a_member_that_there_is(compatibility) -> None:
    assert list(compatibility.stale()) == []


def test_a_reason_says_what_becomes_of_the_member() -> None:
    modules = {function.__module__ for all_ in OPERATIONS.values() for function in all_.values()}
    reasons = [
        reason
        for module in modules
        for reason in getattr(sys.modules[module], "IGNORED", {}).values()
    ]
    assert len(reasons) > 100
    for reason in reasons:
        assert reason.startswith(("kept; ", "kept, ", "refused: ", "without effect: "))
