"""The operations there are: service, operation, function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clary.control import (
    algorithms,
    endpoint_configs,
    endpoints,
    hub,
    iam,
    logs,
    metrics,
    models,
    search,
    sts,
    tags,
    training_jobs,
    transform_jobs,
)
from clary.jobs.platform import Platform

Operation: TypeAlias = Callable[[Platform, dict[str, Any]], dict[str, Any] | None]

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "sagemaker": {
        "AddTags": tags.add,
        "CreateAlgorithm": algorithms.create,
        "CreateEndpoint": endpoints.create,
        "CreateEndpointConfig": endpoint_configs.create,
        "CreateModel": models.create,
        "CreateTrainingJob": training_jobs.create,
        "CreateTransformJob": transform_jobs.create,
        "DeleteAlgorithm": algorithms.delete,
        "DeleteEndpoint": endpoints.delete,
        "DeleteEndpointConfig": endpoint_configs.delete,
        "DeleteModel": models.delete,
        "DeleteTags": tags.delete,
        "DeleteTrainingJob": training_jobs.delete,
        "DescribeAlgorithm": algorithms.describe,
        "DescribeEndpoint": endpoints.describe,
        "DescribeEndpointConfig": endpoint_configs.describe,
        "DescribeHubContent": hub.describe,
        "DescribeModel": models.describe,
        "DescribeTrainingJob": training_jobs.describe,
        "DescribeTransformJob": transform_jobs.describe,
        "GetSearchSuggestions": search.suggestions,
        "ListAlgorithms": algorithms.list_,
        "ListEndpointConfigs": endpoint_configs.list_,
        "ListEndpoints": endpoints.list_,
        "ListModels": models.list_,
        "ListTags": tags.list_,
        "ListTrainingJobs": training_jobs.list_,
        "ListTransformJobs": transform_jobs.list_,
        "Search": search.search,
        "StopTrainingJob": training_jobs.stop,
        "StopTransformJob": transform_jobs.stop,
        "UpdateEndpoint": endpoints.update,
        "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
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
    "sts": {
        "AssumeRole": sts.assume_role,
        "GetCallerIdentity": sts.caller_identity,
        "GetSessionToken": sts.session_token,
    },
    "iam": {
        "GetRole": iam.get_role,
        "GetUser": iam.get_user,
        "ListAttachedRolePolicies": iam.list_attached_role_policies,
        "ListRoles": iam.list_roles,
        "SimulatePrincipalPolicy": iam.simulate_principal_policy,
    },
}
