"""Endpoints, on the server's side: deployed, updated, deleted, and taken up again after a restart.

A row's state holds `_Deployment`, what serves, and during an update `_Next`, what is to serve.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clary.db.resources import Row
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.jobs.serving.deployments import Builder, Deployment, startup_seconds
from clary.jobs.serving.fleet import Fleet, Instance, LiveEndpoint
from clary.jobs.serving.model_process import NotHealthy

KIND = "endpoint"
CREATING, IN_SERVICE, UPDATING = "Creating", "InService", "Updating"
ROLLING_BACK, FAILED, DELETING = "RollingBack", "Failed", "Deleting"
# Taken up again after a restart: it answers as soon as its models are loaded
SYSTEM_UPDATING = "SystemUpdating"

_LOOK_SECONDS = 5.0
# How long a request waits for what it asked for, and how many do so at once
_PATIENCE_SECONDS, _PATIENT = 2.0, threading.BoundedSemaphore(3)
# How long requests may still take that an old fleet has
_DRAIN_SECONDS, _ASYNC_DRAIN_SECONDS = 90.0, 3700.0
_REASON_CHARACTERS = 1024

_log = logging.getLogger("clary.jobs")


def create(platform: Platform, row: Row) -> None:
    """Deploy an endpoint that is stored as Creating."""
    _awaited_a_little(_in_thread(platform, row.name, _create))


def update(platform: Platform, row: Row) -> None:
    """Replace the fleet of an endpoint that is stored as Updating, with `_Next`."""
    _awaited_a_little(_in_thread(platform, row.name, _update))


def rescale(platform: Platform, row: Row) -> None:
    """Give an endpoint that is stored as Updating the weights and counts of `_Next`."""
    _awaited_a_little(_in_thread(platform, row.name, _rescale))


def delete(platform: Platform, row: Row) -> None:
    """End an endpoint that is stored as Deleting."""
    _awaited_a_little(_in_thread(platform, row.name, _delete))


def recover(platform: Platform) -> None:
    """Take up the endpoints of an earlier server, and begin to look after all."""
    serving = (IN_SERVICE, SYSTEM_UPDATING, UPDATING, ROLLING_BACK)
    for row in platform.resources.in_status(KIND, serving):
        if row.status in {IN_SERVICE, ROLLING_BACK}:
            with platform.resources.changing(KIND, row.name) as changed:
                changed.status = SYSTEM_UPDATING
        _in_thread(platform, row.name, _restore)
    for row in platform.resources.in_status(KIND, (CREATING,)):
        _in_thread(platform, row.name, _create)
    for row in platform.resources.in_status(KIND, (DELETING,)):
        _in_thread(platform, row.name, _delete)
    threading.Thread(target=_watch, args=(platform,), daemon=True).start()


def _in_thread(
    platform: Platform, name: str, action: Callable[[Platform, Row], None]
) -> threading.Thread:
    def run() -> None:
        row = platform.resources.find(KIND, name)
        try:
            if row is not None:
                action(platform, row)
        except Exception as error:
            _log.exception("endpoint %s", name)
            told = f"InternalServerError: {type(error).__name__}: {error}"
            # What serves is left to serve
            (_rolled_back if platform.endpoints.find(name) else _failed)(platform, name, told)

    thread = threading.Thread(target=run, name=f"endpoint-{name}", daemon=True)
    thread.start()
    return thread


def _awaited_a_little(thread: threading.Thread) -> None:
    """Clients look every 30 seconds: what is done before the first look saves them that time."""
    if _PATIENT.acquire(blocking=False):
        try:
            thread.join(_PATIENCE_SECONDS)
        finally:
            _PATIENT.release()


def _create(platform: Platform, row: Row) -> None:
    told = row.state["_Deployment"]
    try:
        fleet = _started(platform, row, told)
    except _Unhealthy as error:
        _failed(platform, row.name, str(error))
        return
    platform.endpoints.add(LiveEndpoint(row.name, fleet, told["config"]))
    with _changing(platform, row.name) as changed:
        changed.status = IN_SERVICE


def _restore(platform: Platform, row: Row) -> None:
    told = row.state["_Deployment"]
    _clear(platform, row)
    try:
        fleet = _builder(platform, row, told).fleet()
        # Requests wait from now on until the models are loaded
        platform.endpoints.add(LiveEndpoint(row.name, fleet, told["config"]))
        _await_health(fleet, told)
    except (_Unhealthy, CallerError) as error:
        if not platform.engine.is_closed:
            platform.endpoints.remove(row.name)
            _failed(platform, row.name, str(error))
        return
    with _changing(platform, row.name) as changed:
        if changed.status == SYSTEM_UPDATING:
            changed.status = IN_SERVICE
    if row.status == UPDATING:
        _update(platform, row)


def _update(platform: Platform, row: Row) -> None:
    endpoint, told = platform.endpoints.find(row.name), row.state["_Next"]
    if endpoint is None:
        raise RuntimeError("an endpoint that does not serve cannot be updated")
    try:
        fleet = _started(platform, row, told)
    except _Unhealthy as error:
        _remove_deployment(platform, row, told)
        _rolled_back(platform, row.name, str(error))
        return
    old = endpoint.replace(fleet, told["config"])
    with _changing(platform, row.name) as changed:
        changed.status = IN_SERVICE
        changed.state["_Deployment"] = told
        changed.state["EndpointConfigName"] = told["config"]["EndpointConfigName"]
        _forget(changed, "_Next", "_Since", "FailureReason")
    old.drained(
        _ASYNC_DRAIN_SECONDS if "AsyncInferenceConfig" in told["config"] else _DRAIN_SECONDS
    )
    _remove_deployment(platform, row, row.state["_Deployment"])


def _rescale(platform: Platform, row: Row) -> None:
    endpoint, told = platform.endpoints.find(row.name), row.state["_Next"]
    if endpoint is None:
        raise RuntimeError("an endpoint that does not serve cannot be changed")
    builder = _builder(platform, row, told)
    removed = []
    try:
        for name, variant in endpoint.fleet.variants.items():
            present, wanted = len(variant.instances), told["counts"][name]
            more = builder.instances(name, wanted)[present:]
            for process in (one for instance in more for one in instance.processes):
                process.start()
            for process in (one for instance in more for one in instance.processes):
                process.wait_ready(startup_seconds(told, name))
            endpoint.with_more(variant, more)
            removed += endpoint.without(variant, wanted)
            variant.weight = told["weights"][name]
    except (NotHealthy, CallerError) as error:
        _rolled_back(platform, row.name, str(error))
        return
    with _changing(platform, row.name) as changed:
        changed.status = IN_SERVICE
        changed.state["_Deployment"] = told
        _forget(changed, "_Next", "_Since", "FailureReason")
    for instance in removed:
        while instance.in_flight:
            time.sleep(0.02)
        for process in instance.processes:
            process.stop()


def _delete(platform: Platform, row: Row) -> None:
    endpoint = platform.endpoints.remove(row.name)
    if endpoint is not None:
        endpoint.fleet.drained(_DRAIN_SECONDS)
    platform.resources.remove(KIND, row.name)
    shutil.rmtree(_folder(platform, row), ignore_errors=True)


class _Unhealthy(Exception):
    """A fleet does not serve; the reason as DescribeEndpoint tells it."""


def _started(platform: Platform, row: Row, told: Deployment) -> Fleet:
    """A new fleet that answers; nothing is left of one that does not.

    Raises:
        _Unhealthy: it does not.
    """
    try:
        fleet = _builder(platform, row, told).fleet()
    except CallerError as error:
        raise _Unhealthy(f"Failed to download {error}") from None
    try:
        _await_health(fleet, told)
    except _Unhealthy:
        fleet.stop()
        raise
    return fleet


def _await_health(fleet: Fleet, told: Deployment) -> None:
    for process in fleet.processes():
        process.start()
    for name, variant in fleet.variants.items():
        for process in (one for instance in variant.instances for one in instance.processes):
            try:
                process.wait_ready(startup_seconds(told, name))
            except NotHealthy as error:
                raise _Unhealthy(
                    f"The {process.serving.hostname} container for production variant {name} did "
                    f"not pass the ping health check: {error}. Please check CloudWatch logs for "
                    "this endpoint."
                ) from None


def _builder(platform: Platform, row: Row, told: Deployment) -> Builder:
    return Builder(platform, row.name, _folder(platform, row) / str(told["number"]), told)


def _folder(platform: Platform, row: Row) -> Path:
    """The endpoint's own: another one of the same name, later, has another."""
    return platform.folder(KIND, row.name) / str(row.id)


def _clear(platform: Platform, row: Row) -> None:
    """Remove what an earlier server left of deployments and processes, before it serves again."""
    number = str(row.state["_Deployment"]["number"])
    with suppress(FileNotFoundError):
        for folder in _folder(platform, row).iterdir():
            if folder.name != number:
                shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(_folder(platform, row) / number / "instances", ignore_errors=True)


def _remove_deployment(platform: Platform, row: Row, told: Deployment) -> None:
    shutil.rmtree(_folder(platform, row) / str(told["number"]), ignore_errors=True)


def _failed(platform: Platform, name: str, reason: str) -> None:
    with _changing(platform, name) as row:
        row.status = FAILED
        row.state["FailureReason"] = reason[:_REASON_CHARACTERS]


def _rolled_back(platform: Platform, name: str, reason: str) -> None:
    """The old fleet serves on, since nothing was taken from it."""
    with _changing(platform, name) as row:
        row.status = IN_SERVICE
        row.state["FailureReason"] = reason[:_REASON_CHARACTERS]
        _forget(row, "_Next", "_Since")


def _forget(row: Row, *members: str) -> None:
    for member in members:
        row.state.pop(member, None)


@contextmanager
def _changing(platform: Platform, name: str) -> Iterator[Row]:
    """The row, unless the server is at its end: then the next one does it all again."""
    nothing = Row(0, KIND, name, "", "", 0, 0, {}, {"_Deployment": {"number": 0}})
    if platform.engine.is_closed:
        yield nothing
        return
    with platform.resources.changing_or(nothing) as row:
        yield row


def _watch(platform: Platform) -> None:
    """Idle instances rest, those that hang are started again."""
    while not platform.engine.is_closed:
        time.sleep(_LOOK_SECONDS)
        for endpoint in platform.endpoints.all():
            for variant in endpoint.fleet.variants.values():
                for instance in list(variant.instances):
                    try:
                        _look(instance, variant.idle_seconds)
                    except Exception:
                        # The others are to be looked after nevertheless
                        _log.exception("looking after endpoint %s failed", endpoint.name)


def _look(instance: Instance, idle_seconds: float) -> None:
    idle = time.monotonic() - instance.used > idle_seconds
    for process in instance.processes:
        if idle and not instance.in_flight:
            process.rest()
        else:
            process.look()
