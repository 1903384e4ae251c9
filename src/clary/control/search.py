"""Search over resources, and suggestions of what can be searched for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from clary.aws.errors import Refusal, invalid
from clary.control import endpoints, models, training_jobs
from clary.control.pages import offset_page
from clary.db.resources import Row
from clary.jobs import training
from clary.jobs.platform import Platform

# Resource types of the API: the kind of their rows, and what a found one looks like
_SEARCHED: Mapping[str, tuple[str, Callable[[Platform, Row], dict[str, Any]]]] = {
    "Endpoint": (
        "endpoint",
        lambda platform, row: endpoints.describe(platform, {"EndpointName": row.name}),
    ),
    "Model": (
        "model",
        lambda platform, row: {"Model": models.describe(platform, {"ModelName": row.name})},
    ),
    "TrainingJob": (training.KIND, lambda platform, row: training_jobs.described(row)),
}
IGNORED: Mapping[str, str] = {
    "CrossAccountFilterOption": "without effect: there is one account",
    "VisibilityConditions": "without effect: there is one account",
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def search(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """Resources of a type that a SearchExpression fits, newest first if nothing else is said."""
    name = request["Resource"]
    if name not in _SEARCHED:
        raise invalid(f"Resource {name} cannot be searched here. Known: {', '.join(_SEARCHED)}")
    kind, described = _SEARCHED[name]
    found = []
    for row in platform.resources.each(kind):
        tags = platform.resources.tags(row)
        try:
            members = described(platform, row)
        except Refusal:
            # It was deleted meanwhile
            continue
        members["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if _fits(request.get("SearchExpression", {}), members):
            found.append(members)
    sort = request.get("SortBy", "LastModifiedTime")
    found.sort(key=lambda members: _sortable(_value(members, sort)))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return offset_page("Results", [{name: members} for members in found], request)


def suggestions(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """Names of members that start with what was typed."""
    name = request["Resource"]
    if name not in _SEARCHED:
        return {"PropertyNameSuggestions": []}
    kind, described = _SEARCHED[name]
    typed = request.get("SuggestionQuery", {}).get("PropertyNameQuery", {})
    hint = typed.get("PropertyNameHint", "")
    names = {
        member
        for number, row in enumerate(platform.resources.each(kind))
        if number < 100
        for member in described(platform, row)
        if hint.lower() in member.lower()
    }
    return {"PropertyNameSuggestions": [{"PropertyName": each} for each in sorted(names)[:100]]}


def _fits(expression: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    answers = [
        *(_passes(one, members) for one in expression.get("Filters", [])),
        *(_nested(one, members) for one in expression.get("NestedFilters", [])),
        *(_fits(one, members) for one in expression.get("SubExpressions", [])),
    ]
    if not answers:
        return True
    return any(answers) if expression.get("Operator", "And") == "Or" else all(answers)


def _nested(nested: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    """Whether one item of a list passes all filters, whose names begin with the list's."""
    path = nested["NestedPropertyName"]
    items = _value(members, path)
    return any(
        all(
            _passes({**one, "Name": one["Name"].removeprefix(f"{path}.")}, item)
            for one in nested["Filters"]
        )
        for item in (items if isinstance(items, list) else [])
    )


def _passes(one: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    found, sign, wanted = (
        _value(members, one["Name"]),
        one.get("Operator", "Equals"),
        one.get("Value"),
    )
    if sign == "Exists":
        return found is not None
    if sign == "NotExists":
        return found is None
    if wanted is None:
        raise invalid(f"The filter of {one['Name']} with {sign} needs a Value")
    values = found if isinstance(found, list) else [found]
    if sign == "Equals":
        return any(_same(value, wanted) for value in values)
    if sign == "NotEquals":
        return not any(_same(value, wanted) for value in values)
    if sign == "Contains":
        return any(wanted in str(value) for value in values if value is not None)
    if sign == "In":
        return any(_same(value, each) for value in values for each in wanted.split(","))
    compare = _ORDER[sign]
    return any(
        compare(*pair) for value in values if (pair := _comparable(value, wanted)) is not None
    )


def _value(members: Any, path: str) -> Any:
    """A member by its path: `Tags.key`, `HyperParameters.k`, `Metrics.name`, …."""
    if path.startswith("Tags."):
        return {tag["Key"]: tag["Value"] for tag in members.get("Tags", [])}.get(path[5:])
    if path.startswith("Metrics."):
        metrics = members.get("FinalMetricDataList", [])
        return {one["MetricName"]: one["Value"] for one in metrics}.get(path[8:])
    head, _, rest = path.partition(".")
    if isinstance(members, list):
        return [_value(item, path) for item in members]
    if not isinstance(members, Mapping):
        return None
    # A hyperparameter's own name may have dots
    if path in members:
        return members[path]
    return _value(members[head], rest) if rest and head in members else members.get(path)


def _same(value: Any, wanted: str) -> bool:
    pair = _comparable(value, wanted)
    return str(value) == wanted or (pair is not None and pair[0] == pair[1])


def _comparable(value: Any, wanted: str) -> tuple[float, float] | None:
    """Both as numbers; times may be written as ISO 8601."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    try:
        return number, float(wanted)
    except ValueError:
        pass
    try:
        return number, datetime.fromisoformat(wanted.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _sortable(value: Any) -> tuple[int, Any]:
    """Numbers before texts before what is missing."""
    if isinstance(value, int | float):
        return 0, value
    return (2, "") if value is None else (1, str(value))
