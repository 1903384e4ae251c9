"""Requests and answers of AWS's services, as botocore's bundled models describe them."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# botocore's folder of each service by the service that a credential scope or a target names
_FOLDERS = {
    "sagemaker": "sagemaker",
    "sagemaker-runtime": "sagemaker-runtime",
    "logs": "logs",
    "cloudwatch": "cloudwatch",
    "sts": "sts",
    "iam": "iam",
}


@cache
def service(name: str) -> ServiceModel:
    """The model of a service; the first call reads it (0.2 s for sagemaker)."""
    folder = _FOLDERS[name]
    return ServiceModel(Loader().load_service_model(folder, "service-2"), folder)


@cache
def operation(service_name: str, name: str) -> OperationModel | None:
    """The model of an operation; None where the service has no such one."""
    model = service(service_name)
    return model.operation_model(name) if name in model.operation_names else None
