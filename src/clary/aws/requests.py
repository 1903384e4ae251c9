"""Requests of the control plane: which operation of which service is asked for, and with what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from clary.aws import query
from clary.aws.answers import Answer, json_answer, json_refusal, query_answer, query_refusal
from clary.aws.constraints import checked
from clary.aws.errors import Refusal
from clary.aws.services import operation

# The services that speak JSON by the prefix of their targets
TARGETS = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "cloudwatch",
}
# Those that speak Query, asked in this order who has an action, if the signature does not tell
_QUERY_SERVICES = {"sts": "sts", "iam": "iam", "monitoring": "cloudwatch"}
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]*/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Call:
    """An operation that is asked for, and its protocol. members: checked, unknown ones left out."""

    service: str
    name: str
    model: OperationModel
    members: dict[str, Any]
    protocol: str

    def answer(self, members: Mapping[str, Any] | None) -> Answer:
        if self.protocol == "query":
            return query_answer(self.model, members or {})
        return json_answer(members, self.protocol)


def is_json(headers: Mapping[str, str]) -> bool:
    return "x-amz-target" in headers


def is_query(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def protocol_of(headers: Mapping[str, str]) -> str:
    """`1.0` or `1.1` of JSON, or `query`."""
    if not is_json(headers):
        return "query"
    return "1.0" if headers.get("content-type", "").endswith("json-1.0") else "1.1"


def json_call(headers: Mapping[str, str], body: bytes) -> Call:
    """
    Raises:
        Refusal: no such operation, or a request that its model does not allow.
    """
    prefix, _, name = headers["x-amz-target"].rpartition(".")
    service = TARGETS.get(prefix)
    model = operation(service, name) if service else None
    if service is None or model is None:
        raise Refusal("UnknownOperationException", f"Unknown operation {prefix}.{name}"[:300])
    try:
        members = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal("SerializationException", "The request is not JSON") from None
    return Call(service, name, model, checked(model.input_shape, members), protocol_of(headers))


def query_call(headers: Mapping[str, str], body: bytes) -> Call:
    """
    Raises:
        Refusal: no such operation, or a request that its model does not allow.
    """
    fields = query.form(body)
    name = fields.get("Action", "")
    scope = _SCOPE.search(headers.get("authorization", ""))
    named = _QUERY_SERVICES.get(scope[1]) if scope else None
    for service in [named] if named else _QUERY_SERVICES.values():
        model = operation(service, name)
        if model:
            members = query.members(model.input_shape, fields)
            return Call(service, name, model, checked(model.input_shape, members), "query")
    raise Refusal("InvalidAction", f"Could not find operation {name[:100]}")


def refusal_answer(refusal: Refusal, protocol: str) -> Answer:
    if protocol == "query":
        return query_refusal(refusal)
    return json_refusal(refusal, protocol)
