"""The states of jobs, and which moves between them there are.

A row's `status` is the job's status; `SecondaryStatus` and its transitions are in its `state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clary.db.resources import Row, milliseconds

IN_PROGRESS, STOPPING = "InProgress", "Stopping"
COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"
UNFINISHED = (IN_PROGRESS, STOPPING)
FINISHED = (COMPLETED, FAILED, STOPPED)
# A job that the server's end has cut off so often is not begun once more
_MOST_ATTEMPTS = 10

# From each secondary status of a training job, those that may follow
TRAINING_MOVES: Mapping[str, tuple[str, ...]] = {
    "Pending": ("Starting", "Stopping", "Stopped", "Failed", "Restarting", "MaxWaitTimeExceeded"),
    "Starting": (
        "Downloading",
        "Training",
        "Stopping",
        "Failed",
        "Restarting",
        "MaxRuntimeExceeded",
    ),
    "Downloading": ("Training", "Stopping", "Failed", "Restarting", "MaxRuntimeExceeded"),
    "Training": ("Uploading", "Stopping", "Failed", "Restarting", "MaxRuntimeExceeded"),
    "Uploading": ("Completed", "Stopping", "Stopped", "Failed", "Restarting", "MaxRuntimeExceeded"),
    "Stopping": ("Uploading", "Stopped", "Failed", "MaxRuntimeExceeded", "Restarting"),
    "Restarting": ("Pending", "Starting", "Stopping", "Stopped", "Failed"),
    "MaxRuntimeExceeded": (),
    "MaxWaitTimeExceeded": (),
    "Completed": (),
    "Failed": (),
    "Stopped": (),
}
_MESSAGES = {
    "Pending": "Waiting for a free place",
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job waited longer than MaxWaitTimeInSeconds provided",
    "Restarting": "The server was restarted; the training job begins again",
}


def move(state: dict[str, Any], secondary: str, message: str | None = None) -> bool:
    """Take a training job's state to a secondary status; whether it could go there."""
    transitions = state.setdefault("SecondaryStatusTransitions", [])
    present = transitions[-1]["Status"] if transitions else None
    if present is not None and secondary not in TRAINING_MOVES[present]:
        return False
    now = milliseconds() / 1000
    if transitions:
        transitions[-1]["EndTime"] = now
    told = message or _MESSAGES[secondary]
    transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": told})
    if not TRAINING_MOVES[secondary]:
        transitions[-1]["EndTime"] = now
    state["SecondaryStatus"] = secondary
    return True


def begun(row: Row) -> None:
    """Note that a worker has begun a job."""
    row.state["_Begun"] = True


def cut_off(row: Row) -> bool:
    """Count that the server ended during a job; whether that was too often, with the reason.

    A job that had not begun is not what the server died of.
    """
    row.attempt += bool(row.state.pop("_Begun", False))
    if row.attempt < _MOST_ATTEMPTS:
        return False
    reason = f"the server ended {row.attempt} times during this job"
    row.state["FailureReason"] = f"InternalServerError: {reason}"
    return True
