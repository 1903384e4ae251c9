from __future__ import annotations

from pathlib import Path

import pytest

from clary.codecs.content_type import ALIASES, EXTENSIONS, ContentType, parse_content_type
from clary.codecs.formats import FORMATS
from clary.errors import CallerError

PAGE = Path(__file__).parents[2] / "docs/formats.md"


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("text/csv", "text/csv", {}),
        ("Text/CSV; Label_Size=2 ", "text/csv", {"label_size": "2"}),
        ("text/csv;encoding=x;label_size=0", "text/csv", {"encoding": "x", "label_size": "0"}),
        ('text/csv;charset="UTF-16"', "text/csv", {"charset": "UTF-16"}),
        ("text/x-libsvm", "text/libsvm", {}),
        ("libsvm", "text/libsvm", {}),
        ("application/jsonlines; verbose=True", "application/jsonlines", {"verbose": "True"}),
        ("application/json;verbose", "application/json", {"verbose": ""}),
        ("parquet", "application/x-parquet", {}),
        ("protobuf", "application/x-recordio-protobuf", {}),
        ("image/PNG;;", "image/png", {}),
        ("", "", {}),
    ],
)  # fmt: skip
def test_a_content_type_is_read_whatever_its_writing(
    text: str, name: str, parameters: dict[str, str]
) -> None:
    found = parse_content_type(text)
    assert (found.name, found.parameters, found.written) == (name, parameters, text)


def test_it_is_written_in_canonical_form() -> None:
    assert str(parse_content_type("CSV; label_size=0")) == "text/csv;label_size=0"


def test_label_size_is_a_whole_number() -> None:
    assert parse_content_type("text/csv").label_size(1) == 1
    assert parse_content_type("text/csv;label_size=3").label_size(1) == 3
    for wrong in ("-1", "one", "1.5", "", "²", "1000000000"):
        with pytest.raises(CallerError, match="label_size must be a whole number, got"):
            parse_content_type(f"text/csv;label_size={wrong}").label_size(1)


def test_the_charset_has_two_names() -> None:
    assert parse_content_type("text/csv;charset=latin-1").charset == "latin-1"
    assert parse_content_type("text/csv;encoding=latin-1").charset == "latin-1"
    assert parse_content_type("text/csv").charset == ""


def test_answers_may_be_asked_for_in_many_words() -> None:
    assert parse_content_type("application/json; verbose=true").verbose
    assert parse_content_type("application/json;verbose").verbose
    assert not parse_content_type("application/json;verbose=false").verbose
    assert not ContentType("application/json").verbose


def test_every_alias_and_extension_is_of_a_known_format_and_documented() -> None:
    assert {*ALIASES.values(), *EXTENSIONS.values()} == set(FORMATS)
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| [")]
    told = {row.split("`")[1]: set(row.split("`")[3::2]) for row in rows}
    for name in FORMATS:
        names = {alias for alias, kind in {**ALIASES, **EXTENSIONS}.items() if kind == name}
        assert told[name] - {"label"} == names
