"""What a batch transform does to records before and after the model: filters, and joining."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clary.codecs.content_type import CSV, JSON, JSONLINES, parse_content_type
from clary.errors import CallerError
from clary.jobs.transforming.record_paths import Absent, Path, read_path

INPUT, OUTPUT = "SageMakerInput", "SageMakerOutput"
_WHOLE = "$"
# RFC 4180; a field is quoted whole or not at all
_FIELD = re.compile(r'("(?:[^"]|"")*"|[^",]*)(,|$)')


@dataclass(frozen=True)
class DataProcessing:
    """Filters and the join of one transform; `is_csv`: records are rows, else JSON values."""

    input_filter: Path
    output_filter: Path
    joins: bool
    is_csv: bool

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> DataProcessing | None:
        """What a CreateTransformJob asks for; None where records and answers stay as they are.

        Raises:
            CallerError: a path is none, or the forms of input and output do not go with it.
        """
        given = request.get("DataProcessing", {})
        read = [
            read_path(f"DataProcessing.{name}", given.get(name, _WHOLE))
            for name in ("InputFilter", "OutputFilter")
        ]
        joins = given.get("JoinSource", "None") == "Input"
        if all(path.is_whole for path in read) and not joins:
            return None
        is_csv = _checked_forms(request, joins, not read[1].is_whole)
        for path in read:
            if is_csv and not path.is_of_places:
                rule = "must be one step of numbers for text/csv, such as $[1:] or $[0,-1]"
                raise CallerError.of("DataProcessing", rule, path.text)
        return cls(read[0], read[1], joins, is_csv)

    def sent(self, records: Sequence[bytes]) -> bytes:
        """The body of a request with these records: what the input filter leaves of each.

        Raises:
            CallerError: a record is malformed, or has nothing where the filter looks.
        """
        if self.input_filter.is_whole:
            return b"\n".join(records)
        return b"\n".join(
            self._filtered("InputFilter", self.input_filter, self._read(one, "record"))
            for one in records
        )

    def stored(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """What is written for these records, a line for each, by the model's answer to them.

        Raises:
            CallerError: there are more or fewer answers than records, one cannot be read, or has
                nothing where the filter looks.
        """
        if self.output_filter.is_whole and not self.joins:
            return answer
        answers = self._answers(answer, len(records))
        if self.is_csv and self.output_filter.is_whole:
            return b"\n".join(b"%b,%b" % pair for pair in zip(records, answers, strict=True))
        return b"\n".join(
            self._filtered("OutputFilter", self.output_filter, self._joined(record, one))
            for record, one in zip(records, answers, strict=True)
        )

    def _answers(self, answer: bytes, count: int) -> list[bytes]:
        if count == 1 and not self.is_csv:
            return [answer]
        lines = [line for line in answer.split(b"\n") if line.strip()]
        if len(lines) != count:
            remedy = "Joins and output filters need an answer in a line of its own for each record."
            raise CallerError.of(
                "answer of the model", f"must have {count} lines", len(lines), remedy
            )
        return lines

    def _joined(self, record: bytes, answer: bytes) -> Any:
        told = self._read(answer, "answer")
        if not self.joins:
            return told
        given = self._read(record, "record")
        if self.is_csv:
            return [*given, *told]
        if isinstance(given, dict):
            return {**given, OUTPUT: told}
        return {INPUT: given, OUTPUT: told}

    def _read(self, text: bytes, what: str) -> Any:
        try:
            if self.is_csv:
                return fields_of(text.decode().rstrip("\r\n"))
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            kind = "CSV" if self.is_csv else "JSON"
            raise CallerError.of(what, f"must be {kind} ({error})", _shown(text)) from None

    def _filtered(self, name: str, path: Path, value: Any) -> bytes:
        try:
            part = path.of(value)
        except Absent as absent:
            raise CallerError.of(name, f"{path.text} does not fit a record: {absent}") from None
        if self.is_csv:
            return (part if isinstance(part, str) else ",".join(part)).encode()
        return json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()


def fields_of(line: str) -> list[str]:
    """The fields of a row of CSV as they are written, quotes and all.

    Raises:
        ValueError: a quote has no end, or stands inside a field.
    """
    if '"' not in line:
        return line.split(",")
    fields: list[str] = []
    at = 0
    while found := _FIELD.match(line, at):
        fields.append(found[1])
        at = found.end()
        if not found[2]:
            return fields
    raise ValueError(f"the quotes of field {len(fields) + 1} do not fit")


def _checked_forms(request: Mapping[str, Any], joins: bool, filters_output: bool) -> bool:
    """Whether the records are rows of CSV; both sides must be of one form.

    Raises:
        CallerError: they are not, or of a form of which no parts can be taken.
    """
    source, target = request["TransformInput"], request["TransformOutput"]
    read = _form("TransformInput.ContentType", source.get("ContentType"))
    if joins or filters_output:
        written = _form("TransformOutput.Accept", target.get("Accept"))
        if read != written:
            rule = "must be as TransformInput.ContentType with JoinSource or OutputFilter"
            raise CallerError.of("TransformOutput.Accept", rule, target.get("Accept"))
    split, assemble = source.get("SplitType", "None"), target.get("AssembleWith", "None")
    if joins and split != assemble:
        rule = f"must be as SplitType, {split}, with JoinSource"
        raise CallerError.of("TransformOutput.AssembleWith", rule, assemble)
    if split not in {"None", "Line"}:
        rule = "must be None or Line with DataProcessing"
        raise CallerError.of("TransformInput.SplitType", rule, split)
    if read == CSV and split != "Line":
        rule = "must be Line for text/csv with DataProcessing"
        raise CallerError.of("TransformInput.SplitType", rule, split)
    return read == CSV


def _form(thing: str, given: str | None) -> str:
    found = parse_content_type(given).name if given else None
    if found not in {CSV, JSON, JSONLINES}:
        rule = "must be text/csv, application/json or application/jsonlines with DataProcessing"
        raise CallerError.of(thing, rule, given)
    return found


def _shown(text: bytes) -> str:
    return text[:200].decode("utf-8", "replace")
