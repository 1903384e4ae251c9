"""Transform jobs, on the server's side: from the request to orders, from events to states.

A job has as many workers as instances, but no more than processors, each with objects of its own.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clary import settings
from clary.data.sources import Source, resolve
from clary.db.resources import Missing, Row, milliseconds
from clary.errors import CallerError
from clary.jobs import states
from clary.jobs.engine import Key
from clary.jobs.logs import Writer
from clary.jobs.platform import Platform
from clary.jobs.serving.deployments import containers_of
from clary.jobs.transforming.outputs import output_uri, written_names
from clary.jobs.transforming.request import batch_environment
from clary.jobs.worker import NOTHING, RESULT, SCRATCH
from clary.jobs.workers import Exit
from clary.storage.folder import whole_file
from clary.storage.location import Location

KIND = "transform-job"
LOG_GROUP = "/aws/sagemaker/TransformJobs"
_REASON_CHARACTERS = 1024
# In the job's folder: name and URI of each object, as they were when it was created
_OBJECTS = "objects.json"


def source_of(request: Mapping[str, Any]) -> Source:
    """Where a job's objects are.

    Raises:
        CallerError: it is no source that a transform takes.
    """
    s3 = request["TransformInput"]["DataSource"]["S3DataSource"]
    if s3["S3DataType"] == "AugmentedManifestFile":
        rule = "must be S3Prefix or ManifestFile for a transform job"
        raise CallerError.of("S3DataType", rule, s3["S3DataType"])
    return Source("TransformInput", s3["S3Uri"], s3["S3DataType"])


def first_state(request: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a job from its beginning: the model as it is now, the instances' names.

    There are no more instances than processors, since more would be no faster.
    """
    count = min(request["TransformResources"]["InstanceCount"], settings.threads())
    names = [f"i-{secrets.token_hex(9)[:17]}" for _ in range(count)]
    return {"_Model": dict(model), "_Instances": names, "_Ended": {}}


def begin(platform: Platform, row: Row) -> None:
    """Run a job that is stored, as soon as there are places."""
    folder = platform.folder(KIND, row.name)
    try:
        objects = _objects(platform, row, folder)
    except CallerError as error:
        with suppress(Missing), platform.resources.changing(KIND, row.name) as changed:
            if changed.status == states.IN_PROGRESS:
                changed.state["FailureReason"] = f"ClientError: {error}"[:_REASON_CHARACTERS]
                _finish(changed, states.FAILED)
        return
    count = len(row.state["_Instances"])
    for number in range(count):
        if str(number) not in row.state["_Ended"]:
            instance = Instance(platform, row, number, objects[number::count])
            platform.engine.submit(instance.key, instance)


def stop(platform: Platform, row: Row) -> None:
    """End a job that is marked as Stopping; its outputs are removed."""
    for number in range(len(row.state["_Instances"])):
        if not platform.engine.stop(_key(row.name, number)):
            _ended(platform, row, number, {"reason": "stopped"})


def recover(platform: Platform) -> None:
    """Take up what an earlier server left unfinished; what was written is not written again."""
    for row in platform.resources.in_status(KIND, states.UNFINISHED):
        for number in range(len(row.state["_Instances"])):
            result = _folder(platform, row, number) / RESULT
            if result.exists():
                _ended(platform, row, number, json.loads(result.read_text()))
            elif row.status == states.STOPPING:
                _ended(platform, row, number, {"reason": "stopped"})
        # The server may have ended between an instance's end and the job's
        _settle(platform, row)
        _again(platform, row.name)


def _again(platform: Platform, name: str) -> None:
    with platform.resources.changing(KIND, name) as row:
        if row.status in states.FINISHED:
            return
        if states.cut_off(row):
            _finish(row, states.FAILED)
            return
    begin(platform, row)


class Instance:
    """The work of one instance of a job. objects: name and URI of each that is its own."""

    def __init__(
        self, platform: Platform, row: Row, number: int, objects: list[tuple[str, str]]
    ) -> None:
        self.key = _key(row.name, number)
        self._platform, self._row, self._number, self._objects = platform, row, number, objects
        self._folder = _folder(platform, row, number)
        self._log: Writer | None = None
        self._data_log: Writer | None = None
        self._result: Mapping[str, Any] | None = None
        self._reason: str | None = None

    def order(self) -> Mapping[str, Any]:
        with self._platform.resources.changing_or(self._row) as row:
            if row.status != states.IN_PROGRESS:
                return {"work": NOTHING}
            states.begun(row)
            row.state.setdefault("TransformStartTime", milliseconds() / 1000)
        stream = f"{self._row.name}/{self._row.state['_Instances'][self._number]}"
        stream += f"-{self._row.created // 1000}"
        self._log = self._platform.logs.writer(LOG_GROUP, stream)
        self._data_log = self._platform.logs.writer(LOG_GROUP, f"{stream}/data-log")
        (self._folder / RESULT).unlink(missing_ok=True)
        return {
            "work": "transform",
            "folder": str(self._folder),
            "buckets": str(self._platform.buckets) if self._platform.buckets else None,
            "request": self._row.request,
            "containers": list(self._containers()),
            "objects": self._objects,
        }

    def line(self, text: str) -> None:
        if self._log:
            self._log.write(text)

    def event(self, event: Mapping[str, Any]) -> None:
        assert self._data_log
        if event["event"] == "limits":
            self._data_log.write(f"[sagemaker logs]: {event['text']}")
        elif event["event"] == "dropped":
            uri = dict(self._objects)[event["name"]].removeprefix("s3://")
            self._data_log.write(f"[sagemaker logs]: {uri}: {event['reason']}")
        elif event["event"] == "done":
            self._result = event
        elif event["event"] == "failed":
            self._reason = event["reason"]

    def ended(self, end: Exit) -> None:
        for stream in (self._log, self._data_log):
            if stream:
                stream.close()
        if self._platform.engine.is_closed:
            # Not its own end but the server's: the next server takes it up again
            return
        reason = self._reason or f"InternalServerError: the transform process {end.told()}"
        if end.reason:
            reason = f"AlgorithmError: the transform was killed: {end.reason}"
        result = self._result or {"reason": reason}
        _ended(self._platform, self._row, self._number, result)

    def _containers(self) -> Iterator[dict[str, Any]]:
        for number, container in enumerate(containers_of(self._row.state["_Model"]), start=1):
            yield {
                "hostname": container.get("ContainerHostname", f"container-{number}"),
                "container": container,
                "algorithm": container["_Algorithm"],
                "environment": {
                    **container.get("Environment", {}),
                    **batch_environment(self._row.request),
                    "AWS_REGION": self._platform.account.region,
                },
            }


def _ended(platform: Platform, row: Row, number: int, result: Mapping[str, Any]) -> None:
    """Note how an instance ended; with the last one the job ends."""
    with platform.resources.changing_or(row) as changed:
        told = {key: value for key, value in result.items() if key != "event"}
        changed.state["_Ended"].setdefault(str(number), told)
    _settle(platform, changed)


def _settle(platform: Platform, row: Row) -> None:
    """End the job, if all its instances have ended."""
    count = len(row.state["_Instances"])
    if len(row.state["_Ended"]) < count or row.status in states.FINISHED:
        return
    folders = [_folder(platform, row, number) for number in range(count)]
    written = [name for folder in folders for name in written_names(folder)]
    if row.status == states.STOPPING:
        _remove(platform, row, written)
    with platform.resources.changing_or(row) as last:
        _conclude(last, len(written))
    for folder in folders:
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)


def _conclude(row: Row, written: int) -> None:
    if row.status in states.FINISHED:
        return
    ended = row.state["_Ended"].values()
    broken = [one["reason"] for one in ended if "reason" in one]
    failed = sum(one.get("failed", 0) for one in ended)
    if row.status == states.STOPPING:
        _finish(row, states.STOPPED)
    elif broken or failed:
        told = f" The outputs of {written} objects were written."
        faults = [fault for one in ended for fault in one.get("faults", [])]
        reason = broken[0] if broken else _told(failed, failed + written, faults)
        row.state["FailureReason"] = reason[: _REASON_CHARACTERS - len(told)] + told
        _finish(row, states.FAILED)
    else:
        _finish(row, states.COMPLETED)


def _told(failed: int, total: int, faults: list[tuple[str, str]]) -> str:
    name, reason = faults[0]
    first = "the first is" if failed > 1 else "it is"
    told = f"{first} {name}: {reason.rstrip('.')}."
    return f"ClientError: {failed} of {total} objects have no output; {told}"


def _remove(platform: Platform, row: Row, written: list[str]) -> None:
    """A job that was stopped has no output."""
    for name in written:
        uri = output_uri(row.request["TransformOutput"]["S3OutputPath"], name)
        with suppress(CallerError):
            location = platform.stores.locate(uri)
            location.store.remove(location.key)


def _objects(platform: Platform, row: Row, folder: Path) -> list[tuple[str, str]]:
    """The objects as they were listed when the job began first."""
    path = folder / _OBJECTS
    if not path.exists():
        objects = []
        for item in resolve(source_of(row.request), platform.stores):
            (location,) = item.parts
            assert isinstance(location, Location)
            objects.append((item.name, location.uri))
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as out:
            out.write(json.dumps(objects).encode())
        return objects
    return [(name, uri) for name, uri in json.loads(path.read_text())]


def _finish(row: Row, status: str) -> None:
    row.status = status
    row.state["TransformEndTime"] = milliseconds() / 1000


def _folder(platform: Platform, row: Row, number: int) -> Path:
    return platform.folder(KIND, row.name) / f"instance-{number + 1}"


def _key(name: str, number: int) -> Key:
    return (KIND, f"{name}/{number + 1}")
