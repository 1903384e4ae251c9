"""Filters and joins of batch transform, by the examples of SageMaker's guide."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.jobs.transforming.data_processing import DataProcessing, fields_of


def request(content_type: str = "text/csv", split: str = "Line", **processing: str) -> Any:
    return {
        "TransformInput": {"ContentType": content_type, "SplitType": split},
        "TransformOutput": {"Accept": content_type, "AssembleWith": split},
        "DataProcessing": processing,
    }


def processing(**given: Any) -> DataProcessing:
    found = DataProcessing.of(request(**given))
    assert found
    return found


def test_nothing_is_done_where_nothing_is_asked() -> None:
    assert DataProcessing.of(request()) is None
    assert DataProcessing.of(request(InputFilter="$", JoinSource="None")) is None


def test_an_id_is_kept_from_the_model_and_joined_to_its_answer() -> None:
    done = processing(JoinSource="Input", InputFilter="$[1:]", OutputFilter="$[0,-1]")
    assert done.sent([b"1,10,20", b"2,30,40"]) == b"10,20\n30,40"
    assert done.stored([b"1,10,20", b"2,30,40"], b"0.7\n0.3\n") == b"1,0.7\n2,0.3"


def test_a_whole_row_gets_the_answers_as_further_columns() -> None:
    done = processing(JoinSource="Input")
    assert done.stored([b"1,10,20"], b"0.7,0.3") == b"1,10,20,0.7,0.3"


def test_quoted_fields_stay_as_they_are() -> None:
    done = processing(JoinSource="Input", InputFilter="$[1:]", OutputFilter="$[0,-1]")
    record = b'"Smith, ""J""",10,20'
    assert done.sent([record]) == b"10,20"
    assert done.stored([record], b"0.7") == b'"Smith, ""J""",0.7'


@pytest.mark.parametrize(
    ("record", "stored"),
    [
        (
            b'{"id": 5, "features": [1, 2]}',
            b'{"id":5,"features":[1,2],"SageMakerOutput":{"score":0.7}}',
        ),
        (b"[1, 2]", b'{"SageMakerInput":[1,2],"SageMakerOutput":{"score":0.7}}'),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/jsonlines"])
def test_an_answer_goes_into_the_object(content_type: str, record: bytes, stored: bytes) -> None:
    done = processing(content_type=content_type, JoinSource="Input")
    assert done.stored([record], b'{"score": 0.7}') == stored


def test_parts_of_joined_objects_are_written() -> None:
    done = processing(
        content_type="application/jsonlines",
        JoinSource="Input",
        InputFilter="$.features",
        OutputFilter="$['id','SageMakerOutput']",
    )
    records = [b'{"id":1,"features":[1,2]}', b'{"id":2,"features":[3,4]}']
    assert done.sent(records) == b"[1,2]\n[3,4]"
    assert done.stored(records, b'{"score":0.5}\n{"score":0.6}') == (
        b'{"id":1,"SageMakerOutput":{"score":0.5}}\n{"id":2,"SageMakerOutput":{"score":0.6}}'
    )


def test_an_output_filter_works_without_a_join() -> None:
    assert processing(OutputFilter="$[0]").stored([b"9", b"8"], b"1,2\n3,4\n") == b"1\n3"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"content_type": "application/x-recordio-protobuf"}, "ContentType"),
        ({"split": "None"}, "SplitType"),
        ({"InputFilter": "$.name"}, "one step of numbers"),
        ({"InputFilter": "$[0][1]"}, "one step of numbers"),
        ({"split": "RecordIO", "content_type": "application/json"}, "SplitType"),
    ],
)
def test_what_does_not_go_together_is_refused(changed: dict[str, str], part: str) -> None:
    with pytest.raises(CallerError, match=part):
        DataProcessing.of(request(**{"JoinSource": "Input", **changed}))


@pytest.mark.parametrize("member", ["Accept", "AssembleWith"])
def test_both_sides_of_a_join_have_one_form(member: str) -> None:
    asked = request(JoinSource="Input")
    asked["TransformOutput"][member] = {"Accept": "application/json", "AssembleWith": "None"}[
        member
    ]
    with pytest.raises(CallerError, match=member):
        DataProcessing.of(asked)


@pytest.mark.parametrize(
    ("answer", "part"), [(b"0.1", "2 lines, got 1"), (b"1\n2\n3", "2 lines, got 3")]
)
def test_an_answer_for_each_record_is_needed(answer: bytes, part: str) -> None:
    with pytest.raises(CallerError, match=part):
        processing(JoinSource="Input").stored([b"1", b"2"], answer)


def test_a_filter_outside_the_record_is_an_error() -> None:
    with pytest.raises(CallerError, match="there is no item 5 among 3"):
        processing(JoinSource="Input", OutputFilter="$[5]").stored([b"1,2"], b"0.7")


@given(st.lists(st.text(st.characters(blacklist_characters="\r\n\0"), max_size=8), min_size=1))
def test_fields_joined_again_are_the_row(fields: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    found = fields_of(out.getvalue())
    assert ",".join(found) == out.getvalue()
    assert next(csv.reader([",".join(found)])) == fields
    assert len(found) == len(fields)


@pytest.mark.parametrize("row", ['"a', 'a"b",c', '"a"b,c'])
def test_quotes_that_do_not_fit_are_told(row: str) -> None:
    with pytest.raises(ValueError, match="quotes"):
        fields_of(row)
