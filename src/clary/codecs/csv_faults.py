"""What is wrong with a line of CSV, in words, and the likely cause."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from clary.codecs.csv_rows import BLANK, Layout, LineFault, number_in, unquoted
from clary.codecs.lines import Block
from clary.errors import CallerError

_ASK_TYPE = "say text/csv;label_size="
_PANDAS = "pandas: to_csv(header=False, index=False)"
_CAUSES = (
    (rb"true|false|t|f|yes|no|y|n|on|off", "Write truth values as 1 and 0."),
    (rb"0x[0-9a-f]+", "Write numbers to base ten."),
    (rb"[+-]?\d[\d_' ]*[\d.]*", "Write digits without anything between them."),
    (
        rb"[+-]?[\d.]*,[\d.,]*",
        "Write a decimal point, and nothing between thousands.",
    ),
    (
        rb"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4})([T ].*)?|\d\d?:\d\d(:\d\d.*)?",
        "Dates and times must become numbers, such as days since a fixed one.",
    ),
    (rb"[^\w]*[+-]?[\d.]+\s*[^\w\s]+|\D{1,3}\s*[\d.]+", "Leave out units and signs of currency."),
)
_ABSENT = re.compile(rb"na|n/a|#n/a|<na>|nan|null|none|nil|missing|unknown|\?|-+|\.", re.IGNORECASE)
_INDEX_NAMES = {b"", b"index", b"id", b"row", b"unnamed: 0", b"rownames"}


def explained(fault: LineFault, layout: Layout, block: Block, name: str) -> CallerError:
    """The fault as the user is to read it. `block` is where it was found."""
    fields = layout.fields(fault.line)
    place = f"{name}, line {fault.number}"
    if fault.column is None:
        count = f"must have {_counted(layout.columns)} as line {layout.first[0]} has"
        return CallerError.of(place, count, len(fields), _ragged_cause(fields, layout))
    column = fault.column
    text = fields[column].strip()
    return CallerError.of(
        f"{place}, column {column + 1}",
        _rule(column, text, layout),
        text.decode("utf-8", "backslashreplace"),
        _cause(fault.number, column, fields, layout, block),
    )


def check_columns(layout: Layout, block: Block, name: str) -> None:
    """The first line has the columns that it must have.

    Raises:
        CallerError: it has not.
    """
    reading, columns = layout.reading, layout.columns
    place = f"{name}, line {layout.first[0]}"
    if columns <= reading.lead:
        raise CallerError.of(
            place,
            f"must have features after {reading.lead_words}",
            _counted(columns),
            f"If there is no label column, {_ASK_TYPE}0." if reading.label_size else "",
        )
    if reading.width is not None and columns - reading.lead != reading.width:
        after = f" after {reading.lead_words}" if reading.lead else ""
        raise CallerError.of(
            place,
            f"must have {reading.width:,} features{after}",
            columns - reading.lead,
            _width_cause(columns - reading.lead - reading.width, layout, block),
        )


def suspicions(block: Block, layout: Layout) -> list[str]:
    """What looks wrong in the first lines of a file although every field is a number."""
    lines = [layout.fields(line) for _, line in block.lines()]
    found = []
    if len(lines) > 1 and layout.columns > 2 and _counts(lines[0]):
        found.append(
            "Line 1 counts the columns: it looks like a header line. Remove it (tail -n +2)."
        )
        lines = lines[1:]
    if _counts([fields[0] for fields in lines]):
        found.append(f"Column 1 counts the rows: it looks like an index. Leave it out ({_PANDAS}).")
    return found


def _rule(column: int, text: bytes, layout: Layout) -> str:
    role = _role(column, layout)
    try:
        value = number_in(text)
    except ValueError:
        return f"must be a number ({role})"
    if np.isnan(value):
        return f"must not be missing ({role})"
    if value < 0 and column == layout.reading.label_size and layout.reading.weights:
        return "must not be negative (the weight)"
    return f"must be a finite float32 number ({role})"


def _cause(number: int, column: int, fields: Sequence[bytes], layout: Layout, block: Block) -> str:
    text = fields[column].strip()
    if text.count(b'"') % 2:
        return "Is a quote left open?"
    if number == layout.first[0] and _is_header(fields, layout, block):
        return _header_cause(fields)
    if not text or _ABSENT.fullmatch(text):
        return _missing_cause(column, fields, layout)
    if _is_number(text):
        return "" if b"inf" in text.lower() else "The largest is about 3.4e38."
    if other := next((each for each in (b";", b"\t", b"|") if each in text), None):
        decimal = " with decimal commas" * (layout.delimiter == b"," and other == b";")
        return f"Are the fields separated by {other.decode()!r}{decimal}? Separate them by commas."
    for pattern, sentence in _CAUSES:
        if re.fullmatch(pattern, unquoted(text), re.IGNORECASE):
            return sentence
    if column < layout.reading.label_size:
        return "Label columns come first, and classes are numbers from 0. Is this another column?"
    if column == len(fields) - 1 and layout.reading.label_size:
        return "If this is the label: it must be the first column, and a number."
    return "Write categories as numbers, or as one column of 0 and 1 for each."


def _is_header(fields: Sequence[bytes], layout: Layout, block: Block) -> bool:
    """Whether the first line has text where the next one has numbers (or is the only line)."""
    lines = block.lines()
    next(lines)
    _, second = next(lines, (0, b""))
    below = layout.fields(second) if second else []
    named = [place for place, field in enumerate(fields) if not _is_number(field)]
    if not below:
        return len(named) == len(fields) > 1 and all(field.strip() for field in fields)
    return any(place < len(below) and _is_number(below[place]) for place in named)


def _header_cause(fields: Sequence[bytes]) -> str:
    cause = "This looks like a header line; SageMaker's CSV has none: remove it (tail -n +2)"
    if unquoted(fields[0]).lower() in _INDEX_NAMES:
        return f"{cause}, and the first column too if it is an index ({_PANDAS})."
    return f"{cause}."


def _missing_cause(column: int, fields: Sequence[bytes], layout: Layout) -> str:
    if column == len(fields) - 1 and not fields[column].strip() and column >= layout.reading.lead:
        return "Does every line end with a delimiter? Leave it out, or fill the value in."
    if layout.reading.missing and column >= layout.reading.lead:
        return "Leave the field of a missing value empty."
    return "Fill missing values in, or leave the row out."


def _ragged_cause(fields: Sequence[bytes], layout: Layout) -> str:
    if len(fields) == layout.columns + 1 and not fields[-1].strip():
        return "The line ends with a delimiter."
    if any(b'"' in field for field in fields):
        return "Is a quote left open?"
    if len(fields) < layout.columns:
        return "Is the line cut short?"
    if layout.delimiter == b"," and len(fields) > layout.columns:
        return "Is there a decimal comma?"
    return "Blanks separate fields here." if layout.delimiter == BLANK else ""


def _width_cause(excess: int, layout: Layout, block: Block) -> str:
    first = [layout.fields(line)[0] for _, line in block.lines()]
    if excess > 0 and len(first) > 2 and _counts(first):
        return f"Column 1 counts the rows: is it an index? Leave it out ({_PANDAS})."
    if excess == 1 and layout.reading.label_size == 0:
        return f"If the first column is a label, leave it out or {_ASK_TYPE}1."
    if excess == -1 and layout.reading.label_size == 1:
        return f"If there is no label column, {_ASK_TYPE}0."
    return ""


def _counts(fields: Sequence[bytes]) -> bool:
    """Whether fields are 0, 1, 2, … or 1, 2, 3, …, at least three of them."""
    texts = [unquoted(field) for field in fields]
    return len(texts) > 2 and any(
        texts == [b"%d" % number for number in range(start, start + len(texts))] for start in (0, 1)
    )


def _is_number(field: bytes) -> bool:
    try:
        return bool(field.strip()) and number_in(field) is not None
    except ValueError:
        return False


def _role(column: int, layout: Layout) -> str:
    labels = layout.reading.label_size
    if column < labels:
        return "the label" if labels == 1 else f"label {column}"
    return (
        "the weight" if column < layout.reading.lead else f"feature {column - layout.reading.lead}"
    )


def _counted(count: int) -> str:
    return f"{count:,} field" if count == 1 else f"{count:,} fields"
