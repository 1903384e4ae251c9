"""What is told of a fault: the thing, the rule, what was got, what to do."""

from __future__ import annotations

import copy
import pickle

import pytest

from clary.errors import CallerError, Fault, NotAcceptable, raise_all


def test_a_fault_is_one_sentence_and_a_remedy() -> None:
    assert str(Fault("k", "must be at least 1", 0, "Leave it out.")) == (
        "k: must be at least 1, got 0. Leave it out."
    )
    assert str(Fault("k", "is required")) == "k: is required"
    assert str(Fault("k", "must be a number", None)) == "k: must be a number, got None"


def test_text_is_quoted_and_long_text_is_cut() -> None:
    assert str(Fault("k", "must be a number", "1 ")).endswith("got '1 '")
    told = str(Fault("k", "must be a number", "x" * 5000))
    assert len(told) < 150
    assert told.endswith("… (5,002 characters)")


def test_all_faults_are_told_a_line_each() -> None:
    with pytest.raises(CallerError) as refused:
        raise_all(Fault(name, "is wrong") for name in ("a", "b"))
    assert str(refused.value) == "a: is wrong\nb: is wrong"
    raise_all([])


def test_an_error_crosses_processes_whole() -> None:
    error = NotAcceptable.of("Accept", "must be text/csv", "image/png", "Ask for CSV.")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is NotAcceptable
        assert again.faults == error.faults
