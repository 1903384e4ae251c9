"""A batch transform's work, in its worker: one instance's objects to their outputs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from clary.data.sources import Item
from clary.jobs.model_data import fetched_data
from clary.jobs.transforming.containers import Container, Pipeline, loaded_container
from clary.jobs.transforming.outputs import ledger, output_uri, written_names
from clary.jobs.transforming.request import Transform
from clary.jobs.transforming.run import Stopped, TransformRun
from clary.jobs.worker import (
    REASON_CHARACTERS,
    RESULT,
    SCRATCH,
    Tell,
    at_leisure,
    tell_failure,
)
from clary.storage.buckets import stores_in
from clary.storage.folder import whole_file
from clary.storage.location import Stores

# So many faults are told by name
_MOST_FAULTS = 100


def run(order: Mapping[str, Any], tell: Tell) -> None:
    """Do what a transform order says; its end is told as an event."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    at_leisure()
    folder = Path(order["folder"])
    scratch = folder / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tempfile.tempdir = str(scratch)
    stores = stores_in(Path(order["buckets"]) if order["buckets"] else None)
    hangs = False
    try:
        hangs = _transformed(order, folder, stores, stop, tell)
    except Stopped:
        pass
    except Exception as error:
        tell_failure(tell, error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if hangs:
        # Python would wait for the thread of a request that was given up
        sys.stdout.flush()
        os._exit(0)


def _transformed(
    order: Mapping[str, Any], folder: Path, stores: Stores, stop: Event, tell: Tell
) -> bool:
    """Whether a request hangs."""
    request = order["request"]
    output = request["TransformOutput"]["S3OutputPath"]
    pipeline = Pipeline([_container(each, folder, stores) for each in order["containers"]])

    def deliver(path: Path, name: str) -> None:
        location = stores.locate(output_uri(output, name))
        location.store.put(path, location.key)

    run = TransformRun(Transform.of(request), pipeline, deliver, folder / SCRATCH, stop)
    tell(event="limits", text=str(run.limits))
    before = written_names(folder)
    known, faults = set(before), list[tuple[str, str]]()
    written, failed = len(before), 0
    items = (
        Item(name, (stores.locate(uri),)) for name, uri in order["objects"] if name not in known
    )
    with ledger(folder) as note:
        for name, fault in run.over(items):
            if fault is None:
                note(name)
                written += 1
            else:
                failed += 1
                tell(event="dropped", name=name, reason=str(fault)[:REASON_CHARACTERS])
                faults.append((name, str(fault)[:REASON_CHARACTERS]))
    result = {"written": written, "failed": failed, "faults": faults[:_MOST_FAULTS]}
    # The server may die before it hears of the end; then this tells the next one
    with whole_file(folder / RESULT) as out:
        out.write(json.dumps(result).encode())
    tell(event="done", **result)
    return run.hangs


def _container(told: Mapping[str, Any], folder: Path, stores: Stores) -> Container:
    name = told["hostname"]
    path = fetched_data(told["container"], folder / SCRATCH / "models" / name, stores)
    return loaded_container(path, told["algorithm"], told["environment"])
