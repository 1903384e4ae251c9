"""CloudWatch: metrics of training jobs, as TrainingJobAnalytics reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import floor
from typing import Any

from clary.aws.errors import Refusal
from clary.control.pages import offset_page
from clary.db.metrics import Value
from clary.db.resources import Row
from clary.jobs import training
from clary.jobs.platform import Platform

NAMESPACE = "/aws/sagemaker/TrainingJobs"
_DIMENSION = "TrainingJobName"
IGNORED: Mapping[str, str] = {
    "AccountId": "without effect: there is one account",
    "Expression": "refused: there is no arithmetic of metrics",
    "ExtendedStatistics": "refused: there are no percentiles",
    "GetMetricData.NextToken": "without effect: the answer is whole",
    "IncludeLinkedAccounts": "without effect: there is one account",
    "LabelOptions": "without effect: times are of UTC",
    "MaxDatapoints": "without effect: the answer is whole",
    "OwningAccount": "without effect: there is one account",
    "RecentlyActive": "without effect: all metrics are listed",
    "Unit": "without effect: values have no unit",
}
UNTOLD: Mapping[str, str] = {
    "Messages.Code": "there are no messages",
    "OwningAccounts": "there is one account",
}
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": lambda values: float(len(values)),
}
_MOST_POINTS, _METRICS_OF_A_PAGE = 100_800, 500


def get_statistics(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name, period = request["MetricName"], request["Period"]
    if "ExtendedStatistics" in request:
        raise _not_here("ExtendedStatistics")
    wanted = request.get("Statistics", [])
    points = [
        {"Timestamp": begin, "Unit": "None"}
        | {statistic: _STATISTICS[statistic](values) for statistic in wanted}
        for begin, values in _periods(platform, request["Namespace"], request, name, period)
    ]
    return {"Label": name, "Datapoints": points}


def get_data(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    results = []
    for query in request["MetricDataQueries"]:
        if "Expression" in query:
            raise _not_here("Expression")
        if "MetricStat" not in query:
            raise _not_here("A query without MetricStat")
        asked = query["MetricStat"]
        if asked["Stat"] not in _STATISTICS:
            raise _not_here(f"Stat {asked['Stat']}")
        if not query.get("ReturnData", True):
            continue
        metric = {**request, "Dimensions": asked["Metric"].get("Dimensions", [])}
        name = asked["Metric"]["MetricName"]
        found = list(
            _periods(platform, asked["Metric"]["Namespace"], metric, name, asked["Period"])
        )
        if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            found.reverse()
        statistic = _STATISTICS[asked["Stat"]]
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label", name),
                "Timestamps": [begin for begin, _ in found],
                "Values": [statistic(values) for _, values in found],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": []}


def list_metrics(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    wanted = request.get("MetricName")
    asked = {one["Name"]: one.get("Value") for one in request.get("Dimensions", [])}
    found = [
        {
            "Namespace": NAMESPACE,
            "MetricName": name,
            "Dimensions": [{"Name": _DIMENSION, "Value": row.name}],
        }
        for row in platform.resources.each(training.KIND)
        if request.get("Namespace", NAMESPACE) == NAMESPACE
        and asked.get(_DIMENSION, row.name) == row.name
        for name in sorted({value.name for value in platform.metrics.of(row)})
        if wanted in {None, name}
    ]
    return offset_page("Metrics", found, request, _METRICS_OF_A_PAGE)


def _not_here(what: str) -> Refusal:
    known = ", ".join(_STATISTICS)
    return Refusal("InvalidParameterValue", f"{what} is not available here; statistics: {known}")


def _periods(
    platform: Platform, namespace: str, request: Mapping[str, Any], name: str, period: int
) -> Iterable[tuple[float, list[float]]]:
    """The values of a metric in each period, by its begin in seconds of the epoch."""
    row = _job(platform, namespace, request.get("Dimensions", []))
    if row is None:
        return []
    begin, end = request["StartTime"], request["EndTime"]
    # The begin is rounded down to a whole period, as CloudWatch does
    begin = floor(begin / period) * period
    between = round(begin * 1000), round(end * 1000)
    found: dict[float, list[float]] = {}
    for value in platform.metrics.of(row, name, between)[:_MOST_POINTS]:
        found.setdefault(_begin(value, period), []).append(value.value)
    return sorted(found.items())


def _begin(value: Value, period: int) -> float:
    return floor(value.time / 1000 / period) * period


def _job(platform: Platform, namespace: str, dimensions: Sequence[Mapping[str, str]]) -> Row | None:
    names = [one["Value"] for one in dimensions if one["Name"] == _DIMENSION]
    if namespace != NAMESPACE or len(names) != 1:
        return None
    return platform.resources.find(training.KIND, names[0])
