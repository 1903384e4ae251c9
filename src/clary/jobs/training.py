"""Training jobs, on the server's side: from the request to an order, from events to states."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from clary.db.metrics import Value
from clary.db.resources import Missing, Row, milliseconds
from clary.jobs import states
from clary.jobs.engine import Key
from clary.jobs.logs import Writer
from clary.jobs.platform import Platform
from clary.jobs.worker import NOTHING, RESULT, SCRATCH
from clary.jobs.workers import Exit

KIND = "training-job"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_MAX_RUNTIME_SECONDS = 86_400
_TOO_LONG = "Training job runtime exceeded MaxRuntimeInSeconds"


def begin(platform: Platform, row: Row) -> None:
    """Run a job that is stored, as soon as there is a place."""
    condition = row.request.get("StoppingCondition", {})
    platform.engine.submit(
        (KIND, row.name),
        TrainingJob(platform, row),
        condition.get("MaxWaitTimeInSeconds"),
        partial(_waited_too_long, platform, row.name),
    )


def stop(platform: Platform, name: str) -> None:
    """End a job that is marked as Stopping; one that still waits is Stopped at once."""
    if not platform.engine.stop((KIND, name)):
        with suppress(Missing), platform.resources.changing(KIND, name) as row:
            if row.status == states.STOPPING:
                _finish(row, states.STOPPED, "Stopped")


def _waited_too_long(platform: Platform, name: str) -> None:
    with suppress(Missing), platform.resources.changing(KIND, name) as row:
        if row.status == states.IN_PROGRESS:
            _finish(row, states.STOPPED, "MaxWaitTimeExceeded")


def recover(platform: Platform) -> None:
    """Take up what an earlier server left unfinished."""
    for row in platform.resources.in_status(KIND, states.UNFINISHED):
        result = platform.folder(KIND, row.name) / RESULT
        job = TrainingJob(platform, row)
        if result.exists():
            job.event({"event": "done", **json.loads(result.read_text())})
            job.ended(Exit(0))
        elif row.status == states.STOPPING:
            job.ended(Exit(0))
        else:
            _again(platform, row)


def _again(platform: Platform, row: Row) -> None:
    with platform.resources.changing(KIND, row.name) as changed:
        if states.cut_off(changed):
            _finish(changed, states.FAILED, "Failed")
            return
        states.move(changed.state, "Restarting")
    platform.metrics.clear(row.id)
    begin(platform, changed)


class TrainingJob:
    """The work of one training job."""

    def __init__(self, platform: Platform, row: Row) -> None:
        self._platform, self._row = platform, row
        self._key: Key = (KIND, row.name)
        self._folder = platform.folder(KIND, row.name)
        self._streams: dict[str, Writer] = {}
        self._done: Mapping[str, Any] | None = None
        self._reason: str | None = None
        self._out_of_time = False

    def order(self) -> Mapping[str, Any]:
        state = self._row.state
        request = {**self._row.request, **state.get("_Adapted", {})}
        with self._platform.resources.changing_or(self._row) as row:
            if row.status != states.IN_PROGRESS:
                return {"work": NOTHING}
            states.move(row.state, "Starting")
        (self._folder / RESULT).unlink(missing_ok=True)
        return {
            "work": "training",
            "folder": str(self._folder),
            "environment": self._environment(),
            "buckets": str(self._platform.buckets) if self._platform.buckets else None,
            "algorithm": state["_Algorithm"],
            "hyperparameters": request.get("HyperParameters", {}),
            "channels": request.get("InputDataConfig", []),
            "input_mode": request["AlgorithmSpecification"].get("TrainingInputMode", "File"),
            "hosts": state["_Hosts"],
            "instance_type": state["_InstanceType"],
            "checkpoints": request.get("CheckpointConfig", {}).get("S3Uri"),
            "output": output_folder(self._row),
            "compression": request["OutputDataConfig"].get("CompressionType", "GZIP"),
            "metrics": request["AlgorithmSpecification"]["MetricDefinitions"],
        }

    def line(self, text: str) -> None:
        host, mark, rest = text.partition(" | ")
        if not (mark and host.startswith("algo-") and host[5:].isdecimal()):
            host, rest = "algo-1", text
        if host not in self._streams:
            stream = f"{self._row.name}/{host}-{self._row.created // 1000}"
            self._streams[host] = self._platform.logs.writer(LOG_GROUP, stream)
        self._streams[host].write(rest)

    def event(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "phase":
            self._enter(event["phase"])
        elif event["event"] == "metrics":
            self._platform.metrics.add(self._row.id, (Value(*one) for one in event["values"]))
        elif event["event"] == "done":
            self._done = event
        elif event["event"] == "failed":
            self._reason = event["reason"]

    def ended(self, end: Exit) -> None:
        for stream in self._streams.values():
            stream.close()
        if self._platform.engine.is_closed:
            # Not its own end but the server's: the next server takes it up again
            return
        with self._platform.resources.changing_or(self._row) as row:
            self._conclude(row, end)
        shutil.rmtree(self._folder / SCRATCH, ignore_errors=True)

    def _conclude(self, row: Row, end: Exit) -> None:
        if row.status in states.FINISHED:
            return
        values = {one.name: one for one in self._platform.metrics.of(row)}
        if values:
            row.state["FinalMetricDataList"] = [
                {"MetricName": one.name, "Value": one.value, "Timestamp": one.time / 1000}
                for one in values.values()
            ]
        if self._done:
            row.state["ModelArtifacts"] = self._done["ModelArtifacts"]
        if self._out_of_time:
            _finish(row, states.STOPPED, "MaxRuntimeExceeded")
        elif row.status == states.STOPPING:
            _finish(row, states.STOPPED, "Stopped")
        elif self._done:
            _finish(row, states.COMPLETED, "Completed")
        else:
            row.state["FailureReason"] = self._reason or _unexplained(end)
            _finish(row, states.FAILED, "Failed")

    def _enter(self, phase: str) -> None:
        piped = self._row.request["AlgorithmSpecification"].get("TrainingInputMode") == "Pipe"
        with self._platform.resources.changing_or(self._row) as row:
            states.begun(row)
            row.state.setdefault("TrainingStartTime", milliseconds() / 1000)
            # Pipes are filled while the algorithm reads
            if not (phase == "Downloading" and piped):
                states.move(row.state, phase)
        if phase == "Downloading":
            self._limit()

    def _limit(self) -> None:
        """A job that is taken up again has the whole time again: the server may have been away."""
        condition = self._row.request.get("StoppingCondition", {})
        seconds = condition.get("MaxRuntimeInSeconds", _MAX_RUNTIME_SECONDS)
        self._platform.engine.limit(self._key, seconds, self._time_is_out)

    def _time_is_out(self) -> None:
        self._out_of_time = True
        with self._platform.resources.changing_or(self._row) as row:
            if row.status == states.IN_PROGRESS:
                row.status = states.STOPPING
                states.move(row.state, "Stopping", _TOO_LONG)

    def _environment(self) -> dict[str, str]:
        account = self._platform.account
        return {
            **self._row.request.get("Environment", {}),
            "TRAINING_JOB_NAME": self._row.name,
            "TRAINING_JOB_ARN": self._row.arn,
            "AWS_REGION": account.region,
        }


def output_folder(row: Row) -> str:
    """The URI below which a job's artifacts are."""
    return f"{row.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{row.name}/output"


def _finish(row: Row, status: str, secondary: str) -> None:
    message = row.state.get("FailureReason") if status == states.FAILED else None
    states.move(row.state, secondary, message)
    row.status = status
    now = milliseconds() / 1000
    row.state["TrainingEndTime"] = now
    if "TrainingStartTime" in row.state:
        seconds = max(1, round(now - row.state["TrainingStartTime"]))
        row.state["TrainingTimeInSeconds"] = row.state["BillableTimeInSeconds"] = seconds


def _unexplained(end: Exit) -> str:
    if end.reason:
        return f"AlgorithmError: the training was killed: {end.reason}"
    return f"InternalServerError: the training process {end.told()}"
