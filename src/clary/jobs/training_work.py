"""A training job's work, in its worker: train, and put the results into the store."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from clary.data.sources import Source
from clary.jobs.checkpoints import kept_in_step
from clary.jobs.scraping import ScrapedLog
from clary.jobs.worker import RESULT, SCRATCH, Tell, at_leisure, tell_failure
from clary.runtime.launch import ARTIFACT, OUTPUT, Trained, Training, launch
from clary.storage.artifact import unpack
from clary.storage.buckets import stores_in
from clary.storage.folder import whole_file
from clary.storage.location import Stores

RESULTS, CHECKPOINTS = "output", "checkpoints"


def run(order: Mapping[str, Any], tell: Tell) -> None:
    """Do what a training order says; its end is told as an event."""
    at_leisure()
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
        tell_failure(tell, error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _trained(
    order: Mapping[str, Any], folder: Path, stores: Stores, log: ScrapedLog, tell: Tell
) -> None:
    with kept_in_step(order["checkpoints"], folder / CHECKPOINTS, stores) as checkpoints:
        trained = launch(
            _training(order, folder, checkpoints),
            stores=stores,
            log_to=cast(TextIO, log),
            entered=lambda phase: tell(event="phase", phase=phase),
        )
    log.send()
    result = {"ModelArtifacts": _stored(trained, order["output"], order["compression"], stores)}
    # The server may die before it hears of the end; then this tells the next one
    with whole_file(folder / RESULT) as out:
        out.write(json.dumps(result).encode())
    tell(event="done", **result)


def _training(order: Mapping[str, Any], folder: Path, checkpoints: Path | None) -> Training:
    return Training(
        algorithm=order["algorithm"],
        hyperparameters=order["hyperparameters"],
        sources=[Source.from_request(one, order["input_mode"]) for one in order["channels"]],
        output=folder / RESULTS,
        hosts=order["hosts"],
        checkpoints=checkpoints,
        instance_type=order["instance_type"],
    )


def _stored(trained: Trained, output: str, compression: str, stores: Stores) -> dict[str, str]:
    """Put model and output into the store, as archives or as files; where the model is."""
    folder = trained.model.parent
    archives = [name for name in (OUTPUT, ARTIFACT) if (folder / name).exists()]
    if compression == "GZIP":
        for name in archives:
            _put(folder / name, f"{output}/{name}", stores)
        return {"S3ModelArtifacts": f"{output}/{ARTIFACT}"}
    for name in archives:
        whole = folder / name.partition(".")[0]
        unpack(folder / name, whole)
        for path in sorted(path for path in whole.rglob("*") if path.is_file()):
            _put(path, f"{output}/{path.relative_to(folder).as_posix()}", stores)
    return {"S3ModelArtifacts": f"{output}/model/"}


def _put(path: Path, uri: str, stores: Stores) -> None:
    location = stores.locate(uri)
    location.store.put(path, location.key)
