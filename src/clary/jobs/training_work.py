"""A training job's work, in its worker: train, and put the results into the store."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from clary.data.sources import Source
from clary.jobs.scraping import ScrapedLog
from clary.jobs.worker import Tell
from clary.runtime.failure import failure_text
from clary.runtime.launch import ARTIFACT, OUTPUT, Trained, Training, launch
from clary.storage.buckets import stores_in
from clary.storage.folder import whole_file
from clary.storage.location import Stores, local_path

RESULT, SCRATCH, RESULTS = "result.json", "scratch", "output"
# As much of the failure file as the platform shows
_REASON_CHARACTERS = 1024


def run(order: Mapping[str, Any], tell: Tell) -> None:
    """Do what a training order says; its end is told as an event."""
    folder = Path(order["folder"])
    scratch = folder / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(folder / RESULTS, ignore_errors=True)
    scratch.mkdir(parents=True)
    tempfile.tempdir = str(scratch)
    log = ScrapedLog(sys.stdout, order["metrics"], tell)
    stores = stores_in(Path(order["buckets"]) if order["buckets"] else None)
    try:
        _trained(order, folder, stores, log, tell)
    except Exception as error:
        log.send()
        tell(event="failed", reason=failure_text(error)[:_REASON_CHARACTERS])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _trained(
    order: Mapping[str, Any], folder: Path, stores: Stores, log: ScrapedLog, tell: Tell
) -> None:
    trained = launch(
        _training(order, folder, stores),
        stores=stores,
        log_to=cast(TextIO, log),
        entered=lambda phase: tell(event="phase", phase=phase),
    )
    log.send()
    result = {"ModelArtifacts": _stored(trained, order["output"], stores)}
    # The server may die before it hears of the end; then this tells the next one
    with whole_file(folder / RESULT) as out:
        out.write(json.dumps(result).encode())
    tell(event="done", **result)


def _training(order: Mapping[str, Any], folder: Path, stores: Stores) -> Training:
    return Training(
        algorithm=order["algorithm"],
        hyperparameters=order["hyperparameters"],
        sources=_sources(order["channels"], order["input_mode"]),
        output=folder / RESULTS,
        hosts=order["hosts"],
        checkpoints=_checkpoints(order["checkpoints"], stores),
        instance_type=order["instance_type"],
    )


def _sources(channels: Sequence[Mapping[str, Any]], input_mode: str) -> list[Source]:
    return [Source.from_request(channel, input_mode) for channel in channels]  # type: ignore[arg-type]


def _checkpoints(uri: str | None, stores: Stores) -> Path | None:
    """The folder of a checkpoint location; that of a remote store is kept in step elsewhere."""
    if uri is None:
        return None
    location = stores.locate(uri)
    return location.store.local(location.key.rstrip("/") or ".") or local_path(uri)


def _stored(trained: Trained, output: str, stores: Stores) -> dict[str, str]:
    """Put model.tar.gz and output.tar.gz into the store; where the model is."""
    folder = trained.model.parent
    for name in (OUTPUT, ARTIFACT):
        if (folder / name).exists():
            location = stores.locate(f"{output}/{name}")
            location.store.put(folder / name, location.key)
    return {"S3ModelArtifacts": f"{output}/{ARTIFACT}"}
