"""A model server's work, in its worker: serve one container of an endpoint until SIGTERM."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clary.errors import CallerError
from clary.jobs.worker import Tell, behind_the_server
from clary.runtime.serve import serve

SCRATCH = "scratch"


def run(order: Mapping[str, Any], tell: Tell) -> None:
    """Do what a serving order says; where it is served is told as an event, or why it is not."""
    behind_the_server(False)
    folder = Path(order["folder"])
    scratch = folder / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    # Archives are unpacked there
    tempfile.tempdir = str(scratch)
    try:
        serve(
            Path(order["model"]),
            "127.0.0.1",
            0,
            order["algorithm"],
            lambda port: tell(event="serving", port=port),
        )
    except CallerError as error:
        tell(event="failed", reason=str(error))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
