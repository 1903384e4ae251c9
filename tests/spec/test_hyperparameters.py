"""Values arrive as SageMaker sends them and leave typed, or every fault is told at once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.algorithms import declaration
from clary.errors import CallerError, Fault
from clary.spec.hyperparameters import (
    Auto,
    Hyperparameters,
    Rule,
    boolean,
    choice,
    free_json,
    integer,
    listing,
    number,
)


def _wanted(kind: str | None, size: int | None) -> Fault | None:
    if kind == "large" and size is not None and size < 10:
        return Fault("size", "must be at least 10 when kind is large", size)
    return None


class Sample(Hyperparameters):
    """One hyperparameter of each kind."""

    size: int = integer("Size.", required=True, min=1, max=100)
    share: float = number("Share.", default=0.5, min=0, max=1, exclusive_min=True)
    rate: float | Auto = number("Rate.", auto=True, min=0)
    weight: float | str = number("Weight.", default=1.0, min=0, words=("balanced",))
    steady: bool = boolean("Steady.", default=True)
    kind: str = choice("Kind.", "small", "large", default="small")
    signs: tuple[int, ...] | None = listing("Signs.", -1, 0, 1)
    names: tuple[str, ...] | None = listing("Names.", "auc", "error", pattern=r"error@\d+")
    scores: tuple[str, ...] = free_json("Scores.", ["msd"], ["msd", "ssd"], default=("msd",))
    switch: str = choice("Switch.", "true", "false", default="false")
    lambda_: float | None = number("Penalty.", default=1, left_to_engine=True, aliases=("reg",))
    width: int | None = integer("Width.", required=True, inferred=True, min=1)

    ignored: ClassVar[frozenset[str]] = frozenset({"force_dense"})
    rules: ClassVar[tuple[Rule, ...]] = (Rule(("kind", "size"), _wanted),)


def faults(**values: object) -> list[str]:
    with pytest.raises(CallerError) as refused:
        Sample.parse(values)
    return [str(fault) for fault in refused.value.faults]


def test_strings_become_typed_values() -> None:
    parsed = Sample.parse(
        {"size": "10", "share": "1e-3", "steady": "False", "kind": "large", "rate": "auto"}
    )
    assert (parsed.size, parsed.share, parsed.steady, parsed.kind, parsed.rate) == (
        10,
        0.001,
        False,
        "large",
        "auto",
    )


def test_what_is_left_out_has_its_default_and_what_the_engine_knows_stays_none() -> None:
    parsed = Sample.parse({"size": 1})
    assert parsed.share == 0.5
    assert parsed.rate == "auto"
    assert parsed.lambda_ is None
    assert parsed.width is None


def test_values_quoted_as_json_are_unquoted() -> None:
    assert Sample.parse({"size": '"15"', "kind": '"large"'}).size == 15


def test_none_means_not_given() -> None:
    assert Sample.parse({"size": 1, "share": None}).share == 0.5


def test_numpy_values_are_taken() -> None:
    parsed = Sample.parse(
        {"size": np.int64(3), "share": np.float32(0.5), "steady": np.bool_(False)}
    )
    assert (parsed.size, parsed.share, parsed.steady) == (3, 0.5, False)


@pytest.mark.parametrize("text", ["10.0", "+10", "010", "ten", "", "1e1", "1_0", "0x1", " "])
def test_only_plain_integers_are_integers(text: str) -> None:
    assert faults(size=text) == [
        f"size: must be an integer of at least 1 and at most 100, got {text!r}"
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "half", "", "1,5"])
def test_numbers_are_finite(text: str) -> None:
    assert faults(size=1, share=text)[0].startswith("share: must be a number above 0")


def test_limits_hold_at_the_edge_and_not_beyond() -> None:
    assert Sample.parse({"size": 1}).size == 1
    assert Sample.parse({"size": 100}).size == 100
    assert faults(size=0) == ["size: must be at least 1, got 0"]
    assert faults(size=101) == ["size: must be at most 100, got 101"]
    assert faults(size=1, share=0) == ["share: must be above 0, got 0"]
    assert Sample.parse({"size": 1, "share": 1}).share == 1


def test_words_stand_beside_numbers_only_where_declared() -> None:
    assert Sample.parse({"size": 1, "weight": "Balanced"}).weight == "balanced"
    assert faults(size=1, share="auto")[0].startswith("share: must be a number")


def test_booleans_take_any_case_and_nothing_else() -> None:
    assert Sample.parse({"size": 1, "steady": "TRUE"}).steady is True
    assert faults(size=1, steady="yes") == ["steady: must be true or false, got 'yes'"]
    assert faults(size=1, steady=1) == ["steady: must be true or false, got 1"]


def test_booleans_are_not_integers() -> None:
    assert faults(size=True)[0].startswith("size: must be an integer")


@pytest.mark.parametrize("text", ['["msd", "ssd"]', "['msd', 'ssd']", '"[\\"msd\\", \\"ssd\\"]"'])
def test_lists_arrive_as_json_or_as_pythons_repr(text: str) -> None:
    assert Sample.parse({"size": 1, "scores": text}).scores == ("msd", "ssd")


def test_lists_arrive_as_words_with_commas_and_as_tuples() -> None:
    parsed = Sample.parse({"size": 1, "names": "auc,error@7", "signs": "(0, 1, -1)"})
    assert parsed.names == ("auc", "error@7")
    assert parsed.signs == (0, 1, -1)


def test_a_wrong_list_entry_offers_the_nearest() -> None:
    assert faults(size=1, names="aux")[0].endswith("got 'aux'. Did you mean 'auc'?")


@pytest.mark.parametrize("value", ['["mse"]', "[]", "{}", "7", ["mse"]])
def test_json_lists_hold_what_is_declared(value: object) -> None:
    assert faults(size=1, scores=value)[0].startswith("scores: must be a list of msd, ssd, got")


def test_one_item_may_stand_for_its_list_and_booleans_for_their_words() -> None:
    parsed = Sample.parse({"size": 1, "signs": 1, "switch": True})
    assert (parsed.signs, parsed.switch) == ((1,), "true")


def test_quotes_that_do_not_close_are_not_taken_off() -> None:
    assert faults(size='"1\\"') == [
        "size: must be an integer of at least 1 and at most 100, got '\"1\\\\\"'"
    ]


def test_every_fault_is_told_at_once() -> None:
    told = faults(size="0", share="2", kind="lrge", steady="maybe", sise="3")
    assert [fault.partition(":")[0] for fault in told] == [
        "sise",
        "size",
        "share",
        "steady",
        "kind",
    ]


def test_an_unknown_name_offers_the_nearest() -> None:
    assert faults(size=1, shar=1) == [
        "shar: Additional hyperparameters are not allowed ('shar' was unexpected). "
        "Did you mean 'share'?"
    ]


def test_a_missing_required_one_is_named_with_what_it_does() -> None:
    assert faults() == ["size: is required and was not given. Size."]


def test_internal_names_of_the_platform_are_let_through() -> None:
    parsed = Sample.parse({"size": 1, "_kvstore": "auto", "force_dense": "True"})
    assert "force_dense" not in parsed.values()


def test_an_alias_stands_for_its_name() -> None:
    assert Sample.parse({"size": 1, "reg": "3"}).lambda_ == 3
    assert Sample.parse({"size": 1, "reg": "3", "lambda": "3"}).lambda_ == 3
    told = ["lambda under two names: the values must agree, got '3 and 4'"]
    assert faults(**{"size": 1, "reg": "3", "lambda": "4"}) == told


def test_rules_between_fields_are_asked_only_when_the_fields_are_right() -> None:
    assert faults(size=5, kind="large") == ["size: must be at least 10 when kind is large, got 5"]
    assert faults(size="x", kind="large") == [
        "size: must be an integer of at least 1 and at most 100, got 'x'"
    ]
    told = faults(size=5, kind="large", share=7)
    assert {fault.partition(":")[0] for fault in told} == {"size", "share"}


def test_values_come_by_their_names_on_the_wire() -> None:
    parsed = Sample.parse({"size": 1, "lambda": 2})
    assert parsed.values()["lambda"] == 2
    assert parsed.given() == {"lambda": 2, "size": 1}


def test_parsed_values_parse_to_themselves() -> None:
    once = Sample.parse({"size": "5", "scores": '["msd"]', "signs": "[1]", "steady": "false"})
    assert Sample.parse(once.values()) == once


@given(st.dictionaries(st.sampled_from([*Sample.declared(), "other"]), st.text() | st.none()))
def test_any_text_gives_values_or_told_faults(values: dict[str, str | None]) -> None:
    try:
        Sample.parse(values)
    except CallerError as refused:
        assert refused.faults


@given(st.text(max_size=200))
def test_any_list_text_gives_values_or_told_faults(text: str) -> None:
    for name in ("signs", "names", "scores"):
        try:
            Sample.parse({"size": 1, name: text})
        except CallerError as refused:
            assert refused.faults[0].thing == name


def test_a_very_long_value_is_cut_in_the_message() -> None:
    assert len(faults(size="9" * 5000)[0]) < 300


@pytest.mark.parametrize("nested", ["[" * 100_000, "(" * 100_000, '{"a":' * 50_000])
def test_nested_garbage_is_refused(nested: str) -> None:
    assert faults(size=1, scores=nested)[0].startswith("scores: must be")


def test_the_documented_example_of_a_fault_reads_so() -> None:
    with pytest.raises(CallerError, match=r"local_lloyd_tol: must be at most 1, got '1.5'"):
        declaration("kmeans").hyperparameters.parse({"k": "2", "local_lloyd_tol": "1.5"})
