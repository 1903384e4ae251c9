"""How a failed training says whose fault it was: exit code and failure file."""

from __future__ import annotations

from contextlib import suppress

from clary.errors import CallerError, Fault
from clary.runtime.layout import Layout

DONE, CALLERS_FAULT, OUR_FAULT = 0, 1, 2

_CALLERS, _OURS = "ClientError: ", "AlgorithmError: "


class TrainingFailed(Exception):
    """A training failed for a reason that the user cannot mend."""


def exit_code(error: BaseException) -> int:
    return CALLERS_FAULT if isinstance(error, CallerError) else OUR_FAULT


def failure_text(error: BaseException) -> str:
    """What the failure file says; the platform shows its first 1024 characters."""
    if isinstance(error, CallerError):
        return f"{_CALLERS}{error}"
    return f"{_OURS}{type(error).__name__}: {error}"


def write_failure(layout: Layout, error: BaseException) -> None:
    """Leave the failure file, if that is still possible."""
    with suppress(OSError):
        layout.failure.parent.mkdir(parents=True, exist_ok=True)
        layout.failure.write_text(failure_text(error))


def error_of(text: str) -> Exception:
    """The error that a failure file tells of."""
    if not text.startswith(_CALLERS):
        return TrainingFailed(text.removeprefix(_OURS))
    lines = text.removeprefix(_CALLERS).splitlines()
    return CallerError(*(Fault(*line.split(": ", 1)) for line in lines))
