"""The grammar of answers: which named arrays a model gives and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from clary.spec.columns import Column

JSON = "application/json"
JSONLINES = "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
CSV = "text/csv"
LIBSVM = "text/libsvm"
PARQUET = "application/x-parquet"
# Training formats that every dense algorithm of Clary takes beside SageMaker's own
BEYOND = (LIBSVM, PARQUET, JSONLINES)


@dataclass(frozen=True)
class Output:
    """One named answer for each row: a number, or a vector when `vector` says of what length.

    `verbose`: it is written only where the Accept header says `;verbose=true`.
    """

    name: str
    about: str
    kind: Literal["float", "integer"] = "float"
    vector: str = ""
    when: str = ""
    verbose: bool = False


@dataclass(frozen=True)
class Inference:
    """What the endpoint takes and gives. `json_top` is the key round the array of answers.

    The first of `returns` is the answer to a request that accepts anything. `respond` names the
    writer of answers that have a form of their own, `module:function` with the signature
    `(model, batch, content_type, serving) -> bytes`. `empty_status` answers a request without a
    body: 400, or 204 and no content. `columns` are those of rows that are not numbers.
    """

    outputs: tuple[Output, ...]
    accepts: tuple[str, ...] = (JSON, RECORDIO, CSV, JSONLINES)
    returns: tuple[str, ...] = (JSON, JSONLINES, RECORDIO)
    json_top: str = "predictions"
    default_content_type: str = RECORDIO
    missing: bool = False
    columns: tuple[Column, ...] = ()
    respond: str = ""
    empty_status: Literal[204, 400] = 400

    def describe(self) -> dict[str, Any]:
        return {
            "accepts": list(self.accepts),
            "returns": list(self.returns),
            "json_top": self.json_top,
            "outputs": [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "vector": one.vector or None,
                    "when": one.when or None,
                    "verbose": one.verbose,
                    "about": one.about,
                }
                for one in self.outputs
            ],
        }
