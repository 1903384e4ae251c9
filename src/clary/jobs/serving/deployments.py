"""What an endpoint is made of, as plain JSON that outlives its configuration and its models."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from clary import settings
from clary.errors import CallerError
from clary.jobs.model_data import fetched_data, model_data
from clary.jobs.platform import Platform
from clary.jobs.serving.fleet import Fleet, Instance, Variant
from clary.jobs.serving.invocations import LOG_GROUP
from clary.jobs.serving.model_process import ModelProcess, ServingOrder

# config, models by name, weights and counts by variant, and the deployment's number
Deployment: TypeAlias = dict[str, Any]

_STARTUP_SECONDS = 240
# An idle serverless variant rests sooner
_SERVERLESS_IDLE_SECONDS = 300.0
_ASYNC_BYTES = 1 << 30


def deployment_of(
    config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], number: int
) -> Deployment:
    """A deployment with the weights and counts of its configuration."""
    variants = config["ProductionVariants"]
    return {
        "number": number,
        "config": dict(config),
        "models": {one["ModelName"]: models[one["ModelName"]] for one in variants},
        "weights": {one["VariantName"]: one.get("InitialVariantWeight", 1.0) for one in variants},
        "counts": {one["VariantName"]: one.get("InitialInstanceCount", 1) for one in variants},
    }


class Builder:
    """Makes the fleet of a deployment; `folder` is the deployment's own."""

    def __init__(self, platform: Platform, name: str, folder: Path, told: Deployment) -> None:
        self._platform, self._name, self._folder, self._told = platform, name, folder, told
        self._is_async = "AsyncInferenceConfig" in told["config"]

    def fleet(self) -> Fleet:
        """A fleet whose processes are not started.

        Raises:
            CallerError: a model's data cannot be fetched.
        """
        return Fleet([self._variant(one) for one in self._told["config"]["ProductionVariants"]])

    def instances(self, variant: str, count: int) -> list[Instance]:
        """So many instances of a variant; no more than processors, since more would be no faster.

        Raises:
            CallerError: the model's data cannot be fetched.
        """
        config = next(
            one
            for one in self._told["config"]["ProductionVariants"]
            if one["VariantName"] == variant
        )
        orders = list(self._orders(config))
        return [self._instance(variant, orders) for _ in range(min(count, settings.threads()))]

    def _variant(self, config: Mapping[str, Any]) -> Variant:
        name = config["VariantName"]
        model = self._told["models"][config["ModelName"]]
        first = containers_of(model)[0]
        serverless = config.get("ServerlessConfig")
        idle = float(settings.idle_seconds())
        return Variant(
            name=name,
            weight=self._told["weights"][name],
            instances=self.instances(name, self._told["counts"][name]),
            direct=model.get("InferenceExecutionConfig", {}).get("Mode") == "Direct",
            prefix=model_data(first)[0] if is_multi_model(first) else None,
            most_at_once=serverless["MaxConcurrency"] if serverless else 0,
            idle_seconds=min(idle, _SERVERLESS_IDLE_SECONDS) if serverless else idle,
        )

    def _instance(self, variant: str, orders: Sequence[ServingOrder]) -> Instance:
        identity = f"i-{secrets.token_hex(9)[:17]}"
        processes = []
        for order in orders:
            stream = f"{variant}/{identity}"
            if len(orders) > 1:
                stream += f"/{order.hostname}"
            log = partial(self._platform.logs.writer, f"{LOG_GROUP}/{self._name}", stream)
            folder = self._folder / "instances" / identity / order.hostname
            processes.append(ModelProcess(self._platform.engine, order, folder, log))
        return Instance(processes)

    def _orders(self, config: Mapping[str, Any]) -> Iterator[ServingOrder]:
        model = self._told["models"][config["ModelName"]]
        containers = containers_of(model)
        for number, container in enumerate(containers, start=1):
            default = f"container-{number}" if len(containers) > 1 else "primary"
            hostname = container.get("ContainerHostname", default)
            yield ServingOrder(
                hostname,
                container["_Algorithm"],
                self._model(config["VariantName"], hostname, container),
                self._environment(container),
                is_multi_model(container),
                container.get("MultiModelConfig", {}).get("ModelCacheSetting") != "Disabled",
            )

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        environment = dict(container.get("Environment", {}))
        if self._is_async:
            environment.setdefault("MAX_CONTENT_LENGTH", str(_ASYNC_BYTES))
        if is_multi_model(container):
            environment["SAGEMAKER_MULTI_MODEL"] = "true"
        return {**environment, "AWS_REGION": self._platform.account.region}

    def _model(self, variant: str, hostname: str, container: Mapping[str, Any]) -> Path:
        """The model's own copy of its data, which later changes in the store do not touch."""
        folder = self._folder / "models" / variant / hostname
        if is_multi_model(container):
            return folder
        try:
            return fetched_data(container, folder, self._platform.stores)
        except CallerError as error:
            raise CallerError.of(
                f'model data for container "{hostname}" of production variant {variant}',
                f"cannot be fetched from {model_data(container)[0]}: {error}",
                remedy="Make sure that there is an object at this URL.",
            ) from None


def containers_of(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers of a CreateModel request."""
    return list(model.get("Containers") or [model["PrimaryContainer"]])


def is_multi_model(container: Mapping[str, Any]) -> bool:
    return container.get("Mode") == "MultiModel"


def startup_seconds(told: Deployment, variant: str) -> float:
    """How long a variant's containers may take to answer their first ping."""
    for config in told["config"]["ProductionVariants"]:
        if config["VariantName"] == variant:
            given = config.get("ContainerStartupHealthCheckTimeoutInSeconds", _STARTUP_SECONDS)
            return float(given)
    return float(_STARTUP_SECONDS)
