"""Lists in pages: filters, order, tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from clary.aws.errors import invalid
from clary.db.resources import Row, Wanted
from clary.jobs.platform import Platform

_DEFAULT = 10
_LARGEST = 2**63


def rows_page(
    platform: Platform,
    kind: str,
    request: Mapping[str, Any],
    *,
    sort: str = "CreationTime",
    order: str = "Descending",
) -> tuple[list[Row], dict[str, str]]:
    """The rows of a list request's page, and its NextToken if there is another page.

    Raises:
        Refusal: the token is none of this list.
    """
    sort = request.get("SortBy", sort)
    wanted = Wanted(
        contains=request.get("NameContains"),
        status=request.get("StatusEquals"),
        created_after=milliseconds_of(request.get("CreationTimeAfter")),
        created_before=milliseconds_of(request.get("CreationTimeBefore")),
        modified_after=milliseconds_of(request.get("LastModifiedTimeAfter")),
        modified_before=milliseconds_of(request.get("LastModifiedTimeBefore")),
        sort=sort,
        descending=request.get("SortOrder", order) == "Descending",
        limit=request.get("MaxResults", _DEFAULT),
        after=_after(request.get("NextToken"), sort),
    )
    rows, after = platform.resources.page(kind, wanted)
    return rows, {"NextToken": _token([sort, *after])} if after else {}


def offset_page(
    member: str, items: Sequence[Any], request: Mapping[str, Any], limit: int = _DEFAULT
) -> dict[str, Any]:
    """A page of a list that is all there."""
    begin = _read_token(request.get("NextToken"), [int])[0] if "NextToken" in request else 0
    end = begin + request.get("MaxResults", limit)
    page: dict[str, Any] = {member: list(items[begin:end])}
    if end < len(items):
        page["NextToken"] = _token([end])
    return page


def milliseconds_of(seconds: float | None) -> int | None:
    """A time of a request, as the tables keep it."""
    return None if seconds is None else round(seconds * 1000)


def _after(token: str | None, sort: str) -> tuple[Any, int] | None:
    if token is None:
        return None
    kind = str if sort in {"Name", "Status"} else int
    said, value, identity = _read_token(token, [str, kind, int])
    if said != sort:
        raise invalid("Invalid pagination token")
    return value, identity


def _token(position: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(position)).encode()).decode()


def _read_token(token: str | None, kinds: Sequence[type]) -> list[Any]:
    try:
        position = json.loads(base64.b64decode(token or "", altchars=b"-_", validate=True))
        numbers = [one for one in position if isinstance(one, int)]
        fits = all(0 <= number < _LARGEST for number in numbers)
        if fits and [type(one) for one in position] == list(kinds):
            return list(position)
    except (ValueError, TypeError, RecursionError):
        pass
    raise invalid("Invalid pagination token")
