"""Answers as bytes, in the protocols that clients speak: JSON, and the older Query's XML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from clary.aws.errors import Refusal


@dataclass(frozen=True)
class Answer:
    """What goes back to a client."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def json_answer(members: Mapping[str, Any] | None, version: str = "1.1") -> Answer:
    """Members that are None are left out, times are seconds of the epoch."""
    body = json.dumps(_json(members or {})).encode()
    return Answer(200, _headers(f"application/x-amz-json-{version}"), body)


def json_refusal(refusal: Refusal, version: str = "1.1") -> Answer:
    """As botocore reads errors: the code in `__type` and in a header."""
    told = {"__type": refusal.code, "message": refusal.message, **refusal.members}
    headers = _headers(f"application/x-amz-json-{version}")
    headers["x-amzn-errortype"] = refusal.code
    return Answer(refusal.status, headers, json.dumps(_json(told)).encode())


def rest_refusal(refusal: Refusal) -> Answer:
    """An error of the runtime, whose models write the message with a capital."""
    told = {"Message": refusal.message, **refusal.members}
    headers = {**_headers("application/json"), "x-amzn-errortype": refusal.code}
    return Answer(refusal.status, headers, json.dumps(_json(told)).encode())


def query_answer(model: OperationModel, members: Mapping[str, Any]) -> Answer:
    """`<GetRoleResponse><GetRoleResult>…`, of older protocols."""
    namespace = model.service_model.metadata.get("xmlNamespace", "")
    result = ""
    if model.output_shape:
        wrapper = model.output_shape.serialization.get("resultWrapper", f"{model.name}Result")
        result = f"<{wrapper}>{_xml(model.output_shape, members)}</{wrapper}>"
    request = f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata>"
    body = f'<{model.name}Response xmlns="{namespace}">{result}{request}</{model.name}Response>'
    return Answer(200, _headers("text/xml"), body.encode())


def query_refusal(refusal: Refusal) -> Answer:
    """An error of the Query protocol."""
    kind = "Sender" if refusal.status < 500 else "Receiver"
    told = (
        f"<Type>{kind}</Type><Code>{escape(refusal.code)}</Code>"
        f"<Message>{escape(refusal.message)}</Message>"
    )
    body = f"<ErrorResponse><Error>{told}</Error><RequestId>{uuid4()}</RequestId></ErrorResponse>"
    return Answer(refusal.status, _headers("text/xml"), body.encode())


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": str(uuid4())}


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return value


def _xml(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(
            _element(member.serialization.get("name", name), _xml(member, value[name]))
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if isinstance(shape, ListShape):
        return "".join(_element("member", _xml(shape.member, item)) for item in value)
    if isinstance(shape, MapShape):
        return "".join(
            _element(
                "entry", _element("key", escape(key)) + _element("value", _xml(shape.value, v))
            )
            for key, v in value.items()
        )
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"
