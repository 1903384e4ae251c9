"""The operations there are: service, operation, function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clary.control import algorithms, logs, metrics, search, tags, training_jobs
from clary.jobs.platform import Platform

Operation: TypeAlias = Callable[[Platform, dict[str, Any]], dict[str, Any] | None]

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "sagemaker": {
        "AddTags": tags.add,
        "CreateAlgorithm": algorithms.create,
        "CreateTrainingJob": training_jobs.create,
        "DeleteAlgorithm": algorithms.delete,
        "DeleteTags": tags.delete,
        "DeleteTrainingJob": training_jobs.delete,
        "DescribeAlgorithm": algorithms.describe,
        "DescribeTrainingJob": training_jobs.describe,
        "GetSearchSuggestions": search.suggestions,
        "ListAlgorithms": algorithms.list_,
        "ListTags": tags.list_,
        "ListTrainingJobs": training_jobs.list_,
        "Search": search.search,
        "StopTrainingJob": training_jobs.stop,
        "UpdateTrainingJob": training_jobs.update,
    },
    "logs": {
        "DescribeLogGroups": logs.describe_groups,
        "DescribeLogStreams": logs.describe_streams,
        "FilterLogEvents": logs.filter_events,
        "GetLogEvents": logs.get_events,
    },
    "cloudwatch": {
        "GetMetricData": metrics.get_data,
        "GetMetricStatistics": metrics.get_statistics,
        "ListMetrics": metrics.list_metrics,
    },
    "sts": {},
    "iam": {},
}
