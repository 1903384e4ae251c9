"""Content types: their names, aliases and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clary.errors import CallerError

RECORDIO = "application/x-recordio-protobuf"
CSV = "text/csv"
LIBSVM = "text/libsvm"
PARQUET = "application/x-parquet"
JSON = "application/json"
JSONLINES = "application/jsonlines"

ALIASES: Mapping[str, str] = {
    "csv": CSV,
    "text/x-csv": CSV,
    "libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "parquet": PARQUET,
    "application/parquet": PARQUET,
    "application/vnd.apache.parquet": PARQUET,
    "recordio-protobuf": RECORDIO,
    "x-recordio-protobuf": RECORDIO,
    "application/x-recordio": RECORDIO,
    "protobuf": RECORDIO,
    "json": JSON,
    "jsonlines": JSONLINES,
    "application/x-jsonlines": JSONLINES,
    "application/jsonl": JSONLINES,
    "application/x-ndjson": JSONLINES,
}
EXTENSIONS: Mapping[str, str] = {
    ".csv": CSV,
    ".libsvm": LIBSVM,
    ".svm": LIBSVM,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".recordio": RECORDIO,
    ".rec": RECORDIO,
    ".pbr": RECORDIO,
    ".protobuf": RECORDIO,
    ".json": JSON,
    ".jsonl": JSONLINES,
    ".jsonlines": JSONLINES,
    ".ndjson": JSONLINES,
}


@dataclass(frozen=True)
class ContentType:
    """`text/csv;label_size=1` in parts. `name` is the canonical name, `written` what was said."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    written: str = ""

    def __str__(self) -> str:
        return ";".join([self.name, *(f"{key}={value}" for key, value in self.parameters.items())])

    def label_size(self, default: int) -> int:
        """The number of leading label columns.

        Raises:
            CallerError: the parameter is not a whole number from 0 on.
        """
        given = self.parameters.get("label_size")
        if given is None:
            return default
        if not given.isdecimal() or len(given) > 6:
            raise CallerError.of(
                f"content type {self.written!r}", "label_size must be a whole number", given
            )
        return int(given)

    @property
    def charset(self) -> str:
        """The encoding of text, under either of its names; empty for UTF-8."""
        return self.parameters.get("charset") or self.parameters.get("encoding") or ""

    @property
    def verbose(self) -> bool:
        """Whether the answer was asked for with `;verbose` or `;verbose=true`."""
        return self.parameters.get("verbose", "false").lower() in {"true", ""}


def parse_content_type(text: str) -> ContentType:
    """The content type in canonical form: aliases resolved, case and spaces forgiven."""
    head, *rest = (part.strip() for part in text.split(";"))
    parameters = {}
    for part in rest:
        key, _, value = part.partition("=")
        if key.strip():
            parameters[key.strip().lower()] = value.strip().strip('"')
    name = head.lower()
    return ContentType(ALIASES.get(name, name), parameters, text)
