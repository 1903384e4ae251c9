"""Paths of InputFilter and OutputFilter, by the examples of SageMaker's guide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.jobs.transforming.record_paths import Absent, read_path

ROW = ["a", "b", "c", "d", "e", "f", "g"]
RECORD = {"id": 5, "features": [1, 2, 3], "SageMakerOutput": {"score": 0.7}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", ROW),
        ("$[0]", "a"),
        ("$[-1]", "g"),
        ("$[1:]", ROW[1:]),
        # The end is the guide's: inclusive
        ("$[1:4]", ROW[1:5]),
        ("$[:5]", ROW[:6]),
        ("$[-3:]", ROW[-3:]),
        ("$[1:-2]", ROW[1:6]),
        ("$[1,3]", ["b", "d"]),
        ("$[0,-1]", ["a", "g"]),
        ("$[0,5:]", ["a", "f", "g"]),
        ("$[*]", ROW),
        ("$[5:9]", ["f", "g"]),
    ],
)
def test_places_in_a_row(path: str, found: Any) -> None:
    assert read_path("InputFilter", path).of(ROW) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.id", 5),
        ("$['id']", 5),
        ('$["id"]', 5),
        ("$.features", [1, 2, 3]),
        ("$.features[1]", 2),
        ("$.features[0:1]", [1, 2]),
        ("$['id','SageMakerOutput']", {"id": 5, "SageMakerOutput": {"score": 0.7}}),
        ("$.SageMakerOutput.score", 0.7),
        ("$.SageMakerOutput.*", [0.7]),
        ("$[ 'id' ]", 5),
    ],
)
def test_members_of_an_object(path: str, found: Any) -> None:
    assert read_path("OutputFilter", path).of(RECORD) == found


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "$$", "$..id", "$[?(@.id)]", "$[(@.length-1)]", "$.", "$[", "$[]", "$[1", "$[1;2]",
        "$['a'", "$[1,]", "$['a',1]", "$['a','b'].c", "$x", "$.a b", "$[1:2:3]",
        "$[" + "1," * 40 + "1]",
    ],
)  # fmt: skip
def test_other_paths_are_refused_by_name(path: str) -> None:
    with pytest.raises(CallerError, match="OutputFilter"):
        read_path("OutputFilter", path)


@pytest.mark.parametrize("path", ["$[7]", "$[-8]", "$[0,7]", "$.a", "$['a']", "$[7:9]"])
def test_what_is_not_there_is_told(path: str) -> None:
    with pytest.raises(Absent):
        read_path("OutputFilter", path).of(ROW)


@given(st.text("$.[]'\":,*-0123ab?@() ", max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = read_path("InputFilter", text)
    except CallerError:
        return
    assert path.text == text


@given(st.lists(st.integers(), min_size=1), st.integers(-9, 9), st.integers(-9, 9))
def test_a_slice_is_python_s_with_the_end_in_it(row: list[int], first: int, last: int) -> None:
    stop = last + 1 or len(row)
    expected = row[first:stop]
    if -len(row) <= first and -len(row) <= last and expected:
        assert read_path("InputFilter", f"$[{first}:{last}]").of(row) == expected
